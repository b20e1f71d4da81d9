"""What checks and stand-ins say to each other: only with the key, only to the very request, never at length."""

from __future__ import annotations

import hmac
import json
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine import token
from portcheck.engine.probe import Echo, Holder, Standing, StandInPort, StandInReport, Transport
from portcheck.engine.token import Kind, Request

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
RUN, NONCE = b"the run!", b"0123456789abcdef"
STACK = "0123456789abcdef"
ASKED = token.request(KEY, RUN, NONCE, Transport.TCP, 5050)
ASKED_PAGE = token.page_request(KEY, RUN, NONCE, 3, 4.5)

PORTS = st.integers(1, 65535)
TRANSPORTS = st.sampled_from((Transport.TCP, Transport.UDP))
ADDRESSES = st.ip_addresses().filter(lambda ip: getattr(ip, "ipv4_mapped", None) is None).map(str)
KEYS = st.binary(min_size=16, max_size=64)
NAMES = st.text(max_size=400)


def read(data: bytes, key: bytes = KEY) -> Request:
    found = token.read_request(key, data)
    assert found is not None
    return found


def an_echo(asked: bytes = ASKED, name: str = "m1") -> bytes:
    return token.echo(KEY, read(asked), STACK, name, True, "10.0.0.1", 5050, "10.0.0.9", 40000)


def a_page(asked: bytes = ASKED_PAGE, piece: bytes = b"piece") -> bytes:
    return token.page(KEY, read(asked), 3, 7, piece)


# ------------------------------------------------------------------------------------------------ there and back


@given(KEYS, st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16), TRANSPORTS, PORTS)
def test_a_request_is_read_as_it_was_made(
    key: bytes, run: bytes, nonce: bytes, transport: Transport, port: int
) -> None:
    data = token.request(key, run, nonce, transport, port)
    assert len(data) == token.length_of(data[: token.HEAD_BYTES]) == token.REQUEST_BYTES
    assert read(data, key) == Request(Kind.ECHO, run, nonce, transport, port, 0, data[-32:])


@given(st.integers(0, 65535), st.integers(0, 1 << 31))
def test_a_request_for_a_page_is_read_as_it_was_made(page: int, tenths: int) -> None:
    data = token.page_request(KEY, RUN, NONCE, page, tenths / 10)
    assert len(data) == token.length_of(data[: token.HEAD_BYTES]) == token.PAGE_BYTES
    assert read(data) == Request(Kind.PAGE, RUN, NONCE, None, 0, page, data[-32:], tenths / 10)


@pytest.mark.parametrize(
    ("age_s", "said_s"),
    [(0.0, 0.0), (-1.0, 0.0), (0.01, 0.1), (1.25, 1.3), (1e12, 429496729.5), (float("inf"), 429496729.5)],
)
def test_a_run_is_never_said_to_be_younger_than_it_is_or_older_than_fits(age_s: float, said_s: float) -> None:
    """Its first packets leave in its first moment, and a stand-in that forgot them would lose the evidence."""
    assert read(token.page_request(KEY, RUN, NONCE, 0, age_s)).age_s == said_s


@given(st.binary(min_size=8, max_size=8), NAMES, st.booleans(), ADDRESSES, PORTS, ADDRESSES, PORTS)
def test_an_echo_is_read_as_it_was_made(
    stack: bytes, name: str, is_stated: bool, address: str, port: int, peer: str, peer_port: int
) -> None:
    data = token.echo(KEY, read(ASKED), stack.hex(), name, is_stated, address, port, peer, peer_port)
    assert token.response_length(data[: token.HEAD_BYTES]) == len(data) <= token.REQUEST_BYTES
    said = Echo(stack.hex(), token.known_as(name), is_stated, address, port, peer, peer_port)
    assert token.read_echo(KEY, ASKED, data) == said


@given(st.integers(1, token.MOST_PAGES), st.data(), st.binary(max_size=token.PAGE_BYTES - 59))
def test_a_page_is_read_as_it_was_made(of: int, draw: st.DataObject, piece: bytes) -> None:
    number = draw.draw(st.integers(0, of - 1))
    data = token.page(KEY, read(ASKED_PAGE), number, of, piece)
    assert token.response_length(data[: token.HEAD_BYTES]) == len(data) <= token.PAGE_BYTES
    assert token.read_page(KEY, ASKED_PAGE, data) == (number, of, piece)


def test_addresses_come_without_zone_and_as_what_they_are() -> None:
    data = token.echo(KEY, read(ASKED), STACK, "m1", False, "fe80::1%eth0", 53, "::ffff:10.0.0.9", 4000)
    said = token.read_echo(KEY, ASKED, data)
    assert said is not None
    assert (said.address, said.peer) == ("fe80::1", "10.0.0.9")


