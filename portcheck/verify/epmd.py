"""Erlang's port mapper ("Distribution Protocol" of its manual): NAMES_REQ, the nodes that are registered there."""

from __future__ import annotations

import re

from portcheck.verify.language import Server

_NAMES = b"\x00\x01n"
_NODES = re.compile(rb"\x00\x00[\x00-\xff]{2}((?:name \S{1,255} at port \d{1,5}\n)*)")


def request(server: Server) -> bytes:
    return _NAMES


def whole(reply: bytes) -> bool:
    """It closes at the end of the answer, and nothing else marks that."""
    return False


def interpret(request: bytes, reply: bytes) -> str | None:
    if (match := _NODES.fullmatch(reply)) is None:
        return None
    count = match[1].count(b"\n")
    return f"Erlang port mapper, {count} {'node' if count == 1 else 'nodes'}"
