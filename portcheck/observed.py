"""What was observed, in words: the fields that the sentences of a verdict are filled with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    ICMP_MUTE,
    IN_EPHEMERAL_RANGE,
    NEEDS_SOURCE_PORT_68,
    OTHER_WITHOUT_TOKEN,
    OWN_ROUTE_LOST,
    REPLIED_FROM,
    RESERVED,
    SILENT_WITHOUT_TOKEN,
    WINDOW_STAYS_ZERO,
    Observation,
    PortState,
    Reason,
    Transport,
)
from portcheck.facts import Facts
from portcheck.holding import UNNAMED, holders, who_holds
from portcheck.model import LOOPBACK, NOT_SEEN, WILDCARD, Answers, Check, Expect, Family, Seen, Sight
from portcheck.ports import format_by_transport
from portcheck.printable import printable
from portcheck.protocols import titles, why_silent
from portcheck.wording import listed, plural

_KNOWN_AS = 4
"""Services that are named for an unexpected port; Windows has forty on 135."""
NO_RULES = "no-rules"
"""Detail of rules-accept: there are no rules at all."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What the packets of a transport are called, and what is said when one is answered.

    Attributes:
        refused: the passive half of a sentence about a refusal.
        says_closed: how a host says that nothing is there; {host}, {icmp} and {name} are filled in.
    """

    packet: str
    answered: str
    refused: str = "It was refused"
    says_closed: str = "{host} answered with ICMP {icmp}: it does not speak {name}"


_WORDS: Mapping[Transport, _Words] = {
    Transport.TCP: _Words("SYN", "accepted the connection", "The connection was refused"),
    Transport.UDP: _Words(
        "datagram", "answered", says_closed="{host} refused it with ICMP {icmp}: nothing listens on this UDP port"
    ),
    Transport.ICMP: _Words("echo request", "answered the echo request"),
    Transport.GRE: _Words("GRE packet", "answered a GRE packet"),
    Transport.ESP: _Words("ESP packet", "answered an ESP packet"),
    Transport.AH: _Words("AH packet", "answered an AH packet"),
}

_UNKNOWN_SENTENCES: Mapping[Reason, str] = {
    Reason.NO_ROUTE: "This machine has no route to {host}.",
    Reason.NAME_UNRESOLVED: "The name has no address: {detail}.",
    Reason.ICMP_RATE_LIMITED: "No answer, and {limiter} limits how many ICMP errors it sends: "
    "whether this port is rejected or dropped could not be told.",
    Reason.ANSWERS_EVERYTHING: "{host} accepts connections on random ports too, which nobody expects to be open: "
    "that this one was accepted proves nothing. {who_accepts}",
    Reason.RESET_AFTER_HANDSHAKE: "The connection was accepted and reset at once: {a_proxy} answered for {host} and "
    "nothing seems to listen behind it, or the service turns this machine away.",
    Reason.LOST_CONTACT: "{host} stopped answering as before in the middle of the run{in_detail}, even on a port that "
    "had answered: it banned this machine, restarted, or the network between went away. "
    "What was not decided by then is not known.",
    Reason.DEADLINE: "The deadline ended the run before this port was decided.",
    Reason.INTERRUPTED: "The run was interrupted before this port was decided.",
    Reason.NEEDS_PRIVILEGE: "This process may not send such packets: that takes a privilege ({detail}).",
    Reason.LOCAL_FIREWALL: "A firewall or a routing rule of this machine rejects it{by_icmp}: "
    "nothing left for the network.",
    Reason.LOCAL_FD_LIMIT: "This machine has no free file descriptors: raise the limit (ulimit -n).",
    Reason.LOCAL_NO_PORTS: "This machine has no free local ports towards {host}.",
    Reason.LOCAL_ERROR: "This machine could not send: {detail}.",
}

_REFINED_SENTENCES: Mapping[tuple[Reason, str | None], str] = {
    (Reason.ANSWERS_EVERYTHING, WINDOW_STAYS_ZERO): "The connection was accepted with a receive window of zero that "
    "never opened: {a_proxy} answered for {host} and nothing answers behind it, or it is a tarpit.",
    (Reason.LOST_CONTACT, OWN_ROUTE_LOST): "This machine lost its route to {host} in the middle of the run. "
    "What was not decided by then is not known.",
    # What Linux says of a route of the kind `blackhole`.
    (Reason.LOCAL_ERROR, "EINVAL"): "A route of this machine discards it: ip route get {address}.",
}
"""Where the detail makes another sentence true."""

_UDP_SENTENCES: Mapping[Reason, str] = {
    Reason.ICMP_RATE_LIMITED: "No answer, and {limiter} limits how many ICMP errors it sends: --udp-budget "
    "ended before it could be told whether this port is closed, rejected, dropped, or open and silent.",
}
"""Where another sentence is true without a connection."""

_OWN_SENTENCES: Mapping[Reason, str] = {
    Reason.LOCAL_ERROR: "This machine could not tell: {detail}.",
    Reason.NEEDS_PRIVILEGE: "This process may not look at it: {detail}.",
}
"""Where another sentence is true of the machine that we stand on."""

_UNREACHABLE_SENTENCES: Mapping[Reason, str] = {
    Reason.ARP_FAILURE: "Nobody on this network segment answers for {host} (ARP or neighbour discovery failed){gone}: "
    "it is down, or has another address.",
    Reason.HOST_UNREACH: "{responder} reports that it cannot reach {host} (ICMP {icmp}){inferred}.",
    Reason.NET_UNREACH: "{responder} reports that it has no way to {host} (ICMP {icmp}){inferred}.",
}

_DEAD_ROUTER = (
    "The way to {host} leads over {detail}, and nobody on this network segment answers for that router "
    "(ARP or neighbour discovery failed): nothing was learnt about the host."
)

_TIME_EXCEEDED = frozenset({(Family.IPV4, 11), (Family.IPV6, 3)})
"""RFC 792, RFC 4443 3.3: packets that run in circles. A network that is unreachable, but not in ICMP's words."""

