"""Several things at once on asyncio's loop, and none of them left running. For Python 3.9, which has no TaskGroup."""

import asyncio
from typing import Any, Coroutine, Iterable, Optional, Set


async def together(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; a bug in one ends the others as well, and is raised."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(tasks)


async def until(
    stop: "Optional[asyncio.Future[Any]]", within_s: Optional[float], job: Coroutine[Any, Any, None]
) -> None:
    """Do the job until it is done, or until it has to end; a bug in it is raised."""
    work = asyncio.ensure_future(job)
    ends: "Set[asyncio.Future[Any]]" = {work} if stop is None else {work, stop}
    try:
        await asyncio.wait(ends, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if not work.cancelled():
        work.result()


async def end(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancel what is left of them, and wait until it is gone."""
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
