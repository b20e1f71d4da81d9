"""WS-Discovery: a Probe in SOAP over UDP, sent to one machine (WS-Discovery of April 2005, sections 5.2 and 5.4).

The version that Windows, printers and cameras speak. Windows wants a type (Microsoft, "Inspecting Network Traces for
UDP WS-Discovery"); the second question leaves it out, and whatever is offered answers, a camera (ONVIF) for example.

Text by hand: scapy has no SOAP. Servers compare texts rather than read XML, so prefixes are the usual ones: wsdd2
looks for "<wsa:Action>", wsdd for "wsdp:Device". We do not read XML either, which the network could make endless.
"""

from __future__ import annotations

import re
from uuid import UUID

from portcheck.printable import printable
from portcheck.probes.target import Target

DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
DEVICE = '<wsd:Types xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">wsdp:Device</wsd:Types>'
_TYPES = re.compile(rb"<(?:[A-Za-z0-9_.-]{1,32}:)?Types\b[^<>]{0,512}>([^<>]{1,512})<")
_RELATES_TO = re.compile(rb"<(?:[A-Za-z0-9_.-]{1,32}:)?RelatesTo\b[^<>]{0,512}>\s{0,64}urn:uuid:([0-9A-Fa-f-]{36})\b")


def payloads(target: Target) -> tuple[bytes, ...]:
    return (_probe(target, DEVICE), _probe(target, ""))


def _probe(target: Target, types: str) -> bytes:
    message = UUID(bytes=target.draw(16), version=4)
    return (
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
        f' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wsd="{DISCOVERY}"><soap:Header>'
        f"<wsa:Action>{DISCOVERY}/Probe</wsa:Action><wsa:MessageID>urn:uuid:{message}</wsa:MessageID>"
        "<wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To></soap:Header>"
        f"<soap:Body><wsd:Probe>{types}</wsd:Probe></soap:Body></soap:Envelope>"
    ).encode()


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    related = _RELATES_TO.search(reply)
    if related is None or not any(related[1].lower() in payload for payload in payloads):
        return None
    if b"ProbeMatches" not in reply:
        return "WS-Discovery: a fault" if b"Fault" in reply else None
    types = _TYPES.search(reply)
    if types is None or not (words := types[1].split()):
        return "WS-Discovery: a match"
    return "WS-Discovery: " + printable(" ".join(word.decode("ascii", "replace") for word in words), 80)
