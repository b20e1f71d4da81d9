"""Is the way our packets took still there? Our own interfaces, addresses and routes, watched while a run is on.

A cable, a VPN or a DHCP lease of ours that goes away in the middle makes every port look dropped. rtnetlink(7)
tells of every change, to anybody, without privilege. Linux only; elsewhere, and in a sandbox without netlink,
nothing is watched.
"""

import errno
import socket
import sys
from typing import NamedTuple, Optional

from .routes import carries, route_to

# linux/rtnetlink.h: links, addresses and routes of both families.
_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV4_ROUTE = 0x40
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_IPV6_ROUTE = 0x400
_GROUPS = _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_IFADDR | _RTMGRP_IPV6_ROUTE

_READ_AT_ONCE = 1000
"""A router that learns a whole routing table has more to tell than we have time for; the rest waits its turn."""


class OwnNetwork:
    """Tells that something changed; what it was, and whether it concerns us, `route_fingerprint` shows."""

    def __init__(self) -> None:
        self._sock = _listening()

    def fileno(self) -> Optional[int]:
        """Readable when something changed; None: nothing is watched."""
        return None if self._sock is None else self._sock.fileno()

    def changed(self) -> bool:
        """Whether anything changed since the last look."""
        if self._sock is None:
            return False
        for seen in range(_READ_AT_ONCE):
            try:
                self._sock.recv(1)  # One message; what it says does not matter.
            except BlockingIOError:
                return seen > 0
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self.close()
                return True  # ENOBUFS: the kernel had more to tell than it could keep for us.
        return True

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def _listening() -> Optional[socket.socket]:
    if not sys.platform.startswith("linux"):
        return None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except OSError:
        return None  # A sandbox without netlink (systemd's RestrictAddressFamilies=), or no descriptor left.
    try:
        sock.bind((0, _GROUPS))
    except OSError:
        sock.close()
        return None
    return sock


class RouteKey(NamedTuple):
    """What must stay the same for packets to an address to take the way they took; fields as in Route."""

    gateway: Optional[str]
    interface: Optional[int]
    source: Optional[str]


def route_fingerprint(address: str, source_address: Optional[str] = None) -> Optional[RouteKey]:
    """How packets leave for an IP literal now; None when they cannot, or when that cannot be told.

    Args:
        source_address: the address of ours that they leave from, None for the kernel's choice.
    """
    try:
        if source_address is not None and not _is_ours(source_address):
            return None
        route = route_to(address, source_address)
        if route is None or (route.interface is not None and not carries(route.interface)):
            return None
    except OSError:
        return None  # No descriptor left to ask the kernel with.
    return RouteKey(route.gateway, route.interface, source_address or route.source)


def _is_ours(address: str) -> bool:
    # Not is_own() of addresses.py: it remembers what it was told, and this may change.
    route = route_to(address)
    return route is not None and route.local
