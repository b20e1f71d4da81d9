"""A row of a table of ports becomes entries of a draft. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from portcheck.documents.importing.cells import (
    OTHER_TRANSPORTS,
    Item,
    TransportCell,
    ip_protocol_in,
    is_portless,
    label_of,
    no_transport,
    read_ports,
    read_roles,
    read_service,
    read_transports,
    read_unit,
    said_more,
    sign_of_condition,
    transports_in,
)
from portcheck.documents.importing.columns import TRANSPORT_OF, Column, Headings
from portcheck.documents.importing.page import Cell, Row
from portcheck.documents.importing.sections import Path
from portcheck.engine.probe import Transport
from portcheck.model import ANY, BUILTIN_SOURCES, LOCALHOST, Ports
from portcheck.printable import quoted

HOST = "host"
PEER = "peer"
"""Stand in for roles that the page does not name: who listens, and whom the hosts connect to."""

GUESSED = "The page says neither TCP nor UDP here; TCP is a guess."
_LONGEST_NAME = 30

NO_SOURCE = "The page's source of this flow could not be read; any is a guess."
NO_DESTINATION = f"The page's destination of this flow could not be read; {HOST} is a guess."

_UNTICKED = frozenset({"no", "n", "-", "\u2013", "\u2014", "n/a", "false", "none"})
_OUTWARD = frozenset({"outbound", "outgoing", "egress", "out"})
_INWARD = frozenset({"inbound", "incoming", "ingress", "in"})
_BOTH_WAYS = frozenset({"both", "bidirectional", "two"})

LONGEST_SINGLE = 16
"""Ports of a range that a draft takes for ports which all listen, as etcd's 2379-2380 do."""

_MOST_PORTS = 200
"""Of one row: a value of a document is a paragraph, and so many ports are a list of something else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An expectation of the draft.

    Attributes:
        row: the row's port cell, or the words of a sentence.
        line: of the page.
        doubts: what goes into the draft as such.
        remarks: what the author of the document should look at; for comments.
    """

    service: str
    ports: tuple[Ports, ...]
    sources: tuple[str, ...]
    to: tuple[str, ...]
    section: str
    row: str
    line: int
    unit: str = ""
    doubts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_range(self) -> bool:
        """Whether it is a range; such an entry has no other ports."""
        return self.ports[0].is_range

    @property
    def listens_in_some(self) -> bool:
        """Whether it is a range in which hardly every port listens."""
        return self.is_range and len(self.ports[0].numbers()) > LONGEST_SINGLE


def ports_of(items: Iterable[Item]) -> Iterator[tuple[Ports, ...]]:
    """The ports of one expectation each: single ports of one transport together, every range by itself."""
    singles: dict[tuple[Transport, ...], list[int]] = {}
    ranges: dict[Ports, None] = {}
    for item in dict.fromkeys(items):
        first, last = item.numbers
        if first == last:
            singles.setdefault(tuple(dict.fromkeys(item.transports)), []).append(first)
        else:
            ranges.update({Ports(transport, first, last): None for transport in item.transports})
    for transports, numbers in singles.items():
        yield tuple(Ports(transport, number, number) for number in dict.fromkeys(numbers) for transport in transports)
    for ports in ranges:
        yield (ports,)


def _guessed(protocols: TransportCell) -> str:
    return f"{no_transport(protocols.unknown)}; TCP is a guess." if protocols.unknown else GUESSED


def _is_outward(text: str) -> bool:
    """Whether a heading or a direction is about connections that the hosts make, and no others."""
    words = set(re.findall("[a-z]+", text.lower()))
    return bool(words & _OUTWARD) and not words & (_INWARD | _BOTH_WAYS)


