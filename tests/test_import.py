"""`documents import`: what is read of a vendor's page, what is named as unread, and that every draft can be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portcheck import documents
from portcheck.documents import importing
from portcheck.documents.importing.cells import (
    SAYS_MORE,
    label_of,
    read_ports,
    read_roles,
    read_service,
    read_transports,
)
from portcheck.documents.importing.columns import read_headings
from portcheck.documents.importing.drafting import FROM_TEXT, Draft, Kind, draft_of
from portcheck.documents.importing.markdown_page import read_markdown
from portcheck.documents.importing.page import Page, Row, Table
from portcheck.documents.importing.rows import GUESSED, NO_DESTINATION, NO_SOURCE, Entry
from portcheck.documents.importing.sentences import LIMIT, THOUSANDS, mentions
from portcheck.documents.importing.summary import render
from portcheck.documents.importing.writing import as_yaml, written
from portcheck.engine.probe import Transport
from portcheck.model import Document, Listen, PortcheckError, Ports
from portcheck.yaml_input import InputError
from tests.command import portcheck

HEAD = "| Port | Protocol | Service |\n|---|---|---|\n"


def drafted(text: str, tmp_path: Path, name: str = "page.md") -> Draft:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return importing.import_page(path)


def asked(draft: Draft) -> list[tuple[str, str]]:
    """Section and ports of every entry."""
    return [(entry.section, written(entry.ports)) for entry in draft.entries]


def flows(draft: Draft) -> list[str]:
    return [
        f"{entry.service}: {written(entry.ports)} from {','.join(entry.sources)} to {','.join(entry.to)}"
        for entry in draft.entries
    ]


def unread(draft: Draft, kind: Kind) -> list[tuple[int, str, str]]:
    return [(each.line, each.row, each.why) for each in draft.unread if each.kind is kind]


def as_document(draft: Draft, tmp_path: Path) -> Document:
    """The draft as lint sees it."""
    path = tmp_path / "draft.yaml"
    path.write_text(as_yaml(draft, "draft", "page.md"), encoding="utf-8")
    return documents.load(path)


# -------------------------------------------------------------------------------------------------- cells

PORTS = {
    "443": "443",
    "445, 139": "445 139",
    "80; 443": "80 443",
    "80/443": "80 443",
    "80 443": "80 443",
    "80, 443 and 8443": "80 443 8443",
    "8000-8100": "8000-8100",
    "1024 - 5000": "1024-5000",
    "1024\u20135000": "1024-5000",
    "49152 through 65535": "49152-65535",
    "Random port number between 49152 and 65535": "49152-65535",
    "random port number between 1024 - 65535": "1024-65535",
    "135, random port number between 1024 - 65535": "135 1024-65535",
    "1745 (note 3)": "1745",
    "3343 (needed while a node joins)": "3343",
    "8080*": "8080",
    "443/tcp": "443/tcp",
    "53/TCP, 67/UDP": "53/tcp 67/udp",
    "80, 443/tcp": "80/tcp 443/tcp",
    "TCP 80, 443": "80/tcp 443/tcp",
    "tcp/22": "22/tcp",
    "TCP:22": "22/tcp",
    "443tcp": "443/tcp",
    "443 (TCP)": "443/tcp",
    "53 TCP/UDP": "53/tcp+udp",
    "53 TCP and UDP": "53/tcp+udp",
    "1433, 1434 (UDP)": "1433 1434/udp",
    "5985 for HTTP, 5986 for HTTPS": "5985 5986",
    "80 TCP 53 UDP": "80/tcp 53/udp",
    "80/tcp 53/udp": "80/tcp 53/udp",
    "TCP 80 UDP 53": "80/tcp 53/udp",
    "TCP 80/UDP 53": "80/tcp 53/udp",
    "The HTTP port is TCP 80, and the HTTPS port is TCP 443.": "80/tcp 443/tcp",
    "No port number": "",
    "n/a": "",
    "Ephemeral": "",
    "any": "",
}
"""A cell's line to the ports that are read of it, with a transport where the cell has one."""


@pytest.mark.parametrize(("cell", "expected"), PORTS.items())
def test_ports_are_read_as_people_write_them(cell: str, expected: str) -> None:
    read = read_ports((cell,))
    shown = [
        "-".join(dict.fromkeys(map(str, item.numbers))) + f"/{'+'.join(item.transports)}".rstrip("/")
        for line in read.lines
        for item in line
    ]
    assert (" ".join(shown), read.unread) == (expected, ())


@pytest.mark.parametrize(
    "cell",
    [
        "70000",
        "0",
        "5000-4000",
        "5800+",
        "1024 and above",
        "> 1023",
        "80 TCP port 53",
        "2.0",
        "10.0.0.1",
        "IPv6",
        "3des",
        "version 2",
        "1-",
        "1 -",
        "1024\u2013",
        "-1024",
        "1024 to",
    ],
)
def test_a_number_that_is_no_port_is_named_and_not_taken(cell: str) -> None:
    assert read_ports((cell,)).lines == ()
    assert read_ports((cell,)).unread == (cell,)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("3343 (needed while a node joins)", "(needed while a node joins)"),
        ("443 by default", "443 by default"),
        ("5985 for HTTP, 5986 for HTTPS", "5985 for HTTP, 5986 for HTTPS"),
    ],
)
def test_a_cell_that_says_more_than_ports_is_quoted(cell: str, said: str) -> None:
    assert read_ports((cell,)).remarks == (f'{SAYS_MORE}: "{said}"',)
    assert read_ports(("443, 8443",)).remarks == ()


def test_a_condition_in_a_cell_of_ports_is_pointed_at() -> None:
    assert read_ports(("3343 (only on clusters)",)).remarks == (
        f'{SAYS_MORE}: "(only on clusters)"',
        '"only" is a sign of level: conditional',
    )


@pytest.mark.parametrize("cell", ["5,000", "1,024-65,535", "49,152 - 65,535", "5 000", "80, 5,000"])
def test_a_number_with_a_thousands_comma_is_not_read_as_two(cell: str) -> None:
    read = read_ports((cell,))
    assert read.lines == ()
    assert read.unread == (f"{cell} ({THOUSANDS})",)


def test_a_list_that_may_be_a_number_is_read_and_pointed_at() -> None:
    assert read_ports(("22,443",)).remarks == ('"22,443" was read as two ports, not as one number',)
    assert read_ports(("80,443",)).remarks == ()  # 80443 is no port
    assert len(read_ports(("22,443",)).lines[0]) == 2


@pytest.mark.parametrize("cell", ["8080,sctp", "8080/sctp", "36412 (SCTP)", "TCP 80, SCTP 36412"])
def test_ports_of_another_transport_are_not_taken_for_tcp(cell: str) -> None:
    read = read_ports((cell,))
    assert read.lines == ()
    assert "is no transport that portcheck knows" in read.unread[0]


PROTOCOLS = {
    "TCP": "tcp",
    "udp": "udp",
    "TCP/UDP": "tcp udp",
    "TCP + UDP": "tcp udp",
    "TCP, UDP": "tcp udp",
    "UDP and TCP": "udp tcp",
    "both": "tcp udp",
    "TCP/IP": "tcp",
    "6": "tcp",
    "17": "udp",
    "IP protocol 47": "gre",
    "GRE (47)": "gre",
    "ESP": "esp",
    "AH": "ah",
    "ICMPv6": "icmp",
    "HTTPS": "",
    "": "",
}


