"""The ping of Microsoft message queuing ([MS-MQQB] 2.1.2, 2.2.7). scapy has no layer for it."""

from __future__ import annotations

import struct

from portcheck.probes.target import Target

_SIGNATURE = 0x5548
_SIZE = 24


def payloads(target: Target) -> tuple[bytes, ...]:
    """Flags, signature, cookie and the GUID of a queue manager; ours is nobody's. Whole numbers are little-endian."""
    return (struct.pack("<HH", 0, _SIGNATURE) + target.draw(4) + target.draw(16),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """The same packet with the same cookie, and the server's own GUID."""
    if len(reply) != _SIZE or struct.unpack_from("<H", reply, 2)[0] != _SIGNATURE:
        return None
    same_cookie, same_guid = reply[4:8] == payloads[0][4:8], reply[8:] == payloads[0][8:]
    return "MSMQ ping service" if same_cookie and not same_guid else None
