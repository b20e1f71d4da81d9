"""ICMP echo (RFC 792) and ICMPv6 echo (RFC 4443 section 4): whole messages, as they follow the IP header."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 8
REPLY_TO: Mapping[int, int] = {8: 0, 128: 129}
"""Type of the reply by that of the request."""
REPETITIONS = 3


def payloads(target: Target) -> tuple[bytes, ...]:
    """The same id and data, counted. On a ping socket the kernel writes an id of its own."""
    (number,) = struct.unpack(">H", target.draw(2))
    data = b"portcheck " + target.draw(8)
    build = _echo_ipv6 if ":" in target.address else _echo
    return tuple(build(number, count, data) for count in range(1, REPETITIONS + 1))


def _echo(number: int, count: int, data: bytes) -> bytes:
    with scapy_quietly():
        from scapy.layers.inet import ICMP
    return bytes(ICMP(type="echo-request", id=number, seq=count) / data)


def _echo_ipv6(number: int, count: int, data: bytes) -> bytes:
    """Without the checksum: the kernel writes it, which knows both addresses (RFC 3542 section 3.1)."""
    with scapy_quietly():
        from scapy.layers.inet6 import ICMPv6EchoRequest
    return bytes(ICMPv6EchoRequest(id=number, seq=count, data=data, cksum=0))


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """By the data, which come back as they were sent; the id may be the kernel's."""
    if len(reply) < HEADER or reply[1] != 0 or reply[0] != REPLY_TO[payloads[0][0]]:
        return None
    return "echo reply" if reply[HEADER:] == payloads[0][HEADER:] else None
