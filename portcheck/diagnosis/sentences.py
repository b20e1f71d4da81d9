"""What is said about a group of verdicts: the headline, the evidence, what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable

from portcheck import commands
from portcheck.diagnosis.group import Group
from portcheck.diagnosis.more_time import limiters_of
from portcheck.diagnosis.recognition import secret_of
from portcheck.engine.probe import (
    ICMP_ALIVE,
    ICMP_MUTE,
    OWN_ROUTE_LOST,
    WINDOW_STAYS_ZERO,
    Observation,
    PortState,
    Transport,
)
from portcheck.model import Expect, Finding, Outcome, Phase, UnitKind, Verdict
from portcheck.observed import doubt_of_silence, sentence, silence_of_several, undecided_because_of
from portcheck.protocols import PROTOCOLS, RADIUS_SECRET, SNMP_COMMUNITY, titles
from portcheck.wording import are, listed, plural, these

_ADDRESSES_NAMED = 50
_UNITS_NAMED = 6
_KNOWN_SHOWN = 12

Sentence = Callable[[Group], str]
Evidence = Callable[[Group], tuple[str, ...]]
Remedy = Callable[[Group], str | None]


def because(group: Group) -> tuple[str, ...]:
    return (group.first.because,)


def because_and_pattern(group: Group) -> tuple[str, ...]:
    """The first verdict's sentence, and what the other hosts of the same port tell about the place of the rule."""
    pattern = _pattern(group)
    return (*because(group), *([pattern] if pattern else []))


def rejection_and_pattern(group: Group) -> tuple[str, ...]:
    """The same with the share that was seen, where it was not seen on all."""
    sentence, *pattern = because_and_pattern(group)
    seen = sum(verdict.count for verdict in group.verdicts if not verdict.observation.inferred)
    inferred = [verdict.observation for verdict in group.verdicts if verdict.observation.inferred]
    if not seen or not inferred:
        return (sentence, *pattern)
    # Without a detail it was not a limit that made the engine infer.
    why = f" because {group.rejected_by} limits how many ICMP errors it sends" if inferred[0].detail else ""
    of = "them" if group.check_count == group.port_count else plural(group.check_count, "check")
    return sentence, f"Seen on {seen:,} of {of}; the others stayed silent{why}, so they are inferred.", *pattern


def _pattern(group: Group) -> str | None:
    working = _where_all_work(group)
    others = sorted({host for host, _ in working} - set(group.hosts))
    same = sorted({str(address) for host, address in working if host in group.hosts})
    if others:
        works = f"The same from here to {listed(others)} works"
        seen = group.first.observation
        if seen.responder is not None and not seen.rejected_by_target:
            return f"{works}."  # Who says no is known: it is not the host.
        what = "it" if len(group.hosts) == 1 else "them"
        return f"{works}: look at {listed(group.hosts)} and what stands before {what}."
    if same:
        others_of = "another address of the same host" if len(same) == 1 else "other addresses of the same hosts"
        return f"The same from here to {listed(same)} works: {others_of}."
    if len(group.hosts) > 1:
        alike = "Both hosts" if len(group.hosts) == 2 else f"All {len(group.hosts):,} hosts"
        return f"{alike} alike: a rule on the way is likelier than one on each host."
    return None


def _where_all_work(group: Group) -> list[tuple[str, str | None]]:
    """The hosts and addresses at which every port of the group is open, as it must be."""
    ports = {(v.check.transport, v.check.port) for v in group.verdicts}
    working: dict[tuple[str, str | None], set[tuple[Transport, int | None]]] = {}
    for v in group.context.verdicts:
        well = v.outcome is Outcome.PASS and v.observation.state is PortState.OPEN
        if well and v.check.expect is Expect.REACHABLE:
            working.setdefault((v.check.host, v.check.address), set()).add((v.check.transport, v.check.port))
    return [where for where, known in working.items() if ports <= known]


