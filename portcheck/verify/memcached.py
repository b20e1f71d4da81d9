"""memcached (doc/protocol.txt): its version."""

from __future__ import annotations

import re

from portcheck.verify.language import Server, text_of

_VERSION = re.compile(rb"VERSION ([^\r\n]+)\r\n")


def request(server: Server) -> bytes:
    return b"version\r\n"


def interpret(request: bytes, reply: bytes) -> str | None:
    match = _VERSION.match(reply)
    return None if match is None else f"memcached {text_of(match[1])}"
