"""NTP (RFC 5905), as a client without a clock (RFC 4330)."""

from __future__ import annotations

from portcheck.printable import printable
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

SIZE = 48
_MODE, _SERVER, _UNSYNCHRONISED = 0x07, 4, 3

KISSES = {b"DENY": "access denied", b"RSTR": "access denied", b"RATE": "asked too often"}
"""RFC 5905 section 7.4: what stratum 0 may say; other kisses are of other modes."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """Zeros, as RFC 4330 section 5 has it; the transmit timestamp is a nonce and not our time."""
    with scapy_quietly():
        from scapy.layers.ntp import NTPHeader
    request = NTPHeader(version=4, mode=3, stratum=0, poll=0, precision=0, ref_id=b"\0" * 4, orig=0, recv=0, sent=0)
    return (bytes(request)[: SIZE - 8] + target.draw(8),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Mode 4, and the originate timestamp is our transmit timestamp (RFC 5905 section 8)."""
    if len(reply) < SIZE or reply[0] & _MODE != _SERVER or reply[24:32] != payloads[0][40:48]:
        return None
    with scapy_quietly():
        from scapy.layers.ntp import NTPHeader
    header = NTPHeader(reply[:SIZE])
    if header.stratum == 0 and reply[12:16] in KISSES:
        return f"NTP: {KISSES[reply[12:16]]} ({printable(reply[12:16].decode('ascii'))})"
    if header.leap == _UNSYNCHRONISED or not 0 < header.stratum < 16:
        return "NTP server, not synchronised"
    return f"NTP server, stratum {header.stratum}"
