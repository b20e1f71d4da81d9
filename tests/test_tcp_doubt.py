"""An open port that is none, and a host that falls silent: the TCP engine's doubts, on loopback.

An address of our own has no network on the way: no decoys, canaries or pace. Where a test needs them, the engine is
told that loopback belongs to somebody else.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from portcheck.engine.connection import Connector, Heard
from portcheck.engine.error_queue import IcmpError
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Observation, PortState, ProbeSet, Reason
from portcheck.engine.readiness import EpollReadiness
from portcheck.engine.routes import Route
from portcheck.engine.tcp import TcpTiming
from tests.loopback import (
    CLOSED,
    IPV4,
    IPV6,
    OPEN,
    SHORT,
    SILENT,
    Ending,
    Serve,
    accept_and_close,
    bound,
    descriptors,
    each_port,
    full,
    measure,
    observe,
    port_of,
    probe,
    singles,
    states,
    tallies,
    turn_away,
)

RESET = (PortState.UNKNOWN, Reason.RESET_AFTER_HANDSHAKE)
EVERYTHING = (PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING)
LOST = (PortState.UNKNOWN, Reason.LOST_CONTACT)
INTERRUPTED = (PortState.UNKNOWN, Reason.INTERRUPTED)

NO_END = replace(SHORT, hold_s=1000.0)
"""An accepted connection is watched until the other side says something."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback belongs to somebody else."""
    monkeypatch.setattr("portcheck.engine.addresses.is_own", lambda address: False)


def speak(listener: socket.socket) -> None:
    """Greet, as SSH and SMTP do."""
    with listener.accept()[0] as accepted:
        accepted.send(b"220 ready\r\n")


# ------------------------------------------------------------------------------------- more than a handshake


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("address", [IPV4, IPV6])
@pytest.mark.parametrize(
    ("serve", "answer"), [(turn_away, RESET), (accept_and_close, OPEN), (speak, OPEN)], ids=["reset", "end", "speech"]
)
def test_what_the_other_side_says_decides_at_once(
    serve: Serve, answer: tuple[PortState, Reason], address: str, portable: bool
) -> None:
    with bound(address) as listening:
        [seen] = observe([probe(listening)], NO_END, serving={listening: serve}, portable=portable)
    assert (seen.state, seen.reason) == answer
    assert [attempt.result for attempt in seen.attempts] == [answer[1]]
    assert seen.errno == (errno.ECONNRESET if answer is RESET else None)
    assert (seen.responder, seen.inferred) == (None, False)


@pytest.mark.parametrize("portable", [False, True])
def test_who_says_nothing_is_open_after_a_while(portable: bool) -> None:
    with bound() as listening:
        [seen] = observe([probe(listening)], replace(SHORT, hold_s=0.2), portable=portable)
    assert (seen.state, seen.reason) == OPEN
    [attempt] = seen.attempts
    assert seen.rtt_ms is not None
    # The time that it was watched is no round-trip time; both are rounded.
    assert attempt.lasted_s * 1000 - seen.rtt_ms > 199.9


