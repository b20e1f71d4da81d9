"""HTML as blocks, by Beautiful Soup. Whole pages, and the HTML that stands inside of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

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
_MAX_ROWSPAN = 65534
"""As in browsers."""


def read_html(text: str) -> Page:
    """A page of HTML."""
    soup = _soup(text)
    title = soup.title.get_text() if soup.title is not None else ""
    return Page(tuple(_blocks(soup, 0)), clean_line(title) or None)


def html_blocks(text: str, lines_before: int) -> Iterator[Block]:
    """The blocks of a piece of HTML that has so many lines of its page before it."""
    return _blocks(_soup(text), lines_before)


def _soup(text: str) -> BeautifulSoup:
    # The line end keeps Beautiful Soup from warning of a text that could be a file's name.
    return BeautifulSoup(_NO_TAG.sub("&lt;", cut_out(text, "<!--", "-->")) + "\n", "html.parser")


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
    from_above: dict[int, tuple[int, Cell]] = {}  # column to the rows still to fill and what fills them
    group: PageElement | None = None
    for row in table.find_all("tr"):
        if row.parent is not group:  # a cell ends with its <thead> or <tbody>
            from_above, group = {}, row.parent
        tags = row.find_all(["td", "th"], recursive=False)
        cells, below, from_above = _filled(tags, from_above)
        in_head = isinstance(group, Tag) and group.name == "thead"
        is_heading = bool(tags) and (in_head or all(tag.name == "th" for tag in tags))
        yield Row(cells, lines_before + (row.sourceline or 1), is_heading, below)


def _filled(
    tags: Sequence[Tag], from_above: Mapping[int, tuple[int, Cell]]
) -> tuple[tuple[Cell, ...], int, dict[int, tuple[int, Cell]]]:
    """A row's cells with those that reach into it from above; how far its own reach down; what fills the next row."""
    cells: dict[int, Cell] = {column: cell for column, (_, cell) in from_above.items()}
    next_row = {column: (left - 1, cell) for column, (left, cell) in from_above.items() if left > 1}
    below = column = 0
    for tag in tags:
        while column in from_above:
            column += 1
        rows, cell = _span(tag, "rowspan") or _MAX_ROWSPAN, _cell(tag)
        below = max(below, rows - 1)
        for _ in range(min(_span(tag, "colspan") or 1, _MAX_COLUMNS - column)):
            cells[column] = cell
            if rows > 1:
                next_row[column] = (rows - 1, cell)
            column += 1
    width = max(cells, default=-1) + 1
    return tuple(cells.get(at, ()) for at in range(width)), below, next_row


def _span(tag: Tag, name: str) -> int:
    """How many rows or columns; rowspan=0 is all that are left."""
    written = str(tag.get(name, "1"))
    return min(int(written), _MAX_ROWSPAN) if re.fullmatch("[0-9]{1,5}", written) else 1


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
