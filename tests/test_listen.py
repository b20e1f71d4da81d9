"""`portcheck listen` as a user starts it: what it says, whom it answers, what ends it, what it leaves behind."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from portcheck.cli.keys import ENVIRONMENT
from portcheck.cli.lifetime import End
from portcheck.cli.lines import Lines
from portcheck.cli.listen_events import EVENTS, Ended, Ready, TextEvents
from portcheck.cli.openings import addresses_of, openings, refuse_too_many
from portcheck.engine import token
from portcheck.engine.probe import Echo, Holder, Standing, StandInPort, Transport
from portcheck.engine.stand_in import Opening
from portcheck.engine.stand_in_visitors import Came
from portcheck.model import Address, Family, Host, PortcheckError
from portcheck.role_ports import RolePort
from tests.command import portcheck

PROGRAM = [sys.executable, "-c", "import sys; from portcheck.cli import main; main(sys.argv[1:])", "listen"]
KEY = bytes(range(32))
TCP, UDP = Transport.TCP, Transport.UDP
_MAX_RESIDENT_KIB = 64 * 1024

_hosts = count(1)


@pytest.fixture
def own() -> str:
    """A loopback address that no other test has, so that every port of it is free."""
    number = next(_hosts)
    return f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{number}"


# ------------------------------------------------------------------------------------------------ a stand-in


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in, or a shell that has started one; `--format jsonl` where events are read."""

    process: subprocess.Popen[str]

    def event(self) -> dict[str, Any]:
        line = self._out().readline()
        assert line, f"no more events; stderr: {self.process.stderr.read() if self.process.stderr else ''}"
        event: dict[str, Any] = json.loads(line)
        return event

    def until(self, name: str) -> list[dict[str, Any]]:
        """Every event up to the first of this name, that one included."""
        events = [self.event()]
        while events[-1]["event"] != name:
            events.append(self.event())
        return events

    def line(self) -> str:
        return str(self._out().readline()).rstrip("\n")

    def end(self) -> tuple[int, list[str], str]:
        """Wait for the end of the stand-in: status, what else it printed, and stderr."""
        out, err = self.process.communicate(timeout=50)
        return self.process.returncode, out.splitlines(), err

    def _out(self) -> Any:
        assert self.process.stdout is not None
        return self.process.stdout


@contextmanager
def started(*arguments: str, key: bytes | None = KEY, shell: str | None = None) -> Iterator[Running]:
    """A stand-in, which ends by itself in a minute whatever happens here.

    Args:
        shell: a script that starts it, where "$LISTEN" stands for the command; in a session of its own, as a login is.
    """
    environment = {name: value for name, value in os.environ.items() if name != ENVIRONMENT}
    environment |= {ENVIRONMENT: key.hex()} if key is not None else {}
    command = [*PROGRAM, *(() if "--ttl" in arguments else ("--ttl", "60s")), *arguments]
    if shell is not None:
        command = ["sh", "-c", shell.replace("$LISTEN", shlex.join(command))]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=shell is not None
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def jsonl(*arguments: str) -> tuple[str, ...]:
    return (*arguments, "--format", "jsonl")


def echo(address: str, port: int, transport: Transport = TCP, key: bytes = KEY, source: str = "") -> Echo | None:
    """What comes back for a question with the key; None when the connection is closed without it."""
    sent = token.request(key, secrets.token_bytes(8), secrets.token_bytes(16), transport, port)
    kind = socket.SOCK_STREAM if transport is TCP else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.settimeout(20)
        if source:
            sock.bind((source, 0))
        sock.connect((address, port))
        data = b""
        with suppress(ConnectionError):  # Closed before it was read: a reset.
            sock.sendall(sent)
            data = sock.recv(2048)
            while data and (token.response_length(data) or 0) > len(data):
                data += sock.recv(2048)
    return token.read_echo(key, sent, data)


# ------------------------------------------------------------------------------------------- what it is there for


