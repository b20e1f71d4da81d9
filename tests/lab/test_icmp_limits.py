"""Who rejects says so six times and then once a second: what is silent meanwhile is not called dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.rationed import OPEN_PORT, RATIONED, TARGETS, address, responder
from tests.lab.runs import OPEN, SILENT, Check, Result

pytestmark = pytest.mark.lab

AT_MOST_S = 15.0
SAID_AT_ONCE = 6
"""Errors that Linux sends to one peer before it begins to ration them."""

Runs = Mapping[str, Result]


@pytest.fixture(scope="module")
def rationed() -> Iterator[Lab]:
    with build(RATIONED) as lab:
        yield lab


def ports_of(name: str) -> tuple[int, ...]:
    target = TARGETS[name]
    return (OPEN_PORT, *target.rejected_ports, *target.dropped_ports)


@pytest.fixture(scope="module")
def looks(rationed: Lab) -> Runs:
    """Each from a client of its own, which nobody else's errors are counted against."""

    def look(client: str, *names: str, family: Family = Family.IPV4) -> Result:
        ports = {port for name in names for port in ports_of(name)}
        if not any(TARGETS[name].answers for name in names):
            ports.remove(OPEN_PORT)
        return runs.check(rationed, client, *(address(name, family) for name in names), "-e", runs.tcp(ports))

    return runs.named(
        {
            "rejected": partial(look, "c-rej", "rejected"),
            "half": partial(look, "c-half", "half"),
            "few": partial(look, "c-few", "few"),
            "itself": partial(look, "c-self", "itself"),
            "two": partial(look, "c-two", "shut", "mute"),
            "rejected6": partial(look, "c-rej6", "rejected", family=Family.IPV6),
            "half6": partial(look, "c-half6", "half", family=Family.IPV6),
        }
    )


def assert_rejected(checks: list[Check], reason: Reason, by: str) -> None:
    for check in checks:
        seen = (check["state"], check["reason"], check["responder"], check["finding"])
        assert seen == (PortState.FILTERED, reason, by, Finding.REJECTED), check


@pytest.mark.parametrize(
    ("name", "target", "family"),
    [
        ("rejected", "rejected", Family.IPV4),
        ("rejected6", "rejected", Family.IPV6),
        ("itself", "itself", Family.IPV4),
    ],
)
def test_a_hundred_rejected_ports_are_all_rejected(looks: Runs, name: str, target: str, family: Family) -> None:
    """Those that were seen to be, and those that are concluded, which are marked."""
    ports = looks[name].ports(address(target, family))
    rejected = [ports[port] for port in TARGETS[target].rejected_ports]
    assert len(rejected) == 100
    assert_rejected(rejected, TARGETS[target].reason, responder(target, family))
    seen = [check for check in rejected if not check["inferred"]]
    assert len(seen) >= SAID_AT_ONCE
    for check in rejected:
        # What is not inferred has the error itself as its evidence.
        assert (check["icmp"] is not None) or check["inferred"], check
        assert not check["inferred"] or re.fullmatch(r"seen on \d+ of \d+ ports", check["detail"]), check
    assert looks[name].seen(address(target, family))[OPEN_PORT] == OPEN


@pytest.mark.parametrize(("name", "family"), [("half", Family.IPV4), ("half6", Family.IPV6)])
def test_dropped_ports_among_as_many_rejected_ones_are_not_called_dropped_with_certainty(
    looks: Runs, name: str, family: Family
) -> None:
    """Nor are they called rejected with certainty: only an ICMP error proves that."""
    target = TARGETS["half"]
    ports = looks[name].ports(address("half", family))
    for port in (*target.rejected_ports, *target.dropped_ports):
        check = ports[port]
        if check["state"] == PortState.UNKNOWN:
            assert check["reason"] == Reason.ICMP_RATE_LIMITED, check
            assert check["finding"] == Finding.UNDETERMINED, check
        elif port in target.rejected_ports or check["inferred"]:
            assert_rejected([check], target.reason, responder("half", family))
        else:
            # It may be settled that a port is dropped, but then it is one.
            assert (check["state"], check["reason"]) == SILENT, check
    seen = [port for port in target.rejected_ports if not ports[port]["inferred"]]
    assert len(seen) >= SAID_AT_ONCE


def test_a_few_ports_are_told_apart_exactly(looks: Runs) -> None:
    """Three errors do not use the ration up, so nobody kept silent because of it."""
    target = TARGETS["few"]
    ports = looks["few"].ports(address("few"))
    rejected = [ports[port] for port in target.rejected_ports]
    assert_rejected(rejected, target.reason, responder("few"))
    assert [check["inferred"] for check in rejected] == [False] * 3
    dropped = [ports[port] for port in target.dropped_ports]
    assert [(c["state"], c["reason"]) for c in dropped] == [SILENT] * 2
    assert [c["finding"] for c in dropped] == [Finding.BLOCKED] * 2


def test_a_rejected_server_and_a_dropped_one_behind_the_same_router(looks: Runs) -> None:
    """The ration is the router's, not the server's: its errors about one server leave none for the other."""
    shut = looks["two"].ports(address("shut"))
    assert_rejected([shut[port] for port in TARGETS["shut"].rejected_ports], Reason.ADMIN_PROHIBITED, responder("shut"))
    mute = looks["two"].seen(address("mute"))
    assert set(mute) == set(TARGETS["mute"].dropped_ports)
    assert set(mute.values()) <= {SILENT, (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED)}


@pytest.mark.parametrize("name", ["rejected", "half", "few", "itself", "two", "rejected6", "half6"])
def test_asking_again_has_an_end(looks: Runs, name: str) -> None:
    assert looks[name].run["duration_s"] <= AT_MOST_S
