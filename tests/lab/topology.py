"""The words a lab is described in: nets, nodes, links, routes, listeners. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import combinations

from portcheck.model import Family

DEFAULT = "default"
"""A Route to everywhere, in every family of the net that leads there."""

SWITCH = "switch"
"""The namespace that holds one bridge for each net. No node may have its name."""

KERNEL_ICMP_LIMITS: Mapping[str, str] = {
    "net.ipv4.icmp_ratemask": "6168",
    "net.ipv6.icmp.ratelimit": "100",
    "net.ipv6.icmp.ratemask": "0-1,3-127",
}
"""`Node.sysctls` of a node that limits its ICMP errors as Linux does by default: 6 at once, then 1 a second.

Every other node of a lab answers without limit, so that a truth table can be asked in one go.
"""

INTERFACE_NAME_MAX = 15
"""IFNAMSIZ - 1."""


@dataclass(frozen=True, slots=True)
class Net:
    """One Ethernet segment with its prefixes, such as 10.77.1.0/24 and fd77:1::/64; None: not in use."""

    name: str
    ipv4: str | None = None
    ipv6: str | None = None

    def prefix(self, family: Family) -> str | None:
        return self.ipv4 if family is Family.IPV4 else self.ipv6

    def address(self, number: int, family: Family) -> str | None:
        """The address whose last digits are `number`; None if the net has no prefix of the family."""
        prefix = self.prefix(family)
        if prefix is None:
            return None
        # People look for fd77:3::10 beside 10.77.3.10, so IPv6 spells the decimal digits.
        return str(ip_network(prefix)[number if family is Family.IPV4 else int(str(number), 16)])


@dataclass(frozen=True, slots=True)
class Link:
    """An interface on `net`, named after it. Its numbers end the addresses: 10 is 10.77.3.10 and fd77:3::10."""

    net: str
    number: int
    also: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        return (self.number, *self.also)


@dataclass(frozen=True, slots=True)
class Route:
    """To a net (by name), or DEFAULT, through the node `via`, in every family that the two have in common."""

    to: str
    via: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that answers.

    Attributes:
        port: 0 for a protocol without ports.
        transport: "tcp", "udp", "gre", "esp" or "ah".
        bind: an address literal, or None for all addresses of both families.
        answer: for tcp what an accepted connection meets: "keep" (until the peer closes), "close", "reset"; for
            udp what a datagram brings: "hello", "echo", "dns", "ntp", "tftp" (from another port), "silent"; for the
            others what a packet brings: "echo", "silent", "unreachable" (the error of a kernel without the protocol).
        answer_from: another address of the node that udp answers come from.
    """

    port: int
    transport: str = "tcp"
    bind: str | None = None
    answer: str = "keep"
    answer_from: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A host or, with `forwards`, a router: a network namespace of its own.

    Attributes:
        rules: an nftables ruleset. Interfaces are named after the nets they are on.
        sysctls: dotted names and values; they come after the lab's defaults.
        present: False for an address behind which there is no machine; nothing is built for it.
    """

    name: str
    links: tuple[Link, ...]
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    rules: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    forwards: bool = False
    present: bool = True


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole lab. Raises ValueError, saying what is wrong, for a description that cannot be built."""

    name: str
    title: str
    nets: tuple[Net, ...]
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ValueError(f"lab {self.name}: " + "; ".join(faults))

    def net(self, name: str) -> Net:
        return next(net for net in self.nets if net.name == name)

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"lab {self.name} has no node {name}; it has {', '.join(n.name for n in self.nodes)}")

    @property
    def present(self) -> tuple[Node, ...]:
        """The nodes that have a machine."""
        return tuple(node for node in self.nodes if node.present)

    def address(self, node: str, family: Family, net: str | None = None) -> str:
        """The first address of `node` on `net` (default: its first link). Raises LookupError without one."""
        for link in self.node(node).links:
            if net in (None, link.net):
                address = self.net(link.net).address(link.number, family)
                if address is not None:
                    return address
        raise LookupError(f"lab {self.name}: {node} has no {family} address on {net or 'any net'}")

    def addresses(self, node: str) -> tuple[str, ...]:
        """Every address of `node`, link by link, IPv4 first."""
        found = (
            self.net(link.net).address(number, family)
            for link in self.node(node).links
            for family in Family
            for number in link.numbers
        )
        return tuple(address for address in found if address is not None)

    def routes(self, node: str) -> tuple[tuple[str, str], ...]:
        """(prefix or "default", next hop's address) of every route of `node`."""
        return tuple(pair for route in self.node(node).routes for pair in self._resolved(node, route))

    def _resolved(self, node: str, route: Route) -> Iterator[tuple[str, str]]:
        shared = _shared_net(self.node(node), self.node(route.via))
        for family in Family:
            to = DEFAULT if route.to == DEFAULT else self.net(route.to).prefix(family)
            if shared is not None and to is not None and self.net(shared).prefix(family) is not None:
                yield to, self.address(route.via, family, shared)


def _shared_net(one: Node, other: Node) -> str | None:
    return next((a.net for a in one.links for b in other.links if a.net == b.net), None)


def _faults(lab: Topology) -> Iterator[str]:
    """What makes the description unbuildable, one sentence each."""
    nets = {net.name for net in lab.nets}
    nodes = {node.name: node for node in lab.nodes}
    if len(nets) < len(lab.nets) or len(nodes) < len(lab.nodes) or SWITCH in nodes:
        yield f"names of nets and nodes must be unique, and {SWITCH} is taken"
    strangers = sorted({link.net for node in lab.nodes for link in node.links} - nets)
    if strangers:
        yield f"links lead to nets that do not exist: {', '.join(strangers)}"
        return
    for node in lab.nodes:
        for link in node.links:
            if len(f"{node.name}.{link.net}") > INTERFACE_NAME_MAX:
                yield f"{node.name}.{link.net} is longer than an interface name may be ({INTERFACE_NAME_MAX})"
        for route in node.routes:
            if route.to != DEFAULT and route.to not in nets:
                yield f"{node.name} has a route to {route.to}, which is no net"
            if route.via not in nodes or _shared_net(node, nodes[route.via]) is None:
                yield f"{node.name} has no net in common with {route.via}, its next hop to {route.to}"
    for one, other in combinations(lab.nodes, 2):
        twice = sorted(set(lab.addresses(one.name)) & set(lab.addresses(other.name)), key=_by_number)
        if twice:
            yield f"{one.name} and {other.name} share {', '.join(twice)}"


def _by_number(address: str) -> tuple[int, int]:
    parsed = ip_address(address)
    return parsed.version, int(parsed)
