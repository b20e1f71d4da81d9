"""The manual's examples: portcheck's own command line, run against a made-up network of answers.

Everything is the real program except the packets, and what it sees of its own machine: what a firewall, a host or a
router of the example would answer is looked up in NETWORKS. So the output in the manual is what this version prints,
and a stale page can be told.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from generator.shown_machine import Machine, as_if_on, opened
from portcheck import cli, documents
from portcheck.engine.pace import JITTER_S, LIMITS, Speed
from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    ICMP_MUTE,
    Answered,
    Attempt,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    ProbeSet,
    Reason,
    StandInReport,
    Tally,
    Transport,
)
from portcheck.engine.stand_in import Came
from portcheck.engine.timing import TcpTiming, timing_of
from portcheck.measured import Measured
from portcheck.model import LOCALHOST, LOOPBACK, Answers, Expectation, Family, Host, Listen, Plan, Run, Selection
from portcheck.own_looks import look_at_ourselves
from portcheck.probe_sets import AskedPort, asked_without_connection, of_plan, probe_sets
from portcheck.role_ports import RolePort, role_ports
from portcheck.run import KnownFor, conclude

_STARTED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
_ROUTER = "10.0.2.254"
_DOCUMENT = "dcos-1.11"
_NOT_RUNNING = 61003
"""A doubted row of the document that the healthy example does not use, as most sites do not."""

MASTERS = ("10.0.1.11", "10.0.1.12", "10.0.1.13")
AGENTS = ("10.0.2.11", "10.0.2.12")
_RTT_S = 0.0004
_SEED = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back for a SYN or a datagram; the defaults are those of a TCP port that listens.

    Attributes:
        syns: how many packets it takes.
        after_s: until the answer to the last of them; None for silence.
        answer, speaks: what answered; of a TCP port it is told with --verify.
        secret: it is given only to who has this secret, a field of Secrets; others meet silence.
        sent: whether anything could be sent.
        echo: of a stand-in.
    """

    state: PortState = PortState.OPEN
    reason: Reason = Reason.SYN_ACK
    errno: int | None = None
    icmp: tuple[int, int] | None = None
    responder: str | None = None
    syns: int = 1
    after_s: float | None = _RTT_S
    detail: str | None = None
    answer: str | None = None
    speaks: str | None = None
    secret: str | None = None
    sent: bool = True
    echo: Echo | None = None


OPEN = Answer()
RESET = Answer(PortState.CLOSED, Reason.CONN_REFUSED, 111)
SILENCE = Answer(PortState.FILTERED, Reason.NO_RESPONSE, after_s=None)
PROHIBITED = Answer(PortState.FILTERED, Reason.ADMIN_PROHIBITED, 113, (3, 13), _ROUTER)
NO_HOST = Answer(PortState.FILTERED, Reason.HOST_UNREACH, 113, (3, 1), _ROUTER, 3, 3.0612)

NO_REPLY = Answer(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, after_s=None, detail=ICMP_ALIVE)
NOTHING_AT_ALL = replace(NO_REPLY, detail=ICMP_MUTE)
PORT_UNREACH = Answer(PortState.CLOSED, Reason.PORT_UNREACH, 111, (3, 3))
"""From the address itself."""
PROTO_UNREACH = Answer(PortState.CLOSED, Reason.PROTO_UNREACH, 92, (3, 2))
ECHO = Answer(PortState.OPEN, Reason.ECHO_REPLY, answer="echo reply", speaks="icmp")


def replied(answer: str, speaks: str, secret: str | None = None) -> Answer:
    """A datagram that was read."""
    return Answer(PortState.OPEN, Reason.UDP_RESPONSE, answer=answer, speaks=speaks, secret=secret)


def speaking(answer: str, speaks: str) -> Answer:
    """A TCP port that tells what it is."""
    return Answer(answer=answer, speaks=speaks)


def forbidden(detail: str) -> Answer:
    """What an ordinary user may not send."""
    return Answer(PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, after_s=None, detail=detail, sent=False)


DNS = replied("DNS: not implemented", "dns")
NTP = replied("NTP server, stratum 2", "ntp")

_AGENT = Machine()
_AGENT_AS_ROOT = Machine(is_root=True)


