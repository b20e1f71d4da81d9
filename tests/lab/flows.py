"""New flows as the wire saw them: who asked whom, when; and how many of them fell into any window of time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.build import Lab

RECORDER = Path(__file__).with_name("syn_recorder.py")


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection attempt: all SYNs with the same addresses, ports and sequence number.

    Attributes:
        at_s: when the first of them came by, in seconds since the epoch.
        syns: how many came by; the kernel repeats a SYN that is not answered.
    """

    at_s: float
    source: str
    source_port: int
    target: str
    port: int
    syns: int


Recorded = Callable[[], tuple[Flow, ...]]


@contextmanager
def recorded(lab: Lab, node: str, interface: str) -> Iterator[Recorded]:
    """While the block lasts, every SYN that comes in there is written down; call the value for the flows so far."""
    pipe = subprocess.PIPE
    command = lab.command(node, [sys.executable, "-I", "-S", RECORDER, interface], user=False)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=lab.environment(), cwd="/") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asking, telling = process.stdin, process.stdout
        assert telling.readline() == "ready\n"

        def flows() -> tuple[Flow, ...]:
            asking.write("\n")
            asking.flush()
            seen = json.loads(telling.readline())
            assert seen["missed"] == 0, "the recorder was too slow: the count would be too low"
            return _flows(seen["syns"])

        try:
            yield flows
        finally:
            process.kill()


Syn = tuple[float, str, int, str, int, int]
"""Time, source, its port, target, port, sequence number."""


def _flows(syns: Iterable[Syn]) -> tuple[Flow, ...]:
    """In the order of their beginnings."""
    times: dict[tuple[str, int, str, int, int], list[float]] = {}
    for at_s, source, source_port, target, port, number in syns:
        times.setdefault((source, source_port, target, port, number), []).append(at_s)
    found = (Flow(min(seen), *ends[:4], len(seen)) for ends, seen in times.items())
    return tuple(sorted(found, key=lambda flow: flow.at_s))


def most_flows(flows: Iterable[Flow], window_s: float) -> int:
    """The most flows to one target in any window of this length."""
    by_target: dict[str, deque[float]] = {}
    most = 0
    for flow in flows:
        window = by_target.setdefault(flow.target, deque())
        window.append(flow.at_s)
        while window[0] <= flow.at_s - window_s:
            window.popleft()
        most = max(most, len(window))
    return most


def most_targets(flows: Iterable[Flow], window_s: float) -> int:
    """The most different targets in any window of this length."""
    window: deque[Flow] = deque()
    inside: Counter[str] = Counter()
    most = 0
    for flow in flows:
        window.append(flow)
        inside[flow.target] += 1
        while window[0].at_s <= flow.at_s - window_s:
            gone = window.popleft().target
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        most = max(most, len(inside))
    return most
