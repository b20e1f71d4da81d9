"""The truth table of TCP: client - r1 - r2 - server, and every way in which a port can answer or not.

CASES says what a checker on `client` must find. Behind every blocked port of the server something listens, so
that a hole in a rule shows as "open". Ports stay below the ephemeral range, and rules match the direction of the
SYN only: none can catch a reply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

OPEN_PORT = 2000
CLOSED_PORT = 2099
ABSENT_PORT = 80
"""The port to ask at addresses that have no machine, no route or no voice."""


@dataclass(frozen=True, slots=True)
class Case:
    """One port and what must be found there.

    Attributes:
        name: what happens to the SYN, and where: "drop@r1"; unique within a family.
        responder: the address that must be named as the sender of the ICMP error; None: none may be named.
    """

    name: str
    family: Family
    address: str
    port: int
    state: PortState
    reason: Reason
    responder: str | None = None

    def __str__(self) -> str:
        return f"{self.family}-{self.name}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a firewall does with a SYN. `offset` is the port's distance from its Place's first port.

    Attributes:
        ipv4, ipv6: the nftables verdict in each family; None where the family has no such answer.
        signed: an ICMP error says who answered.
    """

    name: str
    offset: int
    ipv4: str | None
    ipv6: str | None
    state: PortState
    reason: Reason
    signed: bool = True

    def verdict(self, family: Family) -> str | None:
        return self.ipv4 if family is Family.IPV4 else self.ipv6


def _rejected(name: str, offset: int, ipv4: str | None, ipv6: str | None, reason: Reason) -> Answer:
    """An answer by ICMP error, from nftables' names of the codes."""
    return Answer(
        name,
        offset,
        None if ipv4 is None else f"reject with icmp {ipv4}",
        None if ipv6 is None else f"reject with icmpv6 {ipv6}",
        PortState.FILTERED,
        reason,
    )


RESET = "reject with tcp reset"

