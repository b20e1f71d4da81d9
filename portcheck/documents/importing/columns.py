"""What the columns of a table are about, by their headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portcheck.documents.importing.page import Row, Table
from portcheck.engine.probe import Transport, Word


class Column(Word):
    """What a column holds."""

    PORT = "port"
    TCP = "tcp"
    UDP = "udp"
    PROTOCOL = "protocol"
    SERVICE = "service"
    OWNER = "owner"
    UNIT = "unit"
    SOURCE = "source"
    DESTINATION = "destination"
    DIRECTION = "direction"
    OTHER = "other"


TRANSPORT_OF = {Column.TCP: Transport.TCP, Column.UDP: Transport.UDP}
"""Columns whose ports need no word on their transport."""

_PORT_WORDS = frozenset({"port", "ports", "portnummer", "zielport"})
_BY_WORDS: tuple[tuple[Column, frozenset[str], frozenset[str]], ...] = (
    (Column.OTHER, _PORT_WORDS, frozenset({"source", "src", "ephemeral", "quelle"})),
    (Column.SERVICE, frozenset({"port", "protocol"}), frozenset({"name", "description", "use", "usage", "purpose"})),
    (Column.SERVICE, frozenset({"protocol", "protocols"}), frozenset({"application"})),
    (Column.PORT, _PORT_WORDS, frozenset()),
    (Column.OWNER, frozenset({"system", "windows"}), frozenset({"service", "services"})),
    (Column.UNIT, frozenset({"unit", "daemon", "process", "executable"}), frozenset()),
    (Column.SOURCE, frozenset({"source", "src", "from", "initiator", "quelle", "von"}), frozenset()),
    (
        Column.DESTINATION,
        frozenset({"destination", "dest", "dst", "to", "target", "listener", "ziel", "nach"}),
        frozenset(),
    ),
    (Column.DIRECTION, frozenset({"direction", "richtung"}), frozenset()),
    (
        Column.PROTOCOL,
        frozenset({"protocol", "protocols", "transport", "transports", "tcp", "udp", "protokoll", "l4", "layer4"}),
        frozenset(),
    ),
)
"""The first line whose words stand in the heading: one of the first set, and one of the second if there is one."""

_SERVICE_WORDS = (
    *("application", "service", "component", "name", "feature", "function"),
    *("dienst", "anwendung", "komponente", "use", "usage", "used", "purpose", "zweck", "traffic"),
    *("description", "beschreibung"),
)
"""What a column is called that says what listens: the first of these that a table has."""

_ROWS_ABOVE = 5
"""A table may begin with a title and empty rows before its heading."""

_BELOW = " / "
"""Between the headings above one column."""

_IS_NUMBERS = re.compile(r"(?=.*[0-9])(?:[0-9]+|tcp|udp|[\W_])+", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Headings:
    """What the headings of a table say.

    Attributes:
        names: the headings of each column from the top down, as one text.
        columns: what each column holds.
        rows: how many rows of the table are above the first that is not a heading.
        problem: why the columns of ports cannot be told apart; empty if they can.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: int
    problem: str = ""

    @property
    def not_read(self) -> tuple[str, ...]:
        """The names of the columns that nothing is taken from."""
        return tuple(
            name or f"number {number}"
            for number, (name, column) in enumerate(zip(self.names, self.columns, strict=True), 1)
            if column is Column.OTHER
        )


def parts_of(table: Table) -> Iterator[Table]:
    """The table, cut where it has headings again."""
    begin = 0
    for number, row in enumerate(table.rows):
        is_new = row.is_heading and number and not table.rows[number - 1].is_heading
        if is_new and len(set(row.cells)) > 1 and not _has_numbers(row):
            yield Table(table.rows[begin:number], table.rows[begin].line if begin else table.line)
            begin = number
    yield Table(table.rows[begin:], table.rows[begin].line if begin else table.line)


def find_headings(rows: Sequence[Row]) -> Headings | None:
    """The headings of a table; None for a table without a column of ports."""
    width = max((len(row.cells) for row in rows), default=0)
    above = [number for number, row in enumerate(rows[:_ROWS_ABOVE]) if any(row.cells) and not _has_numbers(row)]
    for number in sorted(above, key=lambda number: _is_title(rows[number], width)):
        last = _last_heading(rows, number)
        stack = [row for row in rows[number : last + 1] if not _is_title(row, width)] or [rows[number]]
        paths = [_path(stack, column) for column in range(max(len(row.cells) for row in stack))]
        columns = read_headings([_BELOW.join(path) for path in paths], [path[-1] if path else "" for path in paths])
        known = sum(column is not Column.OTHER for column in columns)
        is_likely = number == 0 or rows[number].is_heading or known >= min(width, 2)
        if is_likely and {Column.PORT, *TRANSPORT_OF} & set(columns):
            names = tuple(_BELOW.join(path) for path in paths)
            return Headings(names, columns, last + 1, _problem(rows, names, columns, len(stack), last - number))
    return None


def _has_numbers(row: Row) -> bool:
    """Whether a cell has ports and nothing else: such a row is no heading."""
    return any(_IS_NUMBERS.fullmatch(line) for cell in row.cells for line in cell)


