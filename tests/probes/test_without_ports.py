"""ICMP echo, GRE, ESP, AH."""

from __future__ import annotations

import pytest

from portcheck.probes import icmp
from tests.probes.conftest import made_target
from tests.probes.exchange import Replies, asked, meant, not_understood, octets

DATA = "706f7274636865636b20 0102030405060708"  # "portcheck " and ours
REPLIES: Replies = {
    "icmp": {
        octets("00 00 d818 0102 0001", DATA): "echo reply",  # RFC 792
        octets("00 00 0000 beef 0003", DATA): "echo reply",  # a ping socket has an id of its own
    },
    "gre": {
        octets("0000 0000 0102030405060708"): "GRE tunnel: our packet came back",
        octets("0000 0800", "45" + "00" * 19): "GRE packet, carries IPv4",  # RFC 2784 2.1
        octets("b000 6558 00000000 00000001 00000002"): "GRE packet, carries Ethernet",  # RFC 2890: key and number
        octets("3081 880b 0000 0001 00000002"): "GRE packet, carries PPP (PPTP)",  # RFC 2637 4.1
        octets("0000 22eb"): "GRE packet, carries 0x22eb",
    },
    "esp": {octets("c0ffee00 00000007", "aa" * 32): "ESP packet, SPI 0xc0ffee00"},  # RFC 4303 2
    "ah": {octets("04 04 0000 c0ffee00 00000007", "aa" * 12): "AH packet, SPI 0xc0ffee00"},  # RFC 4302 2
}


def test_echo_requests_are_counted() -> None:
    assert asked("icmp").payloads == tuple(octets("08 00", sum_and_count, DATA) for sum_and_count in COUNTED)
    assert asked("icmp", "2001:db8::7").payloads == tuple(
        octets("80 00 0000 0102", count, DATA) for count in ("0001", "0002", "0003")
    )


COUNTED = ("d018 0102 0001", "d017 0102 0002", "d016 0102 0003")


def test_the_checksum_of_an_echo_request_is_right() -> None:
    """RFC 1071: the sum of all words, carried around, is ffff."""
    for request in asked("icmp").payloads:
        total = sum(int.from_bytes(request[at : at + 2], "big") for at in range(0, len(request), 2))
        assert total % 0xFFFF == 0


def test_gre_carries_a_packet_from_them_to_us() -> None:
    """RFC 2784 2.1, with RFC 791 and RFC 8200 within: 192.0.2.7 to 192.0.2.1, GRE again, our nonce."""
    ipv4 = "45 00 0020 0001 0000 40 2f f6a5 c0000207 c0000201"
    ipv6 = "60000000 000c 2f 40 20010db8 00000000 00000000 00000007 20010db8 00000000 00000000 00000001"
    back = "0000 0000 0102030405060708"
    assert asked("gre").payloads == (octets("0000 0800", ipv4, back),)
    assert asked("gre", "2001:db8::7").payloads == (octets("0000 86dd", ipv6, back),)


def test_ipsec_is_asked_for_an_association_that_nobody_has() -> None:
    assert asked("esp").payloads == (octets("01020304 00000001", bytes(range(1, 45)).hex()),)
    assert asked("ah").payloads == (octets("3b 04 0000 01020304 00000001", bytes(range(1, 13)).hex()),)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


def test_an_echo_reply_over_ipv6() -> None:
    requests = icmp.payloads(made_target("2001:db8::7"))
    assert icmp.interpret(requests, octets("81 00 8a3c 0102 0002", DATA)) == "echo reply"  # RFC 4443 4.2
    assert icmp.interpret(requests, octets("00 00 8a3c 0102 0002", DATA)) is None
    assert icmp.interpret(requests, octets("87 00 8a3c 00000000", "00" * 16)) is None  # a neighbour solicitation


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("icmp", octets("08 00 d018 0102 0001", DATA)),  # our own, seen on a raw socket
        ("icmp", octets("00 00 0000 0102 0001", DATA[:-2], "ff")),
        ("icmp", octets("00 01 0000 0102 0001", DATA)),
        ("icmp", octets("00 00 0000")),
        ("gre", asked("gre").payloads[0]),
        ("gre", octets("0000 08")),
        ("gre", octets("4000 0800 00000000")),  # routing, RFC 1701
        ("gre", octets("0002 0800 00000000")),
        ("gre", octets("3081 0800 00000000")),
        ("esp", asked("esp").payloads[0]),
        ("esp", octets("000000ff 00000001", "aa" * 32)),  # RFC 4303 2.1: reserved
        ("esp", octets("c0ffee00 00000001")),
        ("esp", octets("c0ffee00 00000001", "aa" * 33)),
        ("ah", asked("ah").payloads[0]),
        ("ah", octets("04 04 0001 c0ffee00 00000007", "aa" * 12)),
        ("ah", octets("04 09 0000 c0ffee00 00000007", "aa" * 12)),
        ("ah", octets("04 01 0000 c0ffee00 00000007", "aa" * 12)),
    ],
)
def test_what_is_no_answer(name: str, reply: bytes) -> None:
    assert not_understood(name, reply)
