"""The stand-in: whom it answers, from where, what it says of its ports, and that nobody can exhaust it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portcheck.engine import stand_in as module
from portcheck.engine import stand_in_datagrams, stand_in_sockets, token
from portcheck.engine.half_open import HalfOpen
from portcheck.engine.probe import Echo, PortState, Probe, Reason, Standing, StandInPort, StandInReport, Transport
from portcheck.engine.stand_in import Limits, Opening, StandIn, stack_id
from portcheck.engine.stand_in_answers import Answers, Peers
from portcheck.engine.stand_in_connections import Connections
from portcheck.engine.stand_in_datagrams import Datagrams
from portcheck.engine.stand_in_filter import drop_garbage, let_everything_in
from portcheck.engine.stand_in_places import Places
from portcheck.engine.stand_in_visitors import Came, Visitors
from tests.attacked import MOST_MB, ask, attacked, flood, heard_by, hold
from tests.loopback import observe

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
RUN, OTHER_RUN = b"this run", b"another1"
IPV4, IPV6 = "127.0.0.1", "::1"
TCP, UDP = Transport.TCP, Transport.UDP
HANGS_AFTER_S = 10
NOT_OURS = "192.0.2.1"

EVERYWHERE = [pytest.param(kind, address, id=f"{kind}-{address}") for kind in (TCP, UDP) for address in (IPV4, IPV6)]


# ------------------------------------------------------------------------------------------------------ serving


@contextmanager
def serving(stand_in: StandIn, *wanted: Opening) -> Iterator[tuple[StandInPort, ...]]:
    """What came of opening these, while it answers in a thread of its own."""
    opened = stand_in.open(wanted)
    ready, ended = threading.Event(), []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        stop = loop.create_future()
        ended.append(lambda: loop.call_soon_threadsafe(stop.set_result, None))
        loop.call_soon(ready.set)
        await stand_in.serve(stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(HANGS_AFTER_S)
    try:
        yield opened
    finally:
        ended[0]()
        thread.join(HANGS_AFTER_S)
    assert not thread.is_alive()


@contextmanager
def one_port(transport: Transport = TCP, address: str = IPV4, **options: Any) -> Iterator[int]:
    """The number of a port that a stand-in has opened."""
    stand_in = StandIn(KEY, "m1", **options)
    with serving(stand_in, Opening(transport, 0, (address,))) as (opened,):
        assert opened.standing is Standing.LISTENING
        yield opened.port


@contextmanager
def connected(transport: Transport, address: str, port: int, source: str | None = None) -> Iterator[socket.socket]:
    """A client. Over UDP too it hears nobody but the address that it asks."""
    kind = socket.SOCK_STREAM if transport is TCP else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.settimeout(HANGS_AFTER_S)
        if source is not None:
            sock.bind((source, 0))
        sock.connect((address, port))
        yield sock


def request(transport: Transport = TCP, port: int = 1, key: bytes = KEY, run: bytes = RUN) -> bytes:
    return token.request(key, run, os.urandom(token.NONCE_BYTES), transport, port)


def page_request(page: int, run: bytes = RUN, age_s: float = 60.0) -> bytes:
    return token.page_request(KEY, run, os.urandom(token.NONCE_BYTES), page, age_s)


def echoed(sock: socket.socket, sent: bytes) -> Echo | None:
    sock.sendall(sent)
    received = sock.recv(token.PAGE_BYTES)
    assert len(received) <= len(sent)
    return token.read_echo(KEY, sent, received)


def report_over(sock: socket.socket, run: bytes = RUN) -> StandInReport | None:
    pieces: list[bytes] = []
    while True:
        sent = page_request(len(pieces), run)
        sock.sendall(sent)
        received = b""
        while len(received) < token.HEAD_BYTES or len(received) < (token.response_length(received) or 0):
            received += sock.recv(token.PAGE_BYTES)
        assert len(received) <= len(sent)
        page = token.read_page(KEY, sent, received)
        assert page is not None
        assert page[0] == len(pieces)
        pieces.append(page[2])
        if len(pieces) == page[1]:
            return token.joined(pieces)


def is_closed(sock: socket.socket) -> bool:
    """Whether it ends without a byte; a reset is such an end."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


# --------------------------------------------------------------------------------------------- who is answered


@pytest.mark.parametrize(("transport", "address"), EVERYWHERE)
def test_an_echo_says_where_the_request_arrived_and_from_whom(transport: Transport, address: str) -> None:
    with one_port(transport, address, is_stated=True) as port, connected(transport, address, port) as sock:
        echo = echoed(sock, request(transport, port))
        peer, peer_port = sock.getsockname()[:2]
    assert echo == Echo(stack_id(), "m1", True, address, port, peer, peer_port)


@pytest.mark.parametrize("transport", [TCP, UDP])
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.3.4.5"])
def test_a_stand_in_on_all_addresses_answers_from_the_one_that_was_asked(transport: Transport, asked: str) -> None:
    with one_port(transport, "0.0.0.0") as port, connected(transport, asked, port) as sock:
        echo = echoed(sock, request(transport, port))
    assert echo is not None
    assert echo.address == asked


