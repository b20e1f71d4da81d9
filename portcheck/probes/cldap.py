"""LDAP over UDP (CLDAP, RFC 1798): in practice domain controllers of Windows, Samba and FreeIPA ([MS-ADTS] 6.3.3)."""

from __future__ import annotations

import struct

from portcheck.printable import printable
from portcheck.probes.ber import ENUMERATED, INTEGER, OCTETS, SEQUENCE, Element, parse, parse_all
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

_ENTRY, _DONE, _VALUES = 0x64, 0x65, 0x31
_NAMING_CONTEXT = b"defaultNamingContext"
_NETLOGON, _EXTENDED = b"Netlogon", 23
_NT_VERSION = struct.pack("<I", 0x00000002 | 0x00000004)
"""NETLOGON_NT_VERSION_5 and _5EX: the answer with DNS names ([MS-ADTS] 6.3.1.1)."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """The root entry, which everybody may read and which says the domain; then the ping of clients of a domain.

    FreeIPA answers the second only.
    """
    with scapy_quietly():
        from scapy.layers.ldap import LDAP_Filter, LDAP_FilterAnd, LDAP_FilterEqual, LDAP_FilterPresent
    number = int.from_bytes(target.draw(4), "big") >> 1
    root = LDAP_Filter(filter=LDAP_FilterPresent(present=b"objectClass"))
    version = LDAP_FilterEqual(attributeType=b"NtVer", attributeValue=_NT_VERSION)
    ping = LDAP_Filter(filter=LDAP_FilterAnd(vals=[LDAP_Filter(filter=version)]))
    return (_search(number, root, b"supportedLDAPVersion", _NAMING_CONTEXT), _search(number, ping, _NETLOGON))


def _search(number: int, wanted: object, *attributes: bytes) -> bytes:
    with scapy_quietly():
        from scapy.layers.ldap import CLDAP, LDAP_SearchRequest, LDAP_SearchRequestAttribute
    names = [LDAP_SearchRequestAttribute(type=each) for each in attributes]
    # Without the user of RFC 1798, which nobody writes.
    return bytes(CLDAP(messageID=number, user=None, protocolOp=LDAP_SearchRequest(filter=wanted, attributes=names)))


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    """Messages with our id, one after the other (RFC 4511 section 4.5.2): an entry, the end of the search, or both."""
    messages, asked = parse_all(reply), parse(payloads[0])
    if not messages or asked is None or any(each.at(INTEGER) != asked.at(INTEGER) for each in messages):
        return None
    entry = next((found for each in messages if (found := each.at(_ENTRY))), None)
    if entry is not None:
        domain = _domain(entry)
        return "LDAP server over UDP" if not domain else f"domain controller of {printable(domain.upper(), 80)}"
    done = next((found for each in messages if (found := each.at(_DONE))), None)
    result = done.at(ENUMERATED) if done else None
    if result is None:
        return None
    return "LDAP server over UDP" if result.integer() == 0 else f"LDAP over UDP: result code {result.integer()}"


def _domain(entry: Element) -> str | None:
    values = dict(_attributes(entry))
    if _NETLOGON.lower() in values:
        return _netlogon_domain(values[_NETLOGON.lower()])
    context = values.get(_NAMING_CONTEXT.lower(), b"").decode("utf-8", "replace")
    kinds, labels = zip(*(part.strip().partition("=")[::2] for part in context.split(",")), strict=True)
    return ".".join(labels) if {kind.lower() for kind in kinds} == {"dc"} else None


def _attributes(entry: Element) -> list[tuple[bytes, bytes]]:
    """Lower-case name and first value of each attribute (RFC 4511 section 4.5.2)."""
    found = []
    for attribute in (entry.at(SEQUENCE) or entry).inside:
        name, value = attribute.at(OCTETS), attribute.at(_VALUES, OCTETS)
        if name and value:
            found.append((name.content.lower(), value.content))
    return found


def _netlogon_domain(answer: bytes) -> str | None:
    """NETLOGON_SAM_LOGON_RESPONSE_EX ([MS-ADTS] 6.3.1.9)."""
    if len(answer) < 24 or struct.unpack_from("<H", answer)[0] != _EXTENDED:
        return None
    with scapy_quietly():
        from scapy.layers.smb import NETLOGON_SAM_LOGON_RESPONSE_EX
    try:
        domain: bytes = NETLOGON_SAM_LOGON_RESPONSE_EX(answer).DnsDomainName
    except Exception:
        # On names that reach too far it fails in several ways; who answered is known without them.
        return None
    return domain.decode("utf-8", "replace").rstrip(".")
