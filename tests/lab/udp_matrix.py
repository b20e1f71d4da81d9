"""The truth table of what has no connections: UDP, ICMP echo, GRE, ESP, AH; client - r1 - r2 - server.

CASES says what a checker must find, as in tests/lab/matrix.py, whose firewalls these are: behind every blocked port
something would answer, so that a hole in a rule shows as "open". Nobody here limits his ICMP errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import Family
from tests.lab.matrix import ANSWERS, CLIENT, R1, R2, SERVER, SILENCE, Place, rules_of
from tests.lab.rules import FIELD
from tests.lab.topology import Link, Listener, Net, Node, Route, Topology

OPEN_PORT = 2000
SILENT_PORT = 2001
"""Something listens, and never answers."""
CLOSED_PORT = 2099
TFTP_PORT = 69

ECHO_DROPPED, ECHO_PROHIBITED = 11, 12
"""Addresses of a host that answers echoes: r1 does not let them through."""
ASKED_AT, ANSWERS_FROM = 30, 31
"""A server with two addresses, which answers from the wrong one."""
TUNNELS = (Transport.GRE, Transport.ESP, Transport.AH)
TUNNEL_PEERS = {40: "echo", 41: "silent", 42: "unreachable"}
"""By the last number of an address: what a packet of these protocols meets there."""

USER, DENIED, ROOT = "client", "denied", "root"
"""Who asks: nobody, where he may send an ICMP echo; nobody, where he may not; root."""

ALIVE, MUTE = "icmp-alive", "icmp-mute"
"""Details of silence: the host, or who is on the way, does send ICMP errors; nobody ever did."""

REFUSALS = tuple(answer for answer in ANSWERS if answer.name != "tcp-reset")
_RIGHT = Net("right", "10.71.3.0/24", "fd71:3::/64")


@dataclass(frozen=True, slots=True)
class Case:
    """One question and what must be found.

    Attributes:
        name: what happens to the packet, and where; unique within a family.
        asker: USER, DENIED or ROOT.
        port: 0 for a protocol without ports.
        responder: the address that must be named as the sender of the ICMP error; None: none may be named.
        detail: what must be said beside the reason; None: it does not matter.
    """

    name: str
    family: Family
    address: str
    transport: Transport
    port: int
    state: PortState
    reason: Reason
    responder: str | None = None
    detail: str | None = None
    asker: str = USER

    def __str__(self) -> str:
        return f"{self.family}-{self.transport}-{self.name}"


def _echo_rules() -> Iterator[str]:
    for family, field in FIELD.items():
        echo = "icmp type echo-request" if family is Family.IPV4 else "icmpv6 type echo-request"
        yield f"{field} daddr {_RIGHT.address(ECHO_DROPPED, family)} {echo} drop"
        yield f"{field} daddr {_RIGHT.address(ECHO_PROHIBITED, family)} {echo} reject with icmpx admin-prohibited"


def _rules(place: Place) -> str:
    return rules_of(place, transport="udp", answers=REFUSALS, more=_echo_rules() if place is R1 else ())


def _bound(
    transport: Transport, port: int, number: int, answer: str, from_number: int | None = None
) -> Iterator[Listener]:
    """Listeners on one address of each family."""
    for family in Family:
        answer_from = None if from_number is None else _RIGHT.address(from_number, family)
        yield Listener(port, transport.value, _RIGHT.address(number, family), answer, answer_from)


def udp_matrix() -> Topology:
    """The network that CASES is about."""
    ports = (OPEN_PORT, *(port for place in (SERVER, R1, R2, CLIENT) for port in place.ports()))
    beyond = tuple(Route(net, via="r1") for net in ("mid", "right", "lost"))
    back = (Route("default", via="r2"),)
    hello = Listener(OPEN_PORT, "udp", answer="hello")
    return Topology(
        "udp",
        "client - r1 - r2 - server: every way in which UDP, ICMP echo, GRE, ESP and AH can answer or not",
        nets=(
            Net("left", "10.71.1.0/24", "fd71:1::/64"),
            Net("mid", "10.71.2.0/24", "fd71:2::/64"),
            _RIGHT,
            Net("lost", "10.71.4.0/24", "fd71:4::/64"),
            Net("world", "198.51.100.0/24", "2001:db8::/64"),
        ),
        nodes=(
            Node(
                "client",
                (Link("left", 2),),
                beyond,
                rules=_rules(CLIENT),
                sysctls={"net.ipv4.ping_group_range": "0 2147483647"},
            ),
            Node("denied", (Link("left", 3),), beyond, sysctls={"net.ipv4.ping_group_range": "1 0"}),
            Node("ghost", (Link("left", 99),), present=False),
            Node("r1", (Link("left", 1), Link("mid", 1)), (Route("right", "r2"),), rules=_rules(R1), forwards=True),
            Node("r2", (Link("mid", 2), Link("right", 1)), (Route("left", "r1"),), rules=_rules(R2), forwards=True),
            Node(
                "server",
                (Link("right", 10),),
                back,
                (
                    *(Listener(port, "udp", answer="hello") for port in ports),
                    Listener(SILENT_PORT, "udp", answer="silent"),
                    Listener(TFTP_PORT, "udp", answer="tftp"),
                ),
                rules=_rules(SERVER),
            ),
            Node("guarded", (Link("right", ECHO_DROPPED, also=(ECHO_PROHIBITED,)),), back),
            Node("silent", (Link("right", 20),), back, (hello,), rules=SILENCE),
            Node(
                "deaf",
                (Link("right", 21),),
                back,
                (hello,),
                sysctls={"net.ipv4.icmp_echo_ignore_all": "1", "net.ipv6.icmp.echo_ignore_all": "1"},
            ),
            Node(
                "twofold",
                (Link("right", ASKED_AT, also=(ANSWERS_FROM,)),),
                back,
                tuple(_bound(Transport.UDP, OPEN_PORT, ASKED_AT, "hello", ANSWERS_FROM)),
            ),
            Node(
                "tunnels",
                (Link("right", min(TUNNEL_PEERS), also=tuple(sorted(TUNNEL_PEERS))[1:]),),
                back,
                tuple(
                    listener
                    for transport in TUNNELS
                    for number, answer in TUNNEL_PEERS.items()
                    for listener in _bound(transport, 0, number, answer)
                ),
            ),
            Node("farghost", (Link("right", 99),), present=False),
            Node("lost", (Link("lost", 2),), present=False),
            Node("stranger", (Link("world", 1),), present=False),
        ),
    )


UDP_MATRIX = udp_matrix()

_SILENCE = (PortState.OPEN_FILTERED, Reason.NO_RESPONSE)
_NO_ECHO = (PortState.FILTERED, Reason.NO_RESPONSE)
"""RFC 1122 section 3.2.2.6: a host must answer an echo. So who does not answer is not reached."""


def _right(number: int, family: Family) -> str:
    address = _RIGHT.address(number, family)
    assert address is not None
    return address


def _server_cases(family: Family) -> Iterator[Case]:
    def case(
        name: str, port: int, state: PortState, reason: Reason, responder: str | None = None, detail: str | None = None
    ) -> Case:
        return Case(name, family, server, Transport.UDP, port, state, reason, responder, detail)

    server = UDP_MATRIX.address("server", family)
    yield case("open", OPEN_PORT, PortState.OPEN, Reason.UDP_RESPONSE)
    yield case("answer-from-another-port", TFTP_PORT, PortState.OPEN, Reason.UDP_RESPONSE)
    yield case("open-and-silent", SILENT_PORT, *_SILENCE, detail=ALIVE)
    yield case("closed", CLOSED_PORT, PortState.CLOSED, Reason.PORT_UNREACH, server)
    for place in (SERVER, R1, R2):
        responder = UDP_MATRIX.address(place.node, family, place.named)
        for answer in REFUSALS:
            if answer.verdict(family) is None:
                continue
            port, name = place.first_port + answer.offset, f"{answer.name}@{place.node}"
            if not answer.signed:
                yield case(name, port, *_SILENCE, detail=ALIVE)
            elif responder == server and answer.reason is Reason.PORT_UNREACH:
                # What the host's firewall says here is what its kernel says of a port without a service.
                yield case(name, port, PortState.CLOSED, Reason.PORT_UNREACH, responder)
            else:
                yield case(name, port, answer.state, answer.reason, responder)


def _own_firewall_cases(family: Family) -> Iterator[Case]:
    """The kernel refuses to send what the client's own OUTPUT rules drop or reject."""
    server = UDP_MATRIX.address("server", family)
    for answer in REFUSALS:
        if answer.verdict(family) is not None:
            port = CLIENT.first_port + answer.offset
            state = (PortState.UNKNOWN, Reason.LOCAL_FIREWALL)
            yield Case(f"{answer.name}@client", family, server, Transport.UDP, port, *state)


