"""L2TP version 2 (RFC 2661), which may answer from another port (section 8.1).

We say that a tunnel is over which never was (StopCCN to tunnel 0): servers acknowledge it and keep nothing. The
request for a tunnel (SCCRQ) is answered by more servers, but begins one, which we could not end: its end must name
the number that the server gave it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 12
CONTROL, LENGTH, SEQUENCE, VERSION = 0x8000, 0x4000, 0x0800, 0x000F
MESSAGE_TYPE, RESULT_CODE, ASSIGNED_TUNNEL_ID = 0, 1, 9
STOP = 4
MESSAGES: Mapping[int, str] = {2: "offers a tunnel", 4: "ends the tunnel"}
"""RFC 2661 section 3.2."""


def payloads(target: Target) -> tuple[bytes, ...]:
    with scapy_quietly():
        from scapy.layers.l2tp import L2TP
    # scapy has no attributes of L2TP (section 4.1): flags and length, vendor, type, value.
    tunnel = struct.unpack(">H", target.draw(2))[0] | 1
    attributes = ((MESSAGE_TYPE, STOP), (ASSIGNED_TUNNEL_ID, tunnel), (RESULT_CODE, 1))
    body = b"".join(struct.pack(">HHHH", CONTROL | 8, 0, kind, value) for kind, value in attributes)
    return (bytes(L2TP(hdr="control+length+sequence", version=2) / body),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if len(reply) < HEADER:
        return None
    # The tunnel is no help: xl2tpd writes 65535, not the number that we called ours.
    flags, length, _, session, _, received = struct.unpack_from(">HHHHHH", reply)
    needed = CONTROL | LENGTH | SEQUENCE
    if flags & needed != needed or flags & VERSION != 2 or not HEADER <= length <= len(reply):
        return None
    # Our message was number 0, so theirs says that number 1 is expected next (section 5.8).
    if session != 0 or received != 1:
        return None
    if length == HEADER:
        return "L2TP server"
    if length < HEADER + 8 or reply[HEADER + 2 : HEADER + 6] != bytes(4):
        return None
    (message,) = struct.unpack_from(">H", reply, HEADER + 6)
    return f"L2TP: {MESSAGES.get(message, f'message {message}')}"
