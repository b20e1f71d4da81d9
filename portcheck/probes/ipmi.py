"""RMCP: a presence ping (ASF 2.0, DMTF DSP0136, section 3.2.4), then IPMI's question what a login would need.

Both are asked before any login and change nothing. By struct: scapy has neither.
"""

from __future__ import annotations

import struct

from portcheck.probes.target import Target

ASF_ENTERPRISE = 4542
PING, PONG = 0x80, 0x40
IPMI_BIT = 0x80
NO_ACK = bytes.fromhex("06 00 ff")  # RMCP version 1.0, reserved, a sequence number that nobody acknowledges
ASF, IPMI = 0x06, 0x07
CLIENT, BMC = 0x81, 0x20
APP_REQUEST, APP_RESPONSE = 0x18, 0x1C  # network function and LUN
AUTHENTICATION_CAPABILITIES = 0x38


def payloads(target: Target) -> tuple[bytes, ...]:
    tag = target.draw(1)[0] & 0x3F
    ping = NO_ACK + struct.pack(">BIBBBB", ASF, ASF_ENTERPRISE, PING, tag, 0, 0)
    return (ping, _capabilities(tag))


def _capabilities(tag: int) -> bytes:
    """IPMI 2.0 sections 13.6, 13.8 and 22.13: this channel, as an operator; no session."""
    to = bytes((BMC, APP_REQUEST))
    ask = bytes((CLIENT, tag << 2, AUTHENTICATION_CAPABILITIES, 0x8E, 0x03))
    message = to + _checksum(to) + ask + _checksum(ask)
    return NO_ACK + bytes((IPMI,)) + bytes(9) + bytes((len(message),)) + message


def _checksum(data: bytes) -> bytes:
    return bytes((-sum(data) & 0xFF,))


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if len(reply) < 12 or reply[0] != 0x06:
        return None
    kind = reply[3]
    if kind == ASF:
        return _presence(payloads[0], reply)
    if kind == IPMI and _answers_capabilities(payloads[1], reply):
        return "IPMI controller"
    return None


def _presence(ping: bytes, reply: bytes) -> str | None:
    """Section 3.2.4.3: the tag of our ping, then 16 bytes, of which the ninth tells what there is."""
    enterprise, kind, tag, _, length = struct.unpack_from(">IBBBB", reply, 4)
    if enterprise != ASF_ENTERPRISE or kind != PONG or tag != ping[9] or length < 16 or len(reply) < 12 + length:
        return None
    return "RMCP, with IPMI" if reply[20] & IPMI_BIT else "RMCP, without IPMI"


def _answers_capabilities(request: bytes, reply: bytes) -> bool:
    """Address, network function, both checksums, sequence and command are those of an answer to us."""
    message = reply[14 : 14 + reply[13]] if len(reply) > 14 else b""
    if len(message) < 8 or reply[4] != 0:
        return False
    asked = request[14:]
    expected = bytes((CLIENT, APP_RESPONSE)), bytes((BMC, asked[4], AUTHENTICATION_CAPABILITIES))
    return (message[:2], message[3:6]) == expected and not sum(message[:3]) & 0xFF and not sum(message[3:]) & 0xFF