def because_and_known_for(group: Group) -> tuple[str, ...]:
    """The sentence, and what is known to use these ports; of several ports, each has its own line."""
    if group.port_count == 1:
        known = {v.known_for: None for v in group.verdicts if v.known_for}
        return (*because(group), *(f"Known for: {text}." for text in known))
    connected = all(v.check.transport is Transport.TCP for v in group.verdicts)
    accepted = "The connections were accepted" if connected else "They answered"
    sentence = f"{accepted}, and nothing that is in use here expects these ports."
    return (sentence, *_of_each_port(group))


_OF_SEVERAL = {
    Finding.OCCUPIED: "Something listens on these ports already: the product cannot use them.",
    Finding.EXPOSED: "They answered from here, but the services are for localhost only.",
}


def because_and_answers(group: Group) -> tuple[str, ...]:
    """The sentence, and where it is about several ports or answers, what answers at each."""
    if group.port_count == 1 and len({v.observation.answer for v in group.verdicts}) == 1:
        return because(group)
    return (_OF_SEVERAL[group.first.finding], *_of_each_port(group))


def _of_each_port(group: Group) -> list[str]:
    """What is known of each port, with the hosts where it is not the same on all."""
    known: dict[tuple[str, str], dict[str, None]] = {}
    for verdict in group.verdicts:
        if text := _said_of(verdict):
            known.setdefault((verdict.check.port_text, text), {})[verdict.check.host] = None
    shown = [
        f"{port}{'' if len(hosts) == len(group.hosts) else f' on {listed(list(hosts))}'} {text}."
        for (port, text), hosts in list(known.items())[:_KNOWN_SHOWN]
    ]
    more = len({port for port, _ in known}) - _KNOWN_SHOWN
    return [*shown, *([f"{plural(more, 'more port')} known: see the JSON report."] if more > 0 else [])]


def _said_of(verdict: Verdict) -> str:
    """What answered, and what the port is known for; empty where neither is known."""
    answered = (verdict.observation.answer or "").rstrip(".")
    known = f"is known for: {verdict.known_for}" if verdict.known_for else ""
    return f"answers: {answered}{f'; it {known}' if known else ''}" if answered else known


def close_or_accept(group: Group) -> str | None:
    return f"Close {these(group.port_count)}, or accept {these(group.port_count)} in a site file (offers: or waivers:)."


def allow_and_look(group: Group) -> str | None:
    """For hosts that are silent where nothing listens: both may be true."""
    return f"{allow(group)} And look on {listed(group.hosts)} whether anything listens there."


def silence_and_pattern(group: Group) -> tuple[str, ...]:
    """On one line: what the silence may be, what happens to the same ports over TCP, and on other hosts."""
    pattern = _pattern(group)
    parts = [_silence(group), *_over_tcp(group), *([pattern] if pattern and "alike" not in pattern else [])]
    return (" ".join(parts),)


def _silence(group: Group) -> str:
    """The sentence of the first, where that is about the others as well."""
    checks = [v.check for v in group.verdicts]
    telling = group.first.observation.detail in (None, ICMP_ALIVE, ICMP_MUTE)
    if not telling or len({check.speaks for check in checks}) == 1:
        return group.first.because
    hosts = group.hosts_with_addresses
    seen = [v.observation for v in group.verdicts]
    told = silence_of_several(checks, seen, hosts, group.context.secrets, _before_install(group))
    return " ".join([told, *_doubts(group)])


def _doubts(group: Group) -> list[str]:
    """What the documents say against single ports of the group."""
    doubts = {v.check.doubt: None for v in group.verdicts if v.check.doubt}
    doubted = {
        doubt: Group(tuple(v for v in group.verdicts if v.check.doubt == doubt), group.context) for doubt in doubts
    }
    return [f"The document is doubtful at {part.port_numbers}: {sentence(doubt)}" for doubt, part in doubted.items()]


def _before_install(group: Group) -> bool:
    """Whether what should be reachable is not there yet."""
    return group.first.phase is Phase.PREINSTALL and group.first.check.expect is Expect.REACHABLE


def _over_tcp(group: Group) -> list[str]:
    """Of the same ports of the same addresses, those that are blocked over TCP."""
    silent = {(v.check.address, v.check.port) for v in group.verdicts}
    blocked = {
        v.check.port_text: None
        for v in group.context.verdicts
        if v.check.transport is Transport.TCP
        and (v.check.address, v.check.port) in silent
        and v.finding in (Finding.BLOCKED, Finding.REJECTED)
    }
    if not blocked:
        return []
    return [f"{listed(list(blocked))} {are(len(blocked))} blocked there as well, so a firewall is likely."]


