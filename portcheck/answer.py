"""The first line of a report: what an administrator wants to hear before anything else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from portcheck.engine.probe import PortState, Transport
from portcheck.model import Answer, Expect, Finding, Level, Outcome, Phase, Sight, Summary, Verdict
from portcheck.wording import are, plural

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
    parts: Iterable[str]
    if all(v.check.is_own for v in verdicts):
        parts = chain(_of_this_machine(counted), _waived(summary))
    elif failed:
        parts = chain(_failures(failed, len(required)), _not_let_in(counted))
    elif summary.exit_status == 3:
        parts = chain(_open_questions(counted, required), _not_let_in(counted))
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
    yield from _looked_at(verdicts, "other port" if required else "port")
    yield from _of_this_machine([v for v in verdicts if v.check.is_own and v.waived is None], _ON_THIS_MACHINE)
    if ranges:
        paths = "path to 1 range" if ranges == 1 else f"paths to {ranges:,} ranges"
        yield f"the {paths} of ports {are(ranges)} not tested"
    if others := sum(v.finding is Finding.WRONG_RESPONDER for v in required):
        yield f"{others:,} {are(others)} open, but spoken there is something else than expected"
    # What is amiss with this machine was said.
    own = sum(v.check.is_own and v.outcome is Outcome.WARN for v in verdicts)
    if warned := summary.warned - others - own:
        yield plural(warned, "warning")
    yield from _waived(summary)
    if unprovable := sum(v.unprovable and v.waived is None for v in verdicts):
        yield f"{unprovable:,} cannot be decided, see below"


def _waived(summary: Summary) -> Iterator[str]:
    if summary.waived:
        yield f"{plural(summary.waived, 'finding')} {are(summary.waived)} accepted by waivers"


def _looked_at(verdicts: list[Verdict], noun: str) -> Iterator[str]:
    """The ports that should not be open to us: how many of them are, all the same."""
    asked = [v for v in verdicts if v.check.expect in (Expect.NOT_OPEN, Expect.LOCAL_ONLY)]
    others = [v for v in asked if not _is_ours(v)]
    looked_at = "looked at" if len(others) == len(asked) else "looked at (our stand-ins aside)"
    none = f"the {noun} {looked_at} is not open"
    opened = sum(v.observation.state is PortState.OPEN for v in others)
    unknown = _checks(v for v in others if v.outcome is not Outcome.PASS) - opened
    judged = _checks(others) - unknown
    if opened:
        yield f"{opened:,} of {plural(_checks(others), noun)} {looked_at} {are(opened)} open, see below"
    elif judged:
        yield none if judged == 1 else f"none of {judged:,} {noun}s {looked_at} is open"
    if unknown:
        yield f"{plural(unknown, 'port')} could not be judged"


def _is_ours(verdict: Verdict) -> bool:
    """Open by our own stand-in."""
    return verdict.seen.sight is Sight.ECHO


# ------------------------------------------------------------------------------------------------- this machine

_ON_THIS_MACHINE = " on this machine"
"""Said where the sentence is about other machines as well."""


def _of_this_machine(verdicts: list[Verdict], here: str = "") -> Iterator[str]:
    """Are its ports free, does its packet filter let others in, and who may listen?

    Args:
        here: said of ports whose machine is not plain from the rest.
    """
    yield from _free([v for v in verdicts if v.check.expect is Expect.FREE], here)
    yield from _let_in(verdicts)
    yield from _for_localhost([v for v in verdicts if v.check.expect is Expect.LOOPBACK_ONLY], here)


def _free(ports: list[Verdict], here: str) -> Iterator[str]:
    single = [v for v in ports if v.check.range is None]
    if not ports:
        return
    taken = sum(v.finding is Finding.OCCUPIED for v in single)
    unknown = sum(v.outcome is Outcome.INCONCLUSIVE for v in single)
    if taken:
        yield f"{_of_needed(taken, single, here)} {are(taken)} in use already"
    if unknown:
        of_these = f"{unknown:,}" if taken else _of_needed(unknown, single, here)
        yield f"whether {of_these} {are(unknown)} free is not known"
    if single and not taken and not unknown:
        yield f"{_of_needed(len(single), single, here)} {are(len(single))} free"
    samples = [v for v in ports if v.check.range is not None]
    yield from _free_in_ranges(samples, "" if single else here, by_itself=bool(taken or unknown or not single))
    if exposed := sum(v.finding is Finding.EPHEMERAL for v in ports):
        yield f"{exposed:,} free {'one lies' if exposed == 1 else 'ones lie'} in the ephemeral range"


def _free_in_ranges(samples: list[Verdict], here: str, *, by_itself: bool) -> Iterator[str]:
    """`so are 5 of the ports 49152-65535`; their range is not tried port by port."""
    ranges = {f"{v.check.range.first}-{v.check.range.last}" for v in samples if v.check.range is not None}
    free = sum(v.finding in (Finding.OK, Finding.EPHEMERAL) for v in samples)
    if not samples:
        return
    of = f"of the ports {ranges.pop()}" if len(ranges) == 1 else f"ports out of {len(ranges):,} ranges"
    number = f"{free:,}" if free == len(samples) else f"{free:,} of {len(samples):,} tried"
    yield f"{number} {of}{here} {are(free)} free" if by_itself else f"so {are(free)} {number} {of}"


def _of_needed(number: int, ports: list[Verdict], here: str) -> str:
    """`3 of 24 ports that master needs`; without a role, those that were asked for."""
    role = ports[0].check.role
    needing = f" that {role} {'need' if ', ' in role else 'needs'}" if role else " asked for" if here else ""
    return _some(number, len(ports), f"{needing}{here}")


def _some(number: int, everything: int, which: str) -> str:
    """`the port that …`, `all 24 ports that …`, `3 of 24 ports that …`."""
    if everything == 1:
        return f"the port{which}"
    return f"all {number:,} ports{which}" if number == everything else f"{number:,} of {everything:,} ports{which}"


_PACKET_FILTER = "the packet filter of this machine"
_FOR_OTHERS = " that others have to reach"


def _let_in(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Of the ports that are for others; not every port of this machine is."""
    asked = [v for v in verdicts if v.check.expect is Expect.LET_IN]
    stopped = sum(v.outcome in (Outcome.FAIL, Outcome.WARN) for v in asked)
    well = sum(v.outcome is Outcome.PASS for v in asked)
    unclear = len(asked) - stopped - well
    if stopped:
        yield f"{_PACKET_FILTER} stops what is sent to {_some(stopped, len(asked), _FOR_OTHERS)}"
    elif well:
        yield f"{_PACKET_FILTER} lets in {_some(well, len(asked), _FOR_OTHERS)}"
    elif unclear:
        yield f"whether {_PACKET_FILTER} lets in {_some(unclear, len(asked), _FOR_OTHERS)} was not determined"
    if unclear and (stopped or well):
        yield f"of {unclear:,} that was not determined"


