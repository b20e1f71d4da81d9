from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

OURS = "0102030405060708"


def header(first: str, stratum: str, reference: str = "c0000209", originate: str = OURS) -> bytes:
    """RFC 5905 7.3: 48 bytes."""
    return octets(first, stratum, "06 e9", "00000100 00000200", reference, "e000000000000000", originate, "00" * 16)


REPLIES: Replies = {
    "ntp": {
        header("24", "03"): "NTP server, stratum 3",
        header("24", "01", "47505300"): "NTP server, stratum 1",
        header("1c", "02"): "NTP server, stratum 2",  # version 3
        header("e4", "00", "00000000"): "NTP server, not synchronised",
        header("e4", "02"): "NTP server, not synchronised",
        header("24", "10"): "NTP server, not synchronised",
        header("e4", "00", "44454e59"): "NTP: access denied (DENY)",  # 7.4: the kiss-o'-death packet
        header("e4", "00", "52415445"): "NTP: asked too often (RATE)",
    }
}


def test_request() -> None:
    assert asked("ntp").payloads == (octets("23", "00" * 39, OURS),)  # version 4, mode 3


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        header("24", "03", originate="0102030405060709"),
        header("23", "03"),  # a client
        header("25", "03"),  # a broadcast
        header("26", "03"),  # mode 6, control
        header("24", "03")[:47],
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("ntp", reply)


def test_our_own_request_is_known() -> None:
    assert answered("ntp", asked("ntp").payloads[0]).protocol == "echo"