def answering(
    heard: Places | None = None, connected: Places | None = None, visitors: Visitors | None = None
) -> Answers:
    visitors = visitors or Visitors(lambda came: None, 10)
    heard, connected = heard or Places(2, 3, 6), connected or Places(2, 3, 6)
    answers = Answers(KEY, "0" * 16, "m1", False, Peers(()), visitors, heard, connected, HalfOpen("no such folder"))
    answers.ports = [StandInPort(TCP, port, "0.0.0.0", Standing.LISTENING) for port in (80, 443)]
    return answers


def response_of_another_stand_in(sent: bytes) -> bytes:
    received = answering().answer(sent, TCP, IPV4, 80, IPV4, 4711)
    assert received is not None
    return received


_REQUEST = request()
NOT_OF_OURS = {
    "another key": request(key=OTHER_KEY),
    "a flipped bit": _REQUEST[:-1] + bytes([_REQUEST[-1] ^ 1]),
    "a browser": b"GET / HTTP/1.1\r\nHost: m1\r\n\r\n" + b" " * 300,
    "an echo": response_of_another_stand_in(_REQUEST),
    "a page": response_of_another_stand_in(page_request(0)),
    "a page that is not there": page_request(1000),
}


@pytest.mark.parametrize("data", NOT_OF_OURS.values(), ids=NOT_OF_OURS)
def test_over_tcp_everything_else_is_closed_without_a_byte(data: bytes) -> None:
    with one_port() as port, connected(TCP, IPV4, port) as sock:
        sock.sendall(data)
        assert is_closed(sock)


@pytest.mark.parametrize("data", NOT_OF_OURS.values(), ids=NOT_OF_OURS)
def test_over_udp_everything_else_is_not_answered(data: bytes) -> None:
    with one_port(UDP) as port, connected(UDP, IPV4, port) as sock:
        for length in {0, 1, 22, 100, len(data)}:
            sock.send(data[:length])
        sock.send(request(UDP) + b"\0")
        # Whatever it answered to those would come before this.
        assert echoed(sock, request(UDP, port)) is not None


def test_a_probe_that_says_nothing_sees_an_open_port() -> None:
    with one_port() as port:
        (seen,) = observe([Probe(IPV4, TCP, port)])
    assert (seen.state, seen.reason) == (PortState.OPEN, Reason.SYN_ACK)


def test_only_the_named_peers_are_answered() -> None:
    stand_in = StandIn(KEY, "m1", peers=("127.0.0.2", "127.0.3.0/24", "fe80::1%eth0"))
    with serving(stand_in, Opening(TCP, 0, (IPV4,)), Opening(UDP, 0, (IPV4,))) as (tcp, udp):
        for source in ("127.0.0.2", "127.0.3.77"):
            with connected(TCP, IPV4, tcp.port, source) as sock:
                assert echoed(sock, request()) is not None
        with connected(TCP, IPV4, tcp.port, "127.0.0.3") as sock:
            assert is_closed(sock)
        with (
            connected(UDP, IPV4, udp.port, "127.0.0.3") as stranger,
            connected(UDP, IPV4, udp.port, "127.0.0.2") as sock,
        ):
            stranger.send(request(UDP))
            assert echoed(sock, request(UDP)) is not None
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(1)


@pytest.mark.parametrize("peers", [("10.0.0.0/33",), ("m1",), ("",)])
def test_a_peer_that_is_no_address_is_told(peers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        StandIn(KEY, "m1", peers=peers)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_of_the_wrong_length_is_told(length: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        StandIn(b"k" * length, "m1")


# ------------------------------------------------------------------------------------ datagrams to or from many


def test_a_broadcast_is_not_answered() -> None:
    stand_in = StandIn(KEY, "m1")
    with serving(stand_in, Opening(UDP, 0, ("0.0.0.0",))) as (opened,), datagrams() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        to_one = request(UDP)
        sock.sendto(request(UDP), ("127.255.255.255", opened.port))
        sock.sendto(to_one, (IPV4, opened.port))
        received, sender = sock.recvfrom(token.PAGE_BYTES)
    assert sender == (IPV4, opened.port)
    assert token.read_echo(KEY, to_one, received) is not None
    assert [(came.authentic, came.number) for came in stand_in.came()] == [(True, 1), (False, 1)]


def test_a_multicast_is_not_answered() -> None:
    group = "239.1.2.3"
    stand_in = StandIn(KEY, "m1")
    with serving(stand_in, Opening(UDP, 0, ("0.0.0.0",))) as (opened,), datagrams() as member, datagrams() as sock:
        # Somebody else on this machine has joined: then every socket on all addresses hears the group (ip(7)).
        joining = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(IPV4))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joining)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(IPV4))
        to_one = request(UDP)
        sock.sendto(request(UDP), (group, opened.port))
        sock.sendto(to_one, (IPV4, opened.port))
        assert token.read_echo(KEY, to_one, sock.recv(token.PAGE_BYTES)) is not None
    assert [(came.authentic, came.number) for came in stand_in.came()] == [(True, 1), (False, 1)]


