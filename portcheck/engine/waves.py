"""What the silences of one wave mean, when those who send ICMP errors ration them. Pure.

A sender of errors (the target, or a router that rejects) has a bucket of tokens: an error takes one, time brings
them back (Linux: 6 at most, one a second over IPv4, ten over IPv6). A closed port whose packet finds no token looks
exactly like a dropped one. So packets leave in waves, back to back, the last one to a port that is known to be
rejected, the canary; and the silence of X counts, as far as the sender O is concerned, by these rules:

STRICT. O answered packet A of the same wave, X left before A, and nothing before X was answered by O. Had X been one
that O rejects, it had found the bucket as A found it, or fuller: nothing of this wave had taken a token before X. The
one way to be wrong is a token that arrived between X and A, which cannot be when the bucket had one as the wave began.
It had one if O had `rested`: the wave began a whole interval after the last error that we heard of O. Where that does
not hold (our idea of the interval is too short, somebody else empties the bucket, an error got lost on its way to us)
a token must have come in the very time between X and A: less than 20 ms out of an interval of 100 ms to many seconds.
Waves leave at moments that are drawn, so that they do not meet the moments of refills time and again, and it would
have to happen three times; or twice where the evidence is TIGHT: within 2 ms, in which a wave of 32 leaves ten times
over. An O that never was short may be asked again without a rest; then only TIGHT evidence is any.

LIBERAL. O answered a packet before X and one after it. If X is one that O rejects, the last token went to the one
before and a new one came before the one after. That happens in practice when the wave meets the moment of a refill
(31 false verdicts in 100 ports when this counted always). Within 5 ms it may count, once for a question. So is a
STRICT one counted that lacks the rest.

NONE. O answered nothing after X: X may have been rejected without a token left to say so.

These say that no limit is behind the silence. That packets get lost is another matter, for which silences are counted
(silence.py); a silence that is NONE may be one of those counted, if O has sent fewer errors than a full bucket of Linux
allows and was never seen to be short (`Budget.has_some_left`), once other waves have PROVEN that no limit is behind
the silence of this question.
"""

from enum import Enum
from typing import Any, Dict, FrozenSet, List, Set, Tuple

STRICT_WITHIN_S = 0.02
TIGHT_WITHIN_S = 0.002
LIBERAL_WITHIN_S = 0.005


class Evidence(Enum):
    """What a silence is worth with respect to one sender of errors."""

    NONE = "it may have been short of tokens"
    LIBERAL = "it had one before and one after"
    STRICT = "it had one, and nothing had taken it"
    TIGHT = "the same, and no time for a token to come in between"


PROOFS: Dict[Evidence, float] = {Evidence.LIBERAL: 1.0, Evidence.STRICT: 1.0, Evidence.TIGHT: 1.5}
PROVEN = 3.0
"""So much of these shows that no limit is behind the silences of a question: two TIGHT waves, or three others."""


class Wave:
    """Packets that left together, and who answered which of them with an error.

    Attributes:
        began_s: when its first packet left.
        unrested: senders of errors who had not rested when it began; `short` those of them who are known, or taken, to
            be out of tokens then.
        canaries: senders of errors for whom a packet is in it that they are known to reject.
        parts: what it consists of; for whoever sends it.
    """

    __slots__ = ("_first", "_last", "_places", "began_s", "canaries", "parts", "short", "unrested")

    def __init__(
        self, began_s: float, unrested: FrozenSet[str] = frozenset(), short: FrozenSet[str] = frozenset()
    ) -> None:
        self.began_s = began_s
        self.unrested = unrested
        self.short = short
        self.canaries: Set[str] = set()
        self.parts: List[Any] = []
        self._places = 0
        self._first: Dict[str, Tuple[int, float]] = {}
        self._last: Dict[str, Tuple[int, float]] = {}

    def next_place(self) -> int:
        """The place of a packet that leaves now, counted from 0."""
        self._places += 1
        return self._places - 1

    def answered_by(self, sender: str) -> bool:
        return sender in self._first

    def note(self, sender: str, place: int, sent_s: float) -> None:
        """The sender rejected the packet that left then, in this place."""
        here = (place, sent_s)
        self._first[sender] = min(here, self._first.get(sender, here))
        self._last[sender] = max(here, self._last.get(sender, here))

    def evidence(self, sender: str, place: int, sent_s: float) -> Evidence:
        """What the silence of the packet in this place is worth with respect to the sender."""
        if sender not in self._first:
            return Evidence.NONE
        first, first_s = self._first[sender]
        last, last_s = self._last[sender]
        if place < first and sender not in self.short:
            if first_s - sent_s <= TIGHT_WITHIN_S:
                return Evidence.TIGHT
            if first_s - sent_s <= STRICT_WITHIN_S and sender not in self.unrested:
                return Evidence.STRICT
        # Of the packets after this one the nearest would do; the last is the canary and nearly as near.
        nearest_s = first_s if place < first else last_s
        if place < last and nearest_s - sent_s <= LIBERAL_WITHIN_S:
            return Evidence.LIBERAL
        return Evidence.NONE
