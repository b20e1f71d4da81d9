"""TFTP (RFC 1350). The server answers from a port of its own choice, so the question is private."""

from __future__ import annotations

import struct

from portcheck.printable import quoted
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

_DATA, _ERROR, _OPTIONS = 3, 5, 6
_NOT_FOUND = 1
ERRORS = {2: "access violation", 4: "illegal operation", 7: "no such user"}
"""Section 5; 1 is the answer of a healthy server, and the others mean that somebody wants to write."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """A read of a file that is not there. Nothing is ever written."""
    with scapy_quietly():
        from scapy.layers.tftp import TFTP, TFTP_RRQ
    name = f"portcheck-{target.draw(4).hex()}"
    return (bytes(TFTP() / TFTP_RRQ(filename=name, mode="octet")),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """The protocol has nothing that a reply must repeat: an error, the first block of data, or an OACK (RFC 2347)."""
    if len(reply) < 4:
        return None
    operation, number = struct.unpack_from(">HH", reply)
    if operation == _ERROR and number <= 8:
        return _error(reply)
    if (operation, number) == (_DATA, 1) or operation == _OPTIONS:
        return "TFTP server"
    return None


def _error(reply: bytes) -> str:
    with scapy_quietly():
        from scapy.layers.tftp import TFTP, TFTP_ERROR
    error = TFTP(reply)[TFTP_ERROR]
    if error.errorcode == _NOT_FOUND:
        return "TFTP server"
    words = ERRORS.get(error.errorcode)
    return f"TFTP: {words or quoted(error.errormsg.decode('utf-8', 'replace'))}"
