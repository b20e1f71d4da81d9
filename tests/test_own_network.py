"""Our own interfaces, addresses and routes change while a run is on: seen, and told apart from what does not matter."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import pytest

from portcheck.engine import own_network
from portcheck.engine.own_network import OwnNetwork, RouteKey, route_fingerprint
from portcheck.engine.routes import Route, route_to
from tests.lab.build import unavailable
from tests.lab.conftest import not_run

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNET = 0x40000000
NEIGHBOUR, ROUTED = "192.0.2.9", "198.51.100.1"
NEIGHBOUR6, ROUTED6 = "2001:db8::9", "2001:db8:1::1"
TARGETS = (NEIGHBOUR, ROUTED, NEIGHBOUR6, ROUTED6)

ADDRESSES = ("addr replace 192.0.2.1/24 dev here", "addr replace 2001:db8::1/64 dev here nodad")
WAYS = ("route replace default via 192.0.2.254", "route replace default via 2001:db8::ffff")
BUILT = (
    "link set lo up",
    "link add here type veth peer name there",
    "link set here addrgenmode none",
    "link set there addrgenmode none",
    "link set here up",
    "link set there up",
    *ADDRESSES,
    *WAYS,
)


class Namespace:
    """A network of its own with one veth pair: `here` is ours, `there` is the other end of the cable."""

    def __init__(self, built: Sequence[str] = BUILT) -> None:
        # Only this thread and the programs that it starts are in the namespace, which ends with it.
        self._thread = ThreadPoolExecutor(1, initializer=_unshare)
        self.watch = self.ask(OwnNetwork)
        self.ip(*built)
        # The kernel puts off the state of a link; with both ends up nothing more happens by itself.
        while built and self.ask(subprocess.check_output, ["ip", "link"], text=True).count("state UP") < 2:
            assert self.is_told()
        self.watch.changed()

    def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.submit(question, *args, **kwargs).result()

    def ip(self, *commands: str) -> None:
        batch = "".join(f"{command}\n" for command in commands)
        self.ask(subprocess.run, ["ip", "-batch", "-"], input=batch, text=True, check=True, timeout=30)

    def fingerprints(self) -> dict[str, RouteKey | None]:
        return {address: self.ask(route_fingerprint, address) for address in TARGETS}

    def is_told(self) -> bool:
        """Whether a change is told of, within the second that the kernel may take for the state of a link."""
        fd = self.watch.fileno()
        assert fd is not None
        return bool(select.select([fd], [], [], 5)[0]) and self.watch.changed()

    def close(self) -> None:
        self.watch.close()
        self._thread.shutdown()


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    reason = unavailable()
    if reason is not None:
        not_run(reason, in_ci=bool(os.environ.get("CI")))
    made = Namespace()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.lab
def test_what_the_kernel_says_of_our_packets(namespace: Namespace) -> None:
    here = namespace.ask(socket.if_nametoindex, "here")
    assert namespace.fingerprints() == {
        NEIGHBOUR: RouteKey(None, here, "192.0.2.1"),
        ROUTED: RouteKey("192.0.2.254", here, "192.0.2.1"),
        NEIGHBOUR6: RouteKey(None, here, "2001:db8::1"),
        ROUTED6: RouteKey("2001:db8::ffff", here, "2001:db8::1"),
    }
    assert namespace.ask(route_to, "192.0.2.1") == Route(local=True, neighbour=False)


LOSSES = {
    "the cable is pulled": (("link set there down",), ("link set there up",), TARGETS),
    "the interface goes down": (("link set here down",), ("link set here up", *ADDRESSES, *WAYS), TARGETS),
    "the routes go": (("route del default", "route del ::/0"), WAYS, (ROUTED, ROUTED6)),
    "the routes say no": (
        ("route replace unreachable 198.51.100.0/24", "route replace unreachable 2001:db8:1::/48"),
        ("route del unreachable 198.51.100.0/24", "route del unreachable 2001:db8:1::/48"),
        (ROUTED, ROUTED6),
    ),
    "the IPv4 address goes": (("addr del 192.0.2.1/24 dev here",), (*ADDRESSES, *WAYS), (NEIGHBOUR, ROUTED)),
}


@pytest.mark.lab
@pytest.mark.parametrize(("lost", "regained", "concerned"), LOSSES.values(), ids=LOSSES)
def test_a_way_that_is_gone_and_comes_back(
    lost: Sequence[str], regained: Sequence[str], concerned: Sequence[str], namespace: Namespace
) -> None:
    before = namespace.fingerprints()
    namespace.ip(*lost)
    assert namespace.is_told()
    assert namespace.fingerprints() == {**before, **dict.fromkeys(concerned)}
    namespace.watch.changed()
    namespace.ip(*regained)
    assert namespace.is_told()
    assert namespace.fingerprints() == before


OTHER_WAYS = {
    "another router": ("route replace default via 192.0.2.253", ROUTED),
    "another router, IPv6": ("route replace default via 2001:db8::fffe", ROUTED6),
    "another address of ours": ("route replace 198.51.100.0/24 via 192.0.2.254 src 192.0.2.2", ROUTED),
    "another interface": ("route replace 198.51.100.0/24 dev there", ROUTED),
    "the IPv6 address goes": ("addr del 2001:db8::1/64 dev here", NEIGHBOUR6),
}


@pytest.mark.lab
@pytest.mark.parametrize(("change", "concerned"), OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_another_way_is_not_the_same_way(change: str, concerned: str, namespace: Namespace) -> None:
    namespace.ip("addr add 192.0.2.2/24 dev here")
    before = namespace.fingerprints()
    namespace.watch.changed()
    namespace.ip(change)
    assert namespace.is_told()
    after = namespace.fingerprints()
    assert after[concerned] != before[concerned]


@pytest.mark.lab
def test_what_does_not_concern_us_changes_nothing(namespace: Namespace) -> None:
    before = namespace.fingerprints()
    other = ("link add other type veth peer name others", "link set other up", "addr add 10.9.9.9/24 dev other")
    for change in (*other, "route add 203.0.113.0/24 dev other", "link del other"):
        namespace.ip(change)
        assert namespace.is_told()
        assert namespace.fingerprints() == before


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
def test_asking_is_no_change() -> None:
    """In a namespace with nothing in it, where nothing happens by itself."""
    empty = Namespace(built=())
    try:
        assert set(empty.fingerprints().values()) == {None}
        assert not empty.watch.changed()
        empty.ip("link add other type veth peer name others")
        assert empty.is_told()
    finally:
        empty.close()


@pytest.mark.lab
def test_more_changes_than_the_kernel_keeps(namespace: Namespace) -> None:
    namespace.ip("link add other type veth peer name others", "link set other up")
    namespace.ip(*(f"addr add 10.9.{n // 250}.{n % 250 + 1}/32 dev other" for n in range(3000)))
    assert [namespace.watch.changed() for _ in range(10)][-1] is False
    namespace.ip("link set there down")
    assert namespace.is_told()
    assert set(namespace.fingerprints().values()) == {None}


@pytest.mark.lab
def test_an_address_that_was_asked_for_decides_the_way(namespace: Namespace) -> None:
    """Rules that route by source (`ip rule`) are usual on machines with two networks."""
    namespace.ip(
        "addr add 192.0.2.7/24 dev here",
        "addr add 2001:db8::7/64 dev here nodad",
        "rule add from 192.0.2.7 lookup 100",
        "route add default via 192.0.2.253 table 100",
    )
    here = namespace.ask(socket.if_nametoindex, "here")
    assert namespace.ask(route_fingerprint, ROUTED, "192.0.2.7") == RouteKey("192.0.2.253", here, "192.0.2.7")
    assert namespace.ask(route_fingerprint, ROUTED6, "2001:db8::7") == RouteKey("2001:db8::ffff", here, "2001:db8::7")
    namespace.ip("addr del 192.0.2.7/24 dev here", "addr del 2001:db8::7/64 dev here")
    assert namespace.ask(route_fingerprint, ROUTED, "192.0.2.7") is None
    assert namespace.ask(route_fingerprint, ROUTED6, "2001:db8::7") is None
    assert namespace.ask(route_fingerprint, ROUTED) is not None


@pytest.mark.lab
def test_an_ordinary_user_is_told_too(namespace: Namespace) -> None:
    """Joining these groups of rtnetlink(7) takes no privilege."""
    script = (
        "import socket, sys\n"
        "watch = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)\n"
        "watch.bind((0, int(sys.argv[1])))\n"
        "print('ready', flush=True)\n"
        "print(len(watch.recv(1)), flush=True)\n"
    )
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
    argv += [sys.executable, "-I", "-S", "-c", script, str(own_network._GROUPS)]
    with namespace.ask(subprocess.Popen, argv, stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        assert asked.stdout.readline() == "ready\n"
        namespace.ip("link add other type veth peer name others")
        assert asked.stdout.readline() == "1\n"


# ------------------------------------------------------------------------------------- where nothing is told


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EMFILE])
def test_without_netlink_nothing_is_watched(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", refuse)
    watch = OwnNetwork()
    assert watch.fileno() is None
    assert not watch.changed()
    watch.close()
    assert route_fingerprint("127.0.0.1") is None


def test_elsewhere_than_on_linux_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    watch = OwnNetwork()
    assert watch.fileno() is None
    assert not watch.changed()
    assert route_fingerprint("127.0.0.1") is None


def test_a_closed_watch_tells_nothing() -> None:
    watch = OwnNetwork()
    watch.close()
    watch.close()
    assert watch.fileno() is None
    assert not watch.changed()


def test_a_zone_that_does_not_exist() -> None:
    assert route_fingerprint("fe80::1%nowhere") is None
