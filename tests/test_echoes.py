"""Runs before the install against real stand-ins on loopback: what is known of each port in the end."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from portcheck.engine.probe import OWN_HOST, PortState, Reason, Standing, Transport
from portcheck.engine.stand_in import Opening, StandIn
from portcheck.engine.tcp import TcpTiming
from portcheck.model import (
    Certainty,
    Check,
    Expect,
    Finding,
    NamedPorts,
    Outcome,
    Own,
    Phase,
    Run,
    Scope,
    Selection,
    Sight,
    Sweep,
    SweepKind,
    Vantage,
    Verdict,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.run import execute
from tests.loopback import SHORT, bound, port_of
from tests.samples import host

KEY = bytes(range(32))
M1, M2 = "127.0.0.1", "127.0.0.2"


@contextmanager
def standing_in(*openings: Opening, name: str = "m1", taken: int = 0) -> Iterator[None]:
    """A stand-in in a thread with a loop of its own.

    Args:
        taken: a TCP port that it is to open as well, and cannot.
    """
    stand_in = StandIn(KEY, name, is_stated=True)
    assert {port.standing for port in stand_in.open(openings)} == {Standing.LISTENING}
    if taken:
        (port,) = stand_in.open([Opening(Transport.TCP, taken, (M1,))])
        assert port.standing is Standing.IN_USE
    loop = asyncio.SelectorEventLoop()
    stop = loop.create_future()
    thread = threading.Thread(target=loop.run_until_complete, args=(stand_in.serve(stop),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join()
        loop.close()


def free_ports(number: int) -> list[int]:
    """Free over TCP and UDP, at all of 127.0.0.0/8."""
    found: list[int] = []
    while len(found) < number:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("", port))
                udp.bind(("", port))
            except OSError:
                continue
        found.append(port)
    return found


def asked_for(ports: str, *, own: Own = Own.NOTHING, phase: Phase = Phase.PREINSTALL) -> Scope:
    return Scope(
        (),
        (host("m1", M1), host("m2", M2)),
        Vantage("a1", frozenset(), "m1" if own is not Own.NOTHING else "a1"),
        phase=phase,
        sweep=Sweep(SweepKind.NONE),
        extra=tuple(NamedPorts(each) for each in parse_ports(ports)),
        whole_site=own is not Own.NOTHING,
        stand_ins=True,
        own=own,
    )


def checked(scope: Scope, key: bytes = KEY, timing: TcpTiming = SHORT) -> Run:
    selection = Selection(stand_ins=True, speed="fast")
    return execute(plan(scope), selection, timing=timing, seed=1, stand_in_key=key)


def of_host(run: Run, name: str) -> dict[str, Verdict]:
    return {v.check.port_text: v for v in run.verdicts if v.check.host == name and not v.check.is_own}


def told(verdict: Verdict) -> tuple[PortState, Reason, Outcome, Finding, Certainty]:
    seen = verdict.observation
    return seen.state, seen.reason, verdict.outcome, verdict.finding, verdict.certainty


PROVEN = (PortState.OPEN, Reason.ECHO_TOKEN, Outcome.PASS, Finding.OK, Certainty.CERTAIN)


def test_a_token_proves_the_path_over_tcp_and_udp() -> None:
    (port,) = free_ports(1)
    openings = [Opening(transport, port, (M1,)) for transport in (Transport.TCP, Transport.UDP)]
    with standing_in(*openings):
        run = checked(asked_for(f"{port}/tcp+udp"))
    verdicts = of_host(run, "m1")
    assert {told(verdict) for verdict in verdicts.values()} == {PROVEN}
    echo = verdicts[f"{port}/udp"].observation.echo
    assert echo is not None
    assert (echo.name, echo.address, echo.peer) == ("m1", M1, M1)
    assert run.summary.exit_status == 3, "nobody stands in for m2"


def test_where_no_stand_in_was_heard_a_refusal_proves_nothing() -> None:
    (port,) = free_ports(1)
    with standing_in(Opening(Transport.TCP, port, (M1,))):
        verdict = of_host(checked(asked_for(f"{port}/tcp")), "m2")[f"{port}/tcp"]
    assert told(verdict)[:3] == (PortState.CLOSED, Reason.CONN_REFUSED, Outcome.INCONCLUSIVE)


def test_somebody_elses_listener_is_not_the_stand_in() -> None:
    (port,) = free_ports(1)
    with standing_in(Opening(Transport.TCP, port, (M1,))), bound(M1) as foreign:
        taken = port_of(foreign)
        run = checked(asked_for(f"{port},{taken}/tcp"))
    verdict = of_host(run, "m1")[f"{taken}/tcp"]
    assert (verdict.outcome, verdict.finding) == (Outcome.FAIL, Finding.OCCUPIED)


def test_a_stand_in_of_another_host_is_the_wrong_one() -> None:
    (port,) = free_ports(1)
    with standing_in(Opening(Transport.TCP, port, (M1,)), name="m2"):
        verdict = of_host(checked(asked_for(f"{port}/tcp")), "m1")[f"{port}/tcp"]
    assert (verdict.outcome, verdict.finding) == (Outcome.FAIL, Finding.WRONG_RESPONDER)
    assert "m2" in verdict.because


def test_another_key_is_no_proof() -> None:
    ports = free_ports(2)
    with standing_in(*(Opening(Transport.TCP, port, (M1,)) for port in ports)):
        run = checked(asked_for(f"{ports[0]},{ports[1]}/tcp"), key=bytes(32))
    verdicts = of_host(run, "m1").values()
    assert {(v.outcome, v.finding) for v in verdicts} == {(Outcome.FAIL, Finding.WRONG_RESPONDER)}
    assert all("key" in v.because for v in verdicts)


def test_what_the_stand_in_could_not_take_is_in_use_there() -> None:
    (port,) = free_ports(1)
    with bound(M1) as foreign:
        taken = port_of(foreign)
        with standing_in(Opening(Transport.TCP, port, (M1,)), taken=taken):
            verdict = of_host(checked(asked_for(f"{port},{taken}/tcp")), "m1")[f"{taken}/tcp"]
    assert told(verdict)[2:] == (Outcome.FAIL, Finding.OCCUPIED, Certainty.CERTAIN)


def test_every_stand_in_of_a_machine_is_asked_what_it_opened() -> None:
    one, other = free_ports(2)
    with bound(M1) as foreign:
        taken = port_of(foreign)
        with (
            standing_in(Opening(Transport.TCP, one, (M1,))),
            standing_in(Opening(Transport.TCP, other, (M1,)), taken=taken),
        ):
            verdicts = of_host(checked(asked_for(f"{one},{other},{taken}/tcp")), "m1")
    assert {told(verdicts[f"{port}/tcp"]) for port in (one, other)} == {PROVEN}
    assert told(verdicts[f"{taken}/tcp"])[2:] == (Outcome.FAIL, Finding.OCCUPIED, Certainty.CERTAIN)


# ------------------------------------------------------------------------------------------- our own machine


def own_checks(run: Run) -> dict[str, Verdict]:
    return {v.check.port_text: v for v in run.verdicts if v.check.expect is Expect.FREE}


def test_a_port_that_our_own_stand_in_holds_is_free() -> None:
    tcp, udp = free_ports(2)
    openings = [Opening(Transport.TCP, tcp, ("0.0.0.0", "::")), Opening(Transport.UDP, udp, ("0.0.0.0", "::"))]
    with standing_in(*openings):
        found = own_checks(checked(asked_for(f"{tcp}/tcp,{udp}/udp", own=Own.ALSO)))
    assert {verdict.outcome for verdict in found.values()} == {Outcome.PASS}


def test_a_foreign_listener_on_our_own_machine_is_found() -> None:
    (port,) = free_ports(1)
    with bound(M1) as foreign:
        taken = port_of(foreign)
        found = own_checks(checked(asked_for(f"{port},{taken}/tcp", own=Own.ONLY)))
    assert (found[f"{taken}/tcp"].outcome, found[f"{taken}/tcp"].finding) == (Outcome.FAIL, Finding.OCCUPIED)
    assert found[f"{port}/tcp"].outcome is Outcome.PASS


def test_nothing_is_sent_for_our_own_machine() -> None:
    (port,) = free_ports(1)
    run = checked(asked_for(f"{port}/tcp", own=Own.ONLY))
    assert (run.summary.probes, run.summary.packets) == (0, 0)
    assert {address_of(v.check) for v in run.verdicts if v.check.expect is Expect.FREE} == {OWN_HOST}


def address_of(check: Check) -> str | None:
    return check.probe.address if check.probe is not None else None


# -------------------------------------------------------------------------------------------- a run that is cut short


def test_a_run_that_ends_before_the_tokens_are_asked_says_so() -> None:
    """The foreign listener keeps the asker waiting until the deadline; of its stand-in nothing was heard by then."""
    with bound(M1) as foreign:
        scope = asked_for(f"{port_of(foreign)}/tcp")
        selection = Selection(stand_ins=True, speed="fast", deadline_s=1.0)
        run = execute(plan(scope), selection, timing=SHORT, seed=1, stand_in_key=KEY)
        verdict = of_host(run, "m1")[f"{port_of(foreign)}/tcp"]
    assert run.interrupted == "deadline"
    assert (verdict.outcome, verdict.seen.sight) == (Outcome.INCONCLUSIVE, Sight.CUT_SHORT)


def test_our_own_stand_in_is_known_before_anything_is_sent() -> None:
    (port,) = free_ports(1)
    with standing_in(Opening(Transport.UDP, port, ("0.0.0.0", "::"))), bound(M2) as silent:
        scope = asked_for(f"{port}/udp,{port_of(silent)}/tcp", own=Own.ALSO)
        selection = Selection(stand_ins=True, speed="fast", deadline_s=3.0)
        run = execute(plan(scope), selection, timing=SHORT, seed=1, stand_in_key=KEY)
    assert run.interrupted == "deadline"
    assert own_checks(run)[f"{port}/udp"].outcome is Outcome.PASS


def test_ports_of_our_own_are_not_asked_what_they_speak() -> None:
    with bound(M1) as foreign:
        scope = asked_for(f"{port_of(foreign)}/tcp", own=Own.ONLY)
        run = execute(plan(scope), Selection(verify=True), timing=SHORT, seed=1)
    assert (run.warnings, run.summary.packets) == ((), 0)
