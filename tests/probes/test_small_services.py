from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

LINE = bytes(range(0x20, 0x68)) + b"\r\n"  # RFC 864: 72 of the printable characters
REPLIES: Replies = {
    "echo": {b"portcheck \1\2\3\4\5\6\7\x08": "echo server"},
    "systat": {
        b"root  tty1\r\nada  pts/0\r\n": "active users, 2 lines",
        b"ada tty1\n": "active users, 1 line",
        b"": "active users, 0 lines",
    },
    "daytime": {
        b"Sat Nov 21 18:17:43 2026\r\n": "daytime server, Sat Nov 21 18:17:43 2026",  # inetutils 2.4
        b"61365 26-11-21 18:17:43 00 0 0 50.0 UTC(NIST) *\n": (
            "daytime server, 61365 26-11-21 18:17:43 00 0 0 50.0 UTC(NIST) *"
        ),
    },
    "qotd": {
        b'"Be brief."\r\n  Anon\r\n': 'quote of the day, "Be brief." Anon',
        "Fortune \N{EURO SIGN}".encode(): "quote of the day, Fortune \N{EURO SIGN}",
    },
    "chargen": {LINE: "character generator, 74 bytes"},
    "time": {
        octets("eeac5ec7"): "time server, 2026-11-21 18:17 UTC",
        octets("00000000"): "time server, 1900-01-01 00:00 UTC",
        octets("eeac5ec7 00000000"): "time server, 2026-11-21 18:17 UTC",  # inetutils 2.4
    },
}


def test_requests() -> None:
    assert asked("echo").payloads == (b"portcheck \1\2\3\4\5\6\7\x08",)
    for name in ("systat", "daytime", "qotd", "chargen"):
        assert asked(name).payloads == (b"\n",)  # once, since much may come back
    assert asked("time").payloads == (b"",)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("echo", b"portcheck \1\2\3\4\5\6\7"),
        ("echo", b""),
        ("systat", b"\0\1"),
        ("daytime", b"hello"),
        ("daytime", octets("eeac5ec7")),
        ("qotd", b""),
        ("qotd", b"x" * 513),
        ("chargen", b"\xff" * 74),
        ("chargen", b"x" * 513),
        ("time", b"\0\0\0"),
        ("time", octets("eeac5ec7 00000001")),
    ],
)
def test_what_is_no_such_service(name: str, reply: bytes) -> None:
    assert not_understood(name, reply)


def test_an_echo_server_is_no_other_service() -> None:
    for name in ("systat", "daytime", "qotd", "chargen"):
        assert answered(name, b"\n").protocol == "echo"


def test_no_name_of_a_user_is_told() -> None:
    assert "ada" not in answered("systat", b"ada  pts/0\r\n").text
