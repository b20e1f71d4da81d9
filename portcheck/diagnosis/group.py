"""Verdicts that are described together, and how a person names their ports, hosts and places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portcheck.model import Check, Expect, Family, Outcome, Vantage, Verdict
from portcheck.ports import format_by_transport
from portcheck.wording import listed

GRAVITY = (Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE)
_PORTS_NAMED = 3
_SERVICES_NAMED = 12
_FAMILY_NAMES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Context:
    """What the sentences need beside the verdicts.

    Attributes:
        titles: document id to title.
        roles: role, as a person says it, to the names of the hosts that were checked in it.
    """

    vantage: Vantage
    titles: Mapping[str, str]
    roles: Mapping[str, frozenset[str]]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Verdicts of one cause whose ports fail on the same hosts."""

    verdicts: tuple[Verdict, ...]
    context: Context

    @property
    def first(self) -> Verdict:
        """The gravest, whose sentence stands for all."""
        return min(self.verdicts, key=lambda verdict: GRAVITY.index(verdict.outcome))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(verdict.check.host for verdict in self.verdicts))

    @property
    def ports(self) -> str:
        return _ports([verdict.check for verdict in self.verdicts])

    @property
    def port_count(self) -> int:
        return len({(v.check.transport, v.check.port) for v in self.verdicts})

    @property
    def where(self) -> str:
        """The hosts, the role when they are all of it, and the address where a host has others that are well."""
        hosts = frozenset(self.hosts)
        failing = {v.check.address for v in self.verdicts}
        well = {v.check.family for v in self.context.verdicts if v.check.host in hosts and _is_other(v, failing)}
        family = self.first.check.family
        if well and (len(hosts) == 1 or family in well or any(v.check.family is not family for v in self.verdicts)):
            return self.hosts_with_addresses
        over = f" over {_FAMILY_NAMES[family]}" if well and family is not None else ""
        for role, members in self.context.roles.items():
            if len(members) > 1 and hosts == members:
                return f"every {role} ({listed(self.hosts)}){over}"
        return f"{listed(self.hosts)}{over}"

    @property
    def hosts_with_addresses(self) -> str:
        """`m1 (10.0.0.1), m2 (10.0.0.2)`."""
        addresses: dict[str, list[str]] = {}
        for verdict in self.verdicts:
            known = addresses.setdefault(verdict.check.host, [])
            if verdict.check.address and verdict.check.address not in (*known, verdict.check.host):
                known.append(verdict.check.address)
        return listed([f"{host} ({', '.join(ips)})" if ips else host for host, ips in addresses.items()])

    @property
    def services(self) -> tuple[str, ...]:
        """What the ports are for, where the headline has only their numbers."""
        named = {v.check.port_text: v.check.services[0] for v in self.verdicts if v.check.services}
        if self.port_count <= _PORTS_NAMED or not named:
            return ()
        return (listed([f"{port} {service}" for port, service in named.items()], _SERVICES_NAMED) + ".",)

    @property
    def port_numbers(self) -> str:
        """`53, 80, 443/tcp and 53/udp`."""
        return _port_numbers(verdict.check for verdict in self.verdicts)

    @property
    def sender(self) -> str:
        """This machine, with the addresses that it sent from, or would have."""
        vantage = self.context.vantage
        seen = (attempt.source_address for v in self.verdicts for attempt in v.observation.attempts)
        chosen = (vantage.sources.get(v.check.family) for v in self.verdicts if v.check.family is not None)
        used = list(dict.fromkeys(filter(None, seen))) or list(dict.fromkeys(filter(None, chosen)))
        name = vantage.name if vantage.host else vantage.machine or "this machine"
        return f"{name} ({', '.join(used)})" if used else name

    @property
    def rejected_by(self) -> str:
        """Who sent the ICMP errors."""
        if self.first.observation.rejected_by_target:
            return "the host itself"
        return self.first.observation.responder or "somebody on the way"

    @property
    def places(self) -> tuple[str, ...]:
        """Where the documents say so: one line for each document and section."""
        rows: dict[tuple[str, str], list[str]] = {}
        for verdict in self.verdicts:
            if verdict.check.expect is not Expect.NOT_OPEN:
                for place in verdict.check.provenance:
                    known = rows.setdefault((place.document, place.section), [])
                    if place.row not in known:
                        known.append(place.row)
        titles = self.context.titles
        return tuple(
            f'{titles.get(document, document)}, "{section}", {"row" if len(listed_rows) == 1 else "rows"} '
            f"{listed(listed_rows)}"
            for (document, section), listed_rows in rows.items()
        )


def _is_other(verdict: Verdict, addresses: set[str | None]) -> bool:
    return verdict.check.address is not None and verdict.check.address not in addresses


def _ports(checks: list[Check]) -> str:
    """`5050/tcp Mesos Master`; with many ports only their number and the numbers themselves."""
    named = {check.port_text: check.services for check in checks}
    if len(named) > _PORTS_NAMED:
        return f"{len(named)} ports ({_port_numbers(checks)})"
    return listed([f"{port} {services[0]}" if services else port for port, services in named.items()])


def _port_numbers(checks: Iterable[Check]) -> str:
    return format_by_transport((check.transport, check.port) for check in checks)
