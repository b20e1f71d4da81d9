"""The windows-server document against every row of Microsoft's article, and against what a domain really looks like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from portcheck.documents import find
from portcheck.engine.probe import Transport
from portcheck.model import (
    Answers,
    Check,
    Document,
    Expect,
    Expectation,
    Level,
    Listen,
    Plan,
    Sweep,
    SweepKind,
    Vantage,
    role_key,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from tests.samples import HERE, by_port, claimed, features, host, site

SUMMARY_TABLE = "Ports and protocols"
DEPENDS_ON = "Active Directory port and protocol requirements"

SECTIONS = {
    "Active Directory (local security authority)": (
        "9389/tcp 9389/tcp 3269/tcp 3268/tcp icmp 389/tcp 389/udp 636/tcp 500/udp 4500/udp 135/tcp "
        "1024-5000,49152-65535/tcp 445/tcp"
    ),
    "Application Layer Gateway service": "21/tcp",
    "ASP.NET State Service": "42424/tcp",
    "Certificate Services": "135/tcp 445,139/tcp 1024-65535,49152-65535/tcp",
    "Cluster service": "3343/udp 3343/tcp 135/tcp 137/udp 1024-65535,49152-65535/udp",
    "Computer Browser": "138/udp 137/udp 139/tcp",
    "Dynamic Host Configuration Protocol (DHCP) Server": "67/udp 2535/udp 647/tcp",
    "Distributed File System Namespaces": (
        "138/udp 139/tcp 389/tcp 389/udp 445/tcp 135/tcp 1024-65535,49152-65535/tcp"
    ),
    "Distributed File System Replication": "135/tcp 5722/tcp 1024-65535,49152-65535/tcp",
    "Distributed Link Tracking Server": "135/tcp 1024-65535,49152-65535/tcp",
    "Distributed Transaction Coordinator": "135/tcp 1024-5000,49152-65535/tcp",
    "DNS Server": "53/udp 53/tcp",
    "Event Log": "139/tcp 445/tcp 137/udp 138/udp",
    "Fax Service": "139/tcp 445/tcp 135/tcp 1024-65535,49152-65535/tcp",
    "File Replication": "135/tcp 1024-65535,49152-65535/tcp",
    "FTP Publishing Service": "21/tcp 20/tcp 1024-65535,49152-65535/tcp",
    "Group Policy": "1024-65535,49152-65535/tcp+udp icmp 389/tcp 445/tcp 135,1024-65535,49152-65535/tcp",
    "HTTP SSL": "443/tcp",
    "Hyper-V service / Hyper-V replica": "135/tcp 49152-65535/tcp 80/tcp 443/tcp",
    "Hyper-V service / Hyper-V live migration": "6600/tcp 445/tcp 3343/udp",
    "Internet Authentication Service": "1645/udp 1646/udp 1813/udp 1812/udp",
    "Internet Connection Firewall (ICF)/Internet Connection Sharing": "67/udp 53/udp 53/tcp",
    "ISA/TMG Server": (
        "2171/tcp 2173/tcp 2172/tcp 1025-65535/tcp+udp 1745/tcp+udp 3847/tcp 135/tcp "
        "1024-65535,10000-65535/tcp 2175/tcp 8080/tcp"
    ),
    "Kerberos Key Distribution Center": "88/tcp 88/udp 464/udp 464/tcp 389/udp",
    "License Logging": "138/udp 139/tcp 445/tcp",
    "Message Queuing": "1801/tcp 1801/udp 2101/tcp 2107/tcp 3527/udp 2105/tcp 2103/tcp 135/tcp",
    "Microsoft Exchange Message Transfer Agent (MTA) stacks": "102/tcp",
    "Microsoft POP3 service": "110/tcp",
    "Net Logon": "138/udp 137/udp 139/tcp 445/tcp 389/udp 135,1024-65535,49152-65535/tcp",
    "NetMeeting Remote Desktop Sharing": "3389/tcp",
    "Network News Transfer Protocol (NNTP)": "119/tcp 563/tcp",
    "Offline Files, User Profile Service, Folder Redirection, and Primary Computer": (
        "445/tcp 3269/tcp 3268/tcp 389/tcp 389/udp 636/tcp"
    ),
    "Performance Logs and Alerts": "139/tcp",
    "Print Spooler": "138/udp 137/udp 139/tcp 445/tcp",
    "Remote Installation": "4011/udp",
    "Remote Procedure Call (RPC)": "135/tcp 593/tcp 138/udp 137/udp 139/tcp 445/tcp",
    "Remote Procedure Call (RPC) Locator": "138/udp 137/udp 139/tcp 445/tcp",
    "Remote Storage Notification": "135/tcp 1024-65535,49152-65535/tcp",
    "Remote Storage": "135/tcp 1024-65535,49152-65535/tcp",
    "Routing and Remote Access": "gre ah esp 1701/udp 1723/tcp",
    "Server": "138/udp 137/udp 139/tcp 445/tcp",
    "SharePoint Portal Server": "80/tcp 443/tcp",
    "Simple Mail Transfer Protocol (SMTP)": "25/tcp",
    "Simple TCP/IP Services": "19/tcp 19/udp 13/tcp 13/udp 9/tcp 9/udp 7/tcp 7/udp 17/tcp 17/udp",
    "Simple Network Management Protocol (SNMP) Service": "161/udp",
    "SNMP Trap Service": "162/udp",
    "Simple Service Discovery Protocol (SSDP) Discovery Service": "1900/udp 2869/tcp 5000/tcp",
    "TCP/IP Print Server": "515/tcp",
    "Telnet": "23/tcp",
    "Terminal Services": "3389/tcp",
    "Terminal Services Licensing": "135/tcp 1024-65535,49152-65535/tcp 138/udp 137/udp 139/tcp 445/tcp",
    "Terminal Services Session Directory": "135/tcp 1024-65535,49152-65535/tcp",
    "Trivial FTP Daemon": "69/udp",
    "UPnP Device Host": "2869/tcp",
    "Windows Internet Name Service (WINS)": "137/udp 42/tcp 42/udp",
    "Windows Media Services": "80/tcp 1755/tcp 1755/udp 2460/udp 5005/udp 5004/udp 554/tcp",
    "Windows Remote Management (WinRM)": "80,443/tcp 5985,5986/tcp",
    "Windows Time": "123/udp 123/udp",
    "World Wide Web Publishing Service": "80/tcp 443/tcp",
}
"""The table of each service: one word for each row, with the numbers of its cell; footnotes are no digits."""

SUMMARY = {
    "Routing and Remote Access": "gre esp ah 1701/udp 1723/tcp",
    "Simple TCP/IP Services": "7/tcp 7/udp 9/tcp 9/udp 13/tcp 13/udp 17/tcp 17/udp 19/tcp 19/udp",
    "FTP Publishing Service": "20/tcp 21/tcp",
    "Application Layer Gateway Service": "21/tcp",
    "Telnet": "23/tcp",
    "Simple Mail Transfer Protocol": "25/tcp",
    "Exchange Server": "25/tcp 110/tcp 135/tcp 143/tcp 593/tcp 993/tcp 995/tcp",
    "Windows Internet Name Service": "42/tcp 42/udp 137/udp",
    "DNS Server": "53/tcp 53/udp",
    "Internet Connection Firewall/Internet Connection Sharing": "53/tcp 53/udp 67/udp",
    "DHCP Server": "67/udp 2535/udp",
    "Trivial FTP Daemon Service": "69/udp",
    "Windows Media Services": "80/tcp 554/tcp 1755/tcp 1755/udp 2460/udp 5004/udp 5005/udp",
    "WinRM 1.1 and earlier": "80/tcp 443/tcp",
    "World Wide Web Publishing Service": "80/tcp 443/tcp",
    "SharePoint Portal Server": "80/tcp 443/tcp",
    "Kerberos Key Distribution Center": "88/tcp 88/udp 389/udp 464/udp 464/tcp",
    "Microsoft Exchange MTA Stacks": "102/tcp",
    "Microsoft POP3 Service": "110/tcp",
    "Network News Transfer Protocol": "119/tcp 563/tcp",
    "Windows Time": "123/udp 123/udp",
    "Message Queuing": "135/tcp 1801/tcp 1801/udp 2101/tcp 2103/tcp 2105/tcp 2107/tcp 3527/udp",
    "Remote Procedure Call": "135/tcp 593/tcp",
    "Certificate Services": "135/tcp",
    "Cluster Service": "135/tcp 3343/udp",
    "Distributed File System Namespaces": "135/tcp 139/tcp 389/tcp 389/udp 445/tcp",
    "Distributed Link Tracking": "135/tcp",
    "Distributed Transaction Coordinator": "135/tcp",
    "Distributed File Replication Service": "135/tcp",
    "Fax Service": "135/tcp 139/tcp 445/tcp",
    "Microsoft Exchange Server": "135/tcp",
    "File Replication Service": "135/tcp",
    "Group Policy": "135/tcp",
    "Local Security Authority": "135/tcp 389/tcp 389/udp 500/udp 636/tcp 636/udp 3268/tcp 3269/tcp 4500/udp",
    "Remote Storage Notification": "135/tcp",
    "Remote Storage": "135/tcp",
    "Systems Management Server 2.0": "135/tcp 137/udp 138/udp 139/tcp",
    "Terminal Services Licensing": "135/tcp",
    "Terminal Services Session Directory": "135/tcp",
    "Computer Browser": "137/udp 138/udp 139/tcp",
    "Server": "137/udp 138/udp 139/tcp 445/tcp",
    "Net Logon": "137/udp 138/udp 139/tcp 445/tcp",
    "Distributed File System": "138/udp",
    "License Logging Service": "138/udp 139/tcp 445/tcp",
    "Performance Logs and Alerts": "139/tcp",
    "Print Spooler": "139/tcp 445/tcp",
    "Remote Procedure Call Locator": "139/tcp 445/tcp",
    "SNMP Service": "161/udp",
    "SNMP Trap Service": "162/udp",
    "Netlogon": "389/udp",
    "Distributed File System Replication": "389/tcp 389/udp 445/tcp 5722/tcp",
    "HTTP SSL": "443/tcp",
    "Exchange Server 2003": "443/tcp 6001/tcp 6002/tcp 6004/tcp",
    "TCP/IP Print Server": "515/tcp",
    "DHCP Failover": "647/tcp",
    "Active Directory Web Services (ADWS)": "9389/tcp",
    "Active Directory Management Gateway Service": "9389/tcp",
    "Installation Bootstrap protocol server": "1067/tcp",
    "Installation Bootstrap protocol client": "1068/tcp",
    "Microsoft Operations Manager 2000": "1270/tcp 51515/tcp",
    "Microsoft SQL Server": "1433/tcp 1434/udp",
    "MSSQL$UDDI": "1433/tcp 1434/udp",
    "Internet Authentication Service": "1645/udp 1646/udp 1812/udp 1813/udp",
    "SSDP Discovery Service": "1900/udp 2869/tcp 5000/tcp",
    "SQL Server: Downlevel OLAP Client Support": "2393/tcp 2394/tcp",
    "SMS Remote Control Agent": "2701/tcp 2701/udp 2702/tcp 2702/udp 2703/tcp 2703/udp 2704/tcp 2704/udp",
    "SQL Server Analysis Services": "2725/tcp",
    "UPnP Device Host": "2869/tcp",
    "NetMeeting Remote Desktop Sharing": "3389/tcp",
    "Terminal Services": "3389/tcp",
    "Remote Installation": "4011/udp",
    "ASP.NET State Service": "42424/tcp",
    "WinRM 2.0": "5985/tcp 5986/tcp",
    "Randomly allocated high TCP ports": "1024-65535/tcp",
    "Hyper-V service": "135/tcp 49152-65535/tcp 80/tcp 443/tcp",
    "Hyper-V Live Migration": "6600/tcp 445/tcp 3343/udp",
}
"""The table of all ports, by the service that it names: one word for each row."""

AS_READ = {"1024-5000": "1025-5000", "1024-65535": "1025-5000"}
"""The dynamic range of Windows before Vista, where the tables write something else."""

PROSE = {
    ("Active Directory (local security authority)", "Text: IP protocol 50"): "esp",
    ("Application Layer Gateway service", "Text: 3000 to 5000"): "3000-5000/tcp",
    ("Cluster service", "Note: ICMP4 and ICMP6"): "icmp",
    ("Cluster service", "Note: 445/TCP"): "445/tcp",
    ("FTP Publishing Service", "Text: ports 1025 and 5000"): "1025-5000/tcp",
    ("Group Policy", "Note: Event Log of the destination"): "445/tcp",
    ("Group Policy", "Note: port 135 and ports 49152-65535"): "135,49152-65535/tcp",
    ("Group Policy", "Text: Kerberos"): "88/tcp+udp",
    ("IP Address Management (IPAM)", "Text: port 48885"): "48885/tcp",
    ("IP Address Management (IPAM) / BranchCache information", "Port 3702 (UDP)"): "3702/udp",
    ("IP Address Management (IPAM) / BranchCache information", "Port 80 (TCP)"): "80/tcp",
    ("IP Address Management (IPAM) / BranchCache information", "Port 443 (TCP)"): "443/tcp",
    (SUMMARY_TABLE, "Note: port 5722"): "5722/tcp",
    (SUMMARY_TABLE, "Note: port 445"): "445/tcp",
    ("Remote Procedure Call (RPC)", "Note: ephemeral range ports"): "49152-65535,1025-5000/tcp",
    ("Routing and Remote Access", "Text: IP protocol 50"): "esp",
    ("Routing and Remote Access", "Text: UDP on port 4500"): "4500/udp",
    ("Routing and Remote Access", "Text: UDP on port 500"): "500/udp",
    ("Server", "Note: ICMP and port 139"): "icmp",
    ("Server", "Note: ICMP and port 445"): "icmp",
    ("Windows Time", "Text: DNS"): "53/tcp+udp",
    ("Windows Time", "Text: Kerberos"): "88/tcp+udp",
    ("Windows Time", "Text: external time source"): "123/udp",
    ("World Wide Web Publishing Service", "Text: TCP port 8098"): "8098/tcp",
    (DEPENDS_ON, "Computer Browser"): "137,138/udp,139/tcp",
    (DEPENDS_ON, "File Replication Service"): "135,49152-65535/tcp",
    (DEPENDS_ON, "Simple Mail Transfer Protocol (SMTP)"): "25/tcp",
    (DEPENDS_ON, "WINS"): "42/tcp+udp,137/udp",
    (DEPENDS_ON, "World Wide Web Publishing Service"): "80,443/tcp",
}
"""What sentences, notes and the list of dependencies ask for beside the tables."""

COUNTS = {
    "Active Directory (local security authority)": (13, 10, 15, 14, 1),
    "Ports and protocols": (183, 39, 38, 35, 1),
    "Application Layer Gateway service": (1, 1, 2, 2, 0),
    "ASP.NET State Service": (1, 1, 1, 1, 0),
    "Certificate Services": (3, 1, 5, 5, 0),
    "Cluster service": (5, 2, 8, 8, 0),
    "Computer Browser": (3, 3, 3, 3, 0),
    "Dynamic Host Configuration Protocol (DHCP) Server": (3, 3, 3, 3, 0),
    "Distributed File System Namespaces": (7, 6, 8, 8, 0),
    "Distributed File System Replication": (3, 2, 4, 4, 0),
    "Distributed Link Tracking Server": (2, 1, 3, 3, 0),
    "Distributed Transaction Coordinator": (2, 1, 3, 3, 1),
    "DNS Server": (2, 2, 2, 2, 0),
    "Event Log": (4, 0, 4, 4, 1),
    "Fax Service": (4, 3, 5, 5, 0),
    "File Replication": (2, 1, 3, 3, 0),
    "FTP Publishing Service": (3, 2, 4, 4, 1),
    "Group Policy": (5, 1, 11, 8, 1),
    "HTTP SSL": (1, 1, 1, 1, 0),
    "Hyper-V service / Hyper-V replica": (4, 4, 4, 4, 0),
    "Hyper-V service / Hyper-V live migration": (3, 3, 3, 3, 0),
    "Internet Authentication Service": (4, 4, 4, 4, 0),
    "Internet Connection Firewall (ICF)/Internet Connection Sharing": (3, 3, 3, 3, 0),
    "IP Address Management (IPAM)": (0, 0, 1, 1, 0),
    "IP Address Management (IPAM) / BranchCache information": (0, 0, 3, 3, 0),
    "ISA/TMG Server": (10, 0, 12, 13, 0),
    "Kerberos Key Distribution Center": (5, 5, 5, 5, 0),
    "License Logging": (3, 3, 3, 3, 1),
    "Message Queuing": (8, 8, 8, 8, 0),
    "Microsoft Exchange Message Transfer Agent (MTA) stacks": (1, 1, 1, 1, 0),
    "Microsoft POP3 service": (1, 1, 1, 1, 0),
    "Net Logon": (6, 5, 8, 8, 1),
    "NetMeeting Remote Desktop Sharing": (1, 1, 1, 1, 0),
    "Network News Transfer Protocol (NNTP)": (2, 2, 2, 2, 0),
    "Offline Files, User Profile Service, Folder Redirection, and Primary Computer": (6, 0, 6, 6, 0),
    "Performance Logs and Alerts": (1, 1, 1, 1, 0),
    "Print Spooler": (4, 2, 4, 4, 1),
    "Remote Installation": (1, 1, 1, 1, 0),
    "Remote Procedure Call (RPC)": (6, 4, 11, 8, 1),
    "Remote Procedure Call (RPC) Locator": (4, 2, 4, 4, 1),
    "Remote Storage Notification": (2, 1, 3, 3, 0),
    "Remote Storage": (2, 1, 3, 3, 0),
    "Routing and Remote Access": (5, 7, 10, 7, 0),
    "Server": (4, 8, 10, 5, 0),
    "SharePoint Portal Server": (2, 2, 2, 2, 0),
    "Simple Mail Transfer Protocol (SMTP)": (1, 1, 1, 1, 0),
    "Simple TCP/IP Services": (10, 10, 10, 10, 0),
    "Simple Network Management Protocol (SNMP) Service": (1, 1, 1, 1, 0),
    "SNMP Trap Service": (1, 1, 1, 1, 0),
    "Simple Service Discovery Protocol (SSDP) Discovery Service": (3, 3, 3, 3, 1),
    "TCP/IP Print Server": (1, 1, 1, 1, 0),
    "Telnet": (1, 1, 1, 1, 0),
    "Terminal Services": (1, 1, 1, 1, 0),
    "Terminal Services Licensing": (6, 1, 7, 7, 1),
    "Terminal Services Session Directory": (2, 1, 3, 3, 0),
    "Trivial FTP Daemon": (1, 1, 1, 1, 1),
    "UPnP Device Host": (1, 1, 1, 1, 0),
    "Windows Internet Name Service (WINS)": (3, 3, 3, 3, 0),
    "Windows Media Services": (7, 7, 7, 7, 0),
    "Windows Remote Management (WinRM)": (2, 5, 5, 4, 0),
    "Windows Time": (2, 2, 3, 1, 0),
    "World Wide Web Publishing Service": (2, 3, 4, 3, 0),
    "Active Directory port and protocol requirements": (0, 0, 11, 10, 2),
    "Overview": (0, 0, 0, 0, 2),
    "Distributed File Replication Service": (0, 0, 0, 0, 1),
}
"""Section: rows of its table, rows of the table of all ports at its entries, entries, ports, lines not checkable."""

Port = tuple[str, int, int]


@cache
def windows() -> Document:
    return find("windows-server")


def key(role: str) -> str:
    return role_key(windows(), role)


def ports_of(one: Expectation) -> list[Port]:
    return [(str(ports.transport), ports.first or 0, ports.last or 0) for ports in one.ports]


def as_ports(word: str) -> list[Port]:
    """`135,1024-65535/tcp` as written in a table: its ports as we read them."""
    numbers, slash, transport = word.partition("/")
    read = ",".join(dict.fromkeys(AS_READ.get(number, number) for number in numbers.split(",")))
    return [(str(p.transport), p.first or 0, p.last or 0) for p in parse_ports(f"{read}{slash}{transport}")]


def is_prose(section: str, row: str) -> bool:
    return (section, row) in PROSE


def rows(to: str | None = None, port: str | None = None, service: str | None = None) -> list[Expectation]:
    """The entries for one role, port ("445/tcp") or service; at least one."""
    wanted = None if port is None else as_ports(port)
    found = [
        one
        for one in windows().expectations
        if to in (None, *one.to) and service in (None, one.service) and (wanted is None or ports_of(one) == wanted)
    ]
    assert found, (to, port, service)
    return found


def the(to: str, port: str, service: str | None = None) -> Expectation:
    (one,) = rows(to, port, service)
    return one


# --------------------------------------------------------------------------------------------- nothing lost


def test_the_article_has_as_many_rows_as_the_tables_here() -> None:
    assert sum(len(words.split()) for words in SECTIONS.values()) == 197
    assert sum(len(words.split()) for words in SUMMARY.values()) == 183
    assert len(SECTIONS) == 59


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_of_a_section_is_expected_and_nothing_else(section: str) -> None:
    found = {
        (one.service, place.row, port)
        for one in windows().expectations
        for place in one.provenance
        if place.section == section and not is_prose(section, place.row)
        for port in ports_of(one)
    }
    asked = Counter(port for word in SECTIONS[section].split() for port in as_ports(word))
    assert Counter(port for _, _, port in found) == asked


def summary_places() -> Iterator[tuple[str, str, str, Expectation | None]]:
    """Row, service and ports ("88/tcp") of every place in the table of all ports, with its entry."""
    places = [(place, one) for one in windows().expectations for place in one.provenance]
    for place, one in [*places, *((line.provenance, None) for line in windows().not_checkable)]:
        if place.section == SUMMARY_TABLE and not is_prose(SUMMARY_TABLE, place.row):
            said = re.fullmatch(r"(.*?) (TCP|UDP|GRE|ESP|AH) (.+), (.+)", place.row)
            assert said is not None, place.row
            numbers, transport = "-".join(re.findall(r"\d+", said[1])), said[2].lower()
            yield place.row, said[4], f"{numbers}/{transport}" if numbers else transport, one


def test_every_row_of_the_table_of_all_ports_has_its_place() -> None:
    found = {(row, service, word) for row, service, word, _ in summary_places()}
    asked = Counter((service, word) for service, words in SUMMARY.items() for word in words.split())
    assert Counter((service, word) for _, service, word in found) == asked


def test_a_place_in_the_table_of_all_ports_names_the_ports_of_its_entry() -> None:
    entries = [(row, word, one) for row, _, word, one in summary_places() if one is not None]
    assert [row for row, word, one in entries if ports_of(one) != as_ports(word)] == []


@pytest.mark.parametrize("place", PROSE, ids=str)
def test_what_the_text_asks_for_is_expected(place: tuple[str, str]) -> None:
    found = {
        port
        for one in windows().expectations
        if any((at.section, at.row) == place for at in one.provenance)
        for port in ports_of(one)
    }
    assert found == set(as_ports(PROSE[place]))


def test_counts_of_each_section() -> None:
    found: dict[str, tuple[int, int, int, int, int]] = {}
    for section in COUNTS:
        entries = [one for one in windows().expectations if one.provenance[0].section == section]
        table = 183 if section == SUMMARY_TABLE else len(SECTIONS.get(section, "").split())
        summary = sum(
            at.section == SUMMARY_TABLE and not is_prose(at.section, at.row) for one in entries for at in one.provenance
        )
        lines = [line for line in windows().not_checkable if line.provenance.section == section]
        distinct = {port for one in entries for port in ports_of(one)}
        found[section] = (table, summary, len(entries), len(distinct), len(lines))
    assert found == COUNTS


def test_counts_of_the_document() -> None:
    distinct = {port for one in windows().expectations for port in ports_of(one)}
    assert (len(windows().expectations), len(distinct), len(windows().not_checkable)) == (301, 128, 19)
    assert sum(entries for _, _, entries, _, _ in COUNTS.values()) == len(windows().expectations)


def test_no_row_keeps_a_footnote_or_a_typo() -> None:
    places = [place for one in windows().expectations for place in one.provenance]
    assert [place for place in places if re.search(r"[¹²³`*]|<br|UPD|\bTP\b", place.row + place.section)] == []


# -------------------------------------------------------------------------------------- ranges and versions


def test_a_dynamic_range_never_has_to_listen_as_a_whole() -> None:
    ranges = [one for one in windows().expectations if any(ports.is_range for ports in one.ports)]
    long = [one for one in ranges if any(len(ports.numbers()) > 2 for ports in one.ports)]
    assert {one.listen for one in long} == {Listen.SOME}


def test_the_range_of_windows_before_vista_counts_only_where_there_is_such_a_machine() -> None:
    low = [one for one in windows().expectations if any((p.first, p.last) == (1025, 5000) for p in one.ports)]
    assert len(low) == 19
    assert {(one.level, one.when) for one in low} == {(Level.CONDITIONAL, "windows-legacy")}


def test_no_range_makes_every_port_above_1023_an_expected_one() -> None:
    wide = [one for one in windows().expectations if any(len(p.numbers()) > 20_000 for p in one.ports)]
    # The firewall client of ISA Server and TMG, and TMG's own range, each with its feature.
    assert {(one.to, one.when) for one in wide} == {
        (("isa-tmg-server",), "isa-firewall-client"),
        (("isa-tmg-server",), "isa-remote-monitoring"),
    }
    assert not any(p.first == 1024 for one in windows().expectations for p in one.ports)
    (line,) = (line for line in windows().not_checkable if line.provenance.section == SUMMARY_TABLE)
    assert "1024-65535" in line.provenance.row


@pytest.mark.parametrize(
    ("to", "port", "feature"),
    [
        ("dfs-replication", "5722/tcp", "windows-2008-dc"),
        ("dfs-replication", "445/tcp", "dfsr-new-folder"),
        ("active-directory", "500/udp", "ipsec-tunnel"),
        ("active-directory", "4500/udp", "ipsec-tunnel"),
        ("active-directory", "esp", "ipsec-tunnel"),
        ("routing-and-remote-access", "ah", "ipsec-tunnel"),
        ("routing-and-remote-access", "gre", "pptp"),
        ("routing-and-remote-access", "1723/tcp", "pptp"),
        ("routing-and-remote-access", "1701/udp", "l2tp-without-ipsec"),
        ("hyper-v-replica", "80/tcp", "hyper-v-replica-kerberos"),
        ("hyper-v-replica", "443/tcp", "hyper-v-replica-certificate"),
        ("cluster", "3343/tcp", "node-join"),
        ("hyper-v-live-migration", "3343/udp", "hyper-v-cluster"),
        ("hyper-v-live-migration", "6600/tcp", "live-migration"),
        ("hyper-v-live-migration", "445/tcp", "live-migration"),
        ("message-queuing", "2101/tcp", "msmq-directory"),
        ("rpc", "593/tcp", "rpc-over-http"),
        ("sharepoint-portal", "443/tcp", "https"),
        ("web-server", "443/tcp", "https"),
        ("exchange", "80/tcp", "exchange-web"),
        ("exchange", "443/tcp", "exchange-web"),
        ("exchange", "110/tcp", "exchange-pop-imap"),
        ("exchange", "143/tcp", "exchange-pop-imap"),
        ("exchange", "993/tcp", "exchange-pop-imap"),
        ("exchange", "995/tcp", "exchange-pop-imap"),
        ("exchange", "6001/tcp", "exchange-rpc-over-http"),
        ("exchange", "6002/tcp", "exchange-rpc-over-http"),
        ("exchange", "6004/tcp", "exchange-rpc-over-http"),
        ("cluster", "445/tcp", "cluster-validation"),
        ("cluster", "icmp", "cluster-validation"),
        ("internet-authentication", "1645/udp", "legacy-radius"),
        ("internet-authentication", "1646/udp", "legacy-radius"),
        ("isa-tmg-server", "1745/udp", "isa-2000"),
        ("isa-tmg-server", "1745/tcp", "isa-2004"),
        ("isa-tmg-server", "2171/tcp", "isa-domain"),
        ("isa-tmg-server", "2172/tcp", "isa-workgroup"),
        ("isa-tmg-server", "135/tcp", "isa-remote-monitoring"),
        ("isa-tmg-server", "10000-65535/tcp", "isa-remote-monitoring"),
        ("isa-tmg-server", "2175/tcp", "isa-web-management"),
        ("ssdp", "5000/tcp", "ssdp-legacy"),
        ("winrm", "80/tcp", "winrm-1"),
        ("winrm", "443/tcp", "winrm-1"),
        ("winrm", "5986/tcp", "winrm-https"),
        ("web-server", "8098/tcp", "iis-administration-site"),
        ("group-policy", "135/tcp", "remote-policy-update"),
        ("windows-machine", "135/tcp", "remote-management"),
        ("windows-machine", "445/tcp", "remote-management"),
        ("windows-machine", "5985/tcp", "remote-management"),
        ("windows-machine", "49152-65535/tcp", "remote-management"),
        ("windows-machine", "139/tcp", "netbios"),
        ("windows-machine", "137/udp", "netbios"),
        ("windows-machine", "138/udp", "netbios"),
    ],
)
def test_conditions_of_the_article(to: str, port: str, feature: str) -> None:
    one = the(to, port)
    assert (one.level, one.when) == (Level.CONDITIONAL, feature)


IN_USE_ON_MANY = {
    *("dfs-domain-namespaces", "exchange-pop-imap", "exchange-rpc-over-http", "exchange-web", "https", "isa-domain"),
    *("isa-workgroup", "isa-remote-monitoring", "l2tp", "l2tp-without-ipsec", "live-migration", "msmq-directory"),
    *("netbios", "node-join", "remote-management", "rpc-over-http"),
}


def test_what_many_healthy_machines_have_open_is_no_rare_feature() -> None:
    assert windows().features.keys() >= IN_USE_ON_MANY
    assert not IN_USE_ON_MANY & set(windows().rare_features)


def test_the_manual_says_of_every_feature_whether_it_is_rare() -> None:
    page = (Path(__file__).parent.parent / "docs/reference/documents/windows-server.md").read_text(encoding="utf-8")
    chapter = page.partition("## Features worth stating")[2].partition("\n## ")[0]
    usual, rare = chapter.split("| rare: not in use while not stated |")
    tables = [
        {
            name
            for line in part.splitlines()
            if line.startswith("|")
            for name in re.findall("`([^`]+)`", line[: line.find("|", 2)])
        }
        for part in (usual, rare)
    ]
    assert tables == [windows().features.keys() - set(windows().rare_features), set(windows().rare_features)]


@pytest.mark.parametrize("port", ["esp", "500/udp", "4500/udp"])
def test_l2tp_is_let_through_as_ipsec(port: str) -> None:
    features = {one.when for one in rows("routing-and-remote-access", port)}
    assert features == {"l2tp", "ipsec-tunnel"}


def test_l2tp_within_ipsec_does_not_need_its_own_port() -> None:
    server = host("vpn", "10.0.0.7", roles=[key("routing-and-remote-access")])
    stated = features(windows(), l2tp=True)
    planned = plan(site([windows()], [server], claimed("client"), features=stated))
    required = {(check.transport, check.port) for check in planned.checks if check.expect is Expect.REACHABLE}
    assert required == {(Transport.ESP, None), (Transport.UDP, 500), (Transport.UDP, 4500)}


def test_a_namespace_server_asks_the_directory_only_for_namespaces_of_a_domain() -> None:
    asked = [one for one in rows("active-directory") if one.sources == ("dfs-namespaces",)]
    assert [(str(*one.ports), one.when) for one in asked] == [
        ("389/tcp", "dfs-domain-namespaces"),
        ("389/udp", "dfs-domain-namespaces"),
    ]


@pytest.mark.parametrize(
    ("to", "port"),
    [
        ("cluster", "3343/udp"),
        ("winrm", "5985/tcp"),
        ("http-ssl", "443/tcp"),
        ("domain-controller", "593/tcp"),
        ("web-server", "80/tcp"),
        ("ssdp", "2869/tcp"),
        ("internet-authentication", "1812/udp"),
        ("ipam-server", "48885/tcp"),
        ("computer-browser", "139/tcp"),
        ("wins", "137/udp"),
        ("performance-logs", "139/tcp"),
    ],
)
def test_what_a_service_cannot_do_without_is_required(to: str, port: str) -> None:
    assert (the(to, port).level, the(to, port).doubt) == (Level.REQUIRED, None)


def test_group_policy_pings_only_for_old_clients() -> None:
    one = the("active-directory", "icmp", "ICMP (ping)")
    assert (one.when, one.sources) == ("windows-legacy", ("group-policy",))
    assert the("active-directory", "icmp", "ICMP").level is Level.RECOMMENDED


# ------------------------------------------------------------------------------------------------- NetBIOS

NETBIOS = {"137/udp", "138/udp", "139/tcp"}
NEEDS_NETBIOS = {"computer-browser", "performance-logs", "systems-management-server", "wins"}


def test_netbios_is_required_by_the_services_that_are_made_of_it_and_by_no_other() -> None:
    required = {
        role
        for one in windows().expectations
        for role in one.to
        if one.level is Level.REQUIRED and NETBIOS & {str(ports) for ports in one.ports}
    }
    assert required == NEEDS_NETBIOS


@pytest.mark.parametrize(
    "role",
    ["event-log", "license-logging", "net-logon", "print-spooler", "rpc", "rpc-locator", "terminal-services-licensing"],
)
def test_what_file_and_printer_sharing_needs_is_a_doubt(role: str) -> None:
    asked = [one for one in rows(role) if NETBIOS & {str(ports) for ports in one.ports}]
    assert {(one.when, "File and Printer Sharing" in (one.doubt or "")) for one in asked} == {("netbios", True)}
    assert the(role, "445/tcp").doubt is None


def test_each_section_that_refers_to_file_and_printer_sharing_has_its_line() -> None:
    lines = [line for line in windows().not_checkable if "File and Printer Sharing" in line.provenance.row]
    assert len(lines) == 7


# ---------------------------------------------------------------------------------------- doubts and answers

DOUBTED = {
    ("active-directory", "636/udp"): "UDP",
    ("active-directory", "389/tcp"): "Only the table of all ports",
    ("active-directory", "389/udp"): "Only the table of all ports",
    ("application-layer-gateway", "21/tcp"): "gateway itself",
    ("cluster", "137/udp"): "Only this section",
    ("cluster", "49152-65535/udp"): "RPC over TCP",
    ("cluster", "1025-5000/udp"): "RPC over TCP",
    ("ftp-publishing", "20/tcp"): "active mode",
    ("domain-controller", "443/tcp"): "certificate",
    ("winrm", "443/tcp"): "certificate",
    ("wins", "42/udp"): "over TCP",
    ("domain-controller", "42/udp"): "over TCP",
}


def test_doubts_beside_file_and_printer_sharing_are_exactly_these() -> None:
    found = {
        (to, str(ports)): one.doubt
        for one in windows().expectations
        if one.doubt is not None and "File and Printer Sharing" not in one.doubt
        for to in one.to
        for ports in one.ports
    }
    assert found.keys() == DOUBTED.keys()
    assert [place for place, words in DOUBTED.items() if words not in (found[place] or "")] == []


def test_services_that_never_answer_a_stranger() -> None:
    silent = {str(ports) for one in windows().expectations if one.answers is Answers.NEVER for ports in one.ports}
    assert silent == {
        *("9/udp", "42/udp", "138/udp", "162/udp", "636/udp", "1745/udp", "1755/udp", "1900/udp", "2460/udp"),
        *("2701/udp", "2702/udp", "2703/udp", "2704/udp", "3343/udp", "3702/udp", "4011/udp", "5004/udp", "5005/udp"),
        *("gre", "esp", "ah"),
    }


def test_services_that_answer_those_who_know_a_secret() -> None:
    secret = {str(p) for one in windows().expectations if one.answers is Answers.WITH_SECRET for p in one.ports}
    assert secret == {"161/udp", "1645/udp", "1646/udp", "1812/udp", "1813/udp"}


WITH_WINDOWS = {"135/tcp", "445/tcp", "5985/tcp", "5986/tcp"}
"""Ports of services that start with Windows and of nothing else."""


def test_every_windows_machine_has_rpc_smb_winrm_and_time_before_anything_is_installed() -> None:
    present = {str(ports) for one in windows().expectations if one.present_before_install for ports in one.ports}
    assert present == WITH_WINDOWS | {"139/tcp", "137/udp", "138/udp", "123/udp", "icmp"}
    of_these = [one for one in windows().expectations if WITH_WINDOWS & {str(p) for p in one.ports}]
    of_these += rows("windows-time", "123/udp")
    assert all(one.present_before_install for one in of_these)


# --------------------------------------------------------------------------------------------------- roles


def included(role: str) -> set[str]:
    names = windows().roles[role].includes
    return set(names).union(*(included(name) for name in names))


def test_a_domain_controller_has_what_active_directory_depends_on_by_the_articles_list() -> None:
    listed = {"active-directory", "dfs-namespaces", "dfs-replication", "kerberos-kdc", "net-logon", "rpc", "server"}
    assert included("domain-controller") == listed | {
        *("windows-time", "domain-member", "group-policy", "client", "windows-machine")
    }
    others = {
        at.row: one.when for one in rows("domain-controller") for at in one.provenance if at.section == DEPENDS_ON
    }
    assert others == {
        "Computer Browser": "netbios",
        "File Replication Service": "frs-sysvol",
        "Simple Mail Transfer Protocol (SMTP)": "smtp-replication",
        "WINS": "wins-backup",
        "World Wide Web Publishing Service": "web-publishing",
    }


@pytest.mark.parametrize(
    ("role", "has"),
    [
        ("domain-member", {"client", "group-policy", "windows-machine"}),
        ("failover-cluster-node", {"cluster", "windows-machine"}),
        ("hyper-v-host", {"hyper-v-replica", "hyper-v-live-migration", "windows-machine"}),
        ("file-server", {"server", "windows-machine"}),
        ("print-server", {"print-spooler", "server", "windows-machine"}),
        ("certificate-authority", {"certificate-services", "windows-machine"}),
        ("nps-radius-server", {"internet-authentication", "windows-machine"}),
        ("exchange", {"windows-machine"}),
        ("remote-installation", {"tftp"}),
    ],
)
def test_roles_that_people_give_to_machines(role: str, has: set[str]) -> None:
    assert included(role) == has


def test_every_section_is_a_role_with_its_system_service_name() -> None:
    units = {to: one.unit for one in windows().expectations if one.unit for to in one.to}
    without = {
        *("branchcache", "branchcache-hosted-cache", "hyper-v-live-migration", "hyper-v-replica", "ipam-server"),
        *("isa-tmg-server", "sharepoint-portal", "ntp", "operations-manager", "sms-remote-control"),
        *("installation-bootstrap-client", "installation-bootstrap-server", "systems-management-server"),
        *("sql-server", "sql-analysis-services", "sql-olap-downlevel"),
    }
    targets = {to for one in windows().expectations for to in one.to}
    assert targets - units.keys() == without
    names = {one.unit for one in windows().expectations}
    assert names >= {"LSASS", "ClusSvc", "kdc", "Netlogon", "RpcSs", "lanmanserver", "W32Time", "MSSQL$UDDI", "tftpd"}


def test_only_the_users_of_the_services_and_foreign_clocks_are_not_windows_servers() -> None:
    assert {role.name for role in windows().roles.values() if role.external} == {"client", "ntp"}


@pytest.mark.parametrize(
    ("role", "port", "sources"),
    [
        ("active-directory", "636/tcp", {"domain-member", "offline-files"}),
        ("kerberos-kdc", "88/tcp", {"domain-member"}),
        ("cluster", "3343/udp", {"cluster"}),
        ("dhcp-server", "647/tcp", {"dhcp-server"}),
        ("dfs-replication", "135/tcp", {"dfs-replication"}),
        ("file-replication", "135/tcp", {"file-replication"}),
        ("hyper-v-live-migration", "6600/tcp", {"hyper-v-live-migration"}),
        ("wins", "42/tcp", {"wins"}),
        ("server", "445/tcp", {"client", "offline-files"}),
    ],
)
def test_who_connects(role: str, port: str, sources: set[str]) -> None:
    assert {source for one in rows(role, port) for source in one.sources} == sources


# ------------------------------------------------------------------------------------- what comes of it

CONTROLLER_TCP = {88, 135, 389, 445, 464, 593, 636, 3268, 3269, 9389}
"""What a current controller has open, without NetBIOS, web and mail services."""

DC = host("dc", "10.0.0.1", roles=["windows-server:domain-controller"])
PC = host("pc", "10.0.0.2", roles=["windows-server:domain-member"])


@pytest.mark.parametrize("vantage", ["pc", HERE, claimed("windows-server:domain-member")], ids=str)
def test_a_controller_needs_exactly_these_tcp_ports(vantage: str | Vantage) -> None:
    planned = plan(site([windows()], [DC, PC], vantage))
    assert by_port(planned, "dc", Expect.REACHABLE) == CONTROLLER_TCP
    assert [check.doubt for check in _required(planned)] == [None] * len(CONTROLLER_TCP)


def _required(planned: Plan) -> list[Check]:
    return [
        check
        for check in planned.checks
        if (check.host, check.expect, check.transport) == ("dc", Expect.REACHABLE, Transport.TCP)
    ]


def test_a_controller_needs_netbios_where_netbios_is_in_use() -> None:
    planned = plan(site([windows()], [DC, PC], "pc", features=features(windows(), netbios=True)))
    assert by_port(planned, "dc", Expect.REACHABLE) == CONTROLLER_TCP | {139}
    without = plan(site([windows()], [DC, PC], "pc", features=features(windows(), netbios=False)))
    assert 139 not in by_port(without, "dc", Expect.REACHABLE) | by_port(without, "dc", Expect.ALLOWED)


def test_the_flows_between_controllers_are_seen_from_a_controller() -> None:
    second = host("dc2", "10.0.0.3", roles=["windows-server:domain-controller"])
    on = features(windows(), **{"smtp-replication": True, "windows-2008-dc": True})
    asked = plan(site([windows()], [DC, second], "dc2", features=on))
    assert by_port(asked, "dc", Expect.REACHABLE) == CONTROLLER_TCP | {25, 5722}
    from_member = plan(site([windows()], [DC, PC], "pc", features=on))
    assert by_port(from_member, "dc", Expect.REACHABLE) == CONTROLLER_TCP


@pytest.mark.parametrize(
    ("role", "vantage", "ports"),
    [
        ("failover-cluster-node", "failover-cluster-node", {135}),
        ("hyper-v-host", "hyper-v-host", {135}),
        ("file-server", "domain-member", {445}),
        ("print-server", "domain-member", {445}),
        ("certificate-authority", "domain-member", {135, 445}),
        ("dns-server", "domain-member", {53}),
        ("web-server", "domain-member", {80}),
        ("http-ssl", "domain-member", {443}),
        ("exchange", "domain-member", {25, 135, 593}),
    ],
)
def test_what_is_asked_of_a_role_from_where_it_is_used(role: str, vantage: str, ports: set[int]) -> None:
    there = host("there", "10.0.0.9", roles=[key(role)])
    planned = plan(site([windows()], [there], claimed(key(vantage))))
    assert by_port(planned, "there", Expect.REACHABLE) == ports


REQUIRED_TCP = {
    "domain-controller": CONTROLLER_TCP,
    "domain-member": set[int](),
    "failover-cluster-node": {135},
    "hyper-v-host": {135},
    "file-server": {445},
    "print-server": {445},
    "certificate-authority": {135, 445},
    "nps-radius-server": set[int](),
    "exchange": {25, 135, 593},
    "windows-machine": set[int](),
}
"""What a machine of the role must have open, whoever asks: all else depends on a feature."""

EVERYWHERE_TCP = {135, 139, 445, 5985, 50000}
"""What is open on every Windows of today: RPC, NetBIOS, SMB, WinRM, and some port of the dynamic range."""

SWEPT = Sweep(SweepKind.PORTS, parse_ports("80,110,135,139,143,443,445,993,995,5985,6001,6002,6004,12345,50000/tcp"))


def test_every_role_that_people_give_to_machines_is_a_windows_machine() -> None:
    is_one = {role for role in windows().roles if "windows-machine" in included(role)}
    assert is_one == REQUIRED_TCP.keys() - {"windows-machine"}


@pytest.mark.parametrize(("role", "ports"), REQUIRED_TCP.items())
def test_what_a_machine_of_the_role_must_have_open(role: str, ports: set[int]) -> None:
    machine = host("machine", "10.0.0.9", roles=[key(role)])
    planned = plan(site([windows()], [machine], HERE))
    assert by_port(planned, "machine", Expect.REACHABLE) == ports


@pytest.mark.parametrize("role", REQUIRED_TCP)
@pytest.mark.parametrize("source", ["here", "client", "its like"])
def test_what_every_windows_has_open_is_not_unexpected(role: str, source: str) -> None:
    machine = host("machine", "10.0.0.9", roles=[key(role)])
    vantage = {"here": HERE, "client": claimed("client"), "its like": claimed(key(role))}[source]
    planned = plan(site([windows()], [machine], vantage, sweep=SWEPT))
    closed = by_port(planned, "machine", Expect.NOT_OPEN)
    assert 12345 in closed
    assert closed & EVERYWHERE_TCP == set()


@pytest.mark.parametrize(
    ("stated", "more"),
    [
        ({"exchange-web": True}, {80, 443}),
        ({"exchange-pop-imap": True}, {110, 143, 993, 995}),
        ({"exchange-rpc-over-http": True}, {6001, 6002, 6004}),
        ({"remote-management": True}, {445, 5985}),
        ({"netbios": True}, {139}),
    ],
    ids=str,
)
def test_what_exchange_has_open_is_required_where_it_is_stated_and_never_forbidden(
    stated: dict[str, bool], more: set[int]
) -> None:
    machine = host("mail", "10.0.0.9", roles=[key("exchange")])
    asked = plan(site([windows()], [machine], claimed("client"), features=features(windows(), **stated)))
    assert by_port(asked, "mail", Expect.REACHABLE) == REQUIRED_TCP["exchange"] | more
    unstated = plan(site([windows()], [machine], claimed("client"), sweep=SWEPT))
    assert by_port(unstated, "mail", Expect.NOT_OPEN) & more == set()


def test_the_machine_with_offline_files_asks_the_file_server_and_the_controller() -> None:
    shares = host("shares", "10.0.0.5", roles=[key("file-server")])
    planned = plan(site([windows()], [DC, shares], claimed(key("offline-files"))))
    assert by_port(planned, "shares", Expect.REACHABLE) == {445}
    assert by_port(planned, "dc", Expect.REACHABLE) == {389, 445, 636, 3268, 3269}


# ------------------------------------------------------------------------------------------------- document


def test_the_notices_say_what_the_article_is_not_for_and_how_old_it_is() -> None:
    firewall, age = windows().notices
    assert "Windows Firewall" in firewall
    assert "2020" in age
    assert "2019" in age


def test_windows_is_silent_where_nothing_listens() -> None:
    assert windows().silent_when_closed


def test_what_the_article_leaves_to_the_site_is_said() -> None:
    lines = {(line.provenance.section, line.provenance.row) for line in windows().not_checkable}
    assert {
        ("Overview", "Fixed and restricted RPC ports"),
        ("Distributed File Replication Service", "StaticRPC"),
        ("Trivial FTP Daemon", "Text: random high port"),
        (DEPENDS_ON, "Services that require Active Directory"),
    } <= lines
    assert all(line.reason for line in windows().not_checkable)
