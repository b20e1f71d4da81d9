"""The two port lists against their pages: every row with its cells, and names that mean what people mean by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache

import pytest

from portcheck import documents
from portcheck.model import KnownPorts, KnownService, ReferenceDocument, Remark, Spread

INTERNET, WELL_KNOWN = "internet-services", "well-known-ports"

MAIN = "Ports for Internet Services"
ISCSI, PRINTING, NAPSTER, ULTIMA = "iSCSI", "Printing", "Napster", "Ultima Online"
MESSENGER, EMAIL, OBSOLETE = "Windows and MSN Messenger Application", "Email Ports", "Obsolete Services"

# The first cell and the cells with ports, as the page has them. Nothing between two bars is an empty TCP cell: such
# a service is on UDP alone.
CELLS = {
    (MAIN, ("tcp", "udp")): """
SSH | 22 |
HTTP | 80 |
HOSTS2 Name Server | 81 | 81
XFER Utility | 82 | 82
RPC Endpoint Mapper | 135 | 135
LDAP | 389 | 389
MS NetMeeting | LDAP or ULP, dyn >=1024, 1503, H.323 HostCall, MS ICCP | dyn >=1024
Timbuktu | 407, 1417-1420 | 407
SLP | 427 | 427
HTTPs | 443 |
LPD / printer | 515 | 515
ULP | 522 | 522
AppleTalk Filing Protocol (AFP) | 548 | 548
QuickTime 4 | RTSP | RTP-QT4
RTSP | 554 |
NNTPs | 563 |
Internet Printing Protocol (IPP) | 631 | 631
LDAPs | 636 | 636
Doom | 666 | 666
Remotely Possible (ControlIT) | 799 |
VMware Virtual Machine Console | 902 |
SOCKS | 1080 |
OpenVPN | 1194 | 1194
Kazaa | 1214 | 1214
WASTE | 1337 | 1337
Lotus Notes Domino | 1352 |
VocalTec Internet Phone | 1490, 6670, 25793 | 22555
Citrix ICA | 1494, dyn >=1023 | 1604, dyn >=1023
Virtual Places | 1533 |
Xing StreamWorks | | 1558
Novell GroupWise (Remote Client) | 1677 | 1677
H.323 Host Call | 1720 | 1720
PPTP | 1723 |
MS ICCP | 1731 | 1731
MS NetShow | 1755 | 1755, dyn >=1024 <=5000
MSN Messenger | 1863 |
Netopia netOctopus | 1917, 1921 | 1917
Big Brother | 1984 | 1984
ICU II | 2000-2003 |
iSpQ | 2000-2003 |
glimpseserver | 2001 |
Distributed.Net RC5/DES | 2064 |
SoulSeek | 2234, 5534 | 2234, 5534
Microsoft DirectX gaming (DirectPlay) 7 | 2300-2400, 47624 | 2300-2400
Microsoft DirectX gaming (DirectPlay) 8 | | 2302-2400, 6073
MADCAP - Multicast Address Dynamic Client Allocation Protocol | 2535 | 2535
Netrek | 2592 |
ShareDirect | 2705 | 2705
URBISNET | 2745 | 2745
Borland Interbase database | 3050 | 3050
squid | 3128 | 3130
iSNS | 3205 | 3205
iSCSI default port | 3260 | 3260
Windows Remote Desktop Protocol (RDP) | 3389 |
NetworkLens SSL Event | 3410 | 3410
Virtual Places Voice Chat | 3450, 8000-9000 |
Apple iTunes music sharing (DAAP) | 3689 | 3689
Mirabilis ICQ | dyn >=1024 | 4000
Blizzard / Battle.net | 4000, 6112-6119 | 4000, 6112-6119
Abacast | 4000-4100, 4500, 9000-9100 |
GlobalChat client, server | 4020 | 4020
PGPfone | | 4747
PlayLink | 4747, 4748, 10090 | 6144
radmin | 4899 | 4899
Yahoo Messenger - Voice Chat | 5000-5001 | 5000-5010
GnomeMeeting | H.323 HostCall, 30000-30010 | 5000-5003, 5010-5013
Yahoo Messenger - messages | 5050 |
SIP | 5060 | 5060
Apple iChat AV | | SIP, RTP-iChatAV
Yahoo Messenger - Webcams | 5100 |
AOL Instant Messenger (AIM) | 5190 | 5190
AIM Video IM | 1024-5000 ? | 1024-5000 ?
AOL ICQ | 5190, dyn >=1024 |
AOL | 5190-5193 | 5190-5193
XMPP / Jabber | 5222, 5269 | 5222, 5269
Qnext | 5235-5237 | 5235-5237
iChat local traffic | 5298 | 5298
Multicast DNS | 5353 | 5353
Dialpad.com | 5354, 7175, 8680-8890, 9000, 9450-9460 | dyn >=1024
HotLine | 5500-5503 |
SGI ESP HTTP | 5554 | 5554
InfoSeek Personal Agent | 5555 | 5555
pcAnywhere | 5631 | 5632
eShare Chat Server | 5760 |
eShare Web Tour | 5761 |
eShare Admin Server | 5764 |
VNC | 5800+, 5900+ |
GNUtella | 6346, 6347 | 6346, 6347
Netscape Conference | H.323 HostCall, 6498, 6502 | 2327
Danware NetOp Remote Control | 6502 | 6502
common IRC | 6665-6669 |
Net2Phone CommCenter | selected | 6801, selected
BitTorrent | 6881-6889, 6969 |
RTP-QT4 | | 6970-6999
VDOLive | 7000 | user-specified
Real Audio & Video | RTSP, 7070 | 6970-7170
CU-SeeMe, Enhanced CUSM | 7648, 7649, LDAP | 7648-7652, 24032
common HTTP | 8000, 8001, 8080 |
Apache JServ Protocol v12 (ajp12) | 8007 | 8007
Apache JServ Protocol v13 (ajp13) | 8009 | 8009
Grouper | 8038 | 8038
PDL datastream | 9100 | 9100
MonkeyCom | 9898 | 9898
iVisit | | 9943, 9945, 56768
The Palace | 9992-9997 | 9992-9997
common Palace | 9998 |
NDMP | 10000 | 10000
Amanda | 10080 | 10080
Yahoo Games | 11999 |
Italk | 12345 | 12345
RTP-iChatAV | | 16384-16403
RTP | | 16384-32767
Palm Computing Network Hotsync | 14237 | 14238
Liquid Audio | 18888 |
FreeTel | | 21300-21303
VocalTec Internet Conference | 22555 | 22555
Quake | 26000 | 26000
MSN Gaming Zone | 28800-29100 | 28800-29100
Sygate Manager | | 39213
""",
    (ISCSI, ("tcp", "either")): """
