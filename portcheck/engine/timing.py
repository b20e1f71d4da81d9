"""How long silence must last to be believed, how much may be in flight, and how long a run takes at most."""

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import Collection, Optional

from .neighbours import is_neighbour
from .probe import Probe

ATTEMPTS = 2
_MAX_IN_FLIGHT = 16_000


@dataclass(frozen=True)
class TcpTiming:
    """How long silence must last to be believed, and how much may be in flight.

    Attributes:
        attempt_s: length of one attempt. The kernel repeats a SYN at 1, 2, 3 s (1, 3 before Linux 6.5), and
            a dead neighbour takes 3.05 s to be reported.
        retry_after_s: the second attempt starts this long after the first; they overlap.
        trusted_attempt_s: length of an attempt at an address that gave `trusted_answers` answers or more,
            none of them after a retransmission.
        own_limit_s: how long to wait for descriptors or local ports before giving a probe up.
        max_in_flight: sockets at once, None for what the descriptor limit allows.
        max_per_address: probes at once to one address (each holds at most two sockets).
        max_neighbours: addresses on our own network segments at once that our kernel still has to find. Linux
            holds 1,024 neighbours for the whole machine (gc_thresh3); packets to further ones vanish, and a
            host that is there would look dead.
    """

    attempt_s: float = 3.3
    retry_after_s: float = 1.0
    trusted_attempt_s: float = 1.2
    trusted_answers: int = 20
    own_limit_s: float = 5.0
    max_in_flight: Optional[int] = None
    max_per_address: int = 1000
    max_neighbours: int = 256

    def window(self, descriptors: int) -> int:
        """How many sockets a run may hold at once, when the process may open this many."""
        return min(descriptors, _MAX_IN_FLIGHT, self.max_in_flight or _MAX_IN_FLIGHT)


def longest_s(probes: Collection[Probe], timing: TcpTiming, descriptors: int) -> float:
    """How long measuring these takes at most, when nothing answers and nothing of our own is short.

    While the window is full, sockets last `attempt_s` each. While it is not, every probe that may be asked is
    being asked, and is decided in one round of two attempts: an address has them in portions of
    `max_per_address`, and neighbours that do not answer follow each other in portions of `max_neighbours`.
    """
    if not probes:
        return 0.0
    window, sockets = timing.window(descriptors), ATTEMPTS * len(probes)
    full_s = sockets * timing.attempt_s / window if sockets > window else 0.0
    by_address = Counter(probe.address for probe in probes)
    rounds = ceil(max(by_address.values()) / timing.max_per_address)
    if len(by_address) > timing.max_neighbours:
        neighbours = sum(map(is_neighbour, by_address))
        rounds *= max(1, ceil(neighbours / timing.max_neighbours))
    return full_s + rounds * (timing.retry_after_s + timing.attempt_s)
