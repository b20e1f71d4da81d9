"""Connections that came in and were never completed: the SYN arrived, and what we answered did not.

Linux shows them among the sockets, in state SYN-RECV, to everybody (proc(5)). An entry lives from about a second, when
our own packet filter drops the answer, to a minute; whoever asks repeats its SYN for three seconds. So they are looked
for now and then, and remembered.
"""

import time
from collections import OrderedDict
from typing import List, Tuple

from .socket_table import PROC, address_of

_FILES = ("tcp", "tcp6")
_SYN_RECV = "03"
"""net/tcp_states.h."""

_MOST = 4096
_REMEMBERED_S = 60.0
_MOST_LINES = 20_000
"""On a machine with more connections than this, reading them all again and again costs more than it tells."""

Arrival = Tuple[str, int]
"""Address and port of ours."""


class HalfOpen:
    """Who tried to connect to what, as far as it was seen."""

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._seen: "OrderedDict[Tuple[str, str, int], float]" = OrderedDict()

    def look(self) -> None:
        """Remember what is half open now."""
        now = time.monotonic()
        for name in _FILES:
            try:
                with open(f"{self._proc}/net/{name}", encoding="ascii", errors="replace") as lines:
                    for number, line in enumerate(lines):
                        if number > _MOST_LINES:
                            break
                        self._keep(line.split(None, 4), now)
            except OSError:
                continue
        while self._seen and (len(self._seen) > _MOST or next(iter(self._seen.values())) < now - _REMEMBERED_S):
            self._seen.popitem(last=False)

    def by(self, peer: str) -> List[Arrival]:
        """Where this peer's connections arrived and did not come about."""
        plain = peer.partition("%")[0]
        return [(address, port) for each, address, port in self._seen if each == plain]

    def _keep(self, fields: List[str], now: float) -> None:
        if len(fields) < 4 or fields[3] != _SYN_RECV:
            return
        near, far = fields[1].partition(":"), fields[2].partition(":")
        try:
            key = address_of(far[0]), address_of(near[0]), int(near[2], 16)
        except ValueError:
            return
        self._seen[key] = now
        self._seen.move_to_end(key)
