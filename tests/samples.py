"""Small documents, hosts and scopes for tests: one line each, everything that a test is not about left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import settings

from portcheck.engine.probe import Attempt, Observation, PortState, Probe, Reason, Transport
from portcheck.model import (
    Address,
    Check,
    Document,
    Expect,
    Expectation,
    Family,
    Host,
    Level,
    Plan,
    Provenance,
    Role,
    Scope,
    Vantage,
    role_key,
)
from portcheck.ports import parse_ports

PATIENT = settings(deadline=None)
"""A busy machine is no reason for a property to fail."""

OWN_ROLES = ("agent", "master")
EXTERNAL_ROLES = ("client", "ntp")


def row(ports: str, sources: str = "agent", to: str = "master", **fields: Any) -> Expectation:
    """`row("22/tcp", "agent master", "master")`; its service is the ports unless a test names one."""
    given = {"service": ports, "provenance": (Provenance("doc", "Ports", ports),), **fields}
    if "when" in given:
        given.setdefault("level", Level.CONDITIONAL)
    return Expectation(ports=parse_ports(ports), sources=tuple(sources.split()), to=tuple(to.split()), **given)


def document(*rows: Expectation, id: str = "doc", **fields: Any) -> Document:
    """A document with the roles agent, master (its own) and client, ntp (external)."""
    roles = {name: Role(name, name) for name in OWN_ROLES} | {
        name: Role(name, name, external=True) for name in EXTERNAL_ROLES
    }
    features = {e.when: f"Feature {e.when}" for e in rows if e.when is not None}
    given = {"title": id.title(), "vendor": "V", "product": "P", "version": "1", "url": None, "roles": roles}
    own = tuple(replace(e, provenance=tuple(replace(p, document=id) for p in e.provenance)) for e in rows)
    return Document(id=id, expectations=own, features=features, **{**given, **fields})


def address(ip: str) -> Address:
    return Address(ip, Family.IPV6 if ":" in ip else Family.IPV4)


def host(name: str, *ips: str, roles: Iterable[str] = (), **fields: Any) -> Host:
    """A host with role keys as they are ("doc:master", "ntp")."""
    return Host(name, tuple(address(ip) for ip in ips), tuple(roles), **fields)


def at(name: str, hosts: Iterable[Host]) -> Vantage:
    """The vantage of one of the hosts."""
    here = next(h for h in hosts if h.name == name)
    sources = {a.family: a.ip for a in reversed(here.addresses)}
    return Vantage(name, frozenset(here.roles), name, sources, "machine")


def claimed(*keys: str) -> Vantage:
    """The vantage of --from ROLE."""
    return Vantage(keys[0].rpartition(":")[2], frozenset(keys), machine="machine")


HERE = Vantage("here", machine="machine")
"""A machine without a role."""


def cluster(of: Document, masters: int = 1, agents: int = 2) -> tuple[Host, ...]:
    """m1 … at 10.0.0.1 …, a1 … at 10.0.0.11 …"""
    role = {name: (role_key(of, name),) for name in OWN_ROLES}
    return (
        *(host(f"m{n}", f"10.0.0.{n}", roles=role["master"]) for n in range(1, masters + 1)),
        *(host(f"a{n}", f"10.0.0.{10 + n}", roles=role["agent"]) for n in range(1, agents + 1)),
    )


def site(documents: Iterable[Document], hosts: Iterable[Host], vantage: str | Vantage, **fields: Any) -> Scope:
    """A scope over a whole site, seen from one of its hosts (by name) or from another vantage."""
    listed = tuple(hosts)
    seen_from = at(vantage, listed) if isinstance(vantage, str) else vantage
    return Scope(tuple(documents), listed, seen_from, whole_site=True, **fields)


def by_port(plan: Plan, name: str, expect: Expect | None = None, transport: Transport = Transport.TCP) -> set[int]:
    """The ports of the checks of one host."""
    return {
        check.port
        for check in every_check(plan)
        if check.host == name and check.transport is transport and check.port and expect in (None, check.expect)
    }


def every_check(plan: Plan) -> Iterator[Check]:
    """The checks, with one for each swept port."""
    yield from plan.checks
    yield from (sweep.check(port) for sweep in plan.sweeps for port in sweep.numbers())


def the(plan: Plan, check_id: str) -> Check:
    """The one check with this id."""
    (check,) = (check for check in plan.checks if check.id == check_id)
    return check


def gaps(plan: Plan, gap: str) -> list[tuple[int, str]]:
    """Flows and text of what is not planned for one reason."""
    return [(entry.flows, entry.text) for entry in plan.not_planned if entry.gap == gap]


def features(of: Document, **stated: bool) -> Mapping[str, Mapping[str, bool]]:
    return {of.id: stated}


def check(expect: Expect = Expect.REACHABLE, **fields: Any) -> Check:
    """One check of 22/tcp of m1 (10.0.0.1), seen from a1."""
    given = {
        "id": "a1>m1/ipv4/tcp/22",
        "source": "a1",
        "source_role": "agent",
        "host": "m1",
        "address": "10.0.0.1",
        "family": Family.IPV4,
        "role": "master",
        "transport": Transport.TCP,
        "port": 22,
        "probe": Probe("10.0.0.1", Transport.TCP, 22),
    }
    return Check(expect=expect, **{**given, **fields})


TWO_TRIES = (Attempt(0.0, 3.3, 40001, 4, "no-response"), Attempt(1.0, 3.3, 40002, 4, "no-response"))


def observation(state: PortState, reason: Reason, **fields: Any) -> Observation:
    """What 22/tcp of m1 answered."""
    transport = fields.pop("transport", Transport.TCP)
    probe = fields.pop("probe", Probe("10.0.0.1", transport, 22))
    return Observation(probe, state, reason, **{"attempts": TWO_TRIES, **fields})
