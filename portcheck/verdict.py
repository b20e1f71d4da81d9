"""What an observation means for a check: one table, looked up once. Pure.

`docs/reference/verdict-table.md` is generated from TABLE, and a test proves that the table is total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from portcheck.engine.probe import OWN_ROUTE_LOST, WINDOW_STAYS_ZERO, Answered, Observation, PortState, Reason, Word
from portcheck.measured import first_probe, observation_of, size
from portcheck.model import (
    DOUBTED,
    LOOPBACK,
    Certainty,
    Check,
    Expect,
    Family,
    Finding,
    Level,
    Outcome,
    Phase,
    Summary,
    Unexpected,
    Verdict,
)
from portcheck.wording import listed, plural


class Evidence(Word):
    """What was observed, as far as a verdict depends on it."""

    OPEN = "open"
    RESET = "refused by the host's address"
    REFUSED = "refused, by whom is unknown"
    UDP_CLOSED = "port-unreachable from the host (UDP)"
    REJECTED = "rejected by ICMP, host answers elsewhere"
    REJECTED_MUTE = "rejected by ICMP, host never answers"
    HOST_DOWN = "no host there"
    SILENCE = "silence, host answers elsewhere"
    MUTE_HOST = "silence, host never answers"
    SILENT_BY_DESIGN = "silence, host drops what is closed"
    UDP_SILENCE = "open|filtered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What all observations of one run say about one address.

    Attributes:
        answered: ports that answered from the address itself, open or closed.
        alive: anything at all came from the address itself.
    """

    answered: int = 0
    alive: bool = False


@dataclass(frozen=True, slots=True)
class Strictness:
    """What the user asked to be told more strictly than usual, or less."""

    weak_passes: bool = False
    sources: bool = False
    unexpected: Unexpected = Unexpected.FAIL


@dataclass(frozen=True, slots=True)
class Rule:
    """What an evidence comes to, and the sentence that says why. {fields} are filled by `_fields`."""

    outcome: Outcome
    finding: Finding
    because: str
    certainty: Certainty = Certainty.CERTAIN


_ACCEPTED = "{host} accepted the connection{rtt}."
_REFUSED_BY_HOST = "{host} refused the connection: nothing listens there{or_reset}."
_REFUSED_BY_SOMEBODY = (
    "The connection was refused and this platform does not show by whom: "
    "nothing listens there, or a firewall on the way rejects it."
)
_UDP_REFUSED = "{host} itself answered that nothing listens on this UDP port; the path is open."
_REJECTED = "{rejected}."
_REJECTED_MUTE = _REJECTED[:-1] + ", and nothing came from {host} itself during this run."
_UNREACHABLE = "{unreachable}"
_NO_ANSWER = "No answer to {tries}, while {answered}{in_detail}."
_NO_ANSWER_AT_ALL = "No answer to {tries}, and nothing else came from {host} during this run{in_detail}."
_NO_ANSWER_BY_DESIGN = (
    "No answer to {tries}{in_detail}. This system stays silent when nothing listens: blocked, or not listening."
)
_UDP_SILENCE = "No answer and no ICMP error: open and silent, or dropped."
_UNKNOWN = "{unknown}"

_PASS, _FAIL, _INFO, _UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INFO, Outcome.INCONCLUSIVE
_PRE, _INST = Phase.PREINSTALL, Phase.INSTALLED
_REACH, _LOCAL, _ALLOWED, _NOT_OPEN = Expect.REACHABLE, Expect.LOCAL_ONLY, Expect.ALLOWED, Expect.NOT_OPEN
_E = Evidence

