"""What portcheck says to input that it cannot use: the exact words, status 2, and nothing left behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from portcheck.engine.probe import Transport
from portcheck.reports import run_json
from portcheck.vantage import local
from tests.command import Done, portcheck
from tests.made_runs import five_faults

ROOT = Path(__file__).resolve().parents[1]

DOCUMENT = """\
id: shop-1
title: Shop Ports
vendor: Example
product: Shop
version: "1"
roles:
  web: {title: Web server}
expectations:
  - service: HTTPS
    ports: %s
    from: [any]
    to: [web]
    provenance: {section: TCP, row: "443"}
"""

NAMES = """\
id: names-1
kind: reference
title: Names
vendor: Example
version: "1"
services:
  - {service: SSH, tcp: 22, provenance: {section: TCP, row: "22"}}
"""

SITE = """\
documents: [shop.yaml]
hosts:
  w1: {address: 192.0.2.1, roles: [web]}
"""


MANY_NAMES = """\
waivers:
  - {to: w1, from: wob, port: 1/tcp, reason: r, until: 2030-01-31}
  - {to: w1, from: dns, port: 1/tcp, reason: r, until: 2030-01-31}
without:
  - {service: HTTP, reason: r}
  - {document: shop-2, service: HTTPS, reason: r}
  - {service: HTTPS, to: wbe, reason: r}
  - {service: HTTPS, to: "shop-1:web", reason: r}
external:
  dns: {address: 192.0.2.53, offers: [nosuch], roles: [dns]}
features:
  tls: true
hosts:
  w1: {address: 192.0.2.1, roles: [web, "shop-1:wbe"]}
  w2:
    address: 192.0.2.2
    offers:
      - 22/tcp
      - "no such"
