"""Ports of this machine: what trial and table come to together, what is said of what could not be seen."""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portcheck.engine import own_ports, socket_table
from portcheck.engine.own_ports import LocalPorts, OwnPortsSeen, look_at_own_ports, remark_on_unnamed
from portcheck.engine.probe import OWN_HOST, Holder, Observation, PortState, Probe, Reason, Transport
from tests.made_proc import ANY, CONNECTED, LOOPBACK, TEN, TIME_WAIT, UNCONNECTED, Proc, line

OURS, OURS6, ELSEWHERE = "10.0.0.1", "2001:db8::1", "10.0.0.9"
TRIED_ALWAYS = ("0.0.0.0", "::", "127.0.0.1", "::1")
NOBODY = 65534

FREE = (PortState.CLOSED, Reason.PORT_FREE)
UNUSED = (PortState.CLOSED, Reason.PORT_UNUSED)
HELD = (PortState.OPEN, Reason.PORT_HELD)
IN_CONNECTION = (PortState.OPEN, Reason.PORT_IN_CONNECTION)
UNMEASURED = (PortState.UNKNOWN, Reason.LOCAL_ERROR)


@dataclass
class Machine:
    """A machine with a /proc and a bind() of our making.

    Attributes:
        refusals: errno by (address, port) or by port; everything else can be bound.
        bound: every trial, as it was asked for.
    """

    proc: Proc
    refusals: dict[tuple[str, int] | int, int] = field(default_factory=dict)
    bound: list[tuple[Transport, str, int]] = field(default_factory=list)

    def bind(self, transport: Transport, address: str, port: int) -> int | None:
        self.bound.append((transport, address, port))
        return self.refusals.get((address, port), self.refusals.get(port))

    def setting(self, name: str, value: str) -> None:
        folder = self.proc.folder / "sys/net/ipv4"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(value + "\n")

    def look(self, *ports: str, addresses: Sequence[str] = ()) -> OwnPortsSeen:
        return look_at_own_ports(map(probe, ports), addresses, str(self.proc.folder))

    def one(self, port: str) -> Observation:
        [observation] = self.look(port).observations
        return observation


def probe(port: str) -> Probe:
    number, _, transport = port.partition("/")
    return Probe(OWN_HOST, Transport(transport), int(number))


def seen(observation: Observation) -> tuple[PortState, Reason]:
    return observation.state, observation.reason


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(Proc(tmp_path))
    made.proc.net()
    made.setting("ip_local_port_range", "32768\t60999")
    made.setting("ip_local_reserved_ports", "")
    made.setting("ip_unprivileged_port_start", "1024")
    monkeypatch.setattr(own_ports, "_bind", made.bind)
    monkeypatch.setattr(own_ports, "is_own", (OURS, OURS6).__contains__)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    return made


# ------------------------------------------------------------------------------------------------- free or not


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_port_is_free_that_can_be_bound_everywhere(machine: Machine, transport: str) -> None:
    [observation] = machine.look(f"5050/{transport}", addresses=(OURS, OURS6, "::", OURS)).observations
    assert observation == Observation(probe(f"5050/{transport}"), *FREE)
    assert sorted(address for _, address, _ in machine.bound) == sorted((*TRIED_ALWAYS, OURS, OURS6))


@pytest.mark.parametrize("address", [*TRIED_ALWAYS, OURS6])
def test_a_port_that_cannot_be_bound_on_one_address_is_not_free(machine: Machine, address: str) -> None:
    """Nobody is in the table: somebody has bound it and does not listen yet."""
    machine.refusals[address, 5050] = errno.EADDRINUSE
    seen_here = machine.look("5050/tcp", addresses=(OURS, OURS6))
    assert seen_here.observations == (Observation(probe("5050/tcp"), *HELD),)
    assert [remark for remark in seen_here.remarks if "does not listen yet" in remark]


@pytest.mark.parametrize("words", [ANY, LOOPBACK, TEN])
def test_a_listener_holds_the_port_whatever_bind_says(machine: Machine, words: str) -> None:
    """A trial beside a listener succeeds on other addresses, and with SO_REUSEPORT on the same; the product's fails."""
    machine.proc.net(tcp=[line(words, 5050, uid=99)])
    observation = machine.one("5050/tcp")
    assert seen(observation) == HELD
    assert [holder.uid for holder in observation.holders] == [99]


def test_the_other_transport_of_a_held_port_is_free(machine: Machine) -> None:
    machine.proc.net(udp=[line(ANY, 53, UNCONNECTED)])
    assert [seen(each) for each in machine.look("53/tcp", "53/udp").observations] == [FREE, HELD]