TABLE: Mapping[tuple[Phase, Expect, Evidence] | tuple[Expect, Evidence], Rule] = {
    # Before the install nothing of the product listens yet.
    (_PRE, _REACH, _E.OPEN): Rule(
        _FAIL, Finding.OCCUPIED, "Something listens on this port already: the product cannot use it."
    ),
    (_PRE, _REACH, _E.RESET): Rule(
        _PASS,
        Finding.OK,
        "{host} refused the connection: the path is open and the port is free, "
        "unless a firewall resets connections, which looks the same.",
        Certainty.WEAK,
    ),
    (_PRE, _REACH, _E.REFUSED): Rule(
        _PASS,
        Finding.OK,
        "The connection was refused: the path is open and the port is free, "
        "unless a firewall rejects it, which looks the same on this platform.",
        Certainty.WEAK,
    ),
    (_PRE, _REACH, _E.UDP_CLOSED): Rule(_UNSURE, Finding.UNDETERMINED, _UDP_REFUSED),
    (_PRE, _REACH, _E.REJECTED): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_PRE, _REACH, _E.REJECTED_MUTE): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_PRE, _REACH, _E.HOST_DOWN): Rule(_FAIL, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_PRE, _REACH, _E.SILENCE): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER),
    (_PRE, _REACH, _E.MUTE_HOST): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_PRE, _REACH, _E.SILENT_BY_DESIGN): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_BY_DESIGN),
    (_PRE, _REACH, _E.UDP_SILENCE): Rule(_UNSURE, Finding.UNDETERMINED, _UDP_SILENCE),
    (_PRE, _REACH, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # The product is installed.
    (_INST, _REACH, _E.OPEN): Rule(_PASS, Finding.OK, _ACCEPTED),
    (_INST, _REACH, _E.RESET): Rule(_FAIL, Finding.NOT_LISTENING, _REFUSED_BY_HOST),
    (_INST, _REACH, _E.REFUSED): Rule(_FAIL, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_INST, _REACH, _E.UDP_CLOSED): Rule(_FAIL, Finding.NOT_LISTENING, _UDP_REFUSED),
    (_INST, _REACH, _E.REJECTED): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_INST, _REACH, _E.REJECTED_MUTE): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_INST, _REACH, _E.HOST_DOWN): Rule(_FAIL, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_INST, _REACH, _E.SILENCE): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER),
    (_INST, _REACH, _E.MUTE_HOST): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_INST, _REACH, _E.SILENT_BY_DESIGN): Rule(_FAIL, Finding.NO_ANSWER, _NO_ANSWER_BY_DESIGN),
    (_INST, _REACH, _E.UDP_SILENCE): Rule(_UNSURE, Finding.UNDETERMINED, _UDP_SILENCE),
    (_INST, _REACH, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that may be open, and need not be.
    (_ALLOWED, _E.OPEN): Rule(_INFO, Finding.OK, _ACCEPTED),
    (_ALLOWED, _E.RESET): Rule(_INFO, Finding.NOT_LISTENING, _REFUSED_BY_HOST),
    (_ALLOWED, _E.REFUSED): Rule(_INFO, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_ALLOWED, _E.UDP_CLOSED): Rule(_INFO, Finding.NOT_LISTENING, _UDP_REFUSED),
    (_ALLOWED, _E.REJECTED): Rule(_INFO, Finding.REJECTED, _REJECTED),
    (_ALLOWED, _E.REJECTED_MUTE): Rule(_INFO, Finding.REJECTED, _REJECTED),
    (_ALLOWED, _E.HOST_DOWN): Rule(_INFO, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_ALLOWED, _E.SILENCE): Rule(_INFO, Finding.BLOCKED, _NO_ANSWER),
    (_ALLOWED, _E.MUTE_HOST): Rule(_INFO, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_ALLOWED, _E.SILENT_BY_DESIGN): Rule(_INFO, Finding.NO_ANSWER, _NO_ANSWER_BY_DESIGN),
    (_ALLOWED, _E.UDP_SILENCE): Rule(_INFO, Finding.UNDETERMINED, _UDP_SILENCE),
    (_ALLOWED, _E.UNKNOWN): Rule(_INFO, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that only the host itself should be able to reach.
    (_LOCAL, _E.OPEN): Rule(
        _FAIL, Finding.EXPOSED, "{host} accepted the connection from here, but the service is for localhost only."
    ),
    (_LOCAL, _E.RESET): Rule(_PASS, Finding.OK, "{host} refuses it from outside, as it should."),
    (_LOCAL, _E.REFUSED): Rule(_PASS, Finding.OK, "Refused from outside, as it should be."),
    (_LOCAL, _E.UDP_CLOSED): Rule(_PASS, Finding.OK, "{host} refuses it from outside, as it should."),
    (_LOCAL, _E.REJECTED): Rule(_PASS, Finding.OK, "{responder} {probably}rejects it from outside{inferred}."),
    (_LOCAL, _E.REJECTED_MUTE): Rule(_UNSURE, Finding.UNDETERMINED, _REJECTED_MUTE),
    (_LOCAL, _E.HOST_DOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNREACHABLE),
    (_LOCAL, _E.SILENCE): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_LOCAL, _E.MUTE_HOST): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_AT_ALL),
    (_LOCAL, _E.SILENT_BY_DESIGN): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_LOCAL, _E.UDP_SILENCE): Rule(_UNSURE, Finding.UNDETERMINED, _UDP_SILENCE),
    (_LOCAL, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that no active expectation names on this target.
    (_NOT_OPEN, _E.OPEN): Rule(
        _FAIL,
        Finding.UNEXPECTED_OPEN,
        "{host} accepted the connection{rtt}, and nothing that is in use here expects it{known_as}.",
    ),
    (_NOT_OPEN, _E.RESET): Rule(_PASS, Finding.OK, "{host} refused the connection."),
    (_NOT_OPEN, _E.REFUSED): Rule(_PASS, Finding.OK, "The connection was refused."),
    (_NOT_OPEN, _E.UDP_CLOSED): Rule(_PASS, Finding.OK, _UDP_REFUSED),
    (_NOT_OPEN, _E.REJECTED): Rule(_PASS, Finding.OK, "{responder} {probably}rejects it{inferred}."),
    (_NOT_OPEN, _E.REJECTED_MUTE): Rule(_UNSURE, Finding.UNDETERMINED, _REJECTED_MUTE),
    (_NOT_OPEN, _E.HOST_DOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNREACHABLE),
    (_NOT_OPEN, _E.SILENCE): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_NOT_OPEN, _E.MUTE_HOST): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_AT_ALL),
    (_NOT_OPEN, _E.SILENT_BY_DESIGN): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_NOT_OPEN, _E.UDP_SILENCE): Rule(_INFO, Finding.UNDETERMINED, _UDP_SILENCE),
    (_NOT_OPEN, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
}

