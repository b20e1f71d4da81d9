"""The report that a person reads: the answer, what to do, what is not known, what was not checked.

Readable without colour, at 80 columns, and in a log file. Everything that came from a file or the network is
made printable, and nothing is read as markup.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from io import StringIO
from shlex import quote
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from portcheck import commands
from portcheck.engine.probe import REPLIED_FROM, PortState, Transport
from portcheck.model import (
    Certainty,
    Check,
    Diagnosis,
    Document,
    Expect,
    Finding,
    Outcome,
    Own,
    Plan,
    Run,
    Sight,
    SweepKind,
    Verdict,
    role_label,
)
from portcheck.ports import format_by_transport
from portcheck.printable import printable
from portcheck.reports import how_sure, left_out
from portcheck.wording import listed, plural

_WORD_STYLES = {"OK": "bold green", "FAIL": "bold red", "NOT SURE": "bold yellow"}
_OUTCOME_STYLES = {Outcome.FAIL: "bold", Outcome.WARN: "bold", Outcome.INCONCLUSIVE: ""}
_QUIET = "dim"
_PADDING = re.compile(r"(?: |\x1b\[[0-9;]*m)+$")
"""Blanks that fill a table's column, with the colours around them."""
_MAX_TEXT = 2000
"""Longer texts are cut: no input of ours has them, and no reader wants them."""
_MAX_SWEEP = 60
_ROLES_NAMED = 6
_MAX_DIAGNOSES = 50
"""More causes than this are counted, not printed: the JSON report has them all."""
_MAX_ANSWERS = 40
_MAX_ANSWERS_BESIDE = 10
"""Beside what a document asks for, where nobody asked what answers."""


def render(run: Run, width: int = 80, color: bool = False, saved_as: str | None = None) -> str:
    """The report as text, wrapped to `width` columns; with `color` as ANSI sequences.

    Args:
        saved_as: the JSON file of this run, for the line that says how to go on; None when there is none.
    """
    out = StringIO()
    # Said explicitly, or rich would read TERM, COLORTERM and FORCE_COLOR.
    system: Literal["standard"] | None = "standard" if color else None
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system=system,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    for part in _parts(run, saved_as):
        # Of a Text that must not be wrapped rich takes no notice without soft_wrap.
        console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))
    lines = (_PADDING.sub(lambda end: end[0].replace(" ", ""), line) for line in out.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines)


def _parts(run: Run, saved_as: str | None) -> Iterator[RenderableType]:
    yield _header(run)
    yield from _circumstances(run)
    yield Text()
    yield _answer(run)
    yield from _findings(run)
    yield from _section("Not sure about", _unsure(run))
    yield from _section("Accepted by waivers", _waived(run))
    yield from _section("Warnings", (_line(warning) for warning in run.warnings))
    yield from _section("What answered", _answered(run))
    yield from _section("Also seen", _informed(run))
    yield from _section("Not checked here", _not_checked(run))
    yield from _section("Notices of the documents", _notices(run))
    yield from _how_to_go_on(run, saved_as)


def _text(content: str, style: str = "") -> Text:
    return Text(printable(content, _MAX_TEXT), style=style)


# ---------------------------------------------------------------------------------------------- the answer


def _header(run: Run) -> RenderableType:
    vantage = run.plan.scope.vantage
    documents = [document.title for document in run.plan.scope.documents]
    roles = sorted(role_label(role) for role in vantage.roles or ())
    details = [*roles, *vantage.sources.values()] if vantage.host else [vantage.machine, *vantage.sources.values()]
    name = "this machine" if vantage.roles is None else vantage.name
    within = ", ".join(filter(None, details))
    seen_from = f"seen from {name} ({within})" if within else f"seen from {name}"
    if _is_local(run):
        seen_from = f"this machine ({', '.join([vantage.name, *roles])})"
    title = " · ".join([f"portcheck {run.version}", *documents, str(run.plan.scope.phase), seen_from])
    return Group(_text(title, _QUIET), _text(_size(run), _QUIET))


def _is_local(run: Run) -> bool:
    """It is about the machine that we stand on, and no other."""
    return run.plan.scope.own is Own.ONLY


