"""UDP of a stand-in: each datagram is answered from the very address that it was sent to, or not at all.

A socket for all addresses answers from the one that the route back begins with, which a firewall takes for another
conversation. So the kernel tells for each datagram where it was sent to (ip(7), IP_PKTINFO; RFC 3542 section 6), and
is told to answer from there.
"""

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import token
from .addresses import source_towards
from .connection import LINUX
from .probe import Transport
from .stand_in_answers import Answers
from .stand_in_filter import drop_garbage, let_everything_in

_MOST_READ = 16
"""Datagrams that are taken from a socket in one turn: a flood at one port leaves the others their turn."""

_FLOOD = 256
"""Datagrams of garbage at one port within a second. A receive buffer has room for as many (212,992 bytes, 768 each):
a machine that is busy for a thousandth of a second then loses what comes after them, requests too."""
_FLOOD_S = 1.0
_FILTERED_S = 5.0

_IP_PKTINFO = {"linux": 8, "darwin": 26}.get(sys.platform)  # linux/in.h, netinet/in.h
_IPV6_PKTINFO: Optional[int] = getattr(socket, "IPV6_PKTINFO", None)
_PKTINFO = struct.Struct("@I4s4s")  # interface, our address, destination
_PKTINFO6 = struct.Struct("@16sI")  # destination, interface
_ANY = bytes(4)
_CMSG_BYTES = socket.CMSG_SPACE(max(_PKTINFO.size, _PKTINFO6.size))

_Ancillary = Sequence[Tuple[int, int, bytes]]


def tell_destinations(sock: socket.socket) -> None:
    """From now on recvmsg() tells where a datagram was sent to, if the platform can."""
    if sock.family == socket.AF_INET6:
        if _IPV6_PKTINFO is not None:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif _IP_PKTINFO is not None:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


class Datagrams:
    """All UDP sockets of a stand-in.

    Args:
        guarded: runs what the loop calls.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, guarded: Callable[..., None], answers: Answers) -> None:
        self._loop = loop
        self._guarded = guarded
        self._answers = answers
        self._garbage: Dict[socket.socket, Tuple[float, int]] = {}
        """When it was counted from, and how much came since."""
        self._filtered: Dict[socket.socket, asyncio.TimerHandle] = {}

    def watch(self, sock: socket.socket, port: int) -> None:
        """Answer what comes to it."""
        self._loop.add_reader(sock, self._guarded, self._read, sock, port)

    def _read(self, sock: socket.socket, port: int) -> None:
        garbage = answer_datagrams(sock, port, self._answers)
        if garbage and sock not in self._filtered and self._is_flood(sock, garbage) and drop_garbage(sock):
            # Only for a while: what the kernel drops is not counted among those who came.
            self._filtered[sock] = self._loop.call_later(_FILTERED_S, self._guarded, self._let_in, sock)

    def _is_flood(self, sock: socket.socket, garbage: int) -> bool:
        now = self._loop.time()
        began, before = self._garbage.get(sock, (now, 0))
        if now - began > _FLOOD_S:
            began, before = now, 0
        self._garbage[sock] = (began, before + garbage)
        return before + garbage > _FLOOD

    def _let_in(self, sock: socket.socket) -> None:
        del self._filtered[sock]
        let_everything_in(sock)

    def close(self) -> None:
        """Leave nothing behind in the loop."""
        for later in self._filtered.values():
            later.cancel()


def answer_datagrams(sock: socket.socket, port: int, answers: Answers) -> int:
    """Take what has come, a limited number of datagrams; how many of them were no requests of ours."""
    garbage = 0
    for _ in range(_MOST_READ):
        try:
            # One byte more than any request has: what is longer is not taken for one.
            data, ancillary, _, sender = sock.recvmsg(token.PAGE_BYTES + 1, _CMSG_BYTES)
        except BlockingIOError:
            break
        except OSError:
            continue  # An error of a datagram that was sent before; no data is lost.
        if not _answer(sock, port, answers, data, ancillary, sender):
            answers.refuse(sender[0], Transport.UDP, port)
            garbage += 1
    return garbage


def _answer(
    sock: socket.socket, port: int, answers: Answers, data: bytes, ancillary: _Ancillary, sender: Tuple[Any, ...]
) -> bool:
    """Whether it was a request of ours, which is answered."""
    # Nobody has port 0: an answer to it would be for nobody, or for whoever is made to look like the sender.
    if len(data) < token.REQUEST_BYTES or sender[1] == 0:
        return False
    destination = _destination(sock, ancillary, sender[0])
    if destination is None:
        return False
    address, answer_from = destination
    response = answers.answer(data, Transport.UDP, address, port, sender[0], sender[1])
    if response is None:
        return False
    # No room, no route, a firewall of ours: lost as on any way back, and the report has the arrival.
    with suppress(OSError):
        sock.sendmsg([response], answer_from, 0, sender)
    return True


def _destination(sock: socket.socket, ancillary: _Ancillary, peer: str) -> Optional[Tuple[str, _Ancillary]]:
    """Where the datagram was sent to, and what makes the answer come from there; None: to many, so by nobody alone."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            return _ipv4_destination(data)
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
            return _ipv6_destination(data)
    bound_to = str(sock.getsockname()[0])
    if bound_to not in ("0.0.0.0", "::"):
        return bound_to, ()
    ours = source_towards(peer)
    return None if ours is None else (ours, ())


def _ipv4_destination(data: bytes) -> Optional[Tuple[str, _Ancillary]]:
    _, ours, destination = _PKTINFO.unpack(data)
    if destination[0] >= 224:
        return None
    # Linux: the same, unless it was a broadcast (fib_compute_spec_dst). Elsewhere the interface's first address.
    if LINUX and ours != destination:
        return None
    # No interface: the answer takes the route that this machine has, as a service's answer would.
    answer_from = [(socket.IPPROTO_IP, _IP_PKTINFO or 0, _PKTINFO.pack(0, destination, _ANY))]
    return socket.inet_ntop(socket.AF_INET, destination), answer_from


def _ipv6_destination(data: bytes) -> Optional[Tuple[str, _Ancillary]]:
    destination, interface = _PKTINFO6.unpack(data)
    if destination[0] == 0xFF:
        return None
    is_link_local = destination[0] == 0xFE and destination[1] & 0xC0 == 0x80
    packed = _PKTINFO6.pack(destination, interface if is_link_local else 0)
    answer_from: List[Tuple[int, int, bytes]] = [(socket.IPPROTO_IPV6, _IPV6_PKTINFO or 0, packed)]
    return socket.inet_ntop(socket.AF_INET6, destination), answer_from
