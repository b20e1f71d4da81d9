"""A Windows site on the command line: roles through others, and what is said about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from portcheck import documents
from portcheck.model import PortcheckError
from tests.command import portcheck
from tests.loopback import bound

SITE = """\
documents: [windows-server]
hosts:
  me: {address: 127.0.0.1, roles: [domain-member]}
  fs: {address: 192.0.2.10, roles: [file-server]}
  dns: {address: 192.0.2.11, roles: [dns-server]}
"""
OWN = """\
id: own-1
title: Own
vendor: Own
product: Own
version: "1"
roles: {web: {title: web server}}
expectations:
  - {service: Web, ports: 1/tcp, from: [any], to: [web], provenance: {section: A, row: "1"}}
not_checkable:
  - {provenance: {section: A, row: x}, reason: no port}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("role", ["server", "windows-machine", "file-server"])
def test_a_role_finds_the_hosts_that_have_it_through_another(folder: Path, role: str) -> None:
    done = portcheck("plan", "-s", "site.yaml", "--from", "me", "-r", role, "--transport", "tcp")
    assert done.status == 0, done.err
    assert "192.0.2.10" in done.out
    assert "192.0.2.11" not in done.out


def test_a_role_that_no_host_of_the_site_has_is_said(folder: Path) -> None:
    done = portcheck("plan", "-s", "site.yaml", "--from", "me", "-r", "print-server")
    assert (done.status, done.out) == (2, "")
    assert "no host of site.yaml has the role print-server" in done.err


def test_a_service_that_a_role_has_through_another_is_left_out_there(folder: Path) -> None:
    unused = 'without:\n  - {document: windows-server, service: SMB, to: file-server, reason: "no"}\n'
    (folder / "site.yaml").write_text(SITE + unused, encoding="utf-8")
    done = portcheck("plan", "-s", "site.yaml", "--from", "me")
    assert done.status == 2
    assert '"file-server" has "SMB" through server' in done.err


def test_a_report_names_the_file_of_ones_own_document(folder: Path) -> None:
    done = portcheck("check", "127.0.0.1", "-d", "./own.yaml", "-r", "web")
    assert "portcheck documents show ./own.yaml" in " ".join(done.out.split())
    assert portcheck("documents", "show", "./own.yaml").status == 0


def test_the_common_ports_of_this_machine_itself_are_looked_at() -> None:
    done = portcheck("check", "127.0.0.1", "--sweep", "common", "--speed", "fast", "--format", "json")
    run = json.loads(done.out)
    assert run["summary"]["checks"] > 300


def test_a_sweep_that_looks_at_nothing_does_not_claim_to() -> None:
    done = portcheck("check", "127.0.0.1", "-d", "dcos-1.11", "-r", "agent", "--transport", "tcp")
    assert "sweep: documented, which is nothing here" in done.out


def test_documents_that_cannot_be_read_do_not_cost_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> None:
        raise PortcheckError("expectations/other.yaml:3: broken")

    monkeypatch.setattr(documents, "library", unreadable)
    with bound("127.0.0.78") as listener:
        port = str(listener.getsockname()[1])
        done = portcheck("check", "127.0.0.78", "--sweep", port)
    assert done.status == 1
    assert f"{port}/tcp" in done.out
    assert done.err.count("What is known of open ports cannot be told: expectations/other.yaml:3: broken") == 1


def test_a_run_kept_by_an_older_version_can_be_explained(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    portcheck("check", "127.0.0.1", "-e", "1/tcp", "-o", str(path))
    run = json.loads(path.read_text(encoding="utf-8"))
    del run["checks"][0]["known_for"], run["selection"]["unexpected"]
    path.write_text(json.dumps(run), encoding="utf-8")
    assert portcheck("explain", run["checks"][0]["id"], str(path)).status == 0
    assert "damaged" not in portcheck("check", "--resume", str(path)).err


def test_a_plan_can_be_made_for_every_host_of_the_site_and_a_check_only_on_it(folder: Path) -> None:
    done = portcheck("plan", "-s", "site.yaml", "--from", "fs", "--transport", "tcp")
    assert done.status == 0, done.err
    assert done.out.startswith("From fs (file-server): ")
    assert "192.0.2.10" not in done.out.split("Not planned")[0]
    refused = portcheck("check", "-s", "site.yaml", "--from", "fs", "--transport", "tcp")
    assert refused.status == 2
    assert "has none of its addresses (192.0.2.10)" in refused.err


def test_ports_asked_for_by_hand_are_asked_of_hosts_that_a_role_chooses(folder: Path) -> None:
    external = "external:\n  t1: {address: 192.0.2.53, roles: [ntp]}\n"
    (folder / "site.yaml").write_text(SITE + external, encoding="utf-8")
    for chosen in (["-r", "ntp"], ["t1"]):
        done = portcheck("plan", "-s", "site.yaml", "--from", "me", *chosen, "-e", "22/tcp", "--transport", "tcp")
        assert "must be reachable: 22/tcp" in done.out, chosen


def test_a_host_and_a_role_that_do_not_meet_are_said(folder: Path) -> None:
    done = portcheck("plan", "-s", "site.yaml", "--from", "me", "dns", "-r", "server")
    assert (done.status, done.out) == (2, "")
    assert "--role: dns has not the role server; leave out one of the two" in done.err


def test_a_service_without_one_of_the_transports_asked_for_is_refused() -> None:
    done = portcheck("plan", "127.0.0.1", "-e", "http/tcp+udp")
    assert done.status == 2
    assert "http" in done.err


def test_what_exists_before_the_install_is_not_called_a_free_port(folder: Path) -> None:
    with bound("127.0.0.79") as listener:
        port = listener.getsockname()[1]
        text = OWN.replace("1/tcp", f"{port}/tcp").replace("to: [web],", "to: [web], before_install: present,")
        (folder / "own.yaml").write_text(text, encoding="utf-8")
        done = portcheck("check", "127.0.0.79", "-d", "./own.yaml", "-r", "web", "--phase", "preinstall")
    assert "OK  The required flow is open" in done.out
