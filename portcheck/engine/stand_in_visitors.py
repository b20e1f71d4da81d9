"""Who came to a stand-in: told once, then counted. Whoever sends from invented addresses gets no endless log of it."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable, List, Tuple

from .probe import Transport

_TOLD_AT_ONCE = 1024
_TOLD_PER_S = 1.0
"""How many newcomers are told of: all nodes of a large cluster, but not a million addresses that somebody invented."""


@dataclass(frozen=True)
class Came:
    """Somebody who came to a stand-in over one transport.

    Attributes:
        port: where it came to first.
        authentic: it has the key. Also a check of ours comes without a token first, to see whether a port is open.
        number: how often so far: connections or datagrams without a token, requests with one.
    """

    peer: str
    transport: Transport
    port: int
    authentic: bool
    number: int


class Visitors:
    """Counts of the latest visitors; a newcomer is told of at once.

    Args:
        most: how many are remembered with the key, and how many without it.
        now: seconds of a clock that does not go back.
    """

    def __init__(self, tell: Callable[[Came], None], most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._known = {authentic: _Known(authentic, tell, most, now) for authentic in (True, False)}

    def note(self, peer: str, transport: Transport, port: int, authentic: bool) -> None:
        """It came."""
        self._known[authentic].note(peer, transport, port)

    def all(self) -> Tuple[Came, ...]:
        """Everybody who is remembered, those with the key first."""
        return tuple(came for known in self._known.values() for came in known.all())

    @property
    def forgotten(self) -> int:
        """How many entries gave way to later ones; who comes again after that counts again."""
        return sum(known.forgotten for known in self._known.values())


class _Known:
    """Those with the key, or those without it: a flood of strangers makes nobody forget who had the key."""

    def __init__(self, authentic: bool, tell: Callable[[Came], None], most: int, now: Callable[[], float]) -> None:
        self._authentic = authentic
        self._tell = tell
        self._most = most
        self._now = now
        self._counts: "OrderedDict[Tuple[str, Transport], List[int]]" = OrderedDict()
        self._allowance = float(_TOLD_AT_ONCE)
        self._allowed_at = now()
        self.forgotten = 0

    def note(self, peer: str, transport: Transport, port: int) -> None:
        key = (peer, transport)
        entry = self._counts.get(key)
        if entry is not None:
            entry[1] += 1
            self._counts.move_to_end(key)
            return
        if len(self._counts) >= self._most:
            self._counts.popitem(last=False)
            self.forgotten += 1
        self._counts[key] = [port, 1]
        if self._may_tell():
            self._tell(Came(peer, transport, port, self._authentic, 1))

    def _may_tell(self) -> bool:
        now = self._now()
        self._allowance = min(float(_TOLD_AT_ONCE), self._allowance + (now - self._allowed_at) * _TOLD_PER_S)
        self._allowed_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def all(self) -> List[Came]:
        return [
            Came(peer, transport, port, self._authentic, number)
            for (peer, transport), (port, number) in self._counts.items()
        ]
