"""The datagram engine over the real sockets of this machine: no privilege, no network but loopback."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from portcheck.engine import error_queue
from portcheck.engine.channels import Channel, Channels, PrivilegeError
from portcheck.engine.datagram import DatagramEngine, DatagramTiming
from portcheck.engine.error_queue import IcmpError, Returned
from portcheck.engine.pace import Pace, Speed
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
from tests.loopback import descriptors
from tests.simulated import Host, Network, SimulatedChannel, ask

QUICK = DatagramTiming(least_wait_s=0.05, settle_s=0.1)
ADDRESSES = ["127.0.0.1", "::1"]

Serve = Callable[[socket.socket], None]


@contextmanager
def bound(address: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A UDP socket with a port of its own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((address, 0))
        yield sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def free_port(address: str = "127.0.0.1") -> int:
    with bound(address) as sock:
        return port_of(sock)


def echo(server: socket.socket) -> None:
    data, client = server.recvfrom(4096)
    server.sendto(b"echo " + data, client)


def measure(
    sets: Iterable[DatagramSet],
    serving: Mapping[socket.socket, Serve] | None = None,
    timing: DatagramTiming = QUICK,
    **options: Any,
) -> list[Answered]:
    answers: list[Answered] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for server, serve in (serving or {}).items():
            loop.add_reader(server, serve, server)
        engine = DatagramEngine(timing, answers.append, pace=Pace(Speed.FAST), **options)
        async with asyncio.timeout(20):
            await engine.run(iter(sets), loop.create_future())
        for server in serving or ():
            loop.remove_reader(server)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())
    return answers


def by_port(answers: Iterable[Answered]) -> dict[int, Observation]:
    singles = [seen for seen in answers if isinstance(seen, Observation)]
    return {seen.probe.port: seen for seen in singles}


def udp(port: int, *payloads: bytes, **options: Any) -> Question:
    return Question(Transport.UDP, port, payloads or (b"",), **options)


@pytest.mark.parametrize("address", ADDRESSES)
def test_open_closed_and_silent(address: str) -> None:
    closed = free_port(address)
    with bound(address) as server, bound(address) as silent:
        asked = [udp(port_of(server), b"hello"), udp(port_of(silent)), udp(closed)]
        seen = by_port(measure([DatagramSet(address, asked)], {server: echo}))
        assert {port: (one.state, one.reason, one.detail) for port, one in seen.items()} == {
            port_of(server): (PortState.OPEN, Reason.UDP_RESPONSE, None),
            port_of(silent): (PortState.OPEN_FILTERED, Reason.NO_RESPONSE, "icmp-alive"),
            closed: (PortState.CLOSED, Reason.PORT_UNREACH, None),
        }
        reply = seen[port_of(server)].reply
        assert reply is not None
        assert (reply.data, reply.address, reply.port) == (b"echo hello", address, port_of(server))
        assert seen[closed].responder == address
        assert seen[closed].icmp == ((3, 3) if address == "127.0.0.1" else (1, 4))


def test_a_thousand_errors_lose_none_and_disturb_nobody() -> None:
    """Every queued error makes one later sendto() fail, with an errno that means nothing."""
    with bound() as server:
        ports = [*(port for port in range(20000, 21000) if port != port_of(server))]
        asked = [udp(port, in_bulk=True) for port in ports] + [udp(port_of(server), b"hello")]
        answers = measure([DatagramSet("127.0.0.1", asked)], {server: echo})
        assert by_port(answers)[port_of(server)].state is PortState.OPEN
        closed = [seen for seen in answers if isinstance(seen, Tally) and seen.state is PortState.CLOSED]
        assert sum(len(tally.ports) for tally in closed) >= 990, "somebody else may listen on a few"


def test_a_large_reply_is_cut() -> None:
    with bound() as server:

        def flood(sock: socket.socket) -> None:
            _, client = sock.recvfrom(100)
            sock.sendto(bytes(9000), client)

        seen = by_port(measure([DatagramSet("127.0.0.1", [udp(port_of(server))])], {server: flood}))
        reply = seen[port_of(server)].reply
        assert reply is not None
        assert len(reply.data) == 2048


def from_another_port(server: socket.socket) -> None:
    _, client = server.recvfrom(100)
    with bound() as other:
        other.sendto(b"from another port", client)


def test_an_answer_from_another_port_counts_where_it_may_come_from_there() -> None:
    with bound() as tftp, bound() as other:
        asked = [udp(port_of(tftp), private=True), udp(port_of(other))]
        serving = {tftp: from_another_port, other: from_another_port}
        seen = by_port(measure([DatagramSet("127.0.0.1", asked)], serving))
        assert seen[port_of(tftp)].state is PortState.OPEN
        assert seen[port_of(other)].state is PortState.OPEN_FILTERED


def test_a_socket_does_not_hear_itself() -> None:
    """The port of our own that the question leaves from is the one that is asked."""
    source = free_port()

    class Chosen(Channels):
        def udp(self, address: str, port: int, source_address: str | None, source_port: int | None) -> Any:
            return super().udp(address, port, source_address, source)

    seen = by_port(measure([DatagramSet("127.0.0.1", [udp(source, b"anybody?")])], channels=Chosen(False)))
    assert seen[source].state is not PortState.OPEN


def test_all_sockets_are_closed() -> None:
    before = descriptors()
    measure([DatagramSet("127.0.0.1", [udp(free_port()), udp(free_port(), private=True)])])
    assert descriptors() == before


def test_a_source_port_that_needs_a_privilege() -> None:
    class Unprivileged(Channels):
        def udp(self, address: str, port: int, source_address: str | None, source_port: int | None) -> Any:
            if source_port is not None:
                raise PrivilegeError("CAP_NET_BIND_SERVICE")
            return super().udp(address, port, source_address, source_port)

    with bound() as silent:
        asked = [udp(port_of(silent), source_port=68)]
        seen = by_port(measure([DatagramSet("127.0.0.1", asked)], channels=Unprivileged(False)))
        assert (seen[port_of(silent)].state, seen[port_of(silent)].detail) == (
            PortState.OPEN_FILTERED,
            "needs-source-port-68",
        )


def test_a_source_port_that_is_taken() -> None:
    """Also by somebody who would share it, as DHCP clients do: his replies are not ours to take."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder, bound() as silent:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("0.0.0.0", 0))
        taken = port_of(holder)
        seen = by_port(measure([DatagramSet("127.0.0.1", [udp(port_of(silent), source_port=taken)])]))
        assert seen[port_of(silent)].detail == f"source port {taken} is in use on this machine"