def _size(run: Run) -> str:
    counts = run.summary
    if _is_local(run):
        # Our own stand-in is asked over loopback.
        sent = "nothing left this machine" if run.plan.scope.stand_ins else "nothing was sent"
        return f"{plural(counts.checks, 'check')}, {run.duration_s:.1f} s · {sent}"
    return (
        f"{plural(counts.hosts, 'host')}, {plural(counts.checks, 'check')}, "
        f"{plural(counts.packets, 'packet')}, {run.duration_s:.1f} s · sweep: {_swept(run.plan)}"
    )


def _swept(plan: Plan) -> str:
    """Which ports were looked at beyond the required ones."""
    sweep = plan.scope.sweep
    if sweep.kind is not SweepKind.NONE and not plan.sweeps and not any(_is_swept(check) for check in plan.checks):
        return f"{printable(str(sweep), _MAX_SWEEP)}, which is nothing here"
    if sweep.kind is SweepKind.COMMON:
        return f"common, {plural(sum(len(ports.numbers()) for ports in sweep.ports), 'port')}"
    return printable(str(sweep), _MAX_SWEEP)


def _is_swept(check: Check) -> bool:
    return check.expect is Expect.NOT_OPEN


def _circumstances(run: Run) -> Iterator[RenderableType]:
    scope = run.plan.scope
    if scope.vantage.roles is None and scope.documents and not _is_local(run):
        yield _text(
            f"This machine has no role in the documents: paths from {_starting(scope.documents)} hosts may differ.",
            "yellow",
        )
    for text in how_sure.before_install(run):
        yield from _with_commands(text, style="yellow")
    unread = sum(v.count for v in _weak(run) if v.observation.state is PortState.OPEN)
    if unread:
        answers = plural(unread, "answer is", "answers are")
        yield _text(
            f"{answers} not of the protocol that was expected: something else may be there.",
            "yellow",
        )
    for text in left_out.circumstances(run.plan):
        yield _text(f"{text}.", "yellow")
    if scope.transports is not None:
        only = " and ".join(sorted(transport.upper() for transport in scope.transports))
        were = "was" if len(scope.transports) == 1 else "were"
        left = ": what the documents need besides is left out" if scope.documents else ""
        yield _text(f"Only {only} {were} asked for{left}.", "yellow")
    if run.selection.resumed is not None:
        yield _text(_went_on(run, run.selection.resumed), "yellow")
    if run.interrupted is not None:
        ended = "The deadline" if run.interrupted == "deadline" else run.interrupted
        yield _text(f"{ended} ended the run early: what was not decided by then is listed as not sure.", "yellow")


def _weak(run: Run) -> list[Verdict]:
    return [verdict for verdict in run.verdicts if verdict.certainty is Certainty.WEAK]


def _starting(documents: Iterable[Document]) -> str:
    """`agent or master`: the roles from which the documents want paths."""
    starting = sorted(
        {
            role
            for document in documents
            for expectation in document.expectations
            for role in expectation.sources
            if role in document.roles and not document.roles[role].external
        }
    )
    return listed(starting, _ROLES_NAMED) if len(starting) > _ROLES_NAMED else " or ".join(starting) or "other"


def _went_on(run: Run, resumed: str) -> str:
    # A run's id begins with its start in UTC: 20261120T080000Z.
    began = f"{resumed[:4]}-{resumed[4:6]}-{resumed[6:8]} {resumed[9:11]}:{resumed[11:13]} UTC"
    kept = plural(run.summary.kept, "answer is", "answers are")
    asked = plural(run.summary.probes, "port was", "ports were")
    return f"This run goes on with the one of {began}: {kept} kept from it, {asked} asked now."


def _answer(run: Run) -> RenderableType:
    line = Text(run.answer.word, style=_WORD_STYLES[run.answer.word])
    line.append("  ")
    line.append_text(_text(run.answer.sentence, "bold"))
    return _hanging(line, indent=len(run.answer.word) + 2)


def _hanging(line: Text, indent: int) -> RenderableType:
    grid = Table.grid(padding=0)
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column()
    grid.add_row(line[:indent], line[indent:])
    return grid


# -------------------------------------------------------------------------------------------------- findings


