from __future__ import annotations

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

WILDCARD = octets("20", "434b", "41" * 30, "00")
"""RFC 1001 14.1: "*" and 15 zero bytes, half a byte to a letter."""


def name(text: bytes, suffix: str, flags: str) -> bytes:
    return text.ljust(15) + octets(suffix, flags)


def status(*names: bytes, count: int | None = None) -> bytes:
    """RFC 1002 4.2.18; after the names come the hardware address and statistics."""
    data = bytes((len(names) if count is None else count,)) + b"".join(names) + bytes(46)
    return octets("0102 8400 0000 0001 0000 0000") + WILDCARD + octets("0021 0001 00000000", f"{len(data):04x}") + data


MACHINE, GROUP = name(b"DC1", "00", "0400"), name(b"LAB", "00", "8400")
SERVER = name(b"DC1", "20", "0400")
REPLIES: Replies = {
    "netbios-ns": {
        status(MACHINE, SERVER, GROUP): 'NetBIOS machine "DC1" of "LAB"',
        status(SERVER, GROUP, MACHINE): 'NetBIOS machine "DC1" of "LAB"',
        status(MACHINE): 'NetBIOS machine "DC1"',
        status(): "NetBIOS name service",
        status(MACHINE, GROUP, count=200): 'NetBIOS machine "DC1" of "LAB"',
        octets("0102 8403 0000 0000 0000 0000"): "NetBIOS name service: error 3",
    }
}


def test_request() -> None:
    """RFC 1002 4.2.17, without the flag of a broadcast."""
    assert asked("netbios-ns").payloads == (octets("0102 0000 0001 0000 0000 0000") + WILDCARD + octets("0021 0001"),)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


def test_what_is_no_reply_to_us() -> None:
    good = status(MACHINE)
    assert not_understood("netbios-ns", good[:11], good[:56], b"\2\1" + good[2:], good[:2] + b"\0\0" + good[4:])
    assert not_understood("netbios-ns", good[:46] + b"\0\x20" + good[48:])  # type NB


def test_names_are_shown_as_text() -> None:
    hostile = answered("netbios-ns", status(name(b"\x1b[2J\xff", "00", "0400")))
    assert hostile.text == 'NetBIOS machine "\\x1b[2J�"'
