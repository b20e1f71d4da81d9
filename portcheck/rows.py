"""A document's rows as one run sees them: role keys filled in, features applied, unused services left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from portcheck.engine.probe import Transport
from portcheck.model import (
    ANY,
    LOCALHOST,
    Document,
    Expectation,
    Gap,
    Host,
    Level,
    NotPlanned,
    Scope,
    Vantage,
    Without,
    role_key,
    role_label,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One expectation of one document in this run.

    Attributes:
        sources, to: role keys, as the document has them.
        starters, listeners: the same with every role that includes one of them.
        in_use: False for a conditional row whose feature nobody says to be in use.
        active: False for a row of a feature that is off, or of a service that the site does without.
    """

    document: Document
    expectation: Expectation
    sources: frozenset[str]
    to: frozenset[str]
    starters: frozenset[str]
    listeners: frozenset[str]
    in_use: bool
    active: bool = True

    @property
    def local_only(self) -> bool:
        """For processes of the host itself and nobody else."""
        return self.sources == {LOCALHOST}

    def concerns(self, host: Host) -> bool:
        """Whether the host has to offer it."""
        return not self.listeners.isdisjoint(host.roles)

    def starts_at(self, vantage: Vantage) -> bool:
        """Whether the flow begins here. A machine without a role looks at every row."""
        if vantage.roles is None or self.local_only or ANY in self.sources:
            return True
        return not self.starters.isdisjoint(vantage.roles)

    def names(self, transport: Transport, port: int) -> bool:
        """Whether one of its port sets contains this port."""
        return any(ports.transport is transport and port in ports for ports in self.expectation.ports)


Including = Mapping[str, frozenset[str]]
"""Role key to all role keys that include it, itself among them."""


def including(documents: Iterable[Document]) -> Including:
    """Who has which role along with its own. External roles are shared by name, so this goes across documents."""
    included_by: dict[str, set[str]] = {}
    for document in documents:
        for role in document.roles.values():
            key = role_key(document, role.name)
            included_by.setdefault(key, set())
            for name in role.includes:
                included_by.setdefault(role_key(document, name), set()).add(key)
    return {key: _closure(key, included_by) for key in included_by}


def played(documents: Iterable[Document], roles: Iterable[str]) -> frozenset[str]:
    """The role keys with everything that they include."""
    having = frozenset(roles)
    return having | {key for key, keys in including(documents).items() if not having.isdisjoint(keys)}


def _closure(key: str, included_by: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    open_ends = [key]
    while open_ends:
        if (each := open_ends.pop()) not in found:
            found.add(each)
            open_ends.extend(included_by.get(each, ()))
    return frozenset(found)


def with_including(keys: Iterable[str], roles: Including) -> frozenset[str]:
    """The role keys and those of all roles that include one of them; a builtin source stays alone."""
    return frozenset(chain.from_iterable(roles.get(key, {key}) for key in keys))


def all_rows(scope: Scope) -> tuple[Row, ...]:
    """Every row of the selected documents."""
    roles = including(scope.documents)
    return tuple(
        Row(
            document,
            expectation,
            sources=sources,
            to=to,
            starters=with_including(sources, roles),
            listeners=with_including(to, roles),
            in_use=expectation.when is None or _in_use(scope, document, expectation.when) is True,
            active=active and (expectation.when is None or _in_use(scope, document, expectation.when) is not False),
        )
        for document in scope.documents
        for expectation in document.expectations
        for sources in [frozenset(role_key(document, role) for role in expectation.sources)]
        for to, active in _parts(scope, document, expectation)
    )


def _parts(scope: Scope, document: Document, expectation: Expectation) -> Iterator[tuple[frozenset[str], bool]]:
    """The roles that listen, split into those whose hosts use the service and those whose hosts do without it."""
    unused = {role for without in scope.without for role in _left_out(without, document, expectation)}
    for roles, active in (([r for r in expectation.to if r not in unused], True), (unused, False)):
        if roles:
            yield frozenset(role_key(document, role) for role in roles), active


def inactive_rows(scope: Scope) -> Iterator[NotPlanned]:
    """One line for each feature that is off or unstated, and each service that the site does without."""
    concerned = _concerned(scope)
    for document in scope.documents:
        for feature, title in document.features.items():
            rows = [e for e in document.expectations if e.when == feature and concerned(document, e)]
            in_use = _in_use(scope, document, feature)
            if rows and not in_use:
                gap = Gap.FEATURE_UNSTATED if in_use is None else Gap.FEATURE_OFF
                of = f" of {document.title}" if len(scope.documents) > 1 else ""
                assumed = feature not in scope.features.get(document.id, {}) and in_use is not None
                unless = f", as nobody says --feature {feature}" if assumed else ""
                yield NotPlanned(gap, len(rows), f"{feature} ({title}){of}{unless}", name=feature)
    for without in scope.without:
        count = sum(
            bool(_left_out(without, document, expectation))
            for document in scope.documents
            for expectation in document.expectations
        )
        where = "" if without.to is None else f" at {role_label(without.to)}"
        yield NotPlanned(Gap.WITHOUT, count, f"{without.service} is not used{where}: {without.reason}")


def _concerned(scope: Scope) -> Callable[[Document, Expectation], bool]:
    """Whether a host that is looked at has to do with a row: a feature of other machines is no news."""
    roles = including(scope.documents)
    present = frozenset(role for host in scope.hosts for role in host.roles)
    return lambda document, row: any(not present.isdisjoint(roles[role_key(document, role)]) for role in row.to)


def strictest(levels: Iterable[Level]) -> Level:
    """How much several rows insist together; a conditional row whose feature is in use is as good as required."""
    return Level.RECOMMENDED if set(levels) == {Level.RECOMMENDED} else Level.REQUIRED


def _in_use(scope: Scope, document: Document, feature: str) -> bool | None:
    """Whether the site uses it; None where nobody says so and both are likely."""
    return scope.features.get(document.id, {}).get(feature, False if feature in document.rare_features else None)


def _left_out(without: Without, document: Document, expectation: Expectation) -> tuple[str, ...]:
    """The roles of the row at whose hosts the site does without it."""
    if without.document not in (None, document.id) or without.service != expectation.service:
        return ()
    return tuple(role for role in expectation.to if without.to in (None, role, f"{document.id}:{role}"))
