"""ESP (RFC 4303): a packet of no association. Who receives it must drop it (section 3.4.2).

So an answer is the exception; what can be learned is whether somebody rejects the protocol.
"""

from __future__ import annotations

import struct

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 8
FIRST_SPI = 256  # those below are reserved (section 2.1)
ENCRYPTED = 16 + 16 + 12  # what AES-CBC with a check value of 96 bits makes of little: a whole number of words


def payloads(target: Target) -> tuple[bytes, ...]:
    with scapy_quietly():
        from scapy.layers.ipsec import ESP
    return (bytes(ESP(spi=random_spi(target), seq=1, data=target.draw(ENCRYPTED))),)


def random_spi(target: Target) -> int:
    spi: int = struct.unpack(">I", target.draw(4))[0]
    return max(spi, FIRST_SPI)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Nothing in it can be checked without the key but that the SPI may exist, and that it is not our own packet."""
    if len(reply) < HEADER + 12 or len(reply) % 4 or reply in payloads:
        return None
    (spi,) = struct.unpack_from(">I", reply)
    return f"ESP packet, SPI 0x{spi:08x}" if spi >= FIRST_SPI else None
