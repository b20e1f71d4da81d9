from __future__ import annotations

from tests.probes.exchange import Replies, asked, meant, not_understood, octets

REPLIES: Replies = {
    "tftp": {
        octets("0005 0001") + b"File not found\0": "TFTP server",
        octets("0005 0002") + b"Access violation\0": "TFTP: access violation",
        octets("0005 0000") + b"go \x1baway\0": r'TFTP: "go \x1baway"',
        octets("0005 0001"): "TFTP server",  # without text and zero byte
        octets("0003 0001") + b"content": "TFTP server",
        octets("0006") + b"tsize\x0012\0": "TFTP server",  # RFC 2347
    }
}


def test_request() -> None:
    """RFC 1350 5: opcode 1, file name, mode; only reading."""
    question = asked("tftp")
    assert question.payloads == (octets("0001") + b"portcheck-01020304\0octet\0",)
    assert question.private


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


def test_what_is_no_reply_to_us() -> None:
    assert not_understood("tftp", b"", b"\0\5\0", octets("0003 0002"), octets("0004 0001"), octets("0005 0009 00"))
