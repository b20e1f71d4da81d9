from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

ENTRY = "0002 0000 c0000200 ffffff00 00000000"  # RFC 2453 4: family, tag, network, mask, next hop
ENTRY_IPV6 = "20010db8 00000000 00000000 00000000 0000 20"  # RFC 2080 2.1: prefix, tag, its length
SECRET = "ffff 0002 70617373 00000000 00000000 00000000"  # RFC 2453 4.1
REPLIES: Replies = {
    "rip": {
        octets("02 02 0000", ENTRY, "00000010"): "RIP version 2, no such route",  # FRR 8.4.4
        octets("02 02 0000", ENTRY, "00000003"): "RIP version 2, a route of metric 3",
        octets("02 01 0000 0002 0000 c0000200 00000000 00000000 00000010"): "RIP version 1, no such route",
        octets("02 02 0000", SECRET, ENTRY, "00000010"): "RIP version 2, no such route",
    },
    "ripng": {
        octets("02 01 0000", ENTRY_IPV6, "10"): "RIPng version 1, no such route",  # FRR 8.4.4
        octets("02 01 0000", ENTRY_IPV6, "02"): "RIPng version 1, a route of metric 2",
    },
}


def test_requests_ask_for_one_route_never_for_the_table() -> None:
    """RFC 2453 3.9.1: family 0 and metric 16 alone would mean the table; RFC 2080 2.4.1: prefix ::/0."""
    assert asked("rip").payloads == (
        octets("01 02 0000", ENTRY, "00000010"),
        octets("01 01 0000", "0002 0000 c0000200 00000000 00000000 00000010"),
    )
    assert asked("ripng", "2001:db8::7").payloads == (octets("01 01 0000", ENTRY_IPV6, "10"),)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        octets("02 02 0000"),
        octets("02 02 0000", ENTRY),  # no metric
        octets("01 02 0000", ENTRY, "00000003"),  # a request
        octets("02 03 0000", ENTRY, "00000010"),
        octets("02 02 0000 0002 0000 c6336400 ffffff00 00000000 00000001"),  # of another network: an update
        octets("02 02 0000", *[ENTRY, "00000010"] * 26),
    ],
)
def test_what_is_no_answer_to_us(reply: bytes) -> None:
    assert not_understood("rip", reply)


@pytest.mark.parametrize(
    "reply", [octets("02 02 0000", ENTRY_IPV6, "10"), octets("02 01 0000", "00" * 19, "10"), octets("02 01 0000")]
)
def test_what_is_no_answer_over_ipv6(reply: bytes) -> None:
    assert not_understood("ripng", reply)
