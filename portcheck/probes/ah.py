"""AH (RFC 4302): a packet of no association, which must be dropped (section 3.4.2); see esp.py."""

from __future__ import annotations

import struct

from portcheck.probes.esp import FIRST_SPI, random_spi
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 12
CHECK_VALUE = 12  # 96 bits; with the header a multiple of 8 bytes, as IPv6 wants it
NOTHING_FOLLOWS = 59


def payloads(target: Target) -> tuple[bytes, ...]:
    """Section 2.2: the length is in words of four bytes, less two."""
    with scapy_quietly():
        from scapy.layers.ipsec import AH
    words = (HEADER + CHECK_VALUE) // 4 - 2
    value = target.draw(CHECK_VALUE)
    packet = AH(nh=NOTHING_FOLLOWS, payloadlen=words, reserved=0, spi=random_spi(target), seq=1, icv=value, padding=b"")
    return (bytes(packet),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if len(reply) < HEADER + CHECK_VALUE or reply in payloads:
        return None
    _, words, reserved, spi = struct.unpack_from(">BBHI", reply)
    if reserved or not HEADER < (words + 2) * 4 <= len(reply) or spi < FIRST_SPI:
        return None
    return f"AH packet, SPI 0x{spi:08x}"