@pytest.mark.parametrize(("cell", "expected"), PROTOCOLS.items())
def test_transports_are_read_as_people_write_them(cell: str, expected: str) -> None:
    read = read_transports((cell,))
    assert (" ".join(read.all), read.remarks) == (expected, ())


def test_a_slip_of_the_pen_is_read_and_said() -> None:
    assert [str(each) for each in read_transports(("TP",)).all] == ["tcp"]
    assert read_transports(("TP",)).remarks == ('"TP" was read as TCP',)
    assert read_transports(("UPD",)).remarks == ('"UPD" was read as UDP',)
    assert read_transports(("UDP and DTLS",)).remarks == ('"DTLS" was not read',)


ROLES = {
    "master": "master",
    "agent/master": "agent master",
    "Agent, Master": "agent master",
    "client and server": "client server",
    "vCenter Server": "vcenter-server",
    "localhost": "localhost",
    "localhost(master)": "master",
    "public IP": "any",
    "Any": "any",
    "*": "any",
    "Internet": "internet",
    "agent/master (may change)": "agent master",
    "None": "",
    "n/a": "",
    "10.0.0.0/8": "",
    "Whichever machine the operators happen to use": "",
    "node, and back": "node",
    "node and back": "node",
    "web, and database": "web database",
    "each other": "",
}


@pytest.mark.parametrize(("cell", "expected"), ROLES.items())
def test_roles_are_read_where_they_look_like_names(cell: str, expected: str) -> None:
    read = read_roles((cell,))
    assert " ".join(read.roles) == expected
    assert read.is_readable == bool(expected)


@pytest.mark.parametrize("cell", ["node, and back", "node and vice versa", "node, both directions", "vice versa"])
def test_the_way_back_is_no_role(cell: str) -> None:
    read = read_roles((cell,))
    assert read.and_back
    assert set(read.roles) <= {"node"}


HEADINGS = {
    "Application protocol|Protocol|Ports": "service protocol port",
    "Application|Protocol| Port": "service protocol port",
    "Port|Protocol|Application protocol|System service name": "port protocol service owner",
    "Port|Protocols|Use": "port protocol service",
    "Port|DC/OS Component|systemd Unit|Source|Destination": "port service unit source destination",
    "Service|TCP|UDP|Notes": "service tcp udp other",
    "Service|TCP Port|UDP Ports": "service tcp udp",
    "From|To|Port/Protocol|Description": "source destination port service",
    "Port(s)|TCP/UDP|Purpose": "port protocol service",
    "Source port|Destination port|Transport": "other port protocol",
    "Port name|Port number": "service port",
    "Direction|Port|Purpose": "direction port service",
    "Name|Size": "service other",
    "Port|L4|Rule": "port protocol other",
    "Port|Layer 4|Purpose": "port protocol service",
    "Port|Protokoll|Dienst|Quelle|Ziel": "port protocol service source destination",
    "Port|Von|Nach|Beschreibung": "port source destination service",
    "Src|Dst|Port": "source destination port",
    "Quellport|Zielport|Richtung": "other port direction",
}


@pytest.mark.parametrize(("row", "expected"), HEADINGS.items())
def test_columns_are_known_by_their_headings(row: str, expected: str) -> None:
    assert " ".join(read_headings(row.split("|"))) == expected


def test_a_long_name_is_cut_and_a_sentence_is_not_copied() -> None:
    sentence = "Synchronising the clocks of all machines, which the audit log depends on, by the time protocol (NTP)."
    assert read_service((sentence,)).text == "Synchronising the clocks of all machines"
    assert read_service(("S3, if you turn the S3 interface on for the cluster",)).text == "S3"
    assert read_service(("Exhibitor, or ZooKeeper and Exhibitor",)).text == "Exhibitor, or ZooKeeper and Exhibitor"
    assert label_of(("The HTTP port is TCP 80, and the HTTPS port is TCP 443.",)) == "TCP 80, TCP 443"
    assert label_of(("389", "636")) == "389, 636"
    assert label_of(("3343 (this is needed while a node joins)",)) == "3343"


MENTIONS = {
    "UDP port 123 is open": "UDP port 123=123/udp",
    "Port 3702 (UDP) is used": "Port 3702 UDP=3702/udp",
    "port 445/TCP, and": "port 445/TCP=445/tcp",
    "NAT-T (UDP port 4500)": "UDP port 4500=4500/udp",
    "UDP on port 500": "UDP on port 500=500/udp",
    "TCP port 9389.": "TCP port 9389=9389/tcp",
    "ESP is IP protocol 50": "IP protocol 50=esp",
    "TCP and UDP port 53": "TCP and UDP port 53=53/tcp+udp",
    "TCP ports between 1024 to 5000 and 49152 to 65535": (
        "TCP ports between 1024 to 5000 and 49152 to 65535=1024-5000,49152-65535/tcp"
    ),
    "a TCP port between ports 1025 and 5000": "TCP port between ports 1025 and 5000=1025-5000/tcp",
    "It uses TCP. By default it listens on port 48885.": "port 48885=48885/",
    "The TCP binding is on port 48885.": "port 48885=48885/tcp",
    "TCP/IP ports, port 80": "port 80=80/",
    "Allow ICMP4, ICMP6, and port 445/TCP": "ICMP4, ICMP6=icmp port 445/TCP=445/tcp",
    "an ICMPv6 echo or ICMP": "ICMPv6=icmp ICMP=icmp",
    "port 5,000 (TCP), ports 1,024-65,535": "port 5,000 TCP= ports 1,024-65,535=",
    "443/tcp and 53/udp": "443/tcp=443/tcp 53/udp=53/udp",
    "2 ports, 3 hosts, version 2.0, 10.0.0.1": "",
    "port 99999": "",
}


@pytest.mark.parametrize(("text", "expected"), MENTIONS.items())
def test_ports_in_sentences(text: str, expected: str) -> None:
    shown = []
    for mention in mentions(text):
        numbers = ",".join("-".join(dict.fromkeys(map(str, each))) for each in mention.numbers)
        transports = "+".join(mention.transports)
        shown.append(f"{mention.words}={numbers}/{transports}" if numbers else f"{mention.words}={transports}")
    assert " ".join(shown) == expected


def test_a_limit_is_no_port() -> None:
    (mention,) = mentions("TCP ports that are higher than port 1024 are used")
    assert mention.why_not == LIMIT


# -------------------------------------------------------------------------------------------------- pages

CLUSTER = """\
---
layout: page
title: "Cluster Ports"
permalink: /cluster/ports.html
---

Ports must be free. More ports belong to add-ons.

## All nodes

### TCP

| Port | Cluster Component | systemd Unit | Source | Destination |
|---|---|---|---|---|
| 61003 | Volumes | `volumes.service` | agent/master (may change)| agent/master (may change) |
| 61091 | metrics | `metrics.service` | agent/master | agent/extra |

### UDP

| Port | Cluster Component | systemd Unit | Source | Destination |
|---|---|---|---|---|
| 64000 | Overlay | `overlay.service`| agent/master | agent/master |

**Note:** UDP port 123 is for NTP.

## Master

### TCP

| Port | Cluster Component | systemd Unit | Source | Destination |
|---|---|---|---|---|
| 53    | DNS | `dns.service` | agent/master | agent/master |
| 80    | Router (HTTP) | `router.service` |public IP| master |
| 1337  | Secrets |  `secrets.service` [enterprise type="inline" size="small" /] | localhost| localhost(master) |
| 1025-2180 | Tasks | Any task | agent | 10.0.0.0/8 |
| Ephemeral | Packages | `packages.service` | None | None |
"""


