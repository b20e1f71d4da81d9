"""The shipped documents against every row of the vendors' pages: nothing lost, nothing added, doubts said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import pytest

from portcheck.documents import load, shipped
from portcheck.model import Document, Expectation, Provenance


@dataclass(frozen=True)
class Row:
    """One row of a vendor's table, as facts; `cell` is its port cell, blanks separate lists of words."""

    section: str
    cell: str
    transports: str
    sources: str
    to: str
    service: str
    level: str = "required"
    when: str | None = None
    listen: str = "single"
    answers: str = "normally"

    def __str__(self) -> str:
        return f"{self.section}, {self.cell}, {self.transports}, to {self.to}"


class Flow(NamedTuple):
    """A row or an expectation taken apart: one transport, one port or range, one source, one destination."""

    section: str
    cell: str
    service: str
    transport: str
    first: int
    last: int
    source: str
    to: str
    level: str
    when: str | None
    listen: str
    answers: str


ALL_TCP, ALL_UDP = "All nodes / TCP", "All nodes / UDP"
MASTER_TCP, MASTER_UDP, AGENT_TCP = "Master / TCP", "Master / UDP", "Agent / TCP"
INBOUND = "Networking Ports for Inbound Connections"
OUTBOUND = "Networking Ports for Outbound Connections"

METRONOME, SPARTAN = "DC/OS Jobs (Metronome)", "DNS Forwarder (Spartan)"
COSMOS, IAM = "DC/OS Package Manager (Cosmos)", "DC/OS Identity and Access Manager"

