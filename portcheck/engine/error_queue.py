"""The kernel's error queue: which ICMP error ended a connection attempt, or met a datagram, and who sent it.

No privilege is needed. Linux queues the ICMP error of a SYN on the socket (commit 45af29ca761c,
Linux 5.8). Errno alone cannot tell: ICMP 3/1, 3/10 and 3/13 are all EHOSTUNREACH, and 3/3 from a
firewall is ECONNREFUSED like a real RST.
"""

import platform
import re
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from .probe import Reason

# linux/in.h, linux/in6.h; Python 3.11 has no names for them.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
# linux/errqueue.h: struct sock_extended_err, followed by the sockaddr of the offender.
_EXTENDED_ERR = struct.Struct("=IBBBBII")
_RETURNED_BYTES = 128
_ORIGIN_ICMP = 2
_ORIGIN_ICMP6 = 3

RECVERR: Dict[int, Tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, _IP_RECVERR),
    socket.AF_INET6: (socket.IPPROTO_IPV6, _IPV6_RECVERR),
}
"""The option that asks for the queue, by family. Over IPv6 a reject is otherwise seen one second late (measured)."""

# RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
ICMP4_REASONS: Dict[Tuple[int, int], Reason] = {
    (3, 0): Reason.NET_UNREACH,
    (3, 1): Reason.HOST_UNREACH,
    (3, 2): Reason.PROTO_UNREACH,
    (3, 3): Reason.PORT_UNREACH,
    (3, 5): Reason.NET_UNREACH,
    (3, 6): Reason.NET_UNREACH,
    (3, 7): Reason.HOST_UNREACH,
    (3, 8): Reason.HOST_UNREACH,
    (3, 9): Reason.ADMIN_PROHIBITED,
    (3, 10): Reason.ADMIN_PROHIBITED,
    (3, 11): Reason.NET_UNREACH,
    (3, 12): Reason.HOST_UNREACH,
    (3, 13): Reason.ADMIN_PROHIBITED,
    (3, 14): Reason.ADMIN_PROHIBITED,
    (3, 15): Reason.ADMIN_PROHIBITED,
    (11, 0): Reason.NET_UNREACH,
    (11, 1): Reason.NET_UNREACH,
}

# RFC 4443 sections 3.1, 3.3 and 3.4; 1/5 and 1/6 are the policy and the reject route.
ICMP6_REASONS: Dict[Tuple[int, int], Reason] = {
    (1, 0): Reason.NET_UNREACH,
    (1, 1): Reason.ADMIN_PROHIBITED,
    (1, 2): Reason.NET_UNREACH,
    (1, 3): Reason.HOST_UNREACH,
    (1, 4): Reason.PORT_UNREACH,
    (1, 5): Reason.ADMIN_PROHIBITED,
    (1, 6): Reason.ADMIN_PROHIBITED,
    (3, 0): Reason.NET_UNREACH,
    (3, 1): Reason.NET_UNREACH,
    (4, 1): Reason.PROTO_UNREACH,
}


@dataclass(frozen=True)
class IcmpError:
    """One ICMP error about a packet of ours.

    Attributes:
        errno: the kernel's translation, from the entry itself.
        icmp: (type, code).
        responder: address of the sender, None when the kernel does not say.
        reason: what the type and code mean.
    """

    errno: int
    icmp: Tuple[int, int]
    responder: Optional[str]
    reason: Reason


@dataclass(frozen=True)
class Returned:
    """An ICMP error about a datagram, with the datagram.

    Attributes:
        address, port: where it was to go; port 0 for a protocol without ports.
        payload: its first bytes. Senders of errors may return only 8 bytes behind the IP header (RFC 792), and may fill
            up with zeros (RFC 4884).
    """

    error: IcmpError
    address: str
    port: int
    payload: bytes


def tells_refusals_apart() -> bool:
    """Whether this kernel shows who refused: then ECONNREFUSED with an empty queue is a real RST."""
    if not sys.platform.startswith("linux"):
        return False
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    return release is not None and (int(release.group(1)), int(release.group(2))) >= (5, 8)


def read(sock: socket.SocketType) -> Optional[IcmpError]:
    """Take one ICMP error from the queue of a non-blocking socket of Linux; None when there is none."""
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
    except OSError:
        # EAGAIN: empty. Anything else is the socket's own pending error, which SO_ERROR reports.
        return None
    for level, kind, data in ancillary:
        if (level, kind) == RECVERR[sock.family] and len(data) >= _EXTENDED_ERR.size:
            error = parse(data)
            if error is not None:
                return error
    return None


def read_returned(sock: socket.SocketType, most: int) -> List[Returned]:
    """Take ICMP errors about datagrams from the queue of a non-blocking socket of Linux, at most so many."""
    found: List[Returned] = []
    for _ in range(most):
        try:
            payload, ancillary, _, destination = sock.recvmsg(_RETURNED_BYTES, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        for level, kind, data in ancillary:
            if (level, kind) == RECVERR[sock.family] and len(data) >= _EXTENDED_ERR.size:
                error = parse(data)
                if error is not None and destination:
                    found.append(Returned(error, str(destination[0]).partition("%")[0], int(destination[1]), payload))
    return found


def parse(data: bytes) -> Optional[IcmpError]:
    """Read one sock_extended_err; None when its origin is not ICMP (a local error, a time stamp)."""
    number, origin, icmp_type, icmp_code, _, _, _ = _EXTENDED_ERR.unpack_from(data)
    if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
        return None
    reasons = ICMP4_REASONS if origin == _ORIGIN_ICMP else ICMP6_REASONS
    icmp = (icmp_type, icmp_code)
    # A type or code without a meaning of its own still says that the packet did not arrive.
    reason = reasons.get(icmp, Reason.NET_UNREACH)
    return IcmpError(number, icmp, _offender(data[_EXTENDED_ERR.size :]), reason)


def _offender(sockaddr: bytes) -> Optional[str]:
    """The address in a struct sockaddr_in or sockaddr_in6; AF_UNSPEC means unknown."""
    if len(sockaddr) < 2:
        return None
    family = struct.unpack_from("=H", sockaddr)[0]
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return None
