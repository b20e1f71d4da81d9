"""`check` and `plan`: from options to a Selection, from a Run to the screen and the files."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from portcheck.cli.output import ReportFile, columns, report_files, say, tell, wants_color
from portcheck.cli.progress import progress
from portcheck.engine.probe import Transport, Word
from portcheck.engine.tcp import TcpTiming
from portcheck.model import Phase, Plan, PortcheckError, Run, Selection
from portcheck.plan import plan as make_plan
from portcheck.printable import quoted
from portcheck.run import execute, longest_s
from portcheck.scoping import scope_of
from portcheck.wording import plural

_LARGE_PROBES = 20_000
_LARGE_HOSTS = 256
_NO_WORDS = frozenset({"no", "false", "off", "0"})
_YES_WORDS = frozenset({"yes", "true", "on", "1"})


def selection_of(
    targets: Iterable[str] | None,
    documents: Iterable[str] | None,
    roles: Iterable[str] | None,
    expects: Iterable[str] | None,
    site: str | None,
    source: str | None,
    transports: Iterable[str] | None,
    sweep: str | None,
    features: Iterable[str] | None,
) -> Selection:
    """What to check, as one value: the options that `check` and `plan` share."""
    names = tuple(documents or ())
    return Selection(
        targets=tuple(targets or ()),
        documents=names,
        roles=tuple(role for item in roles or () for role in item.split(",")),
        expects=tuple(expects or ()),
        site=site,
        source=source,
        features=_features(features or ()),
        transports=tuple(_word("--transport", text, Transport).value for text in transports or ()),
        sweep=sweep if sweep is not None else "documented" if names or site else "none",
    )


def _features(items: Iterable[str]) -> dict[str, bool]:
    stated: dict[str, bool] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if equals and value.lower() not in _NO_WORDS | _YES_WORDS:
            raise PortcheckError(f"--feature {quoted(item)}: write {name} or {name}=no")
        stated[name] = not equals or value.lower() in _YES_WORDS
    return stated


W = TypeVar("W", bound=Word)


def _word(option: str, text: str, words: type[W]) -> W:
    for word in words:
        if word.value == text:
            return word
    known = [word.value for word in words]
    raise PortcheckError(f"{option} {quoted(text)}: write {', '.join(known[:-1])} or {known[-1]}")


def read_phase(text: str) -> Phase:
    """The phase of that name; PortcheckError when there is none."""
    return _word("--phase", text, Phase)


def read_seconds(option: str, text: str) -> float:
    """A duration in seconds, at least 0.1.

    Raises:
        PortcheckError: it is none.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds < math.inf:
        raise PortcheckError(f"{option} {quoted(text)}: write seconds, 0.1 or more")
    return seconds


def read_count(option: str, text: str) -> int:
    """A whole number, at least 1.

    Raises:
        PortcheckError: it is none.
    """
    if text.isascii() and text.isdigit() and len(text) < 40 and int(text) > 0:
        return int(text)
    raise PortcheckError(f"{option} {quoted(text)}: write a whole number, 1 or more")


# ---------------------------------------------------------------------------------------------------- check


def run_check(selection: Selection, phase: Phase, max_hosts: int, report_format: str, outputs: list[str]) -> int:
    """Check, report, and return the exit status."""
    if report_format not in FORMATS:
        raise PortcheckError(f"--format {quoted(report_format)}: write {' or '.join(FORMATS)}")
    plan = make_plan(scope_of(selection, phase, max_hosts))
    with report_files(outputs) as files:
        run = measured(plan, selection)
        deliver(run, report_format, files)
    return run.summary.exit_status


def measured(plan: Plan, selection: Selection) -> Run:
    """Run the plan with progress on stderr; Ctrl-C and SIGTERM end it with what there is."""
    timing = TcpTiming()
    probes = plan.probes()
    hosts = len({probe.address for probe in probes})
    at_most_s = longest_s(probes, timing)
    if len(probes) > _LARGE_PROBES or hosts > _LARGE_HOSTS:
        tell(_size(len(probes), hosts, at_most_s))
    with progress(len(probes), min(at_most_s, selection.deadline_s or at_most_s)) as report:
        return execute(plan, selection, timing=timing, report=report, stop_signals=(signal.SIGINT, signal.SIGTERM))


def deliver(run: Run, report_format: str, files: list[ReportFile]) -> None:
    """Write the run to the files, then print it; a file that cannot be written does not keep it from the screen."""
    kept: str | None = None
    problems: list[str] = []
    for file in files:
        is_text = file.path.endswith(".txt")
        try:
            file.write(_text(run) if is_text else _json(run))
        except PortcheckError as error:
            problems.append(str(error))
        else:
            kept = kept or (None if is_text else file.path)
    say(_terminal(run, kept) if report_format == "terminal" else FORMATS[report_format](run))
    if problems:
        raise PortcheckError("\n".join(problems))


def _terminal(run: Run, kept: str | None = None) -> str:
    from portcheck.reports import terminal

    return terminal.render(run, columns(), wants_color(), kept)


def _text(run: Run) -> str:
    from portcheck.reports import terminal

    return terminal.render(run)


def _json(run: Run) -> str:
    from portcheck.reports import run_json

    return run_json.render(run)


FORMATS: Mapping[str, Callable[[Run], str]] = {"terminal": _terminal, "json": _json}


# ----------------------------------------------------------------------------------------------------- plan


def show_plan(selection: Selection, phase: Phase, max_hosts: int) -> int:
    """Print what a check would send. Nothing is sent, except that names are looked up."""
    from portcheck.reports import plan_text

    plan = make_plan(scope_of(selection, phase, max_hosts))
    probes = plan.probes()
    size = _size(len(probes), len({probe.address for probe in probes}), longest_s(probes, TcpTiming()))
    say(plan_text.render(plan, size, columns()))
    return 0


def _size(probes: int, hosts: int, at_most_s: float) -> str:
    # Two attempts of four SYNs each, where nothing answers.
    return (
        f"{plural(probes, 'port')} at {plural(hosts, 'address', 'addresses')}: {plural(probes, 'packet')} when all "
        f"answer, at most {probes * 8:,}; {_duration(at_most_s)} at most"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