860 | 860
3260 | 3260
3205 | | 3205
""",
    (PRINTING, ("tcp",)): """
515 | 515
631 | 631
9100 | 9100
""",
    (NAPSTER, ("tcp",)): """
metaserver / redirector | 8875
directory servers | 4444, 5555, 6666, 7777, 8888
client | 6600-6699
""",
    (ULTIMA, ("either",)): """
Game | 5001-5010
Login | 7775-7777
Patch, 8888 | 8888
UO Messenger | 8800-8900
Patch, 9999 | 9999
""",
    (MESSENGER, ("tcp", "udp")): """
Windows Messenger - voice (computer to phone) | | 2001-2120, 6801, 6901
MSN Messenger - file transfers | 6891-6900 |
MSN Messenger - voice communications (computer to computer) | 6901 | 6901
5004 and 65535 | | dyn >=5004
""",
    (EMAIL, ("tcp",)): """
SMTP - Simple Mail Transfer Protocol | 25
SMTPs - secure SMTP | 465
(SMTP email) submission | 587
POP2 - Post Office Protocol 2 | 109
POP3 - Post Office Protocol 3 | 110
POP3s - secure POP3 | 995
IMAP3 - Interactive Mail Access Protocol v3 | 220
IMAP4 - Internet Message Access Protocol 4 | 143
IMAPs - secure IMAP | 993
""",
    (OBSOLETE, ("tcp", "udp")): """
