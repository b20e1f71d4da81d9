"""Silent ports behind a responder that limits its errors: what is asked, when, and what silence then comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from portcheck.engine.hearing import hear_path
from portcheck.engine.probe import PortState, Reason
from portcheck.engine.responders import Responder
from portcheck.engine.target import CLOSED, SILENT, Alike, Kind, Path, Target
from portcheck.engine.timing import TcpTiming
from tests.fake_engine import ROUTER, FakeEngine, answer, fall_silent, reject, target_of

REJECTED = Alike(PortState.FILTERED, Reason.ADMIN_PROHIBITED, ROUTER, (3, 13))
OPEN = Alike(PortState.OPEN, Reason.SYN_ACK)
LOST = Alike(PortState.UNKNOWN, Reason.LOST_CONTACT)
"""What a question comes to that was withdrawn."""
ROUTER6 = "2001:db8::ffff"
TIMING = TcpTiming(hearing_s=9.0)
"""Time for eight questions."""
SPACING_S = 1.1
"""A Linux router has a token a second over IPv4."""


def limited(number: int) -> Alike:
    """Linux rejects six at once."""
    return REJECTED if number < 6 else SILENT


@dataclass
class Router:
    """All targets behind it have been asked, and are waiting.

    Attributes:
        examples: ports that it had rejected, which were asked again at the end.
    """

    targets: Sequence[Target]
    timing: TcpTiming = TIMING
    engine: FakeEngine = field(default_factory=FakeEngine)
    done: list[Target] = field(default_factory=list)
    examples: list[tuple[str, int]] = field(default_factory=list)

    def hear(self, sounding: Callable[[int], Alike] = limited) -> Router:
        """End the path, a minute later; `sounding` is what each of the questions to rejected ports comes to."""
        self.engine.pass_time(60.0)
        path = self.targets[0].path
        path.waiting = [target for target in self.targets if target.silent_ports]
        hear_path(path, self.engine, self.timing, self.done.append)
        self.engine.pass_time(0.0)
        soundings = [question for question in self.engine.asked() if question[2] is Kind.SOUNDING]
        for number, (address, port, _) in enumerate(soundings):
            for responder in path.responders.values():
                rejected = {(target.address, example) for target, example in responder.examples}
                if sounding(number) is REJECTED and (address, port) in rejected:
                    responder.note_again(self.engine.time_s)
            self.engine.answer(sounding(number))
        return self

    def ask_alone(
        self, comes_to: Callable[[str, int], Alike] = lambda address, port: SILENT, example: Alike = REJECTED
    ) -> list[tuple[str, int]]:
        """Answer every question that is asked alone, and the `example` at the end; which the former were."""
        questions = []
        while len(self.done) < len([target for target in self.targets if target.waits]):
            assert self.engine.moments, "the hearing goes on"
            self.engine.pass_time(SPACING_S)
            if self.engine.asked():
                [(address, port, kind)] = self.engine.asked()
                if kind is Kind.SOUNDING:
                    self.examples.append((address, port))
                    self.engine.answer(example)
                    continue
                assert (kind, self.examples) == (Kind.ALONE, [])
                questions.append((address, port))
                self.engine.answer(comes_to(address, port))
        return questions


def behind(router: Path, number: int, rejected: int, silent: int, *, in_bulk: bool = False, by: str = ROUTER) -> Target:
    """A host with so many ports of each kind."""
    address = f"192.0.2.{number}"
    ports = range(1, rejected + silent + 1)
    target = target_of(*(((), ports) if in_bulk else (ports, ())), address=address, path=router)
    target.unasked()
    if rejected:
        reject(target, ports[:rejected], by)
    fall_silent(target, ports[rejected:])
    target.proven.add(target.pending)
    target.waits = bool(silent)
    return target


def answers(target: Target) -> dict[int, tuple[PortState, Reason]]:
    """What is kept of ports other than those that are still silent."""
    singly = {seen.probe.port: (seen.state, seen.reason) for seen in target.proven.observations}
    return singly | {port: alike[:2] for alike, of in target.proven.alike.items() for port in of.ports}


# ------------------------------------------------------------------------------- when silence needs no explanation


def test_without_a_responder_silence_is_silence() -> None:
    one = behind(Path(), 1, 0, 50)
    router = Router([one]).hear()
    assert (router.done, one.silence, router.engine.asked(), router.engine.moments) == ([one], SILENT, [], [])


@pytest.mark.parametrize(
    ("by", "rejected", "silent"),
    [(ROUTER, 13, 1), (ROUTER, 13, 500), (ROUTER, 100, 3), (ROUTER6, 18, 1), (ROUTER6, 18, 500)],
)
def test_who_showed_more_errors_than_linux_needs_no_hearing(by: str, rejected: int, silent: int) -> None:
    one = behind(Path(), 1, rejected, silent, by=by)
    router = Router([one]).hear()
    assert (router.done, one.silence, router.engine.asked(), router.engine.moments) == ([one], SILENT, [], [])


@pytest.mark.parametrize(
    ("by", "rejected", "silent"),
    [(ROUTER, 1, 1), (ROUTER, 3, 3), (ROUTER, 6, 3), (ROUTER, 12, 1), (ROUTER6, 6, 1), (ROUTER6, 17, 1)],
)
def test_of_others_even_few_silent_ports_are_heard(by: str, rejected: int, silent: int) -> None:
    one = behind(Path(), 1, rejected, silent, by=by)
    one.path.waiting = [one]
    router = Router([one])
    hear_path(one.path, router.engine, router.timing, router.done.append)
    router.engine.pass_time(0.0)
    assert (router.done, {kind for _, _, kind in router.engine.asked()}) == ([], {Kind.SOUNDING})


def known_only_from_decoys(target: Target, by: str = ROUTER) -> None:
    """It rejected decoys or canaries of this target, but none of the ports in question."""
    target.rejections[by] = answer(target, 60_000, REJECTED._replace(responder=by))
    for _ in range(2):
        target.path.responders.setdefault(by, Responder(by)).note_again(0.0)


def test_a_responder_known_only_from_decoys_holds_no_hearing() -> None:
    """There is nothing that it could be asked again."""
    path = Path()
    here, elsewhere = behind(path, 1, 0, 50), behind(path, 2, 0, 50)
    known_only_from_decoys(here)
    router = Router([here, elsewhere]).hear()
    assert (router.done, router.engine.asked(), router.engine.moments) == ([here, elsewhere], [], [])
    assert (here.silence, elsewhere.silence) == (SILENT, SILENT)


def test_another_responder_is_heard_in_its_place() -> None:
    path = Path()
    behind(path, 1, 6, 0)
    one = behind(path, 2, 0, 4)
    known_only_from_decoys(one, "198.51.100.1")
    router = Router([one]).hear()
    assert router.ask_alone() == [(one.address, port) for port in (1, 2, 3, 4)] * 2
    assert router.examples == [("192.0.2.1", 1)]


def test_silent_ports_of_all_hosts_behind_it_count_together() -> None:
    path = Path()
    hosts = [behind(path, number, 1, 2) for number in range(1, 5)]
    router = Router(hosts).hear()
    assert (router.done, len(router.engine.moments)) == ([], 1)


def test_a_host_that_rejects_its_own_ports_says_nothing_about_another() -> None:
    path = Path()
    own = behind(path, 1, 0, 50)
    reject(own, [100, 101], by=own.address)
    other = behind(path, 2, 0, 50)
    router = Router([own, other]).hear()
    assert router.done == [other]
    assert other.silence == SILENT


def test_neighbours_on_our_own_segment_have_no_router_that_rejects_for_them() -> None:
    path = Path()
    one = behind(path, 1, 6, 0)
    other = behind(path, 2, 0, 50)
    other.hop.gateway = None
    router = Router([one, other]).hear()
    assert (router.done, other.silence) == ([other], SILENT)


# ----------------------------------------------------------------------------------- first: does it limit anything?


def test_a_responder_that_answers_many_questions_at_once_does_not_limit() -> None:
    """Its silence about the other ports is no limit: they are dropped."""
    one = behind(Path(), 1, 6, 50)
    router = Router([one]).hear(lambda number: REJECTED)
    assert (router.done, one.silence, router.engine.asked(), router.engine.moments) == ([one], SILENT, [], [])


@pytest.mark.parametrize("comes_to", [SILENT, LOST])
def test_a_sounding_that_nobody_answers_shows_nothing(comes_to: Alike) -> None:
    one = behind(Path(), 1, 6, 4)
    router = Router([one]).hear(lambda number: comes_to)
    assert router.done == []
    assert len(router.ask_alone()) == 8


@pytest.mark.parametrize(("by", "questions"), [(ROUTER, 24), (ROUTER6, 34)])
def test_ports_that_it_rejected_are_asked_again_all_at_once(by: str, questions: int) -> None:
    path = Path()
    one, other = behind(path, 1, 3, 50, by=by), behind(path, 2, 3, 50, by=by)
    router = Router([one, other])
    path.waiting = [one, other]
    hear_path(path, router.engine, router.timing, router.done.append)
    router.engine.pass_time(0.0)
    asked = router.engine.asked()
    assert {kind for _, _, kind in asked} == {Kind.SOUNDING}
    assert {(address, port) for address, port, _ in asked} == {
        (target.address, port) for target in (one, other) for port in (1, 2, 3)
    }
    assert len(asked) == questions


# -------------------------------------------------------------------------------------------- then: one at a time


@pytest.mark.parametrize("in_bulk", [False, True])
@pytest.mark.parametrize(
    ("rejected", "silent", "rounds"),
    [
        # Linux's first burst would have been enough for all of them.
        (1, 1, 1),
        (1, 5, 1),
        (3, 3, 1),
        (5, 1, 1),
        # It would not.
        (6, 1, 2),
        (4, 3, 2),
        (6, 4, 2),
        (12, 4, 2),
    ],
)
def test_where_there_is_time_each_is_asked_alone(rejected: int, silent: int, rounds: int, in_bulk: bool) -> None:
    one = behind(Path(), 1, rejected, silent, in_bulk=in_bulk)
    router = Router([one]).hear()
    ports = list(range(rejected + 1, rejected + silent + 1))
    assert router.ask_alone() == [(one.address, port) for port in ports] * rounds
    # Asked alone it would have been rejected: it is dropped, and nothing of it is inferred.
    assert (router.done, one.silence, list(one.silent_port_numbers())) == ([one], SILENT, ports)


@pytest.mark.parametrize(
    ("rejected", "silent", "hearing_s"),
    [
        # Two rounds are ten questions, or twelve.
        (6, 5, 9.0),
        (1, 6, 9.0),
        # One round is five, or three.
        (1, 5, 5.0),
        (3, 3, 3.0),
    ],
)
def test_where_there_is_no_time_for_all_some_are_asked(rejected: int, silent: int, hearing_s: float) -> None:
    one = behind(Path(), 1, rejected, silent)
    router = Router([one], TcpTiming(hearing_s=hearing_s)).hear()
    assert router.ask_alone() == [(one.address, rejected + 1), (one.address, rejected + 2)]
    detail = f"seen on {rejected} of {rejected + silent} ports"
    assert one.silence == REJECTED._replace(inferred=True, detail=detail)


@pytest.mark.parametrize(("number", "rounds"), [(3, 1), (4, 2)])
def test_all_hosts_behind_it_share_the_first_burst(number: int, rounds: int) -> None:
    """Each has a port that was rejected, and a silent one."""
    path = Path()
    hosts = [behind(path, host, 1, 1) for host in range(1, number + 1)]
    assert Router(hosts).hear().ask_alone() == [(host.address, 2) for host in hosts] * rounds


@pytest.mark.parametrize("by", [ROUTER, ROUTER6])
def test_questions_leave_the_responder_time_for_a_token(by: str) -> None:
    """Also over IPv6: Linux's limit was one a second there once."""
    one = behind(Path(), 1, 6, 4, by=by)
    router = Router([one]).hear(lambda number: SILENT)
    router.engine.pass_time(SPACING_S - 0.01)
    assert router.engine.asked() == []
    router.engine.pass_time(0.02)
    assert len(router.engine.asked()) == 1
    router.engine.pass_time(SPACING_S - 0.02)
    assert len(router.engine.asked()) == 1
    router.engine.pass_time(0.02)
    assert len(router.engine.asked()) == 2