# ------------------------------------------------------------------------------------------------ what is refused

Reader = Callable[[bytes], object]

MESSAGES: dict[str, tuple[bytes, Reader]] = {
    "request": (ASKED, lambda data: token.read_request(KEY, data)),
    "request for a page": (ASKED_PAGE, lambda data: token.read_request(KEY, data)),
    "echo": (an_echo(), lambda data: token.read_echo(KEY, ASKED, data)),
    "page": (a_page(), lambda data: token.read_page(KEY, ASKED_PAGE, data)),
}


@pytest.mark.parametrize(("data", "reader"), MESSAGES.values(), ids=MESSAGES)
def test_every_flipped_byte_is_refused(data: bytes, reader: Reader) -> None:
    assert reader(data) is not None
    for place in range(len(data)):
        for bits in (0x01, 0x80, 0xFF):
            flipped = bytearray(data)
            flipped[place] ^= bits
            assert reader(bytes(flipped)) is None, place


@pytest.mark.parametrize(("data", "reader"), MESSAGES.values(), ids=MESSAGES)
def test_every_other_length_is_refused(data: bytes, reader: Reader) -> None:
    for length in range(len(data)):
        assert reader(data[:length]) is None, length
    assert reader(data + b"\0") is None


def test_no_response_is_taken_for_another() -> None:
    """Both are made for the same request here, as no stand-in does."""
    assert token.read_page(KEY, ASKED, an_echo()) is None
    assert token.read_echo(KEY, ASKED_PAGE, a_page()) is None
    assert token.read_request(KEY, an_echo()) is None


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    for begins in (b"", b"portcheck stand-in 1"):
        assert token.read_request(KEY, begins + data) is None
        assert token.read_echo(KEY, ASKED, begins + data) is None
        assert token.read_page(KEY, ASKED_PAGE, begins + data) is None
        assert token.length_of(begins + data) in (None, token.REQUEST_BYTES, token.PAGE_BYTES)
        assert (token.response_length(begins + data) or 0) <= token.PAGE_BYTES


def test_another_key_is_refused() -> None:
    assert token.read_request(OTHER_KEY, ASKED) is None
    assert token.read_echo(OTHER_KEY, ASKED, an_echo()) is None
    assert token.read_page(OTHER_KEY, ASKED_PAGE, a_page()) is None


def test_a_response_to_another_request_is_refused() -> None:
    other = token.request(KEY, RUN, b"another nonce 16", Transport.TCP, 5050)
    other_page = token.page_request(KEY, RUN, b"another nonce 16", 3, 4.5)
    assert token.read_echo(KEY, other, an_echo()) is None
    assert token.read_page(KEY, other_page, a_page()) is None


def test_our_request_sent_back_is_no_response() -> None:
    """An echo server (RFC 862) listens at the port."""
    assert token.response_length(ASKED) is None
    assert token.read_echo(KEY, ASKED, ASKED) is None
    assert token.read_page(KEY, ASKED_PAGE, ASKED_PAGE) is None


def test_a_page_beyond_the_report_is_refused() -> None:
    for number, of in ((7, 7), (0, 0), (0, token.MOST_PAGES + 1)):
        data = token.page(KEY, read(ASKED_PAGE), number, of, b"piece")
        assert token.read_page(KEY, ASKED_PAGE, data) is None


def test_a_key_has_a_length_that_is_hard_to_guess_and_is_never_told() -> None:
    for key in (b"", b"secret of 15 by", b"s" * 65):
        with pytest.raises(ValueError, match="16 to 64 bytes") as caught:
            token.request(key, RUN, NONCE, Transport.TCP, 1)
        assert "secret" not in str(caught.value)
    assert len({token.new_key() for _ in range(5)}) == 5
    assert len(token.new_key()) == token.KEY_BYTES


# ---------------------------------------------------------------------------------------------------------- names


def test_a_name_that_an_echo_cannot_hold_is_known_by_its_hash() -> None:
    long = "a" * 400
    assert token.known_as(long + "1") != token.known_as(long + "2")
    assert token.known_as("m1.example") == "m1.example"
    assert token.read_echo(KEY, ASKED, an_echo(name=long)) is not None
    assert len(an_echo(name="ü" * 400)) <= token.REQUEST_BYTES


@given(NAMES)
def test_every_name_is_safe_to_show(name: str) -> None:
    shown = token.known_as(name)
    assert shown.isprintable()
    assert token.known_as(shown) == shown


