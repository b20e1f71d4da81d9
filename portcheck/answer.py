"""The first line of a report: what an administrator wants to hear before anything else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portcheck.engine.probe import PortState, Transport
from portcheck.model import Answer, Expect, Finding, Level, Outcome, Phase, Sight, Summary, Verdict
from portcheck.wording import are, plural, these

_WORDS = {0: "OK", 1: "FAIL", 3: "NOT SURE"}
"""By exit status."""

_FLOW_FINDINGS = {
    Finding.BLOCKED: "blocked",
    Finding.REJECTED: "rejected on the way",
    Finding.HOST_UNREACHABLE: "to hosts that cannot be reached",
    Finding.NOT_LISTENING: "refused because nothing seems to listen",
    Finding.REFUSED: "refused",
    Finding.NO_ANSWER: "unanswered",
    Finding.OCCUPIED: "in use already",
    Finding.WRONG_RESPONDER: "answered by somebody else",
}
"""How the sentence goes on after `3 of 41 required flows are`."""

_WELL = {
    Phase.INSTALLED: ("is open", "are open"),
    Phase.PREINSTALL: ("has an open path and a free port", "have an open path and a free port"),
}
"""The same when nothing is wrong, of one flow and of several."""

_PATHS_OPEN = ("has an open path", "have an open path")

_PORT_FINDINGS = {
    Finding.EXPOSED: ("local-only port", "reachable from here"),
    Finding.UNEXPECTED_OPEN: ("port", "open that nobody asked for"),
    Finding.OPEN_TO_OTHERS: ("port", "open to this machine but meant for others"),
}


def answer(verdicts: tuple[Verdict, ...], summary: Summary, phase: Phase, ranges: int = 0) -> Answer:
    """One word and one sentence for the whole run; waived findings do not count.

    Args:
        ranges: how many ranges of the documents were not tested, because nothing has to listen there.
    """
    word = _WORDS[summary.exit_status]
    if not verdicts:
        return Answer(word, "Nothing was checked.")
    there = [v for v in verdicts if v.finding is not Finding.NO_HOST]
    counted = [v for v in there if v.waived is None]
    failed = [v for v in counted if v.outcome is Outcome.FAIL]
    required = [v for v in there if v.check.expect is Expect.REACHABLE and v.check.level is not Level.RECOMMENDED]
    if all(v.check.is_own for v in verdicts):
        parts = _of_this_machine(counted, summary)
    elif failed:
        parts = _failures(failed, len(required))
    elif summary.exit_status == 3:
        parts = _open_questions(counted, required)
    else:
        parts = _all_well(there, required, summary, phase, ranges)
    return Answer(word, _sentence(parts))


def _of_required(number: int, required: int) -> str:
    """`3 of 41 required flows`; a sentence goes on in the number of the first one."""
    if required == 1:
        return "the required flow"
    return f"all {number:,} required flows" if number == required else f"{number:,} of {required:,} required flows"


def _failures(failed: list[Verdict], required: int) -> Iterator[str]:
    said_of = False
    flows = [v for v in failed if v.check.expect is Expect.REACHABLE]
    for finding, words in _FLOW_FINDINGS.items():
        number = sum(v.finding is finding for v in flows)
        if number:
            subject = f"{number:,}" if said_of else _of_required(number, required)
            said_of = True
            yield f"{subject} {are(number)} {words}"
    for finding, (noun, words) in _PORT_FINDINGS.items():
        number = sum(v.finding is finding for v in failed)
        if number:
            yield f"{plural(number, noun)} {are(number)} {words}"
    taken = sum(v.finding is Finding.OCCUPIED and v.check.expect is not Expect.REACHABLE for v in failed)
    if taken:
        yield f"{plural(taken, 'port')} that the product needs {are(taken)} in use already"
    if stopped := sum(v.check.expect is Expect.LET_IN for v in failed):
        yield f"the packet filter of this machine stops what is sent to {plural(stopped, 'port')} of it"
    if others := sum(v.finding not in {*_FLOW_FINDINGS, *_PORT_FINDINGS} for v in failed):
        yield f"{plural(others, 'other check')} failed"


def _open_questions(counted: list[Verdict], required: list[Verdict]) -> Iterator[str]:
    unsure = [v for v in counted if v.outcome is Outcome.INCONCLUSIVE]
    if not unsure:
        yield "nothing failed, but the run is not complete" if counted else "no host was found"
        return
    flows = [v for v in required if v.outcome is Outcome.INCONCLUSIVE and v.waived is None]
    if flows == counted and all(v.unprovable for v in flows):
        yield f"nothing is proven: {_of_required(len(flows), len(required))} may be silent although all is well"
        return
    untested = sum(v.finding is Finding.NOT_TESTED for v in flows)
    said = "nothing failed, but "
    if undetermined := len(flows) - untested:
        yield f"{said}{_not_done(undetermined, len(required), 'determined')}"
        said = ""
    if untested:
        kinds = _untested_kinds(flows)
        yield f"{said}{_not_done(untested, 0 if undetermined else len(required), 'tested', kinds)}"
        said = ""
    if others := _checks(unsure) - len(flows):
        noun = "other check" if flows else "check"
        yield f"{said}{plural(others, noun)} {'was' if others == 1 else 'were'} not determined"


def _not_done(number: int, required: int, done: str, kinds: str = "") -> str:
    """`3 of 41 required flows were not tested`; `required` 0: the sentence has named them before."""
    if number == required > 1:
        return f"none of {number:,} required flows{kinds} was {done}"
    subject = _of_required(number, required) if required else f"{number:,}"
    return f"{subject}{kinds} {'was' if number == 1 else 'were'} not {done}"


def _untested_kinds(flows: list[Verdict]) -> str:
    """` (ESP and GRE)`: what we may not send; nothing where time ran out."""
    kinds = {v.check.transport for v in flows if v.finding is Finding.NOT_TESTED}
    return "" if Transport.TCP in kinds else f" ({' and '.join(sorted(kind.upper() for kind in kinds))})"


def _all_well(
    verdicts: list[Verdict], required: list[Verdict], summary: Summary, phase: Phase, ranges: int
) -> Iterator[str]:
    well = [v for v in required if v.outcome is Outcome.PASS]
    accepted = len(well)
    one, many = _WELL[phase]
    if phase is Phase.PREINSTALL and any(v.check.present or v.check.port is None for v in well):
        # What exists already is open, and has no free port; GRE and the like have no port at all.
        one, many = _WELL[Phase.INSTALLED] if all(v.check.present for v in well) else _PATHS_OPEN
    if accepted:
        yield f"{_of_required(accepted, len(required))} {one if accepted == 1 else many}"
    if own := [v for v in verdicts if v.check.expect is Expect.FREE and v.outcome is Outcome.PASS]:
        yield f"{plural(len(own), 'port')} of this machine {are(len(own))} free"
    yield from _looked_at(verdicts, "other port" if required else "port")
    if ranges:
        paths = "path to 1 range" if ranges == 1 else f"paths to {ranges:,} ranges"
        yield f"the {paths} of ports {are(ranges)} not tested"
    if others := sum(v.finding is Finding.WRONG_RESPONDER for v in required):
        yield f"{others:,} {are(others)} open, but spoken there is something else than expected"
    if warned := summary.warned - others:
        yield plural(warned, "warning")
    if summary.waived:
        yield f"{plural(summary.waived, 'finding')} {are(summary.waived)} accepted by waivers"
    if unprovable := sum(v.unprovable and v.waived is None for v in verdicts):
        yield f"{unprovable:,} cannot be decided, see below"


def _looked_at(verdicts: list[Verdict], noun: str) -> Iterator[str]:
    """The ports that should not be open to us: how many of them are, all the same."""
    others = [v for v in verdicts if v.check.expect in (Expect.NOT_OPEN, Expect.LOCAL_ONLY) and not _is_ours(v)]
    opened = sum(v.observation.state is PortState.OPEN for v in others)
    unknown = _checks(v for v in others if v.outcome is not Outcome.PASS) - opened
    judged = _checks(others) - unknown
    if opened:
        yield f"{opened:,} of {plural(_checks(others), noun)} looked at {are(opened)} open, see below"
    elif judged:
        yield f"the {noun} looked at is not open" if judged == 1 else f"none of {judged:,} {noun}s looked at is open"
    if unknown:
        yield f"{plural(unknown, 'port')} could not be judged"


def _is_ours(verdict: Verdict) -> bool:
    """Open by our own stand-in."""
    return verdict.seen.sight is Sight.ECHO


# ------------------------------------------------------------------------------------- this machine and no other


def _of_this_machine(verdicts: list[Verdict], summary: Summary) -> Iterator[str]:
    """What `check --local` has to say: are its ports free, does its packet filter let others in, who may listen?"""
    yield from _free(verdicts)
    yield from _let_in([v for v in verdicts if v.check.expect is Expect.LET_IN])
    local = [v for v in verdicts if v.check.expect is Expect.LOOPBACK_ONLY]
    if wide := sum(v.finding is Finding.EXPOSED for v in local):
        listens = "listens" if wide == 1 else "listen"
        yield f"{wide:,} of {plural(len(local), 'port')} for localhost only {listens} for others too"
    elif local:
        yield f"none of {plural(len(local), 'port')} for localhost only listens for others"
    if summary.waived:
        yield f"{plural(summary.waived, 'finding')} {are(summary.waived)} accepted by waivers"


def _free(verdicts: list[Verdict]) -> Iterator[str]:
    ports = [v for v in verdicts if v.check.expect is Expect.FREE]
    single = [v for v in ports if v.check.range is None]
    if not ports:
        return
    taken = sum(v.finding is Finding.OCCUPIED for v in single)
    unknown = sum(v.outcome is Outcome.INCONCLUSIVE for v in single)
    if taken:
        yield f"{_of_needed(taken, single)} {are(taken)} in use already"
    if unknown:
        yield f"whether {f'{unknown:,}' if taken else _of_needed(unknown, single)} {are(unknown)} free is not known"
    if single and not taken and not unknown:
        yield f"{_of_needed(len(single), single)} {are(len(single))} free"
    yield from _free_in_ranges([v for v in ports if v.check.range is not None], bool(taken or unknown or not single))
    if exposed := sum(v.finding is Finding.EPHEMERAL for v in ports):
        yield f"{exposed:,} free {'one lies' if exposed == 1 else 'ones lie'} in the ephemeral range"


def _free_in_ranges(samples: list[Verdict], by_itself: bool) -> Iterator[str]:
    """`so are 5 of the ports 49152-65535`; their range is not tried port by port."""
    ranges = {f"{v.check.range.first}-{v.check.range.last}" for v in samples if v.check.range is not None}
    free = sum(v.finding in (Finding.OK, Finding.EPHEMERAL) for v in samples)
    if not samples:
        return
    of = f"of the ports {ranges.pop()}" if len(ranges) == 1 else f"ports out of {len(ranges):,} ranges"
    number = f"{free:,}" if free == len(samples) else f"{free:,} of {len(samples):,} tried"
    yield f"{number} {of} {are(free)} free" if by_itself else f"so {are(free)} {number} {of}"


def _of_needed(number: int, ports: list[Verdict]) -> str:
    """`3 of 24 ports that master needs`; without a role, those that were asked for."""
    role = ports[0].check.role
    needing = f" that {role} {'need' if ', ' in role else 'needs'}" if role else ""
    if len(ports) == 1:
        return f"the port{needing}"
    return f"all {number:,} ports{needing}" if number == len(ports) else f"{number:,} of {len(ports):,} ports{needing}"


def _let_in(verdicts: list[Verdict]) -> Iterator[str]:
    stopped = sum(v.outcome in (Outcome.FAIL, Outcome.WARN) for v in verdicts)
    unclear = sum(v.outcome is Outcome.INFO for v in verdicts)
    if stopped:
        yield f"the packet filter of this machine stops what is sent to {plural(stopped, 'port')}"
    elif unclear:
        yield "and what the packet filter of this machine does was not determined"
    elif verdicts:
        yield f"and the packet filter of this machine lets {these(len(verdicts))} in"


def _checks(verdicts: Iterable[Verdict]) -> int:
    return sum(verdict.count for verdict in verdicts)


def _sentence(parts: Iterable[str]) -> str:
    text = ", ".join(parts) or "nothing that was asked for is wrong"
    return f"{text[:1].upper()}{text[1:]}."
