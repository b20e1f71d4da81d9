"""The reference of UDP protocols: what is asked, and which real server's answer was recognised.

Requests are made by the program, answers are kept by `python -m tests.lab.real_servers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from portcheck.model import Answers, Family, Secrets
from portcheck.probes.registry import CODECS
from portcheck.probes.target import Target
from portcheck.protocols import PROTOCOLS, Protocol

_RESULTS = Path(__file__).parents[2] / "tests" / "lab" / "results" / "real_servers.json"

_STUB = "only a stub"

_ASKED: Mapping[str, str] = {
    "dns": "header of operation STATUS; version.bind (CH TXT); `.` NS without recursion",
    "mdns": "PTR of its own address; types of service",
    "dhcp": "DHCPINFORM from port 68: no lease",
    "pxe": "DHCPREQUEST of a PXE client to the boot server",
    "tftp": "read of a file with a random name",
    "kerberos": "AS-REQ without pre-authentication, realm PORTCHECK.INVALID",
    "kpasswd": "request with a ticket of nobody",
    "rpcbind": "NULL, version 2",
    "nfs": "NULL, version 3, then 4",
    "mount": "NULL, version 3",
    "ntp": "client mode, version 4",
    "netbios-ns": "node status",
    "snmp": "discovery of SNMPv3; with a community also sysObjectID of v2c",
    "snmp-trap": "discovery of SNMPv3",
    "cldap": "root entry; ping of a domain's client",
    "isakmp": "header of IKE version 3; IKEv2 and IKEv1 with a cipher that nobody has",
    "isakmp-nat-t": "the same behind the non-ESP marker",
    "sql-browser": "list of instances",
    "radius": "with the secret Status-Server; else nothing",
    "radius-accounting": "with the secret Status-Server; else nothing",
    "l2tp": "end of tunnel 0: none begins",
    "ssdp": "M-SEARCH for root devices",
    "ws-discovery": "Probe for devices, then for anything",
    "msmq-ping": "ping",
    "madcap": "GETINFO: nothing is lent",
    "sip": "OPTIONS outside a call",
    "stun": "binding request",
    "nat-pmp": "outside address; ANNOUNCE of PCP",
    "dtls": "ClientHello of DTLS 1.2",
    "quic": "Initial of a version that does not exist",
    "ipmi": "RMCP presence ping; IPMI authentication capabilities",
    "slp": "service agent; directory agent",
    "icp": "query for a page that nobody has",
    "iax2": "POKE",
    "echo": "a random text",
    "systat": "one byte",
    "daytime": "one byte",
    "qotd": "one byte",
    "chargen": "one byte",
    "time": "nothing",
    "memcached": "version",
    "rip": "one route, version 2, then 1",
    "ripng": "one route",
    "xdmcp": "Query",
    "quake": "server information",
    "source-query": "server information",
    "ms-cluster": "ClientHello of DTLS 1.2",
}

_NO_SERVER: Mapping[str, str] = {
    "ms-cluster": "none: it comes with Windows only, and what it answers is not public",
    "rtp": "never answers: sound and pictures flow inside a call only",
    "rtcp": "never answers outside a call",
}
"""Where nothing was there to be asked."""

Row = Mapping[str, Any]


def udp_protocols() -> str:
    """Every protocol with its request and the servers that answered, then the servers that are rightly silent."""
    kept: Sequence[Row] = tuple(json.loads(_RESULTS.read_text(encoding="utf-8")).values())
    return "\n".join((*_protocols(kept), "", "## Silent, as they should be", "", *_silent(kept)))


def _protocols(kept: Sequence[Row]) -> Iterator[str]:
    yield "| `speaks` | port | asked | bytes | recognised |"
    yield "|---|---|---|---|---|"
    for name, protocol in PROTOCOLS.items():
        if protocol.udp:
            ports = ", ".join(map(str, protocol.udp))
            asked = _ASKED[name] if name in CODECS else "nothing"
            yield f"| `{name}`: {protocol.title} | {ports} | {asked} | {_bytes(name, protocol)} | {_seen(name, kept)} |"


def _bytes(name: str, protocol: Protocol) -> str:
    """Of the first datagram and of those that take its place in repetitions."""
    if name not in CODECS:
        return "0"
    ours, theirs = ("2001:db8::1", "2001:db8::2") if name == "ripng" else ("192.0.2.1", "192.0.2.2")
    target = Target(
        theirs, protocol.udp[0], ours, Secrets("public", "secret"), lambda length: bytes(range(1, length + 1))
    )
    return ", ".join(str(len(payload)) for payload in CODECS[name].payloads(target))


def _seen(name: str, kept: Sequence[Row]) -> str:
    """Raises KeyError for a protocol that nobody ever answered and that has no reason for it."""
    lines = {_line(row): None for row in kept if any(row[family]["speaks"] == name for family in _families(row))}
    if lines:
        return "<br>".join(lines)
    if name in _NO_SERVER:
        return _NO_SERVER[name]
    silent = [row for row in kept if row["port"] in PROTOCOLS[name].udp]
    if not silent or PROTOCOLS[name].answers is not Answers.NEVER:
        raise KeyError(f"{name}: no server of tests/lab/known_servers.py answered, and no reason is given here")
    return "<br>".join(f"never answers; {_package(row)} was silent" for row in silent)


def _line(row: Row) -> str:
    families = _families(row)
    answers = dict.fromkeys(row[family]["answer"] for family in families)
    only = "" if len(families) == len(Family) else f", {'IPv4' if Family.IPV4 in families else 'IPv6'} only"
    return f"{_package(row)}{only}: {' · '.join(f'`{_cell(answer)}`' for answer in answers)}"


def _package(row: Row) -> str:
    return f"{row['package']} {row['version']}" if row["package"] else _STUB


def _families(row: Row) -> list[Family]:
    return [family for family in Family if family in row]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _silent(kept: Sequence[Row]) -> Iterator[str]:
    yield "| server | port | why | seen |"
    yield "|---|---|---|---|"
    for row in kept:
        if row["why"]:
            states = " · ".join(dict.fromkeys(row[family]["state"] for family in _families(row)))
            yield f"| {row['server']}, {_package(row)} | {row['port']} | {row['why']} | {_cell(states)} |"