def test_a_source_port_is_used() -> None:
    source = free_port()
    with bound() as server:
        asked = [udp(port_of(server), source_port=source)]
        seen = by_port(measure([DatagramSet("127.0.0.1", asked)], {server: echo}))
        assert seen[port_of(server)].attempts[0].source_port == source


def test_a_source_address_that_is_not_ours() -> None:
    seen = by_port(measure([DatagramSet("127.0.0.1", [udp(9)], source_address="192.0.2.1")]))
    assert (seen[9].state, seen[9].reason) == (PortState.UNKNOWN, Reason.LOCAL_ERROR)
    assert seen[9].detail == "cannot send from 192.0.2.1: Cannot assign requested address"


def test_a_zone_that_does_not_exist() -> None:
    seen = by_port(measure([DatagramSet("fe80::1%nowhere", [udp(9)])]))
    assert (seen[9].state, seen[9].reason) == (PortState.UNKNOWN, Reason.LOCAL_ERROR)


def test_without_descriptors_the_run_says_so() -> None:
    full = OSError(errno.EMFILE, "Too many open files")
    with mock.patch.object(Channels, "_socket", side_effect=full):
        seen = by_port(measure([DatagramSet("127.0.0.1", [udp(9)])], timing=DatagramTiming(own_limit_s=0.2)))
    assert (seen[9].state, seen[9].reason, seen[9].detail) == (PortState.UNKNOWN, Reason.LOCAL_FD_LIMIT, "EMFILE")


