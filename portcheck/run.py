"""Plan in, Run out: measure every port once, judge every check once. The library's front door.

scope = scope_of(selection, Phase.INSTALLED)
run = execute(plan(scope), selection)
"""

from __future__ import annotations

import asyncio
import math
import secrets
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from portcheck import __version__
from portcheck.answer import answer
from portcheck.diagnosis import diagnose
from portcheck.engine.descriptors import raise_descriptor_limit
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Observation, PortState, Probe, Reason, Transport
from portcheck.engine.tasks import together
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import TcpTiming, timing_of
from portcheck.judging import judge_all
from portcheck.measured import Measured
from portcheck.model import (
    Check,
    Finding,
    Gap,
    HeardStandIn,
    Plan,
    Run,
    Secrets,
    Selection,
    Unexpected,
    Verdict,
)
from portcheck.probe_sets import of_plan, probe_sets, transports
from portcheck.verdict import Strictness, summarise
from portcheck.waivers import apply_waivers
from portcheck.wording import plural

if TYPE_CHECKING:
    from portcheck.questions import Questions, Shared

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


_NO_SECRETS = Secrets()


def execute(
    plan: Plan,
    selection: Selection,
    *,
    timing: TcpTiming | None = None,
    seed: int | None = None,
    progress: Progress = _ignore,
    tell: Tell = _ignore,
    known_for: KnownFor = _nothing_known,
    secrets_given: Secrets = _NO_SECRETS,
    stand_in_key: bytes | None = None,
    kept: Iterable[Answered] = (),
    stop_signals: tuple[signal.Signals, ...] = (),
) -> Run:
    """Probe everything in the plan from this machine and judge it.

    Args:
        timing: None for that of the selection's speed.
        seed: order of the ports; None for a new one. It is part of the run.
        secrets_given: what makes services answer that are silent to strangers; those that the plan's scope names.
        stand_in_key: shared with the stand-ins at the targets; given exactly when the plan's scope has them.
        known_for: asked for each port that is open and that nobody asked for, after the measurement.
        kept: what an earlier run measured and is not asked again; what the plan does not ask for is dropped.
        stop_signals: signals that end the run early: what was not decided by then is unknown. Main thread only.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    measured = Measured(of_plan(plan, kept))
    measuring = partial(
        measure,
        seed=seed,
        timing=timing,
        secrets_given=secrets_given,
        stand_in_key=stand_in_key,
        progress=progress,
        tell=tell,
    )
    remarks: list[str] = []

    async def measure_until(stop: asyncio.Future[Reason]) -> None:
        remarks.extend(await measuring(plan, selection, measured, stop))

    handlers = {number: signal.getsignal(number) for number in stop_signals}
    started = datetime.now(UTC)
    # Named explicitly: uvloop loses socket errors after the first one, so no installed policy may choose it.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        ended_by = runner.run(_until_stopped(measure_until, selection.deadline_s, stop_signals))
    finished = datetime.now(UTC)
    # What came too late to leave anything undone ended nothing.
    undone = any(answered.reason in (Reason.INTERRUPTED, Reason.DEADLINE) for answered in measured)
    undone = undone or not measured.heard_out
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
            remarks=remarks,
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
    remarks: Iterable[str] = (),
    known_for: KnownFor = _nothing_known,
) -> Run:
    """Judge a finished measurement: every check once, never fewer.

    Args:
        remarks: what else the reader has to know of it, one sentence each.
    """
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
        diagnosis=diagnose(
            verdicts,
            scope.vantage,
            {d.id: d.title for d in scope.documents},
            scope.secrets,
            selection,
        ),
        summary=summary,
        answer=answer(verdicts, summary, plan.scope.phase, _ranges_not_tested(plan)),
        warnings=(*warnings, *remarks),
        facts=tuple(measured.facts),
        stand_ins=tuple(_heard(plan, measured, verdicts)),
    )


def _heard(plan: Plan, measured: Measured, verdicts: Iterable[Verdict]) -> Iterator[HeardStandIn]:
    """Not those that answered in the place of a host."""
    right = {verdict.check.host for verdict in verdicts if verdict.seen.sight.is_heard}
    for host in plan.scope.hosts:
        for address in host.addresses if host.name in right else ():
            for report in measured.reports.get(address.ip, ()):
                yield HeardStandIn(host.name, address.ip, report)


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
    secrets_given: Secrets = _NO_SECRETS,
    stand_in_key: bytes | None = None,
    progress: Progress = _ignore,
    tell: Tell = _ignore,
) -> tuple[str, ...]:
    """Ask for everything in the plan that is not in `measured`, until it is; what `stop` leaves over is unknown.

    Returns:
        What the reader has to know of it beside the answers, one sentence each.
    """
    pace = Pace(Speed(selection.speed), selection.max_rate)
    shared: Shared | None = None
    if stand_in_key is not None:
        from portcheck.questions import new_shared

        shared = new_shared(stand_in_key)
    # Before anything is sent: connections of the run hold ports of ours themselves.
    remarks = await _of_ourselves(plan, measured, shared, stop, pace)
    of_tcp, of_others = _summed(progress)
    parts: list[Coroutine[None, None, None]] = []
    carried = transports(plan)
    otherwise = carried - {Transport.TCP}
    if Transport.TCP in carried:
        chosen = _timing(timing or timing_of(Speed(selection.speed)), selection, shares_sockets=bool(otherwise))
        engine = TcpEngine(chosen, measured.take, pace=pace, seed=seed, progress=of_tcp, tell=tell)
        parts.append(engine.run(probe_sets(plan, seed=seed, evidence=selection.evidence, kept=measured), stop))
    questions: Questions | None = None
    if otherwise:
        # A run over TCP alone does not pay for the requests, nor for scapy.
        from portcheck.engine.datagram import DatagramEngine, DatagramTiming
        from portcheck.questions import Questions

        questions = Questions(plan, secrets_given, measured, evidence=selection.evidence, stand_ins=shared)
        of_budget = DatagramTiming(budget_s=selection.udp_budget_s)
        take = partial(_take, measured, questions)
        others = DatagramEngine(of_budget, take, pace=pace, seed=seed, progress=of_others, tell=tell)
        parts.append(others.run(questions.sets(), stop))
    await together(parts)
    for observation in questions.read() if questions is not None else ():
        measured.refine(observation)
    if shared is not None:
        from portcheck.echoes import hear_stand_ins

        await hear_stand_ins(plan, measured, shared, stop, pace)
    if selection.verify:
        remarks += await _verify(plan, measured, stop, pace)
    return remarks


async def _of_ourselves(
    plan: Plan, measured: Measured, shared: Shared | None, stop: asyncio.Future[Reason], pace: Pace
) -> tuple[str, ...]:
    """What is to be known of the machine that we stand on; most runs ask for nothing and load nothing for it."""
    if not any(check.is_own for check in plan.checks):
        return ()
    from portcheck.own_looks import look_at_ourselves, of_whom_nothing_is_seen

    remarks = look_at_ourselves(plan, measured)
    if shared is not None:
        from portcheck.echoes import recognise_our_own

        await recognise_our_own(measured, shared, stop, pace)
    return (*remarks, *of_whom_nothing_is_seen(measured))


def _timing(usual: TcpTiming, selection: Selection, *, shares_sockets: bool) -> TcpTiming:
    if selection.deadline_s is not None:
        # The user has said how long she waits, also for a host that falls silent.
        usual = replace(usual, patience_s=math.inf)
    if not shares_sockets:
        return usual
    # Both engines hold sockets; neither may starve the other.
    half = max(1, raise_descriptor_limit() // 2)
    return replace(usual, max_in_flight=min(half, usual.max_in_flight or half))


def _take(measured: Measured, questions: Questions, answered: Answered) -> None:
    measured.take(answered)
    questions.take(answered)


async def _verify(plan: Plan, measured: Measured, stop: asyncio.Future[Reason], pace: Pace) -> tuple[str, ...]:
    """Ask every open TCP port what it speaks; a stop ends that, and changes nothing that was measured."""
    from portcheck.verify import Asked, verify

    expected: dict[Probe, Check] = {}
    for check in plan.checks:
        if check.probe is not None:
            expected.setdefault(check.probe, check)
    opened = {
        seen.probe: seen
        for seen in measured
        if isinstance(seen, Observation)
        and not seen.probe.is_own
        and seen.state is PortState.OPEN
        and seen.probe.transport is Transport.TCP
        and seen.answer is None
        and seen.echo is None
    }
    # What is asked for comes before what was found.
    asked = [Asked(probe, check.speaks, check.host) for probe, check in expected.items() if probe in opened]
    asked += [Asked(probe) for probe in opened if probe not in expected]
    answers = await verify(asked, pace=pace, stop=stop)
    for probe, spoken in answers.items():
        measured.refine(replace(opened[probe], answer=spoken.text, speaks=spoken.protocol))
    if left := len(asked) - len(answers):
        why = "the run ended first, or they took no second connection"
        return (
            f"{plural(left, 'open port was', 'open ports were')} not asked what is spoken there (--verify): {why}.",
        )
    return ()


def _summed(progress: Progress) -> tuple[Progress, Progress]:
    """Two that count for themselves, told as one."""
    counts = [0, 0]

    def part(number: int, decided: int) -> None:
        counts[number] = decided
        progress(sum(counts))

    return partial(part, 0), partial(part, 1)
