"""What the kernel would do with a packet to an address: keep it, hand it to a neighbour, or give it to a router.

Linux only, by rtnetlink(7): one question at a time, no privilege, no packet on the network.
"""

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Tuple

# linux/netlink.h, linux/rtnetlink.h
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_NLM_F_REQUEST = 1
_RTA_DST = 1
_RTA_SRC = 2
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PREFSRC = 7
_RTA_VIA = 18
_RTN_LOCAL = 2
_IFF_LOWER_UP = 1 << 16  # Only while the interface is up.
_REPLY_BYTES = 4096


@dataclass(frozen=True)
class Route:
    """Where packets to one address go.

    Attributes:
        local: nowhere: it is an address of this machine.
        neighbour: straight to the address, which our kernel must find on a network segment of ours.
        gateway: address of the router that takes them, None without one.
        interface: number of the interface that they leave by.
        source: the address of ours that they leave from, unless another one is asked for.
    """

    local: bool
    neighbour: bool
    gateway: Optional[str] = None
    interface: Optional[int] = None
    source: Optional[str] = None


def route_to(address: str, source_address: Optional[str] = None) -> Optional[Route]:
    """The route to an IP literal; None without one, and where the kernel does not tell.

    Args:
        source_address: the address of ours to send from, which rules of the kernel may route by; None for its choice.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    request = _route_request(address, source_address)
    reply = None if request is None else _ask(_RTM_GETROUTE, request)
    return None if reply is None else _read_route(reply)


def carries(interface: int) -> bool:
    """Whether the interface is up and has a carrier. Without one (a cable, the other end of a veth) routes stay.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    reply = _ask(_RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, interface, 0, 0))
    if reply is None or len(reply) < _HEADER.size + _LINK.size or _HEADER.unpack_from(reply)[1] != _RTM_NEWLINK:
        return False
    flags: int = _LINK.unpack_from(reply, _HEADER.size)[3]
    return flags & _IFF_LOWER_UP != 0


def _ask(question: int, body: bytes) -> Optional[bytes]:
    """The kernel's reply, None where it does not talk to us."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except PermissionError:
        return None  # A sandbox without netlink (systemd's RestrictAddressFamilies=).
    with sock:
        try:
            sock.send(_HEADER.pack(_HEADER.size + len(body), question, _NLM_F_REQUEST, 0, 0) + body)
            return sock.recv(_REPLY_BYTES)
        except OSError:
            return None


def _route_request(address: str, source_address: Optional[str]) -> Optional[bytes]:
    literal, _, zone = address.partition("%")
    family = socket.AF_INET6 if ":" in literal else socket.AF_INET
    destination = socket.inet_pton(family, literal)
    attributes = _attribute(_RTA_DST, destination)
    if source_address is not None:
        attributes += _attribute(_RTA_SRC, socket.inet_pton(family, source_address.partition("%")[0]))
    if zone:
        try:
            interface = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
        except OSError:
            return None
        attributes += _attribute(_RTA_OIF, struct.pack("=I", interface))
    return _ROUTE.pack(family, 8 * len(destination), 0, 0, 0, 0, 0, 0, 0) + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _read_route(reply: bytes) -> Optional[Route]:
    if len(reply) < _HEADER.size + _ROUTE.size or _HEADER.unpack_from(reply)[1] != _RTM_NEWROUTE:
        return None  # An error message: no route.
    length: int = _HEADER.unpack_from(reply)[0]
    kind: int = _ROUTE.unpack_from(reply, _HEADER.size)[7]
    if kind == _RTN_LOCAL:
        return Route(local=True, neighbour=False)
    found: Dict[int, bytes] = dict(_attributes(reply[_HEADER.size + _ROUTE.size : length]))
    # struct rtvia: the address family, then a gateway of another family than the destination's.
    gateway = _literal(found.get(_RTA_GATEWAY) or found.get(_RTA_VIA, b"")[2:])
    interface = int.from_bytes(found.get(_RTA_OIF, b""), sys.byteorder) or None
    return Route(False, gateway is None, gateway, interface, _literal(found.get(_RTA_PREFSRC, b"")))


def _literal(packed: bytes) -> Optional[str]:
    if not packed:
        return None
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _attributes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
