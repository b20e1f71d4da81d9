"""Asking stand-ins on loopback: whoever listens there, an echo is an echo, and everything else is said as it was."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from portcheck.engine import asker as asker_module
from portcheck.engine import token
from portcheck.engine.asker import Asked, Asker, AskerTiming
from portcheck.engine.connection import NOTHING, Connector
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    OTHER_WITHOUT_TOKEN,
    SILENT_WITHOUT_TOKEN,
    UNASKED_TOKEN,
    Echo,
    Probe,
    Standing,
    StandInPort,
    StandInReport,
    Transport,
)
from tests.loopback import IPV4, IPV6, RESET_ON_CLOSE, bound, descriptors, full, port_of, probe

KEY, RUN, STACK = bytes(range(32)), b"the run!", "0123456789abcdef"
PATIENT = AskerTiming(attempt_s=20.0, pause_s=0.0)
"""For tests in which silence is not the point."""
HASTY = AskerTiming(attempt_s=0.1, pause_s=0.0)
_HANGS_AFTER_S = 15


@dataclass
class Visit:
    """One connection, as whoever listens sees it."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> token.Request:
        data = await self.reader.readexactly(token.HEAD_BYTES)
        data += await self.reader.readexactly((token.length_of(data) or 0) - len(data))
        found = token.read_request(KEY, data)
        assert found is not None
        return found

    async def echo(self) -> bytes:
        address, port = self.writer.get_extra_info("sockname")[:2]
        peer, peer_port = self.writer.get_extra_info("peername")[:2]
        return token.echo(KEY, await self.request(), STACK, "m1", True, address, port, peer, peer_port)


Listener = Callable[[Visit], Awaitable[None]]


async def answers(visit: Visit) -> None:
    visit.writer.write(await visit.echo())
    await visit.writer.drain()


async def stays_silent(visit: Visit) -> None:
    await visit.reader.read()


async def closes_at_once(visit: Visit) -> None:
    """Without reading, so that the kernel resets."""


async def closes_after_the_request(visit: Visit) -> None:
    await visit.request()


async def resets(visit: Visit) -> None:
    await visit.request()
    visit.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


def says(data: bytes) -> Listener:
    async def say(visit: Visit) -> None:
        visit.writer.write(data)
        await visit.reader.read()

    return say


async def sends_the_request_back(visit: Visit) -> None:
    visit.writer.write(await visit.reader.readexactly(token.REQUEST_BYTES))
    await visit.reader.read()


async def never_ends(visit: Visit) -> None:
    while not visit.writer.is_closing():
        visit.writer.write(b"x" * 65536)
        await visit.writer.drain()


async def answers_another_request(visit: Visit) -> None:
    other = replace(await visit.request(), digest=b"x" * 32)
    visit.writer.write(token.echo(KEY, other, STACK, "m1", True, IPV4, 1, IPV4, 1))
    await visit.reader.read()


async def answers_in_pieces_and_goes_on(visit: Visit) -> None:
    for byte in await visit.echo() + b"what nobody asked for":
        visit.writer.write(bytes([byte]))
        await visit.writer.drain()
    await visit.reader.read()


async def answers_by_half(visit: Visit) -> None:
    visit.writer.write((await visit.echo())[:40])


def in_turn(*listeners: Listener) -> Listener:
    """One for each connection; the last for all further ones."""

    async def listen(visit: Visit) -> None:
        await listeners[min(visit.number, len(listeners) - 1)](visit)

    return listen


@dataclass
class Host:
    """Ports of loopback and who listens there.

    Attributes:
        peers: source ports of the connections.
        most: connections that were open at once.
    """

    peers: list[int] = field(default_factory=list)
    most: int = 0
    open: int = 0

    async def listen(self, listener: Listener, stack: AsyncExitStack, address: str = IPV4) -> Probe:
        count = 0

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            number, count = count, count + 1
            self.peers.append(writer.get_extra_info("peername")[1])
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                await listener(Visit(number, reader, writer))
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                self.open -= 1
                writer.close()

        server = await asyncio.start_server(visit, address, 0)
        stack.callback(server.close)
        return probe(server.sockets[0])


