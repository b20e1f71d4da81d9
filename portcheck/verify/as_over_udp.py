"""Protocols that say the same over TCP as over UDP: requests and answers of portcheck.probes, in a frame or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portcheck.probes.registry import CODECS
from portcheck.verify.greetings import recognise
from portcheck.verify.language import Language, Server, has_a_line

LONGEST_DATAGRAM = 512
"""Of a small service (RFC 865); over TCP a character generator never ends."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What precedes a message.

    Attributes:
        length: bytes of the length.
        flags: what is added to it; it counts for nothing in a reply.
    """

    length: int
    flags: int = 0


TWO_BYTES = Frame(2)
"""DNS, RFC 1035 section 4.2.2."""
FOUR_BYTES = Frame(4)
"""Kerberos, RFC 4120 section 7.2.2, and its change of passwords, RFC 3244 section 2."""
RECORD = Frame(4, flags=1 << 31)
"""ONC RPC, RFC 5531 section 11: the highest bit says that it is the last fragment."""


def framed(protocol: str, frame: Frame) -> Language:
    def request(server: Server) -> bytes:
        payload = CODECS[protocol].payloads(server.target)[0]
        return (frame.flags | len(payload)).to_bytes(frame.length, "big") + payload

    def whole(reply: bytes) -> bool:
        return len(reply) >= frame.length and len(reply) >= frame.length + _length(reply, frame)

    def interpret(request: bytes, reply: bytes) -> str | None:
        if not whole(reply):
            return None
        message = reply[frame.length : frame.length + _length(reply, frame)]
        return CODECS[protocol].interpret((request[frame.length :],), message)

    return Language(request, interpret, whole)


def _length(reply: bytes, frame: Frame) -> int:
    return int.from_bytes(reply[: frame.length], "big") & ~frame.flags


def unframed(protocol: str, whole: Callable[[bytes], bool], of_udp: bytes = b"", of_tcp: bytes = b"") -> Language:
    """A protocol whose messages carry their length; `of_udp` in a request becomes `of_tcp`."""

    def request(server: Server) -> bytes:
        return CODECS[protocol].payloads(server.target)[0].replace(of_udp, of_tcp)

    def interpret(request: bytes, reply: bytes) -> str | None:
        return CODECS[protocol].interpret((request,), reply)

    return Language(request, interpret, whole)


def unasked(protocol: str, whole: Callable[[bytes], bool] = has_a_line) -> Language:
    """A small service that speaks as soon as somebody connects (RFC 864 to 868).

    What it says has no mark of its own: it is believed only where it is expected, and where nobody else speaks so.
    """

    def interpret(request: bytes, reply: bytes) -> str | None:
        if recognise(reply, ended=True) is not None:
            return None
        return CODECS[protocol].interpret((request,), reply[:LONGEST_DATAGRAM])

    return Language(None, interpret, whole)


def whole_echo(reply: bytes) -> bool:
    return len(reply) >= 18


def whole_stun(reply: bytes) -> bool:
    """RFC 8489 section 5: the length does not count the header."""
    return len(reply) >= 20 and len(reply) >= 20 + int.from_bytes(reply[2:4], "big")


def whole_sip(reply: bytes) -> bool:
    return b"\r\n\r\n" in reply


def never_whole(reply: bytes) -> bool:
    """The server closes when it has said all."""
    return False
