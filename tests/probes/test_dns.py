from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

VERSION_BIND = octets("07 76657273696f6e 04 62696e64 00", "0010 0003")  # RFC 1035 4.1.2: TXT, class CH
SERVICES = octets("09 5f7365727669636573 07 5f646e732d7364 04 5f756470 05 6c6f63616c 00", "000c 0001")  # PTR, IN
OWN_NAME = octets("01 37 01 32 01 30 03 313932 07 696e2d61646472 04 61727061 00", "000c 0001")  # 7.2.0.192.in-addr.arpa


def response(flags: str, counts: str, *rest: bytes) -> bytes:
    """RFC 1035 4.1.1, with our id."""
    return octets("0102", flags, counts) + b"".join(rest)


NOT_IMPLEMENTED = response("9004", "0000 0000 0000 0000")
TXT = octets("c00c 0010 0003 00000000 0007 06") + b"9.18.1"  # 3.3.14, its name is at offset 12 (4.1.4)
VERSION = response("8500", "0001 0001 0000 0000", VERSION_BIND, TXT)
REPLIES: Replies = {
    "dns": {
        NOT_IMPLEMENTED: "DNS server",
        response("8105", "0000 0000 0000 0000"): "DNS: refused",
        response("9001", "0000 0000 0000 0000"): "DNS: format error",
        response("8180", "0001 0000 0000 0000", octets("00 0002 0001")): "DNS server",
        VERSION: 'DNS server, version "9.18.1"',
        response("8583", "0001 0000 0000 0000", VERSION_BIND): "DNS: no such name",
    },
    "mdns": {
        response(
            "8400", "0001 0001 0000 0000", OWN_NAME, octets("c00c 000c 0001 0000000a 000a 02766d 056c6f63616c 00")
        ): ("multicast DNS responder vm.local"),
        response("8400", "0001 0001 0000 0000", SERVICES, octets("c00c 000c 0001 0000000a 0002 c00c")): (
            "multicast DNS responder"
        ),
        response("8400", "0001 0000 0000 0000", SERVICES): "multicast DNS responder",
    },
}


def test_requests() -> None:
    assert asked("dns").payloads == (
        octets("0102 1000 0000 0000 0000 0000"),  # opcode 2, STATUS
        octets("0102 0000 0001 0000 0000 0000") + VERSION_BIND,
        octets("0102 0000 0001 0000 0000 0000", "00 0002 0001"),  # the root, NS, IN
    )
    header = octets("0102 0000 0001 0000 0000 0000")
    assert asked("mdns").payloads == (header + OWN_NAME, header + SERVICES)
    assert asked("mdns", "fe80::7%eth0").payloads[0].startswith(header + octets("01 37 01 30 01 30"))


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


def test_what_is_no_reply_to_us() -> None:
    for name in ("dns", "mdns"):
        assert not_understood(name, b"", NOT_IMPLEMENTED[:11], b"\2\1" + NOT_IMPLEMENTED[2:])
        assert not_understood(name, response("1004", "0000 0000 0000 0000"))  # a query, QR is 0


@pytest.mark.parametrize(
    "record",
    [
        "c01e 0010 0003 00000000 0002 0141",  # a name that points at itself
        "c00c 0010 0003 00000000 ffff ff41",
        "c00c 0010 0003 00000000 0000",
        "c00c 0010",
        "c00c 0001 0003 00000000 0004 7f000001",  # an address
        "",
    ],
)
def test_a_version_that_lies_about_itself_is_left_out(record: str) -> None:
    reply = response("8500", "0001 0001 0000 0000", VERSION_BIND, octets(record))
    assert answered("dns", reply).text == "DNS server"


def test_counts_that_promise_more_are_not_believed() -> None:
    assert answered("dns", VERSION[:7] + b"\xff" * 5 + VERSION[12:]).text == 'DNS server, version "9.18.1"'


@pytest.mark.parametrize("name", ["c034", "ff00", "3f41", "c0"])
def test_a_name_that_lies_about_itself_does_not_hide_the_responder(name: str) -> None:
    record = octets(f"c00c 000c 0001 0000000a {len(octets(name)):04x}", name)
    spoken = answered("mdns", response("8400", "0001 0001 0000 0000", OWN_NAME, record))
    assert spoken.protocol == "mdns"


def test_a_version_is_shown_as_text() -> None:
    hostile = VERSION.replace(b"9.18.1", b"\x1b[31m\xff")
    assert answered("dns", hostile).text == r'DNS server, version "\x1b[31m\xff"'
