"""Comma, semicolon or tab separated values as one table, by the standard library."""

from __future__ import annotations

import csv
import io

from portcheck.documents.importing.page import Page, Row, Table, clean_line
from portcheck.model import PortcheckError
from portcheck.printable import printable

_SEPARATORS = (",", ";", "\t")


def read_csv(text: str) -> Page:
    """A table of separated values; the separator is what the first line has most of.

    Raises:
        PortcheckError: the file breaks the rules of its format.
    """
    first = next(filter(None, text.split("\n")), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count))
    rows: list[Row] = []
    try:
        for cells in reader:
            read = tuple(tuple(filter(None, map(clean_line, cell.split("\n")))) for cell in cells)
            rows.append(Row(read, reader.line_num))
    except csv.Error as error:
        raise PortcheckError(f"line {reader.line_num}: not readable as CSV ({printable(str(error), 100)})") from None
    return Page((Table(tuple(rows), 1),) if rows else ())
