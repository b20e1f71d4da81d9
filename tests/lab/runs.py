"""Portcheck's runs in a lab as values: start several at once, read their JSON, find the check of a port."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from portcheck.engine.probe import PortState, Reason
from tests.lab.build import Lab

OPEN = (PortState.OPEN, Reason.SYN_ACK)
CLOSED = (PortState.CLOSED, Reason.CONN_REFUSED)
SILENT = (PortState.FILTERED, Reason.NO_RESPONSE)

BETWEEN_QUESTIONS_S = 0.02

K = TypeVar("K")
T = TypeVar("T")

Check = dict[str, Any]
"""One entry of `checks` in the run's JSON."""


@dataclass(frozen=True, slots=True)
class Result:
    """What `portcheck check --format json` came to.

    Attributes:
        status: the exit status.
        run: the whole JSON document.
    """

    status: int
    run: dict[str, Any]
    stderr: str = ""

    @property
    def checks(self) -> list[Check]:
        found: list[Check] = self.run["checks"]
        return found

    @property
    def summary(self) -> dict[str, int]:
        counts: dict[str, int] = self.run["summary"]
        return counts

    def check(self, address: str, port: int, transport: str = "tcp") -> Check:
        """The one check of this port."""
        asked = address, transport, port
        [found] = [c for c in self.checks if (c["target"]["address"], c["transport"], c["port"]) == asked]
        return found

    def ports(self, address: str) -> dict[int, Check]:
        """The checks of one address, by port."""
        return {check["port"]: check for check in self.checks if check["target"]["address"] == address}

    def seen(self, address: str) -> dict[int, tuple[str, str]]:
        """(state, reason) of every port of one address."""
        return {port: (check["state"], check["reason"]) for port, check in self.ports(address).items()}

    def verdicts(self) -> set[tuple[str, str, str, str, str | None]]:
        """What must not depend on the speed: (check id, state, outcome, finding, responder) of every check."""
        return {(c["id"], c["state"], c["outcome"], c["finding"], c["responder"]) for c in self.checks}

    def sweep(self) -> set[tuple[str, str, str, str, str]]:
        """(address, state, reason, outcome, ports) of every entry of `swept`."""
        entries = self.run["swept"]
        return {(s["target"]["address"], s["state"], s["reason"], s["outcome"], s["ports"]) for s in entries}

    def diagnosis(self, cause: str) -> list[dict[str, Any]]:
        return [entry for entry in self.run["diagnosis"] if entry["cause"] == cause]

    def states(self) -> dict[tuple[str, str], int]:
        """How many checks have each (state, reason)."""
        counts: dict[tuple[str, str], int] = {}
        for check in self.checks:
            key = check["state"], check["reason"]
            counts[key] = counts.get(key, 0) + 1
        return counts


def result_of(status: int, stdout: str, stderr: str) -> Result:
    """Reads what the command printed. Raises AssertionError with its stderr when that is no JSON."""
    try:
        return Result(status, json.loads(stdout), stderr)
    except json.JSONDecodeError:
        raise AssertionError(f"status {status}, stdout {stdout[:200]!r}, stderr:\n{stderr}") from None


def check(lab: Lab, node: str, *args: str, **options: Any) -> Result:
    """`portcheck check ARGS --format json` on `node`, unprivileged."""
    done = lab.portcheck(node, "check", *args, "--format", "json", **options)
    return result_of(done.returncode, done.stdout, done.stderr)


def at_once(calls: Sequence[Callable[[], T]], workers: int | None = None) -> list[T]:
    """Several runs at the same time, because most of a run of silent ports is waiting; results in their order.

    `workers`: how many at most; None for all.
    """
    with ThreadPoolExecutor(workers or len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def named(calls: Mapping[K, Callable[[], T]]) -> dict[K, T]:
    """The same with a name for each."""
    return dict(zip(calls, at_once(list(calls.values())), strict=True))


@contextmanager
def running(lab: Lab, node: str, argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    """An unprivileged process on `node` that the test can talk to and send signals."""
    pipe = subprocess.PIPE
    command = lab.command(node, argv)
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=lab.environment(), cwd="/")
    with process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Asks until it is so."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to that within {within_s:.0f} s"
        time.sleep(BETWEEN_QUESTIONS_S)


def truth(**ports: Iterable[int]) -> dict[int, tuple[str, str]]:
    """What Result.seen() must be: `truth(open=range(3), closed=[7], silent=[8])`."""
    words = {"open": OPEN, "closed": CLOSED, "silent": SILENT}
    return {port: words[word] for word, numbers in ports.items() for port in numbers}


def tcp(ports: Iterable[int]) -> str:
    """What -e takes."""
    return f"{','.join(map(str, sorted(set(ports))))}/tcp"