@pytest.mark.parametrize("transport", [Transport.ICMP, Transport.GRE, Transport.ESP, Transport.AH])
def test_a_socket_that_needs_a_privilege(transport: Transport) -> None:
    with mock.patch.object(Channels, "_socket", side_effect=PermissionError(errno.EPERM, "not permitted")):
        [seen] = measure([DatagramSet("127.0.0.1", [Question(transport, 0)])])
    assert isinstance(seen, Observation)
    needed = "CAP_NET_RAW or net.ipv4.ping_group_range" if transport is Transport.ICMP else "CAP_NET_RAW"
    assert (seen.reason, seen.detail) == (Reason.NEEDS_PRIVILEGE, needed)


# ------------------------------------------------------------------------------------- macOS and the BSDs


def test_without_an_error_queue_a_refusal_is_seen_and_its_sender_is_not() -> None:
    closed = free_port()
    with bound() as server, bound() as silent:
        asked = [udp(port_of(server), b"hello"), udp(port_of(silent)), udp(closed)]
        seen = by_port(measure([DatagramSet("127.0.0.1", asked)], {server: echo}, portable=True))
        assert {port: (one.state, one.reason, one.responder) for port, one in seen.items()} == {
            port_of(server): (PortState.OPEN, Reason.UDP_RESPONSE, None),
            port_of(silent): (PortState.OPEN_FILTERED, Reason.NO_RESPONSE, None),
            closed: (PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN, None),
        }


def test_without_an_error_queue_a_refusal_is_seen_however_the_address_is_written() -> None:
    closed = free_port("::1")
    seen = by_port(measure([DatagramSet("0:0:0:0:0:0:0:1", [udp(closed)])], portable=True))
    assert seen[closed].reason is Reason.REFUSED_ORIGIN_UNKNOWN


def test_without_an_error_queue_answers_come_from_other_ports_too() -> None:
    with bound() as tftp:
        asked = [udp(port_of(tftp), private=True)]
        seen = by_port(measure([DatagramSet("127.0.0.1", asked)], {tftp: from_another_port}, portable=True))
        assert seen[port_of(tftp)].state is PortState.OPEN


# ---------------------------------------------------------------------------------------- the error queue


def test_an_error_comes_with_its_datagram() -> None:
    closed = free_port()
    channel = Channels(False).udp("127.0.0.1", 0, None, None)
    try:
        for number in range(3):
            assert channel.send(bytes([number]) * 10, ("127.0.0.1", closed))[0] == 0
        heard = channel.hear().returned
    finally:
        channel.close()
    # Two of them came back while the next one was sent.
    assert [(one.address, one.port, one.error.icmp) for one in heard][-1] == ("127.0.0.1", closed, (3, 3))
    assert heard[-1].payload == bytes([2]) * 10


def test_at_most_so_many_are_read() -> None:
    closed = free_port()
    with bound() as sock:
        level, option = error_queue.RECVERR[socket.AF_INET]
        sock.setsockopt(level, option, 1)
        for _ in range(10):
            for _ in range(20):
                try:
                    sock.sendto(b"x", ("127.0.0.1", closed))
                    break
                except ConnectionRefusedError:
                    continue
        assert len(error_queue.read_returned(sock, 3)) == 3
        assert len(error_queue.read_returned(sock, 100)) == 7
        assert error_queue.read_returned(sock, 100) == []