def _findings(run: Run) -> Iterator[RenderableType]:
    grave = [d for d in run.diagnosis if d.outcome in (Outcome.FAIL, Outcome.WARN)]
    for number, diagnosis in enumerate(grave[:_MAX_DIAGNOSES], start=1):
        yield Text()
        yield _numbered(number, diagnosis)
        if diagnosis.remedy:
            yield from _with_commands(f"-> {diagnosis.remedy}", "    ", "cyan")
    if len(grave) > _MAX_DIAGNOSES:
        yield Text()
        yield _text(f"And {plural(len(grave) - _MAX_DIAGNOSES, 'more cause')}: the JSON report has them all.", "bold")


def _numbered(number: int, diagnosis: Diagnosis) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", width=2)
    grid.add_column(overflow="fold")
    grid.add_row(Text(str(number)), _text(_warned(diagnosis) + diagnosis.headline, _OUTCOME_STYLES[diagnosis.outcome]))
    for line in diagnosis.lines:
        grid.add_row(Text(), _text(line))
    return grid


def _warned(diagnosis: Diagnosis) -> str:
    """Why it is a warning only: its level, what it is about, or that the user said so."""
    if diagnosis.outcome is not Outcome.WARN:
        return ""
    return "Warning: " if diagnosis.cause in _WARNINGS else "Recommended, not required: "


_WARNINGS = frozenset(
    {"unexpected-open", "wrong-responder", "answered-by-another", "ephemeral", "bound-wider", "taken-in-range"}
    | {"own-firewall"}
)
"""Causes that may be a warning whatever the level."""


def _section(heading: str, lines: Iterable[RenderableType]) -> Iterator[RenderableType]:
    listed_lines = list(lines)
    if not listed_lines:
        return
    yield Text()
    yield _text(heading, "bold")
    yield from listed_lines


_MARK = "  - "


def _line(content: str, mark: str = _MARK, style: str = "") -> RenderableType:
    grid = Table.grid(padding=0)
    grid.add_column(width=len(mark), no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark), _text(content, style))
    return grid


def _with_commands(content: str, mark: str = "", style: str = "") -> Iterator[RenderableType]:
    """The same, but for each long command, which has a line of its own that is never broken: it is there to be copied.

    Args:
        mark: before the first line; the others are as far from the edge.
    """
    for is_command, piece in commands.pieces(content):
        if is_command:
            command = " " * (len(mark) + 2) + printable(piece, _MAX_TEXT)
            yield Text(command, style=style, no_wrap=True, overflow="ignore")
        else:
            yield _line(piece, mark, style) if mark else _text(piece, style)
        mark = " " * len(mark)


def _unsure(run: Run) -> Iterator[RenderableType]:
    unsure = [d for d in run.diagnosis if d.outcome is Outcome.INCONCLUSIVE]
    for diagnosis in unsure[:_MAX_DIAGNOSES]:
        remedy = f" -> {diagnosis.remedy}" if diagnosis.remedy else ""
        said = "".join(f" {line}" for line in diagnosis.lines[:1])
        yield from _with_commands(f"{diagnosis.headline}.{said}{remedy}", _MARK)
    if len(unsure) > _MAX_DIAGNOSES:
        yield _line(f"And {len(unsure) - _MAX_DIAGNOSES:,} more: the JSON report has them all.")


def _waived(run: Run) -> Iterator[RenderableType]:
    for verdict in run.verdicts:
        if verdict.waived is not None:
            ports = format_by_transport(verdict.keys)
            yield _line(f"{ports} on {verdict.check.host}: {verdict.finding}. {verdict.waived}")


def _answered(run: Run) -> Iterator[RenderableType]:
    """What was found to be well and said what it is: all where somebody asked for that or named the port herself;
    else a few of UDP, where an answer is all that shows a service."""
    beside = bool(run.plan.scope.documents) and not run.selection.verify
    well = (v for v in run.verdicts if v.outcome in (Outcome.PASS, Outcome.INFO) and not _is_unread(v))
    said: dict[str, list[Verdict]] = {}
    for verdict in well:
        if verdict.observation.answer is not None and not (beside and verdict.check.transport is not Transport.UDP):
            said.setdefault(verdict.observation.answer, []).append(verdict)
    most = _MAX_ANSWERS_BESIDE if beside else _MAX_ANSWERS
    for answer, verdicts in list(said.items())[:most]:
        yield _line(f"{_by_host(verdicts)}: {answer}")
    if len(said) > most:
        yield _line(f"And {len(said) - most:,} more: the JSON report has them all.")


