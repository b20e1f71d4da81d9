"""SSDP and WS-Discovery."""

from __future__ import annotations

import pytest

from portcheck.engine.probe import Transport
from portcheck.probes import question
from tests.probes.conftest import made_target
from tests.probes.exchange import Replies, answered, asked, meant, not_understood

MESSAGE = "01020304-0506-4708-890a-0b0c0d0e0f10"  # RFC 4122 4.4 in our sixteen bytes


def ok(*lines: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode()


def soap(header: str, body: str) -> bytes:
    return f"<s:Envelope><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>".encode()


RELATES = f"<a:RelatesTo>urn:uuid:{MESSAGE}</a:RelatesTo>"
MATCH = soap(RELATES, "<d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter</d:Types></d:ProbeMatch>")
REPLIES: Replies = {
    "ssdp": {
        # miniupnpd 2.3.1
        ok(
            *("CACHE-CONTROL: max-age=120", "ST: upnp:rootdevice"),
            "USN: uuid:3f5b6d2e-0000-4000-8000-0123456789ab::upnp:rootdevice",
            *("EXT:", "SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1", "LOCATION: http://192.0.2.7:5000/rootDesc.xml"),
        ): "UPnP device, Debian/12 UPnP/1.1 MiniUPnPd/2.3.1",
        ok("st:upnp:rootdevice"): "UPnP device",
        ok("ST: x", "Server: " + "y" * 200): "UPnP device, " + "y" * 79 + "…",
        ok("ST: x", "Server: \x1b[31m\u202e"): "UPnP device, \\x1b[31m\\u202e",
    },
    "ws-discovery": {
        MATCH: "WS-Discovery: dn:NetworkVideoTransmitter",
        # wsdd2 1.8.7, cut in the middle
        (
            '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">'
            "<soap:Header><wsa:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</wsa:To>"
            "<wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action>"
            f"<wsa:RelatesTo>urn:uuid:{MESSAGE}</wsa:RelatesTo></soap:Header><soap:Body><wsd:ProbeMatches>"
            "<wsd:ProbeMatch><wsd:Types>wsdp:Device pub:Computer</wsd:Types>"
        ).encode(): "WS-Discovery: wsdp:Device pub:Computer",
        soap(RELATES.upper().replace("A:RELATESTO", "RelatesTo").replace("URN:UUID", "urn:uuid"), "<ProbeMatches/>"): (
            "WS-Discovery: a match"
        ),
        soap(RELATES, "<s:Fault/>"): "WS-Discovery: a fault",
    },
}


def test_the_search() -> None:
    """UPnP Device Architecture 2.0, 1.3.2: to one device, HOST is that device."""
    text = b'M-SEARCH * HTTP/1.1\r\nHOST: %s\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n'
    for address, host in (("192.0.2.7", b"192.0.2.7:1900"), ("fe80::7%eth0", b"[fe80::7]:1900")):
        target = made_target(address, 1900)
        assert question("ssdp", Transport.UDP, target).payloads == (text % host,)


def test_the_probe() -> None:
    """WS-Discovery 5.2: first for devices, then for anything; its words as servers compare them."""
    devices, anything = (payload.decode() for payload in asked("ws-discovery").payloads)
    discovery = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
    assert f"<wsa:Action>{discovery}/Probe</wsa:Action><wsa:MessageID>urn:uuid:{MESSAGE}</wsa:MessageID>" in devices
    assert ">wsdp:Device</wsd:Types>" in devices
    assert anything == devices.replace(devices[devices.index("<wsd:Types") : devices.index("</wsd:Probe>")], "")


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 404 Not Found\r\nST: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: a web server\r\n\r\n",
        b"NOTIFY * HTTP/1.1\r\nST: x\r\n\r\n",
        b"HTTP/1.1 200",
        b"SIP/2.0 200 OK\r\nST: x\r\n\r\n",
    ],
)
def test_what_is_no_device(reply: bytes) -> None:
    assert not_understood("ssdp", reply)


@pytest.mark.parametrize(
    "reply",
    [
        soap("", "<d:ProbeMatches/>"),
        soap(RELATES.replace("01020304", "ffffffff"), "<d:ProbeMatches/>"),  # to somebody else
        soap(RELATES, "<d:Hello/>"),
        b"<" * 2048,
        b"<a:Types>" * 200,
    ],
)
def test_what_is_no_match(reply: bytes) -> None:
    assert not_understood("ws-discovery", reply)


def test_xml_of_the_network_is_not_read_as_xml() -> None:
    """An entity stays what it is."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + MATCH.replace(b"dn:NetworkVideoTransmitter", b"&a;")
    assert answered("ws-discovery", bomb).text == "WS-Discovery: &a;"
