"""What is said about a group of verdicts: the headline, the evidence, what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable

from portcheck.diagnosis.group import Group
from portcheck.engine.probe import OWN_ROUTE_LOST, WINDOW_STAYS_ZERO, Observation, PortState, Reason
from portcheck.model import Expect, UnitKind
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
    ports = {(v.check.transport, v.check.port) for v in group.verdicts}
    open_ones = [
        v
        for v in group.context.verdicts
        if (v.check.transport, v.check.port) in ports
        and v.check.expect is Expect.REACHABLE
        and v.observation.state is PortState.OPEN
    ]
    others = sorted({v.check.host for v in open_ones} - set(group.hosts))
    same = sorted({str(v.check.address) for v in open_ones if v.check.host in group.hosts})
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


def because_and_known_for(group: Group) -> tuple[str, ...]:
    """The sentence, and what is known to use these ports; of several ports, each has its own line."""
    known = {v.check.port_text: v.known_for for v in group.verdicts if v.known_for}
    if group.port_count == 1:
        return (*because(group), *(f"Known for: {text}." for text in known.values()))
    sentence = "The connections were accepted, and nothing that is in use here expects these ports."
    shown = [f"{port} is known for: {text}." for port, text in list(known.items())[:_KNOWN_SHOWN]]
    more = len(known) - len(shown)
    return (sentence, *shown, *([f"{plural(more, 'more port')} known: see the JSON report."] if more else []))


def close_or_accept(group: Group) -> str | None:
    return f"Close {these(group.port_count)}, or accept {these(group.port_count)} in a site file (offers: or waivers:)."


def allow_and_look(group: Group) -> str | None:
    """For hosts that are silent where nothing listens: both may be true."""
    return f"{allow(group)} And look on {listed(group.hosts)} whether anything listens there."


def nothing(group: Group) -> str | None:
    return None


def advise(text: str) -> Remedy:
    return lambda group: text


def allow(group: Group) -> str | None:
    """The line for the firewall team: from where, to where, which ports."""
    addresses = list(dict.fromkeys(v.check.address for v in group.verdicts if v.check.address))
    return f"Allow {group.port_numbers} from {group.sender} to {listed(addresses, _ADDRESSES_NAMED)}."


def ask_responder(group: Group) -> str | None:
    request = allow(group)
    seen = group.first.observation
    if seen.responder is None or seen.rejected_by_target:
        return request
    return f"{request} Ask whoever runs {seen.responder}."


def start_service(group: Group) -> str | None:
    units = list(dict.fromkeys(unit for verdict in group.verdicts for unit in verdict.check.units))
    hosts = listed(group.hosts)
    services = [name for kind, name in units if kind is UnitKind.WINDOWS]
    systemd = [name for kind, name in units if kind is UnitKind.SYSTEMD]
    called = f" Windows calls it {listed(services, _UNITS_NAMED)}." if services else ""
    if not systemd:
        return f"Is the service running on {hosts}?{called}"
    more = f" (and {len(systemd) - _UNITS_NAMED} more)" if len(systemd) > _UNITS_NAMED else ""
    return f"On {hosts}: systemctl status {' '.join(systemd[:_UNITS_NAMED])}{more}{called}"


def free_the_port(group: Group) -> str | None:
    who = "ss -ltnp (Windows: netstat -abn)"
    return f"Stop or move what listens there before the install; on {listed(group.hosts)}: {who}"


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
    by_hand = not any(verdict.check.documents for verdict in group.verdicts)
    meaning = "nothing seems to listen there" if by_hand else "the product does not seem to run there"
    return f"{group.hosts_with_addresses} refuses all {ports}: {meaning}"


def idle_evidence(group: Group) -> tuple[str, ...]:
    doubtful = {(v.check.transport, v.check.port) for v in group.verdicts if v.doubtful}
    if not doubtful:
        return because(group)
    return (*because(group), f"For {len(doubtful)} of them the document is doubtful anyway.")


def doubtful_headline(group: Group) -> str:
    return f"{group.ports} on {group.where}: no service found, but the document is doubtful there"


def unsupported_headline(group: Group) -> str:
    return plural(group.check_count, f"{group.first.check.transport.upper()} flow")


def of_ports(text: str) -> Sentence:
    """A headline over ports and hosts: {ports}, {where}, {be}, {these}, {answer}, {probably}, {responder}."""

    def headline(group: Group) -> str:
        return text.format(
            ports=group.ports,
            where=group.where,
            be=are(group.port_count),
            these=these(group.port_count),
            answer="answers" if group.port_count == 1 else "answer",
            probably="probably " if _is_guess(group.first.observation) else "",
            responder=group.rejected_by,
        )

    return headline


def _is_guess(seen: Observation) -> bool:
    """Inferred, or a silence that a limit on ICMP errors may explain: the detail says so."""
    return seen.inferred or (seen.reason is Reason.NO_RESPONSE and seen.detail is not None)