def test_it_says_what_it_opened_and_answers_over_tcp_and_udp(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp,5353/udp", "--bind", own, "--as", "m1")) as stand_in:
        *ports, ready = stand_in.until("ready")
        told = {(each["transport"], each["port"], each["address"], each["standing"]) for each in ports}
        assert told == {("tcp", 5050, own, "listening"), ("udp", 5353, own, "listening")}
        assert (ready["name"], ready["is_stated"], ready["ports"], ready["listening"]) == ("m1", True, 2, 2)
        for transport, port in ((TCP, 5050), (UDP, 5353)):
            found = echo(own, port, transport)
            assert found is not None
            assert (found.name, found.is_stated, found.address, found.port) == ("m1", True, own, port)
        assert echo(own, 5050, key=bytes(32)) is None


def test_without_a_format_it_is_for_reading(own: str) -> None:
    with started("-e", "5050/tcp,5051/udp", "--bind", own, "--ttl", "30m") as stand_in:
        assert stand_in.line() == f"listening    5050/tcp   {own}"
        assert stand_in.line() == f"listening    5051/udp   {own}"
        ready = stand_in.line()
        earliest = datetime.now().astimezone() + timedelta(minutes=29)
        assert ready.startswith("ready: 2 of 2 ports; ends at ")
        assert earliest.strftime("%H:") in ready or (earliest + timedelta(minutes=2)).strftime("%H:") in ready
        assert echo(own, 5050) is not None
        stand_in.process.terminate()
        status, out, err = stand_in.end()
    assert (status, out) == (0, [])
    assert err.splitlines() == [
        "127.0.0.1 came to 5050/tcp with the key",
        "ended: it was told to stop (SIGTERM)",
        "127.0.0.1 came once over tcp with the key",
    ]


def test_the_roles_of_a_document_say_what_is_opened(own: str, tmp_path: Path) -> None:
    document = tmp_path / "small.yaml"
    document.write_text(
        "id: small\ntitle: Small\nvendor: Nobody\nproduct: Small\nversion: '1'\nroles:\n"
        "  server: {title: A server}\n  client: {title: A client}\n  both: {title: Both}\nexpectations:\n"
        + "".join(
            f"  - {{service: {service}, ports: {ports}, from: [{source}], to: [{to}], level: required, "
            f"provenance: {{section: All, row: '{ports}'}}}}\n"
            for service, ports, source, to in (
                ("Web", "28080/tcp", "client", "server"),
                ("Inner", "28081/tcp", "localhost", "server"),
                ("Other", "28082/tcp", "server", "client"),
            )
        ),
        encoding="utf-8",
    )
    site = tmp_path / "site.yaml"
    site.write_text(
        f"documents: [{document}]\nhosts:\n  s1: {{address: {own}, roles: [server]}}\n"
        "  c1: {address: 10.255.255.1, roles: [client]}\n",
        encoding="utf-8",
    )
    with started(*jsonl("-s", str(site))) as stand_in:
        *ports, ready = stand_in.until("ready")
    opened = [(each["port"], each["address"], each["services"]) for each in ports]
    assert opened[0] == (28080, own, ["Web"])
    assert {each[:2] for each in opened[1:]} <= {(28081, "127.0.0.1"), (28081, "::1")}
    assert (28081, "127.0.0.1", ["Inner"]) in opened
    assert (ready["name"], ready["is_stated"]) == (socket.gethostname(), False)


def test_a_port_in_use_is_named_with_its_owner_and_the_others_are_opened(own: str) -> None:
    with socket.create_server((own, 5050)), started(*jsonl("-e", "5050,5051/tcp", "--bind", own)) as stand_in:
        *ports, ready = stand_in.until("ready")
        occupied = next(each for each in ports if each["port"] == 5050)
        assert occupied["standing"] == "in-use"
        assert occupied["holder"]["pid"] == os.getpid()
        assert (ready["ports"], ready["listening"]) == (2, 1)
        assert echo(own, 5051) is not None
        stand_in.process.terminate()
        end = stand_in.until("end")[-1]
        assert (end["exit_status"], stand_in.end()[0]) == (1, 1)


def test_the_text_names_the_owner_of_a_port_in_use(own: str) -> None:
    with socket.create_server((own, 5050)), started("-e", "5050,5051/tcp", "--bind", own) as stand_in:
        assert stand_in.line().startswith("in use       5050/tcp   by ")
        assert stand_in.line().startswith("listening    5051/tcp ")
        assert stand_in.line().startswith("ready: 1 of 2 ports; ends at ")
        stand_in.process.terminate()
        assert stand_in.end()[0] == 1


def test_when_not_one_port_can_be_opened_nothing_is_ready(own: str) -> None:
    with socket.create_server((own, 5050)), started("-e", "5050/tcp", "--bind", own) as stand_in:
        status, out, err = stand_in.end()
    assert (status, len(out)) == (2, 1)
    assert err == "portcheck: not one port could be opened, so nothing stands in here\n"


def test_only_the_peers_that_are_named_are_answered(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own, "--peers", "127.0.0.2", "--peers", "10.0.0.0/8")) as stand_in:
        stand_in.until("ready")
        assert echo(own, 5050, source="127.0.0.2") is not None
        assert echo(own, 5050, source="127.0.0.3") is None


