"""DTLS: the first message of a handshake (RFC 6347). A server asks for a cookie and keeps nothing (section 4.2.1).

By struct: scapy's TLS reads streams, not datagrams.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.target import Target

RECORD, MESSAGE, ALERT_SIZE = 13, 12, 2  # of headers, and of an alert as a whole
ALERT, HANDSHAKE = 21, 22
CLIENT_HELLO = 1
DTLS_1_0, DTLS_1_2 = 0xFEFF, 0xFEFD
VERSIONS: Mapping[int, str] = {0x0100: "OpenSSL's first", DTLS_1_0: "1.0", DTLS_1_2: "1.2"}
SERVER_HELLO, HELLO_VERIFY_REQUEST = 2, 3
ALERTS: Mapping[int, str] = {
    0: "close notify",
    10: "unexpected message",
    20: "bad record",
    40: "handshake failure",
    47: "illegal parameter",
    50: "decode error",
    70: "protocol version",
    71: "insufficient security",
    80: "internal error",
    109: "missing extension",
    112: "unrecognized name",
    116: "certificate required",
}
"""RFC 5246 section 7.2, RFC 8446 section 6."""

CIPHERS = (
    *(0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9),  # ECDHE with AES-GCM or ChaCha20
    *(0xC009, 0xC00A, 0xC013, 0xC014, 0x009C, 0x002F, 0x0035),  # what old servers have
    0x00FF,  # no ciphers: "we know of secure renegotiation" (RFC 5746 section 3.3)
)
EXTENSIONS = (
    (10, "0006 001d 0017 0018"),  # supported groups: x25519, secp256r1, secp384r1
    (11, "01 00"),  # point formats: uncompressed
    (13, "000c 0403 0503 0804 0401 0501 0201"),  # signature algorithms
)


def payloads(target: Target) -> tuple[bytes, ...]:
    ciphers = b"".join(struct.pack(">H", cipher) for cipher in CIPHERS)
    extensions = b"".join(
        struct.pack(">HH", kind, len(value)) + value
        for kind, value in ((kind, bytes.fromhex(text)) for kind, text in EXTENSIONS)
    )
    hello = (
        struct.pack(">H", DTLS_1_2)
        + target.draw(32)
        + b"\0\0"  # neither a session nor a cookie
        + struct.pack(">H", len(ciphers))
        + ciphers
        + b"\1\0"  # no compression
        + struct.pack(">H", len(extensions))
        + extensions
    )
    # Section 4.2.2: type, length, number of the message, and the fragment, which is all of it.
    message = struct.pack(">I", CLIENT_HELLO << 24 | len(hello)) + bytes(5) + struct.pack(">I", len(hello))[1:] + hello
    # Section 4.1: content, version (1.0, as old servers want it), epoch and sequence number 0.
    return (struct.pack(">BH", HANDSHAKE, DTLS_1_0) + bytes(8) + struct.pack(">H", len(message)) + message,)


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Only the first record: a server may send its certificate after it. Nothing in an answer repeats what we sent."""
    if len(reply) < RECORD + ALERT_SIZE:
        return None
    content, version, epoch = struct.unpack_from(">BHH", reply)
    (length,) = struct.unpack_from(">H", reply, RECORD - 2)
    # The reply was cut to 2 KiB; a record may be longer, but its beginning is not.
    if version not in VERSIONS or epoch != 0 or not ALERT_SIZE <= length <= 16384:
        return None
    if content == ALERT and length == ALERT_SIZE:
        level, alert = reply[RECORD : RECORD + ALERT_SIZE]
        return f"DTLS: {ALERTS.get(alert, f'alert {alert}')}" if level in (1, 2) else None
    if content != HANDSHAKE or length < MESSAGE + 2 or len(reply) < RECORD + MESSAGE + 2:
        return None
    if reply[RECORD] == HELLO_VERIFY_REQUEST:
        # Its version is 1.0 whatever the server can (section 4.2.1), so it is not told.
        return "DTLS: asks for a cookie"
    (chosen,) = struct.unpack_from(">H", reply, RECORD + MESSAGE)
    return f"DTLS {VERSIONS[chosen]}" if reply[RECORD] == SERVER_HELLO and chosen in VERSIONS else None
