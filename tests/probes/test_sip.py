from __future__ import annotations

import pytest

from portcheck.engine.probe import Transport
from portcheck.probes import question
from tests.probes.conftest import made_target
from tests.probes.exchange import Replies, meant, not_understood

OURS = "Call-ID: 0102030405060708"


def status(line: str, *lines: str) -> bytes:
    return "\r\n".join((f"SIP/2.0 {line}", *lines, "Content-Length: 0", "", "")).encode()


REPLIES: Replies = {
    "sip": {
        # kamailio 5.6.3
        status(
            "200 OK",
            "Via: SIP/2.0/UDP 192.0.2.1;rport=57591;branch=z9hG4bK0102030405060708",
            "From: <sip:portcheck@192.0.2.1>;tag=01020304",
            "To: <sip:192.0.2.7:5060>;tag=d29e9d8c3a5fcb71.00000000",
            *(OURS, "CSeq: 1 OPTIONS", "Server: kamailio (5.6.3 (x86_64/linux))"),
        ): "SIP: 200 OK, kamailio (5.6.3 (x86_64/linux))",
        status("405 Method Not Allowed", OURS): "SIP: 405 Method Not Allowed",
        status("404 Not Found", "i: 0102030405060708", "User-Agent: pbx"): "SIP: 404 Not Found, pbx",  # RFC 3261 7.3.3
        status("503 ", OURS): "SIP: 503 ",
    }
}


def test_request() -> None:
    """RFC 3261 11.1, with rport (RFC 3581 3): our port is not known."""
    assert question("sip", Transport.UDP, made_target(port=5060)).payloads == (
        b"OPTIONS sip:192.0.2.7:5060 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK0102030405060708\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:portcheck@192.0.2.1>;tag=01020304\r\n"
        b"To: <sip:192.0.2.7:5060>\r\n"
        b"Call-ID: 0102030405060708\r\n"
        b"CSeq: 1 OPTIONS\r\n"
        b"Contact: <sip:portcheck@192.0.2.1>\r\n"
        b"Accept: application/sdp\r\n"
        b"Content-Length: 0\r\n\r\n",
    )


def test_ipv6_is_in_brackets() -> None:
    (request,) = question("sip", Transport.UDP, made_target("fe80::7%eth0", 5060, "fe80::1%eth0")).payloads
    assert request.startswith(b"OPTIONS sip:[fe80::7]:5060 SIP/2.0\r\nVia: SIP/2.0/UDP [fe80::1];rport;")


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        status("200 OK", "Call-ID: 0102"),
        status("200 OK"),
        status("200 OK", "Call-ID:"),
        status("999 OK", OURS),
        b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n" + OURS.encode() + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + OURS.encode() + b"\r\n\r\n",
        b"SIP/2.0 200",
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("sip", reply)
