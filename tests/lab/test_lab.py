"""The lab itself: it is what it says, it sees what it should, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from portcheck.model import Family
from tests.lab import ownership
from tests.lab.__main__ import main
from tests.lab.build import Lab, build
from tests.lab.conftest import not_run
from tests.lab.dcos import AGENT_TCP, AGENTS, MASTER_LOCAL_TCP, MASTER_TCP, MASTERS
from tests.lab.scenarios import CASES, FAULTS, MATRIX, dcos_site, site_yaml
from tests.lab.topology import KERNEL_ICMP_LIMITS, Link, Listener, Net, Node, Route, Topology
from tests.lab.unprivileged import CHECKOUT, NOBODY

needs_lab = pytest.mark.lab

PAIR = Topology(
    "pair",
    "two hosts",
    nets=(Net("wire", "10.99.0.0/24", "fd99::/64"),),
    nodes=(
        Node("one", (Link("wire", 1),)),
        Node("two", (Link("wire", 2, also=(3,)),), listeners=(Listener(80), Listener(81, answer="reset"))),
    ),
)

# Connects to all of [[address, port]…] at once; prints for each "open", the errno's name, or "silence".
CONNECT = """
import errno, json, selectors, socket, sys, time
patience_s, targets = json.load(sys.stdin)
seen = ["silence"] * len(targets)
selector = selectors.DefaultSelector()
for number, (address, port) in enumerate(targets):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    selector.register(sock, selectors.EVENT_WRITE, number)
deadline = time.monotonic() + patience_s
while selector.get_map() and (left := deadline - time.monotonic()) > 0:
    for key, _ in selector.select(left):
        error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        seen[key.data] = errno.errorcode[error] if error else "open"
        selector.unregister(key.fileobj)
        key.fileobj.close()
