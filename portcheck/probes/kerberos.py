"""Kerberos (RFC 4120), and its service for changing passwords (RFC 3244).

scapy has both, but its import costs 150 ms, most of it for certificates; so the messages are written here, and the
tests hold them against scapy's. Nobody is locked out: the principal and the realm do not exist, nothing is tried.
"""

from __future__ import annotations

import struct

from portcheck.probes.ber import INTEGER, OCTETS, SEQUENCE, element, integer, parse
from portcheck.probes.target import Target

REALM = "PORTCHECK.INVALID"
_VERSION, _AS_REQ, _AS_REP, _AP_REQ, _PRIV, _ERROR = 5, 10, 11, 14, 21, 30
_PRINCIPAL, _SERVICE_INSTANCE = 1, 2
_AES256, _AES128, _RC4 = 18, 17, 23
_NO_FLAGS = bytes.fromhex("0305 00 00000000")
_LATEST = b"20370913024805Z"
"""The end of tickets that Windows asks for: the last second of a signed 32-bit clock, a day later elsewhere."""

_CHANGE_PASSWORD = 1
"""The version of the protocol of RFC 3244 section 2 that every server knows."""

ERRORS = {
    6: "principal unknown",
    7: "realm unknown",
    14: "no common encryption",
    37: "clocks too far apart",
    60: "generic error",
    68: "realm unknown",
}
"""RFC 4120 section 7.5.9."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """AS-REQ (section 5.4.1) without pre-authentication, for a principal of a realm that cannot exist (RFC 2606)."""
    body = _sequence(
        {
            0: _NO_FLAGS,
            1: _name(_PRINCIPAL, "portcheck"),
            2: _text(REALM),
            3: _name(_SERVICE_INSTANCE, "krbtgt", REALM),
            5: element(0x18, _LATEST),
            7: integer(int.from_bytes(target.draw(4), "big") >> 1),
            8: element(SEQUENCE, *map(integer, (_AES256, _AES128, _RC4))),
        }
    )
    return (_message(_AS_REQ, {1: integer(_VERSION), 2: integer(_AS_REQ), 4: body}),)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """An AS-REP or a KRB-ERROR (section 5.9.1), which repeats nothing of the request that must be there."""
    if _is(reply, _AS_REP):
        return "Kerberos server"
    code = _error_code(reply)
    return None if code is None else f"Kerberos: {ERRORS.get(code, f'error {code}')}"


def password_payloads(target: Target) -> tuple[bytes, ...]:
    """A request with a ticket that no server can open (RFC 3244 section 2). Its header alone is not answered by MIT."""

    def encrypted(size: int) -> bytes:
        return _sequence({0: integer(_AES256), 2: element(OCTETS, target.draw(size))})

    service = _name(_SERVICE_INSTANCE, "kadmin", "changepw")
    ticket = element(0x61, _sequence({0: integer(_VERSION), 1: _text(REALM), 2: service, 3: encrypted(16)}))
    versions = {0: integer(_VERSION)}
    request = _message(_AP_REQ, {**versions, 1: integer(_AP_REQ), 2: _NO_FLAGS, 3: ticket, 4: encrypted(16)})
    private = _message(_PRIV, {**versions, 1: integer(_PRIV), 3: encrypted(16)})
    header = struct.pack(">HHH", 6 + len(request) + len(private), _CHANGE_PASSWORD, len(request))
    return (header + request + private,)


def password_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Length, version, no AP-REP, and so a KRB-ERROR (RFC 3244 section 2)."""
    if len(reply) < 6:
        return None
    length, _, ap_reply = struct.unpack_from(">HHH", reply)
    if length != len(reply) or ap_reply != 0 or _error_code(reply[6:]) is None:
        return None
    return "Kerberos password change server"


def _error_code(reply: bytes) -> int | None:
    if not _is(reply, _ERROR):
        return None
    message = parse(reply)
    code = message.at(SEQUENCE, 0xA6, INTEGER) if message else None
    return code.integer() if code else None


def _is(reply: bytes, kind: int) -> bool:
    """Whether it is a message of this type in version 5: its tag says so, and its second field too."""
    message = parse(reply) if reply[:1] == bytes((0x60 | kind,)) else None
    if message is None:
        return False
    version, said = (message.at(SEQUENCE, tag, INTEGER) for tag in (0xA0, 0xA1))
    return version is not None and version.integer() == _VERSION and said is not None and said.integer() == kind


def _message(kind: int, fields: dict[int, bytes]) -> bytes:
    return element(0x60 | kind, _sequence(fields))


def _sequence(fields: dict[int, bytes]) -> bytes:
    return element(SEQUENCE, *(element(0xA0 | tag, content) for tag, content in fields.items()))


def _name(kind: int, *parts: str) -> bytes:
    return _sequence({0: integer(kind), 1: element(SEQUENCE, *map(_text, parts))})


def _text(text: str) -> bytes:
    return element(0x1B, text.encode("ascii"))
