"""The manual's examples: portcheck's own command line, run against a made-up network of answers.

Everything is the real program except the packets: what a firewall, a host or a router of the example would answer is
looked up in NETWORKS. So the output in the manual is what this version prints, and a stale page can be told.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from portcheck import cli, documents
from portcheck.engine.pace import JITTER_S, LIMITS, Speed
from portcheck.engine.probe import (
    Answered,
    Attempt,
    Observation,
    PortState,
    Probe,
    ProbeSet,
    Reason,
    Tally,
    Transport,
)
from portcheck.engine.timing import TcpTiming, timing_of
from portcheck.measured import Measured
from portcheck.model import LOCALHOST, Listen, Plan, Run, Selection
from portcheck.probe_sets import of_plan, probe_sets
from portcheck.run import KnownFor, conclude

_STARTED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
_MACHINE = "a1"
_OWN_ADDRESS = "10.0.2.11"
_ROUTER = "10.0.2.254"
_DOCUMENT = "dcos-1.11"
_NOT_RUNNING = 61003
"""A doubted row of the document that the healthy example does not use, as most sites do not."""

MASTERS = ("10.0.1.11", "10.0.1.12", "10.0.1.13")
AGENTS = ("10.0.2.11", "10.0.2.12")
_RTT_S = 0.0004
_SEED = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back for a SYN; the defaults are those of a port that listens.

    Attributes:
        after_s: until the answer; None for silence.
    """

    state: PortState = PortState.OPEN
    reason: Reason = Reason.SYN_ACK
    errno: int | None = None
    icmp: tuple[int, int] | None = None
    responder: str | None = None
    syns: int = 1
    after_s: float | None = _RTT_S


OPEN = Answer()
RESET = Answer(PortState.CLOSED, Reason.CONN_REFUSED, 111)
SILENCE = Answer(PortState.FILTERED, Reason.NO_RESPONSE, after_s=None)
PROHIBITED = Answer(PortState.FILTERED, Reason.ADMIN_PROHIBITED, 113, (3, 13), _ROUTER)
NO_HOST = Answer(PortState.FILTERED, Reason.HOST_UNREACH, 113, (3, 1), _ROUTER, 3, 3.0612)


@dataclass(frozen=True, slots=True)
class Network:
    """The example's masters, agents and firewalls.

    Attributes:
        faults: what an address and port answer instead.
        silent: hosts with a firewall that drops what nothing listens for, by address: the ports that are open.
    """

    faults: Mapping[tuple[str, int], Answer] = field(default_factory=dict)
    installed: bool = True
    silent: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def answer(self, address: str, port: int) -> Answer:
        """What this port of this address answers to the machine of the example."""
        if (address, port) in self.faults:
            return self.faults[address, port]
        if address in self.silent:
            return OPEN if port in self.silent[address] else SILENCE
        if address not in (*MASTERS, *AGENTS):
            return NO_HOST
        return OPEN if self.installed and port in _listening("master" if address in MASTERS else "agent") else RESET


_EVERY_MASTER_DROPS_5050 = {(master, 5050): SILENCE for master in MASTERS}
_FAULTY = {
    **_EVERY_MASTER_DROPS_5050,
    ("10.0.1.12", 2181): PROHIBITED,
    ("10.0.1.13", 8181): RESET,
    ("10.0.1.11", 7070): OPEN,
    ("10.0.2.12", 8080): OPEN,
}

_DOMAIN = {
    "10.0.3.10": frozenset({53, 88, 135, 389, 445, 464, 593, 636, 3268, 3389, 5985, 9389}),
    "10.0.3.20": frozenset({135, 445, 1433, 3389, 5985}),
}
"""A domain controller on which nothing answers on 3269, and a file server with a database that nobody asked for."""

NETWORKS: Mapping[str, Network] = {
    "healthy": Network(),
    "faulty": Network(_FAULTY),
    "repaired": Network({("10.0.2.12", 8080): OPEN}),
    "bare": Network({("10.0.1.12", 8080): OPEN, **_EVERY_MASTER_DROPS_5050}, installed=False),
    "bare and right": Network(installed=False),
    "windows": Network(silent=_DOMAIN),
    "with guests": Network({("10.0.1.11", 12345): OPEN, ("10.0.1.11", 5900): OPEN}),
}
"""By the name that a page says in `<!-- shown: NAME -->`."""


@cache
def _listening(role: str) -> frozenset[int]:
    """The TCP ports on which a healthy host of the role listens to others."""
    return frozenset(
        number
        for row in documents.find(_DOCUMENT).expectations
        if role in row.to and LOCALHOST not in row.sources and row.when is None and row.listen is Listen.SINGLE
        for ports in row.ports
        if ports.transport is Transport.TCP
        for number in ports.numbers()
        if number != _NOT_RUNNING
    )


# --------------------------------------------------------------------------------------------- the commands


