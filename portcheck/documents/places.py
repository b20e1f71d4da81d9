"""Where in its source a fact stands, and the facts that no probe can check: alike in both kinds of document."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portcheck.model import NotCheckable, Provenance
from portcheck.records import Entry, Item
from portcheck.yaml_input import Problems


def place(entry: Entry, document_id: str) -> Provenance:
    """A `{section: …, row: …}` of the document with this id."""
    return Provenance(
        document=entry.get("document", str) or document_id,
        section=entry.need("section", str),
        row=entry.need("row", str),
    )


def not_checkable(entry: Entry, document_id: str) -> tuple[NotCheckable, ...]:
    """The rows of a document that name nothing to probe."""
    return tuple(
        NotCheckable(place(each.need("provenance", Entry), document_id), each.need("reason", str))
        for each in entry.values("not_checkable", Entry)
    )


def place_key(entry: Entry) -> object:
    """What makes two places the same, before it is known that they are complete."""
    return tuple(entry.get(key, str) for key in ("document", "section", "row"))


def refuse_same_rows(items: Iterable[Item[Entry]], fact: Callable[[Entry], object], problems: Problems) -> None:
    """A row that stands twice is a slip of the pen. `fact` is what makes two the same, None for an unreadable one."""
    first_lines: dict[object, int] = {}
    for item in items:
        if (found := fact(item.value)) is None:
            continue
        if found in first_lines:
            problems.add(item.line, item.where, f"the same row as in line {first_lines[found]}; remove one")
        first_lines.setdefault(found, item.line)
