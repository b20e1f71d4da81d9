"""SNMP: the discovery of an engine (SNMPv3, RFC 3414 section 4), and SNMPv2c (RFC 1901) with a community."""

from __future__ import annotations

from portcheck.probes.ber import INTEGER, OCTETS, SEQUENCE, Element, element, integer, parse
from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.probes.target import Target

SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
_ENTERPRISES = "1.3.6.1.4.1."
_V2C, _V3 = 1, 3
_GET_RESPONSE, _REPORT = 0xA2, 0xA8
_LARGEST = 65507
_LONGEST_NUMBER = 10
_REPORTABLE, _USER_BASED = b"\x04", 3

VENDORS = {
    2: "IBM",
    9: "Cisco",
    11: "HP",
    42: "Sun",
    232: "HPE",
    311: "Microsoft",
    318: "APC",
    343: "Intel",
    674: "Dell",
    789: "NetApp",
    1588: "Brocade",
    1916: "Extreme Networks",
    2011: "Huawei",
    2021: "UCD-SNMP",
    2620: "Check Point",
    2636: "Juniper",
    3375: "F5",
    6574: "Synology",
    6876: "VMware",
    8072: "Net-SNMP",
    10876: "Supermicro",
    12356: "Fortinet",
    14988: "MikroTik",
    25461: "Palo Alto Networks",
    30065: "Arista",
}
"""Of IANA's enterprise numbers, those that answer most often."""


def payloads(target: Target) -> tuple[bytes, ...]:
    """The discovery, which needs no user and no community; then, of those who know one, what kind of system it is.

    A wrong community may raise an alarm (authenticationFailure), so no usual one is tried.
    """
    found = discovery(target)
    community = target.secrets.snmp_community
    return found if community is None else (*found, _get(community, _number(target)))


def discovery(target: Target) -> tuple[bytes, ...]:
    """Without an engine and a user, reportable: the engine answers with a Report. scapy has no SNMPv3."""
    number = integer(_number(target))
    nothing = element(OCTETS)
    security = element(SEQUENCE, nothing, integer(0), integer(0), nothing, nothing, nothing)
    get = element(0xA0, number, integer(0), integer(0), element(SEQUENCE))
    message = element(
        SEQUENCE,
        integer(_V3),
        element(SEQUENCE, number, integer(_LARGEST), element(OCTETS, _REPORTABLE), integer(_USER_BASED)),
        element(OCTETS, security),
        element(SEQUENCE, nothing, nothing, get),
    )
    return (message,)


def _number(target: Target) -> int:
    """Ids are 0 to 2147483647 (RFC 3412 section 6)."""
    return int.from_bytes(target.draw(4), "big") >> 1


def _get(community: str, number: int) -> bytes:
    with scapy_quietly():
        from scapy.layers.snmp import SNMP, SNMPget, SNMPvarbind
    get = SNMPget(id=number, varbindlist=[SNMPvarbind(oid=SYS_OBJECT_ID)])
    return bytes(SNMP(version=_V2C, community=community.encode(), PDU=get))


def interpret(payloads: tuple[bytes, ...], reply: bytes) -> str | None:
    message = parse(reply)
    version = message.at(INTEGER) if message else None
    if message is None or version is None:
        return None
    if version.integer() == _V3:
        return _engine(payloads[0], message)
    return _agent(payloads[1], message, reply) if version.integer() == _V2C and len(payloads) > 1 else None


def _engine(request: bytes, message: Element) -> str | None:
    """A Report with our message id (RFC 3412 section 7.1.3), in clear."""
    asked = parse(request)
    number = message.at(SEQUENCE, INTEGER)
    security = message.at(OCTETS)
    if asked is None or number is None or security is None or number != asked.at(SEQUENCE, INTEGER):
        return None
    if not any(each.at(_REPORT) for each in message.inside if each.tag == SEQUENCE):
        return None
    named = parse(security.content)
    engine = named.at(OCTETS) if named else None
    return f"SNMP engine{_of_engine(engine.content if engine else b'')}"


def _of_engine(engine: bytes) -> str:
    """RFC 3411 section 5, SnmpEngineID: four bytes are the enterprise, whose first bit tells the format of the rest."""
    return _of(int.from_bytes(engine[:4], "big") & 0x7FFFFFFF) if len(engine) >= 5 else ""


def _of(enterprise: int) -> str:
    return f" of {VENDORS[enterprise]}" if enterprise in VENDORS else f" (enterprise {enterprise})"


def _agent(request: bytes, message: Element, reply: bytes) -> str | None:
    """A GetResponse with our request id (RFC 3416 section 4.2.1)."""
    asked, number = parse(request), message.at(_GET_RESPONSE, INTEGER)
    if asked is None or number is None or number != asked.at(0xA0, INTEGER):
        return None
    with scapy_quietly():
        from scapy.layers.snmp import SNMP
    try:
        name = str(SNMP(reply).PDU.varbindlist[0].value.val)
    except Exception:
        # On a list that is no list it fails in several ways; who answered is known without it.
        return "SNMP agent"
    enterprise = name.removeprefix(_ENTERPRISES).partition(".")[0] if name.startswith(_ENTERPRISES) else ""
    return f"SNMP agent{_of(int(enterprise))}" if 0 < len(enterprise) <= _LONGEST_NUMBER else "SNMP agent"
