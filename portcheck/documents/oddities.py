"""What is allowed in a product's document and yet hardly meant: `documents lint` warns of it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from portcheck.engine.probe import Transport
from portcheck.model import (
    ANY,
    LOCALHOST,
    Answers,
    Document,
    Expectation,
    Level,
    Listen,
    Ports,
    role_key,
)
from portcheck.protocols import PROTOCOLS, carries
from portcheck.records import Entry, Item
from portcheck.rows import Including, including, with_including
from portcheck.wording import listed, plural, these
from portcheck.yaml_input import Problem

_MANY_PORTS = 16
"""A longer range in which every single port listens is rare enough to ask whether it was meant."""

_ROWS_COMPARED = 50
"""With so many rows before it of the same service and port. A real document has a handful."""


@dataclass(frozen=True, slots=True)
class _Row:
    """An expectation with its place in the file; `starters` are its sources and the roles that include them."""

    expectation: Expectation
    written: Entry
    starters: frozenset[str]

    @property
    def line(self) -> int:
        return self.written.line

    def leads_with(self, other: _Row) -> bool:
        """Whether both lead to one role, in one run."""
        return not set(self.expectation.to).isdisjoint(other.expectation.to) and self._counts_with(other)

    def _counts_with(self, other: _Row) -> bool:
        features = self.expectation.when, other.expectation.when
        return None in features or features[0] == features[1]

    def odd(self, key: str, text: str) -> Problem:
        return Problem(self.written.line_of(key), self.written.path_of(key), text)


def oddities(document: Document, entry: Entry) -> Iterator[Problem]:
    """Each with its line in the file that `entry` was read from."""
    roles = including([document])
    yield from _todos(entry)
    yield from _roles(document, entry, roles)
    yield from _features(document, entry)
    rows = [
        _Row(one, written, _with_including(document, one.sources, roles))
        for one, written in zip(document.expectations, entry.values("expectations", Entry), strict=True)
    ]
    for row in rows:
        for of_one_row in (_long_ranges, _single_ports_of_some, _silent_tcp, _not_spoken, _other_numbers):
            yield from of_one_row(row)
    yield from _spellings(rows)
    yield from _contradictions(rows)
    yield from _covered(rows)


def _with_including(document: Document, names: Iterable[str], roles: Including) -> frozenset[str]:
    return with_including((role_key(document, name) for name in names), roles)


# -------------------------------------------------------------------------------------- what is left to do

_TODO = re.compile(r"\bTODO\b")
_LINES_NAMED = 4
_PORTS_NAMED = 3
"""One warning names no more: it stays a line that can be read."""


def _todos(entry: Entry) -> Iterator[Problem]:
    """A draft can be used as it is; nobody should do so without knowing."""
    lines = sorted(set(_lines_to_do(entry)))
    if lines:
        where = f"line{'s' if len(lines) > 1 else ''} {listed([*map(str, lines)], _LINES_NAMED)}"
        text = f"{plural(len(lines), 'TODO')} left ({where}); settle {these(len(lines))} before the document is used"
        yield Problem(lines[0], "", text)


def _lines_to_do(value: object, line: int = 0) -> Iterator[int]:
    """The lines of the texts that say TODO, wherever they stand."""
    if isinstance(value, str):
        yield from [line] if _TODO.search(value) else []
    elif isinstance(value, Item):
        yield from _lines_to_do(value.value, value.line)
    elif isinstance(value, Entry):
        yield from _lines_to_do(value.found)
    elif isinstance(value, Mapping):
        yield from (line for each in value.values() for line in _lines_to_do(each))
    elif isinstance(value, tuple):
        yield from (line for each in value for line in _lines_to_do(each))


# ------------------------------------------------------------------------------------- roles and features


def _roles(document: Document, entry: Entry, roles: Including) -> Iterator[Problem]:
    named = [name for row in document.expectations for name in (*row.sources, *row.to)]
    leading = _with_including(document, named, roles)
    included = {name for role in document.roles.values() for name in role.includes}
    lines = entry.names("roles")
    for name, role in document.roles.items():
        if role_key(document, name) not in leading and (role.includes or name not in included):
            what = "this role or one that it includes" if role.includes else "this role"
            yield Problem(lines[name], f"roles.{name}", f"no expectation names {what}; remove it, or use it")
        if role.external and (own := [each for each in role.includes if not document.roles[each].external]):
            text = (
                f"is external and includes {listed(own)} of the product; "
                "take external away, or say that those are external as well"
            )
            yield Problem(lines[name], f"roles.{name}", text)
    if all(role.external for role in document.roles.values()):
        text = "every role is external, so no host is the product's; take external away from its own roles"
        yield Problem(entry.line_of("roles"), "roles", text)


def _features(document: Document, entry: Entry) -> Iterator[Problem]:
    used = {row.when for row in document.expectations}
    for name, line in entry.names("features").items():
        if name not in used:
            yield Problem(line, f"features.{name}", "no expectation names this feature; remove it, or use it")


# ---------------------------------------------------------------------------------------- one row by itself


def _long_ranges(row: _Row) -> Iterator[Problem]:
    if row.expectation.listen is Listen.SOME:
        return
    for ports in row.expectation.ports:
        if len(ports.numbers()) > _MANY_PORTS:
            text = (
                f"each of the {len(ports.numbers())} ports of {ports} must listen; "
                "write listen: some if only some are used"
            )
            yield row.odd("ports", text)


def _single_ports_of_some(row: _Row) -> Iterator[Problem]:
    single = [ports for ports in row.expectation.ports if not ports.is_range]
    if row.expectation.listen is Listen.SOME and single:
        text = f"with listen: some {listed([*map(str, single)])} need not listen either; give single ports an entry"
        yield row.odd("ports", text)


def _silent_tcp(row: _Row) -> Iterator[Problem]:
    answers = row.expectation.answers
    if answers is not Answers.NORMALLY and all(ports.transport is Transport.TCP for ports in row.expectation.ports):
        yield row.odd("answers", "counts for UDP alone: a TCP service accepts every stranger's connection; remove it")


def _not_spoken(row: _Row) -> Iterator[Problem]:
    speaks = row.expectation.speaks
    if speaks is None:
        return
    other = [ports for ports in row.expectation.ports if not carries(speaks, ports.transport)]
    if other:
        ports = listed([*map(str, other)])
        text = f"{PROTOCOLS[speaks].title} is not spoken at {ports}; correct it, or give {these(len(other))} an entry"
        yield row.odd("speaks", text)


_CELL = re.compile("[0-9,; \u2010-\u2015\u2212-]+")


def _other_numbers(row: _Row) -> Iterator[Problem]:
    """A cell of numbers alone is compared with the ports: a slip of the pen changes only one of the two."""
    cell = row.expectation.provenance[0].row
    if not _CELL.fullmatch(cell) or row.expectation.note or row.expectation.doubt:
        return
    numbers = set(re.findall("[0-9]+", cell))
    other = [ports for ports in row.expectation.ports if not {str(ports.first), str(ports.last)} <= numbers]
    if other:
        text = f"{listed([*map(str, other)])} is not in the row {cell}; correct one of them, or say why in a note"
        yield row.odd("ports", text)


# ------------------------------------------------------------------------------------------- rows together


def _spellings(rows: Iterable[_Row]) -> Iterator[Problem]:
    first: dict[str, tuple[str, int]] = {}
    for row in rows:
        service = row.expectation.service
        known, line = first.setdefault(service.casefold().replace("-", " "), (service, row.line))
        if known != service:
            yield row.odd("service", f"is written {known} in line {line}; write it alike, a site file names it once")


def _contradictions(rows: Iterable[_Row]) -> Iterator[Problem]:
    earlier: dict[tuple[str, Ports], list[_Row]] = {}
    for row in rows:
        told: set[int] = set()
        for ports in _one_by_one(row.expectation):
            group = earlier.setdefault((row.expectation.service, ports), [])
            for other in group:
                if other.line not in told and (differ := _differ(row, other)) is not None:
                    told.add(other.line)
                    key, here, there = differ
                    text = f"{ports} leads to the same role in line {other.line}: {here} here, {there} there; {_AGREE}"
                    yield row.odd(key, text)
            if len(group) < _ROWS_COMPARED:
                group.append(row)


_AGREE = "make them agree, or tell them apart by from, to or when"

_ASPECTS: Mapping[str, Callable[[Expectation], str]] = {
    "level": lambda row: f"level: {row.level}",
    "listen": lambda row: f"listen: {row.listen}",
    "answers": lambda row: "no answers key" if row.answers is Answers.NORMALLY else f"answers: {row.answers}",
    "speaks": lambda row: "no speaks key" if row.speaks is None else f"speaks: {row.speaks}",
}
"""What two rows about the same flow must agree in."""


def _differ(row: _Row, other: _Row) -> tuple[str, str, str] | None:
    """The key in which two rows of one service and port contradict each other, and what each says."""
    if not row.leads_with(other):
        return None
    local, other_local = LOCALHOST in row.starters, LOCALHOST in other.starters
    if local != other_local:
        alone, others = "for localhost alone", "for others"
        return ("from", alone, others) if local else ("from", others, alone)
    if row.starters.isdisjoint(other.starters) and ANY not in row.starters | other.starters:
        return None
    for key, said in _ASPECTS.items():
        here, there = said(row.expectation), said(other.expectation)
        if here != there:
            return key, here, there
    return None


def _one_by_one(expectation: Expectation) -> Iterator[Ports]:
    """The ports singly where each of a few must listen, otherwise as they are written."""
    for ports in expectation.ports:
        if expectation.listen is Listen.SOME or not 0 < len(ports.numbers()) <= _MANY_PORTS:
            yield ports
        else:
            yield from (Ports(ports.transport, number, number) for number in ports.numbers())


def _covered(rows: Sequence[_Row]) -> Iterator[Problem]:
    """Ranges of which some ports are used, around ports of the same role that are required singly. One warning for
    each range: a page may have the same one in every table."""
    single = _required_of_roles(rows)
    ranges: dict[Ports, list[_Row]] = {}
    for row in rows:
        if row.expectation.listen is Listen.SOME:
            for ports in row.expectation.ports:
                ranges.setdefault(ports, []).append(row)
    for ports, around in ranges.items():
        inside: dict[Ports, int] = {}
        covering = [row for row in around if _take_in(inside, ports, row, single)]
        if covering:
            again = f" (here and in {plural(len(covering) - 1, 'more row')})" if covering[1:] else ""
            names = listed([f"{other} (line {line})" for other, line in sorted(inside.items())], _PORTS_NAMED)
            text = f"{ports}{again} covers {names} of the same role, where the single port wins; did you mean that?"
            yield covering[0].odd("ports", text)


def _take_in(
    inside: dict[Ports, int], ports: Ports, row: _Row, single: Mapping[tuple[str, Transport], list[_Required]]
) -> bool:
    """Add the required ports inside of a row's range, each with its line; whether there are any."""
    found = False
    for role in row.expectation.to:
        required = single.get((role, ports.transport), [])
        first = bisect_left(required, ports.first or 0, key=_number)
        last = bisect_right(required, ports.last or 0, key=_number)
        found |= first < last
        for each in required[first:last]:
            inside.setdefault(each.ports, each.line)
    return found


class _Required(NamedTuple):
    """A single required port, and the ports as its row has them."""

    number: int
    line: int
    ports: Ports


_number = attrgetter("number")


def _required_of_roles(rows: Iterable[_Row]) -> Mapping[tuple[str, Transport], list[_Required]]:
    """The single required ports of each role, ascending."""
    single: dict[tuple[str, Transport], list[_Required]] = {}
    for row in rows:
        if row.expectation.level is not Level.REQUIRED or row.expectation.listen is Listen.SOME:
            continue
        for ports in row.expectation.ports:
            numbers = ports.numbers() if len(ports.numbers()) <= _MANY_PORTS else ()
            for role in row.expectation.to:
                found = single.setdefault((role, ports.transport), [])
                found.extend(_Required(number, row.line, ports) for number in numbers)
    for found in single.values():
        found.sort()
    return single