documents: [shop.yaml]
"""


def document(ports: str = "443/tcp") -> str:
    return DOCUMENT % ports


FILES: Mapping[str, str] = {
    "shop.yaml": document(),
    "site.yaml": SITE,
    "names.yaml": NAMES,
    "site-names.yaml": SITE.replace("shop.yaml", "names.yaml"),
    "broken.yaml": "id: [shop\ntitle: x\n",
    "unknown-key.yaml": document() + "colour: red\n",
    "duplicate-key.yaml": document() + "id: shop-2\n",
    "wrong-type.yaml": document().replace("[web]\n    prov", "{web: 1}\n    prov"),
    "port-0.yaml": document("0/tcp"),
    "port-65536.yaml": document("65536/tcp"),
    "reversed.yaml": document("30-20/tcp"),
    "several-mistakes.yaml": document("30-20/tcp").replace("[any]", "[nobody]") + "colour: red\n",
    "site-broken.yaml": "hosts: {w1: {address: 192.0.2.1}\n",
    "site-unknown-key.yaml": SITE + "colour: red\n",
    "site-reversed.yaml": SITE + "waivers:\n"
    "  - {to: w1, from: any, port: 30-20/tcp, finding: blocked, reason: r, until: 2027-01-31}\n",
    "site-unknown-document.yaml": SITE.replace("shop.yaml", "shop-9"),
    "site-unknown-role.yaml": SITE.replace("[web]", "[wbe]"),
    "site-unknown-feature.yaml": SITE + "features: {tls: true}\n",
    "site-unknown-service.yaml": SITE + 'without:\n  - {document: shop-1, service: HTTP, reason: "no"}\n',
    "site-many-names.yaml": MANY_NAMES,
    "site-broken-documents.yaml": SITE.replace(
        "[shop.yaml]", "\n  - shop.yaml\n  - several-mistakes.yaml\n  - nosuch.yaml\n  - shop-9"
    ).replace("[web]", "[wbe, other]"),
    "site-same-id.yaml": SITE.replace("shop.yaml", "shop.yaml, ./shop.yaml"),
    "site-control.yaml": SITE.replace("w1:", '"w\\e[31m1":'),
    "not-json.json": "{",
    "not-a-run.json": '{"schema": "portcheck/run/2"}',
    "cut.json": '{"schema": "portcheck/run/1", "phase": "installed"}',
    "run.json": run_json.render(five_faults()),
}
"""What stands in the folder in which every command of the table is run."""

KNOWN_DOCUMENTS = "dcos-1.11, internet-services, qumulo-core, well-known-ports, windows-server"

MESSAGES: Mapping[str, str] = {
    # What to check.
    "check": "Nothing to check: name a document (-d dcos-1.11; see `portcheck documents list`) or ports (-e 22/tcp).",
    "check 192.0.2.1": "Nothing to check: name a document (-d dcos-1.11; see `portcheck documents list`) "
    "or ports (-e 22/tcp).",
    "check -e 22/tcp": "No TARGET: name what to check (portcheck check 10.0.0.1 …) or a site file with all hosts "
    "(-s site.yaml).",
    "check -d shop.yaml": "No TARGET: name what to check (portcheck check 10.0.0.1 …) or a site file with all hosts "
    "(-s site.yaml).",
    # What one option leaves out of another.
    "check 192.0.2.1 --sweep 53,161 --transport udp": '--sweep "53,161" is TCP, which --transport udp leaves out: '
    "write --sweep 53,161/udp",
    "check 192.0.2.1 --sweep common --transport udp": '--sweep "common" is TCP, which --transport udp leaves out: '
    "write --sweep PORTS/udp",
    "check 192.0.2.1 --sweep all --transport udp": '--sweep "all" is TCP, which --transport udp leaves out: '
    "write --sweep 1-65535/udp",
    "check 192.0.2.1 -e 67-70/udp --transport tcp": "-e 67-70/udp is left out by --transport tcp: "
    "write -e 67-70/tcp, or leave --transport out",
    "check 192.0.2.1 -e gre --transport tcp": "-e gre is left out by --transport tcp: leave --transport out",
    "check 192.0.2.1 -e 53/udp --sweep 1-9/udp --transport icmp": '--sweep "1-9/udp" is UDP, which --transport icmp '
    "leaves out",
    # Ports.
    "check 192.0.2.1 -e 0/tcp": '-e "0/tcp": port 0 does not exist: ports are 1 to 65535',
    "check 192.0.2.1 -e 65536/tcp": '-e "65536/tcp": port 65536 does not exist: ports are 1 to 65535',
    "check 192.0.2.1 -e 30-20/tcp": '-e "30-20/tcp": range 30-20 is reversed: write 20-30',
    "check 192.0.2.1 -e 22": '-e "22": 22 has no transport: write 22/tcp or 22/udp',
    "check 192.0.2.1 -e nosuch": '-e "nosuch": neither the port lists nor this system know a service "nosuch"; '
    "give a port: 22/tcp",
    "check 192.0.2.1 -e 22/tcp --sweep 53/udp,gre": '--sweep "53/udp,gre": gre has no ports; name it with -e gre',
    "check 192.0.2.1 -e 22/tcp --sweep 9-8": '--sweep "9-8": range 9-8 is reversed: write 8-9; write none, documented, '
    "common, all, or ports such as 1-1024,8080 or 53,161/udp",
    "check 192.0.2.1 -e 53/udp --udp-budget 0": '--udp-budget "0": write seconds, 0.1 or more',
    "check 192.0.2.1 -e 53/udp --secrets no-such.yaml": "no-such.yaml: no such file; check the spelling and the "
    "working directory",
    # Targets.
    "check no-such-host.invalid -e 22/tcp": 'TARGET "no-such-host.invalid" has no address: Name or service not known. '
    "Check the spelling, or give an IP.",
    "check w1=no-such-host.invalid -e 22/tcp": 'TARGET "no-such-host.invalid" has no address: Name or service not '
    "known. Check the spelling, or give an IP.",
    "check 10.0.0.0/8 -e 22/tcp": 'TARGET "10.0.0.0/8": 16,777,216 addresses, more than the 65,536 that a run takes. '
    "Name a smaller network, or allow it with --max-hosts 16777216.",
    "check 10.0.0.1/24 -e 22/tcp": 'TARGET "10.0.0.1/24": write 10.0.0.0/24 for the whole network, or 10.0.0.1 for '
    "the one host",
    "check 192.0.2.1:22 -e 22/tcp": 'TARGET "192.0.2.1:22" has a port; write 192.0.2.1 alone',
    "check https://web1 -e 22/tcp": 'TARGET "https://web1" is a URL; write the host\'s address or name alone',
    # Options.
    "check 192.0.2.1 -e 22/tcp --format xml": '--format "xml": write terminal or json',
    "check 192.0.2.1 -e 22/tcp --phase later": '--phase "later": write preinstall or installed',
    "check 192.0.2.1 -e 22/tcp --transport sctp": '--transport "sctp": write tcp, udp, icmp, gre, esp or ah',
    "check 192.0.2.1 -e 22/tcp --deadline soon": '--deadline "soon": write seconds, 0.1 or more',
    "check 192.0.2.1 -e 22/tcp --deadline 0": '--deadline "0": write seconds, 0.1 or more',
    "check 192.0.2.1 -e 22/tcp --deadline inf": '--deadline "inf": write seconds, 0.1 or more',
    "check 192.0.2.1 -e 22/tcp --deadline nan": '--deadline "nan": write seconds, 0.1 or more',
    "check 192.0.2.1 -e 22/tcp --max-hosts 0": '--max-hosts "0": write a whole number, 1 or more',
    "check 192.0.2.1 -e 22/tcp --max-hosts 1e9": '--max-hosts "1e9": write a whole number, 1 or more',
    "check 192.0.2.1 -e 22/tcp --speed warp": '--speed "warp": write polite, normal or fast',
    "plan 192.0.2.1 -e 22/tcp --speed Fast": '--speed "Fast": write polite, normal or fast',
    "check 192.0.2.1 -e 22/tcp --max-rate 0": '--max-rate "0": write new connections a second, more than 0: '
    "--max-rate 50",
    "plan 192.0.2.1 -e 22/tcp --max-rate nan": '--max-rate "nan": write new connections a second, more than 0: '
    "--max-rate 50",
    "check 192.0.2.1 -e 22/tcp --max-rate inf": '--max-rate "inf": write new connections a second, more than 0: '
    "--max-rate 50",
    "check 192.0.2.1 -d shop.yaml --feature tls=maybe": '--feature "tls=maybe": write tls or tls=no',
    "check 192.0.2.1 -d shop.yaml --feature tls": '--feature: unknown feature "tls": the selected documents have no '
    "features",
    # Documents.
    "check 192.0.2.1 -d nosuch": f'unknown document "nosuch" (known: {KNOWN_DOCUMENTS}; a file of your own needs a / '
    "in its path, or .yaml at the end)",
    "check 192.0.2.1 -d nosuch.yaml": "nosuch.yaml: no such file; check the spelling and the working directory",
    "check 192.0.2.1 -d dcos-1.11": "Say which role of dcos-1.11 the targets play: -r ROLE (one of master, agent)",
    "check 192.0.2.1 -d dcos-1.11 -r mastr": '--role: unknown role "mastr"; known roles: agent, master, ntp; did you '
    "mean master?",
    "check 192.0.2.1 -d dcos-1.11 -r master --from mstr": '--from "mstr" is not a role of the documents; known names: '
    "agent, master, ntp; did you mean master?",
    "check 192.0.2.1 -d dcos-1.11 -d qumulo-core": "Say which role of dcos-1.11 and of qumulo-core the targets play: "
    "-r ROLE for each (dcos-1.11: master, agent; qumulo-core: node)",
    "check 192.0.2.1 -d dcos-1.11 -d qumulo-core -r master": "Say which role of qumulo-core the targets play: -r ROLE "
    "(one of node)",
    "check 192.0.2.1 -e 22/tcp --from 192.0.2.9": '--from "192.0.2.9": this machine (bastion) does not have this '
    "address; give one of its own, or leave --from out",
    "check 192.0.2.1 -e 22/tcp --from a1": '--from "a1": roles come from a document (-d), hosts from a site file (-s); '
    "without these, give an address of this machine or internet",
    "check 192.0.2.1 -d broken.yaml": "broken.yaml:1: broken YAML: a list in [ ] is not closed or lacks a comma; write "
    "[a, b]",
    "check 192.0.2.1 -d unknown-key.yaml": "unknown-key.yaml:14: colour: unknown key; remove it (allowed: id, kind, "
    "title, vendor, product, version, url, notices, silent_when_closed, units, features, roles, "
    "expectations, not_checkable)",
    "check 192.0.2.1 -d names.yaml": "names-1 is a list of port names and requires none: ask for a service by name "
    "(-e ssh), or see `portcheck explain 22/tcp`",
    "check 192.0.2.1 -d well-known-ports": "well-known-ports is a list of port names and requires none: ask for a "
    "service by name (-e ssh), or see `portcheck explain 22/tcp`",
    "check -s site-names.yaml": "site-names.yaml:1: documents[0]: names-1 is a list of port names and requires none: "
    "ask for a service by name (-e ssh), or see `portcheck explain 22/tcp`",
    "check 192.0.2.1 -d duplicate-key.yaml": "duplicate-key.yaml:14: id: written twice, first in line 1; remove one",
    "check 192.0.2.1 -d wrong-type.yaml": "wrong-type.yaml:12: expectations[0].to: is a mapping; write a list",
    "check 192.0.2.1 -d port-0.yaml": "port-0.yaml:10: expectations[0].ports: port 0 does not exist: ports are 1 to "
    "65535",
    "check 192.0.2.1 -d port-65536.yaml": "port-65536.yaml:10: expectations[0].ports: port 65536 does not exist: ports "
    "are 1 to 65535",
    "check 192.0.2.1 -d reversed.yaml": "reversed.yaml:10: expectations[0].ports: range 30-20 is reversed: write 20-30",
    "check 192.0.2.1 -d several-mistakes.yaml": "several-mistakes.yaml:10: expectations[0].ports: range 30-20 is "
    "reversed: write 20-30\n"
    "several-mistakes.yaml:11: expectations[0].from[0]: role nobody is not declared; declare it under "
    "roles (declared: web)\n"
    "several-mistakes.yaml:14: colour: unknown key; remove it (allowed: id, kind, title, vendor, product, version, "
    "url, notices, silent_when_closed, units, features, roles, expectations, not_checkable)",
    # Sites.
    "check -s nosuch.yaml": "nosuch.yaml: no such file; check the spelling and the working directory",
    "check -s .": ".: is a directory; name a .yaml file in it",
    "check -s site-broken.yaml": "site-broken.yaml:1: broken YAML: a mapping in { } is not closed or lacks a comma; "
    "write {a: 1, b: 2}",
    "check -s site-unknown-key.yaml": "site-unknown-key.yaml:4: colour: unknown key; remove it (allowed: documents, "
    "features, hosts, external, without, waivers)",
    "check -s site-reversed.yaml": "site-reversed.yaml:5: waivers[0].port: range 30-20 is reversed: write 20-30",
    "check -s site-unknown-document.yaml": 'site-unknown-document.yaml:1: documents[0]: unknown document "shop-9" '
    f"(known: {KNOWN_DOCUMENTS}; a file of your own needs a / in its path, or .yaml at the end)",
    "check -s site-unknown-role.yaml": 'site-unknown-role.yaml:3: hosts.w1.roles[0]: unknown role "wbe"; known roles: '
    "web; did you mean web?",
    "check -s site-unknown-feature.yaml": 'site-unknown-feature.yaml:4: features.tls: unknown feature "tls": the '
    "selected documents have no features",
    "check -s site-unknown-service.yaml": 'site-unknown-service.yaml:5: without[0].service: unknown service "HTTP"; '
    "known services: HTTPS; did you mean HTTPS?",
    "check -s site-many-names.yaml": """\
