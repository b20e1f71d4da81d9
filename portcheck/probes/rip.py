"""RIP (RFC 2453) and RIPng (RFC 2080): is there a route to one network that is for documentation only?

A router answers such a question directly, to the port that asked (RFC 2453 section 3.9.1, RFC 2080 section 2.4.1),
and for each route that is asked for, also for one that it does not have. The whole table is never asked for.
"""

from __future__ import annotations

import struct

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER, ENTRY = 4, 20
RESPONSE = 2
INFINITY = 16
MOST_ENTRIES = 25  # RFC 2453 section 4; RIPng is limited by the link only, but we asked for one
DOCUMENTATION = ("192.0.2.0", "255.255.255.0")  # RFC 5737
DOCUMENTATION_IPV6 = "2001:db8::"  # RFC 3849


def payloads(target: Target) -> tuple[bytes, ...]:
    """Version 2, then version 1, whose entries have no mask."""
    with scapy_quietly():
        from scapy.layers.rip import RIP, RIPEntry
    network, mask = DOCUMENTATION
    return (
        bytes(RIP(cmd="req", version=2) / RIPEntry(AF="IP", addr=network, mask=mask, metric=INFINITY)),
        bytes(RIP(cmd="req", version=1) / RIPEntry(AF="IP", addr=network, metric=INFINITY)),
    )


def ripng_payloads(target: Target) -> tuple[bytes, ...]:
    with scapy_quietly():
        from scapy.contrib.ripng import RIPng, RIPngEntry
    return (bytes(RIPng(cmd="req") / RIPngEntry(prefix_or_nh=DOCUMENTATION_IPV6, prefixlen=32, metric=INFINITY)),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    # Of an entry: family, tag, then the network.
    return _answer("RIP version", (1, 2), payloads[0][HEADER + 4 : HEADER + 8], 4, reply)


def ripng_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    return _answer("RIPng version", (1,), payloads[0][HEADER : HEADER + 16], 0, reply)


def _answer(title: str, versions: tuple[int, ...], network: bytes, place: int, reply: bytes) -> str | None:
    """By struct: scapy nests one entry into the other, and a reply of 2 KiB may have 100."""
    if len(reply) < HEADER + ENTRY or (len(reply) - HEADER) % ENTRY or len(reply) > HEADER + MOST_ENTRIES * ENTRY:
        return None
    command, version = reply[0], reply[1]
    if command != RESPONSE or version not in versions:
        return None
    for start in range(HEADER, len(reply), ENTRY):
        if reply[start + place : start + place + len(network)] == network:
            return f"{title} {version}, {_route(struct.unpack_from('>I', reply, start + 16)[0] & 0xFF)}"
    return None


def _route(metric: int) -> str:
    return "no such route" if metric >= INFINITY else f"a route of metric {metric}"
