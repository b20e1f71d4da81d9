"""What is left of a vendor's page when its markup is read: headings, tables, paragraphs, each with its line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portcheck.printable import printable

Cell = tuple[str, ...]
"""The lines of a table's cell: what the page breaks with <br> or puts into paragraphs of their own."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the page's own."""

    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; a cell that spans several columns or rows is repeated in each.

    Attributes:
        is_heading: the page marks it as one.
        rows_below: how many rows below it a cell of this row reaches.
    """

    cells: tuple[Cell, ...]
    line: int
    is_heading: bool = False
    rows_below: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Which of its rows is the heading is for the reader to find out."""

    rows: tuple[Row, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph or a list's item; the line ends of the source are kept, to tell the line of a word."""

    text: str
    line: int


MAX_ROWS = 5000
"""Rows in the tables of a page. Reading 60,000 rows took 14 s, only to be refused for their number."""

TOO_MANY_ROWS = f"has more than {MAX_ROWS:,} rows in its tables; cut it into several files"

Block = Heading | Table | Paragraph


@dataclass(frozen=True, slots=True)
class Page:
    """The blocks of a page in their order, and what it says about itself.

    Attributes:
        title: what the page's head calls it, if it has one.
        url: the page's own address or path, as far as its head says so.
    """

    blocks: tuple[Block, ...]
    title: str | None = None
    url: str | None = None


_RAISED = re.compile("[⁰¹²³⁴-⁹⁽⁾]")
_FOOTNOTE = re.compile(r"\[\^[^\[\]]{1,20}\]")
_TEMPLATE_MARKS = (("{%", "%}"), ("{{", "}}"))
"""Commands of Jekyll, Hugo, Jinja: they are no part of what the reader of the page sees."""


_LONGEST = 160
"""Characters of a value of the draft: names and cells; sentences are not copied."""


def as_value(text: str) -> str:
    """A text of the page as a value of the draft has it: one line, printable, not long."""
    return printable(" ".join(text.split()), _LONGEST) or "-"


def clean_line(text: str) -> str:
    """The visible text of one line: no footnote digits, no control characters, single spaces."""
    return " ".join(clean_text(text).split())


def clean_text(text: str) -> str:
    """As `clean_line`, with the line ends kept."""
    visible = _FOOTNOTE.sub("", _RAISED.sub("", without_marks(text)))
    return "\n".join(
        " ".join("".join(char if char.isprintable() else " " for char in line).split()) for line in visible.split("\n")
    )


def without_marks(text: str) -> str:
    """The text without template commands; the line ends inside them stay, so that lines keep their numbers."""
    for opening, closing in _TEMPLATE_MARKS:
        text = cut_out(text, opening, closing)
    return text


def cut_out(text: str, opening: str, closing: str) -> str:
    """The text without everything between these two, themselves included. A regular expression would search the
    rest of a hostile page again for each mark that is opened and not closed."""
    kept: list[str] = []
    end = 0
    while (start := text.find(opening, end)) >= 0:
        stop = text.find(closing, start + len(opening))
        if stop < 0:
            break
        kept.append(text[end:start])
        end = stop + len(closing)
        kept.append("\n" * text.count("\n", start, end))
    kept.append(text[end:])
    return "".join(kept)