def datagrams() -> socket.socket:
    """A client that asks several addresses."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(HANGS_AFTER_S)
    return sock


def in6_pktinfo(destination: str, interface: int) -> tuple[int, int, bytes]:
    packed = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, destination), interface)
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed


class Faked:
    """A socket that has one datagram, sent from and to addresses that a test cannot have."""

    def __init__(self, sender: tuple[Any, ...], *ancillary: tuple[int, int, bytes], bound_to: str = "::") -> None:
        self.sender = sender
        self.ancillary = ancillary
        self.bound_to = bound_to
        self.waiting = [request(UDP)]
        self.sent: list[tuple[Any, Any]] = []

    def recvmsg(self, *_: int) -> tuple[bytes, Sequence[tuple[int, int, bytes]], int, tuple[Any, ...]]:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(), self.ancillary, 0, self.sender

    def sendmsg(self, data: list[bytes], ancillary: Any, flags: int, sender: Any) -> None:
        self.sent.append((sender, ancillary))

    def getsockname(self) -> tuple[str, int]:
        return self.bound_to, 1


LINK_LOCAL = ("fe80::2%eth0", 4711, 0, 3)


def answered(sock: Any) -> list[tuple[Any, Any]]:
    stand_in_datagrams.answer_datagrams(sock, 1, answering())
    return list(sock.sent)


def test_over_link_local_ipv6_the_answer_leaves_by_the_interface_that_the_request_came_by() -> None:
    arrived = in6_pktinfo("fe80::1", 3)
    assert answered(Faked(LINK_LOCAL, arrived)) == [(LINK_LOCAL, [arrived])]


def test_other_answers_take_the_route_of_this_machine() -> None:
    sender = ("2001:db8::2", 4711, 0, 0)
    found = answered(Faked(sender, in6_pktinfo("2001:db8::1", 3)))
    assert found == [(sender, [in6_pktinfo("2001:db8::1", 0)])]


def test_a_multicast_is_not_answered_where_the_kernel_does_not_tell_it_from_our_address() -> None:
    group = socket.inet_aton("239.1.2.3")
    pktinfo = (socket.IPPROTO_IP, 8 if sys.platform == "linux" else 26, struct.pack("@I4s4s", 1, group, group))
    assert answered(Faked((IPV4, 4711), pktinfo)) == []


def test_an_ipv6_multicast_is_not_answered() -> None:
    assert answered(Faked(LINK_LOCAL, in6_pktinfo("ff02::1", 3))) == []


def test_port_0_is_not_answered() -> None:
    assert answered(Faked(("2001:db8::2", 0, 0, 0), in6_pktinfo("2001:db8::1", 3))) == []


def test_where_the_kernel_does_not_tell_the_bound_address_is_the_one_that_was_asked() -> None:
    assert answered(Faked((IPV4, 4711), bound_to="127.0.0.9")) == [((IPV4, 4711), ())]


def test_where_the_kernel_does_not_tell_a_stand_in_on_all_addresses_answers_all_the_same() -> None:
    assert answered(Faked((IPV4, 4711), bound_to="0.0.0.0")) == [((IPV4, 4711), ())]


# ----------------------------------------------------------------------------------------------------- a flood


class Loop:
    """An event loop that does nothing by itself."""

    def __init__(self) -> None:
        self.readers: dict[object, tuple[Callable[..., None], tuple[Any, ...]]] = {}
        self.later: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def add_reader(self, sock: object, call: Callable[..., None], *args: Any) -> None:
        self.readers[sock] = (call, args)

    def remove_reader(self, sock: object) -> None:
        self.readers.pop(sock, None)

    def call_later(self, _: float, call: Callable[..., None], *args: Any) -> object:
        self.later.append((call, args))
        return SimpleNamespace(cancel=lambda: None)


GARBAGE = {
    "nothing": b"",
    "a beginning": request()[:100],
    "too long": request() + b"\0",
    "between": request().ljust(600, b"\0"),
    "too long for any": page_request(0) + b"\0",
    "noise": os.urandom(token.REQUEST_BYTES),
    "more noise": os.urandom(token.PAGE_BYTES),
    **{f"byte {at} of the magic": request()[:at] + b"~" + request()[at + 1 :] for at in range(len(token.MAGIC))},
}


@contextmanager
def listening(address: str = IPV4) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket of a stand-in, and somebody who sends to it: on loopback what is sent is there at once."""
    with stand_in_sockets.listening(UDP, 0, address) as sock, connected(UDP, address, sock.getsockname()[1]) as client:
        yield sock, client


@pytest.mark.parametrize("address", [IPV4, IPV6])
def test_in_a_flood_the_kernel_lets_requests_in_and_nothing_else(address: str) -> None:
    ours = [request(UDP), page_request(0), request(UDP, key=OTHER_KEY)]
    with listening(address) as (sock, client):
        is_filtered = drop_garbage(sock)
        for data in (*GARBAGE.values(), *ours):
            client.send(data)
        arrived = [sock.recv(2048) for _ in range(3)]
        let_everything_in(sock)
        client.send(b"?")
        assert sock.recv(2048) == b"?"
    assert is_filtered == sys.platform.startswith("linux")
    assert arrived == (ours if is_filtered else [*GARBAGE.values()][:3])


def test_a_flood_is_filtered_for_a_while_and_then_counted_again() -> None:
    flooded = Flooded()
    with listening() as (sock, client):
        flooded.datagrams.watch(sock, 1)
        assert flooded.counted(sock, client, 257) == 257
        assert flooded.counted(sock, client, 100) == (0 if sys.platform.startswith("linux") else 100)
        for let_in, args in flooded.loop.later:
            let_in(*args)
        assert flooded.counted(sock, client, 1) == 1


