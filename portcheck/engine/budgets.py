"""How fast one sender of ICMP errors may be made to send them: found out by asking. Pure.

Nothing of Linux's limit is taken for granted (others have 1 per 0.5 s, 200 a second, 0.5 a second, or none): a wave
in which somebody who is known to reject did not answer shows that he is short, and how long he had rested then.
"""

from collections import deque
from math import inf
from typing import Callable, Deque

FIRST_INTERVAL_S = {4: 1.05, 6: 0.11}
"""Linux's icmp_ratelimit and a little, by IP version."""
LONGEST_INTERVAL_S = 4.0
_DRAWN = 0.05
"""Waits are longer by a part of this that is drawn: so waves do not meet the moment of a refill time and again."""
BURST = 6
"""Tokens of a full bucket of Linux."""
_EMPTY_WAVES = 2
"""One may be a lost packet, while the burst cannot be used up yet."""
_GOOD_WAVES = 2
_LOST_AFTER_S = 15.0
_LOST_AFTER_WAVES = 3


class Budget:
    """The errors of one sender.

    Attributes:
        address: who sends them.
        errors: how many were heard in all.
        last_error_s: when the last was heard.
        limits: it was seen to be short of tokens.
    """

    __slots__ = (
        *("_doubts", "_draw", "_empty", "_empty_s", "_failed_s", "_first_s", "_floor_s", "_generous", "_good"),
        *("_proven", "_recent", "_tokens", "_wait_s", "address", "errors", "interval_s", "last_error_s", "limits"),
    )

    def __init__(self, address: str, draw: Callable[[], float]) -> None:
        """`draw` gives a number between 0 and 1 each time."""
        self.address = address
        self.errors = 0
        self.last_error_s = -inf
        self.limits = False
        self._proven = False
        self._first_s = self.interval_s = FIRST_INTERVAL_S[6 if ":" in address else 4]
        self._draw = draw
        self._doubts = 0
        self._failed_s = self._floor_s = 0.0
        self._good = 0
        self._empty = 0
        self._empty_s = -inf
        self._generous = False
        self._tokens = float(BURST)
        self._recent: Deque[float] = deque(maxlen=BURST + 2)
        self._new_wait()

    @property
    def rations(self) -> bool:
        """It is seen, or to be expected, that it does not send an error for each packet."""
        return self.limits or (self.errors >= BURST and not self._generous)

    def short(self, now: float) -> bool:
        """It may be out of tokens: seen to be, or it has sent what Linux sends in this time."""
        return self.limits or (not self._generous and self._tokens_at(now) < 1)

    def heard(self, now: float) -> None:
        """An error of its arrived."""
        self.errors += 1
        self._tokens = max(0.0, self._tokens_at(now) - 1)
        self._recent.append(now)
        if len(self._recent) == self._recent.maxlen and now - self._recent[0] < self.interval_s / 2:
            self._generous = True
        self.last_error_s = now
        self._empty = 0
        self._new_wait()

    @property
    def has_some_left(self) -> bool:
        """It has sent less than a full bucket of Linux allows, and was never short."""
        return not self.limits and not self._doubts and (self._generous or self._tokens >= 1)

    def rested(self, now: float) -> bool:
        """Whether it had the time for a token since its last error."""
        return now - self.last_error_s >= self.interval_s

    def ready_at(self) -> float:
        """When the next wave may leave that needs an answer of it."""
        if self.limits:
            return max(self.last_error_s + self._wait_s, self._empty_s + self._wait_s / 2)
        if self._generous or self._tokens >= 1:
            return -inf
        return self.last_error_s + (1 - self._tokens) * self._wait_s

    def rested_at(self) -> float:
        """When it has a token again, whatever was seen of its limit."""
        return max(self.last_error_s + self._wait_s, self.ready_at())

    def take_wave(self, answered: bool, began_s: float, rested_s: float, lossy: bool) -> int:
        """What a wave came to that it should have answered; how many of its packets or errors were lost on the way.

        Args:
            rested_s: from its last error until the wave began.
            lossy: packets are known to get lost on this way.
        """
        return self._take_answered(rested_s) if answered else self._take_empty(began_s, rested_s, lossy)

    def _take_answered(self, rested_s: float) -> int:
        # Silent a moment ago, and no time for a token since: it had one then.
        lost = self._doubts if rested_s < self._first_s else 0
        self._doubts = 0
        # After a much longer rest it says nothing about this one.
        as_long = self.interval_s <= rested_s < 1.5 * self.interval_s
        if as_long and (self.limits or self.errors > BURST):
            self._proven = True
            self._good += 1
            if self._good >= _GOOD_WAVES and self.interval_s / 2 > self._floor_s and self.interval_s > self._first_s:
                self.interval_s = max(self.interval_s / 2, self._first_s)
                self._proven = False
                self._good = 0
        return lost

    def _take_empty(self, began_s: float, rested_s: float, lossy: bool) -> int:
        self._empty += 1
        self._empty_s = began_s
        self._new_wait()
        if self._proven and rested_s >= self.interval_s and self._empty == 1:
            return 1  # Often enough it had a token after that time.
        if self.errors >= BURST or self._empty >= _EMPTY_WAVES:
            self.limits = True
            self._doubts = 0
        else:
            self._doubts += 1
        if self.limits and rested_s >= self.interval_s and (not lossy or self._empty % _EMPTY_WAVES == 0):
            self._lengthen(lossy)
        return 0

    def _lengthen(self, lossy: bool) -> None:
        self._good = 0
        self._proven = False
        if not lossy or self._failed_s == self.interval_s:
            self._floor_s = max(self._floor_s, self.interval_s)
        self._failed_s = self.interval_s
        self.interval_s = min(2 * self.interval_s, LONGEST_INTERVAL_S)
        self._new_wait()

    def is_lost(self, now: float, heard_s: float) -> bool:
        """Silent for so long, and so often, that no limit explains it; anything was heard of it last then."""
        return self._empty >= _LOST_AFTER_WAVES and now - max(heard_s, self.last_error_s) >= _LOST_AFTER_S

    def _tokens_at(self, now: float) -> float:
        """What a bucket of Linux has that was full at first."""
        return min(float(BURST), self._tokens + max(0.0, now - self.last_error_s) / self._first_s)

    def _new_wait(self) -> None:
        self._wait_s = self.interval_s * (1 + _DRAWN * self._draw())
