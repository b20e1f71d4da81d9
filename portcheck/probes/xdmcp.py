"""XDMCP: Query (X Display Manager Control Protocol 1.1, section 3): would you manage a display? It begins no session.

By struct: scapy has no XDMCP.
"""

from __future__ import annotations

import struct

from portcheck.printable import printable
from portcheck.probes.target import Target

VERSION = 1
QUERY, WILLING, UNWILLING = 2, 5, 6


def payloads(target: Target) -> tuple[bytes, ...]:
    """No authentication names."""
    return (struct.pack(">HHHB", VERSION, QUERY, 1, 0),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Willing: authentication, host name, status. Unwilling: host name, status."""
    if len(reply) < 6:
        return None
    version, opcode, length = struct.unpack_from(">HHH", reply)
    if version != VERSION or opcode not in (WILLING, UNWILLING) or length != len(reply) - 6:
        return None
    texts = _arrays(reply[6:], 3 if opcode == WILLING else 2)
    if texts is None:
        return None
    host = printable(texts[-2].decode("latin-1"), 60)
    return f"XDMCP: {host or 'display manager'} is {'willing' if opcode == WILLING else 'unwilling'}"


def _arrays(data: bytes, count: int) -> list[bytes] | None:
    """That many ARRAY8, each a length and its bytes, and nothing after them."""
    found = []
    for _ in range(count):
        if len(data) < 2:
            return None
        (length,) = struct.unpack_from(">H", data)
        found.append(data[2 : 2 + length])
        if len(found[-1]) < length:
            return None
        data = data[2 + length :]
    return None if data else found
