"""Sweeps: many ports of an address are counted together, each exactly once, in an order that the seed decides."""

from __future__ import annotations

import asyncio
import errno
import socket
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import PortState, ProbeSet, Reason
from portcheck.engine.readiness import EpollReadiness
from portcheck.engine.routes import Route
from portcheck.engine.tcp import TcpEngine, TcpTiming
from tests.loopback import (
    CLOSED,
    IPV4,
    IPV6,
    OPEN,
    SHORT,
    SILENT,
    Ending,
    bound,
    each_port,
    full,
    measure,
    port_of,
    singles,
    tallies,
)


@contextmanager
def ports_of(address: str, listening: int, refusing: int, silent: int = 0) -> Iterator[dict[int, Any]]:
    """So many ports of each kind, and what a probe of each must come to."""
    with ExitStack() as stack:
        made: dict[int, Any] = {}
        # Nobody accepts: there must be room for the connections of all examples of a test.
        made |= {port_of(stack.enter_context(bound(address, backlog=4096))): OPEN for _ in range(listening)}
        made |= {port_of(stack.enter_context(full(address))): SILENT for _ in range(silent)}
        made |= {port_of(stack.enter_context(bound(address, backlog=None))): CLOSED for _ in range(refusing)}
        yield made


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, dict[int, Any]]]:
    """Six open and ten closed ports of each family."""
    with ports_of(IPV4, 6, 10) as four, ports_of(IPV6, 6, 10) as six:
        yield {IPV4: four, IPV6: six}


def expected(address: str, ports: dict[int, Any]) -> list[Any]:
    return sorted((address, port, *answer) for port, answer in ports.items())


# ------------------------------------------------------------------------------------------------ each port once


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_open_ports_of_a_sweep_are_reported_singly_and_the_others_together(address: str) -> None:
    with ports_of(address, listening=2, refusing=30, silent=3) as ports:
        seen = measure([ProbeSet(address, [], array("H", ports))])
    assert each_port(seen) == expected(address, ports)
    assert [(o.state, o.reason, len(o.attempts)) for o in singles(seen)] == [(*OPEN, 1)] * 2
    counted = {(t.state, t.reason): (len(t.ports), t.syns) for t in tallies(seen)}
    # A closed port answers the first SYN; a silent one was asked twice.
    assert counted == {CLOSED: (30, 30), SILENT: (3, 6)}
    assert [(t.responder, t.icmp, t.inferred, t.detail) for t in tallies(seen)] == [(None, None, False, None)] * 2


def test_ports_asked_singly_beside_a_sweep_keep_their_attempts() -> None:
    with ports_of(IPV4, listening=1, refusing=1, silent=1) as named, ports_of(IPV4, 1, 20, 2) as swept:
        seen = measure([ProbeSet(IPV4, list(named), array("H", swept))])
    assert each_port(seen) == expected(IPV4, named | swept)
    attempts = {(o.state, o.reason): len(o.attempts) for o in singles(seen) if o.probe.port in named}
    assert attempts == {OPEN: 1, CLOSED: 1, SILENT: 2}
    assert not any(port in named for tally in tallies(seen) for port in tally.ports)


NUMBERS = st.sets(st.integers(0, 15))


