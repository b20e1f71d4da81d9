from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

OURS = "0102030405060708"
MARKER = "00000000"  # RFC 3948 2.2


def notification(version: str, payload: str, body: str) -> bytes:
    """RFC 7296 3.1: both SPIs, next payload, version, INFORMATIONAL or IKE_SA_INIT, response, message id, length."""
    exchange, flags = ("22", "20") if version == "20" else ("05", "00")
    length = 28 + len(octets(body))
    return octets(OURS, "1112131415161718", payload, version, exchange, flags, "00000000", f"{length:08x}", body)


VERSION_2 = notification("20", "29", "00 00 0008 00 00 0005")  # RFC 7296 3.10
REPLIES: Replies = {
    "isakmp": {
        VERSION_2: "IKEv2: invalid major version",
        notification("20", "29", "00 00 0008 00 00 000e"): "IKEv2: no proposal chosen",
        notification("20", "29", "00 00 000a 00 00 0011 0013"): "IKEv2: another key exchange group wanted",
        notification("20", "29", "00 00 0010 00 00 4006 a1a2a3a4a5a6a7a8"): "IKEv2: asks for a cookie",
        notification("20", "21", "00 00 0004"): "IKEv2 server",
        notification("10", "0b", "00 00 000c 00000001 01 00 000e"): "IKEv1: no proposal chosen",  # RFC 2408 3.14
        # strongSwan 5.9.8 to the first request and to main mode, libreswan to the second; with our SPI.
        octets(OURS, "0000000000000000", "29 20 22 20 00000000 00000024", "00000008 00000005"): (
            "IKEv2: invalid major version"
        ),
        octets(OURS, "d11fe716284a0b10", "0b 10 05 00 b25de548 00000028", "0000000c 00000001 0100000e"): (
            "IKEv1: no proposal chosen"
        ),
    },
    "isakmp-nat-t": {octets(MARKER) + VERSION_2: "IKEv2: invalid major version"},
}


def test_the_first_request_is_of_a_version_to_come() -> None:
    request = octets(OURS, "00" * 8, "00 30 22 08 00000000 0000001c")
    assert asked("isakmp").payloads[0] == request
    assert asked("isakmp-nat-t").payloads[0] == octets(MARKER) + request


def test_version_2_offers_what_nobody_can_accept() -> None:
    """RFC 7296 3.3 and 3.4: encryption 65535 is for private use; nothing else about it is strange."""
    offer = octets(
        *(OURS, "00" * 8, "21 20 22 08 00000000 00000094"),
        *("22 00 002c", "00 00 0028 01 01 00 04"),  # SA, and its only proposal, of 4 transforms
        *("03 00 0008 01 00 ffff", "03 00 0008 02 00 0005", "03 00 0008 03 00 000c", "00 00 0008 04 00 001f"),
        *("28 00 0028 001f 0000", bytes(range(1, 33)).hex()),  # key exchange
        *("00 00 0024", bytes(range(1, 33)).hex()),  # nonce
    )
    assert asked("isakmp").payloads[1] == offer
    assert asked("isakmp-nat-t").payloads[1] == octets(MARKER) + offer


def test_version_1_offers_what_nobody_can_accept() -> None:
    """RFC 2408 3.4 to 3.6, RFC 2409 appendix A: encryption 65535."""
    offer = octets(
        *(OURS, "00" * 8, "01 10 02 00 00000000 00000050"),
        *("00 00 0034 00000001 00000001", "00 00 0028 01 01 00 01", "00 00 0020 01 01 0000"),
        *("8001 ffff", "8002 0004", "8003 0001", "8004 000e", "800b 0001", "800c 7080"),
    )
    assert asked("isakmp").payloads[2] == offer


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        VERSION_2[:27],
        b"\2" + VERSION_2[1:],  # to somebody else
        VERSION_2[:17] + b"\x30" + VERSION_2[18:],  # of a version that does not exist
        VERSION_2[:24] + b"\xff\xff\xff\xff" + VERSION_2[28:],  # longer than it is
        VERSION_2[:24] + b"\0\0\0\1" + VERSION_2[28:],  # shorter than a header
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("isakmp", reply)
    assert not_understood("isakmp-nat-t", octets(MARKER) + reply)


def test_on_4500_an_answer_has_the_marker() -> None:
    assert not_understood("isakmp-nat-t", VERSION_2, b"\xff", b"\0\0\0\1" + VERSION_2)


def test_a_notification_that_is_cut_off_is_still_an_answer() -> None:
    cut = octets(OURS, "00" * 8, "29 20 22 20 00000000 0000001c")
    assert meant({"isakmp": {cut: ""}}) == {"isakmp": {cut: "IKEv2 server"}}