@dataclass(frozen=True, slots=True)
class Network:
    """The example's masters, agents and firewalls.

    Attributes:
        faults: what an address answers instead, by port: "5050/tcp", "gre".
        silent: hosts with a firewall that drops what nothing listens for, by address: the TCP ports that are open.
        others: hosts that are no part of the product, by address: what they answer, by port.
        machine: where the example runs.
        stand_ins: machines on which a stand-in was started, for all ports of their roles.
    """

    faults: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    installed: bool = True
    silent: Mapping[str, frozenset[int]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Answer]] = field(default_factory=dict)
    machine: Machine = _AGENT
    stand_ins: tuple[Machine, ...] = ()

    def answer(self, address: str, transport: Transport, port: int) -> Answer:
        """What this port of this address answers to the machine of the example."""
        where = f"{port}/{transport}" if port else str(transport)
        if (address, where) in self.faults:
            return self.faults[address, where]
        if address in self.others:
            return self.others[address].get(where, _CLOSED[transport])
        if address in self.silent:
            of_tcp = OPEN if port in self.silent[address] else SILENCE
            return of_tcp if transport is Transport.TCP else NOTHING_AT_ALL
        if address not in (*MASTERS, *AGENTS):
            return NO_HOST
        there = _there("master" if address in MASTERS else "agent") if self.installed else {}
        return there.get(where, _CLOSED[transport])


_CLOSED: Mapping[Transport, Answer] = {
    Transport.TCP: RESET,
    Transport.UDP: PORT_UNREACH,
    Transport.ICMP: ECHO,
    Transport.GRE: PROTO_UNREACH,
    Transport.ESP: PROTO_UNREACH,
    Transport.AH: PROTO_UNREACH,
}
"""A machine on which nothing is."""

_EVERY_MASTER_DROPS_5050 = {(master, "5050/tcp"): SILENCE for master in MASTERS}
_FAULTY = {
    **_EVERY_MASTER_DROPS_5050,
    ("10.0.1.12", "2181/tcp"): PROHIBITED,
    ("10.0.1.13", "8181/tcp"): RESET,
    ("10.0.1.11", "7070/tcp"): OPEN,
    ("10.0.2.12", "8080/tcp"): OPEN,
}
_TIME = {"10.0.9.5": {"123/udp": NTP}}

_DOMAIN = {
    "10.0.3.10": frozenset({53, 88, 135, 389, 445, 464, 593, 636, 3268, 3389, 5985, 9389}),
    "10.0.3.20": frozenset({135, 445, 1433, 3389, 5985}),
}
"""A domain controller on which nothing answers on 3269, and a file server with a database that nobody asked for."""
_DOMAIN_OVER_UDP = {
    ("10.0.3.10", "53/udp"): replied("DNS: not implemented", "dns"),
    ("10.0.3.10", "88/udp"): replied("Kerberos: realm unknown", "kerberos"),
    ("10.0.3.10", "123/udp"): replied("NTP server, stratum 3", "ntp"),
    ("10.0.3.10", "389/udp"): replied("domain controller of CORP.EXAMPLE", "cldap"),
    ("10.0.3.10", "464/udp"): replied("Kerberos password change server", "kpasswd"),
    **{(host, "icmp"): ECHO for host in _DOMAIN},
}

_SERVERS = {
    "10.0.9.20": {
        "22/tcp": speaking("SSH, OpenSSH_9.2p1 Debian-2+deb12u10", "ssh"),
        "23/tcp": speaking("SSH, OpenSSH_9.2p1 Debian-2+deb12u10", "ssh"),
        "443/tcp": speaking(
            "TLS 1.3, certificate for srv1.example, expires 2027-03-01, HTTP 401, Server: nginx/1.22.1", "https"
        ),
        "53/udp": replied("DNS: refused", "dns"),
        "123/udp": replied("NTP server, stratum 3", "ntp"),
        "161/udp": replace(replied("SNMP agent of Net-SNMP", "snmp", secret="snmp_community"), syns=2),
        "514/udp": NO_REPLY,
        "1812/udp": replied("RADIUS server", "radius", secret="radius_secret"),
        "gre": NO_REPLY,
    },
}
_NO_RAW_SOCKETS = {("10.0.9.20", "gre"): forbidden("CAP_NET_RAW"), ("10.0.9.20", "esp"): forbidden("CAP_NET_RAW")}
_NO_PING = {("10.0.9.20", "icmp"): forbidden("CAP_NET_RAW or net.ipv4.ping_group_range")}

