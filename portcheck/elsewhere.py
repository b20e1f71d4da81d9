"""Flows that a document asks for but that begin on another machine: counted and named, never dropped."""

from __future__ import annotations

from collections.abc import Iterator

from portcheck.engine.probe import Transport
from portcheck.model import ANY, INTERNET, Gap, Host, Listen, NotPlanned, Scope, role_label
from portcheck.rows import Row, including
from portcheck.wording import listed

_NAMES_SHOWN = 4


def flows_that_start_elsewhere(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    """One line for each group of machines where somebody else's flows begin.

    A flow is one port of one address as seen from one host. Flows from anybody are checked here already, and
    a service for localhost alone is checked from outside.
    """
    remote = tuple(row for row in rows if not row.local_only and row.expectation.listen is Listen.SINGLE)
    if scope.whole_site:
        yield from _from_hosts(scope, remote)
        yield from _from_outside(scope, remote)
    else:
        yield from _from_roles(scope, remote)


def _from_hosts(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    inside = [host for host in scope.all_hosts if not host.external and host.name != scope.vantage.host]
    targets = [(frozenset(roles), hosts) for roles, hosts in _by_roles(list(scope.hosts)).items()]
    for roles, sources in _by_roles(inside).items():
        flows = dict.fromkeys((source.name for source in sources), 0)
        for target_roles, hosts in targets:
            ports = len(_ports(scope, rows, frozenset(roles), target_roles))
            endpoints = {host.name: len(host.endpoints) for host in hosts}
            total = sum(endpoints.values())
            for name in flows:
                flows[name] += ports * (total - endpoints.get(name, 0))
        names = [name for name, number in flows.items() if number]
        if names:
            label = ", ".join(role_label(role) for role in roles)
            yield NotPlanned(Gap.STARTS_ELSEWHERE, sum(flows.values()), f"{listed(names, _NAMES_SHOWN)} ({label})")


def _from_outside(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    # A host of the site may be a client as well: there are others, outside.
    inside = {role for role in scope.roles_present if _belongs_to_a_product(role)}
    claimed = scope.vantage.roles or frozenset()
    having, known = including(scope.documents), inside | claimed
    sources = {source for row in rows for source in row.sources} - {ANY}
    outside = {
        source
        for source in sources
        # Whoever is a client because of another role: there are others, outside.
        if known.isdisjoint(having.get(source, {source}) if _belongs_to_a_product(source) else {source})
    }
    for role in sorted(outside):
        flows = sum(
            len(_ports(scope, rows, frozenset({role}), frozenset(host.roles))) * len(host.endpoints)
            for host in scope.hosts
        )
        if flows:
            where = "a role that no host of the site has" if _belongs_to_a_product(role) else "outside the site"
            yield NotPlanned(Gap.STARTS_ELSEWHERE, flows, f"{_named(role)}, {where}")


def _from_roles(scope: Scope, rows: tuple[Row, ...]) -> Iterator[NotPlanned]:
    """Without a site nobody knows the other hosts, so requirements are counted instead of pairs of hosts."""
    targets = frozenset(role for host in scope.hosts for role in host.roles)
    everyone = frozenset(role for row in rows for role in row.to)
    here = scope.vantage.roles
    # A machine without a role looks at everything that leads to the targets.
    others = (
        frozenset() if here is None else frozenset(s for row in rows if row.listeners & targets for s in row.sources)
    )
    having = including(scope.documents)
    ours = {role for role in others | targets if not having.get(role, frozenset({role})).isdisjoint(here or ())}
    for role in sorted((others | targets) - ours - {ANY}):
        declared = tuple(row for row in rows if role in row.sources)
        flows = _ports(scope, declared, frozenset({role}), everyone if role in targets else targets)
        # What the role starts because of one that it includes: sixty roles of Windows may have nothing to do with us.
        flows |= _ports(scope, rows, frozenset({role}), targets)
        if flows:
            where = _named(role) if role == INTERNET else f"every {role_label(role)}"
            yield NotPlanned(Gap.STARTS_ELSEWHERE, len(flows), where)


def _by_roles(hosts: list[Host]) -> dict[tuple[str, ...], list[Host]]:
    groups: dict[tuple[str, ...], list[Host]] = {}
    for host in hosts:
        if host.roles:
            groups.setdefault(tuple(sorted(host.roles)), []).append(host)
    return groups


def _ports(
    scope: Scope, rows: tuple[Row, ...], sources: frozenset[str], targets: frozenset[str]
) -> set[tuple[Transport, int | None]]:
    return {
        key
        for row in rows
        if row.in_use and row.starters & sources and row.listeners & targets
        for ports in row.expectation.ports
        if scope.asks_for(ports.transport)
        for key in ports.each()
    }


def _belongs_to_a_product(role: str) -> bool:
    return ":" in role


def _named(role: str) -> str:
    return "the internet" if role == INTERNET else role_label(role)
