"""How much a run asks and how long that takes, said before its first packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

_FASTER: Mapping[Speed, str] = {
    Speed.POLITE: "--speed normal is faster, and stays below the usual limits of intrusion protection",
    Speed.NORMAL: "--speed fast is faster, where no intrusion protection is in the way; --speed polite is gentler",
    Speed.FAST: "a higher --max-rate is faster",
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run asks, and how long it takes.

    Attributes:
        at_least_s: when everything answers at once.
        at_most_s: when nothing answers.
        unpaced_s: the same without a pace.
    """

    ports: int
    addresses: int
    at_least_s: float
    at_most_s: float
    unpaced_s: float
    speed: Speed
    max_rate: float | None

    @property
    def is_large(self) -> bool:
        """Whether somebody has to know before it begins: much is sent, or it takes a while."""
        much = self.ports > _LARGE_PORTS or self.addresses > _LARGE_ADDRESSES
        return much or self.at_least_s > _LONG_S or (self.is_slowed_down and self.at_most_s > _LONG_S)

    @property
    def is_slowed_down(self) -> bool:
        """Whether it is the pace that takes the time, and not how long silence must last."""
        return self.at_most_s > self.unpaced_s


def forecast(ports_by_address: Mapping[str, int], selection: Selection) -> Forecast:
    """What asking so many ports of these addresses comes to."""
    speed = Speed(selection.speed)
    timing, descriptors = timing_of(speed), raise_descriptor_limit()
    pace = LIMITS[speed], selection.max_rate
    return Forecast(
        ports=sum(ports_by_address.values()),
        addresses=len(ports_by_address),
        at_least_s=shortest_s(ports_by_address, timing, descriptors, *pace),
        at_most_s=longest_s(ports_by_address, timing, descriptors, *pace),
        unpaced_s=longest_s(ports_by_address, timing, descriptors, PaceLimits()),
        speed=speed,
        max_rate=selection.max_rate,
    )


def size(forecast: Forecast) -> str:
    """How much and how long, in one sentence without its full stop."""
    ports = forecast.ports
    return (
        f"{plural(ports, 'port')} at {plural(forecast.addresses, 'address', 'addresses')}: "
        f"{plural(ports, 'packet')} when all answer, {ports * _SYNS_OF_SILENCE:,} when none does; {_time(forecast)}"
    )


def announcement(forecast: Forecast) -> str:
    """Size and time, and on a line of its own how it would be faster."""
    return f"{size(forecast)}\n{_FASTER[forecast.speed]}" if forecast.is_slowed_down else size(forecast)


def _time(forecast: Forecast) -> str:
    at_most = duration(forecast.at_most_s)
    if not forecast.is_slowed_down:
        return f"{at_most} at most"
    at_least = f"at least {duration(forecast.at_least_s)}, " if forecast.at_least_s >= 1 else ""
    return f"{at_least}at most {at_most} at --speed {forecast.speed}{_pace(forecast)}"


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
