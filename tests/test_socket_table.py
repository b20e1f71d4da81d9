"""Who has a port: lines of /proc/net, the processes behind them, and what is not ours to see."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from portcheck.engine.probe import Holder, Transport
from portcheck.engine.socket_table import SocketTable, Use, address_of, is_stand_in, parse, unit_of
from tests.made_proc import ANY, ANY6, CONNECTED, HEADING, LISTENING, LOOPBACK, TEN, TIME_WAIT, UNCONNECTED, Proc, line


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


# ------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
def test_every_port_is_found_whatever_digits_it_has(proc: Proc, transport: Transport) -> None:
    """DC/OS's own check looks for 13ba where the kernel writes 13BA, and misses 22 of its 27 master ports."""
    ports = range(1, 65536)
    state = LISTENING if transport is Transport.TCP else UNCONNECTED
    table = proc.net(**{str(transport): [line(ANY, port, state, uid=99) for port in ports]})
    assert [table.holders(transport, port) for port in ports] == [(Holder("0.0.0.0", uid=99),)] * len(ports)


@pytest.mark.parametrize(
    ("words", "byteorder", "literal"),
    [
        ("0100007F", "little", "127.0.0.1"),
        ("7F000001", "big", "127.0.0.1"),
        ("0B0A0A0A", "little", "10.10.10.11"),
        ("00000000", "little", "0.0.0.0"),
        ("0" * 32, "little", "::"),
        ("0" * 24 + "01000000", "little", "::1"),
        ("0" * 31 + "1", "big", "::1"),
        ("B80D0120000000000000000001000000", "little", "2001:db8::1"),
        ("20010DB8000000000000000000000001", "big", "2001:db8::1"),
        ("0000000000000000FFFF00000100007F", "little", "127.0.0.1"),
        ("00000000000000000000FFFF7F000001", "big", "127.0.0.1"),
    ],
)
def test_an_address_is_read_in_the_byte_order_of_the_machine(words: str, byteorder: str, literal: str) -> None:
    assert address_of(words, byteorder) == literal


def test_what_is_no_line_of_the_table_is_left_out() -> None:
    lines = [
        HEADING,
        "",
        "\n",
        "   0: 0100007F:13BA\n",
        "   0: 0100007F 00000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n",
        "   0: ZZ00007F:13BA 00000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n",
        "   0: 0100:13BA 00000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n",
        "   0: 0100007F:FFFFF 00000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n",
        "   0: 0100007F:0000 00000000:0000 0A 0:0 00:0 0 0 0 1 1 0\n",
        "   0: 0100007F:13BA 00000000:0000 0A 0:0 00:0 0 x 0 1 1 0\n",
        line(LOOPBACK, 5050, inode=5),
    ]
    [found] = parse(lines, Transport.TCP, "little")
    assert (found.address, found.port, found.inode, found.use) == ("127.0.0.1", 5050, 5, Use.LISTENS_ON_LOOPBACK)


def test_transports_and_ports_are_not_mixed_up(proc: Proc) -> None:
    table = proc.net(tcp=[line(ANY, 53)], udp6=[line(ANY6, 5353, UNCONNECTED)])
    assert [len(table.holders(Transport.TCP, port)) for port in (53, 5353)] == [1, 0]
    assert [len(table.holders(Transport.UDP, port)) for port in (53, 5353)] == [0, 1]


def test_the_near_end_of_a_connection_is_a_holder_only_while_nobody_listens(proc: Proc) -> None:
    """A server's accepted connections have its port too."""
    table = proc.net(
        tcp=[line(TEN, 443, CONNECTED), line(ANY, 443), line(TEN, 40000, CONNECTED, uid=7)],
        udp=[line(TEN, 40000, CONNECTED, uid=8)],
    )
    assert table.holders(Transport.TCP, 443) == (Holder("0.0.0.0", uid=0),)
    assert table.holders(Transport.TCP, 40000) == (Holder("10.0.0.1", connected=True, uid=7),)
    assert table.holders(Transport.UDP, 40000) == (Holder("10.0.0.1", connected=True, uid=8),)


