"""What answers at open TCP ports, asked in their own language after the measurement (`--verify`).

Nothing here is a verdict about reachability: a port that was open stays open, whatever happens now. It is imported
only when somebody asked for it. No login is tried, nothing is written on a server, and each port gets at most three
connections of two seconds.

language.py has the shared values, registry.py the table of the protocols; the other modules are one protocol each, or
the ones of greetings.py that the server begins. conversation.py decides what to say, wire.py says it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from portcheck.engine.addresses import is_own
from portcheck.engine.pace import Pace
from portcheck.engine.probe import Probe, Reason
from portcheck.engine.tasks import together, until
from portcheck.protocols import Spoken
from portcheck.verify.conversation import ConversationTiming, ask, expected_at, question, steps
from portcheck.verify.language import Server
from portcheck.verify.wire import tls_context

__all__ = ["Asked", "VerifyTiming", "verify"]


@dataclass(frozen=True, slots=True)
class Asked:
    """An open TCP port that is to say what it is.

    Attributes:
        speaks: what is expected there, names of portcheck.protocols; empty for what is usual at the port.
        host: the target's name; its ports share a limit, and a name of DNS is told to the server (SNI, Host). Empty
            for one that has only an address.
    """

    probe: Probe
    speaks: tuple[str, ...] = ()
    host: str = ""


@dataclass(frozen=True, slots=True)
class VerifyTiming:
    """How long, and how many at once.

    Attributes:
        total_s: for all ports together; those that nobody had time to ask are left out.
        hosts: that are looked at in the same time.
    """

    conversation: ConversationTiming = field(default_factory=ConversationTiming)
    total_s: float = 120.0
    connections: int = 32
    connections_per_host: int = 4
    hosts: int = 64


def _ignore(ports: int) -> None:
    """Nobody wants to know."""


async def verify(
    asked: Iterable[Asked],
    *,
    pace: Pace,
    timing: VerifyTiming = VerifyTiming(),
    progress: Callable[[int], None] = _ignore,
    stop: asyncio.Future[Reason] | None = None,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> dict[Probe, Spoken]:
    """What answers at each port; a port to which no connection can be made now, or in time, is missing.

    Args:
        asked: the most important first; a probe that is there twice is asked once.
        progress: told how many more ports are done.
        stop: ends it early, with what is known by then.
    """
    answers: dict[Probe, Spoken] = {}
    run = _Run(pace, timing, draw)

    async def ask_each(host: Iterator[Asked]) -> None:
        for each in host:
            if (spoken := await run.ask(each)) is not None:
                answers[each.probe] = spoken
            progress(1)

    async def look_at_each(hosts: Iterator[list[Asked]]) -> None:
        for host in hosts:
            ports = iter(host)
            await together(ask_each(ports) for _ in range(min(timing.connections_per_host, len(host))))

    by_host = _by_host(asked)
    run.load(each for host in by_host for each in host)
    hosts = iter(by_host)
    await until(stop, timing.total_s, together(look_at_each(hosts) for _ in range(min(timing.hosts, len(by_host)))))
    return answers


def _by_host(asked: Iterable[Asked]) -> list[list[Asked]]:
    hosts: dict[str, dict[Probe, Asked]] = {}
    for each in asked:
        hosts.setdefault(each.host or each.probe.address, {}).setdefault(each.probe, each)
    return [list(ports.values()) for ports in hosts.values()]


class _Run:
    """What all conversations share: room for connections, and the pace of the run."""

    def __init__(self, pace: Pace, timing: VerifyTiming, draw: Callable[[int], bytes]) -> None:
        self._pace, self._timing, self._draw = pace, timing.conversation, draw
        self._room = asyncio.Semaphore(timing.connections)
        self._context = tls_context()

    def load(self, asked: Iterable[Asked]) -> None:
        """What these will need of scapy. Loading it takes a second of a busy machine, which no conversation hears."""
        first_of = {step: each for each in asked for step in steps(expected_at(each.probe.port, each.speaks))}
        for step, each in first_of.items():
            question(step, self._server(each))

    async def ask(self, asked: Asked) -> Spoken | None:
        return await ask(self._server(asked), asked.speaks, self._timing, self._context, self._turn)

    def _server(self, asked: Asked) -> Server:
        probe = asked.probe
        return Server(probe.address, probe.port, asked.host, probe.source_address, self._draw)

    @asynccontextmanager
    async def _turn(self, address: str) -> AsyncIterator[None]:
        """Room for one connection, at a moment when the pace allows it."""
        loop = asyncio.get_running_loop()
        paced = not (self._pace.unlimited or _stays_here(address))
        while True:
            await self._room.acquire()
            now = loop.time()
            due = self._pace.due(address, now) if paced else now
            if due <= now:
                break
            # Who has to wait does so without room; others may come first.
            self._room.release()
            await asyncio.sleep(due - now)
        if paced:
            self._pace.spend(address, now)
        try:
            yield
        finally:
            self._room.release()


def _stays_here(address: str) -> bool:
    """No network on the way, so nobody who counts."""
    try:
        return is_own(address)
    except OSError:
        return False
