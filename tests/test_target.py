"""The engine's bookkeeping of one address: every port is somewhere, exactly once."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import Observation, PortState, Reason, Tally
from portcheck.engine.target import CLOSED, Alike, Kind, Ledger, Target
from tests.fake_engine import ADDRESS, ROUTER, answer, attempt, fall_silent, target_of

OPEN = Alike(PortState.OPEN, Reason.SYN_ACK)
REJECTED = Alike(PortState.FILTERED, Reason.ADMIN_PROHIBITED, ROUTER, (3, 13))
ELSEWHERE = REJECTED._replace(responder="198.51.100.9")
PORTS = st.lists(st.integers(1, 65_535), unique=True, max_size=40)


def counted(ledger: Ledger) -> dict[Alike, tuple[list[int], int]]:
    return {alike: (sorted(of.ports), of.syns) for alike, of in ledger.alike.items()}


def asked_in_turn(target: Target) -> list[int]:
    """The ports of all rounds, in their order."""
    ports = []
    while (asking := target.next_port()) is not None:
        ports.append(asking.port)
    return ports


# ------------------------------------------------------------------------------------------- how answers are kept


def test_what_is_alike_in_everything_is_counted_together() -> None:
    target = target_of([22], range(1000, 1010))
    ledger = Ledger()
    answers = {1000: CLOSED, 1001: CLOSED, 1002: REJECTED, 1003: ELSEWHERE, 1004: REJECTED}
    for port, alike in answers.items():
        target.keep(answer(target, port, alike), ledger)
    assert ledger.observations == []
    assert counted(ledger) == {CLOSED: ([1000, 1001], 2), REJECTED: ([1002, 1004], 2), ELSEWHERE: ([1003], 1)}


@pytest.mark.parametrize(("port", "alike"), [(22, CLOSED), (22, REJECTED), (22, OPEN), (1000, OPEN)])
def test_what_is_kept_singly(port: int, alike: Alike) -> None:
    """Whatever was asked singly, and every open port."""
    target = target_of([22], range(1000, 1010))
    seen = answer(target, port, alike)
    target.keep(seen, target.pending)
    assert (target.pending.observations, target.pending.alike) == ([seen], {})


def test_without_a_sweep_everything_is_kept_singly() -> None:
    target = target_of([22, 80])
    target.keep(answer(target, 22, CLOSED), target.pending)
    assert [seen.probe.port for seen in target.pending.observations] == [22]


@given(first=PORTS, second=PORTS)
def test_adding_a_ledger_to_another_loses_nothing(first: list[int], second: list[int]) -> None:
    one, other = (filled(ports) for ports in (first, second))
    expected = Counter(one.ports()) + Counter(other.ports())
    silent_ports = one.silent_ports + other.silent_ports
    one.add(other)
    assert Counter(one.ports()) == expected
    assert one.silent_ports == silent_ports
    assert (bool(other), list(other.ports())) == (False, [])
    assert bool(one) is bool(expected)
    # What is noted in the emptied one from now on is its own.
    other.count(CLOSED, [7], 1)
    assert Counter(one.ports()) == expected


def filled(ports: Iterable[int]) -> Ledger:
    """Ports of every kind that a ledger keeps."""
    ports = list(ports)
    target = target_of(ports[::2], ports[1::2])
    for number, port in enumerate(ports):
        if number % 5 < 2:
            fall_silent(target, [port], tries=2 + number % 3)
        else:
            target.keep(answer(target, port, (OPEN, CLOSED, REJECTED)[number % 3]), target.pending)
    return target.pending


def test_silent_ports_of_a_sweep_are_kept_by_their_attempts() -> None:
    target = target_of([], range(1, 10))
    fall_silent(target, [1, 2])
    fall_silent(target, [3], tries=3)
    kept = {tries: (list(of.ports), of.syns) for tries, of in target.pending.silent_in_bulk.items()}
    assert kept == {2: ([1, 2], 16), 3: ([3], 12)}


def test_refusals_that_are_counted_by_themselves_are_pending_too() -> None:
    target = target_of([], range(1, 10))
    target.refused_in_bulk.ports.extend([3, 4])
    target.refused_in_bulk.syns = 2
    target.pending.count(CLOSED, [1], 1)
    assert counted(target.pend()) == {CLOSED: ([1, 3, 4], 3)}
    assert counted(target.pend()) == {CLOSED: ([1, 3, 4], 3)}
    assert list(target.refused_in_bulk.ports) == []


@pytest.mark.parametrize("swept", [False, True])
def test_a_silent_port_that_answers_is_taken_out(swept: bool) -> None:
    target = target_of(*(((), [1, 2, 3]) if swept else ([1, 2, 3],)))
    fall_silent(target, [1, 2], tries=3)
    target.proven.add(target.pending)
    fall_silent(target, [3])
    assert list(target.silent_port_numbers()) == [1, 2, 3]
    taken = target.take_silent(2)
    assert taken is not None
    assert (taken.port, taken.started, taken.kind, taken.in_bulk) == (2, 3, Kind.PORT, swept)
    assert (target.silent_ports, [target.is_silent(port) for port in (1, 2, 3)]) == (2, [True, False, True])
    assert target.take_silent(2) is None


def test_attempts_that_came_to_nothing_are_added_to_the_port_they_belong_to() -> None:
    target = target_of([1, 2])
    fall_silent(target, [1, 2])
    target.add_attempts(2, [attempt(9.0)])
    assert [len(asking.attempts) for asking in target.pending.silent] == [2, 3]


# ------------------------------------------------------------------------------------------------ what is asked


@given(ports=PORTS, again=st.lists(st.integers(0, 39), max_size=3), taken=st.integers(0, 40))
def test_rounds_are_asked_in_their_order_and_each_port_once(ports: list[int], again: list[int], taken: int) -> None:
    target = target_of([], ports)
    first = list(target.take_swept(taken))
    assert first == ports[:taken]
    later = [ports[number] for number in again if number < len(ports)]
    for port in later:
        target.ask_again(2, [port])
    assert asked_in_turn(target) == ports[taken:] + later
    assert target.quiet


@given(ports=PORTS, taken=st.integers(0, 40), again=PORTS)
def test_what_was_not_asked_yet_is_left_over(ports: list[int], taken: int, again: list[int]) -> None:
    target = target_of([], ports)
    target.take_swept(taken)
    target.ask_again(1, again)
    assert sorted(target.unasked()) == sorted(ports[taken:] + again)
    assert (list(target.unasked()), target.quiet) == ([], True)


def test_a_port_that_is_asked_again_knows_its_attempts() -> None:
    target = target_of([22], [1000])
    target.ask_again(2, [1001])
    target.earlier[22] = [attempt(1.0)]
    asked = [target.next_port() for _ in range(3)]
    assert [(a.port, a.started, a.in_bulk, len(a.attempts)) for a in asked if a is not None] == [
        (22, 0, False, 1),
        (1000, 0, True, 0),
        (1001, 2, True, 0),
    ]


@pytest.mark.parametrize(
    ("singly", "in_bulk", "taken"),
    [
        ([], [1, 2, 3], [1, 2]),
        ([1, 2], [3, 4], []),
        # Without a sweep there is nothing swept.
        ([1, 2], [], []),
    ],
)
def test_only_ports_of_a_sweep_are_taken_by_the_handful(
    singly: list[int], in_bulk: list[int], taken: list[int]
) -> None:
    assert list(target_of(singly, in_bulk).take_swept(2)) == taken


def test_ports_of_a_sweep_are_taken_up_to_one_that_is_asked_singly() -> None:
    target = target_of([22], [1, 2, 3])
    target.rounds[0].ports = array("H", [1, 2, 22, 3])
    assert list(target.take_swept(4)) == [1, 2]
    assert list(target.take_swept(4)) == []
    following = target.next_port()
    assert following is not None
    assert (following.port, following.in_bulk) == (22, False)
    assert list(target.take_swept(4)) == [3]


def test_ports_that_were_asked_before_are_not_taken_by_the_handful() -> None:
    """Their attempts are remembered one by one."""
    target = target_of([], [1, 2])
    asked_in_turn(target)
    target.ask_again(2, [1, 2])
    assert list(target.take_swept(2)) == []


@given(ports=PORTS, singly=st.integers(0, 40), taken=st.integers(0, 40), off=st.integers(1, 40))
def test_ports_that_are_split_off_are_not_asked_here(ports: list[int], singly: int, taken: int, off: int) -> None:
    target = target_of(ports[:singly], [*ports[singly:], 0])
    target.take_swept(taken)
    left = list(target.rounds[0].left)
    off = min(off, len(left))
    elsewhere = list(target.split_off(off)) if off else []
    assert not set(elsewhere) & set(ports[:singly])
    assert sorted(elsewhere + asked_in_turn(target)) == sorted(left)


# ------------------------------------------------------------------------------------------------- what is said


@given(ports=PORTS, singly=st.integers(0, 40))
def test_ports_are_reported_as_they_were_asked_for(ports: list[int], singly: int) -> None:
    target = target_of(ports[:singly], [*ports[singly:], 0])
    target.earlier.update({port: [attempt(), attempt(1.0)] for port in ports[:singly:2]})
    answers = list(target.answered_as(ports, REJECTED))
    singles = [seen for seen in answers if isinstance(seen, Observation)]
    together = [seen for seen in answers if isinstance(seen, Tally)]
    assert [seen.probe.port for seen in singles] == ports[:singly]
    assert [len(seen.attempts) for seen in singles] == [2 - 2 * (number % 2) for number in range(len(singles))]
    assert [list(seen.ports) for seen in together] == ([ports[singly:]] if ports[singly:] else [])
    for seen in answers:
        assert (seen.state, seen.reason, seen.responder, seen.icmp) == REJECTED[:4]


def test_a_tally_says_all_that_its_ports_have_in_common() -> None:
    target = target_of([], [1, 2])
    alike = REJECTED._replace(inferred=True, detail="seen on 8 of 100 ports")
    tally = target.tally(array("H", [1, 2]), alike, 5)
    assert (tally.address, tally.source_address, tally.syns, list(tally.ports)) == (ADDRESS, None, 5, [1, 2])
    assert (tally.state, tally.reason, tally.responder, tally.icmp, tally.inferred, tally.detail) == alike
    one = target.observation(1, alike, ())
    assert (one.state, one.reason, one.responder, one.icmp, one.inferred, one.detail) == alike


# ----------------------------------------------------------------------------------------------- what is known


def test_silence_is_explained_by_an_address_that_is_not_reached() -> None:
    target = target_of([22])
    assert target.nobody_there is None
    absent = answer(target, 22, Alike(PortState.FILTERED, Reason.ARP_FAILURE))
    target.hop.absent = absent
    assert target.nobody_there is absent
    # The router answers for others, so it is there.
    target.hop.answered = True
    assert target.nobody_there is None
    unreachable = answer(target, 22, Alike(PortState.FILTERED, Reason.HOST_UNREACH, ROUTER, (3, 1)))
    target.unreachable = unreachable
    assert target.nobody_there is unreachable
    target.answers = 1
    assert target.nobody_there is None


@pytest.mark.parametrize(
    ("own", "decoys", "opened", "everything"),
    [
        (False, (1, 2), 2, True),
        (False, (1, 2), 1, False),
        (False, (1,), 1, False),
        (False, (), 0, False),
        (True, (1, 2), 2, False),
    ],
)
def test_who_accepts_everything(own: bool, decoys: tuple[int, ...], opened: int, everything: bool) -> None:
    target = target_of([22], own=own, decoys=decoys)
    target.decoys_open = opened
    assert target.accepts_everything is everything


def test_room_is_kept_for_the_decoys_and_a_canary() -> None:
    target = target_of([22], decoys=(1, 2))
    assert target.reserve == 3
    target.decoys_asked = True
    assert target.reserve == 1


def test_loss_on_the_way_counts_for_every_target_behind_it() -> None:
    one, path = target_of([22]), target_of([22]).path
    other = target_of([22], address="192.0.2.2", path=path)
    assert (one.attempts_needed(8), other.attempts_needed(8)) == (2, 2)
    for _ in range(100):
        path.loss.note(1)
    path.loss.note(2)
    assert (one.attempts_needed(8), other.attempts_needed(8)) == (2, 3)