def test_a_connection_that_no_process_has_any_more_has_no_owner(proc: Proc) -> None:
    """The kernel says uid 0 of every socket in TIME-WAIT."""
    table = proc.net(tcp=[line(TEN, 40000, TIME_WAIT, inode=0)])
    [found] = table.sockets(Transport.TCP, 40000)
    assert found.use is Use.ENDING
    assert table.holders(Transport.TCP, 40000) == (Holder("10.0.0.1", connected=True),)


def test_among_many_sockets_of_a_port_the_exposed_listener_is_never_lost(proc: Proc) -> None:
    """Whether others can reach the port hangs on it."""
    others = [line(LOOPBACK, 5050, inode=number) for number in range(100, 200)]
    connections = [line(TEN, 5050, CONNECTED, inode=number) for number in range(1000, 9000)]
    table = proc.net(tcp=[*others, *connections, line(TEN, 5050), *connections, *others])
    assert [holder.address for holder in table.holders(Transport.TCP, 5050)] == ["10.0.0.1", "127.0.0.1"]
    assert len(table.sockets(Transport.TCP, 5050)) < 50


def test_a_table_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    table = SocketTable(str(tmp_path))
    assert not table.is_readable(Transport.TCP)
    assert not table.is_readable(Transport.UDP)
    assert table.holders(Transport.TCP, 5050) == ()


@pytest.mark.parametrize(
    ("name", "hide", "readable"),
    [
        ("tcp6", Path.unlink, True),  # a kernel without IPv6
        ("tcp", Path.unlink, False),
        ("tcp", lambda path: path.write_text(""), False),  # a sandbox puts an empty file in its place
        ("tcp6", lambda path: path.write_text(""), False),
        ("udp", Path.unlink, True),  # another transport's
    ],
)
def test_a_part_of_the_table_may_be_hidden(proc: Proc, name: str, hide: object, readable: bool) -> None:
    proc.net()
    assert callable(hide)
    hide(proc.folder / "net" / name)
    assert SocketTable(str(proc.folder)).is_readable(Transport.TCP) is readable


# --------------------------------------------------------------------------------------------- the processes


def test_a_holder_has_its_process_and_unit(proc: Proc) -> None:
    proc.process(812, [77], "nginx", "0::/system.slice/nginx.service\n", "nginx: master process\0")
    table = proc.net(tcp=[line(ANY, 80, uid=33)])
    assert table.holders(Transport.TCP, 80) == (
        Holder("0.0.0.0", pid=812, process="nginx", unit="nginx.service", uid=33),
    )


def test_of_processes_that_share_a_socket_the_oldest_is_named_and_not_systemd(proc: Proc) -> None:
    proc.process(1, [77, 78], "systemd")
    proc.process(1100, [77], "worker")
    proc.process(900, [77], "master")
    table = proc.net(tcp=[line(ANY, 80), line(ANY, 22, inode=78)])
    assert [holder.process for port in (80, 22) for holder in table.holders(Transport.TCP, port)] == [
        "master",
        "systemd",
    ]


def test_several_sockets_of_one_process_are_one_holder(proc: Proc) -> None:
    """SO_REUSEPORT: a socket for each core."""
    proc.process(900, [1, 2, 3], "coredns")
    table = proc.net(udp=[line(ANY, 53, UNCONNECTED, inode=inode) for inode in (1, 2, 3)])
    assert [holder.pid for holder in table.holders(Transport.UDP, 53)] == [900]


def test_a_process_that_ends_while_we_read_is_not_named(proc: Proc) -> None:
    proc.process(900, [77], "gone")
    for name in ("comm", "cgroup", "cmdline"):
        (proc.folder / "900" / name).unlink()
    (proc.folder / "901").mkdir()  # its open files are not ours to see
    table = proc.net(tcp=[line(ANY, 80), line(ANY, 81, inode=78)])
    assert table.holders(Transport.TCP, 80) == (Holder("0.0.0.0", pid=900, uid=0),)
    assert table.holders(Transport.TCP, 81) == (Holder("0.0.0.0", uid=0),)


def test_what_a_process_calls_itself_cannot_reach_a_terminal(proc: Proc) -> None:
    proc.process(900, [77], "\x1b[2J\u202eevil")
    [holder] = proc.net(tcp=[line(ANY, 80)]).holders(Transport.TCP, 80)
    assert holder.process == "?[2J?evil"


