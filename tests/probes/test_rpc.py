from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

XID, NEXT = "01020304", "01020305"
NOBODY = "00000000 00000000"  # RFC 5531 8.2: AUTH_NONE of no length


def call(xid: str, program: str, version: str) -> bytes:
    """RFC 5531 9: xid, CALL, RPC version 2, program, version, procedure 0, credentials, verifier."""
    return octets(xid, "00000000 00000002", program, version, "00000000", NOBODY, NOBODY)


def accepted(status: str, *rest: str, xid: str = XID, verifier: str = NOBODY) -> bytes:
    return octets(xid, "00000001 00000000", verifier, status, *rest)


def denied(*rest: str) -> bytes:
    return octets(XID, "00000001 00000001", *rest)


SUCCESS, UNAVAILABLE, MISMATCH = "00000000", "00000001", "00000002"
REPLIES: Replies = {
    "rpcbind": {
        accepted(SUCCESS): "rpcbind version 2",
        accepted(MISMATCH, "00000003 00000004"): "rpcbind, versions 3 to 4",
        denied("00000001 00000005"): "RPC: access denied",  # AUTH_ERROR, AUTH_TOOWEAK
        denied("00000000 00000002 00000002"): "RPC: another version",
    },
    "nfs": {
        accepted(SUCCESS): "NFS version 3",
        accepted(SUCCESS, xid=NEXT): "NFS version 4",
        accepted(MISMATCH, "00000004 00000004"): "NFS, version 4",
        accepted(SUCCESS, verifier="00000001 00000004 aabbccdd"): "NFS version 3",
    },
    "mount": {
        accepted(SUCCESS): "MOUNT version 3",
        accepted(MISMATCH, "00000001 00000001"): "MOUNT, version 1",
    },
}


def test_requests() -> None:
    assert asked("rpcbind").payloads == (call(XID, "000186a0", "00000002"),)
    assert asked("nfs").payloads == (call(XID, "000186a3", "00000003"), call(NEXT, "000186a3", "00000004"))
    assert asked("mount").payloads == (call(XID, "000186a5", "00000003"),)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        accepted(SUCCESS)[:20],
        accepted(SUCCESS, xid="01020306"),
        accepted(UNAVAILABLE),
        accepted(MISMATCH, "00000004"),
        accepted(SUCCESS, verifier="00000001 ffffffff"),
        denied("00000001"),
        denied("00000007 00000000"),
        octets(XID, "00000001 00000002", "00" * 20),
    ],
)
def test_what_is_no_reply_of_the_program(reply: bytes) -> None:
    for name in REPLIES:
        assert not_understood(name, reply)
