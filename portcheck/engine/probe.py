"""The questions put to the network and its answers: plain values, no socket, no clock.

The words are nmap's where nmap has a word, see docs/reference/states-and-reasons.md.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Optional, Tuple


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
    CONN_REFUSED = "conn-refused"
    REFUSED_ORIGIN_UNKNOWN = "refused-origin-unknown"
    NO_RESPONSE = "no-response"
    PORT_UNREACH = "port-unreach"
    ADMIN_PROHIBITED = "admin-prohibited"
    HOST_UNREACH = "host-unreach"
    NET_UNREACH = "net-unreach"
    PROTO_UNREACH = "proto-unreach"
    ARP_FAILURE = "arp-failure"
    # With state UNKNOWN only:
    NO_ROUTE = "no-route"
    NAME_UNRESOLVED = "name-unresolved"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    UNSUPPORTED = "unsupported"
    LOCAL_FIREWALL = "local-firewall"
    LOCAL_FD_LIMIT = "local-fd-limit"
    LOCAL_NO_PORTS = "local-no-ports"
    LOCAL_ERROR = "local-error"


@dataclass(frozen=True)
class Probe:
    """One question: is this port of this address reachable from here?

    Attributes:
        address: IPv4 or IPv6 literal, never a name; link-local IPv6 carries its zone (fe80::1%eth0).
        transport: the protocol that carries the probe.
        port: 1 to 65535.
        source_address: the address of ours to send from, or None for the kernel's choice.
    """

    address: str
    transport: Transport
    port: int
    source_address: Optional[str] = None


@dataclass(frozen=True)
class Attempt:
    """One connection attempt of a probe, as evidence.

    Attributes:
        started_s: seconds since the run's first packet.
        lasted_s: seconds until the attempt was answered or given up.
        source_port: the local port, None when the socket never got one.
        syns: SYNs that the kernel sent, None where the platform does not tell.
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
class Observation:
    """What the network answered to one probe.

    Attributes:
        responder: address that sent the ICMP error, None without one.
        icmp: (type, code) of that error.
        errno: the kernel's error number, None without one.
        rtt_ms: from the SYN that was answered to its answer, None without an answer.
        flaky: answered, but only after the first SYN went unanswered.
        inferred: concluded from other ports of the same address, not from this port's own answer.
        detail: a word or a short sentence that refines the reason.
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

    @property
    def rejected_by_target(self) -> bool:
        """The ICMP error came from the probed address itself; the kernel names senders without their zone."""
        return self.responder is not None and self.responder.partition("%")[0] == self.probe.address.partition("%")[0]
