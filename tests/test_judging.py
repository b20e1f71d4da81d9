"""Measurements judged: swept ports together as they would be singly, and a million of them in little memory."""

from __future__ import annotations

import json
import tracemalloc
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from portcheck.diagnosis import diagnose
from portcheck.engine.probe import Attempt, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from portcheck.judging import judge_all
from portcheck.measured import Measured, observation_of
from portcheck.model import (
    Diagnosis,
    Finding,
    Host,
    Outcome,
    Phase,
    Plan,
    Run,
    Scope,
    Selection,
    Sweep,
    SweepKind,
    Verdict,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.probe_sets import probe_sets
from portcheck.reports import plan_text, run_json, terminal
from portcheck.run import conclude
from portcheck.verdict import Strictness, summarise
from tests.made_runs import FINISHED, STARTED
from tests.samples import HERE, host

TARGET = host("m1", "10.0.0.1")
PORTS = array("H", range(1000, 2000))
UNKNOWN = PortState.UNKNOWN
ROUTER = "10.0.0.254"

ANSWERS: dict[str, tuple[PortState, Reason, dict[str, Any]]] = {
    "refused": (PortState.CLOSED, Reason.CONN_REFUSED, {}),
    "refused by whom": (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN, {}),
    "silent": (PortState.FILTERED, Reason.NO_RESPONSE, {}),
    **{
        f"{reason} by {who}": (PortState.FILTERED, reason, {"responder": who, "icmp": (3, 13)})
        for reason in (Reason.PORT_UNREACH, Reason.ADMIN_PROHIBITED, Reason.PROTO_UNREACH)
        for who in (ROUTER, "10.0.0.1")
    },
    "inferred": (
        PortState.FILTERED,
        Reason.ADMIN_PROHIBITED,
        {"responder": ROUTER, "icmp": (3, 13), "inferred": True, "detail": "seen on 8 of 1,000 ports"},
    ),
    "no host": (PortState.FILTERED, Reason.HOST_UNREACH, {"responder": ROUTER, "icmp": (3, 1)}),
    "no network": (PortState.FILTERED, Reason.NET_UNREACH, {"responder": ROUTER, "icmp": (3, 0)}),
    "no neighbour": (PortState.FILTERED, Reason.ARP_FAILURE, {}),
    "dead router": (PortState.FILTERED, Reason.ARP_FAILURE, {"detail": ROUTER}),
    **{
        str(reason): (UNKNOWN, reason, {"detail": "so it is", "responder": ROUTER})
        for reason in Reason
        if list(Reason).index(reason) >= list(Reason).index(Reason.NO_ROUTE)
    },
}
"""Every state and reason that a swept port may have; open ports are reported singly."""


def swept(target: Host = TARGET, ports: str = "1000-1999", phase: Phase = Phase.INSTALLED) -> Plan:
    sweep = Sweep(SweepKind.PORTS, parse_ports(f"{ports}/tcp"))
    return plan(Scope((), (target,), HERE, phase, sweep=sweep))


def tally(state: PortState, reason: Reason, ports: array[int] = PORTS, syns: int = 1000, **fields: Any) -> Tally:
    return Tally("10.0.0.1", None, state, reason, ports, syns, **fields)


def observed(counted: Tally) -> Iterator[Observation]:
    for port in counted.ports:
        seen = observation_of(counted, Probe("10.0.0.1", Transport.TCP, port))
        yield replace(seen, attempts=(Attempt(0.0, 0.1, 40000, 1, str(seen.reason)),) if counted.syns else ())


def meaning(verdict: Verdict) -> tuple[object, ...]:
    seen = verdict.observation
    said = verdict.because.partition("No answer to ")[0]  # How hard we tried is not kept port by port.
    return verdict.outcome, verdict.finding, verdict.certainty, said, seen.state, seen.reason, seen.responder


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("from_network", [True, False])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("state", "reason", "fields"), ANSWERS.values(), ids=ANSWERS)
def test_together_they_are_judged_as_they_are_singly(
    state: PortState,
    reason: Reason,
    fields: dict[str, Any],
    strict: bool,
    from_network: bool,
    alive: bool,
    asked: bool,
) -> None:
    planned = swept(replace(TARGET, from_network=from_network), "22,1000-1999")
    counted = tally(state, reason, syns=1000 if asked else 0, **fields)
    first = Observation(Probe("10.0.0.1", Transport.TCP, 22), PortState.OPEN if alive else UNKNOWN, Reason.SYN_ACK)
    in_bulk = judge_all(planned, Measured([first, counted]), Strictness(weak_passes=strict))
    singly = judge_all(planned, Measured([first, *observed(counted)]), Strictness(weak_passes=strict))
    assert len(in_bulk) == 2
    assert len(singly) == 1001
    assert {meaning(verdict) for verdict in singly[1:]} == {meaning(in_bulk[1])}
    assert list(in_bulk[1].alike) == [verdict.check.port for verdict in singly[1:]]
    assert summarise(in_bulk, (), False, strict) == summarise(singly, (), False, strict)


def test_an_open_port_of_a_sweep_is_a_verdict_of_its_own() -> None:
    rest = tally(PortState.CLOSED, Reason.CONN_REFUSED, array("H", (port for port in PORTS if port != 1234)))
    found = Observation(Probe("10.0.0.1", Transport.TCP, 1234), PortState.OPEN, Reason.SYN_ACK)
    one, others = judge_all(swept(), Measured([rest, found]), Strictness())
    assert (one.check.id, one.finding, one.count) == ("here>m1/ipv4/tcp/1234", Finding.UNEXPECTED_OPEN, 1)
    assert (others.outcome, others.count, 1234 in others.alike) == (Outcome.PASS, 999, False)