_UNREAD = {
    Transport.TCP: "Open, but what speaks there is not known",
    Transport.UDP: "Answered, but not in the protocol that was expected",
}
"""Over TCP silence is told as well: the connection shows that the port is open."""


def _is_unread(verdict: Verdict) -> bool:
    """It is well, but what speaks there could not be told, or is not what was expected."""
    seen, check = verdict.observation, verdict.check
    unread = seen.state is PortState.OPEN and seen.answer is not None and seen.speaks is None
    told_apart = bool(check.speaks) or check.transport is Transport.TCP
    return unread and told_apart and verdict.finding is Finding.OK


def _informed(run: Run) -> Iterator[RenderableType]:
    """What is neither right nor wrong, one line for each kind."""
    others: dict[tuple[bool, tuple[str, ...]], list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.finding is Finding.OPEN_TO_OTHERS and verdict.outcome is Outcome.INFO:
            ours = verdict.seen.sight is Sight.ECHO
            others.setdefault((ours, verdict.check.named_for), []).append(verdict)
    for (ours, roles), verdicts in others.items():
        opened = "Our stand-ins are reached from here too, at ports" if ours else "Open from here too, though"
        yield _line(f"{opened} meant for {' and '.join(roles)}: {_by_host(verdicts)}")
    for transport, words in _UNREAD.items():
        if unread := [v for v in run.verdicts if v.check.transport is transport and _is_unread(v)]:
            said = dict.fromkeys(v.observation.answer or "" for v in unread)
            yield _line(f"{words}: {_by_host(unread)} ({listed(list(said))})")
    yield from _of_this_machine(run)
    yield from _one_machine(run)
    if translated := [v for v in run.verdicts if v.seen.translated is not None]:
        where = dict.fromkeys(v.seen.translated or "" for v in translated)
        yield _line(
            f"Reached through a translation of addresses: {_by_host(translated)} (arrived at {listed(list(where))})"
        )
    if moved := [v for v in run.verdicts if v.observation.translated_source is not None]:
        senders = dict.fromkeys(v.observation.translated_source or "" for v in moved)
        yield _line(f"There this machine is seen as {listed(list(senders))}, not as itself: {_by_host(moved)}")
    elsewhere = [v for v in run.verdicts if (v.observation.detail or "").startswith(REPLIED_FROM)]
    if elsewhere:
        who = dict.fromkeys((v.observation.detail or "").removeprefix(REPLIED_FROM) for v in elsewhere)
        yield _line(
            f"Answered from another address than the one asked: {_by_host(elsewhere)} (from {listed(list(who))})"
        )
    unexpected = [v for v in run.verdicts if v.check.expect is Expect.NOT_OPEN and v.outcome is Outcome.INFO]
    if silent := [v for v in unexpected if v.finding is Finding.UNDETERMINED]:
        yield _line(f"Silent, so open or dropped: {_by_host(silent)}")
    allowed = [
        v
        for v in run.verdicts
        if v.outcome is Outcome.INFO and v.finding is Finding.OK and v.check.expect is Expect.ALLOWED
    ]
    if allowed:
        yield _line(f"Open and allowed, whether their feature is in use was not said: {_by_host(allowed)}")
    ignored = [v for v in run.verdicts if v.outcome is Outcome.INFO and v.finding is Finding.UNEXPECTED_OPEN]
    if ignored:
        yield _line(f"Open though nobody asked for it, ignored because of --unexpected ignore: {_by_host(ignored)}")
    empty = {v.check.host: None for v in run.verdicts if v.finding is Finding.NO_HOST}
    alive = {v.check.host for v in run.verdicts} - empty.keys()
    if empty:
        yield _line(
            f"{plural(len(empty), 'address', 'addresses')} without any sign of life "
            f"({listed(list(empty))}), {plural(len(alive), 'host')} found"
        )


_NOT_DETERMINED = {
    Expect.LET_IN: (
        "Whether the packet filter of this machine lets in {ports} was not determined{why}",
        "what others have to reach",
    ),
    Expect.LOOPBACK_ONLY: (
        "Whether it listens for localhost only was not determined: {ports}{why}",
        "every port for localhost only",
    ),
}
"""What is not known of this machine, of some ports or of all of them."""


def _of_this_machine(run: Run) -> Iterator[RenderableType]:
    """That its rules could not be read, the run's warnings say."""
    for fact in run.facts:
        yield _line(fact)
    own = [v for v in run.verdicts if v.check.is_own]
    if idle := [v for v in own if v.finding is Finding.NOT_LISTENING and v.outcome is Outcome.INFO]:
        yield _line(f"For localhost only, and nothing listens: {_by_host(idle)}")
    for expect, (whether, every_port) in _NOT_DETERMINED.items():
        asked = [v for v in own if v.check.expect is expect]
        unknown: dict[str | None, list[Verdict]] = {}
        for verdict in asked:
            if verdict.finding is Finding.UNDETERMINED and verdict.outcome is Outcome.INFO:
                unknown.setdefault(verdict.observation.detail, []).append(verdict)
        for detail, verdicts in unknown.items():
            why = f" ({detail})" if detail else ""
            ports = every_port if 1 < len(verdicts) == len(asked) else _by_host(verdicts)
            yield _line(whether.format(ports=ports, why=why))


def _one_machine(run: Run) -> Iterator[RenderableType]:
    """Hosts that are called by several names, and answer as one."""
    named: dict[str, dict[str, None]] = {}
    for verdict in run.verdicts:
        if verdict.seen.sight is Sight.ECHO and verdict.seen.echo is not None:
            named.setdefault(verdict.seen.echo.stack, {})[verdict.check.host] = None
    for hosts in named.values():
        if len(hosts) > 1:
            yield _line(f"The same machine, for one stand-in answered as all of them: {listed(list(hosts))}")


def _by_host(verdicts: list[Verdict]) -> str:
    """`15101, 15201/tcp on a2, a3; 8443/tcp on m1`."""
    ports: dict[str, set[tuple[Transport, int | None]]] = {}
    for verdict in verdicts:
        ports.setdefault(verdict.check.host, set()).update(verdict.keys)
    hosts: dict[frozenset[tuple[Transport, int | None]], list[str]] = {}
    for host, keys in ports.items():
        hosts.setdefault(frozenset(keys), []).append(host)
    return "; ".join(
        f"{format_by_transport(sorted(keys, key=_order))} on {listed(names)}" for keys, names in hosts.items()
    )


def _order(key: tuple[Transport, int | None]) -> tuple[str, int]:
    return key[0], key[1] or 0


# ------------------------------------------------------------------------------------------- what is left out


def _not_checked(run: Run) -> Iterator[RenderableType]:
    for line in left_out.lines(run.plan):
        yield _line(line)
    for document in run.plan.scope.documents:
        if document.not_checkable:
            number = plural(len(document.not_checkable), "requirement")
            yield _line(
                f"{number} of {document.title} that no port probe can show: "
                f"portcheck documents show {quote(document.path or document.id)}"
            )


def _notices(run: Run) -> Iterator[RenderableType]:
    for document in run.plan.scope.documents:
        for notice in document.notices:
            yield _line(f"{document.title}: {notice}")


def _how_to_go_on(run: Run, saved_as: str | None) -> Iterator[RenderableType]:
    shown = next((d for d in run.diagnosis if d.checks), None)
    if shown is None:
        return
    yield Text()
    if saved_as is None:
        yield _text("Keep the run for later questions: add -o run.json", _QUIET)
        return
    yield _text("Explain one:", _QUIET)
    # On lines of its own and never broken inside a word: it is there to be copied.
    command = f"portcheck explain {quote(shown.checks[0])} {quote(saved_as)}"
    for line in textwrap.wrap(command, 76, break_long_words=False, break_on_hyphens=False):
        more = "" if command.endswith(line) else " \\"
        yield Text(f"  {printable(line)}{more}", style=_QUIET, no_wrap=True, overflow="ignore")
