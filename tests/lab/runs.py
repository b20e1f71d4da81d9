"""Portcheck's runs in a lab as values: start several at once, read their JSON, find the check of a port."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.lab.build import Lab

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

    def check(self, address: str, port: int) -> Check:
        """The one check of this TCP port."""
        [found] = [
            c for c in self.checks if (c["target"]["address"], c["transport"], c["port"]) == (address, "tcp", port)
        ]
        return found

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


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Several runs at the same time, because most of a run of silent ports is waiting; results in their order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def tcp(ports: Iterable[int]) -> str:
    """What -e takes."""
    return f"{','.join(map(str, sorted(set(ports))))}/tcp"
