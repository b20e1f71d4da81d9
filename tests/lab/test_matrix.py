"""The truth table of TCP, through the command line, as a user without privileges: all of it, every time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from portcheck.engine.probe import Reason
from portcheck.model import Family, Finding, Outcome
from tests.lab import runs
from tests.lab.build import Lab
from tests.lab.matrix import ABSENT_PORT, CASES, CLOSED_PORT, MATRIX, OPEN_PORT, SERVER, Case
from tests.lab.runs import Result

pytestmark = pytest.mark.lab

ROUNDS = 3

FINDINGS: Mapping[Reason, Finding] = {
    Reason.SYN_ACK: Finding.OK,
    Reason.CONN_REFUSED: Finding.NOT_LISTENING,
    Reason.NO_RESPONSE: Finding.BLOCKED,
    Reason.PORT_UNREACH: Finding.REJECTED,
    Reason.ADMIN_PROHIBITED: Finding.REJECTED,
    Reason.PROTO_UNREACH: Finding.REJECTED,
    # Of a host that answers on other ports, these are the words of somebody who rejects this one.
    Reason.HOST_UNREACH: Finding.REJECTED,
    Reason.NET_UNREACH: Finding.REJECTED,
    Reason.LOCAL_FIREWALL: Finding.UNDETERMINED,
}
"""What a required port comes to on a host that is there."""

FINDINGS_OF_NOBODY: Mapping[Reason, Finding] = {
    Reason.NO_RESPONSE: Finding.BLOCKED,
    Reason.ARP_FAILURE: Finding.HOST_UNREACHABLE,
    Reason.HOST_UNREACH: Finding.HOST_UNREACHABLE,
    Reason.NET_UNREACH: Finding.HOST_UNREACHABLE,
    Reason.NO_ROUTE: Finding.UNDETERMINED,
}
"""The same at an address from which nothing ever comes."""

OUTCOMES = {Finding.OK: Outcome.PASS, Finding.UNDETERMINED: Outcome.INCONCLUSIVE}
"""Every other finding fails."""

STATUSES = {Outcome.PASS: 0, Outcome.INCONCLUSIVE: 3, Outcome.FAIL: 1}
"""The exit status of a run whose only check has this outcome."""

SERVERS = [MATRIX.address("server", family) for family in Family]


def on_server(case: Case) -> bool:
    return case.address in SERVERS


def finding(case: Case) -> Finding:
    return FINDINGS[case.reason] if on_server(case) else FINDINGS_OF_NOBODY[case.reason]


def outcome(case: Case) -> Outcome:
    return OUTCOMES.get(finding(case), Outcome.FAIL)


def server_run(lab: Lab, server: str) -> Result:
    return runs.check(lab, "client", server, "-e", runs.tcp(case.port for case in CASES if case.address == server))


def absence_run(lab: Lab) -> Result:
    nobody = dict.fromkeys(case.address for case in CASES if not on_server(case))
    return runs.check(lab, "client", *nobody, "-e", f"{ABSENT_PORT}/tcp")


@pytest.fixture(scope="module")
def rounds(matrix: Lab) -> list[Result]:
    """Every round asks both families' servers, and all addresses without an answer; all at the same time."""
    looks = [partial(server_run, matrix, server) for server in SERVERS]
    return runs.at_once([*looks, partial(absence_run, matrix)] * ROUNDS)


def seen_in(rounds: list[Result], case: Case) -> list[runs.Check]:
    return [
        check
        for result in rounds
        for check in result.checks
        if (check["target"]["address"], check["port"]) == (case.address, case.port)
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, rounds: list[Result]) -> None:
    seen = seen_in(rounds, case)
    assert len(seen) == ROUNDS
    for check in seen:
        assert {key: check[key] for key in ("state", "reason", "responder", "finding", "outcome")} == {
            "state": case.state,
            "reason": case.reason,
            "responder": case.responder,
            "finding": finding(case),
            "outcome": outcome(case),
        }, check


def test_nothing_else_is_seen(rounds: list[Result]) -> None:
    asked = {(case.address, case.port) for case in CASES}
    assert {(check["target"]["address"], check["port"]) for result in rounds for check in result.checks} == asked


def test_every_finding_is_explained_by_one_diagnosis(rounds: list[Result]) -> None:
    for result in rounds:
        explained = [check_id for entry in result.run["diagnosis"] for check_id in entry["checks"]]
        assert sorted(explained) == sorted(c["id"] for c in result.checks if c["outcome"] != Outcome.PASS)


def test_silence_is_proven_twice(rounds: list[Result]) -> None:
    """Two attempts, from different source ports, at least a second apart, long enough for a SYN to be repeated."""
    silent = [check for result in rounds for check in result.checks if check["reason"] == Reason.NO_RESPONSE]
    assert silent
    for check in silent:
        first, second = check["evidence"][:2]  # More follow where a limit on ICMP errors might explain it.
        assert first["source_port"] != second["source_port"], check["id"]
        assert second["started_s"] - first["started_s"] >= 0.999, check["id"]
        assert min(first["lasted_s"], second["lasted_s"]) >= 1.2, check["id"]
        assert min(first["syns"], second["syns"]) >= 2, check["id"]


def test_a_host_that_never_answers_is_given_time_for_four_syns(rounds: list[Result]) -> None:
    for case in CASES:
        if case.name == "silent-host":
            lengths = [attempt["lasted_s"] for check in seen_in(rounds, case) for attempt in check["evidence"]]
            assert len(lengths) == 2 * ROUNDS
            assert min(lengths) >= 3.3


ONE_PORT_CASES = [
    case
    for case in CASES
    if case.name
    in (
        "open",
        "closed",
        f"drop@{SERVER.node}",
        "admin-prohibited@r1",
        "admin-prohibited@client",
        "drop@client",
        "no-neighbour",
        "no-route-on-r1",
        "no-route-on-client",
    )
]


@pytest.fixture(scope="module")
def one_port_runs(matrix: Lab) -> dict[Case, Result]:
    calls = [partial(runs.check, matrix, "client", case.address, "-e", f"{case.port}/tcp") for case in ONE_PORT_CASES]
    found = runs.at_once(calls)
    return dict(zip(ONE_PORT_CASES, found, strict=True))


@pytest.mark.parametrize("case", ONE_PORT_CASES, ids=str)
def test_exit_status(case: Case, one_port_runs: dict[Case, Result]) -> None:
    """A run about one port: nothing else tells whether the host is there."""
    result = one_port_runs[case]
    assert (result.summary["checks"], result.status) == (1, STATUSES[outcome(case)])
    [seen] = result.checks
    assert (seen["state"], seen["reason"], seen["responder"]) == (case.state, case.reason, case.responder)


def test_open_and_closed_cost_one_packet_each(matrix: Lab) -> None:
    before = matrix.accepted("server").get(("tcp", OPEN_PORT), 0)
    result = runs.check(matrix, "client", *SERVERS, "-e", f"{OPEN_PORT},{CLOSED_PORT}/tcp")
    assert (result.summary["probes"], result.summary["packets"]) == (4, 4)
    assert matrix.accepted("server")[("tcp", OPEN_PORT)] - before == 2
