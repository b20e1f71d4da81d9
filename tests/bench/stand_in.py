"""`python -m tests.bench.stand_in [JOB ...]`: a stand-in under attack: its memory, what it says, whom it still answers.

The stand-in is a process of its own and so is each attacker. A check asks all the while, as the asker does with three
tries, at the port that is attacked and at one beside it. Everything runs in a network namespace of its own: needs root.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from portcheck.engine import token
from portcheck.engine.probe import Transport
from tests.attacked import CHECKOUT, MOST_MB, RUN, Attacked, ask, attacked, flood, heard_by, hold, received
from tests.bench.measure import say

LASTS_S = 8.0
"""Longer than a connection may take for a request."""
IN_A_NAMESPACE = "in a namespace"
ADDRESS = "198.51.100.1"
"""Of the namespace. A packet to 127.0.0.1 from elsewhere is dropped by the kernel."""


# -------------------------------------------------------------------------------------------------- attackers


def holding(port: int, number: int, sources: int) -> int:
    """Holds connections without a word, and opens another one for each that is closed."""
    heard = 0
    held = hold(port, number, sources)
    until = time.monotonic() + LASTS_S
    while time.monotonic() < until:
        ended = set(readable(held))
        heard += heard_by(ended)
        for sock in ended:
            sock.close()
        held = [sock for sock in held if sock not in ended]
        held += hold(port, number - len(held), sources)
    return heard + heard_by(held)


def readable(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    by_number = {sock.fileno(): sock for sock in sockets}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(50)]


def trickling(port: int, number: int, sources: int) -> int:
    """Slow clients: a byte of a true beginning now and then."""
    held = hold(port, number, sources)
    head = token.request(bytes(token.KEY_BYTES), RUN, bytes(token.NONCE_BYTES), Transport.TCP, port)
    until = time.monotonic() + LASTS_S
    at = 0
    while time.monotonic() < until:
        for sock in held:
            with suppress(OSError):
                sock.send(head[at % len(head) : at % len(head) + 1])
        at += 1
    return heard_by(held)


def flooding(port: int, number: int, _: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        flood(sock, port, number)
        return received(sock)


def half_opening(port: int, number: int, _: int) -> int:
    """SYNs from addresses that nobody has: what answers them is lost."""
    target = socket.inet_aton(ADDRESS)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for each in range(number):
            source = struct.pack(">I", 0xC6120000 + each % 0x1FFFF)  # 198.18.0.0/15, RFC 2544
            syn = struct.pack(">HHIIBBHHH", 1024 + each % 60000, port, each, 0, 0x50, 2, 65535, 0, 0)
            summed = checksum(source + target + struct.pack(">HH", 6, len(syn)) + syn)
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, target)
            raw.sendto(ip + syn[:16] + struct.pack(">H", summed) + syn[18:], (ADDRESS, 0))
    return 0


def waiting(*_: int) -> int:
    time.sleep(3)
    return 0


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    return 0xFFFF - total % 0xFFFF


# ------------------------------------------------------------------------------------------------------- jobs


@dataclass(frozen=True, slots=True)
class Job:
    """An attack. `attack` returns the bytes that the attackers received."""

    title: str
    transport: Transport
    attack: Callable[[int, int, int], int]
    number: int
    sources: int = 1


JOBS = {
    "idle": Job("nobody attacks", Transport.TCP, waiting, 0),
    "held": Job("10,000 connections held by one address", Transport.TCP, holding, 10_000),
    "held-by-many": Job("10,000 connections held by 100 addresses", Transport.TCP, holding, 10_000, 100),
    "slow": Job("4,000 slow clients, a byte at a time", Transport.TCP, trickling, 4000, 20),
    "half-open": Job("300,000 half-open connections", Transport.TCP, half_opening, 300_000),
    "garbage": Job("1,000,000 datagrams of garbage", Transport.UDP, flooding, 1_000_000),
}


@dataclass(slots=True)
class Asked:
    """What became of the questions that a check asked meanwhile."""

    unanswered: int = 0
    later: int = 0
    took_ms: list[float] = field(default_factory=list)

    def ask_until_ended(
        self, attacker: subprocess.Popen[str], stand_in: Attacked, transport: Transport, port: int
    ) -> None:
        while attacker.poll() is None:
            began = time.perf_counter()
            echo, attempt = ask(stand_in.key, transport, port, ADDRESS)
            self.took_ms.append((time.perf_counter() - began) * 1000)
            self.unanswered += echo is None
            self.later += attempt > 1
            time.sleep(0.01)

    def __str__(self) -> str:
        return (
            f"{len(self.took_ms):6} asked, {self.unanswered} without an answer, {self.later} answered at a later try; "
            f"median {statistics.median(self.took_ms):.1f} ms, longest {max(self.took_ms):.0f} ms"
        )


def measure(name: str) -> bool:
    """One job; whether it was survived."""
    job = JOBS[name]
    with attacked() as stand_in:
        before_mb = stand_in.memory_mb()
        port, beside = stand_in.tcp if job.transport is Transport.TCP else stand_in.udp
        argv = [sys.executable, "-m", __spec__.name, "attack", name, str(port)]
        places = {"at this port": (job.transport, port), "at another port": (job.transport, beside)}
        places |= {"over the other": _other(stand_in, job.transport)}
        asked = {place: Asked() for place in places}
        cookies = _cookies()
        began = time.monotonic()
        with subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as attacker:
            with ThreadPoolExecutor() as threads:
                for place, (transport, number) in places.items():
                    threads.submit(asked[place].ask_until_ended, attacker, stand_in, transport, number)
            heard = int(attacker.communicate()[0])
        lasted_s = time.monotonic() - began
        peak_mb = stand_in.memory_mb()
        say(
            f"{job.title}: {lasted_s:.1f} s, {stand_in.cpu_s():.1f} s of the processor's time",
            f"    memory {before_mb:.1f} MB before, at most {peak_mb:.1f} MB; the attacker heard {heard} bytes"
            + (f"; {_cookies() - cookies} SYN cookies" if job.attack is half_opening else ""),
            *(f"    {place:16}{what}" for place, what in asked.items()),
        )
    return peak_mb <= MOST_MB and heard == 0 and not any(each.unanswered for each in asked.values())


def _other(stand_in: Attacked, transport: Transport) -> tuple[Transport, int]:
    if transport is Transport.TCP:
        return Transport.UDP, stand_in.udp[-1]
    return Transport.TCP, stand_in.tcp[-1]


def _cookies() -> int:
    names, values = Path("/proc/net/netstat").read_text().splitlines()[:2]
    return int(dict(zip(names.split(), values.split(), strict=True))["SyncookiesSent"])


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["attack"]:
        job = JOBS[arguments[1]]
        say(str(job.attack(int(arguments[2]), job.number, job.sources)))
        return 0
    if os.environ.get(IN_A_NAMESPACE) is None:
        os.environ[IN_A_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", __spec__.name, *arguments])
    for words in ("link set lo up", f"address add {ADDRESS}/32 dev lo", "route add 198.18.0.0/15 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    survived = [measure(name) for name in arguments or JOBS]
    return 0 if all(survived) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
