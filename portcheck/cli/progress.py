"""Live progress on stderr: how much is decided, what it came to, how long it can still take. Terminals only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portcheck.engine.probe import Observation, PortState


@contextmanager
def progress(total: int, longest_s: float) -> Iterator[Callable[[Observation], None]]:
    """Yields what takes each observation. Draws nothing unless stderr is a terminal.

    Args:
        total: probes to come.
        longest_s: what the run takes at most, in seconds.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or not total:
        yield lambda observation: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    counts = dict.fromkeys(PortState, 0)
    ends = time.monotonic() + longest_s
    bar = Progress(
        TextColumn("probing"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f}  {task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=total)

        def take(observation: Observation) -> None:
            counts[observation.state] += 1
            bar.update(task, advance=1, description=describe(counts, ends - time.monotonic()))

        bar.update(task, description=describe(counts, longest_s))
        yield take


def describe(counts: dict[PortState, int], left_s: float) -> str:
    """`12 open, 3 closed, at most 4 s left`."""
    seen = [f"{number} {state}" for state, number in counts.items() if number]
    return ", ".join([*seen, f"at most {max(1, round(left_s))} s left"])