_MASTER = Machine(
    "m1",
    MASTERS[0],
    is_root=True,
    came=(
        Came(AGENTS[0], Transport.UDP, 64000, authentic=True, number=4),
        Came(AGENTS[0], Transport.TCP, 8080, authentic=False, number=23),
        Came(AGENTS[0], Transport.TCP, 15101, authentic=True, number=23),
    ),
)
_MASTER_TAKEN = replace(
    _MASTER, held={"8080/tcp": Holder("0.0.0.0", pid=1204, process="java", unit="jenkins.service", uid=112)}
)
_MASTERS_ALONE: tuple[Mapping[str, Any], ...] = (
    {
        "match": {
            "op": "!=",
            "left": {"payload": {"protocol": "ip", "field": "saddr"}},
            "right": {"prefix": {"addr": "10.0.1.0", "len": 24}},
        }
    },
    {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 2181}},
    {"drop": None},
)
"""ip saddr != 10.0.1.0/24 tcp dport 2181 drop"""
_MASTER_RUNNING = replace(
    _MASTER,
    held={
        "7070/tcp": Holder("127.0.0.1", pid=2301, process="java", unit="dcos-cosmos.service", uid=0),
        "9990/tcp": Holder("0.0.0.0", pid=2301, process="java", unit="dcos-cosmos.service", uid=0),
        "15055/tcp": Holder("127.0.0.1", pid=2417, process="python", unit="dcos-history.service", uid=0),
    },
)
_BROKEN_WAYS = {
    (MASTERS[0], "5050/tcp"): SILENCE,
    (MASTERS[0], "8181/tcp"): RESET,
    (MASTERS[0], "443/tcp"): Answer(detail=CLOSED_WITHOUT_TOKEN),
}

NETWORKS: Mapping[str, Network] = {
    "healthy": Network(others=_TIME),
    "faulty": Network(_FAULTY, others=_TIME),
    "repaired": Network({("10.0.2.12", "8080/tcp"): OPEN}),
    "on a master, at first": Network(installed=False, machine=_MASTER_TAKEN),
    "on a master": Network(installed=False, machine=_MASTER),
    "on a master with a firewall": Network(installed=False, machine=replace(_MASTER, rules=(_MASTERS_ALONE,))),
    "on a tuned master": Network(installed=False, machine=replace(_MASTER, ephemeral="1024\t65535")),
    "on a master, ordinary user": Network(installed=False, machine=replace(_MASTER_TAKEN, is_root=False)),
    "on a running master": Network(machine=_MASTER_RUNNING),
    "broken ways": Network(_BROKEN_WAYS, installed=False, machine=_AGENT_AS_ROOT, stand_ins=(_MASTER,)),
    "open ways": Network(installed=False, machine=_AGENT_AS_ROOT, stand_ins=(_MASTER,)),
    "no stand-in": Network(installed=False, machine=_AGENT_AS_ROOT),
    "windows": Network(_DOMAIN_OVER_UDP, silent=_DOMAIN),
    "with guests": Network({("10.0.1.11", "12345/tcp"): OPEN, ("10.0.1.11", "5900/tcp"): OPEN}),
    "servers": Network(others=_SERVERS),
    "servers, ordinary user": Network(_NO_RAW_SOCKETS | _NO_PING, others=_SERVERS),
}
"""By the name that a page says in `<!-- shown: NAME -->`."""


@cache
def _there(role: str) -> Mapping[str, Answer]:
    """What a healthy host of the role answers to others, by port."""
    return {
        f"{number}/{ports.transport}": OPEN if ports.transport is Transport.TCP else _of_udp(row)
        for row in documents.find(_DOCUMENT).expectations
        if role in row.to and LOCALHOST not in row.sources and row.when is None and row.listen is Listen.SINGLE
        for ports in row.ports
        for number in ports.numbers()
        if number != _NOT_RUNNING
    }


def _of_udp(row: Expectation) -> Answer:
    return DNS if row.answers is Answers.NORMALLY else NO_REPLY


# --------------------------------------------------------------------------------------------- the commands


