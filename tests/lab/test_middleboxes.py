"""A box that accepts connections for somebody else: then "open" says nothing about the server, and is not said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding, Outcome
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.middleboxes import (
    BALANCED,
    BALANCED_MUTE,
    BALANCED_PORTS,
    BOXES,
    CAPTIVE,
    CLOSED_PORTS,
    DROPPED_PORT,
    OPEN_PORTS,
    PROXIED,
    address,
    box,
)
from tests.lab.runs import CLOSED, OPEN, SILENT, Result

pytestmark = pytest.mark.lab

ASKED: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "proxied": (PROXIED, (*OPEN_PORTS, DROPPED_PORT, *CLOSED_PORTS)),
    "captive": (CAPTIVE, (*OPEN_PORTS, *BALANCED_PORTS, *CLOSED_PORTS[:10])),
    "balanced": (BALANCED, (*BALANCED_PORTS, *CLOSED_PORTS[:10])),
    "balanced, mute": (BALANCED_MUTE, (*BALANCED_PORTS, *CLOSED_PORTS[:10])),
    "balanced alone": (BALANCED, BALANCED_PORTS),
    "balanced alone, mute": (BALANCED_MUTE, BALANCED_PORTS),
}
"""Which ports of which address of the server each run is about."""

EVERYTHING = (PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING)
RESET = (PortState.UNKNOWN, Reason.RESET_AFTER_HANDSHAKE)

Runs = Mapping[tuple[str, Family], Result]


@pytest.fixture(scope="module")
def looks() -> Iterator[Runs]:
    with build(BOXES) as lab:
        yield runs.named(
            {
                (name, family): partial(look, lab, address(number, family), ports)
                for name, (number, ports) in ASKED.items()
                for family in Family
            }
        )


def look(lab: Lab, target: str, ports: tuple[int, ...]) -> Result:
    return runs.check(lab, "client", target, "-e", runs.tcp(ports), "--speed", "fast")


@pytest.mark.parametrize("family", Family)
def test_no_closed_port_behind_a_syn_proxy_is_open(looks: Runs, family: Family) -> None:
    result = looks["proxied", family]
    ports = result.ports(address(PROXIED, family))
    seen = result.seen(address(PROXIED, family))
    assert len(CLOSED_PORTS) == 1000
    assert {port: seen[port] for port in CLOSED_PORTS} == dict.fromkeys(CLOSED_PORTS, RESET)
    assert {ports[port]["responder"] for port in CLOSED_PORTS} == {box(family)}
    assert {ports[port]["outcome"] for port in CLOSED_PORTS} == {Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("family", Family)
def test_a_port_that_is_open_behind_a_syn_proxy_is_open(looks: Runs, family: Family) -> None:
    seen = looks["proxied", family].seen(address(PROXIED, family))
    assert {port: seen[port] for port in OPEN_PORTS} == runs.truth(open=OPEN_PORTS)


@pytest.mark.parametrize("family", Family)
def test_a_proxy_that_waits_for_a_silent_server_is_not_an_open_port(looks: Runs, family: Family) -> None:
    """It has accepted for the server, which never answered; its window of zero says so."""
    check = looks["proxied", family].check(address(PROXIED, family), DROPPED_PORT)
    assert (check["state"], check["reason"]) == EVERYTHING
    assert "window" in check["detail"]
    assert check["outcome"] == Outcome.INCONCLUSIVE


@pytest.mark.parametrize("family", Family)
def test_what_accepts_everything_proves_nothing(looks: Runs, family: Family) -> None:
    result = looks["captive", family]
    _, ports = ASKED["captive"]
    assert result.seen(address(CAPTIVE, family)) == dict.fromkeys(ports, EVERYTHING)
    assert {check["responder"] for check in result.checks} == {box(family)}
    assert (result.status, result.summary["inconclusive"]) == (3, len(ports))


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize(
    ("name", "rest", "finding"),
    [("balanced", CLOSED, Finding.NOT_LISTENING), ("balanced, mute", SILENT, Finding.BLOCKED)],
)
def test_a_load_balancer_is_not_accused(
    looks: Runs, family: Family, name: str, rest: tuple[str, str], finding: Finding
) -> None:
    number, ports = ASKED[name]
    found = looks[name, family].ports(address(number, family))
    expected = dict.fromkeys(ports, (*rest, finding)) | dict.fromkeys(BALANCED_PORTS, (*OPEN, Finding.OK))
    assert {port: (c["state"], c["reason"], c["finding"]) for port, c in found.items()} == expected


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("name", ["balanced alone", "balanced alone, mute"])
def test_a_load_balancer_is_not_accused_when_only_its_ports_are_asked(looks: Runs, family: Family, name: str) -> None:
    """All that was asked for is open: only ports that nobody asked for can tell."""
    result = looks[name, family]
    assert (result.status, result.states()) == (0, {OPEN: len(BALANCED_PORTS)})
    assert {check["responder"] for check in result.checks} == {None}
