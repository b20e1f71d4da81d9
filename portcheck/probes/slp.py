"""SLP version 2 (RFC 2608): which service agent, then which directory agent, is here?

Asked by unicast, an agent answers in any case, with an error code if need be (section 7). By struct: no scapy.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.target import Target

VERSION = 2
REQUEST = 1
LANGUAGE = b"en"
HEADER = 14
AGENTS = (b"service:service-agent", b"service:directory-agent")
ANSWERS: Mapping[int, str] = {2: "SLP agent", 8: "SLP directory agent", 11: "SLP service agent"}
"""Function ids of section 8: SrvRply, DAAdvert, SAAdvert."""


def payloads(target: Target) -> tuple[bytes, ...]:
    return tuple(_request(target.draw(2), agent) for agent in AGENTS)


def _request(number: bytes, agent: bytes) -> bytes:
    """Section 8.1: nobody who answered before, what is sought, the scope, no condition, no signature."""
    fields = (b"", agent, b"DEFAULT", b"", b"")
    body = b"".join(struct.pack(">H", len(field)) + field for field in fields)
    after_length = bytes(2 + 3) + number + struct.pack(">H", len(LANGUAGE)) + LANGUAGE
    length = 5 + len(after_length) + len(body)
    return bytes((VERSION, REQUEST)) + struct.pack(">I", length)[1:] + after_length + body


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Section 8: version, function, length in three bytes, and our number."""
    if len(reply) < HEADER + 2 or reply[0] != VERSION or reply[1] not in ANSWERS:
        return None
    if reply[10:12] not in {payload[10:12] for payload in payloads}:
        return None
    # The reply was cut to 2 KiB, the length says how long it was.
    return ANSWERS[reply[1]] if int.from_bytes(reply[2:5], "big") >= HEADER else None
