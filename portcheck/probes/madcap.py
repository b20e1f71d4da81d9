"""MADCAP (RFC 2730): who lends multicast addresses. scapy has no layer for it."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from portcheck.probes.target import Target

_VERSION, _ACK, _NAK, _GET_INFO = 0, 5, 6, 8
_END, _LEASE_IDENTIFIER, _OPTION_REQUEST, _SCOPE_LIST = 0, 3, 5, 9
_HEADER = 8


def payloads(target: Target) -> tuple[bytes, ...]:
    """GETINFO (section 2.2.2): the list of scopes, please. Nothing is lent."""
    family = 1 if ip_address(target.address.partition("%")[0]).version == 4 else 2
    header = struct.pack(">BBH", _VERSION, _GET_INFO, family) + target.draw(4)
    # A lease identifier of type 0 is any bytes that nobody else has.
    options = (
        _option(_LEASE_IDENTIFIER, b"\0" + target.draw(8)),
        _option(_OPTION_REQUEST, struct.pack(">H", _SCOPE_LIST)),
        _option(_END, b""),
    )
    return (header + b"".join(options),)


def _option(code: int, content: bytes) -> bytes:
    return struct.pack(">HH", code, len(content)) + content


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """ACK or NAK with our transaction id (sections 2.2.5 and 2.2.6)."""
    if len(reply) < _HEADER or reply[0] != _VERSION or reply[4:8] != payloads[0][4:8]:
        return None
    return {_ACK: "MADCAP server", _NAK: "MADCAP: refused"}.get(reply[1])
