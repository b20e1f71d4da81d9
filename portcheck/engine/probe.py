"""The questions put to the network and its answers: plain values, no socket, no clock.

The words are nmap's where nmap has a word, see docs/reference/states-and-reasons.md.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Optional, Sequence, Tuple, Union


class Word(str, Enum):
    """A string of a fixed vocabulary; prints and serialises as the string itself."""

    def __str__(self) -> str:
        return str(self.value)


class Transport(Word):
    """What carries the flow. Only TCP and UDP have ports."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    GRE = "gre"
    ESP = "esp"
    AH = "ah"


class PortState(Word):
    """What was observed at a port. UNKNOWN: we could not measure, which says nothing about the port."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"
    OPEN_FILTERED = "open|filtered"
    UNKNOWN = "unknown"


class Reason(Word):
    """Why a port has its state: the event that decided."""

    SYN_ACK = "syn-ack"
    UDP_RESPONSE = "udp-response"
    ECHO_REPLY = "echo-reply"
    PROTO_RESPONSE = "proto-response"
    CONN_REFUSED = "conn-refused"
    REFUSED_ORIGIN_UNKNOWN = "refused-origin-unknown"
    NO_RESPONSE = "no-response"
    PORT_UNREACH = "port-unreach"
    ADMIN_PROHIBITED = "admin-prohibited"
    HOST_UNREACH = "host-unreach"
    NET_UNREACH = "net-unreach"
    PROTO_UNREACH = "proto-unreach"
    ARP_FAILURE = "arp-failure"
    # From our stand-in at the target, see token.py:
    ECHO_TOKEN = "echo-token"
    # About this machine itself, see own_ports.py: nothing is sent for them.
    PORT_FREE = "port-free"
    PORT_UNUSED = "port-unused"
    PORT_HELD = "port-held"
    PORT_IN_CONNECTION = "port-in-connection"
    RULES_ACCEPT = "rules-accept"
    RULES_DROP = "rules-drop"
    RULES_REJECT = "rules-reject"
    # With state UNKNOWN only:
    NO_ROUTE = "no-route"
    NAME_UNRESOLVED = "name-unresolved"
    ICMP_RATE_LIMITED = "icmp-rate-limited"
    ANSWERS_EVERYTHING = "answers-everything"
    RESET_AFTER_HANDSHAKE = "reset-after-handshake"
    LOST_CONTACT = "lost-contact"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    NEEDS_PRIVILEGE = "needs-privilege"
    LOCAL_FIREWALL = "local-firewall"
    LOCAL_FD_LIMIT = "local-fd-limit"
    LOCAL_NO_PORTS = "local-no-ports"
    LOCAL_ERROR = "local-error"
    RULES_UNCLEAR = "rules-unclear"


WINDOW_STAYS_ZERO = "its window stays zero"
"""Detail of ANSWERS_EVERYTHING: this connection was accepted, and nothing may ever be sent over it."""
OWN_ROUTE_LOST = "this machine lost its way to it"
"""Detail of LOST_CONTACT: it is our own network that went away."""
ICMP_ALIVE = "icmp-alive"
"""Detail of a silence without a connection: the host reports closed ports, so this one is not closed."""
ICMP_MUTE = "icmp-mute"
"""Detail of a silence without a connection: the host never sent an ICMP error, so silence says nothing."""
NEEDS_SOURCE_PORT_68 = "needs-source-port-68"
"""Detail of a silence: only port 68 of ours is answered, and we were not allowed to use it."""
REPLIED_FROM = "replied from "
"""How the detail of an answer begins that came from another address than the one asked; the address follows."""
CLOSED_WITHOUT_TOKEN = "closed-without-token"
"""Detail of an open TCP port: asked for a stand-in's token, it closed the connection and said nothing."""
SILENT_WITHOUT_TOKEN = "silent-without-token"
"""Detail of an open TCP port: asked for a stand-in's token, again and again, it stayed silent."""
OTHER_WITHOUT_TOKEN = "other-without-token"
"""Detail of an open port: asked for a stand-in's token, it said something else."""
WITHOUT_TOKEN = frozenset({CLOSED_WITHOUT_TOKEN, SILENT_WITHOUT_TOKEN, OTHER_WITHOUT_TOKEN})
"""It was asked, and is not a stand-in of ours."""
UNASKED_TOKEN = "token-not-asked"
"""Detail of an open TCP port: a connection to ask for a stand-in's token in did not come about."""
IN_EPHEMERAL_RANGE = "in ephemeral range "
"""How the detail of a port of ours begins that the kernel may give to an outgoing connection; the range follows."""
MAY_BE_STAND_IN = "may be portcheck listen, PID "
"""How the detail of a port of ours begins that somebody has whom we may not see, when a stand-in runs here."""
RESERVED = "reserved"
"""Detail of a port of ours that the kernel gives to no outgoing connection, ip_local_reserved_ports(5)."""

