"""IKE: the key exchange of IPsec (RFC 7296; version 1: RFC 2408, RFC 2409), on 500 and, behind NAT, on 4500.

Nothing that we ask can be agreed to, so no server begins an association with us: first a header of a version that
does not exist, then proposals whose cipher is of the ranges for private use.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

HEADER = 28
NON_ESP_MARKER = bytes(4)
"""RFC 3948 section 2.2. A kernel without ESP rejects what comes to 4500 without it, although IKE is served there."""

VERSION_3 = 0x30
NO_SUCH_CIPHER = 0xFFFF
SA_INIT, MAIN_MODE = 34, 2
INITIATOR = 0x08
SA_V1, NOTIFY_V1 = 1, 11
SA, KEY_EXCHANGE, NONCE, NOTIFY = 33, 34, 40, 41
CURVE25519 = 31

REFUSALS: Mapping[tuple[int, int], str] = {
    (1, 5): "invalid major version",
    (1, 7): "invalid exchange type",
    (1, 14): "no proposal chosen",
    (1, 16): "payload malformed",
    (2, 5): "invalid major version",
    (2, 7): "invalid syntax",
    (2, 14): "no proposal chosen",
    (2, 17): "another key exchange group wanted",
    (2, 16390): "asks for a cookie",
}
"""By version and type of a notification: RFC 2408 section 3.14.1, RFC 7296 section 3.10.1."""


def payloads(target: Target) -> tuple[bytes, ...]:
    return (_header_only(target.draw(8)), _sa_init(target), _main_mode(target.draw(8)))


def nat_t_payloads(target: Target) -> tuple[bytes, ...]:
    return tuple(NON_ESP_MARKER + payload for payload in payloads(target))


def _header_only(spi: bytes) -> bytes:
    """A version to come: whoever does not know it says so in a notification (RFC 7296 section 2.5)."""
    with scapy_quietly():
        from scapy.layers.isakmp import ISAKMP
    return bytes(ISAKMP(init_cookie=spi, version=VERSION_3, exch_type=SA_INIT, flags=INITIATOR, length=HEADER))


def _sa_init(target: Target) -> bytes:
    """Version 2. Its payloads by struct: scapy's module for them loads X.509, 0.13 s."""
    with scapy_quietly():
        from scapy.layers.isakmp import ISAKMP
    last, more = 0, 3
    transforms = b"".join(
        struct.pack(">BBHBBH", following, 0, 8, kind, 0, number)
        for following, kind, number in (
            (more, 1, NO_SUCH_CIPHER),
            (more, 2, 5),  # PRF_HMAC_SHA2_256
            (more, 3, 12),  # AUTH_HMAC_SHA2_256_128
            (last, 4, CURVE25519),
        )
    )
    proposal = struct.pack(">BBHBBBB", last, 0, 8 + len(transforms), 1, 1, 0, 4) + transforms
    body = (
        struct.pack(">BBH", KEY_EXCHANGE, 0, 4 + len(proposal))
        + proposal
        + struct.pack(">BBHHH", NONCE, 0, 8 + 32, CURVE25519, 0)
        + target.draw(32)
        + struct.pack(">BBH", 0, 0, 4 + 32)
        + target.draw(32)
    )
    head = ISAKMP(init_cookie=target.draw(8), next_payload=SA, version=0x20, exch_type=SA_INIT, flags=INITIATOR)
    return bytes(head / body)


def _main_mode(spi: bytes) -> bytes:
    """Version 1 (RFC 2409 section 5 and appendix A)."""
    with scapy_quietly():
        from scapy.layers.isakmp import (
            ISAKMP,
            ISAKMP_payload_Proposal,
            ISAKMP_payload_SA,
            ISAKMP_payload_Transform,
        )
    wanted = [
        ("Encryption", NO_SUCH_CIPHER),
        ("Hash", "SHA2-256"),
        ("Authentication", "PSK"),
        ("GroupDesc", "2048MODPgr"),
        ("LifeType", "Seconds"),
        ("LifeDuration", 28800),
    ]
    transform = ISAKMP_payload_Transform(next_payload=0, transform_count=1, transforms=wanted)
    proposal = ISAKMP_payload_Proposal(next_payload=0, trans_nb=1, trans=transform)
    head = ISAKMP(init_cookie=spi, next_payload=SA_V1, version=0x10, exch_type=MAIN_MODE)
    return bytes(head / ISAKMP_payload_SA(next_payload=0, prop=proposal))


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Read by struct: only the header and the first payload are of interest, and payloads may be nested 500 deep."""
    if len(reply) < HEADER or reply[:8] not in {payload[:8] for payload in payloads}:
        return None
    first, version = reply[16], reply[17] >> 4
    (length,) = struct.unpack_from(">I", reply, 24)
    if not HEADER <= length <= len(reply) or version not in (1, 2):
        return None
    refusal = REFUSALS.get((version, _notification(first, reply)))
    return f"IKEv{version}: {refusal}" if refusal else f"IKEv{version} server"


def _notification(first: int, reply: bytes) -> int:
    """The type of a notification that is the first payload, 0 for anything else."""
    # RFC 7296 section 3.10 and RFC 2408 section 3.14: the older one has the DOI before.
    place = {NOTIFY: HEADER + 6, NOTIFY_V1: HEADER + 10}.get(first, len(reply))
    return int.from_bytes(reply[place : place + 2], "big")


def nat_t_interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    if not reply.startswith(NON_ESP_MARKER):
        return None
    return interpret(tuple(payload[4:] for payload in payloads), reply[4:])
