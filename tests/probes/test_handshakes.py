"""DTLS and QUIC: the first answer, before anything is encrypted."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

OURS, THEIRS = "08 090a0b0c0d0e0f10", "08 0102030405060708"  # connection ids with their lengths


def record(content: str, length: str, *body: str, version: str = "feff") -> bytes:
    """RFC 6347 4.1: content, version, epoch, sequence number, length."""
    return octets(content, version, "0000 000000000000", length, *body)


def offered(*versions: str) -> bytes:
    """RFC 9000 17.2.1."""
    return octets("c0 00000000", OURS, THEIRS, *versions)


COOKIE = record("16", "0013", "03 000007 0000 000000 000007", "feff 04 a1a2a3a4")  # 4.2.1
HELLO = record("16", "0036", "02 00002a 0000 000000 00002a", "fefd", "00" * 40, version="fefd")  # RFC 5246 7.4.1.3
ALERT = record("15", "0002", "02 28")
REPLIES: Replies = {
    "dtls": {
        COOKIE: "DTLS: asks for a cookie",
        HELLO: "DTLS 1.2",
        HELLO[:60]: "DTLS 1.2",  # a certificate may follow, and the reply be cut
        record("16", "0036", "02 00002a 0000 000000 00002a", "feff", "00" * 40): "DTLS 1.0",
        ALERT: "DTLS: handshake failure",
        record("15", "0002", "02 7b"): "DTLS: alert 123",
        # OpenSSL 3.0 with -dtls
        record("16", "0023", "03 000017 0000 000000 000017", "feff 14 ed6dcc0034840cd249e9adf172af062eac9315d0"): (
            "DTLS: asks for a cookie"
        ),
    },
    "ms-cluster": {COOKIE: "DTLS: asks for a cookie"},
    "quic": {
        offered("00000001"): "QUIC server, version 1",
        offered("0a1a2a3a", "6b3343cf", "00000001", "ff00001d"): "QUIC server, versions 2, 1, draft 29",
        offered("51303433", "deadbeef"): "QUIC server, versions Q043, 0xdeadbeef",
        offered("1a2a3a4a"): "QUIC server",
        offered(*["00000001"] * 100): "QUIC server, versions " + ", ".join(["1"] * 16),
        # aioquic 1.7
        octets("e2 00000000", OURS, THEIRS, "00000001 6b3343cf"): "QUIC server, versions 1, 2",
    },
}


def test_the_hello() -> None:
    """RFC 6347 4.1 and 4.2.2, RFC 5246 7.4.1.2: DTLS 1.2, without session and cookie."""
    hello = (
        *("fefd", bytes(range(1, 33)).hex(), "00 00"),
        *("001c c02bc02cc02fc030cca8cca9 c009c00ac013c014009c002f0035 00ff", "01 00"),
        *("0024", "000a 0008 0006 001d00170018", "000b 0002 0100", "000d 000e 000c 040305030804040105010201"),
    )
    assert asked("dtls").payloads == (record("16", "0076", "01 00006a 0000 000000 00006a", *hello),)
    assert asked("ms-cluster").payloads == asked("dtls").payloads


def test_the_packet_of_no_version() -> None:
    """RFC 9000 15 and 14.1: a reserved version, and 1200 bytes, since a server may not answer less."""
    (packet,) = asked("quic").payloads
    assert packet == octets("c0 1a2a3a4a", THEIRS, OURS).ljust(1200, b"\0")


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        COOKIE[:14],
        record("17", "0013", "00" * 19),  # application data
        record("16", "0013", "01 000007 0000 000000 000007", "feff 04 a1a2a3a4"),  # a client's hello
        record("16", "0013", "03 000007 0000 000000 000007", "feff 04 a1a2a3a4", version="0303"),
        record("15", "0002", "07 28"),
        record("15", "0000", "00 00"),
        octets("16 feff 0001 000000000000 0013", "03 000007 0000 000000 000007", "feff 04 a1a2a3a4"),  # encrypted
        record("16", "0036", "02 00002a 0000 000000 00002a", "0303", "00" * 40),
    ],
)
def test_what_is_no_dtls(reply: bytes) -> None:
    assert not_understood("dtls", reply)


@pytest.mark.parametrize(
    "reply",
    [
        offered(),
        offered("00000001")[:-2],
        octets("c0 00000000", THEIRS, OURS, "00000001"),  # the ids as we sent them
        octets("c0 00000001", OURS, THEIRS, "00000001"),  # no version negotiation
        octets("40 00000000", OURS, THEIRS, "00000001"),  # a short header
    ],
)
def test_what_is_no_quic(reply: bytes) -> None:
    assert not_understood("quic", reply)