def test_a_stand_in_that_lies_has_no_control_characters_to_say() -> None:
    """Whoever has the key may be hostile all the same."""
    data = an_echo(name="m1")
    for name in (b"\x1b[2J", b"\xff\xfe", "‮".encode()):
        body = bytearray(data[:-34] + name)
        body[21:23] = (len(body) + 32).to_bytes(2, "big")
        forged = bytes(body) + hmac.digest(KEY, bytes(body) + ASKED[-32:], "sha256")
        assert token.response_length(forged) == len(forged)
        assert token.read_echo(KEY, ASKED, forged) is None


# --------------------------------------------------------------------------------------------------------- reports

TEXTS = st.text(st.characters(categories=("L", "N", "P")), max_size=20)
HOLDERS = st.builds(
    Holder,
    ADDRESSES,
    st.booleans(),
    st.none() | st.integers(1, 1 << 22),
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | st.integers(0, (1 << 32) - 1),
    st.booleans(),
)
OPENED = st.builds(
    StandInPort, TRANSPORTS, PORTS, ADDRESSES, st.sampled_from(Standing), st.none() | HOLDERS, st.none() | TEXTS
)
REPORT = StandInReport(
    STACK,
    "m1",
    True,
    (
        StandInPort(Transport.TCP, 53, "0.0.0.0", Standing.NEEDS_PRIVILEGE, detail="CAP_NET_BIND_SERVICE"),
        StandInPort(Transport.TCP, 5050, "0.0.0.0", Standing.IN_USE, Holder("0.0.0.0", pid=7, process="mesos")),
        StandInPort(Transport.TCP, 5051, "0.0.0.0", Standing.LISTENING),
    ),
    ((Transport.TCP, 5051, "10.0.0.1"),),
    ((Transport.TCP, 5051, "10.0.0.1"), (Transport.TCP, 8080, "10.0.0.2")),
)


def by_port(port: StandInPort) -> tuple[Transport, int, str]:
    return port.transport, port.port, port.address


def test_a_report_is_read_as_it_was_made() -> None:
    assert token.joined(token.pages(REPORT)) == REPORT


PLACES = st.lists(st.tuples(TRANSPORTS, PORTS, ADDRESSES), max_size=30, unique=True)


@given(st.lists(OPENED, max_size=30, unique_by=by_port), PLACES, PLACES)
def test_every_report_is_read_as_it_was_made(
    ports: list[StandInPort], heard: list[tuple[Transport, int, str]], reached: list[tuple[Transport, int, str]]
) -> None:
    in_order = tuple(sorted(ports, key=by_port))
    report = StandInReport(STACK, "m1", False, in_order, tuple(sorted(heard)), tuple(sorted(reached)))
    assert token.joined(token.pages(report)) == report


def test_a_report_of_4096_ports_of_three_addresses_is_read_in_a_few_pages() -> None:
    scattered = [1 + place * 15 for place in range(4096)]
    addresses = ("0.0.0.0", "10.0.0.1", "::")
    ports = tuple(
        StandInPort(Transport.TCP, port, address, Standing.LISTENING) for port in scattered for address in addresses
    )
    heard = tuple((Transport.TCP, port, "10.0.0.1") for port in scattered)
    pieces = token.pages(StandInReport(STACK, "m1", False, ports, heard))
    told = token.joined(pieces)
    assert len(pieces) <= 30
    assert told is not None
    assert told.ports == ports
    assert told.heard == heard
    asked = read(ASKED_PAGE)
    assert all(len(token.page(KEY, asked, 0, 1, piece)) <= token.PAGE_BYTES for piece in pieces)


def test_a_report_that_is_too_long_comes_without_what_matters_least() -> None:
    name = "x" * 300
    ports = tuple(
        StandInPort(Transport.TCP, port, "::", Standing.IN_USE, Holder("::", pid=port, process=name, unit=name))
        for port in range(1, 4097)
    )
    told = token.joined(token.pages(StandInReport(STACK, "m1", False, ports, REPORT.heard, REPORT.reached)))
    assert told is not None
    assert told.heard == told.reached == ()
    assert told.ports == tuple(replace(port, holder=None) for port in ports)


def test_a_process_with_a_hostile_name_does_not_spoil_the_report() -> None:
    """Any user of the stand-in's machine can name a process."""
    hostile = Holder("::", pid=1, process="\x1b[2J\udcff" + "x" * 1000)
    port = StandInPort(Transport.TCP, 1, "::", Standing.IN_USE, hostile)
    told = token.joined(token.pages(replace(REPORT, name="\x07m1", ports=(port,))))
    assert told is not None
    assert told.name == r"\x07m1"
    assert told.ports[0].holder is not None
    assert (told.ports[0].holder.process or "").startswith(r"\x1b[2J\udcffxxx")


