"""No window of time ever has more flows than an intrusion system lets pass, and nothing waits longer than needed."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.pace import JITTER_S, LIMITS, Pace, PaceLimits, Speed

PACED = (Speed.POLITE, Speed.NORMAL)
RATES = (0.5, 1.0, 1.5, 3.0, 10.0, 99.5, 1000.0, 5000.0)


class Flow(NamedTuple):
    address: str
    at: float


class Step(NamedTuple):
    """So many flows to an address, each as soon as it may start, after a pause."""

    address: int
    flows: int
    reserve: int
    pause_s: float


steps = st.lists(
    st.builds(
        Step,
        address=st.integers(0, 120),
        flows=st.sampled_from((1, 1, 1, 2, 17, 18, 19, 60, 100)),
        reserve=st.sampled_from((0, 0, 0, 1, 5, 200)),
        pause_s=st.sampled_from((0.0, 0.0, 0.0, 0.001, 0.05, 0.1, 1.0, 2.0, 2.1, 5.0, 10.0, 10.1, 11.0)),
    ),
    max_size=60,
)


def ip(number: int) -> str:
    return f"192.0.2.{number}"


def start(pace: Pace, flow: Flow, reserve: int = 0) -> Flow:
    """The flow as it starts: no earlier than it is due, however often one has to ask."""
    now = flow.at
    while (due := pace.due(flow.address, now, reserve)) > now:
        now = due
    pace.spend(flow.address, now)
    return Flow(flow.address, now)


def carry_out(pace: Pace, wanted: Sequence[Step], began_s: float = 1000.0) -> list[Flow]:
    flows: list[Flow] = []
    now = began_s
    for step in wanted:
        now += step.pause_s
        for _ in range(step.flows):
            flows.append(start(pace, Flow(ip(step.address), now), step.reserve))
            now = flows[-1].at
    return flows


def most_flows(moments: Sequence[float], window_s: float) -> int:
    """The most that any window has, both its ends included."""
    ordered = sorted(moments)
    return max((bisect_right(ordered, at + window_s) - n for n, at in enumerate(ordered)), default=0)


def most_addresses(flows: Sequence[Flow], window_s: float) -> int:
    """As `most_flows`, of different addresses."""
    ordered = sorted(flows, key=lambda flow: flow.at)
    moments = [flow.at for flow in ordered]
    return max(
        (
            len({flow.address for flow in ordered[n : bisect_right(moments, at + window_s)]})
            for n, at in enumerate(moments)
        ),
        default=0,
    )


def to_one_address(flows: Sequence[Flow]) -> list[list[float]]:
    return [[flow.at for flow in flows if flow.address == address] for address in {flow.address for flow in flows}]


@pytest.mark.parametrize("speed", PACED)
@given(wanted=steps, data=st.data())
def test_no_window_has_more_than_its_limit(speed: Speed, wanted: list[Step], data: st.DataObject) -> None:
    """As seen by somebody whom every SYN reaches a little late, each as it pleases."""
    sent = carry_out(Pace(speed), wanted)
    delay_s = data.draw(st.sampled_from((lambda n: 0.0, lambda n: 0.099 * (n % 2), lambda n: 0.099 * (n % 97) / 96)))
    seen = [Flow(flow.address, flow.at + delay_s(n)) for n, flow in enumerate(sent)]
    limits = LIMITS[speed]
    assert limits.flows_per_address is not None
    assert limits.addresses is not None
    for moments in to_one_address(seen):
        assert most_flows(moments, limits.flows_window_s) <= limits.flows_per_address
    assert most_addresses(seen, limits.addresses_window_s) <= limits.addresses


def allowed(limits: PaceLimits, flows: Sequence[Flow], flow: Flow, reserve: int) -> bool:
    """The limits, word by word, over the whole history."""
    assert limits.flows_per_address is not None
    assert limits.addresses is not None

    def counts(earlier: Flow, window_s: float) -> bool:
        return earlier.at + window_s + JITTER_S > flow.at

    recent = sum(other.address == flow.address and counts(other, limits.flows_window_s) for other in flows)
    contacted = {other.address for other in flows if counts(other, limits.addresses_window_s)}
    return recent < max(1, limits.flows_per_address - reserve) and len(contacted | {flow.address}) <= limits.addresses


@pytest.mark.parametrize("speed", PACED)
@given(wanted=steps, address=st.integers(0, 121), reserve=st.sampled_from((0, 3, 200)), later_s=st.floats(0, 12))
def test_a_flow_is_due_as_soon_as_the_limits_allow_it(
    speed: Speed, wanted: list[Step], address: int, reserve: int, later_s: float
) -> None:
    pace = Pace(speed)
    flows = carry_out(pace, wanted)
    now = (flows[-1].at if flows else 0.0) + later_s
    due = pace.due(ip(address), now, reserve)
    started = start(pace, Flow(ip(address), now), reserve)
    assert due <= started.at
    assert allowed(LIMITS[speed], flows, started, reserve)
    if started.at > now:
        for before in (now, (now + started.at) / 2, started.at - 1e-6):
            assert not allowed(LIMITS[speed], flows, Flow(ip(address), before), reserve)


@pytest.mark.parametrize(("speed", "flows", "addresses", "next_s"), [("polite", 18, 25, 5.1), ("normal", 90, 90, 2.1)])
def test_as_much_as_is_allowed_starts_at_once(speed: str, flows: int, addresses: int, next_s: float) -> None:
    pace = Pace(Speed(speed))
    started = carry_out(pace, [Step(0, flows, 0, 0)])
    assert {flow.at for flow in started} == {1000.0}
    assert pace.due(ip(0), 1000.0) == pytest.approx(1000 + next_s)

    pace = Pace(Speed(speed))
    started = carry_out(pace, [Step(n, 1, 0, 0) for n in range(addresses)])
    assert {flow.at for flow in started} == {1000.0}
    assert pace.due(ip(0), 1000.0) == 1000.0, "an address that was contacted costs nothing more"
    assert pace.due(ip(addresses), 1000.0) == pytest.approx(1010.1)


def test_a_reserve_is_kept_for_those_who_need_it() -> None:
    pace = Pace(Speed.NORMAL)
    carry_out(pace, [Step(0, 80, 10, 0)])
    assert pace.due(ip(0), 1000.0, reserve=10) == pytest.approx(1002.1)
    assert pace.due(ip(0), 1000.0) == 1000.0


def test_a_reserve_counts_the_latest_flows() -> None:
    pace = Pace(Speed.POLITE)
    carry_out(pace, [Step(0, 1, 0, 0)] + [Step(0, 1, 0, 0.25)] * 15)
    # 16 flows, the last at 1003.75. With 8 in reserve ten may be in the window: the tenth last was at 1001.5.
    assert pace.due(ip(0), 1003.75, reserve=8) == pytest.approx(1006.6)
    assert pace.due(ip(0), 1003.75) == 1003.75


def test_an_address_counts_from_its_last_flow() -> None:
    pace = Pace(Speed.POLITE)
    carry_out(pace, [Step(n, 1, 0, 0.1) for n in range(25)] + [Step(0, 1, 0, 1.5)])  # 1000.1 to 1002.5, then 1004.0
    carry_out(pace, [Step(n, 1, 0, 0) for n in range(25, 49)], began_s=1012.7)  # All but the first are forgotten.
    assert pace.due(ip(99), 1012.7) == pytest.approx(1014.1)


def test_a_flow_that_did_not_ask_counts_all_the_same() -> None:
    pace = Pace(Speed.POLITE)
    for _ in range(30):
        pace.spend(ip(0), 1000.0)
    pace.spend(ip(0), 1003.0)
    assert pace.due(ip(0), 1003.0) == pytest.approx(1005.1)


def test_fast_without_a_rate_never_waits() -> None:
    pace = Pace(Speed.FAST)
    assert pace.unlimited
    assert {flow.at for flow in carry_out(pace, [Step(n % 200, 10, 0, 0) for n in range(1000)])} == {1000.0}
    assert not Pace(Speed.NORMAL).unlimited
    assert not Pace(Speed.FAST, max_rate=10).unlimited


# --------------------------------------------------------------------------------------------- the whole run


@pytest.mark.parametrize("rate", RATES)
@given(
    pauses=st.lists(st.sampled_from((0.0, 0.0, 0.0, 1e-4, 0.003, 0.02, 0.3, 1.5)), max_size=300),
    begin_s=st.floats(0, 1e6),
)
def test_no_second_has_more_than_the_rate(rate: float, pauses: list[float], begin_s: float) -> None:
    flows = carry_out(Pace(Speed.FAST, rate), [Step(n, 20, 0, pause) for n, pause in enumerate(pauses)], begin_s)
    assert most_flows([flow.at for flow in flows], 1.0) <= max(1, rate)


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate >= 10])
def test_a_loop_that_wakes_late_keeps_the_rate(rate: float) -> None:
    """By less than 5 %, which is the price of the strict bound."""
    pace, flows = Pace(Speed.FAST, rate), 0
    for tick in range(1000):
        now = 1000 + tick * 0.01
        while pace.due(ip(0), now) <= now:
            pace.spend(ip(0), now)
            flows += 1
    assert flows >= 0.95 * rate * 10


@pytest.mark.parametrize(("rate", "at_once"), [(0.5, 1), (1, 1), (10, 1), (100, 2), (1000, 20)])
def test_the_rate_is_spread_evenly(rate: float, at_once: int) -> None:
    flows = carry_out(Pace(Speed.FAST, rate), [Step(0, 50, 0, 0), Step(0, 50, 0, 60)])
    assert most_flows([flow.at for flow in flows], 0.0) <= at_once


def test_below_one_a_second_the_rate_is_kept_too() -> None:
    flows = carry_out(Pace(Speed.NORMAL, 0.1), [Step(n, 1, 0, 0) for n in range(4)])
    assert [flow.at for flow in flows] == pytest.approx([1000, 1010, 1020, 1030], abs=0.1)


# ------------------------------------------------------------------------------------------ after it banned us


@pytest.mark.parametrize("speed", Speed)
@given(before=st.integers(0, 90), pause_s=st.sampled_from((0.0, 1.0, 6.0)))
def test_an_address_that_banned_us_gets_the_flows_of_a_polite_run(speed: Speed, before: int, pause_s: float) -> None:
    pace = Pace(speed)
    carry_out(pace, [Step(0, before if speed is not Speed.POLITE else min(before, 18), 0, 0)])
    pace.slow_down(ip(0))
    assert not pace.unlimited
    flows = carry_out(pace, [Step(0, 100, 0, pause_s), Step(0, 100, 0, 20)])
    assert most_flows([flow.at for flow in flows], 5.0) <= 18
    # Work is not held up either: two bursts of 18, 5.1 s apart, and so on.
    assert flows[99].at <= 1000 + pause_s + 6 * 5.1 + 1e-6


def test_slowing_down_counts_what_went_before() -> None:
    pace = Pace(Speed.NORMAL)
    carry_out(pace, [Step(0, 30, 0, 0)])
    pace.slow_down(ip(0))
    assert pace.due(ip(0), 1000.0) == pytest.approx(1005.1)
    assert pace.due(ip(1), 1000.0) == 1000.0


# ------------------------------------------------------------------------------------------------ what it costs


@pytest.mark.parametrize(
    "make",
    [lambda: Pace(Speed.NORMAL), lambda: Pace(Speed.POLITE, 1000.0), lambda: Pace(Speed.FAST, 1000.0)],
    ids=["normal", "polite", "fast"],
)
def test_addresses_of_long_ago_are_forgotten(make: Callable[[], Pace]) -> None:
    pace = make()
    tracemalloc.start()
    try:
        for number in range(10_000):
            start(pace, Flow(ip(number), 1000 + number * 0.5))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 100_000


@pytest.mark.parametrize(
    ("speed", "max_rate", "at_once"),
    [
        (Speed.FAST, None, None),
        (Speed.NORMAL, None, 90),
        (Speed.POLITE, None, 18),
        (Speed.FAST, 10.0, 1),
        (Speed.NORMAL, 2000.0, 39),
    ],
)
def test_how_many_flows_may_start_in_the_same_moment(speed: Speed, max_rate: float | None, at_once: int | None) -> None:
    assert Pace(speed, max_rate).at_once("10.0.0.1") == at_once


def test_a_host_that_banned_us_gets_fewer_flows_at_once() -> None:
    pace = Pace(Speed.FAST)
    pace.slow_down("10.0.0.1")
    assert pace.at_once("10.0.0.1") == 18
    assert pace.at_once("10.0.0.2") is None


# ------------------------------------------------------------------------------- connections beside datagrams


def flows_of_both(pace: Pace, ends_s: float, begins_with: bool) -> dict[bool, list[float]]:
    """Both start a flow whenever they may, and ask again when they were told to."""
    started: dict[bool, list[float]] = {True: [], False: []}
    again = {begins_with: 0.0, not begins_with: 0.0}
    while min(again.values()) < ends_s:
        datagram = min(again, key=lambda who: again[who])
        now = again[datagram]
        due = pace.due("a", now, datagram=datagram)
        if due <= now:
            pace.spend("a", now, datagram=datagram)
            started[datagram].append(now)
        again[datagram] = due
    return started


def flows_of_one(pace: Pace, ends_s: float) -> list[float]:
    now, started = 0.0, []
    while now < ends_s:
        due = pace.due("a", now)
        if due <= now:
            pace.spend("a", now)
            started.append(now)
        now = due
    return started


@pytest.mark.parametrize("begins_with", [False, True], ids=["connections", "datagrams"])
@pytest.mark.parametrize("pace", [lambda: Pace(Speed.NORMAL), lambda: Pace(Speed.POLITE), lambda: Pace(Speed.FAST, 20)])
def test_connections_and_datagrams_that_wait_for_the_same_flows_share_them(
    pace: Callable[[], Pace], begins_with: bool
) -> None:
    started = flows_of_both(pace(), 120.0, begins_with)
    late = [sum(at > 10 for at in started[who]) for who in (False, True)]
    assert min(late) > 0.4 * sum(late)
    alone = sum(at > 10 for at in flows_of_one(pace(), 120.0))
    assert sum(late) >= 0.95 * alone, "nothing is left unused"


def test_who_does_not_come_back_leaves_everything_to_the_other() -> None:
    pace = Pace(Speed.NORMAL)
    for _ in range(90):
        pace.spend("a", 0.0, datagram=True)
    due = pace.due("a", 0.0)
    assert pace.due("a", 0.0, datagram=True) == due
    later = due + 1.0
    assert pace.possible("a", later, datagram=True) == 90
    assert pace.due("a", later, 89, datagram=True) == later


def test_a_share_is_kept_while_the_other_waits() -> None:
    pace = Pace(Speed.NORMAL)
    for _ in range(90):
        pace.spend("a", 0.0)
    due = pace.due("a", 0.0, datagram=True)
    assert due == 2.0 + JITTER_S
    started = 0
    while pace.due("a", due) <= due:
        pace.spend("a", due)
        started += 1
    assert (started, pace.possible("a", due, datagram=True)) == (45, 45)