def test_a_scanner_that_comes_again_and_again_is_no_flood() -> None:
    flooded = Flooded()
    with listening() as (sock, client):
        flooded.datagrams.watch(sock, 1)
        for _ in range(20):
            flooded.loop.now += 2.0
            assert flooded.counted(sock, client, 100) == 100


class Flooded:
    """The UDP side of a stand-in, whose turns come when a test says so."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.visitors = Visitors(lambda came: None, 10)
        answers = answering(visitors=self.visitors)
        self.datagrams = Datagrams(self.loop, lambda call, *args: call(*args), answers)  # type: ignore[arg-type]

    def counted(self, sock: socket.socket, client: socket.socket, number: int) -> int:
        """How many of so many datagrams of garbage are noted."""
        before = self._noted()
        read, args = self.loop.readers[sock]
        for _ in range(number):
            client.send(b"?")
            read(*args)
        return self._noted() - before

    def _noted(self) -> int:
        return sum(came.number for came in self.visitors.all())


# -------------------------------------------------------------------------------------------------- what it opens


def test_a_port_in_use_is_reported_with_its_holder_and_the_others_are_open() -> None:
    with other_process("0.0.0.0") as (pid, port):
        stand_in = StandIn(KEY, "m1")
        with serving(stand_in, Opening(TCP, port, ("0.0.0.0", "::")), Opening(TCP, 0, (IPV4,))) as opened:
            in_use, over_ipv6, other = opened
            with connected(TCP, IPV4, other.port) as sock:
                report = report_over(sock)
    assert in_use.standing is Standing.IN_USE
    assert in_use.holder is not None
    assert (in_use.holder.pid, in_use.holder.address) == (pid, "0.0.0.0")
    assert (over_ipv6.standing, other.standing) == (Standing.LISTENING, Standing.LISTENING)
    assert report is not None
    assert set(report.ports) == set(opened)


def test_the_holder_is_the_other_process_and_not_the_stand_in_on_the_other_family() -> None:
    with other_process(IPV4) as (pid, port):
        stand_in = StandIn(KEY, "m1")
        over_ipv6, in_use = stand_in.open([Opening(TCP, port, ("::", "0.0.0.0"))])
        stand_in.close()
    assert over_ipv6.standing is Standing.LISTENING
    assert in_use.holder is not None
    assert (in_use.holder.pid, in_use.holder.address) == (pid, IPV4)


def test_a_udp_port_in_use_is_not_shared() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((IPV4, 0))
        (opened,) = StandIn(KEY, "m1").open([Opening(UDP, sock.getsockname()[1], ("0.0.0.0",))])
    assert opened.standing is Standing.IN_USE


@contextmanager
def other_process(address: str) -> Iterator[tuple[int, int]]:
    """Its number, and the TCP port that it listens on."""
    script = (
        "import socket, sys; sock = socket.create_server((sys.argv[1], 0));"
        "print(sock.getsockname()[1], flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, address]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.stdin.close()


NO_SUCH_ADDRESS = (Standing.FAILED, "not an address of this machine")


@pytest.mark.parametrize("transport", [TCP, UDP])
@pytest.mark.parametrize("address", [NOT_OURS, "2001:db8::1", "fe80::1%no-such-zone"])
def test_an_address_of_another_machine_is_told(transport: Transport, address: str) -> None:
    stand_in = StandIn(KEY, "m1")
    other, opened = stand_in.open([Opening(transport, 0, (IPV4, address))])
    stand_in.close()
    assert other.standing is Standing.LISTENING
    assert (opened.address, opened.standing, opened.detail) == (address, *NO_SUCH_ADDRESS)


WHY_NOT = {
    "privileged": (
        PermissionError(errno.EACCES, ""),
        1023,
        Standing.NEEDS_PRIVILEGE,
        "ip_unprivileged_port_start=1023",
    ),
    "a security module": (PermissionError(errno.EACCES, ""), 1024, Standing.FAILED, "SELinux"),
    "in use": (OSError(errno.EADDRINUSE, ""), 80, Standing.IN_USE, ""),
    "descriptors": (OSError(errno.EMFILE, ""), 80, Standing.FAILED, "ulimit -n"),
    "memory": (OSError(errno.ENOBUFS, ""), 80, Standing.FAILED, os.strerror(errno.ENOBUFS)),
    "no port": (OverflowError(), 65536, Standing.FAILED, "no port number"),
}


@pytest.mark.parametrize(("error", "port", "standing", "detail"), WHY_NOT.values(), ids=WHY_NOT)
def test_why_a_port_could_not_be_opened(
    error: Exception, port: int, standing: Standing, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tmp_path / "ip_unprivileged_port_start"
    setting.write_text("1024\n")
    monkeypatch.setattr(stand_in_sockets, "_UNPRIVILEGED", setting)
    found = stand_in_sockets.why_not(error, port)
    assert found[0] is standing
    assert detail in (found[1] or "")


def test_a_host_without_ipv6_does_not_miss_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = stand_in_sockets.listening

    def without_ipv6(transport: Transport, port: int, address: str) -> socket.socket:
        if ":" in address:
            raise OSError(errno.EAFNOSUPPORT, "")
        return real(transport, port, address)

    monkeypatch.setattr(module, "listening", without_ipv6)
    stand_in = StandIn(KEY, "m1")
    opened = stand_in.open([Opening(TCP, 0, ("0.0.0.0", "::")), Opening(UDP, 0, ("::1", "fd00::1"))])
    stand_in.close()
    assert [(port.address, port.standing) for port in opened] == [
        ("0.0.0.0", Standing.LISTENING),
        ("fd00::1", Standing.FAILED),
    ]


def test_an_address_that_another_one_covers_is_opened_once() -> None:
    stand_in = StandIn(KEY, "m1")
    (free,) = stand_in.open([Opening(TCP, 0, ("0.0.0.0",))])
    stand_in.close()
    wanted = [Opening(TCP, free.port, (IPV4, "0.0.0.0", IPV6)), Opening(TCP, free.port, (IPV4, "0.0.0.0"))]
    opened = stand_in.open(wanted)
    stand_in.close()
    assert [(port.address, port.standing) for port in opened] == [
        ("0.0.0.0", Standing.LISTENING),
        (IPV6, Standing.LISTENING),
    ]


def test_more_ports_than_descriptors_leave_some_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "raise_descriptor_limit", lambda: 6)
    stand_in = StandIn(KEY, "m1")
    wanted = [Opening(TCP, 0, (f"127.0.0.{last}",)) for last in range(1, 6)]
    with serving(stand_in, *wanted) as opened, connected(TCP, IPV4, opened[0].port) as sock:
        assert echoed(sock, request()) is not None
    assert [port.standing for port in opened] == [Standing.LISTENING] * 3 + [Standing.FAILED] * 2
    assert "ulimit -n" in (opened[3].detail or "")


# ------------------------------------------------------------------------------------------------------- the report


def hear(answers: Answers, run: bytes, port: int, transport: Transport = UDP, address: str = IPV4) -> None:
    sent = request(transport, port, run=run)
    assert answers.answer(sent, transport, address, port, IPV4, 4711) is not None


def page_of(
    answers: Answers, page: int, run: bytes = RUN, peer: str = IPV4, age_s: float = 60.0
) -> tuple[int, int, bytes] | None:
    sent = page_request(page, run, age_s)
    received = answers.answer(sent, TCP, IPV4, 80, peer, 4711)
    return None if received is None else token.read_page(KEY, sent, received)


def report_of(answers: Answers, run: bytes = RUN, peer: str = IPV4, age_s: float = 60.0) -> StandInReport:
    """A report that is one page long."""
    page = page_of(answers, 0, run, peer, age_s)
    assert page is not None
    report = token.joined([page[2]])
    assert report is not None
    return report


def heard_of(answers: Answers, run: bytes) -> list[int]:
    return [port for _, port, _ in report_of(answers, run).heard]


def test_a_report_is_read_in_pages_over_one_connection_after_the_echo() -> None:
    stand_in = StandIn(KEY, "m1", is_stated=True)
    many = tuple(f"127.{high}.{low}.1" for high in range(1, 31) for low in range(1, 11))
    with serving(stand_in, Opening(TCP, 0, many)) as opened, connected(TCP, many[0], opened[0].port) as sock:
        assert echoed(sock, request(TCP, opened[0].port)) is not None
        report = report_over(sock)
    assert report is not None
    assert (report.stack, report.name, report.is_stated) == (stack_id(), "m1", True)
    assert set(report.ports) == set(opened)
    assert report.heard == report.reached == ((TCP, opened[0].port, many[0]),)


def test_a_report_can_be_read_over_udp() -> None:
    with one_port(UDP, IPV6) as port, connected(UDP, IPV6, port) as sock:
        report = report_over(sock)
    assert report is not None
    assert report.ports == (StandInPort(UDP, port, IPV6, Standing.LISTENING),)


def test_a_run_hears_of_its_own_questions_only() -> None:
    answers = answering()
    hear(answers, RUN, 80)
    hear(answers, RUN, 80)
    hear(answers, OTHER_RUN, 443)
    assert heard_of(answers, RUN) == [80]
    assert heard_of(answers, OTHER_RUN) == [443]


def test_a_later_reading_has_what_was_heard_since() -> None:
    answers = answering()
    hear(answers, RUN, 80)
    assert heard_of(answers, RUN) == [80]
    hear(answers, RUN, 443)
    assert heard_of(answers, RUN) == [80, 443]


def test_a_connection_that_never_came_about_was_heard_of_by_who_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {(IPV4, 60.0): [("10.0.0.1", 5050)], ("10.0.0.9", 60.0): [("10.0.0.1", 443)]}
    monkeypatch.setattr(HalfOpen, "by", lambda self, *peer_and_age: tried[peer_and_age])
    assert heard_of(answering(), RUN) == [5050]


def test_a_connection_over_which_nothing_was_said_is_told_to_who_made_it() -> None:
    """A firewall lets the handshake pass and stops what is sent: not somebody else who accepts."""
    stand_in = StandIn(KEY, "m1")
    both = Opening(TCP, 0, (IPV4,)), Opening(TCP, 0, ("127.0.0.2",))
    with (
        serving(stand_in, *both) as (here, there),
        connected(TCP, there.address, there.port),
        connected(TCP, here.address, here.port, "127.0.0.3"),
        connected(TCP, here.address, here.port) as asking,
        connected(TCP, here.address, here.port, "127.0.0.3") as other,
    ):
        ours, theirs = report_over(asking), report_over(other)
    assert ours is not None
    assert theirs is not None
    assert ours.heard == ()
    assert set(ours.reached) == {(TCP, here.port, IPV4), (TCP, there.port, "127.0.0.2")}
    assert theirs.reached == ((TCP, here.port, IPV4),)


def test_what_connected_before_the_run_began_is_not_told() -> None:
    clock = SimpleNamespace(now_s=0.0)
    answers = answering(connected=Places(2, 3, 6, lambda: clock.now_s))
    answers.connected(IPV4, 80, "10.0.0.1")
    clock.now_s = 10.0
    answers.connected(IPV4, 443, "10.0.0.1")
    clock.now_s = 20.0
    assert [port for _, port, _ in report_of(answers, age_s=15.0).reached] == [443]
    assert [port for _, port, _ in report_of(answers, age_s=20.0).reached] == [80, 443]
    answers.connected(IPV4, 80, "10.0.0.1")
    assert [port for _, port, _ in report_of(answers, age_s=5.0).reached] == [80]


def test_all_pages_of_a_reading_are_of_one_report() -> None:
    answers = answering()
    # Noise does not compress: more than one page.
    noise = [StandInPort(TCP, port, os.urandom(12).hex(), Standing.LISTENING) for port in range(1, 200)]
    answers.ports = noise
    first = page_of(answers, 0)
    assert first is not None
    hear(answers, RUN, 80)
    rest = [page_of(answers, number) for number in range(1, first[1])]
    report = token.joined([first[2], *(page[2] for page in rest if page is not None)])
    assert report is not None
    assert set(report.ports) == set(noise)
    assert report.heard == ()


def test_a_recorded_request_makes_no_report_anew() -> None:
    """Who sends it from elsewhere gets nothing, and who reads in earnest is not disturbed."""
    answers = answering()
    recorded = page_request(0)

    def said(peer: str) -> StandInReport | None:
        received = answers.answer(recorded, UDP, IPV4, 80, peer, 4711)
        page = token.read_page(KEY, recorded, received or b"")
        return token.joined([page[2]]) if page is not None else None

    first = said(IPV4)
    assert first is not None
    hear(answers, RUN, 80)
    assert said(IPV4) == first
    assert said("10.0.0.9") is None
    assert heard_of(answers, RUN) == [80]


def read_in_turns(answers: Answers, readers: Sequence[tuple[bytes, str]]) -> list[StandInReport | None]:
    """Reports of several pages: a page for each run and peer, then another one for each."""
    pieces: dict[tuple[bytes, str], list[bytes]] = {reader: [] for reader in readers}
    of = dict.fromkeys(readers, 2)
    while any(len(pieces[reader]) < of[reader] for reader in readers):
        for reader in readers:
            if len(pieces[reader]) < of[reader]:
                got = page_of(answers, len(pieces[reader]), *reader)
                assert got is not None
                of[reader] = got[1]
                pieces[reader].append(got[2])
    assert min(of.values()) > 1
    return [token.joined(pieces[reader]) for reader in readers]


def of_several_pages(heard: Places | None = None) -> Answers:
    answers = answering(heard=heard)
    answers.ports = [StandInPort(TCP, port, os.urandom(12).hex(), Standing.LISTENING) for port in range(1, 200)]
    return answers


def test_each_of_many_checks_at_once_reads_all_pages_of_its_own_report() -> None:
    limits = Limits()
    answers = of_several_pages(Places(limits.runs, limits.places, limits.places_in_all))
    readers = [(b"run %04d" % number, f"10.0.0.{number}") for number in range(1, 101)]
    for number, (run, _) in enumerate(readers):
        hear(answers, run, 1 + number)
    reports = read_in_turns(answers, readers)
    assert [report and report.heard for report in reports] == [((UDP, 1 + number, IPV4),) for number in range(100)]


def test_two_addresses_of_one_check_read_at_once() -> None:
    answers = of_several_pages()
    answers.connected(IPV4, 80, "10.0.0.1")
    reports = read_in_turns(answers, [(RUN, IPV4), (RUN, IPV6)])
    assert [report and report.reached for report in reports] == [((TCP, 80, "10.0.0.1"),), ()]


def test_a_whole_stand_in_remembers_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is bounded at its bound, beside 37 MB under the worst attack (tests/bench/stand_in.py)."""
    limits = Limits()
    monkeypatch.setattr(token, "pages", lambda report: [os.urandom(1000) for _ in range(500)])
    tracemalloc.start()
    try:
        everything = []
        for owners in (limits.runs, limits.visitors):
            places = Places(owners, limits.places, limits.places_in_all)
            each = limits.places_in_all // owners + 1
            for number in range(owners):
                for port in range(each):
                    places.note(f"10.0.{number}", TCP, 1000 + number + port * 7, f"10.1.1.{port}")
            everything.append(places)
        answers = answering(heard=everything[0], connected=everything[1])
        for number in range(20):
            assert page_of(answers, 0, b"run %04d" % number) is not None
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now < 14e6