def run(job: Callable[[AsyncExitStack], Awaitable[Any]]) -> Any:
    async def until_it_hangs() -> Any:
        async with asyncio.timeout(_HANGS_AFTER_S), AsyncExitStack() as stack:
            return await job(stack)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(until_it_hangs())


def never() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def an_asker(timing: AskerTiming = PATIENT, pace: Pace | None = None) -> Asker:
    return Asker(KEY, RUN, pace=pace or Pace(Speed.FAST), timing=timing)


def asked(listener: Listener, timing: AskerTiming = PATIENT, host: Host | None = None) -> Asked:
    """What comes of asking the one port where it listens."""

    async def job(stack: AsyncExitStack) -> Asked:
        port = await (host or Host()).listen(listener, stack)
        return (await an_asker(timing).ask([port], never()))[port]

    answer: Asked = run(job)
    return answer


# ----------------------------------------------------------------------------------------------------- one port


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_a_stand_in_says_where_we_arrived_and_from_where(address: str) -> None:
    host = Host()

    async def job(stack: AsyncExitStack) -> tuple[Probe, dict[Probe, Asked]]:
        port = await host.listen(answers, stack, address)
        return port, await an_asker().ask([port, port], never())

    port, found = run(job)
    assert found == {port: Echo(STACK, "m1", True, address, port.port, address, host.peers[0])}
    assert len(host.peers) == 1


LISTENERS: dict[str, tuple[Listener, AskerTiming, str]] = {
    "closes at once": (closes_at_once, PATIENT, CLOSED_WITHOUT_TOKEN),
    "closes after the request": (closes_after_the_request, PATIENT, CLOSED_WITHOUT_TOKEN),
    "resets": (resets, PATIENT, CLOSED_WITHOUT_TOKEN),
    "stays silent": (stays_silent, HASTY, SILENT_WITHOUT_TOKEN),
    "greets": (says(b"220 mail.example ESMTP\r\n"), PATIENT, OTHER_WITHOUT_TOKEN),
    "greets with one byte": (says(b"!"), PATIENT, OTHER_WITHOUT_TOKEN),
    "begins as we do": (says(b"portcheck stand-in 2" + b"x" * 100), PATIENT, OTHER_WITHOUT_TOKEN),
    "begins as we do and stops": (says(b"portcheck"), HASTY, OTHER_WITHOUT_TOKEN),
    "an echo server": (sends_the_request_back, PATIENT, OTHER_WITHOUT_TOKEN),
    "never ends": (never_ends, PATIENT, OTHER_WITHOUT_TOKEN),
    "answers another request": (answers_another_request, PATIENT, OTHER_WITHOUT_TOKEN),
    "answers by half": (answers_by_half, PATIENT, OTHER_WITHOUT_TOKEN),
    "silent, then closes": (in_turn(stays_silent, closes_after_the_request), HASTY, CLOSED_WITHOUT_TOKEN),
}


@pytest.mark.parametrize(("listener", "timing", "detail"), LISTENERS.values(), ids=LISTENERS)
def test_whoever_is_no_stand_in_is_said_as_it_was(listener: Listener, timing: AskerTiming, detail: str) -> None:
    assert asked(listener, timing) == detail


STAND_INS: dict[str, tuple[Listener, AskerTiming]] = {
    "in pieces, and goes on": (answers_in_pieces_and_goes_on, PATIENT),
    "only the third request arrives": (in_turn(stays_silent, stays_silent, answers), replace(HASTY, attempt_s=1.0)),
    "under a flood it closes the first ones": (in_turn(closes_at_once, closes_after_the_request, answers), PATIENT),
    "the first answer is cut off": (in_turn(answers_by_half, answers), PATIENT),
}


@pytest.mark.parametrize(("listener", "timing"), STAND_INS.values(), ids=STAND_INS)
def test_a_stand_in_is_heard_all_the_same(listener: Listener, timing: AskerTiming) -> None:
    answer = asked(listener, timing)
    assert isinstance(answer, Echo)
    assert answer.name == "m1"


