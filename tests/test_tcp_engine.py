"""The TCP engine on loopback, without root. What firewalls, routers and dead hosts do to it: tests/lab."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.engine import error_queue
from portcheck.engine.addresses import is_own, socket_address
from portcheck.engine.connection import NOTHING, Connector, Heard
from portcheck.engine.descriptors import raise_descriptor_limit
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, Observation, PortState, Probe, ProbeSet, Reason, Transport
from portcheck.engine.readiness import EpollReadiness, Readiness, SelectorReadiness
from portcheck.engine.routes import Route, route_to
from portcheck.engine.tcp import TcpEngine, TcpTiming
from portcheck.model import Phase, Selection
from portcheck.plan import plan
from portcheck.run import execute
from portcheck.scoping import scope_of
from tests.loopback import (
    CLOSED,
    IPV4,
    IPV6,
    OPEN,
    SILENT,
    Ending,
    bound,
    descriptors,
    each_port,
    full,
    measure,
    observe,
    port_of,
    probe,
    probe_sets,
    singles,
    states,
)

READINESS: dict[str, Callable[[], Readiness]] = {"epoll": EpollReadiness, "selector": SelectorReadiness}


@pytest.fixture(params=READINESS)
def every_readiness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_with(monkeypatch, READINESS[request.param])


def wait_with(monkeypatch: pytest.MonkeyPatch, kind: Callable[[], object]) -> None:
    """Engines made from now on learn in this way which sockets are ready."""
    monkeypatch.setattr("portcheck.engine.tcp.new_readiness", lambda portable: kind())


def in_the_given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are asked in the order of their probes."""
    unshuffled = SimpleNamespace(shuffle=lambda ports: None)
    monkeypatch.setattr("portcheck.engine.tcp.random", SimpleNamespace(Random=lambda seed: unshuffled))


# ------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.usefixtures("every_readiness")
@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_open_and_closed(address: str) -> None:
    with bound(address) as listening, bound(address, backlog=None) as refusing:
        expected = {probe(listening): OPEN, probe(refusing): CLOSED}
        seen = observe(expected)
    assert states(seen) == expected
    for observation in seen:
        [attempt] = observation.attempts
        assert (attempt.syns, attempt.result) == (1, observation.reason)
        assert attempt.source_port is not None
        assert observation.rtt_ms is not None
        assert (observation.flaky, observation.inferred, observation.responder) == (False, False, None)


def test_silence_is_believed_after_two_source_ports_and_three_seconds_each() -> None:
    with full() as silent:
        [seen] = observe([probe(silent)], TcpTiming())
    assert (seen.state, seen.reason) == SILENT
    first, second = seen.attempts
    assert first.source_port != second.source_port
    assert min(first.lasted_s, second.lasted_s) >= 3.3
    assert round(second.started_s - first.started_s, 3) >= 1.0
    assert second.started_s + second.lasted_s < 5.0
    assert seen.rtt_ms is None


def test_a_port_that_answers_late_is_open_and_flaky() -> None:
    """Room in the queue after half a second: the repeated SYN, or the second source port, gets in."""
    with full() as silent, ExitStack() as accepted:
        [observation] = observe(
            [probe(silent)],
            TcpTiming(),
            half_a_second_later=lambda: accepted.enter_context(silent.accept()[0]),
        )
    assert (observation.state, observation.flaky) == (PortState.OPEN, True)
    assert 1 <= len(observation.attempts) <= 2


def test_source_address_is_bound() -> None:
    with bound() as listening:
        listening.settimeout(5)
        [seen] = observe([probe(listening, "127.0.0.9")])
        peer, sender = listening.accept()
        peer.close()
    assert (seen.state, sender[0]) == (PortState.OPEN, "127.0.0.9")
    assert sender[1] == seen.attempts[0].source_port


def test_a_source_address_that_is_not_ours_is_our_own_trouble() -> None:
    with bound() as listening:
        [seen] = observe([probe(listening, "192.0.2.1")])
    assert (seen.state, seen.reason, seen.errno) == (PortState.UNKNOWN, Reason.LOCAL_ERROR, errno.EADDRNOTAVAIL)
    assert seen.detail == "cannot send from 192.0.2.1"


def test_a_zone_that_does_not_exist_is_our_own_trouble() -> None:
    [seen] = observe([Probe("fe80::1%nowhere", Transport.TCP, 22)])
    assert (seen.state, seen.reason) == (PortState.UNKNOWN, Reason.LOCAL_ERROR)