OWN_HOST = "*"
"""Address of a probe that asks this machine's kernel about one of its own ports; nothing is sent."""
OWN_RULES = "#"
"""Address of a probe that asks what this machine's packet filter does with one of its own ports; nothing is sent."""


@dataclass(frozen=True)
class Probe:
    """One question: is this port of this address reachable from here?

    Attributes:
        address: IPv4 or IPv6 literal, never a name; link-local IPv6 carries its zone (fe80::1%eth0).
        transport: the protocol that carries the probe.
        port: 1 to 65535; 0 for a protocol without ports.
        source_address: the address of ours to send from, or None for the kernel's choice.
    """

    address: str
    transport: Transport
    port: int
    source_address: Optional[str] = None

    @property
    def is_own(self) -> bool:
        """It asks this machine about itself."""
        return self.address in (OWN_HOST, OWN_RULES)


@dataclass(frozen=True)
class ProbeSet:
    """TCP ports of one address, as the engine is given them: nothing of what is expected.

    Attributes:
        address: IPv4 or IPv6 literal, as in Probe.
        singly: ports each of which is reported in an Observation with all its attempts.
        in_bulk: ports of a sweep, array("H") or the like; ordinary answers are counted in a Tally, the open ones
            and others that are out of the ordinary are reported singly. Disjoint from `singly`.
        decoys: ports that nobody expects to be open: when they are, somebody accepts every connection.
        source_address: as in Probe.
        canaries: ports that answered in an earlier run, and how: a host that is silent there now is lost.
    """

    address: str
    singly: Sequence[int]
    in_bulk: Sequence[int] = ()
    decoys: Sequence[int] = ()
    source_address: Optional[str] = None
    canaries: Sequence[Tuple[int, PortState]] = ()


@dataclass(frozen=True)
class Question:
    """What is sent to one port, or of one protocol, without a connection.

    Attributes:
        port: 0 for a protocol without ports.
        payloads: what follows the UDP header, or the IP header of another protocol. The first is sent first, every
            repetition takes the next one, and the last is repeated. At least one.
        private: the answer may come from another port of the address (TFTP, RFC 1350 section 4).
        source_port: the only port of ours that is answered (DHCP: 68), None for any.
        in_bulk: a port of a sweep: ordinary answers are counted in a Tally.
    """

    transport: Transport
    port: int
    payloads: Tuple[bytes, ...] = (b"",)
    private: bool = False
    source_port: Optional[int] = None
    in_bulk: bool = False


@dataclass(frozen=True)
class DatagramSet:
    """What is asked of one address without a connection, as the engine is given it: nothing of what is expected.

    Attributes:
        address, source_address: as in Probe.
        questions: each (transport, port) once.
    """

    address: str
    questions: Sequence[Question]
    source_address: Optional[str] = None


@dataclass(frozen=True)
class Reply:
    """The datagram that answered a question, as the network sent it.

    Attributes:
        data: its first 2 KiB, without the UDP header or, of another protocol, the IP header.
        address, port: who sent it; not always who was asked. Port 0 for a protocol without ports.
        payload: which of the question's payloads was sent last before it came.
    """

    data: bytes
    address: str
    port: int
    payload: int = 0


@dataclass(frozen=True)
class Attempt:
    """One connection attempt of a probe, or one datagram, as evidence.

    Attributes:
        started_s: seconds since the run's first packet.
        lasted_s: seconds until the attempt was answered or given up.
        source_port: the local port, None when the socket never got one.
        syns: SYNs that the kernel sent, None where the platform does not tell; 1 for a datagram.
        result: the reason word of what ended the attempt.
        source_address: the address of ours that it was sent from, None when the socket never got one.
    """

    started_s: float
    lasted_s: float
    source_port: Optional[int]
    syns: Optional[int]
    result: str
    source_address: Optional[str] = None


@dataclass(frozen=True)
class Holder:
    """Who has a port of this machine.

    Attributes:
        address: as it is bound: "0.0.0.0", "::", "127.0.0.1" ...
        connected: it is the near end of a connection, and nobody listens.
        pid, process, unit: None where we may not see them; `process` as in /proc/PID/comm, `unit` systemd's.
        uid: whose socket it is, None when not known.
        stand_in: it is a stand-in of ours, `portcheck listen`.
    """

    address: str
    connected: bool = False
    pid: Optional[int] = None
    process: Optional[str] = None
    unit: Optional[str] = None
    uid: Optional[int] = None
    stand_in: bool = False


