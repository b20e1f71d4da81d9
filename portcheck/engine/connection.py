"""One attempt's socket: how it is made, and what it has heard so far. Everything else in the engine is bookkeeping.

The rule against a false "connected": when an ICMP error arrives on another CPU, epoll wakes before the
socket's error is set, and SO_ERROR reads 0. So no error and no entry in the error queue is not a connection:
getpeername() must succeed, otherwise we keep waiting (asyncio's sock_connect: 7 false in 15,000).

SO_ERROR is read before the queue. The kernel queues the entry of an ICMP error before it sets the socket's
error (tcp_v4_err(), tcp_v6_err()), so an error without an entry was no ICMP: ECONNREFUSED is then an RST.
"""

import errno
import socket
import struct
import sys
from typing import NamedTuple, Optional, Tuple

from . import error_queue
from .addresses import SockAddr, socket_address
from .error_queue import IcmpError

LINUX = sys.platform.startswith("linux")

_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: choose the port at connect(), per destination
_IPV6_UNICAST_HOPS = 16  # linux/in6.h
_TCP_SYNCNT = 7  # linux/tcp.h
_TCP_INFO = 11
_TOTAL_RETRANS = 100  # offset of tcpi_total_retrans in struct tcp_info
_SND_WND = 228  # offset of tcpi_snd_wnd, Linux 5.4
_SYN_RETRIES = 6  # the kernel's default; a node may have lowered net.ipv4.tcp_syn_retries
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_STREAM = socket.SOCK_STREAM | (getattr(socket, "SOCK_NONBLOCK", 0))

Socket = socket.SocketType
"""The C socket: making socket.socket objects costs as much as the kernel's part of a connect()."""


class Heard(NamedTuple):
    """What a socket has heard. One field is set, or none when it has heard nothing yet.

    Attributes:
        connected: the handshake is complete.
        itself: the kernel chose the probed port as our source port and we met ourselves (RFC 9293 section 3.5,
            simultaneous open).
        errno: the socket's error, without an ICMP entry.
        icmp: the ICMP error that ended the attempt.
    """

    connected: bool = False
    itself: bool = False
    errno: int = 0
    icmp: Optional[IcmpError] = None


NOTHING = Heard()
_CONNECTED = Heard(connected=True)
_ITSELF = Heard(itself=True)
REFUSED = Heard(errno=errno.ECONNREFUSED)
"""By an RST, where the platform tells refusals apart."""


class Connector:
    """Makes sockets and reads them; `portable` as macOS and the BSDs would: no error queue, no TCP_INFO."""

    def __init__(self, portable: bool) -> None:
        self._linux = LINUX and not portable
        self._lowered = self._linux and _syn_retries_lowered()
        self.tells_refusals_apart = self._linux and error_queue.tells_refusals_apart()

    def socket_for(self, family: int, source_address: Optional[str], hops: Optional[int] = None) -> Socket:
        """A non-blocking socket, ready to connect.

        Args:
            hops: routers that the packets may pass, None for the system's choice.

        Raises:
            OSError: a shortage of our own, a family that this machine lacks, or a source address that is not ours.
        """
        sock = Socket(family, _STREAM)
        try:
            if self._linux:
                level, option = error_queue.RECVERR[family]
                sock.setsockopt(level, option, 1)
                if self._lowered:
                    sock.setsockopt(socket.IPPROTO_TCP, _TCP_SYNCNT, _SYN_RETRIES)
            else:
                sock.setblocking(False)
            if hops is not None:
                _limit_hops(sock, family, hops)
            if source_address is not None:
                if LINUX:
                    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind(socket_address(source_address, 0))
        except OSError:
            sock.close()
            raise
        return sock

    def hear(self, sock: Socket) -> Heard:
        """What became of a connect() that was in progress; reading it takes it."""
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        icmp = error_queue.read(sock) if self._linux else None
        if icmp is not None:
            return Heard(icmp=icmp)
        if number:
            return REFUSED if number == errno.ECONNREFUSED else Heard(errno=number)
        try:
            return _ITSELF if sock.getpeername() == sock.getsockname() else _CONNECTED
        except OSError:
            # Woken before the error is set: the rule against a false "connected". Or reset in this moment (macOS).
            return NOTHING

    def queued(self, sock: Socket) -> Optional[IcmpError]:
        """The ICMP error behind a connect() that failed at once; None without one."""
        return error_queue.read(sock) if self._linux else None

    def syns(self, sock: Socket) -> Optional[int]:
        """SYNs that the kernel sent on this socket so far; None where it does not tell."""
        retransmitted = self._of_tcp_info(sock, _TOTAL_RETRANS)
        return None if retransmitted is None else 1 + retransmitted

    def window_is_zero(self, sock: Socket) -> bool:
        """Whether the other side lets us send nothing: so begins a SYN proxy until the host itself has answered."""
        return self._of_tcp_info(sock, _SND_WND) == 0

    def _of_tcp_info(self, sock: Socket, offset: int) -> Optional[int]:
        if not self._linux:
            return None
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, offset + 4)
        except OSError:
            return None
        if len(info) < offset + 4:
            return None
        number: int = struct.unpack_from("=I", info, offset)[0]
        return number


def reset_when_closed(sock: Socket) -> None:
    """Closing an open connection with a reset leaves no TIME_WAIT behind, here or in a firewall's state table."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def source_of(sock: Socket) -> Tuple[Optional[str], Optional[int]]:
    """Address and port that the kernel chose; None before it did."""
    try:
        name = sock.getsockname()
    except OSError:
        return None, None
    return (str(name[0]), int(name[1])) if name[1] else (None, None)


def with_port(address: SockAddr, port: int) -> SockAddr:
    """The socket address of another port of the same host."""
    return (address[0], port) if len(address) == 2 else (address[0], port, *address[2:])


def _limit_hops(sock: Socket, family: int, hops: int) -> None:
    if family == socket.AF_INET6:
        option = _IPV6_UNICAST_HOPS if LINUX else socket.IPV6_UNICAST_HOPS
        sock.setsockopt(socket.IPPROTO_IPV6, option, hops)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def _syn_retries_lowered() -> bool:
    """Whether this machine repeats SYNs more rarely than Linux does by itself."""
    try:
        with open("/proc/sys/net/ipv4/tcp_syn_retries", encoding="ascii") as setting:
            return int(setting.read()) < _SYN_RETRIES
    except (OSError, ValueError):
        return True