@pytest.mark.parametrize("in_bulk", [False, True])
@pytest.mark.parametrize("comes_to", [REJECTED, OPEN, CLOSED])
def test_a_port_that_answers_alone_is_silent_no_more(comes_to: Alike, in_bulk: bool) -> None:
    one = behind(Path(), 1, 6, 4, in_bulk=in_bulk)
    router = Router([one]).hear()
    questions = router.ask_alone(lambda address, port: comes_to if port == 8 else SILENT)
    assert questions.count((one.address, 8)) == 1
    assert answers(one)[8] == comes_to[:2]
    assert (list(one.silent_port_numbers()), one.silence) == ([7, 9, 10], SILENT)
    if not in_bulk:
        [seen] = [seen for seen in one.proven.observations if seen.probe.port == 8]
        # Two that were silent, and the one that was answered.
        assert [attempt.result for attempt in seen.attempts] == ["no-response", "no-response", comes_to.reason]


@pytest.mark.parametrize("comes_to", [SILENT, LOST])
def test_attempts_that_came_to_nothing_alone_are_evidence(comes_to: Alike) -> None:
    """A question that was withdrawn is no answer either: the port stays silent."""
    one = behind(Path(), 1, 6, 4)
    Router([one]).hear().ask_alone(lambda address, port: comes_to)
    assert [(asking.port, len(asking.attempts)) for asking in one.proven.silent] == [(7, 4), (8, 4), (9, 4), (10, 4)]
    assert not answers(one).keys() & {7, 8, 9, 10}


