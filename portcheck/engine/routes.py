"""What the kernel would do with a packet to an address: keep it, hand it to a neighbour, or give it to a router.

Linux only, by rtnetlink(7): one question, no privilege, no packet on the network.
"""

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Tuple

# linux/netlink.h, linux/rtnetlink.h
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_NLM_F_REQUEST = 1
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_VIA = 18
_RTN_LOCAL = 2
_REPLY_BYTES = 4096


@dataclass(frozen=True)
class Route:
    """Where packets to one address go.

    Attributes:
        local: nowhere: it is an address of this machine.
        neighbour: straight to the address, which our kernel must find on a network segment of ours.
        gateway: address of the router that takes them, None without one.
    """

    local: bool
    neighbour: bool
    gateway: Optional[str] = None


def route_to(address: str) -> Optional[Route]:
    """The route to an IP literal; None without one, and where the kernel does not tell.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    if not sys.platform.startswith("linux"):
        return None
    request = _request(address)
    if request is None:
        return None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except PermissionError:
        return None  # A sandbox without netlink (systemd's RestrictAddressFamilies=).
    with sock:
        try:
            sock.send(request)
            return _read(sock.recv(_REPLY_BYTES))
        except OSError:
            return None


def _request(address: str) -> Optional[bytes]:
    literal, _, zone = address.partition("%")
    family = socket.AF_INET6 if ":" in literal else socket.AF_INET
    destination = socket.inet_pton(family, literal)
    attributes = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(destination), _RTA_DST) + destination
    if zone:
        try:
            interface = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
        except OSError:
            return None
        attributes += _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, _RTA_OIF) + struct.pack("=I", interface)
    body = _ROUTE.pack(family, 8 * len(destination), 0, 0, 0, 0, 0, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 0, 0) + body


def _read(reply: bytes) -> Optional[Route]:
    if len(reply) < _HEADER.size + _ROUTE.size or _HEADER.unpack_from(reply)[1] != _RTM_NEWROUTE:
        return None  # An error message: no route.
    length: int = _HEADER.unpack_from(reply)[0]
    kind: int = _ROUTE.unpack_from(reply, _HEADER.size)[7]
    found: Dict[int, bytes] = dict(_attributes(reply[_HEADER.size + _ROUTE.size : length]))
    local = kind == _RTN_LOCAL
    # struct rtvia: the address family, then a gateway of another family than the destination's.
    gateway = found.get(_RTA_GATEWAY) or found.get(_RTA_VIA, b"")[2:]
    if local or not gateway:
        return Route(local, neighbour=not local)
    family = socket.AF_INET if len(gateway) == 4 else socket.AF_INET6
    return Route(local, neighbour=False, gateway=socket.inet_ntop(family, gateway))


def _attributes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
