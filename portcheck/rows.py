"""A document's rows as one run sees them: role keys filled in, features applied, unused services left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from portcheck.engine.probe import Transport
from portcheck.model import (
    ANY,
    LOCALHOST,
    Document,
    Expectation,
    Gap,
    Host,
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
        sources, to: role keys.
        in_use: False for a conditional row whose feature the user did not state.
        active: False for a row of a feature that is off, or of a service that the site does without.
    """

    document: Document
    expectation: Expectation
    sources: frozenset[str]
    to: frozenset[str]
    in_use: bool
    active: bool = True

    @property
    def local_only(self) -> bool:
        """For processes of the host itself and nobody else."""
        return self.sources == {LOCALHOST}

    def concerns(self, host: Host) -> bool:
        """Whether the host has to offer it."""
        return not self.to.isdisjoint(host.roles)

    def starts_at(self, vantage: Vantage) -> bool:
        """Whether the flow begins here. A machine without a role looks at every row."""
        if vantage.roles is None or self.local_only or ANY in self.sources:
            return True
        return not self.sources.isdisjoint(vantage.roles)

    def names(self, transport: Transport, port: int) -> bool:
        """Whether one of its port sets contains this port."""
        return any(ports.transport is transport and port in ports for ports in self.expectation.ports)


def active_rows(scope: Scope) -> tuple[Row, ...]:
    """The rows that count."""
    return tuple(row for row in all_rows(scope) if row.active)


def all_rows(scope: Scope) -> tuple[Row, ...]:
    """Every row of the selected documents."""
    return tuple(
        Row(
            document,
            expectation,
            sources=frozenset(role_key(document, role) for role in expectation.sources),
            to=to,
            in_use=expectation.when is None or _stated(scope, document, expectation) is True,
            active=active and _stated(scope, document, expectation) is not False,
        )
        for document in scope.documents
        for expectation in document.expectations
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
    for document in scope.documents:
        for feature, title in document.features.items():
            rows = [e for e in document.expectations if e.when == feature]
            stated = scope.features.get(document.id, {}).get(feature)
            if rows and stated is False:
                yield NotPlanned(Gap.FEATURE_OFF, len(rows), f"{title} ({document.title})")
            elif rows and stated is None:
                text = f"{title} ({document.title}): --feature {feature} or --feature {feature}=no"
                yield NotPlanned(Gap.FEATURE_UNSTATED, len(rows), text)
    for without in scope.without:
        count = sum(
            bool(_left_out(without, document, expectation))
            for document in scope.documents
            for expectation in document.expectations
        )
        where = "" if without.to is None else f" at {role_label(without.to)}"
        yield NotPlanned(Gap.WITHOUT, count, f"{without.service} is not used{where}: {without.reason}")


def _stated(scope: Scope, document: Document, expectation: Expectation) -> bool | None:
    if expectation.when is None:
        return None
    return scope.features.get(document.id, {}).get(expectation.when)


def _left_out(without: Without, document: Document, expectation: Expectation) -> tuple[str, ...]:
    """The roles of the row at whose hosts the site does without it."""
    if without.document not in (None, document.id) or without.service != expectation.service:
        return ()
    return tuple(role for role in expectation.to if without.to in (None, role, f"{document.id}:{role}"))
