"""After the measurement: which of the open ports are our stand-ins', and what the stand-ins say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from portcheck.engine.asker import Asker, AskerTiming
from portcheck.engine.own_ports import LocalPorts
from portcheck.engine.pace import Pace
from portcheck.engine.probe import (
    UNASKED_TOKEN,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Standing,
    StandInReport,
    Transport,
)
from portcheck.engine.stand_in import stack_id
from portcheck.measured import Measured, endpoint
from portcheck.model import LOOPBACK, WILDCARD, Check, Expect, Family, Plan
from portcheck.own_looks import own_ports_seen
from portcheck.probe_sets import awaits_stand_in
from portcheck.questions import Shared

_OF_OURSELVES = AskerTiming(attempt_s=1.0, attempts=1)
"""Between sockets of one machine nothing gets lost."""

_ALL_OF = {WILDCARD[family]: LOOPBACK[family] for family in Family}
"""Who listens on all addresses is reached at this one."""

_MOST_STAND_INS = 4
"""Of one machine, one for each of its roles; or of several machines behind one address."""

_TAKEN_BY_SOMEBODY = (Reason.ANSWERS_EVERYTHING, Reason.RESET_AFTER_HANDSHAKE)
"""Somebody accepted the connection, and a handshake alone does not show who. A token does."""


async def hear_stand_ins(
    plan: Plan, measured: Measured, shared: Shared, stop: asyncio.Future[Reason], pace: Pace
) -> None:
    """Ask every accepted connection's port for a token, and then each stand-in that answered for its report."""
    asker = Asker(shared.key, shared.run, pace=pace, began_s=shared.began_s)
    await _ask(_expected(plan, measured), measured, asker, stop)
    await _read_reports(measured, asker, stop)
    await _ask(_opened_for_others(plan, measured), measured, asker, stop)
    measured.heard_out = not stop.done()


async def _ask(accepted: Iterable[Observation], measured: Measured, asker: Asker, stop: asyncio.Future[Reason]) -> None:
    """Put the answers into what was measured; a port that was not asked is not said to have kept silent."""
    asked = {seen.probe: seen for seen in accepted}
    answers = await asker.ask(asked, stop)
    for probe, seen in asked.items():
        answer = answers.get(probe, UNASKED_TOKEN)
        if isinstance(answer, Echo):
            told = replace(seen, state=PortState.OPEN, reason=Reason.ECHO_TOKEN, detail=None, echo=answer)
            measured.refine(told)
        else:
            measured.refine(replace(seen, detail=answer))


def _expected(plan: Plan, measured: Measured) -> Iterator[Observation]:
    """What may be a stand-in's: over UDP its answer would have been the token already."""
    return _accepted(plan, measured, lambda check: awaits_stand_in(plan, check))


def _opened_for_others(plan: Plan, measured: Measured) -> Iterator[Observation]:
    """Open ports that nobody should reach from here, at hosts with stand-ins: one of another role may have them.

    Of these a document has a name. Nothing else is asked: an unexpected service would not understand the question.
    """
    heard = {seen.probe.address for seen in measured if isinstance(seen, Observation) and seen.echo is not None}

    def is_named(check: Check) -> bool:
        unexpected = check.expect is Expect.NOT_OPEN and not check.present and not check.named_for
        return unexpected and bool(check.known_as) and check.address in heard

    return _accepted(plan, measured, is_named)


def _accepted(plan: Plan, measured: Measured, is_wanted: Callable[[Check], bool]) -> Iterator[Observation]:
    """Accepted connections at the wanted ports, each once."""
    wanted: dict[Probe, None] = {}
    for check in plan.checks:
        if check.probe is not None and check.transport is Transport.TCP and is_wanted(check):
            wanted[check.probe] = None
    for sweep in plan.sweeps:
        first = sweep.first.probe
        if first is not None and first.transport is Transport.TCP and is_wanted(sweep.first):
            wanted.update((seen.probe, None) for seen in measured.singly(endpoint(first)) if seen.probe.port in sweep)
    for probe in wanted:
        seen = measured.of(probe)
        if seen.state is PortState.OPEN or seen.reason in _TAKEN_BY_SOMEBODY:
            yield seen


async def _read_reports(measured: Measured, asker: Asker, stop: asyncio.Future[Reason]) -> None:
    """A report from every stand-in: where one has not opened what answered, there is another one."""
    ways = _ways(measured)
    for _ in range(_MOST_STAND_INS):
        found = await asker.reports(ways, stop)
        for address, report in found.items():
            measured.reports.setdefault(address, []).append(report)
        ways = {address: left for address in found if (left := _unreported(ways[address], found[address]))}
        if not ways:
            return


def _ways(measured: Measured) -> dict[str, list[Probe]]:
    """By address, the ports over which its stand-ins answered; those first where no address was translated."""
    ways: dict[str, list[Probe]] = {}
    straight: dict[Probe, bool] = {}
    for seen in measured:
        if isinstance(seen, Observation) and seen.echo is not None:
            ways.setdefault(seen.probe.address, []).append(seen.probe)
            straight[seen.probe] = seen.echo.address == seen.probe.address
    for probes in ways.values():
        probes.sort(key=lambda probe: (not straight[probe], probe.transport is not Transport.TCP, probe.port))
    return ways


def _unreported(ways: list[Probe], report: StandInReport) -> list[Probe]:
    opened = {(port.transport, port.port) for port in report.ports if port.standing is Standing.LISTENING}
    return [probe for probe in ways if (probe.transport, probe.port) not in opened]


# --------------------------------------------------------------------------------------------- our own stand-in


async def recognise_our_own(measured: Measured, shared: Shared, stop: asyncio.Future[Reason], pace: Pace) -> None:
    """Ports of this machine that our own stand-ins hold are free; an ordinary user cannot see that root's have them."""
    held = [seen for seen in own_ports_seen(measured) if seen.reason is Reason.PORT_HELD]
    doubtful = [seen for seen in held if not any(holder.stand_in for holder in seen.holders)]
    ways = {probe: [probe] for seen in doubtful for probe in _ways_to_ourselves(seen)}
    asker = Asker(shared.key, shared.run, pace=pace, timing=_OF_OURSELVES)
    told = (await asker.reports(ways, stop)).values()
    ours = [report for report in told if report.stack == stack_id()]
    ports = LocalPorts()
    for seen in doubtful:
        holders = next((found for report in ours if (found := _stand_ins(seen, report))), ())
        if holders:
            measured.refine(replace(seen, holders=holders, detail=ports.detail(seen.probe.port)))
        elif ours:
            # What our stand-ins do not have is somebody else's.
            measured.refine(replace(seen, detail=None))


def _ways_to_ourselves(seen: Observation) -> Iterator[Probe]:
    for holder in seen.holders:
        address = _ALL_OF.get(holder.address, holder.address)
        yield Probe(address, seen.probe.transport, seen.probe.port)


def _stand_ins(seen: Observation, report: StandInReport) -> tuple[Holder, ...]:
    """The holders, if they are all the stand-in's."""
    where = {
        port.address
        for port in report.ports
        if port.standing is Standing.LISTENING
        and (port.transport, port.port) == (seen.probe.transport, seen.probe.port)
    }
    theirs = {holder.address for holder in seen.holders} - where
    return tuple(Holder(address, stand_in=True) for address in sorted(where)) if where and not theirs else ()
