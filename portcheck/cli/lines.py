"""Lines to a stream that nobody has to read: whoever writes them is never kept waiting, nor ended."""

from __future__ import annotations

import os
from queue import SimpleQueue
from threading import Thread
from typing import TextIO

_MAX_WAITING = 10_000
"""Lines that are kept for a reader who is slow. Beyond the ports of one stand-in this is a reader who has stopped."""
_LAST_WAIT_S = 1.0


class Lines:
    """A stream's writer, in a thread of its own: a full pipe blocks it alone, and a closed one ends nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        # No lock of a buffer is held while it is blocked, so the process can end all the same.
        self._thread = Thread(target=self._write, daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Write a line, as soon as it can be; none when too many wait."""
        if self._waiting.qsize() < _MAX_WAITING:
            self._waiting.put(line)

    def close(self) -> None:
        """Let what waits be written, but not for long."""
        self._waiting.put(None)
        self._thread.join(_LAST_WAIT_S)

    def _write(self) -> None:
        encoding = self._stream.encoding or "utf-8"
        try:
            descriptor = self._stream.fileno()
            self._stream.flush()
            while (line := self._waiting.get()) is not None:
                left = memoryview(f"{line}\n".encode(encoding, "replace"))
                while left:
                    left = left[os.write(descriptor, left) :]
        except (OSError, ValueError):
            # Nobody reads it any more (EPIPE), or the disk is full: what follows is said to nobody.
            while self._waiting.get() is not None:
                pass
