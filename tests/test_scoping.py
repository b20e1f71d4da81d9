"""From the user's words to a scope: what is not there, does not fit or cannot be meant is one clear sentence."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from portcheck.engine.probe import Transport
from portcheck.model import (
    Address,
    Expect,
    Family,
    Gap,
    Host,
    NamedPorts,
    Phase,
    PortcheckError,
    Ports,
    Scope,
    Selection,
    SweepKind,
    Vantage,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.scoping import scope_of, services
from portcheck.scoping.by_hand import parse_expect, parse_sweep
from portcheck.vantage import local
from tests.made_library import LISTED_NAMES, MORE_LISTED_NAMES, SYSTEM_NAMES

REAL_LOOK_UP = local.look_up
REAL_SERVICE_PORTS = local.service_ports
REAL_SERVICE_NAMES = local.service_names
ASKS_THE_KERNEL = (local.reachable_families, local.own_sources, local.is_this_machine)

NAMES: dict[str, local.Lookup] = {
    "web1": ("192.0.2.1",),
    "both": ("192.0.2.2", "2001:db8::2"),
    "six": ("2001:db8::6",),
    "alias": ("10.0.0.1",),
    "gone": "Name or service not known",
}


class Machine:
    """What the resolver and the kernel would say."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.broadcast: set[str] = set()
        self.asked: list[str] = []
        self.families = {Family.IPV4}

    def look_up(self, names: Iterable[str]) -> dict[str, local.Lookup]:
        wanted = list(dict.fromkeys(names))
        self.asked += wanted
        return {name: NAMES[name] for name in wanted}

    def is_this_machine(self, addresses: Iterable[Address]) -> bool:
        return any(address.ip in self.own for address in addresses)

    def is_broadcast(self, ip: str) -> bool:
        return ip in self.broadcast

    def own_sources(self, addresses: Iterable[Address]) -> dict[Family, str]:
        return {a.family: a.ip for a in reversed(list(addresses)) if a.ip in self.own}

    def reachable_families(self, addresses: tuple[Address, ...]) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        kept = tuple(a for a in addresses if a.family in self.families)
        return (kept, tuple(a for a in addresses if a not in kept)) if kept else (addresses, ())


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """No test asks a real resolver or which addresses this machine has."""
    answers = Machine()
    for name in ("look_up", "is_this_machine", "is_broadcast", "own_sources", "reachable_families"):
        monkeypatch.setattr(local, name, getattr(answers, name))
    monkeypatch.setattr(local, "machine_name", lambda: "testbox")
    monkeypatch.setattr(local, "service_ports", lambda name: SYSTEM_NAMES.get(name, ()))
    monkeypatch.setattr(local, "service_names", lambda: tuple(SYSTEM_NAMES))
    monkeypatch.setattr(services, "port_lists", lambda: (LISTED_NAMES, MORE_LISTED_NAMES))
    return answers


DEFAULTS = Selection(
    targets=(),
    documents=(),
    roles=(),
    expects=(),
    site=None,
    source=None,
    features={},
    transports=(),
    sweep="documented",
    strict=False,
    strict_sources=False,
    deadline_s=None,
)


LISTS = ("documents", "roles", "expects", "transports")


def scope(*targets: str, max_hosts: int = 1000, **asked: Any) -> Scope:
    """The scope of a selection; lists are written with blanks."""
    given: dict[str, Any] = {name: tuple(value.split()) if name in LISTS else value for name, value in asked.items()}
    return scope_of(replace(DEFAULTS, targets=targets, **given), Phase.INSTALLED, max_hosts)


DCOS: dict[str, Any] = {"documents": "dcos-1.11"}
SSH: dict[str, Any] = {"expects": "22/tcp"}

DOCUMENT = """
id: {id}
title: T
vendor: V
product: P
version: "1"
roles:
  master: {{title: M}}
  agent: {{title: A}}
  ldap: {{title: L, external: true}}
  {more}
features:
  extra: {{title: Extra}}
expectations:
  - {{service: S, ports: 22/tcp, from: [agent], to: [master], provenance: {{section: a, row: b}}}}
  - {{service: X, ports: 23/tcp, from: [agent], to: [master], provenance: {{section: a, row: c}},
      level: conditional, when: extra}}
"""


ROW = "{service: S, ports: 22/tcp, from: [any], to: [web], provenance: {section: a, row: b}}"


def document_file(folder: Path, id: str = "mine", more: str = "x: {title: X}") -> str:
    path = folder / f"{id}.yaml"
    path.write_text(DOCUMENT.format(id=id, more=more), encoding="utf-8")
    return str(path)


SITE = """
documents: [dcos-1.11]
features: {enterprise: true}
hosts:
  m1: {address: 10.0.0.1, roles: [master]}
  m2: {address: 10.0.0.2, roles: [master], offers: [ssh, 8080/tcp]}
  a1: {address: [10.0.0.11, "fd00::11"], roles: [agent]}
external:
  t1: {address: 10.0.0.53, roles: [ntp]}
"""


WAIVER = """
waivers:
  - {{to: a1, from: {source}, port: 1/tcp, reason: r, until: 2030-01-01}}
"""


