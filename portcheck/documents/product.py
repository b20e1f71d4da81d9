"""A product's document from its file: the agreement of its parts is checked, with the lines of both sides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from portcheck.documents.oddities import oddities
from portcheck.documents.places import not_checkable, place, place_key, refuse_same_rows
from portcheck.model import (
    BUILTIN_SOURCES,
    LOCALHOST,
    Answers,
    Document,
    Expectation,
    Level,
    Listen,
    Ports,
    Role,
    UnitKind,
)
from portcheck.printable import printable
from portcheck.records import Entry, Item
from portcheck.wording import did_you_mean, listed
from portcheck.yaml_input import Problem, Problems

_MOST_ROLES = 1000
"""Each role knows all that include it: that grows with the square of their number."""


def read(entry: Entry, problems: Problems) -> tuple[Document, Iterable[Problem]]:
    """The document, and what is odd in it without being wrong.

    Raises:
        InputError: with every problem of the file.
    """
    _check_names(entry, problems)
    _check_includes(entry, problems)
    _check_expectations(entry, problems)
    problems.raise_if_any()
    document = _document(entry)
    return document, oddities(document, entry)


# ---------------------------------------------------------------------------------------------- agreement


def _check_names(entry: Entry, problems: Problems) -> None:
    if len(entry.names("roles")) > _MOST_ROLES:
        text = f"has {len(entry.names('roles'))} roles; write at most {_MOST_ROLES}"
        problems.add(entry.line_of("roles"), "roles", text)
    for name, line in entry.names("roles").items():
        if name in BUILTIN_SOURCES:
            text = f"{name} is a word of portcheck's own and no role; choose another name"
            problems.add(line, f"roles.{name}", text)


def _check_includes(entry: Entry, problems: Problems) -> None:
    roles = entry.mapping("roles", Entry)
    declared = entry.names("roles")
    graph: dict[str, list[str]] = {}
    for name, role in roles.items():
        graph[name] = []
        for included in role.value.items("includes", str):
            if included.value in BUILTIN_SOURCES:
                text = f"{included.value} is not a role; name roles of this document"
                problems.add(included.line, included.where, text)
            elif included.value == name:
                problems.add(included.line, included.where, f"{name} includes itself; remove it")
            else:
                _check_declared("role", included, declared, problems)
                graph[name].append(included.value)
    for circle in _circles(graph):
        first = min(circle, key=lambda name: roles[name].line)
        start = circle.index(first)
        others = listed([printable(name, 60) for name in (*circle[start + 1 :], *circle[:start])])
        text = f"{first} includes itself by way of {others}; take one of these out"
        problems.add(roles[first].value.line_of("includes"), roles[first].value.path_of("includes"), text)


def _circles(graph: dict[str, list[str]]) -> Iterator[list[str]]:
    """Circles without a role in common, each in the order of including."""
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1][:0:-1]  # from included to including, and its first role once more at the end
            yield circle
            graph = {name: [] if name in circle else included for name, included in graph.items()}
        else:
            return


def _check_expectations(entry: Entry, problems: Problems) -> None:
    roles = entry.names("roles")
    features = None if entry.is_unreadable("features") else entry.names("features")
    expectations = entry.items("expectations", Entry)
    for expectation in (item.value for item in expectations):
        if roles:  # without a single role, the missing roles are the problem, not each use of one
            _check_sources(expectation, roles, problems)
            _check_targets(expectation, roles, problems)
        _check_condition(expectation, features, problems)
        _check_listen(expectation, problems)
        _check_places(expectation, problems)
    refuse_same_rows(expectations, _fact, problems)


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


def _check_places(expectation: Entry, problems: Problems) -> None:
    seen: set[object] = set()
    for item in expectation.items("provenance", Entry):
        key = place_key(item.value)
        if key in seen:
            problems.add(item.line, item.where, "the same place twice; remove one")
        seen.add(key)


def _fact(expectation: Entry) -> object:
    """What makes two rows the same; None for a row that could not be read."""
    service, ports = expectation.get("service", str), expectation.get("ports", tuple)
    places = frozenset(map(place_key, expectation.values("provenance", Entry)))
    if service is None or ports is None or not places:
        return None
    ends = (frozenset(expectation.values(key, str)) for key in ("from", "to"))
    return (service, frozenset(ports), *ends, places)


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
                role.value.values("includes", str),
            )
            for name, role in entry.mapping("roles", Entry).items()
        },
        expectations=tuple(_expectation(each, document_id) for each in entry.values("expectations", Entry)),
        features={name: feature.value.need("title", str) for name, feature in entry.mapping("features", Entry).items()},
        rare_features=tuple(
            name for name, feature in entry.mapping("features", Entry).items() if feature.value.get("rare", bool)
        ),
        not_checkable=not_checkable(entry, document_id),
        notices=entry.values("notices", str),
        silent_when_closed=entry.get("silent_when_closed", bool) or False,
        units=UnitKind(entry.get("units", str) or UnitKind.SYSTEMD),
    )


def _expectation(entry: Entry, document_id: str) -> Expectation:
    return Expectation(
        service=entry.need("service", str),
        ports=entry.values_of("ports", Ports),
        sources=entry.values("from", str),
        to=entry.values("to", str),
        provenance=tuple(place(each, document_id) for each in entry.values("provenance", Entry)),
        unit=entry.get("unit", str),
        level=Level(entry.get("level", str) or Level.REQUIRED),
        when=entry.get("when", str),
        listen=Listen(entry.get("listen", str) or Listen.SINGLE),
        answers=Answers(entry.get("answers", str) or Answers.NORMALLY),
        present_before_install=entry.get("before_install", str) is not None,
        speaks=entry.get("speaks", str),
        note=entry.get("note", str),
        doubt=entry.get("doubt", str),
    )
