"""How often a silent port must be asked, by the SYNs that were lost on the way to ports that answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.loss import SYNS_PER_ATTEMPT, LossRecord, attempts_needed
from portcheck.engine.timing import TcpTiming

MOST = TcpTiming().most_attempts


@pytest.mark.parametrize(
    ("sent", "lost", "attempts"),
    [
        (0, 0, 2),
        (1, 0, 2),
        (100_000, 0, 2),
        # One lost SYN is loss, however many arrived.
        (100_000, 1, 3),
        (100, 5, 3),
        (100, 10, 3),
        (100, 20, 3),
        (100, 40, 5),
        (100, 60, 8),
        # Little is known, so the estimate leans to the bad side.
        (2, 1, 6),
        (4, 3, 8),
        (10, 9, 8),
    ],
)
def test_attempts_by_the_share_of_lost_syns(sent: int, lost: int, attempts: int) -> None:
    assert attempts_needed(sent, lost, MOST) == attempts


SYNS = st.integers(1, 10_000).flatmap(lambda sent: st.tuples(st.just(sent), st.integers(0, sent - 1)))


@given(syns=SYNS, most=st.integers(3, 50))
def test_never_fewer_than_two_attempts_and_never_more_than_the_most(syns: tuple[int, int], most: int) -> None:
    assert (3 if syns[1] else 2) <= attempts_needed(*syns, most) <= most


@given(syns=SYNS)
def test_more_loss_never_means_fewer_attempts(syns: tuple[int, int]) -> None:
    sent, lost = syns
    assert attempts_needed(sent, lost, MOST) <= attempts_needed(sent, min(lost + 1, sent - 1), MOST)


@given(syns=SYNS)
def test_a_port_that_answers_is_called_silent_once_in_ten_million(syns: tuple[int, int]) -> None:
    """At the share of lost SYNs that was measured, were there no limit of attempts."""
    sent, lost = syns
    needed = attempts_needed(sent, lost, 1_000_000)
    assert (lost / sent) ** (needed * SYNS_PER_ATTEMPT) <= 1e-7


def test_a_record_counts_what_came_before_each_answer() -> None:
    record = LossRecord()
    assert record.attempts_needed(MOST) == 2
    for syns in [1] * 50:
        record.note(syns)
    assert ((record.sent, record.lost), record.attempts_needed(MOST)) == ((50, 0), 2)
    record.note(3)
    assert ((record.sent, record.lost), record.attempts_needed(MOST)) == ((53, 2), 3)
