"""Requests against scapy's Kerberos, which is not used at run time, and by hand (RFC 4120, RFC 3244)."""

from __future__ import annotations

import pytest

from portcheck.probes.scapy_quietly import scapy_quietly
from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

REALM = "1b11 504f5254434845434b2e494e56414c4944"  # GeneralString PORTCHECK.INVALID


def error(code: str, version: str = "05", kind: str = "1e") -> bytes:
    """RFC 4120 5.9.1, with the times, the code, the realm and the service that are not optional."""
    body = octets(
        f"a003 0201 {version}",
        f"a103 0201 {kind}",
        "a411 180f 32303235303130313030303030305a",
        "a505 0203 012345",
        f"a603 0201 {code}",
        "a913",
        REALM,
        "aa24 3022 a003 0201 02 a11b 3019 1b06 6b7262746774 1b0f 4c41422e4558414d504c45 2e434f4d",
    )
    return octets(f"7e 81 {len(body) + 3:02x} 30 81 {len(body):02x}") + body


def password_error(code: str) -> bytes:
    """RFC 3244 2: length, version, length of the AP-REP, then the error."""
    data = error(code)
    return octets(f"{len(data) + 6:04x} 0001 0000") + data


REPLIES: Replies = {
    "kerberos": {
        error("06"): "Kerberos: principal unknown",
        error("44"): "Kerberos: realm unknown",
        error("25"): "Kerberos: clocks too far apart",
        error("34"): "Kerberos: error 52",
        octets("6b0c 300a a003 0201 05 a103 0201 0b"): "Kerberos server",
    },
    "kpasswd": {
        password_error("3c"): "Kerberos password change server",
        password_error("29"): "Kerberos password change server",
    },
}


def test_request_by_hand() -> None:
    """RFC 4120 5.4.1."""
    body = octets(
        "a007 0305 00 00000000",  # kdc-options
        "a116 3014 a003 0201 01 a10d 300b 1b09 706f7274636865636b",  # cname: NT-PRINCIPAL portcheck
        "a213",
        REALM,
        "a326 3024 a003 0201 02 a11d 301b 1b06 6b7262746774",  # sname: NT-SRV-INST krbtgt
        REALM,
        "a511 180f 32303337303931333032343830355a",  # till
        "a706 0204 00810182",  # nonce
        "a80b 3009 020112 020111 020117",  # etype
    )
    whole = octets("a103 0201 05", "a203 0201 0a", "a481 89 3081 86") + body
    assert asked("kerberos").payloads == (octets("6a81 99 3081 96") + whole,)


def test_scapy_reads_the_request() -> None:
    with scapy_quietly():
        from scapy.layers.kerberos import KRB_AS_REQ, Kerberos
    request = Kerberos(asked("kerberos").payloads[0]).root
    assert isinstance(request, KRB_AS_REQ)
    assert request.padata is None
    body = request.reqBody
    assert (body.cname.toString(), body.realm.val, body.sname.toString()) == (
        "portcheck",
        b"PORTCHECK.INVALID",
        "krbtgt/PORTCHECK.INVALID",
    )
    assert (body.nonce.val, [each.val for each in body.etype]) == (0x00810182, [18, 17, 23])


def test_scapy_reads_the_request_for_a_password() -> None:
    with scapy_quietly():
        from scapy.layers.kerberos import KPASSWD_REQ
    payload = asked("kpasswd").payloads[0]
    request = KPASSWD_REQ(payload)
    assert request.len == len(payload)
    assert request.pvno == 1
    ticket = request.apreq.ticket
    assert (ticket.realm.val, ticket.sname.toString()) == (b"PORTCHECK.INVALID", "kadmin/changepw")
    assert request.krbpriv.encPart.cipher.val == bytes(range(1, 17))
    assert bytes(request) == payload


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


GOOD = error("06")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\0",
        b"\x7d" + GOOD[1:],
        error("06", version="04"),
        error("06", kind="0b"),
        octets("7e02 3000"),
        octets("7e80 3000 0000"),  # a length without end is not DER
        octets("7e84 7fffffff 3000"),
        octets("7e81 ff") + octets("3081 fc") * 40,
        b"\x7e\x82\x07\xfc" + b"".join(b"\x30\x82" + (2036 - 4 * deep).to_bytes(2, "big") for deep in range(510)),
    ],
)
def test_what_is_no_reply_of_kerberos(reply: bytes) -> None:
    assert not_understood("kerberos", reply)


@pytest.mark.parametrize(
    "reply",
    [b"", GOOD, password_error("3c")[:-1], b"\0\x63" + password_error("3c")[2:], octets("0006 0001 0000")],
)
def test_what_is_no_reply_to_a_change_of_password(reply: bytes) -> None:
    assert not_understood("kpasswd", reply)


def test_a_code_of_many_bytes_is_no_code() -> None:
    reply = octets("7e3b 3039 a003 0201 05 a103 0201 1e a62d 022b") + b"\x7f" * 43
    assert answered("kerberos", reply).protocol is None
