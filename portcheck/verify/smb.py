"""SMB 2 and 3 ([MS-SMB2] 2.2.3): a negotiation, without a session. And the session service of NetBIOS (RFC 1002)."""

from __future__ import annotations

import struct
import uuid

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.verify.language import Server

_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
_SIGNING_REQUIRED = 2
_FRAME, _HEADER, _FIXED = 4, 64, 64
"""Bytes of the frame, of the header, and of the response before its buffer of security tokens."""

_REQUEST, _POSITIVE, _NEGATIVE, _RETARGET = 0x81, 0x82, 0x83, 0x84
_SERVER_SERVICE = b"*SMBSERVER".ljust(16)
_WORKSTATION = b"PORTCHECK".ljust(16)


def request(server: Server) -> bytes:
    with scapy_quietly():
        from scapy.layers.smb2 import (
            DirectTCP,
            SMB2_Header,
            SMB2_Negotiate_Context,
            SMB2_Negotiate_Protocol_Request,
            SMB2_Preauth_Integrity_Capabilities,
        )
    negotiate = SMB2_Negotiate_Protocol_Request(
        Dialects=list(_DIALECTS),
        SecurityMode=1,
        ClientGUID=uuid.UUID(bytes=server.draw(16)),
        # 3.1.1 must not be offered without it, [MS-SMB2] 2.2.3.1.1.
        NegotiateContexts=[SMB2_Negotiate_Context() / SMB2_Preauth_Integrity_Capabilities(Salt=server.draw(32))],
    )
    return bytes(DirectTCP() / SMB2_Header() / negotiate)  # type: ignore[no-untyped-call]


def whole(reply: bytes) -> bool:
    return len(reply) >= 4 and len(reply) >= 4 + int.from_bytes(reply[1:4], "big")


def interpret(request: bytes, reply: bytes) -> str | None:
    if reply[4:8] == b"\xffSMB":
        return "SMB 1"
    if reply[:1] != b"\x00" or reply[4:8] != b"\xfeSMB" or len(reply) < _FRAME + _HEADER:
        return None
    with scapy_quietly():
        from scapy.layers.smb2 import SMB2_Header, SMB2_Negotiate_Protocol_Response
    # The security tokens are left out: they are ASN.1 of many layers, and say nothing that we tell.
    header = SMB2_Header(reply[_FRAME : _FRAME + _HEADER])  # type: ignore[no-untyped-call]
    if header.Command != 0 or not header.Flags.SMB2_FLAGS_SERVER_TO_REDIR:
        return None
    if header.Status != 0 or len(reply) < _FRAME + _HEADER + _FIXED:
        return f"SMB, refuses to negotiate (0x{header.Status:08X})"
    answer = SMB2_Negotiate_Protocol_Response(reply[_FRAME + _HEADER : _FRAME + _HEADER + _FIXED])
    dialect = _DIALECTS.get(answer.DialectRevision, f"dialect 0x{answer.DialectRevision:04X}")
    signing = "required" if int(answer.SecurityMode) & _SIGNING_REQUIRED else "not required"
    return f"SMB {dialect}, signing {signing}"


def session_request(server: Server) -> bytes:
    """RFC 1002 section 4.3.2, to the name that every server of Windows and Samba answers to."""
    names = b"".join(b"\x20" + _half_ascii(name) + b"\x00" for name in (_SERVER_SERVICE, _WORKSTATION))
    return struct.pack(">BBH", _REQUEST, 0, len(names)) + names


def _half_ascii(name: bytes) -> bytes:
    """RFC 1001 section 14.1: each half of a byte is a letter."""
    return bytes(ord("A") + half for byte in name for half in (byte >> 4, byte & 15))


def interpret_session(request: bytes, reply: bytes) -> str | None:
    if len(reply) < 4 or reply[1] > 1 or not whole(reply):
        return None
    length = int.from_bytes(reply[2:4], "big")
    kind = {
        (_POSITIVE, 0): "NetBIOS session service",
        (_NEGATIVE, 1): "NetBIOS session service, refuses the name *SMBSERVER",
        (_RETARGET, 6): "NetBIOS session service, refers to another address",
    }
    return kind.get((reply[0], length))
