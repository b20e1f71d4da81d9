"""Runs without a network: a real plan, answers by table, and the real judgement."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    ICMP_MUTE,
    IN_EPHEMERAL_RANGE,
    NEEDS_SOURCE_PORT_68,
    OTHER_WITHOUT_TOKEN,
    REPLIED_FROM,
    Attempt,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Standing,
    StandInPort,
    StandInReport,
    Tally,
    Transport,
)
from portcheck.measured import Measured
from portcheck.model import (
    Answers,
    Check,
    Expect,
    Finding,
    Gap,
    Level,
    Listen,
    NamedPorts,
    NotCheckable,
    NotPlanned,
    Own,
    Phase,
    Plan,
    Provenance,
    Run,
    Scope,
    Selection,
    Sweep,
    SweepKind,
    Waiver,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.probe_sets import asked_without_connection, probe_sets
from portcheck.run import conclude
from tests.samples import HERE, claimed, cluster, document, every_check, host, row, site

STARTED = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
FINISHED = datetime(2026, 11, 20, 8, 0, 4, 321000, tzinfo=UTC)

Answer = Callable[[Probe], Observation]

SELECTION = Selection(
    targets=(),
    documents=("dcos",),
    roles=(),
    expects=(),
    site="site.yaml",
    source=None,
    features={},
    transports=(),
    sweep="documented",
    strict=False,
    strict_sources=False,
    deadline_s=None,
)


def open_port(probe: Probe) -> Observation:
    if probe.transport is not Transport.TCP:
        return _REPLIES[probe.transport](probe)
    tries = (Attempt(0.0, 0.001, 40001, 1, "syn-ack"),)
    return Observation(probe, PortState.OPEN, Reason.SYN_ACK, tries, rtt_ms=1.25)


def replied(answer: str | None = None, speaks: str | None = None, detail: str | None = None) -> Answer:
    def reply(probe: Probe) -> Observation:
        seen = Observation(probe, PortState.OPEN, Reason.UDP_RESPONSE, _datagram("udp-response"), rtt_ms=1.25)
        return replace(seen, answer=answer, speaks=speaks, detail=detail)

    return reply


def _datagram(result: str) -> tuple[Attempt, ...]:
    return (Attempt(0.0, 0.001, 40001, 1, result),)


def echoed(probe: Probe) -> Observation:
    return Observation(probe, PortState.OPEN, Reason.ECHO_REPLY, _datagram("echo-reply"), rtt_ms=1.25)


def no_reply(detail: str = ICMP_ALIVE) -> Answer:
    tries = tuple(Attempt(at, 0.7, 40001, 1, "no-response") for at in (0.0, 0.7, 1.4))
    return lambda probe: Observation(probe, PortState.OPEN_FILTERED, Reason.NO_RESPONSE, tries, detail=detail)


def limited_by(responder: str) -> Answer:
    tries = no_reply()(Probe(responder, Transport.UDP, 53)).attempts
    reason = Reason.ICMP_RATE_LIMITED
    return lambda probe: Observation(probe, PortState.UNKNOWN, reason, tries, responder=responder)


def no_echo(probe: Probe) -> Observation:
    return replace(no_reply()(probe), state=PortState.FILTERED)


def says_closed(reason: Reason, code: tuple[int, int]) -> Answer:
    tries = _datagram(str(reason))
    return lambda probe: Observation(
        probe, PortState.CLOSED, reason, tries, responder=probe.address, icmp=code, rtt_ms=1.25
    )


def closed(probe: Probe) -> Observation:
    if probe.transport is not Transport.TCP:
        return _REFUSALS[probe.transport](probe)
    tries = (Attempt(0.0, 0.001, 40001, 1, "conn-refused"),)
    return Observation(probe, PortState.CLOSED, Reason.CONN_REFUSED, tries, rtt_ms=1.25)


def silent(probe: Probe) -> Observation:
    if probe.transport is not Transport.TCP:
        return _SILENCES[probe.transport](probe)
    tries = (Attempt(0.0, 3.3, 40001, 4, "no-response"), Attempt(1.0, 3.3, 40002, 4, "no-response"))
    return Observation(probe, PortState.FILTERED, Reason.NO_RESPONSE, tries)


def rejected_by(responder: str, inferred: bool = False) -> Answer:
    def answer(probe: Probe) -> Observation:
        tries = (Attempt(0.0, 0.001, 40001, 1, "admin-prohibited"),)
        reason = Reason.ADMIN_PROHIBITED
        return Observation(
            probe, PortState.FILTERED, reason, tries, responder=responder, icmp=(3, 13), inferred=inferred
        )

    return answer


def nobody_there(probe: Probe) -> Observation:
    tries = (Attempt(0.0, 3.1, 40001, 3, "arp-failure"),)
    return Observation(probe, PortState.FILTERED, Reason.ARP_FAILURE, tries)


def unknown(reason: Reason, detail: str | None = None) -> Answer:
    return lambda probe: Observation(probe, PortState.UNKNOWN, reason, detail=detail)


OWN_ADDRESS = "10.0.0.11"


def echoed_by(name: str, *, peer: str = OWN_ADDRESS, arrived_at: str | None = None, stated: bool = True) -> Answer:
    """A stand-in of this name answers with its token; every name has a network stack of its own."""

    def answer(probe: Probe) -> Observation:
        at = arrived_at or probe.address
        echo = Echo(stack_of(name), name, stated, at, probe.port, peer, 40001)
        tries = (Attempt(0.0, 0.001, 40001, 1, "syn-ack", OWN_ADDRESS),)
        return Observation(probe, PortState.OPEN, Reason.ECHO_TOKEN, tries, rtt_ms=1.25, echo=echo)

    return answer


def stack_of(name: str) -> str:
    return name.encode().hex().rjust(16, "0")


def accepted_without(detail: str) -> Answer:
    """Accepted, and asked for a token in vain."""
    return lambda probe: replace(open_port(probe), detail=detail)


def reported(
    name: str,
    listening: str,
    held: Mapping[str, Holder] | None = None,
    unable: str = "",
    heard: str = "",
    at: str = "10.0.0.1",
) -> StandInReport:
    """What the stand-in of this name says that it opened, and which questions came without their answers."""
    holders = held or {}
    ports = [StandInPort(p, n, "0.0.0.0", Standing.LISTENING) for p, n in _each(listening)]
    ports += [
        StandInPort(p, n, "0.0.0.0", Standing.IN_USE, who) for text, who in holders.items() for p, n in _each(text)
    ]
    lacking = "needs CAP_NET_BIND_SERVICE"
    ports += [StandInPort(p, n, "0.0.0.0", Standing.NEEDS_PRIVILEGE, detail=lacking) for p, n in _each(unable)]
    came = tuple((transport, number, at) for transport, number in _each(heard))
    return StandInReport(stack_of(name), name, True, tuple(ports), came)


def _each(text: str) -> list[tuple[Transport, int]]:
    items = parse_ports(text) if text else ()
    return [(transport, number) for item in items for transport, number in item.each() if number is not None]


def free(probe: Probe, detail: str | None = None) -> Observation:
    return Observation(probe, PortState.CLOSED, Reason.PORT_FREE, detail=detail)


def own(state: PortState, reason: Reason, detail: str | None = None, *holders: Holder) -> Answer:
    """What the kernel or the packet filter of this machine says of a port of its own."""
    return lambda probe: Observation(probe, state, reason, detail=detail, holders=holders)


def held_by(*holders: Holder) -> Answer:
    return own(PortState.OPEN, Reason.PORT_HELD, None, *holders)


let_in = own(PortState.OPEN, Reason.RULES_ACCEPT)

_TUNNELS = (Transport.GRE, Transport.ESP, Transport.AH)
_REPLIES: Mapping[Transport, Answer] = {
    Transport.UDP: replied(),
    Transport.ICMP: echoed,
    **dict.fromkeys(_TUNNELS, no_reply()),
}
_REFUSALS: Mapping[Transport, Answer] = {
    Transport.UDP: says_closed(Reason.PORT_UNREACH, (3, 3)),
    Transport.ICMP: no_echo,
    **dict.fromkeys(_TUNNELS, says_closed(Reason.PROTO_UNREACH, (3, 2))),
}
_SILENCES: Mapping[Transport, Answer] = {
    Transport.ICMP: no_echo,
    **dict.fromkeys((Transport.UDP, *_TUNNELS), no_reply(ICMP_MUTE)),
}
"""What a service that is well, one that is down, and one behind a firewall look like where nothing connects."""

NOT_IN_TIME = unknown(Reason.DEADLINE)

Answered = Mapping[str, Answer]
"""By what a check id ends with after its source, host first: "m1/ipv4/tcp/5050", or by its host: "m1"."""


def made(
    scope: Scope,
    answers: Answered | None = None,
    *,
    interrupted: str | None = None,
    reports: Mapping[str, StandInReport] | None = None,
    **selected: object,
) -> Run:
    """The run of a plan in which what must be reachable is open and the rest is closed, but for `answers`."""
    planned = plan(scope)
    selection = replace(SELECTION, **selected)  # type: ignore[arg-type]
    measured = measured_by_table(planned, answers or {}, selection.evidence)
    measured.reports.update({address: [report] for address, report in (reports or {}).items()})
    run = conclude(planned, selection, measured, seed=7, started=STARTED, finished=FINISHED, interrupted=interrupted)
    return replace(run, version="1.0", run_id="20261120T080000Z-000000")


def measured_by_table(planned: Plan, answers: Answered, evidence: bool = False) -> Measured:
    """What an engine would report in such a network: swept ports in bulk, but for the open ones."""
    measured = Measured()
    by_probe = {check.probe: _answer(check, answers) for check in every_check(planned)}
    for asked in probe_sets(planned, seed=7, evidence=evidence):
        where = asked.address, asked.source_address
        for number in asked.singly:
            probe = Probe(where[0], Transport.TCP, number, where[1])
            measured.take(by_probe[probe](probe))
        alike: dict[Tally, list[Observation]] = {}
        for number in asked.in_bulk:
            probe = Probe(where[0], Transport.TCP, number, where[1])
            seen = by_probe[probe](probe)
            if seen.state is PortState.OPEN:
                measured.take(seen)
            else:
                alike.setdefault(tally_of([seen]), []).append(seen)
        for listed in alike.values():
            measured.take(tally_of(listed, ports=True))
    for address, source, ports in asked_without_connection(planned, evidence=evidence):
        for port in ports:
            probe = Probe(address, port.transport, port.port, source)
            measured.take(by_probe[probe](probe))
    for check in planned.checks:
        if check.is_own and check.probe is not None:
            measured.take(by_probe[check.probe](check.probe))
    return measured


def tally_of(listed: Sequence[Observation], ports: bool = False) -> Tally:
    """Observations that are alike as one tally; without its ports and packets it tells what is alike."""
    first = listed[0]
    return Tally(
        first.probe.address,
        first.probe.source_address,
        first.state,
        first.reason,
        array("H", (seen.probe.port for seen in listed)) if ports else (),
        sum(attempt.syns or 1 for seen in listed for attempt in seen.attempts) if ports else 0,
        first.responder,
        first.icmp,
        first.inferred,
        first.detail,
    )


def _answer(check: Check, answers: Answered) -> Answer:
    well = _WELL.get(check.expect, closed)
    return answers.get(check.id.partition(">")[2], answers.get(check.host, well))


_WELL: Mapping[Expect, Answer] = {
    Expect.REACHABLE: open_port,
    Expect.FREE: free,
    Expect.LOOPBACK_ONLY: held_by(Holder("127.0.0.1", pid=900, process="service")),
    Expect.LET_IN: let_in,
}

# ---------------------------------------------------------------------------------------------- the cluster

DCOS = document(
    row("5050/tcp", "agent master", "master", service="Mesos Master", unit="dcos-mesos-master.service"),
    row("2181/tcp", "agent master", "master", service="ZooKeeper", unit="dcos-exhibitor.service"),
    row("8181/tcp", "agent", "master", service="Exhibitor", unit="dcos-exhibitor.service"),
    row("443/tcp", "agent", "master", service="Admin Router", unit="dcos-adminrouter.service"),
    row("8888/tcp", "localhost", "master", service="Certificate Authority"),
    row("8080/tcp", "master", "master", service="Marathon"),
    row("9090/tcp", "agent", "master", service="Metrics", level=Level.RECOMMENDED),
    row("61091/tcp", "agent", "agent", service="Agent metrics"),
    row("62080/tcp", "agent", "agent", service="Navstar", doubt="dcos-net binds it to 127.0.0.1"),
    row("1025-2180/tcp", "master", "agent", service="Mesos tasks", listen=Listen.SOME),
    id="dcos",
    title="DC/OS Ports",
    not_checkable=(NotCheckable(Provenance("dcos", "Notes", "all"), "no port is named"),),
    notices=("Firewall rules inside the cluster have to be planned before the installation.",),
)

HOSTS = cluster(DCOS, masters=3, agents=2)


def seen_from_a1(**fields: object) -> Scope:
    return site([DCOS], HOSTS, "a1", **fields)


FIVE_FAULTS: Answered = {
    "m1/ipv4/tcp/5050": silent,
    "m2/ipv4/tcp/5050": silent,
    "m3/ipv4/tcp/5050": silent,
    "m2/ipv4/tcp/2181": rejected_by("10.0.0.254"),
    "m3/ipv4/tcp/8181": closed,
    "m1/ipv4/tcp/8888": open_port,
    "a2/ipv4/tcp/5050": open_port,
}


def healthy() -> Run:
    return made(seen_from_a1())


def five_faults() -> Run:
    return made(seen_from_a1(), FIVE_FAULTS)


def not_sure() -> Run:
    """Nothing failed; a name without an address, silent UDP, a doubtful row, no way out of this machine to m3."""
    rows = (
        row("53/udp", "agent", "master", service="DNS"),
        row("64000/udp", "agent", "agent", service="Overlay", answers=Answers.NEVER),
    )
    asked = replace(DCOS, expectations=(*DCOS.expectations, *rows))
    hosts = (*HOSTS, host("a3", roles=("dcos:agent",), unresolved="a3.example: Name or service not known"))
    local_firewall = unknown(Reason.LOCAL_FIREWALL)
    silent_ones = {"m2/ipv4/udp/53": no_reply(), "a2/ipv4/udp/64000": no_reply()}
    return made(site([asked], hosts, "a1"), {"a2/ipv4/tcp/62080": closed, "m3": local_firewall, **silent_ones})


def before_the_install() -> Run:
    scope = seen_from_a1(phase=Phase.PREINSTALL, sweep=Sweep(SweepKind.NONE))
    ids = [check.id.partition(">")[2] for check in plan(scope).checks]
    return made(scope, dict.fromkeys(ids, closed))


def interrupted() -> Run:
    return made(seen_from_a1(), {"m2": NOT_IN_TIME, "m3": NOT_IN_TIME}, interrupted="deadline", deadline_s=2.0)


def waived() -> Run:
    def waiver(to: str, ports: str, finding: Finding, reason: str, until: date) -> Waiver:
        return Waiver(to, "any", parse_ports(ports)[0], finding, reason, until)

    waivers = (
        waiver("a2", "5050/tcp", Finding.UNEXPECTED_OPEN, "old proxy, goes in March", date(2027, 3, 31)),
        waiver("m1", "8888/tcp", Finding.EXPOSED, "was needed for the move", date(2026, 1, 31)),
        waiver("m2", "443/tcp", Finding.BLOCKED, "firewall change under way", date(2027, 1, 31)),
    )
    return made(seen_from_a1(waivers=waivers), {"a2/ipv4/tcp/5050": open_port})


def without_a_role() -> Run:
    """One master as seen from a machine that plays no part."""
    target = replace(HOSTS[0], is_self=False)
    return made(Scope((DCOS,), (target,), HERE), {"m1/ipv4/tcp/443": silent, "m1/ipv4/tcp/8888": open_port})


def many_causes() -> Run:
    """Every port of a target is blocked on its own way: more causes than a person reads."""
    ports = tuple(NamedPorts(item) for item in parse_ports(",".join(f"{2000 + n}/tcp" for n in range(61))))
    scope = Scope((), (host("web", "192.0.2.1"),), HERE, extra=ports, sweep=Sweep(SweepKind.NONE))
    answers = {f"web/ipv4/tcp/{2000 + n}": rejected_by(f"198.51.100.{n + 1}") for n in range(60)}
    return made(scope, answers)


def a_network() -> Run:
    """Four addresses, one of which is a host."""
    hosts = tuple(host(f"192.0.2.{n}", f"192.0.2.{n}", from_network=True) for n in range(1, 5))
    extra = (NamedPorts(parse_ports("22/tcp")[0], "ssh"),)
    scope = Scope((), hosts, HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    return made(scope, {f"192.0.2.{n}": nobody_there for n in (1, 2, 4)})


def a_sweep() -> Run:
    """Thousands of ports of three hosts: one is open, one host is behind a firewall, one does not answer at all."""
    hosts = tuple(host(name, f"192.0.2.{n}") for n, name in enumerate(("web", "db", "old"), start=1))
    waiver = Waiver("web", "any", parse_ports("9000-9999/tcp")[0], Finding.UNDETERMINED, "a tarpit", date(2027, 1, 31))
    extra = (NamedPorts(parse_ports("443/tcp")[0], "https"),)
    sweep = Sweep(SweepKind.PORTS, parse_ports("1-2000,8000-9999/tcp"))
    scope = Scope((), hosts, HERE, extra=extra, sweep=sweep, waivers=(waiver,))
    dark = {f"web/ipv4/tcp/{n}": unknown(Reason.LOCAL_ERROR, "EINVAL") for n in range(9000, 10000)}
    db = {"db": rejected_by("198.51.100.1"), "db/ipv4/tcp/443": open_port, "db/ipv4/tcp/22": closed}
    return made(scope, {"web/ipv4/tcp/8080": open_port, **dark, **db, "old": silent}, sweep="1-2000,8000-9999")


def silent_cluster() -> Run:
    return made(seen_from_a1(), dict.fromkeys(("m1", "m2", "m3", "a2"), silent))


def product_not_running() -> Run:
    return made(seen_from_a1(), {"m2": closed})


def claimed_role() -> Run:
    """IPv4 and IPv6 differ, a recommended port is missing, and a port is open though it is for others."""
    hosts = (
        host("m1", "10.0.0.1", "fd00::1", roles=("dcos:master",)),
        host("m2", "10.0.0.2", "fd00::2", roles=("dcos:master",)),
        host("a1", "10.0.0.11", roles=("dcos:agent",)),
    )
    left_out = (NotPlanned(Gap.FAMILY_WITHOUT_ROUTE, 0, "a1: fd00::11 (this machine has no ipv6 route to it)"),)
    answers = {
        "m1/ipv6/tcp/443": silent,
        "m2/ipv6/tcp/443": silent,
        "m1/ipv4/tcp/9090": closed,
        "m2/ipv4/tcp/8080": open_port,
    }
    return made(site([DCOS], hosts, claimed("dcos:agent"), left_out=left_out), answers)


SERVICES = document(
    row("53/tcp+udp", "agent", "master", service="DNS"),
    row("67/udp", "agent", "master", service="DHCP"),
    row("123/udp", "agent", "master", service="NTP"),
    row("138/udp", "agent", "master", service="NetBIOS datagrams"),
    row("161/udp", "agent", "master", service="SNMP"),
    row("1812/udp", "agent", "master", service="RADIUS"),
    row("5060/udp", "agent", "master", service="SIP"),
    row("8443/tcp", "agent", "master", service="Console", speaks="https"),
    row("64000/udp", "agent", "agent", service="Overlay", answers=Answers.NEVER),
    row("gre", "agent", "master", service="Tunnel"),
    row("icmp", "agent", "agent", service="Ping"),
    row("9999/udp", "localhost", "agent", service="Debugger"),
    id="services",
    title="Services",
)


def over_udp() -> Run:
    """Each kind of answer, refusal and silence that needs no connection."""
    hosts = cluster(SERVICES, masters=3, agents=2)
    answers: Answered = {
        "m1/ipv4/tcp/53": silent,
        "m1/ipv4/udp/53": no_reply(),
        "m2/ipv4/udp/53": replied("DNS: refused", "dns"),
        "m1/ipv4/udp/123": replied("NTP server, stratum 3", "ntp", f"{REPLIED_FROM}10.0.0.99"),
        "m2/ipv4/udp/123": replied("12 bytes that are no NTP"),
        "m3/ipv4/udp/123": closed,
        **{f"m{n}/ipv4/udp/67": no_reply(NEEDS_SOURCE_PORT_68) for n in (1, 2, 3)},
        **{f"m{n}/ipv4/udp/138": no_reply(ICMP_MUTE) for n in (1, 2, 3)},
        **{f"m{n}/ipv4/udp/1812": no_reply() for n in (1, 2, 3)},
        **{f"m{n}/ipv4/gre": unknown(Reason.NEEDS_PRIVILEGE, "CAP_NET_RAW") for n in (1, 2, 3)},
        "m2/ipv4/udp/161": no_reply(ICMP_MUTE),
        "m3/ipv4/udp/161": rejected_by("10.0.0.254"),
        "m3/ipv4/udp/5060": limited_by("10.0.0.3"),
        "m2/ipv4/tcp/8443": lambda probe: replace(open_port(probe), answer="SSH, OpenSSH_9.2", speaks="ssh"),
        "a2/ipv4/udp/64000": no_reply(),
        "a2/ipv4/icmp": no_echo,
        "a2/ipv4/udp/9999": replied("4 bytes"),
    }
    return made(site([SERVICES], hosts, "a1"), answers)


def behind_one_router() -> Run:
    """One router rejects the same port of many hosts, says so of some in time, and limits itself."""
    hosts = tuple(host(f"h{n}", f"192.0.2.{n}") for n in range(1, 39))
    extra = tuple(NamedPorts(parse_ports(text)[0]) for text in ("53/udp", "53/tcp"))
    scope = Scope((), hosts, HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    rejected = {f"h{n}": rejected_by("198.51.100.1") for n in range(1, 39)}
    late = {f"h{n}/ipv4/udp/53": limited_by("198.51.100.1") for n in range(27, 39)}
    return made(scope, {**rejected, **late})


def before_the_install_over_udp() -> Run:
    """Nothing of the product runs: what is closed is free or rejected, one port is taken, and others are silent."""
    hosts = cluster(SERVICES, masters=2, agents=2)
    scope = site([SERVICES], hosts, "a1", phase=Phase.PREINSTALL, sweep=Sweep(SweepKind.NONE))
    ids = [check.id.partition(">")[2] for check in plan(scope).checks]
    others: Answered = {
        "m1/ipv4/udp/123": replied("NTP server, stratum 3", "ntp"),
        "a2/ipv4/icmp": echoed,
        "m2/ipv4/udp/138": no_reply(),
        "m2/ipv4/udp/1812": no_reply(),
        "a2/ipv4/udp/64000": no_reply(ICMP_MUTE),
    }
    return made(scope, {**dict.fromkeys(ids, closed), **others})


NEW = document(
    row("53/udp", "agent", "master", service="DNS"),
    row("443/tcp", "agent", "master", service="Admin Router"),
    row("2181/tcp", "agent master", "master", service="ZooKeeper"),
    row("5050/tcp", "agent master", "master", service="Mesos Master", unit="dcos-mesos-master.service"),
    row("8080/tcp", "master", "master", service="Marathon"),
    row("8888/tcp", "localhost", "master", service="Certificate Authority"),
    row("40000/tcp", "agent", "master", service="Console"),
    row("49152-65535/tcp", "agent", "master", service="Tasks", listen=Listen.SOME),
    id="new",
    title="New Product",
)
"""What is to be installed."""

JAVA = Holder("::", pid=812, process="java", uid=997, unit="dcos-mesos-master.service")
EPHEMERAL = own(PortState.CLOSED, Reason.PORT_FREE, f"{IN_EPHEMERAL_RANGE}32768-60999")


def ids_of(scope: Scope, name: str) -> list[str]:
    """What the checks of a host are called after their source."""
    return [check.id.partition(">")[2] for check in every_check(plan(scope)) if check.host == name and not check.is_own]


def this_machine(answers: Answered, **fields: object) -> Run:
    """What `check --local` finds on m1."""
    hosts = cluster(NEW, masters=3, agents=1)
    scope = site([NEW], hosts, "m1", phase=Phase.PREINSTALL, own=Own.ONLY)
    return made(replace(scope, **fields), answers)  # type: ignore[arg-type]


def local_well() -> Run:
    return this_machine({})


def local_taken() -> Run:
    """One process has two ports, a connection has one, some lie in the ephemeral range, and rules are in the way."""
    rule = "table inet filter, chain input, rule handle 7"
    samples = {f"m1/own/tcp/{n}": EPHEMERAL for n in range(49152, 61000)}
    return this_machine(
        {
            **samples,
            "m1/own/tcp/5050": held_by(JAVA),
            "m1/own/tcp/8080": held_by(JAVA, replace(JAVA, address="127.0.0.1")),
            "m1/own/tcp/2181": own(
                PortState.OPEN,
                Reason.PORT_IN_CONNECTION,
                None,
                Holder("10.0.0.1", connected=True, pid=5, process="curl"),
            ),
            "m1/own/tcp/40000": EPHEMERAL,
            "m1/own/udp/53": own(PortState.CLOSED, Reason.PORT_UNUSED, "needs CAP_NET_BIND_SERVICE"),
            "m1/rules/tcp/443": own(PortState.FILTERED, Reason.RULES_DROP, rule),
            "m1/rules/tcp/5050": own(PortState.FILTERED, Reason.RULES_DROP, rule),
        }
    )


def with_stand_ins(answers: Answered, reports: Mapping[str, StandInReport]) -> Run:
    """Stand-ins on all masters that answer everywhere, but for `answers` and as `reports` say."""
    hosts = cluster(NEW, masters=3, agents=1)
    scope = site([NEW], hosts, "a1", phase=Phase.PREINSTALL, stand_ins=True)
    well = {check: echoed_by(name) for name in ("m1", "m2", "m3") for check in ids_of(scope, name)}
    refused = {f"{name}/ipv4/tcp/8888": closed for name in ("m1", "m2", "m3")}
    return made(scope, {**well, **refused, **answers}, reports=reports, stand_ins=True)


_OPENED = "443,2181,5050,8080,40000,49152-65535/tcp,53/udp"


def stand_ins_well() -> Run:
    return with_stand_ins({}, {f"10.0.0.{n}": reported(f"m{n}", _OPENED) for n in (1, 2, 3)})


def stand_ins_broken() -> Run:
    """Every way in which a path can be broken that a stand-in shows."""
    others = "443,5050,8080,49152-65535/tcp"
    reports = {
        "10.0.0.1": reported("m1", _OPENED, heard="53/udp"),
        "10.0.0.2": reported("m2", f"{others}", {"2181/tcp": JAVA, "40000/tcp": JAVA}, unable="53/udp"),
    }
    scope = site([NEW], cluster(NEW, masters=3, agents=1), "a1", phase=Phase.PREINSTALL, stand_ins=True)
    return with_stand_ins(
        {
            "m1/ipv4/tcp/443": echoed_by("m2"),
            "m1/ipv4/tcp/2181": closed,
            "m1/ipv4/tcp/5050": accepted_without(CLOSED_WITHOUT_TOKEN),
            "m1/ipv4/udp/53": no_reply(),
            "m2/ipv4/tcp/443": silent,
            "m2/ipv4/tcp/2181": closed,
            "m2/ipv4/tcp/40000": accepted_without(OTHER_WITHOUT_TOKEN),
            "m2/ipv4/udp/53": closed,
            "m2/ipv4/tcp/5050": echoed_by("m2", peer="192.0.2.9", arrived_at="172.16.0.2"),
            **dict.fromkeys(ids_of(scope, "m3"), closed),
        },
        reports,
    )


SCENARIOS: Mapping[str, Callable[[], Run]] = {
    "healthy": healthy,
    "five-faults": five_faults,
    "not-sure": not_sure,
    "before-the-install": before_the_install,
    "interrupted": interrupted,
    "waived": waived,
    "without-a-role": without_a_role,
    "many-causes": many_causes,
    "a-network": a_network,
    "a-sweep": a_sweep,
    "silent-cluster": silent_cluster,
    "product-not-running": product_not_running,
    "claimed-role": claimed_role,
    "over-udp": over_udp,
    "behind-one-router": behind_one_router,
    "before-the-install-over-udp": before_the_install_over_udp,
    "local-well": local_well,
    "local-taken": local_taken,
    "stand-ins-well": stand_ins_well,
    "stand-ins-broken": stand_ins_broken,
}