@dataclass(frozen=True)
class Echo:
    """What a stand-in says, under the shared key, of a probe that reached it.

    Attributes:
        stack: 16 hexadecimal digits for its network stack: the same for all stand-ins of a machine or container.
        name: what it calls itself; `is_stated` when a user said so with --as, else it is its host name.
        address, port: where the probe arrived.
        peer, peer_port: where it came from.
    """

    stack: str
    name: str
    is_stated: bool
    address: str
    port: int
    peer: str
    peer_port: int


class Standing(Word):
    """What came of opening a port for a stand-in."""

    LISTENING = "listening"
    IN_USE = "in-use"
    NEEDS_PRIVILEGE = "needs-privilege"
    FAILED = "failed"


@dataclass(frozen=True)
class StandInPort:
    """A port that a stand-in was to open, on one address.

    Attributes:
        address: as it is bound, or was to be: "0.0.0.0", "::", "127.0.0.1", "10.0.0.1".
        holder: who has it, when it is IN_USE and we may see that.
        detail: for NEEDS_PRIVILEGE and FAILED, in a few words.
    """

    transport: Transport
    port: int
    address: str
    standing: Standing
    holder: Optional[Holder] = None
    detail: Optional[str] = None


@dataclass(frozen=True)
class StandInReport:
    """What a stand-in says of itself, under the shared key.

    Attributes:
        stack, name, is_stated: as in Echo.
        ports: everything that it was to open.
        heard: transport, port and address at which questions of this run's arrived, whether or not its answers did.
        reached: transport (TCP), port and address of connections that came about since this run began, from the
            address that asks for the report, whether or not a question came over them: a firewall that lets the
            handshake pass may stop what is sent. What others behind the same address did is among them, and so may
            be what an earlier run did less than a second before.
    """

    stack: str
    name: str
    is_stated: bool
    ports: Tuple[StandInPort, ...]
    heard: Tuple[Tuple[Transport, int, str], ...] = ()
    reached: Tuple[Tuple[Transport, int, str], ...] = ()


@dataclass(frozen=True)
class Observation:
    """What the network answered to one probe.

    Attributes:
        responder: address that sent the ICMP error; with `answers-everything` and `reset-after-handshake` that of
            the router at which, or right behind which, somebody accepts connections. None when not known.
        icmp: (type, code) of that error.
        errno: the kernel's error number, None without one.
        rtt_ms: from the SYN that was answered to its answer, None without an answer.
        flaky: answered, but only after the first SYN went unanswered.
        inferred: concluded from other answers of this run, not from this port's own answer; the detail says from
            what ("seen on 8 of 100 ports").
        detail: a word or a short sentence that refines the reason.
        reply: what answered, until somebody has read it.
        answer: what answered, in words ("NTP server, stratum 3"), None where nothing was read.
        speaks: the protocol of the answer, a name of portcheck.protocols; None when it is not known.
        echo: what our stand-in at the target said, None when it said nothing.
        holders: of a port of this machine: who has it.
    """

    probe: Probe
    state: PortState
    reason: Reason
    attempts: Tuple[Attempt, ...] = ()
    responder: Optional[str] = None
    icmp: Optional[Tuple[int, int]] = None
    errno: Optional[int] = None
    rtt_ms: Optional[float] = None
    flaky: bool = False
    inferred: bool = False
    detail: Optional[str] = None
    reply: Optional[Reply] = None
    answer: Optional[str] = None
    speaks: Optional[str] = None
    echo: Optional[Echo] = None
    holders: Tuple[Holder, ...] = ()

    @property
    def translated_source(self) -> Optional[str]:
        """The address that our question came from where it arrived, when it is none of those that we sent from."""
        ours = {attempt.source_address.partition("%")[0] for attempt in self.attempts if attempt.source_address}
        peer = self.echo.peer.partition("%")[0] if self.echo is not None else ""
        return peer if ours and peer and peer not in ours else None

    @property
    def rejected_by_target(self) -> bool:
        """The ICMP error came from the probed address itself; the kernel names senders without their zone."""
        return self.responder is not None and self.responder.partition("%")[0] == self.probe.address.partition("%")[0]


@dataclass(frozen=True)
class Tally:
    """What the network answered alike to many ports of one sweep: a row of Observations without their attempts.

    Attributes:
        ports: array("H"), in no order; no port is in two tallies of an address and transport.
        syns: packets that were sent for all of them together.
        state, reason, responder, icmp, inferred, detail: as in Observation.
    """

    address: str
    source_address: Optional[str]
    state: PortState
    reason: Reason
    ports: Sequence[int]
    syns: int
    responder: Optional[str] = None
    icmp: Optional[Tuple[int, int]] = None
    inferred: bool = False
    detail: Optional[str] = None
    transport: Transport = Transport.TCP


Answered = Union[Observation, Tally]
"""What the engines report: every port of a ProbeSet, and every Question, is in exactly one of these."""
