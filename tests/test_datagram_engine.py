"""What the datagram engine reports, on networks in virtual time."""

from __future__ import annotations

import errno
from unittest import mock

import pytest

from portcheck.engine import datagram
from portcheck.engine.addresses import SockAddr
from portcheck.engine.channels import Arrived, Inbox
from portcheck.engine.datagram import DatagramTiming
from portcheck.engine.probe import (
    Answered,
    DatagramSet,
    Observation,
    PortState,
    Question,
    Reason,
    Tally,
    Transport,
)
from tests import simulated
from tests.simulated import US, Bucket, Host, Network, Outcome, Router, SimulatedChannel, ask, questions

A, B = "10.0.1.1", "10.0.1.2"
UDP = Transport.UDP


def one(host: Host, question: Question, address: str = A, **options: object) -> Observation:
    """What one question to one host comes to."""
    outcome = ask(Network({address: host}), [DatagramSet(address, (question,))], **options)  # type: ignore[arg-type]
    [seen] = outcome.answers
    assert isinstance(seen, Observation)
    return seen


# -------------------------------------------------------------------------------------------------- verdicts


def test_a_reply_is_open() -> None:
    seen = one(Host(open={53: 0.0}), Question(UDP, 53, (b"question",)))
    assert (seen.state, seen.reason, seen.flaky, seen.detail) == (PortState.OPEN, Reason.UDP_RESPONSE, False, None)
    assert seen.reply is not None
    assert (seen.reply.data, seen.reply.address, seen.reply.port, seen.reply.payload) == (b"yes", A, 53, 0)
    assert seen.rtt_ms == pytest.approx(1.0, abs=0.1)
    [attempt] = seen.attempts
    assert (attempt.result, attempt.syns, attempt.source_address) == ("udp-response", 1, "10.0.0.1")


def test_a_slow_reply_is_open() -> None:
    seen = one(Host(open={1812: 1.0}), Question(UDP, 1812))
    assert seen.state is PortState.OPEN
    assert not seen.flaky, "nothing got lost"


def test_an_error_of_the_host_itself_is_closed() -> None:
    seen = one(Host(), Question(UDP, 9))
    assert (seen.state, seen.reason, seen.responder, seen.icmp) == (
        PortState.CLOSED,
        Reason.PORT_UNREACH,
        A,
        (3, 3),
    )


@pytest.mark.parametrize(
    ("icmp", "reason"),
    [
        ((3, 13), Reason.ADMIN_PROHIBITED),
        ((3, 3), Reason.PORT_UNREACH),
        ((3, 2), Reason.PROTO_UNREACH),
        ((3, 1), Reason.HOST_UNREACH),
        ((3, 0), Reason.NET_UNREACH),
    ],
)
def test_an_error_of_somebody_else_is_filtered(icmp: tuple[int, int], reason: Reason) -> None:
    seen = one(Host(rejected={9: Router("10.0.0.254", icmp)}), Question(UDP, 9))
    assert (seen.state, seen.reason, seen.responder, seen.icmp) == (PortState.FILTERED, reason, "10.0.0.254", icmp)


def test_another_error_of_the_host_itself_is_filtered() -> None:
    seen = one(Host(rejected={9: Router(A, (3, 13))}), Question(UDP, 9))
    assert (seen.state, seen.reason, seen.responder) == (PortState.FILTERED, Reason.ADMIN_PROHIBITED, A)
    assert seen.rejected_by_target


def test_silence_of_a_host_that_reports_closed_ports() -> None:
    seen = one(Host(silent=frozenset({514})), Question(UDP, 514))
    assert (seen.state, seen.reason, seen.detail) == (PortState.OPEN_FILTERED, Reason.NO_RESPONSE, "icmp-alive")
    assert len(seen.attempts) >= 3
    assert {attempt.result for attempt in seen.attempts} == {"no-response"}


def test_silence_of_a_host_that_reports_nothing() -> None:
    outcome = ask(Network({A: Host(mute=True, open={53: 0.0})}), [DatagramSet(A, questions([53, 514]))])
    seen = outcome.by_port()[A, 514]
    assert (seen.state, seen.detail) == (PortState.OPEN_FILTERED, "icmp-mute")
    assert outcome.took_s < 4


def test_no_sign_of_life_is_waited_for_longer_than_a_search_for_a_neighbour_takes() -> None:
    outcome = ask(Network({A: Host(absent=True)}), [DatagramSet(A, questions([53]))])
    assert 3.2 < outcome.took_s < 6


