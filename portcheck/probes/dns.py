"""DNS (RFC 1035)."""

from __future__ import annotations

import struct
from typing import Any

from portcheck.printable import quoted
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 12
_RESPONSE, _RCODE, _STATUS = 0x8000, 0x000F, 2
_TXT = 16
_VERSION = b"\x07version\x04bind\x00" + struct.pack(">HH", _TXT, 3)
"""The question that the version is the answer of: TXT, class CH."""
_NONE, _ONE = struct.pack(">H", 0), struct.pack(">H", 1)

RCODES = {1: "format error", 2: "server failure", 3: "no such name", 5: "refused", 9: "not authoritative"}
"""RFC 1035 section 4.1.1, RFC 2136 section 2.2. 4 is what a healthy server says of STATUS, which nobody implements."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """STATUS asks for nothing, so it is answered at once and alone; then what servers know without asking others.

    A name with RD=1 is not used: a forwarder would let us wait for its upstream.
    """
    with scapy_quietly():
        from scapy.layers.dns import DNS, DNSQR
    number = int.from_bytes(target.draw(2), "big")
    version = DNSQR(qname="version.bind", qtype="TXT", qclass="CH")
    return (
        bytes(DNS(id=number, opcode=_STATUS, rd=0, qd=[])),
        bytes(DNS(id=number, rd=0, qd=[version])),
        bytes(DNS(id=number, rd=0, qd=[DNSQR(qname=".", qtype="NS")])),
    )


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if not is_response(payloads, reply):
        return None
    words = RCODES.get(struct.unpack_from(">H", reply, 2)[0] & _RCODE)
    if words is not None:
        return f"DNS: {words}"
    version = _version(reply)
    return "DNS server" if version is None else f"DNS server, version {quoted(version)}"


def is_response(payloads: tuple[bytes, ...], reply: bytes) -> bool:
    """Section 4.1.1: QR is set, and the id is that of a request."""
    if len(reply) < HEADER or reply[:2] not in {each[:2] for each in payloads}:
        return False
    return bool(struct.unpack_from(">H", reply, 2)[0] & _RESPONSE)


def _version(reply: bytes) -> str | None:
    texts = only_answer(_VERSION, _TXT, reply)
    return None if texts is None else b"".join(texts).decode("ascii", "backslashreplace")


def only_answer(question: bytes, kind: int, reply: bytes) -> Any:
    """The data of the first answer, as scapy has it, if the reply repeats this question and answers it so.

    Only that much is dissected: servers say more, and names may point in circles.
    """
    record = HEADER + len(question)
    if reply[4:6] != _ONE or reply[6:8] == _NONE or reply[HEADER:record].lower() != question.lower():
        return None
    # A pointer to the name asked for (section 4.1.4), the type, class and TTL, and a length that is true.
    if reply[record : record + 4] != struct.pack(">HH", 0xC000 | HEADER, kind) or len(reply) < record + 13:
        return None
    end = record + 12 + struct.unpack_from(">H", reply, record + 10)[0]
    if not record + 12 < end <= len(reply):
        return None
    with scapy_quietly():
        from scapy.layers.dns import DNS
    return DNS(reply[:4] + _ONE + _ONE + _NONE + _NONE + reply[HEADER:end]).an[0].rdata