def test_processes_are_looked_through_once_and_only_when_somebody_is_asked_for(
    proc: Proc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(900, [1], "server")
    listed: list[str] = []
    listdir = os.listdir

    def noted(path: str) -> list[str]:
        listed.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", noted)
    table = proc.net(tcp=[line(ANY, port, inode=port) for port in range(1, 1000)])
    table.holders(Transport.TCP, 5050)
    assert listed == []
    for port in range(1, 1000):
        table.holders(Transport.TCP, port)
    assert len(listed) == 2  # /proc, and the open files of the one process


DOCKER_ID = "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899a"
UNITS = {
    "version 2": ("0::/system.slice/sshd.service\n", "sshd.service"),
    "version 1": (
        "12:cpu,cpuacct:/system.slice\n1:name=systemd:/system.slice/dcos-mesos-master.service\n",
        "dcos-mesos-master.service",
    ),
    "both": ("1:name=systemd:/system.slice/named.service\n0::/\n", "named.service"),
    "a part of a service": ("0::/system.slice/slurmd.service/step_0/user\n", "slurmd.service"),
    "an instance": ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
    "a user's service": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service\n",
        "syncthing.service",
    ),
    "a login": ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
    "systemd itself": ("0::/init.scope\n", None),
    "no systemd": ("3:cpu:/\n0::/\n", None),
    "docker": (f"0::/system.slice/docker-{DOCKER_ID}.scope\n", None),
    "docker without systemd": (f"1:name=systemd:/docker/{DOCKER_ID}\n", None),
    "a service in a container": (f"0::/machine.slice/libpod-{DOCKER_ID}.scope/system.slice/nginx.service\n", None),
    "kubernetes": (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{DOCKER_ID}.scope\n", None),
    "lxc": ("0::/lxc.payload.web/system.slice/nginx.service\n", None),
    "gone": ("", None),
    "not of this format": ("sshd.service\n:::\n", None),
}


@pytest.mark.parametrize(("cgroups", "unit"), UNITS.values(), ids=UNITS)
def test_the_unit_of_a_control_group(cgroups: str, unit: str | None) -> None:
    assert unit_of(cgroups) == unit


@pytest.mark.parametrize(
    "argv",
    [
        "/usr/bin/python3 /usr/local/bin/portcheck listen -d dcos-1.11 -r master",
        "/tmp/v/bin/python3.11 -I -W error -X utf8 /tmp/v/bin/portcheck listen",
        "python -m portcheck listen --ttl 60",
        "pypy3 -m portcheck listen",
        "/opt/portcheck listen",
    ],
)
def test_a_stand_in_is_known_by_its_command_line(argv: str) -> None:
    assert is_stand_in([*argv.split(), ""])


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "python3",
        "python3 -m",
        "portcheck",
        "portcheck check listen",
        "/usr/bin/python3 /usr/local/bin/portcheck check --local",
        "vim portcheck listen",
        "python3 server.py portcheck listen",
        "python3 -m http.server portcheck listen",
        "python3 -c portcheck listen",
        "/usr/bin/portcheck-exporter listen",
    ],
)
def test_nobody_else_is_taken_for_a_stand_in(argv: str) -> None:
    assert not is_stand_in(argv.split(" "))


def test_a_stand_in_that_holds_a_port_is_told(proc: Proc) -> None:
    proc.process(900, [77], "portcheck", cmdline="/usr/bin/python3\0/usr/bin/portcheck\0listen\0-r\0master\0")
    [holder] = proc.net(tcp=[line(ANY, 5050)]).holders(Transport.TCP, 5050)
    assert holder.stand_in


# ------------------------------------------------------------------------------------------------ this machine


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
def test_the_kernel_names_us_as_the_holder_of_our_own_socket(transport: Transport, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        if transport is Transport.TCP:
            sock.listen()
        [holder] = SocketTable().holders(transport, sock.getsockname()[1])
    assert (holder.address, holder.connected, holder.pid, holder.uid) == (address, False, os.getpid(), os.geteuid())
    assert holder.process == Path("/proc/self/comm").read_text().strip()
    assert not holder.stand_in


def test_the_kernel_names_us_as_the_holder_of_our_own_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        [holder] = SocketTable().holders(Transport.TCP, client.getsockname()[1])
    assert holder.connected
    assert holder.pid == os.getpid()
