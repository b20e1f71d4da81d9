"""Multicast DNS (RFC 6762), asked by unicast."""

from __future__ import annotations

from ipaddress import ip_address

from portcheck.printable import printable
from portcheck.probes.dns import HEADER, is_response, only_answer
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

SERVICE_TYPES = "_services._dns-sd._udp.local"
"""What kinds of service there are (RFC 6763 section 9)."""
_PTR = 12


def payloads(target: Target) -> tuple[bytes, ...]:
    """The name of its own address, which a responder has always (RFC 6762 section 4); then its kinds of service.

    Avahi without services is silent to the second. A source port other than 5353 makes it a legacy query: the answer
    is unicast, with our id (section 6.7).
    """
    with scapy_quietly():
        from scapy.layers.dns import DNS, DNSQR
    # Multicast answers have id 0, so ours is another.
    number = int.from_bytes(target.draw(2), "big") or 1
    names = (ip_address(target.address.partition("%")[0]).reverse_pointer, SERVICE_TYPES)
    return tuple(bytes(DNS(id=number, rd=0, qd=[DNSQR(qname=name, qtype="PTR")])) for name in names)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if not is_response(payloads, reply):
        return None
    name = only_answer(payloads[0][HEADER:], _PTR, reply)
    if name is None:
        return "multicast DNS responder"
    return f"multicast DNS responder {printable(name.decode('utf-8', 'replace').rstrip('.'), 64)}"
