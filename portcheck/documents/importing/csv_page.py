"""Comma, semicolon or tab separated values as one table, by the standard library."""

from __future__ import annotations

import csv
import io

from portcheck.documents.importing.columns import TRANSPORT_OF, Column, read_headings
from portcheck.documents.importing.page import MAX_ROWS, TOO_MANY_ROWS, Page, Row, Table, clean_line
from portcheck.model import PortcheckError
from portcheck.printable import printable

_SEPARATORS = (",", ";", "\t")
_ENOUGH = 20_000
"""Characters in which the first two rows are looked for."""


def is_csv(text: str) -> bool:
    """Whether a text whose name says nothing begins with a row of headings and a row of as many values."""
    lines = [line for line in text[:_ENOUGH].split("\n") if line.strip()][:2]
    separator = _separator(lines[0]) if lines else ""
    try:
        rows = list(csv.reader(lines, delimiter=separator)) if separator in "".join(lines[:1]) else []
    except csv.Error:
        return False
    if len(rows) < 2 or not 1 < len(rows[0]) == len(rows[1]):
        return False
    known = [column for column in read_headings(rows[0]) if column is not Column.OTHER]
    return len(known) > 1 and bool({Column.PORT, *TRANSPORT_OF} & set(known))


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def read_csv(text: str) -> Page:
    """A table of separated values; the separator is what the first line has most of.

    Raises:
        PortcheckError: the file breaks the rules of its format.
    """
    first = next(filter(None, text.split("\n")), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(first))
    rows: list[Row] = []
    try:
        for cells in reader:
            if len(rows) == MAX_ROWS:
                raise PortcheckError(TOO_MANY_ROWS)
            read = tuple(tuple(filter(None, map(clean_line, cell.split("\n")))) for cell in cells)
            rows.append(Row(read, reader.line_num))
    except csv.Error as error:
        raise PortcheckError(f"line {reader.line_num}: not readable as CSV ({printable(str(error), 100)})") from None
    return Page((Table(tuple(rows), 1),) if rows else ())