def test_it_stays_small(own: str) -> None:
    with started(*jsonl("-d", "dcos-1.11", "-r", "master", "-e", "20000-20999/tcp", "--bind", own)) as stand_in:
        pid = stand_in.until("ready")[-1]["pid"]
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert most < _MAX_RESIDENT_KIB


# ----------------------------------------------------------------------------------------------------- its key


def test_a_new_key_is_shown_once_on_stderr_and_nowhere_else(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own), key=None) as stand_in:
        events = stand_in.until("ready")
        assert stand_in.process.stderr is not None
        assert "shown this once" in stand_in.process.stderr.readline()
        shown = stand_in.process.stderr.readline().strip()
        assert "--key-file stand-in.key" in stand_in.process.stderr.readline()
        assert ENVIRONMENT in stand_in.process.stderr.readline()
        assert echo(own, 5050, key=bytes.fromhex(shown)) is not None
        pid = events[-1]["pid"]
        assert shown not in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
        stand_in.process.terminate()
        _, out, err = stand_in.end()
    assert len(bytes.fromhex(shown)) == 32
    assert shown not in err
    assert shown not in json.dumps(events) + "".join(out)


def test_the_key_of_a_file_is_taken_and_never_said(own: str, tmp_path: Path) -> None:
    path = tmp_path / "stand-in.key"
    made = ("-e", "5050/tcp", "--bind", own)
    with started(*jsonl(*made, "--write-key", str(path)), key=None) as stand_in:
        stand_in.until("ready")
        stand_in.process.terminate()
        assert stand_in.end()[2] == ""
    assert path.stat().st_mode & 0o777 == 0o600
    key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    with started(*jsonl(*made, "--key-file", str(path)), key=None) as stand_in:
        events = stand_in.until("ready")
        assert echo(own, 5050, key=key) is not None
        stand_in.process.terminate()
        status, out, err = stand_in.end()
    assert (status, err) == (0, "")
    assert key.hex() not in json.dumps(events) + "".join(out)


# ----------------------------------------------------------------------------------------------- what ends it


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGTERM, "terminate"), (signal.SIGINT, "interrupt"), (signal.SIGHUP, "hangup")]
)
def test_a_signal_ends_it_and_nothing_is_left(own: str, number: signal.Signals, reason: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own)) as stand_in:
        stand_in.until("ready")
        stand_in.process.send_signal(number)
        end = stand_in.until("end")[-1]
        assert (end["reason"], end["exit_status"], stand_in.end()[0]) == (reason, 0, 0)
    with socket.create_server((own, 5050)):
        pass  # The port is free again.


def test_it_ends_when_its_time_is_over(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own, "--ttl", "1s")) as stand_in:
        before = datetime.now(UTC)
        ready = stand_in.until("ready")[-1]
        assert datetime.fromisoformat(ready["ends"]) >= before - timedelta(seconds=1)
        assert stand_in.event()["reason"] == "ttl"
        assert stand_in.end()[0] == 0


def test_the_end_of_its_input_ends_it_when_asked(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own, "--until-eof")) as stand_in:
        stand_in.until("ready")
        assert stand_in.process.stdin is not None
        stand_in.process.stdin.write("nothing of interest\n")
        stand_in.process.stdin.flush()
        assert echo(own, 5050) is not None
        stand_in.process.stdin.close()
        stand_in.process.stdin = None
        assert stand_in.until("end")[-1]["reason"] == "stdin"
        assert stand_in.end()[0] == 0


def test_the_end_of_its_input_is_nothing_to_it_otherwise(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own, "--ttl", "1s")) as stand_in:
        assert stand_in.process.stdin is not None
        stand_in.process.stdin.close()
        stand_in.process.stdin = None
        assert stand_in.until("end")[-1]["reason"] == "ttl"


def test_a_killed_shell_leaves_nothing_behind(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own), shell="$LISTEN; true") as stand_in:
        assert stand_in.until("ready")[-1]["pid"] != stand_in.process.pid
        stand_in.process.kill()
        assert stand_in.until("end")[-1]["reason"] == "parent"
        assert stand_in.line() == ""  # The pipe has no writer left.


