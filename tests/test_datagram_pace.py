"""Datagrams beside somebody who takes every flow that the pace allows, as the TCP engine does. In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

from portcheck.engine.datagram import DatagramEngine, DatagramTiming
from portcheck.engine.datagram_target import Target
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import DatagramSet, PortState, Reason
from tests.simulated import Bucket, Host, Network, Outcome, ask, questions

A = "10.0.1.1"
BUSY_S = 300.0


class Greedy:
    """Starts a flow to the address whenever it is allowed."""

    def __init__(self, pace: Pace) -> None:
        self.flows = 0
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._ends_s = self._loop.time() + BUSY_S
        self._start()

    def _start(self) -> None:
        now = self._loop.time()
        while self._pace.due(A, now) <= now:
            self._pace.spend(A, now)
            self.flows += 1
        if now < self._ends_s:
            self._loop.call_at(max(self._pace.due(A, now), now + 0.0005), self._start)


@contextmanager
def somebody_greedy(pace: Pace) -> Iterator[list[Greedy]]:
    """Whoever it is begins together with the datagrams."""
    made: list[Greedy] = []
    run = DatagramEngine.run

    async def beside(engine: DatagramEngine, sets: Iterator[DatagramSet], stop: asyncio.Future[Reason]) -> None:
        made.append(Greedy(pace))
        await run(engine, sets, stop)

    with mock.patch.object(DatagramEngine, "run", beside):
        yield made


def ask_beside(network: Network, pace: Pace, ports: int, timing: DatagramTiming | None = None) -> Outcome:
    sets = [DatagramSet(A, questions(range(1, ports + 1)))]
    with somebody_greedy(pace):
        return ask(network, sets, pace=pace, timing=timing, stop_after_s=600)


@pytest.mark.parametrize(
    "pace", [Pace(Speed.NORMAL), Pace(Speed.POLITE), Pace(Speed.FAST, 20)], ids=["normal", "polite", "rate"]
)
def test_the_last_look_at_a_mute_host_is_not_lost(pace: Pace) -> None:
    outcome = ask_beside(Network({A: Host(mute=True)}), pace, 2)
    assert {(seen.state, seen.detail) for seen in outcome.by_port().values()} == {
        (PortState.OPEN_FILTERED, "icmp-mute")
    }
    assert outcome.took_s < 60


@pytest.mark.parametrize(
    ("speed", "rate", "ports", "most_s"),
    [
        (Speed.NORMAL, None, 20, 3.0),
        (Speed.NORMAL, None, 60, 6.0),
        (Speed.NORMAL, None, 200, 15.0),
        (Speed.POLITE, None, 60, 40.0),
        (Speed.FAST, 20, 60, 10.0),
    ],
)
def test_neither_engine_starves(speed: Speed, rate: float | None, ports: int, most_s: float) -> None:
    pace = Pace(speed, rate)
    network = Network({A: Host()})
    sets = [DatagramSet(A, questions(range(1, ports + 1)))]
    with somebody_greedy(pace) as made:
        outcome = ask(network, sets, pace=pace, stop_after_s=600)
    assert Counter(seen.state for seen in outcome.by_port().values()) == {PortState.CLOSED: ports}
    assert outcome.took_s < most_s
    assert made[0].flows >= 0.4 * ports


def test_repetitions_do_not_wait_for_the_pace() -> None:
    """They start no flow: the host's limit of one error a second is all that takes time."""
    outcome = ask_beside(Network({A: Host(bucket=Bucket())}), Pace(Speed.NORMAL), 20)
    assert Counter(seen.state for seen in outcome.by_port().values()) == {PortState.CLOSED: 20}
    assert outcome.took_s < 19


def test_the_budget_does_not_run_while_the_pace_holds_questions_back() -> None:
    """200 ports at 18 in 5 s take 56 s; the host, one error a second."""
    network = Network({A: Host(bucket=Bucket())})
    timing = DatagramTiming(budget_s=150)
    outcome = ask(network, [DatagramSet(A, questions(range(1, 201)))], speed=Speed.POLITE, timing=timing)
    assert Counter(seen.reason for seen in outcome.by_port().values()) == {Reason.PORT_UNREACH: 200}


def test_the_budget_begins_when_the_last_question_has_left() -> None:
    network = Network({A: Host(bucket=Bucket(1, 5.0))})
    outcome = ask(network, [DatagramSet(A, questions(range(1, 61)))], speed=Speed.POLITE)
    first_sent: dict[int, float] = {}
    for at, _, port, _ in network.sent:
        first_sent.setdefault(port, at)
    last_s = max(first_sent[port] for port in range(1, 61)) - 1000.0
    assert last_s > 10
    assert outcome.took_s == pytest.approx(20.0 + last_s, abs=0.5)


def test_fewer_silences_are_needed_than_when_it_began_to_wait_for_the_pace() -> None:
    """Answers of others on the same way show that less gets lost. Nobody else would wake this one."""
    network = Network({A: Host(mute=True)})
    needed = property(lambda target: 2 if asyncio.get_running_loop().time() < 1002 else 1)
    with mock.patch.object(Target, "needed", needed):
        outcome = ask(network, [DatagramSet(A, questions(range(1, 19)))], speed=Speed.POLITE)
    assert {seen.detail for seen in outcome.by_port().values()} == {"icmp-mute"}
    assert outcome.took_s < 15