DCOS = (
    Row(ALL_TCP, "61003", "tcp", "agent master", "agent master", "REX-Ray"),
    Row(ALL_TCP, "61053", "tcp", "agent master", "master", "Mesos DNS"),
    Row(ALL_TCP, "61091", "tcp", "agent master", "agent master", "dcos-metrics"),  # "agent/extra"
    Row(ALL_TCP, "61420", "tcp", "agent master", "agent master", "Erlang Port Mapping Daemon (EPMD)"),
    Row(ALL_TCP, "62053", "tcp", "agent master", "agent master", SPARTAN),
    Row(ALL_TCP, "62080", "tcp", "agent master", "agent master", "Navstar"),
    Row(ALL_TCP, "62501", "tcp", "agent master", "agent master", SPARTAN),
    Row(ALL_TCP, "62502", "tcp", "agent master", "agent master", "Navstar"),
    Row(ALL_UDP, "61053", "udp", "agent master", "master", "Mesos DNS"),
    Row(ALL_UDP, "62053", "udp", "agent master", "agent master", SPARTAN),
    Row(ALL_UDP, "64000", "udp", "agent master", "agent master", "Navstar", answers="never"),
    Row(ALL_UDP, "Note on port 123", "udp", "agent master", "ntp", "NTP"),
    Row(MASTER_TCP, "53", "tcp", "agent master", "agent master", SPARTAN),
    Row(MASTER_TCP, "80", "tcp", "any", "master", "Admin Router Master (HTTP)"),
    Row(MASTER_TCP, "443", "tcp", "any", "master", "Admin Router Master (HTTPS)"),
    Row(MASTER_TCP, "1337", "tcp", "localhost", "master", "DC/OS Secrets", "conditional", "enterprise"),
    Row(MASTER_TCP, "2181", "tcp", "agent master", "master", "ZooKeeper"),
    Row(MASTER_TCP, "3888", "tcp", "agent master", "master", "Exhibitor, or ZooKeeper and Exhibitor"),
    Row(MASTER_TCP, "5050", "tcp", "agent master", "master", "Mesos Master"),
    Row(MASTER_TCP, "7070", "tcp", "localhost", "master", COSMOS),
    Row(MASTER_TCP, "8080", "tcp", "agent master", "master", "Marathon"),
    Row(MASTER_TCP, "8101", "tcp", "localhost", "master", IAM, "conditional", "enterprise"),
    Row(MASTER_TCP, "8123", "tcp", "agent master", "master", "Mesos DNS"),
    Row(MASTER_TCP, "8181", "tcp", "agent master", "master", "Exhibitor and ZooKeeper"),
    Row(MASTER_TCP, "8200", "tcp", "localhost", "master", "Vault", "conditional", "enterprise"),
    Row(MASTER_TCP, "8443", "tcp", "agent master", "master", "Marathon SSL"),
    Row(
        MASTER_TCP,
        "8888",
        "tcp",
        "localhost",
        "master",
        "DC/OS Certificate Authority",
        "conditional",
        "enterprise",
    ),
    Row(MASTER_TCP, "9090", "tcp", "agent master", "master", METRONOME),
    Row(MASTER_TCP, "9443", "tcp", "agent master", "master", f"{METRONOME} SSL"),
    Row(MASTER_TCP, "9990", "tcp", "localhost", "master", COSMOS),
    Row(MASTER_TCP, "15055", "tcp", "localhost", "master", "DC/OS History"),
    Row(MASTER_TCP, "15101", "tcp", "master", "agent master", "Marathon libprocess"),
    Row(MASTER_TCP, "15201", "tcp", "master", "agent master", f"{METRONOME} libprocess"),
    Row(MASTER_TCP, "62500", "tcp", "master", "master", "DC/OS Network Metrics", "conditional", "enterprise"),
    Row(MASTER_UDP, "53", "udp", "agent master", "agent master", SPARTAN),
    Row(AGENT_TCP, "5051", "tcp", "agent master", "agent", "Mesos Agent"),
    Row(AGENT_TCP, "61001", "tcp", "agent master", "agent", "Admin Router Agent (HTTP)"),
    Row(AGENT_TCP, "61002", "tcp", "agent master", "agent", "Admin Router Agent (HTTPS)"),
    Row(AGENT_TCP, "1025-2180", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
    Row(AGENT_TCP, "2182-3887", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
    Row(AGENT_TCP, "3889-5049", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
    Row(AGENT_TCP, "5052-8079", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
    Row(AGENT_TCP, "8082-8180", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
    Row(AGENT_TCP, "8182-32000", "tcp", "agent master", "agent", "Mesos tasks", listen="some"),
)
DCOS_NOT_CHECKABLE = (
    ("Introduction", "Ports of services on DC/OS"),
    (MASTER_TCP, "2888 (no such row)"),
    (MASTER_TCP, "Ephemeral"),
)
DCOS_ROWS_OF_THE_VENDOR = {ALL_TCP: 8, ALL_UDP: 3 + 1, MASTER_TCP: 23, MASTER_UDP: 1, AGENT_TCP: 9}
"""Rows as a reader counts them on the page, "Ephemeral" and the sentence about NTP included."""

QUMULO = (
    Row(INBOUND, "21", "tcp", "client", "node", "FTP"),
    Row(INBOUND, "22", "tcp", "client", "node", "SSH"),
    Row(INBOUND, "80", "tcp", "client", "node", "HTTP (Web UI)"),
    Row(INBOUND, "111", "tcp udp", "client", "node", "rpcbind or portmapper for NFSv3"),
    Row(INBOUND, "443", "tcp", "client", "node", "HTTPS (Web UI)"),
    Row(INBOUND, "445", "tcp", "client", "node", "SMB"),
    Row(INBOUND, "2049", "tcp", "client", "node", "NFS or MOUNT"),
    Row(INBOUND, "2049", "udp", "client", "node", "NFS or MOUNT", "conditional", "udp-mount"),
    Row(INBOUND, "3712", "tcp", "replication-peer", "node", "Replication"),
    Row(INBOUND, "8000", "tcp", "client", "node", "REST API"),
    Row(INBOUND, "9000", "tcp", "client", "node", "S3 API", "conditional", "s3-api"),
    Row(INBOUND, "32768-60999", "tcp", "client", "node", "FTP Passive Mode", listen="some"),
    Row(OUTBOUND, "53", "udp", "node", "dns", "DNS"),
    Row(OUTBOUND, "88", "tcp", "node", "domain-controller", "Kerberos"),
    Row(OUTBOUND, "111", "tcp", "node", "nfs-client", "rpcbind or portmapper for NSM and NLM"),
    Row(OUTBOUND, "123", "udp", "node", "ntp", "NTP"),
    Row(OUTBOUND, "135", "tcp", "node", "domain-controller", "DCERPC or Netlogon"),
    Row(OUTBOUND, "389, 636", "tcp", "node", "domain-controller ldap", "LDAP"),
    Row(OUTBOUND, "443", "tcp", "node", "s3", "Qumulo Shift for Amazon S3"),
    Row(OUTBOUND, "514", "tcp", "node", "syslog", "Audit with Rsyslog"),
    Row(OUTBOUND, "3712", "tcp", "node", "replication-peer", "Replication"),
)
QUMULO_NOT_CHECKABLE = (
    ("Introduction", "Any port between nodes"),
    ("Introduction", "Port range of Active Directory"),
    (OUTBOUND, "Hardware platforms: IPv6"),
    (OUTBOUND, "Cloud platforms: IPv4"),
    (OUTBOUND, "111: ports behind the portmapper"),
)
QUMULO_ROWS_OF_THE_VENDOR = {INBOUND: 11, OUTBOUND: 9}

VENDORS_TABLES = (("dcos-1.11", DCOS), ("qumulo-core", QUMULO))


@cache
def document(document_id: str) -> Document:
    return load(shipped()[document_id])


def flows_of_row(row: Row) -> set[Flow]:
    """Every single flow that a row asks for; the ports are the numbers in its cell."""
    ranges = [cell.split("-") for cell in re.findall(r"\d+(?:-\d+)?", row.cell)]
    return {
        Flow(
            section=row.section,
            cell=row.cell,
            service=row.service,
            transport=transport,
            first=int(ports[0]),
            last=int(ports[-1]),
            source=source,
            to=to,
            level=row.level,
            when=row.when,
            listen=row.listen,
            answers=row.answers,
        )
        for transport in row.transports.split()
        for ports in ranges
        for source in row.sources.split()
        for to in row.to.split()
    }


def place_of(one: Expectation) -> Provenance:
    """Where the entry stands: the sources of these documents say everything once."""
    (only,) = one.provenance
    return only


def flows_of_expectation(one: Expectation) -> list[Flow]:
    """Every single flow that an entry of a document asks for."""
    return [
        Flow(
            section=place_of(one).section,
            cell=place_of(one).row,
            service=one.service,
            transport=str(ports.transport),
            first=ports.first or 0,
            last=ports.last or 0,
            source=source,
            to=to,
            level=str(one.level),
            when=one.when,
            listen=str(one.listen),
            answers=str(one.answers),
        )
        for ports in one.ports
        for source in one.sources
        for to in one.to
    ]


def flows_of(expectations: Iterable[Expectation]) -> Counter[Flow]:
    """Flows with the number of entries that ask for each: more than one is a mistake."""
    return Counter(flow for one in expectations for flow in flows_of_expectation(one))


def expectations_at(document_id: str, cell: str, section: str | None = None) -> list[Expectation]:
    found = [
        one
        for one in document(document_id).expectations
        if place_of(one).row == cell and section in (None, place_of(one).section)
    ]
    assert found, f"{document_id} has no row {cell}"
    return found


ROWS = [
    pytest.param(document_id, row, id=f"{document_id}: {row}") for document_id, rows in VENDORS_TABLES for row in rows
]


@pytest.mark.parametrize(("document_id", "row"), ROWS)
def test_row_of_the_vendor_is_expected_exactly(document_id: str, row: Row) -> None:
    entries = [
        one
        for one in expectations_at(document_id, row.cell, row.section)
        if {str(ports.transport) for ports in one.ports} <= set(row.transports.split())
    ]
    assert flows_of(entries) == Counter(flows_of_row(row))


@pytest.mark.parametrize(("document_id", "rows"), VENDORS_TABLES)
def test_nothing_is_expected_beyond_the_vendors_rows(document_id: str, rows: tuple[Row, ...]) -> None:
    asked = {flow for row in rows for flow in flows_of_row(row)}
    assert flows_of(document(document_id).expectations) == Counter(asked)


@pytest.mark.parametrize(
    ("document_id", "places"), [("dcos-1.11", DCOS_NOT_CHECKABLE), ("qumulo-core", QUMULO_NOT_CHECKABLE)]
)
def test_what_no_probe_can_express_is_listed_with_its_reason(
    document_id: str, places: tuple[tuple[str, str], ...]
) -> None:
    lines = document(document_id).not_checkable
    assert sorted((line.provenance.section, line.provenance.row) for line in lines) == sorted(places)
    assert all(line.reason for line in lines)


@pytest.mark.parametrize(
    ("document_id", "counts", "beside_the_tables"),
    [
        ("dcos-1.11", DCOS_ROWS_OF_THE_VENDOR, {"2888 (no such row)"}),
        (
            "qumulo-core",
            QUMULO_ROWS_OF_THE_VENDOR,
            {"Hardware platforms: IPv6", "Cloud platforms: IPv4", "111: ports behind the portmapper"},
        ),
    ],
)
def test_every_table_has_as_many_rows_as_on_the_vendors_page(
    document_id: str, counts: dict[str, int], beside_the_tables: set[str]
) -> None:
    of_document = document(document_id)
    places = {place_of(one) for one in of_document.expectations}
    places |= {line.provenance for line in of_document.not_checkable}
    assert all(place.document == document_id for place in places)
    in_tables = (place.section for place in places if place.row not in beside_the_tables)
    assert Counter(section for section in in_tables if section != "Introduction") == counts


def test_numbers_of_entries() -> None:
    assert {one: len(document(one).expectations) for one, _ in VENDORS_TABLES} == {
        "dcos-1.11": 49,
        "qumulo-core": 23,
    }


@pytest.mark.parametrize(
    ("document_id", "internal", "external"),
    [
        ("dcos-1.11", {"agent", "master"}, {"ntp"}),
        (
            "qumulo-core",
            {"node"},
            {
                "client",
                "dns",
                "domain-controller",
                "ldap",
                "nfs-client",
                "ntp",
                "replication-peer",
                "s3",
                "syslog",
            },
        ),
    ],
)
def test_roles_are_told_apart_from_what_the_site_must_provide(
    document_id: str, internal: set[str], external: set[str]
) -> None:
    roles = document(document_id).roles.values()
    assert {role.name for role in roles if not role.external} == internal
    assert {role.name for role in roles if role.external} == external


DOUBTS: dict[tuple[str, str, str], str] = {
    # (port, transport, destination): a word that the doubt must contain
    ("61003", "tcp", "agent"): "REX-Ray",
    ("61003", "tcp", "master"): "REX-Ray",
    ("61091", "tcp", "master"): "agent/extra",
    ("62053", "tcp", "agent"): "dcos-net",
    ("62053", "tcp", "master"): "dcos-net",
    ("62053", "udp", "agent"): "dcos-net",
    ("62053", "udp", "master"): "dcos-net",
    ("62080", "tcp", "agent"): "127.0.0.1",
    ("62080", "tcp", "master"): "127.0.0.1",
    ("62502", "tcp", "agent"): "62501",
    ("62502", "tcp", "master"): "62501",
    ("53", "tcp", "agent"): "198.51.100.1",
    ("53", "udp", "agent"): "198.51.100.1",
    ("3888", "tcp", "master"): "2888",
    ("8123", "tcp", "master"): "localhost",
    ("8443", "tcp", "master"): "TLS",
    ("9443", "tcp", "master"): "TLS",
    ("15101", "tcp", "agent"): "Mesos tasks",
    ("15101", "tcp", "master"): "elected",
    ("15201", "tcp", "agent"): "Mesos tasks",
    ("15201", "tcp", "master"): "elected",
    ("62500", "tcp", "master"): "61430",
    ("61002", "tcp", "agent"): "61001",
}


def doubts(document_id: str) -> dict[tuple[str, str, str], str]:
    return {
        (str(ports).partition("/")[0], str(ports.transport), to): one.doubt
        for one in document(document_id).expectations
        if one.doubt is not None
        for ports in one.ports
        for to in one.to
    }


def test_dcos_doubts_are_exactly_these_and_narrow() -> None:
    found = doubts("dcos-1.11")
    assert found.keys() == DOUBTS.keys()
    assert [place for place, word in DOUBTS.items() if word not in found[place]] == []


@pytest.mark.parametrize(
    "cell", ["80", "443", "2181", "5050", "8080", "8181", "9090", "61053", "61420", "5051", "61001"]
)
def test_dcos_services_that_every_cluster_has_are_beyond_doubt(cell: str) -> None:
    assert {one.doubt for one in expectations_at("dcos-1.11", cell)} == {None}


def test_only_dns_and_metrics_are_excused_on_one_side_of_their_row() -> None:
    """A doubt about agents must not turn a dead forwarder on a master into "not sure"."""
    found = doubts("dcos-1.11")
    assert ("53", "tcp", "master") not in found
    assert ("53", "udp", "master") not in found
    assert ("61091", "tcp", "agent") not in found


def test_qumulo_ldap_needs_one_of_its_two_ports_except_at_a_domain_controller() -> None:
    assert doubts("qumulo-core").keys() == {
        ("389", "tcp", "ldap"),
        ("636", "tcp", "domain-controller"),
        ("636", "tcp", "ldap"),
    }


def test_features_are_the_conditions_that_the_vendors_name() -> None:
    assert document("dcos-1.11").features.keys() == {"enterprise"}
    assert document("qumulo-core").features.keys() == {"s3-api", "udp-mount"}


def test_dcos_notice_says_that_firewalls_come_before_the_installation() -> None:
    (notice,) = document("dcos-1.11").notices
    assert "before the installation" in notice
    assert "strict" in notice


def test_qumulo_notice_says_what_a_clean_report_does_not_cover() -> None:
    (notice,) = document("qumulo-core").notices
    assert "between its nodes" in notice


def test_changeable_ports_of_qumulo_say_so() -> None:
    changeable = {"389, 636", "443", "514", "3712"}
    outbound = [one for one in document("qumulo-core").expectations if place_of(one).section == OUTBOUND]
    assert {place_of(one).row for one in outbound if one.note and "Default port" in one.note} == changeable


def test_units_of_dcos_are_kept_for_every_row_that_has_one() -> None:
    without_unit = {one.service for one in document("dcos-1.11").expectations if one.unit is None}
    assert without_unit == {"Mesos tasks", "NTP"}
    assert {one.unit for one in expectations_at("dcos-1.11", "61091")} == {
        "dcos-metrics-agent.service",
        "dcos-metrics-master.service",
    }


@pytest.mark.parametrize("document_id", [one for one, _ in VENDORS_TABLES])
def test_identity_of_the_document(document_id: str) -> None:
    of_document = document(document_id)
    assert of_document.id == document_id
    assert not of_document.silent_when_closed
    known = {
        "dcos-1.11": ("DC/OS Ports", "Mesosphere", "DC/OS", "1.11", None),
        "qumulo-core": (
            "Required Networking Ports for Qumulo Core",
            "Qumulo",
            "Qumulo Core",
            "unversioned",
            "/administrator-guide/networking/required-networking-ports.html",
        ),
    }
    facts = (of_document.title, of_document.vendor, of_document.product, of_document.version, of_document.url)
    assert facts == known[document_id]
