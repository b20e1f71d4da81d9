"""What was read of a page and what was not, for the reader's terminal. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from portcheck.documents.importing.drafting import FROM_TEXT, Draft, Kind
from portcheck.documents.importing.rows import Entry
from portcheck.model import Listen
from portcheck.printable import printable
from portcheck.wording import plural

_LONGEST = 130
_MOST = 200
"""Lines of one kind: the draft has them all."""

_HEADINGS = {
    Kind.ROW: "Rows that were not read, or not as a whole:",
    Kind.TABLE: "Tables that were not read:",
    Kind.COLUMN: "Tables of which columns were not read:",
    Kind.NOTE: "Tables with marks of notes:",
    Kind.TEXT: "In the text, not in a table, and not read:",
}


_RANGES = {
    Listen.SINGLE: "Short ranges, taken as listen: single; is every port open?",
    Listen.SOME: "Ranges, taken as listen: some; is every port open?",
}


def render(draft: Draft, path: str) -> str:
    """Counts by section, then every place that was read with a guess or not at all, with its line."""
    return "\n".join(_lines(draft, path))


def _lines(draft: Draft, path: str) -> Iterator[str]:
    entries = plural(len(draft.entries), "entry", "entries")
    yield f"{printable(path, 300)}: {entries} from {plural(draft.tables, 'table')} with a column of ports"
    for section, count in Counter(entry.section for entry in draft.entries).items():
        yield f"  {count:4}  {_cut(section)}"
    looked_at = [entry for entry in draft.entries if FROM_TEXT in entry.doubts]
    yield from _places(
        "In the text, not in a table, and taken with a doubt:",
        [f"line {entry.line}: {_cut(entry.row)} ({_cut(entry.section)})" for entry in looked_at],
    )
    yield from _places("Read, but read it again:", _second_looks(draft.entries))
    ranges = [entry for entry in draft.entries if entry.is_range]
    for listen, question in _RANGES.items():
        asked = [entry for entry in ranges if entry.listens_in_some == (listen is Listen.SOME)]
        yield from _places(question, _by_range(asked))
    for kind, heading in _HEADINGS.items():
        unread = [each for each in draft.unread if each.kind is kind]
        yield from _places(heading, [f"line {each.line}: {_cut(each.row)}: {_cut(each.why)}" for each in unread])


def _by_range(entries: list[Entry]) -> list[str]:
    """One line for each range: a page may have the same one in every table."""
    lines: dict[str, list[int]] = {}
    for entry in entries:
        lines.setdefault(str(entry.ports[0]), []).append(entry.line)
    return [
        f"line {each[0]}: {ports}" + (f", and {plural(len(each) - 1, 'time')} more" if each[1:] else "")
        for ports, each in lines.items()
    ]


def _second_looks(entries: tuple[Entry, ...]) -> list[str]:
    """One line for each row with a guess in it; a row may have become several entries."""
    said = {
        (entry.line, _cut(entry.row), "; ".join(_cut(text) for text in (*entry.remarks, *entry.doubts)))
        for entry in entries
        if FROM_TEXT not in entry.doubts
    }
    return [f"line {line}: {row}: {what}" for line, row, what in sorted(said) if what]


def _places(heading: str, places: list[str]) -> Iterator[str]:
    if places:
        yield heading
    for place in places[:_MOST]:
        yield f"  {place}"
    if len(places) > _MOST:
        yield f"  and {len(places) - _MOST:,} more, all of them in the draft"


def _cut(text: str) -> str:
    return printable(text, _LONGEST)
