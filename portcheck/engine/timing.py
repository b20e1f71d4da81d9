"""How long silence must last to be believed, how much may be in flight, and how long a run takes."""

from dataclasses import dataclass
from math import ceil, inf
from typing import Collection, Dict, List, Mapping, Optional

from .addresses import is_surely_own
from .neighbours import is_neighbour
from .pace import CATCH_UP_S, JITTER_S, PaceLimits, Speed, seconds_per_flow

ATTEMPTS = 2
MOST_ACTIVE = 1024
"""Addresses that are being asked at the same time."""
_EXTRAS = 3
"""Flows beside the ports themselves: two decoys and a canary, for which the engine keeps room in every window."""
_MAX_IN_FLIGHT = 20_000
"""Both attempts at 9,000 ports of a host that drops everything, with room for others beside it."""


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
        hold_s: an accepted connection is kept this long, or one RTT if that is longer, and watched for a reset: a
            SYN proxy sends it when the host behind it refused.
        canary_after_s: an address with undecided silence is asked again on a port that answered, this often.
        recheck_after_s: a lost address is asked again this often.
        patience_s: how long a lost address is waited for.
        hearing_s: how long silent ports behind a responder that limits its ICMP errors are asked again, one at a
            time.
        most_attempts: at one port, under heavy loss.
    """

    attempt_s: float = 3.3
    retry_after_s: float = 1.0
    trusted_attempt_s: float = 1.2
    trusted_answers: int = 20
    own_limit_s: float = 5.0
    max_in_flight: Optional[int] = None
    max_per_address: int = 1000
    max_neighbours: int = 256
    hold_s: float = 0.05
    canary_after_s: float = 5.0
    recheck_after_s: float = 5.0
    patience_s: float = 60.0
    hearing_s: float = 9.0
    most_attempts: int = 8

    @property
    def round_s(self) -> float:
        """From the first SYN to a silent port until it is decided."""
        return self.retry_after_s + self.attempt_s

    def window(self, descriptors: int) -> int:
        """How many sockets a run may hold at once, when the process may open this many."""
        return min(descriptors, _MAX_IN_FLIGHT, self.max_in_flight or _MAX_IN_FLIGHT)


_TIMINGS: Dict[Speed, TcpTiming] = {
    Speed.POLITE: TcpTiming(),
    Speed.NORMAL: TcpTiming(),
    Speed.FAST: TcpTiming(max_per_address=_MAX_IN_FLIGHT),
}


def timing_of(speed: Speed) -> TcpTiming:
    """The timing of a run at this speed. How long silence must last is the same at any speed."""
    return _TIMINGS[speed]


def longest_s(
    ports_by_address: Mapping[str, int],
    timing: TcpTiming,
    descriptors: int,
    limits: PaceLimits,
    max_rate: Optional[float] = None,
) -> float:
    """How long measuring these takes at most, when nothing answers and nothing of our own is short.

    A sum of waits, each as if nothing else happened in its time: for room in the window of sockets, for the pace,
    and for rounds of two attempts, which an address has in portions of `max_per_address`, neighbours that do not
    answer in portions of `max_neighbours`, and all addresses in portions of MOST_ACTIVE.
    """
    asked = {address: ports for address, ports in ports_by_address.items() if ports}
    if not asked:
        return 0.0
    paced = _paced(asked, limits, max_rate)
    window, sockets = timing.window(descriptors), ATTEMPTS * sum(asked.values())
    of_paced = ATTEMPTS * sum(paced.values())
    in_flight = sockets - of_paced + min(of_paced, _most_in_flight(len(paced), timing, limits, max_rate))
    full_s = sockets * timing.attempt_s / window if in_flight > window else 0.0
    portions = max(
        1
        if address in paced and _most_to_one(timing, limits) <= timing.max_per_address
        else ceil(ports / timing.max_per_address)
        for address, ports in asked.items()
    )
    waiting_s = _longest_wait_s(list(paced.values()), timing, limits, max_rate)
    return full_s + waiting_s + portions * _turns(asked, timing, limits) * timing.round_s


def shortest_s(
    ports_by_address: Mapping[str, int],
    timing: TcpTiming,
    descriptors: int,
    limits: PaceLimits,
    max_rate: Optional[float] = None,
) -> float:
    """How long measuring these takes at least, when every port answers at once: only the pace takes time then.

    To one address the room for decoys and a canary is never used for ports. The rate counts ports only, for an
    address with nothing open gets neither.
    """
    del timing, descriptors  # The same parameters as those of longest_s: the two are asked together.
    paced = {address: ports for address, ports in _paced(ports_by_address, limits, max_rate).items() if ports}
    if not paced:
        return 0.0
    lasting_s = [_lasting_s(ports + _EXTRAS, limits.flows_per_address, limits) for ports in paced.values()]
    rated_s = (sum(paced.values()) - 1) * seconds_per_flow(max_rate) - CATCH_UP_S
    places, earliest_s = limits.addresses, 0.0
    if places is not None and len(lasting_s) > places:
        kept_s = _kept_s(min(lasting_s), limits)
        earliest_s = (ceil(len(lasting_s) / places) - 1) * kept_s + min(lasting_s)
    return max(rated_s, max(lasting_s), earliest_s)


# -------------------------------------------------------------------------------------- what the pace comes to


def _paced(asked: Mapping[str, int], limits: PaceLimits, max_rate: Optional[float]) -> Dict[str, int]:
    """The part that has to wait for the pace: all but addresses of this machine."""
    if limits == PaceLimits() and max_rate is None:
        return {}
    return {address: ports for address, ports in asked.items() if not is_surely_own(address)}


def _longest_wait_s(ports: List[int], timing: TcpTiming, limits: PaceLimits, max_rate: Optional[float]) -> float:
    """How long the pace holds up the last flow: its address's turn, the flows before it, and those to all others."""
    if not ports:
        return 0.0
    flows = [max(ATTEMPTS * each, each + _EXTRAS) for each in ports]
    per_flow_s, most = seconds_per_flow(max_rate), _for_ports(limits)
    if most is not None and most * per_flow_s - CATCH_UP_S >= _flows_window_s(limits):
        most = None  # The rate alone keeps every address below its limit.
    lasting_s = [_lasting_s(each, most, limits) for each in flows]
    turn_s = _last_turn_s([_kept_s(each + timing.retry_after_s, limits) for each in lasting_s], limits.addresses)
    return turn_s + max(lasting_s) + sum(flows) * per_flow_s


