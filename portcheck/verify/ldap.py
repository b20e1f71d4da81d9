"""LDAP (RFC 4511): a search for a few attributes of the root DSE, which needs no bind (RFC 4512 section 5.1).

The answer is read by portcheck.probes.ber: scapy takes 40 us for a byte of the smallest values, 300 ms for 8 KiB.
"""

from __future__ import annotations

from portcheck.probes.ber import INTEGER, OCTETS, SEQUENCE, Element, parse
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.verify.language import Server, text_of

_MESSAGE_ID = 1
_ENTRY, _DONE, _EXTENDED_RESPONSE, _VALUES = 0x64, 0x65, 0x78, 0x31

_WHERE = ("dnsHostName", "defaultNamingContext", "namingContexts")
"""Attributes that say whose server it is; the first one that it has is told."""
_MAKER = "vendorName"


def request(server: Server) -> bytes:
    with scapy_quietly():
        from scapy.layers.ldap import LDAP, LDAP_Filter, LDAP_FilterPresent, LDAP_SearchRequest
        from scapy.layers.ldap import LDAP_SearchRequestAttribute as Attribute
    search = LDAP_SearchRequest(
        filter=LDAP_Filter(filter=LDAP_FilterPresent()), attributes=[Attribute(type=name) for name in (*_WHERE, _MAKER)]
    )
    return bytes(LDAP(messageID=_MESSAGE_ID, protocolOp=search))


def whole(reply: bytes) -> bool:
    begin, length = _first_message(reply)
    return bool(length) and len(reply) >= begin + length


def interpret(request: bytes, reply: bytes) -> str | None:
    """The entry, or the end of the search, or a notice of disconnection, whose number is 0 (section 4.4.1)."""
    begin, length = _first_message(reply)
    message = parse(reply[: begin + length])
    number = message.at(INTEGER) if message is not None else None
    if message is None or number is None or number.integer() not in (0, _MESSAGE_ID):
        return None
    if not any(each.tag in (_ENTRY, _DONE, _EXTENDED_RESPONSE) for each in message.inside):
        return None
    entry = message.at(_ENTRY)
    found = _attributes(entry) if entry is not None else {}
    where = next((found[name.lower()] for name in _WHERE if name.lower() in found), None)
    return ", ".join(filter(None, ("LDAP", where, found.get(_MAKER.lower()))))


def _attributes(entry: Element) -> dict[str, str]:
    """The first value of each attribute, by its name in small letters (section 4.5.2)."""
    found: dict[str, str] = {}
    for attribute in (entry.at(SEQUENCE) or entry).inside:
        name, value = attribute.at(OCTETS), attribute.at(_VALUES, OCTETS)
        if name is not None and value is not None:
            found[text_of(name.content).lower()] = text_of(value.content)
    return found


def _first_message(reply: bytes) -> tuple[int, int]:
    """Where the content of the first message begins, and its length; 0 for what is no message, or not yet one."""
    if len(reply) < 2 or reply[0] != 0x30:
        return 0, 0
    if reply[1] < 0x80:
        return 2, reply[1]
    # Active Directory always writes lengths of four bytes.
    count = reply[1] & 0x7F
    if not 1 <= count <= 4 or len(reply) < 2 + count:
        return 0, 0
    return 2 + count, int.from_bytes(reply[2 : 2 + count], "big")
