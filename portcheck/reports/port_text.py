"""What all documents say of a port, as a person reads it: what it is called, who needs it, where they disagree."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from portcheck.knowledge.said import About, InRange, Kind, Naming, Span, Survey, Taken
from portcheck.printable import printable
from portcheck.reports.port_rows import names_in_full, need_in_full, port_text
from portcheck.reports.port_summary import dynamic_in_short, names_in_short, needs_in_short, ranges_in_short
from portcheck.wording import listed, plural

_MAX_TEXT = 2000
_NAMES_SHOWN = 20
_ROWS_SHOWN = 200
"""Rows of one block; no port of the shipped documents comes near."""
_NAMED_LINES = 36
_SPAN_LINES = 12
"""Of a range, without --all: as much as one reads through."""

_TAKEN: Mapping[Taken, str] = {
    Taken.ALL: "",
    Taken.SOME: "some of these: ",
    Taken.ONWARD: "from here on: ",
}

_MANY: Mapping[str, str] = {
    "place in the documents": "places in the documents",
    "row about a wide range": "rows about wide ranges",
}
"""Plurals that an s at the end does not make."""

Block = tuple[str, Iterable[str]]
"""A heading and the paragraphs below it; lines of a paragraph after its first are details."""


def render(
    question: str, meanings: list[str], said: Iterable[About | Survey], width: int = 80, everything: bool = False
) -> str:
    """What is known of the ports in question; `meanings` are those of a service name.

    Args:
        everything: each row by itself with its notes and places, and no table cut short.
    """
    pages = [_wrapped(f"{question}: {'; '.join(meanings)}", width, "", "    ")] if meanings else []
    port_page = _full_page if everything else _short_page
    pages += [
        port_page(each, width) if isinstance(each, About) else _survey_page(each, width, everything) for each in said
    ]
    return "\n".join(pages)


def _short_page(about: About, width: int) -> str:
    if not _is_known(about):
        return _nothing(about, width)
    names, needs, ranges = names_in_short(about), needs_in_short(about), ranges_in_short(about)
    dynamic, wide = dynamic_in_short(about)
    blocks: tuple[Block, ...] = (
        ("What it is called", names.paragraphs),
        ("Products that need it", needs.paragraphs),
        # A doubt stands with its row already.
        ("Where they disagree", (f"- {item.text}" for item in about.disagreements if item.kind is not Kind.DOUBTFUL)),
        ("One of a range of which some ports are used", ranges.paragraphs),
        ("Any port of a range around it may be taken by", _by_list(dynamic)),
    )
    more = names.more + needs.more + ranges.more + wide
    return _title(about, width) + "".join(_block(*block, width) for block in blocks) + _more(more, width)


def _full_page(about: About, width: int) -> str:
    if not _is_known(about):
        return _nothing(about, width)
    blocks: tuple[Block, ...] = (
        ("What port lists call it", names_in_full(about)),
        ("Products that need it", (need_in_full(need, about) for need in about.needs)),
        ("Where they disagree", (f"- {item.text}" for item in about.disagreements)),
        ("One of a range of which some ports are used", (need_in_full(need, about) for need in about.some_of)),
        ("Any port of a range around it may be taken by", _by_list(about.dynamic)),
    )
    return _title(about, width) + "".join(_block(*block, width) for block in blocks)


def _is_known(about: About) -> bool:
    return bool(about.is_named or about.some_of or about.dynamic)


def _nothing(about: About, width: int) -> str:
    lies_in = _lies_in(about.ranges, "; it is in ")
    return _wrapped(
        f"Nothing in the documents names {port_text(about.transports, about.port)}{lies_in}.", width, "", ""
    )


def _title(about: About, width: int) -> str:
    alone = "" if about.is_named else "; nothing in the documents names the port itself, only ranges around it"
    return _wrapped(f"{port_text(about.transports, about.port)}{_lies_in(about.ranges)}{alone}.", width, "", "")


def _more(left_out: Counter[str], width: int) -> str:
    counts = [plural(number, noun, _MANY.get(noun)) for noun, number in left_out.items() if number]
    return f"\n{_wrapped(f'--all has more: {listed(counts)}.', width, '', '')}" if counts else ""


def _survey_page(survey: Survey, width: int, everything: bool) -> str:
    asked = f"{survey.first}-{survey.last}/{'+'.join(survey.transports)}"
    title = _wrapped(f"{asked}{_lies_in(survey.ranges)}.", width, "", "")
    if not (survey.named or survey.spans or survey.dynamic):
        return f"{title}{_wrapped('Nothing in the documents names any of these ports.', width, '', '')}"
    named = [(port_text(item.transports, item.number), item.phrase) for item in survey.named]
    spans = [(_span(item), _TAKEN[item.taken] + item.phrase) for item in survey.spans]
    tables = (
        _table("Ports with a name", named, width, None if everything else _NAMED_LINES),
        _table("Ranges", spans, width, None if everything else _SPAN_LINES),
    )
    return (
        title
        + "".join(tables)
        + _block("Any port of a range around them may be taken by", _by_list(survey.dynamic), width)
    )


def _by_list(namings: Iterable[Naming]) -> Iterator[str]:
    """A paragraph for each list: thousands of ports lie in these ranges, and it says little about any of them."""
    names: dict[str, dict[str, None]] = {}
    for naming in namings:
        names.setdefault(naming.reference.title, {})[naming.service.service] = None
    yield from (f"{listed(list(of_list), _NAMES_SHOWN)} ({title})" for title, of_list in names.items())


# ------------------------------------------------------------------------------------------------------ ports


def _span(span: Span) -> str:
    numbers = f"{span.first}-{span.last}" if span.first != span.last else f"{span.first}"
    return port_text((span.transport,) if span.transport is not None else (), numbers)


def _lies_in(ranges: Iterable[InRange], start: str = ", in ") -> str:
    """Where the numbers lie; each part once, although several lists may have it."""
    parts = dict.fromkeys(f"{each.part.title} ({each.part.first}-{each.part.last})" for each in ranges)
    return f"{start}{' and '.join(parts)}" if parts else ""


# ------------------------------------------------------------------------------------------------------ lines


def _block(heading: str, paragraphs: Iterable[str], width: int) -> str:
    shown = list(islice(paragraphs, _ROWS_SHOWN))
    if not shown:
        return ""
    return f"\n{heading}\n" + "".join(_paragraph(text, width) for text in shown)


def _paragraph(text: str, width: int) -> str:
    first, *details = text.split("\n")
    return _wrapped(first, width, "  ", "    ") + "".join(
        _wrapped(line, width, "      ", "        ") for line in details
    )


def _table(heading: str, rows: list[tuple[str, str]], width: int, limit: int | None) -> str:
    """At most `limit` lines, the rows behind them counted."""
    if not rows:
        return ""
    left = min(max(len(port) for port, _ in rows), width // 3)
    text, lines = "", 0
    for number, (port, phrase) in enumerate(rows):
        row = _wrapped(f"{port:<{left}}  {phrase}", width, "  ", " " * (left + 4))
        lines += row.count("\n")
        if limit is not None and lines > limit:
            return f"\n{heading}\n{text}  and {len(rows) - number:,} more: --all\n"
        text += row
    return f"\n{heading}\n{text}"


def _wrapped(text: str, width: int, first: str, rest: str) -> str:
    lines = textwrap.wrap(
        printable(text, _MAX_TEXT),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=True,
        break_on_hyphens=False,
    )
    return "".join(f"{line}\n" for line in lines)