def _absence_cases(family: Family) -> Iterator[Case]:
    """Addresses at which there is nobody to ask, or nobody who answers everything; by UDP and by ICMP echo."""
    r1, r2 = UDP_MATRIX.address("r1", family, "left"), UDP_MATRIX.address("r2", family, "mid")
    for name, node, state, reason, responder in (
        ("no-neighbour", "ghost", PortState.FILTERED, Reason.ARP_FAILURE, None),
        ("no-neighbour-of-r2", "farghost", PortState.FILTERED, Reason.HOST_UNREACH, r2),
        ("no-route-on-r1", "lost", PortState.FILTERED, Reason.NET_UNREACH, r1),
        ("no-route-on-client", "stranger", PortState.UNKNOWN, Reason.NO_ROUTE, None),
    ):
        address = UDP_MATRIX.address(node, family)
        yield Case(name, family, address, Transport.UDP, OPEN_PORT, state, reason, responder)
        yield Case(name, family, address, Transport.ICMP, 0, state, reason, responder)
    silent, deaf = UDP_MATRIX.address("silent", family), UDP_MATRIX.address("deaf", family)
    yield Case("silent-host", family, silent, Transport.UDP, OPEN_PORT, *_SILENCE, detail=MUTE)
    yield Case("silent-host", family, silent, Transport.ICMP, 0, *_NO_ECHO)
    yield Case("host-ignores-echo", family, deaf, Transport.UDP, OPEN_PORT, PortState.OPEN, Reason.UDP_RESPONSE)
    yield Case("host-ignores-echo", family, deaf, Transport.ICMP, 0, *_NO_ECHO)


