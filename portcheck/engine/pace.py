"""When a new flow may start, so that no intrusion system on the way takes us for an attacker.

Such systems count new flows to one host, and hosts, in a sliding window, and ban the sender for minutes: a common
vendor default at 100 flows in 2 s or 100 hosts in 10 s, a common hardening guide at 20 flows in 5 s or 30 hosts
in 10 s. Everything that starts a flow counts: probes, retries, canaries, decoys. No clock here: the time is always
a parameter, in seconds of the loop's clock, and never goes back.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from math import floor, inf
from typing import Deque, Dict, Iterable, Optional, Set

from .probe import Word

JITTER_S = 0.1
"""Every window is kept this much longer. The counter sees our SYNs when they arrive, not when they leave: a SYN that
a queue or a search for the neighbour held up is seen closer to the ones after it."""

CATCH_UP_S = 0.02
"""A loop that wakes this late may start at once what it missed; without it 5,000 flows a second, whose 0.2 ms are
shorter than the 1 ms of epoll's clock, could not be reached."""

_SECOND_S = 1.001
"""A second and a little: 10 flows 0.1 s apart have an 11th at the end of the same second, rounding included."""


_LATE_S = 0.05
"""Who comes this much later than it could have does not want its turn any more."""


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


class _Turns:
    """Flows to anybody, one after the other: whoever had the last one leaves the next to the other, if that waits."""

    __slots__ = ("_last", "_waiting")

    def __init__(self) -> None:
        self._last: Optional[bool] = None
        self._waiting: Dict[bool, float] = {}

    def wait(self, datagram: bool, due: float) -> None:
        """It was told to come again then."""
        self._waiting[datagram] = due

    def leaves_next(self, datagram: bool, now: float) -> bool:
        """Whether it has to leave the next flow to the other."""
        return self._last is datagram and now <= self._waiting.get(not datagram, -inf) + _LATE_S

    def spend(self, datagram: bool) -> None:
        self._last = datagram
        self._waiting.pop(datagram, None)