class Sandbox:
    """A folder and a shell's memory for the commands of one page, in the order in which a reader types them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status = 0

    def put(self, name: str, content: str) -> None:
        """Write a file that the page tells the reader to write."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)

    def run(self, command: str, network: Network) -> str:
        """What the terminal shows below this command.

        Raises:
            ValueError: the command is not one that the manual can run.
        """
        if command == "echo $?":
            return f"{self._status}\n"
        words = shlex.split(command, comments=True)
        if words[0] != "portcheck":
            raise ValueError(f"only portcheck can be shown, not {command!r}")
        shown = io.StringIO()
        with _as_if_on_the_example(network), chdir(self._folder), redirect_stdout(shown), redirect_stderr(shown):
            self._status = _exit_status(words)
        if self._status == cli.BUG:
            raise ValueError(f"{command} ends with a bug:\n{shown.getvalue()}")
        return shown.getvalue()


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """An empty sandbox, removed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        yield Sandbox(Path(folder))


def _exit_status(words: list[str]) -> int:
    with patch.object(sys, "argv", words):
        try:
            cli.main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
    return 0


@contextmanager
def _as_if_on_the_example(network: Network) -> Iterator[None]:
    """The program believes that it runs on the example's machine; nothing is sent."""

    def execute(
        plan: Plan, selection: Selection, *, known_for: KnownFor, kept: Iterable[Answered] = (), **rest: Any
    ) -> Run:
        heard = _with_stand_ins(network, plan)
        measured = Measured(of_plan(plan, kept))
        measured.reports.update(_reports(network, plan))
        remarks = look_at_ourselves(plan, measured)
        timing = timing_of(Speed(selection.speed))
        ended_s = 0.0
        for asked in probe_sets(plan, seed=_SEED, evidence=selection.evidence, kept=measured):
            ended_s = max(ended_s, _started_s(len(asked.singly) + len(asked.in_bulk)))
            for answered in _answered(asked, heard, timing):
                if isinstance(answered, Observation) and not selection.verify:
                    answered = replace(answered, answer=None, speaks=None)
                measured.take(answered)
        for address, source_address, ports in asked_without_connection(plan, evidence=True, kept=measured):
            for number, port in enumerate(ports):
                measured.take(_datagrams(number, address, source_address, port, heard, selection))
        for seen in measured.taken:
            if isinstance(seen, Observation):
                ended_s = max(ended_s, *(a.started_s + a.lasted_s for a in seen.attempts), 0.0)
        finished = _STARTED + timedelta(seconds=ended_s)
        return conclude(
            plan,
            selection,
            measured,
            seed=_SEED,
            started=_STARTED,
            finished=finished,
            interrupted=None,
            remarks=remarks,
            known_for=known_for,
        )

    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environment, clear=True))
        stack.enter_context(patch("portcheck.cli.check.execute", execute))
        stack.enter_context(as_if_on(network.machine, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        # How long a plan takes at most depends on how many sockets this machine may open.
        stack.enter_context(patch("portcheck.cli.announcement.raise_descriptor_limit", lambda: 16_000))
        yield


# ------------------------------------------------------------------------------------------------ stand-ins


def _with_stand_ins(network: Network, plan: Plan) -> Network:
    """The network as it answers who has the key."""
    if not plan.scope.stand_ins:
        return network
    echoes = {
        (machine.address, str(port)): _of_stand_in(machine, port)
        for machine in network.stand_ins
        for port in role_ports(plan.scope, _host(machine, plan))
        if not port.local_only
    }
    return replace(network, faults=echoes | dict(network.faults))


def _of_stand_in(machine: Machine, port: RolePort) -> Answer:
    came = machine.address, port.port, _AGENT.address, 40_000
    return Answer(reason=Reason.ECHO_TOKEN, echo=Echo(_stack(machine), machine.name, True, *came))


def _reports(network: Network, plan: Plan) -> Iterator[tuple[str, list[StandInReport]]]:
    """By address, what the stand-ins say of themselves to who has the key."""
    for machine in network.stand_ins if plan.scope.stand_ins else ():
        ports = tuple(
            opened(machine, port.transport, port.port, LOOPBACK[Family.IPV4] if port.local_only else machine.address)
            for port in role_ports(plan.scope, _host(machine, plan))
        )
        yield machine.address, [StandInReport(_stack(machine), machine.name, True, ports)]


def _host(machine: Machine, plan: Plan) -> Host:
    return next(host for host in plan.scope.all_hosts if host.name == machine.name)


def _stack(machine: Machine) -> str:
    return machine.name.encode().hex().rjust(16, "0")


# --------------------------------------------------------------------------------- what the engine would report


def _answered(asked: ProbeSet, network: Network, timing: TcpTiming) -> Iterator[Answered]:
    """Ports of a sweep that are not open are counted together, as the engine does it."""
    every = (*asked.singly, *asked.in_bulk)
    answers = {port: network.answer(asked.address, Transport.TCP, port) for port in every}
    heard = sum(answer.state in (PortState.OPEN, PortState.CLOSED) for answer in answers.values())
    alike: dict[Answer, list[int]] = {}
    for number, (port, answer) in enumerate(answers.items()):
        if port in asked.in_bulk and answer.state is not PortState.OPEN:
            alike.setdefault(answer, []).append(port)
        else:
            probe = Probe(asked.address, Transport.TCP, port, asked.source_address)
            yield _observation(number, probe, answer, heard >= timing.trusted_answers, timing)
    for answer, ports in alike.items():
        syns = answer.syns if answer.after_s is not None else 2 if heard >= timing.trusted_answers else 8
        where = asked.address, asked.source_address
        how = answer.responder, answer.icmp
        yield Tally(*where, answer.state, answer.reason, array("H", ports), syns * len(ports), *how)


def _started_s(number: int) -> float:
    """When this port of an address is asked, at the pace of `--speed normal`."""
    limits = LIMITS[Speed.NORMAL]
    assert limits.flows_per_address is not None, "normal has a limit"
    return round(0.002 + number * 0.0001 + number // limits.flows_per_address * (limits.flows_window_s + JITTER_S), 4)


def _observation(number: int, probe: Probe, answer: Answer, trusted: bool, timing: TcpTiming) -> Observation:
    started_s, port = _started_s(number), 40_000 + 2 * number
    if answer.after_s is None:
        # As the kernel repeats a SYN: at 1, 2 and 3 s.
        lasted_s, syns = (timing.trusted_attempt_s, 2) if trusted else (timing.attempt_s, 4)
        starts_s = (started_s, round(started_s + timing.retry_after_s, 4))
        attempts = tuple(
            Attempt(start_s, lasted_s, port + again, syns, str(answer.reason)) for again, start_s in enumerate(starts_s)
        )
        return Observation(probe, answer.state, answer.reason, attempts)
    attempt = Attempt(started_s, answer.after_s, port, answer.syns, str(answer.reason))
    return Observation(
        probe,
        answer.state,
        answer.reason,
        (attempt,),
        responder=answer.responder,
        icmp=answer.icmp,
        errno=answer.errno,
        rtt_ms=answer.after_s * 1000 if answer.syns == 1 else None,
        detail=answer.detail,
        answer=answer.answer,
        speaks=answer.speaks,
        echo=answer.echo,
    )


_WAITS_S = (0.25, 0.25, 1.0)
"""For three datagrams to an address that is near."""


def _datagrams(
    number: int, address: str, source_address: str | None, port: AskedPort, network: Network, selection: Selection
) -> Observation:
    """What comes of one question without a connection."""
    answer = network.answer(address, port.transport, port.port)
    if answer.secret is not None and answer.secret not in selection.secrets:
        answer = NO_REPLY
    waits_s = _WAITS_S if answer.after_s is None else (*_WAITS_S[: answer.syns - 1], answer.after_s)
    started_s = 0.002 + number * 0.0001
    attempts = tuple(
        Attempt(round(started_s + sum(waits_s[:again]), 4), wait_s, 42_000, 1, str(answer.reason))
        for again, wait_s in enumerate(waits_s)
    )
    from_itself = answer.icmp is not None and answer.responder is None
    return Observation(
        Probe(address, port.transport, port.port, source_address),
        answer.state,
        answer.reason,
        attempts if answer.sent else (),
        responder=address if from_itself else answer.responder,
        icmp=answer.icmp,
        errno=answer.errno,
        rtt_ms=None if answer.after_s is None else answer.after_s * 1000,
        detail=answer.detail,
        answer=answer.answer,
        speaks=answer.speaks,
        echo=answer.echo,
    )
