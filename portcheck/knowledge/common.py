"""The ports that `--sweep common` looks at: those that portcheck's documents name."""

from __future__ import annotations

from collections.abc import Iterator

from portcheck.engine.probe import Transport
from portcheck.model import Expectation, KnownPorts, Library, Listen, Ports, Spread
from portcheck.ports import runs

_WIDEST = 16
"""Ports of a list's range that still say something about each of them; voice chat on 8000-9000 does not."""


def common_tcp_ports(library: Library) -> tuple[Ports, ...]:
    """Every TCP port that a list names or a product listens on; merged, ascending."""
    return tuple(
        Ports(Transport.TCP, first, last) for first, last in runs({*_of_lists(library), *_of_products(library)})
    )


def _of_lists(library: Library) -> Iterator[int]:
    """Also where a list does not say which transport."""
    for reference in library.references:
        for service in reference.services:
            for item in service.ports:
                if item.carries(Transport.TCP):
                    yield from filter(None, _each(item))


def _each(item: KnownPorts) -> range:
    if item.spread is Spread.ONWARD:
        return range(item.first, item.first + 1)
    narrow = item.spread is Spread.EXACT and item.last - item.first < _WIDEST
    return range(item.first, item.last + 1) if narrow else range(0)


def _of_products(library: Library) -> Iterator[int]:
    for document in library.documents:
        for expectation in document.expectations:
            yield from _single(expectation)


def _single(expectation: Expectation) -> Iterator[int]:
    """Its single TCP ports, required or not, and those for the host itself too: open to others, they are a finding.

    A product's range says where it may listen, not what listens there.
    """
    for ports in expectation.ports if expectation.listen is Listen.SINGLE else ():
        if ports.transport is Transport.TCP and ports.first is not None and not ports.is_range:
            yield ports.first