def packed(value: object) -> list[bytes]:
    return [zlib.compress(json.dumps(value).encode())]


GOOD = {
    "stack": STACK,
    "name": "m1",
    "is_stated": True,
    "ports": [["1,5-7", "tcp", "::", "listening", None, None]],
    "heard": [["5", "udp", "10.0.0.1"]],
    "reached": [["6", "tcp", "10.0.0.1"]],
}
MANY = [["1-65535", "tcp", "::", "listening", None, None]] * 1000
NO_REPORTS: dict[str, list[bytes]] = {
    "nothing": [],
    "no zlib": [b"portcheck"],
    "cut off": [zlib.compress(json.dumps(GOOD).encode())[:-1]],
    "more after its end": [*packed(GOOD), b"x"],
    "no JSON": [zlib.compress(b"portcheck")],
    "no UTF-8": [zlib.compress(b'{"name": "\xff"}')],
    "no object": packed([GOOD]),
    "a bomb": [zlib.compress(b" " * (64 << 20))],
    "deep": [zlib.compress(b"[" * 1_000_000)],
    "a number without end": [zlib.compress(b'{"stack": ' + b"1" * 1_000_000 + b"}")],
    "a port without end": packed(GOOD | {"ports": [["9" * 100_000, "tcp", "::", "listening", None, None]]}),
    "billions of ports": packed(GOOD | {"ports": MANY}),
    "billions of arrivals": packed(GOOD | {"heard": [["1-65535", "tcp", "::"]] * 1000}),
    "billions of connections": packed(GOOD | {"reached": [["1-65535", "tcp", "::"]] * 1000}),
    "a connection to nowhere": packed(GOOD | {"reached": [["0", "tcp", "::"]]}),
    "without connections": packed({name: value for name, value in GOOD.items() if name != "reached"}),
    "without ports": packed({name: value for name, value in GOOD.items() if name != "ports"}),
    "port 0": packed(GOOD | {"ports": [["0", "tcp", "::", "listening", None, None]]}),
    "port 65536": packed(GOOD | {"ports": [["65536", "tcp", "::", "listening", None, None]]}),
    "backwards": packed(GOOD | {"ports": [["7-5", "tcp", "::", "listening", None, None]]}),
    "another transport": packed(GOOD | {"ports": [["7", "sctp", "::", "listening", None, None]]}),
    "another standing": packed(GOOD | {"ports": [["7", "tcp", "::", "sleeping", None, None]]}),
    "half a row": packed(GOOD | {"ports": [["7", "tcp"]]}),
    "a holder that is no holder": packed(GOOD | {"ports": [["7", "tcp", "::", "in-use", ["::"], None]]}),
    "a broken process id": packed(
        GOOD | {"ports": [["7", "tcp", "::", "in-use", ["::", False, 1.5, None, None, None, False], None]]}
    ),
    "a control character": packed(GOOD | {"name": "\x1b[2J"}),
    "half a character": packed(GOOD | {"name": "\udc80"}),
    "a text without end": packed(GOOD | {"name": "x" * 301}),
    "no text": packed(GOOD | {"name": 7}),
    "another stack": packed(GOOD | {"stack": "0123"}),
    "yes": packed(GOOD | {"is_stated": "yes"}),
}


def test_what_the_others_are_made_of_is_a_report() -> None:
    told = token.joined(packed(GOOD))
    assert told is not None
    assert [port.port for port in told.ports] == [1, 5, 6, 7]
    assert told.heard == ((Transport.UDP, 5, "10.0.0.1"),)
    assert told.reached == ((Transport.TCP, 6, "10.0.0.1"),)


@pytest.mark.parametrize("pieces", NO_REPORTS.values(), ids=NO_REPORTS)
def test_what_is_no_report_is_refused(pieces: list[bytes]) -> None:
    assert token.joined(pieces) is None


@given(st.binary(max_size=200))
def test_garbage_is_no_report(data: bytes) -> None:
    assert token.joined([data]) is None
    assert token.joined([zlib.compress(data)]) is None


def test_pages_of_two_reports_make_none() -> None:
    def pieces(first: int) -> list[bytes]:
        ports = (StandInPort(Transport.TCP, port, "::", Standing.LISTENING) for port in range(first, 65536, 17))
        return token.pages(replace(REPORT, ports=tuple(ports)))

    assert len(pieces(1)) > 1
    assert token.joined([pieces(1)[0], *pieces(2)[1:]]) is None
