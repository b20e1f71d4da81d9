"""Can a limit on ICMP errors explain that ports stay silent? Linux: 6 at once, then 1 a second, over IPv6 10."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.responders import SPACING_S, Responder

ROUTER4, ROUTER6, TARGET = "192.0.2.254", "2001:db8::ffff", "192.0.2.1"


def responder(address: str, moments_s: Iterable[float]) -> Responder:
    """Its errors came at these moments, each about another port."""
    made = Responder(address)
    for port, moment in enumerate(moments_s):
        made.note(TARGET, ("target", port), moment)
    return made


def at_once(errors: int) -> list[float]:
    return [0.001 * number for number in range(errors)]


def for_three_seconds(errors: int) -> list[float]:
    return [second + moment for second in range(3) for moment in at_once(errors)]


@pytest.mark.parametrize(
    ("address", "errors", "silent", "could"),
    [
        # No more than Linux's limit lets through: few silent ports may be its doing too, since errors about other
        # ports, and to others than us, take from the same tokens.
        (ROUTER4, at_once(1), 1, False),
        (ROUTER4, at_once(1), 5, False),
        (ROUTER4, at_once(3), 3, False),
        (ROUTER4, at_once(6), 1, False),
        (ROUTER4, at_once(6), 94, False),
        (ROUTER6, at_once(11), 1, False),
        # Twice that may still be Linux, when we read some errors late.
        (ROUTER4, at_once(12), 1, False),
        (ROUTER6, at_once(17), 1, False),
        # Above it there is a higher limit, or none: it had three seconds, and did not use them up.
        (ROUTER4, at_once(13), 1, True),
        (ROUTER4, at_once(13), 65_000, True),
        (ROUTER6, at_once(18), 1, True),
        (ROUTER6, at_once(18), 65_000, True),
        (ROUTER4, at_once(100), 65_000, True),
        # Many errors are no burst when they took longer than half a second.
        (ROUTER4, [0.05 * number for number in range(100)], 1, False),
        # So many at a time, as often as there was time for it: that is its limit.
        (ROUTER4, for_three_seconds(6), 1, False),
        (ROUTER4, for_three_seconds(20), 60, True),
        (ROUTER4, for_three_seconds(20), 61, False),
        (ROUTER6, for_three_seconds(20), 60, True),
        (ROUTER6, for_three_seconds(20), 61, False),
    ],
)
def test_whether_silence_can_be_told_from_a_limit(address: str, errors: list[float], silent: int, could: bool) -> None:
    assert responder(address, errors).could_have_answered(silent) is could


MOMENTS = st.lists(st.floats(0, 10), min_size=1, max_size=60).map(sorted)


@given(moments=MOMENTS, silent=st.integers(1, 200), more=st.integers(0, 200))
def test_a_limit_that_explains_some_silence_explains_more_of_it(moments: list[float], silent: int, more: int) -> None:
    one = responder(ROUTER4, moments)
    assert one.could_have_answered(silent) or not one.could_have_answered(silent + more)


@pytest.mark.parametrize(("address", "rate"), [(ROUTER4, 1.0), (ROUTER6, 10.0)])
@given(moments=MOMENTS, silent=st.integers(1, 200))
def test_who_keeps_to_the_limit_of_linux_is_never_believed(
    address: str, rate: float, moments: list[float], silent: int
) -> None:
    tokens, last, errors = 6.0, moments[0], []
    for moment in moments:
        tokens, last = min(6.0, tokens + rate * (moment - last)), moment
        if tokens >= 1:
            tokens -= 1
            errors.append(moment)
    assert not responder(address, errors).could_have_answered(silent)


@given(moments=MOMENTS)
def test_the_burst_is_the_most_within_half_a_second(moments: list[float]) -> None:
    windows = [sum(end - 0.5 < moment <= end for moment in moments) for end in moments]
    assert responder(ROUTER4, moments).burst == max(windows)


def test_errors_are_counted_by_the_address_that_they_are_about() -> None:
    one = Responder(ROUTER4)
    for target in (TARGET, "192.0.2.2", TARGET):
        one.note(target, (target, 22), 0.0)
    assert (one.errors, one.sighted) == (3, {TARGET: 2, "192.0.2.2": 1})


def test_a_port_that_is_rejected_again_is_no_other_port() -> None:
    one = responder(ROUTER4, at_once(3))
    for moment in at_once(30):
        one.note_again(0.01 + moment)
    assert (one.errors, one.sighted, one.burst) == (3, {TARGET: 3}, 33)


@pytest.mark.parametrize(("address", "questions", "in_half_a_second"), [(ROUTER4, 24, 6), (ROUTER6, 34, 11)])
def test_a_sounding_shows_whether_there_is_a_limit(address: str, questions: int, in_half_a_second: int) -> None:
    """Also when a third of its questions is lost; and a responder with Linux's limit never looks as if it had none."""
    one = responder(address, at_once(1))
    assert not one.could_have_answered(100)
    assert one.sounding == questions
    for moment in at_once(questions - questions // 3):
        one.note_again(60 + moment)
    assert one.could_have_answered(100)

    limited = responder(address, at_once(1))
    for moment in at_once(in_half_a_second):
        limited.note_again(60 + moment)
    assert not limited.could_have_answered(1)


def test_examples_are_ports_that_it_rejected_and_not_more_than_are_asked() -> None:
    one = responder(ROUTER4, at_once(1000))
    assert one.examples[:2] == [("target", 0), ("target", 1)]
    assert len(one.examples) == one.sounding


def test_what_is_rejected_again_is_no_example() -> None:
    """Decoys and canaries: nobody asked whether these ports are reachable."""
    one = Responder(ROUTER4)
    one.note_again(0.0)
    assert (one.examples, one.errors, one.sighted) == ([], 0, {})


def test_questions_are_far_enough_apart_for_the_limit() -> None:
    assert 1 < SPACING_S < 2
