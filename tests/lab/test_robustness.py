"""Trouble, on the network and of our own: it may cost time or leave doubt, but never makes a wrong verdict."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from portcheck.cli.app import app
from portcheck.engine.probe import PortState, Reason
from portcheck.model import Family, Finding, Outcome
from tests.lab import runs
from tests.lab.build import Lab, build, portcheck_argv
from tests.lab.matrix import CASES, MATRIX
from tests.lab.rough import (
    ABSENT_PORT,
    LIVE_HOSTS,
    LIVE_NETWORK,
    NEEDLES_PER_NETWORK,
    OPEN_PORTS,
    REJECTED_PORTS,
    ROUGH,
    SILENT_PORTS,
    SOURCE_PORT,
    SWALLOWED_PORTS,
    WIDE_NETWORKS,
)
from tests.lab.runs import CLOSED, OPEN, SILENT, Result, running, until

pytestmark = pytest.mark.lab

ENDING_S = 2.0
"""A run that is told to end does so in this time, however long it would have waited."""
FAST = ("--speed", "fast")
"""These tests are about trouble that many flows at once meet; the tests of pacing are in test_pacing.py."""


def span(ports: range) -> str:
    return f"{ports.start}-{ports.stop - 1}/tcp"


def both(node: str) -> tuple[str, str]:
    return ROUGH.address(node, Family.IPV4), ROUGH.address(node, Family.IPV6)


@pytest.fixture(scope="module")
def rough() -> Iterator[Lab]:
    with build(ROUGH) as lab:
        yield lab


def limited(lab: Lab, node: str, descriptors: int, *args: str) -> Result:
    """`portcheck check` that may not have more open files than this."""
    argv = ["prlimit", f"--nofile={descriptors}", "--", *portcheck_argv(["check", *args, "--format", "json"])]
    done = lab.run(node, argv)
    return runs.result_of(done.returncode, done.stdout, done.stderr)


# Holds the only local ports towards the target: argv is address, port, number of connections.
HOLD = """
import socket, sys
held = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(int(sys.argv[3]))]
print("held", flush=True)
sys.stdin.read()
"""


# ------------------------------------------------- runs that mostly wait, all at the same time, by what they are


Runs = Mapping[str, Result]


@pytest.fixture(scope="module")
def waiting(rough: Lab, matrix: Lab) -> Runs:
    server, server6 = both("server")
    matrix_servers = [MATRIX.address("server", family) for family in Family]
    ports = {ip: runs.tcp(case.port for case in CASES if case.address == ip) for ip in matrix_servers}
    calls: dict[str, Callable[[], Result]] = {
        "swallowed": partial(runs.check, rough, "client", server, "-e", span(SWALLOWED_PORTS[:10]), "--evidence"),
        "swallowed6": partial(runs.check, rough, "client", server6, "-e", span(SWALLOWED_PORTS[10:]), "--evidence"),
        "lossy": partial(runs.check, rough, "client", *both("lossy"), "-e", span(OPEN_PORTS), *FAST),
        "ghost": partial(runs.check, rough, "client", *both("ghost"), "-e", "1-300/tcp", *FAST),
        "dead gateway": partial(runs.check, rough, "client", *both("beyond"), "-e", "1-150/tcp", *FAST),
        "no way": partial(runs.check, matrix, "client", MATRIX.address("lost", Family.IPV4), "-e", "1-60/tcp"),
        "live network": partial(runs.check, rough, "client", LIVE_NETWORK, "-e", "80/tcp", *FAST),
        **{f"descriptors {ip}": partial(limited, matrix, "client", 80, ip, "-e", ports[ip]) for ip in ports},
        "deadline": partial(
            runs.check, rough, "client", server, "-e", span(SILENT_PORTS), "-e", "1000/tcp", "--deadline", "1", *FAST
        ),
        "few local ports": partial(
            runs.check, rough, "cramped", server, "-e", f"1000-1199,{ABSENT_PORT},20000-20049/tcp", *FAST
        ),
        "no local port": partial(
            runs.check, rough, "cramped", server, "-e", f"1000-1099,{SOURCE_PORT}/tcp", "--evidence", *FAST
        ),
        # The standard streams, the event loop's files and our own epoll: no descriptor is left for a socket.
        "no descriptor": partial(limited, rough, "client", 7, server, "-e", "1000-1099/tcp", *FAST),
    }
    with running(rough, "cramped", [sys.executable, "-c", HOLD, server, str(SOURCE_PORT), "4"]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        return runs.named(calls)


@pytest.mark.parametrize("name", ["swallowed", "swallowed6"])
def test_a_path_that_swallows_one_source_port_is_open(waiting: Runs, name: str) -> None:
    result = waiting[name]
    assert result.states() == {OPEN: 10}
    assert result.status == 0
    for check in result.checks:
        assert check["flaky"], check
        swallowed, answered = check["evidence"]
        assert swallowed["source_port"] != answered["source_port"]
        assert (swallowed["result"], answered["result"]) == ("not-needed", "syn-ack")


def test_loss_closes_no_port(waiting: Runs) -> None:
    result = waiting["lossy"]
    assert (result.status, result.states()) == (0, {OPEN: 2 * len(OPEN_PORTS)})
    assert any(check["flaky"] for check in result.checks)


def test_every_port_of_a_dead_neighbour_is_unreachable(waiting: Runs) -> None:
    result = waiting["ghost"]
    assert (result.status, result.states()) == (1, {(PortState.FILTERED, Reason.ARP_FAILURE): 600})
    assert [len(entry["checks"]) for entry in result.diagnosis("host-unreachable")] == [300, 300]
    assert len(result.run["diagnosis"]) == 2


def test_a_dead_gateway_is_not_a_dead_target(waiting: Runs) -> None:
    """Our kernel says "host unreachable" about the target, but looked for the gateway: no packet got further."""
    assert_blames_the_gateway(waiting["dead gateway"], checks=300)


def test_a_dead_gateway_is_not_many_dead_targets(waiting: Runs, rough: Lab) -> None:
    """After the other run, not beside it: both would queue for one gateway, and the kernel reports what is queued."""
    behind_it = runs.check(rough, "client", *ROUGH.addresses("beyond"), "-e", "80/tcp", *FAST)
    assert_blames_the_gateway(behind_it, checks=102)


def assert_blames_the_gateway(result: Result, checks: int) -> None:
    assert (result.status, result.states()) == (1, {(PortState.FILTERED, Reason.ARP_FAILURE): checks})
    for check in result.checks:
        gateway = both("deadgw")[":" in check["target"]["address"]]
        seen = (check["detail"], check["responder"], check["icmp"])
        assert seen == (f"gateway {gateway}", None, None), check


def test_a_network_is_its_live_hosts(waiting: Runs) -> None:
    result = waiting["live network"]
    addresses = [str(address) for address in ip_network(LIVE_NETWORK).hosts()]
    findings = {check["target"]["address"]: (check["outcome"], check["finding"]) for check in result.checks}
    expected = dict.fromkeys(addresses, (Outcome.INFO, Finding.NO_HOST))
    expected |= {ROUGH.address(name, Family.IPV4): (Outcome.PASS, Finding.OK) for name in LIVE_HOSTS}
    assert findings == expected
    assert (result.status, result.run["diagnosis"]) == (0, [])


@pytest.mark.parametrize("family", Family)
def test_few_descriptors_cost_time_and_no_verdict(waiting: Runs, family: Family) -> None:
    server = MATRIX.address("server", family)
    result = waiting[f"descriptors {server}"]
    truth = {case.port: (case.state, case.reason, case.responder) for case in CASES if case.address == server}
    seen = {c["port"]: (c["state"], c["reason"], c["responder"]) for c in result.checks}
    assert seen == truth
    assert result.status == 1


def test_deadline_ends_the_run_with_what_there_is(waiting: Runs) -> None:
    result = waiting["deadline"]
    assert result.states() == {(PortState.UNKNOWN, Reason.DEADLINE): len(SILENT_PORTS), OPEN: 1}
    assert (result.status, result.run["interrupted"]) == (3, "deadline")
    assert 1.0 <= result.run["duration_s"] < 1.0 + ENDING_S
    assert len(result.diagnosis("unfinished")) == 1


def test_few_local_ports_make_no_wrong_verdict(waiting: Runs) -> None:
    """A local port is needed for each connection to the same port only, so four are enough for all of these."""
    assert waiting["few local ports"].states() == {OPEN: len(OPEN_PORTS), CLOSED: 1, SILENT: 50}


# --------------------------------------------------------------------------------------------- our own limits


def test_no_local_port_left_is_our_own_trouble(waiting: Runs) -> None:
    """Other destinations do not share the shortage, and are not held up by it."""
    result = waiting["no local port"]
    assert result.states() == {(PortState.UNKNOWN, Reason.LOCAL_NO_PORTS): 1, OPEN: 100}
    assert (result.status, result.summary["inconclusive"]) == (3, 1)
    answered_s = [check["evidence"][0]["started_s"] for check in result.checks if check["state"] == PortState.OPEN]
    assert max(answered_s) < 1.0


def test_no_descriptor_left_is_our_own_trouble(waiting: Runs) -> None:
    result = waiting["no descriptor"]
    assert result.states() == {(PortState.UNKNOWN, Reason.LOCAL_FD_LIMIT): 100}
    assert result.status == 3
    assert result.run["duration_s"] < 8


def test_one_socket_at_a_time_is_enough(rough: Lab) -> None:
    server, _ = both("server")
    result = limited(rough, "client", 32, server, "-e", f"1000-1009,{ABSENT_PORT},10000/tcp")
    assert result.states() == {OPEN: 10, CLOSED: 1, (PortState.FILTERED, Reason.PORT_UNREACH): 1}


# ----------------------------------------------------------------------------------------------- interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("port", "state", "status"), [(1100, OPEN, 3), (ABSENT_PORT, CLOSED, 1)])
def test_a_signal_ends_the_run_with_what_there_is(
    rough: Lab, number: signal.Signals, port: int, state: tuple[str, str], status: int
) -> None:
    server, _ = both("server")
    ports = f"{SILENT_PORTS.start}-{SILENT_PORTS.stop - 1},{port}/tcp"
    args = ["check", server, "-e", ports, *FAST, "--format", "json"]
    before = rough.counted("server")["silence"]
    with running(rough, "client", portcheck_argv(args)) as process:
        # The second SYNs: by then whatever answered the first ones has been decided.
        until(lambda: rough.counted("server")["silence"] >= before + 2 * len(SILENT_PORTS))
        asked = time.monotonic()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=10)
        took_s = time.monotonic() - asked
    result = runs.result_of(process.returncode, stdout, stderr)
    assert result.states() == {(PortState.UNKNOWN, Reason.INTERRUPTED): len(SILENT_PORTS), state: 1}
    assert result.summary["checks"] == len(SILENT_PORTS) + 1
    assert (result.status, result.run["interrupted"]) == (status, number.name)
    assert took_s < ENDING_S


# ------------------------------------------------------------------------------------- false answers that exist


def test_a_router_that_limits_its_errors_has_no_way_to_any_port(waiting: Runs) -> None:
    """Linux says "network unreachable" five times at once, then once a second, whatever the ICMP limits are."""
    result = waiting["no way"]
    assert result.states() == {(PortState.FILTERED, Reason.NET_UNREACH): 60}
    assert {check["responder"] for check in result.checks} == {MATRIX.address("r1", Family.IPV4, "left")}
    assert {check["finding"] for check in result.checks} == {Finding.HOST_UNREACHABLE}
    assert any(check["inferred"] for check in result.checks)


def test_meeting_oneself_is_not_an_open_port(rough: Lab) -> None:
    """Where source and destination port come from the same range, some connections meet themselves."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    sweep = f"{first}-{last}"
    looks = [partial(runs.check, rough, "client", address, "--sweep", sweep) for address in ("127.0.0.1", "::1")]
    for result in runs.at_once(looks):
        assert (result.status, result.checks) == (0, [])
        assert result.summary["pass"] == last - first + 1
        [swept] = result.run["swept"]
        assert (swept["state"], swept["ports"]) == (PortState.CLOSED, sweep)


