"""What a host's roles have to open: what must be free before the install, and where stand-ins listen. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from portcheck.engine.probe import Transport
from portcheck.model import ANY, Host, Level, Listen, Phase, Ports, Provenance, Scope
from portcheck.rows import Row, all_rows, strictest

_SAMPLES = 5
_HAVING_PORTS = (Transport.TCP, Transport.UDP)


@dataclass(frozen=True, slots=True)
class RolePort:
    """One port that a host's roles open.

    Attributes:
        services: of all rows that need it; empty for a nameless port of the command line.
        local_only: for processes of the host itself and nobody else.
        range: the range out of which the port was drawn, when any of its ports may be used.
        sources: role keys, "any" or "internet": who has to reach it.
        level: how much the rows insist, the strictest of them.
    """

    transport: Transport
    port: int
    services: tuple[str, ...]
    local_only: bool = False
    range: Ports | None = None
    sources: frozenset[str] = frozenset()
    level: Level = Level.REQUIRED
    documents: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()

    def __str__(self) -> str:
        return f"{self.port}/{self.transport}"


@dataclass(slots=True)
class _Need:
    """Who needs a port; `by_hand` are service names of the command line, empty ones among them."""

    rows: list[Row] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    range: Ports | None = None


def role_ports(scope: Scope, host: Host) -> tuple[RolePort, ...]:
    """What is in use of the host's roles, and before the install has yet to come, ordered by transport and number.

    Of a range of which some ports are used there are a few samples; a port that is named by itself is no sample.
    """
    rows = [row for row in all_rows(scope) if row.active and row.in_use and row.concerns(host)]
    installed = scope.phase is Phase.INSTALLED
    wanted = [row for row in rows if installed or not row.expectation.present_before_install]
    needs: dict[tuple[Transport, int], _Need] = {}
    for row in wanted:
        if row.expectation.listen is Listen.SINGLE:
            for key in _keys(row.expectation.ports, scope):
                needs.setdefault(key, _Need()).rows.append(row)
    for named in scope.extra:
        for key in _keys((named.ports,), scope):
            needs.setdefault(key, _Need()).by_hand.append(named.service or "")
    single = frozenset(needs)
    for row, ports, samples in sampled_ranges(scope, wanted):
        for port in samples:
            if (key := (ports.transport, port)) not in single:
                need = needs.setdefault(key, _Need(range=ports))
                need.rows.append(row)
    return tuple(_role_port(key, need) for key, need in sorted(needs.items(), key=lambda item: item[0]))


def sampled_ranges(scope: Scope, rows: Iterable[Row]) -> Iterator[tuple[Row, Ports, tuple[int, ...]]]:
    """Every range of which some ports are used, with the ports that stand for it."""
    for row in rows:
        if row.expectation.listen is Listen.SOME:
            for ports in row.expectation.ports:
                if ports.first is not None and scope.asks_for(ports.transport):
                    yield row, ports, samples(ports)


def samples(ports: Ports) -> tuple[int, ...]:
    """The first, the last and three more of a range, ascending: the same on every machine, for both sides need them."""
    numbers = ports.numbers()
    if len(numbers) <= _SAMPLES:
        return tuple(numbers)
    chosen = {numbers[0], numbers[-1]}
    drawn = hashlib.shake_128(f"portcheck sample of {ports}".encode()).digest(4 * 64)
    for place in range(0, len(drawn), 4):
        if len(chosen) == _SAMPLES:
            break
        chosen.add(numbers[int.from_bytes(drawn[place : place + 4], "big") % len(numbers)])
    return tuple(sorted(chosen))


def _keys(ports: Iterable[Ports], scope: Scope) -> Iterator[tuple[Transport, int]]:
    for each in ports:
        if each.transport in _HAVING_PORTS and scope.asks_for(each.transport):
            yield from ((each.transport, number) for number in each.numbers())


def _role_port(key: tuple[Transport, int], need: _Need) -> RolePort:
    transport, port = key
    named = [row.expectation.service for row in need.rows] + [name for name in need.by_hand if name]
    return RolePort(
        transport,
        port,
        services=tuple(dict.fromkeys(named)),
        local_only=not need.by_hand and all(row.local_only for row in need.rows),
        range=need.range,
        sources=frozenset({ANY} if need.by_hand else ()).union(*(row.sources for row in need.rows)),
        level=strictest(row.expectation.level for row in need.rows) if not need.by_hand else Level.REQUIRED,
        documents=tuple(dict.fromkeys(row.document.id for row in need.rows)),
        provenance=tuple(dict.fromkeys(place for row in need.rows for place in row.expectation.provenance)),
    )