def test_who_is_killed_at_once_leaves_nothing_behind(own: str) -> None:
    """The shell is gone before Python has read a line of ours."""
    with started(*jsonl("-e", "5050/tcp", "--bind", own), shell="$LISTEN & kill -9 $$") as stand_in:
        assert stand_in.until("end")[-1]["reason"] == "parent"
        assert stand_in.line() == ""


def test_it_outlives_who_started_it_when_asked(own: str) -> None:
    asked = jsonl("-e", "5050/tcp", "--bind", own, "--outlive-parent", "--ttl", "3s")
    with started(*asked, shell="$LISTEN; true") as stand_in:
        os.kill(stand_in.until("ready")[-1]["pid"], signal.SIGHUP)
        stand_in.process.kill()
        assert stand_in.until("end")[-1]["reason"] == "ttl"


def test_a_reader_who_goes_away_does_not_end_it(own: str) -> None:
    with started(*jsonl("-e", "5050/tcp", "--bind", own)) as stand_in:
        stand_in.until("ready")
        assert stand_in.process.stdout is not None
        stand_in.process.stdout.close()
        stand_in.process.stdout = None
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            assert echo(own, 5050, source=source) is not None
        stand_in.process.terminate()
        assert stand_in.process.wait(50) == 0


def test_a_reader_who_reads_nothing_keeps_nobody_waiting() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "w", encoding="utf-8") as stream:
        lines = Lines(stream)
        for _ in range(50_000):
            lines.say("x" * 1000)
        lines.close()


def test_lines_arrive_in_their_order() -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader:
        with open(writing, "w", encoding="utf-8") as stream:
            lines = Lines(stream)
            for number in range(1000):
                lines.say(f"line {number}")
            lines.close()
        assert reader.read().splitlines() == [f"line {number}" for number in range(1000)]


# -------------------------------------------------------------------------------------------------- bad input

BAD = {
    "--ttl 2d": '--ttl "2d": write 90s, 30m or 8h; at least 1s, at most 24h',
    "--ttl 25h": '--ttl "25h": write 90s, 30m or 8h; at least 1s, at most 24h',
    "--ttl 0s": '--ttl "0s": write 90s, 30m or 8h; at least 1s, at most 24h',
    "--ttl 30": '--ttl "30": write 90s, 30m or 8h; at least 1s, at most 24h',
    "--format json": '--format "json": write text or jsonl',
    "--bind m1": '--bind "m1": write an IP address of this machine, 0.0.0.0 or ::',
    "--bind 203.0.113.7": '--bind "203.0.113.7": this machine does not have this address',
    "--peers m1": '--peers "m1": write an address or a network, like 10.0.0.0/24',
    "--peers 10.0.0.1/24": '--peers "10.0.0.1/24": write an address or a network, like 10.0.0.0/24',
    "--transport icmp": '--transport "icmp": only these have ports: write tcp or udp',
    "--transport udp": "-e 5050/tcp is left out by --transport udp: write -e 5050/udp, or leave --transport out",
    "--as ../m1": '--as "../m1": write a name of letters, digits, dots, - and _',
    "--key-file k --write-key k": "--key-file takes a key and --write-key makes one: leave one of them out",
    "--key-file no-such-file": "key file no-such-file: cannot read it: No such file or directory; make one with: "
    "portcheck listen … --write-key FILE",
    "-e 1-65535/udp": "5050/tcp and 1-65535/udp: that takes 131,072 sockets, one for each port and address, and at "
    "most 4,096 are opened; name fewer ports, or fewer addresses with --bind",
}


@pytest.mark.parametrize("words", BAD)
def test_what_cannot_be_used_is_one_clear_line(words: str) -> None:
    done = portcheck("listen", "-e", "5050/tcp", *words.split())
    assert (done.status, done.out, done.err) == (2, "", f"portcheck: {BAD[words]}\n")


def test_what_has_no_ports_cannot_be_stood_in_for() -> None:
    done = portcheck("listen", "-e", "gre")
    assert (done.status, done.out) == (2, "")
    assert done.err == "portcheck: nothing to stand in for: no TCP or UDP port is left of what you named\n"


def test_without_ports_it_says_that_there_is_nothing_to_stand_in_for() -> None:
    done = portcheck("listen")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        "portcheck: Nothing to stand in for: name a document (-d dcos-1.11; see `portcheck documents list`) "
        "or ports (-e 22/tcp).\n"
    )