def _not_let_in(verdicts: list[Verdict]) -> Iterator[str]:
    """The same beside what is worse; nothing where all is well."""
    if any(v.check.expect is Expect.LET_IN and v.outcome is not Outcome.PASS for v in verdicts):
        yield from _let_in(verdicts)


def _for_localhost(verdicts: list[Verdict], here: str) -> Iterator[str]:
    which = f"{here} for localhost only"
    wide = sum(v.finding is Finding.EXPOSED for v in verdicts)
    unknown = sum(v.finding is Finding.UNDETERMINED for v in verdicts)
    known = len(verdicts) - unknown
    if wide:
        listens = "listens" if wide == 1 else "listen"
        yield f"{wide:,} of {plural(len(verdicts), 'port')}{which} {listens} for others too"
    elif known:
        only = f"the port{which} does not listen" if known == 1 else f"none of {known:,} ports{which} listens"
        yield f"{only} for others"
    if unknown:
        listen = "listens" if unknown == 1 else "listen"
        yield f"whether {plural(unknown, 'port')}{which} {listen} for others is not known"


def _checks(verdicts: Iterable[Verdict]) -> int:
    return sum(verdict.count for verdict in verdicts)


def _sentence(parts: Iterable[str]) -> str:
    text = ", ".join(parts) or "nothing that was asked for is wrong"
    return f"{text[:1].upper()}{text[1:]}."