@pytest.mark.parametrize("state", [CONNECTED, TIME_WAIT])
def test_a_port_may_be_held_by_the_near_end_of_a_connection_alone(machine: Machine, state: str) -> None:
    machine.refusals[40000] = errno.EADDRINUSE
    machine.proc.net(tcp=[line(TEN, 40000, state, inode=77 if state == CONNECTED else 0)])
    observation = machine.one("40000/tcp")
    assert seen(observation) == IN_CONNECTION
    assert [(holder.address, holder.connected) for holder in observation.holders] == [("10.0.0.1", True)]
    assert observation.detail == "in ephemeral range 32768-60999"


@pytest.mark.parametrize("state", [CONNECTED, TIME_WAIT])
def test_connections_that_leave_the_port_to_others_do_not_hold_it(machine: Machine, state: str) -> None:
    """Those that a server accepted before it was stopped: it can be started again at once."""
    machine.proc.net(tcp=[line(TEN, 8080, state, inode=77 if state == CONNECTED else 0)])
    assert seen(machine.one("8080/tcp")) == FREE


def test_a_holder_that_ended_before_it_could_be_looked_up_holds_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.refusals[5050] = errno.EADDRINUSE
    machine.refusals[5051] = errno.EADDRINUSE
    read = socket_table.SocketTable

    def ending(proc: str) -> socket_table.SocketTable:
        del machine.refusals[5050]
        return read(proc)

    monkeypatch.setattr(own_ports, "SocketTable", ending)
    assert [seen(each) for each in machine.look("5050/tcp", "5051/tcp").observations] == [FREE, HELD]


# ------------------------------------------------------------------------------------------- without privilege


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_port_that_we_may_not_try_is_looked_up(machine: Machine, number: int) -> None:
    machine.refusals.update(dict.fromkeys((53, 80, 443), number))
    machine.proc.net(tcp=[line(ANY, 80), line(TEN, 443, CONNECTED)])
    looked = machine.look("53/tcp", "80/tcp", "443/tcp")
    assert [seen(each) for each in looked.observations] == [UNUSED, HELD, IN_CONNECTION]
    assert looked.observations[0].detail == "needs CAP_NET_BIND_SERVICE"
    assert looked.remarks[0].startswith("We may not bind 53/tcp and 443/tcp: looked up among the sockets in use")


def test_a_connection_that_has_ended_does_not_use_a_port_that_we_may_not_try(machine: Machine) -> None:
    machine.refusals[443] = errno.EACCES
    machine.proc.net(tcp=[line(TEN, 443, TIME_WAIT, inode=0)])
    assert seen(machine.one("443/tcp")) == UNUSED


def test_where_anybody_may_bind_it_a_refusal_has_another_reason(machine: Machine) -> None:
    machine.setting("ip_unprivileged_port_start", "53")
    machine.refusals.update({53: errno.EACCES, 52: errno.EACCES})
    details = [each.detail for each in machine.look("52/udp", "53/udp").observations]
    assert details == ["needs CAP_NET_BIND_SERVICE", "the security policy of this machine forbids us to bind it"]


def test_a_port_that_is_neither_tried_nor_looked_up_is_unknown(machine: Machine) -> None:
    machine.refusals[53] = errno.EACCES
    (machine.proc.folder / "net/tcp").unlink()
    looked = machine.look("53/tcp")
    assert [seen(each) for each in looked.observations] == [UNMEASURED]
    assert looked.observations[0].detail == "needs CAP_NET_BIND_SERVICE"
    assert looked.remarks == ()


def test_where_the_system_has_no_table_the_trial_decides(machine: Machine) -> None:
    machine.refusals["127.0.0.1", 5050] = errno.EADDRINUSE
    for name in ("tcp", "tcp6", "udp", "udp6"):
        (machine.proc.folder / "net" / name).unlink()
    looked = machine.look("5050/tcp", "5051/tcp")
    assert [seen(each) for each in looked.observations] == [HELD, FREE]
    assert looked.remarks == (
        "This system does not show who has a port (/proc/net): what is in use is found, its process is not.",
    )


def test_a_machine_without_ipv6_is_tried_over_ipv4(machine: Machine) -> None:
    machine.refusals.update({("::", 5050): errno.EAFNOSUPPORT, ("::1", 5050): errno.EAFNOSUPPORT})
    assert machine.look("5050/tcp") == OwnPortsSeen((Observation(probe("5050/tcp"), *FREE),), ())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAFNOSUPPORT])
def test_where_nothing_could_be_tried_nothing_is_free(machine: Machine, number: int) -> None:
    machine.refusals[5050] = number
    observation = machine.one("5050/tcp")
    assert seen(observation) == UNMEASURED
    assert observation.detail == os.strerror(number)


# ------------------------------------------------------------------------------------------------- remarks