_REJECTED_SEEN = "{responder} answered with ICMP {icmp}{not_the_host}"
_REJECTED_INFERRED = "Probably rejected by {rejecter}{limits}: ICMP {icmp}{inferred}"

_ICMP_NAMES: Mapping[Reason, str] = {
    Reason.PORT_UNREACH: "port unreachable",
    Reason.ADMIN_PROHIBITED: "administratively prohibited",
    Reason.PROTO_UNREACH: "protocol unreachable",
    Reason.HOST_UNREACH: "host unreachable",
    Reason.NET_UNREACH: "network unreachable",
}


def by_dead_router(observation: Observation) -> bool:
    """The engine names the router in the detail: our kernel looked for it, and never got to ask for the host."""
    return observation.reason is Reason.ARP_FAILURE and observation.detail is not None


def doubt_of_silence(observation: Observation) -> str | None:
    """What else a silence may be than a packet that was dropped on its way: the engine says it in the detail."""
    echo = observation.probe.transport is Transport.ICMP
    return None if observation.reason is not Reason.NO_RESPONSE or echo else observation.detail


def stays_here(check: Check, observation: Observation) -> bool:
    """Whether it was this machine itself that was asked, so that nobody stands between.

    To an address of its own the kernel sends from the very same.
    """
    if check.is_own:
        return True
    ours = (attempt.source_address for attempt in observation.attempts)
    return check.address is not None and check.address in (*LOOPBACK.values(), *ours)


