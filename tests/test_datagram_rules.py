"""What one silence is worth, how fast somebody may be asked, how many silences it takes: the pure rules."""

from __future__ import annotations

import pytest

from portcheck.engine.budgets import BURST, LONGEST_INTERVAL_S, Budget
from portcheck.engine.silence import FEWEST, MOST, silences_needed
from portcheck.engine.waves import Evidence, Wave

US_S = 0.00001
"""From one packet to the next."""


def wave(packets: int, answered: tuple[int, ...], *, unrested: bool = False, short: bool = False) -> Wave:
    """Packets that left US_S apart; "O" answered those in these places."""
    unrested_ones = frozenset({"O"}) if unrested or short else frozenset()
    made = Wave(0.0, unrested_ones, frozenset({"O"}) if short else frozenset())
    for place in range(packets):
        assert made.next_place() == place
        if place in answered:
            made.note("O", place, place * US_S)
    return made


SILENT, ANSWERED = ".", "!"


@pytest.mark.parametrize(
    ("seen", "worth"),
    [
        ("...!", [Evidence.TIGHT] * 3),
        ("....", [Evidence.NONE] * 4),
        ("!...", [Evidence.NONE] * 3),
        (".!.!", [Evidence.TIGHT, Evidence.LIBERAL]),
        ("!.!.", [Evidence.LIBERAL, Evidence.NONE]),
        ("..!.", [Evidence.TIGHT, Evidence.TIGHT, Evidence.NONE]),
    ],
)
def test_a_silence_counts_before_the_first_answer(seen: str, worth: list[Evidence]) -> None:
    made = wave(len(seen), tuple(place for place, one in enumerate(seen) if one == ANSWERED))
    silent = [place for place, one in enumerate(seen) if one == SILENT]
    assert [made.evidence("O", place, place * US_S) for place in silent] == worth


def test_it_counts_for_whom_answered_and_for_nobody_else() -> None:
    made = wave(3, (2,))
    assert made.evidence("O", 0, 0.0) is Evidence.TIGHT
    assert made.evidence("another", 0, 0.0) is Evidence.NONE


@pytest.mark.parametrize(
    ("apart_s", "unrested", "short", "worth"),
    [
        (0.001, False, False, Evidence.TIGHT),
        (0.019, False, False, Evidence.STRICT),
        (0.021, False, False, Evidence.NONE),
        (0.001, True, False, Evidence.TIGHT),
        (0.003, True, False, Evidence.LIBERAL),
        (0.006, True, False, Evidence.NONE),
        (0.001, True, True, Evidence.LIBERAL),
        (0.006, True, True, Evidence.NONE),
    ],
)
def test_no_token_may_have_come_in_between(apart_s: float, unrested: bool, short: bool, worth: Evidence) -> None:
    made = wave(1, (), unrested=unrested, short=short)
    made.note("O", 1, apart_s)
    assert made.evidence("O", 0, 0.0) is worth


# ------------------------------------------------------------------------------------------------- how fast


def budget(errors: int = 0, now: float = 100.0, address: str = "10.0.0.1") -> Budget:
    made = Budget(address, lambda: 0.0)
    for _ in range(errors):
        made.heard(now)
    return made


def test_who_never_rejected_is_not_waited_for() -> None:
    assert budget().ready_at() == float("-inf")
    assert budget().rested(0.0)


@pytest.mark.parametrize(("address", "interval_s"), [("10.0.0.1", 1.05), ("fd00::1", 0.11)])
def test_a_linux_bucket_is_waited_for_when_it_has_sent_all_it_can(address: str, interval_s: float) -> None:
    assert budget(BURST - 1, address=address).ready_at() == float("-inf")
    assert budget(BURST, address=address).ready_at() == pytest.approx(100.0 + interval_s)
    assert budget(BURST, address=address).rations


def test_tokens_come_back_also_between_errors() -> None:
    made = budget(BURST - 1)
    made.heard(100.5)
    assert made.ready_at() == pytest.approx(101.05)


def test_who_sends_more_than_linux_is_not_waited_for() -> None:
    made = budget(BURST + 2)
    assert made.ready_at() == float("-inf")
    assert not made.rations


def test_what_is_left_of_a_full_bucket() -> None:
    assert budget(BURST - 1).has_some_left
    assert not budget(BURST).has_some_left
    short = budget(1)
    empty(short, 100.3)
    assert not short.has_some_left, "its canary was silent"


def empty(made: Budget, began_s: float, lossy: bool = False) -> int:
    return made.take_wave(False, began_s, began_s - made.last_error_s, lossy)


def good(made: Budget, began_s: float) -> int:
    rested_s = began_s - made.last_error_s
    made.heard(began_s)
    return made.take_wave(True, began_s, rested_s, False)


def test_the_interval_grows_when_a_rest_was_not_enough() -> None:
    made = budget(BURST)
    empty(made, 101.06)
    assert made.interval_s == pytest.approx(2.1)
    assert made.ready_at() == pytest.approx(102.1, abs=0.02)
    good(made, 102.2)
    good(made, 104.4)
    good(made, 106.6)
    assert made.interval_s == pytest.approx(2.1), "half of it was not enough"


def test_the_interval_shrinks_to_what_it_is() -> None:
    """Two lengthenings, of which one was not needed."""
    made = budget(BURST)
    empty(made, 101.06)
    empty(made, 102.2)
    assert made.interval_s == pytest.approx(4.0)
    good(made, 104.1)
    good(made, 108.2)
    assert made.interval_s == pytest.approx(4.0), "2.1 s were not enough"


def test_where_packets_get_lost_one_empty_wave_lengthens_nothing() -> None:
    made = budget(BURST)
    empty(made, 101.06, lossy=True)
    assert made.interval_s == pytest.approx(1.05)
    empty(made, 101.7, lossy=True)
    assert made.interval_s == pytest.approx(2.1)
    good(made, 102.3)
    good(made, 104.5)
    assert made.interval_s == pytest.approx(1.05), "that two packets were lost is likelier"


def test_the_interval_has_a_bound() -> None:
    made, now = budget(BURST), 100.0
    for _ in range(6):
        now += 5.0
        empty(made, now)
    assert made.interval_s == LONGEST_INTERVAL_S
    assert made.is_lost(now, 0.0)


def test_one_silent_canary_is_a_lost_packet_when_the_next_is_answered_at_once() -> None:
    made = budget(2)
    assert empty(made, 100.3) == 0
    assert good(made, 100.6) == 1
    assert not made.limits


def test_a_silent_canary_is_a_lost_packet_where_the_rest_was_enough_before() -> None:
    made = budget(BURST)
    good(made, 101.06)
    assert empty(made, 102.2) == 1
    assert made.interval_s == pytest.approx(1.05)


def test_a_small_bucket_is_no_lost_packet() -> None:
    made = budget(3)
    assert [empty(made, at) for at in (100.3, 100.6)] == [0, 0]
    assert made.limits
    assert good(made, 102.2) == 0


# ------------------------------------------------------------------------------------------ how many silences


@pytest.mark.parametrize(
    ("seen", "late", "needed"),
    [(0, 0, FEWEST), (1, 0, 7), (5, 0, 5), (10, 0, 4), (19, 0, FEWEST), (1000, 0, FEWEST), (19, 1, 6), (20, 6, MOST)],
)
def test_silences_are_counted_by_what_gets_lost(seen: int, late: int, needed: int) -> None:
    assert silences_needed(seen, late) == needed


def test_who_answers_half_the_time_is_not_silent_by_bad_luck() -> None:
    assert silences_needed(10, 10) == MOST
