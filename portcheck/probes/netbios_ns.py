"""NetBIOS name service (RFC 1002)."""

from __future__ import annotations

import struct

from portcheck.printable import quoted
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

_RESPONSE, _RCODE, _STATUS = 0x8000, 0x000F, 0x0021
_NAMES_AT = 56
"""Where the number of names is: after the header (12), the name asked for (34), type, class, TTL and length (10)."""
_NAME, _MOST_NAMES, _GROUP = 18, 20, 0x80


def payloads(target: Target) -> tuple[bytes, ...]:
    """A node status request: which names are yours? (section 4.2.17)"""
    with scapy_quietly():
        from scapy.layers.netbios import NBNSHeader, NBNSNodeStatusRequest
    number = int.from_bytes(target.draw(2), "big")
    # Without flags: scapy would set that of a broadcast.
    return (bytes(NBNSHeader(NAME_TRN_ID=number, NM_FLAGS=0, QDCOUNT=1) / NBNSNodeStatusRequest()),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Section 4.2.18: a response with our id, of type NBSTAT; or an error (section 4.2.14), which has no names."""
    if len(reply) < 12 or reply[:2] != payloads[0][:2]:
        return None
    flags = struct.unpack_from(">H", reply, 2)[0]
    if not flags & _RESPONSE:
        return None
    if flags & _RCODE:
        return f"NetBIOS name service: error {flags & _RCODE}"
    if len(reply) < _NAMES_AT + 1 or struct.unpack_from(">H", reply, 46)[0] != _STATUS:
        return None
    return _machine(reply)


def _machine(reply: bytes) -> str:
    """The names with suffix 0: the machine's own, and the group that is its workgroup or domain."""
    with scapy_quietly():
        from scapy.layers.netbios import NBNSNodeStatusResponse
    # A name that is promised but cut off would be dissected as an empty one. A machine has about eight.
    count = min(reply[_NAMES_AT], (len(reply) - _NAMES_AT - 1) // _NAME, _MOST_NAMES)
    entries = reply[12:_NAMES_AT] + bytes((count,)) + reply[_NAMES_AT + 1 : _NAMES_AT + 1 + count * _NAME]
    names: dict[bool, bytes] = {}
    for entry in NBNSNodeStatusResponse(entries + bytes(52)).NODE_NAME[:count]:
        if entry.SUFFIX == 0:
            names.setdefault(bool(entry.NAME_FLAGS & _GROUP), entry.NETBIOS_NAME)
    said = [_text(names[kind], word) for kind, word in ((False, "machine"), (True, "of")) if kind in names]
    return " ".join(["NetBIOS", *said]) if said else "NetBIOS name service"


def _text(name: bytes, word: str) -> str:
    return f"{word} {quoted(name.rstrip(b' ' + bytes(1)).decode('ascii', 'replace'), 15)}"