@pytest.mark.parametrize("in_bulk", [False, True])
@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("meetings", [1, 2])
def test_meeting_ourselves_is_not_open(
    meetings: int, portable: bool, in_bulk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may choose the probed port as our own: then the connection leads back to us."""
    left = iter(range(meetings))

    class Unfortunate(socket.SocketType):
        def connect_ex(self, address: Any, /) -> int:
            if next(left, None) is not None:
                self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.bind(address)
            return super().connect_ex(address)

    with bound(backlog=None) as refusing:
        refusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        monkeypatch.setattr("portcheck.engine.connection.Socket", Unfortunate)
        port = port_of(refusing)
        seen = measure([ProbeSet(IPV4, *(([], [port]) if in_bulk else ([port], [])))], portable=portable)
    assert next(left, None) is None
    # That we met ourselves says that nobody else is there; a refusal by somebody else is a refusal.
    reason = Reason.REFUSED_ORIGIN_UNKNOWN if portable and meetings == 1 else Reason.CONN_REFUSED
    assert each_port(seen) == [(IPV4, port, PortState.CLOSED, reason)]
    for one in singles(seen):
        assert [attempt.result for attempt in one.attempts][:meetings] == ["self-connected"] * meetings


class HastyReadiness:
    """Calls every socket ready all the time, as epoll does for a moment when an ICMP error is on its way."""

    def __init__(self) -> None:
        self._watched: list[int] = []
        self._always, self._theirs = socket.socketpair()
        self._theirs.send(b".")

    def fileno(self) -> int:
        return self._always.fileno()

    def watch(self, fd: int) -> None:
        self._watched.append(fd)

    def hold(self, fd: int) -> None:
        """Ready as before."""

    def forget(self, fd: int) -> None:
        self._watched.remove(fd)

    def ready(self) -> list[int]:
        return list(self._watched)

    def close(self) -> None:
        self._always.close()
        self._theirs.close()


def test_a_socket_that_is_ready_without_being_connected_is_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_with(monkeypatch, HastyReadiness)
    with bound() as listening, bound(backlog=None) as refusing, full() as silent:
        expected = {probe(listening): OPEN, probe(refusing): CLOSED, probe(silent): SILENT}
        assert states(observe(expected)) == expected


@pytest.mark.usefixtures("every_readiness")
def test_many_ports_at_once() -> None:
    with ExitStack() as stack:
        listening = [stack.enter_context(bound()) for _ in range(100)]
        refusing = [stack.enter_context(bound(backlog=None)) for _ in range(100)]
        expected = {probe(sock): OPEN for sock in listening} | {probe(sock): CLOSED for sock in refusing}
        seen = observe(expected, TcpTiming())
    assert len(seen) == 200
    assert states(seen) == expected


# ------------------------------------------------------------------------------------- time that is not its own


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time a test can let pass: as if the process had been stopped while the network went on."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


@dataclass
class Afar:
    """Answers that take a while: a look that finds none lets 10 ms pass."""

    clock: Clock

    def __post_init__(self) -> None:
        self._near = EpollReadiness()
        self._hear = Connector.hear
        self._arrives: dict[int, float] = {}

    def fileno(self) -> int:
        return self._near.fileno()

    def watch(self, fd: int) -> None:
        self._near.watch(fd)
        self._arrives[fd] = self.clock.time() + 0.05 + 0.02 * (len(self._arrives) % 7)

    def hold(self, fd: int) -> None:
        self._near.hold(fd)

    def forget(self, fd: int) -> None:
        self._near.forget(fd)
        del self._arrives[fd]

    def ready(self) -> list[int]:
        here = [fd for fd in self._near.ready() if self._is_here(fd)]
        self.clock.ahead_s += 0 if here else 0.01
        return here

    def _is_here(self, fd: int) -> bool:
        return fd in self._arrives and self._arrives[fd] <= self.clock.time()

    def hear(self, connector: Connector, sock: socket.socket) -> Heard:
        """In place of Connector.hear, which finds the answers of loopback before they are waited for."""
        return self._hear(connector, sock) if self._is_here(sock.fileno()) else NOTHING

    def close(self) -> None:
        self._near.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of a loop whose engine asks hosts that are Afar."""
    clock = Clock()
    afar = Afar(clock)
    wait_with(monkeypatch, lambda: afar)
    monkeypatch.setattr(Connector, "hear", lambda connector, sock: afar.hear(connector, sock))
    return clock


@contextmanager
def hosts(count: int, backlog: int | None = 16) -> Iterator[list[Probe]]:
    """One port at each of so many addresses, which are reported one by one."""
    with ExitStack() as stack:
        yield [probe(stack.enter_context(bound(f"127.0.1.{number}", backlog))) for number in range(1, count + 1)]


def test_a_stopped_process_loses_no_answer(clock: Clock) -> None:
    """SIGSTOP, a frozen terminal, starvation: deadlines pass while the answers wait in the kernel."""
    stops = iter([3.5, 3.5, 3.5])

    def stopped(answered: Answered) -> None:
        clock.ahead_s += next(stops, 0.0)

    with hosts(60) as probes:
        seen = observe(probes, TcpTiming(), loop_factory=lambda: clock, report=stopped)
    assert states(seen) == dict.fromkeys(probes, OPEN)
    assert next(stops, None) is None
    # That we were late to look says nothing about the network.
    assert [(one.flaky, len(one.attempts)) for one in seen] == [(False, 1)] * 60


@pytest.mark.parametrize(("backlog", "answer"), [(16, OPEN), (None, CLOSED)])
def test_a_run_that_is_told_to_end_takes_the_answers_that_wait(
    backlog: int | None, answer: tuple[PortState, Reason], clock: Clock
) -> None:
    """Refusals that wait in the kernel, and connections that were kept long enough while nobody looked."""

    def stopped(answered: Answered) -> None:
        clock.ahead_s += 1.0

    # Answers arrive 20 ms apart, and the first connection is believed after 50 ms: by then the others have begun.
    timing = TcpTiming(hold_s=0.15)
    with hosts(7, backlog) as probes:
        seen = observe(probes, timing, Ending(after=1), loop_factory=lambda: clock, report=stopped)
    assert states(seen) == dict.fromkeys(probes, answer)


class CoarseClock(asyncio.SelectorEventLoop):
    """Ticks of a tenth of a second, so that a wake-up comes in the very moment it was meant for."""

    def time(self) -> float:
        return round(super().time(), 1)


def test_a_wake_up_in_the_very_moment_ends_the_attempt() -> None:
    """0.7 + 0.3 is 1.0, but 1.0 - 0.7 is less than 0.3."""
    with full() as silent:
        for attempt_s in (0.2, 0.3, 0.6, 0.7):
            timing = TcpTiming(attempt_s=attempt_s, retry_after_s=0.1, trusted_attempt_s=0.1)
            assert states(observe([probe(silent)], timing, loop_factory=CoarseClock)) == {probe(silent): SILENT}


# --------------------------------------------------------------------------------------------- how runs end


@pytest.mark.usefixtures("every_readiness")
@pytest.mark.parametrize("max_per_address", [1, 2, 1000])
def test_a_stopped_run_reports_every_probe_once(max_per_address: int) -> None:
    with bound("127.0.0.2") as listening, full() as one, full() as two, full() as three:
        probes = [probe(listening), *map(probe, (one, two, three))]
        before = descriptors()
        seen = observe(probes, TcpTiming(max_per_address=max_per_address), Ending(after=1))
        assert descriptors() == before
    expected = {probes[0]: OPEN, **dict.fromkeys(probes[1:], (PortState.UNKNOWN, Reason.INTERRUPTED))}
    assert (len(seen), states(seen)) == (4, expected)


@pytest.mark.usefixtures("every_readiness")
def test_an_exception_of_the_report_ends_the_run() -> None:
    with bound("127.0.0.2") as listening, full() as silent:
        before = descriptors()
        with pytest.raises(ZeroDivisionError, match="of the report"):
            observe([probe(silent), probe(listening)], TcpTiming(), Ending(1, ZeroDivisionError("of the report")))
        assert descriptors() == before


def test_an_exception_of_the_report_while_the_run_is_being_stopped() -> None:
    async def run() -> None:
        stop: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        stop.set_result(Reason.INTERRUPTED)

        def take(answered: Answered) -> None:
            raise ZeroDivisionError

        engine = TcpEngine(TcpTiming(max_per_address=1), take, pace=Pace(Speed.FAST))
        with pytest.raises(ZeroDivisionError):
            await engine.run(probe_sets(probes), stop)
        for _ in range(3):
            await asyncio.sleep(0)

    with full() as one, full("127.0.0.2") as two, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        probes = [probe(one), probe(two)]
        runner.get_loop()
        before = descriptors()
        runner.run(run())
        assert descriptors() == before


def test_a_cancelled_run_leaves_nothing() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        engine = TcpEngine(TcpTiming(), lambda seen: None, pace=Pace(Speed.FAST))
        task = asyncio.create_task(engine.run(probe_sets([probe(silent)]), loop.create_future()))
        loop.call_later(0.05, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    with full() as silent, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.get_loop()
        before = descriptors()
        runner.run(run())
        assert descriptors() == before


def test_no_probes_end_at_once() -> None:
    assert observe([]) == []


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[Probe, tuple[PortState, Reason]]]:
    """Eight open and eight closed ports of both families."""
    with ExitStack() as stack:
        made: dict[Probe, tuple[PortState, Reason]] = {}
        for address in (IPV4, IPV6):
            for _ in range(8):
                made[probe(stack.enter_context(bound(address, 4096)))] = OPEN
                made[probe(stack.enter_context(bound(address, None)))] = CLOSED
        yield made


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 31), unique=True),
    max_in_flight=st.integers(1, 8),
    max_per_address=st.integers(1, 8),
)
def test_exactly_one_observation_for_each_probe(
    ports: dict[Probe, tuple[PortState, Reason]], numbers: list[int], max_in_flight: int, max_per_address: int
) -> None:
    asked = [list(ports)[number] for number in numbers]
    seen = observe(asked, TcpTiming(max_in_flight=max_in_flight, max_per_address=max_per_address))
    assert sorted(map(str, (o.probe for o in seen))) == sorted(map(str, asked))
    assert states(seen) == {one: ports[one] for one in asked}


