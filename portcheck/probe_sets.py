"""What is asked of the network for a plan: the ports of each address, as the engines take them. Pure.

Swept ports stay runs of numbers until the engine wants them, so that a million of them cost a few megabytes.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from portcheck.engine.probe import Answered, Observation, PortState, ProbeSet, Transport
from portcheck.measured import Endpoint, Measured, endpoint, first_probe
from portcheck.model import Check, Expect, Phase, Plan, Ports
from portcheck.protocols import asked_in

_DECOYS = 2
_CANARIES = 3
_DRAWS = 256
"""Ports drawn for the decoys of an address; documents may have names for most of the port numbers."""
_UNPRIVILEGED = 1024


@dataclass(slots=True)
class _Asked:
    """What the checks of one endpoint need to be asked."""

    of_checks: set[int] = field(default_factory=set)
    speaks: dict[int, dict[str, None]] = field(default_factory=dict)
    swept: list[range] = field(default_factory=list)
    offered: set[Ports] = field(default_factory=set)
    stand_ins: set[int] = field(default_factory=set)

    def in_bulk(self) -> set[int]:
        return set[int]().union(*self.swept) - self.of_checks

    def __contains__(self, port: int) -> bool:
        return port in self.of_checks or any(port in run for run in self.swept)


def probe_sets(plan: Plan, *, seed: int, evidence: bool = False, kept: Measured | None = None) -> Iterator[ProbeSet]:
    """One set for each address and source address, in the order of the plan.

    Args:
        seed: of the decoys.
        evidence: swept ports too are to be reported singly, with their attempts.
        kept: what is known already and not asked again.
    """
    documented = _documented(plan)
    for where, asked in _by_endpoint(plan).items():
        if where[2] is not Transport.TCP:
            continue
        singly, in_bulk = _left(where, asked, evidence, kept)
        if singly or in_bulk:
            yield ProbeSet(
                address=where[0],
                singly=array("H", sorted(singly)),
                in_bulk=array("H", sorted(in_bulk)),
                decoys=_decoys(f"{seed} {where[0]}", asked, documented),
                source_address=where[1],
                canaries=_canaries(kept, where) if kept is not None else (),
            )


def _left(where: Endpoint, asked: _Asked, evidence: bool, kept: Measured | None) -> tuple[set[int], set[int]]:
    """The ports without an answer: those that are reported singly, and those in bulk."""
    known = kept.ports(where) if kept is not None else set()
    singly, in_bulk = asked.of_checks - known, asked.in_bulk() - known
    return (singly | in_bulk, set()) if evidence else (singly, in_bulk)


def asked_ports(plan: Plan) -> Iterator[tuple[str, str | None, Transport, set[int], set[int]]]:
    """Of every endpoint its address, source address and transport, and the ports that are asked singly and in bulk."""
    return ((*where, asked.of_checks, asked.in_bulk()) for where, asked in _by_endpoint(plan).items())


@dataclass(frozen=True, slots=True)
class AskedPort:
    """A port that is asked without a connection; `port` 0 for a protocol without ports.

    Attributes:
        speaks: the protocols to ask in, names of portcheck.protocols; empty when nobody knows one.
        expected: a service should be there; of a swept port nobody knows whose it is.
        in_bulk: as in Question.
        stand_in: a stand-in of ours may be there.
    """

    transport: Transport
    port: int
    speaks: tuple[str, ...]
    expected: bool
    in_bulk: bool = False
    stand_in: bool = False


def awaits_stand_in(plan: Plan, check: Check) -> bool:
    """Whether a stand-in of ours may listen there: where something has yet to be installed, for whomever."""
    named = check.expect is not Expect.NOT_OPEN or bool(check.named_for)
    yet_to_come = plan.scope.phase is Phase.PREINSTALL and not check.present
    return yet_to_come and named and check.port is not None and not check.is_own


def asked_without_connection(
    plan: Plan, *, evidence: bool = False, kept: Measured | None = None
) -> Iterator[tuple[str, str | None, list[AskedPort]]]:
    """What else is asked of each address from each source address, in the order of the plan; arguments as above."""
    by_address: dict[tuple[str, str | None], list[tuple[Endpoint, _Asked]]] = {}
    for where, asked in _by_endpoint(plan).items():
        if where[2] is not Transport.TCP:
            by_address.setdefault(where[:2], []).append((where, asked))
    for (address, source_address), of_address in by_address.items():
        ports: list[AskedPort] = []
        for where, asked in of_address:
            singly, in_bulk = _left(where, asked, evidence, kept)
            for port in sorted(singly | in_bulk):
                speaks = tuple(asked.speaks.get(port, ())) or asked_in((), where[2], port)
                ports.append(
                    AskedPort(
                        transport=where[2],
                        port=port,
                        speaks=speaks,
                        expected=port in asked.speaks,
                        in_bulk=port in in_bulk,
                        stand_in=port in asked.stand_ins,
                    )
                )
        if ports:
            yield address, source_address, ports


def _canaries(kept: Measured, where: Endpoint) -> tuple[tuple[int, PortState], ...]:
    """Ports that answered before: without one, a host that has banned us since looks like one that drops the rest."""
    for state in (PortState.OPEN, PortState.CLOSED):
        ports = [seen.probe.port for seen in kept.singly(where) if seen.state is state]
        ports += [tally.ports[0] for tally in kept.in_bulk(where) if tally.state is state]
        if ports:
            return tuple((port, state) for port in ports[:_CANARIES])
    return ()


def transports(plan: Plan) -> frozenset[Transport]:
    """What carries the probes of a plan."""
    checks = (*plan.checks, *(sweep.first for sweep in plan.sweeps))
    return frozenset(check.transport for check in checks if check.probe is not None and not check.is_own)


def ports_by_address(plan: Plan, *, connected: bool = True) -> dict[str, int]:
    """How many ports of each address are asked over TCP, or, not `connected`, over everything else."""
    counts: dict[str, int] = {}
    for (address, _, transport), asked in _by_endpoint(plan).items():
        if (transport is Transport.TCP) is connected:
            counts[address] = counts.get(address, 0) + len(asked.of_checks) + len(asked.in_bulk())
    return counts


def of_plan(plan: Plan, answers: Iterable[Answered]) -> Iterator[Answered]:
    """The answers that this plan asks for; a plan made later may have dropped a host or a port."""
    asked_by = _by_endpoint(plan)
    for answered in answers:
        probe = first_probe(answered)
        asked = asked_by.get(endpoint(probe))
        if asked is None:
            continue
        if isinstance(answered, Observation):
            if probe.port in asked:
                yield answered
        elif ports := array("H", filter(asked.__contains__, answered.ports)):
            yield replace(answered, ports=ports)


def _by_endpoint(plan: Plan) -> dict[Endpoint, _Asked]:
    offers = {host.name: host.offers for host in plan.scope.hosts}
    asked: dict[Endpoint, _Asked] = {}
    checks = [check for check in plan.checks if not check.is_own]
    for check in (*checks, *(sweep.first for sweep in plan.sweeps)):
        if check.probe is not None:
            asked.setdefault(endpoint(check.probe), _Asked()).offered.update(offers.get(check.host, ()))
    for check in checks:
        if check.probe is not None:
            of_endpoint = asked[endpoint(check.probe)]
            of_endpoint.of_checks.add(check.probe.port)
            if check.expect is not Expect.NOT_OPEN:
                of_endpoint.speaks.setdefault(check.probe.port, {}).update(dict.fromkeys(check.speaks))
            if plan.scope.stand_ins and awaits_stand_in(plan, check):
                of_endpoint.stand_ins.add(check.probe.port)
    for sweep in plan.sweeps:
        if (probe := sweep.first.probe) is not None:
            asked[endpoint(probe)].swept.extend(sweep.ports)
    return asked


# ------------------------------------------------------------------------------------------------- decoys


def _documented(plan: Plan) -> bytearray:
    """By port number, whether a selected document names it for any host."""
    named = bytearray(65536)
    for document in plan.scope.documents:
        for expectation in document.expectations:
            for ports in expectation.ports:
                if ports.transport is Transport.TCP:
                    numbers = ports.numbers()
                    named[numbers.start : numbers.stop] = b"\1" * len(numbers)
    return named


def _decoys(seed: str, asked: _Asked, documented: bytearray) -> tuple[int, ...]:
    """Two ports that nobody expects to be open there; fewer where nearly every port is expected to be.

    Drawn by a hash: the same run gives the same ports in every version of Python, and an address its own.
    """
    free = [port for port in _drawn(seed) if port not in asked.of_checks and not _is_offered(port, asked)]
    unnamed = [port for port in free if not documented[port]]
    private = [port for port in unnamed if port >= _UNPRIVILEGED]
    unswept = [port for port in private if not any(port in run for run in asked.swept)]
    best_first = dict.fromkeys((*unswept, *private, *unnamed, *free))
    return tuple(best_first)[:_DECOYS]


def _drawn(seed: str) -> Iterator[int]:
    drawn = struct.unpack(f">{_DRAWS}H", hashlib.shake_128(seed.encode()).digest(2 * _DRAWS))
    return (port for port in drawn if port)


def _is_offered(port: int, asked: _Asked) -> bool:
    return any(ports.transport is Transport.TCP and port in ports for ports in asked.offered)