def test_every_attempt_has_a_source_port_and_a_request_of_its_own() -> None:
    host, nonces = Host(), list[bytes]()

    async def note(visit: Visit) -> None:
        request = await visit.request()
        assert (request.run, request.transport) == (RUN, Transport.TCP)
        nonces.append(request.nonce)

    assert asked(note, host=host) == CLOSED_WITHOUT_TOKEN
    assert len(set(nonces)) == len(set(host.peers)) == 3


def test_no_more_is_read_than_a_response_has() -> None:
    """What a stranger sends after it stays in the kernel."""
    read = list[int]()

    async def job(stack: AsyncExitStack) -> Asked:
        port = await Host().listen(says(b"portcheck stand-in 1e\x00\x64" + b"x" * 5000), stack)
        return (await an_asker().ask([port], never()))[port]

    with pytest.MonkeyPatch.context() as patch:
        received = asker_module._received

        def count(sock: Any, most: int) -> bytes | None:
            data = received(sock, most)
            read.append(len(data or b""))
            return data

        patch.setattr(asker_module, "_received", count)
        assert run(job) == OTHER_WITHOUT_TOKEN
    assert sum(read) == 100


# ------------------------------------------------------------------------------------------- trouble of our own


def unasked(port: Probe, timing: AskerTiming = HASTY) -> bool:
    async def job(stack: AsyncExitStack) -> Asked:
        return (await an_asker(timing).ask([port], never()))[port]

    return bool(run(job) == UNASKED_TOKEN)


def test_a_connection_that_cannot_be_made_any_more_says_nothing() -> None:
    with bound(backlog=None) as refusing:
        assert unasked(probe(refusing))
    with full() as listener:
        assert unasked(probe(listener))


def test_an_address_that_is_not_ours_says_nothing() -> None:
    with bound() as listener:
        assert unasked(probe(listener, source_address="192.0.2.1"))
    assert unasked(Probe("fe80::1%no-such-zone", Transport.TCP, 1))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS])
