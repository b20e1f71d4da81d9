"""The small services that answer any datagram: echo, systat, daytime, quote of the day, character generator, time.

RFC 862, 866, 867, 865, 864 and 868. No scapy: there is no format.

A character generator answers 74 times as much as it is asked. That does no harm here: we ask with one byte, only once
when it answers, and the answer comes to ourselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from portcheck.printable import printable
from portcheck.probes.target import Target

ANY_BYTE = b"\n"
LONGEST = 512
"""Of a quote and of generated characters (RFC 865 and 864); of a date there is no limit."""
EPOCH = datetime(1900, 1, 1)


def any_byte(target: Target) -> tuple[bytes, ...]:
    return (ANY_BYTE,)


def nothing(target: Target) -> tuple[bytes, ...]:
    return (b"",)


def nonce(target: Target) -> tuple[bytes, ...]:
    return (b"portcheck " + target.draw(8),)


def echo_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    return "echo server" if reply in payloads else None


def systat_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Who is logged in, maybe nobody. No name is repeated: a report is read by others."""
    text = _text(reply)
    if text is None:
        return None
    lines = len(text.splitlines())
    return f"active users, {lines} line{'s' * (lines != 1)}"


def daytime_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    text = _text(reply)
    return f"daytime server, {_one_line(text)}" if text and any(char.isdigit() for char in text) else None


def qotd_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    text = _text(reply)
    return f"quote of the day, {_one_line(text)}" if text and len(reply) <= LONGEST else None


def chargen_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Printable characters by custom (RFC 864, "pattern"), though the RFC allows any."""
    text = _text(reply)
    return f"character generator, {len(reply)} bytes" if text and len(reply) <= LONGEST else None


def time_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Seconds since 1900 in four bytes; inetutils' inetd sends four zeros after them."""
    if len(reply) != 4 and (len(reply) != 8 or reply[4:] != bytes(4)):
        return None
    return f"time server, {EPOCH + timedelta(seconds=int.from_bytes(reply[:4], 'big')):%Y-%m-%d %H:%M} UTC"


def _text(reply: bytes) -> str | None:
    """The reply where it is text, None for binary data."""
    try:
        text = reply.decode()
    except UnicodeDecodeError:
        return None
    if not all(char.isprintable() or char in "\r\n\t\f" for char in text):
        return None
    return text.strip()


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()), 80)
