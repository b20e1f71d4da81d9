"""TCP of a stand-in: many connections at once, in bounded memory, each for a few seconds.

Whoever holds connections without a word loses the oldest of them, first of all if they are many from one address: a
check that asks at once is answered while a scanner holds all that there are.
"""

import asyncio
import errno
import socket
from collections import OrderedDict
from typing import Callable, Dict

from . import token
from .probe import Transport
from .stand_in_answers import Answers

_MOST_ACCEPTED = 32
"""Connections that are accepted at one port in one turn: a flood at one port leaves the others their turn."""

_STRANGERS_SHARE = 4
"""One address has at most a quarter of all connections while they say nothing. Many checks behind one router fit in."""

_TRUSTED_SHARE = 2
"""Requests that somebody recorded and sends again hold at most half of all connections."""

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.2


class _Connection:
    """A connection; there are thousands.

    Attributes:
        address, port: where it arrived.
        wanted: how many bytes of a request must be there before it says more: its head, then all of it.
        is_trusted: a request of ours came over it.
        due: when it is closed, unless a request comes before.
    """

    __slots__ = ("address", "data", "due", "is_trusted", "peer", "peer_port", "port", "sock", "wanted")

    def __init__(self, sock: socket.socket, address: str, port: int, peer: str, peer_port: int, due: float) -> None:
        self.sock = sock
        self.address = address
        self.port = port
        self.peer = peer
        self.peer_port = peer_port
        self.due = due
        self.data = b""
        self.wanted = token.HEAD_BYTES
        self.is_trusted = False


class Connections:
    """All connections of a stand-in.

    Args:
        guarded: runs what the loop calls.
        most: at once; the oldest one gives way.
        idle_s: how long a connection may take for a request.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        guarded: Callable[..., None],
        answers: Answers,
        most: int,
        idle_s: float,
    ) -> None:
        self._loop = loop
        self._guarded = guarded
        self._answers = answers
        self._most = max(1, most)
        self._idle_s = idle_s
        # All from the oldest to the youngest, which is the order in which they are due.
        self._strangers: "OrderedDict[_Connection, None]" = OrderedDict()
        self._strangers_of: "Dict[str, OrderedDict[_Connection, None]]" = {}
        self._trusted: "OrderedDict[_Connection, None]" = OrderedDict()
        self._paused: Dict[socket.socket, asyncio.TimerHandle] = {}

    # ---------------------------------------------------------------------------------------------- accepting

    def watch(self, listener: socket.socket, port: int) -> None:
        """Accept what comes to it."""
        self._loop.add_reader(listener, self._guarded, self._accept, listener, port)

    def _accept(self, listener: socket.socket, port: int) -> None:
        for _ in range(_MOST_ACCEPTED):
            try:
                sock, sender = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES and not self._make_room():
                    self._pause(listener, port)
                    return
                continue  # There is room now; or that connection was gone already (accept(2)).
            self._take(sock, port, sender[0], sender[1])

    def _pause(self, listener: socket.socket, port: int) -> None:
        """The listener stays readable until somebody accepts: to look again at once would take all our time."""
        self._loop.remove_reader(listener)
        self._paused[listener] = self._loop.call_later(_PAUSE_S, self._guarded, self._resume, listener, port)

    def _resume(self, listener: socket.socket, port: int) -> None:
        del self._paused[listener]
        self.watch(listener, port)

    def _take(self, sock: socket.socket, port: int, peer: str, peer_port: int) -> None:
        if not self._answers.admit(peer, Transport.TCP, port):
            sock.close()
            return
        try:
            address, port = sock.getsockname()[:2]
        except OSError:
            sock.close()
            return
        self._answers.connected(peer, port, address)
        theirs = self._strangers_of.get(peer, ())
        if len(theirs) >= max(1, self._most // _STRANGERS_SHARE):
            self._turn_away(next(iter(theirs)))
        elif len(self._strangers) + len(self._trusted) >= self._most:
            self._make_room()
        sock.setblocking(False)
        connection = _Connection(sock, address, port, peer, peer_port, self._loop.time() + self._idle_s)
        self._strangers[connection] = None
        self._strangers_of.setdefault(peer, OrderedDict())[connection] = None
        self._loop.add_reader(sock, self._guarded, self._read, connection)

    def _make_room(self) -> bool:
        """Turn the oldest away, a stranger if there is one; False when there is nobody at all."""
        queue = self._strangers or self._trusted
        if queue:
            self._turn_away(next(iter(queue)))
        return bool(queue)

    # ---------------------------------------------------------------------------------------------- answering

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(connection.wanted - len(connection.data))
        except BlockingIOError:
            return
        except OSError:
            data = b""  # Reset by its peer: it has ended.
        connection.data += data
        if not data:
            self._turn_away(connection)
        elif len(connection.data) == connection.wanted:
            self._go_on(connection)

    def _go_on(self, connection: _Connection) -> None:
        """What was waited for is there: the head of a request, or all of it."""
        if len(connection.data) > token.HEAD_BYTES:
            self._answer(connection)
            return
        length = token.length_of(connection.data)
        if length is None:
            self._turn_away(connection)
            return
        connection.wanted = length
        self._read(connection)

    def _answer(self, connection: _Connection) -> None:
        response = self._answers.answer(
            connection.data,
            Transport.TCP,
            connection.address,
            connection.port,
            connection.peer,
            connection.peer_port,
        )
        if response is None:
            self._turn_away(connection)
            return
        self._trust(connection)
        if not self._send(connection, response):
            self._close(connection)
            return
        connection.data, connection.wanted = b"", token.HEAD_BYTES

    def _send(self, connection: _Connection, response: bytes) -> bool:
        """Whether all of it went out: whoever asks again before the last answers are read is not waited for."""
        try:
            return connection.sock.send(response) == len(response)
        except OSError:
            return False

    def _trust(self, connection: _Connection) -> None:
        self._forget(connection)
        if len(self._trusted) >= max(1, self._most // _TRUSTED_SHARE):
            self._close(next(iter(self._trusted)))
        connection.is_trusted = True
        connection.due = self._loop.time() + self._idle_s
        self._trusted[connection] = None

    # ------------------------------------------------------------------------------------------------- ending

    def sweep(self) -> None:
        """Close what is due."""
        now = self._loop.time()
        for queue in (self._strangers, self._trusted):
            while queue and next(iter(queue)).due <= now:
                self._turn_away(next(iter(queue)))

    def _turn_away(self, connection: _Connection) -> None:
        """It ends, and if nothing of ours came over it, that is noted."""
        if not connection.is_trusted:
            self._answers.refuse(connection.peer, Transport.TCP, connection.port)
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._forget(connection)
        self._loop.remove_reader(connection.sock)
        connection.sock.close()

    def _forget(self, connection: _Connection) -> None:
        if connection.is_trusted:
            del self._trusted[connection]
            return
        del self._strangers[connection]
        theirs = self._strangers_of[connection.peer]
        del theirs[connection]
        if not theirs:
            del self._strangers_of[connection.peer]

    def close(self) -> None:
        """Close everything."""
        for later in self._paused.values():
            later.cancel()
        for queue in (self._strangers, self._trusted):
            while queue:
                self._close(next(iter(queue)))