def site_file(folder: Path, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    path, text = folder / "site.yaml", SITE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return str(path)


# --------------------------------------------------------------------------------------------------- errors

WITHOUT_A_SITE: dict[str, tuple[tuple[str, ...], dict[str, Any], list[str]]] = {
    "nothing asked": (("10.0.0.1",), {}, ["Nothing to check", "-d dcos-1.11", "-e 22/tcp"]),
    "no target": ((), DCOS, ["No TARGET", "10.0.0.1", "-s site.yaml"]),
    "no such document": (("10.0.0.1",), {"documents": "dcos-1.12"}, ['"dcos-1.12"', "dcos-1.11", "qumulo-core"]),
    "no such document file": (("10.0.0.1",), {"documents": "./nothing.yaml"}, ["./nothing.yaml"]),
    "no role for dcos": (("10.0.0.1",), DCOS, ["-r ROLE", "dcos-1.11", "master, agent"]),
    "no such role": (("10.0.0.1",), {**DCOS, "roles": "mastre"}, ['"mastre"', "--role", "did you mean master?"]),
    "a role of another document": (("10.0.0.1",), {**DCOS, "roles": "other:master"}, ['"other:master"']),
    "a role without a document": (("10.0.0.1",), {**SSH, "roles": "master"}, ['"master"', "have no roles"]),
    "no such feature": (
        ("10.0.0.1",),
        {**DCOS, "roles": "master", "features": {"enterprize": True}},
        ["--feature", '"enterprize"', "did you mean enterprise?"],
    ),
    "no such source": (
        ("10.0.0.1",),
        {**DCOS, "roles": "master", "source": "mstr"},
        ['--from "mstr"', "role", "master"],
    ),
    "a host as the source, without a site": (
        ("10.0.0.1",),
        {**DCOS, "roles": "master", "source": "a1"},
        ['--from "a1" is not a role'],
    ),
    "an address of another machine as the source": (
        ("10.0.0.1",),
        {**SSH, "source": "10.9.9.9"},
        ['--from "10.9.9.9"', "testbox", "does not have this address"],
    ),
    "a name as the source, without a site and documents": (
        ("10.0.0.1",),
        {**SSH, "source": "a1"},
        ['--from "a1"', "-d", "-s", "address of this machine"],
    ),
    "any as the source": (("10.0.0.1",), {**DCOS, "roles": "master", "source": "any"}, ['--from "any"']),
    "no such service": (("10.0.0.1",), {"expects": "shs"}, ['-e "shs"', "22/tcp"]),
    "no such port": (("10.0.0.1",), {"expects": "70000/tcp"}, ['-e "70000/tcp"', "65535"]),
    "a port without a transport": (("10.0.0.1",), {"expects": "22"}, ["22/tcp"]),
    "no such sweep": (("10.0.0.1",), {**SSH, "sweep": "everything"}, ["--sweep", '"everything"', "none"]),
    "a sweep of gre": (("10.0.0.1",), {**SSH, "sweep": "53/udp,gre"}, ["--sweep", "gre has no ports", "-e gre"]),
    "a name without an address": (("gone",), SSH, ['"gone"', "has no address", "Name or service not known"]),
    "host bits": (("10.0.0.1/24",), SSH, ["10.0.0.0/24 for the whole network", "10.0.0.1 for the one host"]),
    "host bits of six": (("2001:db8::1/120",), SSH, ["2001:db8::/120", "2001:db8::1 for the one host"]),
    "no network": (("10.0.0.0/33",), SSH, ['"10.0.0.0/33" is not a network']),
    "a network of names": (("web1/24",), SSH, ["is not a network"]),
    "too large": (("10.0.0.0/21",), SSH, ["2,048 addresses", "1,000", "--max-hosts 2048"]),
    "too large together": (("10.0.0.0/23", "10.1.0.0/23"), SSH, ["The targets: 1,020 addresses", "1,000"]),
    "a network of multicast": (("224.0.0.0/28",), SSH, ["multicast"]),
    "an address of nobody": (("0.0.0.0",), SSH, ['TARGET "0.0.0.0"', "one host"]),
    "an address of many": (("ff02::1",), SSH, ['TARGET "ff02::1"', "one host"]),
    "half an address": (("10.0.1",), SSH, ['"10.0.1"', "neither an IP address nor a DNS name"]),
    "an octal address": (("10.0.0.010",), SSH, ['"10.0.0.010"', "neither an IP address nor a DNS name"]),
    "an address that does not exist": (("10.0.0.256",), SSH, ['"10.0.0.256"']),
    "a port": (("10.0.0.1:22",), SSH, ["has a port", "10.0.0.1"]),
    "a URL": (("http://web1",), SSH, ['"http://web1"']),
    "nothing": (("",), SSH, ['TARGET ""']),
    "no name": (("=10.0.0.1",), SSH, ['TARGET "=10.0.0.1"']),
    "no address": (("web1=",), SSH, ['TARGET "web1="']),
    "a named network": (("lan=10.0.0.0/24",), SSH, ["is a network"]),
    "control characters": (("web\x1b[2J",), SSH, [r"web\x1b[2J"]),
    "control characters in a zone": (("fe80::1%\x1b[2J",), SSH, [r"\x1b[2J"]),
}


@pytest.mark.parametrize(("targets", "asked", "said"), WITHOUT_A_SITE.values(), ids=WITHOUT_A_SITE)
def test_what_does_not_fit_is_said(targets: tuple[str, ...], asked: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(PortcheckError) as caught:
        scope(*targets, **asked)
    assert [words for words in said if words not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_nothing_is_looked_up_for_an_unusable_selection(machine: Machine) -> None:
    with pytest.raises(PortcheckError, match="Say which role"):
        scope("web1", **DCOS)
    assert machine.asked == []


IN_A_SITE = {
    "no such target": (("m3",), {"source": "agent"}, {}, ['TARGET "m3" is not a host', "m1, m2, a1, t1"]),
    "no such address": (("10.9.9.9",), {"source": "agent"}, {}, ['"10.9.9.9"']),
    "no such role to choose": ((), {"roles": "mastr", "source": "agent"}, {}, ["--role", "did you mean master?"]),
    "no such source": ((), {"source": "a9"}, {}, ['--from "a9" is neither a host of the site nor a role', "a1"]),
    "not this host": ((), {"source": "a1"}, {}, ["--from a1", "testbox", "10.0.0.11, fd00::11", "--from ROLE"]),
    "none of its hosts": ((), {}, {}, ["testbox", "m1, m2, a1", "--from agent or --from master"]),
    "no such role of a host": (
        (),
        {"source": "agent"},
        {"roles: [agent]": "roles: [agnt]"},
        ["hosts.a1.roles", "agnt"],
    ),
    "no such role outside": (
        (),
        {"source": "agent"},
        {"[ntp]": "[ntpd]"},
        ["9: external.t1.roles[0]", '"ntpd"', "ntp?"],
    ),
    "no such feature": ((), {"source": "agent"}, {"enterprise": "enterpris"}, ['"enterpris"', "enterprise?"]),
    "no such service to offer": (
        (),
        {"source": "agent"},
        {"ssh": "ssshd"},
        ["hosts.m2.offers", '"ssshd"', "did you mean ssh?", "22/tcp"],
    ),
    "without an unselected document": (
        (),
        {"source": "agent"},
        {"external:": "without: [{document: qumulo-core, service: FTP, reason: r}]\nexternal:"},
        ["site.yaml:8: without[0].document", '"qumulo-core" is not selected', "known documents: dcos-1.11"],
    ),
    "without a service at a role that nobody has": (
        (),
        {"source": "agent"},
        {"external:": "without: [{service: Marathon, to: mastr, reason: r}]\nexternal:"},
        ["site.yaml:8: without[0].to", 'unknown role "mastr"', "did you mean master?"],
    ),
    "without a service at a role where it is not": (
        (),
        {"source": "agent"},
        {"external:": "without: [{service: Mesos Master, to: agent, reason: r}]\nexternal:"},
        ["site.yaml:8: without[0].to", '"Mesos Master" is nowhere at role "agent"', 'roles of "Mesos Master": master'],
    ),
    "without a service that nobody has": (
        (),
        {"source": "agent"},
        {"external:": "without: [{service: Marathn, reason: r}]\nexternal:"},
        ["site.yaml:8: without[0].service", '"Marathn"', "known services: ", "did you mean Marathon?"],
    ),
    "a waiver from nobody": (
        (),
        {"source": "agent"},
        {"external:": f"{WAIVER.format(source='agnet')}external:"},
        ["site.yaml:10: waivers[0].from", '"agnet"', "did you mean agent?"],
    ),
    "an unknown document": ((), {"source": "agent"}, {"dcos-1.11": "dcos-1.99"}, ['"dcos-1.99"']),
}


@pytest.mark.parametrize(("targets", "asked", "changes", "said"), IN_A_SITE.values(), ids=IN_A_SITE)
def test_what_does_not_fit_a_site_is_said(
    tmp_path: Path,
    targets: tuple[str, ...],
    asked: dict[str, Any],
    changes: dict[str, str],
    said: list[str],
) -> None:
    with pytest.raises(PortcheckError) as caught:
        scope(*targets, site=site_file(tmp_path, changes), **asked)
    assert [words for words in said if words not in str(caught.value)] == []


# -------------------------------------------------------------------------------- targets on the command line


def ips(of: Scope) -> dict[str, list[str]]:
    return {host.name: [address.ip for address in host.addresses] for host in of.hosts}


TARGETS = {
    "an address": (("10.0.0.1",), {"10.0.0.1": ["10.0.0.1"]}),
    "a name": (("web1",), {"web1": ["192.0.2.1"]}),
    "a name of one's own": (("db=10.0.0.1",), {"db": ["10.0.0.1"]}),
    "a name for a name": (("db=web1",), {"db": ["192.0.2.1"]}),
    "six": (("2001:DB8:0::1",), {"2001:db8::1": ["2001:db8::1"]}),
    "four in the clothes of six": (("::ffff:10.0.0.1",), {"10.0.0.1": ["10.0.0.1"]}),
    "link-local": (("fe80::1%eth0",), {"fe80::1%eth0": ["fe80::1%eth0"]}),
    "a network": (("10.0.0.0/30",), {"10.0.0.1": ["10.0.0.1"], "10.0.0.2": ["10.0.0.2"]}),
    "two": (("10.0.0.0/31",), {"10.0.0.0": ["10.0.0.0"], "10.0.0.1": ["10.0.0.1"]}),
    "one": (("10.0.0.7/32",), {"10.0.0.7": ["10.0.0.7"]}),
    "twice": (("web1", "10.0.0.1", "web1"), {"web1": ["192.0.2.1"], "10.0.0.1": ["10.0.0.1"]}),
    "two addresses of one host": (
        ("db=10.0.0.1", "db=2001:db8::1", "db=10.0.0.1"),
        {"db": ["10.0.0.1", "2001:db8::1"]},
    ),
    "a name and its address": (("db=alias", "db=10.0.0.1"), {"db": ["10.0.0.1"]}),
}


@pytest.mark.parametrize(("targets", "expected"), TARGETS.values(), ids=TARGETS)
def test_a_target(targets: tuple[str, ...], expected: dict[str, list[str]]) -> None:
    found = scope(*targets, **SSH)
    assert ips(found) == expected
    assert found.vantage.name == "here"
    assert found.vantage.roles is None
    assert not found.whole_site


def test_a_name_is_looked_up_once(machine: Machine) -> None:
    scope("web1", "db=web1", "10.0.0.1", "10.0.0.0/29", **SSH)
    assert machine.asked == ["web1"]


def test_only_addresses_out_of_a_network_may_be_nobody() -> None:
    found = scope("10.0.0.0/30", "10.0.0.2", "web1", "10.0.0.9/32", **SSH)
    assert {host.name for host in found.hosts if host.from_network} == {"10.0.0.1"}


def test_a_name_is_checked_in_the_families_that_we_have_a_route_for() -> None:
    found = scope("both", **SSH)
    assert ips(found) == {"both": ["192.0.2.2"]}
    (line,) = found.left_out
    assert (line.gap, line.flows) == (Gap.FAMILY_WITHOUT_ROUTE, 0)
    assert "both: 2001:db8::2" in line.text


def test_without_any_route_everything_is_checked_and_will_say_so() -> None:
    found = scope("six", "2001:db8::1", **SSH)
    assert ips(found) == {"six": ["2001:db8::6"], "2001:db8::1": ["2001:db8::1"]}
    assert found.left_out == ()


def test_this_machine_as_a_target_is_noted(machine: Machine) -> None:
    machine.own = {"10.0.0.1"}
    found = scope("10.0.0.0/30", **SSH)
    assert [host.name for host in found.hosts if host.is_self] == ["10.0.0.1"]
    (line,) = found.left_out
    assert line.gap is Gap.ITSELF
    assert line.text.startswith("10.0.0.1 ")


def test_a_document_with_one_role_needs_no_role() -> None:
    (host,) = scope("10.0.0.1", documents="qumulo-core").hosts
    assert host.roles == ("qumulo-core:node",)


ROLES = {
    "one": ("dcos-1.11", "master", ("dcos-1.11:master",)),
    "two": ("dcos-1.11", "master agent", ("dcos-1.11:master", "dcos-1.11:agent")),
    "in full": ("dcos-1.11", "dcos-1.11:master", ("dcos-1.11:master",)),
    "external": ("dcos-1.11", "ntp", ("ntp",)),
    "of both documents": ("dcos-1.11 qumulo-core", "master node", ("dcos-1.11:master", "qumulo-core:node")),
    "shared by both": ("dcos-1.11 qumulo-core", "ntp", ("ntp",)),
}


@pytest.mark.parametrize(("documents", "roles", "keys"), ROLES.values(), ids=ROLES)
def test_the_roles_of_targets(documents: str, roles: str, keys: tuple[str, ...]) -> None:
    (host,) = scope("10.0.0.1", documents=documents, roles=roles).hosts
    assert host.roles == keys


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("node", r"Say which role of dcos-1\.11 the targets"),
        ("master", "Say which role of qumulo-core the targets"),
        ("", r"of dcos-1\.11 and of qumulo-core .* for each \(dcos-1\.11: master, agent; qumulo-core: node\)"),
    ],
)
def test_a_role_for_one_document_is_none_for_another(roles: str, said: str) -> None:
    with pytest.raises(PortcheckError, match=said):
        scope("10.0.0.1", documents="dcos-1.11 qumulo-core", roles=roles)


def test_documents_with_one_role_each_need_no_role(tmp_path: Path) -> None:
    one = "id: one\ntitle: T\nvendor: V\nproduct: P\nversion: '1'\nroles: {web: {title: W}}\nexpectations:\n"
    path = tmp_path / "one.yaml"
    path.write_text(f"{one}  - {ROW}\n", encoding="utf-8")
    (host,) = scope("10.0.0.1", documents=f"qumulo-core {path}").hosts
    assert host.roles == ("qumulo-core:node", "one:web")


def test_a_role_of_two_documents_must_be_said_in_full(tmp_path: Path) -> None:
    both = f"{document_file(tmp_path)} dcos-1.11"
    with pytest.raises(PortcheckError, match=r"write dcos-1\.11:master or mine:master"):
        scope("10.0.0.1", documents=both, roles="master")
    (host,) = scope("10.0.0.1", documents=both, roles="mine:master dcos-1.11:agent").hosts
    assert host.roles == ("mine:master", "dcos-1.11:agent")


def test_what_the_message_says_to_write_works_when_one_of_them_is_external(tmp_path: Path) -> None:
    both = f"{document_file(tmp_path, more='node: {title: N}')} {document_file(tmp_path, 'two', 'x: {title: X}')}"
    mixed = f"{both} {document_file(tmp_path, 'three', 'node: {title: N, external: true}')}"
    with pytest.raises(PortcheckError, match="write mine:node or three:node"):
        scope("10.0.0.1", documents=mixed, roles="node two:x")
    (host,) = scope("10.0.0.1", documents=mixed, roles="three:node mine:node two:x").hosts
    assert host.roles == ("node", "mine:node", "two:x")


def test_a_document_is_selected_once_and_an_id_belongs_to_one(tmp_path: Path) -> None:
    found = scope("10.0.0.1", documents="dcos-1.11 dcos-1.11", roles="master")
    assert [document.id for document in found.documents] == ["dcos-1.11"]
    (tmp_path / "other").mkdir()
    two = f"{document_file(tmp_path)} {document_file(tmp_path / 'other')}"
    with pytest.raises(PortcheckError, match="two of the documents have the id mine"):
        scope("10.0.0.1", documents=two, roles="master")


VANTAGES = {
    "a role": ("agent", "agent", {"dcos-1.11:agent"}),
    "in full": ("dcos-1.11:agent", "agent", {"dcos-1.11:agent"}),
    "external": ("ntp", "ntp", {"ntp"}),
    "the internet": ("internet", "internet", {"internet"}),
}


@pytest.mark.parametrize(("source", "name", "keys"), VANTAGES.values(), ids=VANTAGES)
def test_a_claimed_role(source: str, name: str, keys: set[str], tmp_path: Path) -> None:
    for found in (
        scope("10.0.0.1", **DCOS, roles="master", source=source),
        scope(site=site_file(tmp_path), source=source),
    ):
        assert (found.vantage.name, found.vantage.roles, found.vantage.host) == (name, frozenset(keys), None)
        assert found.vantage.machine == "testbox"


@pytest.mark.parametrize(
    ("source", "sources"),
    [("10.0.0.9", {Family.IPV4: "10.0.0.9"}), ("FD00:0::9", {Family.IPV6: "fd00::9"})],
)
def test_an_address_of_ours_is_where_the_probes_start(
    source: str, sources: dict[Family, str], machine: Machine
) -> None:
    machine.own = {"10.0.0.9", "fd00::9"}
    found = scope("10.0.0.1", "2001:db8::1", **SSH, source=source)
    assert (found.vantage.name, found.vantage.roles, found.vantage.host) == ("here", None, None)
    assert found.vantage.sources == sources
    assert {check.probe.source_address for check in plan(found).checks if check.probe} == {*sources.values(), None}


def test_features_of_the_command_line_are_for_every_document_that_has_them(tmp_path: Path) -> None:
    two = f"dcos-1.11 {document_file(tmp_path)} {document_file(tmp_path, 'two')}"
    stated = {"extra": True, "two:extra": False, "enterprise": True}
    found = scope("10.0.0.1", documents=two, roles="dcos-1.11:master mine:x two:x", features=stated)
    assert found.features == {"dcos-1.11": {"enterprise": True}, "mine": {"extra": True}, "two": {"extra": False}}


def test_transports() -> None:
    assert scope("10.0.0.1", **SSH).transports is None
    assert scope("10.0.0.1", **SSH, transports="tcp udp").transports == frozenset(
        Transport(name) for name in ("tcp", "udp")
    )


EXPECTS = {
    "22/tcp": [("22/tcp", None)],
    "22,443/tcp,53/udp": [("22/tcp", None), ("443/tcp", None), ("53/udp", None)],
    "1025-2180/tcp": [("1025-2180/tcp", None)],
    "gre": [("gre", None)],
    "icmp": [("icmp", None)],
    "ssh": [("22/tcp", "ssh")],
    "ntp": [("123/udp", "ntp")],
    "22/tcp, ssh": [("22/tcp", "ssh"), ("22/tcp", None)],
    " ssh , 53/udp ": [("22/tcp", "ssh"), ("53/udp", None)],
    "smtp,ldap": [("25/tcp", "smtp"), ("389/tcp", "ldap")],
    "SMTP": [("25/tcp", "SMTP")],
    "dns": [("53/tcp", "dns"), ("53/udp", "dns")],
    "domain/udp": [("53/udp", "domain")],
    "domain/tcp+udp": [("53/tcp", "domain"), ("53/udp", "domain")],
    "ldap/udp": [("389/udp", "ldap")],
    "squid/udp": [("3130/udp", "squid")],
    "snmp/udp": [("161/udp", "snmp")],
    "shell": [("514/tcp", "shell")],
}


@pytest.mark.parametrize(("text", "expected"), EXPECTS.items())
def test_ports_by_hand(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert parse_expect(text) == tuple(NamedPorts(parse_ports(ports)[0], name) for ports, name in expected)


REFUSED_NAMES = {
    "nosuch": 'neither the port lists nor this system know a service "nosuch"; give a port: 22/tcp',
    "smpt": 'neither the port lists nor this system know a service "smpt"; did you mean snmp or smtp? Or give a port: '
    "22/tcp",
    "htp-alt": 'neither the port lists nor this system know a service "htp-alt"; did you mean http-alt? Or give a '
    "port: 22/tcp",
    "rtp": '"rtp" is ambiguous: 16384-32767/udp (Port List), 6970-6999/udp (Port List, More Ports); write the '
    "port that you mean: 16384-32767/udp or 6970-6999/udp",
    "http-alt": '"http-alt" is ambiguous: 8080/tcp (Port List), 8008/tcp (this system); write the port that you mean: '
    "8080/tcp or 8008/tcp",
    "snmp": '"snmp" is ambiguous: on this system it is 161/tcp and 161/udp; write snmp/tcp or snmp/udp',
    "smtp/udp": '"smtp" has no udp port: write 25/tcp',
    "ssh/udp": '"ssh" has no udp port: write 22/tcp',
    "ntp/tcp": '"ntp" has no tcp port: write 123/udp',
}
"""A name to what is said about it, under -e as under `offers:`."""


@pytest.mark.parametrize(("name", "message"), REFUSED_NAMES.items())
def test_a_name_that_is_not_one_thing(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PortcheckError) as by_hand:
        parse_expect(name)
    assert str(by_hand.value) == f'-e "{name}": {message}'
    path = site_file(tmp_path, {"offers: [ssh": f"offers: [{name}"})
    with pytest.raises(PortcheckError) as in_site:
        scope(site=path, source="agent")
    assert str(in_site.value) == f"{path}:6: hosts.m2.offers[0]: {message}"


def test_what_a_host_offers_may_have_several_ports(tmp_path: Path) -> None:
    path = site_file(tmp_path, {"offers: [ssh": "offers: [dns, ldap/udp"})
    assert scope(site=path, source="agent").hosts[1].offers == parse_ports("8080/tcp,53/tcp+udp,389/udp")


def test_ports_by_number_need_no_port_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("nobody asked for a name")

    monkeypatch.setattr(services, "port_lists", refuse)
    assert parse_expect("22/tcp,gre")
    with pytest.raises(AssertionError):
        parse_expect("ssh")


def test_the_names_of_this_system_are_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "services"
    path.write_bytes(b"# comment\nssh\t22/tcp\n\nsmtp 25/tcp mail\t# smtp too\nbroken\n\xff 1/tcp\n")
    monkeypatch.setattr(local, "_SERVICES", str(path))
    assert REAL_SERVICE_NAMES() == ("ssh", "smtp", "mail", "\ufffd")
    monkeypatch.setattr(local, "_SERVICES", str(tmp_path / "nosuch"))
    assert REAL_SERVICE_NAMES() == ()


def test_the_services_of_this_system_have_all_their_transports(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(name: str, transport: str) -> int:
        if (name, transport) in {("snmp", "udp"), ("snmp", "tcp"), ("ntp", "udp")}:
            return 161 if name == "snmp" else 123
        raise OSError("service/proto not found")

    monkeypatch.setattr(socket, "getservbyname", known)
    assert [REAL_SERVICE_PORTS(name) for name in ("snmp", "ntp", "x")] == [
        parse_ports("161/tcp+udp"),
        parse_ports("123/udp"),
        (),
    ]


@pytest.mark.parametrize(
    "text",
    ["tcp", "22/sctp", "", "-1/tcp", "2180-1025/tcp", "22/tcp,22/tcp", "ssh,http", "ssh/", "ssh/x", "gre/tcp", "\x1b"],
)
def test_what_is_neither_a_port_nor_a_service(text: str) -> None:
    with pytest.raises(PortcheckError, match=r"^-e "):
        parse_expect(text)


SWEEPS = {
    "none": (SweepKind.NONE, ()),
    "documented": (SweepKind.DOCUMENTED, ()),
    "all": (SweepKind.ALL, ()),
    "1-1024,8080": (SweepKind.PORTS, parse_ports("1-1024,8080/tcp")),
    "22/tcp": (SweepKind.PORTS, parse_ports("22/tcp")),
    " 1-3, 5 ": (SweepKind.PORTS, parse_ports("1-3,5/tcp")),
    " all ": (SweepKind.ALL, ()),
}


@pytest.mark.parametrize(("text", "expected"), SWEEPS.items())
def test_a_sweep(text: str, expected: tuple[SweepKind, tuple[Ports, ...]]) -> None:
    sweep = parse_sweep(text)
    assert (sweep.kind, sweep.ports) == expected


def test_a_sweep_of_ports_is_enough_to_ask_for() -> None:
    assert plan(scope("10.0.0.1", sweep="1-3")).checks
    assert not plan(scope("10.0.0.1", **SSH, sweep="none")).checks[1:]


@pytest.mark.parametrize("ask", ASKS_THE_KERNEL, ids=lambda ask: ask.__name__)
def test_a_machine_without_descriptors_is_told_what_to_do(
    ask: Callable[[tuple[Address, ...]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: object, **options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(local, "source_towards", refuse)
    monkeypatch.setattr(local, "is_own", refuse)
    with pytest.raises(PortcheckError, match=r"Too many open files.*ulimit -n"):
        ask((Address("192.0.2.1", Family.IPV4),))
    with pytest.raises(PortcheckError, match=r'"web1" cannot be looked up: Too many open files.*ulimit -n'):
        REAL_LOOK_UP(["web1"])


# ----------------------------------------------------------------------------------------------------- a site


def test_all_unknown_names_of_a_site_are_said_at_once_before_anything_else(tmp_path: Path) -> None:
    changes = {
        "[dcos-1.11]": "[dcos-1.11, nosuch]",
        "enterprise": "enterprize",
        "[agent]": "[agnet]",
        "offers: [ssh": "offers: [ssshd",
        "external:": f"without: [{{service: Marathn, reason: r}}]{WAIVER.format(source='mastr')}external:",
    }
    with pytest.raises(PortcheckError) as caught:
        scope("no-such-host", site=site_file(tmp_path, changes), documents="neither", roles="mastr", source="a9")
    path = tmp_path / "site.yaml"
    said = [line.removeprefix(f"{path}:").split(": ")[:2] for line in str(caught.value).splitlines()]
    assert said == [
        ["2", "documents[1]"],
        ["3", "features.enterprize"],
        ["6", "hosts.m2.offers[0]"],
        ["7", "hosts.a1.roles[0]"],
        ["8", "without[0].service"],
        ["10", "waivers[0].from"],
    ]


UNUSED = {
    "at one role": ("to: agent", {"m1": True, "a1": False}),
    "in full": ("to: 'dcos-1.11:agent', document: dcos-1.11", {"m1": True, "a1": False}),
    "everywhere": ("document: dcos-1.11", {"m1": False, "a1": False}),
}


@pytest.mark.parametrize(("words", "wanted"), UNUSED.values(), ids=UNUSED)
def test_a_service_may_be_unused_at_one_role_only(words: str, wanted: dict[str, bool], tmp_path: Path) -> None:
    entry = f"without: [{{service: REX-Ray, {words}, reason: no volumes}}]\nexternal:"
    planned = plan(scope(site=site_file(tmp_path, {"external:": entry}), source="agent"))
    asked = {c.host for c in planned.checks if c.port == 61003 and c.expect is Expect.REACHABLE}
    assert {name: name in asked for name in wanted} == wanted
    (line,) = (entry for entry in planned.not_planned if entry.gap is Gap.WITHOUT)
    at = " at agent" if "to:" in words else ""
    assert line.text == f"REX-Ray is not used{at}: no volumes"


def test_a_site_is_found_by_our_address(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"10.0.0.11", "fd00::11"}
    found = scope(site=site_file(tmp_path))
    assert found.vantage.name == found.vantage.host == "a1"
    assert found.vantage.roles == frozenset({"dcos-1.11:agent"})
    assert found.vantage.sources == {Family.IPV4: "10.0.0.11", Family.IPV6: "fd00::11"}
    assert (found.whole_site, found.other_hosts) == (True, ())
    assert found.features == {"dcos-1.11": {"enterprise": True}}
    assert [(host.name, host.external) for host in found.hosts] == [
        ("m1", False),
        ("m2", False),
        ("a1", False),
        ("t1", True),
    ]
    assert found.hosts[1].offers == (*parse_ports("8080/tcp"), *parse_ports("22/tcp"))


def test_several_addresses_of_ours_need_a_word(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"10.0.0.1", "10.0.0.11"}
    with pytest.raises(PortcheckError, match=r"is several hosts of .*\(m1, a1\): say which with --from"):
        scope(site=site_file(tmp_path))
    assert scope(site=site_file(tmp_path), source="m1").vantage.sources == {Family.IPV4: "10.0.0.1"}


def refused(site: str | None, *, standing_in: bool = False, **asked: Any) -> str:
    with pytest.raises(PortcheckError) as caught:
        own_scope(site, standing_in=standing_in, **asked)
    return str(caught.value)


def own_scope(site: str | None, *, standing_in: bool = False, **asked: Any) -> Scope:
    given: dict[str, Any] = {name: tuple(value.split()) if name in LISTS else value for name, value in asked.items()}
    selection = replace(DEFAULTS, site=site, local=True, **given)
    return scope_of(selection, Phase.PREINSTALL, standing_in=standing_in)


@pytest.mark.parametrize(("standing_in", "option"), [(False, "--from"), (True, "--as")])
def test_who_we_are_in_a_site_is_asked_for_by_the_option_that_there_is(
    standing_in: bool, option: str, tmp_path: Path, machine: Machine
) -> None:
    site = site_file(tmp_path)
    assert refused(site, standing_in=standing_in) == (
        f"This machine (testbox) has no address of {site}. Run portcheck on one of its hosts (m1, m2, a1), or say "
        f"which of them it is: {option} HOST"
    )
    assert refused(site, standing_in=standing_in, source="agent") == (
        f'{option} "agent" is a role, and no host of {site}: say which host this machine is; known hosts: m1, m2, a1'
    )
    assert refused(site, standing_in=standing_in, source="m9") == (
        f'{option} "m9" is not a host of {site}; known hosts: m1, m2, a1'
    )
    assert refused(site, standing_in=standing_in, source="t1") == (
        f"{option} t1: {site} has it under external:, so it exists already, and none of its ports has to be free"
    )
    machine.own = {"10.0.0.1", "10.0.0.11"}
    said = refused(site, standing_in=standing_in)
    assert said.endswith(f"is several hosts of {site} (m1, a1): say which with {option}.")


def test_a_host_behind_a_translation_may_be_named_and_that_is_said(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"192.168.0.7"}
    found = own_scope(site_file(tmp_path), source="m1")
    assert found.vantage == Vantage("m1", frozenset({"dcos-1.11:master"}), "m1", {}, "testbox")
    (host,) = found.hosts
    assert (host.name, host.addresses) == ("m1", ()), "what its packet filter sees is not the address outside"
    assert [entry.text for entry in found.left_out if entry.gap is Gap.ITSELF] == [
        "This machine (testbox) has none of the addresses of m1 (10.0.0.1), and is looked at as m1 all the same"
    ]
    machine.own = {"10.0.0.1"}
    found = own_scope(site_file(tmp_path), source="m1")
    assert [a.ip for a in found.hosts[0].addresses] == ["10.0.0.1"]
    assert found.left_out == ()


def test_a_check_of_paths_still_needs_the_address(tmp_path: Path) -> None:
    with pytest.raises(PortcheckError, match="has none of its addresses"):
        scope(site=site_file(tmp_path), source="m1")


ONLY_WITH_PORTS = {
    "a protocol": ({"expects": "gre"}, "-e gre"),
    "two of them": ({"expects": "gre icmp"}, "-e gre -e icmp"),
    "transports": ({"documents": "dcos-1.11", "roles": "master", "transports": "icmp gre"}, "--transport icmp"),
}


@pytest.mark.parametrize(("asked", "what"), ONLY_WITH_PORTS.values(), ids=ONLY_WITH_PORTS)
def test_what_has_no_ports_cannot_be_looked_at_on_this_machine(asked: dict[str, Any], what: str) -> None:
    said = refused(None, **asked)
    assert said.startswith(what)
    assert said.endswith(": only TCP and UDP ports can be looked at on this machine")


def test_of_a_site_as_well_only_ports_can_be_looked_at(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"10.0.0.1"}
    assert refused(site_file(tmp_path), transports="icmp").startswith("--transport icmp: only TCP and UDP ports ")


def test_what_is_left_out_beside_ports_is_said() -> None:
    found = own_scope(None, expects="gre 22/tcp")
    assert [entry.text for entry in found.left_out] == [
        "-e gre is left out: only TCP and UDP ports can be looked at on this machine"
    ]
    assert own_scope(None, expects="22/tcp").left_out == ()


def test_a_name_for_this_machine_that_is_none_is_refused() -> None:
    assert refused(None, source="../x", expects="22/tcp") == (
        '--from "../x": write a name of letters, digits, dots, - and _'
    )
    assert own_scope(None, source="a" * 200, expects="22/tcp").vantage.name == "a" * 200


def test_a_server_of_others_is_not_taken_for_where_we_stand(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"10.0.0.53"}
    with pytest.raises(PortcheckError, match="has no address of"):
        scope(site=site_file(tmp_path))
    assert scope(site=site_file(tmp_path), source="t1").vantage.roles == frozenset({"ntp"})


def test_a_claimed_role_on_a_machine_of_the_site_knows_which_host_it_is(tmp_path: Path, machine: Machine) -> None:
    machine.own = {"10.0.0.2"}
    found = scope(site=site_file(tmp_path), source="agent")
    assert [host.name for host in found.hosts if host.is_self] == ["m2"]
    assert not [check for check in plan(found).checks if check.address == "10.0.0.2"]


CHOSEN = {
    "a name": (("m1",), "", ["m1"]),
    "an address": (("fd00:0::11",), "", ["a1"]),
    "two": (("a1", "10.0.0.1"), "", ["m1", "a1"]),
    "a role": ((), "master", ["m1", "m2"]),
    "two roles": ((), "master ntp", ["m1", "m2", "t1"]),
    "both": (("m1", "a1"), "master", ["m1"]),
}


@pytest.mark.parametrize(("targets", "roles", "names"), CHOSEN.values(), ids=CHOSEN)
def test_chosen_hosts_of_a_site(targets: tuple[str, ...], roles: str, names: list[str], tmp_path: Path) -> None:
    found = scope(*targets, roles=roles, site=site_file(tmp_path), source="agent")
    assert [host.name for host in found.hosts] == names
    assert {host.name for host in found.other_hosts} == {"m1", "m2", "a1", "t1"} - set(names)
    missing = [entry.text for entry in plan(found).not_planned if entry.gap is Gap.NO_HOST_FOR_ROLE]
    assert missing == []


UNRESOLVED = {
    "a name": ("gone", [], "gone: Name or service not known"),
    "a name and an address": ("[gone, 10.0.0.9]", ["10.0.0.9"], "gone: Name or service not known"),
    "a name that means the address": ("[10.0.0.1, alias]", ["10.0.0.1"], None),
    "a name of two families": ("both", ["192.0.2.2"], None),
}


@pytest.mark.parametrize(("written", "addresses", "unresolved"), UNRESOLVED.values(), ids=UNRESOLVED)
def test_names_in_a_site(written: str, addresses: list[str], unresolved: str | None, tmp_path: Path) -> None:
    found = scope(site=site_file(tmp_path, {"address: 10.0.0.1,": f"address: {written},"}), source="agent")
    m1: Host = found.hosts[0]
    assert ([address.ip for address in m1.addresses], m1.unresolved) == (addresses, unresolved)
    ids = [check.id for check in plan(found).checks]
    assert len(ids) == len(set(ids))
    assert any("m1/unresolved/" in check_id for check_id in ids) == (unresolved is not None)


@pytest.mark.parametrize("source", ["any", "internet", "localhost", "a1", "m2", "t1", "agent", "dcos-1.11:agent"])
def test_a_waiver_may_be_from_a_host_a_role_or_everybody(source: str, tmp_path: Path) -> None:
    path = site_file(tmp_path, {"external:": f"{WAIVER.format(source=source)}external:"})
    assert [waiver.source for waiver in scope(site=path, source="agent").waivers] == [source]


def test_the_command_line_overrules_and_adds_to_a_site(tmp_path: Path) -> None:
    found = scope(
        site=site_file(tmp_path),
        source="agent",
        features={"enterprise": False},
        documents="qumulo-core",
        expects="22/tcp ssh",
    )
    assert found.features == {"dcos-1.11": {"enterprise": False}}
    assert [document.id for document in found.documents] == ["dcos-1.11", "qumulo-core"]
    assert found.extra == (*parse_expect("22/tcp"), *parse_expect("ssh"))


def test_a_broadcast_address_is_no_target_and_no_member_of_a_network(machine: Machine) -> None:
    machine.broadcast = {"10.0.0.255"}
    with pytest.raises(PortcheckError, match="is the broadcast address of a network, no address of one host"):
        scope("u=10.0.0.255", **SSH)
    names = [host.name for host in scope("10.0.0.252/30", "10.0.0.254/31", **SSH).hosts]
    assert names == ["10.0.0.253", "10.0.0.254"]


def test_a_broadcast_address_in_a_site_file_is_said_to_be_one(machine: Machine, tmp_path: Path) -> None:
    machine.broadcast = {"10.0.0.255"}
    path = tmp_path / "site.yaml"
    path.write_text("hosts:\n  m1: {address: 10.0.0.1}\n  all: {address: 10.0.0.255}\n", encoding="utf-8")
    machine.own = {"10.0.0.1"}
    _, found = scope(site=str(path), **SSH).hosts
    assert (found.addresses, found.unresolved) == (
        (),
        "10.0.0.255: the broadcast address of a network, no address of one host",
    )


def test_ports_of_the_command_line_are_for_others_and_not_for_localhost_alone() -> None:
    selection = replace(DEFAULTS, local=True, expects=("22/tcp",))
    with pytest.raises(PortcheckError, match="-e names what others reach"):
        scope_of(selection, Phase.INSTALLED)
    assert scope_of(selection, Phase.PREINSTALL).hosts
