"""Quake, Source game servers, and IAX2."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets


def quake(*texts: bytes, numbers: str = "02 10 03") -> bytes:
    """net_dgrm.c: control and length, CCREP_SERVER_INFO, texts, players, most players, protocol."""
    body = b"\x83" + b"".join(text + b"\0" for text in texts) + octets(numbers)
    return octets("8000") + (4 + len(body)).to_bytes(2, "big") + body


SERVER = quake(b"192.0.2.7:26000", b"frag pit", b"e1m1", numbers="00 10 03")
INFO = octets("ffffffff 49 11") + b"frag pit\0de_dust\0cstrike\0Counter-Strike\0" + octets("0a00 02 10 00 64 6c 00 01")
REPLIES: Replies = {
    "quake": {
        SERVER: "Quake server frag pit",
        quake(b"", b"\x1b[31m", b"start"): "Quake server \\x1b[31m",
    },
    "source-query": {
        INFO: "Source game server frag pit",
        octets("ffffffff 41 0a0b0c0d"): "Source game server",
    },
    "iax2": {
        # RFC 5456 8.1.1: source call, destination call, time, sequence numbers, type 6, PONG
        octets("8003 0103 00000000 00 01 06 03"): "IAX2 server",
        octets("8003 0103 00000000 00 01 06 0a"): "IAX2 server, control frame 10",
    },
}


def test_requests() -> None:
    assert asked("quake").payloads == (octets("8000 000c 02") + b"QUAKE\0\3",)  # CCREQ_SERVER_INFO
    assert asked("source-query").payloads == (octets("ffffffff 54") + b"Source Engine Query\0",)
    assert asked("iax2").payloads == (octets("8103 0000 00000000 00 00 06 1e"),)  # POKE; a full frame has the first bit


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("quake", SERVER[:-1]),
        ("quake", quake(b"192.0.2.7:26000", b"frag pit")),
        ("quake", b"\0" + SERVER[1:]),
        ("quake", SERVER[:4] + b"\x81" + SERVER[5:]),
        ("source-query", b"\xff\xff\xff\xff"),
        ("source-query", INFO[4:]),
        ("source-query", octets("ffffffff 49 11") + b"no end"),
        ("source-query", octets("ffffffff 41 0a0b")),
        ("iax2", octets("8003 0103 00000000 00 01 06")),
        ("iax2", octets("8003 0104 00000000 00 01 06 03")),  # of another call
        ("iax2", octets("8003 0103 00000000 00 01 02 03")),  # voice
        ("iax2", octets("0103 0103 00000000 00 01 06 03")),  # no full frame
    ],
)
def test_what_is_no_reply_to_us(name: str, reply: bytes) -> None:
    assert not_understood(name, reply)
