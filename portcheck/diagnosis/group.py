"""Verdicts that are described together, and how a person names their ports, hosts and places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from portcheck.diagnosis.recognition import by_same_hosts
from portcheck.engine.probe import Transport
from portcheck.model import Expect, Family, Outcome, Ports, Selection, Vantage, Verdict
from portcheck.observed import stays_here
from portcheck.ports import format_by_transport
from portcheck.wording import listed

GRAVITY = (Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE)
_PORTS_NAMED = 3
_RUNS_NAMED = 100
"""Runs of port numbers in a headline; every second port of a host would be 30,000 of them."""
_SERVICES_NAMED = 12
_PARTS_NAMED = 6
_NOTHING_SELECTED = Selection()
_FAMILY_NAMES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Context:
    """What the sentences need beside the verdicts.

    Attributes:
        titles: document id to title.
        roles: role, as a person says it, to the names of the hosts that were checked in it.
        secrets: which of the Secrets were given, by field name.
        selection: what the user asked for.
    """

    vantage: Vantage
    titles: Mapping[str, str]
    roles: Mapping[str, frozenset[str]]
    verdicts: tuple[Verdict, ...]
    secrets: frozenset[str] = frozenset()
    selection: Selection = _NOTHING_SELECTED


@dataclass(frozen=True, slots=True)
class Group:
    """Verdicts of one cause whose ports fail on the same hosts."""

    verdicts: tuple[Verdict, ...]
    context: Context

    @property
    def first(self) -> Verdict:
        """The gravest, whose sentence stands for all; of those one that was seen, not inferred."""
        return min(self.verdicts, key=lambda verdict: (GRAVITY.index(verdict.outcome), verdict.observation.inferred))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(verdict.check.host for verdict in self.verdicts))

    @property
    def ports(self) -> str:
        """`5050/tcp Mesos Master`; with many ports only their number and, of these, the first.

        Ports that stand for a range are told with it: `2 of the ports 1025-2180/tcp (1411, 1700) Mesos tasks`.
        """
        samples = _by_range(self.verdicts)
        single = self._single
        of_ranges = [_some_of(ports, part) for ports, part in samples.items()]
        if single.port_count > _PORTS_NAMED:
            ports = f"{single.port_count:,} ports ({single._some_port_numbers})"
            return listed([ports, *of_ranges], between=" and ")
        named = {port: v.check.services for v in single.verdicts for port in _port_texts(v)}
        singly = [f"{port} {services[0]}" if services else port for port, services in named.items()]
        return listed([*singly, *of_ranges])

    @property
    def _single(self) -> Group:
        """The same without the ports that stand for a range."""
        return Group(tuple(v for v in self.verdicts if v.check.range is None), self.context)

    @property
    def port_count(self) -> int:
        return len(self._keys())

    @property
    def check_count(self) -> int:
        return sum(verdict.count for verdict in self.verdicts)

    def _keys(self) -> dict[tuple[Transport, int | None], None]:
        """Every port once, in the order of the verdicts."""
        distinct = {verdict.port_set: verdict for verdict in self.verdicts}
        return dict.fromkeys(key for verdict in distinct.values() for key in verdict.keys)

    @property
    def where(self) -> str:
        """The hosts, the role when they are all of it, and the address where a host has others that are well."""
        if all(v.check.is_own for v in self.verdicts):
            return f"this machine ({listed(self.hosts)})"
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
    def ports_on_hosts(self) -> str:
        """`138/udp Browser on dc1, dc2; 162/udp Traps on nms`: for ports that do not all belong to the same hosts."""
        parts = (Group(part, self.context) for part in by_same_hosts(list(self.verdicts)))
        return listed([f"{part.ports} on {part.where}" for part in parts], _PARTS_NAMED, "; ")

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
        single = self._single
        named = {v.check.port_text: v.check.services[0] for v in single.verdicts if v.check.services}
        if single.port_count <= _PORTS_NAMED or not named:
            return ()
        return (listed([f"{port} {service}" for port, service in named.items()], _SERVICES_NAMED) + ".",)

    @property
    def port_numbers(self) -> str:
        """`53, 80, 443/tcp and 53/udp`."""
        return format_by_transport(self._keys())

    @property
    def ports_to_allow(self) -> str:
        """What a rule has to name: of a port that stands for a range, the whole range."""
        ranges = {key for v in self.verdicts if v.check.range is not None for key in v.check.range.each()}
        return format_by_transport({**self._keys(), **dict.fromkeys(sorted(ranges, key=_order))})

    @property
    def _some_port_numbers(self) -> str:
        """The same, cut where it would fill the screen."""
        runs = self.port_numbers.split(", ")
        return ", ".join(runs) if len(runs) <= _RUNS_NAMED else f"{', '.join(runs[:_RUNS_NAMED])} ..."

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
    def stays_here(self) -> bool:
        """Whether all of it is this machine itself, which nobody has to let through."""
        return all(stays_here(v.check, v.observation) for v in self.verdicts)

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


def _by_range(verdicts: Iterable[Verdict]) -> dict[Ports, list[Verdict]]:
    ranges: dict[Ports, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check.range is not None:
            ranges.setdefault(verdict.check.range, []).append(verdict)
    return ranges


def _some_of(ports: Ports, verdicts: list[Verdict]) -> str:
    """`5 of the ports 49152-65535/tcp Dynamic RPC`, a few of them by their numbers."""
    numbers = sorted({verdict.check.port for verdict in verdicts if verdict.check.port is not None})
    which = f" ({', '.join(map(str, numbers))})" if len(numbers) <= _PORTS_NAMED else ""
    services = verdicts[0].check.services
    return f"{len(numbers)} of the ports {ports}{which}{f' {services[0]}' if services else ''}"


def _order(key: tuple[Transport, int | None]) -> tuple[str, int]:
    return key[0], key[1] or 0


def _is_other(verdict: Verdict, addresses: set[str | None]) -> bool:
    return verdict.check.address is not None and verdict.check.address not in addresses


def _port_texts(verdict: Verdict) -> Iterator[str]:
    return (f"{transport}" if port is None else f"{port}/{transport}" for transport, port in verdict.keys)