@pytest.mark.parametrize("family", Family)
def test_a_rejection_handled_on_another_cpu_is_not_a_connection(rough: Lab, family: Family) -> None:
    """Then epoll wakes before the socket has its error, and SO_ERROR says that all is well."""
    other_cpu = (os.cpu_count() or 1) - 1
    steering = f"echo {1 << other_cpu:x} > /sys/class/net/wire/queues/rx-0/rps_cpus"
    assert rough.run("client", ["sh", "-c", steering], user=False).returncode == 0
    address = ROUGH.address("server", family)
    argv = [
        "taskset",
        "-c",
        "0",
        *portcheck_argv(["check", address, "-e", span(REJECTED_PORTS), *FAST, "--format", "json"]),
    ]
    done = rough.run("client", argv)
    result = runs.result_of(done.returncode, done.stdout, done.stderr)
    assert result.states() == {(PortState.FILTERED, Reason.PORT_UNREACH): len(REJECTED_PORTS)}
    assert {check["responder"] for check in result.checks} == {address}


def test_a_full_neighbour_table_hides_no_host(rough: Lab) -> None:
    """Linux holds 1,024 neighbours. SYNs to more addresses that nobody has are dropped, live ones among them."""
    looks = [partial(runs.check, rough, *wide, "-e", "80/tcp", *FAST) for wide in WIDE_NETWORKS.items()]
    for network, result in zip(WIDE_NETWORKS.values(), runs.at_once(looks), strict=True):
        found = {check["target"]["address"] for check in result.checks if check["state"] == PortState.OPEN}
        there = {address for address in ROUGH.addresses("needles") if ip_address(address) in ip_network(network)}
        assert (result.status, result.summary["checks"], found) == (0, 510, there)
        assert len(there) == NEEDLES_PER_NETWORK


