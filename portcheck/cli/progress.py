"""Live progress on stderr: how much is decided, how long it can still take. The bar on terminals only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portcheck.cli.announcement import duration


@contextmanager
def progress(total: int, longest_s: float) -> Iterator[Callable[[int], None]]:
    """Yields what takes the number of ports that are decided. Draws nothing unless stderr is a terminal.

    What `tell` says in the meantime appears above the bar.

    Args:
        total: ports to come.
        longest_s: what the run takes at most, in seconds.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or not total:
        yield lambda decided: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    ends = time.monotonic() + longest_s
    bar = Progress(
        TextColumn("probing"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}  {task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    with bar:
        task = bar.add_task(time_left(longest_s), total=total)
        yield lambda decided: bar.update(task, completed=decided, description=time_left(ends - time.monotonic()))


def time_left(seconds: float) -> str:
    """`at most 4 s left`. Lost packets and a host that falls silent take time that nobody foresees."""
    return f"at most {duration(max(1, seconds))} left" if seconds > 0 else "takes longer than foreseen"