@pytest.mark.parametrize("hearing_s", [9.0, 20.0])
def test_questions_end_in_time(hearing_s: float) -> None:
    path = Path()
    hosts = [behind(path, number, int(number < 7), 50) for number in range(1, 31)]
    router = Router(hosts, TcpTiming(hearing_s=hearing_s)).hear()
    begun = router.engine.time_s
    assert len(router.ask_alone()) == int(hearing_s / SPACING_S)
    # The example at the end is one question more.
    assert router.engine.time_s - begun <= hearing_s + 3 * SPACING_S
    assert router.done == hosts


# --------------------------------------------------------------------------- at last: would it have been heard at all?


def test_a_port_that_it_rejected_is_asked_at_last() -> None:
    one = behind(Path(), 1, 6, 4)
    router = Router([one]).hear()
    for _ in range(8):
        router.engine.pass_time(SPACING_S)
        assert [kind for _, _, kind in router.engine.asked()] == [Kind.ALONE]
        router.engine.answer(SILENT)
    router.engine.pass_time(SPACING_S - 0.01)
    assert (router.engine.asked(), router.done) == ([], [])
    router.engine.pass_time(0.02)
    assert (router.engine.asked(), router.done) == ([(one.address, 1, Kind.SOUNDING)], [])
    router.engine.answer(REJECTED)
    assert (router.done, router.engine.asked()) == ([one], [])
    router.engine.pass_time(60.0)
    assert (router.done, router.engine.asked()) == ([one], [])