def test_a_host_that_the_site_does_not_have_is_said_with_those_that_it_has(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("documents: [dcos-1.11]\nhosts:\n  m1: {address: 203.0.113.1, roles: [master]}\n", encoding="utf-8")
    done = portcheck("listen", "-s", str(site), "--as", "m2")
    assert (done.status, done.out) == (2, "")
    assert done.err == f'portcheck: --as "m2" is not a host of {site}; known hosts: m1\n'
    done = portcheck("listen", "-s", str(site))
    assert done.err.endswith(
        f"has no address of {site}. Run portcheck on one of its hosts (m1), or say which of them it is: --as HOST\n"
    )


OF_LISTEN = {
    "": "Nothing to stand in for: name a document (-d dcos-1.11; see `portcheck documents list`) or ports (-e 22/tcp).",
    "-d dcos-1.11": "Say which role of dcos-1.11 this machine plays: -r ROLE (one of master, agent)",
}


@pytest.mark.parametrize("words", OF_LISTEN)
def test_what_is_missing_is_said_of_stand_ins_and_this_machine(words: str) -> None:
    done = portcheck("listen", *words.split())
    assert (done.status, done.out, done.err) == (2, "", f"portcheck: {OF_LISTEN[words]}\n")


# -------------------------------------------------------------------------------------- what is opened where


def host(*ips: str, unresolved: str | None = None) -> Host:
    families = {ip: Family.IPV6 if ":" in ip else Family.IPV4 for ip in ips}
    return Host("m1", tuple(Address(ip, family) for ip, family in families.items()), unresolved=unresolved)


def test_a_host_of_the_site_is_opened_on_its_own_addresses() -> None:
    assert addresses_of(host("10.0.0.1", "fd00::1"), lambda ip: True) == (("10.0.0.1", "fd00::1"), ())


def test_an_address_of_a_translator_opens_all_of_its_family_and_is_said() -> None:
    addresses, (remark,) = addresses_of(host("10.0.0.1", "192.0.2.1", "fd00::1"), lambda ip: ip != "192.0.2.1")
    assert addresses == ("0.0.0.0", "fd00::1")
    assert remark == (
        "192.0.2.1 of m1 is no address of this machine: the ports are opened on all its addresses instead"
    )


def test_without_addresses_all_are_opened() -> None:
    assert addresses_of(host(), lambda ip: True) == (("0.0.0.0", "::"), ())
    addresses, (remark,) = addresses_of(host(unresolved="m1.example: not known"), lambda ip: True)
    assert addresses == ("0.0.0.0", "::")
    assert remark.startswith("m1 has no address (m1.example: not known): ")


def test_what_is_for_the_host_alone_is_opened_on_loopback_alone() -> None:
    ports = (RolePort(TCP, 5050, ("A",)), RolePort(TCP, 7070, ("B",), local_only=True))
    assert openings(ports, ("10.0.0.1",)) == (
        Opening(TCP, 5050, ("10.0.0.1",)),
        Opening(TCP, 7070, ("127.0.0.1", "::1")),
    )


def opening_all(ports: range, addresses: int = 1, transport: Transport = TCP) -> tuple[Opening, ...]:
    return tuple(Opening(transport, port, ("10.0.0.1",) * addresses) for port in ports)


def test_a_tenth_of_the_ports_for_outgoing_connections_is_the_most() -> None:
    ephemeral = range(32768, 61000)
    refuse_too_many(opening_all(range(32768, 32768 + 2823)), ephemeral)
    refuse_too_many(opening_all(range(32768, 34768)) + opening_all(range(32768, 34768), transport=UDP), ephemeral)
    refuse_too_many(opening_all(range(1024, 5120)), ephemeral)
    with pytest.raises(PortcheckError) as error:
        refuse_too_many(opening_all(range(32000, 32768 + 2824)), ephemeral)
    assert str(error.value).startswith(
        "32768-35591/tcp: 2,824 ports lie in 32768-60999, the range that this machine takes for outgoing connections"
    )
    assert "at most a tenth of it, 2,823, may be opened" in str(error.value)


def test_every_address_of_a_port_takes_a_socket() -> None:
    refuse_too_many(opening_all(range(1024, 1024 + 2048), addresses=2), range(0))
    with pytest.raises(PortcheckError, match=r"1024-3072/tcp: that takes 4,098 sockets"):
        refuse_too_many(opening_all(range(1024, 1024 + 2049), addresses=2), range(0))


# ------------------------------------------------------------------------------------------------ how it is said


def said(*ports: StandInPort, **services: str) -> list[str]:
    lines: list[str] = []
    named = {(each.transport, each.port): (services["service"],) for each in ports} if services else {}
    TextEvents(lines.append, lines.append, "/usr/bin/python3.11").opened(ports, named)
    return lines


def test_what_needs_privilege_is_told_in_one_line_with_what_gives_it() -> None:
    lacking = [
        StandInPort(transport, port, address, Standing.NEEDS_PRIVILEGE, detail="CAP_NET_BIND_SERVICE")
        for transport, port in ((TCP, 443), (UDP, 53), (TCP, 53))
        for address in ("0.0.0.0", "::")
    ]
    assert said(*lacking, StandInPort(TCP, 5050, "::", Standing.LISTENING)) == [
        "listening    5050/tcp   ::",
        "needs privilege: 53, 443/tcp and 53/udp: run as root, or sysctl -w net.ipv4.ip_unprivileged_port_start=53, "
        "or setcap cap_net_bind_service=+ep /usr/bin/python3.11 (for every program of this Python)",
    ]


def in_use(holder: Holder | None) -> list[str]:
    return said(StandInPort(TCP, 8080, "0.0.0.0", Standing.IN_USE, holder), service="Marathon")


def test_who_has_a_port_is_told_as_far_as_it_can_be_seen() -> None:
    seen = Holder("0.0.0.0", pid=812, process="java", unit="jenkins.service", uid=0)
    assert in_use(seen) == ["in use       8080/tcp   by java (PID 812, jenkins.service) on 0.0.0.0  Marathon"]
    ours = Holder("0.0.0.0", pid=812, process="portcheck", uid=0, stand_in=True)
    assert in_use(ours) == ["in use       8080/tcp   by another stand-in (PID 812) on 0.0.0.0  Marathon"]
    unnamed = Holder("0.0.0.0", uid=0)
    assert in_use(unnamed) == [
        "in use       8080/tcp   by a process of user 0 (only root can name it) on 0.0.0.0  Marathon"
    ]
    assert in_use(None) == ["in use       8080/tcp   by somebody who cannot be seen on 0.0.0.0  Marathon"]


def test_no_terminal_obeys_the_name_of_a_process_or_a_service() -> None:
    port = StandInPort(TCP, 8080, "::", Standing.IN_USE, Holder("::", pid=1, process="\x1b[2Jx", unit="\x9b.service"))
    (line,) = said(port, service="\u202eevil\n")
    assert line.isprintable()
    assert "\\x1b[2Jx" in line


def test_who_came_is_told_first_and_counted_at_the_end() -> None:
    out: list[str] = []
    err: list[str] = []
    events = TextEvents(out.append, err.append, "python3")
    events.came(Came("10.0.0.9", TCP, 5050, False, 1))
    events.ended(Ended(End.TTL, 0, (Came("10.0.0.9", TCP, 5050, False, 1), Came("fd00::9", UDP, 53, True, 1200)), 7))
    assert out == []
    assert err == [
        "10.0.0.9 came to 5050/tcp without the key, and got no answer",
        "ended: its time is over (--ttl)",
        "10.0.0.9 came once over tcp without the key, and got no answer",
        "fd00::9 came 1,200 times over udp with the key",
        "7 more came, too many to remember",
    ]


def test_an_end_on_another_day_has_its_date() -> None:
    lines: list[str] = []
    tomorrow = datetime.now().astimezone() + timedelta(hours=24)
    TextEvents(lines.append, lines.append, "python3").ready(Ready("m1", True, 1, 1, 1, tomorrow))
    assert lines == [f"ready: 1 of 1 port; ends at {tomorrow:%Y-%m-%d %H:%M:%S} or with Ctrl-C"]


def test_every_event_has_the_fields_of_the_manual_and_no_others(own: str) -> None:
    with socket.create_server((own, 5050)), started(*jsonl("-e", "5050,5051/tcp", "--bind", own)) as stand_in:
        events = stand_in.until("ready")
        assert echo(own, 5051) is not None
        stand_in.process.terminate()
        events += stand_in.until("end")
    assert {each["event"] for each in events} == set(EVENTS)
    for each in events:
        _, fields = EVENTS[each.pop("event")]
        assert list(each) == [name for name in fields if "." not in name]
    holder = next(each["holder"] for each in events if each.get("holder"))
    assert {f"holder.{name}" for name in holder} == {name for name in EVENTS["port"][1] if "." in name}
    assert set(events[-1]["came"][0]) == set(EVENTS["came"][1])
