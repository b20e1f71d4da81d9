"""When a new flow may start, so that no intrusion system on the way takes us for an attacker.

Such systems count new flows to one host, and hosts, in a sliding window, and ban the sender for minutes: a common
vendor default at 100 flows in 2 s or 100 hosts in 10 s, a common hardening guide at 20 flows in 5 s or 30 hosts
in 10 s. Everything that starts a flow counts: probes, retries, canaries, decoys. No clock here: the time is always
a parameter, in seconds of the loop's clock, and never goes back.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from math import floor, inf
from typing import Deque, Dict, Optional, Set

from .probe import Word

JITTER_S = 0.1
"""Every window is kept this much longer. The counter sees our SYNs when they arrive, not when they leave: a SYN that
a queue or a search for the neighbour held up is seen closer to the ones after it."""

CATCH_UP_S = 0.02
"""A loop that wakes this late may start at once what it missed; without it 5,000 flows a second, whose 0.2 ms are
shorter than the 1 ms of epoll's clock, could not be reached."""

_SECOND_S = 1.001
"""A second and a little: 10 flows 0.1 s apart have an 11th at the end of the same second, rounding included."""


class Speed(Word):
    """How careful a run is with those who watch the network."""

    POLITE = "polite"
    NORMAL = "normal"
    FAST = "fast"


@dataclass(frozen=True)
class PaceLimits:
    """What a run may do in any window of time; None: no limit.

    Attributes:
        flows_per_address: new flows to one address in any `flows_window_s`.
        addresses: different addresses that are contacted in any `addresses_window_s`.
    """

    flows_per_address: Optional[int] = None
    flows_window_s: float = 0.0
    addresses: Optional[int] = None
    addresses_window_s: float = 0.0


LIMITS: Dict[Speed, PaceLimits] = {
    Speed.POLITE: PaceLimits(18, 5.0, 25, 10.0),
    Speed.NORMAL: PaceLimits(90, 2.0, 90, 10.0),
    Speed.FAST: PaceLimits(),
}


def seconds_per_flow(max_rate: Optional[float]) -> float:
    """How far apart flows start on average, so that no second has more than `max_rate` (and one is always allowed).

    A second that begins after a pause also has what was caught up: with it the sum must still be right.
    """
    if max_rate is None:
        return 0.0
    in_a_second = floor(max(1.0, max_rate))
    return max((_SECOND_S + CATCH_UP_S) / in_a_second, 1.0 / max_rate)


class Pace:
    """Says when a new flow may start; is told of every flow that does.

    An address that was not contacted for longer than the windows is forgotten.
    """

    def __init__(self, speed: Speed, max_rate: Optional[float] = None) -> None:
        """`max_rate`: new flows a second over all addresses, None for no limit."""
        self._limits = LIMITS[speed]
        self._after_a_ban = LIMITS[Speed.POLITE]
        self._banned: Set[str] = set()
        # The moments of the last flows to an address; the address that was contacted longest ago comes first.
        self._flows: "OrderedDict[str, Deque[float]]" = OrderedDict()
        self._seconds_per_flow = seconds_per_flow(max_rate)
        self._next_on_time = -inf
        self._without_limits = self._limits == PaceLimits() and max_rate is None

    @property
    def unlimited(self) -> bool:
        """Nothing has to wait, so nobody has to ask or tell. Ends with the first `slow_down`."""
        return self._without_limits and not self._banned

    def due(self, address: str, now: float, reserve: int = 0) -> float:
        """When a new flow to the address may start: `now` or a moment to ask again, for others may come first.

        Args:
            reserve: flows that must remain possible to this address after the new one, for what cannot wait; one
                is possible in every window, however many are reserved.
        """
        self._forget(now)
        return max(now, self._rate_due(), self._address_due(address), self._flow_due(address, reserve))

    def nothing_before(self, now: float) -> float:
        """Until when no flow may start, to whatever address; `now` when one may."""
        return max(now, self._rate_due())

    def spend(self, address: str, now: float) -> None:
        """A flow to the address starts now."""
        self._forget(now)
        if self._seconds_per_flow:
            self._next_on_time = max(self._next_on_time, now) + self._seconds_per_flow
        limits = self._limits_of(address)
        if limits.flows_per_address is None and limits.addresses is None:
            return
        flows = self._flows.get(address)
        if flows is None:
            flows = self._flows[address] = deque(maxlen=limits.flows_per_address or 1)
        flows.append(now)
        self._flows.move_to_end(address)

    def slow_down(self, address: str) -> None:
        """The address banned us once: from now on it gets the flows of a polite run, whatever the speed."""
        self._banned.add(address)

    def _limits_of(self, address: str) -> PaceLimits:
        return self._after_a_ban if address in self._banned else self._limits

    def _rate_due(self) -> float:
        return self._next_on_time - CATCH_UP_S

    def _address_due(self, address: str) -> float:
        most = self._limits.addresses
        if most is None or address in self._flows or len(self._flows) < most:
            return -inf
        return self._forgotten_at(next(iter(self._flows.values())))

    def _flow_due(self, address: str, reserve: int) -> float:
        limits, flows = self._limits_of(address), self._flows.get(address)
        if limits.flows_per_address is None or flows is None:
            return -inf
        most = max(1, limits.flows_per_address - reserve)
        return -inf if len(flows) < most else flows[-most] + limits.flows_window_s + JITTER_S

    def _forget(self, now: float) -> None:
        """Drop addresses whose windows are over. What is left are the addresses that count as contacted."""
        while self._flows:
            address, flows = next(iter(self._flows.items()))
            if self._forgotten_at(flows) > now:
                return
            del self._flows[address]

    def _forgotten_at(self, flows: Deque[float]) -> float:
        """When a last contact no longer counts. The window of addresses is the longer one, where there is one."""
        return flows[-1] + JITTER_S + (self._limits.addresses_window_s or self._after_a_ban.flows_window_s)
