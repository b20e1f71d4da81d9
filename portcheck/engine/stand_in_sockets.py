"""The sockets that a stand-in listens on, and why one cannot be had."""

import errno
import os
import socket
from pathlib import Path
from typing import Dict, Optional, Tuple

from .addresses import family_of, socket_address
from .probe import Standing, Transport
from .stand_in_datagrams import tell_destinations

_BACKLOG = 1024
"""Connections that wait to be accepted while a scanner is busy with us. The kernel has net.core.somaxconn at most."""

_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_FIRST_UNPRIVILEGED = 1024
"""Where the kernel does not tell: every Unix."""

_NO_SUCH_ADDRESS = "not an address of this machine"
_WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_OF_EVERY_IPV6_HOST = ("::", "::1")

_DETAILS: Dict[int, str] = {
    errno.EADDRNOTAVAIL: _NO_SUCH_ADDRESS,
    errno.EAFNOSUPPORT: "this machine has no IPv6",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine (fs.file-max)",
    errno.EACCES: "forbidden by a security module of this machine, such as SELinux",
    errno.EPERM: "forbidden by a security module of this machine, such as SELinux",
}


def listening(transport: Transport, port: int, address: str) -> socket.socket:
    """A socket that takes what is sent to the port, as a service would have it.

    Raises:
        OSError, OverflowError: `why_not` says what it means.
    """
    of_tcp = transport is Transport.TCP
    sock = socket.socket(family_of(address), socket.SOCK_STREAM if of_tcp else socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if of_tcp:
            # As every server does: connections of a service that has ended (TIME_WAIT) hold the port for a minute.
            # Not over UDP, where it lets two sockets have one port (socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not of_tcp:
            tell_destinations(sock)  # Before anything can arrive: of what is there already, nobody noted it.
        sock.bind(socket_address(address, port))
        if of_tcp:
            sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def why_not(error: Exception, port: int) -> Tuple[Standing, Optional[str]]:
    """What it means that there is no such socket."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return Standing.IN_USE, None
    if number in (errno.EACCES, errno.EPERM) and port < _first_unprivileged():
        return Standing.NEEDS_PRIVILEGE, f"CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start={port}"
    if isinstance(error, socket.gaierror):
        return Standing.FAILED, _NO_SUCH_ADDRESS
    if number is None:
        return Standing.FAILED, "no port number"
    return Standing.FAILED, _DETAILS.get(number, os.strerror(number))


def is_for_want_of_ipv6(error: Exception, address: str) -> bool:
    """Every host with IPv6 has these addresses, so this one has none: nothing that a user could do anything about."""
    return isinstance(error, OSError) and error.errno in _WITHOUT_IPV6 and address in _OF_EVERY_IPV6_HOST


def _first_unprivileged() -> int:
    try:
        return int(_UNPRIVILEGED.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _FIRST_UNPRIVILEGED
