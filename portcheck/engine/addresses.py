"""Facts about addresses that the kernel knows: the socket address of a literal, which addresses are our own.

Nothing here sends a packet: connecting a UDP socket only asks the kernel for a route.
"""

import errno
import socket
from functools import lru_cache
from typing import Any, Optional, Tuple

from .routes import route_to

SockAddr = Tuple[Any, ...]

_DISCARD_PORT = 9
"""Any port serves: a UDP connect() sends nothing."""


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6 of an IP literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def socket_address(address: str, port: int) -> SockAddr:
    """What connect() and bind() take for an IP literal; resolves the zone of fe80::1%eth0.

    Raises:
        OSError: the zone names no interface of this machine.
    """
    if "%" not in address:
        return (address, port)
    infos = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    return tuple(infos[0][4])


def source_towards(address: str) -> Optional[str]:
    """The address of ours that the kernel would send from; None when it has no route or no source address."""
    try:
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
            sock.connect(socket_address(address, _DISCARD_PORT))
            return str(sock.getsockname()[0])
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return None


def is_broadcast(address: str) -> bool:
    """Whether it is the broadcast address of a network that this machine is connected to.

    The kernel gives a route to one (ip(7): EACCES without it) only to a socket that says that it means everybody.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    if family_of(address) is socket.AF_INET6:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if sock.connect_ex((address, _DISCARD_PORT)) != errno.EACCES:
            return False
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return sock.connect_ex((address, _DISCARD_PORT)) == 0


@lru_cache(maxsize=4096)
def is_own(address: str) -> bool:
    """Whether packets to this address stay on this machine.

    Unlike a trial bind() this holds with net.ipv4.ip_nonlocal_bind=1, which nodes with a floating address set.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    route = route_to(address)
    if route is not None:
        return route.local
    # Towards an address of its own the kernel chooses that very address as the source. Not so Linux towards a
    # second address of one network, where the source is the first.
    source = source_towards(address)
    return source is not None and source.split("%")[0] == address.split("%")[0]


def is_surely_own(address: str) -> bool:
    """The same, and False without a descriptor to ask the kernel with: the careful answer."""
    try:
        return is_own(address)
    except OSError:
        return False


def sent_by_ourselves(responder: Optional[str], address: str) -> bool:
    """Whether our own kernel sent the error, about an address that is not our own.

    Raises:
        OSError: no descriptor left to ask the kernel with.
    """
    if responder is None:
        return False
    if responder.startswith("fe80:") and "%" in address:
        responder += address[address.index("%") :]
    return is_own(responder) and not is_own(address)