def fields(
    check: Check,
    observation: Observation,
    facts: Facts,
    secrets: frozenset[str] = frozenset(),
    seen: Seen = NOT_SEEN,
) -> dict[str, str]:
    """Everything that a sentence may name.

    Args:
        secrets: those that were given, by field name of Secrets.
        seen: what the stand-ins say of it.
    """
    address = check.address or check.host
    host = check.host if check.host == address else f"{check.host} ({address})"
    responder = observation.responder
    from_host = observation.rejected_by_target
    words = _WORDS[check.transport]
    own = stays_here(check, observation)
    found = {
        "host": host,
        "address": address,
        "name_of_host": check.host,
        "port": check.port_text,
        "name": check.transport.upper(),
        "answered": words.answered,
        "it_was_refused": words.refused,
        "rtt": f" in {observation.rtt_ms:.1f} ms" if observation.rtt_ms is not None else "",
        "responder": "The host itself" if from_host else responder or "Somebody",
        # Not "is not the host": a host of several addresses may answer from another one.
        "not_the_host": "" if from_host or responder is None else f"; that is not {address}",
        "icmp": _icmp(check, observation),
        "by_icmp": f" (ICMP {_icmp(check, observation)})" if observation.icmp else "",
        "tries": _tries(check.transport, observation),
        "others_answered": _others_answered(check, facts),
        "detail": observation.detail or "no details",
        "in_detail": f" ({observation.detail})" if observation.detail not in (None, ICMP_ALIVE, ICMP_MUTE) else "",
        "doubt": sentence(check.doubt or ""),
        "gone": f", although {_others_answered(check, facts)} in this run" if facts.alive else "",
        "or_reset": "" if own else ", or a firewall resets it; the path is probably open",
        "or_rejected": "" if own else ", or a firewall rejects it in the host's name; the path is probably open",
        "or_dropped": _or_dropped(check),
        "named_for": " and ".join(check.named_for),
        "known_as": f"; the documents have it for {listed(check.known_as, _KNOWN_AS)}" if check.known_as else "",
    }
    found |= _reply(check, observation) | _inference(observation) | _somebody_between(observation)
    found |= _stand_in(check, observation, seen) | _own_port(observation, seen)
    found["says_closed"] = words.says_closed.format_map(found)
    unreachable = _DEAD_ROUTER if by_dead_router(observation) else _UNREACHABLE_SENTENCES.get(observation.reason, "")
    found["unreachable"] = unreachable.format_map(found)
    found["rejected"] = (_REJECTED_INFERRED if observation.inferred else _REJECTED_SEEN).format_map(found)
    found["silence"] = _silence(check, observation, facts, found, _may_be(check, observation, secrets))
    found["silence_before"] = _silence(check, observation, facts, found, _may_be_free(check, observation))
    found["unknown"] = _unknown_sentence(check, observation).format_map(found)
    return found


def undecided_because_of(limiter: str) -> str:
    """What is said of ports without a connection that were not decided in time."""
    return _UDP_SENTENCES[Reason.ICMP_RATE_LIMITED].format(limiter=limiter)


def sentence(text: str) -> str:
    """With its full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _reply(check: Check, observation: Observation) -> dict[str, str]:
    """What the answer says, at the end of a sentence or in the middle of one, and what it should have been."""
    said = (observation.answer or "").rstrip(".")
    detail = observation.detail or ""
    elsewhere = detail.removeprefix(REPLIED_FROM) if detail.startswith(REPLIED_FROM) else None
    if observation.state is not PortState.OPEN:
        said, elsewhere = "", None
    return {
        "said": f": {said}" if said else "",
        "aside": f" ({said})" if said else "",
        "from_elsewhere": f"; the answer came from {elsewhere}, which was not asked" if elsewhere else "",
        "spoken": titles([observation.speaks]) if observation.speaks else "something else",
        "expected": titles(check.speaks),
    }


def _or_dropped(check: Check) -> str:
    """What a silent system may be, that drops what nothing listens for."""
    if check.transport is Transport.ICMP:
        return "This system's own firewall may drop echo requests: blocked there, or on the way"
    return "This system stays silent when nothing listens: blocked, or not listening"


# ------------------------------------------------------------------------------------ stand-ins and holders

_WITHOUT_TOKEN = {
    CLOSED_WITHOUT_TOKEN: "closed it without a token",
    SILENT_WITHOUT_TOKEN: "stayed silent, without a token",
    OTHER_WITHOUT_TOKEN: "sent something that is no token",
}
"""What an open port did that was asked for a stand-in's token, by detail."""


def _stand_in(check: Check, observation: Observation, seen: Seen) -> dict[str, str]:
    """How a sentence tells what stand-ins say."""
    who = printable(seen.who or "somebody", 200)
    unable = f" ({printable(seen.detail, 200)})" if seen.detail else ""
    unheard = {
        Sight.ABSENT: f"no stand-in of {check.host} was heard",
        Sight.UNOPENED: f"our stand-in on {check.host} was not started for this port",
        Sight.CUT_SHORT: f"the run ended before a stand-in on {check.host} could be asked",
        Sight.UNREPORTED: f"our stand-in on {check.host} did not say whether it opened this port",
    }
    return {
        "who": f"{who[:1].upper()}{who[1:]}",
        "translated": _translated(observation, seen),
        "without_token": _WITHOUT_TOKEN.get(observation.detail or "", _WITHOUT_TOKEN[OTHER_WITHOUT_TOKEN]),
        "unable": f"; our stand-in there could not open this port{unable}" if seen.sight is Sight.UNABLE else "",
        "no_stand_in": unheard.get(seen.sight, ""),
        "arrived_port": f"{seen.echo.port}" if seen.echo is not None else "",
    }