# ------------------------------------------------------------------------------------------ where we send from


def link_local(lab: Lab, node: str) -> str:
    listing = json.loads(lab.run(node, ["ip", "-j", "-6", "address", "show", "dev", "wire", "scope", "link"]).stdout)
    # This version of ip leaves empty objects for what it was not asked about.
    [address] = [info["local"] for link in listing for info in link.get("addr_info", []) if info]
    return str(address)


def test_link_local_address_with_its_zone(rough: Lab) -> None:
    address = f"{link_local(rough, 'server')}%wire"
    result = runs.check(rough, "client", address, "-e", f"1000,{ABSENT_PORT},{REJECTED_PORTS.start}/tcp")
    assert result.states() == {OPEN: 1, CLOSED: 1, (PortState.FILTERED, Reason.PORT_UNREACH): 1}
    assert result.check(address, REJECTED_PORTS.start)["finding"] == Finding.REJECTED


def test_a_second_address_is_our_own_too(rough: Lab) -> None:
    """Towards it the kernel would choose our first address as the source, so that does not tell."""
    result = runs.check(rough, "client", "10.90.0.5", "-e", "1/tcp")
    assert [entry["gap"] for entry in result.run["not_planned"]] == ["itself"]


def test_source_address_is_the_one_of_the_site(rough: Lab) -> None:
    """The client's first address is what the kernel would choose; the site knows it under its second."""
    server, _ = both("server")
    before = rough.counted("server")["from-the-first-address"]
    path = rough.home / "sources.yaml"
    hosts = {"client": ("10.90.0.5", "agent"), "server": (server, "master")}
    entries = "\n".join(f"  {name}: {{address: {ip}, roles: [{role}]}}" for name, (ip, role) in hosts.items())
    path.write_text(f"documents: [dcos-1.11]\nhosts:\n{entries}\n")
    args = ("-s", str(path), "--from", "client", "--transport", "tcp", "--sweep", "none", "-e", f"{SOURCE_PORT}/tcp")
    assert runs.check(rough, "client", *args).check(server, SOURCE_PORT)["state"] == PortState.OPEN
    assert rough.counted("server")["from-the-first-address"] == before


# ---------------------------------------------------------------------------------------------- before it starts


@pytest.mark.parametrize(
    ("network", "addresses", "announced"), [("10.0.0.0/27", 30, False), ("10.0.0.0/24", 254, True)]
)
def test_many_hosts_are_announced_before_the_first_packet(
    network: str,
    addresses: int,
    announced: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever meant another network can still stop it."""

    class FirstPacketError(Exception):
        pass

    def execute(*_: object, **__: object) -> None:
        raise FirstPacketError

    monkeypatch.setattr("portcheck.cli.check.execute", execute)
    monkeypatch.setattr("sys.argv", ["portcheck", "check", network, "-e", "22/tcp"])
    with pytest.raises(FirstPacketError):
        app(standalone_mode=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert (f"{addresses} addresses" in said.err) == announced
