"""STUN, NAT-PMP and PCP."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

OURS = "2112a442 0102030405060708090a0b0c"
MAPPED = "0020 0008 0001 caee 2b1ba443"  # RFC 8489 14.2
REPLIES: Replies = {
    "stun": {
        octets("0101 000c", OURS, MAPPED): "STUN server",
        octets("0101 0000", OURS): "STUN server",
        octets("0111 0010", OURS, "0009 000c 00000414 426164 20 62797465"): "STUN: an error",  # 14.8: 420
        # stund 0.97
        octets(
            *("0101 0044", OURS, "0001 0008 0001 ebfc 0a090001", "0004 0008 0001 0d96 0a090001"),
            *("0005 0008 0001 0d97 00000000", MAPPED, "8022 0010 566f766964612e6f726720302e393700"),
        ): "STUN server, Vovida.org 0.97",
    },
    "nat-pmp": {
        octets("00 80 0000 00000006 cb007109"): "NAT-PMP gateway, outside address 203.0.113.9",  # RFC 6886 3.2
        octets("00 80 0003 00000006 00000000"): "NAT-PMP gateway, result 3",
        octets("00 80 0001 00000006"): "NAT-PMP gateway, result 1",  # 3.5: version not supported
        octets("02 80 0000 00000000 00000007", "00" * 12): "PCP server",  # RFC 6887 7.2; miniupnpd 2.3.1
    },
}


def test_requests() -> None:
    assert asked("stun").payloads == (octets("0001 0000", OURS),)  # RFC 8489 5
    # RFC 6886 3.2; RFC 6887 7.1: version 2, ANNOUNCE, our address as IPv6.
    assert asked("nat-pmp").payloads == (octets("00 00"), octets("02 00 0000 00000000", "00" * 10, "ffff c0000201"))
    assert asked("nat-pmp", "2001:db8::7").payloads[1] == octets("02 00 0000 00000000", "20010db8", "00" * 11, "01")


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        octets("0101 0000", OURS)[:19],
        octets("0101 0000 2112a442 ffffffffffffffffffffffff"),
        octets("0101 0010", OURS),  # longer than it is
        octets("0101 0003", OURS, "000000"),
        octets("0011 0000", OURS),  # an indication
    ],
)
def test_what_is_no_binding_of_ours(reply: bytes) -> None:
    assert not_understood("stun", reply)


@pytest.mark.parametrize(
    "reply",
    [
        octets("00 80"),
        octets("00 81 0000 00000006 cb007109"),  # the answer to a mapping
        octets("00 80 0000 00000006 cb0071"),
        octets("01 80 0000 00000006 cb007109"),
        octets("02 80 0000"),
    ],
)
def test_what_is_no_gateway(reply: bytes) -> None:
    assert not_understood("nat-pmp", reply)
