"""STUN: a binding request (RFC 8489 sections 5 and 6). Servers of the older RFC 3489 answer it as well."""

from __future__ import annotations

import struct

from portcheck.printable import printable
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 20
SUCCESS, ERROR = 0x0101, 0x0111
SOFTWARE = 0x8022


def payloads(target: Target) -> tuple[bytes, ...]:
    with scapy_quietly():
        from scapy.contrib.stun import STUN
    return (bytes(STUN(stun_message_type="Binding request", transaction_id=int.from_bytes(target.draw(12), "big"))),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Read by struct: scapy takes 60 us for an attribute, and there may be 500."""
    # Magic cookie and transaction are repeated (section 6.3.1).
    if len(reply) < HEADER or reply[4:HEADER] != payloads[0][4:HEADER]:
        return None
    kind, length = struct.unpack_from(">HH", reply)
    if kind not in (SUCCESS, ERROR) or length % 4 or HEADER + length > len(reply):
        return None
    said = "STUN server" if kind == SUCCESS else "STUN: an error"
    software = _attribute(SOFTWARE, reply[HEADER : HEADER + length])
    return f"{said}, {printable(software.decode('utf-8', 'replace'), 60)}" if software else said


def _attribute(wanted: int, attributes: bytes) -> bytes | None:
    """Section 14: type, length, value, filled up to four bytes."""
    while len(attributes) >= 4:
        kind, length = struct.unpack_from(">HH", attributes)
        if kind == wanted:
            return attributes[4 : 4 + length].rstrip(b"\0")
        attributes = attributes[4 + (length + 3) // 4 * 4 :]
    return None