def test_what_is_remembered_of_runs_is_bounded() -> None:
    answers = answering(heard=Places(2, 3, 6))
    for port in range(1, 6):
        hear(answers, RUN, port)
    assert heard_of(answers, RUN) == [1, 2, 3]
    hear(answers, b"second 2", 1)
    hear(answers, RUN, 1)
    hear(answers, b"third  3", 1)
    assert heard_of(answers, RUN) == [1, 2, 3], "the run that was heard of last is kept"
    assert heard_of(answers, b"second 2") == []


def test_so_is_what_is_remembered_of_all_of_them() -> None:
    places = Places(10, 3, 6)
    for owner in ("a", "b", "c"):
        for port in (1, 2):
            places.note(owner, TCP, port, IPV4)
    assert places.of("a") == [(TCP, 1, IPV4), (TCP, 2, IPV4)]
    places.note("c", TCP, 3, IPV4)
    assert [len(places.of(owner)) for owner in ("a", "b", "c")] == [2, 0, 3], "who was asked for least gives way"


# ------------------------------------------------------------------------------------------------------ who came


def test_everybody_is_told_of_once_and_then_counted() -> None:
    told: list[Came] = []
    stand_in = StandIn(KEY, "m1", tell=told.append)
    with serving(stand_in, Opening(UDP, 0, (IPV4,))) as (opened,), connected(UDP, IPV4, opened.port) as sock:
        for _ in range(3):
            sock.send(b"?")
            assert echoed(sock, request(UDP)) is not None
    assert told == [Came(IPV4, UDP, opened.port, False, 1), Came(IPV4, UDP, opened.port, True, 1)]
    assert stand_in.came() == (Came(IPV4, UDP, opened.port, True, 3), Came(IPV4, UDP, opened.port, False, 3))


