"""One connection to a port: bounded in time and in bytes, whatever the server does with it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from portcheck.engine.addresses import family_of, socket_address
from portcheck.verify.language import Server

MOST_BYTES = 8192
"""What is read of an answer. Its beginning tells what it is; nobody needs the end of an endless one."""

_MOST_BYTES_OF_A_HANDSHAKE = 65536
"""Of a TLS connection, as it is on the wire: a chain of certificates alone can have 20 KiB."""

_LEGACY_SERVER_CONNECT = 0x4
"""OP_LEGACY_SERVER_CONNECT, which has a name since Python 3.12: old servers cannot renegotiate safely."""


class Wire:
    """A connection without TLS. What went over it is kept in `said` and `heard`.

    No stream of asyncio, and none of its transports: where a server answers and resets the connection, as it does when
    it closes before it has read all, both raise ConnectionResetError and may lose the answer that came before.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        """`deadline`: by the loop's clock, the end of the connection."""
        self._sock, self._deadline = sock, deadline
        self.said, self.heard = bytearray(), bytearray()
        self.closed = False

    def send(self, data: bytes) -> None:
        """Without waiting: a request fits into the kernel's buffer. Who has hung up may have answered before."""
        self.said += data
        with suppress(OSError):
            self._sock.send(data)

    async def receive(self, within_s: float | None = None, most: int = MOST_BYTES) -> bytes:
        """The next bytes, at most `most` of the connection in all; none when nothing more will come in time."""
        left = most - len(self.heard)
        if left <= 0:
            return b""
        until = self._deadline
        if within_s is not None:
            until = min(until, asyncio.get_running_loop().time() + within_s)
        await self._readable(until)
        try:
            data = self._sock.recv(left)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.closed = not data
        self.heard += data
        return data

    async def _readable(self, until: float) -> None:
        """Returns when there is something to read, an end too, or at that moment. Reads nothing, so loses nothing."""
        loop = asyncio.get_running_loop()
        something = asyncio.Event()
        loop.add_reader(self._sock, something.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await something.wait()
        finally:
            loop.remove_reader(self._sock)


class TlsWire:
    """TLS over a Wire. Nothing is verified: what is presented is told, and nothing of ours is entrusted to it."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, server_name: str | None) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.refusal: str | None = None
        """OpenSSL's reason for the end of the connection, once it has one."""

    @property
    def closed(self) -> bool:
        return self._wire.closed

    @property
    def version(self) -> str:
        """As people write it: TLS 1.3, SSL 3."""
        return (self._tls.version() or "TLS").replace("v", " ")

    @property
    def certificate(self) -> bytes | None:
        return self._tls.getpeercert(binary_form=True)

    async def handshake(self) -> bool:
        """Whether it succeeded."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if not await self._more(None):
                    return False
            except ssl.SSLError as error:
                # An alert may be waiting to be sent; a server that gets one logs what went wrong.
                self._flush()
                self.refusal = error.reason or "UNKNOWN"
                return False
            else:
                # The last message goes out together with what is sent next.
                return True

    def send(self, data: bytes) -> None:
        try:
            if data:
                self._tls.write(data)
        except ssl.SSLError as error:
            self.refusal = error.reason or "UNKNOWN"
        self._flush()

    async def receive(self, within_s: float | None = None, most: int = MOST_BYTES) -> bytes:
        while True:
            try:
                return self._tls.read(most)
            except ssl.SSLWantReadError:
                if not await self._more(within_s):
                    return b""
            except ssl.SSLError as error:
                self.refusal = error.reason or "UNKNOWN"
                return b""

    async def _more(self, within_s: float | None) -> bool:
        self._flush()
        data = await self._wire.receive(within_s, _MOST_BYTES_OF_A_HANDSHAKE)
        self._incoming.write(data)
        return bool(data)

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._wire.send(data)


def tls_context() -> ssl.SSLContext:
    """A client that speaks to every server that OpenSSL still can speak to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= _LEGACY_SERVER_CONNECT
    # Old protocols, small keys and SHA-1 are told by their version; a refusal of ours would tell nothing.
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@asynccontextmanager
async def connected(server: Server, within_s: float) -> AsyncIterator[Wire]:
    """A connection that lasts at most `within_s`, the handshake included.

    Raises:
        OSError: it cannot be made now, or not in time (TimeoutError).
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    with socket.socket(family_of(server.address), socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        if server.source_address is not None:
            sock.bind(socket_address(server.source_address, 0))
        async with asyncio.timeout_at(deadline):
            await loop.sock_connect(sock, socket_address(server.address, server.port))
        yield Wire(sock, deadline)
