"""NAT-PMP (RFC 6886) and its successor PCP (RFC 6887): what is the outside address, and: are you there?

By struct: scapy has neither.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from portcheck.probes.target import Target

ANSWER = 0x80
PCP = 2


def payloads(target: Target) -> tuple[bytes, ...]:
    """RFC 6886 section 3.2; then ANNOUNCE, which reserves nothing (RFC 6887 sections 7.1 and 14.1)."""
    return (b"\0\0", struct.pack(">BBHI", PCP, 0, 0, 0) + _as_ipv6(target.source_address or "0.0.0.0"))


def _as_ipv6(address: str) -> bytes:
    literal = ip_address(address.partition("%")[0])
    return (literal if isinstance(literal, IPv6Address) else IPv6Address(f"::ffff:{literal}")).packed


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if len(reply) < 4 or reply[1] != ANSWER:
        return None
    if reply[0] == PCP:
        # RFC 6887 section 7.2: 24 bytes and more; a server that speaks PCP only says so to NAT-PMP as well.
        return "PCP server" if len(reply) >= 24 and len(reply) % 4 == 0 else None
    if reply[0] != 0 or len(reply) not in (8, 12):
        return None
    result = struct.unpack_from(">H", reply, 2)[0]
    if result == 0 and len(reply) == 12:
        return f"NAT-PMP gateway, outside address {IPv4Address(reply[8:])}"
    return f"NAT-PMP gateway, result {result}"
