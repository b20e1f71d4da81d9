"""How long something takes, repeatedly, and how a figure is printed."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence


def seconds(action: Callable[[], object], times: int) -> list[float]:
    """Wall-clock seconds of each repetition."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return taken


def summary(taken: Sequence[float]) -> str:
    """`median 0.123 s (0.120 to 0.150, 20 runs)`."""
    return f"median {statistics.median(taken):.3f} s ({min(taken):.3f} to {max(taken):.3f}, {len(taken)} runs)"


def say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
