"""The sockets that datagrams leave by, and what comes back over them. Everything else in the engine is bookkeeping.

Each address that is asked has a socket of its own for UDP. Whatever arrives there concerns that address, also what a
server with several addresses sends from another one; with one socket for all of them such a reply could be taken
for the answer of somebody else who was asked the same. The socket is not connected: a connected one hears nothing
from another port or address, and no error about anything but its peer.

Every queued ICMP error makes one later sendto() fail with an errno that has nothing to do with it, and the datagram
is not sent: read the queue, send again. Linux queues the error first and sets the errno then, so that a queue that is
read in between leaves an errno behind that nothing explains: only the second one in a row is an answer to this
sendto(). The queue is as long as the receive buffer, 255 errors by default.
"""

import errno
import socket
from typing import List, NamedTuple, Optional, Tuple

from . import error_queue
from .addresses import SockAddr, family_of, is_own, socket_address
from .connection import LINUX
from .error_queue import IcmpError, Returned
from .probe import Reason, Transport

MOST_READ = 256
"""Errors, and datagrams, that are taken from a socket in one turn."""
_BUFFER_BYTES = 1 << 20
_REPLY_BYTES = 2048
_IP_HEADER_BYTES = 60
_ERRORS_BEFORE_SENDING = 64
_SMALL_SERVICES = 20
"""Echo, discard, daytime, qotd, chargen: two of them that are made to answer each other do not stop."""

_PROTOCOLS = {Transport.GRE: 47, Transport.ESP: 50, Transport.AH: 51}
_ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}

_OF_ICMP = frozenset(
    (
        *(errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPROTO, errno.ENOPROTOOPT),
        *(errno.EMSGSIZE, errno.EOPNOTSUPP, errno.EHOSTDOWN),
    )
)
"""What Linux makes of ICMP errors (icmp_err_convert, icmpv6_err_convert). sendto() has some for reasons of its own."""

NO_ICMP = (0, 0)
"""In place of type and code, where the platform shows an errno only."""
_OF_A_PEER = {
    errno.ECONNREFUSED: Reason.REFUSED_ORIGIN_UNKNOWN,
    errno.EHOSTUNREACH: Reason.HOST_UNREACH,
    errno.ENETUNREACH: Reason.NET_UNREACH,
    errno.EHOSTDOWN: Reason.ARP_FAILURE,
}
"""What the pending error of a connected socket means, which nobody tells the sender of."""


class Arrived(NamedTuple):
    """A datagram for us."""

    data: bytes
    address: str
    port: int


class Inbox(NamedTuple):
    """What a socket has heard: errors first, for they came to packets that were sent before."""

    returned: List[Returned]
    arrived: List[Arrived]

    @property
    def is_full(self) -> bool:
        """There may be more."""
        return max(len(self.returned), len(self.arrived)) >= MOST_READ