def _echo_cases(family: Family) -> Iterator[Case]:
    def case(name: str, number: int, state: PortState, reason: Reason, responder: str | None = None) -> Case:
        return Case(name, family, _right(number, family), Transport.ICMP, 0, state, reason, responder)

    yield case("answered", 10, PortState.OPEN, Reason.ECHO_REPLY)
    yield case("dropped@r1", ECHO_DROPPED, *_NO_ECHO)
    r1 = UDP_MATRIX.address("r1", family, "left")
    yield case("prohibited@r1", ECHO_PROHIBITED, PortState.FILTERED, Reason.ADMIN_PROHIBITED, r1)


def _privilege_cases(family: Family) -> Iterator[Case]:
    lacking = (PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, None)
    echo = "CAP_NET_RAW or net.ipv4.ping_group_range"
    yield Case("denied", family, _right(10, family), Transport.ICMP, 0, *lacking, echo, DENIED)
    for transport in TUNNELS:
        for number, answer in TUNNEL_PEERS.items():
            address = _right(number, family)
            yield Case(f"{answer}-to-a-user", family, address, transport, 0, *lacking, "CAP_NET_RAW", USER)


def _tunnel_cases(family: Family) -> Iterator[Case]:
    seen = {
        "echo": (PortState.OPEN, Reason.PROTO_RESPONSE),
        "silent": _SILENCE,
        "unreachable": (PortState.CLOSED, Reason.PROTO_UNREACH),
    }
    for transport in TUNNELS:
        for number, answer in TUNNEL_PEERS.items():
            address = _right(number, family)
            found = seen[answer]
            if (transport, family, answer) == (Transport.AH, Family.IPV6, "unreachable"):
                # Linux takes AH for an extension header and gives the error to the protocol behind it (icmpv6_notify).
                found = _SILENCE
            responder = address if found == seen["unreachable"] else None
            yield Case(answer, family, address, transport, 0, *found, responder, asker=ROOT)


def _twofold_cases(family: Family) -> Iterator[Case]:
    seen = (PortState.OPEN, Reason.UDP_RESPONSE, None, f"replied from {_right(ANSWERS_FROM, family)}")
    yield Case("answer-from-another-address", family, _right(ASKED_AT, family), Transport.UDP, OPEN_PORT, *seen)


CASES: tuple[Case, ...] = tuple(
    case
    for family in Family
    for part in (
        *(_server_cases, _own_firewall_cases, _absence_cases, _echo_cases),
        *(_privilege_cases, _tunnel_cases, _twofold_cases),
    )
    for case in part(family)
)
"""The truth table, to be parametrised over: `@pytest.mark.parametrize("case", CASES, ids=str)`."""
