"""Game servers: Quake (1996; its published net_dgrm.c) and Source (Valve's "Server queries", A2S_INFO).

Both tell what is played to whoever asks. By struct: scapy has neither.
"""

from __future__ import annotations

import struct

from portcheck.printable import printable
from portcheck.probes.target import Target

CONTROL = 0x8000
SERVER_INFO, INFO_REPLY = 0x02, 0x83
GAME, PROTOCOL = b"QUAKE\0", 3

SINGLE = b"\xff\xff\xff\xff"
INFO, CHALLENGE = ord("I"), ord("A")


def quake_payloads(target: Target) -> tuple[bytes, ...]:
    body = bytes((SERVER_INFO,)) + GAME + bytes((PROTOCOL,))
    return (struct.pack(">HH", CONTROL, 4 + len(body)) + body,)


def quake_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """The server's address, its name and the level, each ended by a zero; players, most players, protocol."""
    if len(reply) < 5 or struct.unpack_from(">HH", reply) != (CONTROL, len(reply)) or reply[4] != INFO_REPLY:
        return None
    texts = reply[5:].split(b"\0", 3)
    return f"Quake server {_shown(texts[1])}" if len(texts) == 4 and len(texts[3]) == 3 else None


def source_payloads(target: Target) -> tuple[bytes, ...]:
    return (SINGLE + b"TSource Engine Query\0",)


def source_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """A challenge to repeat (servers since 2020), or protocol, name, map and more."""
    if not reply.startswith(SINGLE) or len(reply) < 9:
        return None
    if reply[4] == CHALLENGE and len(reply) == 9:
        return "Source game server"
    name, end, _ = reply[6:].partition(b"\0")
    return f"Source game server {_shown(name)}" if reply[4] == INFO and end else None


def _shown(text: bytes) -> str:
    return printable(text.decode("utf-8", "replace"), 60)