@pytest.mark.parametrize("data", [b"", b"?", b"SSH-2.0-scanner" * 4])
def test_a_connection_without_a_token_is_a_stranger(data: bytes) -> None:
    stand_in = StandIn(KEY, "m1")
    with serving(stand_in, Opening(TCP, 0, (IPV4,))) as (opened,), connected(TCP, IPV4, opened.port) as sock:
        sock.sendall(data)
        with suppress(OSError):  # It is closed already.
            sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    assert stand_in.came() == (Came(IPV4, TCP, opened.port, False, 1),)


def test_a_connection_with_a_token_is_none() -> None:
    stand_in = StandIn(KEY, "m1")
    with serving(stand_in, Opening(TCP, 0, (IPV4,))) as (opened,), connected(TCP, IPV4, opened.port) as sock:
        assert echoed(sock, request()) is not None
        sock.shutdown(socket.SHUT_WR)
        assert is_closed(sock)
    assert stand_in.came() == (Came(IPV4, TCP, opened.port, True, 1),)


def test_strangers_without_number_make_no_endless_log_and_displace_nobody_with_the_key() -> None:
    told: list[Came] = []
    clock = SimpleNamespace(now_s=0.0)
    visitors = Visitors(told.append, 4, lambda: clock.now_s)
    visitors.note("10.0.0.1", TCP, 80, authentic=True)
    for number in range(5000):
        visitors.note(f"stranger {number}", UDP, 53, authentic=False)
    assert len(told) == 1 + 1024
    assert len(visitors.all()) == 1 + 4
    assert visitors.all()[0] == Came("10.0.0.1", TCP, 80, True, 1)
    assert visitors.forgotten == 4996
    clock.now_s = 10.0
    for number in range(100):
        visitors.note(f"later {number}", UDP, 53, authentic=False)
    assert len(told) == 1 + 1024 + 10


