"""The manual's tables of the file formats, from the tables that read them: python -m portcheck.documents.manual."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from portcheck.documents.schema import FORMATS
from portcheck.records import Choice, Flag, Kind, ListOf, MapOf, Record, Syntax, Text


def format_tables(name: str) -> str:
    """One Markdown table for each record of a format, the outermost first."""
    root, _ = FORMATS[name]
    records = {record.name: record for record in _records(root)}
    return "\n".join(_table(record) for record in records.values())


def _records(kind: Kind) -> Iterator[Record]:
    match kind:
        case Record():
            yield kind
            for field in kind.fields:
                yield from _records(field.kind)
        case ListOf():
            yield from _records(kind.item)
        case MapOf():
            yield from _records(kind.value)


def _table(record: Record) -> str:
    head = f"### {record.name}\n\n| key | value | required | meaning |\n|---|---|---|---|\n"
    rows = (
        f"| `{field.key}` | {_words(field.kind)} | {'yes' if field.required else 'no'} | {_cell(field.meaning)} |\n"
        for field in record.fields
    )
    return head + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _words(kind: Kind) -> str:
    match kind:
        case Text():
            return "a text"
        case Syntax():
            return kind.name
        case Flag():
            return "`true` or `false`"
        case Choice():
            return ", ".join(f"`{word}`" for word in kind.words)
        case ListOf():
            return f"{_words(kind.item)}, or a list of such" if kind.lone else f"a list; each: {_words(kind.item)}"
        case MapOf():
            return f"a mapping; each: {kind.name.name}, and {_words(kind.value)}"
        case Record():
            return f"a [{kind.name}](#{kind.name})"


def main(arguments: list[str]) -> int:
    """Write the tables of the format named by the only argument to standard output; 2 for a wrong command line."""
    if len(arguments) != 1 or arguments[0] not in FORMATS:
        sys.stderr.write(f"usage: python -m portcheck.documents.manual {'|'.join(FORMATS)}\n")
        return 2
    sys.stdout.write(format_tables(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