def test_an_address_of_another_machine_is_left_out_and_named(machine: Machine) -> None:
    looked = machine.look("5050/tcp", "5051/tcp", addresses=(OURS, ELSEWHERE))
    assert [seen(each) for each in looked.observations] == [FREE, FREE]
    assert ELSEWHERE not in {address for _, address, _ in machine.bound}
    assert looked.remarks == ("This machine does not have 10.0.0.9: ports were tried on its other addresses only.",)


def test_an_address_that_cannot_be_bound_after_all_is_named_too(machine: Machine) -> None:
    """It is being looked for duplicates of, or has gone."""
    machine.refusals.update({(OURS6, port): errno.EADDRNOTAVAIL for port in (5050, 5051)})
    looked = machine.look("5050/tcp", "5051/tcp", addresses=(OURS6,))
    assert [seen(each) for each in looked.observations] == [FREE, FREE]
    assert [remark for remark in looked.remarks if OURS6 in remark] == list(looked.remarks)


HIDDEN = {
    "an ordinary user": (NOBODY, "Only root can see which process has 5050/tcp, 5051/tcp, 53/udp and 1 more."),
    "root": (
        0,
        "No process that we can see has 5050/tcp, 5051/tcp, 53/udp and 1 more: the kernel itself, or one in another "
        "container.",
    ),
}


@pytest.mark.parametrize(("uid", "remark"), HIDDEN.values(), ids=HIDDEN)
def test_processes_that_we_cannot_see_are_told_in_one_sentence(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, uid: int, remark: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    machine.proc.process(900, [5], "server")
    machine.proc.net(
        tcp=[line(ANY, 5050), line(ANY, 5051), line(ANY, 80), line(ANY, 8080, inode=5)],
        udp=[line(ANY, 53, UNCONNECTED)],
    )
    looked = machine.look("5050/tcp", "5051/tcp", "8080/tcp", "53/udp", "80/tcp")
    assert remark_on_unnamed(looked.observations) == remark


def test_nothing_is_said_of_a_connection_that_no_process_has_any_more(machine: Machine) -> None:
    machine.refusals[40000] = errno.EADDRINUSE
    machine.proc.net(tcp=[line(TEN, 40000, TIME_WAIT, inode=0)])
    assert machine.look("40000/tcp").remarks == ()


# ---------------------------------------------------------------------------------------------- the kernel's own


def test_a_port_can_be_looked_up_without_being_bound(machine: Machine) -> None:
    machine.proc.net(tcp=[line(LOOPBACK, 5050), line(TEN, 443, CONNECTED)])
    asked = [probe("5050/tcp"), probe("443/tcp"), probe("53/udp")]
    looked = look_at_own_ports(asked, (), str(machine.proc.folder), trial=False)
    assert [seen(each) for each in looked.observations] == [HELD, FREE, FREE]
    assert machine.bound == []


def test_what_root_holds_while_its_stand_in_runs_may_be_the_stand_ins(machine: Machine) -> None:
    owner = os.stat(machine.proc.folder).st_uid
    machine.proc.net(tcp=[line(ANY, 5050, uid=owner), line(ANY, 443, uid=owner + 1)])
    assert machine.one("5050/tcp").detail is None
    machine.proc.process(900, [], "python3", cmdline="python3\0-m\0portcheck\0listen\0-e\x005050\0")
    net = machine.proc.folder / "900" / "net"
    net.mkdir()
    (net / "tcp").write_text(line(ANY, 5050, inode=4711))
    assert machine.one("5050/tcp").detail is None, "it is of another network namespace"
    (net / "tcp").write_text(line(ANY, 5050))
    assert machine.one("5050/tcp").detail == "may be portcheck listen, PID 900"
    assert machine.one("443/tcp").detail is None, "another user's"


@pytest.mark.parametrize(
    ("span", "reserved", "expected"),
    [
        ("32768\t60999", "", {1024: None, 32767: None, 32768: "32768-60999", 60999: "32768-60999", 61000: None}),
        ("1024\t65535", "5050,8000-8100", {5050: "reserved", 5051: "1024-65535", 8000: "reserved", 8100: "reserved"}),
        ("1024\t65535", "5050,8000-8100", {7999: "1024-65535", 8101: "1024-65535", 80: None}),
        ("32768\t60999", "5050", {5050: "reserved"}),
    ],
)
def test_a_free_port_that_a_connection_may_take_is_told_from_others(
    machine: Machine, span: str, reserved: str, expected: dict[int, str | None]
) -> None:
    machine.setting("ip_local_port_range", span)
    machine.setting("ip_local_reserved_ports", reserved)
    found = {port: machine.one(f"{port}/tcp").detail for port in expected}
    assert found == {
        port: f"in ephemeral range {detail}" if detail and "-" in detail else detail
        for port, detail in expected.items()
    }


@pytest.mark.parametrize("text", ["", "32768", "a b", "1 2 3", None])
def test_a_range_that_cannot_be_read_is_told(machine: Machine, text: str | None) -> None:
    if text is None:
        (machine.proc.folder / "sys/net/ipv4/ip_local_port_range").unlink()
    else:
        machine.setting("ip_local_port_range", text)
    looked = machine.look("40000/tcp")
    assert [each.detail for each in looked.observations] == [None]
    assert looked.remarks == (
        "We could not read which ports outgoing connections take: a free port may be one of them.",
    )


def test_reserved_ports_are_read_as_far_as_they_can_be(machine: Machine) -> None:
    machine.setting("ip_local_reserved_ports", "x,5050,-7,9-,8000-8001")
    ports = LocalPorts(str(machine.proc.folder))
    assert [port for port in range(1, 10_000) if ports.detail(port) == "reserved"] == [9, 5050, 8000, 8001]


# ------------------------------------------------------------------------------------------------------- effort


def test_all_ports_at_once_cost_a_few_trials_each_and_one_look_at_the_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.proc.process(900, [77], "server")
    machine.proc.net(tcp=[line(ANY, port) for port in range(1, 3000)])
    machine.refusals.update(dict.fromkeys(range(1, 3000), errno.EADDRINUSE))
    opened: list[str] = []
    listdir = os.listdir

    def listed(path: str) -> list[str]:
        opened.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", listed)
    looked = look_at_own_ports((probe(f"{port}/tcp") for port in range(1, 65536)), (OURS,), str(machine.proc.folder))
    assert len(looked.observations) == 65535
    assert len(machine.bound) <= 5 * 65535
    assert len(opened) == 2  # /proc and the open files of its one process


# ------------------------------------------------------------------------------------------------ this machine


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
def test_a_real_holder_is_found_and_named(sockets: ExitStack, transport: Transport, address: str) -> None:
    kind = socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM
    sock = sockets.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind))
    sock.bind((address, 0))
    if transport is Transport.TCP:
        sock.listen()
    asked = Probe(OWN_HOST, transport, sock.getsockname()[1])
    [observation] = look_at_own_ports([asked], ()).observations
    assert seen(observation) == HELD
    assert [(holder.address, holder.pid) for holder in observation.holders] == [(address, os.getpid())]