def look_and_allow(group: Group) -> str | None:
    """For silence over UDP: where to look, what to ask for, and what might make it answer."""
    if group.first.check.expect is Expect.LOCAL_ONLY:
        return f"Where it is bound: {_UDP_TABLE} on {listed(group.hosts)}; 127.0.0.1 or ::1 is well."
    if all(v.check.port is None for v in group.verdicts):
        return None if group.stays_here else f"If it should work for this machine: {allow(group)}"
    if _before_install(group):
        return _look_and_free(group)
    wanted = {PROTOCOLS[name].secret for v in group.verdicts for name in v.check.speaks if name in PROTOCOLS}
    lacking = SNMP_COMMUNITY in wanted - group.context.secrets
    community = f" {_GIVE_SECRET[SNMP_COMMUNITY]}" if lacking else ""
    look = f"{_UDP_TABLE} on {listed(group.hosts)}."
    if group.stays_here:
        return f"Whether it listens: {look}{community}"
    if group.first.observation.detail == ICMP_ALIVE:
        # A closed port would have been reported: even where nothing listens, something drops the packets.
        return f"{allow(group)} Whether the service has to be looked at as well: {look}{community}"
    return f"Whether it listens: {look} If it does: {allow(group)}{community}"


def _look_and_free(group: Group) -> str:
    """Before the install: what is in use has to go, and what is not in use was dropped where it was not reported."""
    one = group.port_count == 1
    look = f"Whether {'it is' if one else 'they are'} in use: {_socket_table(group)} on {listed(group.hosts)}."
    if group.first.observation.detail == ICMP_ALIVE or group.stays_here:
        return f"{look} If so, stop or move what listens there. If not: {allow(group)}"
    return f"{look} If so, stop or move what listens there. If not, only the firewalls' rules tell what is dropped."


_UDP_TABLE = "ss -lun (Windows: netstat -ano -p udp)"
_GIVE_SECRET = {
    SNMP_COMMUNITY: "An SNMP community is given with --secrets FILE or PORTCHECK_SNMP_COMMUNITY.",
    RADIUS_SECRET: "A RADIUS secret is given with --secrets FILE or PORTCHECK_RADIUS_SECRET.",
}


def unprovable_headline(group: Group) -> str:
    one = group.port_count == 1
    if secret_of(group.first) is None:
        return f"{group.ports_on_hosts}: never {'answers' if one else 'answer'} a stranger"
    return f"{group.ports_on_hosts}: {'answers' if one else 'answer'} only who knows {'its' if one else 'their'} secret"


def unprovable_evidence(group: Group) -> tuple[str, ...]:
    known = ["Silence looks the same when all is well and when packets are dropped."]
    reporting = [v for v in group.verdicts if v.observation.detail == ICMP_ALIVE and v.check.port is not None]
    if reporting:
        part = Group(tuple(reporting), group.context)
        known.append(_known_not_to_be_closed(part))
    return (" ".join([*known, *_doubts(group)]),)


def _known_not_to_be_closed(group: Group) -> str:
    report = "reports" if len(group.hosts) == 1 else "report"
    one = group.port_count == 1
    they_are = "it is" if one else "they are"
    return (
        f"{listed(group.hosts)} {report} closed ports, so {group.port_numbers} there {are(group.port_count)} "
        f"dropped or open; {they_are} not closed."
    )


def ways_to_certainty(group: Group) -> str | None:
    """What decides where no probe of a stranger can."""
    secret = secret_of(group.first)
    if secret is not None and secret not in group.context.secrets:
        return _GIVE_SECRET[secret]
    if group.first.check.port is None:
        return "Only a peer of the tunnel can show that it works."
    listens = "it listens" if group.check_count == 1 else "they listen"
    return f"Whether {listens}: {_UDP_TABLE} on the host. That packets get there, only their own peers can show."


