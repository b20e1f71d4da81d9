"""SQL Server ([MS-TDS] 2.2.6.5): PRELOGIN, which comes before any login. scapy has no layer for TDS."""

from __future__ import annotations

import struct

from portcheck.verify.language import Server

_PRELOGIN, _RESPONSE, _LAST = 0x12, 0x04, 0x01
_VERSION, _ENCRYPTION, _END = 0, 1, 0xFF
_ENCRYPTIONS = {0: "encrypts logins", 1: "encrypts", 2: "without encryption", 3: "encryption required"}


def request(server: Server) -> bytes:
    # Two entries of five bytes and the end come before the data: the version at 11, the encryption (off) at 17.
    options = struct.pack(">BHHBHHB", _VERSION, 11, 6, _ENCRYPTION, 17, 1, _END)
    body = options + bytes(6) + b"\x00"
    return struct.pack(">BBHHBB", _PRELOGIN, _LAST, 8 + len(body), 0, 0, 0) + body


def whole(reply: bytes) -> bool:
    return len(reply) >= 8 and len(reply) >= int.from_bytes(reply[2:4], "big")


def interpret(request: bytes, reply: bytes) -> str | None:
    if len(reply) < 14 or reply[0] != _RESPONSE or reply[1] > _LAST or not whole(reply):
        return None
    options = _options(reply[8:])
    version = options.get(_VERSION, b"")
    if len(version) < 6:
        return None
    major, minor, build = struct.unpack_from(">BBH", version)
    encryption = _ENCRYPTIONS.get(int.from_bytes(options.get(_ENCRYPTION, b"\xff")[:1], "big"))
    return ", ".join(filter(None, (f"SQL Server {major}.{minor}.{build}", encryption)))


def _options(body: bytes) -> dict[int, bytes]:
    """The options that lie inside the packet, by token."""
    found: dict[int, bytes] = {}
    for at in range(0, min(len(body), 64) - 4, 5):
        if body[at] == _END:
            break
        token, offset, length = struct.unpack_from(">BHH", body, at)
        found[token] = body[offset : offset + length]
    return found
