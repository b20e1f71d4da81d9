"""`check` and `plan`: from what is asked to a Run, and to the screen and the files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any

from portcheck.cli.announcement import announcement, forecast, size
from portcheck.cli.options import Asked
from portcheck.cli.output import ReportFile, columns, report_files, say, tell, wants_color
from portcheck.cli.progress import progress
from portcheck.engine.probe import Answered, Transport
from portcheck.measured import first_probe
from portcheck.measured import size as size_of
from portcheck.model import Plan, PortcheckError, Run
from portcheck.plan import plan as make_plan
from portcheck.printable import quoted
from portcheck.probe_sets import ports_by_address
from portcheck.run import KnownFor, execute
from portcheck.scoping import scope_of
from portcheck.vantage import local

if TYPE_CHECKING:
    from portcheck.cli.resume import Stopped
    from portcheck.knowledge import Knowledge

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""End a measurement; what there is by then is reported."""

Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


def run_check(asked: Asked, report_format: str, outputs: list[str], stopped: Stopped | None = None) -> int:
    """Check, report, and return the exit status.

    Args:
        stopped: the run to go on with.
    """
    if report_format not in FORMATS:
        raise PortcheckError(f"--format {quoted(report_format)}: write {' or '.join(FORMATS)}")
    plan = make_plan(scope_of(asked.selection, asked.phase, asked.max_hosts))
    with _signals(signal.default_int_handler), report_files(outputs) as files:
        run = measured(plan, asked, stopped)
        with _signals(signal.SIG_IGN):  # The run is there: it is not thrown away for an impatient Ctrl-C.
            deliver(run, report_format, files)
    return run.summary.exit_status


@contextmanager
def _signals(handler: Handler) -> Iterator[None]:
    """What SIGTERM and Ctrl-C do while nothing is measured."""
    before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def measured(plan: Plan, asked: Asked, stopped: Stopped | None = None) -> Run:
    """Run the plan with progress on stderr; Ctrl-C and SIGTERM end it with what there is."""
    selection = asked.selection
    kept = stopped.answers(plan) if stopped is not None else ()
    left, others = _left(plan, kept, connected=True), _left(plan, kept, connected=False)
    ahead = forecast(left, selection, others)
    if ahead.is_large:
        tell(announcement(ahead))
    addresses = {**left, **others}
    if stopped is not None and addresses:
        stopped.pause(addresses, selection.speed)
    elif stopped is not None:
        tell(f"{stopped.path}: nothing is left to ask: this is its report again, and no packet is sent")
    with progress(ahead.ports, min(ahead.at_most_s, selection.deadline_s or ahead.at_most_s)) as decided:
        return execute(
            plan,
            selection,
            seed=stopped.seed if stopped is not None else None,
            kept=kept,
            progress=decided,
            tell=tell,
            known_for=_known_for(plan),
            secrets_given=asked.secrets,
            stand_in_key=asked.key,
            stop_signals=STOP_SIGNALS,
        )


def _known_for(plan: Plan) -> KnownFor:
    """What all documents say of a port. They are read when the first port is open that nobody asked for."""

    @cache
    def knowledge() -> Knowledge | None:
        from portcheck import documents
        from portcheck.knowledge import Knowledge

        try:
            return Knowledge(documents.library(plan.scope.documents))
        except PortcheckError as error:
            tell(f"What is known of open ports cannot be told: {error}")
            return None

    return lambda transport, port: known.known_for(transport, port) if (known := knowledge()) else None


def _left(plan: Plan, kept: Iterable[Answered], *, connected: bool) -> dict[str, int]:
    """How many ports of each address are still to be asked over TCP, or, not `connected`, over everything else."""
    left = ports_by_address(plan, connected=connected)
    for answered in kept:
        probe = first_probe(answered)
        if (probe.transport is Transport.TCP) is connected:
            left[probe.address] -= size_of(answered)
    return {address: ports for address, ports in left.items() if ports}


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


def show_plan(asked: Asked) -> int:
    """Print what a check would send, from any host of a site. Nothing is sent, except that names are looked up."""
    from portcheck.reports import plan_text

    plan = make_plan(scope_of(asked.selection, asked.phase, asked.max_hosts, anywhere=True))
    others = ports_by_address(plan, connected=False)
    ahead = forecast(ports_by_address(plan), asked.selection, others)
    say(plan_text.render(plan, size(ahead), columns(), _privileges_lacking(plan)))
    return 0


def _privileges_lacking(plan: Plan) -> dict[Transport, str]:
    """What this process may not send, with the privilege that it takes; TCP and UDP take none."""
    probes = (check.probe for check in plan.checks if check.port is None)
    addresses = {probe.transport: probe.address for probe in probes if probe is not None}
    asked = {transport: local.privilege_lacking(transport, addresses[transport]) for transport in sorted(addresses)}
    return {transport: privilege for transport, privilege in asked.items() if privilege is not None}
