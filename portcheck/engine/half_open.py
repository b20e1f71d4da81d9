"""Connections that came in and were never completed: the SYN arrived, and what we answered did not.

Linux shows them among the sockets, in state SYN-RECV, to everybody (proc(5)). An entry lives from about a second, when
our own packet filter drops the answer, to a minute; whoever asks repeats its SYN for three seconds. So they are looked
for now and then, and remembered. Every handshake has such an entry for as long as a packet takes there and back, so
one sight says nothing.
"""

import time
from collections import OrderedDict
from itertools import islice
from typing import Callable, List, Tuple

from .socket_table import PROC, End, half_open

_FILES = ("tcp", "tcp6")
_MOST = 4096
_MOST_LINES = 20_000
"""On a machine with more connections than this, reading them all again and again costs more than it tells."""


class HalfOpen:
    """Who tried to connect to what, as far as it was seen.

    Args:
        now: seconds of a clock that does not go back.
    """

    def __init__(self, proc: str = PROC, now: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._now = now
        # By far and near end: the first sight, and in how many looks. The latest are at the end.
        self._seen: "OrderedDict[Tuple[End, End], Tuple[float, int]]" = OrderedDict()

    def look(self) -> None:
        """Remember what is half open now."""
        now = self._now()
        for name in _FILES:
            try:
                with open(f"{self._proc}/net/{name}", encoding="ascii", errors="replace") as lines:
                    for near, far in half_open(islice(lines, _MOST_LINES)):
                        first, looks = self._seen.get((far, near), (now, 0))
                        self._seen[far, near] = (first, looks + 1)
                        self._seen.move_to_end((far, near))
            except OSError:
                continue
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)

    def by(self, peer: str, age_s: float) -> List[End]:
        """Address and port of ours where this peer's connections of the last so many seconds did not come about.

        One that was there before belongs to an earlier run, for the kernel keeps it for a minute.
        """
        plain, began = peer.partition("%")[0], self._now() - age_s
        found = (
            near
            for (far, near), (first, looks) in self._seen.items()
            if far[0] == plain and first >= began and looks > 1
        )
        return list(dict.fromkeys(found))