def test_what_a_router_says_about_the_host_holds_for_its_silent_ports() -> None:
    router = Router("10.0.0.254", (3, 1), Bucket(1, 100.0))
    outcome = ask(Network({A: Host(rejects_all=router)}), [DatagramSet(A, questions(range(1, 6)))])
    assert {(seen.state, seen.reason, seen.responder) for seen in outcome.by_port().values()} == {
        (PortState.FILTERED, Reason.HOST_UNREACH, "10.0.0.254")
    }
    assert sorted(seen.inferred for seen in outcome.by_port().values()) == [False, True, True, True, True]


def test_a_reply_from_another_address_of_the_host() -> None:
    seen = one(Host(open={53: 0.0}, from_other="10.0.9.9"), Question(UDP, 53))
    assert (seen.state, seen.detail) == (PortState.OPEN, "replied from 10.0.9.9")
    assert seen.reply is not None
    assert seen.reply.address == "10.0.9.9"


def test_a_reply_from_another_address_answers_only_for_the_host_that_was_asked() -> None:
    """A and B are one machine that answers from A, and A itself is behind a firewall."""
    hosts = {A: Host(dropped=frozenset({53})), B: Host(open={53: 0.0}, from_other=A)}
    seen = ask(Network(hosts), [DatagramSet(address, questions([53])) for address in hosts]).by_port()
    assert seen[A, 53].state is PortState.OPEN_FILTERED
    assert (seen[B, 53].state, seen[B, 53].detail) == (PortState.OPEN, f"replied from {A}")


def test_a_late_reply_is_better_than_an_error() -> None:
    """A router rejects, and a copy of the datagram arrives all the same."""

    class Both(Host):
        pass

    host = Both(open={53: 0.2}, silent=frozenset({54}))
    network = Network({A: host})
    outcome = ask(network, [DatagramSet(A, questions([53, 54]))])
    assert outcome.by_port()[A, 53].state is PortState.OPEN


# ------------------------------------------------------------------------------------------------- repetition


def test_every_repetition_takes_the_next_request_and_the_last_again() -> None:
    network = Network({A: Host(silent=frozenset({161}))})
    ask(network, [DatagramSet(A, (Question(UDP, 161, (b"v3", b"v2c")),))])
    sent = [payload for _, _, port, payload in network.sent if port == 161]
    assert sent[:3] == [b"v3", b"v2c", b"v2c"]


def test_every_request_is_tried() -> None:
    requests = tuple(bytes([number]) for number in range(9))
    network = Network({A: Host(silent=frozenset({161}), open={1: 0.0})})
    ask(network, [DatagramSet(A, (Question(UDP, 161, requests), *questions([1])))])
    assert {payload for _, _, port, payload in network.sent if port == 161} == set(requests)


def test_an_answer_to_a_repetition_is_flaky() -> None:
    network = Network({A: Host(open=dict.fromkeys(range(1, 41), 0.0))}, loss=0.2)
    seen = ask(network, [DatagramSet(A, questions(range(1, 41)))]).by_port().values()
    assert {one.state for one in seen} == {PortState.OPEN}
    flaky = [one for one in seen if one.flaky]
    assert flaky
    for each in flaky:
        assert len(each.attempts) > 1
        assert each.rtt_ms is None
        assert each.reply is not None


def test_canaries_are_never_ports_in_question() -> None:
    network = Network({A: Host(mute=True)})
    with mock.patch.object(datagram, "_GUESSES", range(50000, 50003)):
        ask(network, [DatagramSet(A, questions([50000, 50001, 53]))])
    assert {port for _, _, port, payload in network.sent if payload} == {50002}


def test_when_every_port_is_in_question_there_is_no_canary() -> None:
    network = Network({A: Host(mute=True)})
    with mock.patch.object(datagram, "_GUESSES", range(50000, 50003)):
        outcome = ask(network, [DatagramSet(A, questions(range(50000, 50003)))])
    assert {seen.detail for seen in outcome.by_port().values()} == {"icmp-mute"}
    assert {payload for _, _, _, payload in network.sent} == {b""}


# ------------------------------------------------------------------------------------------------- in bulk


def test_swept_ports_are_tallied_and_open_ones_are_reported_singly() -> None:
    host = Host(open={5: 0.0}, silent=frozenset({6, 7}), rejected={8: Router("10.0.0.254")})
    answers = ask(Network({A: host}), [DatagramSet(A, questions(range(1, 11), in_bulk=True))]).answers
    singles = [seen for seen in answers if isinstance(seen, Observation)]
    tallies = {(seen.state, seen.responder): seen for seen in answers if isinstance(seen, Tally)}
    assert [seen.probe.port for seen in singles] == [5]
    assert {key: sorted(tally.ports) for key, tally in tallies.items()} == {
        (PortState.CLOSED, A): [1, 2, 3, 4, 9, 10],
        (PortState.OPEN_FILTERED, None): [6, 7],
        (PortState.FILTERED, "10.0.0.254"): [8],
    }
    assert all(tally.transport is UDP and tally.syns >= len(tally.ports) for tally in tallies.values())