@contextmanager
def only_descriptors(more: int) -> Iterator[None]:
    """So many more than are in use, and nobody can raise that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + more, hard))
    try:
        with mock.patch("portcheck.engine.descriptors.resource.setrlimit", side_effect=ValueError):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_with_few_descriptors_addresses_are_asked_one_after_the_other() -> None:
    asked = [udp(69, private=True), udp(20001)]
    sets = [DatagramSet(f"127.1.0.{number}", asked) for number in range(1, 101)]
    with only_descriptors(40):
        answers = measure(sets)
    assert {(seen.state, seen.reason) for seen in answers} == {(PortState.CLOSED, Reason.PORT_UNREACH)}
    assert len(answers) == 200


class Stub:
    """A socket that fails so many times with this errno."""

    family = socket.AF_INET

    def __init__(self, kind: int = socket.SOCK_DGRAM, number: int = 0, failures: int = 0) -> None:
        self.type = kind
        self.sent: list[bytes] = []
        self._number = number
        self._failures = failures

    def sendto(self, payload: bytes, destination: object) -> int:
        if self._failures:
            self._failures -= 1
            raise OSError(self._number, "stale")
        self.sent.append(payload)
        return len(payload)

    def recvfrom(self, most: int) -> Any:
        raise BlockingIOError(errno.EAGAIN, "empty")

    def getsockname(self) -> tuple[str, int]:
        return ("0.0.0.0", 40000)


def send_from(stub: Stub, queued: Iterable[list[Returned]] = ()) -> int:
    """What one datagram comes to when reading the error queue gives these, then nothing."""
    each = iter(queued)
    channel = Channel(stub, Transport.UDP, True)  # type: ignore[arg-type]
    with mock.patch.object(error_queue, "read_returned", side_effect=lambda *_: next(each, [])):
        return channel.send(b"x", ("192.0.2.1", 53))[0]


STALE = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPROTO, errno.ENOPROTOOPT]


@pytest.mark.parametrize("number", STALE)
def test_an_errno_that_the_queue_does_not_explain_any_more_is_not_believed_at_once(number: int) -> None:
    """The kernel queues the error first and sets the errno then; the queue may have been read in between."""
    stub = Stub(number=number, failures=1)
    assert send_from(stub) == 0
    assert stub.sent == [b"x"]


def test_an_errno_may_be_stale_again_after_another_error() -> None:
    another = Returned(IcmpError(111, (3, 3), "192.0.2.1", Reason.PORT_UNREACH), "192.0.2.1", 9, b"x")
    assert send_from(Stub(number=errno.ECONNREFUSED, failures=3), [[], [another], []]) == 0


@pytest.mark.parametrize(("number", "failures"), [(errno.ENETUNREACH, 2), (errno.EPERM, 1), (errno.ENOBUFS, 1)])
def test_an_errno_of_our_own_is_believed(number: int, failures: int) -> None:
    stub = Stub(number=number, failures=failures)
    assert send_from(stub) == number
    assert stub.sent == []


def echo_request(identifier: int, number: int) -> bytes:
    return b"\x08\x00\x00\x00" + identifier.to_bytes(2, "big") + number.to_bytes(2, "big") + b"data"


def heard_by_raw_echo(*returned: Returned) -> list[Returned]:
    channel = Channel(Stub(socket.SOCK_RAW), Transport.ICMP, True)  # type: ignore[arg-type]
    channel.send(echo_request(7, 1), ("192.0.2.1", 0))
    with mock.patch.object(error_queue, "read_returned", return_value=list(returned)):
        return channel.hear().returned


def test_a_raw_socket_hears_errors_about_its_own_echo_requests_only() -> None:
    """The kernel gives it those of every process, about any host."""
    rejected = IcmpError(113, (3, 13), "192.0.2.254", Reason.ADMIN_PROHIBITED)
    ours = Returned(rejected, "192.0.2.1", 0, echo_request(7, 1))
    of_another_ping = Returned(rejected, "192.0.2.1", 0, echo_request(8, 1))
    too_short = Returned(rejected, "192.0.2.1", 0, echo_request(7, 1)[:4])
    assert heard_by_raw_echo(of_another_ping, ours, too_short) == [ours]


@pytest.mark.parametrize("transport", [Transport.ICMP, Transport.GRE])
def test_an_error_about_another_host_says_nothing(transport: Transport) -> None:
    """A raw socket may be given it."""
    other = Returned(IcmpError(113, (3, 13), "10.0.9.9", Reason.ADMIN_PROHIBITED), "10.0.7.7", 0, b"packet")

    class Misled(SimulatedChannel):
        def send(self, payload: bytes, destination: Any) -> Any:
            self._deliver(other, None)
            return super().send(payload, destination)

    host = Host(absent=True)
    with mock.patch.object(simulated, "SimulatedChannel", Misled):
        outcome = ask(Network({"10.0.1.1": host}), [DatagramSet("10.0.1.1", [Question(transport, 0, (b"packet",))])])
    assert [seen.reason for seen in outcome.by_port().values()] == [Reason.NO_RESPONSE]
