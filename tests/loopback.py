"""Hosts for the TCP engine on loopback, and how a test asks them. What real networks do: tests/lab."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Observation, PortState, Probe, ProbeSet, Reason, Tally, Transport
from portcheck.engine.tcp import TcpEngine, TcpTiming

IPV4, IPV6 = "127.0.0.1", "::1"
OPEN = (PortState.OPEN, Reason.SYN_ACK)
CLOSED = (PortState.CLOSED, Reason.CONN_REFUSED)
SILENT = (PortState.FILTERED, Reason.NO_RESPONSE)

SHORT = TcpTiming(attempt_s=0.3, retry_after_s=0.1, trusted_attempt_s=0.2)
"""For tests in which silence is not the point."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_HANGS_AFTER_S = 15
"""No run on loopback takes as long. The loop's clock, which some tests put forward: 60 stops of 3.5 s are more."""

Serve = Callable[[socket.socket], object]
"""What a host does with a listener that has a connection for it."""


# --------------------------------------------------------------------------------------------------- the host


@contextmanager
def bound(address: str = IPV4, backlog: int | None = 16) -> Iterator[socket.socket]:
    """A socket with a port of its own: listening, or with backlog None refusing, for nobody else gets the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        if backlog is not None:
            sock.listen(backlog)
        yield sock


@contextmanager
def full(address: str = IPV4) -> Iterator[socket.socket]:
    """A listener with no room for another connection: SYNs to it are dropped until somebody accepts."""
    with bound(address, backlog=0) as listener, socket.create_connection(listener.getsockname()[:2]):
        yield listener


def turn_away(listener: socket.socket) -> None:
    """Accept and reset, as a SYN proxy does when the host behind it refused."""
    accepted, _ = listener.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    accepted.close()


def accept_and_close(listener: socket.socket) -> None:
    listener.accept()[0].close()


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def probe(sock: socket.socket, source_address: str | None = None) -> Probe:
    address, port = sock.getsockname()[:2]
    return Probe(address, Transport.TCP, port, source_address)


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


# ------------------------------------------------------------------------------------------------ the question


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run can be ended from outside: by the report, or the sentence to the user, of that number.

    Attributes:
        error: raised then; None: the run is told to stop.
    """

    after: int
    error: Exception | None = None
    told: bool = False


def probe_sets(probes: Iterable[Probe]) -> list[ProbeSet]:
    """One for each pair of addresses, in the order of the probes; every port is asked singly."""
    ports: dict[tuple[str, str | None], list[int]] = {}
    for one in probes:
        ports.setdefault((one.address, one.source_address), []).append(one.port)
    return [ProbeSet(address, singly, source_address=source) for (address, source), singly in ports.items()]


def measure(
    sets: Iterable[ProbeSet],
    timing: TcpTiming = SHORT,
    ending: Ending | None = None,
    half_a_second_later: Callable[[], object] = lambda: None,
    serving: Mapping[socket.socket, Serve] | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop,
    report: Callable[[Answered], object] = lambda answered: None,
    tell: Callable[[str], object] = lambda sentence: None,
    **options: Any,
) -> list[Answered]:
    """What the engine reports, in its order; `options` are the engine's."""
    seen: list[Answered] = []
    told: list[str] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[Reason] = loop.create_future()
        later = loop.call_later(0.5, half_a_second_later)
        for listener, serve in (serving or {}).items():
            loop.add_reader(listener, serve, listener)

        def take(answered: Answered) -> None:
            seen.append(answered)
            report(answered)
            end(len(seen), of_told=False)

        def hear(sentence: str) -> None:
            told.append(sentence)
            tell(sentence)
            end(len(told), of_told=True)

        def end(number: int, of_told: bool) -> None:
            if ending is not None and (number, of_told) == (ending.after, ending.told):
                if ending.error is not None:
                    raise ending.error
                stop.set_result(Reason.INTERRUPTED)

        pace = options.pop("pace", None) or Pace(Speed.FAST)
        try:
            async with asyncio.timeout(_HANGS_AFTER_S):
                await TcpEngine(timing, take, pace=pace, tell=hear, **options).run(sets, stop)
        finally:
            later.cancel()
            for listener in serving or ():
                loop.remove_reader(listener)
        # Whatever the engine left in the loop must not wake up after its end.
        for _ in range(3):
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())
    return seen


def observe(probes: Iterable[Probe], *args: Any, **options: Any) -> list[Observation]:
    """measure() where every port is asked singly."""
    seen: list[Observation] = []
    for answered in measure(probe_sets(probes), *args, **options):
        assert isinstance(answered, Observation), answered
        seen.append(answered)
    return seen


# ---------------------------------------------------------------------------------------------------- answers


def states(observations: Iterable[Observation]) -> dict[Probe, tuple[PortState, Reason]]:
    return {seen.probe: (seen.state, seen.reason) for seen in observations}


def each_port(answers: Iterable[Answered]) -> list[tuple[str, int, PortState, Reason]]:
    """Every reported port, sorted; one that is reported twice is there twice."""
    found: list[tuple[str, int, PortState, Reason]] = []
    for seen in answers:
        address = seen.address if isinstance(seen, Tally) else seen.probe.address
        ports = seen.ports if isinstance(seen, Tally) else [seen.probe.port]
        found += [(address, port, seen.state, seen.reason) for port in ports]
    return sorted(found)


def tallies(answers: Iterable[Answered]) -> list[Tally]:
    return [seen for seen in answers if isinstance(seen, Tally)]


def singles(answers: Iterable[Answered]) -> list[Observation]:
    return [seen for seen in answers if isinstance(seen, Observation)]