def test_a_reset_that_was_there_before_we_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted and reset while we were busy: SO_ERROR says ECONNRESET, and no connection is to be seen any more."""
    with bound() as listening:
        listening.setblocking(False)

        class Meanwhile(EpollReadiness):
            def ready(self) -> list[int]:
                while True:
                    try:
                        turn_away(listening)
                    except BlockingIOError:
                        return super().ready()

        monkeypatch.setattr("portcheck.engine.tcp.new_readiness", lambda portable: Meanwhile())
        [seen] = observe([probe(listening)], NO_END)
    assert (seen.state, seen.reason, seen.errno) == (*RESET, errno.ECONNRESET)


def test_resets_in_a_sweep_are_counted_together() -> None:
    with ExitStack() as stack:
        proxied = [stack.enter_context(bound()) for _ in range(5)]
        resetting = [port_of(sock) for sock in proxied]
        refusing = [port_of(stack.enter_context(bound(backlog=None))) for _ in range(5)]
        seen = measure([ProbeSet(IPV4, [], resetting + refusing)], NO_END, serving=dict.fromkeys(proxied, turn_away))
    assert singles(seen) == []
    assert each_port(seen) == sorted(found(resetting, RESET) + found(refusing, CLOSED))


# ------------------------------------------------------------------------------------------------- decoys


@contextmanager
def host(listening: int, refusing: int = 0, silent: int = 0) -> Iterator[tuple[list[int], list[int], list[int]]]:
    with ExitStack() as stack:
        yield (
            [port_of(stack.enter_context(bound())) for _ in range(listening)],
            [port_of(stack.enter_context(bound(backlog=None))) for _ in range(refusing)],
            [port_of(stack.enter_context(full())) for _ in range(silent)],
        )


def found(ports: list[int], answer: tuple[PortState, Reason]) -> list[Any]:
    return [(IPV4, port, *answer) for port in ports]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("in_bulk", [False, True])
def test_who_accepts_two_unexpected_ports_has_proven_nothing(in_bulk: bool) -> None:
    with host(listening=4, refusing=2) as (listening, refusing, _):
        asked = listening[:2] + refusing
        probes = ProbeSet(IPV4, *(([], asked) if in_bulk else (asked, [])), decoys=listening[2:])
        seen = measure([probes])
    # What refuses is believed, and decoys are never reported.
    assert each_port(seen) == sorted(found(listening[:2], EVERYTHING) + found(refusing, CLOSED))


@pytest.mark.usefixtures("elsewhere")
def test_one_decoy_that_happens_to_be_open_accuses_nobody() -> None:
    with host(listening=3, refusing=1) as (listening, refusing, _):
        seen = measure([ProbeSet(IPV4, listening[:2], decoys=[listening[2], refusing[0]])])
    assert each_port(seen) == sorted(found(listening[:2], OPEN))


@pytest.mark.usefixtures("elsewhere")
def test_a_run_never_waits_for_decoys() -> None:
    with host(listening=1, silent=2) as (listening, _, silent):
        [seen] = measure([ProbeSet(IPV4, listening, decoys=silent)], TcpTiming(attempt_s=1000.0))
    assert isinstance(seen, Observation)
    assert (seen.state, seen.reason) == OPEN


@pytest.mark.usefixtures("elsewhere")
def test_a_host_with_nothing_open_gets_no_decoys(monkeypatch: pytest.MonkeyPatch) -> None:
    connects = connects_of(monkeypatch)
    with host(listening=0, refusing=3, silent=1) as (_, refusing, silent):
        seen = measure([ProbeSet(IPV4, [*refusing[:1], *silent], decoys=refusing[1:])])
    assert each_port(seen) == sorted(found(refusing[:1], CLOSED) + found(silent, SILENT))
    assert not set(connects) & set(refusing[1:])


def test_our_own_addresses_get_no_decoys(monkeypatch: pytest.MonkeyPatch) -> None:
    connects = connects_of(monkeypatch)
    with host(listening=3) as (listening, _, _):
        seen = measure([ProbeSet(IPV4, listening[:1], decoys=listening[1:])])
    assert each_port(seen) == found(listening[:1], OPEN)
    assert connects == listening[:1]


def connects_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that the engine connects to, in its order."""
    made: list[int] = []

    class Noted(socket.SocketType):
        def connect_ex(self, address: Any, /) -> int:
            made.append(address[1])
            return super().connect_ex(address)

    monkeypatch.setattr("portcheck.engine.connection.Socket", Noted)
    return made


# ------------------------------------------------------------------------------------------------ lost contact

CANARIES = TcpTiming(
    attempt_s=0.3,
    retry_after_s=0.1,
    trusted_attempt_s=0.2,
    hold_s=0.01,
    recheck_after_s=0.05,
    patience_s=0.6,
    hearing_s=0.0,
)


@pytest.mark.usefixtures("elsewhere")
def test_silence_of_a_host_that_fell_silent_is_not_believed() -> None:
    """Its open port answered once: after that, all is silent for as long as we wait."""
    told: list[str] = []
    decided: list[int] = []
    with bound(backlog=0) as once, host(0, silent=2) as (_, _, silent):
        swept = [port_of(once), *silent]
        seen = measure([ProbeSet(IPV4, [], swept)], CANARIES, tell=told.append, progress=decided.append)
    assert each_port(seen) == sorted(found(swept[:1], OPEN) + found(silent, LOST))
    [lost] = tallies(seen)
    assert lost.detail is not None
    assert lost.detail.startswith("answered until 0.")
    assert told == [f"No contact with {IPV4} ({lost.detail}): waiting for it for 1 s at most"]
    assert decided[-1] == 3


