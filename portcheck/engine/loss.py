"""How many of our SYNs get lost, and how often a silent port must be asked before its silence means something. Pure.

A lost packet and a dropping firewall look the same for one SYN. Ports that did answer tell them apart: the
kernel counts how often it had to repeat the SYN that was answered at last (TCP_INFO).
"""

from math import ceil, log

SYNS_PER_ATTEMPT = 4
"""In 3.3 s: at 0, 1, 2 and 3 s (Linux 6.5 and later; before, and on macOS, one fewer)."""
_FEWEST = 2
_FEWEST_UNDER_LOSS = 3
_ACCEPTED_ERROR = 1e-7
"""How probable it may be that an answering port stays silent by bad luck alone."""


class LossRecord:
    """SYNs to ports that answered in the end: how many were sent, how many of them were in vain."""

    __slots__ = ("lost", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.lost = 0

    def note(self, syns: int) -> None:
        """A port answered the last of so many SYNs."""
        self.sent += syns
        self.lost += syns - 1

    def attempts_needed(self, most: int) -> int:
        """How many attempts a port must leave unanswered before it counts as silent."""
        return attempts_needed(self.sent, self.lost, most)


def attempts_needed(sent: int, lost: int, most: int) -> int:
    """The same for any numbers of SYNs. Without a lost one, two attempts; the estimate leans to the bad side."""
    if not lost:
        return _FEWEST
    # One more of each kind, which over a half would make the share smaller.
    share = max((lost + 1) / (sent + 2), lost / sent)
    syns = log(_ACCEPTED_ERROR) / log(share)
    return max(_FEWEST_UNDER_LOSS, min(most, ceil(syns / SYNS_PER_ATTEMPT)))
