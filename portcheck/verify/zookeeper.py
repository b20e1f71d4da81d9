"""ZooKeeper ("The Four Letter Words" in its guide): srvr, which is allowed unless somebody forbids it."""

from __future__ import annotations

import re

from portcheck.verify.language import Server, text_of

_VERSION = re.compile(rb"Zookeeper version: ([^\s,-]+)")
_REFUSALS = {
    b"srvr is not executed because it is not in the whitelist": "ZooKeeper, does not tell its state "
    "(srvr is not in 4lw.commands.whitelist)",
    b"This ZooKeeper instance is not currently serving requests": "ZooKeeper, not serving requests: it has no quorum",
}
_MODE = re.compile(rb"^Mode: (\w+)", re.M)


def request(server: Server) -> bytes:
    return b"srvr"


def whole(reply: bytes) -> bool:
    """The count of nodes is the last line of the answer; a refusal is one line."""
    return b"Node count:" in reply or (reply.endswith(b"\n") and _refusal(reply) is not None)


def interpret(request: bytes, reply: bytes) -> str | None:
    if (refusal := _refusal(reply)) is not None:
        return refusal
    if (version := _VERSION.match(reply)) is None:
        return None
    mode = _MODE.search(reply)
    return f"ZooKeeper {text_of(version[1])}" + (f", {text_of(mode[1])}" if mode else "")


def _refusal(reply: bytes) -> str | None:
    return next((words for start, words in _REFUSALS.items() if reply.startswith(start)), None)