def test_an_answer_may_be_about_ports_of_several_sweeps_and_of_none() -> None:
    """A tally is about an address; ports that something tells apart are in it all the same."""
    everything = tally(PortState.CLOSED, Reason.CONN_REFUSED, array("H", range(1, 4000)))
    target = replace(TARGET, offers=parse_ports("1500/tcp"))
    (verdict,) = judge_all(swept(target), Measured([everything]), Strictness())
    assert list(verdict.alike) == [port for port in PORTS if port != 1500]
    (single,) = judge_all(swept(target, "1000"), Measured([everything]), Strictness())
    assert (single.check.port, single.observation.state, single.alike) == (1000, PortState.CLOSED, ())


@pytest.mark.parametrize("missing", [999, 1])
def test_what_was_not_measured_is_never_called_well(missing: int) -> None:
    measured = Measured([tally(PortState.CLOSED, Reason.CONN_REFUSED, PORTS[missing:])])
    with pytest.raises(LookupError):
        judge_all(swept(), measured, Strictness())


def test_a_name_without_an_address_is_one_verdict_about_all_swept_ports() -> None:
    (verdict,) = judge_all(swept(host("m1", unresolved="gone")), Measured(), Strictness())
    assert (verdict.count, verdict.outcome, verdict.asked) == (1000, Outcome.INCONCLUSIVE, False)
    assert verdict.because == "The name has no address: gone."


@pytest.mark.parametrize(("syns", "asked"), [(0, 0), (3, 3), (1000, 1000), (8000, 1000)])
def test_ports_and_packets_of_a_tally_are_counted(syns: int, asked: int) -> None:
    counted = tally(UNKNOWN, Reason.DEADLINE, syns=syns)
    verdicts = judge_all(swept(), Measured([counted]), Strictness())
    summary = summarise(verdicts, [counted], True, False)
    assert (summary.checks, summary.inconclusive, summary.probes, summary.packets) == (1000, 1000, asked, syns)
    assert verdicts[0].finding is (Finding.UNDETERMINED if syns else Finding.NOT_TESTED)


def stuck(ports: str, *targets: Host) -> tuple[Diagnosis, ...]:
    """The diagnosis of a sweep of which nothing left this machine."""
    sweep = Sweep(SweepKind.PORTS, parse_ports(f"{ports}/tcp"))
    planned = plan(Scope((), targets, HERE, sweep=sweep))
    measured = Measured(
        Tally(asked.address, None, UNKNOWN, Reason.LOCAL_FIREWALL, asked.in_bulk, 1)
        for asked in probe_sets(planned, seed=1)
    )
    return diagnose(judge_all(planned, measured, Strictness()), HERE, {})


def test_hosts_with_the_same_swept_ports_are_one_thing_to_act_on() -> None:
    (found,) = stuck("1000-1999", TARGET, host("m2", "10.0.0.2"))
    assert found.headline == "1,000 ports (1000-1999/tcp) to m1, m2 did not leave this machine"
    assert (found.count, len(found.checks)) == (2000, 24)


def test_scattered_ports_do_not_fill_the_screen() -> None:
    (found,) = stuck(",".join(str(port) for port in range(1, 60000, 2)), TARGET)
    assert found.headline.startswith("30,000 ports (1, 3, 5, ")
    assert len(found.headline) < 600
    assert found.count == 30000


# ----------------------------------------------------------------------------------------- a million of them

HOSTS = tuple(host(f"h{n}", f"10.0.0.{n}") for n in range(1, 17))


def answers(asked: ProbeSet, number: int) -> Iterator[Observation | Tally]:
    """Every third port silent, the rest refused; one open port; the last host answers nothing."""
    silent = [port for port in asked.in_bulk if port % 3 == 0 or number == len(HOSTS)]
    refused = [port for port in asked.in_bulk if port % 3 != 0 and port != 8080 and number != len(HOSTS)]
    yield Tally(asked.address, None, PortState.FILTERED, Reason.NO_RESPONSE, array("H", silent), 8 * len(silent))
    if refused:
        yield Tally(asked.address, None, PortState.CLOSED, Reason.CONN_REFUSED, array("H", refused), len(refused))
        attempts = (Attempt(0.0, 0.001, 40001, 1, "syn-ack"),)
        yield Observation(Probe(asked.address, Transport.TCP, 8080), PortState.OPEN, Reason.SYN_ACK, attempts)


def a_million() -> tuple[Run, str]:
    planned = plan(Scope((), HOSTS, HERE, sweep=Sweep(SweepKind.ALL)))
    plan_text.render(planned, "")
    measured = Measured()
    for number, asked in enumerate(probe_sets(planned, seed=7), start=1):
        for answered in answers(asked, number):
            measured.take(answered)
    run = conclude(planned, Selection(), measured, seed=7, started=STARTED, finished=FINISHED, interrupted=None)
    terminal.render(run)
    return run, run_json.render(run)


def test_a_million_swept_ports_are_planned_judged_and_reported_in_little_memory() -> None:
    tracemalloc.start()
    try:
        run, text = a_million()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * 2**20
    summary, report = run.summary, json.loads(text)
    assert summary.checks == 16 * 65535 == summary.probes
    assert (summary.failed, summary.passed, summary.inconclusive) == (15, 15 * 65534, 65535)
    assert summary.packets == 15 * (8 * 21845 + 43690) + 8 * 65535
    assert {check["port"] for check in report["checks"]} == {8080}
    assert len(report["swept"]) == 31
    counts = {found["cause"]: (found["count"], len(found["checks"])) for found in report["diagnosis"]}
    assert counts == {"unexpected-open": (15, 15), "host-silent": (65535, 24)}
    assert len(text) < 8 * 2**20
