"""What the columns of a table are about, by their headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from portcheck.documents.importing.page import Row
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

_BY_WORDS: tuple[tuple[Column, frozenset[str], frozenset[str]], ...] = (
    (Column.OTHER, frozenset({"port", "ports"}), frozenset({"source", "src", "ephemeral"})),
    (Column.SERVICE, frozenset({"port", "protocol"}), frozenset({"name", "description", "use", "usage", "purpose"})),
    (Column.SERVICE, frozenset({"protocol", "protocols"}), frozenset({"application"})),
    (Column.PORT, frozenset({"port", "ports"}), frozenset()),
    (Column.OWNER, frozenset({"system", "windows"}), frozenset({"service", "services"})),
    (Column.UNIT, frozenset({"unit", "daemon", "process", "executable"}), frozenset()),
    (Column.SOURCE, frozenset({"source", "src", "from", "initiator"}), frozenset()),
    (Column.DESTINATION, frozenset({"destination", "dest", "dst", "to", "target", "listener"}), frozenset()),
    (Column.DIRECTION, frozenset({"direction"}), frozenset()),
    (Column.PROTOCOL, frozenset({"protocol", "protocols", "transport", "transports", "tcp", "udp"}), frozenset()),
)
"""The first line whose words stand in the heading: one of the first set, and one of the second if there is one."""

_SERVICE_WORDS = (
    *("application", "service", "component", "name", "feature", "function"),
    *("use", "usage", "used", "purpose", "traffic", "description"),
)
"""What a column is called that says what listens: the first of these that a table has."""

_ROWS_ABOVE = 5
"""A table may begin with a title and empty rows before its heading."""


def find_headings(rows: Sequence[Row]) -> tuple[int, tuple[Column, ...]] | None:
    """Which row has the headings, and what they say; None for a table without a column of ports."""
    for number, row in enumerate(rows[:_ROWS_ABOVE]):
        columns = read_headings([" ".join(cell) for cell in row.cells])
        if {Column.PORT, Column.TCP, Column.UDP} & set(columns):
            return number, columns
    return None


def read_headings(headings: Sequence[str]) -> tuple[Column, ...]:
    """What each column holds; the best of those that may be the service is it."""
    words = [tuple(re.findall("[a-z]+", heading.lower())) for heading in headings]
    columns = [_column(each) for each in words]
    if Column.SERVICE not in columns:
        best = min((_service_rank(each), number) for number, each in enumerate(words)) if words else (None, 0)
        if best[0] is not None and best[0] < len(_SERVICE_WORDS) and columns[best[1]] is Column.OTHER:
            columns[best[1]] = Column.SERVICE
    return tuple(columns)


def _column(words: Sequence[str]) -> Column:
    rows = ((column, one_of, and_one_of or one_of) for column, one_of, and_one_of in _BY_WORDS)
    column = next((row for row, one_of, and_one_of in rows if one_of & set(words) and and_one_of & set(words)), None)
    if column is Column.PORT or words in (("tcp",), ("udp",)):
        transports = [transport for transport in TRANSPORT_OF if transport in words]
        return transports[0] if len(transports) == 1 else Column.PORT
    return column or Column.OTHER


def _service_rank(words: Sequence[str]) -> int:
    return min((_SERVICE_WORDS.index(word) for word in words if word in _SERVICE_WORDS), default=len(_SERVICE_WORDS))
