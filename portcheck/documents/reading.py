"""A document's file becomes a Document: the agreement of its parts is checked, with the lines of both sides."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from portcheck.documents.fields import DOCUMENT
from portcheck.model import (
    BUILTIN_SOURCES,
    LOCALHOST,
    Answers,
    Document,
    Expectation,
    Level,
    Listen,
    NotCheckable,
    Ports,
    Provenance,
    Role,
)
from portcheck.printable import printable
from portcheck.records import Entry, Item, read_record
from portcheck.wording import did_you_mean
from portcheck.yaml_input import Problem, Problems

_MANY_PORTS = 16
"""A longer range in which every single port listens is rare enough to ask whether it was meant."""


def read_document(path: str | os.PathLike[str], must_be: str | None = None) -> tuple[Document, tuple[Problem, ...]]:
    """The document at `path` and what is odd in it without being wrong; `must_be` is the id it must have.

    Raises:
        InputError: with every problem of the file.
    """
    problems = Problems(os.fspath(path))
    entry = read_record(path, DOCUMENT, problems)
    _check_id(entry, must_be, problems)
    _check_names(entry, problems)
    _check_expectations(entry, problems)
    problems.raise_if_any()
    return _document(entry), tuple(sorted(_oddities(entry), key=lambda oddity: oddity.line or 0))


# ---------------------------------------------------------------------------------------------- agreement


def _check_id(entry: Entry, must_be: str | None, problems: Problems) -> None:
    document_id = entry.get("id", str)
    if must_be is not None and document_id not in (None, must_be):
        text = f"is {document_id}, but the file is called {must_be}.yaml; make them the same"
        problems.add(entry.line_of("id"), "id", text)


def _check_names(entry: Entry, problems: Problems) -> None:
    for name, line in entry.names("roles").items():
        if name in BUILTIN_SOURCES:
            text = f"{name} is a word of portcheck's own and no role; choose another name"
            problems.add(line, f"roles.{name}", text)


def _check_expectations(entry: Entry, problems: Problems) -> None:
    roles = entry.names("roles")
    features = None if entry.is_unreadable("features") else entry.names("features")
    first_lines: dict[object, int] = {}
    for item in entry.items("expectations", Entry):
        expectation = item.value
        if roles:  # without a single role, the missing roles are the problem, not each use of one
            _check_sources(expectation, roles, problems)
            _check_targets(expectation, roles, problems)
        _check_condition(expectation, features, problems)
        _check_listen(expectation, problems)
        if (fact := _fact(expectation)) is None:
            continue
        if fact in first_lines:
            text = f"the same row as in line {first_lines[fact]}; remove one"
            problems.add(item.line, item.where, text)
        first_lines.setdefault(fact, item.line)


def _check_sources(expectation: Entry, roles: Collection[str], problems: Problems) -> None:
    sources = expectation.items("from", str)
    for source in sources:
        if source.value not in BUILTIN_SOURCES:
            _check_declared("role", source, roles, problems)
        elif source.value == LOCALHOST and len(sources) > 1:
            text = "localhost stands alone, for a port that nobody else may reach; remove the others, or remove it"
            problems.add(source.line, source.where, text)


def _check_targets(expectation: Entry, roles: Collection[str], problems: Problems) -> None:
    for target in expectation.items("to", str):
        if target.value in BUILTIN_SOURCES:
            text = f"{target.value} can only be a source; name the roles whose hosts listen"
            problems.add(target.line, target.where, text)
        else:
            _check_declared("role", target, roles, problems)


def _check_condition(expectation: Entry, features: Collection[str] | None, problems: Problems) -> None:
    level = expectation.found.get("level")
    word = Level.REQUIRED if level is None else level.value  # None: not a level, which is reported already
    feature = expectation.found.get("when")
    if word == Level.CONDITIONAL and feature is None:
        text = "conditional needs the key when; add when: and a feature"
        problems.add(expectation.line_of("level"), expectation.path_of("level"), text)
    if feature is None or not isinstance(feature.value, str):
        return
    if word not in (None, Level.CONDITIONAL):
        text = "counts only with level: conditional; add that, or remove when"
        problems.add(feature.line, feature.where, text)
    if features is not None:
        _check_declared("feature", Item(feature.value, feature.line, feature.where), features, problems)


def _check_declared(kind: str, name: Item[str], declared: Collection[str], problems: Problems) -> None:
    if name.value in declared:
        return
    guess = did_you_mean(name.value, declared) or f"; declare it under {kind}s"
    known = printable(", ".join(sorted(declared)), 400) or "none"
    problems.add(
        name.line, name.where, f"{kind} {printable(name.value, 60)} is not declared{guess} (declared: {known})"
    )


def _check_listen(expectation: Entry, problems: Problems) -> None:
    ports = expectation.get("ports", tuple)
    if ports is None or expectation.get("listen", str) != Listen.SOME:
        return
    if not any(item.is_range for item in ports):
        text = "some is for a range of ports; write a range, or remove listen"
        problems.add(expectation.line_of("listen"), expectation.path_of("listen"), text)


def _fact(expectation: Entry) -> object:
    """What makes two rows the same; None for a row that could not be read."""
    provenance = expectation.get("provenance", Entry)
    parts = (expectation.get("service", str), expectation.get("ports", tuple), provenance)
    if provenance is None or None in parts:
        return None
    place = tuple(provenance.get(key, str) for key in ("document", "section", "row"))
    return (
        parts[0],
        frozenset(parts[1] or ()),
        frozenset(expectation.values("from", str)),
        frozenset(expectation.values("to", str)),
        place,
    )


def _oddities(entry: Entry) -> Iterable[Problem]:
    used: set[str] = set()
    features: set[str | None] = set()
    for item in entry.items("expectations", Entry):
        used.update(item.value.values("from", str), item.value.values("to", str))
        features.add(item.value.get("when", str))
        yield from _long_ranges(item.value)
    for name, line in entry.names("roles").items():
        if name not in used:
            yield Problem(line, f"roles.{name}", "no expectation names this role; remove it, or use it")
    for name, line in entry.names("features").items():
        if name not in features:
            yield Problem(line, f"features.{name}", "no expectation names this feature; remove it, or use it")


def _long_ranges(expectation: Entry) -> Iterable[Problem]:
    if expectation.get("listen", str) == Listen.SOME:
        return
    for ports in expectation.values_of("ports", Ports):
        if len(ports.numbers()) > _MANY_PORTS:
            text = (
                f"each of the {len(ports.numbers())} ports of {ports} must listen; "
                "write listen: some if only some are used"
            )
            yield Problem(expectation.line_of("ports"), expectation.path_of("ports"), text)


# ----------------------------------------------------------------------------------------------- building


def _document(entry: Entry) -> Document:
    document_id = entry.need("id", str)
    return Document(
        id=document_id,
        title=entry.need("title", str),
        vendor=entry.need("vendor", str),
        product=entry.need("product", str),
        version=entry.need("version", str),
        url=entry.get("url", str),
        roles={
            name: Role(
                name,
                role.value.need("title", str),
                role.value.get("external", bool) or False,
                role.value.get("all_ports_between", bool) or False,
            )
            for name, role in entry.mapping("roles", Entry).items()
        },
        expectations=tuple(_expectation(each, document_id) for each in entry.values("expectations", Entry)),
        features={name: feature.value.need("title", str) for name, feature in entry.mapping("features", Entry).items()},
        not_checkable=tuple(
            NotCheckable(_provenance(each, document_id), each.need("reason", str))
            for each in entry.values("not_checkable", Entry)
        ),
        notices=entry.values("notices", str),
        silent_when_closed=entry.get("silent_when_closed", bool) or False,
    )


def _expectation(entry: Entry, document_id: str) -> Expectation:
    return Expectation(
        service=entry.need("service", str),
        ports=entry.values_of("ports", Ports),
        sources=entry.values("from", str),
        to=entry.values("to", str),
        provenance=_provenance(entry, document_id),
        unit=entry.get("unit", str),
        level=Level(entry.get("level", str) or Level.REQUIRED),
        when=entry.get("when", str),
        listen=Listen(entry.get("listen", str) or Listen.SINGLE),
        answers=Answers(entry.get("answers", str) or Answers.NORMALLY),
        present_before_install=entry.get("before_install", str) is not None,
        note=entry.get("note", str),
        doubt=entry.get("doubt", str),
    )


def _provenance(entry: Entry, document_id: str) -> Provenance:
    provenance = entry.need("provenance", Entry)
    return Provenance(
        document=provenance.get("document", str) or document_id,
        section=provenance.need("section", str),
        row=provenance.need("row", str),
    )
