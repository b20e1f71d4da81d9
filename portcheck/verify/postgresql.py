"""PostgreSQL (its manual, "Message Formats"): SSLRequest, answered by one letter before any user is named."""

from __future__ import annotations

import struct

from portcheck.verify.language import Server

_SSL_REQUEST = 80877103
_ANSWERS = {b"S": "PostgreSQL, offers TLS", b"N": "PostgreSQL, without TLS"}


def request(server: Server) -> bytes:
    return struct.pack(">II", 8, _SSL_REQUEST)


def whole(reply: bytes) -> bool:
    return reply in _ANSWERS


def interpret(request: bytes, reply: bytes) -> str | None:
    return _ANSWERS.get(reply)
