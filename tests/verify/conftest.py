"""Servers on loopback that a test writes itself, good and hostile, and how they are asked."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Probe, Transport
from portcheck.protocols import Spoken
from portcheck.verify import Asked, VerifyTiming, verify
from portcheck.verify.conversation import ConversationTiming
from portcheck.verify.language import Server

IPV4, IPV6 = "127.0.0.1", "::1"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PATIENT = ConversationTiming(connection_s=20.0, greeting_s=0.02, quiet_s=20.0)
"""Where the server answers or closes: nothing ends for want of time, however busy the machine is."""

GREETED = replace(PATIENT, greeting_s=20.0, quiet_s=0.2)
"""Where it speaks first."""

HASTY = ConversationTiming(connection_s=1.0, greeting_s=0.02, quiet_s=0.5)
"""Where it would let us wait for ever."""


def draw(count: int) -> bytes:
    return bytes(range(1, count + 1))


def made_server(host: str = "m1.example", address: str = "192.0.2.7", port: int = 1) -> Server:
    return Server(address, port, host, "192.0.2.1", draw)


@dataclass
class Visits:
    """What a stub saw."""

    probe: Probe
    count: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


@asynccontextmanager
async def serving(serve: Serve, address: str = IPV4, tls: ssl.SSLContext | None = None) -> AsyncIterator[Visits]:
    """A listener on a port of its own; ends when all who came have left."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # The client may leave at any time; many tests want that.
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()

    def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.count += 1
        visits.tasks.add(asyncio.create_task(visit(reader, writer)))

    server = await asyncio.start_server(come, address, 0, ssl=tls)
    visits = Visits(Probe(address, Transport.TCP, server.sockets[0].getsockname()[1]))
    try:
        yield visits
    finally:
        server.close()
        await asyncio.gather(*visits.tasks)


async def spoken_at(
    probe: Probe, *speaks: str, timing: ConversationTiming = PATIENT, host: str = "m1.example"
) -> Spoken:
    answers = await verify([Asked(probe, speaks, host)], pace=Pace(Speed.FAST), timing=VerifyTiming(timing))
    return answers[probe]


def says(*pieces: bytes, after: int = 0) -> Serve:
    """A server that reads `after` bytes at least, sends the pieces and keeps the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after:
            await reader.read(65536)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await reader.read()

    return serve


def answers_by(reply: Callable[[bytes], bytes]) -> Serve:
    """A server that answers the first thing it hears and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(await reader.read(65536)))
        await writer.drain()

    return serve


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a file with a self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("certificates")
    made: dict[tuple[str, ...], Path] = {}

    def make(*arguments: str) -> Path:
        if arguments not in made:
            path = made[arguments] = folder / f"{len(made)}.pem"
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            files = ["-keyout", str(path) + ".key", "-out", str(path)]
            subprocess.run([*command, *files, *arguments], check=True, capture_output=True, timeout=60)
        return made[arguments]

    return make


@pytest.fixture(scope="session")
def tls_server(certificates: Callable[..., Path]) -> ssl.SSLContext:
    """For m1.example, valid for 20 years."""
    path = certificates(
        "-subj", "/CN=ignored", "-days", "7400", "-addext", "subjectAltName=DNS:m1.example,DNS:m2.example"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, str(path) + ".key")
    return context