def get_privilege(group: Group) -> str | None:
    detail = group.first.observation.detail or "it"
    if "ping_group_range" in detail:
        setting = "sysctl -w net.ipv4.ping_group_range='0 2147483647'"
        return f"Run it as root, or let every user send echo requests: {setting}"
    return _given_to_this_run(detail)


def give_to_this_run(capability: str) -> Remedy:
    return advise(_given_to_this_run(capability))


def _given_to_this_run(capability: str) -> str:
    return f"Run it as root, or give {capability} to this run alone (docs/how-to/check-icmp-and-tunnels.md)."


def look_who_listens(group: Group) -> str | None:
    return f"Look on {listed(group.hosts)} what listens there: {_socket_table(group)}"


def _socket_table(group: Group) -> str:
    """The command that shows who listens at these ports."""
    return commands.who_listens(v.check.transport for v in group.verdicts)


def free_or_rejected_headline(group: Group) -> str:
    free = "not spoken there yet" if group.first.check.port is None else "free"
    return f"{group.ports_on_hosts}: {free}, or rejected by a firewall"


def undecided_headline(group: Group) -> str:
    return f"{group.ports_on_hosts}: not decided in time, {_limiters(group)} limits its ICMP errors"


def _limiters(group: Group) -> str:
    """Who may be the one; a router on the way and the host itself cannot be told apart where both send errors."""
    who = limiters_of(group)
    itself = ["each host" if len(group.hosts) > 1 else "the host itself"] if None in who else []
    return " or ".join([*sorted(router or "a router" for router in who if router is not None), *itself])


def because_and_what_the_limiter_rejects(group: Group) -> tuple[str, ...]:
    """Of the same ports, those that the same limiter rejected in time: these are probably rejected as well."""
    seen = group.first.observation
    ports = {(v.check.transport, v.check.port) for v in group.verdicts}
    rejected = {
        v.check.host
        for v in group.context.verdicts
        if v.finding is Finding.REJECTED
        and v.observation.responder == seen.responder
        and (v.check.transport, v.check.port) in ports
    }
    if len(limiters_of(group)) > 1:
        return (undecided_because_of(_limiters(group)),)
    if seen.responder is None or not rejected:
        return because(group)
    sentence = f"{group.first.because} It rejected the same on {plural(len(rejected), 'other host')}."
    return (sentence,)


def nothing(group: Group) -> str | None:
    return None


def advise(text: str) -> Remedy:
    return lambda group: text


def look_at_the_route(text: str) -> Remedy:
    """With the command that shows what this machine does with packets to the first of the addresses."""
    return lambda group: f"{text}: ip route get {group.first.check.address}"


def allow(group: Group) -> str | None:
    """The line for the firewall team: from where, to where, which ports."""
    if group.stays_here:
        return "Look at this machine's own firewall."
    addresses = list(dict.fromkeys(v.check.address for v in group.verdicts if v.check.address))
    return f"Allow {group.ports_to_allow} from {group.sender} to {listed(addresses, _ADDRESSES_NAMED)}."


def ask_responder(group: Group) -> str | None:
    request = allow(group)
    seen = group.first.observation
    if seen.responder is None or seen.rejected_by_target or group.stays_here:
        return request
    return f"{request} Ask whoever runs {seen.responder}."


def start_service(group: Group) -> str | None:
    units = list(dict.fromkeys(unit for verdict in group.verdicts for unit in verdict.check.units))
    hosts = listed(group.hosts)
    services = [name for kind, name in units if kind is UnitKind.WINDOWS]
    systemd = [name for kind, name in units if kind is UnitKind.SYSTEMD]
    called = f" Windows calls it {listed(services, _UNITS_NAMED)}." if services else ""
    if not systemd and group.first.check.port is None:
        return f"Is the tunnel's end on {hosts} up?"
    if not systemd:
        return f"Is the service running on {hosts}?{called}"
    more = f" (and {len(systemd) - _UNITS_NAMED} more)" if len(systemd) > _UNITS_NAMED else ""
    return f"On {hosts}: systemctl status {' '.join(systemd[:_UNITS_NAMED])}{more}{called}"