_NO_HOST = Rule(_INFO, Finding.NO_HOST, "No sign of life at {host}: probably no host has this address.")
_OPEN_TO_OTHERS = Rule(
    _INFO, Finding.OPEN_TO_OTHERS, "{host} accepted the connection{rtt}; the document names this port for {named_for}."
)

_UNEXPECTED_OUTCOMES: Mapping[Unexpected, Outcome] = {
    Unexpected.FAIL: Outcome.FAIL,
    Unexpected.WARN: Outcome.WARN,
    Unexpected.IGNORE: Outcome.INFO,
}

_KNOWN_AS = 4
"""Services that are named for an unexpected port; Windows has forty on 135."""

_NO_SIGN_OF_LIFE = frozenset({Evidence.MUTE_HOST, Evidence.HOST_DOWN, Evidence.SILENT_BY_DESIGN})
"""Unless something else came from the address."""

_STATE_EVIDENCE: Mapping[PortState, Evidence] = {
    PortState.OPEN: Evidence.OPEN,
    PortState.OPEN_FILTERED: Evidence.UDP_SILENCE,
    PortState.UNKNOWN: Evidence.UNKNOWN,
}

_CLOSED_EVIDENCE: Mapping[Reason, Evidence] = {
    Reason.CONN_REFUSED: Evidence.RESET,
    Reason.REFUSED_ORIGIN_UNKNOWN: Evidence.REFUSED,
    Reason.PORT_UNREACH: Evidence.UDP_CLOSED,
}

