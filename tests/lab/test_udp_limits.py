"""Who refuses datagrams says so six times and then once a second: what is silent meanwhile is not called silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.runs import Check, Result
from tests.lab.udp_limits import (
    FIRST_PORT,
    OPEN_PORT,
    QUESTIONS,
    SILENT_PORT,
    TARGETS,
    UDP_LIMITS,
    addresses,
    responder,
)

pytestmark = pytest.mark.lab

BUDGETS_S: Mapping[str, int] = {"hundred": 6, "crowd": 12, "aliases": 12, "slow": 30, "slow6": 30}
"""--udp-budget of those for which the default is too long, or too short beside fourteen other runs."""

PARTS: Mapping[str, range] = {"slow": range(FIRST_PORT + 5, FIRST_PORT + 13)}
"""What is asked here of a target that all of tests/bench would take too long for."""

AT_MOST_S: Mapping[str, float] = {"closed": 20.0, "closed6": 6.0, "hundred": 10.0, "hundred6": 16.0, "crowd6": 12.0}
"""The kernel sets what is possible: 14 s for `closed`, 9.4 s for `hundred6`. tests/bench measures exactly."""

RATIONED = (PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED)
SILENT = (PortState.OPEN_FILTERED, Reason.NO_RESPONSE, None)
SAID_AT_ONCE = 6

Runs = Mapping[str, Result]


def ports_of(name: str) -> tuple[int, ...]:
    return tuple(port for port in TARGETS[name].ports if port in PARTS.get(name, range(65536)))


@pytest.fixture(scope="module")
def limits() -> Iterator[Lab]:
    with build(UDP_LIMITS) as lab:
        yield lab


@pytest.fixture(scope="module")
def looks(limits: Lab) -> Runs:
    """All at the same time, each from a client of its own."""

    def look(question: str) -> Result:
        name, family = QUESTIONS[question]
        ports = f"{','.join(map(str, ports_of(name)))}/udp"
        budget = ("--udp-budget", str(BUDGETS_S[question])) if question in BUDGETS_S else ()
        return runs.check(limits, f"c-{question}", *addresses(name, family), "-e", ports, *budget)

    return runs.named({question: partial(look, question) for question in QUESTIONS})


def seen(check: Check) -> tuple[str, str, str | None]:
    return check["state"], check["reason"], check["responder"]


def truth(name: str, address: str, family: Family) -> dict[int, tuple[str, str, str | None]]:
    target = TARGETS[name]
    refused = (
        (PortState.FILTERED, Reason.ADMIN_PROHIBITED)
        if target.rejected_by_r1
        else (PortState.CLOSED, Reason.PORT_UNREACH)
    )
    found: dict[int, tuple[str, str, str | None]] = dict.fromkeys(
        target.closed_ports, (*refused, responder(name, address, family))
    )
    found |= dict.fromkeys(target.dropped_ports, SILENT)
    if target.answers:
        found |= {OPEN_PORT: (PortState.OPEN, Reason.UDP_RESPONSE, None), SILENT_PORT: SILENT}
    return {port: found[port] for port in ports_of(name)}


COMPLETE = [question for question in QUESTIONS if question not in ("hundred", "crowd", "aliases", "aliases6")]


@pytest.mark.parametrize("question", COMPLETE)
def test_every_port_is_right(looks: Runs, question: str) -> None:
    name, family = QUESTIONS[question]
    for address in addresses(name, family):
        found = {port: seen(check) for port, check in looks[question].ports(address).items()}
        assert found == truth(name, address, family)


@pytest.mark.parametrize("question", [q for q in QUESTIONS if q not in COMPLETE])
def test_what_time_does_not_allow_to_know_is_said_to_be_unknown(looks: Runs, question: str) -> None:
    """Never open or filtered: nothing here is silent of itself. And who limits is named."""
    name, family = QUESTIONS[question]
    known = 0
    for address in addresses(name, family):
        right = truth(name, address, family)
        checks = looks[question].ports(address)
        assert checks.keys() == right.keys()
        for port, check in checks.items():
            if seen(check) == right[port]:
                known += 1
            else:
                assert (check["state"], check["reason"]) == RATIONED, check
                assert check["responder"] is not None, check
                assert check["outcome"] == "inconclusive", check
    assert known >= SAID_AT_ONCE


def test_the_router_is_named_that_limits_for_a_crowd(looks: Runs) -> None:
    unknown = [check for check in looks["crowd"].checks if check["state"] == PortState.UNKNOWN]
    assert {check["responder"] for check in unknown} == {responder("crowd", "")}


@pytest.mark.parametrize("question", AT_MOST_S)
def test_it_takes_no_longer_than_it_must(looks: Runs, question: str) -> None:
    assert looks[question].run["duration_s"] <= AT_MOST_S[question]


@pytest.mark.parametrize("question", ["half", "half6", "slow", "slow6", "mixed", "mixed6", "refused", "refused6"])
def test_silence_among_refusals_is_explained(looks: Runs, question: str) -> None:
    """The host is there and would have said that the port is closed: dropped, or open and silent."""
    silent = [check for check in looks[question].checks if check["state"] == PortState.OPEN_FILTERED]
    assert {check["detail"] for check in silent} == {"icmp-alive"}
