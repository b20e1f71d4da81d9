"""Open ports say what they are, and hostile ones neither hang nor deceive."""

from __future__ import annotations

import asyncio
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

import portcheck.verify
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Probe, Reason, Transport
from portcheck.protocols import Spoken, contradicts
from portcheck.verify import Asked, VerifyTiming, verify
from portcheck.verify.conversation import ConversationTiming
from portcheck.verify.language import LONGEST_TEXT
from tests.loopback import RESET_ON_CLOSE
from tests.verify.conftest import GREETED, HASTY, IPV4, IPV6, PATIENT, Serve, answers_by, says, serving, spoken_at

SSH = says(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
SPOKEN_SSH = Spoken("SSH, OpenSSH_9.2p1 Debian-2", "ssh")
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n"
CERTIFICATE = "certificate for m1.example and 1 more name, expires 20"


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP as nginx speaks it: what is no request is answered with 400."""
    heard = await reader.readuntil(b"\r\n\r\n") if (start := await reader.readexactly(1)) == b"H" else b""
    writer.write(UNAUTHORIZED if start + heard else b"")
    await writer.drain()


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Nothing is said, and nothing heard."""


@contextmanager
def library_server() -> Iterator[Probe]:
    """The web server of Python's library."""

    class Handler(http.server.BaseHTTPRequestHandler):
        server_version, sys_version = "Library/1", ""

        def do_HEAD(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not on the console."""

    with http.server.ThreadingHTTPServer((IPV4, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Probe(IPV4, Transport.TCP, server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


# ---------------------------------------------------------------------------------------------- what answers


@pytest.mark.parametrize("speaks", [(), ("ssh",), ("http",), ("https",), ("smb",), ("mysql",), ("postgresql",)])
async def test_a_greeting_is_heard_whatever_is_expected(speaks: tuple[str, ...]) -> None:
    async with serving(SSH) as visits:
        assert await spoken_at(visits.probe, *speaks) == SPOKEN_SSH
    assert visits.count == 1


@pytest.mark.parametrize("speaks", [("http",), ("https",), ()])
async def test_a_web_server_tells_its_status_and_name(speaks: tuple[str, ...]) -> None:
    with library_server() as probe:
        assert await spoken_at(probe, *speaks) == Spoken("HTTP 204, Server: Library/1", "http")


async def test_http_is_asked_by_the_name_of_the_host() -> None:
    heard: list[bytes] = []

    def reply(request: bytes) -> bytes:
        heard.append(request)
        return UNAUTHORIZED

    async with serving(answers_by(reply)) as visits:
        await spoken_at(visits.probe, "http", host="web.example")
    assert heard[0].startswith(b"HEAD / HTTP/1.1\r\n")
    assert f"Host: web.example:{visits.probe.port}\r\n".encode() in heard[0]


@pytest.mark.parametrize("speaks", [("https",), ("winrm-tls",), ()])
async def test_tls_tells_its_certificate_and_what_is_inside(
    tls_server: ssl.SSLContext, speaks: tuple[str, ...]
) -> None:
    async with serving(web, tls=tls_server) as visits:
        spoken = await spoken_at(visits.probe, *speaks)
    assert spoken.text.startswith(f"TLS 1.3, {CERTIFICATE}")
    assert spoken.text.endswith(", HTTP 401, Server: nginx")
    assert spoken.protocol == "https"


async def test_an_old_version_of_tls_is_told_as_what_it_is(tls_server: ssl.SSLContext) -> None:
    tls_server.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        async with serving(web, tls=tls_server) as visits:
            spoken = await spoken_at(visits.probe, "https")
    finally:
        tls_server.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert spoken.text.startswith(f"TLS 1.2, {CERTIFICATE}")


async def test_mail_over_tls(tls_server: ssl.SSLContext) -> None:
    async with serving(says(b"* OK IMAP4rev1 ready\r\n"), tls=tls_server) as visits:
        spoken = await spoken_at(visits.probe, "imaps")
    assert spoken.text.endswith(", IMAP, IMAP4rev1 ready")
    assert spoken.protocol == "imaps"


@contextmanager
def wanting_certificates(context: ssl.SSLContext) -> Iterator[Probe]:
    """TLS as OpenSSL's own servers end it: with an alert. Those of asyncio hang up without one."""

    def refuse() -> None:
        accepted, _ = listener.accept()
        tls = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with tls, pytest.raises(ssl.SSLError):
            tls.do_handshake()

    with socket.create_server((IPV4, 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            yield Probe(IPV4, Transport.TCP, listener.getsockname()[1])
        finally:
            thread.join()


async def test_a_service_that_wants_a_client_certificate_says_so(tls_server: ssl.SSLContext) -> None:
    tls_server.verify_mode = ssl.CERT_REQUIRED
    try:
        with wanting_certificates(tls_server) as probe:
            spoken = await spoken_at(probe, "https")
    finally:
        tls_server.verify_mode = ssl.CERT_NONE
    assert spoken.text.startswith(f"TLS 1.3, {CERTIFICATE}")
    assert spoken.text.endswith(", wants a client certificate")
    assert spoken.protocol == "tls"


async def test_tls_where_http_is_expected_contradicts_it(tls_server: ssl.SSLContext) -> None:
    async with serving(web, tls=tls_server) as visits:
        spoken = await spoken_at(visits.probe, "http")
    assert spoken.text.startswith("TLS 1.3, ")
    assert contradicts(("http",), spoken.protocol)


async def test_a_server_of_https_that_answers_http_with_400_is_one_of_https(tls_server: ssl.SSLContext) -> None:
    # As Go's does: it tells clients without TLS, in clear, what they did wrong.
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(serving(web, tls=tls_server))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(65536)
            if first.startswith(b"HEAD"):
                writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                return
            from_server, to_server = await asyncio.open_connection(IPV4, behind.probe.port)
            to_server.write(first)
            await asyncio.gather(copy(reader, to_server), copy(from_server, writer))

        visits = await stack.enter_async_context(serving(serve))
        spoken = await spoken_at(visits.probe, "http")
    assert spoken.protocol == "https"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_web_server_that_means_400_is_believed() -> None:
    async with serving(answers_by(lambda heard: b"HTTP/1.1 400 Bad Request\r\nServer: odd\r\n\r\n")) as visits:
        assert await spoken_at(visits.probe, "http") == Spoken("HTTP 400, Server: odd", "http")


async def test_what_is_expected_is_asked_first_and_alone() -> None:
    async with serving(says(b"+PONG\r\n", after=6)) as visits:
        assert await spoken_at(visits.probe, "redis") == Spoken("Redis", "redis")
    assert visits.count == 1


async def test_ipv6() -> None:
    async with serving(SSH, IPV6) as visits:
        assert await spoken_at(visits.probe) == SPOKEN_SSH


async def test_it_speaks_from_the_address_that_the_probe_had() -> None:
    async with serving(SSH) as visits:
        probe = Probe(IPV4, Transport.TCP, visits.probe.port, source_address="127.0.0.9")
        seen: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(writer.get_extra_info("peername")[0])
            await SSH(reader, writer)

        async with serving(serve) as other:
            await spoken_at(Probe(IPV4, Transport.TCP, other.probe.port, probe.source_address))
    assert seen == ["127.0.0.9"]


async def test_a_port_that_is_closed_now_is_missing_and_nothing_else_changes() -> None:
    async with serving(SSH) as gone:
        pass
    async with serving(SSH) as visits:
        asked = [Asked(gone.probe, ("ssh",), "m1"), Asked(visits.probe, ("ssh",), "m1")]
        answers = await verify(asked, pace=Pace(Speed.FAST), timing=VerifyTiming(PATIENT))
    assert answers == {visits.probe: SPOKEN_SSH}


async def test_a_reset_takes_back_nothing_that_was_said() -> None:
    # What a server does that closes before it has read all: the kernel resets, right behind its answer.
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.write(UNAUTHORIZED)

    async with serving(serve) as visits:
        assert await spoken_at(visits.probe, "http") == Spoken("HTTP 401, Server: nginx", "http")


# ------------------------------------------------------------------------------------------------ hostile ports


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 4096)
        await writer.drain()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def sending_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def never_finishing_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(100))
    await reader.read()


HOSTILE: dict[str, tuple[Serve, ConversationTiming, str, str | None]] = {
    "silence": (quiet, HASTY, "silent when asked for HTTPS and HTTP", None),
    "an end at once": (closing, PATIENT, "closes the connection without a word when asked for HTTPS and HTTP", None),
    "an endless greeting": (endless, GREETED, f'"{"x" * 39}…", an unknown greeting', None),
    "our own words": (sending_back, PATIENT, "echo: what we send comes back", "echo"),
    "noise": (says(bytes(range(128, 256))), GREETED, "128 bytes, an unknown greeting", None),
    "colours": (says(b"SSH-2.0-\x1b[31m[red]evil\r\n"), GREETED, "SSH, \\x1b[31m[red]evil", "ssh"),
    "a name without end": (says(b"SSH-2.0-" + b"\x07" * 9000), GREETED, "SSH, " + "\\x07" * 28, "ssh"),
}


@pytest.mark.parametrize(("serve", "timing", "text", "protocol"), HOSTILE.values(), ids=HOSTILE)
async def test_hostile(serve: Serve, timing: ConversationTiming, text: str, protocol: str | None) -> None:
    async with serving(serve) as visits:
        spoken = await spoken_at(visits.probe, timing=timing)
    assert spoken.protocol == protocol
    assert spoken.text.startswith(text)
    assert len(spoken.text) <= LONGEST_TEXT
    assert visits.count <= 2


async def test_a_drip_that_never_ends_is_left_in_time() -> None:
    async with serving(dripping) as visits:
        spoken = await spoken_at(visits.probe, "smb", timing=HASTY)
    assert spoken.protocol is None
    assert spoken.text.endswith('", no answer of SMB')


async def test_a_handshake_that_never_ends_is_tls_all_the_same() -> None:
    async with serving(never_finishing_tls) as visits:
        spoken = await spoken_at(visits.probe, "https", timing=HASTY)
    assert spoken == Spoken("TLS, which does not finish its handshake", "tls")


async def test_a_handshake_that_fails_says_why() -> None:
    async with serving(answers_by(lambda heard: b"\x15\x03\x03\x00\x02\x02\x28")) as visits:
        spoken = await spoken_at(visits.probe, "https")
    assert spoken.protocol == "tls"
    assert spoken.text.startswith("TLS, the handshake fails: ")


async def test_a_mail_server_that_makes_us_wait_is_not_spoken_to() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async with serving(serve) as visits:
        assert (await spoken_at(visits.probe, "smtp", timing=HASTY)).protocol is None
    assert heard == [b""]


# ----------------------------------------------------------------------------------------------------- limits


async def test_no_more_connections_than_allowed_to_a_host_and_in_all() -> None:
    here: list[str] = []
    most: dict[str, int] = {"a": 0, "b": 0, "all": 0}
    three = asyncio.Event()

    def serve_for(host: str) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            here.append(host)
            most[host] = max(most[host], here.count(host))
            most["all"] = max(most["all"], len(here))
            if len(here) == 3:
                three.set()
            await three.wait()
            # Others would come now, were they allowed to.
            for _ in range(20):
                await asyncio.sleep(0)
            here.remove(host)
            writer.write(b"SSH-2.0-x\r\n")
            await reader.read()

        return serve

    async with AsyncExitStack() as stack:
        asked = []
        for host in "ab" * 8:
            visits = await stack.enter_async_context(serving(serve_for(host)))
            asked.append(Asked(visits.probe, ("ssh",), host))
        timing = VerifyTiming(PATIENT, connections=3, connections_per_host=2)
        answers = await verify(asked, pace=Pace(Speed.FAST), timing=timing)
    assert len(answers) == 16
    assert most["all"] == 3
    assert most["a"] <= 2 >= most["b"]


class Recorded(Pace):
    """Lets a flow start when it was asked twice, and keeps what was spent."""

    def __init__(self) -> None:
        super().__init__(Speed.POLITE)
        self.spent: list[str] = []
        self._asked = 0

    def due(self, address: str, now: float, reserve: int = 0, *, datagram: bool = False) -> float:
        self._asked += 1
        return now + 0.001 if self._asked % 2 else now

    def spend(self, address: str, now: float, *, datagram: bool = False) -> None:
        self.spent.append(address)


async def test_every_connection_keeps_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portcheck.verify, "_stays_here", lambda address: False)
    pace = Recorded()
    async with serving(closing) as visits:
        await verify([Asked(visits.probe, ("smb",), "m1")], pace=pace, timing=VerifyTiming(PATIENT))
    assert pace.spent == [IPV4] * visits.count == [IPV4] * 3


async def test_an_address_of_ours_needs_no_pace() -> None:
    pace = Recorded()
    async with serving(SSH) as visits:
        await verify([Asked(visits.probe, ("ssh",), "m1")], pace=pace, timing=VerifyTiming(PATIENT))
    assert pace.spent == []


async def test_a_stop_ends_it_with_what_is_known() -> None:
    stop: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
    async with serving(SSH) as first, serving(quiet) as second:
        asked = [Asked(first.probe, ("ssh",), "a"), Asked(second.probe, ("ssh",), "b")]

        def progress(ports: int) -> None:
            stop.set_result(Reason.INTERRUPTED)

        timing = VerifyTiming(PATIENT, total_s=1000.0)
        answers = await verify(asked, pace=Pace(Speed.FAST), timing=timing, progress=progress, stop=stop)
    assert answers == {first.probe: SPOKEN_SSH}


async def test_all_ports_together_have_a_limit_of_time() -> None:
    async with serving(quiet) as visits:
        asked = [Asked(visits.probe, ("ssh",), "a")]
        timing = VerifyTiming(PATIENT, total_s=0.2)
        assert await verify(asked, pace=Pace(Speed.FAST), timing=timing) == {}


async def test_a_probe_that_is_there_twice_is_asked_once_and_progress_counts_it_once() -> None:
    done: list[int] = []
    async with serving(SSH) as visits:
        asked = [Asked(visits.probe, ("ssh",), "a"), Asked(visits.probe, (), "a")]
        answers = await verify(asked, pace=Pace(Speed.FAST), timing=VerifyTiming(PATIENT), progress=done.append)
    assert answers == {visits.probe: SPOKEN_SSH}
    assert (visits.count, done) == (1, [1])


async def test_nothing_to_ask() -> None:
    assert await verify([], pace=Pace(Speed.FAST)) == {}


async def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(portcheck.verify, "ask", broken)
    with pytest.raises(ZeroDivisionError):
        await verify([Asked(Probe(IPV4, Transport.TCP, 1), (), "a")], pace=Pace(Speed.FAST))