def test_a_page_with_sources_and_destinations(tmp_path: Path) -> None:
    draft = drafted(CLUSTER, tmp_path)
    assert (draft.title, draft.url, draft.tables) == ("Cluster Ports", "/cluster/ports.html", 3)
    assert flows(draft) == [
        "Volumes: 61003/tcp from agent,master to agent,master",
        "metrics: 61091/tcp from agent,master to agent,extra",
        "Overlay: 64000/udp from agent,master to agent,master",
        "All nodes / UDP: 123/udp from any to host",
        "DNS: 53/tcp from agent,master to agent,master",
        "Router (HTTP): 80/tcp from any to master",
        "Secrets: 1337/tcp from localhost to master",
        "Tasks: 1025-2180/tcp from agent to host",
    ]
    assert [entry.unit for entry in draft.entries][-3:] == ["router.service", "secrets.service", ""]
    assert draft.entries[-1].doubts == (NO_DESTINATION,)
    assert draft.entries[3].doubts == (FROM_TEXT,)
    assert unread(draft, Kind.ROW) == [(36, "Ephemeral", "no port number")]
    remarks = {entry.line: entry.remarks for entry in draft.entries if entry.remarks}
    assert remarks == {
        15: ("the source or the destination says more than roles",),
        34: ('a mark was not read: "[enterprise type="inline" size="small" /]"',),
        35: ("the unit cell names no unit",),
    }


def test_a_section_is_named_by_as_many_headings_as_it_takes(tmp_path: Path) -> None:
    sections = [section for section, _ in asked(drafted(CLUSTER, tmp_path))]
    assert list(dict.fromkeys(sections)) == ["All nodes / TCP", "All nodes / UDP", "Master / TCP"]


def test_headings_above_are_left_out_unless_they_have_ports_of_their_own(tmp_path: Path) -> None:
    table = f"{HEAD}| 1 | TCP | x |\n\n"
    text = f"# Ports\n\n## Services\n\n### Mail\n\n{table}#### Relays\n\n{table}### Web\n\n{table}"
    assert [section for section, _ in asked(drafted(text, tmp_path))] == ["Mail", "Mail / Relays", "Web"]
    assert drafted(text, tmp_path).title == "Ports"


def test_a_caption_tells_tables_under_one_heading_apart(tmp_path: Path) -> None:
    text = f"## Replication\n\nOld hosts\n\n{HEAD}| 1 | TCP | x |\n\nNew hosts:\n\n{HEAD}| 2 | TCP | x |\n"
    sections = [section for section, _ in asked(drafted(text, tmp_path))]
    assert sections == ["Replication / Old hosts", "Replication / New hosts"]


FILER = """\
---
title: "Ports of the filer"
---

{{site.data.alerts.note}}
<ul>
  <li>Communication <em>between</em> nodes must be possible on any port.</li>
</ul>
{{site.data.alerts.end}}

## Inbound Connections

<table>
  <thead>
    <tr>
      <th>Port</th>
      <th>Protocols</th>
      <th>Use</th>
    </tr>
  </thead>
  <tbody>
    <tr>
      <td>22</td>
      <td>
        <p>TCP</p>
      </td>
      <td>SSH</td>
    </tr>

    <tr>
      <td>2049</td>
      <td>TCP<br>UDP</td>
      <td>
        <p><code>NFS</code> or MOUNT</p>
        <p>
          {% include note.html content="UDP on 2050 is for old clients&mdash;only." %}
        </p>
      </td>
    </tr>
    <tr><td>32768-60999</td><td>TCP</td><td>FTP Passive Mode</td></tr>
  </tbody>
</table>

## Outbound Connections

<table>
  <tr><th>Port</th><th>Protocols</th><th>Use</th></tr>
  <tr><td>389<br>636</td><td>TCP</td><td>LDAP<sup>1</sup></td></tr>
</table>
"""


def test_html_tables_in_markdown(tmp_path: Path) -> None:
    draft = drafted(FILER, tmp_path)
    assert flows(draft) == [
        "SSH: 22/tcp from any to host",
        "NFS or MOUNT: 2049/tcp+udp from any to host",
        "FTP Passive Mode: 32768-60999/tcp from any to host",
        "LDAP: 389,636/tcp from host to peer",
    ]
    assert [(entry.section, entry.row, entry.line) for entry in draft.entries] == [
        ("Inbound Connections", "22", 22),
        ("Inbound Connections", "2049", 30),
        ("Inbound Connections", "32768-60999", 40),
        ("Outbound Connections", "389, 636", 48),
    ]
    text = as_yaml(draft, "draft", "page.md")
    assert "include" not in text
    assert "old clients" not in text


SERVICES = """\
# Service overview

### Directory (local authority)

TCP ports between 1024 to 5000 are needed. ISAKMP (UDP port 500) and IP protocol 50 too. See port 636.

System service name: **LSASS**.

|Application protocol|Protocol|Ports|
|---|---|---|
|Catalog|TCP|3269|
|ICMP||No port number|
|ISAKMP|UDP|500|
|LDAP SSL|TCP|**636**|
|RPC randomly allocated high TCP ports\u00b9|TCP|1024 - 5000<br/>49152 - 65535\u00b2|
||||

\u00b9 For more information about port 9999, see the references.

### Policy

|Application protocol|Protocol| Ports|
|---|---|---|
|NetBIOS|UDP|138\u00b3|
|`Echo`|TP|7|
|DCOM|TCP + UDP|**random port number between 1024 - 65535**<br/>**random port number between 49152 - 65535**\u00b2|
|ICMP (ping)\u00b3|ICMP|
|RPC|TCP|135<br/>**random port number between 1024 - 65535**|
|SMB|TCP|445, 139|
|Cluster|UDP and DTLS\u00b9|3343|
|Control|TCP/UDP|1745 (note 3)|
|WinRM 2.0|TP|The default HTTP port is TCP 5985, and the default HTTPS port is TCP 5986.|
||||

## Ports and protocols

|Port|Protocol|Application protocol|System service name|
|---|---|---|---|
|n/a|GRE|GRE (IP protocol 47)|Routing|
|n/a|ESP|IPsec ESP (IP protocol 50)|Routing|
|n/a|AH|IPsec AH (IP protocol 51)|Routing|
|135|TCP|RPC|Message Queuing|
|135|TCP|RPC|Fax Service|
|135|TCP|RPC|Fax Service|
|2703|UPD|Chat|Agent|
|||||
"""


def test_a_page_of_many_services(tmp_path: Path) -> None:
    draft = drafted(SERVICES, tmp_path)
    assert draft.title == "Service overview"
    by_section: dict[str, list[str]] = {}
    for section, ports in asked(draft):
        by_section.setdefault(section, []).append(ports)
    assert by_section == {
        "Directory (local authority)": [
            *("esp", "3269/tcp", "icmp", "500/udp", "636/tcp", "1024-5000/tcp", "49152-65535/tcp"),
        ],
        "Policy": [
            *("138/udp", "7/tcp", "1024-65535/tcp", "1024-65535/udp", "49152-65535/tcp", "49152-65535/udp", "icmp"),
            *("135/tcp", "1024-65535/tcp", "445,139/tcp", "3343/udp", "1745/tcp+udp", "5985,5986/tcp"),
        ],
        "Ports and protocols": ["gre", "esp", "ah", "135/tcp", "135/tcp", "2703/udp"],
    }
    assert {entry.unit for entry in draft.entries if entry.section.startswith("Directory") and not entry.doubts} == {
        "LSASS"
    }
    assert [entry.service for entry in draft.entries if entry.row == "135"] == [
        "RPC (Message Queuing)",
        "RPC (Fax Service)",
    ]
    assert unread(draft, Kind.ROW) == [(44, "135", "says the same as line 43")]
    assert unread(draft, Kind.TEXT) == [(18, "port 9999", "the sentence names no protocol")]