# RFC 792 and RFC 1812 5.2.7.1 for ICMP type 3, RFC 4443 3.1 for ICMPv6 type 1.
ANSWERS = (
    Answer("drop", 1, "drop", "drop", PortState.FILTERED, Reason.NO_RESPONSE, signed=False),
    # A forged RST looks like the host's own.
    Answer("tcp-reset", 2, RESET, RESET, PortState.CLOSED, Reason.CONN_REFUSED, signed=False),
    _rejected("port-unreachable", 3, "port-unreachable", "port-unreachable", Reason.PORT_UNREACH),
    _rejected("admin-prohibited", 4, "admin-prohibited", "admin-prohibited", Reason.ADMIN_PROHIBITED),
    _rejected("net-unreachable", 5, "net-unreachable", "no-route", Reason.NET_UNREACH),
    _rejected("host-unreachable", 6, "host-unreachable", "addr-unreachable", Reason.HOST_UNREACH),
    _rejected("net-prohibited", 7, "net-prohibited", None, Reason.ADMIN_PROHIBITED),
    _rejected("host-prohibited", 8, "host-prohibited", None, Reason.ADMIN_PROHIBITED),
    _rejected("prot-unreachable", 9, "prot-unreachable", None, Reason.PROTO_UNREACH),
    _rejected("policy-fail", 10, None, "policy-fail", Reason.ADMIN_PROHIBITED),
    _rejected("reject-route", 11, None, "reject-route", Reason.ADMIN_PROHIBITED),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A node with a firewall. `first_port` plus an Answer's offset is the port that it gives that answer for.

    Attributes:
        chain: the nftables hook in which the SYN is caught.
        arrives_on: the interface that the SYN comes in by; None on the client, where it starts.
        named: the net whose address the node's ICMP errors to the client come from.
    """

    node: str
    first_port: int
    chain: str
    arrives_on: str | None
    named: str

    def ports(self) -> tuple[int, ...]:
        return tuple(self.first_port + answer.offset for answer in ANSWERS)


SERVER = Place("server", 2100, "input", "right", "right")
R1 = Place("r1", 3000, "forward", "left", "left")
R2 = Place("r2", 4000, "forward", "mid", "mid")
CLIENT = Place("client", 5000, "output", None, "left")
PLACES = (SERVER, R1, R2, CLIENT)


def rules_of(
    place: Place, *, transport: str = "tcp", answers: Iterable[Answer] = ANSWERS, more: Iterable[str] = ()
) -> str:
    """The ruleset of a place. Each rule counts, under the name of its case; `more` come after them."""
    came_by = f"iifname {place.arrives_on} " if place.arrives_on else ""
    lines = []
    for answer in answers:
        for family in Family:
            verdict = answer.verdict(family)
            if verdict is not None:
                match = f"{came_by}meta nfproto {family} {transport} dport {place.first_port + answer.offset}"
                lines.append(f'{match} counter {verdict} comment "{family}-{answer.name}@{place.node}"')
    hook = f"type filter hook {place.chain} priority filter; policy accept;"
    return "\n".join(("table inet lab {", f"chain {place.chain} {{", hook, *lines, *more, "}", "}"))


SILENCE = """
table inet lab {
    chain input {
        type filter hook input priority filter; policy drop;
        iifname lo accept
        # The host stays visible to its neighbours, as one that drops IPv4 stays visible to ARP.
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        counter drop comment "silence"
    }
}
"""
"""The ruleset of a host that drops everything."""


def matrix() -> Topology:
    """The network that CASES is about."""
    open_ports = (OPEN_PORT, *(port for place in PLACES for port in place.ports()))
    return Topology(
        "matrix",
        "client - r1 - r2 - server: every way in which a TCP port can answer or not",
        nets=(
            Net("left", "10.77.1.0/24", "fd77:1::/64"),
            Net("mid", "10.77.2.0/24", "fd77:2::/64"),
            Net("right", "10.77.3.0/24", "fd77:3::/64"),
            Net("lost", "10.77.4.0/24", "fd77:4::/64"),
            Net("world", "198.51.100.0/24", "2001:db8::/64"),
        ),
        nodes=(
            Node(
                "client",
                (Link("left", 2),),
                # No default route, so that `world` has none; `lost` has one up to r1, which knows no further.
                routes=tuple(Route(net, via="r1") for net in ("mid", "right", "lost")),
                rules=rules_of(CLIENT),
            ),
            Node("ghost", (Link("left", 99),), present=False),
            Node(
                "r1",
                (Link("left", 1), Link("mid", 1)),
                (Route("right", "r2"),),
                rules=rules_of(R1),
                forwards=True,
            ),
            Node(
                "r2",
                (Link("mid", 2), Link("right", 1)),
                (Route("left", "r1"),),
                rules=rules_of(R2),
                forwards=True,
            ),
            Node(
                "server",
                (Link("right", 10),),
                routes=(Route("default", via="r2"),),
                listeners=tuple(Listener(port) for port in open_ports),
                rules=rules_of(SERVER),
            ),
            Node(
                "silent",
                (Link("right", 20),),
                routes=(Route("default", via="r2"),),
                listeners=(Listener(ABSENT_PORT),),
                rules=SILENCE,
            ),
            Node("farghost", (Link("right", 99),), present=False),
            Node("lost", (Link("lost", 2),), present=False),
            Node("stranger", (Link("world", 1),), present=False),
        ),
    )


MATRIX = matrix()


def _server_cases(family: Family) -> Iterator[Case]:
    server = MATRIX.address("server", family)
    yield Case("open", family, server, OPEN_PORT, PortState.OPEN, Reason.SYN_ACK)
    yield Case("closed", family, server, CLOSED_PORT, PortState.CLOSED, Reason.CONN_REFUSED)
    for place in (SERVER, R1, R2):
        responder = MATRIX.address(place.node, family, place.named)
        for answer in ANSWERS:
            if answer.verdict(family) is not None:
                yield Case(
                    f"{answer.name}@{place.node}",
                    family,
                    server,
                    place.first_port + answer.offset,
                    answer.state,
                    answer.reason,
                    responder if answer.signed else None,
                )


def _own_firewall_cases(family: Family) -> Iterator[Case]:
    """The client's own OUTPUT rules: a rejection is a local matter; a dropped SYN looks like a lost one."""
    server, client = MATRIX.address("server", family), MATRIX.address("client", family)
    for answer in ANSWERS:
        port = CLIENT.first_port + answer.offset
        if answer.verdict(family) is None:
            continue
        name = f"{answer.name}@client"
        if answer.signed:
            yield Case(name, family, server, port, PortState.UNKNOWN, Reason.LOCAL_FIREWALL, client)
        else:
            yield Case(name, family, server, port, answer.state, answer.reason)


def _absence_cases(family: Family) -> Iterator[Case]:
    """Addresses at which there is nobody to ask."""
    r1, r2 = MATRIX.address("r1", family, "left"), MATRIX.address("r2", family, "mid")
    for name, node, state, reason, responder in (
        ("silent-host", "silent", PortState.FILTERED, Reason.NO_RESPONSE, None),
        ("no-neighbour", "ghost", PortState.FILTERED, Reason.ARP_FAILURE, None),
        ("no-neighbour-of-r2", "farghost", PortState.FILTERED, Reason.HOST_UNREACH, r2),
        ("no-route-on-r1", "lost", PortState.FILTERED, Reason.NET_UNREACH, r1),
        ("no-route-on-client", "stranger", PortState.UNKNOWN, Reason.NO_ROUTE, None),
    ):
        yield Case(name, family, MATRIX.address(node, family), ABSENT_PORT, state, reason, responder)


CASES: tuple[Case, ...] = tuple(
    case for family in Family for part in (_server_cases, _own_firewall_cases, _absence_cases) for case in part(family)
)
"""The truth table, to be parametrised over: `@pytest.mark.parametrize("case", CASES, ids=str)`."""