@pytest.mark.usefixtures("elsewhere")
def test_attempts_at_a_host_that_fell_silent_are_evidence() -> None:
    with bound(backlog=0) as once, full() as silent:
        expected = {probe(once): OPEN, probe(silent): LOST}
        seen = observe(expected, CANARIES)
    assert states(seen) == expected
    [lost] = [one for one in seen if one.reason is Reason.LOST_CONTACT]
    assert [attempt.result for attempt in lost.attempts] == ["no-response", "no-response"]


@pytest.mark.usefixtures("elsewhere")
def test_a_host_that_comes_back_is_asked_anew() -> None:
    """What was silent meanwhile is open, and says so."""
    told: list[str] = []
    decided: list[int] = []
    with bound(backlog=0) as once, full() as silent:
        expected = {probe(once): OPEN, probe(silent): OPEN}

        def come_back(sentence: str) -> None:
            told.append(sentence)
            for listener in (once, silent):
                listener.listen(16)

        timing = replace(CANARIES, patience_s=10.0)
        seen = observe(expected, timing, tell=come_back, progress=decided.append)
    assert states(seen) == expected
    assert told[1:] == [f"{IPV4} answers again: going on with it, more slowly"]
    assert decided[-1] == 2
    # The attempts that came to nothing are evidence too.
    [again] = [one for one in seen if one.flaky]
    assert [attempt.result for attempt in again.attempts] == ["no-response", "no-response", "syn-ack"]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_run_that_ends_while_contact_is_lost(in_bulk: bool) -> None:
    """What ended the run only kept us from waiting longer."""
    with bound(backlog=0) as once, full() as silent:
        ports = [port_of(once), port_of(silent)]
        probes = ProbeSet(IPV4, *(([], ports) if in_bulk else (ports, [])))
        seen = measure([probes], replace(CANARIES, patience_s=1000.0), Ending(after=1, told=True))
    assert each_port(seen) == sorted(found(ports[:1], OPEN) + found(ports[1:], LOST))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_run_that_ends_before_silence_is_proven(in_bulk: bool) -> None:
    """Ended while the canary is asked: silence is not believed, what is open and what refused is."""
    with bound(backlog=0) as once, host(0, 1, 1) as (_, refusing, silent), full("127.0.0.2") as other:
        ports = [port_of(once), *refusing, *silent]
        probes = ProbeSet(IPV4, *(([], ports) if in_bulk else (ports, [])))
        # It never answered, so there is no canary to wait for: its report ends the run when the silence is complete.
        ends = ProbeSet("127.0.0.2", [port_of(other)])
        seen = measure([probes, ends], replace(CANARIES, attempt_s=1.0, trusted_attempt_s=1.0), Ending(after=1))
    wanted = found(ports[:1], OPEN) + found(refusing, CLOSED) + found(silent, INTERRUPTED)
    assert each_port(seen) == sorted([*wanted, ("127.0.0.2", ends.singly[0], *SILENT)])


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("in_bulk", [False, True])
@pytest.mark.parametrize("rejects", [False, True])
@pytest.mark.parametrize(("others", "believed"), [(16, True), (17, False)])
def test_a_run_that_ends_before_an_accepted_port_is_open(
    others: int, believed: bool, rejects: bool, in_bulk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It might have been the canary. After 18 connections the answers of the others may be a ban."""
    with host(1, others) as (listening, saying_no, _), bound("127.0.0.2", backlog=None) as other:
        if rejects:
            Rationing(monkeypatch, others, *((IPV4, port) for port in saying_no))
        ports = listening + saying_no
        probes = ProbeSet(IPV4, *(([], ports) if in_bulk else (ports, [])))
        ends = ProbeSet("127.0.0.2", [port_of(other)])
        seen = measure([probes, ends], NO_END, Ending(after=1))
    no = REJECTED if rejects else CLOSED
    wanted = found(listening, INTERRUPTED) + found(saying_no, no if believed else INTERRUPTED)
    assert each_port(seen) == sorted([*wanted, ("127.0.0.2", ends.singly[0], *CLOSED)])


@pytest.mark.usefixtures("elsewhere")
def test_a_host_that_goes_on_answering_is_believed() -> None:
    with host(1, 2, 2) as (listening, refusing, silent):
        seen = measure([ProbeSet(IPV4, refusing, [*listening, *silent])], CANARIES)
    assert each_port(seen) == sorted(found(listening, OPEN) + found(refusing, CLOSED) + found(silent, SILENT))


@pytest.mark.usefixtures("elsewhere")
def test_an_earlier_run_knows_a_port_that_answered() -> None:
    """--resume: the host is silent on it now, so its silence elsewhere is not believed either."""
    with host(0, silent=2) as (_, _, silent):
        seen = measure([ProbeSet(IPV4, silent[:1], canaries=[(silent[1], PortState.OPEN)])], CANARIES)
    assert each_port(seen) == found(silent[:1], LOST)


def test_our_own_addresses_are_never_lost() -> None:
    with bound(backlog=0) as once, full() as silent:
        expected = {probe(once): OPEN, probe(silent): SILENT}
        seen = observe(expected, CANARIES, pace=Pace(Speed.POLITE))
    assert states(seen) == expected


# ------------------------------------------------------------------------------------------- who limits his errors

ROUTER = "198.51.100.254"


class Rationing:
    """A router that rejects some ports, as long as it has tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tokens: int, *rejected: tuple[str, int]) -> None:
        real, self.asked_again = Connector.hear, 0
        router = self

        class Noted(socket.SocketType):
            to: Any = None

            def connect_ex(self, address: Any, /) -> int:
                router.asked_again += address in rejected and not router.tokens
                self.to = address
                return super().connect_ex(address)

        def hear(connector: Connector, sock: Any) -> Heard:
            if sock.to not in rejected or not self.tokens:
                return real(connector, sock)
            self.tokens -= 1
            return Heard(icmp=IcmpError(errno.EHOSTUNREACH, (3, 13), ROUTER, Reason.ADMIN_PROHIBITED))

        self.tokens = tokens
        monkeypatch.setattr("portcheck.engine.connection.Socket", Noted)
        monkeypatch.setattr("portcheck.engine.tcp.Connector.hear", hear)
        behind, beside = Route(False, False, ROUTER), Route(True, False)
        routes = {"127.0.0.2": behind, "127.0.0.3": behind, "127.0.0.4": beside}
        monkeypatch.setattr("portcheck.engine.neighbours.route_to", routes.get)


