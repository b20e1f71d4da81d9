"""IAX2, Asterisk's telephony (RFC 5456): POKE, which asks for a sign of life outside any call (section 6.7.1).

By struct: scapy has no IAX.
"""

from __future__ import annotations

import struct

from portcheck.probes.target import Target

FULL_FRAME = 0x8000
FRAME = 12
IAX = 6
PONG, POKE = 0x03, 0x1E


def payloads(target: Target) -> tuple[bytes, ...]:
    """Section 8.1.1: our call number, none of theirs, time, sequence numbers, type and subclass of the frame."""
    (call,) = struct.unpack(">H", target.draw(2))
    return (struct.pack(">HHIBBBB", FULL_FRAME | call | 1, 0, 0, 0, 0, IAX, POKE),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Any frame of control to the call number that we took; a PONG as a rule."""
    if len(reply) < FRAME:
        return None
    source, destination, _, _, _, kind, subclass = struct.unpack_from(">HHIBBBB", reply)
    (ours,) = struct.unpack_from(">H", payloads[0])
    if not source & FULL_FRAME or kind != IAX or destination & 0x7FFF != ours & 0x7FFF:
        return None
    return "IAX2 server" if subclass == PONG else f"IAX2 server, control frame {subclass}"
