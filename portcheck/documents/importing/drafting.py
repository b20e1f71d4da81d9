"""The blocks of a page become the entries of a draft, and a list of what could not be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from portcheck.documents.importing.cells import Item, without_notes
from portcheck.documents.importing.columns import find_headings, parts_of
from portcheck.documents.importing.page import Page, Paragraph, Row, Table, as_value
from portcheck.documents.importing.rows import HOST, Entry, RowReader, ports_of
from portcheck.documents.importing.sections import Path, by_path, names_of, own_name, title_of
from portcheck.documents.importing.sentences import Mention, mentions, unit_in
from portcheck.engine.probe import Transport, Word
from portcheck.model import ANY, PortcheckError, Ports

MAX_PLACES = 3000
"""Entries and unread places of one draft; the largest document that comes along has some 300."""

NO_PORT_COLUMN = "it has no column of ports"
FROM_TEXT = "Taken from a sentence, not from a table; read it."


class Kind(Word):
    """What was not read."""

    ROW = "row"
    TABLE = "table"
    TEXT = "text"
    COLUMN = "column"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Unread:
    """A place of the page that gave no entry, and why; `row` is what the page has there."""

    kind: Kind
    section: str
    row: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What was read of a page.

    Attributes:
        roles: name to title; an empty title is the author's to find.
        entries: in the order of the page.
        tables: how many of the page's tables have a column of ports.
    """

    title: str
    url: str | None
    roles: Mapping[str, str]
    entries: tuple[Entry, ...]
    unread: tuple[Unread, ...]
    tables: int


def draft_of(page: Page, name: str = "the page") -> Draft:
    """The draft of a page; `name` stands for the headings of a page that has none.

    It is without an entry when no table and no sentence names a port that can be read.

    Raises:
        PortcheckError: the page has more rows than any document.
    """
    reader = _PageReader(page, name)
    return Draft(
        title=title_of(page) or "",
        url=page.url,
        roles=reader.roles,
        entries=tuple(sorted(reader.entries, key=lambda entry: entry.line)),
        unread=tuple(sorted(reader.unread, key=lambda unread: unread.line)),
        tables=reader.tables,
    )


class _PageReader:
    """Collects entries and unread places; tables first, because a sentence may repeat what a table has."""

    def __init__(self, page: Page, name: str) -> None:
        self.entries: list[Entry] = []
        self.unread: list[Unread] = []
        self.roles: dict[str, str] = {}
        self.tables = 0
        self._lines: dict[object, int] = {}
        blocks = list(by_path(page))
        tables = [(path, part) for path, block in blocks if isinstance(block, Table) for part in parts_of(block)]
        texts = [(path, block) for path, block in blocks if isinstance(block, Paragraph)]
        found = ((path, block, mention) for path, block in texts for mention in mentions(block.text))
        said = list(islice(found, MAX_PLACES + 1))
        _refuse_more_than_the_limit(len(said))
        self._names = names_of([path for path, _ in tables] + [path for path, _, _ in said], own_name(page) or name)
        units = {path: unit for path, block in texts if (unit := unit_in(block.text))}
        for path, table in tables:
            self._read_table(path, table, units.get(path, ""))
        in_tables = {(entry.section, ports) for entry in self.entries for ports in entry.ports}
        for path, paragraph, mention in said:
            section = self._names[path]
            if not _has(in_tables, section, mention):
                line = paragraph.line + paragraph.text.count("\n", 0, mention.at)
                self._read_mention(section, mention, line)

    def _read_table(self, path: Path, table: Table, unit: str) -> None:
        section = self._names[path]
        found = find_headings(table.rows)
        if found is None:
            self._leave_out(Kind.TABLE, section, "a table", table.line, NO_PORT_COLUMN)
            return
        if found.problem:
            self._leave_out(Kind.TABLE, section, "a table", table.line, found.problem)
            return
        self.tables += 1
        if found.not_read:
            self._leave_out(Kind.COLUMN, section, "columns not read", table.line, ", ".join(found.not_read))
        reader = RowReader(found, path, section, unit)
        for row in self._without_notes(section, table.rows[found.rows :]):
            if not any(row.cells):
                continue
            entries, why = reader.read(row)
            for entry in entries:
                self._add(entry)
            if why:
                self._leave_out(Kind.ROW, section, reader.label(row), row.line, why)
        for name, title in reader.roles.items():
            self.roles.setdefault(name, title)

    def _without_notes(self, section: str, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows without the marks of notes, which are named once for the table."""
        marks: dict[str, int] = {}
        for row in rows:
            cells = [without_notes(cell) for cell in row.cells]
            for _, found in cells:
                marks.update({mark: marks.get(mark, row.line) for mark in found})
            yield replace(row, cells=tuple(cell for cell, _ in cells))
        if marks:
            what = "marks of notes left out; read the notes"
            self._leave_out(Kind.NOTE, section, what, min(marks.values()), ", ".join(marks))

    def _read_mention(self, section: str, mention: Mention, line: int) -> None:
        if mention.why_not or not mention.transports:
            why = mention.why_not or "the sentence names no protocol"
            self._leave_out(Kind.TEXT, section, mention.words, line, why)
            return
        self.roles.setdefault(HOST, "")
        for ports in _ports_of(mention):
            self._add(Entry(section, ports, (ANY,), (HOST,), section, mention.words, line, doubts=(FROM_TEXT,)))

    def _add(self, entry: Entry) -> None:
        """Take an entry, unless there is one that says the same."""
        is_text = FROM_TEXT in entry.doubts
        ends = (frozenset(entry.sources), frozenset(entry.to))
        place = (as_value(entry.section), "" if is_text else as_value(entry.row))
        fact = (as_value(entry.service), frozenset(entry.ports), ends, place)
        if fact not in self._lines:
            self._lines[fact] = entry.line
            self.entries.append(entry)
            _refuse_more_than_the_limit(len(self.entries) + len(self.unread))
        elif not is_text:
            why = f"says the same as line {self._lines[fact]}"
            self._leave_out(Kind.ROW, entry.section, entry.row, entry.line, why)

    def _leave_out(self, kind: Kind, section: str, row: str, line: int, why: str) -> None:
        self.unread.append(Unread(kind, section, row, line, why))
        _refuse_more_than_the_limit(len(self.entries) + len(self.unread))


def _refuse_more_than_the_limit(places: int) -> None:
    if places > MAX_PLACES:
        raise PortcheckError(f"has more than {MAX_PLACES:,} rows and sentences with ports; cut it into several files")


def _ports_of(mention: Mention) -> Iterable[tuple[Ports, ...]]:
    if not mention.numbers:
        return [(Ports(transport, None, None),) for transport in mention.transports]
    return ports_of(Item(numbers, mention.transports) for numbers in mention.numbers)


def _has(in_tables: set[tuple[str, Ports]], section: str, mention: Mention) -> bool:
    """Whether the tables of the section have all that the sentence says."""
    transports = mention.transports or (Transport.TCP, Transport.UDP)
    return all(
        any((section, Ports(transport, *numbers)) in in_tables for transport in transports)
        for numbers in mention.numbers or ((None, None),)
    )