def test_what_comes_after_the_last_answer_interrupts_nothing() -> None:
    with bound() as listening:
        selection = Selection(targets=(IPV4,), expects=(f"{port_of(listening)}/tcp",), sweep="none")
        run = execute(
            plan(scope_of(selection, Phase.INSTALLED)),
            selection,
            progress=lambda decided: signal.raise_signal(signal.SIGUSR1),
            stop_signals=(signal.SIGUSR1,),
        )
    assert (run.interrupted, run.summary.exit_status) == (None, 0)


# ---------------------------------------------------------------------------------------------- our own trouble


def make_fail(monkeypatch: pytest.MonkeyPatch, call: str, failure: Callable[..., int | None]) -> None:
    """From now on this call of the engine's sockets fails with the errno that `failure` gives for its arguments."""
    monkeypatch.setattr("portcheck.engine.connection.Socket", unlucky(socket.SocketType, call, failure))


def make_questions_fail(monkeypatch: pytest.MonkeyPatch, number: int, *kinds: int) -> None:
    """From now on there is no socket of these kinds to ask our own kernel with."""
    failing = unlucky(socket.socket, "__init__", lambda family=-1, kind=-1, *_: number if kind in kinds else None)
    monkeypatch.setattr(socket, "socket", failing)


def unlucky(kind: type[Any], call: str, failure: Callable[..., int | None]) -> type[Any]:
    real = getattr(kind, call)

    def attempted(self: Any, *args: Any, **options: Any) -> Any:
        number = failure(*args)
        if not number:
            return real(self, *args, **options)
        if call == "connect_ex":
            return number
        raise OSError(number, os.strerror(number))

    return type("Unlucky", (kind,), {call: attempted})