# ------------------------------------------------------------------------------------- neither TCP nor UDP


ECHO = Question(Transport.ICMP, 0, (b"\x08\x00\x00\x00\x00\x00\x00\x01",))


def test_an_echo_reply_is_open() -> None:
    seen = one(Host(), ECHO)
    assert (seen.state, seen.reason, seen.probe.port) == (PortState.OPEN, Reason.ECHO_REPLY, 0)


def test_no_echo_reply_is_filtered() -> None:
    seen = one(Host(echoes=False), ECHO)
    assert (seen.state, seen.reason, seen.detail) == (PortState.FILTERED, Reason.NO_RESPONSE, None)


@pytest.mark.parametrize(("address", "icmp"), [(A, (3, 2)), ("fd00::1", (4, 1))])
@pytest.mark.parametrize("transport", [Transport.GRE, Transport.ESP, Transport.AH])
def test_a_protocol_that_the_host_does_not_speak(transport: Transport, address: str, icmp: tuple[int, int]) -> None:
    seen = one(Host(), Question(transport, 0, (b"packet",)), address)
    assert (seen.state, seen.reason, seen.icmp) == (PortState.CLOSED, Reason.PROTO_UNREACH, icmp)


def test_a_protocol_that_the_host_answers() -> None:
    seen = one(Host(protocols=frozenset({Transport.GRE})), Question(Transport.GRE, 0, (b"packet",)))
    assert (seen.state, seen.reason) == (PortState.OPEN, Reason.PROTO_RESPONSE)


def test_a_protocol_that_is_dropped() -> None:
    seen = one(Host(dropped=frozenset({0})), Question(Transport.ESP, 0, (b"packet",)))
    assert (seen.state, seen.reason, seen.detail) == (PortState.OPEN_FILTERED, Reason.NO_RESPONSE, "icmp-alive")


@pytest.mark.parametrize("transport", [Transport.ICMP, Transport.GRE])
def test_a_privilege_that_is_missing(transport: Transport) -> None:
    seen = one(Host(), Question(transport, 0, (b"packet",)), lacks=frozenset({transport}))
    assert (seen.state, seen.reason, seen.detail) == (PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, "CAP_NET_RAW")
    assert seen.attempts == ()


# ---------------------------------------------------------------------------------------------- which socket


def made_for(outcome: Outcome) -> list[tuple[str, Transport, int | None]]:
    return outcome.channels.made


def test_every_address_has_one_socket_and_private_questions_have_their_own() -> None:
    host = Host(open=dict.fromkeys(range(1, 6), 0.0))
    asked = (*questions([1, 2, 3]), *questions([4, 5], private=True))
    outcome = ask(Network({A: host, B: host}), [DatagramSet(A, asked), DatagramSet(B, questions([1]))])
    assert sorted(made_for(outcome)) == [(A, UDP, None)] * 3 + [(B, UDP, None)]


def test_a_source_port_is_shared_by_all_who_need_it() -> None:
    host = Host(open={67: 0.0})
    sets = [DatagramSet(address, (Question(UDP, 67, source_port=68),)) for address in (A, B)]
    outcome = ask(Network({A: host, B: host}), sets)
    assert [port for _, _, port in made_for(outcome)] == [68]
    assert {seen.attempts[0].source_port for seen in outcome.by_port().values()} == {68}


# ------------------------------------------------------------------------------------------- our own limits


@pytest.mark.parametrize(
    ("number", "reason", "detail"),
    [
        (errno.ENETUNREACH, Reason.NO_ROUTE, None),
        (errno.EPERM, Reason.LOCAL_FIREWALL, None),
        (errno.EMSGSIZE, Reason.LOCAL_ERROR, "EMSGSIZE"),
        (errno.EINVAL, Reason.LOCAL_ERROR, "EINVAL"),
        (errno.ENOBUFS, Reason.LOCAL_ERROR, "ENOBUFS"),
    ],
)
def test_what_cannot_be_sent_is_unknown(number: int, reason: Reason, detail: str | None) -> None:
    network = Network({A: Host()}, refuses_sending=number)
    outcome = ask(network, [DatagramSet(A, questions([53]))], timing=DatagramTiming(own_limit_s=1))
    seen = outcome.by_port()[A, 53]
    assert (seen.state, seen.reason, seen.errno, seen.detail) == (PortState.UNKNOWN, reason, number, detail)
    assert outcome.took_s == pytest.approx(1.0 if number == errno.ENOBUFS else 0.0, abs=0.2)


