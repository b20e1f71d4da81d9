"""From a plan and a selection to the engine and back, with an engine that only notes what it is given."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from portcheck.engine.pace import Speed
from portcheck.engine.probe import Answered, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from portcheck.engine.timing import TcpTiming, timing_of
from portcheck.model import Finding, NamedPorts, Plan, Run, Scope, Selection, Sweep, SweepKind
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.run import execute
from tests.samples import HERE, host

HOSTS = (host("web", "10.0.0.1"), host("db", "10.0.0.2"))


class FakeEngine:
    """Everything is refused; notes how it was made and what it was asked."""

    made: Any

    def __init__(self, timing: TcpTiming, report: Callable[[Answered], None], **options: Any) -> None:
        self.timing, self.report, self.options = timing, report, options
        self.asked: list[ProbeSet] = []
        self.waits = False
        FakeEngine.made = self

    async def run(self, probe_sets: Iterable[ProbeSet], stop: asyncio.Future[Reason]) -> None:
        for asked in probe_sets:
            self.asked.append(asked)
            reason = stop.result() if stop.done() else Reason.CONN_REFUSED
            state = PortState.UNKNOWN if stop.done() else PortState.CLOSED
            for port in asked.singly:
                self.report(Observation(Probe(asked.address, Transport.TCP, port, asked.source_address), state, reason))
            if asked.in_bulk:
                self.report(Tally(asked.address, asked.source_address, state, reason, asked.in_bulk, 0))
            self.options["progress"](len(asked.singly) + len(asked.in_bulk))
            self.options["tell"](f"{asked.address} is done")
            if FakeEngine.patient:
                await stop

    patient = False


@pytest.fixture(autouse=True)
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.run.TcpEngine", FakeEngine)


def swept() -> Plan:
    extra = (NamedPorts(parse_ports("22/tcp")[0], "ssh"),)
    return plan(Scope((), HOSTS, HERE, extra=extra, sweep=Sweep(SweepKind.PORTS, parse_ports("1000-1099/tcp"))))


def run_of(*, timing: TcpTiming | None = None, kept: Iterable[Answered] = (), **selected: Any) -> Run:
    return execute(swept(), Selection(**selected), seed=7, timing=timing, kept=kept)


def test_every_address_is_asked_once_and_judged() -> None:
    run = run_of()
    assert [(one.address, len(one.singly), len(one.in_bulk)) for one in FakeEngine.made.asked] == [
        ("10.0.0.1", 1, 100),
        ("10.0.0.2", 1, 100),
    ]
    assert FakeEngine.made.options["seed"] == run.seed == 7
    assert (run.summary.checks, run.summary.passed, run.summary.failed, run.interrupted) == (202, 200, 2, None)


@pytest.mark.parametrize("speed", Speed)
def test_the_speed_decides_about_pace_and_timing(speed: Speed) -> None:
    run_of(speed=speed.value)
    assert FakeEngine.made.timing == timing_of(speed)
    assert FakeEngine.made.options["pace"].unlimited is (speed is Speed.FAST)
    run_of(speed=speed.value, max_rate=5.0)
    assert not FakeEngine.made.options["pace"].unlimited


def test_a_deadline_is_how_long_a_silent_host_is_waited_for() -> None:
    run_of(deadline_s=30.0)
    assert FakeEngine.made.timing.patience_s == math.inf
    run_of(timing=TcpTiming(patience_s=3.0))
    assert FakeEngine.made.timing.patience_s == 3.0


def test_with_evidence_every_port_is_asked_singly() -> None:
    run_of(evidence=True)
    assert [(len(one.singly), len(one.in_bulk)) for one in FakeEngine.made.asked] == [(101, 0)] * 2


def test_what_an_earlier_run_measured_is_kept_and_not_counted_as_ours() -> None:
    open_port = Observation(Probe("10.0.0.1", Transport.TCP, 22), PortState.OPEN, Reason.SYN_ACK)
    gone = Observation(Probe("10.0.0.9", Transport.TCP, 22), PortState.OPEN, Reason.SYN_ACK)
    swept_before = Tally("10.0.0.2", None, PortState.CLOSED, Reason.CONN_REFUSED, range(1000, 1100), 100)
    run = run_of(kept=(open_port, gone, swept_before))
    assert [(one.address, len(one.singly), len(one.in_bulk)) for one in FakeEngine.made.asked] == [
        ("10.0.0.1", 0, 100),
        ("10.0.0.2", 1, 0),
    ]
    assert (run.summary.kept, run.summary.checks, run.summary.packets) == (101, 202, 0)
    assert run.summary.failed == 1


def test_the_deadline_ends_the_run_and_what_is_left_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "patient", True)
    run = run_of(deadline_s=0.1)
    assert (run.interrupted, run.summary.inconclusive, run.summary.exit_status) == ("deadline", 101, 1)


def test_a_deadline_that_leaves_nothing_undone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "patient", True)
    one_host = plan(Scope((), HOSTS[:1], HERE, extra=(NamedPorts(parse_ports("22/tcp")[0], "ssh"),)))
    assert execute(one_host, Selection(deadline_s=0.1)).interrupted is None


def test_those_who_wait_are_told() -> None:
    counts: list[int] = []
    sentences: list[str] = []
    execute(swept(), Selection(), progress=counts.append, tell=sentences.append)
    assert counts == [101, 101]
    assert sentences == ["10.0.0.1 is done", "10.0.0.2 is done"]


def test_what_is_known_of_a_port_is_asked_for_those_that_are_open_and_not_asked_for() -> None:
    """Not for the required one, not for closed ones; every open port of a sweep is one of its own."""
    asked: list[tuple[Transport, int]] = []

    def known_for(transport: Transport, port: int) -> str | None:
        asked.append((transport, port))
        return f"game of {port}" if port == 1001 else None

    required = Observation(Probe("10.0.0.1", Transport.TCP, 22), PortState.OPEN, Reason.SYN_ACK)
    found = Tally("10.0.0.2", None, PortState.OPEN, Reason.SYN_ACK, range(1001, 1003), 2)
    run = execute(swept(), Selection(), seed=7, kept=(required, found), known_for=known_for)
    assert asked == [(Transport.TCP, 1001), (Transport.TCP, 1002)]
    known = {verdict.check.port: verdict.known_for for verdict in run.verdicts if verdict.known_for}
    assert known == {1001: "game of 1001"}
    [diagnosis] = [each for each in run.diagnosis if each.cause == "unexpected-open"]
    assert "1001/tcp is known for: game of 1001." in diagnosis.lines
    assert not any("1002" in line for line in diagnosis.lines[1:])


def test_a_port_that_is_ignored_is_in_the_run_and_does_not_fail_it() -> None:
    found = Tally("10.0.0.2", None, PortState.OPEN, Reason.SYN_ACK, range(1001, 1002), 1)
    by_hand = [
        Observation(Probe(ip, Transport.TCP, 22), PortState.OPEN, Reason.SYN_ACK) for ip in ("10.0.0.1", "10.0.0.2")
    ]
    for word, status in (("fail", 1), ("warn", 0), ("ignore", 0)):
        run = execute(swept(), Selection(unexpected=word), seed=7, kept=(*by_hand, found))
        assert run.summary.exit_status == status
        assert [v.check.port for v in run.verdicts if v.finding is Finding.UNEXPECTED_OPEN] == [1001]
