"""The rows of documents about one port, in short: rows that say the same as one line, the rest counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from portcheck.knowledge.said import REMARK_WORDS, About, Naming, Need
from portcheck.model import KnownService, Level, Remark
from portcheck.reports.port_rows import (
    conditions_of,
    known_at,
    numbers_of,
    place_text,
    roles_text,
    uses_of,
)
from portcheck.wording import listed, plural

_ROWS_SHOWN = 12
"""Of each product, and of the port lists."""
_LINES_WITH_NOTES = 3
"""A product with more lines keeps its notes for --all: who reads a long list wants the list."""
_PLACES_SHOWN = 2
_WIDE = 1_000
"""Ports of a range that says nothing of one of them: half of all numbers are in one that some program chooses from."""

_BY_LEVEL: Mapping[Level, int] = {Level.REQUIRED: 0, Level.RECOMMENDED: 1, Level.CONDITIONAL: 2}

Lines = dict[tuple[str, ...], list[Need]]
"""Rows by what has to be the same of them to be one line."""


@dataclass(frozen=True, slots=True)
class Short:
    """Paragraphs, and what they leave out: a noun, and how many."""

    paragraphs: list[str] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)


def names_in_short(about: About) -> Short:
    """One line for each name; the names of products that no list has at the end."""
    short = Short()
    texts = {_name(naming, about): naming.service for naming in about.namings}
    for text, service in list(texts.items())[:_ROWS_SHOWN]:
        short.paragraphs.append(text)
        short.more["note"] += bool(service.note) and not _tells_whose(service)
        short.more["place in the documents"] += 1
    short.more["name"] += max(0, len(texts) - _ROWS_SHOWN)
    if about.also_called:
        short.paragraphs.append(f"also called {'; '.join(about.also_called)}")
    short.paragraphs.extend(uses_of(about))
    if names := dict.fromkeys(chain.from_iterable(naming.service.names for naming in about.namings)):
        short.paragraphs.append(f"For -e and offers: {listed(list(names))}")
    return short


def _name(naming: Naming, about: About) -> str:
    service = naming.service
    name = ", ".join((service.service, *(REMARK_WORDS[remark] for remark in service.remarks)))
    lines = (
        f"{numbers_of(known_at(naming, about), not_said='')} {name} ({naming.reference.title})",
        f"Note: {service.note}" if service.note and _tells_whose(service) else "",
        f"Doubt: {service.doubt}" if service.doubt else "",
    )
    return "\n".join(filter(None, lines))


def _tells_whose(service: KnownService) -> bool:
    """Whether its note says whose number it took."""
    return Remark.NOT_REGISTERED in service.remarks


def needs_in_short(about: About) -> Short:
    """Rows that want this very port: alike when service, condition and who connects are the same."""
    return _by_product(
        about.needs,
        lambda need: (
            _numbers(need, about),
            need.expectation.service,
            conditions_of(need),
            *need.expectation.sources,
        ),
        about,
    )


def ranges_in_short(about: About) -> Short:
    """Rows that want some ports of a range: alike when range and condition are. Dynamic RPC has dozens of names."""
    near = [need for need in about.some_of if not (about.is_named and _says_little(need, about))]
    short = _by_product(
        near,
        lambda need: (_numbers(need, about), conditions_of(need), "on the host itself" if need.local_only else ""),
        about,
    )
    short.more["row about a wide range"] += len(about.some_of) - len(near)
    return short


def _says_little(need: Need, about: About) -> bool:
    """A wide range that only some sites have in use at all."""
    ranges = need.at(about.transports, about.port)
    return need.expectation.level is Level.CONDITIONAL and all(len(each.numbers()) > _WIDE for each in ranges)


def _numbers(need: Need, about: About) -> str:
    return numbers_of(need.at(about.transports, about.port))


def dynamic_in_short(about: About) -> tuple[tuple[Naming, ...], Counter[str]]:
    """Rows whose range is narrow enough to say something of the port; all where nothing else is known."""
    if about.port is None:
        return about.dynamic, Counter()
    narrow = tuple(
        naming
        for naming in about.dynamic
        if any(each.last - each.first < _WIDE for each in naming.at(about.transports, about.port, dynamic=True))
    )
    if not (about.is_named or about.some_of or narrow):
        return about.dynamic, Counter()
    return narrow, Counter({"row about a wide range": len(about.dynamic) - len(narrow)})


# ------------------------------------------------------------------------------------------------ one product


def _by_product(needs: Iterable[Need], alike: Callable[[Need], tuple[str, ...]], about: About) -> Short:
    products: dict[str, Lines] = {}
    for need in needs:
        products.setdefault(need.document.id, {}).setdefault(alike(need), []).append(need)
    short = Short()
    for lines in products.values():
        _add_product(short, lines, about)
    return short


def _add_product(short: Short, lines: Lines, about: About) -> None:
    # What must be there is kept when there is too much.
    shown = sorted(lines.values(), key=lambda alike: _BY_LEVEL[alike[0].expectation.level])[:_ROWS_SHOWN]
    rows = list(chain.from_iterable(lines.values()))
    left_out = len(rows) - sum(map(len, shown))
    with_notes = len(lines) <= _LINES_WITH_NOTES
    text = [f"{rows[0].document.product} ({rows[0].document.id})"]
    for alike in shown:
        text.append(_line(alike, about))
        text += (remark for remark in _remarks(alike, with_notes) if remark not in text)
    text += [f"and {plural(left_out, 'more row')}"] if left_out else []
    text += _said_once(rows)
    places = dict.fromkeys(place_text(place) for need in rows for place in need.expectation.provenance)
    text += places if len(places) <= _PLACES_SHOWN else ()
    short.paragraphs.append("\n".join(text))
    short.more["row"] += left_out
    short.more["note"] += 0 if with_notes else len({need.expectation.note for need in rows} - {None})
    short.more["place in the documents"] += len(places) if len(places) > _PLACES_SHOWN else 0


def _line(alike: Sequence[Need], about: About) -> str:
    """`445/tcp SMB: from client to fax, server; required`."""
    services = listed(list(dict.fromkeys(need.expectation.service for need in alike)))
    to = _listeners(alike)
    sources = {need.expectation.sources for need in alike}
    start = f"from {roles_text(alike[0].expectation.sources)} " if len(sources) == 1 else ""
    flow = f"on {to}, for the host itself only" if alike[0].local_only else f"{start}to {to}"
    return "; ".join(filter(None, (f"{_numbers(alike[0], about)} {services}: {flow}", conditions_of(alike[0]))))


def _remarks(alike: Sequence[Need], with_notes: bool) -> Iterator[str]:
    """Each text once, with the roles that it is about where the line has others as well."""
    of: dict[str, list[Need]] = {}
    for need in alike:
        if need.expectation.note and with_notes:
            of.setdefault(f"Note: {need.expectation.note}", []).append(need)
        if need.expectation.doubt:
            of.setdefault(f"Doubt: {need.expectation.doubt}", []).append(need)
    for text, needs in of.items():
        kind, _, rest = text.partition(":")
        yield text if len(needs) == len(alike) else f"{kind} ({_listeners(needs)}):{rest}"


def _listeners(needs: Iterable[Need]) -> str:
    return roles_text(dict.fromkeys(role for need in needs for role in need.expectation.to))


def _said_once(rows: Sequence[Need]) -> Iterator[str]:
    """What is the same of many rows of a product."""
    if present := [need for need in rows if need.expectation.present_before_install]:
        services = listed(list(dict.fromkeys(need.expectation.service for need in present)))
        which = "" if len(present) == len(rows) else f": {services}"
        yield f"exists before the product is installed{which}"
    if roles := sorted({role for need in rows for role in (*need.starters_too, *need.listeners_too)}):
        yield f"roles that include one of these: {roles_text(roles)}"