@pytest.mark.parametrize(
    ("example", "counts"),
    [
        (REJECTED, True),
        (SILENT, False),
        (LOST, False),
        (OPEN, False),
        (CLOSED, False),
        (REJECTED._replace(responder="198.51.100.1"), False),
    ],
)
@pytest.mark.parametrize(("rejected", "silent"), [(3, 3), (6, 4)])
def test_a_hearing_counts_when_its_example_is_rejected_again(
    rejected: int, silent: int, example: Alike, counts: bool
) -> None:
    """Else a rejection would not have been heard either: the silent ports are not called dropped."""
    one = behind(Path(), 1, rejected, silent)
    router = Router([one]).hear()
    router.ask_alone(example=example)
    inferred = REJECTED._replace(inferred=True, detail=f"seen on {rejected} of {rejected + silent} ports")
    assert (router.done, one.silence) == ([one], SILENT if counts else inferred)
    assert router.examples == [(one.address, 1)]


MAY_BE_A_REJECTION = SILENT._replace(detail=f"{ROUTER} limits its ICMP errors, so this may be a rejection")
ASKED_ALONE = SILENT._replace(detail=f"{ROUTER} limits its ICMP errors; some of these ports were asked alone")
NOBODY_KNOWS = Alike(PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED, ROUTER)