def _is_title(row: Row, width: int) -> bool:
    """Whether there is one text only, over all columns or before empty cells."""
    said = [cell for cell in row.cells if cell]
    return width > 1 and (len(said) == 1 or (len(said) == width and len(set(said)) == 1))


def _last_heading(rows: Sequence[Row], first: int) -> int:
    """The last row of the headings that begin in `first`: marked as such, reached from above, or by what it says."""
    last = at = first
    while at <= last:
        last = max(last, at + rows[at].rows_below)
        following = rows[at + 1] if at + 1 < len(rows) else None
        if following is not None and (
            (rows[first].is_heading and following.is_heading and not _has_numbers(following))
            or _splits(rows[at], following)
        ):
            last = max(last, at + 1)
        at += 1
        if at >= len(rows) or last - first > _ROWS_ABOVE:
            break
    return last


def _splits(above: Row, row: Row) -> bool:
    """Whether a row that is not marked divides headings above it: TCP and UDP below Ports."""
    if _has_numbers(row):
        return False
    said = [
        (_column(_words(" ".join(upper))), _words(" ".join(cell)))
        for upper, cell in zip(above.cells, row.cells, strict=False)
        if cell and cell != upper
    ]
    divides = any(upper is Column.PORT and _column(lower) in TRANSPORT_OF for upper, lower in said)
    return divides and all(_column(lower) is not Column.OTHER or _is_name(lower) for _, lower in said)


def _path(rows: Sequence[Row], column: int) -> tuple[str, ...]:
    """The headings above a column, from the top down; one that reaches over several rows counts once."""
    said = [" ".join(row.cells[column]) for row in rows if column < len(row.cells) and row.cells[column]]
    return tuple(text for number, text in enumerate(said) if number == 0 or text != said[number - 1])


def _problem(rows: Sequence[Row], names: Sequence[str], columns: Sequence[Column], depth: int, reach: int) -> str:
    """Why ports would be taken for something else than they are; empty for what can be read."""
    if reach > _ROWS_ABOVE or (depth > 1 and len(rows) <= reach + 1):
        return "its headings take more rows than can be understood"
    for kind in dict.fromkeys(columns):
        same = [name for name, column in zip(names, columns, strict=True) if column is kind]
        is_twice = kind is Column.PORT and len(set(same)) < len(same)
        is_directed = kind in (Column.PORT, *TRANSPORT_OF) and any(map(_DIRECTED.search, same))
        if kind is not Column.OTHER and len(same) > 1 and (depth > 1 or is_twice or is_directed):
            return f"its headings could not be understood: {', '.join(same)}"
    return ""


_DIRECTED = re.compile(r"\b(?:in|out|inbound|outbound|incoming|outgoing|ingress|egress|remote)\b", re.IGNORECASE)


def read_headings(headings: Sequence[str], nearest: Sequence[str] | None = None) -> tuple[Column, ...]:
    """What each column holds; the best of those that may be the service is it. `nearest`: the lowest heading of each,
    where there are several above one column."""
    words = [_words(heading) for heading in headings]
    columns = [_column_below(whole, _words(leaf)) for whole, leaf in zip(words, nearest or headings, strict=True)]
    if Column.SERVICE not in columns:
        best = min((_service_rank(each), number) for number, each in enumerate(words)) if words else (None, 0)
        if best[0] is not None and best[0] < len(_SERVICE_WORDS) and columns[best[1]] is Column.OTHER:
            columns[best[1]] = Column.SERVICE
    return tuple(columns)


def _words(heading: str) -> tuple[str, ...]:
    return tuple(re.findall(r"layer ?4|l4|[^\W\d_]+", heading.lower().replace("layer 4", "layer4")))


def _column_below(whole: Sequence[str], leaf: Sequence[str]) -> Column:
    """The lowest heading decides; those above it say which transport's ports it has, or that they are the sources'."""
    if whole == leaf:
        return _column(leaf)
    above, below = _column(whole), _column(leaf)
    if below is Column.OTHER:
        return below if _is_name(leaf) and above not in (Column.SOURCE, Column.DESTINATION) else above
    has_ports = {Column.PORT, *TRANSPORT_OF}
    return above if below in has_ports and (above is Column.OTHER or above in has_ports) else below


def _column(words: Sequence[str]) -> Column:
    rows = ((column, one_of, and_one_of or one_of) for column, one_of, and_one_of in _BY_WORDS)
    column = next((row for row, one_of, and_one_of in rows if one_of & set(words) and and_one_of & set(words)), None)
    if column is Column.PORT or tuple(words) in (("tcp",), ("udp",)):
        transports = [transport for transport in TRANSPORT_OF if transport in words]
        return transports[0] if len(transports) == 1 else Column.PORT
    return column or Column.OTHER


def _is_name(words: Sequence[str]) -> bool:
    return _service_rank(words) < len(_SERVICE_WORDS)


def _service_rank(words: Sequence[str]) -> int:
    return min((_SERVICE_WORDS.index(word) for word in words if word in _SERVICE_WORDS), default=len(_SERVICE_WORDS))