def test_a_log_that_fails_ends_the_stand_in_loudly_and_closes_everything() -> None:
    def tell(_: Came) -> None:
        raise RuntimeError("disk full")

    stand_in = StandIn(KEY, "m1", tell=tell)
    (opened,) = stand_in.open([Opening(UDP, 0, (IPV4,))])

    async def serve() -> None:
        with datagrams() as sock:
            sock.sendto(b"?", (IPV4, opened.port))
            await asyncio.wait_for(stand_in.serve(asyncio.get_running_loop().create_future()), HANGS_AFTER_S)

    with pytest.raises(RuntimeError, match="disk full"):
        asyncio.run(serve())
    with datagrams() as sock:
        sock.bind((IPV4, opened.port))


def test_the_end_frees_every_port_and_ends_every_connection() -> None:
    stand_in = StandIn(KEY, "m1")
    with connected_after(stand_in) as (silent, trusted, ports):
        assert is_closed(silent)
        assert is_closed(trusted)
    assert {port.standing for port in stand_in.open(ports)} == {Standing.LISTENING}
    stand_in.close()


@contextmanager
def connected_after(stand_in: StandIn) -> Iterator[tuple[socket.socket, socket.socket, list[Opening]]]:
    """Two connections to a stand-in that has ended, one of which was answered."""
    with serving(stand_in, Opening(TCP, 0, (IPV4,)), Opening(UDP, 0, (IPV4,))) as opened:
        silent = socket.create_connection((IPV4, opened[0].port), HANGS_AFTER_S)
        trusted = socket.create_connection((IPV4, opened[0].port), HANGS_AFTER_S)
        assert echoed(trusted, request()) is not None
    with silent, trusted:
        yield silent, trusted, [Opening(port.transport, port.port, (port.address,)) for port in opened]


# ---------------------------------------------------------------------------------------------- the network stack


def test_the_stack_is_the_same_for_another_process_of_this_machine() -> None:
    script = "from portcheck.engine.stand_in import stack_id; print(stack_id())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == stack_id()
    assert len(bytes.fromhex(stack_id())) == 8


