"""QUIC: a packet of a version that does not exist, answered with those that do (RFC 9000 section 6, RFC 8999).

A server keeps nothing of it. It must not answer a datagram of less than 1200 bytes (RFC 9000 section 14.1), so this
is the one request of ours that is not small.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

SMALLEST = 1200
NO_SUCH_VERSION = 0x1A2A3A4A  # the pattern ?a?a?a?a is reserved for this (RFC 9000 section 15)
LONG_HEADER = 0x80
FIXED_BIT = 0x40
NAMES: Mapping[int, str] = {1: "1", 0x6B3343CF: "2"}
"""RFC 9000, RFC 9369."""
MOST_VERSIONS = 16


def payloads(target: Target) -> tuple[bytes, ...]:
    # A long header is the same in every version (RFC 8999 section 5.1), and scapy has it as version negotiation.
    with scapy_quietly():
        from scapy.layers.quic import QUIC_Version
    ids = target.draw(16)
    header = bytes(QUIC_Version(Unused=FIXED_BIT, Version=NO_SUCH_VERSION, DstConnID=ids[:8], SrcConnID=ids[8:]))
    return (header.ljust(SMALLEST, b"\0"),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """RFC 8999 section 6: version 0, and the two connection ids of ours in exchange."""
    request = payloads[0]
    theirs, ours = request[5:14], request[14:23]
    head = 5 + len(ours) + len(theirs)
    if len(reply) < head + 4 or not reply[0] & LONG_HEADER or reply[1:5] != bytes(4) or reply[5:head] != ours + theirs:
        return None
    with scapy_quietly():
        from scapy.layers.quic import QUIC_Version
    count = min((len(reply) - head) // 4, MOST_VERSIONS)
    offered = [number for number in QUIC_Version(reply[: head + 4 * count]).SupportedVersions if not _reserved(number)]
    return f"QUIC server, {_spoken(offered)}" if offered else "QUIC server"


def _reserved(version: int) -> bool:
    """Servers name such versions too, so that clients learn to ignore what they do not know."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


def _spoken(versions: list[int]) -> str:
    names = ", ".join(NAMES.get(number, _other(number)) for number in versions)
    return f"version{'s' * (len(versions) > 1)} {names}"


def _other(version: int) -> str:
    if version >> 8 == 0xFF0000:
        return f"draft {version & 0xFF}"
    text = struct.pack(">I", version)
    return text.decode() if text.isalnum() else f"0x{version:08x}"
