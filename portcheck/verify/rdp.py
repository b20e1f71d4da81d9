"""Remote Desktop ([MS-RDPBCGR] 2.2.1.1): the connection request of X.224, before any TLS or user.

scapy has no layer for TPKT or X.224.
"""

from __future__ import annotations

import struct

from portcheck.verify.language import Server

_TLS, _CREDSSP, _CREDSSP_EARLY = 1, 2, 8
_CONNECTION_CONFIRM = 0xD0
_ANSWER, _FAILURE = 2, 3
_SECURITY = {
    0: "its own security only",
    _TLS: "TLS",
    _CREDSSP: "network level authentication",
    _CREDSSP_EARLY: "network level authentication",
}


def request(server: Server) -> bytes:
    negotiation = struct.pack("<BBHI", 1, 0, 8, _TLS | _CREDSSP | _CREDSSP_EARLY)
    x224 = bytes([6 + len(negotiation), 0xE0, 0, 0, 0, 0, 0]) + negotiation
    return struct.pack(">BBH", 3, 0, 4 + len(x224)) + x224


def whole(reply: bytes) -> bool:
    return len(reply) >= 4 and len(reply) >= int.from_bytes(reply[2:4], "big")


def interpret(request: bytes, reply: bytes) -> str | None:
    if len(reply) < 11 or reply[:2] != b"\x03\x00" or reply[5] & 0xF0 != _CONNECTION_CONFIRM or not whole(reply):
        return None
    if len(reply) < 19:
        return f"Remote Desktop, {_SECURITY[0]}"
    kind, _, _, chosen = struct.unpack_from("<BBHI", reply, 11)
    if kind == _FAILURE:
        return f"Remote Desktop, refuses to negotiate ({chosen})"
    return f"Remote Desktop, {_SECURITY[chosen]}" if kind == _ANSWER and chosen in _SECURITY else "Remote Desktop"
