"""Site files: what a good one becomes. What is said about bad ones is in tests/bad, see test_documents.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.addresses import parse_address
from portcheck.engine.probe import Transport
from portcheck.model import Finding, Mention, NameOf, PortcheckError, Ports, Site, SiteHost, Waiver, Without
from portcheck.site import load_site
from portcheck.yaml_input import InputError
from tests.test_documents import as_json, validator

FULL = """\
documents: [dcos-1.11, mine.yaml, ../other/theirs.yaml]
features: {enterprise: true, tls: false}
hosts:
  m1: {address: 10.0.0.1, roles: [master]}
  a1:
    address: [10.0.0.11, "fd00::11", a1.example.org]
    roles: ["dcos-1.11:agent", client]
    offers: [ssh, "8080,9000-9010/tcp", gre, Node Exporter]
    silent_when_closed: true
external:
  dns: {address: 10.0.0.53, roles: [dns]}
without:
  - {document: qumulo-core, service: FTP, reason: "not licensed"}
  - {service: NFS, to: node, reason: not in use}
waivers:
  - {to: a1, from: any, port: 8080/tcp, finding: unexpected-open, reason: "old proxy", until: 2027-01-31}
  - {to: dns, from: "dcos-1.11:agent", port: 1025-2180/udp, reason: tested by hand, until: "2027-02-28"}
