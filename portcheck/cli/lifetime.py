"""How long a stand-in stays: until its time is over, a signal comes, its input ends, or who started it has gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

from portcheck.engine.probe import Word

_LOOK_EVERY_S = 1.0
_READ_BYTES = 65_536


class End(Word):
    """What ended a stand-in; every one of these was asked for."""

    TTL = "ttl"
    INTERRUPT = "interrupt"
    TERMINATE = "terminate"
    HANGUP = "hangup"
    INPUT = "stdin"
    PARENT = "parent"


_SIGNALS: Mapping[signal.Signals, End] = {
    signal.SIGINT: End.INTERRUPT,
    signal.SIGTERM: End.TERMINATE,
    signal.SIGHUP: End.HANGUP,
}


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long to stay.

    Attributes:
        parent: the process that started this one; None to outlive it, and the end of its terminal.
        until_eof: the end of stdin is the end.
    """

    ttl_s: float
    parent: int | None
    until_eof: bool = False


def ending(lifetime: Lifetime, loop: asyncio.AbstractEventLoop) -> asyncio.Future[End]:
    """What will be done, with the first reason, when it is time to go. Main thread only."""
    stop: asyncio.Future[End] = loop.create_future()

    def end(why: End) -> None:
        if not stop.done():
            stop.set_result(why)

    loop.call_later(lifetime.ttl_s, end, End.TTL)
    _on_signals(lifetime, loop, end)
    if lifetime.parent is not None:
        _on_orphaning(lifetime.parent, loop, end)
    if lifetime.until_eof:
        # A thread: epoll takes no regular file. At the end of the process it may still be reading.
        Thread(target=_read_to_the_end, args=(loop, end), daemon=True).start()
    return stop


def _on_signals(lifetime: Lifetime, loop: asyncio.AbstractEventLoop, end: Callable[[End], None]) -> None:
    for number, why in _SIGNALS.items():
        if number is signal.SIGHUP and lifetime.parent is None:
            signal.signal(number, signal.SIG_IGN)
        # What was started with a signal ignored (nohup, `&` in a script) is meant to ignore it. SIGTERM is the way out.
        elif number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, why)


def _on_orphaning(parent: int, loop: asyncio.AbstractEventLoop, end: Callable[[End], None]) -> None:
    """An orphan is given to another process. PR_SET_PDEATHSIG would come when only a thread of the parent ends."""
    was_orphan = _is_orphan()

    def look() -> None:
        if was_orphan or os.getppid() != parent:
            end(End.PARENT)
        else:
            loop.call_later(_LOOK_EVERY_S, look)

    look()


def _is_orphan() -> bool:
    """Whether our parent was gone before we could see who it was, as far as that shows.

    A process is in the session of who started it, unless it leads one (setsid(2)). So who is in another one than ours
    did not start us: an orphan was given to it. One of the same session may have been given it too; then --ttl ends us.
    """
    ours, parent = os.getsid(0), os.getppid()
    if ours == os.getpid() or parent == 0:  # Of another PID namespace, as in `docker exec`: it has no session here.
        return False
    try:
        return os.getsid(parent) != ours
    except OSError:
        return False


def _read_to_the_end(loop: asyncio.AbstractEventLoop, end: Callable[[End], None]) -> None:
    with suppress(OSError):
        while os.read(0, _READ_BYTES):
            pass
    with suppress(RuntimeError):  # The loop is closed: it ended for another reason.
        loop.call_soon_threadsafe(end, End.INPUT)
