"""ICP version 2 (RFC 2186): does this web cache have a page that nobody has? A query fetches nothing.

By struct: scapy has no ICP.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.target import Target

QUERY, VERSION = 1, 2
URL = b"http://portcheck.invalid/\0"
HEADER = 20
ANSWERS: Mapping[int, str] = {
    2: "has it",
    3: "does not have it",
    4: "an error",
    21: "does not have it, and would not fetch it",
    22: "refused",
    23: "has it",
}
"""Opcodes, section "ICP Message Format"."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """Opcode, version, length, number, options, data of options, sender; then the requester and the address."""
    length = HEADER + 4 + len(URL)
    return (struct.pack(">BBH", QUERY, VERSION, length) + target.draw(4) + bytes(12) + bytes(4) + URL,)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if len(reply) < HEADER or reply[4:8] != payloads[0][4:8]:
        return None
    opcode, version, length = struct.unpack_from(">BBH", reply)
    if opcode not in ANSWERS or version not in (2, 3) or not HEADER <= length <= len(reply):
        return None
    return f"ICP web cache: {ANSWERS[opcode]}"