QuickTime Conferencing (MovieTalk) | 458 | 458, dyn >= 7000
Apple VideoPhone | MovieTalk | MovieTalk
Connectix VideoPhone | MovieTalk | MovieTalk, dyn >=1024, 4242
Netscape CoolTalk | 6499, 6500 | 13000
""",
}

READ_AS = {
    "LDAP or ULP": "LDAP, ULP",
    "H.323 HostCall": "H.323 Host Call",
    "MovieTalk": "QuickTime Conferencing (MovieTalk)",
    "selected": ">=1<=3000",  # the Notes cell has the range out of which one is selected
    "user-specified": "",
    "1024-5000 ?": ">=1024<=5000",
}
"""What stands in a cell and is neither a number nor the name of a row."""

BESIDE_THE_CELLS = {
    ("ICU II", "tcp"): "50000",
    ("BitTorrent", "tcp"): "6881-6999",
    ("IMAPs - secure IMAP", "tcp"): "585",
    # Yahoo's telephony has no row: its entry needs Net2Phone's ports.
    ("Net2Phone CommCenter", "tcp"): "Net2Phone CommCenter",
    ("Net2Phone CommCenter", "udp"): "Net2Phone CommCenter",
}
"""What the Notes cell of a row adds to its ports."""

NUMBERS = """
1 5 7 9 11 13 17 18 19 20 21 22 23 25 37 38 39 42 43 49 50 51 52 53 54 56 57 58 61 67 68 69 70 71-74 75 77 79 80
87 88 90 101 102 104 105 107 108 109 110 111 113 113 115 117 118 119 123 126 135 135 137 138 139 143 152 153 156
158 161 162 170 177 179 194 199 201 209 210 213 218 220 259 262 264 280 308 311 318 319 320 350 351 356 366 369
370 370 371 383 384 387 389 399 401 427 433 434 443 444 445 445 464 465 465 475 497 500 502 504 510 512 512 513
513 514 514 515 517 518 520 520 521 524 525 530 532 533 540 542 543 544 546 547 548 550 554 556 560 561 563 587
591 593 601 604 623 631 635 636 639 641 643 646 647 648 651 653 654 655 657 660 666 674 688 690 691 694 695 698
700 701 702 706 711 712 749 750 753 754 800 829 830 831 832 833 847 848 853 860 861 862 873 953 989 990 991 992
993 995 3389
"""
"""The rows of the list of well-known ports."""


@cache
def reference(document_id: str) -> ReferenceDocument:
    found = documents.find_any(document_id)
    assert isinstance(found, ReferenceDocument)
    return found


def services(document_id: str, section: str, row: str) -> list[KnownService]:
    return [
        one for one in reference(document_id).services if (one.provenance.section, one.provenance.row) == (section, row)
    ]


# ---------------------------------------------------------------------------------------------- every row


def items_of_cell(text: str) -> set[str]:
    """Every single port, `5800+`, `>=1024` and service that the cell asks for."""
    for words, meant in READ_AS.items():
        text = text.replace(words, meant)
    return {one for item in text.replace(" or ", ", ").split(",") for one in _ports_of_item(item.strip())}


def _ports_of_item(item: str) -> Iterator[str]:
    first, _, last = item.partition("-")
    if first.isdigit():
        yield from map(str, range(int(first), int(last or first) + 1))
    elif item:
        yield item.removeprefix("dyn").replace(" ", "") if ">=" in item else item


def items_of_entries(entries: list[KnownService], column: str) -> set[str]:
    """The same of the entries that were made from the row."""
    transport = None if column == "either" else column
    found = {one for entry in entries for item in entry.ports if item.transport == transport for one in _written(item)}
    return found | {service for entry in entries for carrier, service in entry.uses if carrier == transport}


def _written(item: KnownPorts) -> Iterator[str]:
    if item.spread is Spread.EXACT:
        yield from map(str, range(item.first, item.last + 1))
    elif item.spread is Spread.ONWARD:
        yield f"{item.first}+"
    else:
        yield f">={item.first}" + (f"<={item.last}" if item.last < 65535 else "")


def rows_of_page() -> Iterator[tuple[str, str, dict[str, str]]]:
    for (section, columns), text in CELLS.items():
        for line in text.strip().splitlines():
            row, *cells = (cell.strip() for cell in line.split(" |"))
            yield section, row, dict(zip(columns, [*cells, "", ""], strict=False))


@pytest.mark.parametrize(("section", "row", "cells"), [pytest.param(*row, id=row[1]) for row in rows_of_page()])
def test_row_of_the_page_has_exactly_the_ports_of_its_cells(section: str, row: str, cells: dict[str, str]) -> None:
    entries = services(INTERNET, section, row)
    expected = {
        column: items_of_cell(cell) | items_of_cell(BESIDE_THE_CELLS.get((row, column), ""))
        for column, cell in cells.items()
    }
    assert {column: items_of_entries(entries, column) for column in ("tcp", "udp", "either")} == {
        "tcp": set(),
        "udp": set(),
        "either": set(),
        **expected,
    }


def test_every_entry_stands_in_a_row_of_the_page() -> None:
    rows = {(section, row) for section, row, _ in rows_of_page()}
    assert {(one.provenance.section, one.provenance.row) for one in reference(INTERNET).services} == rows


def test_list_of_well_known_ports_has_every_number_once_for_each_of_its_rows() -> None:
    found = [(one.provenance.row.partition(",")[0], one.ports) for one in reference(WELL_KNOWN).services]
    assert [number for number, _ in found] == NUMBERS.split()
    for number, ports in found:
        first, _, last = number.partition("-")
        assert [astuple(item) for item in ports] == [(None, int(first), int(last or first), Spread.EXACT)]


COUNTS = {
    # section: rows of the page, entries, distinct (transport, port or range), lines that are not checkable
    (INTERNET, MAIN): (119, 126, 227, 0),
    (INTERNET, ISCSI): (3, 3, 3, 0),
    (INTERNET, PRINTING): (3, 3, 3, 0),
    (INTERNET, NAPSTER): (3, 3, 7, 1),
    (INTERNET, ULTIMA): (5, 6, 7, 0),
    (INTERNET, MESSENGER): (4, 4, 6, 1),
    (INTERNET, EMAIL): (9, 10, 10, 0),
    (INTERNET, OBSOLETE): (4, 4, 8, 0),
    (INTERNET, "PORT NUMBERS"): (3, 0, 0, 3),
    (INTERNET, "PalTalk"): (0, 0, 0, 1),
    (INTERNET, "Oracle Database TCP/IP Ports"): (0, 0, 0, 1),
    (WELL_KNOWN, "Ports"): (210, 210, 201, 0),
}


def test_numbers_of_rows_and_entries() -> None:
    rows, entries, lines = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    distinct: dict[tuple[str, str], set[KnownPorts]] = {}
    for document_id in (INTERNET, WELL_KNOWN):
        one = reference(document_id)
        places = {each.provenance for each in one.services} | {part.provenance for part in one.ranges}
        rows.update((place.document, place.section) for place in places)
        entries.update((document_id, each.provenance.section) for each in one.services)
        lines.update((document_id, each.provenance.section) for each in one.not_checkable)
        for each in one.services:
            distinct.setdefault((document_id, each.provenance.section), set()).update(each.ports)
    sections = rows.keys() | lines.keys()
    found = {key: (rows[key], entries[key], len(distinct.get(key, ())), lines[key]) for key in sections}
    assert found == COUNTS


def test_ranges_of_iana_cover_every_port_number() -> None:
    assert [(part.title, part.first, part.last) for part in reference(INTERNET).ranges] == [
        ("Well Known Ports", 0, 1023),
        ("Registered Ports", 1024, 49151),
        ("Dynamic and/or Private Ports", 49152, 65535),
    ]
    assert reference(WELL_KNOWN).ranges == ()


def test_what_names_no_port_is_listed_with_its_reason() -> None:
    lines = reference(INTERNET).not_checkable
    assert [line.provenance.row for line in lines] == [
        "DCCP",
        "Note 1",
        "Note 2",
        "two versions",
        "PalTalk",
        "Messenger Service",
        "Oracle",
    ]
    assert all(line.reason for line in lines)


# ------------------------------------------------------------------------------------------ what is tricky


def test_services_on_udp_alone_did_not_become_tcp() -> None:
    found = {
        one.service for one in reference(INTERNET).services if one.ports and {p.transport for p in one.ports} == {"udp"}
    }
    assert found == {
        "Connectix VideoPhone",  # under TCP only what MovieTalk has
        "FreeTel",
        "Microsoft DirectX gaming (DirectPlay) 8",
        "PGPfone",
        "RTP",
        "RTP-QT4",
        "RTP-iChatAV",
        "Sygate Manager",
        "Windows Messenger - audio and video without UPnP",
        "Windows Messenger - voice (computer to phone)",
        "Xing StreamWorks",
        "iVisit",
    }


USES = {
    "MS NetMeeting": "tcp LDAP, tcp ULP, tcp H.323 Host Call, tcp MS ICCP",
    "QuickTime 4": "tcp RTSP, udp RTP-QT4",
    "GnomeMeeting": "tcp H.323 Host Call",
    "Apple iChat AV": "udp SIP, udp RTP-iChatAV",
    "Netscape Conference": "tcp H.323 Host Call",
    "Yahoo Messenger - PC-to-Phone": "tcp Net2Phone CommCenter, udp Net2Phone CommCenter",
    "Real Audio & Video": "tcp RTSP",
    "CU-SeeMe, Enhanced CUSM": "tcp LDAP",
    "Apple VideoPhone": "tcp QuickTime Conferencing (MovieTalk), udp QuickTime Conferencing (MovieTalk)",
    "Connectix VideoPhone": "tcp QuickTime Conferencing (MovieTalk), udp QuickTime Conferencing (MovieTalk)",
}


def test_services_that_need_the_ports_of_others() -> None:
    found = {
        one.service: ", ".join(f"{transport} {service}" for transport, service in one.uses)
        for one in reference(INTERNET).services
        if one.uses
    }
    assert found == USES


def test_ports_chosen_at_run_time_are_no_fixed_ports() -> None:
    found = {
        (one.service, str(item.transport), item.first, item.last)
        for one in reference(INTERNET).services
        for item in one.ports
        if item.spread is Spread.DYNAMIC
    }
    assert found == {
        ("MS NetMeeting", "tcp", 1024, 65535),
        ("MS NetMeeting", "udp", 1024, 65535),
        ("Citrix ICA", "tcp", 1023, 65535),
        ("Citrix ICA", "udp", 1023, 65535),
        ("MS NetShow", "udp", 1024, 5000),
        ("Mirabilis ICQ", "tcp", 1024, 65535),
        ("AIM Video IM", "tcp", 1024, 5000),
        ("AIM Video IM", "udp", 1024, 5000),
        ("AOL ICQ", "tcp", 1024, 65535),
        ("Dialpad.com", "udp", 1024, 65535),
        ("Net2Phone CommCenter", "tcp", 1, 3000),
        ("Net2Phone CommCenter", "udp", 1, 3000),
        ("Windows Messenger - audio and video without UPnP", "udp", 5004, 65535),
        ("QuickTime Conferencing (MovieTalk)", "udp", 7000, 65535),
        ("Connectix VideoPhone", "udp", 1024, 65535),
    }


def test_vnc_is_a_base_port_and_some_after_it() -> None:
    (vnc,) = services(INTERNET, MAIN, "VNC")
    assert [astuple(item) for item in vnc.ports] == [
        ("tcp", 5800, 5809, Spread.ONWARD),
        ("tcp", 5900, 5909, Spread.ONWARD),  # and so not 5985, which is WinRM
    ]


REMARKS = {
    Remark.TROJANS: "1080 2535 2745 3128 3410 5554 8866 9898 10000 10080 12345",
    Remark.REMOTE_CONTROL: "407 641 653 799 902 4899 5631 5800 6502",
    Remark.PEER_TO_PEER: "1214 1337 2705 4000 5500 6346 8038",
    Remark.SECURITY_RISK: "860 3050 3205 3260 5004 50000",
    Remark.OBSOLETE: "51 61 109 126 220 458 585 1024 6499 Apple VideoPhone",
    Remark.NOT_REGISTERED: "465 1337 2300 2302 2705 5236 16384",
}
"""By the first port of the entry; Apple VideoPhone has none of its own."""


@pytest.mark.parametrize("remark", Remark)
def test_remark_stands_at_exactly_the_services_that_the_pages_say_it_of(remark: Remark) -> None:
    found = [
        str(one.ports[0].first) if one.ports else one.service
        for document_id in (INTERNET, WELL_KNOWN)
        for one in reference(document_id).services
        if remark in one.remarks
    ]
    assert " ".join(sorted(found, key=lambda first: (not first.isdigit(), first.zfill(5)))) == REMARKS[remark]


WHOSE = {
    "WASTE": "Men and Mice",
    "ShareDirect": "Sun SDS Admin",
    "Qnext": "padl2sim",
    "SMTPs - secure SMTP": "URD",
    "Microsoft DirectX gaming (DirectPlay) 7": "47624",
    "Microsoft DirectX gaming (DirectPlay) 8": "6073",
    "RTP": "Nobody",
}


def test_unregistered_use_of_a_number_says_whose_it_is() -> None:
    notes = {one.service: one.note for one in reference(INTERNET).services if Remark.NOT_REGISTERED in one.remarks}
    assert notes.keys() == WHOSE.keys()
    assert [name for name, whose in WHOSE.items() if whose not in (notes[name] or "")] == []


@pytest.mark.parametrize(
    ("row", "ports", "remark"),
    [
        ("ICU II", {2000: False, 2003: False, 50000: True}, Remark.SECURITY_RISK),
        ("UO Messenger", {8800: False, 8865: False, 8866: True, 8867: False, 8900: False}, Remark.TROJANS),
        ("Qnext", {5235: False, 5236: True, 5237: False}, Remark.NOT_REGISTERED),
        ("Microsoft DirectX gaming (DirectPlay) 7", {47624: False, 2300: True}, Remark.NOT_REGISTERED),
        ("IMAPs - secure IMAP", {993: False, 585: True}, Remark.OBSOLETE),
    ],
)
def test_remark_about_one_port_of_a_row_is_not_said_of_the_others(
    row: str, ports: dict[int, bool], remark: Remark
) -> None:
    entries = [one for one in reference(INTERNET).services if one.provenance.row == row]
    found = {
        port: any(remark in one.remarks for one in entries if any(port in item for item in one.ports)) for port in ports
    }
    assert found == ports


CLEANED = {
    "11": "Active Users (systat)",
    "17": "Quote of the Day",
    "42": "Host Name Server Protocol",
    "70": "Gopher",
    "71-74": "NETRJS",
    "88": "Kerberos",
    "90": "dnsix (DoD)",
    "101": "NIC",
    "102": "International Organization for Standardization (ISO)",
    "118": "Structured Query Language (SQL)",
    "387": "AURP (AppleTalk)",
    "445, Server Message Block": "Microsoft-DS (Directory Services), Server Message Block (SMB)",
    "512, comsat, together with biff": "comsat, together with biff",
    "540": "Unix-to-Unix Copy Protocol (UUCP)",
    "587": "email message submission",
    "647": "DHCP Failover",
    "691": "Microsoft (MS)",
    "853": "Domain Name System (DNS)",
}


@pytest.mark.parametrize(("row", "service"), CLEANED.items())
def test_marks_of_the_wiki_are_gone(row: str, service: str) -> None:
    (found,) = services(WELL_KNOWN, "Ports", row)
    assert found.service == service


@pytest.mark.parametrize("document_id", [INTERNET, WELL_KNOWN])
def test_no_text_is_damaged(document_id: str) -> None:
    one = reference(document_id)
    texts = [
        text or ""
        for each in one.services
        for text in (each.service, each.note, each.doubt, each.provenance.section, each.provenance.row)
    ]
    texts += [*one.notices, *(line.reason for line in one.not_checkable), *(part.note or "" for part in one.ranges)]
    damaged = [text for text in texts if not text.isascii() or "|" in text or text.count("(") != text.count(")")]
    assert damaged == []


DOUBTED = """
9 52 90 101 102 108 109 117 118 126 135 135 137 156 162 199 201 210 220 311 387 399 464 546 547 563 636 654 657 660 691
695 711 749 753 853 953 991 992 993 995
"""


def test_doubts_are_exactly_these() -> None:
    rows = [one.provenance.row.partition(",")[0] for one in reference(WELL_KNOWN).services if one.doubt]
    assert rows == DOUBTED.split()
    assert {one.service for one in reference(INTERNET).services if one.doubt} == {
        "iSpQ",
        "AIM Video IM",
        "SMTPs - secure SMTP",
    }


# --------------------------------------------------------------------------------------------------- names


EVERYDAY = {
    "ssh": "22/tcp",
    "telnet": "23/tcp",
    "ftp": "21/tcp",
    "ftp-data": "20/tcp",
    "ftps": "990/tcp",
    "tftp": "69/udp",
    "smtp": "25/tcp",
    "submission": "587/tcp",
    "smtps": "465/tcp",
    "submissions": "465/tcp",
    "pop3": "110/tcp",
    "pop3s": "995/tcp",
    "imap": "143/tcp",
    "imaps": "993/tcp",
    "http": "80/tcp",
    "https": "443/tcp",
    "http-alt": "8080/tcp",
    "squid": "3128/tcp",
    "socks": "1080/tcp",
    "dns": "53/tcp 53/udp",
    "domain": "53/tcp 53/udp",
    "mdns": "5353/udp",
    "dhcp": "67/udp",
    "bootps": "67/udp",
    "bootpc": "68/udp",
    "dhcpv6-server": "547/udp",
    "ntp": "123/udp",
    "snmp": "161/udp",
    "snmptrap": "162/udp",
    "syslog": "514/udp",
    "ldap": "389/tcp",
    "ldaps": "636/tcp",
    "kerberos": "88/tcp 88/udp",
    "kpasswd": "464/tcp 464/udp",
    "smb": "445/tcp",
    "cifs": "445/tcp",
    "microsoft-ds": "445/tcp",
    "netbios-ns": "137/udp",
    "netbios-dgm": "138/udp",
    "netbios-ssn": "139/tcp",
    "epmap": "135/tcp",
    "rdp": "3389/tcp",
    "ms-wbt-server": "3389/tcp",
    "vnc": "5900/tcp",
    "sunrpc": "111/tcp 111/udp",
    "portmapper": "111/tcp 111/udp",
    "iscsi": "3260/tcp",
    "isns": "3205/tcp",
    "ipp": "631/tcp",
    "lpd": "515/tcp",
    "printer": "515/tcp",
    "pdl-datastream": "9100/tcp",
    "rsync": "873/tcp",
    "sip": "5060/tcp 5060/udp",
    "xmpp": "5222/tcp",
    "xmpp-server": "5269/tcp",
    "openvpn": "1194/udp",
    "pptp": "1723/tcp",
    "isakmp": "500/udp",
    "bgp": "179/tcp",
    "rip": "520/udp",
    "tacacs": "49/tcp",
    "whois": "43/tcp",
    "finger": "79/tcp",
    "gopher": "70/tcp",
    "nntp": "119/tcp",
    "modbus": "502/tcp",
    "ipmi": "623/udp",
    "rsh": "514/tcp",
    "pcanywhere": "5631/tcp 5632/udp",
    "ircu": "6667/tcp",
    "qotd": "17/tcp 17/udp",
}

AMBIGUOUS = {
    "sftp": {"22/tcp", "115/tcp"},
    "irc": {"194/tcp", "6667/tcp"},
    "icq": {"4000/udp", "5190/tcp"},
}
"""Names that people do use for two things: portcheck asks which."""


def answers(name: str) -> set[str]:
    """What the lists have for a name; more than one answer is ambiguous to the user."""
    return {
        " ".join(sorted(map(str, one.by_name)))
        for document_id in (INTERNET, WELL_KNOWN)
        for one in reference(document_id).services
        if name in one.names
    }


def named() -> list[KnownService]:
    return [one for document_id in (INTERNET, WELL_KNOWN) for one in reference(document_id).services if one.names]


@pytest.mark.parametrize(("name", "ports"), EVERYDAY.items())
def test_everyday_name_means_what_an_administrator_means(name: str, ports: str) -> None:
    assert answers(name) == {ports}


def test_only_these_names_are_ambiguous() -> None:
    names = {name for one in named() for name in one.names}
    assert {name: answers(name) for name in names if len(answers(name)) > 1} == AMBIGUOUS


def test_name_stands_for_single_ports_because_every_one_of_them_is_required() -> None:
    assert [(one.service, str(ports)) for one in named() for ports in one.by_name if ports.first != ports.last] == []


def test_name_stands_for_ports_of_its_row() -> None:
    strange = [
        (one.service, str(ports))
        for one in named()
        for ports in one.by_name
        for number in (ports.first, ports.last)
        if not any(number is not None and number in item and item.carries(ports.transport) for item in one.ports)
    ]
    assert strange == []


@pytest.mark.parametrize("name", ["nameserver", "hostname", "dicom", "nas", "monitor", "tunnel", "tell", "rtp"])
def test_word_that_means_something_else_to_most_is_no_name(name: str) -> None:
    assert answers(name) == set()


def test_every_shipped_port_list_is_found_without_reading_the_other_documents() -> None:
    assert documents.references() == documents.library().references
