"""Makes a topology real: namespaces, veth pairs, bridges, nftables, listeners; and takes it down again.

Nothing in the host's own network namespace is created or changed: interfaces are born inside the namespaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from portcheck.model import Family
from tests.lab import ownership, unprivileged
from tests.lab.topology import SWITCH, Node, Topology

PROGRAMS = ("ip", "mount", "nft", "nsenter", "setpriv")
LISTENERS = Path(__file__).with_name("listeners.py")
READY_S = 10.0
RUN_S = 60.0

BASE_SYSCTLS: Mapping[str, str] = {
    # No limit on ICMP errors: a truth table can be asked in one go. KERNEL_ICMP_LIMITS is the contrary.
    "net.ipv4.icmp_ratemask": "0",
    "net.ipv6.icmp.ratelimit": "0",
    # Of IPv6, the limit for all peers together concerns the types named here: one that does not exist.
    "net.ipv6.icmp.ratemask": "255",
    # Addresses are usable at once: no duplicate address detection (both must say so), no wait for a router.
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
}
FORWARDING: Mapping[str, str] = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_live: list[Lab] = []


def unavailable() -> str | None:
    """Why no lab can be built here, in words for a test report; None if one can."""
    if sys.platform != "linux":
        return "the lab needs Linux network namespaces"
    if os.geteuid() != 0:
        return "the lab needs root (network namespaces, nftables)"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"the lab needs {', '.join(missing)} (Debian: apt install iproute2 nftables util-linux)"
    return None


class Lab:
    """A network that exists. Made by build().

    Attributes:
        topology: what was built.
        prefix: what the names of its namespaces begin with.
        home: the one folder that an unprivileged process of the lab may write to.
        built_in_s: seconds that building took.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.prefix = ownership.new_prefix()
        self.folder = ownership.FOLDERS / self.prefix
        self.home = self.folder / "home"
        self.built_in_s = 0.0
        self._children: set[subprocess.Popen[str]] = set()
        self._listeners: dict[str, subprocess.Popen[str]] = {}

    def namespace(self, node: str) -> str:
        """The name that `ip netns exec` wants."""
        return f"{self.prefix}.{node}"

    def address(self, node: str, family: Family, net: str | None = None) -> str:
        return self.topology.address(node, family, net)

    # ------------------------------------------------------------------------------------------ processes

    def command(
        self, node: str, argv: Iterable[str | os.PathLike[str]], *, user: bool = True, capability: str | None = None
    ) -> list[str]:
        """What runs `argv` on `node`: as uid 65534 without capabilities but this one, or (user=False) as root."""
        if user:
            return unprivileged.command(self.namespace(node), argv, self.folder / "staging", capability)
        return ["ip", "netns", "exec", self.namespace(node), *(os.fspath(arg) for arg in argv)]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a process of the lab; nothing is inherited."""
        return unprivileged.environment(self.home) | dict(extra or {})

    def run(
        self,
        node: str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        user: bool = True,
        capability: str | None = None,
        input: str | None = None,
        timeout_s: float = RUN_S,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program on `node`, returns what it said. Kills it and raises subprocess.TimeoutExpired."""
        command = self.command(node, argv, user=user, capability=capability)
        process = self._start(command, env=self.environment(env), cwd="/")
        with self._ended(process):
            out, err = process.communicate(input, timeout=timeout_s)
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def python(self, node: str, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """run() with this interpreter: `lab.python("client", "-c", "…")`. The checkout is importable."""
        return self.run(node, [sys.executable, *args], **options)

    def portcheck(self, node: str, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """run() with the checkout's portcheck command: `lab.portcheck("client", "check", …)`."""
        return self.run(node, portcheck_argv(args), **options)

    # --------------------------------------------------------------------------------------------- evidence

    def counted(self, node: str) -> dict[str, int]:
        """Packets that each nftables rule with a counter has seen, by the rule's comment."""
        listing = self.run(node, ["nft", "-j", "list", "ruleset"], user=False)
        rules = [entry["rule"] for entry in json.loads(listing.stdout)["nftables"] if "rule" in entry]
        return {
            rule["comment"]: statement["counter"]["packets"]
            for rule in rules
            for statement in rule["expr"]
            if "comment" in rule and statement.get("counter")
        }

    def accepted(self, node: str) -> dict[tuple[str, int], int]:
        """(transport, port) of every listener of `node` that was used: connections or datagrams so far."""
        process = self._listeners[node]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("count\n")
        process.stdin.flush()
        return {(transport, port): n for transport, port, n in json.loads(process.stdout.readline())}

    # ------------------------------------------------------------------------------------------- life cycle

    def _build(self) -> None:
        began = time.monotonic()
        ownership.sweep()
        self.home.mkdir(parents=True)
        os.chown(self.home, unprivileged.NOBODY, unprivileged.NOBODY)
        names = (SWITCH, *(node.name for node in self.topology.present))
        add = "".join(f"netns add {self.namespace(name)}\n" for name in names)
        nodes = self.topology.present
        self._checked({"creating namespaces": (["ip", "-batch", "-"], add)})
        self._checked({SWITCH: (self._shell(SWITCH), self._switch_script())})
        self._checked({node.name: (self._shell(node.name), self._node_script(node)) for node in nodes})
        self._start_listeners([node for node in nodes if node.listeners])
        self._await_bridges()
        self.built_in_s = time.monotonic() - began

    def close(self) -> None:
        """Ends everything that runs in the lab and deletes it. Repeating it is harmless."""
        for process in list(self._children):
            self._end(process)
        self._listeners.clear()
        ownership.remove(self.prefix)

    def _switch_script(self) -> str:
        """One bridge for each net; each interface of a node is a veth whose other end is a port of it."""
        links = [f"link add {net.name} type bridge mcast_snooping 0" for net in self.topology.nets]
        links += [f"link set {net.name} up" for net in self.topology.nets]
        for node in self.topology.present:
            for link in node.links:
                port = f"{node.name}.{link.net}"
                peer = f"peer name {link.net} netns {self.namespace(node.name)}"
                links += [f"link add {port} type veth {peer}", f"link set {port} master {link.net} up"]
        return "\n".join((_sysctl("net.ipv6.conf.default.disable_ipv6", "1"), _batch("ip -batch -", links)))

    def _node_script(self, node: Node) -> str:
        # An interface takes over the "default" settings when it is made, which is before this script runs.
        per_link = {f"net.ipv6.conf.{link.net}.accept_{what}": "0" for link in node.links for what in ("dad", "ra")}
        settings = {**BASE_SYSCTLS, **per_link, **(FORWARDING if node.forwards else {}), **node.sysctls}
        lines = ["link set lo up", *(f"link set {link.net} up" for link in node.links)]
        for link in node.links:
            net = self.topology.net(link.net)
            for family in Family:
                for number in link.numbers:
                    address, prefix = net.address(number, family), net.prefix(family)
                    if address is not None and prefix is not None:
                        length = prefix.rpartition("/")[2]
                        nodad = " nodad" if family is Family.IPV6 else ""
                        lines.append(f"address add {address}/{length} dev {link.net}{nodad}")
        lines += [f"route add {to} via {hop}" for to, hop in self.topology.routes(node.name)]
        script = [_sysctl(name, value) for name, value in settings.items()]
        script.append(_batch("ip -batch -", lines))
        if node.rules:
            script.append(_batch("nft -f -", [node.rules]))
        return "\n".join(script)

    def _start_listeners(self, nodes: Sequence[Node]) -> None:
        # -I -S: nothing but the standard library is read, which halves the start-up time.
        program = [sys.executable, "-I", "-S", str(LISTENERS)]
        for node in nodes:
            process = self._listeners[node.name] = self._start([*self._enter(node.name), *program])
            assert process.stdin is not None
            process.stdin.write(json.dumps([asdict(listener) for listener in node.listeners]) + "\n")
            process.stdin.flush()
        for name, process in self._listeners.items():
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"lab {self.topology.name}: listeners of {name}: {process.communicate()[1].strip()}")

    def _await_bridges(self) -> None:
        """A bridge's port forwards a moment after its link is up; nobody tells, so the kernel is asked again."""
        deadline = time.monotonic() + READY_S
        ask = ["ip", "-n", self.namespace(SWITCH), "-d", "-j", "link", "show", "type", "bridge_slave"]
        while True:
            [listing] = self._checked({"asking the bridges": (ask, "")})
            ports = [entry for entry in json.loads(listing or "[]") if entry]
            if all(port["linkinfo"]["info_slave_data"]["state"] == "forwarding" for port in ports):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"lab {self.topology.name}: bridges do not forward after {READY_S:.0f} s")

    # ------------------------------------------------------------------------------------- child processes

    def _start(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)
        self._children.add(process)
        return process

    def _shell(self, node: str) -> list[str]:
        return [*self._enter(node), "sh", "-eu"]

    def _enter(self, node: str) -> list[str]:
        return ["nsenter", f"--net={ownership.NAMESPACES / self.namespace(node)}"]

    def _checked(self, jobs: Mapping[str, tuple[list[str], str]]) -> list[str]:
        """Runs commands at the same time, {what: (command, input)}; returns outputs. Raises RuntimeError."""
        running = {what: self._start(command) for what, (command, _) in jobs.items()}
        for what, process in running.items():
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it failed early; its error output says why
                process.stdin.write(jobs[what][1])
                process.stdin.flush()
                process.stdin.close()
            process.stdin = None
        outputs = []
        for what, process in running.items():
            with self._ended(process):
                out, err = process.communicate()
            if process.returncode != 0:
                raise RuntimeError(f"lab {self.topology.name}: {what}: {err.strip() or process.returncode}")
            outputs.append(out)
        return outputs

    @contextlib.contextmanager
    def _ended(self, process: subprocess.Popen[str]) -> Iterator[None]:
        try:
            yield
        finally:
            self._end(process)

    def _end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._children.discard(process)