@pytest.mark.parametrize(
    ("silent", "alive", "example", "comes_to"),
    [
        # All of them were asked.
        (4, 0, REJECTED, SILENT),
        (4, 1, REJECTED, SILENT),
        (4, 0, SILENT, MAY_BE_A_REJECTION),
        (4, 1, SILENT, NOBODY_KNOWS),
        # Some of them were.
        (50, 0, REJECTED, ASKED_ALONE),
        (50, 1, REJECTED, ASKED_ALONE),
        (50, 0, SILENT, MAY_BE_A_REJECTION),
        (50, 1, SILENT, NOBODY_KNOWS),
    ],
)
def test_without_its_example_nobody_counts_as_asked(silent: int, alive: int, example: Alike, comes_to: Alike) -> None:
    path = Path()
    behind(path, 1, 6, 0)
    one = behind(path, 2, 0, silent)
    one.answers = alive
    assert Router([one]).hear().ask_alone(example=example)
    assert one.silence == comes_to


# ------------------------------------------------------------------------------------- too many: what is inferred


def test_silent_ports_where_it_was_sighted_are_inferred_to_be_rejected() -> None:
    one = behind(Path(), 1, 6, 94)
    router = Router([one]).hear()
    router.ask_alone()
    assert one.silence == REJECTED._replace(inferred=True, detail="seen on 6 of 100 ports")


def test_what_was_rejected_alone_counts_among_the_ports_it_was_seen_on() -> None:
    one = behind(Path(), 1, 6, 94)
    router = Router([one]).hear()

    def comes_to(address: str, port: int) -> Alike:
        one.path.responders[ROUTER].note(address, (one, port), router.engine.time_s)
        return REJECTED

    assert len(router.ask_alone(comes_to)) == 2
    assert one.silence.detail == "seen on 8 of 100 ports"


def test_a_host_at_which_it_was_not_sighted_is_asked_first() -> None:
    path = Path()
    sighted, quiet, alive = (behind(path, number, *ports) for number, ports in enumerate([(6, 50), (0, 50), (0, 50)]))
    alive.answers = 1
    router = Router([sighted, quiet, alive], TcpTiming(hearing_s=2.5)).hear()
    assert router.ask_alone() == [(alive.address, 1), (quiet.address, 1)]


def test_what_silence_comes_to_where_it_was_not_sighted() -> None:
    """Nobody knows where nothing was asked alone: least where the host is known to be there."""
    path = Path()
    sighted, alive, mute = (behind(path, number, 6 if number == 1 else 0, 50) for number in (1, 2, 3))
    alive.answers = 1
    assert Router([sighted, alive, mute], replace(TIMING, hearing_s=0.0)).hear().ask_alone() == []
    assert sighted.silence == REJECTED._replace(inferred=True, detail="seen on 6 of 56 ports")
    assert (alive.silence, mute.silence) == (NOBODY_KNOWS, MAY_BE_A_REJECTION)


def test_what_is_silent_alone_is_dropped_though_not_all_its_ports_were_asked() -> None:
    path = Path()
    behind(path, 1, 6, 0)
    one = behind(path, 2, 0, 50)
    assert Router([one]).hear().ask_alone() == [(one.address, 1), (one.address, 2)]
    assert one.silence == ASKED_ALONE


def test_two_responders_on_one_path_are_heard_separately() -> None:
    path = Path()
    one, other = behind(path, 1, 6, 4), behind(path, 2, 0, 4)
    reject(other, range(100, 106), by=other.address)
    router = Router([one, other]).hear()
    router.engine.pass_time(SPACING_S)
    assert sorted(router.engine.asked()) == [(one.address, 7, Kind.ALONE), (other.address, 1, Kind.ALONE)]