def _translated(observation: Observation, seen: Seen) -> str:
    """Which addresses changed on the way."""
    arrived = f"; the question arrived at {seen.translated}" if seen.translated else ""
    came_from = observation.translated_source
    origin = f"{' and' if arrived else '; the question'} came from {came_from}" if came_from else ""
    return f"{arrived}{origin} there: addresses are translated on the way" if arrived or origin else ""


def _own_port(observation: Observation, seen: Seen) -> dict[str, str]:
    """How a sentence names who has a port, and what the kernel may do with it."""
    detail = observation.detail or ""
    addresses = list(dict.fromkeys(holder.address for holder in observation.holders if not holder.connected))
    wide = any(address in WILDCARD.values() for address in addresses)
    bound = printable(", ".join(addresses), 200)
    who = who_holds(holders(observation, seen))
    return {
        "holder": f"{who[:1].upper()}{who[1:]}" if who.startswith(UNNAMED) else who,
        "bound": f" on {bound}" if bound and not wide else "",
        "bound_to": f"every address ({bound})" if wide else bound,
        "reserved": ", and reserved for a server" if detail == RESERVED else "",
        "ephemeral": detail.removeprefix(IN_EPHEMERAL_RANGE),
        "may_be_stand_in": detail,
        "no_rules": ": it has no rules" if detail == NO_RULES else "",
    }


# ------------------------------------------------------------------------------------------------- silence


def _silence(check: Check, observation: Observation, facts: Facts, found: Mapping[str, str], may_be: str) -> str:
    """A silence that proves nothing by itself: what else is known, and what it may be."""
    tries = found["tries"]
    if observation.detail not in (None, ICMP_ALIVE, ICMP_MUTE):
        lacking = observation.detail == NEEDS_SOURCE_PORT_68
        why = "which this process may not use" if lacking else f"and {observation.detail}"
        return f"No answer to {tries}: {titles(check.speaks) or 'it'} answers source port 68 only, {why}"
    if observation.detail == ICMP_ALIVE:
        beside = f", while {found['host']} reports closed ports"
    elif not facts.alive:
        beside = f", and nothing else came from {found['host']} during this run"
    elif observation.detail == ICMP_MUTE:
        beside = f", and {found['host']} never sent an ICMP error during this run"
    else:
        beside = " and no ICMP error"
    return f"No answer to {tries}{beside}: {may_be}"


def silence_of_several(
    checks: Sequence[Check],
    observations: Sequence[Observation],
    hosts: str,
    secrets: frozenset[str],
    before_install: bool = False,
) -> str:
    """The same of UDP ports that were asked in different protocols, and about which the rest of the run says the same.

    Args:
        hosts: what they are called.
        before_install: none of the services is there yet.
    """
    fewest, most = (bound(len(seen.attempts) for seen in observations) for bound in (min, max))
    tries = f"{'at least ' if fewest < most else ''}{plural(fewest, 'datagram')} each"
    reported = observations[0].detail == ICMP_ALIVE
    one = len({check.host for check in checks}) == 1
    beside = f"while {hosts} {'reports' if one else 'report'} closed ports" if reported else "and no ICMP error"
    if before_install:
        return f"No answer to {tries}, {beside}: {_may_be_free(checks[0], observations[0])}."
    asked: dict[tuple[str, ...], list[tuple[Transport, int | None]]] = {}
    for check in checks:
        key, known = (check.transport, check.port), asked.setdefault(check.speaks, [])
        known.extend([] if key in known else [key])
    each = (f"{format_by_transport(ports)} to {_requests(speaks, secrets)}" for speaks, ports in asked.items())
    closed = "" if reported else "closed, "
    return f"No answer to {tries}, {beside}: {closed}dropped, or open and silent: {listed(list(each), between='; ')}."


def _requests(speaks: Iterable[str], secrets: frozenset[str]) -> str:
    """What a port was asked, and why it may be silent to that."""
    if not (names := titles(speaks)):
        return "empty datagrams, for what would make it answer is not known"
    why = why_silent(speaks, secrets)
    return f"{names} requests" + (f" ({why})" if why else "")


_WITHOUT_PORTS = "dropped, ignored, or in use with known peers only"


def _may_be(check: Check, observation: Observation, secrets: frozenset[str]) -> str:
    """What looks like this silence."""
    if check.transport is not Transport.UDP:
        return _WITHOUT_PORTS
    closed = "" if observation.detail == ICMP_ALIVE else "closed, "
    return f"{closed}dropped, or open{_without_answer(check, secrets)}"