@contextlib.contextmanager
def build(topology: Topology) -> Iterator[Lab]:
    """A lab, as long as the with block lasts. It also ends with an exception, SIGTERM or SIGHUP.

    What SIGKILL leaves behind is removed by the next build. Raises RuntimeError where no lab can be built, or
    with the words of the program that refused its input.
    """
    reason = unavailable()
    if reason is not None:
        raise RuntimeError(reason)
    lab = Lab(topology)
    _live.append(lab)
    try:
        with _signals_end_labs():
            lab._build()
            yield lab
    finally:
        lab.close()
        _live.remove(lab)


def portcheck_argv(args: Iterable[str]) -> list[str]:
    """The command line of the checkout's portcheck, whether or not it is installed."""
    return [sys.executable, "-c", "import sys; from portcheck.cli import main; sys.exit(main())", *args]


@contextlib.contextmanager
def _signals_end_labs() -> Iterator[None]:
    """SIGTERM and SIGHUP take the labs down first, then end the process as they always do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _ENDING_SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _close_all)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _close_all(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    for lab in _live:
        lab.close()
    os.kill(os.getpid(), number)


def _sysctl(name: str, value: str) -> str:
    return f"echo {value} > /proc/sys/{name.replace('.', '/')}"


def _batch(program: str, lines: Iterable[str]) -> str:
    return "\n".join((f"{program} <<'END'", *lines, "END"))