site-many-names.yaml:2: waivers[0].from: unknown host or role "wob"; known names: dns, w1, w2, web; did you mean web?
site-many-names.yaml:5: without[0].service: unknown service "HTTP"; known services: HTTPS; did you mean HTTPS?
site-many-names.yaml:6: without[1].document: document "shop-2" is not selected; known documents: shop-1; \
did you mean shop-1?
site-many-names.yaml:7: without[2].to: unknown role "wbe"; known roles of "HTTPS": web; did you mean web?
site-many-names.yaml:10: external.dns.roles[0]: unknown role "dns"; known roles: web
site-many-names.yaml:10: external.dns.offers[0]: neither the port lists nor this system know a service "nosuch"; \
give a port: 22/tcp
site-many-names.yaml:12: features.tls: unknown feature "tls": the selected documents have no features
site-many-names.yaml:14: hosts.w1.roles[1]: unknown role "shop-1:wbe"; known roles: shop-1:web; did you mean shop-1:web?
site-many-names.yaml:19: hosts.w2.offers[1]: neither the port lists nor this system know a service "no such"; \
give a port: 22/tcp""",
    "check -s site-broken-documents.yaml": f"""\
site-broken-documents.yaml:3: documents[1]: the document cannot be used for what is wrong in it, see below; correct it
site-broken-documents.yaml:4: documents[2]: nosuch.yaml: no such file; check the spelling and the working directory
site-broken-documents.yaml:5: documents[3]: unknown document "shop-9" (known: {KNOWN_DOCUMENTS}; a file of your own \
needs a / in its path, or .yaml at the end)
site-broken-documents.yaml:7: hosts.w1.roles[0]: unknown role "wbe"; known roles: web; did you mean web?
several-mistakes.yaml:10: expectations[0].ports: range 30-20 is reversed: write 20-30
several-mistakes.yaml:11: expectations[0].from[0]: role nobody is not declared; declare it under roles (declared: web)
several-mistakes.yaml:14: colour: unknown key; remove it (allowed: id, kind, title, vendor, product, version, url, \
notices, silent_when_closed, units, features, roles, expectations, not_checkable)""",
    "check -s site-same-id.yaml": "site-same-id.yaml:1: documents[1]: two of the documents have the id shop-1; give "
    "one of them another id",
    "check -s site-unknown-role.yaml -d nosuch -r wbe": "site-unknown-role.yaml:3: hosts.w1.roles[0]: unknown role "
    '"wbe"; known roles: web; did you mean web?',
    "check -s site-unknown-feature.yaml -d nosuch": f'unknown document "nosuch" (known: {KNOWN_DOCUMENTS}; a file of '
    "your own needs a / in its path, or .yaml at the end)",
    "check -s site-control.yaml": 'site-control.yaml:3: hosts.w\\x1b[31m1: "w\\x1b[31m1" is not a host name; write '
    "letters, digits, . _ and - (m1, node-1.example)",
    "check -s site.yaml": "This machine (bastion) has no address of site.yaml. Run portcheck on one of its hosts (w1), "
    "or say which role this machine plays: --from web",
    "check -s site.yaml --from w1": "--from w1: this machine (bastion) has none of its addresses (192.0.2.1). Run "
    "portcheck on w1, or say which role this machine plays: --from ROLE",
    "check -s site.yaml --from w2": '--from "w2" is neither a host of the site nor a role of the documents; known '
    "names: w1, web",
    "check w2 -s site.yaml --from web": 'TARGET "w2" is not a host of site.yaml; known hosts: w1',
    # Where the report goes.
    "check 192.0.2.1 -e 22/tcp -o nosuch/run.json": '-o "nosuch/run.json": cannot write to nosuch: No such file or '
    "directory. Nothing was done.",
    "check 192.0.2.1 -e 22/tcp -o .": '-o "." is a folder: name a file in it.',
    "check 192.0.2.1 -e 22/tcp -o -": "-o -: the report is on stdout anyway; for JSON there, write --format json.",
    "check 192.0.2.1 -e 22/tcp -o /dev/null": '-o "/dev/null" is not a file: name one, or redirect stdout.',
    "check 192.0.2.1 -e 22/tcp -o good.json -o nosuch/run.json": '-o "nosuch/run.json": cannot write to nosuch: No '
    "such file or directory. Nothing was done.",
    "demo -o nosuch/run.json": '-o "nosuch/run.json": cannot write to nosuch: No such file or directory. Nothing was '
    "done.",
    # Kept runs.
    "explain a1>m1 nosuch.json": "nosuch.json: cannot read it: No such file or directory; keep a run with -o run.json",
    "explain a1>m1 .": ".: cannot read it: Is a directory; keep a run with -o run.json",
    "explain a1>m1 not-json.json": "not-json.json: not JSON, or cut short; keep a run with -o run.json",
    "explain a1>m1 not-a-run.json": "not-a-run.json: not a run of portcheck (its schema is not portcheck/run/1)",
    "explain a1>m1 cut.json": "cut.json: the run is damaged: documents is missing",
    "explain a1>m1/ipv4/tcp/505 run.json": 'run.json: no check "a1>m1/ipv4/tcp/505" in this run; did you mean '
    "a1>m1/ipv4/tcp/5050 or a1>m3/ipv4/tcp/5050 or a1>m2/ipv4/tcp/5050?",
    "check --resume nosuch.json": "nosuch.json: cannot read it: No such file or directory; keep a run with -o run.json",
    "check --resume not-json.json": "not-json.json: not JSON, or cut short; keep a run with -o run.json",
    "check --resume not-a-run.json": "not-a-run.json: not a run of portcheck (its schema is not portcheck/run/1)",
    "check --resume cut.json": "cut.json: the run is damaged: run_id is missing",
    "check 192.0.2.1 -d shop.yaml --resume run.json": "--resume takes what to check from the run in run.json: leave "
    "out TARGET, --document, or check anew without --resume",
    "explain 443 run.json": 'run.json: no check "443" in this run',
    "explain 443 run.json -d shop.yaml": "-d, --format and --all are for a port: leave them out, or leave out RUN.json",
    "explain 443 run.json --all": "-d, --format and --all are for a port: leave them out, or leave out RUN.json",
    # Ports in the documents.
    "explain a1>m1/ipv4/tcp/5050": '"a1>m1/ipv4/tcp/5050" looks like the id of a check: give the kept run too, as in '
    "portcheck explain 'a1>m1/ipv4/tcp/5050' run.json",
    "explain 70000": "port 70000 does not exist: ports are 1 to 65535",
    "explain 5-1": "range 5-1 is reversed: write 1-5",
    "explain 80/tpc": '"tpc" is not a transport: write 80/tcp, 80/udp or 80/tcp+udp, or one of icmp, gre, esp, ah '
    "alone",
    "explain tcp": '"tcp" is neither a port nor a service name: write a port (3268/tcp, 445), a range (8000-8100), a '
    "protocol (gre) or a service name (ldap)",
    "explain nosuch": 'neither the port lists nor this system know a service "nosuch"; give a port: 22/tcp',
    "explain smtp/udp": '"smtp" has no udp port: write 25/tcp',
    "explain 22 --format xml": '--format "xml": there are terminal and json',
    "explain 22 -d nosuch.yaml": "nosuch.yaml: no such file; check the spelling and the working directory",
    # Plans and documents.
    "plan 192.0.2.1": "Nothing to check: name a document (-d dcos-1.11; see `portcheck documents list`) or ports "
    "(-e 22/tcp).",
    "documents show nosuch": f'unknown document "nosuch" (known: {KNOWN_DOCUMENTS}; a file of your own needs a / in '
    "its path, or .yaml at the end)",
}
"""Command, split at spaces, to the whole text on stderr after `portcheck: `."""

USAGE_ERRORS: Mapping[str, tuple[str, str]] = {
    "chek": ("chek", "portcheck --help"),
    "check --colour red": ("--colour", "portcheck check --help"),
    "check -e": ("-e", "portcheck --help"),
    "check --strict=yes": ("--strict", "portcheck --help"),
    "explain": ("CHECK-ID", "portcheck explain --help"),
    "explain a b c": ("(c)", "portcheck explain --help"),
    "documents shw": ("shw", "portcheck documents --help"),
    "documents lint": ("FILE", "portcheck documents lint --help"),
    "check --\x1b[31m": ("--\\x1b[31m", "portcheck check --help"),
}
"""What the parser of the command line refuses: what the message has to name, and the help that it points to."""


def no_resolver(name: str, port: object, **options: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def no_probe(*arguments: object, **options: object) -> None:
    raise AssertionError("unusable input must not lead to a probe")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with FILES, on a machine called bastion whose resolver knows nothing."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", no_resolver)
    monkeypatch.setattr(local, "machine_name", lambda: "bastion")
    monkeypatch.setattr(local, "service_names", tuple)
    monkeypatch.setattr("portcheck.run.measure", no_probe)
    yield tmp_path
    left_behind = {path.name for path in tmp_path.iterdir()} - FILES.keys()
    assert not left_behind
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in FILES} == dict(FILES)


@pytest.mark.parametrize("command", MESSAGES)
def test_the_message_says_where_what_and_what_to_do(command: str) -> None:
    assert portcheck(*command.split()) == Done(2, "", f"portcheck: {MESSAGES[command]}\n")


@pytest.mark.parametrize("command", USAGE_ERRORS)
def test_a_command_line_that_cannot_be_read_points_to_the_help(command: str) -> None:
    named, help_command = USAGE_ERRORS[command]
    done = portcheck(*command.split())
    first, last = done.err.splitlines()
    assert (done.status, done.out, last) == (2, "", f"Try: {help_command}")
    assert first.startswith("portcheck: ")
    assert named in first
    assert first.isprintable()


EMPTY_ARGUMENTS: Mapping[tuple[str, ...], str] = {
    ("check", "", "-e", "22/tcp"): 'TARGET "" is neither an IP address nor a DNS name; write one like 10.0.0.1, '
    "fd00::1 or m1.example",
    ("check", "192.0.2.1", "-e", ""): '-e "": no ports given: write for example 22/tcp, 1025-2180/tcp, 53/tcp+udp or '
    "gre",
    ("check", "192.0.2.1", "-e", "22/tcp", "-o", ""): '-o "": name a file, such as -o run.json.',
    ("check", "192.0.2.1", "-e", "22/tcp", "-o", "a\0b"): '-o "a\\x00b" is not a file name: name a file. Nothing was '
    "done.",
    ("explain", "", "run.json"): 'run.json: no check "" in this run',
    ("explain", "x", "a\0b"): "a\\x00b: cannot read it: not a file name; keep a run with -o run.json",
    ("explain", "x", "\x1b[31m"): "\\x1b[31m: cannot read it: No such file or directory; keep a run with -o run.json",
    ("explain", "\u202e", "run.json"): 'run.json: no check "\\u202e" in this run',
}
"""Arguments with nothing in them, or with what no terminal may see."""


@pytest.mark.parametrize("arguments", EMPTY_ARGUMENTS, ids=repr)
def test_empty_and_hostile_arguments(arguments: tuple[str, ...]) -> None:
    assert portcheck(*arguments) == Done(2, "", f"portcheck: {EMPTY_ARGUMENTS[arguments]}\n")


def test_lint_names_every_mistake_of_every_file_and_says_which_are_good() -> None:
    done = portcheck("documents", "lint", "reversed.yaml", "shop.yaml", "names.yaml", "nosuch.yaml")
    assert done == Done(
        2,
        "shop.yaml: shop-1, 1 expectation, 0 not checkable: no errors\n"
        "names.yaml: names-1, 1 service, 0 not checkable: no errors\n",
        "reversed.yaml:10: expectations[0].ports: range 30-20 is reversed: write 20-30\n"
        "nosuch.yaml: no such file; check the spelling and the working directory\n",
    )


def test_lint_tells_what_is_odd_and_that_it_can_be_used(folder: Path) -> None:
    path = folder / "shop.yaml"
    path.write_text(document("8443/tcp"), encoding="utf-8")
    done = portcheck("documents", "lint", "shop.yaml")
    path.write_text(FILES["shop.yaml"], encoding="utf-8")
    assert done == Done(
        0,
        "shop.yaml: shop-1, 1 expectation, 0 not checkable: no errors\n",
        "shop.yaml:10: expectations[0].ports: 8443/tcp is not in the row 443; correct one of them, or say why in a "
        "note (warning)\n",
    )


def test_a_very_long_argument_is_cut() -> None:
    done = portcheck("check", "192.0.2.1", "-e", "x" * 100_000 + "!")
    assert done.status == 2
    assert len(done.err) < 500


AS_NOBODY = """
import os, sys
from contextlib import redirect_stdout, suppress
from portcheck.cli import main