def test_a_shortage_of_ours_says_nothing_and_may_pass(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make, failures = Connector.socket_for, iter(range(3 + 1))

    def short_of(self: Connector, family: int, source: str | None) -> socket.SocketType:
        if next(failures, None) is not None:
            raise OSError(number, "none left")
        return make(self, family, source)

    monkeypatch.setattr(Connector, "socket_for", short_of)
    with bound() as listener:
        assert unasked(probe(listener), PATIENT)
    answer = asked(answers)
    assert isinstance(answer, Echo)


def test_a_wake_up_before_the_error_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The false "connected" of connection.py: asked too early, it hears nothing."""
    hear, early = Connector.hear, iter(range(2))

    def too_early(self: Connector, sock: socket.SocketType) -> Any:
        return NOTHING if next(early, None) is not None else hear(self, sock)

    monkeypatch.setattr(Connector, "hear", too_early)
    assert isinstance(asked(answers), Echo)


# --------------------------------------------------------------------------------------------------- many ports


def test_connections_at_once_are_bounded() -> None:
    host, few = Host(), replace(PATIENT, connections=3)

    async def job(stack: AsyncExitStack) -> dict[Probe, Asked]:
        ports = [await host.listen(answers, stack) for _ in range(20)]
        return await an_asker(few).ask(ports, never())

    assert {type(answer) for answer in run(job).values()} == {Echo}
    assert len(host.peers) == 20
    assert host.most <= 3


def test_a_stop_ends_at_once_with_what_there_is() -> None:
    async def job(stack: AsyncExitStack) -> tuple[Probe, dict[Probe, Asked], int]:
        stop, host = never(), Host()

        async def stops(visit: Visit) -> None:
            stop.set_result(None)
            await visit.reader.read()

        first = await host.listen(answers, stack)
        others = [await host.listen(stops, stack)] + [await host.listen(stays_silent, stack) for _ in range(5)]
        asker = an_asker(replace(PATIENT, connections=1))
        found = await asker.ask([first, *others], stop)
        return first, found, len(await asker.ask([first], stop))

    first, found, after = run(job)
    assert list(found) == [first]
    assert after == 0


def test_nothing_is_left_open() -> None:
    before = descriptors()
    for listener, timing, _ in LISTENERS.values():
        asked(listener, timing)
    assert descriptors() == before


class Strict(Pace):
    """Lets every flow wait once, and notes them."""

    def __init__(self) -> None:
        super().__init__(Speed.NORMAL)
        self.spent: list[tuple[str, bool]] = []
        self._waited = False

    def due(self, address: str, now: float, reserve: int = 0, *, datagram: bool = False) -> float:
        self._waited = not self._waited
        return now + 0.001 if self._waited else now

    def spend(self, address: str, now: float, *, datagram: bool = False) -> None:
        assert not self._waited, "it was told to wait"
        self.spent.append((address, datagram))


def test_every_connection_waits_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker_module, "is_surely_own", lambda address: False)
    pace = Strict()

    async def job(stack: AsyncExitStack) -> None:
        host = Host()
        ports = [await host.listen(in_turn(closes_at_once, answers), stack) for _ in range(4)]
        assert {type(answer) for answer in (await an_asker(pace=pace).ask(ports, never())).values()} == {Echo}

    run(job)
    assert pace.spent == [(IPV4, False)] * 8


def test_this_machine_itself_needs_no_pace() -> None:
    pace = Strict()

    async def job(stack: AsyncExitStack) -> None:
        await an_asker(pace=pace).ask([await Host().listen(answers, stack)], never())

    run(job)
    assert pace.spent == []


# ------------------------------------------------------------------------------------------------------- reports


def report_of(name: str, first: int = 1) -> StandInReport:
    ports = (StandInPort(Transport.TCP, port, "0.0.0.0", Standing.LISTENING) for port in range(first, 65536, 17))
    return StandInReport(STACK, name, True, tuple(ports))


REPORT = report_of("m1")
PIECES = token.pages(REPORT)


def tells(pieces: Sequence[bytes]) -> Listener:
    async def tell(visit: Visit) -> None:
        request = await visit.request()
        visit.writer.write(token.page(KEY, request, request.page, len(pieces), pieces[request.page]))
        await visit.writer.drain()

    return tell


Answer = Callable[[token.Request], Iterable[bytes]]


def over_udp(answer: Answer, stack: AsyncExitStack) -> Probe:
    """A datagram socket where each request gets these datagrams."""
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.setblocking(False)
    sock.bind((IPV4, 0))
    loop = asyncio.get_running_loop()

    def receive() -> None:
        data, peer = sock.recvfrom(4096)
        request = token.read_request(KEY, data)
        assert request is not None
        for each in answer(request):
            sock.sendto(each, peer)

    loop.add_reader(sock, receive)
    stack.callback(loop.remove_reader, sock)
    return Probe(IPV4, Transport.UDP, port_of(sock))


def the_page(request: token.Request) -> bytes:
    return token.page(KEY, request, request.page, len(PIECES), PIECES[request.page])


def reports(
    ways: Callable[[Host, AsyncExitStack], Awaitable[Mapping[str, Sequence[Probe]]]], timing: AskerTiming = PATIENT
) -> dict[str, StandInReport]:
    async def job(stack: AsyncExitStack) -> dict[str, StandInReport]:
        return await an_asker(timing).reports(await ways(Host(), stack), never())

    found: dict[str, StandInReport] = run(job)
    return found


def test_a_report_is_read_page_by_page_for_every_name() -> None:
    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        return {
            "10.0.0.1": [await host.listen(tells(PIECES), stack)],
            "10.0.0.2": [await host.listen(tells(token.pages(report_of("m2", 2))), stack)],
        }

    assert len(PIECES) > 2
    assert reports(ways) == {"10.0.0.1": REPORT, "10.0.0.2": report_of("m2", 2)}


def test_a_request_for_a_report_says_how_old_the_run_is_when_it_is_sent() -> None:
    """And not when it began to wait for its turn: what the run did first would be forgotten."""
    ages: list[float] = []

    async def tell(visit: Visit) -> None:
        request = await visit.request()
        ages.append(request.age_s)
        visit.writer.write(token.page(KEY, request, 0, 1, token.pages(StandInReport(STACK, "m1", True, ()))[0]))
        await visit.writer.drain()

    async def job(stack: AsyncExitStack) -> None:
        ways = {"m1": [await Host().listen(tell, stack)], "over UDP": [over_udp(noted, stack)]}
        long_ago = Asker(KEY, RUN, pace=Pace(Speed.FAST), timing=PATIENT, began_s=time.monotonic() - 100)
        assert len(await long_ago.reports(ways, never())) == 2
        assert len(await an_asker().reports(ways, never())) == 2

    def noted(request: token.Request) -> Iterable[bytes]:
        ages.append(request.age_s)
        return [token.page(KEY, request, 0, 1, token.pages(StandInReport(STACK, "m1", True, ()))[0])]

    run(job)
    assert [age_s // 100 for age_s in ages] == [1, 1, 0, 0]


def test_a_report_is_read_over_udp_when_nothing_else_answered() -> None:
    def with_garbage(request: token.Request) -> Iterable[bytes]:
        forged = token.page(bytes(32), request, request.page, len(PIECES), b"forged")
        yield from (b"garbage", b"", forged, the_page(request))

    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        return {"10.0.0.1": [over_udp(with_garbage, stack)]}

    assert reports(ways) == {"10.0.0.1": REPORT}


def test_a_page_that_is_lost_twice_is_asked_for_again() -> None:
    seen = list[int]()

    def the_third_time(request: token.Request) -> Iterable[bytes]:
        seen.append(request.page)
        is_lost = request.page in (0, len(PIECES) - 1) and seen.count(request.page) < 3
        return [] if is_lost else [the_page(request)]

    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        return {"10.0.0.1": [over_udp(the_third_time, stack)]}

    assert reports(ways, replace(HASTY, attempt_s=0.2)) == {"10.0.0.1": REPORT}


def test_a_datagram_of_a_report_waits_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker_module, "is_surely_own", lambda address: False)
    pace = Strict()

    async def job(stack: AsyncExitStack) -> None:
        port = over_udp(lambda request: [the_page(request)], stack)
        assert await an_asker(pace=pace).reports({"m1": [port]}, never())

    run(job)
    assert pace.spent == [(IPV4, True)] * len(PIECES)


def test_a_report_that_changes_while_it_is_read_is_read_again() -> None:
    other = token.pages(report_of("m1", 2))
    assert len(other) < len(PIECES)

    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        return {"10.0.0.1": [await host.listen(in_turn(tells(PIECES), tells(other)), stack)]}

    assert reports(ways) == {"10.0.0.1": report_of("m1", 2)}


def test_the_next_port_is_asked_for_a_report_that_the_first_does_not_give() -> None:
    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        ports = [await host.listen(each, stack) for each in (closes_at_once, says(b"220 hello"), tells(PIECES))]
        return {"10.0.0.1": ports, "10.0.0.2": ports[:2], "10.0.0.3": []}

    assert reports(ways) == {"10.0.0.1": REPORT}


def test_a_report_that_takes_too_long_is_left_out() -> None:
    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        slow, good = await host.listen(stays_silent, stack), await host.listen(tells(PIECES), stack)
        return {"10.0.0.1": [slow, good], "10.0.0.2": [good]}

    assert reports(ways, replace(PATIENT, report_s=2.0)) == {"10.0.0.2": REPORT}


def test_a_stand_in_that_says_what_is_no_report_has_none() -> None:
    async def ways(host: Host, stack: AsyncExitStack) -> Mapping[str, Sequence[Probe]]:
        return {"10.0.0.1": [await host.listen(tells([b"garbage", b"more"]), stack)]}

    assert reports(ways) == {}


def test_a_stop_ends_the_reports_at_once() -> None:
    async def job(stack: AsyncExitStack) -> dict[str, StandInReport]:
        stop, host = never(), Host()

        async def stops(visit: Visit) -> None:
            stop.set_result(None)
            await visit.reader.read()

        good, bad = await host.listen(tells(PIECES), stack), await host.listen(stops, stack)
        return await an_asker(replace(PATIENT, connections=1)).reports({"m1": [good], "m2": [bad], "m3": [good]}, stop)

    assert run(job) == {"m1": REPORT}