REJECTED = (PortState.FILTERED, Reason.ADMIN_PROHIBITED)


@contextmanager
def silent_hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rationing, list[ProbeSet]]]:
    """Six ports of the first are rejected, ten of the second are silent."""
    with ExitStack() as stack:
        first = [port_of(stack.enter_context(full("127.0.0.2"))) for _ in range(6)]
        second = [port_of(stack.enter_context(full("127.0.0.3"))) for _ in range(10)]
        router = Rationing(monkeypatch, 6, *(("127.0.0.2", port) for port in first))
        yield router, [ProbeSet("127.0.0.2", first), ProbeSet("127.0.0.3", [], second)]


@pytest.mark.usefixtures("elsewhere")
def test_silence_behind_a_responder_that_limits_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time to ask them alone: they may be rejected, and it is said."""
    told: list[int] = []
    with silent_hosts(monkeypatch) as (router, sets):
        seen = measure(sets, CANARIES, progress=told.append)
    assert {(o.state, o.reason, o.responder, o.icmp) for o in singles(seen)} == {(*REJECTED, ROUTER, (3, 13))}
    [silent] = tallies(seen)
    assert (silent.state, silent.reason, len(silent.ports)) == (*SILENT, 10)
    assert silent.detail == f"{ROUTER} limits its ICMP errors, so this may be a rejection"
    assert router.asked_again > 6
    assert told[-1] == 16


@pytest.mark.usefixtures("elsewhere")
def test_a_run_that_ends_while_a_responder_is_sounded_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host has been reported by then, and is asked once more."""

    def cancel() -> None:
        if router.asked_again:
            for task in asyncio.all_tasks():
                task.cancel()
        else:
            asyncio.get_running_loop().call_later(0.05, cancel)

    with silent_hosts(monkeypatch) as (router, sets):
        before = descriptors()
        with pytest.raises(asyncio.CancelledError):
            measure(sets, CANARIES, half_a_second_later=cancel)
        assert descriptors() == before


@pytest.mark.usefixtures("elsewhere")
def test_a_run_that_ends_before_a_responder_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence that a limit may explain is not believed; beside the router it is, and its report ends the run."""
    with silent_hosts(monkeypatch) as (_, sets), full("127.0.0.4") as beside:
        last = ProbeSet("127.0.0.4", [port_of(beside)])
        seen = measure([*sets, last], CANARIES, Ending(after=7))
    answers = {(address, state, reason) for address, _, state, reason in each_port(seen)}
    assert answers == {("127.0.0.2", *REJECTED), ("127.0.0.3", *INTERRUPTED), ("127.0.0.4", *SILENT)}
    assert len(each_port(seen)) == 17