class Channel:
    """One socket.

    Attributes:
        source: its address and port, as Attempts have them.
        shows_errors: it has an error queue.
    """

    def __init__(
        self, sock: socket.socket, transport: Transport, shows_errors: bool, peer: Optional[Tuple[str, int]] = None
    ) -> None:
        """`peer`: it is connected to it, because the platform shows refusals in no other way."""
        self._sock = sock
        self._transport = transport
        self._raw = sock.type == socket.SOCK_RAW
        self._peer = peer
        self._sent: List[bytes] = []
        self._used = False
        self._reported = 0
        self.shows_errors = shows_errors
        self.source: Tuple[Optional[str], Optional[int]] = (None, None)

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, payload: bytes, destination: SockAddr) -> Tuple[int, Inbox]:
        """Send one datagram; 0 or the errno that says why it was not sent, and what was heard on that occasion."""
        returned: List[Returned] = []
        may_be_stale = self.shows_errors
        for _ in range(_ERRORS_BEFORE_SENDING):
            number = self._send_once(payload, destination)
            if number == 0:
                self._note_sent(payload)
                return 0, Inbox(self._ours(returned), [])
            pending = self._errors(number)
            if not pending and not (may_be_stale and number in _OF_ICMP):
                return number, Inbox(self._ours(returned), [])
            may_be_stale = self.shows_errors and bool(pending)
            returned += pending
        return errno.EAGAIN, Inbox(self._ours(returned), [])

    def _send_once(self, payload: bytes, destination: SockAddr) -> int:
        try:
            if self._peer is None:
                self._sock.sendto(payload, destination)
            else:
                self._sock.send(payload)
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0

    def _note_sent(self, payload: bytes) -> None:
        self._used = True
        self._reported = 0
        if self.source[1] is None:
            self._note_source()
        if self._raw:
            self._sent = [*self._sent[-3:], payload]

    def hear(self) -> Inbox:
        """What has come since; at most MOST_READ of each kind."""
        returned = self._errors(0)
        arrived: List[Arrived] = []
        for _ in range(MOST_READ):
            try:
                data, sender = self._sock.recvfrom(_REPLY_BYTES + _IP_HEADER_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                # The socket's pending error, which an entry of the queue explains; no data is lost.
                more = self._errors(error.errno or 0)
                if not more:
                    break
                returned += more
                continue
            one = self._read(data, sender)
            if one is not None:
                arrived.append(one)
        return Inbox(self._ours(returned), arrived)

    def close(self) -> None:
        self._sock.close()

    def _errors(self, number: int) -> List[Returned]:
        """The ICMP errors behind a failure with this errno (0: none); none when it is of our own making."""
        if self.shows_errors:
            return error_queue.read_returned(self._sock, MOST_READ)
        if self._peer is None or not self._used or number not in _OF_A_PEER:
            return []
        # A connected socket reports an error once. One that stays comes from our own routing table.
        if self._reported == number:
            return []
        self._reported = number
        error = IcmpError(number, NO_ICMP, None, _OF_A_PEER[number])
        return [Returned(error, self._peer[0].partition("%")[0], self._peer[1], b"")]

    def _ours(self, returned: List[Returned]) -> List[Returned]:
        """Raw sockets for ICMP are given the errors about everybody's echo requests, to whatever host."""
        if not self._raw or self._transport is not Transport.ICMP:
            return returned
        return [one for one in returned if any(one.payload[4:8] == sent[4:8] for sent in self._sent)]

    def _read(self, data: bytes, sender: SockAddr) -> Optional[Arrived]:
        """The datagram without its IP header; None for one that is not meant for us."""
        address = str(sender[0]).partition("%")[0]
        if self._transport is Transport.UDP:
            port = int(sender[1])
            if port == self.source[1] and is_own(address):
                return None  # Asked for the very port that it has, on an address of ours, the socket hears itself.
            return Arrived(data[:_REPLY_BYTES], address, port)
        if self._sock.family == socket.AF_INET and data[:1] and data[0] >> 4 == 4:
            data = data[4 * (data[0] & 15) :]
        if self._transport is Transport.ICMP:
            if data[:1] != bytes((_ECHO_REPLY[self._sock.family],)):
                return None
            if self._raw and all(data[4:8] != sent[4:8] for sent in self._sent):
                return None  # An echo of somebody else: identifier and sequence number are not ours.
        elif data in self._sent and address == _without_zone(self.source[0]):
            return None  # Sent to an address of ours, it comes back.
        return Arrived(data[:_REPLY_BYTES], address, 0)

    def _note_source(self) -> None:
        try:
            name = self._sock.getsockname()
        except OSError:
            return
        ports = self._transport is Transport.UDP
        self.source = (str(name[0]), int(name[1]) if ports else None)


def _without_zone(address: Optional[str]) -> Optional[str]:
    return None if address is None else address.partition("%")[0]


class PrivilegeError(Exception):
    """A socket of this kind needs a privilege; the words say which."""


class Channels:
    """Makes sockets; `portable` as macOS and the BSDs would: no error queue."""

    def __init__(self, portable: bool) -> None:
        self._linux = LINUX and not portable

    @property
    def shows_errors(self) -> bool:
        return self._linux

    def udp(self, address: str, port: int, source_address: Optional[str], source_port: Optional[int]) -> Channel:
        """A socket to ask this address with, from a random port or this one.

        Args:
            port: the one that it is for, where the platform shows refusals on connected sockets only; else 0.

        Raises:
            PrivilegeError: the source port needs one.
            OSError: a shortage of our own, a family that this machine lacks, a source address that is not ours, or
                a source port that is taken.
        """
        while True:
            sock = self._socket(family_of(address), socket.SOCK_DGRAM, 0)
            try:
                self._bind(sock, source_address, source_port)
                if port:
                    sock.connect(socket_address(address, port))
            except (OSError, PrivilegeError):
                sock.close()
                raise
            if source_port is not None or sock.getsockname()[1] > _SMALL_SERVICES:
                break
            sock.close()
        channel = Channel(sock, Transport.UDP, self._linux, sock.getpeername()[:2] if port else None)
        channel._note_source()
        return channel

    def echo(self, address: str, source_address: Optional[str]) -> Channel:
        """A socket for ICMP echo requests: the kind that needs no privilege, or the one that does.

        Raises:
            PrivilegeError: neither is allowed.
            OSError: as in udp().
        """
        family = family_of(address)
        protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                sock = self._socket(family, kind, protocol)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT):
                    continue
                raise
            return self._bound(sock, Transport.ICMP, source_address)
        raise PrivilegeError("CAP_NET_RAW or net.ipv4.ping_group_range")

    def raw(self, address: str, transport: Transport, source_address: Optional[str]) -> Channel:
        """A socket for packets of an IP protocol. Connected: the kernel gives us those of this address only.

        Raises:
            PrivilegeError: CAP_NET_RAW is missing.
            OSError: as in udp().
        """
        try:
            sock = self._socket(family_of(address), socket.SOCK_RAW, _PROTOCOLS[transport])
        except PermissionError:
            raise PrivilegeError("CAP_NET_RAW") from None
        channel = self._bound(sock, transport, source_address)
        try:
            sock.connect(socket_address(address, 0))
        except OSError:
            sock.close()
            raise
        channel._note_source()
        return channel

    @staticmethod
    def _bind(sock: socket.socket, source_address: Optional[str], source_port: Optional[int]) -> None:
        here = source_address or ("::" if sock.family == socket.AF_INET6 else "0.0.0.0")
        try:
            # Without SO_REUSEADDR: with it we would take the replies of a DHCP client that has the port.
            sock.bind(socket_address(here, source_port or 0))
        except PermissionError:
            raise PrivilegeError("CAP_NET_BIND_SERVICE") from None

    def _bound(self, sock: socket.socket, transport: Transport, source_address: Optional[str]) -> Channel:
        if source_address is not None:
            try:
                sock.bind(socket_address(source_address, 0))
            except OSError:
                sock.close()
                raise
        return Channel(sock, transport, self._linux)

    def _socket(self, family: socket.AddressFamily, kind: int, protocol: int) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            # Linux refuses it for raw sockets, which are of one family anyway.
            if family == socket.AF_INET6 and kind != socket.SOCK_RAW:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            if self._linux:
                level, recverr = error_queue.RECVERR[family]
                sock.setsockopt(level, recverr, 1)
        except OSError:
            sock.close()
            raise
        return sock