def test_a_route_that_goes_away_in_the_middle() -> None:
    network = Network({A: Host(open={1: 0.0}, silent=frozenset({2}))})

    def cut(answered: int) -> None:
        network.refuses_sending = errno.ENETUNREACH

    seen = ask(network, [DatagramSet(A, questions([1, 2]))], progress=cut).by_port()
    assert seen[A, 1].state is PortState.OPEN
    assert (seen[A, 2].reason, seen[A, 2].detail) == (Reason.LOST_CONTACT, "this machine lost its way to it")


# ---------------------------------------------------------------------------------------------------- the end


def test_a_stop_keeps_what_is_decided() -> None:
    network = Network({A: Host(open={1: 0.0}, silent=frozenset({2})), B: Host(open={1: 0.0})})

    def sets() -> object:
        yield DatagramSet(A, (*questions([1, 2]), *questions([3, 4], in_bulk=True)))
        yield DatagramSet(B, questions([2]))

    outcome = ask(network, sets(), stop_after_s=0.7)  # type: ignore[arg-type]
    seen = outcome.by_port()
    assert seen[A, 1].state is PortState.OPEN
    assert (seen[A, 2].state, seen[A, 2].reason) == (PortState.UNKNOWN, Reason.DEADLINE)
    assert len(seen[A, 2].attempts) >= 2
    assert outcome.took_s == pytest.approx(0.7, abs=0.01)
    [tally] = [each for each in outcome.answers if isinstance(each, Tally)]
    assert (tally.state, sorted(tally.ports)) == (PortState.CLOSED, [3, 4])


def test_a_set_that_was_never_begun_is_reported_too() -> None:
    hosts = {f"10.{number // 250}.{number % 250}.1": Host(absent=True) for number in range(1100)}
    sets = [DatagramSet(address, (*questions([1]), *questions([2, 3], in_bulk=True))) for address in hosts]
    outcome = ask(Network(hosts), sets, stop_after_s=0.5)
    assert len(outcome.by_port()) == 1100
    assert sum(len(each.ports) for each in outcome.answers if isinstance(each, Tally)) == 2200
    assert {each.reason for each in outcome.answers} == {Reason.DEADLINE}


def test_a_host_that_goes_away_is_lost() -> None:
    host = Host(silent=frozenset({2}), bucket=Bucket(), until_s=0.3)
    outcome = ask(Network({A: host}), [DatagramSet(A, questions([1, 2]))])
    seen = outcome.by_port()[A, 2]
    assert (seen.state, seen.reason, seen.detail) == (PortState.UNKNOWN, Reason.LOST_CONTACT, "answered until 0.3 s")


def test_no_sets_end_at_once() -> None:
    assert ask(Network({}), []).answers == []
    assert ask(Network({}), [DatagramSet(A, ())]).answers == []


def test_progress_counts_every_question() -> None:
    told: list[int] = []
    ask(Network({A: Host()}), [DatagramSet(A, questions(range(1, 51)))], progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 50


def test_what_report_raises_ends_the_run() -> None:
    network = Network({A: Host()})

    def refuse(_: Answered) -> None:
        raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        ask(network, [DatagramSet(A, questions([1]))], report=refuse)


# ------------------------------------------------------------------------------------------ our own addresses


@pytest.mark.parametrize("transport", [Transport.GRE, Transport.ESP, Transport.AH])
def test_our_own_raw_socket_keeps_our_kernel_from_rejecting_a_protocol(transport: Transport) -> None:
    """So its silence says nothing, whatever the address says about its ports."""
    asked = (Question(transport, 0, (b"packet",)), *questions([1, 2]))
    answers = ask(Network({US: Host(dropped=frozenset({0, 2}))}), [DatagramSet(US, asked)]).answers
    singles = [seen for seen in answers if isinstance(seen, Observation)]
    details = {seen.probe.transport: seen.detail for seen in singles if seen.state is PortState.OPEN_FILTERED}
    assert details == {transport: None, UDP: "icmp-alive"}


def test_a_datagram_of_another_socket_of_ours_is_no_reply() -> None:
    """Two addresses of ours are asked at once, and the port that one is asked about is the other one's source port."""

    class Talking(SimulatedChannel):
        def send(self, payload: bytes, destination: SockAddr) -> tuple[int, Inbox]:
            self._deliver(None, Arrived(b"a question to us", str(destination[0]), 40001))
            return super().send(payload, destination)

    hosts = {US: Host(silent=frozenset({40001})), "127.0.0.1": Host(silent=frozenset({40001}))}
    with mock.patch.object(simulated, "SimulatedChannel", Talking):
        seen = ask(Network(hosts), [DatagramSet(address, questions([40001])) for address in hosts]).by_port()
    assert {one.state for one in seen.values()} == {PortState.OPEN_FILTERED}
