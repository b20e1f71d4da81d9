"""How often a question must stay unanswered before that means something, when packets get lost. Pure.

Whoever answered at last, but not the first packet, shows that packets get lost on this way, and how many. Without
any such case the few that did answer at once set the bound: of three answered packets nobody learns that less than
one in a thousand gets lost.
"""

from math import ceil, log

FEWEST = 3
MOST = 10
_ACCEPTED_ERROR = {False: 1e-4, True: 1e-5}
"""How probable it may be that somebody who answers is silent by bad luck alone; less, where luck is known to be bad."""


class Answers:
    """Those who answered: how many in all, and how many of them not the first packet."""

    __slots__ = ("late", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.late = 0

    def note(self, late: bool) -> None:
        self.seen += 1
        self.late += late

    @property
    def needed(self) -> int:
        """How many silences it takes."""
        return silences_needed(self.seen, self.late)


def silences_needed(seen: int, late: int) -> int:
    """The same for any numbers. The estimate leans to the bad side; where nobody ever answered there is none."""
    if not seen:
        return FEWEST
    share = max((late + (2 if late else 1)) / (seen + 3), late / seen)
    if share >= 1:
        return MOST
    return max(FEWEST, min(MOST, ceil(log(_ACCEPTED_ERROR[late > 0]) / log(share))))
