"""Small port lists for tests: one line for each row."""

from __future__ import annotations

from typing import Any

from portcheck.engine.probe import Transport
from portcheck.model import (
    KnownPorts,
    KnownService,
    PortRange,
    Ports,
    Provenance,
    ReferenceDocument,
    Remark,
    Spread,
)
from portcheck.ports import parse_ports


def known(tcp: str = "", udp: str = "", either: str = "") -> tuple[KnownPorts, ...]:
    """Entries as a list writes them: `80`, `1417-1420`, `5800+`, `>=1024`, `>=1024<=5000`, separated by blanks."""
    cells = {Transport.TCP: tcp, Transport.UDP: udp, None: either}
    return tuple(entry(transport, item) for transport, cell in cells.items() for item in cell.split())


def entry(transport: Transport | None, item: str) -> KnownPorts:
    if item.startswith(">="):
        first, _, last = item[2:].partition("<=")
        return KnownPorts(transport, int(first), int(last or 65535), Spread.DYNAMIC)
    if item.endswith("+"):
        first = item[:-1]
        return KnownPorts(transport, int(first), min(int(first) + 9, 65535), Spread.ONWARD)
    first, _, last = item.partition("-")
    return KnownPorts(transport, int(first), int(last or first))


def service(name: str, tcp: str = "", udp: str = "", either: str = "", **fields: Any) -> KnownService:
    """A row; `names` are written with blanks, `by_name` as ports, `remarks` as their words with blanks."""
    given: dict[str, Any] = {"provenance": Provenance("list", "Ports", name), **fields}
    if "names" in given:
        given["names"] = tuple(given["names"].split())
        given["by_name"] = parse_ports(given["by_name"])
    if "remarks" in given:
        given["remarks"] = tuple(Remark(word) for word in given["remarks"].split())
    return KnownService(name, known(tcp, udp, either), **given)


def reference(*services: KnownService, id: str = "list", title: str = "Port List", **fields: Any) -> ReferenceDocument:
    return ReferenceDocument(id, title, vendor="V", version="1", url=None, services=services, **fields)


def part(title: str, first: int, last: int) -> PortRange:
    return PortRange(title, first, last, Provenance("list", "Ranges", title))


LISTED_NAMES = reference(
    service("SSH", "22", names="ssh", by_name="22/tcp"),
    service("SMTP", "25", names="smtp mail", by_name="25/tcp"),
    service("DNS", "53", "53", names="dns domain", by_name="53/tcp+udp"),
    service("LDAP", "389", "389", names="ldap", by_name="389/tcp"),
    service("RTP", udp="16384-32767", names="rtp", by_name="16384-32767/udp"),
    service("RTP anew", udp="16384-32767", names="rtp", by_name="16384-32767/udp"),
    service("RTP of a player", udp="6970-6999", names="rtp", by_name="6970-6999/udp"),
    service("Squid", "3128", "3130", names="squid", by_name="3128/tcp"),
    service("Web", "8080", names="http-alt", by_name="8080/tcp"),
)
MORE_LISTED_NAMES = reference(
    service("Secure Shell", either="22", names="ssh", by_name="22/tcp"),
    service("Mail", either="25", names="smtp", by_name="25/tcp"),
    service("RTP elsewhere", udp="6970-6999", names="rtp", by_name="6970-6999/udp"),
    id="more",
    title="More Ports",
)
SYSTEM_NAMES: dict[str, tuple[Ports, ...]] = {
    "ssh": parse_ports("22/tcp"),
    "ldap": parse_ports("389/tcp+udp"),
    "domain": parse_ports("53/tcp+udp"),
    "ntp": parse_ports("123/udp"),
    "snmp": parse_ports("161/tcp+udp"),
    "http-alt": parse_ports("8008/tcp"),
    "shell": parse_ports("514/tcp"),
}
"""What the services database of the tests has."""
