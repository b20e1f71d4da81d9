"""The commands as a user types them: what they print, with which status, what their help says."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from portcheck import __version__, documents
from portcheck.engine.channels import PrivilegeError
from portcheck.engine.probe import Transport
from tests.command import portcheck
from tests.made_runs import five_faults

ROOT = Path(__file__).resolve().parents[1]

COMMANDS: dict[str, set[str]] = {
    "": {"--version", "--help"},
    "check": {
        *("--document", "--role", "--expect", "--site", "--from", "--phase", "--transport", "--sweep", "--feature"),
        *("--strict", "--strict-sources", "--deadline", "--max-hosts", "--format", "--output", "--help"),
        *("--speed", "--max-rate", "--evidence", "--resume", "--udp-budget", "--secrets", "--verify"),
        *("-d", "-r", "-e", "-s", "-o", "-h"),
    },
    "plan": {
        *("--document", "--role", "--expect", "--site", "--from", "--phase", "--transport", "--sweep", "--feature"),
        *("--max-hosts", "--speed", "--max-rate", "--udp-budget", "--secrets", "--help", "-d", "-r", "-e", "-s", "-h"),
    },
    "listen": {
        *("--document", "--role", "--expect", "--site", "--as", "--feature", "--transport", "--bind", "--peers"),
        *("--ttl", "--until-eof", "--outlive-parent", "--format", "--key-file", "--write-key", "--help"),
        *("-d", "-r", "-e", "-s", "-h"),
    },
    "explain": {"--document", "--format", "--help", "-d", "-h"},
    "demo": {"--output", "-o", "--help", "-h"},
    "documents": {"--help", "-h"},
    "documents list": {"--help", "-h"},
    "documents show": {"--help", "-h"},
    "documents lint": {"--help", "-h"},
    "documents import": {"--id", "--output", "-o", "--help", "-h"},
}
"""Every command and its options."""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A TCP port of 127.0.0.1 and ::1 that accepts connections."""
    with closing(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def nobody() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens."""
    with closing(socket.socket()) as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


# ----------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_fits_a_terminal(command: str, option: str) -> None:
    done = portcheck(*command.split(), option)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: portcheck {command}".rstrip())
    options = done.out.partition("Options:")[2].partition("Commands:")[0]
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", options)) >= COMMANDS[command]
    assert max(map(len, done.out.splitlines())) <= 80
    assert "..." not in done.out.partition("Commands:")[2]


@pytest.mark.parametrize("command", ["", "documents"])
def test_a_command_alone_shows_its_help(command: str) -> None:
    done = portcheck(*command.split())
    assert (done.status, done.out) == (2, "")
    assert done.err == portcheck(*command.split(), "--help").out


@pytest.mark.parametrize("command", ["", "documents"])
def test_help_lists_every_command(command: str) -> None:
    listed = portcheck(*command.split(), "--help").out.partition("Commands:")[2]
    names = {line.split()[0] for line in listed.splitlines() if re.match(r"  \w", line)}
    prefix = f"{command} ".lstrip()
    below = {name.removeprefix(prefix) for name in COMMANDS if name.startswith(prefix)} - {"", command}
    assert names == {name for name in below if " " not in name}


def test_the_version() -> None:
    done = portcheck("--version")
    assert (done.status, done.out, done.err) == (0, f"portcheck {__version__}\n", "")


# ---------------------------------------------------------------------------------------------------- check


def test_an_open_port_is_status_0(server: int) -> None:
    done = portcheck("check", "127.0.0.1", "-e", f"{server}/tcp")
    assert (done.status, done.err) == (0, "")
    assert "\nOK  The required flow is open.\n" in done.out


def test_a_closed_port_is_status_1_and_says_what_was_seen(nobody: int) -> None:
    done = portcheck("check", "127.0.0.1", "-e", f"{nobody}/tcp")
    assert (done.status, done.err) == (1, "")
    assert "\nFAIL  The required flow is refused because nothing seems to listen.\n" in done.out
    assert f"\n 1  {nobody}/tcp on 127.0.0.1 is refused: nothing seems to listen\n" in done.out
    assert "Keep the run for later questions: add -o run.json" in done.out


def test_what_was_not_tested_is_status_3(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_privilege(*_: object) -> None:
        raise PrivilegeError("CAP_NET_RAW")

    monkeypatch.setattr("portcheck.engine.channels.Channels.raw", without_privilege)
    done = portcheck("check", "127.0.0.1", "-e", f"{server}/tcp", "-e", "esp,gre")
    assert done.status == 3
    assert "NOT SURE  Nothing failed, but 2 of 3 required flows (ESP and GRE) were not tested." in joined(done.out)


def joined(text: str) -> str:
    return re.sub(r"\n +", " ", text)


def test_before_the_install_a_closed_port_is_a_weak_pass_and_an_open_one_is_taken(server: int, nobody: int) -> None:
    free = portcheck("check", "127.0.0.1", "-e", f"{nobody}/tcp", "--phase", "preinstall")
    assert free.status == 0
    assert "OK  The required flow has an open path and a free port." in free.out
    assert "1 pass is weak" in free.out
    strict = portcheck("check", "127.0.0.1", "-e", f"{nobody}/tcp", "--phase", "preinstall", "--strict")
    assert strict.status == 3
    taken = portcheck("check", "127.0.0.1", "-e", f"{server}/tcp", "--phase", "preinstall")
    assert taken.status == 1
    assert "FAIL  The required flow is in use already." in taken.out


def test_json_on_stdout_is_json_alone(server: int) -> None:
    done = portcheck("check", "127.0.0.1", "web=::1", "-e", f"{server}/tcp", "--format", "json")
    run = json.loads(done.out)
    assert (done.status, done.err) == (0, "")
    assert run["selection"]["targets"] == ["127.0.0.1", "web=::1"]
    assert [c["id"] for c in run["checks"]] == [
        f"here>127.0.0.1/ipv4/tcp/{server}",
        f"here>web/ipv6/tcp/{server}",
    ]
    assert {c["state"] for c in run["checks"]} == {"open"}


def test_a_document_a_role_a_feature_and_a_transport(nobody: int, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "id: shop-1\ntitle: Shop Ports\nvendor: Example\nproduct: Shop\nversion: '1'\n"
        "features: {tls: {title: TLS}}\n"
        "roles: {web: {title: Web}, db: {title: Database}}\n"
        "expectations:\n"
        f"  - {{service: HTTP, ports: {nobody}/tcp, from: [any], to: [web], provenance: {{section: a, row: '1'}}}}\n"
        "  - {service: DNS, ports: 53/udp, from: [any], to: [web], provenance: {section: a, row: '2'}}\n"
        "  - {service: HTTPS, ports: 9/tcp, from: [any], to: [web], level: conditional, when: tls,\n"
        "     provenance: {section: a, row: '3'}}\n",
        encoding="utf-8",
    )
    common = ("check", "127.0.0.1", "-d", str(path), "-r", "web,db", "--transport", "tcp", "--format", "json")
    run = json.loads(portcheck(*common, "--feature", "tls=no").out)
    assert run["selection"]["roles"] == ["web", "db"]
    assert run["selection"]["features"] == {"tls": False}
    assert [(c["port"], c["expect"]) for c in run["checks"] if c["expect"] != "not-open"] == [(nobody, "reachable")]
    run = json.loads(portcheck(*common, "--feature", "tls").out)
    assert sorted(c["port"] for c in run["checks"]) == sorted([9, nobody])


def test_the_deadline_ends_a_run_and_is_part_of_it(nobody: int) -> None:
    done = portcheck("check", "127.0.0.1", "-e", f"{nobody}/tcp", "--deadline", "30.5", "--format", "json")
    run = json.loads(done.out)
    assert run["selection"]["deadline_s"] == 30.5
    assert run["interrupted"] is None


def test_evidence_is_kept_of_everything_when_asked_for(server: int, nobody: int) -> None:
    common = ("check", "127.0.0.1", "-e", f"{server}/tcp", "--sweep", str(nobody), "--format", "json")
    brief, full = json.loads(portcheck(*common).out), json.loads(portcheck(*common, "--evidence").out)
    assert [(check["port"], check["evidence"]) for check in brief["checks"]] == [(server, [])]
    assert [entry["ports"] for entry in brief["swept"]] == [str(nobody)]
    assert [check["port"] for check in full["checks"]] == [server, nobody]
    assert [[attempt["result"] for attempt in check["evidence"]] for check in full["checks"]] == [
        ["syn-ack"],
        ["conn-refused"],
    ]
    assert full["swept"] == []


def test_the_pace_is_part_of_the_run(nobody: int) -> None:
    common = ("check", "127.0.0.1", "-e", f"{nobody}/tcp", "--format", "json")
    said = json.loads(portcheck(*common, "--speed", "polite", "--max-rate", "2.5").out)["selection"]
    assert (said["speed"], said["max_rate"]) == ("polite", 2.5)
    unsaid = json.loads(portcheck(*common).out)["selection"]
    assert (unsaid["speed"], unsaid["max_rate"]) == ("normal", None)


def test_a_bug_of_ours_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("portcheck.cli.check.make_plan", broken)
    done = portcheck("plan", "127.0.0.1", "-e", "22/tcp")
    assert (done.status, done.out) == (70, "")
    assert done.err.endswith(
        "ZeroDivisionError: a bug\n"
        "portcheck: this is a bug of portcheck, not of your network; please report the lines above.\n"
    )


def test_control_c_before_there_is_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("portcheck.cli.check.scope_of", interrupted)
    done = portcheck("check", "127.0.0.1", "-e", "22/tcp", "-o", "never-written.json")
    assert (done.status, done.out, done.err) == (130, "", "portcheck: interrupted\n")
    assert not Path("never-written.json").exists()


# ------------------------------------------------------------------------------------- plan, explain, documents


def test_a_plan_says_what_would_be_sent_and_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_probe(*arguments: object, **options: object) -> None:
        raise AssertionError("a plan sends nothing")

    monkeypatch.setattr("portcheck.run.measure", no_probe)
    monkeypatch.setattr("portcheck.vantage.local.machine_name", lambda: "bastion")
    done = portcheck("plan", "web=192.0.2.1", "-e", "22,443/tcp", "-e", "53/udp", "--sweep", "8000-8002")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        "From this machine (bastion): 6 checks.\n"
        "6 ports (1 not over TCP) at 1 address: 6 packets when all answer, about 46 when\n"
        "    none does; 21 s at most, where ICMP errors are limited (--udp-budget)\n"
        "\n"
        "web (192.0.2.1)\n"
        "  must be reachable: 22, 443/tcp and 53/udp\n"
        "  must not be open: 8000-8002/tcp\n"
    )


def test_the_documents_are_listed_in_a_table_that_fits() -> None:
    done = portcheck("documents", "list")
    heading, *lines = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert heading.split() == ["ID", "KIND", "ENTRIES", "TITLE"]
    assert [tuple(line.split()[:2]) for line in lines if line[0] != " "] == [
        ("dcos-1.11", "product"),
        ("internet-services", "reference"),
        ("qumulo-core", "product"),
        ("well-known-ports", "reference"),
        ("windows-server", "product"),
    ]
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("name", documents.shipped())
def test_a_document_is_shown_and_fits(name: str) -> None:
    done = portcheck("documents", "show", name)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"{name}: ")
    # An address of a page cannot be broken.
    assert [line for line in done.out.splitlines() if len(line) > 80 and "https://" not in line] == []


def test_a_document_is_linted() -> None:
    path = str(ROOT / "expectations" / "qumulo-core.yaml")
    done = portcheck("documents", "lint", path)
    assert (done.status, done.err) == (0, "")
    counts = done.out.removeprefix(f"{path}: ")
    assert re.fullmatch(r"qumulo-core, \d+ expectations, \d not checkable: no errors\n", counts)


@pytest.mark.parametrize("name", ["run.json", f"{'a-very-long-folder/' * 6}run.json"])
def test_what_a_report_offers_can_be_typed(nobody: int, tmp_path: Path, name: str) -> None:
    """The line under the report is a command that works, also where a path is longer than the line."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    done = portcheck("check", "127.0.0.1", "-e", f"{nobody}/tcp", "-o", str(path))
    command = done.out.partition("Explain one:\n")[2].replace(" \\\n", " ").split()
    assert command[:2] == ["portcheck", "explain"]
    explained = portcheck(*(word.strip("'") for word in command[1:]))
    assert explained.status == 0
    assert f"{nobody}/tcp on 127.0.0.1" in explained.out


def test_the_first_three_lines_can_be_forwarded() -> None:
    """Who has never seen the program finds who, what and how bad in the first lines."""
    from portcheck.reports import terminal

    first, size, blank, answer = terminal.render(five_faults(), 110).splitlines()[:4]
    assert first == "portcheck 1.0 · DC/OS Ports · installed · seen from a1 (agent, 10.0.0.11)"
    assert size == "4 hosts, 36 checks, 57 packets, 4.3 s · sweep: documented"
    assert blank == ""
    assert answer.startswith("FAIL  3 of 14 required flows are blocked, 1 is rejected on the way, ")


def test_a_plan_says_what_this_process_may_not_send(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {Transport.GRE: "CAP_NET_RAW", Transport.ICMP: "CAP_NET_RAW or net.ipv4.ping_group_range"}
    monkeypatch.setattr("portcheck.vantage.local.privilege_lacking", lambda transport, address: lacking.get(transport))
    done = portcheck("plan", "192.0.2.1", "-e", "gre,icmp,53/udp")
    said = " ".join(done.out.split())
    assert "This process may not send gre: that takes CAP_NET_RAW." in said
    assert "This process may not send icmp: that takes CAP_NET_RAW or net.ipv4.ping_group_range." in said
    assert "3 flows, none over TCP, at 1 address" in said


def test_a_plan_of_what_needs_no_privilege_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.vantage.local.privilege_lacking", lambda transport, address: "a privilege")
    assert "may not send" not in portcheck("plan", "192.0.2.1", "-e", "22/tcp,53/udp").out
