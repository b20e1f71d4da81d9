"""Plan in, Run out: measure every probe once, judge every check once. The library's front door.

scope = scope_of(selection, Phase.INSTALLED)
run = execute(plan(scope), selection)
"""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from portcheck import __version__
from portcheck.answer import answer
from portcheck.diagnosis import diagnose
from portcheck.engine.descriptors import raise_descriptor_limit
from portcheck.engine.probe import Observation, PortState, Probe, Reason, Transport
from portcheck.engine.tcp import TcpEngine, TcpTiming
from portcheck.engine.timing import longest_s as engine_longest_s
from portcheck.model import Check, Plan, Run, Selection
from portcheck.verdict import Facts, Strictness, facts_by_address, judge, summarise
from portcheck.waivers import apply_waivers

Report = Callable[[Observation], None]
"""Called with every observation as it comes; progress, nothing else."""


def execute(
    plan: Plan,
    selection: Selection,
    *,
    timing: TcpTiming | None = None,
    seed: int | None = None,
    report: Report = lambda observation: None,
    stop_signals: tuple[signal.Signals, ...] = (),
) -> Run:
    """Probe everything in the plan from this machine and judge it.

    Args:
        seed: order of the probes; None for a new one. It is part of the run.
        stop_signals: signals that end the run early: what was not decided by then is unknown. Main thread only.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    started = datetime.now(UTC)
    # Named explicitly: uvloop loses socket errors after the first one, so no installed policy may choose it.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        measured, interrupted = runner.run(
            _measure_until_stopped(plan, timing or TcpTiming(), seed, selection.deadline_s, report, stop_signals)
        )
    finished = datetime.now(UTC)
    return conclude(plan, selection, measured, seed=seed, started=started, finished=finished, interrupted=interrupted)


def conclude(
    plan: Plan,
    selection: Selection,
    measured: dict[Probe, Observation],
    *,
    seed: int,
    started: datetime,
    finished: datetime,
    interrupted: str | None,
) -> Run:
    """Judge a finished measurement: one verdict for each check, never fewer."""
    facts = facts_by_address(measured.values())
    strictness = Strictness(weak_passes=selection.strict, sources=selection.strict_sources)
    judged = (
        judge(
            check, _observation(check, measured), facts.get(check.address or "", Facts()), plan.scope.phase, strictness
        )
        for check in plan.checks
    )
    verdicts, warnings = apply_waivers(judged, plan.scope.waivers, plan.scope.vantage, started.date())
    summary = summarise(verdicts, measured.values(), interrupted is not None, selection.strict)
    return Run(
        version=__version__,
        run_id=f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        started=started.isoformat(timespec="milliseconds"),
        finished=finished.isoformat(timespec="milliseconds"),
        duration_s=round((finished - started).total_seconds(), 3),
        interrupted=interrupted,
        seed=seed,
        selection=selection,
        plan=plan,
        verdicts=verdicts,
        diagnosis=diagnose(verdicts, plan.scope.vantage, {d.id: d.title for d in plan.scope.documents}),
        summary=summary,
        answer=answer(verdicts, summary, plan.scope.phase),
        warnings=warnings,
    )


def _observation(check: Check, measured: dict[Probe, Observation]) -> Observation:
    if check.probe is not None:
        return measured[check.probe]
    unmeasured = check.unmeasured
    assert unmeasured is not None, "a check has a probe or says why not"
    placeholder = Probe(check.address or "", check.transport, check.port or 0)
    return Observation(placeholder, PortState.UNKNOWN, unmeasured.reason, detail=unmeasured.detail)


async def _measure_until_stopped(
    plan: Plan,
    timing: TcpTiming,
    seed: int,
    deadline_s: float | None,
    report: Report,
    stop_signals: tuple[signal.Signals, ...],
) -> tuple[dict[Probe, Observation], str | None]:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[Reason] = loop.create_future()
    ended_by: list[str] = []

    def end(reason: Reason, why: str) -> None:
        if not stop.done():
            ended_by.append(why)
            stop.set_result(reason)

    for number in stop_signals:
        loop.add_signal_handler(number, end, Reason.INTERRUPTED, number.name)
    timer = loop.call_later(deadline_s, end, Reason.DEADLINE, "deadline") if deadline_s is not None else None
    try:
        measured = await measure(plan.probes(), timing, seed=seed, report=report, stop=stop)
    finally:
        if timer is not None:
            timer.cancel()
        for number in stop_signals:
            with suppress(ValueError):
                loop.remove_signal_handler(number)
    # What came too late to leave anything undone ended nothing.
    undone = any(seen.reason in (Reason.INTERRUPTED, Reason.DEADLINE) for seen in measured.values())
    return measured, ended_by[0] if undone else None


def longest_s(probes: tuple[Probe, ...], timing: TcpTiming) -> float:
    """How long measuring these from this machine takes at most, when nothing answers."""
    return engine_longest_s(probes, timing, raise_descriptor_limit())


async def measure(
    probes: tuple[Probe, ...], timing: TcpTiming, *, seed: int, report: Report, stop: asyncio.Future[Reason]
) -> dict[Probe, Observation]:
    """One observation for each probe. Hosts are interleaved and ports shuffled, by the seed."""
    measured: dict[Probe, Observation] = {}

    def take(observation: Observation) -> None:
        measured[observation.probe] = observation
        report(observation)

    order = [probe for probe in probes if probe.transport is Transport.TCP]
    random.Random(seed).shuffle(order)
    await TcpEngine(timing, take).run(order, stop)
    return measured