def test_a_draft_has_no_digit_of_a_footnote(tmp_path: Path) -> None:
    document = as_document(drafted(SERVICES, tmp_path), tmp_path)
    numbers = {number for each in document.expectations for ports in each.ports for number in (ports.first, ports.last)}
    assert numbers & {1383, 655352, 1381, 33431, 13} == set()


def test_ranges_listen_in_some_ports(tmp_path: Path) -> None:
    document = as_document(drafted(SERVICES, tmp_path), tmp_path)
    for expectation in document.expectations:
        is_long = any(len(ports.numbers()) > 16 for ports in expectation.ports)
        assert (expectation.listen is Listen.SOME) == is_long


HTML = """\
<!DOCTYPE html>
<html><head><title>Shop ports | Example docs</title><style>td { color: red }</style></head>
<body><nav><p>port 1 (TCP)</p></nav>
<!-- <table><tr><th>Port</th></tr><tr><td>99/tcp</td></tr></table> -->
<table><tr><td>
<h1>Shop ports</h1>
<h2>Back end</h2>
<p>The cache uses TCP
port 6379 as well.</p>
<table>
<tr><th colspan="3">Required</th></tr>
<tr><th>Service</th><th>From</th><th>Port / protocol</th></tr>
<tr><td rowspan="2">Database</td><td>web</td><td>5432/tcp</td></tr>
<tr><td>any</td><td>5433/tcp<script>alert(1)</script></td></tr>
<tr><td>Time<sup>2</sup></td><td>Wherever the operators please to sit</td><td>123<sup>1</sup></td></tr>
</table>
<table><tr><th>Size</th><th>Price</th></tr><tr><td>1</td><td>2</td></tr></table>
</td></tr></table></body></html>
"""


@pytest.mark.parametrize("name", ["page.html", "page.HTM", "page"])
def test_a_page_of_html(tmp_path: Path, name: str) -> None:
    draft = drafted(HTML, tmp_path, name)
    assert draft.title == "Shop ports"
    assert flows(draft) == [
        "Back end: 6379/tcp from any to host",
        "Database: 5432/tcp from web to host",
        "Database: 5433/tcp from any to host",
        "Time: 123/tcp from any to host",
    ]
    assert [entry.line for entry in draft.entries] == [8, 13, 14, 15]
    assert draft.entries[-1].doubts == (NO_SOURCE, GUESSED)
    assert unread(draft, Kind.TABLE) == [(17, "a table", "it has no column of ports")]


def html(*rows: str) -> str:
    return f"<!doctype html><h1>Shop</h1><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


TWO_ROWS = {
    "marked": (
        "<th rowspan=2>Service</th><th colspan=2>Port</th>",
        "<th>TCP</th><th>UDP</th>",
    ),
    "not marked": (
        "<td rowspan=2>Service</td><td colspan=2>Ports</td>",
        "<td>TCP</td><td>UDP</td>",
    ),
    "not spanning rows": (
        "<td></td><td colspan=2>Ports</td>",
        "<td>Service</td><td>TCP</td><td>UDP</td>",
    ),
    "below a title": (
        "<th colspan=3>Ports of the shop</th>",
        "<th rowspan=2>Service</th><th colspan=2>Port</th>",
        "<th>TCP</th><th>UDP</th>",
    ),
}


@pytest.mark.parametrize("headings", TWO_ROWS.values(), ids=TWO_ROWS)
def test_headings_in_two_rows(headings: tuple[str, ...], tmp_path: Path) -> None:
    rows = ("<td>Kerberos</td><td>88</td><td>464</td>", "<td>LDAP</td><td>389</td><td>389</td>")
    draft = drafted(html(*headings, *rows), tmp_path, "page.html")
    assert flows(draft) == [
        "Kerberos: 88/tcp from any to host",
        "Kerberos: 464/udp from any to host",
        "LDAP: 389/tcp from any to host",
        "LDAP: 389/udp from any to host",
    ]
    assert [(entry.row, entry.doubts) for entry in draft.entries] == [("88, 464", ())] * 2 + [("389", ())] * 2
    assert draft.unread == ()


def test_headings_in_two_rows_of_markdown_and_of_a_spreadsheet(tmp_path: Path) -> None:
    expected = ["LDAP: 389/tcp from any to host", "LDAP: 636/udp from any to host"]
    table = "| Service | Ports | |\n|---|---|---|\n| | TCP | UDP |\n| LDAP | 389 | 636 |\n"
    assert flows(drafted(table, tmp_path)) == expected
    sheet = "Shop,,\nService,Ports,\n,TCP,UDP\nLDAP,389,636\n"
    assert flows(drafted(sheet, tmp_path, "ports.csv")) == expected


def test_headings_over_the_ends_of_a_flow(tmp_path: Path) -> None:
    page = html(
        "<th colspan=2>Source</th><th colspan=3>Destination</th>",
        "<th>Host</th><th>Port</th><th>Host</th><th>Port</th><th>Protocol</th>",
        "<td>web</td><td>1024-65535</td><td>database</td><td>5432</td><td>TCP</td>",
    )
    draft = drafted(page, tmp_path, "page.html")
    assert flows(draft) == ["Shop: 5432/tcp from web to database"]
    assert [row for _, _, row in unread(draft, Kind.COLUMN)] == ["Source / Port"]


NOT_UNDERSTOOD = {
    "one heading over a port and a protocol": (
        ("<th>Use</th><th colspan=2>Port</th>", "<td>DNS</td><td>53</td><td>UDP</td>"),
        "its headings could not be understood: Port, Port",
    ),
    "ports of two directions": (
        (
            "<th rowspan=2>Use</th><th colspan=2>Inbound</th><th colspan=2>Outbound</th>",
            "<th>TCP</th><th>UDP</th><th>TCP</th><th>UDP</th>",
            "<td>DNS</td><td></td><td>53</td><td>54</td><td></td>",
        ),
        "its headings could not be understood: Inbound / TCP, Outbound / TCP",
    ),
    "two directions in one row": (
        ("<th>Inbound port</th><th>Outbound port</th>", "<td>53/udp</td><td>54/udp</td>"),
        "its headings could not be understood: Inbound port, Outbound port",
    ),
    "two directions of TCP in one row": (
        ("<th>TCP port in</th><th>TCP port out</th>", "<td>53</td><td>54</td>"),
        "its headings could not be understood: TCP port in, TCP port out",
    ),
    "headings without end": (
        ("<th rowspan=99>Use</th><th>Port</th>", "<th>a</th>", "<td>53/udp</td>"),
        "its headings take more rows than can be understood",
    ),
}