_FILTERED_EVIDENCE: Mapping[Reason, Evidence] = {
    Reason.PORT_UNREACH: Evidence.REJECTED,
    Reason.ADMIN_PROHIBITED: Evidence.REJECTED,
    Reason.PROTO_UNREACH: Evidence.REJECTED,
    Reason.HOST_UNREACH: Evidence.HOST_DOWN,
    Reason.NET_UNREACH: Evidence.HOST_DOWN,
    Reason.ARP_FAILURE: Evidence.HOST_DOWN,
    Reason.NO_RESPONSE: Evidence.SILENCE,
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
    Reason.UNSUPPORTED: "Not tested: {detail}.",
    Reason.LOCAL_FIREWALL: "This machine's own firewall rejects it{by_icmp}: nothing left for the network.",
    Reason.LOCAL_FD_LIMIT: "This machine has no free file descriptors: raise the limit (ulimit -n).",
    Reason.LOCAL_NO_PORTS: "This machine has no free local ports towards {host}.",
    Reason.LOCAL_ERROR: "This machine could not send: {detail}.",
}

_REFINED_SENTENCES: Mapping[tuple[Reason, str | None], str] = {
    (Reason.ANSWERS_EVERYTHING, WINDOW_STAYS_ZERO): "The connection was accepted with a receive window of zero that "
    "never opened: {a_proxy} answered for {host} and nothing answers behind it, or it is a tarpit.",
    (Reason.LOST_CONTACT, OWN_ROUTE_LOST): "This machine lost its route to {host} in the middle of the run. "
    "What was not decided by then is not known.",
}
"""Where the detail makes another sentence true."""

_NOT_TESTED = frozenset({Reason.UNSUPPORTED, Reason.DEADLINE, Reason.INTERRUPTED})

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


def facts_by_address(answers: Iterable[Answered]) -> dict[str, Facts]:
    """What the whole run shows about each address."""
    facts: dict[str, Facts] = {}
    for answered in answers:
        seen = answered if isinstance(answered, Observation) else observation_of(answered, first_probe(answered))
        address = seen.probe.address
        known = facts.setdefault(address, Facts())
        ports = size(answered) if seen.state in (PortState.OPEN, PortState.CLOSED) else 0
        if ports or seen.rejected_by_target:
            facts[address] = Facts(known.answered + ports, alive=True)
    return facts


def judge(
    check: Check, observation: Observation, facts: Facts, phase: Phase, strictness: Strictness | None = None
) -> Verdict:
    """The verdict of one check. `facts` is about the check's own address."""
    strictness = strictness or Strictness()
    evidence = evidence_of(check, observation, facts)
    phase = Phase.INSTALLED if check.present else phase
    rule = rule_for(phase, check.expect, evidence)
    lifeless = not facts.alive and evidence in _NO_SIGN_OF_LIFE and not _by_dead_router(observation)
    if check.from_network and lifeless:
        rule = _NO_HOST
    needed_there = check.needed_by_others or check.expect is Expect.LOCAL_ONLY
    if phase is Phase.PREINSTALL and evidence is Evidence.OPEN and needed_there:
        # Whoever may reach it later, the product needs the port: it is as taken as a required one.
        rule = rule_for(phase, Expect.REACHABLE, evidence)
    elif rule.finding is Finding.UNEXPECTED_OPEN and check.named_for:
        rule = replace(_OPEN_TO_OTHERS, outcome=Outcome.FAIL) if strictness.sources else _OPEN_TO_OTHERS
    elif rule.finding is Finding.UNEXPECTED_OPEN:
        rule = replace(rule, outcome=_UNEXPECTED_OUTCOMES[strictness.unexpected])
    if evidence is Evidence.UNKNOWN and observation.reason in _NOT_TESTED and not observation.attempts:
        rule = replace(rule, finding=Finding.NOT_TESTED)
    rule = _tempered(rule, check, strictness)
    because = rule.because.format_map(_fields(check, observation, facts))
    return Verdict(check, observation, rule.outcome, rule.finding, because, rule.certainty)