print(json.dumps(seen))
"""


# The kernel repeats a SYN after 1 s, gives a neighbour up after 3.1 s, and may miss an ICMP error that comes while
# connect() still holds the socket: that one is seen when the SYN is repeated. Only silence takes the whole time.
BEFORE_SYN_IS_REPEATED_S = 0.9
AFTER_SYN_IS_REPEATED_S = 1.5
AFTER_NEIGHBOUR_IS_GIVEN_UP_S = 4.0


def connect(
    lab: Lab, node: str, targets: Iterable[tuple[str, int]], patience_s: float = AFTER_NEIGHBOUR_IS_GIVEN_UP_S
) -> list[str]:
    """What an unprivileged process on `node` meets at each (address, port)."""
    done = lab.python(node, "-c", CONNECT, input=json.dumps([patience_s, list(targets)]))
    assert done.returncode == 0, done.stderr
    seen: list[str] = json.loads(done.stdout)
    return seen


def namespaces_of(pid: int) -> list[str]:
    return [path.name for path in sorted(ownership.NAMESPACES.iterdir()) if path.name.startswith(f"portcheck.{pid}.")]


# --------------------------------------------------------------------------------------- the probing process


@needs_lab
def test_probing_process_has_no_privileges(matrix: Lab) -> None:
    status = matrix.python("client", "-c", "print(open('/proc/self/status').read())").stdout
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["Uid"].split() == [str(NOBODY)] * 4
    assert fields["Gid"].split() == [str(NOBODY)] * 4
    assert fields["Groups"].split() == []
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[capabilities], 16) == 0, capabilities
    assert fields["NoNewPrivs"].strip() == "1"


@needs_lab
def test_probing_process_imports_the_checkout_at_any_time(matrix: Lab) -> None:
    done = matrix.python("client", "-c", "import sqlite3, yaml, portcheck; print(portcheck.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(CHECKOUT), done.stderr


@needs_lab
def test_probing_process_writes_to_its_home_only(matrix: Lab) -> None:
    code = "import pathlib; pathlib.Path.home().joinpath('note').write_text('hello')"
    assert matrix.python("client", "-c", code).returncode == 0
    assert (matrix.home / "note").read_text() == "hello"
    code = f"import pathlib; pathlib.Path({str(CHECKOUT)!r}, 'note').write_text('hello')"
    assert "PermissionError" in matrix.python("client", "-c", code).stderr


@needs_lab
def test_probing_process_sees_nothing_but_its_own_network(matrix: Lab) -> None:
    listing = json.loads(matrix.run("client", ["ip", "-j", "address"]).stdout)
    assert {link["ifname"] for link in listing} == {"lo", "left"}


@needs_lab
def test_run_kills_what_takes_too_long(matrix: Lab) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        matrix.python("client", "-c", "import signal; signal.pause()", timeout_s=0.5)


@needs_lab
def test_exit_status_and_streams_come_back(matrix: Lab) -> None:
    done = matrix.python("client", "-c", "import sys; print(input()); sys.exit('bad')", input="good\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, "good\n", "bad\n")


# ---------------------------------------------------------------------------------------------- what is built


@needs_lab
def test_listeners_of_both_families_answer_as_soon_as_it_is_built() -> None:
    with build(PAIR) as lab:
        addresses = lab.topology.addresses("two")
        assert addresses == ("10.99.0.2", "10.99.0.3", "fd99::2", "fd99::3")
        assert connect(lab, "one", [(address, 80) for address in addresses]) == ["open"] * 4
        assert connect(lab, "one", [(address, 79) for address in addresses]) == ["ECONNREFUSED"] * 4
        assert lab.accepted("two") == {("tcp", 80): 4}


@needs_lab
def test_building_is_quick() -> None:
    assert len(dcos_site().present) >= 10

    def built_in_s() -> float:
        with build(dcos_site()) as lab:
            return lab.built_in_s

    assert min(built_in_s() for _ in range(3)) < 2.0


@needs_lab
def test_host_network_is_left_alone() -> None:
    def state() -> list[str]:
        commands = (["ip", "-j", "link"], ["ip", "-j", "route"], ["nft", "list", "ruleset"])
        settings = Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv4/icmp_ratemask")
        outputs = [subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in commands]
        return outputs + [path.read_text() for path in settings]

    before = state()
    with build(MATRIX):
        assert state() == before


@needs_lab
def test_two_labs_of_one_kind_do_not_meet() -> None:
    with build(PAIR) as one, build(PAIR) as other:
        assert connect(one, "one", [("10.99.0.2", 80)]) == ["open"]
        assert other.accepted("two") == {}


@needs_lab
@pytest.mark.parametrize(
    ("sysctls", "refused"), [({}, range(15, 21)), (KERNEL_ICMP_LIMITS, range(1, 8))], ids=["unlimited", "limited"]
)
def test_icmp_errors_are_limited_only_where_a_scenario_wants_it(sysctls: dict[str, str], refused: range) -> None:
    hook = "type filter hook input priority filter; policy accept;"
    rules = "\n".join(("table inet lab {", "chain input {", hook, "tcp dport 1000-1019 reject", "}", "}"))
    rejecting = replace(PAIR.node("two"), rules=rules, sysctls=sysctls)
    with build(replace(PAIR, nodes=(PAIR.node("one"), rejecting))) as lab:
        targets = [("10.99.0.2", port) for port in range(1000, 1020)]
        seen = connect(lab, "one", targets, BEFORE_SYN_IS_REPEATED_S)
        assert seen.count("ECONNREFUSED") in refused


# ---------------------------------------------------------------------------------------------- the truth table


def test_cases_are_distinct_and_of_their_family() -> None:
    assert len({str(case) for case in CASES}) == len(CASES)
    assert len({(case.address, case.port) for case in CASES}) == len(CASES)
    for case in CASES:
        for address in filter(None, (case.address, case.responder)):
            assert ip_address(address).version == (4 if case.family is Family.IPV4 else 6), case


@needs_lab
def test_every_rule_meets_its_own_case_and_lets_nothing_through(matrix: Lab) -> None:
    ruled = [case for case in CASES if "@" in case.name]
    places = sorted({case.name.partition("@")[2] for case in ruled})

    def counts() -> dict[str, int]:
        return {rule: n for place in places for rule, n in matrix.counted(place).items()}

    before = counts()
    for case in ruled:
        assert before.keys() >= {str(case)}
    seen = connect(matrix, "client", [(case.address, case.port) for case in ruled], AFTER_SYN_IS_REPEATED_S)
    after = counts()
    assert [str(case) for case in ruled if after[str(case)] == before[str(case)]] == []
    assert [str(case) for case, word in zip(ruled, seen, strict=True) if word == "open"] == []
    accepted = {port for _, port in matrix.accepted("server")}
    assert accepted.isdisjoint(case.port for case in ruled)


# --------------------------------------------------------------------------------------------- the DC/OS site


@needs_lab
@pytest.mark.parametrize("family", Family)
def test_healthy_site_answers_on_every_port_that_dcos_needs(dcos: Lab, family: Family) -> None:
    needed = [(dcos.address(name, family), port) for name in MASTERS for port in MASTER_TCP]
    needed += [(dcos.address(name, family), port) for name in AGENTS[1:] for port in AGENT_TCP]
    assert set(connect(dcos, "a1", needed)) == {"open"}


@needs_lab
def test_local_ports_of_a_master_are_local(dcos: Lab) -> None:
    address = dcos.address("m1", Family.IPV4)
    assert set(connect(dcos, "m1", [("127.0.0.1", port) for port in MASTER_LOCAL_TCP])) == {"open"}
    assert set(connect(dcos, "a1", [(address, port) for port in MASTER_LOCAL_TCP])) == {"ECONNREFUSED"}


@needs_lab
@pytest.mark.parametrize(
    ("node", "port", "request_hex", "reply_hex"),
    [
        ("m1", 53, "abcd10000000000000000000", "abcd90040000000000000000"),
        ("ntp", 123, "23" + "00" * 39 + "0102030405060708", "240a00ec" + "00" * 8 + "4c4f434c"),
    ],
    ids=["dns", "ntp"],
)
def test_datagrams_are_answered(dcos: Lab, node: str, port: int, request_hex: str, reply_hex: str) -> None:
    target = (dcos.address(node, Family.IPV4), port)
    code = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5);"
        f"s.sendto(bytes.fromhex({request_hex!r}), {target!r}); print(s.recv(512).hex())"
    )
    assert dcos.python("a1", "-c", code).stdout.startswith(reply_hex)


@needs_lab
@pytest.mark.parametrize(
    ("fault", "node", "port", "healthy", "seen"),
    [
        ("drop_5050", "m1", 5050, "open", "silence"),
        ("reject_2181", "m2", 2181, "open", "EHOSTUNREACH"),
        ("exposed_7070", "m1", 7070, "ECONNREFUSED", "open"),
        ("unexpected_8080", "a2", 8080, "ECONNREFUSED", "open"),
        ("not_listening_8181", "m3", 8181, "open", "ECONNREFUSED"),
        ("host_down", "a4", 5051, "open", "EHOSTUNREACH"),
        ("host_silent", "m3", 5050, "open", "silence"),
    ],
)
def test_fault_changes_what_an_agent_sees(dcos: Lab, fault: str, node: str, port: int, healthy: str, seen: str) -> None:
    patience_s = AFTER_SYN_IS_REPEATED_S if seen == "silence" else AFTER_NEIGHBOUR_IS_GIVEN_UP_S
    assert connect(dcos, "a1", [(dcos.address(node, Family.IPV4), port)]) == [healthy]
    with build(dcos_site([fault])) as lab:
        target = (lab.address(node, Family.IPV4), port)
        assert connect(lab, "a1", [target], patience_s) == [seen]


@needs_lab
def test_faults_combine() -> None:
    with build(dcos_site(FAULTS, ipv6=True)) as lab:
        m1, m2 = lab.address("m1", Family.IPV6), lab.address("m2", Family.IPV6)
        targets = [(m1, 5050), (m2, 2181), (m1, 7070), (m2, 443)]
        assert connect(lab, "a1", targets, AFTER_SYN_IS_REPEATED_S) == ["silence", "EACCES", "open", "open"]
        counted = lab.counted("r")
        assert counted["drop_5050"] > 0
        assert counted["reject_2181-ipv6"] > 0
        assert counted["reject_2181-ipv4"] == 0


def test_site_file_names_every_host_even_those_that_are_down() -> None:
    site = yaml.safe_load(site_yaml(Lab(dcos_site(["host_down"], ipv6=True))))
    assert site["documents"] == ["dcos-1.11"]
    assert site["hosts"].keys() == {*MASTERS, *AGENTS}
    assert site["hosts"]["a4"] == {"address": ["10.88.2.14", "fd88:2::14"], "roles": ["agent"]}
    assert site["external"]["ntp"]["roles"] == ["ntp"]


# ------------------------------------------------------------------------------------------ nothing is left behind


@needs_lab
def test_nothing_is_left_after_the_end() -> None:
    with build(PAIR) as lab:
        assert len(ownership.namespaces(lab.prefix)) == 3
        assert lab.home.is_dir()
    assert ownership.namespaces(lab.prefix) == ()
    assert not lab.folder.exists()


@needs_lab
def test_nothing_is_left_after_an_exception() -> None:
    before = namespaces_of(os.getpid())
    with pytest.raises(ZeroDivisionError), build(PAIR):
        raise ZeroDivisionError
    assert namespaces_of(os.getpid()) == before


@needs_lab
@pytest.mark.parametrize(
    ("node", "says"),
    [
        (Node("one", (Link("wire", 1),), rules="table inet lab { nonsense }"), "nonsense"),
        (Node("one", (Link("wire", 1),), listeners=(Listener(80, bind="10.99.0.77"),)), "Cannot assign requested"),
        (Node("one", (Link("wire", 1),), sysctls={"net.ipv4.no_such_setting": "1"}), "no_such_setting"),
    ],
    ids=["rules", "listener", "sysctl"],
)
def test_unbuildable_node_is_explained_and_leaves_nothing(node: Node, says: str) -> None:
    before = namespaces_of(os.getpid())
    with pytest.raises(RuntimeError, match=says), build(replace(PAIR, nodes=(node,))):
        pytest.fail("it was built")
    assert namespaces_of(os.getpid()) == before


def start_up() -> subprocess.Popen[str]:
    """A lab held by another process, ready."""
    # Under nohup, and in a shell's background jobs, signals are ignored, and children inherit that.
    fresh = ["env", "--default-signal=HUP,INT,TERM"]
    command = [*fresh, sys.executable, "-m", "tests.lab", "up", "matrix"]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            return process
    raise AssertionError(process.communicate()[1])


@needs_lab
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGINT, 130)],
)
def test_nothing_is_left_after_a_signal(number: signal.Signals, status: int) -> None:
    process = start_up()
    assert len(namespaces_of(process.pid)) == len(MATRIX.present) + 1
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (status, "")
    assert namespaces_of(process.pid) == []


@needs_lab
def test_leftovers_of_a_killed_run_are_removed_and_the_living_are_spared(matrix: Lab) -> None:
    process = start_up()
    process.kill()
    process.communicate(timeout=30)
    ownership.sweep()
    assert namespaces_of(process.pid) == []
    assert len(ownership.namespaces(matrix.prefix)) == len(MATRIX.present) + 1
    assert matrix.accepted("silent") == {}


# -------------------------------------------------------------------------------------------- without a lab


def test_a_missing_lab_is_a_failure_in_ci_and_a_skip_elsewhere() -> None:
    with pytest.raises(pytest.fail.Exception, match="no root"):
        not_run("no root", in_ci=True)
    with pytest.raises(pytest.skip.Exception, match="no root"):
        not_run("no root", in_ci=False)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ((Node("a", (Link("wire", 1),)), Node("b", (Link("wire", 1),))), "a and b share 10.99.0.1, fd99::1"),
        ((Node("a", (Link("radio", 1),)),), "do not exist: radio"),
        ((Node("a", (Link("wire", 1),), (Route("default", via="b"),)),), "no net in common with b"),
        ((Node("a", (Link("wire", 1),), (Route("moon", via="a"),)),), "route to moon, which is no net"),
        ((Node("a-very-long-name", (Link("wire", 1),)),), "longer than an interface name"),
        ((Node("switch", (Link("wire", 1),)),), "switch is taken"),
    ],
)
def test_impossible_topology_is_refused(nodes: tuple[Node, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Topology("bad", "bad", PAIR.nets, nodes)


def test_command_lists_networks_and_refuses_unknown_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listing = capsys.readouterr().out
    assert "matrix" in listing
    assert all(fault in listing for fault in FAULTS)
    assert main(["up", "dcos", "--fault", "gremlins"]) == 2
    assert "gremlins" in capsys.readouterr().err
