"""`check --resume`: the run to go on with, what may be said beside it, and its answers that are kept."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from portcheck import resume
from portcheck.cli.kept_run import load, shown
from portcheck.cli.options import Asked
from portcheck.cli.output import tell
from portcheck.engine.addresses import is_own
from portcheck.engine.pace import Speed
from portcheck.engine.probe import Answered
from portcheck.model import Plan, PortcheckError
from portcheck.probe_sets import asked_ports

_BESIDE: Mapping[str, str | None] = {
    "speed": "speed",
    "max_rate": "max_rate",
    "deadline": "deadline_s",
    "evidence": "evidence",
    "udp_budget": "udp_budget_s",
    "verify": "verify",
    "secrets_file": None,
    "max_hosts": None,
    "report_format": None,
    "outputs": None,
    "resume": None,
}
"""What may be given beside --resume, and the field of the selection that it changes."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run to go on with, and the file that it was kept in."""

    path: str
    run: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.run["seed"])

    def answers(self, plan: Plan) -> tuple[Answered, ...]:
        """What it measured of what is now planned.

        Raises:
            PortcheckError: it was measured from elsewhere, or an answer is damaged.
        """
        with _named(self.path):
            resume.refuse_other_vantage(self.run, plan.scope.vantage)
            return tuple(resume.kept_answers(self.run, asked_ports(plan)))

    def pause(self, addresses: Iterable[str], speed: str) -> None:
        """Wait until its last connections are forgotten: with ours they may be too many in a short time.

        Raises:
            PortcheckError: it does not say when it ended.
        """
        with _named(self.path):
            left_s = resume.pause_s(self.run, Speed(speed), datetime.now(UTC))
        if left_s and not all(map(is_own, addresses)):
            tell(f"Waiting {left_s:.0f} s first: the connections of the stopped run still count")
            time.sleep(left_s)


def go_on(path: str, asked: Asked, given: Mapping[str, str]) -> tuple[Stopped, Asked]:
    """The run in a file, and what is asked to go on with it: what it was asked, but for what is given beside it.

    Args:
        given: the parameters that were given, with their names on the command line.

    Raises:
        PortcheckError: more is given than fits, or the file is no run that can be used.
    """
    surplus = [name for parameter, name in given.items() if parameter not in _BESIDE]
    if surplus:
        raise PortcheckError(
            f"--resume takes what to check from the run in {shown(path)}: leave out {', '.join(surplus)}, "
            "or check anew without --resume"
        )
    stopped = Stopped(path, load(path, resume.RUN))
    with _named(path):
        selection, phase = resume.selection_of(stopped.run)
    if selection.stand_ins or selection.local:
        what = "stand-ins, whose answers hold for one run" if selection.stand_ins else "--local, which sends nothing"
        raise PortcheckError(f"{shown(path)}: made with {what}: check anew without --resume")
    changes = {field: getattr(asked.selection, field) for field in _changed(given)}
    # The run never held the secrets: they are those that there are now.
    changes["secrets"] = asked.selection.secrets
    return stopped, Asked(replace(selection, **changes), phase, asked.max_hosts, asked.secrets)


def _changed(given: Collection[str]) -> Iterator[str]:
    return (field for parameter, field in _BESIDE.items() if field is not None and parameter in given)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Whatever is wrong in there is wrong with this file."""
    try:
        yield
    except PortcheckError as error:
        raise PortcheckError(f"{shown(path)}: {error}") from None
