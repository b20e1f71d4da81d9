"""Markdown as blocks, by markdown-it-py: CommonMark with GitHub's tables, and HTML in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

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
)

_MAX_INLINE = 5000
"""Characters of a paragraph or cell whose marks are read. 30 KB of "[" take 0.7 s, ten times as many 70 s."""

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<fields>.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(?P<key>title|permalink|canonical_url|url):[ \t]*(?P<value>\S.*)$", re.MULTILINE)

_LINE_BREAK = re.compile(r"</?(br|p|div|li|ul|ol)\b", re.IGNORECASE)
_RAISED = re.compile(r"<(?P<end>/?)sup\b", re.IGNORECASE)


def read_markdown(text: str) -> Page:
    """A page of Markdown."""
    head = _front_matter(text)
    body = _FRONT_MATTER.sub(lambda found: "\n" * found[0].count("\n"), text, count=1)
    # Marks inside of lines are read below, for what is needed of them and within a limit.
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    blocks = tuple(_blocks(parser, parser.parse(body), body.split("\n")))
    return Page(blocks, head.get("title"), head.get("permalink") or head.get("canonical_url") or head.get("url"))


def _front_matter(text: str) -> dict[str, str]:
    """The page's head, line by line: titles are not worth a second reader of YAML."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}
    return {each["key"]: clean_line(each["value"].strip("\"' \t")) for each in _FIELD.finditer(found["fields"])}


def _blocks(parser: MarkdownIt, tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[Block]:
    rows: list[Row] = []
    cells: list[Cell] = []
    cells_line = 0
    inside = ""
    table_ends = [at + 1 for at, line in enumerate(lines) if "</table" in line.lower()]
    read_up_to = 0  # the line behind an HTML table with empty lines in it, which for CommonMark end the HTML
    for token in tokens:
        line, behind = token.map or (read_up_to, read_up_to)
        if line < read_up_to and token.map:
            continue
        match token.type:
            case "html_block":
                read_up_to = _end_of_html(token.content, behind, table_ends)
                yield from _html_blocks("\n".join(lines[line:read_up_to]), line)
            case "heading_open" | "th_open" | "td_open" | "paragraph_open":
                inside = token.tag
            case "table_open":
                rows = []
            case "tr_open":
                cells = []
            case "tr_close":
                rows.append(Row(tuple(cells), cells_line, is_heading=inside == "th"))
            case "table_close":
                yield Table(tuple(rows), rows[0].line)
            case "inline":
                cells_line = line + 1
                if inside in ("th", "td"):
                    cells.append(_cell(parser, token.content))
                elif inside != "p":
                    yield Heading(int(inside[1:]), " ".join(_cell(parser, token.content)), line + 1)
                elif text := clean_text(_visible(parser, token.content)).rstrip():
                    yield Paragraph(text, line + 1)


def _html_blocks(html: str, lines_before: int) -> Iterator[Block]:
    from portcheck.documents.importing.html_page import html_blocks  # 0.1 s that most pages need not pay

    return html_blocks(html, lines_before)


def _end_of_html(html: str, behind: int, table_ends: Sequence[int]) -> int:
    """The line behind a piece of HTML; a table in it goes on to its end."""
    if "<table" not in html.lower() or "</table" in html.lower():
        return behind
    following = bisect_right(table_ends, behind)
    return table_ends[following] if following < len(table_ends) else behind


def _cell(parser: MarkdownIt, content: str) -> Cell:
    return tuple(filter(None, (clean_line(line) for line in _visible(parser, content).split("\n"))))


def _visible(parser: MarkdownIt, content: str) -> str:
    """The text of a paragraph or cell without its marks."""
    if len(content) > _MAX_INLINE:
        return content
    parts: list[str] = []
    raised = False
    marks: list[Token] = []
    parser.inline.parse(content, parser, {}, marks)
    for token in marks:
        if token.type == "html_inline":
            if _LINE_BREAK.match(token.content):
                parts.append("\n")
            elif found := _RAISED.match(token.content):
                raised = not found["end"]
        elif token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type in ("text", "text_special", "code_inline") and not raised:
            parts.append(token.content)
    return "".join(parts)
