"""What is known of a packet, and how it compares with what nftables rules name: true, false or not known. Pure.

The forms are those of libnftables-json(5), as nft 1.0.6 prints them.
"""

from bisect import bisect_right
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .probe import Transport

Known = Optional[bool]
"""True, False, or None: it depends on what nobody knows beforehand."""

STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
_STATUSES = {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "dying": 512}
_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58}
_PROTOCOLS.update({"ipencap": 4, "dccp": 33, "ipcomp": 108, "comp": 108, "vrrp": 112, "sctp": 132, "udplite": 136})
_FAMILIES = {"ipv4": 2, "ipv6": 10}
_ETHER_TYPES = {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD}
_PACKET_TYPES = {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}
_ROUTE_TYPES = {"unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6}
_ROUTE_TYPES.update({"unreachable": 7, "prohibit": 8})
ICMPV6 = {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4}
ICMPV6.update({"echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131})
ICMPV6.update({"mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133})
ICMPV6.update({"nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137})
ICMPV6.update({"router-renumbering": 138, "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142})
ICMPV6.update({"mld2-listener-report": 143})
_NEIGHBOUR_DISCOVERY = (ICMPV6["nd-neighbor-solicit"], ICMPV6["nd-neighbor-advert"])
"""Always with a hop limit of 255: a receiver discards all others (RFC 4861 section 7.1)."""
_DIRECTIONS = {"original": 0, "reply": 1}

_ECN_BITS = FLAGS["ecn"] | FLAGS["cwr"]
"""A SYN may carry them, as its sender's settings are (RFC 3168 section 6.1.1)."""


@dataclass(frozen=True)
class Packet:
    """What is known of a packet; None: not known.

    Attributes:
        source, target: addresses as numbers.
        flags: of TCP.
        icmp_type: of ICMPv6.
        state: of the connection tracking, a number of STATES.
        is_outbound: it is leaving this machine.
        is_local: it never leaves this machine.
    """

    is_ipv6: bool
    transport: Transport
    source: Optional[int] = None
    target: Optional[int] = None
    source_port: Optional[int] = None
    target_port: Optional[int] = None
    flags: int = 0
    icmp_type: Optional[int] = None
    state: Optional[int] = None
    is_outbound: bool = False
    is_local: bool = False


Reader = Callable[[Any], Optional[int]]


class Field(NamedTuple):
    """A part of a packet, as a number.

    Attributes:
        value: None when not known.
        read: what a rule names, as a number; None for what is not understood.
        read_all: the same where several may be named at once: the field is a row of bits.
        unsure: bits of `value` that are not known.
    """

    value: Optional[int]
    read: Reader
    read_all: Optional[Reader] = None
    unsure: int = 0


# -------------------------------------------------------------------------------------- reading what rules name


def _nothing(_named: Any) -> Optional[int]:
    return None


UNKNOWN = Field(None, _nothing)


def _number(named: Any) -> Optional[int]:
    return int(named) if isinstance(named, (int, bool)) else None


def _address(named: Any) -> Optional[int]:
    try:
        return int(ip_address(named)) if isinstance(named, str) else None
    except ValueError:
        return None


def _one_of(names: Mapping[str, int]) -> Reader:
    def read(named: Any) -> Optional[int]:
        return names.get(named) if isinstance(named, str) else None

    return read


def _all_of(names: Mapping[str, int]) -> Reader:
    """Numbers are taken, too: `& 0` and `!= 0` are written with one."""

    def read(named: Any) -> Optional[int]:
        if isinstance(named, dict) and set(named) == {"|"}:
            named = named["|"]
        if not isinstance(named, list):
            return names.get(named) if isinstance(named, str) else _number(named)
        bits = [read(each) for each in named]
        return None if None in bits else _united(bits)

    return read


def _united(bits: Sequence[Optional[int]]) -> int:
    union = 0
    for each in bits:
        union |= each or 0
    return union


def _protocol(named: Any) -> Optional[int]:
    return _PROTOCOLS.get(named) if isinstance(named, str) else _number(named)


def _icmp_type(named: Any) -> Optional[int]:
    return ICMPV6.get(named) if isinstance(named, str) else _number(named)


def _at_an_interface(named: Any) -> Optional[int]:
    """1 is the loopback interface; which of the others it is, is not known."""
    return 1 if named == "lo" else None


def _at_loopback(named: Any) -> Optional[int]:
    if not isinstance(named, str) or "*" in named:
        return None
    return int(named == "lo")


_STATE, _STATES = _one_of(STATES), _all_of(STATES)
_FLAG, _FLAGS = _one_of(FLAGS), _all_of(FLAGS)
_STATUS, _ALL_STATUSES = _one_of(_STATUSES), _all_of(_STATUSES)
_FAMILY, _ETHER_TYPE = _one_of(_FAMILIES), _one_of(_ETHER_TYPES)
_PACKET_TYPE, _ROUTE_TYPE, _DIRECTION = _one_of(_PACKET_TYPES), _one_of(_ROUTE_TYPES), _one_of(_DIRECTIONS)


# ----------------------------------------------------------------------------------------- the parts of a packet


def field_of(left: Any, packet: Optional[Packet]) -> Optional[Field]:
    """The part of the packet that a rule looks at; None: no such part in this packet, so that the rule is passed over.

    Args:
        packet: None for one of which nothing is known.
    """
    ((kind, of),) = left.items()
    if kind == "&":
        return _masked(field_of(of[0], packet), of[1])
    if packet is None:
        return UNKNOWN
    return _KINDS.get(kind, _unknown)(of, packet)


def _masked(field: Optional[Field], named: Any) -> Optional[Field]:
    if field is None:
        return None
    read = field.read_all or field.read
    mask = read(named)
    if field.value is None or mask is None:
        return UNKNOWN
    return Field(field.value & mask, read, field.read_all, field.unsure & mask)


def _unknown(_of: Any, _packet: Packet) -> Optional[Field]:
    return UNKNOWN


def _of_meta(of: Any, packet: Packet) -> Optional[Field]:
    key = of["key"]
    if key == "l4proto":
        return _transport(packet)
    if key == "nfproto":
        return Field(_FAMILIES["ipv6" if packet.is_ipv6 else "ipv4"], _FAMILY)
    if key == "protocol":
        return Field(_ETHER_TYPES["ip6" if packet.is_ipv6 else "ip"], _ETHER_TYPE)
    if key in (("oif", "oifname") if packet.is_outbound else ("iif", "iifname")):
        return Field(1, _at_loopback) if packet.is_local else Field(0, _at_an_interface)
    if key == "pkttype" and _is_to_us(packet) and not packet.is_local:
        return Field(_PACKET_TYPES["host"], _PACKET_TYPE)
    return UNKNOWN


def _is_to_us(packet: Packet) -> bool:
    """To an address of this machine; questions of neighbour discovery (ICMP) go to a group."""
    return packet.transport is not Transport.ICMP and (packet.is_local or not packet.is_outbound)


def _transport(packet: Packet) -> Field:
    carried = "icmpv6" if packet.transport is Transport.ICMP and packet.is_ipv6 else str(packet.transport)
    return Field(_PROTOCOLS[carried], _protocol)


def _of_payload(of: Any, packet: Packet) -> Optional[Field]:
    protocol, name = of.get("protocol"), of.get("field")
    if protocol in _OTHERS or _HEADERS.get(protocol, packet.transport) is not packet.transport:
        return None
    if protocol in _VERSIONS and _VERSIONS[protocol] is not packet.is_ipv6:
        return None
    if protocol in ("ip", "ip6"):
        address = {"saddr": packet.source, "daddr": packet.target}
        if name in address:
            return Field(address[name], _address)
        if name == "hoplimit" and packet.icmp_type in _NEIGHBOUR_DISCOVERY:
            return Field(255, _number)
        return _transport(packet) if name in ("protocol", "nexthdr") else UNKNOWN
    if protocol in _WITH_PORTS and name in ("sport", "dport"):
        return Field(packet.source_port if name == "sport" else packet.target_port, _number)
    if protocol == "tcp" and name == "flags":
        return Field(packet.flags, _FLAG, _FLAGS, _ECN_BITS)
    if protocol == "icmpv6" and name == "type":
        return Field(packet.icmp_type, _icmp_type)
    return UNKNOWN


_HEADERS: Dict[Any, Transport] = {
    "tcp": Transport.TCP,
    "udp": Transport.UDP,
    "icmp": Transport.ICMP,
    "icmpv6": Transport.ICMP,
}
_VERSIONS: Dict[Any, bool] = {"ip": False, "icmp": False, "ip6": True, "icmpv6": True}
_WITH_PORTS = ("tcp", "udp", "th")
_OTHERS = ("igmp", "sctp", "dccp", "esp", "ah", "comp", "udplite")


def _of_tracking(of: Any, packet: Packet) -> Optional[Field]:
    key = of["key"]
    if packet.state is None or "dir" in of:
        return UNKNOWN
    if key == "state":
        return Field(packet.state, _STATE, _STATES)
    if packet.state != STATES["new"]:
        return UNKNOWN
    if key == "direction":
        return Field(_DIRECTIONS["original"], _DIRECTION)
    if key == "status":
        # Nobody expects a new connection, nor translates it: where a rule might, the packet's end is unclear anyway.
        # The first SYN is not confirmed yet, its repetition is.
        return Field(0, _STATUS, _ALL_STATUSES, _STATUSES["confirmed"])
    return UNKNOWN


def _of_routes(of: Any, packet: Packet) -> Optional[Field]:
    if of.get("result") == "type" and of.get("flags") in ("daddr", ["daddr"]) and _is_to_us(packet):
        return Field(_ROUTE_TYPES["local"], _ROUTE_TYPE)
    return UNKNOWN


def _of_extension(of: Any, _packet: Packet) -> Optional[Field]:
    # The first packet of a flow has no extension headers; a form without a field asks whether there is one.
    return None if "field" in of or "offset" in of else Field(0, _number)


_KINDS: Dict[str, Callable[[Any, Packet], Optional[Field]]] = {
    "meta": _of_meta,
    "payload": _of_payload,
    "ct": _of_tracking,
    "fib": _of_routes,
    "exthdr": _of_extension,
}


# ------------------------------------------------------------------------------------------------------ comparing


def compared(operator: str, field: Field, right: Any) -> Known:
    """Whether the field stands in that relation to one value, prefix, range or row of bits."""
    if field.value is None:
        return None
    if operator in ("in", "!"):
        bits = field.read_all(right) if field.read_all is not None else None
        return None if bits is None else negated(_any_bit(field, bits), operator == "!")
    if operator in ("==", "!="):
        return negated(_within(field, right), operator == "!=")
    limit = field.read(right)
    if operator not in _ORDERS or limit is None or field.read_all is not None:
        return None
    return _ORDERS[operator](field.value, limit)


_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "<": int.__lt__,
    ">": int.__gt__,
    "<=": int.__le__,
    ">=": int.__ge__,
}


def negated(known: Known, is_negated: bool = True) -> Known:
    return known if known is None or not is_negated else not known


def _any_bit(field: Field, bits: int) -> Known:
    if field.value is not None and field.value & bits:
        return True
    return None if field.unsure & bits else False


def _within(field: Field, right: Any) -> Known:
    span = _span(right, field.read)
    if span is None or field.value is None or field.unsure:
        return None
    return span[0] <= field.value <= span[1]


def _span(named: Any, read: Reader) -> Optional[Tuple[int, int]]:
    """First and last number of a value, prefix or range."""
    if isinstance(named, dict) and "prefix" in named:
        address, length = named["prefix"]["addr"], int(named["prefix"]["len"])
        first, width = _address(address), 128 if ":" in str(address) else 32
        return None if first is None or not 0 <= length <= width else (first, first | (1 << width - length) - 1)
    ends = named["range"] if isinstance(named, dict) and "range" in named else [named, named]
    first, last = read(ends[0]), read(ends[1])
    return None if first is None or last is None else (first, last)


class Found(NamedTuple):
    """Which elements of a set a value may be; `may_miss`: it may also be none of them."""

    places: Sequence[int]
    may_miss: bool

    @property
    def known(self) -> Known:
        """Whether the value is in the set."""
        return None if self.places and self.may_miss else bool(self.places)


class Members:
    """The elements of a set, or the keys of a map, read once for many questions."""

    def __init__(self, elements: Sequence[Any], read: Reader) -> None:
        spans: List[Tuple[int, int, int]] = []
        self._everything: List[int] = []
        self._not_understood: List[int] = []
        self._sometimes = frozenset(place for place, each in enumerate(elements) if not _holds_always(each))
        for place, element in enumerate(elements):
            named = bare(element)
            if named == "*":
                self._everything.append(place)
                continue
            span = _span(named, read)
            if span is None:
                self._not_understood.append(place)
            else:
                spans.append((*span, place))
        spans.sort()
        self._spans = spans
        self._firsts = [first for first, _, _ in spans]
        self._may_be_none = not self._everything or bool(self._sometimes)
        self._any = Found(range(len(elements)), self._may_be_none)

    def find(self, field: Field) -> Found:
        """Elements of one set do not overlap, but for the one that means everything else."""
        if field.value is None or field.unsure:
            return self._any
        at = bisect_right(self._firsts, field.value) - 1
        if at >= 0 and field.value <= self._spans[at][1]:
            place = self._spans[at][2]
            return Found((place,), place in self._sometimes)
        return Found((*self._not_understood, *self._everything), self._may_be_none)


def find_in_rows(fields: Sequence[Field], elements: Sequence[Any]) -> Found:
    """The same for a set whose elements are rows, such as address and port."""
    maybe: List[int] = []
    everything: List[int] = []
    for place, element in enumerate(elements):
        named = bare(element)
        if named == "*":
            everything.append(place)
            continue
        parts = named["concat"]
        if len(parts) != len(fields):
            raise ValueError("a row of another length")
        held = [compared("==", field, part) for field, part in zip(fields, parts)]  # noqa: B905  (Python 3.10)
        if all(held):
            return Found((place,), not _holds_always(element))
        if False not in held:
            maybe.append(place)
    possible = (*maybe, *everything)
    return Found(possible, not everything or not all(_holds_always(elements[place]) for place in possible))


def bare(element: Any) -> Any:
    """An element without what else is said of it."""
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _holds_always(element: Any) -> bool:
    """Not with a limit, quota or number of connections of its own, nor where it expires: then the rule may be over."""
    return not (isinstance(element, dict) and "elem" in element) or set(element["elem"]) <= {"val", "comment"}