def _last_turn_s(kept_s: List[float], places: Optional[int]) -> float:
    """When the last address gets one of so many places at the latest, if each keeps its place so long.

    Either the slowest follow each other, or all places are taken all the time.
    """
    if places is None or len(kept_s) <= places:
        return 0.0
    slowest_s = max(kept_s)
    return min((ceil(len(kept_s) / places) - 1) * slowest_s, (sum(kept_s) - slowest_s) / places)


def _lasting_s(flows: int, most: Optional[int], limits: PaceLimits) -> float:
    """From the first to the last of these flows to one address, at most so many in a window."""
    return 0.0 if most is None else (ceil(flows / most) - 1) * _flows_window_s(limits)


def _kept_s(lasting_s: float, limits: PaceLimits) -> float:
    """How long an address counts as contacted whose flows start in this time."""
    return lasting_s + limits.addresses_window_s + JITTER_S


def _for_ports(limits: PaceLimits) -> Optional[int]:
    """What is left of an address's window beside the room that is kept for decoys and a canary."""
    return None if limits.flows_per_address is None else max(1, limits.flows_per_address - _EXTRAS)


def _flows_window_s(limits: PaceLimits) -> float:
    return limits.flows_window_s + JITTER_S


# ---------------------------------------------------------------------------------- what is in flight at a time


def _most_to_one(timing: TcpTiming, limits: PaceLimits) -> float:
    """Ports of one address that can be undecided at a time, when each waits for a window before its retry."""
    if limits.flows_per_address is None:
        return inf
    return limits.flows_per_address * ceil(timing.round_s / _flows_window_s(limits) + 1)


def _most_in_flight(addresses: int, timing: TcpTiming, limits: PaceLimits, max_rate: Optional[float]) -> float:
    """Sockets that the pace lets live at a time, to so many addresses."""
    by_rate = inf if max_rate is None else (timing.attempt_s + CATCH_UP_S) / seconds_per_flow(max_rate) + 1
    if limits.flows_per_address is None:
        return by_rate
    to_one = limits.flows_per_address * ceil(timing.attempt_s / _flows_window_s(limits))
    return min(by_rate, to_one * min(addresses, limits.addresses or addresses))


def _turns(addresses: Collection[str], timing: TcpTiming, limits: PaceLimits) -> int:
    """How many portions of addresses follow each other."""
    if limits.addresses is not None and limits.addresses <= timing.max_neighbours:
        return 1  # Fewer than a portion have begun at any time, and `_last_turn_s` counts their turns.
    neighbours = sum(map(is_neighbour, addresses)) if len(addresses) > timing.max_neighbours else 0
    searched = ceil(neighbours / timing.max_neighbours)
    if len(addresses) <= MOST_ACTIVE:
        return max(1, searched)
    return searched + ceil((len(addresses) - neighbours) / MOST_ACTIVE)
