"""The benchmarks count rightly, and the manual's figures are those of the jobs that there are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from portcheck.engine.probe import PortState, Reason
from tests.bench import jobs as tcp_jobs
from tests.bench import results, udp_jobs
from tests.bench.answers import Answer, Answers, Said, compare, of_nmap, of_portcheck
from tests.bench.jobs import Job, Limits
from tests.bench.programs import Program, Runs

HOST, ROUTER = "10.0.0.1", "10.0.0.254"


# --------------------------------------------------------------------------------------------------- counting

RIGHT = {
    (Said.OPEN, Said.OPEN),
    (Said.CLOSED, Said.CLOSED),
    (Said.DROPPED, Said.DROPPED),
    (Said.REJECTED, Said.REJECTED),
    (Said.REJECTED, Said.PROBABLY_REJECTED),
    (Said.SILENT, Said.SILENT),
    (Said.ABSENT_HOST, Said.DROPPED),
    (Said.ABSENT_HOST, Said.REJECTED),
    (Said.ABSENT_HOST, Said.PROBABLY_REJECTED),
}
TRUE = (Said.OPEN, Said.CLOSED, Said.DROPPED, Said.REJECTED, Said.SILENT, Said.ABSENT_HOST)
SAYABLE = tuple(said for said in Said if said is not Said.ABSENT_HOST)


def undecided(true: Said, said: Said) -> bool:
    return said is Said.NOT_KNOWN or (true, said) == (Said.DROPPED, Said.PROBABLY_REJECTED)


@pytest.mark.parametrize("true", TRUE)
@pytest.mark.parametrize("said", SAYABLE)
def test_an_answer_is_right_undecided_or_wrong(true: Said, said: Said) -> None:
    count = compare({HOST: {80: Answer(true)}}, {HOST: {80: Answer(said)}})
    wrong = (true, said) not in RIGHT and not undecided(true, said)
    assert (count.ports, count.wrong, count.undecided) == (1, wrong, undecided(true, said))
    assert dict(count.mistakes) == ({f"{true} called {said}": 1} if wrong else {})


def test_a_port_that_is_left_out_is_wrong_and_one_that_was_not_asked_does_not_count() -> None:
    count = compare({HOST: {80: Answer(Said.OPEN)}}, {HOST: {81: Answer(Said.OPEN)}})
    assert (count.ports, count.wrong, dict(count.mistakes)) == (1, 1, {"open called not reported": 1})


def test_who_rejects_must_be_named_where_that_is_known() -> None:
    true: Answers = {HOST: {80: Answer(Said.REJECTED, ROUTER)}}
    assert compare(true, {HOST: {80: Answer(Said.REJECTED, ROUTER)}}).unnamed == 0
    assert compare(true, {HOST: {80: Answer(Said.REJECTED)}}).unnamed == 1
    assert compare(true, {HOST: {80: Answer(Said.REJECTED, HOST)}}).unnamed == 1


def test_a_wrong_reason_is_wrong() -> None:
    true: Answers = {HOST: {80: Answer(Said.REJECTED, reason=Reason.PORT_UNREACH)}}
    count = compare(true, {HOST: {80: Answer(Said.REJECTED, reason=Reason.HOST_UNREACH)}})
    assert (count.wrong, dict(count.mistakes)) == (1, {"port-unreach called host-unreach": 1})


# ---------------------------------------------------------------------------------------------------- reading


def nmap_xml(kind: str) -> str:
    return f"""<nmaprun><scaninfo type="{kind}"/><host><address addr="{HOST}" addrtype="ipv4"/><ports>
        <extraports state="closed" count="3"><extrareasons reason="reset" count="3" ports="1-2,9"/></extraports>
        <port portid="80"><state state="open" reason="syn-ack"/></port>
        <port portid="81"><state state="filtered" reason="no-response"/></port>
        <port portid="82"><state state="filtered" reason="admin-prohibited" reason_ip="{ROUTER}"/></port>
        <port portid="83"><state state="filtered" reason="port-unreach"/></port>
    </ports></host></nmaprun>"""


@pytest.mark.parametrize(("kind", "router", "host"), [("syn", ROUTER, HOST), ("connect", None, None)])
def test_nmap_is_read_with_the_ports_that_it_lumps_together(kind: str, router: str | None, host: str | None) -> None:
    """Its SYN scan leaves out the sender of an error that is the target; its connect scan sees none."""
    xml = nmap_xml(kind) if router else nmap_xml(kind).replace(f' reason_ip="{ROUTER}"', "")
    assert of_nmap(xml) == {
        HOST: {
            **dict.fromkeys((1, 2, 9), Answer(Said.CLOSED)),
            80: Answer(Said.OPEN),
            81: Answer(Said.DROPPED),
            82: Answer(Said.REJECTED, router),
            83: Answer(Said.REJECTED, host),
        }
    }


def seen(state: PortState, reason: Reason, responder: str | None = None, inferred: bool = False) -> dict[str, Any]:
    return {
        "target": {"address": HOST},
        "state": state.value,
        "reason": reason.value,
        "responder": responder,
        "inferred": inferred,
    }


def test_portcheck_is_read_singly_and_in_groups() -> None:
    run = {
        "checks": [
            {**seen(PortState.OPEN, Reason.SYN_ACK), "port": 80},
            {**seen(PortState.FILTERED, Reason.NO_RESPONSE), "port": 81},
            {**seen(PortState.FILTERED, Reason.ADMIN_PROHIBITED, ROUTER), "port": 82},
            {**seen(PortState.UNKNOWN, Reason.LOST_CONTACT), "port": 83},
        ],
        "swept": [
            {**seen(PortState.CLOSED, Reason.CONN_REFUSED), "ports": "1-2,9"},
            {**seen(PortState.FILTERED, Reason.ADMIN_PROHIBITED, ROUTER, inferred=True), "ports": "10"},
        ],
    }
    assert of_portcheck(run) == {
        HOST: {
            80: Answer(Said.OPEN, reason=Reason.SYN_ACK),
            81: Answer(Said.DROPPED, reason=Reason.NO_RESPONSE),
            82: Answer(Said.REJECTED, ROUTER, Reason.ADMIN_PROHIBITED),
            83: Answer(Said.NOT_KNOWN, reason=Reason.LOST_CONTACT),
            **dict.fromkeys((1, 2, 9), Answer(Said.CLOSED, reason=Reason.CONN_REFUSED)),
            10: Answer(Said.PROBABLY_REJECTED, ROUTER, Reason.ADMIN_PROHIBITED),
        }
    }


# ----------------------------------------------------------------------------------------------------- limits


def runs_of(name: str, seconds: list[float], peak_mb: float = 50.0, wrong: int = 0, killed: int = 0) -> Runs:
    runs = Runs(Program(name, (), (), of_nmap, longest_s=60.0), seconds, killed, peak_mb=peak_mb)
    runs.count.ports, runs.count.wrong = 100, wrong
    return runs


@pytest.mark.parametrize(
    ("limits", "kept", "broken"),
    [
        (Limits(seconds=2.0), runs_of("portcheck", [1.0, 2.0, 9.0]), runs_of("portcheck", [1.0, 2.1, 2.2])),
        (Limits(speed=0.5), runs_of("portcheck", [2.0]), runs_of("portcheck", [2.1])),
        (Limits(peak_mb=200), runs_of("portcheck", [1.0], 200.0), runs_of("portcheck", [1.0], 200.1)),
        (Limits(), runs_of("portcheck", [1.0]), runs_of("portcheck", [1.0], wrong=1)),
        (Limits(), runs_of("portcheck", [1.0]), runs_of("portcheck", [], killed=1)),
    ],
)
def test_a_limit_is_kept_or_broken(limits: Limits, kept: Runs, broken: Runs) -> None:
    peer = runs_of("nmap", [1.0])
    assert list(results.broken(limits, [kept, peer])) == []
    assert list(results.broken(limits, [broken, peer])) != []


# --------------------------------------------------------------------------------------------------- the page


@pytest.mark.parametrize(
    ("name", "kept_in", "jobs"), [("tcp", results.TCP, tcp_jobs.JOBS), ("udp", results.UDP, udp_jobs.JOBS)]
)
def test_the_figures_are_of_the_jobs_that_there_are(name: str, kept_in: Path, jobs: Mapping[str, Job]) -> None:
    """Whoever changes a job measures it again: python -m tests.bench.NAME JOB --write."""
    rows = json.loads(kept_in.read_text(encoding="utf-8"))["rows"]
    assert list(rows) == list(jobs)
    for job_name, job in jobs.items():
        assert rows[job_name]["title"] == job.title
        commands = [program["commands"] for program in rows[job_name]["programs"]]
        assert commands == [results.commands(program) for program in job.programs], job_name
