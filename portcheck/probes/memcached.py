"""memcached: `version`, in the frame of its UDP (memcached's doc/protocol.txt, "UDP protocol"). By struct: no scapy."""

from __future__ import annotations

import struct

from portcheck.printable import printable
from portcheck.probes.target import Target

FRAME = 8


def payloads(target: Target) -> tuple[bytes, ...]:
    """Request id, datagram 0 of 1, reserved. Never `stats`, which answers with far more than it is asked."""
    return (target.draw(2) + struct.pack(">HHH", 0, 1, 0) + b"version\r\n",)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if reply[:FRAME] != payloads[0][:FRAME] or not reply.endswith(b"\r\n"):
        return None
    word, _, rest = reply[FRAME:-2].partition(b" ")
    if word == b"VERSION":
        return f"memcached {printable(rest.decode('ascii', 'replace'), 40)}"
    return "memcached: an error" if word in (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR") else None
