"""UDP where ICMP errors are rationed as every Linux machine does: 6 at once to one peer, then 1 a second (IPv6: 10).

Twenty closed ports look like 6 closed and 14 silent. The ration is counted by the sender of the errors and for each
peer, so every question has a client of its own and none takes another's share. Clients - r1 - servers; who limits is
the server itself or, where it rejects for others, r1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portcheck.model import Family
from tests.lab.rules import FIELD, chain, span, table
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology

FIRST_PORT = 3000
OPEN_PORT = 2000
SILENT_PORT = 2001


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked in one question. From FIRST_PORT on there are the closed ports, then the dropped ones.

    Attributes:
        first: ends its first address; the others follow.
        addresses: how many there are, all of one machine.
        rejected_by_r1: its closed ports are rejected on the way; of some port, for every kind of rejection looks alike.
        answers: OPEN_PORT answers, and SILENT_PORT is open and silent.
        limit: an nftables limit on the server's own ICMP errors, in place of the kernel's.
    """

    first: int
    closed: int
    dropped: int = 0
    addresses: int = 1
    rejected_by_r1: bool = False
    answers: bool = False
    limit: str | None = None

    @property
    def closed_ports(self) -> range:
        return range(FIRST_PORT, FIRST_PORT + self.closed)

    @property
    def dropped_ports(self) -> range:
        return range(self.closed_ports.stop, self.closed_ports.stop + self.dropped)

    @property
    def ports(self) -> tuple[int, ...]:
        """All that is asked of each address."""
        answering = (OPEN_PORT, SILENT_PORT) if self.answers else ()
        return (*answering, *self.closed_ports, *self.dropped_ports)

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.addresses)


TARGETS: Mapping[str, Target] = {
    "closed": Target(10, closed=20),
    "half": Target(11, closed=10, dropped=10),
    "slow": Target(12, closed=10, dropped=10, limit="30/minute burst 3 packets"),
    "mixed": Target(13, closed=8, dropped=2, answers=True),
    "refused": Target(14, closed=12, dropped=4, rejected_by_r1=True, answers=True),
    "crowd": Target(20, closed=1, addresses=38, rejected_by_r1=True),
    "aliases": Target(60, closed=3, addresses=8),
    "hundred": Target(70, closed=100),
}
"""`crowd` are 38 hosts behind one rejecting router; `aliases` are 8 addresses of one machine, which has one ration."""

QUESTIONS: Mapping[str, tuple[str, Family]] = {
    f"{name}{'6' if family is Family.IPV6 else ''}": (name, family) for name in TARGETS for family in Family
}
"""By the name of the client that asks it."""

_LEFT = Net("left", "10.72.1.0/24", "fd72:1::/64")
_RIGHT = Net("right", "10.72.2.0/24", "fd72:2::/64")


def addresses(name: str, family: Family = Family.IPV4) -> tuple[str, ...]:
    """The addresses of a target."""
    found = (_RIGHT.address(number, family) for number in TARGETS[name].numbers)
    return tuple(address for address in found if address is not None)


def responder(name: str, address: str, family: Family = Family.IPV4) -> str:
    """Whom the errors about the closed ports of this address come from."""
    if not TARGETS[name].rejected_by_r1:
        return address
    found = _LEFT.address(1, family)
    assert found is not None
    return found


def _at_r1() -> Iterator[str]:
    for name, target in TARGETS.items():
        for family, field in FIELD.items():
            for address in addresses(name, family) if target.rejected_by_r1 else ():
                to = f"iifname left {field} daddr {address} udp dport"
                yield f"{to} {span(target.closed_ports)} reject with icmpx admin-prohibited"
                if target.dropped:
                    yield f"{to} {span(target.dropped_ports)} drop"


def _at_server(target: Target) -> str:
    dropped = [f"udp dport {span(target.dropped_ports)} drop"] if target.dropped else []
    limited = [
        f"{error} type destination-unreachable limit rate over {target.limit} drop"
        for error in (("icmp", "icmpv6") if target.limit else ())
    ]
    return table(chain("input", dropped), chain("output", limited))


def _server(name: str, target: Target) -> Node:
    answering = (Listener(OPEN_PORT, "udp", answer="hello"), Listener(SILENT_PORT, "udp", answer="silent"))
    # Behind what a firewall refuses something answers, so that a hole in a rule is seen.
    refused = (*target.dropped_ports, *(target.closed_ports if target.rejected_by_r1 else ()))
    return Node(
        name,
        (Link("right", target.first, also=tuple(target.numbers[1:])),),
        (Route("left", via="r1"),),
        (*(answering if target.answers else ()), *(Listener(port, "udp", answer="hello") for port in refused)),
        rules=_at_server(target),
        sysctls={} if target.limit else KERNEL_ICMP_LIMITS,
    )


def udp_limits() -> Topology:
    """Clients - r1 - servers."""
    return Topology(
        "udplimit",
        "clients - r1 - servers: who refuses a datagram says so 6 times at once, then once a second",
        nets=(_LEFT, _RIGHT),
        nodes=(
            *(Node(f"c-{name}", (Link("left", n),), (Route("right", "r1"),)) for n, name in enumerate(QUESTIONS, 2)),
            Node(
                "r1",
                (Link("left", 1), Link("right", 1)),
                rules=table(chain("forward", _at_r1())),
                sysctls=KERNEL_ICMP_LIMITS,
                forwards=True,
            ),
            *(_server(name, target) for name, target in TARGETS.items()),
        ),
    )


UDP_LIMITS = udp_limits()
