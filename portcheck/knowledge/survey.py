"""A range of ports looked through: which of them have a name, and which other ranges meet it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from portcheck.engine.probe import Transport
from portcheck.knowledge.phrases import phrase
from portcheck.knowledge.said import InRange, NamedNumber, Naming, Need, Span, Survey, Taken
from portcheck.model import KnownPorts, Spread

_TAKEN: Mapping[Spread, Taken] = {Spread.EXACT: Taken.ALL, Spread.ONWARD: Taken.ONWARD}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One port set of one row; `transport` None: the list does not say which."""

    transport: Transport | None
    first: int
    last: int
    taken: Taken
    row: Need | Naming


@dataclass(slots=True)
class _Rows:
    """The rows that have the same port, or the same range."""

    needs: list[Need] = field(default_factory=list)
    namings: list[Naming] = field(default_factory=list)
    transports: set[Transport] = field(default_factory=set)

    def add(self, entry: _Entry) -> None:
        if isinstance(entry.row, Need):
            self.needs.append(entry.row)
        else:
            self.namings.append(entry.row)
        if entry.transport is not None:
            self.transports.add(entry.transport)

    def phrase(self) -> str:
        return phrase(self.namings, self.needs) or ""


def survey(
    transports: tuple[Transport, ...],
    first: int,
    last: int,
    rows: tuple[Need | Naming, ...],
    ranges: tuple[InRange, ...],
) -> Survey:
    """What the rows name from `first` to `last`, and which of their ranges meet these ports."""
    numbers: dict[int, _Rows] = {}
    spans: dict[tuple[int, int, str, Taken], _Rows] = {}

    def meets(item: _Entry | KnownPorts) -> bool:
        return item.first <= last and first <= item.last and item.transport in (None, *transports)

    for entry in filter(meets, _entries(rows)):
        if entry.first == entry.last and entry.taken is Taken.ALL:
            numbers.setdefault(entry.first, _Rows()).add(entry)
        else:
            key = (entry.first, entry.last, str(entry.transport or ""), entry.taken)
            spans.setdefault(key, _Rows()).add(entry)
    return Survey(
        first=first,
        last=last,
        transports=transports,
        named=tuple(
            NamedNumber(number, tuple(t for t in Transport if t in found.transports), found.phrase())
            for number, found in sorted(numbers.items())
        ),
        spans=tuple(
            Span(Transport(transport) if transport else None, lowest, highest, taken, found.phrase())
            for (lowest, highest, transport, taken), found in sorted(spans.items(), key=lambda item: item[0])
        ),
        dynamic=tuple(row for row in rows if isinstance(row, Naming) and any(map(meets, _dynamic(row)))),
        ranges=ranges,
    )


def _entries(rows: Iterable[Need | Naming]) -> Iterator[_Entry]:
    for row in rows:
        if isinstance(row, Naming):
            for item in row.service.ports:
                if item.spread in _TAKEN:
                    yield _Entry(item.transport, item.first, item.last, _TAKEN[item.spread], row)
            continue
        taken = Taken.SOME if row.some_of_a_range else Taken.ALL
        for ports in row.expectation.ports:
            if ports.first is not None and ports.last is not None:
                yield _Entry(ports.transport, ports.first, ports.last, taken, row)


def _dynamic(naming: Naming) -> Iterator[KnownPorts]:
    return (item for item in naming.service.ports if item.spread is Spread.DYNAMIC)
