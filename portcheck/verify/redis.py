"""Redis (its "serialization protocol specification"): PING, which needs no key and changes none."""

from __future__ import annotations

import re

from portcheck.verify.language import Server

_ANSWERS = (
    (re.compile(rb"\+PONG\r\n"), "Redis"),
    (re.compile(rb"-NOAUTH "), "Redis, wants a password"),
    (re.compile(rb"-NOPERM "), "Redis, PING is not permitted"),
    (re.compile(rb"-DENIED "), "Redis in protected mode"),
    (re.compile(rb"-LOADING "), "Redis, still loading its data"),
    (re.compile(rb"-MASTERDOWN "), "Redis, without its master"),
)


def request(server: Server) -> bytes:
    return b"PING\r\n"


def interpret(request: bytes, reply: bytes) -> str | None:
    return next((words for pattern, words in _ANSWERS if pattern.match(reply)), None)
