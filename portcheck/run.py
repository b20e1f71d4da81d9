"""Plan in, Run out: measure every port once, judge every check once. The library's front door.

scope = scope_of(selection, Phase.INSTALLED)
run = execute(plan(scope), selection)
"""

from __future__ import annotations

import asyncio
import math
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from portcheck import __version__
from portcheck.answer import answer
from portcheck.diagnosis import diagnose
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Reason, Transport
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import TcpTiming, timing_of
from portcheck.judging import judge_all
from portcheck.measured import Measured
from portcheck.model import Finding, Gap, Plan, Run, Selection, Unexpected, Verdict
from portcheck.probe_sets import of_plan, probe_sets
from portcheck.verdict import Strictness, summarise
from portcheck.waivers import apply_waivers

Progress = Callable[[int], None]
"""Called now and then with the number of ports that are decided so far; it may go down when contact is lost."""

Tell = Callable[[str], None]
"""Called with a sentence for the person who waits."""


KnownFor = Callable[[Transport, int], str | None]
"""What is known to use a port that is open and that nobody asked for: one phrase, None when nothing is."""


def _nothing_known(transport: Transport, port: int) -> None:
    """Nobody looked."""


def _ignore(_: object) -> None:
    """Nobody waits."""


def execute(
    plan: Plan,
    selection: Selection,
    *,
    timing: TcpTiming | None = None,
    seed: int | None = None,
    progress: Progress = _ignore,
    tell: Tell = _ignore,
    known_for: KnownFor = _nothing_known,
    kept: Iterable[Answered] = (),
    stop_signals: tuple[signal.Signals, ...] = (),
) -> Run:
    """Probe everything in the plan from this machine and judge it.

    Args:
        timing: None for that of the selection's speed.
        seed: order of the ports; None for a new one. It is part of the run.
        known_for: asked for each port that is open and that nobody asked for, after the measurement.
        kept: what an earlier run measured and is not asked again; what the plan does not ask for is dropped.
        stop_signals: signals that end the run early: what was not decided by then is unknown. Main thread only.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    measured = Measured(of_plan(plan, kept))

    async def measure_until(stop: asyncio.Future[Reason]) -> None:
        await measure(plan, selection, measured, stop, seed=seed, timing=timing, progress=progress, tell=tell)

    handlers = {number: signal.getsignal(number) for number in stop_signals}
    started = datetime.now(UTC)
    # Named explicitly: uvloop loses socket errors after the first one, so no installed policy may choose it.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        ended_by = runner.run(_until_stopped(measure_until, selection.deadline_s, stop_signals))
    finished = datetime.now(UTC)
    # What came too late to leave anything undone ended nothing.
    undone = any(answered.reason in (Reason.INTERRUPTED, Reason.DEADLINE) for answered in measured)
    interrupted = ended_by if undone else None
    try:
        return conclude(
            plan,
            selection,
            measured,
            seed=seed,
            started=started,
            finished=finished,
            interrupted=interrupted,
            known_for=known_for,
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def conclude(
    plan: Plan,
    selection: Selection,
    measured: Measured,
    *,
    seed: int,
    started: datetime,
    finished: datetime,
    interrupted: str | None,
    known_for: KnownFor = _nothing_known,
) -> Run:
    """Judge a finished measurement: every check once, never fewer."""
    strictness = Strictness(selection.strict, selection.strict_sources, Unexpected(selection.unexpected))
    judged = judge_all(plan, measured, strictness)
    scope = plan.scope
    verdicts, warnings = apply_waivers(judged, scope.waivers, scope.vantage, started.date(), scope)
    verdicts = tuple(_with_what_is_known(verdict, known_for) for verdict in verdicts)
    summary = summarise(verdicts, measured.taken, interrupted is not None, selection.strict, measured.kept)
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
        answer=answer(verdicts, summary, plan.scope.phase, _ranges_not_tested(plan)),
        warnings=warnings,
    )


def _ranges_not_tested(plan: Plan) -> int:
    return sum(entry.flows for entry in plan.not_planned if entry.gap is Gap.RANGE_OF_SOME)


def _with_what_is_known(verdict: Verdict, known_for: KnownFor) -> Verdict:
    port = verdict.check.port
    if verdict.finding is not Finding.UNEXPECTED_OPEN or port is None:
        return verdict
    return replace(verdict, known_for=known_for(verdict.check.transport, port))


async def _until_stopped(
    measure_until: Callable[[asyncio.Future[Reason]], Awaitable[None]],
    deadline_s: float | None,
    stop_signals: tuple[signal.Signals, ...],
) -> str | None:
    """Measure to the end, or until a signal or the deadline, whose name is returned."""
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
        await measure_until(stop)
    finally:
        if timer is not None:
            timer.cancel()
        for number in stop_signals:
            with suppress(ValueError):
                loop.remove_signal_handler(number)
            # What was measured is judged and reported, whoever is impatient.
            signal.signal(number, signal.SIG_IGN)
    return ended_by[0] if ended_by else None


async def measure(
    plan: Plan,
    selection: Selection,
    measured: Measured,
    stop: asyncio.Future[Reason],
    *,
    seed: int,
    timing: TcpTiming | None = None,
    progress: Progress = _ignore,
    tell: Tell = _ignore,
) -> None:
    """Ask for everything in the plan that is not in `measured`, until it is; what `stop` leaves over is unknown."""
    speed = Speed(selection.speed)
    chosen = timing or timing_of(speed)
    if selection.deadline_s is not None:
        # The user has said how long she waits, also for a host that falls silent.
        chosen = replace(chosen, patience_s=math.inf)
    pace = Pace(speed, selection.max_rate)
    engine = TcpEngine(chosen, measured.take, pace=pace, seed=seed, progress=progress, tell=tell)
    await engine.run(probe_sets(plan, seed=seed, evidence=selection.evidence, kept=measured), stop)
