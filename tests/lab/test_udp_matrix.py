"""The truth table of UDP, ICMP echo, GRE, ESP and AH, through the command line: all of it, every time.

Nobody asks, without capabilities; root asks only what needs a raw socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import pytest

from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import Family
from tests.lab import runs
from tests.lab.build import Lab, build
from tests.lab.runs import Check, Result
from tests.lab.udp_matrix import CASES, DENIED, ROOT, UDP_MATRIX, USER, Case

pytestmark = pytest.mark.lab

ROUNDS = 2
"""Of the server's ports. A router without a route rations what it says (5 errors, then one a second: ip_error)."""

NODES = {USER: "client", DENIED: "denied", ROOT: "client"}
"""Where each asker is."""


def asked(cases: Iterable[Case]) -> str:
    """What -e takes."""
    by_transport: dict[Transport, set[int]] = {}
    for case in cases:
        by_transport.setdefault(case.transport, set()).add(case.port)
    return ",".join(
        f"{','.join(map(str, sorted(ports)))}/udp" if transport is Transport.UDP else transport.value
        for transport, ports in by_transport.items()
    )


def looks() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(asker, addresses, ports): of each asker, a run for all addresses that are asked the same."""
    by_address: dict[tuple[str, str], list[Case]] = {}
    for case in CASES:
        by_address.setdefault((case.asker, case.address), []).append(case)
    alike: dict[tuple[str, str], list[str]] = {}
    for (asker, address), cases in by_address.items():
        alike.setdefault((asker, asked(cases)), []).append(address)
    return ((asker, tuple(addresses), ports) for (asker, ports), addresses in alike.items())


@pytest.fixture(scope="module")
def udp() -> Iterator[Lab]:
    with build(UDP_MATRIX) as lab:
        yield lab


SERVERS = {UDP_MATRIX.address("server", family) for family in Family}


def times(address: str) -> int:
    return ROUNDS if address in SERVERS else 1


@pytest.fixture(scope="module")
def rounds(udp: Lab) -> list[tuple[str, Result]]:
    """Who asked, and what came of it; all at the same time, because hardly anybody here limits what he answers."""
    every = [
        (asker, partial(runs.check, udp, NODES[asker], *addresses, "-e", ports, user=asker != ROOT))
        for asker, addresses, ports in looks()
        for _ in range(times(addresses[0]))
    ]
    results = runs.at_once([look for _, look in every])
    return list(zip((asker for asker, _ in every), results, strict=True))


def seen_in(rounds: list[tuple[str, Result]], case: Case) -> list[Check]:
    asked = (case.address, case.transport, case.port)
    return [
        check for asker, result in rounds for check in result.checks if (asker, *where(check)) == (case.asker, *asked)
    ]


def where(check: Check) -> tuple[str, str, int]:
    return check["target"]["address"], check["transport"], check["port"] or 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, rounds: list[tuple[str, Result]]) -> None:
    seen = seen_in(rounds, case)
    assert len(seen) == times(case.address)
    for check in seen:
        assert {key: check[key] for key in ("state", "reason", "responder")} == {
            "state": case.state,
            "reason": case.reason,
            "responder": case.responder,
        }, check
        assert case.detail in (None, check["detail"]), check


def test_nothing_else_is_seen(rounds: list[tuple[str, Result]]) -> None:
    seen = {(asker, *where(check)) for asker, result in rounds for check in result.checks}
    assert seen == {(case.asker, case.address, case.transport, case.port) for case in CASES}


OUTCOMES: Mapping[PortState, str] = {
    PortState.OPEN: "pass",
    PortState.CLOSED: "fail",
    PortState.FILTERED: "fail",
    PortState.OPEN_FILTERED: "inconclusive",
    PortState.UNKNOWN: "inconclusive",
}
"""What a required port comes to: silence proves nothing, and neither does what was not measured."""


@pytest.mark.parametrize("case", [case for case in CASES if case.reason is not Reason.NEEDS_PRIVILEGE], ids=str)
def test_outcome(case: Case, rounds: list[tuple[str, Result]]) -> None:
    assert {check["outcome"] for check in seen_in(rounds, case)} == {OUTCOMES[case.state]}
