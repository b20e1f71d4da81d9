"""How much a run asks and how long that takes, said before its first packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from portcheck.engine.datagram_timing import DatagramTiming
from portcheck.engine.descriptors import raise_descriptor_limit
from portcheck.engine.pace import LIMITS, PaceLimits, Speed
from portcheck.engine.timing import longest_s, shortest_s, timing_of
from portcheck.model import Selection
from portcheck.wording import plural

_LARGE_PORTS = 20_000
_LARGE_ADDRESSES = 256
_LONG_S = 10.0

_SYNS_OF_SILENCE = 8
"""Two attempts of four SYNs each (1, 1, 1 s apart; Linux before 6.5 sends three)."""
_DATAGRAMS_OF_SILENCE = 6
"""About: three or more, and those that show whether somebody limits his ICMP errors. Measured: 4 to 7."""
_SILENT_WAVES = 3
"""A silence counts after so many; each is waited for before the next."""

_FASTER: Mapping[Speed, str] = {
    Speed.POLITE: "--speed normal is faster, and stays below the usual limits of intrusion protection",
    Speed.NORMAL: "--speed fast is faster, where no intrusion protection is in the way; --speed polite is gentler",
    Speed.FAST: "a higher --max-rate is faster",
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run asks, and how long it takes.

    Attributes:
        ports: of all transports.
        at_least_s: when everything answers at once.
        at_most_s: when nothing answers, or ICMP errors are limited.
        unpaced_s: the same without a pace.
        others: how many of the ports are not asked over TCP.
    """

    ports: int
    addresses: int
    at_least_s: float
    at_most_s: float
    unpaced_s: float
    speed: Speed
    max_rate: float | None
    others: int = 0

    @property
    def is_large(self) -> bool:
        """Whether somebody has to know before it begins: much is sent, or it takes a while."""
        much = self.ports > _LARGE_PORTS or self.addresses > _LARGE_ADDRESSES
        return much or self.at_least_s > _LONG_S or (self.is_slowed_down and self.at_most_s > _LONG_S)

    @property
    def is_slowed_down(self) -> bool:
        """Whether it is the pace that takes the time, and not how long silence must last."""
        return self.at_most_s > self.unpaced_s


def forecast(
    ports_by_address: Mapping[str, int], selection: Selection, others_by_address: Mapping[str, int] | None = None
) -> Forecast:
    """What asking so many TCP ports of these addresses comes to, and so much else without a connection."""
    others = others_by_address or {}
    speed = Speed(selection.speed)
    timing, descriptors = timing_of(speed), raise_descriptor_limit()
    pace = LIMITS[speed], selection.max_rate
    all_once, all_silent = _joined(ports_by_address, others), _joined(ports_by_address, others, 2)
    others_s = _longest_without_connection_s(others, selection.udp_budget_s)
    return Forecast(
        ports=sum(all_once.values()),
        addresses=len(all_once),
        at_least_s=shortest_s(all_once, timing, descriptors, *pace),
        at_most_s=max(longest_s(all_silent, timing, descriptors, *pace), others_s),
        unpaced_s=max(longest_s(all_silent, timing, descriptors, PaceLimits()), others_s),
        speed=speed,
        max_rate=selection.max_rate,
        others=sum(others.values()),
    )


def _joined(ports: Mapping[str, int], others: Mapping[str, int], weight: int = 1) -> dict[str, int]:
    """By address how many there are. TCP makes two flows of a silent port, the others up to four packets."""
    return {address: ports.get(address, 0) + weight * others.get(address, 0) for address in {**ports, **others}}


def _longest_without_connection_s(others: Mapping[str, int], budget_s: float) -> float:
    """Silence in waves, one address beside the other; or the budget, where somebody limits ICMP errors."""
    asked = max(others.values(), default=0)
    if not asked:
        return 0.0
    timing = DatagramTiming()
    waves_s = _SILENT_WAVES * ceil(asked / timing.wave) * timing.most_wait_s
    return max(waves_s, timing.lifeless_s, budget_s) + timing.settle_s


def size(forecast: Forecast) -> str:
    """How much and how long, in one sentence without its full stop."""
    ports, others = forecast.ports, forecast.others
    if others and others == ports:
        asked = f"{plural(ports, 'flow')}, none over TCP,"
    else:
        asked = f"{plural(ports, 'port')}{f' ({others:,} not over TCP)' if others else ''}"
    silent = (ports - others) * _SYNS_OF_SILENCE + others * _DATAGRAMS_OF_SILENCE
    about = "about " if others else ""
    return (
        f"{asked} at {plural(forecast.addresses, 'address', 'addresses')}: "
        f"{plural(ports, 'packet')} when all answer, {about}{silent:,} when none does; {_time(forecast)}"
    )


def announcement(forecast: Forecast) -> str:
    """Size and time, and on a line of its own how it would be faster."""
    return f"{size(forecast)}\n{_FASTER[forecast.speed]}" if forecast.is_slowed_down else size(forecast)


def _time(forecast: Forecast) -> str:
    at_most = duration(forecast.at_most_s)
    if not forecast.is_slowed_down:
        limited = ", where ICMP errors are limited (--udp-budget)" if forecast.others else ""
        return f"{at_most} at most{limited}"
    at_least = f"at least {duration(forecast.at_least_s)}, " if forecast.at_least_s >= 1 else ""
    limited = ", and --udp-budget where ICMP errors are limited" if forecast.others else ""
    return f"{at_least}at most {at_most} at --speed {forecast.speed}{_pace(forecast)}{limited}"


def _pace(forecast: Forecast) -> str:
    """` (at most 90 new connections in 2 s to an address, 90 addresses in 10 s)`; empty for no limit."""
    limits, most = LIMITS[forecast.speed], []
    if limits.flows_per_address is not None:
        most.append(f"{limits.flows_per_address} new connections in {limits.flows_window_s:g} s to an address")
    if limits.addresses is not None:
        most.append(f"{limits.addresses} addresses in {limits.addresses_window_s:g} s")
    if forecast.max_rate is not None:
        most.append(f"{forecast.max_rate:g} new connections a second to all")
    return f" (at most {', '.join(most)})" if most else ""


def duration(seconds: float) -> str:
    """`22 s`, `2 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
