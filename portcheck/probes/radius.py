"""RADIUS (RFC 2865, 2866). A server drops what comes from a client that it does not know, or with a wrong secret.

Status-Server (RFC 5997) asks whether it is there. Access-Request would be a login: it is logged, forwarded to other
servers and may lock an account, so it is never sent.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

_STATUS_SERVER, _ACCESS_ACCEPT, _ACCOUNTING_RESPONSE = 12, 2, 5
_NAS_IDENTIFIER = 32
_HEADER, _LONGEST = 20, 4096
_NOTHING = b""


def payloads(target: Target) -> tuple[bytes, ...]:
    """With the secret: Status-Server, signed. Without: an empty datagram, which shows a closed port all the same."""
    secret = target.secrets.radius_secret
    if secret is None:
        return (_NOTHING,)
    with scapy_quietly():
        from scapy.layers.radius import Radius, RadiusAttr_Message_Authenticator, RadiusAttribute
    # Without NAS-Identifier or NAS-IP-Address a server may drop it (RFC 5997 section 3).
    signature = RadiusAttr_Message_Authenticator()  # type: ignore[no-untyped-call]
    attributes = [RadiusAttribute(type=_NAS_IDENTIFIER, value=b"portcheck"), signature]
    number, authenticator = target.draw(1)[0], target.draw(16)
    request = Radius(code=_STATUS_SERVER, id=number, authenticator=authenticator, attributes=attributes)
    signature.value = signature.compute_message_authenticator(  # type: ignore[no-untyped-call]
        request, authenticator, secret.encode()
    )
    return (bytes(request),)


def _interpret(expected: int, title: str, payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """The code that RFC 5997 section 4.2 or 4.3 wants, our id and a true length (RFC 2865 section 3).

    The response authenticator is not checked: interpreting has no secrets.
    """
    if payloads[0] == _NOTHING or len(reply) < _HEADER:
        return None
    code, number, length = struct.unpack_from(">BBH", reply)
    # What is longer than the length says is padding.
    if number != payloads[0][1] or not _HEADER <= length <= min(_LONGEST, len(reply)):
        return None
    return title if code == expected else None


_Interpret = Callable[[tuple[bytes, ...], bytes], str | None]
interpret: _Interpret = partial(_interpret, _ACCESS_ACCEPT, "RADIUS server")
accounting_interpret: _Interpret = partial(_interpret, _ACCOUNTING_RESPONSE, "RADIUS accounting server")
