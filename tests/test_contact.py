"""Does the host still talk to us? What happens when a canary answers, is silent, comes back, or does not in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import pytest

from portcheck.engine.contact import Contact
from portcheck.engine.own_network import RouteKey
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import OWN_ROUTE_LOST, PortState, Reason
from portcheck.engine.target import CLOSED, SILENT, Alike, Kind, Target
from portcheck.engine.timing import TcpTiming
from tests.fake_engine import ADDRESS, ROUTER, FakeEngine, answer, attempt, fall_silent, target_of

OPEN = Alike(PortState.OPEN, Reason.SYN_ACK)
REJECTED = Alike(PortState.FILTERED, Reason.ADMIN_PROHIBITED, ROUTER, (3, 13))
UNREACHED = Alike(PortState.UNKNOWN, Reason.NO_ROUTE)
TIMING = TcpTiming(canary_after_s=5.0, recheck_after_s=5.0, patience_s=60.0)
ROUTE = RouteKey(ROUTER, 2, "192.0.2.77")


class NotedPace(Pace):
    """Notes the addresses that are slowed down."""

    def __init__(self, slowed: list[str]) -> None:
        super().__init__(Speed.FAST)
        self._slowed = slowed

    def slow_down(self, address: str) -> None:
        self._slowed.append(address)


@dataclass
class Asked:
    """A host whose contact is under test."""

    target: Target
    timing: TcpTiming = TIMING
    engine: FakeEngine = field(default_factory=FakeEngine)
    told: list[str] = field(default_factory=list)
    slowed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contact = Contact(self.engine, self.timing, NotedPace(self.slowed), self.told.append)

    def note(self, *canaries: tuple[int, PortState]) -> Asked:
        """These ports answered."""
        for port, state in canaries:
            self.contact.note(self.target, port, state, self.engine.time_s)
        return self

    def prove(self) -> bool:
        return self.contact.prove(self.target, self.engine.time_s)

    def lose(self) -> Asked:
        """Its only canary fell silent, 12.3 s after the start."""
        self.engine.pass_time(12.3)
        self.note((22, PortState.OPEN))
        assert self.prove()
        self.engine.answer(SILENT)
        assert self.target.lost == "answered until 12.3 s"
        return self

    def proven(self) -> list[int]:
        return sorted(self.target.proven.ports())

    def to_be_asked(self) -> list[int]:
        return sorted(port for current in self.target.rounds for port in current.left)


def asked(ports: Sequence[int] = (1, 2), in_bulk: Sequence[int] = (1001, 1002), timing: TcpTiming = TIMING) -> Asked:
    """All its ports were asked, and were silent."""
    target = target_of([*ports, 7, 8, 22], in_bulk)
    target.unasked()
    fall_silent(target, [*ports, *in_bulk])
    return Asked(target, timing)


# -------------------------------------------------------------------------------------------------- the canaries

IS_OPEN, REFUSES = PortState.OPEN, PortState.CLOSED


@pytest.mark.parametrize(
    ("answers", "canaries"),
    [
        ([], []),
        ([(1, REFUSES)], [(1, REFUSES)]),
        ([(1, REFUSES), (2, REFUSES), (3, REFUSES), (4, REFUSES)], [(1, REFUSES), (2, REFUSES), (3, REFUSES)]),
        # An open port is the better one: a firewall may go on refusing for a host that is gone.
        ([(1, REFUSES), (2, REFUSES), (3, IS_OPEN)], [(3, IS_OPEN)]),
        ([(3, IS_OPEN), (1, REFUSES)], [(3, IS_OPEN)]),
        ([(3, IS_OPEN), (3, IS_OPEN), (4, IS_OPEN)], [(3, IS_OPEN), (4, IS_OPEN)]),
    ],
)
def test_which_ports_serve_as_canaries(
    answers: list[tuple[int, PortState]], canaries: list[tuple[int, PortState]]
) -> None:
    assert Asked(target_of([1])).note(*answers).target.canaries == canaries


def silent_singly(target: Target) -> None:
    fall_silent(target, [1])


def silent_in_bulk(target: Target) -> None:
    fall_silent(target, [1001])


def rejected(target: Target) -> None:
    target.keep(answer(target, 1, REJECTED), target.pending)


def refused(target: Target) -> None:
    target.refused_in_bulk.ports.append(1001)


def nothing(target: Target) -> None:
    pass


@pytest.mark.parametrize(
    ("canary", "pending", "flows", "is_asked"),
    [
        (IS_OPEN, silent_singly, 2, True),
        (IS_OPEN, silent_in_bulk, 2, True),
        (REFUSES, silent_singly, 2, True),
        (REFUSES, silent_in_bulk, 2, True),
        # A ban may also reject or refuse; but nobody bans for so few connections.
        (IS_OPEN, rejected, 18, True),
        (IS_OPEN, refused, 18, True),
        (IS_OPEN, rejected, 17, False),
        (IS_OPEN, refused, 17, False),
        (REFUSES, rejected, 18, True),
        # Refused before, refused since: a canary would say nothing more.
        (REFUSES, refused, 1000, False),
        (IS_OPEN, nothing, 1000, False),
        (None, silent_singly, 1000, False),
    ],
)
def test_what_has_to_be_proven(
    canary: PortState | None, pending: Callable[[Target], None], flows: int, is_asked: bool
) -> None:
    one = Asked(target_of([1], [1001]))
    one.target.unasked()
    if canary is not None:
        one.note((22, canary))
    one.target.flows = flows
    pending(one.target)
    ports = [*one.target.pend().ports()]
    assert one.prove() is is_asked
    assert one.engine.asked() == ([(ADDRESS, 22, Kind.CANARY)] if is_asked else [])
    # Nothing is believed before it is proven, and nothing is left lying where nothing needs proof.
    assert one.proven() == ([] if is_asked else ports)
    assert list(one.target.questioned.ports()) == (ports if is_asked else [])
    assert list(one.target.pend().ports()) == []


def test_our_own_addresses_need_no_proof() -> None:
    one = Asked(target_of([1], own=True)).note((22, IS_OPEN))
    fall_silent(one.target, [1])
    assert not one.prove()
    assert (one.engine.asked(), one.proven()) == ([], [1])


def test_a_long_round_is_interrupted_by_a_canary_now_and_then() -> None:
    one = asked().note((22, IS_OPEN))
    begun = one.engine.time_s
    assert [one.contact.is_due(one.target, begun + s) for s in (0.0, 4.9)] == [False, False]
    assert one.contact.is_due(one.target, begun + 5.0)
    assert one.engine.asked() == [(ADDRESS, 22, Kind.CANARY)]
    # One at a time.
    assert not one.contact.is_due(one.target, begun + 100.0)
    one.engine.pass_time(6.0)
    one.engine.answer(OPEN)
    fall_silent(one.target, [3])
    assert [one.contact.is_due(one.target, begun + s) for s in (10.9, 11.0)] == [False, True]


def test_no_canary_is_due_where_none_is_known() -> None:
    one = asked()
    assert not one.contact.is_due(one.target, one.engine.time_s + 1000)


# ----------------------------------------------------------------------------------------------- what it comes to


@pytest.mark.parametrize(
    ("before", "now", "believed"),
    [
        (IS_OPEN, OPEN, True),
        (REFUSES, CLOSED, True),
        # Somebody started a service: the host is there.
        (REFUSES, OPEN, True),
        (IS_OPEN, SILENT, False),
        (REFUSES, SILENT, False),
        # A ban by a reset or an ICMP error.
        (IS_OPEN, CLOSED, False),
        (IS_OPEN, REJECTED, False),
        (REFUSES, REJECTED, False),
        (IS_OPEN, UNREACHED, False),
        (REFUSES, UNREACHED, False),
        (IS_OPEN, Alike(PortState.UNKNOWN, Reason.RESET_AFTER_HANDSHAKE), False),
    ],
)
def test_what_a_canary_proves(before: PortState, now: Alike, believed: bool) -> None:
    one = asked().note((22, before))
    assert one.prove()
    one.target.doubted = True
    one.engine.answer(now)
    assert one.proven() == ([1, 2, 1001, 1002] if believed else [])
    assert (one.target.lost is None) is believed
    assert one.to_be_asked() == ([] if believed else [1, 2, 1001, 1002])
    assert not one.target.doubted
    assert one.engine.resumed == ([one.target] if believed else [])


def test_another_canary_may_answer_in_its_place() -> None:
    """A service that stopped in the meantime is no lost host."""
    one = asked().note((22, IS_OPEN), (80, IS_OPEN), (443, IS_OPEN))
    assert one.prove()
    for port in (22, 80, 443):
        assert one.engine.asked() == [(ADDRESS, port, Kind.CANARY)]
        one.engine.answer(SILENT if port != 443 else OPEN)
    assert (one.target.lost, one.told, one.proven()) == (None, [], [1, 2, 1001, 1002])


def test_what_is_answered_while_the_canary_is_under_way_is_not_proven_by_it() -> None:
    """It was sent before they were."""
    one = asked().note((22, IS_OPEN))
    assert one.prove()
    fall_silent(one.target, [3])
    one.engine.answer(OPEN)
    assert (one.proven(), list(one.target.pend().ports())) == ([1, 2, 1001, 1002], [3])


# ------------------------------------------------------------------------------------------------- when it is lost


def test_everything_that_is_not_proven_is_asked_anew() -> None:
    one = asked().note((22, IS_OPEN))
    one.target.proven.count(CLOSED, [1000], 1)
    one.engine.begin(one.target, 7, [attempt()])
    one.engine.begin(one.target, 1007, [attempt()])
    one.target.ask_again(0, [1009])
    assert one.prove()
    one.target.keep(answer(one.target, 8, REJECTED), one.target.pending)
    one.target.refused_in_bulk.ports.append(1008)
    one.engine.answer(SILENT)
    assert one.to_be_asked() == [1, 2, 7, 8, 1001, 1002, 1007, 1008, 1009]
    assert one.proven() == [1000]
    # Asked first, before what was never asked.
    assert one.target.rounds[-1].left.tolist() == [1009]
    assert one.engine.decided == -6
    # Earlier attempts are evidence; those of a sweep were only counted.
    assert {port: len(attempts) for port, attempts in one.target.earlier.items()} == {1: 2, 2: 2, 7: 1, 8: 1}
    assert one.engine.asked() == []


def test_contact_that_is_lost_already_is_not_lost_again() -> None:
    """Connections that were on their way find the route gone, one after the other."""
    one = asked().note((22, IS_OPEN))
    for port in (7, 8):
        one.engine.begin(one.target, port)
        one.contact.lose(one.target, OWN_ROUTE_LOST, one.engine.time_s)
    assert one.to_be_asked() == [1, 2, 7, 8, 1001, 1002]
    assert (len(one.told), one.target.losses, one.engine.decided) == (1, 1, -4)


@pytest.mark.parametrize(
    ("patience_s", "said"),
    [(60.0, "for 60 s at most"), (inf, "until the deadline")],
)
def test_the_user_is_told_once(patience_s: float, said: str) -> None:
    one = asked(timing=replace(TIMING, patience_s=patience_s)).lose()
    assert one.told == [f"No contact with {ADDRESS} (answered until 12.3 s): waiting for it {said}"]


def test_a_host_that_answered_in_an_earlier_run_only() -> None:
    one = asked()
    one.target.canaries.append((22, IS_OPEN))
    assert one.prove()
    one.engine.answer(SILENT)
    assert one.target.lost == "answered in the earlier run"


def test_a_lost_host_is_asked_again_until_it_answers() -> None:
    one = asked().lose()
    for _ in range(3):
        one.engine.pass_time(4.9)
        assert one.engine.asked() == []
        one.engine.pass_time(0.2)
        assert one.engine.asked() == [(ADDRESS, 22, Kind.CANARY)]
        # It takes a while to be silent; meanwhile nobody asks a second time.
        one.engine.pass_time(5.0)
        assert one.engine.asked() == [(ADDRESS, 22, Kind.CANARY)]
        one.engine.answer(SILENT)
    one.engine.pass_time(5.0)
    one.engine.answer(OPEN)
    assert one.target.lost is None
    assert one.told[1:] == [f"{ADDRESS} answers again: going on with it, more slowly"]
    assert one.slowed == [ADDRESS]
    assert one.engine.resumed == [one.target]
    assert one.to_be_asked() == [1, 2, 1001, 1002]


def test_the_canaries_take_turns_at_a_lost_host() -> None:
    """Also when one of them is gone for good."""
    one = asked().note((80, IS_OPEN), (443, IS_OPEN))
    assert one.prove()
    one.engine.answer(SILENT)
    one.engine.answer(SILENT)
    which = []
    for _ in range(4):
        one.engine.pass_time(5.1)
        which += [port for _, port, _ in one.engine.asked()]
        one.engine.answer(SILENT)
    assert set(which) == {80, 443}


def test_patience_ends() -> None:
    one = asked(timing=replace(TIMING, recheck_after_s=7.0)).lose()
    one.engine.begin(one.target, 22)
    while one.engine.time_s < 1071:
        one.engine.pass_time(1.0)
        if one.engine.questions:
            one.engine.answer(SILENT)
    assert one.proven() == []
    one.engine.pass_time(2.0)
    lost = Alike(PortState.UNKNOWN, Reason.LOST_CONTACT, detail="answered until 12.3 s")
    assert one.proven() == [1, 2, 22, 1001, 1002]
    assert [(o.state, o.reason, o.detail) for o in one.target.proven.observations] == [(*lost[:2], lost.detail)] * 3
    assert {o.probe.port: len(o.attempts) for o in one.target.proven.observations} == {1: 2, 2: 2, 22: 0}
    assert {alike: sorted(of.ports) for alike, of in one.target.proven.alike.items()} == {lost: [1001, 1002]}
    assert (one.to_be_asked(), one.target.asking, one.engine.settled) == ([], set(), [one.target])
    # Four were decided, then asked again; the one under way was never decided before.
    assert one.engine.decided == -4 + 5
    # Nothing more is asked of it.
    one.target.settled = True
    one.engine.pass_time(1000.0)
    assert one.engine.asked() == []


def test_with_a_deadline_patience_never_ends() -> None:
    one = asked(timing=replace(TIMING, patience_s=inf)).lose()
    for _ in range(100):
        one.engine.pass_time(50.0)
        one.engine.answer(SILENT)
    assert (one.proven(), one.to_be_asked()) == ([], [1, 2, 1001, 1002])
    one.engine.pass_time(5.0)
    one.engine.answer(OPEN)
    assert one.target.lost is None


def test_patience_begins_anew_with_each_loss() -> None:
    one = asked().lose()
    one.engine.pass_time(50.0)
    one.engine.answer(OPEN)
    one.target.unasked()
    fall_silent(one.target, [1])
    assert one.prove()
    one.engine.answer(SILENT)
    assert one.target.lost is not None
    one.engine.pass_time(30.0)
    assert (one.proven(), one.to_be_asked()) == ([], [1])
    one.engine.pass_time(40.0)
    assert one.proven() == [1]


def test_a_host_that_keeps_falling_silent_is_left_alone() -> None:
    one = asked()
    for loss in range(1, 5):
        one.note((22, IS_OPEN))
        assert one.prove()
        one.engine.answer(SILENT)
        if loss < 4:
            assert (one.target.losses, one.proven()) == (loss, [])
            one.engine.pass_time(5.0)
            one.engine.answer(OPEN)
            assert one.target.lost is None
            fall_silent(one.target, sorted(one.target.unasked()))
    assert one.proven() == [1, 2, 1001, 1002]
    reasons = Counter(o.reason for o in one.target.proven.observations)
    assert (reasons, [alike.reason for alike in one.target.proven.alike]) == (
        {Reason.LOST_CONTACT: 2},
        [Reason.LOST_CONTACT],
    )
    # Told of the first loss only, and of each return.
    assert [sentence.split()[0] for sentence in one.told] == ["No", ADDRESS, ADDRESS, ADDRESS]


# ------------------------------------------------------------------------------------------- our own way is gone


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> list[RouteKey | None]:
    """The way to the host, now."""
    now: list[RouteKey | None] = [None]
    monkeypatch.setattr("portcheck.engine.contact.route_fingerprint", lambda address, source=None: now[0])
    return now


def test_without_a_canary_the_route_itself_tells(route: list[RouteKey | None]) -> None:
    one = asked()
    one.target.route = ROUTE
    one.contact.lose(one.target, OWN_ROUTE_LOST, one.engine.time_s)
    one.engine.pass_time(20.0)
    assert (one.target.lost, one.engine.asked()) == (OWN_ROUTE_LOST, [])
    route[0] = other = ROUTE._replace(source="192.0.2.78")
    one.engine.pass_time(5.0)
    assert (one.target.lost, one.target.route) == (None, other)
    # Nobody banned us.
    assert one.slowed == []
    assert one.told[1:] == [f"{ADDRESS} answers again: going on with it"]
    assert one.engine.resumed == [one.target]


def test_a_route_is_not_enough_where_there_is_a_canary(route: list[RouteKey | None]) -> None:
    one = asked().note((22, IS_OPEN))
    one.target.route = route[0] = ROUTE
    one.contact.lose(one.target, OWN_ROUTE_LOST, one.engine.time_s)
    one.engine.pass_time(5.0)
    assert one.engine.asked() == [(ADDRESS, 22, Kind.CANARY)]
    one.engine.answer(UNREACHED)
    assert one.target.lost == OWN_ROUTE_LOST


def test_a_recheck_does_nothing_at_a_host_that_is_not_lost() -> None:
    one = asked().note((22, IS_OPEN))
    one.contact.recheck(one.target, one.engine.time_s)
    assert (one.engine.asked(), one.told) == ([], [])
