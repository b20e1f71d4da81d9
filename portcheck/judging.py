"""What was measured, judged: every check of a plan once, swept ports that got the same answer together. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace

from portcheck.engine.probe import Observation, PortState, Probe, Reason, Tally
from portcheck.facts import Facts, facts_by_address
from portcheck.measured import Measured, endpoint, narrowed, observation_of
from portcheck.model import NOT_SEEN, Check, Finding, Plan, Seen, SweptPorts, Verdict
from portcheck.verdict import Strictness, judge

_Judge = Callable[[Check, Observation], Verdict]


def judge_all(plan: Plan, measured: Measured, strictness: Strictness) -> tuple[Verdict, ...]:
    """The verdicts on everything in the plan, host by host; their counts add up to its size.

    Raises:
        LookupError: something in the plan was not measured.
    """
    facts, seen_of = facts_by_address(measured), _sights(plan, measured)

    def of_one(check: Check, observation: Observation) -> Verdict:
        of_address = facts.get(check.address or "", Facts())
        seen = seen_of(check, observation)
        return judge(check, observation, of_address, plan.scope.phase, strictness, plan.scope.secrets, seen)

    verdicts = [of_one(check, _observation(check, measured)) for check in plan.checks]
    for sweep in plan.sweeps:
        verdicts += _of_sweep(sweep, measured, of_one)
    verdicts = _where_nobody_is(verdicts)
    order = {host.name: number for number, host in enumerate(plan.scope.hosts)}
    return tuple(sorted(verdicts, key=lambda verdict: order.get(verdict.check.host, 0)))


def _sights(plan: Plan, measured: Measured) -> Callable[[Check, Observation], Seen]:
    """What the stand-ins of the run say of a check; most runs have none, and do not pay for what reads them."""
    if not plan.scope.stand_ins:
        return lambda check, observation: NOT_SEEN
    from portcheck.stand_ins import StandIns

    return StandIns(plan, measured).seen


def _where_nobody_is(verdicts: list[Verdict]) -> list[Verdict]:
    """What this process may not send to an address of a network where nothing answered is no loss there."""
    asked: dict[str | None, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check.from_network and verdict.asked:
            asked.setdefault(verdict.check.address, []).append(verdict)
    empty = {address: of[0] for address, of in asked.items() if all(v.finding is Finding.NO_HOST for v in of)}
    return [_as_nobody(v, empty[v.check.address]) if v.check.address in empty else v for v in verdicts]


def _as_nobody(verdict: Verdict, nobody: Verdict) -> Verdict:
    if verdict.observation.reason is not Reason.NEEDS_PRIVILEGE or not verdict.check.from_network:
        return verdict
    return replace(verdict, outcome=nobody.outcome, finding=nobody.finding, because=nobody.because)


def _observation(check: Check, measured: Measured) -> Observation:
    return measured.of(check.probe) if check.probe is not None else _not_asked(check)


def _not_asked(check: Check) -> Observation:
    unmeasured = check.unmeasured
    assert unmeasured is not None, "a check has a probe or says why not"
    placeholder = Probe(check.address or "", check.transport, check.port or 0)
    return Observation(placeholder, PortState.UNKNOWN, unmeasured.reason, detail=unmeasured.detail)


def _of_sweep(sweep: SweptPorts, measured: Measured, of_one: _Judge) -> list[Verdict]:
    probe = sweep.first.probe
    if probe is None:
        return [replace(of_one(sweep.first, _not_asked(sweep.first)), alike=array("H", sweep.numbers()))]
    where = endpoint(probe)
    singly = sorted((seen for seen in measured.singly(where) if seen.probe.port in sweep), key=_port)
    verdicts = [of_one(sweep.check(seen.probe.port), seen) for seen in singly]
    for tally in measured.in_bulk(where):
        if ports := narrowed(tally.ports, sweep.ports):
            verdicts += _of_tally(sweep, tally, ports, of_one)
    if sum(verdict.count for verdict in verdicts) != len(sweep):
        raise LookupError(f"not every swept port of {probe.address} was measured once")
    return verdicts


def _port(seen: Observation) -> int:
    return seen.probe.port


def _of_tally(sweep: SweptPorts, tally: Tally, ports: array[int], of_one: _Judge) -> Iterator[Verdict]:
    """One verdict for all of them: nothing tells them apart, neither what was expected nor what was seen."""
    if tally.state is PortState.OPEN:
        # Each is something to act on.
        yield from (_of_port(sweep, tally, port, of_one) for port in ports)
        return
    verdict = _of_port(sweep, tally, ports[0], of_one)
    if verdict.finding is Finding.NOT_TESTED and tally.syns:
        verdict = replace(verdict, finding=Finding.UNDETERMINED)
    yield replace(verdict, alike=ports)


def _of_port(sweep: SweptPorts, tally: Tally, port: int, of_one: _Judge) -> Verdict:
    check = sweep.check(port)
    assert check.probe is not None, "a port that was measured has a probe"
    return of_one(check, observation_of(tally, check.probe))
