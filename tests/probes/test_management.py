"""What manages machines and displays, and finds services: IPMI, XDMCP, SLP."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets


def presence(tag: str, entities: str) -> bytes:
    """DSP0136 3.2.4.3: RMCP header, enterprise, pong, tag, 16 bytes."""
    return octets("06 00 ff 06 000011be 40", tag, "00 10", "000011be 00000000", entities, "00 000000000000")


def display(opcode: str, *arrays: bytes) -> bytes:
    """XDMCP 1.1: version, opcode, length, and each text with its length."""
    body = b"".join(len(array).to_bytes(2, "big") + array for array in arrays)
    return octets("0001", opcode) + len(body).to_bytes(2, "big") + body


def agent(function: str, number: str = "0102", length: str = "000014") -> bytes:
    """RFC 2608 8: version, function, length, flags, extension, number, language."""
    return octets("02", function, length, "0000 000000", number, "0002 656e", "0000 0000")


PONG = presence("01", "81")
CAPABILITIES = octets("06 00 ff 07 00 00000000 00000000 10", "81 1c 63 20 04 38 00 01 97 06 03 00 00 00 00 03")
REPLIES: Replies = {
    "ipmi": {
        PONG: "RMCP, with IPMI",
        presence("01", "01"): "RMCP, without IPMI",
        CAPABILITIES: "IPMI controller",  # ipmi_sim of OpenIPMI 2.0.33, with our sequence number
        octets("06 00 ff 07 00 00000000 00000000 08", "81 1c 63 20 04 38 d4 d0"): "IPMI controller",  # 5.2: refused
    },
    "xdmcp": {
        display("0005", b"", b"m1.example", b"load 0.1"): "XDMCP: m1.example is willing",
        display("0005", b"", b"", b""): "XDMCP: display manager is willing",
        display("0006", b"m1\x1b", b"no"): "XDMCP: m1\\x1b is unwilling",
        octets("0001 0005 000d 0000 0002 766d 0005 7265616479"): "XDMCP: vm is willing",  # xdm 1.1.11
    },
    "slp": {
        agent("0b"): "SLP service agent",
        agent("08"): "SLP directory agent",
        agent("02"): "SLP agent",
        agent("0b", length="ffffff")[:16]: "SLP service agent",  # the reply was cut
    },
}


def test_requests() -> None:
    assert asked("ipmi").payloads == (
        octets("06 00 ff 06 000011be 80 01 00 00"),
        # IPMI 2.0 13.6 and 22.13: no session; Get Channel Authentication Capabilities of this channel, as operator.
        octets("06 00 ff 07 00 00000000 00000000 09", "20 18 c8 81 04 38 8e 03 b2"),
    )
    assert asked("xdmcp").payloads == (octets("0001 0002 0001 00"),)
    service, directory = b"service:service-agent", b"service:directory-agent"
    assert asked("slp").payloads == (
        octets("02 01 000036 0000 000000 0102 0002 656e", "0000 0015") + service + slp_end(),
        octets("02 01 000038 0000 000000 0102 0002 656e", "0000 0017") + directory + slp_end(),
    )


def slp_end() -> bytes:
    """RFC 2608 8.1: the scope, no predicate, no SPI."""
    return octets("0007") + b"DEFAULT" + octets("0000 0000")


def test_checksums_of_ipmi_make_zero() -> None:
    """IPMI 2.0 13.8: header with its checksum, and the rest with its own."""
    message = asked("ipmi").payloads[1][14:]
    assert (sum(message[:3]) % 256, sum(message[3:]) % 256) == (0, 0)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        presence("02", "81"),  # to another ping
        PONG[:27],
        PONG[:4] + b"\0\0\0\1" + PONG[8:],
        octets("06 00 ff 86"),
        CAPABILITIES[:-1] + b"\x44",  # a wrong checksum
        CAPABILITIES[:-2],
        CAPABILITIES[:13] + b"\0" + CAPABILITIES[14:],
        CAPABILITIES[:14] + b"\x82" + CAPABILITIES[15:],  # to somebody else
    ],
)
def test_what_is_no_controller(reply: bytes) -> None:
    assert not_understood("ipmi", reply)


@pytest.mark.parametrize(
    "reply",
    [
        octets("0001 0005"),
        octets("0002 0005 0002 0000"),
        octets("0001 0007 0002 0000"),
        display("0005", b"m1", b"ready"),  # a text is missing
        display("0006", b"m1", b"no", b"more"),
        octets("0001 0006 0004 ffff 6d31"),
    ],
)
def test_what_is_no_display_manager(reply: bytes) -> None:
    assert not_understood("xdmcp", reply)


@pytest.mark.parametrize(
    "reply",
    [agent("0b")[:15], agent("0b", number="0201"), agent("03"), b"\1" + agent("0b")[1:], agent("0b", length="000000")],
)
def test_what_is_no_agent(reply: bytes) -> None:
    assert not_understood("slp", reply)
