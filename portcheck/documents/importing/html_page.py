"""HTML as blocks, by Beautiful Soup. Whole pages, and the HTML that stands inside of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, PreformattedString, Tag

from portcheck.documents.importing.page import (
    Block,
    Cell,
    Heading,
    Page,
    Paragraph,
    Row,
    Table,
    clean_line,
    clean_text,
    cut_out,
)

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN = frozenset({"head", "script", "style", "template", "noscript", "svg", "nav", "sup"})
"""Not part of the text; a raised text is a footnote's number."""
_NEW_LINE = frozenset({"br", "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "pre", "blockquote"})
_NEW_PARAGRAPH = _NEW_LINE | {"table", "caption", "tr", "td", "th", "section", "article", "main", "header", "footer"}

_LONGEST_TAG = 4000
_NO_TAG = re.compile(rf"<(?![^<>]{{0,{_LONGEST_TAG}}}>)")
"""A "<" that begins no tag. Python's HTML parser needs 12 s for 30 KB of them (3.11.7), so they become text."""

_MAX_COLUMNS = 64
"""A hostile colspan must not multiply a table's cells without end; rowspan ends with the rows that there are."""


def read_html(text: str) -> Page:
    """A page of HTML."""
    soup = _soup(text)
    title = soup.title.get_text() if soup.title is not None else ""
    return Page(tuple(_blocks(soup, 0)), clean_line(title) or None)


def html_blocks(text: str, lines_before: int) -> Iterator[Block]:
    """The blocks of a piece of HTML that has so many lines of its page before it."""
    return _blocks(_soup(text), lines_before)


def _soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(_NO_TAG.sub("&lt;", cut_out(text, "<!--", "-->")), "html.parser")


def _blocks(soup: BeautifulSoup, lines_before: int) -> Iterator[Block]:
    """Walks with a stack of its own: how deep a page is nested is up to its author. None ends a paragraph."""
    pending: list[PageElement | None] = [soup]
    around_tables = _tables_around_tables(soup)
    text: list[str] = []
    begins = line = lines_before + 1
    while pending:
        node = pending.pop()
        if isinstance(node, NavigableString):
            text += [] if isinstance(node, PreformattedString) else [str(node)]
            continue
        if isinstance(node, Tag):
            line = max(line, lines_before + (node.sourceline or 1))
            if node.name in _UNSEEN:
                continue
        if not isinstance(node, Tag) or node.name in _NEW_PARAGRAPH or node.name in _HEADINGS:
            if paragraph := clean_text("".join(text)).rstrip():
                yield Paragraph(paragraph, begins)
            text, begins = [], line
        if not isinstance(node, Tag):
            continue
        if node.name in _HEADINGS:
            yield Heading(_HEADINGS[node.name], " ".join(_cell(node)), line)
        elif node.name == "table" and id(node) not in around_tables:
            yield Table(tuple(_rows(node, lines_before)), line)
        else:
            pending += [None] if node.name in _NEW_PARAGRAPH else []
            pending += node.contents[::-1]


def _tables_around_tables(soup: BeautifulSoup) -> frozenset[int]:
    """The tables that are there for the looks, by identity. Going up from each table would take for ever in a hostile
    page: this goes down once."""
    found: set[int] = set()
    pending: list[tuple[Tag, int]] = [(soup, 0)]
    while pending:
        tag, table = pending.pop()
        if tag.name == "table":
            found.add(table)
            table = id(tag)
        pending += [(child, table) for child in tag.contents if isinstance(child, Tag)]
    return frozenset(found)


def _rows(table: Tag, lines_before: int) -> Iterator[Row]:
    reaching_down: dict[int, tuple[int, Cell]] = {}  # column to the rows still to fill and what fills them
    for row in table.find_all("tr"):
        cells: list[Cell] = []
        given = iter(row.find_all(["td", "th"], recursive=False))
        while len(cells) < _MAX_COLUMNS:
            left, cell = reaching_down.pop(len(cells), (0, ()))
            width = 1
            if not left:
                tag = next(given, None)
                if tag is None:
                    break
                left, width, cell = _span(tag, "rowspan"), _span(tag, "colspan"), _cell(tag)
            for column in range(len(cells), len(cells) + width):
                if left > 1:
                    reaching_down[column] = (left - 1, cell)
            cells += [cell] * width
        yield Row(tuple(cells), lines_before + (row.sourceline or 1))


def _span(tag: Tag, name: str) -> int:
    written = str(tag.get(name, "1"))
    return min(int(written), _MAX_COLUMNS) if re.fullmatch("[1-9][0-9]{0,3}", written) else 1


def _cell(cell: Tag) -> Cell:
    """The lines of a cell; a line end of the source is a space, as in a browser."""
    lines: list[list[str]] = [[]]
    pending: list[PageElement | None] = list(cell.contents[::-1])
    while pending:
        node = pending.pop()
        if isinstance(node, NavigableString):
            lines[-1] += [] if isinstance(node, PreformattedString) else [str(node)]
        elif node is None:
            lines.append([])
        elif isinstance(node, Tag) and node.name not in _UNSEEN:
            if node.name in _NEW_LINE:
                lines.append([])
                pending.append(None)
            pending += node.contents[::-1]
    return tuple(filter(None, (clean_line(" ".join("".join(parts).split("\n"))) for parts in lines)))