def evidence_of(check: Check, observation: Observation, facts: Facts) -> Evidence:
    """Read an observation in the light of what the rest of the run says about the host."""
    state, reason = observation.state, observation.reason
    if state in _STATE_EVIDENCE:
        return _STATE_EVIDENCE[state]
    if state is PortState.CLOSED:
        return _CLOSED_EVIDENCE[reason]
    evidence = _FILTERED_EVIDENCE[reason]
    if evidence is Evidence.HOST_DOWN and facts.alive and reason is not Reason.ARP_FAILURE:
        return Evidence.REJECTED  # The host is there: somebody rejects this port with that ICMP code.
    if evidence is Evidence.REJECTED and not facts.alive:
        return Evidence.REJECTED_MUTE
    if evidence is not Evidence.SILENCE:
        return evidence
    if check.silent_when_closed and (facts.alive or check.expect in (Expect.REACHABLE, Expect.ALLOWED)):
        return Evidence.SILENT_BY_DESIGN
    return Evidence.SILENCE if facts.alive else Evidence.MUTE_HOST


def _by_dead_router(observation: Observation) -> bool:
    """The engine names the router in the detail: our kernel looked for it, and never got to ask for the host."""
    return observation.reason is Reason.ARP_FAILURE and observation.detail is not None


def rule_for(phase: Phase, expect: Expect, evidence: Evidence) -> Rule:
    """The table's row; expectations other than `reachable` mean the same in every phase."""
    return TABLE[(phase, expect, evidence)] if expect is Expect.REACHABLE else TABLE[(expect, evidence)]


def _tempered(rule: Rule, check: Check, strictness: Strictness) -> Rule:
    """What a doubt, the level and --strict make of the table's rule."""
    if check.doubt and rule.finding in DOUBTED and rule.outcome is Outcome.FAIL:
        return replace(
            rule,
            outcome=Outcome.INCONCLUSIVE,
            because=rule.because + " The document is doubtful here: {doubt}",
        )
    if check.level is Level.RECOMMENDED and rule.outcome is Outcome.FAIL:
        return replace(rule, outcome=Outcome.WARN)
    if strictness.weak_passes and rule.outcome is Outcome.PASS and rule.certainty is Certainty.WEAK:
        return replace(rule, outcome=Outcome.INCONCLUSIVE, finding=Finding.UNDETERMINED)
    return rule


def _fields(check: Check, observation: Observation, facts: Facts) -> dict[str, str]:
    """Everything that a sentence may name."""
    address = check.address or check.host
    host = check.host if check.host == address else f"{check.host} ({address})"
    responder = observation.responder
    from_host = observation.rejected_by_target
    fields = {
        "host": host,
        "rtt": f" in {observation.rtt_ms:.1f} ms" if observation.rtt_ms is not None else "",
        "responder": "The host itself" if from_host else responder or "Somebody",
        # Not "is not the host": a host of several addresses may answer from another one.
        "not_the_host": "" if from_host or responder is None else f"; that is not {address}",
        "icmp": _icmp(check, observation),
        "by_icmp": f" (ICMP {_icmp(check, observation)})" if observation.icmp else "",
        "tries": _tries(observation),
        "answered": _ports_answered(facts),
        "detail": observation.detail or "no details",
        "in_detail": f" ({observation.detail})" if observation.detail else "",
        "doubt": _sentence(check.doubt or ""),
        "gone": f", although {_ports_answered(facts)} in this run" if facts.alive else "",
        # On loopback nobody stands between.
        "or_reset": "" if address in LOOPBACK.values() else ", or a firewall resets it; the path is probably open",
        "named_for": " and ".join(check.named_for),
        "known_as": f"; the documents have it for {listed(check.known_as, _KNOWN_AS)}" if check.known_as else "",
    }
    fields |= _inference(observation) | _somebody_between(observation)
    unreachable = _DEAD_ROUTER if _by_dead_router(observation) else _UNREACHABLE_SENTENCES.get(observation.reason, "")
    fields["unreachable"] = unreachable.format_map(fields)
    fields["rejected"] = (_REJECTED_INFERRED if observation.inferred else _REJECTED_SEEN).format_map(fields)
    fields["unknown"] = _unknown_sentence(observation).format_map(fields)
    return fields


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