class Sandbox:
    """A folder and a shell's memory for the commands of one page, in the order in which a reader types them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status = 0

    def put(self, name: str, content: str) -> None:
        """Write a file that the page tells the reader to write."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def run(self, command: str, network: Network) -> str:
        """What the terminal shows below this command.

        Raises:
            ValueError: the command is not one that the manual can run.
        """
        if command == "echo $?":
            return f"{self._status}\n"
        words = shlex.split(command, comments=True)
        if words[0] != "portcheck":
            raise ValueError(f"only portcheck can be shown, not {command!r}")
        shown = io.StringIO()
        with _as_if_on_the_example(network), chdir(self._folder), redirect_stdout(shown), redirect_stderr(shown):
            self._status = _exit_status(words)
        if self._status == cli.BUG:
            raise ValueError(f"{command} ends with a bug:\n{shown.getvalue()}")
        return shown.getvalue()


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """An empty sandbox, removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        yield Sandbox(Path(folder))


def _exit_status(words: list[str]) -> int:
    with patch.object(sys, "argv", words):
        try:
            cli.main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
    return 0


@contextmanager
def _as_if_on_the_example(network: Network) -> Iterator[None]:
    """The program believes that it runs on the example's machine; nothing is sent."""

    def execute(
        plan: Plan, selection: Selection, *, known_for: KnownFor, kept: Iterable[Answered] = (), **rest: Any
    ) -> Run:
        measured = Measured(of_plan(plan, kept))
        timing = timing_of(Speed(selection.speed))
        ended_s = 0.0
        for asked in probe_sets(plan, seed=_SEED, evidence=selection.evidence, kept=measured):
            ended_s = max(ended_s, _started_s(len(asked.singly) + len(asked.in_bulk)))
            for answered in _answered(asked, network, timing):
                measured.take(answered)
                if isinstance(answered, Observation):
                    ended_s = max(ended_s, *(a.started_s + a.lasted_s for a in answered.attempts))
        finished = _STARTED + timedelta(seconds=ended_s)
        return conclude(
            plan,
            selection,
            measured,
            seed=_SEED,
            started=_STARTED,
            finished=finished,
            interrupted=None,
            known_for=known_for,
        )

    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environment, clear=True))
        stack.enter_context(patch("portcheck.cli.check.execute", execute))
        stack.enter_context(patch("portcheck.vantage.local.is_own", lambda address: address == _OWN_ADDRESS))
        stack.enter_context(patch("portcheck.vantage.local.machine_name", lambda: _MACHINE))
        # How long a plan takes at most depends on how many sockets this machine may open.
        stack.enter_context(patch("portcheck.cli.announcement.raise_descriptor_limit", lambda: 16_000))
        yield


# --------------------------------------------------------------------------------- what the engine would report


def _answered(asked: ProbeSet, network: Network, timing: TcpTiming) -> Iterator[Answered]:
    """Ports of a sweep that are not open are counted together, as the engine does it."""
    answers = {port: network.answer(asked.address, port) for port in (*asked.singly, *asked.in_bulk)}
    heard = sum(answer.state in (PortState.OPEN, PortState.CLOSED) for answer in answers.values())
    alike: dict[Answer, list[int]] = {}
    for number, (port, answer) in enumerate(answers.items()):
        if port in asked.in_bulk and answer.state is not PortState.OPEN:
            alike.setdefault(answer, []).append(port)
        else:
            probe = Probe(asked.address, Transport.TCP, port, asked.source_address)
            yield _observation(number, probe, answer, heard >= timing.trusted_answers, timing)
    for answer, ports in alike.items():
        syns = answer.syns if answer.after_s is not None else 2 if heard >= timing.trusted_answers else 8
        where = asked.address, asked.source_address
        how = answer.responder, answer.icmp
        yield Tally(*where, answer.state, answer.reason, array("H", ports), syns * len(ports), *how)


def _started_s(number: int) -> float:
    """When this port of an address is asked, at the pace of `--speed normal`."""
    limits = LIMITS[Speed.NORMAL]
    assert limits.flows_per_address is not None, "normal has a limit"
    return round(0.002 + number * 0.0001 + number // limits.flows_per_address * (limits.flows_window_s + JITTER_S), 4)


def _observation(number: int, probe: Probe, answer: Answer, trusted: bool, timing: TcpTiming) -> Observation:
    started_s, port = _started_s(number), 40_000 + 2 * number
    if answer.after_s is None:
        # As the kernel repeats a SYN: at 1, 2 and 3 s.
        lasted_s, syns = (timing.trusted_attempt_s, 2) if trusted else (timing.attempt_s, 4)
        starts_s = (started_s, round(started_s + timing.retry_after_s, 4))
        attempts = tuple(
            Attempt(start_s, lasted_s, port + again, syns, str(answer.reason)) for again, start_s in enumerate(starts_s)
        )
        return Observation(probe, answer.state, answer.reason, attempts)
    attempt = Attempt(started_s, answer.after_s, port, answer.syns, str(answer.reason))
    return Observation(
        probe,
        answer.state,
        answer.reason,
        (attempt,),
        responder=answer.responder,
        icmp=answer.icmp,
        errno=answer.errno,
        rtt_ms=answer.after_s * 1000 if answer.syns == 1 else None,
    )
