"""What is said about a group of verdicts: the headline, the evidence, what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable

from portcheck.diagnosis.group import Group
from portcheck.engine.probe import PortState
from portcheck.model import Expect
from portcheck.wording import are, listed, plural, these

_ADDRESSES_NAMED = 50
_UNITS_NAMED = 6

Sentence = Callable[[Group], str]
Evidence = Callable[[Group], tuple[str, ...]]
Remedy = Callable[[Group], str | None]


def because(group: Group) -> tuple[str, ...]:
    return (group.first.because,)


def because_and_pattern(group: Group) -> tuple[str, ...]:
    """The first verdict's sentence, and what the other hosts of the same port tell about the place of the rule."""
    pattern = _pattern(group)
    return (*because(group), *([pattern] if pattern else []))


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
    if not units:
        return f"Is the service running on {listed(group.hosts)}?"
    more = f" (and {len(units) - _UNITS_NAMED} more)" if len(units) > _UNITS_NAMED else ""
    return f"On {listed(group.hosts)}: systemctl status {' '.join(units[:_UNITS_NAMED])}{more}"


def free_the_port(group: Group) -> str | None:
    return f"Stop or move what listens there before the install; on {listed(group.hosts)}: ss -ltnp"


def ask_for_the_way_out(group: Group) -> str | None:
    return (
        f"Is there a way from {group.sender} to their networks? Look at this machine's own firewall, "
        "its routes, and the first firewall on the way."
    )


def mute_headline(group: Group) -> str:
    hosts = group.hosts_with_addresses
    does = "does" if len(group.hosts) == 1 else "do"
    return f"{hosts} {does} not answer at all: {plural(group.port_count, 'port')} asked, all silent"


def unreachable_headline(group: Group) -> str:
    return f"{group.hosts_with_addresses} cannot be reached"


def idle_headline(group: Group) -> str:
    ports = plural(group.port_count, "required port")
    return f"{group.hosts_with_addresses} refuses all {ports}: the product does not seem to run there"


def idle_evidence(group: Group) -> tuple[str, ...]:
    doubtful = {(v.check.transport, v.check.port) for v in group.verdicts if v.doubtful}
    if not doubtful:
        return because(group)
    return (*because(group), f"For {len(doubtful)} of them the document is doubtful anyway.")


def doubtful_headline(group: Group) -> str:
    return f"{group.ports} on {group.where}: no service found, but the document is doubtful there"


def unsupported_headline(group: Group) -> str:
    return plural(len(group.verdicts), f"{group.first.check.transport.upper()} flow")


def of_ports(text: str) -> Sentence:
    """A headline over ports and hosts: {ports}, {where}, {be}, {these}, {answer}, {responder}."""

    def headline(group: Group) -> str:
        return text.format(
            ports=group.ports,
            where=group.where,
            be=are(group.port_count),
            these=these(group.port_count),
            answer="answers" if group.port_count == 1 else "answer",
            responder=group.rejected_by,
        )

    return headline
