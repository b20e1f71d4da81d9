"""How long a run is said to take is how long it takes: never longer, and not much shorter."""

from __future__ import annotations

import asyncio
import heapq
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.pace import LIMITS, Pace, PaceLimits, Speed
from portcheck.engine.probe import Answered, Observation, PortState, ProbeSet, Reason
from portcheck.engine.routes import Route
from portcheck.engine.tcp import TcpEngine
from portcheck.engine.timing import TcpTiming, longest_s, shortest_s, timing_of

NO_LIMITS = PaceLimits()
ONE_ROUND_S = 4.3


def hosts(number: int, ports: int) -> dict[str, int]:
    return {f"198.51.{n // 250}.{n % 250 + 1}": ports for n in range(number)}


@pytest.fixture
def no_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.engine.timing.is_neighbour", lambda address: False)


# --------------------------------------------------------------------------------------------- without a pace


@pytest.mark.parametrize(
    ("ports", "timing", "descriptors", "neighbours", "expected_s"),
    [
        ({}, TcpTiming(), 1000, False, 0.0),
        ({"192.0.2.1": 0}, TcpTiming(), 1000, False, 0.0),
        ({"192.0.2.1": 100}, TcpTiming(), 1000, False, ONE_ROUND_S),
        ({"192.0.2.1": 500}, TcpTiming(), 1000, False, ONE_ROUND_S),
        ({"192.0.2.1": 600}, TcpTiming(), 1000, False, ONE_ROUND_S + 1200 * 3.3 / 1000),
        ({"192.0.2.1": 600}, TcpTiming(max_in_flight=100), 1000, False, ONE_ROUND_S + 1200 * 3.3 / 100),
        # The engine never holds more than 20,000 sockets, whatever the process may open.
        (hosts(40, 1000), TcpTiming(), 1_048_512, False, ONE_ROUND_S + 80_000 * 3.3 / 20_000),
        ({"192.0.2.1": 2500, "192.0.2.2": 10}, TcpTiming(), 9000, False, 3 * ONE_ROUND_S),
        (hosts(10, 1), TcpTiming(max_neighbours=5), 1000, True, 2 * ONE_ROUND_S),
        (hosts(10, 1), TcpTiming(max_neighbours=5), 1000, False, ONE_ROUND_S),
        # Rounds of an address and of neighbours multiply: each neighbour keeps its place for all its rounds.
        (hosts(4, 3), TcpTiming(max_neighbours=2, max_per_address=1), 1000, True, 6 * ONE_ROUND_S),
        # No more than 1,024 addresses are being asked at the same time.
        (hosts(2500, 1), TcpTiming(), 9000, False, 3 * ONE_ROUND_S),
        (hosts(2500, 1), TcpTiming(), 9000, True, 10 * ONE_ROUND_S),
    ],
)
def test_how_long_a_run_takes_at_most(
    ports: Mapping[str, int],
    timing: TcpTiming,
    descriptors: int,
    neighbours: bool,
    expected_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portcheck.engine.neighbours.route_to", lambda address: Route(False, neighbours))
    assert longest_s(ports, timing, descriptors, NO_LIMITS) == pytest.approx(expected_s)
    assert shortest_s(ports, timing, descriptors, NO_LIMITS) == 0.0


def test_a_dropping_host_fits_one_window() -> None:
    """9,000 ports that drop everything, in one round, where every other tool needs minutes."""
    assert longest_s({"192.0.2.1": 9000}, timing_of(Speed.FAST), 1_048_512, NO_LIMITS) == pytest.approx(ONE_ROUND_S)


def test_silence_lasts_the_same_at_any_speed() -> None:
    """Or a faster run would have other results."""
    lasting = {(t.attempt_s, t.retry_after_s, t.trusted_attempt_s, t.most_attempts) for t in map(timing_of, Speed)}
    assert len(lasting) == 1


# ------------------------------------------------------------------------------------------------ with a pace


def carry_out(asked: Mapping[str, int], pace: Pace, silent: bool) -> float:
    """When the last port is decided, in a run without network or clock: the engine's order of things.

    Of an address where everything is open, two decoys follow the first port, and a canary comes last; room for
    them is kept. Where everything is silent each port is asked twice, and retries come before new ports.
    """
    timing = TcpTiming()
    left, retries = dict(asked), {address: deque[float]() for address in asked}
    decoys, canaries = dict.fromkeys(asked, 2), dict.fromkeys(asked, 0 if silent else 1)
    wakeups = [(0.0, n, address) for n, address in enumerate(asked)]
    now = decided = 0.0

    def start(address: str) -> float | None:
        """Start the next flow to the address if it is due; when to come back, None when nothing is left."""
        again = bool(retries[address]) and retries[address][0] <= now
        answered = not silent and left[address] < asked[address]
        extra = decoys[address] if answered else 0
        if not (again or extra or left[address]):
            if retries[address]:
                return retries[address][0]
            if not canaries[address]:
                return None
        new = not (again or extra) and left[address] > 0
        due = pace.due(address, now, (1 if answered else 3) if new else 0)
        if due > now:
            return due
        pace.spend(address, now)
        if again:
            retries[address].popleft()
        elif extra:
            decoys[address] -= 1
        elif new:
            left[address] -= 1
            if silent:
                retries[address].append(now + timing.retry_after_s)
        else:
            canaries[address] -= 1
        nonlocal decided
        decided = now + (timing.attempt_s if silent else 0.0)
        return now

    while wakeups:
        now, n, address = heapq.heappop(wakeups)
        due = start(address)
        if due is not None:
            heapq.heappush(wakeups, (due, n + len(asked), address))
    return decided


JOBS = {
    "one host": (Speed.NORMAL, {"192.0.2.1": 30}, None),
    "one window of a host": (Speed.NORMAL, {"192.0.2.1": 87}, None),
    "one more": (Speed.NORMAL, {"192.0.2.1": 88}, None),
    "many ports": (Speed.NORMAL, {"192.0.2.1": 3000}, None),
    "many ports, politely": (Speed.POLITE, {"192.0.2.1": 600}, None),
    "many hosts": (Speed.NORMAL, hosts(200, 30), None),
    "many hosts, politely": (Speed.POLITE, hosts(60, 30), None),
    "hosts of every size": (Speed.NORMAL, {**hosts(150, 1), "192.0.2.1": 500, "192.0.2.2": 90}, None),
    "a rate for one host": (Speed.FAST, {"192.0.2.1": 1000}, 100.0),
    "a rate for many": (Speed.FAST, hosts(100, 10), 100.0),
    "a low rate": (Speed.NORMAL, hosts(5, 1), 0.5),
    "a rate below the pace": (Speed.NORMAL, {"192.0.2.1": 500}, 20.0),
    "a rate beside the pace": (Speed.NORMAL, hosts(20, 40), 200.0),
}


@pytest.mark.parametrize(("speed", "asked", "rate"), JOBS.values(), ids=JOBS)
@pytest.mark.usefixtures("no_neighbours")
def test_the_pace_is_foretold(speed: Speed, asked: Mapping[str, int], rate: float | None) -> None:
    sums = (asked, timing_of(speed), 100_000, LIMITS[speed], rate)
    silent_s = carry_out(asked, Pace(speed, rate), silent=True)
    answering_s = carry_out(asked, Pace(speed, rate), silent=False)
    assert shortest_s(*sums) <= answering_s + 1e-6
    assert max(silent_s, answering_s) <= longest_s(*sums) + 1e-6
    # Beyond this nobody would believe the announcement.
    assert longest_s(*sums) <= 1.25 * max(silent_s, answering_s) + ONE_ROUND_S
    # An open port brings decoys and a canary, which the rate leaves out.
    assert shortest_s(*sums) >= 0.8 * answering_s * sum(asked.values()) / sum(ports + 3 for ports in asked.values()) - 1


@pytest.mark.usefixtures("no_neighbours")
@pytest.mark.parametrize("speed", [Speed.NORMAL, Speed.POLITE])
def test_two_hundred_hosts_are_paced_by_their_number(speed: Speed) -> None:
    """90 in 10 s, three times: the last 20 begin when the second 90 are forgotten, a second after their retry."""
    takes_s = longest_s(hosts(200, 30), timing_of(speed), 100_000, LIMITS[speed])
    if speed is Speed.NORMAL:
        assert takes_s == pytest.approx(2 * (1 + 10.1) + ONE_ROUND_S)
    else:
        assert takes_s > 60


@pytest.mark.usefixtures("no_neighbours")
def test_what_the_pace_keeps_small_waits_for_nothing_else() -> None:
    """At 42 flows a second neither 1,000 ports of an address nor 1,000 sockets are ever in flight."""
    takes_s = longest_s({"192.0.2.1": 65_535}, timing_of(Speed.NORMAL), 1000, LIMITS[Speed.NORMAL])
    windows = -(-2 * 65_535 // 87)
    assert takes_s == pytest.approx((windows - 1) * 2.1 + ONE_ROUND_S)


@pytest.mark.usefixtures("no_neighbours")
def test_few_descriptors_hold_up_a_paced_run_too() -> None:
    sums = (hosts(90, 90), timing_of(Speed.NORMAL))
    many_s, few_s = (longest_s(*sums, descriptors, LIMITS[Speed.NORMAL]) for descriptors in (20_000, 100))
    assert few_s == pytest.approx(many_s + 90 * 180 * 3.3 / 100)


jobs = st.dictionaries(
    st.integers(0, 300).map(lambda n: f"198.51.{n // 250}.{n % 250 + 1}"), st.integers(0, 400), max_size=120
)


@given(
    asked=jobs,
    speed=st.sampled_from(Speed),
    rate=st.sampled_from((None, 0.3, 1.0, 7.5, 50.0, 3000.0)),
    descriptors=st.sampled_from((1, 60, 1000, 1_048_512)),
)
def test_at_least_is_never_more_than_at_most(
    asked: Mapping[str, int], speed: Speed, rate: float | None, descriptors: int
) -> None:
    sums = (asked, timing_of(speed), descriptors, LIMITS[speed], rate)
    assert 0 <= shortest_s(*sums) <= longest_s(*sums)


def test_what_stays_on_this_machine_is_not_paced() -> None:
    for speed in Speed:
        asked = {"127.0.0.1": 1000}
        assert shortest_s(asked, timing_of(speed), 100_000, LIMITS[speed], 1.0) == 0.0
        assert longest_s(asked, timing_of(speed), 100_000, LIMITS[speed], 1.0) == pytest.approx(ONE_ROUND_S)


# ---------------------------------------------------------------------------------------------- a real engine


@contextmanager
def silent_port(address: str) -> Iterator[int]:
    """A listener with no room for another connection: SYNs to it are dropped."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "limits",
    [
        {"max_in_flight": 3},
        {"max_per_address": 2},
        {"max_neighbours": 1},
        {"max_per_address": 1, "max_neighbours": 1},
        {"max_per_address": 1, "max_neighbours": 2, "max_in_flight": 2},
    ],
    ids=str,
)
def test_no_run_takes_longer(limits: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent ports of three addresses that our kernel is said to have to find."""
    monkeypatch.setattr("portcheck.engine.neighbours.route_to", lambda address: Route(False, neighbour=True))
    timing = TcpTiming(attempt_s=0.1, retry_after_s=0.05, trusted_attempt_s=0.1, **limits)
    seen: list[Answered] = []

    async def run(sets: list[ProbeSet]) -> float:
        stop: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        started = time.monotonic()
        await TcpEngine(timing, seen.append, pace=Pace(Speed.FAST)).run(sets, stop)
        return time.monotonic() - started

    with ExitStack() as stack, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
        sets = [ProbeSet(ip, [stack.enter_context(silent_port(ip)) for _ in range(3)]) for ip in addresses]
        took_s = runner.run(run(sets))
    assert len(seen) == 9
    assert {(one.state, one.reason) for one in seen} == {(PortState.FILTERED, Reason.NO_RESPONSE)}
    assert all(isinstance(one, Observation) for one in seen)
    # Each turn of the loop is a little late; as often as there are rounds.
    assert 0.15 <= took_s <= 1.2 * longest_s(dict.fromkeys(addresses, 3), timing, 1000, NO_LIMITS) + 0.1
