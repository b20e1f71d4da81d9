"""A stand-in in a process of its own, whoever attacks it, and a check that asks meanwhile."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portcheck.engine import token
from portcheck.engine.descriptors import raise_descriptor_limit
from portcheck.engine.probe import Echo, Transport

CHECKOUT = Path(__file__).resolve().parents[1]
MOST_MB = 64.0
TRIES = 3
TRY_S = 3.3
RUN = b"attacked"

_STAND_IN = """
import asyncio, json, sys
from portcheck.engine.probe import Transport
from portcheck.engine.stand_in import Opening, StandIn

async def stand_in():
    key = bytes.fromhex(sys.stdin.readline())
    standing = StandIn(key, "attacked")
    wanted = [Opening(transport, 0, ("0.0.0.0",)) for transport in (Transport.TCP, Transport.UDP)]
    opened = standing.open(wanted) + standing.open(wanted)
    print(json.dumps([port.port for port in opened]), flush=True)
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    loop.add_reader(sys.stdin, lambda: stop.done() or stop.set_result(None))
    await standing.serve(stop)

asyncio.run(stand_in())
"""


@dataclass(frozen=True, slots=True)
class Attacked:
    """A stand-in in a process of its own.

    Attributes:
        tcp, udp: a port to attack, and the one beside it.
    """

    process: subprocess.Popen[str]
    key: bytes
    tcp: tuple[int, int]
    udp: tuple[int, int]

    def memory_mb(self) -> float:
        """The most that it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(kib) * 1024 / 1e6

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def attacked() -> Iterator[Attacked]:
    key = token.new_key()
    argv = [sys.executable, "-c", _STAND_IN]
    with subprocess.Popen(
        argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(key.hex() + "\n")
            tcp, udp, other_tcp, other_udp = json.loads(process.stdout.readline())
            yield Attacked(process, key, (tcp, other_tcp), (udp, other_udp))
            process.stdin.close()
            process.wait(timeout=10)
        finally:
            process.kill()


# ------------------------------------------------------------------------------------------------- the check


def ask(key: bytes, transport: Transport, port: int, address: str = "127.0.0.1") -> tuple[Echo | None, int]:
    """The echo, and at which try it came; None when it did not come. Nothing else may come in its place."""
    for attempt in range(1, TRIES + 1):
        kind = socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM
        sent = token.request(key, RUN, os.urandom(token.NONCE_BYTES), transport, port)
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(TRY_S)
            try:
                sock.connect((address, port))
                sock.sendall(sent)
                echo = token.read_echo(key, sent, sock.recv(token.REQUEST_BYTES))
            except OSError:
                continue
        if echo is not None:
            return echo, attempt
    return None, TRIES


# -------------------------------------------------------------------------------------------------- attackers


def hold(port: int, number: int, sources: int = 1) -> list[socket.socket]:
    """Connections that say nothing, from this many addresses."""
    raise_descriptor_limit()
    held = []
    for each in range(number):
        sock = socket.socket()
        sock.bind((f"127.0.1.{1 + each % sources}", 0))
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        held.append(sock)
    return held


def heard_by(sockets: Iterable[socket.socket]) -> int:
    """Bytes that these have received."""
    return sum(map(received, sockets))


def received(sock: socket.socket) -> int:
    number = 0
    while True:
        try:
            data = sock.recv(65536)
        except OSError:
            return number
        number += len(data)
        if not data:
            return number


def flood(sock: socket.socket, port: int, number: int, seed: int = 1) -> None:
    """Garbage of many lengths, and a request under another key, whose HMAC has to be computed."""
    chance = random.Random(seed)
    head = token.request(bytes(token.KEY_BYTES), RUN, bytes(token.NONCE_BYTES), Transport.UDP, port)
    garbage = [chance.randbytes(chance.choice((0, 1, 64, 255, 256, 257, 1200, 1400))) for _ in range(64)]
    garbage += [head, head[:100], head + b"\0"]
    for each in range(number):
        try:
            sock.sendto(garbage[each % len(garbage)], ("127.0.0.1", port))
        except OSError:
            continue  # No room at our own end.
