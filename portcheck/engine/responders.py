"""Who sends ICMP errors, and whether a limit on them can explain that other ports stay silent. Pure.

Linux sends 6 errors at once to one peer, then 1 a second over IPv4 and 10 over IPv6 (icmp_ratelimit; RFC 4443
section 2.4 demands such a limit, RFC 1812 section 4.3.2.8 advises it). A router has one such bucket for
everything behind it: 100 rejected ports look like 6 rejected and 94 dropped.
"""

from collections import deque
from typing import Any, Deque, Dict, List, Tuple

BURST = 6
"""XRLIMBURST_FACTOR of Linux."""
_ASSUMED_RATE = {4: 1.0, 6: 10.0}
"""Errors a second by IP version, as Linux limits them."""
SPACING_S = 1.1
"""Between two questions, so that each finds a token; also over IPv6, where one a second was Linux's limit once."""
_MOMENT_S = 0.5

_REPEATED_FOR_S = 3.0
"""For so long the repetitions of the first SYNs gave a limited responder the time to answer the rest."""


class Responder:
    """One sender of ICMP errors about ports.

    Attributes:
        sighted: how many ports it rejected, by the address that they belong to.
        burst: the most errors that it sent within half a second.
        examples: some ports that it rejected.
    """

    __slots__ = ("_recent", "address", "burst", "errors", "examples", "sighted")

    def __init__(self, address: str) -> None:
        self.address = address
        self.errors = 0
        self.burst = 0
        self.sighted: Dict[str, int] = {}
        self.examples: List[Tuple[Any, int]] = []
        self._recent: Deque[float] = deque()

    def note(self, address: str, example: Tuple[Any, int], now: float) -> None:
        """It rejected a port of this address for the first time."""
        self.errors += 1
        self.sighted[address] = self.sighted.get(address, 0) + 1
        if len(self.examples) < self.sounding:
            self.examples.append(example)
        self.note_again(now)

    def note_again(self, now: float) -> None:
        """It rejected a port once more."""
        self._recent.append(now)
        while self._recent[0] <= now - _MOMENT_S:
            self._recent.popleft()
        self.burst = max(self.burst, len(self._recent))

    @property
    def sounding(self) -> int:
        """So many questions at once show whether it limits its errors as Linux does; some may get lost."""
        return 2 * self._shows_more

    @property
    def _shows_more(self) -> int:
        """More errors than this in half a second exceed Linux's limit, even when we read some of them late."""
        return 2 * BURST + int(_ASSUMED_RATE[_version(self.address)] * _MOMENT_S)

    def could_have_answered(self, silent: int) -> bool:
        """Whether so many silent ports cannot be explained by its limit: it had the time and the tokens.

        Only who has shown that its limit is not Linux's is believed: all others renew what they allow within a
        second. It had three of them, and did not use them up.
        """
        most = _REPEATED_FOR_S * self.burst
        return self.burst > self._shows_more and (silent <= most or self.errors < most)


def _version(address: str) -> int:
    return 6 if ":" in address else 4
