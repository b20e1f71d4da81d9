"""The names and the end of a server's certificate (RFC 5280), which nobody verified.

Read by portcheck.probes.ber: scapy takes 0.3 s to be imported for it and 0.4 ms for each name, and a hostile server
may present thousands. The tests hold this against what scapy reads.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime

from portcheck.printable import printable
from portcheck.probes.ber import INTEGER, OCTETS, OID, SEQUENCE, Element, parse

UNREADABLE = "unreadable certificate"

_LONGEST_BYTES = 16384
"""Of what is read at all; an ordinary certificate has one or two KiB, one for 300 names has five."""
_LONGEST_NAME = 40
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_SUBJECT_ALT_NAME, _COMMON_NAME = bytes.fromhex("551d11"), bytes.fromhex("550403")
_UTC_TIME, _GENERALIZED_TIME, _BMP_STRING = 0x17, 0x18, 0x1E


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is told of it; `names` are those that count (RFC 6125 section 6.4.4)."""

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def described(der: bytes, now: datetime) -> str:
    """`certificate for m1.example and 2 more names, expires 2027-03-01`."""
    certificate = read(der)
    if certificate is None:
        return UNREADABLE
    name = printable(certificate.names[0], _LONGEST_NAME) if certificate.names else "nobody by name"
    others = len(certificate.names[1:])
    more = {0: "", 1: " and 1 more name"}.get(others, f" and {others} more names")
    if certificate.not_before > now:
        return f"certificate for {name}{more}, not valid before {certificate.not_before:%Y-%m-%d}"
    end = "expired" if certificate.not_after < now else "expires"
    return f"certificate for {name}{more}, {end} {certificate.not_after:%Y-%m-%d}"


def read(der: bytes) -> Certificate | None:
    """None for bytes that are no certificate."""
    whole = parse(der) if len(der) <= _LONGEST_BYTES else None
    signed = whole.at(SEQUENCE) if whole is not None else None
    if signed is None:
        return None
    # serialNumber, signature, issuer, validity, subject, ... (section 4.1)
    fields = [each for each in signed.inside if each.tag != _VERSION]
    if len(fields) < 5 or fields[0].tag != INTEGER or len(fields[3].inside) != 2:
        return None
    begin, end = map(_moment, fields[3].inside)
    if begin is None or end is None:
        return None
    return Certificate(_alternative_names(signed) or _common_names(fields[4]), begin, end)


def _moment(time: Element) -> datetime | None:
    """Section 4.1.2.5: two digits of the year up to 2049, four from 2050 on."""
    digits = time.content.decode("ascii", "replace")
    if time.tag == _UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    elif time.tag != _GENERALIZED_TIME:
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _alternative_names(signed: Element) -> tuple[str, ...]:
    extensions = signed.at(_EXTENSIONS, SEQUENCE)
    found: list[str] = []
    for extension in extensions.inside if extensions is not None else ():
        oid, value = extension.at(OID), extension.at(OCTETS)
        if oid is not None and oid.content == _SUBJECT_ALT_NAME and value is not None:
            names = parse(value.content)
            found += filter(None, map(_general_name, names.inside if names is not None else ()))
    return tuple(dict.fromkeys(found))


def _general_name(name: Element) -> str | None:
    if name.tag == _DNS_NAME:
        return name.content.decode("ascii", "replace")
    if name.tag == _IP_ADDRESS and len(name.content) in (4, 16):
        return str(ipaddress.ip_address(name.content))
    return None


def _common_names(subject: Element) -> tuple[str, ...]:
    found: list[str] = []
    for attribute in (each for part in subject.inside for each in part.inside):
        if len(attribute.inside) == 2 and attribute.inside[0].content == _COMMON_NAME:
            value = attribute.inside[1]
            found.append(value.content.decode("utf-16-be" if value.tag == _BMP_STRING else "utf-8", "replace"))
    return tuple(found)