def test_a_real_socket_that_does_not_listen_yet_holds_its_port(sockets: ExitStack) -> None:
    sock = sockets.enter_context(socket.socket())
    sock.bind(("127.0.0.1", 0))
    [observation] = look_at_own_ports([Probe(OWN_HOST, Transport.TCP, sock.getsockname()[1])], ()).observations
    assert observation == Observation(observation.probe, *HELD)


def test_a_real_connection_holds_its_near_end(sockets: ExitStack) -> None:
    server = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = sockets.enter_context(socket.create_connection(server.getsockname()))
    [observation] = look_at_own_ports([Probe(OWN_HOST, Transport.TCP, client.getsockname()[1])], ()).observations
    assert seen(observation) == IN_CONNECTION
    assert [(holder.pid, holder.connected) for holder in observation.holders] == [(os.getpid(), True)]


def test_a_real_connection_that_has_ended_holds_its_near_end_for_a_while(sockets: ExitStack) -> None:
    """Linux keeps a port in TIME-WAIT from servers, unless the near end was bound with SO_REUSEADDR."""
    server = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = socket.create_connection(server.getsockname())
    asked = Probe(OWN_HOST, Transport.TCP, client.getsockname()[1])
    far_end, _ = server.accept()
    client.close()
    far_end.close()
    [observation] = look_at_own_ports([asked], ()).observations
    assert seen(observation) == IN_CONNECTION
    assert observation.holders == (Holder("127.0.0.1", connected=True),)


def server_outside_ephemeral_range() -> socket.socket:
    """A connection of some other test that just ended, on another address, cannot have its port."""
    while True:
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", 20_000 + secrets.randbelow(10_000)))


def test_a_real_server_that_was_stopped_leaves_its_port_free(sockets: ExitStack) -> None:
    """A connection that it accepted lives on, and would be in the way of a trial without SO_REUSEADDR."""
    server = server_outside_ephemeral_range()
    asked = Probe(OWN_HOST, Transport.TCP, server.getsockname()[1])
    sockets.enter_context(socket.create_connection(server.getsockname()))
    sockets.enter_context(server.accept()[0])
    server.close()
    [observation] = look_at_own_ports([asked], ()).observations
    assert seen(observation) == FREE


def test_a_trial_never_listens_and_leaves_nothing_open(sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "listen", None)
    before = os.listdir("/proc/self/fd")
    probes = [Probe(OWN_HOST, transport, port) for transport in (Transport.TCP, Transport.UDP) for port in (9, 5050)]
    look_at_own_ports(probes, ("127.0.0.2",))
    assert len(os.listdir("/proc/self/fd")) == len(before)
