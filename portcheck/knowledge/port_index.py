"""Finds what was put at a port, among thousands of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from portcheck.engine.probe import Transport

Item = TypeVar("Item")

PortSet = tuple[Transport, int | None, int | None]
"""Transport, first and last port; None for a protocol without ports."""


class PortIndex(Generic[Item]):
    """Items by port. Single ports, which nearly all are, cost one look-up; ranges are gone through."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._single: dict[tuple[Transport, int | None], list[int]] = {}
        self._ranges: dict[Transport, list[tuple[int, int, int]]] = {}

    def add(self, item: Item, ports: Iterable[PortSet]) -> None:
        """Put the item at all these ports."""
        number = len(self._items)
        self._items.append(item)
        for transport, first, last in ports:
            if first is None or last is None or first == last:
                self._single.setdefault((transport, first), []).append(number)
            else:
                self._ranges.setdefault(transport, []).append((first, last, number))

    def at(self, transports: Iterable[Transport], port: int | None) -> tuple[Item, ...]:
        """Each item that has the port under one of the transports, once, in the order in which they were added."""
        found: set[int] = set()
        for transport in transports:
            found.update(self._single.get((transport, port), ()))
            if port is not None:
                ranges = self._ranges.get(transport, ())
                found.update(number for first, last, number in ranges if first <= port <= last)
        return tuple(self._items[number] for number in sorted(found))

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)
