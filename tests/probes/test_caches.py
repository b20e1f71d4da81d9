"""memcached, and ICP of web caches."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

FRAME = octets("0102 0000 0001 0000")  # memcached, doc/protocol.txt: id, number, how many, reserved
URL = b"http://portcheck.invalid/\0"


def found(opcode: str, number: str = "01020304", length: str = "002e") -> bytes:
    """RFC 2186: opcode, version, length, number, options, option data, sender, URL."""
    return octets(opcode, "02", length, number, "00000000 00000000 00000000") + URL


REPLIES: Replies = {
    "memcached": {
        FRAME + b"VERSION 1.6.18\r\n": "memcached 1.6.18",  # memcached 1.6.18
        FRAME + b"VERSION \x1b[2J\r\n": "memcached \\x1b[2J",
        FRAME + b"ERROR\r\n": "memcached: an error",
    },
    "icp": {
        found("03"): "ICP web cache: does not have it",  # squid 5.7
        found("16"): "ICP web cache: refused",  # squid 5.7 with icp_access deny
        found("02"): "ICP web cache: has it",
        found("15"): "ICP web cache: does not have it, and would not fetch it",
        found("04", length="0014")[:20]: "ICP web cache: an error",
    },
}


def test_requests() -> None:
    assert asked("memcached").payloads == (FRAME + b"version\r\n",)
    head = octets("01 02 0032 01020304", "00000000 00000000 00000000 00000000")
    assert asked("icp").payloads == (head + URL,)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        FRAME,
        FRAME + b"VERSION 1.6.18",
        FRAME + b"STAT pid 1\r\n",
        octets("0201 0000 0001 0000") + b"VERSION 1.6.18\r\n",
        b"VERSION 1.6.18\r\n",
    ],
)
def test_what_is_no_memcached(reply: bytes) -> None:
    assert not_understood("memcached", reply)


@pytest.mark.parametrize(
    "reply",
    [
        found("03")[:19],
        found("03", number="04030201"),
        found("03", length="0200"),
        found("03", length="0001"),
        found("07"),
    ],
)
def test_what_is_no_web_cache(reply: bytes) -> None:
    assert not_understood("icp", reply)