@settings(max_examples=60, deadline=None)
@given(
    singly=st.fixed_dictionaries({IPV4: NUMBERS, IPV6: NUMBERS}),
    in_bulk=st.fixed_dictionaries({IPV4: NUMBERS, IPV6: NUMBERS}),
    max_in_flight=st.sampled_from([1, 2, 5, None]),
    max_per_address=st.sampled_from([1, 3, 1000]),
    portable=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_port_exactly_once(
    hosts: dict[str, dict[int, Any]],
    singly: dict[str, set[int]],
    in_bulk: dict[str, set[int]],
    max_in_flight: int | None,
    max_per_address: int,
    portable: bool,
    seed: int,
) -> None:
    sets, answers = [], []
    refused = (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN) if portable else CLOSED
    for address, made in hosts.items():
        numbers = list(made)
        named = [numbers[n] for n in singly[address]]
        swept = [numbers[n] for n in in_bulk[address] - singly[address]]
        sets.append(ProbeSet(address, named, array("H", swept)))
        answers += [(address, port, *(OPEN if made[port] is OPEN else refused)) for port in named + swept]
    timing = TcpTiming(max_in_flight=max_in_flight, max_per_address=max_per_address, hold_s=0.001)
    decided: list[int] = []
    seen = measure(sets, timing, portable=portable, seed=seed, progress=decided.append)
    assert each_port(seen) == sorted(answers)
    assert decided[-1:] == ([len(answers)] if answers else [])
    together = {(tally.address, port) for tally in tallies(seen) for port in tally.ports}
    assert not together & {(probes.address, port) for probes in sets for port in probes.singly}


def test_where_refusals_cannot_be_told_apart_it_is_said() -> None:
    with ports_of(IPV4, listening=3, refusing=20) as ports:
        seen = measure([ProbeSet(IPV4, [], array("H", ports))], portable=True)
    assert sorted(o.probe.port for o in singles(seen)) == sorted(p for p, answer in ports.items() if answer is OPEN)
    [refused] = tallies(seen)
    assert (refused.state, refused.reason) == (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN)
    assert sorted(refused.ports) == sorted(p for p, answer in ports.items() if answer is CLOSED)


@pytest.mark.parametrize("in_bulk", [False, True])
def test_progress_ends_at_the_number_of_ports(in_bulk: bool) -> None:
    told: list[int] = []
    with ports_of(IPV4, listening=4, refusing=40, silent=3) as ports:
        measure([ProbeSet(IPV4, *(([], list(ports)) if in_bulk else (list(ports), [])))], progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == 47


@pytest.mark.parametrize("after", [1, 2])
def test_a_stopped_sweep_reports_each_port_once(after: int) -> None:
    """The first report ends the run: another address is under way then, and one was never begun with."""
    with ports_of("127.0.0.2", 1, 5) as one, ports_of("127.0.0.3", 0, 5, 5) as two, ports_of("127.0.0.4", 0, 2) as rest:
        sets = [ProbeSet(address, [], array("H", ports)) for address, ports in zip(ADDRESSES, (one, two), strict=True)]
        never = ProbeSet("127.0.0.4", list(rest)[:1], array("H", list(rest)[1:]))

        def admitted() -> Iterator[ProbeSet]:
            yield from sets
            yield never

        seen = measure(admitted(), TcpTiming(), Ending(after))
    wanted = expected("127.0.0.2", one) + expected("127.0.0.3", two) + expected("127.0.0.4", rest)
    undecided = (PortState.UNKNOWN, Reason.INTERRUPTED)
    assert [found[:2] for found in each_port(seen)] == [want[:2] for want in wanted]
    # What was found by then is kept, silence is not believed.
    for found, want in zip(each_port(seen), wanted, strict=True):
        assert found[2:] in ((undecided,) if want[2:] == SILENT else (undecided, want[2:])), found


ADDRESSES = ("127.0.0.2", "127.0.0.3")


# --------------------------------------------------------------------------------------------------- the order


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where the engine connects to, in its order."""
    made: list[tuple[str, int]] = []

    class Noted(socket.SocketType):
        def connect_ex(self, address: Any, /) -> int:
            made.append((address[0], address[1]))
            return super().connect_ex(address)

    monkeypatch.setattr("portcheck.engine.connection.Socket", Noted)
    return made


@pytest.mark.parametrize("in_bulk", [False, True])
def test_the_order_of_the_ports_depends_on_the_seed_only(in_bulk: bool, connects: list[tuple[str, int]]) -> None:
    orders = []
    with ports_of(IPV4, listening=5, refusing=40) as ports:
        probes = ProbeSet(IPV4, [], array("H", ports)) if in_bulk else ProbeSet(IPV4, list(ports))
        for seed, timing in ((7, SHORT), (7, TcpTiming(max_per_address=3, max_in_flight=2)), (8, SHORT)):
            connects.clear()
            measure([probes], timing, seed=seed)
            orders.append([port for _, port in connects])
    first, again, other = orders
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other) == sorted(ports)
    assert first != sorted(first)


def test_hosts_are_interleaved(connects: list[tuple[str, int]]) -> None:
    """No host gets all its SYNs in a row while others wait."""
    with ports_of("127.0.0.2", 20, 20) as one, ports_of("127.0.0.3", 20, 20) as two:
        measure([ProbeSet("127.0.0.2", list(one)), ProbeSet("127.0.0.3", list(two))], SHORT)
    assert {address for address, _ in connects[:40]} == set(ADDRESSES)


# --------------------------------------------------------------------------------------- how much at the same time


class Counting(EpollReadiness):
    """Knows the most sockets that were waited for at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def watch(self, fd: int) -> None:
        super().watch(fd)
        self.most = max(self.most, self._watched)


@pytest.mark.parametrize("max_in_flight", [1, 5, 20])
def test_a_sweep_keeps_to_the_window_of_sockets(max_in_flight: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most ports refuse at once, the others have to be waited for."""
    counting = Counting()
    monkeypatch.setattr("portcheck.engine.tcp.new_readiness", lambda portable: counting)
    with ports_of(IPV4, listening=40, refusing=300) as ports:
        seen = measure([ProbeSet(IPV4, [], array("H", ports))], TcpTiming(max_in_flight=max_in_flight))
    assert each_port(seen) == expected(IPV4, ports)
    assert counting.most <= max_in_flight


def test_a_sweep_looks_at_the_answers_and_the_loop_in_between() -> None:
    """Ctrl-C, a deadline and answers of others must not wait for 65,535 ports."""
    turns = 0
    decided: list[int] = []

    async def run() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        turn()
        engine = TcpEngine(SHORT, lambda seen: None, pace=Pace(Speed.FAST), progress=decided.append)
        await engine.run([ProbeSet("127.0.0.99", [], range(1, 5001))], loop.create_future())

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())
    assert decided[-1] == 5000
    assert decided[0] <= 500
    assert turns >= 10


# ------------------------------------------------------------------------------------------------- own trouble


def unroutable_after(connects: int, number: int) -> type[Any]:
    """Sockets whose connect() is refused a route, from that one on."""
    made = iter(range(10_000))

    class Severed(socket.SocketType):
        def connect_ex(self, address: Any, /) -> int:
            return number if next(made) >= connects else super().connect_ex(address)

    return Severed


def test_our_route_goes_away_in_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contact is lost once, not once for each port; nothing is decided before it is back, each port is then asked."""
    monkeypatch.setattr("portcheck.engine.addresses.is_own", lambda address: False)
    real = socket.SocketType
    monkeypatch.setattr("portcheck.engine.connection.Socket", unroutable_after(30, errno.ENETUNREACH))
    told: list[str] = []
    decided: list[int] = []
    with ports_of(IPV4, listening=2, refusing=60) as ports:
        seen = measure(
            [ProbeSet(IPV4, [], array("H", ports))],
            TcpTiming(hold_s=0.01, recheck_after_s=0.05),
            half_a_second_later=lambda: monkeypatch.setattr("portcheck.engine.connection.Socket", real),
            tell=told.append,
            progress=decided.append,
            pace=UnlimitedPace(Speed.FAST),
        )
    assert each_port(seen) == expected(IPV4, ports)
    assert [sentence.split()[0] for sentence in told] == ["No", IPV4]
    assert decided[-1] == 62


class UnlimitedPace(Pace):
    """Does not slow down after a loss; 62 ports at a polite pace take 15 s."""

    def slow_down(self, address: str) -> None:
        assert address == IPV4


@pytest.mark.parametrize("in_bulk", [False, True])
def test_no_route_at_all(in_bulk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.engine.connection.Socket", unroutable_after(0, errno.ENETUNREACH))
    ports = range(1, 101)
    probes = ProbeSet("192.0.2.1", [], ports) if in_bulk else ProbeSet("192.0.2.1", ports)
    seen = measure([probes])
    unknown = (PortState.UNKNOWN, Reason.NO_ROUTE)
    assert each_port(seen) == [("192.0.2.1", port, *unknown) for port in ports]


@pytest.mark.parametrize("in_bulk", [False, True])
def test_descriptors_run_out_in_a_sweep_and_come_back(in_bulk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(range(10_000))

    class Scarce(socket.SocketType):
        def __init__(self, *args: Any) -> None:
            if 20 <= next(made) < 25:
                raise OSError(errno.EMFILE, "Too many open files")
            super().__init__(*args)

    with ports_of(IPV4, listening=3, refusing=60) as ports:
        monkeypatch.setattr("portcheck.engine.connection.Socket", Scarce)
        probes = ProbeSet(IPV4, [], array("H", ports)) if in_bulk else ProbeSet(IPV4, list(ports))
        seen = measure([probes])
    assert each_port(seen) == expected(IPV4, ports)
    assert next(made) >= 25


def test_two_source_addresses_towards_a_neighbour_that_must_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our kernel searches for one neighbour at a time here; both probe sets to the second one wait for that."""
    monkeypatch.setattr("portcheck.engine.neighbours.route_to", lambda address: Route(local=False, neighbour=True))
    with full("127.0.0.2") as first, bound("127.0.0.3") as second:
        sets = [
            ProbeSet("127.0.0.2", [port_of(first)]),
            ProbeSet("127.0.0.3", [port_of(second)], source_address="127.0.0.4"),
            ProbeSet("127.0.0.3", [port_of(second)], source_address="127.0.0.5"),
        ]
        timing = TcpTiming(attempt_s=0.3, retry_after_s=0.1, trusted_attempt_s=0.2, max_neighbours=1)
        seen = measure(sets, timing)
    assert [(o.probe.source_address, o.state) for o in singles(seen)] == [
        (None, PortState.FILTERED),
        ("127.0.0.4", PortState.OPEN),
        ("127.0.0.5", PortState.OPEN),
    ]