def _may_be_free(check: Check, observation: Observation) -> str:
    """The same before the install: a free port is closed, and whatever answers nobody is not there yet."""
    if check.transport is not Transport.UDP:
        return _WITHOUT_PORTS
    return "dropped, or in use already" if observation.detail == ICMP_ALIVE else "free, in use, or dropped"


def _without_answer(check: Check, secrets: frozenset[str]) -> str:
    """How the half sentence goes on after `open`."""
    if check.expect is Expect.NOT_OPEN:
        return " and silent"  # Of swept ports it may stand for many, which were asked in different protocols.
    if check.answers is Answers.NEVER:
        return "; healthy or not, it does not answer strangers"
    if check.answers is Answers.WITH_SECRET:
        return "; healthy or not, it answers only who knows its secret"
    if not check.speaks:
        return " and silent; what would make it answer is not known, so the datagrams were empty"
    return f" and silent to {_requests(check.speaks, secrets)}"


# ----------------------------------------------------------------------------------------------- who it was


def _inference(observation: Observation) -> dict[str, str]:
    """How a sentence says that the port itself was silent, and others of its address were rejected."""
    if not observation.inferred:
        return {"probably": "", "inferred": "", "rejecter": "", "limits": ""}
    return {
        "probably": "probably ",
        "inferred": f", {observation.detail or 'seen on other ports'} of this host",
        "rejecter": "the host itself" if observation.rejected_by_target else observation.responder or "a router",
        # The engine counts the ports where a limit is its reason to infer.
        "limits": ", which limits how many such answers it sends" if observation.detail else "",
    }


def _somebody_between(observation: Observation) -> dict[str, str]:
    """How a sentence names who may accept connections, or keep back ICMP errors, in place of the host."""
    responder = observation.responder
    if observation.rejected_by_target:
        return {
            "limiter": "the host itself",
            "a_proxy": "a SYN proxy on the host itself",
            "who_accepts": "Probably something on the host itself answers for all its ports.",
        }
    if responder is None:
        return {
            "limiter": "a router on the way",
            "a_proxy": "a SYN proxy",
            "who_accepts": "Something on the way, or on the host itself, answers for all its ports.",
        }
    return {
        "limiter": responder,
        "a_proxy": f"a SYN proxy, probably {responder} or something right behind it,",
        "who_accepts": f"Probably {responder}, or something right behind it, answers for the host.",
    }


def _unknown_sentence(check: Check, observation: Observation) -> str:
    reason = observation.reason
    general = _UNKNOWN_SENTENCES.get(reason, "Not measured.")
    if check.is_own:
        return _OWN_SENTENCES.get(reason, general)
    if check.transport is not Transport.TCP:
        general = _UDP_SENTENCES.get(reason, general)
    return _REFINED_SENTENCES.get((reason, observation.detail), general)


def _icmp(check: Check, observation: Observation) -> str:
    """What the ICMP error is called, with its numbers: `administratively prohibited (3/13)`."""
    name = _ICMP_NAMES.get(observation.reason, "")
    if observation.icmp is None:
        return name or "error"
    if (check.family, observation.icmp[0]) in _TIME_EXCEEDED:
        name = "time exceeded"
    code = f"{observation.icmp[0]}/{observation.icmp[1]}"
    return f"{name} ({code})" if name else code


def _tries(transport: Transport, observation: Observation) -> str:
    """How hard we tried: `8 SYNs from 2 source ports in 4.3 s`, `3 datagrams in 2.1 s`."""
    attempts = observation.attempts
    if not attempts:
        return "any probe"
    ends_s = max(attempt.started_s + attempt.lasted_s for attempt in attempts)
    lasted_s = ends_s - min(attempt.started_s for attempt in attempts)
    if transport is not Transport.TCP:
        return f"{plural(len(attempts), _WORDS[transport].packet)} in {lasted_s:.1f} s"
    counted = [attempt.syns for attempt in attempts if attempt.syns is not None]
    all_counted = len(counted) == len(attempts)
    sent = plural(sum(counted), "SYN") if all_counted else plural(len(attempts), "connection attempt")
    source_ports = {attempt.source_port for attempt in attempts if attempt.source_port is not None}
    origin = f" from {plural(len(source_ports), 'source port')}" if source_ports else ""
    return f"{sent}{origin} in {lasted_s:.1f} s"


def _others_answered(check: Check, facts: Facts) -> str:
    if not facts.answered:
        return "ICMP messages came from the same host"
    return f"{plural(facts.answered, 'port' if check.port is None else 'other port')} of the same host answered"
