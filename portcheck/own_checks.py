"""What is checked of the machine that we stand on: its ports and its packet filter. Nothing is sent for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portcheck.engine.probe import OWN_HOST, OWN_RULES, Probe, Transport
from portcheck.model import LOCALHOST, Check, Expect, Host, Own, Phase, Scope, role_labels
from portcheck.role_ports import RolePort, role_ports
from portcheck.rows import played

_OF = {Expect.FREE: ("own", OWN_HOST), Expect.LOOPBACK_ONLY: ("own", OWN_HOST), Expect.LET_IN: ("rules", OWN_RULES)}
"""What check ids call it, and the address of its probes."""


def own_checks(scope: Scope, host: Host) -> Iterator[Check]:
    """Before the install: is every port of its roles free, and does its own packet filter let the others in?

    With the product running: does what is for localhost alone listen for nobody else?
    """
    if scope.own is Own.NOTHING or host.external:
        return
    ports = role_ports(scope, host)
    if scope.phase is Phase.INSTALLED:
        # Of a range some ports are used, nobody knows which.
        alone = (port for port in ports if port.local_only and port.range is None)
        yield from (_check(scope, host, port, Expect.LOOPBACK_ONLY) for port in alone)
        return
    yield from (_check(scope, host, port, Expect.FREE) for port in ports)
    starters = _starters(scope, host)
    yield from (_check(scope, host, port, Expect.LET_IN) for port in ports if starters(port) != ())


def _check(scope: Scope, host: Host, port: RolePort, expect: Expect) -> Check:
    named, address = _OF[expect]
    return Check(
        id=f"{scope.vantage.name}>{host.name}/{named}/{port.transport}/{port.port}",
        source=scope.vantage.name,
        source_role=role_labels(sorted(scope.vantage.roles or ())) or None,
        host=host.name,
        address=None,
        family=None,
        role=role_labels(host.roles),
        transport=port.transport,
        port=port.port,
        expect=expect,
        level=port.level,
        services=port.services,
        documents=port.documents,
        provenance=port.provenance,
        probe=Probe(address, port.transport, port.port),
        range=port.range,
    )


def sources_of(scope: Scope, host: Host) -> dict[tuple[Transport, int], tuple[str, ...]]:
    """By port, the addresses of the site's hosts that have to reach it; none where others may have to as well."""
    starters = _starters(scope, host)
    return {(port.transport, port.port): starters(port) or () for port in role_ports(scope, host)}


def _starters(scope: Scope, host: Host) -> Callable[[RolePort], tuple[str, ...] | None]:
    """Of a port, the addresses that have to reach it from outside the host; None where nobody knows them all.

    Not known are "any", "internet", a role that no host of the site has, and without a site every role.
    """
    plays = [(each, played(scope.documents, each.roles)) for each in scope.all_hosts if scope.whole_site]
    present = frozenset({LOCALHOST}).union(*(roles for _, roles in plays))
    others = [(other, roles) for other, roles in plays if other.name != host.name]

    def starters(port: RolePort) -> tuple[str, ...] | None:
        if not port.sources <= present:
            return None
        starting = [other for other, roles in others if not port.sources.isdisjoint(roles)]
        return tuple(address.ip for other in starting for address in other.addresses)

    return starters
