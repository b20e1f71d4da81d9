"""The ports that `--sweep common` looks at: those that the port lists name."""

from __future__ import annotations

from collections.abc import Iterable

from portcheck.engine.probe import Transport
from portcheck.model import KnownPorts, Ports, ReferenceDocument, Spread
from portcheck.ports import runs

_WIDEST = 16
"""Ports of a range that still say something about each of them; voice chat on 8000-9000 does not."""


def common_tcp_ports(references: Iterable[ReferenceDocument]) -> tuple[Ports, ...]:
    """Every TCP port of the lists, also where a list does not say which transport; merged, ascending."""
    numbers = {
        number
        for reference in references
        for service in reference.services
        for item in service.ports
        if item.carries(Transport.TCP)
        for number in _each(item)
        if number
    }
    return tuple(Ports(Transport.TCP, first, last) for first, last in runs(numbers))


def _each(item: KnownPorts) -> range:
    if item.spread is Spread.ONWARD:
        return range(item.first, item.first + 1)
    narrow = item.spread is Spread.EXACT and item.last - item.first < _WIDEST
    return range(item.first, item.last + 1) if narrow else range(0)
