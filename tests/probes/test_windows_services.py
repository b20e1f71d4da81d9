"""SQL Server Browser, MSMQ ping, MADCAP: no server of these runs on Linux, so the specifications are all there is."""

from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

ONE = "ServerName;SRV1;InstanceName;SQLEXPRESS;IsClustered;No;Version;15.0.2000.5;tcp;1433;;"
TWO = ONE + "ServerName;SRV1;InstanceName;OTHER;IsClustered;No;Version;15.0.2000.5;np;\\\\SRV1\\pipe;;"
OURS, THEIRS = "0102030405060708090a0b0c0d0e0f10", "a0" * 16


def instances(text: str) -> bytes:
    """[MC-SQLR] 2.2.5."""
    return octets("05") + len(text).to_bytes(2, "little") + text.encode()


def ping(cookie: str = "01020304", guid: str = THEIRS, signature: str = "4855") -> bytes:
    """[MS-MQQB] 2.2.7."""
    return octets("0000", signature, cookie, guid)


def madcap(kind: str, *options: str, xid: str = "01020304", version: str = "00") -> bytes:
    """RFC 2730 2.2: version, message type, address family, transaction id, options."""
    return octets(version, kind, "0001", xid, *options)


REPLIES: Replies = {
    "sql-browser": {
        instances(ONE): 'SQL Server Browser, instance "SQLEXPRESS"',
        instances(TWO): 'SQL Server Browser, instance "SQLEXPRESS" and 1 more',
        instances(""): "SQL Server Browser, no instance",
        octets("05 ff0f") + (ONE * 30).encode()[:2045]: 'SQL Server Browser, instance "SQLEXPRESS" and 23 more',
    },
    "msmq-ping": {ping(): "MSMQ ping service"},
    "madcap": {
        madcap("05", "0002 0006 0001 c0000209", "0000 0000"): "MADCAP server",
        madcap("06", "0010 0002 0001", "0000 0000"): "MADCAP: refused",
    },
}


def test_requests() -> None:
    assert asked("sql-browser").payloads == (b"\3",)  # [MC-SQLR] 2.2.2
    assert asked("msmq-ping").payloads == (ping(guid=OURS),)
    lease, wanted = "0003 0009 00 0102030405060708", "0005 0002 0009"  # RFC 2730 3.4 and 3.6
    assert asked("madcap").payloads == (madcap("08", lease, wanted, "0000 0000"),)
    assert asked("madcap", "2001:db8::7").payloads[0][2:4] == b"\0\2"


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("sql-browser", b"\5\0"),
        ("sql-browser", instances(ONE)[:-1]),
        ("sql-browser", b"\4" + instances(ONE)[1:]),
        ("msmq-ping", ping()[:-1]),
        ("msmq-ping", ping(cookie="01020305")),
        ("msmq-ping", ping(signature="5548")),
        ("msmq-ping", b"\1" + ping(guid=OURS)[1:]),  # ours again, with a flag
        ("madcap", madcap("05")[:7]),
        ("madcap", madcap("05", xid="01020305")),
        ("madcap", madcap("05", version="01")),
        ("madcap", madcap("02")),
    ],
)
def test_what_is_no_reply_to_us(name: str, reply: bytes) -> None:
    assert not_understood(name, reply)


def test_an_instance_is_shown_as_text() -> None:
    said = answered("sql-browser", instances("InstanceName;\x1b[2J" + "x" * 99)).text
    assert said == f'SQL Server Browser, instance "\\x1b[2J{"x" * 25}…"'