def own_trouble(seen: Observation) -> tuple[PortState, Reason, int | None, str | None]:
    return seen.state, seen.reason, seen.errno, seen.detail


@pytest.mark.parametrize(
    ("number", "reason", "detail"),
    [
        (errno.EAFNOSUPPORT, Reason.NO_ROUTE, "this machine has no IPv6"),
        (errno.EACCES, Reason.LOCAL_ERROR, os.strerror(errno.EACCES)),
        (errno.EPROTONOSUPPORT, Reason.LOCAL_ERROR, os.strerror(errno.EPROTONOSUPPORT)),
    ],
)
def test_a_socket_that_never_will_be_holds_nobody_up(
    number: int, reason: Reason, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bound() as listening:
        never = [Probe("2001:db8::1", Transport.TCP, port) for port in (1, 2, 3)]
        make_fail(monkeypatch, "__init__", lambda family=-1, *_: number if family == socket.AF_INET6 else None)
        seen = observe([*never, probe(listening)], TcpTiming(own_limit_s=0.2))
    assert [own_trouble(one) for one in seen[:3]] == [(PortState.UNKNOWN, reason, number, detail)] * 3
    assert (seen[3].state, seen[3].attempts[0].started_s < 0.1) == (PortState.OPEN, True)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_shortage_in_asking_about_a_shortage(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No local port, and no descriptor to ask the kernel whether there is an address at all."""
    with bound() as listening:
        make_fail(monkeypatch, "connect_ex", lambda *_: errno.EADDRNOTAVAIL)
        make_questions_fail(monkeypatch, number, socket.SOCK_DGRAM)
        [seen] = observe([probe(listening)], TcpTiming(own_limit_s=0.1))
    assert own_trouble(seen) == (PortState.UNKNOWN, Reason.LOCAL_FD_LIMIT, number, errno.errorcode[number])


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_shortage_in_asking_whose_an_address_is(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    is_own.cache_clear()
    with bound() as listening:
        make_questions_fail(monkeypatch, number, socket.SOCK_DGRAM, socket.SOCK_RAW)
        assert states(observe([probe(listening)])) == {probe(listening): OPEN}


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN])
@pytest.mark.parametrize("call", ["bind", "connect_ex"])
def test_exhausted_local_ports_come_back(call: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bind() already chooses the port, it is bind() that says so."""
    with bound() as listening:
        failures = iter([number, number])
        make_fail(monkeypatch, call, lambda *_: next(failures, None))
        [seen] = observe([probe(listening, IPV4)])
        assert next(failures, None) is None
    assert (seen.state, len(seen.attempts)) == (PortState.OPEN, 1)


def test_exhausted_local_ports_that_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with bound() as listening:
        make_fail(monkeypatch, "bind", lambda *_: errno.EADDRINUSE)
        [seen] = observe([probe(listening, IPV4)], TcpTiming(own_limit_s=0.1))
    assert own_trouble(seen) == (PortState.UNKNOWN, Reason.LOCAL_NO_PORTS, errno.EADDRINUSE, "EADDRINUSE")


def test_a_connection_reset_while_we_look_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """getsockname() after a reset is EINVAL on macOS; what SO_ERROR says next decides."""
    with bound() as listening:
        failures = iter([errno.EINVAL])
        make_fail(monkeypatch, "getsockname", lambda *_: next(failures, None))
        assert states(observe([probe(listening)])) == {probe(listening): OPEN}


@pytest.mark.parametrize(
    ("soft", "hard", "most", "usable"),
    [
        (1024, 4096, 4096, 4096),
        (4096, 4096, 4096, 4096),
        (1024, 1_048_576, 10_240, 10_240),
        (20_000, 1_048_576, 10_240, 20_000),
        (256, resource.RLIM_INFINITY, 10_240, 10_240),
        (256, resource.RLIM_INFINITY, 0, 256),
        (20_000, resource.RLIM_INFINITY, 10_240, 20_000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 0, 10_240),
    ],
)
def test_descriptor_limits(soft: int, hard: int, most: int, usable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system allows `most`; some stay free for the rest of the process."""

    def limit(kind: int, limits: tuple[int, int]) -> None:
        if limits[0] > most or limits[1] != hard:
            raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", limit)
    assert raise_descriptor_limit() == usable - 64


# ------------------------------------------------------------------------- what our own kernel says of neighbours

OURS = "192.0.2.77"
GATEWAY = "10.55.0.254"
NEIGHBOUR = Route(local=False, neighbour=True)
ROUTED = Route(local=False, neighbour=False, gateway=GATEWAY)
ABSENT = (PortState.FILTERED, Reason.ARP_FAILURE)
OWN_FIREWALL = (PortState.UNKNOWN, Reason.LOCAL_FIREWALL)


class OwnKernel:
    """Our kernel says "host unreachable" of the SYNs in their order, so many seconds after each; None: it does not."""

    def __init__(self, clock: Clock, *after_s: float | None) -> None:
        self._clock = clock
        self._after_s = iter(after_s)
        self._near = EpollReadiness()
        self._said: dict[int, float] = {}
        self._always, self._theirs = socket.socketpair()
        self._theirs.send(b".")

    def fileno(self) -> int:
        return self._always.fileno()

    def watch(self, fd: int) -> None:
        self._near.watch(fd)
        after_s = next(self._after_s, None)
        if after_s is not None:
            self._said[fd] = self._clock.time() + after_s

    def hold(self, fd: int) -> None:
        self._near.hold(fd)

    def forget(self, fd: int) -> None:
        self._near.forget(fd)
        self._said.pop(fd, None)

    def ready(self) -> list[int]:
        ready = self._near.ready() + [fd for fd in self._said if self._has_spoken(fd)]
        self._clock.ahead_s += 0 if ready else 0.05
        return ready

    def _has_spoken(self, fd: int) -> bool:
        return self._clock.time() >= self._said[fd]

    def read(self, sock: socket.socket) -> error_queue.IcmpError | None:
        if sock.fileno() not in self._said or not self._has_spoken(sock.fileno()):
            return None
        return error_queue.IcmpError(errno.EHOSTUNREACH, (3, 1), OURS, Reason.HOST_UNREACH)

    def close(self) -> None:
        self._near.close()
        self._always.close()
        self._theirs.close()


@pytest.fixture
def asked_over(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Observation]]:
    """observe(), one port of an address after the other, with a route and what our own kernel says of the SYNs."""

    def asked(route: Route, probes: list[Probe], *after_s: float | None, stopped_s: float = 0.0) -> list[Observation]:
        clock = Clock()
        kernel = OwnKernel(clock, *after_s)
        wait_with(monkeypatch, lambda: kernel)
        in_the_given_order(monkeypatch)
        monkeypatch.setattr("portcheck.engine.error_queue.read", kernel.read)
        monkeypatch.setattr("portcheck.engine.addresses.is_own", lambda address: address == OURS)
        monkeypatch.setattr("portcheck.engine.neighbours.route_to", lambda address: route)

        def stop(answered: Answered) -> None:
            clock.ahead_s += stopped_s

        timing = TcpTiming(max_per_address=1)
        return observe(probes, timing, loop_factory=lambda: clock, report=stop)

    return asked


@pytest.mark.parametrize(("route", "detail"), [(NEIGHBOUR, None), (ROUTED, f"gateway {GATEWAY}")])
def test_nobody_takes_our_packets(
    route: Route, detail: str | None, asked_over: Callable[..., list[Observation]]
) -> None:
    """Behind a router it is the router that nobody found; our own kernel speaks, so no ICMP was received."""
    with full("127.0.0.2") as one:
        [seen] = asked_over(route, [probe(one)], 3.05)
    assert (seen.state, seen.reason, seen.detail) == (*ABSENT, detail)
    assert (seen.icmp, seen.responder, seen.errno, seen.inferred) == (None, None, errno.EHOSTUNREACH, False)


@pytest.mark.parametrize("other", ["127.0.0.2", "127.0.0.3"])
def test_what_is_silent_behind_an_absent_gateway(other: str, asked_over: Callable[..., list[Observation]]) -> None:
    """Of many SYNs that wait for the gateway the kernel reports only the last few, whatever their addresses are."""
    with full("127.0.0.2") as one, full(other) as two:
        first, second = asked_over(ROUTED, [probe(one), probe(two)], 3.05)
    assert [(seen.state, seen.reason, seen.detail) for seen in (first, second)] == [(*ABSENT, f"gateway {GATEWAY}")] * 2
    assert (first.inferred, second.inferred) == (False, True)


def test_an_absent_neighbour_says_nothing_of_another(asked_over: Callable[..., list[Observation]]) -> None:
    with full("127.0.0.2") as one, full("127.0.0.3") as two:
        seen = asked_over(NEIGHBOUR, [probe(one), probe(two)], 3.05)
        assert states(seen) == {probe(one): ABSENT, probe(two): SILENT}


def test_a_gateway_that_led_somewhere_explains_no_silence(asked_over: Callable[..., list[Observation]]) -> None:
    with full("127.0.0.2") as one, full("127.0.0.3") as two, bound("127.0.0.4") as listening:
        seen = asked_over(ROUTED, [probe(listening), probe(one), probe(two)], None, 3.05)
        assert states(seen) == {probe(listening): OPEN, probe(one): ABSENT, probe(two): SILENT}


@pytest.mark.parametrize("route", [NEIGHBOUR, ROUTED])
def test_a_rule_of_our_own_that_says_the_same(route: Route, asked_over: Callable[..., list[Observation]]) -> None:
    """It says so at once, and again."""
    with full() as one:
        [seen] = asked_over(route, [probe(one)], 0.0, 0.0)
    assert ((seen.state, seen.reason), seen.responder, len(seen.attempts)) == (OWN_FIREWALL, OURS, 2)


def test_a_rule_of_our_own_whose_answer_had_to_wait_for_us(asked_over: Callable[..., list[Observation]]) -> None:
    with bound("127.0.0.2") as listening, full("127.0.0.3") as one:
        seen = asked_over(NEIGHBOUR, [probe(listening), probe(one)], None, 0.3, 0.0, stopped_s=3.0)
        assert states(seen) == {probe(listening): OPEN, probe(one): OWN_FIREWALL}


def test_the_end_of_a_search_that_others_began(asked_over: Callable[..., list[Observation]]) -> None:
    with full() as one:
        [seen] = asked_over(NEIGHBOUR, [probe(one)], 0.3, 2.3)
    assert ((seen.state, seen.reason), len(seen.attempts)) == (ABSENT, 2)


def test_a_neighbour_that_went_away_stays_absent(asked_over: Callable[..., list[Observation]]) -> None:
    """It has answered before; both attempts at its last port fall into the ends of searches."""
    with bound() as listening, full() as one, full() as two:
        seen = asked_over(NEIGHBOUR, [probe(listening), probe(one), probe(two)], None, 3.05, None, 0.3, 0.3)
        assert states(seen) == {probe(listening): OPEN, probe(one): ABSENT, probe(two): ABSENT}


# ---------------------------------------------------------------------------------------------- its parts


@pytest.mark.parametrize("kind", READINESS)
def test_readiness_tells_who_can_be_written_to_until_it_is_forgotten(kind: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        readiness = READINESS[kind]()
        try:
            assert readiness.ready() == []
            readiness.watch(ours.fileno())
            assert readiness.ready() == readiness.ready() == [ours.fileno()]
            readiness.forget(ours.fileno())
            ours.close()
            assert readiness.ready() == []
        finally:
            readiness.close()


def entry(
    origin: int, icmp: tuple[int, int], offender: bytes, number: int = errno.EHOSTUNREACH, info: int = 0
) -> bytes:
    """struct sock_extended_err of linux/errqueue.h, and the sockaddr after it."""
    return struct.pack("=IBBBBII", number, origin, *icmp, 0, info, 0) + offender


ICMP, ICMP6, LOCAL = 2, 3, 1
FROM_4 = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("192.0.2.1"))
FROM_6 = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "2001:db8::1"), 0)
FROM_NOBODY = struct.pack("=H14x", socket.AF_UNSPEC)


@pytest.mark.parametrize(
    ("data", "reason", "responder"),
    [
        (entry(ICMP, (3, 0), FROM_4), Reason.NET_UNREACH, "192.0.2.1"),
        (entry(ICMP, (3, 1), FROM_4), Reason.HOST_UNREACH, "192.0.2.1"),
        (entry(ICMP, (3, 2), FROM_4), Reason.PROTO_UNREACH, "192.0.2.1"),
        (entry(ICMP, (3, 3), FROM_4), Reason.PORT_UNREACH, "192.0.2.1"),
        (entry(ICMP, (3, 9), FROM_4), Reason.ADMIN_PROHIBITED, "192.0.2.1"),
        (entry(ICMP, (3, 13), FROM_4), Reason.ADMIN_PROHIBITED, "192.0.2.1"),
        (entry(ICMP, (11, 0), FROM_4), Reason.NET_UNREACH, "192.0.2.1"),
        (entry(ICMP, (12, 99), FROM_4), Reason.NET_UNREACH, "192.0.2.1"),
        (entry(ICMP6, (1, 0), FROM_6), Reason.NET_UNREACH, "2001:db8::1"),
        (entry(ICMP6, (1, 1), FROM_6), Reason.ADMIN_PROHIBITED, "2001:db8::1"),
        (entry(ICMP6, (1, 3), FROM_6), Reason.HOST_UNREACH, "2001:db8::1"),
        (entry(ICMP6, (1, 4), FROM_6), Reason.PORT_UNREACH, "2001:db8::1"),
        (entry(ICMP6, (1, 6), FROM_6), Reason.ADMIN_PROHIBITED, "2001:db8::1"),
        (entry(ICMP, (3, 13), FROM_NOBODY), Reason.ADMIN_PROHIBITED, None),
        (entry(ICMP, (3, 13), b""), Reason.ADMIN_PROHIBITED, None),
        (entry(ICMP, (3, 13), FROM_4[:7]), Reason.ADMIN_PROHIBITED, None),
        (entry(ICMP6, (1, 4), FROM_6[:23]), Reason.PORT_UNREACH, None),
    ],
)
def test_an_entry_of_the_error_queue(data: bytes, reason: Reason, responder: str | None) -> None:
    error = error_queue.parse(data)
    assert error is not None
    assert (error.errno, error.icmp, error.reason, error.responder) == (
        errno.EHOSTUNREACH,
        (data[5], data[6]),
        reason,
        responder,
    )


def test_an_entry_that_is_not_icmp_is_no_answer() -> None:
    assert error_queue.parse(entry(LOCAL, (0, 0), FROM_NOBODY)) is None


def test_an_empty_error_queue_is_no_answer() -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(*error_queue.RECVERR[socket.AF_INET], 1)
        assert error_queue.read(sock) is None


@pytest.mark.parametrize(
    ("address", "own"),
    [(IPV4, True), (IPV6, True), ("127.200.3.4", True), ("192.0.2.1", False), ("fe80::1%nowhere", False)],
)
def test_which_addresses_are_our_own(address: str, own: bool) -> None:
    assert is_own(address) is own


def test_where_the_kernel_says_nothing_of_routes_the_source_address_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.engine.addresses.route_to", lambda address: None)
    is_own.cache_clear()
    try:
        assert (is_own(IPV4), is_own(IPV6), is_own("192.0.2.1")) == (True, True, False)
    finally:
        is_own.cache_clear()


def test_loopback_is_neither_a_neighbour_nor_behind_a_router() -> None:
    assert route_to("127.1.2.3") == Route(local=True, neighbour=False)
    assert route_to("::1") == Route(local=True, neighbour=False)
    assert route_to("fe80::1%nowhere") is None


def reply_of_the_kernel(kind: int, attributes: Mapping[int, bytes]) -> bytes:
    """An RTM_NEWROUTE message of rtnetlink(7)."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 0, 0, kind, 0)
    for number, value in attributes.items():
        body += struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), 24, 0, 0, 0) + body


UNICAST, LOCAL_ROUTE = 1, 2
OIF, TO_GATEWAY, VIA = 4, 5, 18
LINK_LOCAL = socket.inet_pton(socket.AF_INET6, "fe80::1")


@pytest.mark.parametrize(
    ("kind", "attributes", "route"),
    [
        (LOCAL_ROUTE, {OIF: bytes(4)}, Route(local=True, neighbour=False)),
        (UNICAST, {OIF: bytes(4)}, Route(local=False, neighbour=True)),
        (UNICAST, {TO_GATEWAY: socket.inet_aton(GATEWAY), OIF: bytes(4)}, ROUTED),
        (UNICAST, {TO_GATEWAY: LINK_LOCAL}, Route(False, False, "fe80::1")),
        (UNICAST, {VIA: struct.pack("=H", socket.AF_INET6) + LINK_LOCAL}, Route(False, False, "fe80::1")),
    ],
)
def test_routes(kind: int, attributes: Mapping[int, bytes], route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    class Netlink(socket.socket):
        def __init__(self, family: int, kind: int, protocol: int) -> None:
            super().__init__(socket.AF_INET, socket.SOCK_DGRAM)

        def send(self, *_: Any) -> int:
            return 0

        def recv(self, *_: Any) -> bytes:
            return reply_of_the_kernel(kind, attributes)

    monkeypatch.setattr(socket, "socket", Netlink)
    assert route_to("198.51.100.1") == route


def test_socket_addresses_carry_the_zone_as_a_number() -> None:
    assert socket_address(IPV4, 22) == (IPV4, 22)
    assert socket_address("fe80::1%lo", 22) == ("fe80::1", 22, 0, socket.if_nametoindex("lo"))


def test_descriptor_limit_leaves_room_for_the_rest_of_the_process() -> None:
    assert 1 <= raise_descriptor_limit() == raise_descriptor_limit()