def test_where_the_kernel_does_not_tell_a_process_has_a_stack_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    known = stack_id()
    monkeypatch.setattr(module, "_BOOT_ID", Path("/no/such/file"))
    assert stack_id() == stack_id() != known


# ---------------------------------------------------------------------------------------------------- under attack


def test_a_client_that_trickles_is_closed() -> None:
    with one_port(limits=Limits(idle_s=0.5)) as port, connected(TCP, IPV4, port) as sock:
        assert any(is_closed_after(sock, bytes([each])) for each in request()[:-1])


def is_closed_after(sock: socket.socket, sent: bytes) -> bool:
    try:
        sock.sendall(sent)
        sock.settimeout(0.05)
        return is_closed(sock)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_request_in_pieces_is_answered() -> None:
    with one_port() as port, connected(TCP, IPV4, port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = request(TCP, port)
        for at in range(0, len(sent) - 10, 10):
            sock.sendall(sent[at : at + 10])
        sock.sendall(sent[at + 10 :])
        assert token.read_echo(KEY, sent, sock.recv(token.REQUEST_BYTES)) is not None


def test_a_client_that_does_not_read_its_answers_is_closed() -> None:
    with one_port() as port, connected(TCP, IPV4, port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # More than both ends have room for.
        with pytest.raises(ConnectionError):
            sock.sendall(page_request(0) * 100_000)


@contextmanager
def many(port: int, sources: Sequence[str]) -> Iterator[list[socket.socket]]:
    """Connections without a word, one from each of these."""
    with ExitStack() as stack:
        yield [stack.enter_context(connected(TCP, IPV4, port, source)) for source in sources]


def test_too_many_connections_cost_the_oldest_stranger_its_own() -> None:
    sources = [f"127.0.0.{last}" for last in range(2, 7)]
    with one_port(limits=Limits(connections=4)) as port, connected(TCP, IPV4, port) as trusted:
        assert echoed(trusted, request()) is not None
        with many(port, sources) as strangers:
            assert [is_closed(sock) for sock in strangers[:2]] == [True, True]
            assert echoed(trusted, request()) is not None
            assert echoed(strangers[2], request()) is not None


def test_one_address_has_a_quarter_of_the_connections_and_others_keep_theirs() -> None:
    sources = ["127.0.0.2", *["127.0.0.3"] * 4]
    with one_port(limits=Limits(connections=8)) as port, many(port, sources) as (early, *held):
        assert [is_closed(sock) for sock in held[:2]] == [True, True]
        assert [echoed(sock, request()) is not None for sock in (*held[2:], early)] == [True] * 3


def test_recorded_requests_leave_half_of_the_connections_to_others() -> None:
    sent = request()
    sources = [f"127.0.0.{last}" for last in range(2, 6)]
    with one_port(limits=Limits(connections=4)) as port, many(port, sources) as held:
        assert [echoed(sock, sent) is not None for sock in held[1:]] == [True] * 3
        assert is_closed(held[1])
        assert echoed(held[2], sent) is not None


class Listener:
    """Accepts nothing for want of descriptors, or a connection of the list."""

    def __init__(self) -> None:
        self.asked = 0
        self.waiting: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.asked += 1
        if not self.waiting:
            raise OSError(errno.EMFILE, "")
        return self.waiting.pop(), (IPV4, 4711)


def test_without_descriptors_accepting_pauses_instead_of_spinning() -> None:
    loop, listener = Loop(), Listener()
    connections = Connections(loop, lambda call, *args: call(*args), answering(), 10, 5.0)  # type: ignore[arg-type]
    connections.watch(listener, 80)  # type: ignore[arg-type]
    call, args = loop.readers[listener]
    call(*args)
    assert listener.asked == 1
    assert listener not in loop.readers
    (resume, of_it) = loop.later.pop()
    resume(*of_it)
    assert listener in loop.readers


def test_without_descriptors_the_oldest_connection_gives_way() -> None:
    loop, listener = Loop(), Listener()
    connections = Connections(loop, lambda call, *args: call(*args), answering(), 10, 5.0)  # type: ignore[arg-type]
    connections.watch(listener, 80)  # type: ignore[arg-type]
    call, args = loop.readers[listener]
    with socket.create_server((IPV4, 0)) as server, connected(TCP, *server.getsockname()) as theirs:
        listener.waiting = [server.accept()[0]]
        call(*args)
        assert is_closed(theirs)


def test_a_stand_in_under_attack_answers_whoever_has_the_key_and_nobody_else_on_little_memory() -> None:
    """The whole attack, with half-open connections too: python -m tests.bench.stand_in."""
    with attacked() as stand_in, datagrams() as flooding:
        held = hold(stand_in.tcp[0], 1000)
        for port in stand_in.tcp:
            assert ask(stand_in.key, TCP, port)[0] is not None
        held += hold(stand_in.tcp[1], 1000, sources=100)
        for seed in range(10):
            flood(flooding, stand_in.udp[0], 5000, seed)
            for transport, port in ((UDP, stand_in.udp[0]), (UDP, stand_in.udp[1]), (TCP, stand_in.tcp[0])):
                assert ask(stand_in.key, transport, port)[0] is not None
        flooding.setblocking(False)
        assert heard_by([*held, flooding]) == 0
        for sock in held:
            sock.close()
        assert stand_in.memory_mb() <= MOST_MB