# Everything is loaded while it can be read: the interpreter may lie where only root goes.
with suppress(SystemExit), redirect_stdout(None):
    main(["plan", "127.0.0.1", "-e", "9/tcp"])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
main(["check", "127.0.0.1", "-e", "9/tcp", "-o", "run.json"])
"""


def test_a_folder_that_one_may_not_write_to(folder: Path) -> None:
    """As a user without privileges, since nothing is forbidden to root."""
    locked = folder / "locked"
    locked.mkdir(mode=0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY],
            cwd=locked,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert list(locked.iterdir()) == []
    finally:
        locked.rmdir()
    message = 'portcheck: -o "run.json": cannot write to .: Permission denied. Nothing was done.\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_words_of_a_file_are_told_in_the_encoding_of_the_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from portcheck.cli import main; main(['check', '-e', '22/tcp'])"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"portcheck: No TARGET: name what to check (portcheck check 10.0.0.1 ?)")


# ------------------------------------------------------------------------------------------ damaged run files

CHECK_ID = "a1>m2/ipv4/tcp/2181"


def damaged_runs() -> Iterator[tuple[str, object]]:
    """The kept run with every value on the way to the check replaced, one at a time, and every key left out."""
    whole = json.loads(FILES["run.json"])
    (number,) = (n for n, check in enumerate(whole["checks"]) if check["id"] == CHECK_ID)
    for name, place in (("", ()), ("check", ("checks", number)), ("swept", ("swept", 0)), ("where", ("vantages", 0))):
        original = whole
        for step in place:
            original = original[step]
        for key in original:
            for label, value in (("gone", None), ("number", 7), ("text", "x\x1b[31m"), ("list", [[]]), ("object", {})):
                copy = json.loads(FILES["run.json"])
                inner = copy
                for step in place:
                    inner = inner[step]
                if label == "gone":
                    del inner[key]
                else:
                    inner[key] = value
                yield f"{name}.{key} {label}", copy


def test_a_damaged_run_is_explained_or_refused_but_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    kept = path.read_text(encoding="utf-8")
    refused = 0
    for name, run in damaged_runs():
        path.write_text(json.dumps(run), encoding="utf-8")
        for check_id in (CHECK_ID, "a1>m1/ipv4/tcp/8080"):
            done = portcheck("explain", check_id, "run.json")
            assert done.status in (0, 2), name
            assert "Traceback" not in done.err, name
            assert all(line.isprintable() for line in (done.out + done.err).splitlines()), name
            refused += done.status == 2
    path.write_text(kept, encoding="utf-8")
    assert refused > 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "not JSON, or cut short; keep a run with -o run.json"),
        ("1" * 100_000, "not JSON, or cut short; keep a run with -o run.json"),
        ("[]", "not a run of portcheck (its schema is not portcheck/run/1)"),
        ("null", "not a run of portcheck (its schema is not portcheck/run/1)"),
        ("", "not JSON, or cut short; keep a run with -o run.json"),
        ('"\\ud800', "not JSON, or cut short; keep a run with -o run.json"),
    ],
    ids=["deep", "a long number", "a list", "null", "empty", "cut in an escape"],
)
def test_what_is_no_run_at_all(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "run.json"
    kept = path.read_text(encoding="utf-8")
    path.write_text(content, encoding="utf-8")
    done = portcheck("explain", "x", "run.json")
    path.write_text(kept, encoding="utf-8")
    assert done == Done(2, "", f"portcheck: run.json: {message}\n")


def test_a_port_number_of_a_thousand_digits_is_no_port() -> None:
    done = portcheck("explain", f"a1>m1/ipv4/tcp/{'9' * 10_000}", "run.json")
    assert done.status == 2
    assert len(done.err) < 1000


def test_every_transport_that_the_message_offers_exists() -> None:
    assert all(str(word) in MESSAGES["check 192.0.2.1 -e 22/tcp --transport sctp"] for word in Transport)