@pytest.mark.parametrize(("rows", "why"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_a_table_whose_headings_are_not_understood_is_named_and_not_read(
    rows: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    page = f"{html(*rows)}<table><tr><th>Port</th></tr><tr><td>1/tcp</td></tr></table>"
    draft = drafted(page, tmp_path, "page.html")
    assert [ports for _, ports in asked(draft)] == ["1/tcp"]
    assert [each for _, _, each in unread(draft, Kind.TABLE)] == [why]


def test_a_cell_that_spans_rows_counts_for_each(tmp_path: Path) -> None:
    page = html(
        "<th>Port</th><th>Protocol</th><th>Service</th>",
        "<td rowspan=3>53</td><td>TCP</td><td rowspan=2>DNS</td>",
        "<td>UDP</td>",
        "<td>UDP</td><td rowspan=2>mDNS</td>",
        "<td>5353</td><td>UDP</td>",
        "<td rowspan=2>1</td><td rowspan=2>TCP</td><td rowspan=2>x</td>",
        "",
        "<td>2</td><td>TCP</td><td>y</td>",
    )
    assert flows(drafted(page, tmp_path, "page.html")) == [
        "DNS: 53/tcp from any to host",
        "DNS: 53/udp from any to host",
        "mDNS: 53/udp from any to host",
        "mDNS: 5353/udp from any to host",
        "x: 1/tcp from any to host",
        "y: 2/tcp from any to host",
    ]


def test_headings_that_come_again_begin_another_table(tmp_path: Path) -> None:
    page = html(
        "<th>Port</th><th>Use</th>", "<td>1/tcp</td><td>x</td>", "<th>Use</th><th>Port</th>", "<td>y</td><td>2/tcp</td>"
    )
    assert flows(drafted(page, tmp_path, "page.html")) == [
        "x: 1/tcp from any to host",
        "y: 2/tcp from any to host",
    ]


def test_a_row_that_is_wider_than_its_headings_is_named(tmp_path: Path) -> None:
    page = html("<th>Port</th>", "<td>1/tcp</td>", "<td>web</td><td>2/tcp</td>")
    draft = drafted(page, tmp_path, "page.html")
    assert [ports for _, ports in asked(draft)] == ["1/tcp"]
    assert [why for _, _, why in unread(draft, Kind.ROW)] == ["it has more cells than the table has headings"]


def test_a_transport_that_is_not_known_is_named(tmp_path: Path) -> None:
    rows = "| 5060 | SIP | calls |\n| 8080 | sctp | x |\n| 8081,sctp | | y |\n| 53 | n/a | z |\n"
    draft = drafted(HEAD + rows, tmp_path)
    assert [(ports, entry.doubts) for (_, ports), entry in zip(asked(draft), draft.entries, strict=True)] == [
        ("5060/tcp", ('"SIP" is no transport that portcheck knows; TCP is a guess.',)),
        ("53/tcp", (GUESSED,)),
    ]
    assert [(line, why) for line, _, why in unread(draft, Kind.ROW)] == [
        (4, '"sctp" is no transport that portcheck knows'),
        (5, 'no port: 8081,sctp ("sctp" is no transport that portcheck knows)'),
    ]


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    table = "| Port | Protocol | Service | Rule | |\n|---|---|---|---|---|\n| 22 | TCP | SSH | 7 | z |\n"
    draft = drafted(table, tmp_path)
    assert unread(draft, Kind.COLUMN) == [(1, "columns not read", "Rule, number 5")]
    assert "  line 1: columns not read: Rule, number 5" in render(draft, "page.md").split("\n")
    assert "# line 1, page.md: columns not read: Rule, number 5\n" in as_yaml(draft, "draft", "page.md")


def test_a_condition_in_a_column_that_is_not_read_is_quoted(tmp_path: Path) -> None:
    table = "| Port | Service | Notes |\n|---|---|---|\n| 22/tcp | SSH | Only for support |\n| 80/tcp | Web | fast |\n"
    draft = drafted(table, tmp_path)
    assert [entry.remarks for entry in draft.entries] == [
        ('the column "Notes" says: "Only for support"', '"only" is a sign of level: conditional'),
        (),
    ]


def test_short_ranges_listen_in_every_port_and_long_ones_in_some(tmp_path: Path) -> None:
    rows = "| 2379-2380 | TCP | etcd |\n| 1-16 | TCP | a |\n| 101-117 | TCP | b |\n| 101-117 | TCP | c |\n"
    draft = drafted(HEAD + rows, tmp_path)
    document = as_document(draft, tmp_path)
    assert [each.listen for each in document.expectations] == [
        *(Listen.SINGLE, Listen.SINGLE, Listen.SOME, Listen.SOME),
    ]
    assert as_yaml(draft, "draft", "page.md").count("  # TODO: is every port of the range open? If not, write lis") == 2
    assert render(draft, "page.md").split("\n")[2:] == [
        "Short ranges, taken as listen: single; is every port open?",
        "  line 3: 2379-2380/tcp",
        "  line 4: 1-16/tcp",
        "Ranges, taken as listen: some; is every port open?",
        "  line 5: 101-117/tcp, and 1 time more",
    ]


def test_what_has_no_heading_is_a_place_of_the_page_or_of_the_file(tmp_path: Path) -> None:
    table = f"{HEAD}| 22 | TCP | SSH |\n"
    assert [section for section, _ in asked(drafted(f"# Shop ports\n\n{table}", tmp_path))] == ["Shop ports"]
    assert [section for section, _ in asked(drafted(table, tmp_path))] == ["page.md"]
    draft = drafted("Port,Protocol\n22,tcp\n", tmp_path, "shop.csv")
    assert asked(draft) == [("shop.csv", "22/tcp")]


def test_the_way_back_is_left_to_the_author(tmp_path: Path) -> None:
    table = "| Port | Source | Destination |\n|---|---|---|\n| 22/tcp | web | node, and back |\n"
    draft = drafted(table, tmp_path)
    assert list(draft.roles) == ["node", "web"]
    assert draft.entries[0].remarks == ("connections go both ways; only one was taken: write the other as well",)


def test_marks_of_notes_are_left_out_and_named_once(tmp_path: Path) -> None:
    rows = "| 1745 (note 3) | TCP | Control (note 1, 4) |\n| 80* | TCP [2] | Web |\n| 81 (note 3) | TCP | * |\n"
    draft = drafted(HEAD + rows, tmp_path)
    assert [(entry.row, entry.service, entry.remarks) for entry in draft.entries] == [
        ("1745", "Control", ()),
        ("80", "Web", ()),
        ("81", "*", ()),
    ]
    marks = "(note 3), (note 1, 4), *, [2]"
    assert unread(draft, Kind.NOTE) == [(3, "marks of notes left out; read the notes", marks)]


def test_a_condition_that_is_cut_from_a_name_is_quoted(tmp_path: Path) -> None:
    rest = "if you enable it for the whole cluster, which takes a while and needs a restart of all of its nodes"
    draft = drafted(f"{HEAD}| 9000 | TCP | S3 API, {rest} |\n| 9001 | TCP | Backup (optional) |\n", tmp_path)
    assert [(entry.service, entry.remarks) for entry in draft.entries] == [
        (
            "S3 API",
            (f'was cut from the service: "{rest[:79]}…"', '"if" is a sign of level: conditional'),
        ),
        ("Backup (optional)", ('"optional" is a sign of level: conditional',)),
    ]
    text = as_yaml(draft, "draft", "page.md")
    assert f'  # TODO, line 3: was cut from the service: "{rest[:79]}…"\n' in text
    assert rest[:85] not in text


def test_icmp_in_a_sentence_is_taken_with_a_doubt(tmp_path: Path) -> None:
    text = f"## A\n\nAllow ICMP4, ICMP6, and port 445/TCP.\n\n{HEAD}| 445 | TCP | SMB |\n"
    draft = drafted(text, tmp_path)
    assert [(ports, entry.doubts) for (_, ports), entry in zip(asked(draft), draft.entries, strict=True)] == [
        ("icmp", (FROM_TEXT,)),
        ("445/tcp", ()),
    ]


def test_connections_that_the_hosts_make_go_the_other_way(tmp_path: Path) -> None:
    table = "| Direction | Ports | Protocol | Use |\n|---|---|---|---|\n"
    rows = (
        "| Inbound | 22 | TCP | SSH |\n| Outbound | 53 | UDP | DNS |\n| In/Out | 7 | TCP | Sync |\n| | 8 | TCP | x |\n"
    )
    draft = drafted(f"## Inbound and outbound\n\n{table}{rows}## Outgoing\n\n{HEAD}| 25 | TCP | Mail |\n", tmp_path)
    assert flows(draft) == [
        "SSH: 22/tcp from any to host",
        "DNS: 53/udp from host to peer",
        "Sync: 7/tcp from any to host",
        "x: 8/tcp from any to host",
        "Mail: 25/tcp from host to peer",
    ]
    both_ways = "the direction is both ways; only the way in was taken"
    assert [entry.service for entry in draft.entries if both_ways in entry.remarks] == ["Sync"]
    assert as_document(draft, tmp_path).roles["peer"].external


def test_a_short_line_of_another_section_is_no_caption(tmp_path: Path) -> None:
    table = f"{HEAD}| 1 | TCP | x |\n\n"
    text = f"## Old\n\n{table}See below\n\n## New\n\n{table}Rare:\n\n{HEAD}| 2 | TCP | x |\n"
    assert [section for section, _ in asked(drafted(text, tmp_path))] == ["Old", "New", "New / Rare"]


def test_a_row_of_hundreds_of_ports_is_left_out(tmp_path: Path) -> None:
    many = "<br>".join(",".join(str(port) for port in range(first, first + 50)) for first in range(1000, 1500, 50))
    draft = drafted(f"{HEAD}| {many} | TCP | x |\n| 1 | TCP | x |\n", tmp_path)
    assert [ports for _, ports in asked(draft)] == ["1/tcp"]
    assert [why for _, _, why in unread(draft, Kind.ROW)] == ["no port: more than 200 in one row"]


def test_separated_values(tmp_path: Path) -> None:
    text = 'Port;Protocol;Service;Source;Destination\n443;tcp;"Web; pages";any;web\n"53\n54";udp;DNS;web;dns\n'
    assert flows(drafted(text, tmp_path, "ports.csv")) == [
        "Web; pages: 443/tcp from any to web",
        "DNS: 53,54/udp from web to dns",
    ]
    tabs = "service\ttcp port\tudp port\nDNS\t53\t53\nSSH\t22\t\n"
    assert flows(drafted(tabs, tmp_path, "ports.tsv")) == [
        "DNS: 53/tcp from any to host",
        "DNS: 53/udp from any to host",
        "SSH: 22/tcp from any to host",
    ]


def test_columns_may_be_ticked(tmp_path: Path) -> None:
    rows = "| 53 | Yes | yes | DNS |\n| 22 | x | no | SSH |\n| 69 | | X | TFTP |\n"
    text = f"| Port | TCP | UDP | Use |\n|---|---|---|---|\n{rows}"
    assert [ports for _, ports in asked(drafted(text, tmp_path))] == ["53/tcp+udp", "22/tcp", "69/udp"]


def test_two_columns_of_the_same_name_tick_once(tmp_path: Path) -> None:
    draft = drafted("| Port | TCP | TCP |\n|---|---|---|\n| 80 | x | x |\n", tmp_path)
    assert [entry.ports for entry in draft.entries] == [(Ports(Transport.TCP, 80, 80),)]


def test_ports_and_protocols_side_by_side(tmp_path: Path) -> None:
    text = f"{HEAD}| 80<br>53 | TCP<br>UDP | x |\n| 1<br>2 | TCP<br>UDP<br>TCP | y |\n"
    assert [ports for _, ports in asked(drafted(text, tmp_path))] == ["80/tcp", "53/udp", "1,2/tcp+udp"]


def test_the_number_of_an_ip_protocol_is_no_port(tmp_path: Path) -> None:
    draft = drafted(f"{HEAD}| 47 | GRE | VPN |\n| 50 | ESP | VPN |\n| 443 | TCP | VPN |\n", tmp_path)
    assert [ports for _, ports in asked(draft)] == ["gre", "esp", "443/tcp"]


def test_a_missing_transport_is_a_guess_that_is_said(tmp_path: Path) -> None:
    draft = drafted("| Port | Service |\n|---|---|\n| 443 | Web |\n| 53/udp | DNS |\n", tmp_path)
    assert [ports for _, ports in asked(draft)] == ["443/tcp", "53/udp"]
    assert [entry.doubts for entry in draft.entries] == [(GUESSED,), ()]


def test_a_heading_gives_the_transport_but_tcp_ip_is_none(tmp_path: Path) -> None:
    table = "| Port | Service |\n|---|---|\n| 9 | x |\n\n"
    draft = drafted(f"# UDP ports\n\n## Discard\n\n{table}# TCP/IP services\n\n{table}", tmp_path)
    assert [(ports, bool(entry.doubts)) for (_, ports), entry in zip(asked(draft), draft.entries, strict=True)] == [
        ("9/udp", False),
        ("9/tcp", True),
    ]


def test_a_protocol_that_cannot_be_probed_is_left_out_and_named(tmp_path: Path) -> None:
    draft = drafted(f"{HEAD}| n/a | VRRP | failover |\n| 443 | TCP | web |\n", tmp_path)
    assert unread(draft, Kind.ROW) == [(3, "n/a", '"VRRP" is no transport that portcheck knows')]


def test_a_sentence_that_repeats_its_table_is_left_alone(tmp_path: Path) -> None:
    text = f"## A\n\nTCP port 443, port 80 and UDP port 443.\n\n{HEAD}| 443 | TCP | web |\n| 80 | TCP | web |\n"
    draft = drafted(text, tmp_path)
    assert [ports for _, ports in asked(draft)] == ["443/udp", "443/tcp", "80/tcp"]
    assert draft.unread == ()


def test_a_sentence_that_says_it_twice_is_one_entry(tmp_path: Path) -> None:
    text = f"It listens on UDP port 69. Open UDP port 69.\n\n{HEAD}| 1 | TCP | x |\n"
    assert [ports for _, ports in asked(drafted(text, tmp_path))] == ["69/udp", "1/tcp"]


def test_rows_that_differ_only_far_behind_are_one(tmp_path: Path) -> None:
    name = "x" * 400
    draft = drafted(
        f"{HEAD}| 1, 2 {name}a | TCP | y |\n| 2, 1 {name}b | TCP | y |\n| 1, 2 {name}c | TCP | y |\n", tmp_path
    )
    as_document(draft, tmp_path)
    assert [why for _, _, why in unread(draft, Kind.ROW)] == ["says the same as line 3"]


# ---------------------------------------------------------------------------------------------- the draft


@pytest.mark.parametrize("text", [CLUSTER, FILER, SERVICES], ids=["cluster", "filer", "services"])
def test_a_draft_is_a_document_with_every_entry_and_every_unread_row(text: str, tmp_path: Path) -> None:
    draft = drafted(text, tmp_path)
    document = as_document(draft, tmp_path)
    assert [(each.service, each.ports, each.sources, each.to) for each in document.expectations] == [
        (entry.service, entry.ports, entry.sources, entry.to) for entry in draft.entries
    ]
    assert [each.provenance.row for each in document.not_checkable] == [row for _, row, _ in unread(draft, Kind.ROW)]


def test_every_todo_has_the_line_of_its_page(tmp_path: Path) -> None:
    text = as_yaml(drafted(CLUSTER, tmp_path), "draft", "page.md")
    assert "  # TODO, line 35: the unit cell names no unit\n" in text
    assert 'reason: "TODO, line 36 was not read: no port number"' in text


BREAKING_OUT = [
    'x", to: [everybody]}',
    "x\n  - service: y",
    "x: {y: z}",
    "- x",
    "# x",
    "x # y",
    "&x",
    "*x",
    "!!python/object x",
    "yes",
    "null",
    "2026-01-01",
    "1e3",
    "'x'",
    "\\x41",
    "x\\",
    "{{ x }}",
    "\x1b[31mx",
    "\u202ex",
    "\u2028x",
    "\ufeffx",
    "x" * 500,
    "%",
    "@x",
    "| x",
    "> x",
    "? x",
    "---",
    "...",
]


@pytest.mark.parametrize("text", BREAKING_OUT)
def test_nothing_of_the_page_leaves_its_value(text: str, tmp_path: Path) -> None:
    row = Row((("443",), ("TCP",), (text,), (text,), (text,)), 3)
    head = Row((("Port",), ("Protocol",), ("Service",), ("Source",), ("Unit",)), 1)
    draft = draft_of(Page((Table((head, row), 1),), title=text, url=text))
    document = as_document(draft, tmp_path)
    (expectation,) = document.expectations
    assert [str(ports) for ports in expectation.ports] == ["443/tcp"]
    assert expectation.to == ("host",)
    assert as_yaml(draft, "draft", text).isascii() or all(
        line.isprintable() for line in as_yaml(draft, "draft", text).split("\n")
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(*[st.text(max_size=40)] * 6), min_size=1, max_size=4), number=st.integers(1, 65535))
def test_whatever_the_cells_hold_the_draft_is_a_document(
    cells: list[tuple[str, ...]], number: int, tmp_path: Path
) -> None:
    head = Row((("Port",), ("Protocol",), ("Service",), ("Source",), ("Destination",), ("Unit",)), 1)
    rows = [Row(tuple((cell,) if cell else () for cell in each), 2 + at) for at, each in enumerate(cells)]
    known = Row(((str(number),), ("TCP",), ("known",), ("any",), ("web",), ()), 99)
    draft = draft_of(Page((Table((head, *rows, known), 1),)))
    assert as_document(draft, tmp_path).expectations[-1].service == "known"


WORDS = [
    "| Port | Protocol |",
    "|---|---|",
    "| 443 | TCP |",
    "port 53 (UDP)",
    "<table>",
    "<tr><td>",
    "</table>",
    "<br>",
    "<tr><th rowspan=2>Port<th colspan=3>TCP",
    "<td colspan=0 rowspan=0>443",
    "Port,Protocol\n443,TCP\n",
]
WORDS += [
    "# A",
    "`",
    "**",
    "{%",
    "%}",
    "{{",
    "<!--",
    "-->",
    "<",
    "](",
    "---",
    "1.",
    "- ",
    "\n",
    "\n\n",
    "¹",
    "&amp;",
    "|",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=40).map("".join))
@pytest.mark.parametrize("suffix", [".md", ".html", ".csv"])
def test_any_page_gives_a_document_or_one_message(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"page{suffix}"
    path.write_bytes(text.encode("utf-8", "replace"))
    message = ""
    try:
        as_document(importing.import_page(path), tmp_path)
    except InputError:
        raise
    except PortcheckError as error:
        message = str(error)
    assert message.startswith(str(path)) or not message
    assert message.isprintable()


# ----------------------------------------------------------------------------------------- hostile and broken


def test_tags_that_are_never_closed_are_text(tmp_path: Path) -> None:
    """Python's own parser would take minutes for these."""
    page = f"{HTML}<p>{'<a ' * 100_000}"
    assert len(drafted(page, tmp_path, "page.html").entries) == 4


def test_a_deep_page_is_read(tmp_path: Path) -> None:
    page = f"{'<div>' * 5_000}{'<table><tr><td>' * 500}{HTML}"
    assert [entry.service for entry in drafted(page, tmp_path, "page.html").entries][1] == "Database"


def test_cells_that_span_more_than_there_is_do_not_multiply(tmp_path: Path) -> None:
    wide = '<tr><td rowspan="9999" colspan="9999">1</td></tr>'
    page = f"<table><tr><th>Port</th></tr>{wide * 50}</table>"
    table = next(block for block in read_markdown(page).blocks if isinstance(block, Table))
    assert max(len(row.cells) for row in table.rows) <= 128


def test_a_page_without_end_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"| {port} | TCP | x{port} |\n" for port in range(1, 4000))
    sentences = "Open TCP port 443. " * 4000
    with pytest.raises(PortcheckError, match="has more than 3,000 rows and sentences with ports; cut it into several"):
        drafted(f"{HEAD}| 1 | TCP | x |\n\n{sentences}", tmp_path)
    with pytest.raises(PortcheckError, match="has more than 3,000 rows and sentences with ports; cut it into several"):
        drafted(HEAD + rows, tmp_path)
    with pytest.raises(PortcheckError, match="is larger than 2 MiB; save only the part with the tables"):
        drafted("x" * (importing.MAX_BYTES + 1), tmp_path)


NOT_USABLE = {
    "no table": (
        b"# Ports\n\nNothing here.\n",
        "no table with a port column found; name a page of Markdown (.md), HTML (.html) or CSV (.csv)",
    ),
    "a table of something else": (b"|Size|\n|---|\n|1|\n", "no table with a port column found"),
    "only a sentence": (b"TCP port 443 is used.\n", "no table with a port column found"),
    "no port in it": (
        b"|Port|Use|\n|---|---|\n|none|x|\n",
        "no row with a port that can be read in its tables (line 3: no port",
    ),
    "empty rows": (
        b"|Port|Use|\n|---|---|\n|||\n",
        "no row with a port that can be read in its tables (they are empty)",
    ),
    "empty": (b"", "is empty; save the page again"),
    "only white space": (b"\xef\xbb\xbf \r\n\t\n", "is empty; save the page again"),
    "headings on the left": (
        b"<!doctype html><table><tr><th>Port</th><td>80</td></tr><tr><th>Use</th><td>Web</td></tr></table>",
        "no table with a port column found",
    ),
    "one heading over two columns": (
        b"<!doctype html><table><tr><th colspan=2>Port</th><th>Use</th></tr><tr><td>53</td><td>UDP</td><td>x</td></tr>"
        b"</table>",
        "no table whose headings can be understood (line 1: its headings could not be understood: Port, Port)",
    ),
    "binary": (b"\x00\x01", "is a binary file; save the page as Markdown, HTML or CSV in UTF-8"),
    "another encoding": (b"|Port|\n|\xe9|\n", "byte 0xe9 is not UTF-8; save it as UTF-8"),
}


@pytest.mark.parametrize(("content", "message"), NOT_USABLE.values(), ids=NOT_USABLE)
def test_a_page_that_cannot_be_used_is_one_message(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_bytes(content)
    done = portcheck("documents", "import", str(path))
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith(f"portcheck: {path}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", HEAD + "| 1 | TCP | x |\n" * 90_000),
        ("page.html", f"<table><tr><th>Port</th></tr>{'<tr><td>1</td></tr>' * 90_000}"),
        ("page.csv", "Port,Protocol\n" + "1,tcp\n" * 90_000),
        ("page.txt", "Port,Protocol\n" + "1,tcp\n" * 90_000),
    ],
)
def test_too_many_rows_are_refused_before_they_are_read(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them took 14 s, only to be refused."""
    monkeypatch.setattr(importing, "draft_of", None)
    with pytest.raises(PortcheckError, match="has more than 5,000 rows in its tables; cut it into several files"):
        drafted(text, tmp_path, name)


def test_separated_values_are_known_by_their_ending_or_by_their_headings(tmp_path: Path) -> None:
    assert flows(drafted("Port,Protocol,Service\n22,tcp,SSH\n", tmp_path, "ports.txt")) == [
        "SSH: 22/tcp from any to host"
    ]
    with pytest.raises(PortcheckError, match=r"no table with a port column found; .* CSV \(\.csv\)"):
        drafted("The port, and more.\nNothing else, really.\n", tmp_path, "text.txt")


@pytest.mark.parametrize("text", ["22,tcp,ssh\n23,tcp,telnet\n", "22/tcp;ssh\n", "Name,Size\na,1\n"])
def test_separated_values_without_headings_are_one_message(text: str, tmp_path: Path) -> None:
    with pytest.raises(PortcheckError, match="no column of ports found; the first row must be the headings, for exam"):
        drafted(text, tmp_path, "ports.csv")


def test_a_broken_csv_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "ports.csv"
    path.write_text(f"Port,Use\n443,{'x' * 200_000}\n", encoding="utf-8")
    done = portcheck("documents", "import", str(path))
    assert (done.status, done.out) == (2, "")
    assert "line 2: not readable as CSV (field larger than field limit" in done.err


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.md", "missing.md: no such file; check the spelling and the working directory"),
        (".", ".: is a directory; name a page in it"),
        ("\x1b.md", "\\x1b.md: no such file"),
    ],
)
def test_a_path_that_is_no_page(path: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    done = portcheck("documents", "import", path)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


# ---------------------------------------------------------------------------------------------- the command


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a page in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("Shop Ports.md").write_text(CLUSTER, encoding="utf-8")
    return "Shop Ports.md"


def test_the_draft_is_on_stdout_and_the_account_on_stderr(page: str) -> None:
    done = portcheck("documents", "import", page)
    assert done.status == 0
    assert done.out.startswith("# A draft, made by portcheck from Shop Ports.md.\n")
    assert "\nid: shop-ports\ntitle: Cluster Ports\n" in done.out
    assert done.err == (
        "Shop Ports.md: 8 entries from 3 tables with a column of ports\n"
        "     2  All nodes / TCP\n"
        "     2  All nodes / UDP\n"
        "     4  Master / TCP\n"
        "In the text, not in a table, and taken with a doubt:\n"
        "  line 24: UDP port 123 (All nodes / UDP)\n"
        "Read, but read it again:\n"
        "  line 15: 61003: the source or the destination says more than roles\n"
        '  line 34: 1337: a mark was not read: "[enterprise type="inline" size="small" /]"\n'
        f"  line 35: 1025-2180: the unit cell names no unit; {NO_DESTINATION}\n"
        "Ranges, taken as listen: some; is every port open?\n"
        "  line 35: 1025-2180/tcp\n"
        "Rows that were not read, or not as a whole:\n"
        "  line 36: Ephemeral: no port number\n"
        "Settle the doubts and TODOs beside the page, then: portcheck documents lint FILE\n"
    )


def test_the_draft_can_be_kept_and_linted(page: str) -> None:
    kept = portcheck("documents", "import", page, "--id", "shop-2", "-o", "shop-2.yaml")
    assert (kept.status, kept.out) == (0, "")
    assert kept.err.endswith("then: portcheck documents lint shop-2.yaml\n")
    linted = portcheck("documents", "lint", "shop-2.yaml")
    assert linted.status == 0
    assert "shop-2, 8 expectations, 1 not checkable: no errors" in linted.out
    assert sorted(path.name for path in Path().iterdir()) == ["Shop Ports.md", "shop-2.yaml"]


def test_the_id_comes_from_the_file(page: str) -> None:
    portcheck("documents", "import", page, "-o", "Shop 2.yaml")
    assert "\nid: shop-2\n" in Path("Shop 2.yaml").read_text(encoding="utf-8")
    assert [importing.id_for(name) for name in ("DC_OS 1.11.html", "---.md", "é.md", f"{'x' * 99}.md")] == [
        "dc-os-1.11",
        "draft",
        "draft",
        "x" * 64,
    ]


def test_work_on_a_draft_is_not_overwritten(page: str) -> None:
    Path("mine.yaml").write_text("mine", encoding="utf-8")
    done = portcheck("documents", "import", page, "-o", "mine.yaml")
    assert (done.status, done.out) == (2, "")
    assert done.err == ('portcheck: -o "mine.yaml" exists: name another file, or remove it if nobody worked on it.\n')
    assert Path("mine.yaml").read_text(encoding="utf-8") == "mine"


def test_a_page_that_cannot_be_used_leaves_no_file(page: str) -> None:
    Path("empty.md").write_text("", encoding="utf-8")
    assert portcheck("documents", "import", "empty.md", "-o", "draft.yaml").status == 2
    assert sorted(path.name for path in Path().iterdir()) == ["Shop Ports.md", "empty.md"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--id", "A b"), '"A b" is not an id; write small letters'),
        (("-o", "-"), "-o -: the draft is on stdout anyway; leave out -o."),
        (("-o", "nowhere/draft.yaml"), "cannot write to nowhere"),
    ],
)
def test_options_that_cannot_be_used(arguments: tuple[str, ...], message: str, page: str) -> None:
    done = portcheck("documents", "import", page, *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_a_long_account_is_cut(tmp_path: Path) -> None:
    rows = "".join(f"| many{number} | TCP | x |\n" for number in range(300))
    account = render(drafted(f"{HEAD}{rows}| 1 | TCP | x |\n", tmp_path), "page.md")
    assert "and 100 more, all of them in the draft" in account


def test_a_hostile_page_commands_no_terminal(tmp_path: Path) -> None:
    text = f"# \x1b[2J\n\n{HEAD}| 443 | TCP | \x1b]0;x\x07y |\n| \x1b[1m7x | TCP | z |\n"
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    done = portcheck("documents", "import", str(path))
    assert done.status == 0
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.out + done.err


def test_the_readers_are_loaded_when_a_page_needs_them() -> None:
    code = (
        "import sys\n"
        "from portcheck.cli import main\n"
        "try:\n    main(['documents', 'list'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('bs4', 'markdown_it') if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_an_entry_of_a_protocol_without_ports_is_no_range() -> None:
    (entry,) = draft_of(Page((Table((Row((("Port",), ("Protocol",)), 1), Row((("n/a",), ("GRE",)), 2)), 1),))).entries
    assert isinstance(entry, Entry)
    assert not entry.is_range
