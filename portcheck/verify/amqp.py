"""AMQP 0-9-1 (section 4.2.2): the protocol header, answered by Connection.Start or by the server's own header."""

from __future__ import annotations

from portcheck.verify.language import Server

_HEADER = b"AMQP\x00\x00\x09\x01"
_CONNECTION_START = b"\x00\x0a\x00\x0a"


def request(server: Server) -> bytes:
    return _HEADER


def whole(reply: bytes) -> bool:
    return len(reply) >= (8 if reply[:4] == b"AMQP" else 11)


def interpret(request: bytes, reply: bytes) -> str | None:
    """A method frame of channel 0 (section 2.3.5): type, channel, size, class and method."""
    started = reply[:3] == b"\x01\x00\x00" and reply[7:11] == _CONNECTION_START
    if started:
        return "AMQP 0-9-1"
    # The version that it would rather speak; an echo of ours would be no answer.
    return "AMQP" if reply[:4] == b"AMQP" and len(reply) == 8 and reply != request else None