def _unknown_sentence(observation: Observation) -> str:
    general = _UNKNOWN_SENTENCES.get(observation.reason, "Not measured.")
    return _REFINED_SENTENCES.get((observation.reason, observation.detail), general)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _icmp(check: Check, observation: Observation) -> str:
    """What the ICMP error is called, with its numbers: `administratively prohibited (3/13)`."""
    name = _ICMP_NAMES.get(observation.reason, "")
    if observation.icmp is None:
        return name or "error"
    if (check.family, observation.icmp[0]) in _TIME_EXCEEDED:
        name = "time exceeded"
    code = f"{observation.icmp[0]}/{observation.icmp[1]}"
    return f"{name} ({code})" if name else code


def _tries(observation: Observation) -> str:
    """How hard we tried: `8 SYNs from 2 source ports in 4.3 s`."""
    attempts = observation.attempts
    if not attempts:
        return "any probe"
    ends_s = max(attempt.started_s + attempt.lasted_s for attempt in attempts)
    lasted_s = ends_s - min(attempt.started_s for attempt in attempts)
    counted = [attempt.syns for attempt in attempts if attempt.syns is not None]
    all_counted = len(counted) == len(attempts)
    sent = plural(sum(counted), "SYN") if all_counted else plural(len(attempts), "connection attempt")
    source_ports = {attempt.source_port for attempt in attempts if attempt.source_port is not None}
    origin = f" from {plural(len(source_ports), 'source port')}" if source_ports else ""
    return f"{sent}{origin} in {lasted_s:.1f} s"


def _ports_answered(facts: Facts) -> str:
    if not facts.answered:
        return "the same host rejected other ports"
    return f"{plural(facts.answered, 'other port')} of the same host answered"


# ------------------------------------------------------------------------------------------------ summary


def summarise(
    verdicts: Iterable[Verdict], measured: Iterable[Answered], interrupted: bool, strict: bool, kept: int = 0
) -> Summary:
    """Count everything once; reports and the exit status only read the result.

    Args:
        measured: what this run asked by itself.
        kept: ports that an earlier run had asked.
    """
    listed = tuple(verdicts)
    sent = [_sent(answered) for answered in measured]
    count = {outcome: sum(v.count for v in listed if v.outcome is outcome) for outcome in Outcome}
    return Summary(
        checks=sum(v.count for v in listed),
        passed=count[Outcome.PASS],
        failed=count[Outcome.FAIL],
        warned=count[Outcome.WARN],
        inconclusive=count[Outcome.INCONCLUSIVE],
        informed=count[Outcome.INFO],
        weak=sum(v.count for v in listed if v.certainty is Certainty.WEAK),
        unprovable=sum(v.unprovable for v in listed),
        doubtful=sum(v.doubtful for v in listed),
        waived=sum(v.count for v in listed if v.waived is not None),
        hosts=len({v.check.host for v in listed if v.finding is not Finding.NO_HOST}),
        probes=sum(ports for ports, _ in sent),
        packets=sum(packets for _, packets in sent),
        kept=kept,
        exit_status=_exit_status(listed, interrupted, strict),
    )


def _sent(answered: Answered) -> tuple[int, int]:
    """The ports that were asked and the packets that it took."""
    if isinstance(answered, Observation):
        return bool(answered.attempts), sum(attempt.syns or 1 for attempt in answered.attempts)
    return min(len(answered.ports), answered.syns), answered.syns


def _exit_status(verdicts: tuple[Verdict, ...], interrupted: bool, strict: bool) -> int:
    """0: all that was asked for holds · 1: something failed · 3: nothing failed, but something is not known."""
    counted = [v for v in verdicts if v.waived is None]
    if any(v.outcome is Outcome.FAIL for v in counted):
        return 1
    # What answers nobody even in a healthy cluster is printed every time, but is no reason to wake somebody.
    asked = [v for v in counted if strict or not v.unprovable]
    unsure = any(v.outcome is Outcome.INCONCLUSIVE and v.check.expect is not Expect.ALLOWED for v in asked)
    examined = any(v.finding is not Finding.NO_HOST and v.observation.state is not PortState.UNKNOWN for v in verdicts)
    return 3 if interrupted or unsure or not examined else 0
