"""GRE (RFC 2784, RFC 2890): a packet that a tunnel's other end sends back to us, as routers keep tunnels alive.

It carries a packet from the target to ourselves. Only who has a tunnel with us unpacks and forwards it; everybody
else says nothing, or by ICMP that it has no GRE. PPTP's GRE (RFC 2637) is silent outside a call.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER, NONCE = 4, 8
CARRIED: Mapping[int, str] = {0x0800: "IPv4", 0x86DD: "IPv6", 0x6558: "Ethernet", 0x880B: "PPP (PPTP)", 0: "keepalive"}
RESERVED = 0x4FF8  # routing (RFC 1701) and what is reserved since; of version 1 some of them have a meaning


def payloads(target: Target) -> tuple[bytes, ...]:
    with scapy_quietly():
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import GRE
    theirs, ours = target.address.partition("%")[0], (target.source_address or "").partition("%")[0]
    back = GRE(proto=0) / target.draw(NONCE)
    if ":" in theirs:
        return (bytes(GRE(proto=0x86DD) / IPv6(src=theirs, dst=ours or "::", nh=47, hlim=64) / back),)
    return (bytes(GRE(proto=0x0800) / IP(src=theirs, dst=ours or "0.0.0.0", proto=47, ttl=64) / back),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Our own packet, come back, or any other of a tunnel: each shows that GRE passes."""
    if reply[:4] == bytes(4) and reply[4:] == payloads[0][-NONCE:]:
        return "GRE tunnel: our packet came back"
    if len(reply) < HEADER or reply in payloads:
        return None
    flags, carried = struct.unpack_from(">HH", reply)
    version = flags & 7
    if version > 1 or (version == 0 and flags & RESERVED) or (version == 1 and carried != 0x880B):
        return None
    return f"GRE packet, carries {CARRIED.get(carried, f'0x{carried:04x}')}"