"""


def site_of(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(str(path))


def test_every_key_of_a_site_arrives_in_the_model(tmp_path: Path) -> None:
    site = site_of(tmp_path, FULL)
    assert site.path == str(tmp_path / "site.yaml")
    assert site.features == {"enterprise": True, "tls": False}
    assert site.hosts == (
        SiteHost("m1", ("10.0.0.1",), ("master",)),
        SiteHost(
            "a1",
            ("10.0.0.11", "fd00::11", "a1.example.org"),
            ("dcos-1.11:agent", "client"),
            offers=(
                Ports(Transport.TCP, 8080, 8080),
                Ports(Transport.TCP, 9000, 9010),
                Ports(Transport.GRE, None, None),
            ),
            offers_named=("ssh", "Node Exporter"),
            silent_when_closed=True,
        ),
        SiteHost("dns", ("10.0.0.53",), ("dns",), external=True),
    )
    assert site.without == (
        Without("qumulo-core", "FTP", "not licensed"),
        Without(None, "NFS", "not in use", to="node"),
    )
    assert site.waivers == (
        Waiver(
            to="a1",
            source="any",
            ports=Ports(Transport.TCP, 8080, 8080),
            finding=Finding.UNEXPECTED_OPEN,
            reason="old proxy",
            until=date(2027, 1, 31),
        ),
        Waiver(
            to="dns",
            source="dcos-1.11:agent",
            ports=Ports(Transport.UDP, 1025, 2180),
            finding=None,
            reason="tested by hand",
            until=date(2027, 2, 28),
        ),
    )


def test_every_name_to_be_looked_up_keeps_its_place(tmp_path: Path) -> None:
    site = site_of(tmp_path, FULL)
    theirs = str(tmp_path / "../other/theirs.yaml")
    unused = site.without[1]
    assert [(m.of, m.text, m.line, m.where) for m in site.mentions] == [
        (NameOf.DOCUMENT, "dcos-1.11", 1, "documents[0]"),
        (NameOf.DOCUMENT, str(tmp_path / "mine.yaml"), 1, "documents[1]"),
        (NameOf.DOCUMENT, theirs, 1, "documents[2]"),
        (NameOf.FEATURE, "enterprise", 2, "features.enterprise"),
        (NameOf.FEATURE, "tls", 2, "features.tls"),
        (NameOf.ROLE, "master", 4, "hosts.m1.roles[0]"),
        (NameOf.ROLE, "dcos-1.11:agent", 7, "hosts.a1.roles[0]"),
        (NameOf.ROLE, "client", 7, "hosts.a1.roles[1]"),
        (NameOf.OFFER, "ssh", 8, "hosts.a1.offers[0]"),
        (NameOf.OFFER, "Node Exporter", 8, "hosts.a1.offers[3]"),
        (NameOf.ROLE, "dns", 11, "external.dns.roles[0]"),
        (NameOf.UNUSED_DOCUMENT, "qumulo-core", 13, "without[0].document"),
        (NameOf.UNUSED_SERVICE, "FTP", 13, "without[0].service"),
        (NameOf.UNUSED_SERVICE, "NFS", 14, "without[1].service"),
        (NameOf.UNUSED_AT, "node", 14, "without[1].to"),
        (NameOf.WAIVED_FROM, "any", 16, "waivers[0].from"),
        (NameOf.WAIVED_FROM, "dcos-1.11:agent", 17, "waivers[1].from"),
    ]
    assert site.mentions[14] == Mention(NameOf.UNUSED_AT, "node", 14, "without[1].to", unused)


def test_blanks_around_an_offer_are_nothing(tmp_path: Path) -> None:
    (only,) = site_of(tmp_path, 'hosts: {m1: {address: 10.0.0.1, offers: [" ssh ", " 22/tcp"]}}\n').hosts
    assert (only.offers, only.offers_named) == ((Ports(Transport.TCP, 22, 22),), ("ssh",))


def test_a_site_needs_nothing_but_a_host(tmp_path: Path) -> None:
    site = site_of(tmp_path, "hosts: {m1: {address: 10.0.0.1}}\n")
    assert (site.documents, site.features, site.without, site.waivers) == ((), {}, (), ())
    assert site.hosts == (SiteHost("m1", ("10.0.0.1",)),)


def test_hosts_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = "external:\n  dns: {address: 10.0.0.53}\nhosts:\n  z: {address: 10.0.0.2}\n  a: {address: 10.0.0.1}\n"
    assert [host.name for host in site_of(tmp_path, text).hosts] == ["dns", "z", "a"]


def test_paths_of_documents_are_relative_to_the_site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "lab.yaml").write_text(
        "documents: [dcos-1.11, mine.yaml, ./plain, /etc/ports.yaml]\nhosts: {m1: {address: 10.0.0.1}}\n",
        encoding="utf-8",
    )
    assert load_site("sites/lab.yaml").documents == (
        "dcos-1.11",
        "sites/mine.yaml",
        "sites/./plain",
        "/etc/ports.yaml",
    )


def test_a_document_beside_the_site_file_is_still_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    site_of(tmp_path, "documents: [mine.yaml]\nhosts: {m1: {address: 10.0.0.1}}\n")
    assert load_site("site.yaml").documents == ("mine.yaml",)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "fd00::1",
        "1:2:3:4:5:6:7:8",
        "fe80::1%eth0",
        "localhost",
        "node-1",
        "node_1.example.org.",
        "3com.example",
        "xn--mller-kva.example",
        "a" * 63 + ".example",
    ],
)
def test_literals_and_names_are_addresses_as_written(address: str) -> None:
    assert parse_address(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1/24",
        "10.0.0.1:22",
        "node:22",
        "http://node",
        "-node",
        "node..example",
        "a" * 64 + ".example",
        "a." * 130 + "a",
        "müller.example",
        "node 1",
        "fe80::1%",
        "fe80::1%\x1b[2J",
        "255.255.255.255",
        "224.0.0.1",
        "::",
    ],
)
def test_other_text_is_no_address(text: str) -> None:
    with pytest.raises(PortcheckError) as refused:
        parse_address(text)
    assert str(refused.value).isprintable()


def test_the_schema_accepts_a_good_site() -> None:
    validator("site").validate(as_json(FULL))


@given(cut=st.integers(0, len(FULL)), length=st.integers(0, 60), patch=st.text(max_size=12))
def test_any_damage_gives_a_site_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, cut: int, length: int, patch: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged-site.yaml"
    path.write_bytes((FULL[:cut] + patch + FULL[cut + length :]).encode("utf-8", "surrogatepass"))
    try:
        message = load_site(str(path)).path
    except InputError as error:
        message = str(error)
    assert all(line.isprintable() for line in message.split("\n"))