def ask_for_the_way_out(group: Group) -> str | None:
    return (
        f"Is there a way from {group.sender} to their networks? Look at this machine's own firewall, "
        "its routes, and the first firewall on the way."
    )


def find_what_was_lost(group: Group) -> str | None:
    if group.first.observation.detail == OWN_ROUTE_LOST:
        return "Look at this machine's interfaces and routes, then run again."
    return "Ask whoever runs the intrusion protection there, then run again with --speed polite."


def ask_who_accepts(group: Group) -> str | None:
    seen = group.first.observation
    if seen.responder is None or seen.rejected_by_target:
        return "Look on the host itself what listens there, or check from a machine that is nearer to it."
    return f"Check from a machine behind {seen.responder}, or ask whoever runs it to let this machine pass."


def lost_headline(group: Group) -> str:
    checks = plural(group.check_count, "check")
    if group.first.observation.detail == OWN_ROUTE_LOST:
        return f"This machine lost its network in the middle of the run: {checks} of {listed(group.hosts)} not decided"
    return f"Contact with {group.hosts_with_addresses} was lost in the middle of the run: {checks} not decided"


def accepting_headline(group: Group) -> str:
    """Of a whole host, or of ports over which nothing can be sent."""
    seen = group.first.observation
    if seen.detail == WINDOW_STAYS_ZERO:
        return f"{group.ports} on {group.where}: accepted, but nothing can ever be sent"
    undecided = f"{plural(group.port_count, 'port')} not decided"
    if seen.responder is None or seen.rejected_by_target:
        return f"{group.hosts_with_addresses} seems to accept every connection: {undecided}"
    device = f"{seen.responder}, or something right behind it,"
    return f"{device} probably answers for {group.hosts_with_addresses}: {undecided}"


def mute_headline(group: Group) -> str:
    hosts = group.hosts_with_addresses
    does = "does" if len(group.hosts) == 1 else "do"
    return f"{hosts} {does} not answer at all: {plural(group.port_count, 'port')} asked, all silent"


def unreachable_headline(group: Group) -> str:
    return f"{group.hosts_with_addresses} cannot be reached"


def idle_headline(group: Group) -> str:
    ports = plural(group.port_count, "required port")
    addresses = {verdict.check.address for verdict in group.verdicts}
    unsure = any(
        v.check.expect is Expect.REACHABLE and v.check.address in addresses and v.finding is Finding.UNDETERMINED
        for v in group.context.verdicts
    )
    by_hand = not any(verdict.check.documents for verdict in group.verdicts)
    meaning = "nothing seems to listen there" if by_hand else "the product does not seem to run there"
    return f"{group.hosts_with_addresses} refuses {'' if unsure else 'all '}{ports}: {meaning}"


def idle_evidence(group: Group) -> tuple[str, ...]:
    doubtful = {(v.check.transport, v.check.port) for v in group.verdicts if v.doubtful}
    if not doubtful:
        return because(group)
    return (*because(group), f"For {len(doubtful)} of them the document is doubtful anyway.")


def doubtful_headline(group: Group) -> str:
    return f"{group.ports} on {group.where}: no service found, but the document is doubtful there"


def of_ports(text: str) -> Sentence:
    """A headline over ports and hosts: {ports}, {where}, {be}, {these}, {answer}, {probably}, {responder}, {spoken},
    and what is said of a protocol without ports in place of {listen} and {silent}."""

    def headline(group: Group) -> str:
        return text.format(
            ports=group.ports,
            where=group.where,
            be=are(group.port_count),
            these=these(group.port_count),
            answer="answers" if group.port_count == 1 else "answer",
            probably="probably " if _is_guess(group.first.observation) else "",
            responder=group.rejected_by,
            spoken=titles(filter(None, [group.first.observation.speaks])),
            listen="speak it" if group.first.check.port is None else "listen",
            silent="dropped by the host's firewall" if group.first.check.port is None else "nothing listens",
        )

    return headline


def _is_guess(seen: Observation) -> bool:
    """Inferred, or a silence that a limit on ICMP errors may explain: the detail says so."""
    return seen.inferred or doubt_of_silence(seen) is not None