class _Shares:
    """Flows to one address: while connections and datagrams both wait for some, each has half of them."""

    __slots__ = ("_flows", "_half", "_kept_s", "_waiting")

    def __init__(self, limits: PaceLimits, connections: Iterable[float]) -> None:
        self._half = max(1, (limits.flows_per_address or 1) // 2)
        self._kept_s = limits.flows_window_s + JITTER_S
        self._waiting: Dict[bool, float] = {}
        self._flows: Dict[bool, Deque[float]] = {
            False: deque(connections, maxlen=self._half),
            True: deque(maxlen=self._half),
        }

    def wait(self, datagram: bool, due: float) -> None:
        """It was told to come again then, or when it has less than its half."""
        self._waiting[datagram] = max(due, self._half_due(datagram))

    def due(self, datagram: bool, now: float) -> float:
        """When it may have another one, if the other waits."""
        if now > self._waiting.get(not datagram, -inf) + _LATE_S:
            return -inf
        return self._half_due(datagram)

    def left(self, datagram: bool, now: float) -> float:
        """How many it may have now."""
        if now > self._waiting.get(not datagram, -inf) + _LATE_S:
            return inf
        return self._half - sum(at + self._kept_s > now for at in self._flows[datagram])

    def spend(self, datagram: bool, now: float) -> None:
        self._flows[datagram].append(now)
        self._waiting.pop(datagram, None)

    def _half_due(self, datagram: bool) -> float:
        flows = self._flows[datagram]
        return -inf if len(flows) < self._half else flows[0] + self._kept_s


class Pace:
    """Says when a new flow may start; is told of every flow that does.

    Both engines ask the same Pace. One that takes each flow as it becomes possible would leave none to the other, so
    they share as long as both wait.

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
        self._turns = _Turns()
        self._shares: Dict[str, _Shares] = {}
        self._without_limits = self._limits == PaceLimits() and max_rate is None

    @property
    def unlimited(self) -> bool:
        """Nothing has to wait, so nobody has to ask or tell. Ends with the first `slow_down`."""
        return self._without_limits and not self._banned

    def due(self, address: str, now: float, reserve: int = 0, *, datagram: bool = False) -> float:
        """When a new flow to the address may start: `now` or a moment to ask again, for others may come first.

        Args:
            reserve: flows that must remain possible to this address after the new one, for what cannot wait; one
                is possible in every window, however many are reserved.
            datagram: no connection.
        """
        self._forget(now)
        by_rate = self._rate_due(now, datagram)
        if by_rate > now:
            self._turns.wait(datagram, by_rate)
        by_flows = self._flow_due(address, reserve)
        shares = self._shares_of(address, datagram)
        if shares is not None:
            if by_flows > now:
                shares.wait(datagram, by_flows)
            by_flows = max(by_flows, shares.due(datagram, now))
        return max(now, by_rate, self._address_due(address), by_flows)

    def possible(self, address: str, now: float, *, datagram: bool = False) -> Optional[int]:
        """How many flows to the address its own limit lets start now; None for any number."""
        limits, flows = self._limits_of(address), self._flows.get(address, ())
        if limits.flows_per_address is None:
            return None
        kept_s = limits.flows_window_s + JITTER_S
        left: float = limits.flows_per_address - sum(at + kept_s > now for at in flows)
        shares = self._shares_of(address, datagram)
        return max(0, int(left if shares is None else min(left, shares.left(datagram, now))))

    def at_once(self, address: str) -> Optional[int]:
        """How many flows to the address may start in the same moment, when one may; None for any number."""
        most = self._limits_of(address).flows_per_address
        if not self._seconds_per_flow:
            return most
        caught_up = max(1, int(CATCH_UP_S / self._seconds_per_flow))
        return caught_up if most is None else min(most, caught_up)

    def nothing_before(self, now: float) -> float:
        """Until when no flow may start, to whatever address; `now` when one may."""
        return max(now, self._rate_due(now, False))

    def spend(self, address: str, now: float, *, datagram: bool = False) -> None:
        """A flow to the address starts now."""
        self._forget(now)
        if self._seconds_per_flow:
            self._turns.spend(datagram)
            self._next_on_time = max(self._next_on_time, now) + self._seconds_per_flow
        limits = self._limits_of(address)
        if limits.flows_per_address is None and limits.addresses is None:
            return
        flows = self._flows.get(address)
        if flows is None:
            flows = self._flows[address] = deque(maxlen=limits.flows_per_address or 1)
        shares = self._shares_of(address, datagram)
        if shares is not None:
            shares.spend(datagram, now)
        flows.append(now)
        self._flows.move_to_end(address)

    def slow_down(self, address: str) -> None:
        """The address banned us once: from now on it gets the flows of a polite run, whatever the speed."""
        self._banned.add(address)
        self._shares.pop(address, None)

    def _limits_of(self, address: str) -> PaceLimits:
        return self._after_a_ban if address in self._banned else self._limits

    def _rate_due(self, now: float, datagram: bool) -> float:
        return self._next_on_time - CATCH_UP_S + self._turns.leaves_next(datagram, now) * self._seconds_per_flow

    def _address_due(self, address: str) -> float:
        most = self._limits.addresses
        if most is None or address in self._flows or len(self._flows) < most:
            return -inf
        return self._forgotten_at(next(iter(self._flows.values())))

    def _shares_of(self, address: str, datagram: bool) -> Optional[_Shares]:
        """None for an address that nobody sent a datagram to."""
        shares = self._shares.get(address)
        limits, flows = self._limits_of(address), self._flows.get(address)
        if shares is None and datagram and flows is not None and limits.flows_per_address is not None:
            shares = self._shares[address] = _Shares(limits, flows)
        return shares

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
            self._shares.pop(address, None)

    def _forgotten_at(self, flows: Deque[float]) -> float:
        """When a last contact no longer counts. The window of addresses is the longer one, where there is one."""
        return flows[-1] + JITTER_S + (self._limits.addresses_window_s or self._after_a_ban.flows_window_s)
