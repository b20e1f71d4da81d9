from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

COOKIE = "63825363"
INFORM = ("35 01 08", "37 04 01 03 06 0f", "ff")  # RFC 2132 9.6, 9.8
PXE_REQUEST = (
    *("35 01 03", "3c 20 5058 45436c69656e743a417263683a30303030303a554e44493a303032303031"),  # RFC 2132 9.13
    *("5d 02 0000", "5e 03 010201", "61 11 00 0102030405060708090a0b0c0d0e0f10", "ff"),  # RFC 4578 2.1 to 2.3
)


def message(operation: str, *options: str, client: str = "c0000201", xid: str = "01020304") -> bytes:
    """RFC 2131 2: the fixed fields, then the cookie and options (RFC 2132)."""
    fixed = octets(operation, "01 06 00", xid, "0000 0000", client, "00" * 12)
    return fixed + octets("02 0102030405").ljust(16, b"\0") + bytes(192) + octets(COOKIE, *options)


def reply(*options: str, xid: str = "01020304") -> bytes:
    return message("02", *options, xid=xid)


ACK, IDENTIFIER, PXE = "35 01 05", "36 04 c0000209", "3c 09 505845436c69656e74"
REPLIES: Replies = {
    "dhcp": {
        reply(ACK, IDENTIFIER, "ff"): "DHCP server 192.0.2.9",
        reply(ACK, "ff"): "DHCP server",
        reply("35 01 06", "ff"): "DHCP: refused",
        reply(): "DHCP server",
        reply("ff"): "DHCP server",  # BOOTP, with the cookie of RFC 1497
    },
    "pxe": {
        reply(ACK, IDENTIFIER, PXE, "ff"): "PXE boot server",
        reply(ACK, IDENTIFIER, "ff"): "DHCP server without PXE",
    },
}


def test_requests() -> None:
    assert asked("dhcp").payloads == (message("01", *INFORM).ljust(300, b"\0"),)
    assert asked("dhcp").source_port == 68
    assert asked("pxe").payloads == (message("01", *PXE_REQUEST),)
    assert asked("pxe").source_port is None


def test_nothing_is_reserved() -> None:
    """DISCOVER (1) would reserve an address, and a REQUEST (3) to port 67 would lease one."""
    for payload in asked("dhcp").payloads:
        assert octets(COOKIE, "35 01 08") in payload


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        reply(ACK)[:239],
        message("01", ACK),
        reply(ACK, xid="01020305"),
        reply(ACK).replace(octets(COOKIE), octets("63825364")),
    ],
)
def test_what_is_no_reply_to_us(wrong: bytes) -> None:
    assert not_understood("dhcp", wrong)
    assert not_understood("pxe", wrong)


@pytest.mark.parametrize("options", ["36 04 c0", "36 ff", "36 00", "79 05 ff", "3c", "35 00 36 04 c0000209"])
def test_options_that_lie_about_themselves_do_not_hide_the_server(options: str) -> None:
    assert answered("dhcp", reply(options)).text.startswith("DHCP server")