def _is_both_ways(direction: str) -> bool:
    words = set(re.findall("[a-z]+", direction.lower()))
    return bool(words & _BOTH_WAYS or (words & _OUTWARD and words & _INWARD))


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who connects and who listens; `titles` are the page's names of the roles."""

    sources: tuple[str, ...]
    to: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class RowReader:
    """Reads the rows of one table.

    Attributes:
        roles: the roles that were named so far; an empty title is for the draft's author to find.
    """

    def __init__(self, headings: Headings, path: Path, section: str, unit: str) -> None:
        self.roles: dict[str, str] = {}
        self._columns = headings.columns
        self._names = headings.names
        ports = dict.fromkeys(
            name for name, kind in zip(self._names, self._columns, strict=True) if kind is Column.PORT
        )
        several = f"several columns have ports: {', '.join(map(quoted, ports))}"
        self._of_the_table = (several,) if len(ports) > 1 else ()
        self._section = section
        self._unit = unit
        self._above = next(filter(None, map(transports_in, reversed(path))), ())
        self._is_outward = any(_is_outward(heading) for heading in path)

    def read(self, row: Row) -> tuple[tuple[Entry, ...], str]:
        """The entries of a row, and why something of it was not read; the one, the other or both."""
        if any(row.cells[len(self._columns) :]):
            return (), "it has more cells than the table has headings"
        protocols = read_transports(self._cell(row, Column.PROTOCOL))
        if protocols.unknown.lower() in OTHER_TRANSPORTS:
            return (), no_transport(protocols.unknown)
        items, remarks, unread = self._items(row, protocols)
        if len(items) > _MOST_PORTS:
            items, unread = [], (f"more than {_MOST_PORTS} in one row", *unread)
        portless = self._portless(row, protocols, bool(items or unread))
        why = f"no port: {', '.join(unread)}" if unread else ""
        if not items and not portless:
            return (), why or "no port number"
        guessed = [Item(item.numbers, item.transports or (Transport.TCP,)) for item in items]
        doubts = (_guessed(protocols),) if guessed != items else ()
        common = self._common(row, (*remarks, *protocols.remarks), doubts)
        ports = (*ports_of(guessed), *((Ports(transport, None, None),) for transport in portless))
        return tuple(replace(common, ports=each) for each in ports), why

    def _common(self, row: Row, remarks: tuple[str, ...], doubts: tuple[str, ...]) -> Entry:
        """What the entries of a row have in common: all but the ports."""
        service, about_names = self._service(row)
        unit = read_unit(self._cell(row, Column.UNIT))
        ends = self._ends(row)
        return Entry(
            service=service,
            ports=(),
            sources=ends.sources,
            to=ends.to,
            section=self._section,
            row=self.label(row),
            line=row.line,
            unit=unit.text or self._unit,
            doubts=(*ends.doubts, *doubts),
            remarks=(
                *self._of_the_table,
                *(*remarks, *about_names, *unit.remarks, *ends.remarks, *self._conditions(row)),
            ),
        )

    def _conditions(self, row: Row) -> Iterator[str]:
        """What a column that is not read says of when the row counts."""
        for name, kind, cell in zip(self._names, self._columns, row.cells, strict=False):
            text = " ".join(cell)
            if kind is Column.OTHER and sign_of_condition(text):
                yield from said_more(f"the column {quoted(name, _LONGEST_NAME)} says", text)

    def label(self, row: Row) -> str:
        """What the provenance calls the row: its cells of ports; without one, what else it has."""
        for columns in ((Column.PORT,), tuple(TRANSPORT_OF), (Column.SERVICE,), (Column.PROTOCOL,)):
            cells = (cell for kind, cell in zip(self._columns, row.cells, strict=False) if kind in columns)
            if labels := tuple(dict.fromkeys(filter(None, map(label_of, cells)))):
                return ", ".join(labels)
        return next((cell[0] for cell in row.cells if cell), "")

    def _cell(self, row: Row, column: Column) -> Cell:
        """The first cell of this kind that has something in it."""
        return next((cell for kind, cell in zip(self._columns, row.cells, strict=False) if kind is column and cell), ())

    def _items(self, row: Row, protocols: TransportCell) -> tuple[list[Item], tuple[str, ...], tuple[str, ...]]:
        items: list[Item] = []
        remarks: list[str] = []
        unread: list[str] = []
        if protocols.all and all(map(is_portless, protocols.all)):
            return [], (), ()  # GRE beside 47: the number is the protocol's
        marked = self._marked(row)
        for column, cell in zip(self._columns, row.cells, strict=False):
            if column is not Column.PORT and column not in TRANSPORT_OF:
                continue
            read = read_ports(cell)
            remarks += read.remarks
            unread += read.unread
            side_by_side = len(read.lines) == len(protocols.lines) > 1
            for number, line in enumerate(read.lines):
                beside = (TRANSPORT_OF[column],) if column in TRANSPORT_OF else marked
                beside = beside or (protocols.lines[number] if side_by_side else protocols.all)
                carried = tuple(transport for transport in beside if not is_portless(transport)) or self._above
                items += [Item(item.numbers, item.transports or carried) for item in line]
        return items, tuple(dict.fromkeys(remarks)), tuple(unread)

    def _marked(self, row: Row) -> tuple[Transport, ...]:
        """Beside a column of ports, columns called TCP and UDP are ticked: yes, x."""
        if Column.PORT not in self._columns:
            return ()
        return tuple(
            TRANSPORT_OF[column]
            for column, cell in zip(self._columns, row.cells, strict=False)
            if column in TRANSPORT_OF and cell and cell[0].lower() not in _UNTICKED
        )

    def _portless(self, row: Row, protocols: TransportCell, has_numbers: bool) -> tuple[Transport, ...]:
        named = tuple(transport for transport in protocols.all if is_portless(transport))
        if named or has_numbers or protocols.all:
            return named
        return ip_protocol_in(" ".join((*self._cell(row, Column.PORT), *self._cell(row, Column.SERVICE))))

    def _service(self, row: Row) -> tuple[str, tuple[str, ...]]:
        """What listens, with its owner behind it where the table has both."""
        names = [read_service(cell) for kind in (Column.SERVICE, Column.OWNER) if (cell := self._cell(row, kind))]
        remarks = tuple(remark for name in names for remark in name.remarks)
        texts = [name.text for name in names if name.text] or [self._section]
        return texts[0] if len(texts) == 1 else f"{texts[0]} ({texts[1]})", remarks

    def _ends(self, row: Row) -> _Ends:
        if {Column.SOURCE, Column.DESTINATION} & set(self._columns):
            ends = self._named_ends(row)
        else:
            direction = " ".join(self._cell(row, Column.DIRECTION))
            outward = _is_outward(direction) if direction else self._is_outward
            remarks = ("the direction is both ways; only the way in was taken",) if _is_both_ways(direction) else ()
            ends = _Ends((HOST,), (PEER,)) if outward else _Ends((ANY,), (HOST,), remarks=remarks)
        for name in (*ends.to, *ends.sources):
            if name not in BUILTIN_SOURCES:
                self.roles.setdefault(name, ends.titles.get(name, ""))
        return ends

    def _named_ends(self, row: Row) -> _Ends:
        source = read_roles(self._cell(row, Column.SOURCE))
        destination = read_roles(self._cell(row, Column.DESTINATION))
        sources = tuple(source.roles) or (ANY,)
        to = tuple(name for name in destination.roles if name not in BUILTIN_SOURCES)
        is_local = set(destination.roles) == {LOCALHOST}
        remarks: list[str] = []
        doubts: list[str] = []
        if is_local:
            sources = (LOCALHOST,)
        elif LOCALHOST in sources and len(sources) > 1:
            sources = tuple(name for name in sources if name != LOCALHOST)
            remarks.append("the source has localhost as well")
        if source.says_more or destination.says_more:
            remarks.append("the source or the destination says more than roles")
        if source.and_back or destination.and_back:
            remarks.append("connections go both ways; only one was taken: write the other as well")
        if not source.is_readable and Column.SOURCE in self._columns:
            doubts.append(NO_SOURCE)
        if not to and not is_local and Column.DESTINATION in self._columns:
            doubts.append(NO_DESTINATION)
        return _Ends(sources, to or (HOST,), {**source.roles, **destination.roles}, tuple(remarks), tuple(doubts))
