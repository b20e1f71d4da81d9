"""The reference of words and verdicts: what the program decides, beside what each word means (meanings.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from generator import meanings
from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    IN_EPHEMERAL_RANGE,
    MAY_BE_STAND_IN,
    OWN_HOST,
    REPLIED_FROM,
    UNASKED_TOKEN,
    Attempt,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Transport,
)
from portcheck.facts import Facts
from portcheck.model import NOT_SEEN, Certainty, Check, Expect, Family, Phase, Seen, Sight
from portcheck.verdict import Evidence, Rule, judge, rule_for


class _Vocabulary(NamedTuple):
    title: str
    introduction: str
    words: Mapping[str, str]


def _vocabularies() -> tuple[_Vocabulary, ...]:
    of = _Vocabulary
    return (
        of("Port states", "What was observed at a port: `state`. The words are nmap's.", _text(meanings.STATES)),
        of("Reasons", "The event that decided: `reason`. `unknown` has reasons of its own.", _text(meanings.REASONS)),
        of("Details", "What refines a reason: `detail`. Other reasons have free text there.", meanings.DETAILS),
        of(
            "How an attempt ends",
            "`result` of each attempt in `evidence`: a reason, or one of these.",
            meanings.ATTEMPT_RESULTS,
        ),
        of("Outcomes", "What a check came to: `outcome`.", _text(meanings.OUTCOMES)),
        of("Certainty", "How much a verdict can be trusted: `certainty`.", _text(meanings.CERTAINTIES)),
        of(
            "Expectations",
            "What a check expects to see: `expect`, strictest first; at the end those of the machine that we stand on.",
            _text(meanings.EXPECTS),
        ),
        of(
            "Stand-ins",
            "How a port looks in the light of what the stand-ins say, before an install. Not in the run JSON, but "
            "behind its findings.",
            _text(meanings.SIGHTS),
        ),
        of("Levels", "How much a document insists: `level`.", _text(meanings.LEVELS)),
        of("Listening", "How many ports of a row listen: `listen` in a document.", _text(meanings.LISTENS)),
        of("Answering", "How a healthy service treats a stranger: `answers` in a document.", _text(meanings.ANSWERS)),
        of("Phases", "When the check runs: `--phase`.", _text(meanings.PHASES)),
        of("Transports", "What carries a flow: `transport`.", _text(meanings.TRANSPORTS)),
        of("Gaps", "Why something is not among the checks: `gap` of an entry in `not_planned`.", _text(meanings.GAPS)),
    )


def words() -> str:
    """Every vocabulary with its words."""
    return "\n".join(
        f"## {each.title}\n\n{each.introduction}\n\n{_table(('word', 'meaning'), each.words.items())}"
        for each in _vocabularies()
    )


def findings() -> str:
    """Every finding, what it means, what to do."""
    rows = ((f"`{finding}`", *said) for finding, said in meanings.FINDINGS.items())
    return _table(("finding", "what it means", "what to do"), rows, code=False)


# ------------------------------------------------------------------------------------------------- verdicts

_ADDRESS = "10.0.1.11"
_ROUTER = "10.0.2.254"
_PROBE = Probe(_ADDRESS, Transport.TCP, 5050)
_UDP_PROBE = Probe(_ADDRESS, Transport.UDP, 53)
_SILENT = (Attempt(0.0, 3.3, 40000, 4, "no-response"), Attempt(1.0, 3.3, 40001, 4, "no-response"))
_ANSWERED = (Attempt(0.0, 0.0004, 40000, 1, "syn-ack"),)
_UNANSWERED = tuple(Attempt(start_s, 1.0, 40000, 1, "no-response") for start_s in (0.0, 0.25, 0.5))
_LIVELY = Facts(answered=22, alive=True)
_OWN_PROBE = Probe(OWN_HOST, Transport.TCP, 5050)
_JAVA = Holder("::", pid=812, process="java", unit="dcos-mesos-master.service")

_SAMPLES: Mapping[Evidence, tuple[Observation, Facts]] = {
    Evidence.OPEN: (Observation(_PROBE, PortState.OPEN, Reason.SYN_ACK, _ANSWERED, rtt_ms=0.4), _LIVELY),
    Evidence.RESET: (Observation(_PROBE, PortState.CLOSED, Reason.CONN_REFUSED, _ANSWERED), _LIVELY),
    Evidence.REFUSED: (Observation(_PROBE, PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN, _ANSWERED), _LIVELY),
    Evidence.SAID_CLOSED: (
        Observation(_UDP_PROBE, PortState.CLOSED, Reason.PORT_UNREACH, _ANSWERED, responder=_ADDRESS, icmp=(3, 3)),
        _LIVELY,
    ),
    Evidence.SOMEBODY_SAID_CLOSED: (
        Observation(_UDP_PROBE, PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN, _ANSWERED),
        _LIVELY,
    ),
    Evidence.REJECTED: (
        Observation(_PROBE, PortState.FILTERED, Reason.ADMIN_PROHIBITED, _ANSWERED, responder=_ROUTER, icmp=(3, 13)),
        _LIVELY,
    ),
    Evidence.HOST_DOWN: (
        Observation(_PROBE, PortState.FILTERED, Reason.HOST_UNREACH, _ANSWERED, responder=_ROUTER, icmp=(3, 1)),
        Facts(),
    ),
    Evidence.REJECTED_MUTE: (
        Observation(
            _PROBE, PortState.FILTERED, Reason.ADMIN_PROHIBITED, _ANSWERED, responder="10.0.2.254", icmp=(3, 13)
        ),
        Facts(),
    ),
    Evidence.SILENCE: (Observation(_PROBE, PortState.FILTERED, Reason.NO_RESPONSE, _SILENT), _LIVELY),
    Evidence.MUTE_HOST: (Observation(_PROBE, PortState.FILTERED, Reason.NO_RESPONSE, _SILENT), Facts()),
    Evidence.SILENT_BY_DESIGN: (Observation(_PROBE, PortState.FILTERED, Reason.NO_RESPONSE, _SILENT), _LIVELY),
    Evidence.MAY_BE_OPEN: (
        Observation(_UDP_PROBE, PortState.OPEN_FILTERED, Reason.NO_RESPONSE, _UNANSWERED, detail=ICMP_ALIVE),
        _LIVELY,
    ),
    Evidence.UNKNOWN: (Observation(_PROBE, PortState.UNKNOWN, Reason.NO_ROUTE), Facts()),
}
"""An observation and what the run shows of its host, to make each sentence from."""

_AT_8080 = Echo("0" * 16, "m1", True, "10.0.0.1", 8080, "10.0.0.11", 40000)
_ECHOED = replace(_SAMPLES[Evidence.OPEN][0], reason=Reason.ECHO_TOKEN)
_WITHOUT_TOKEN = replace(_SAMPLES[Evidence.OPEN][0], detail=CLOSED_WITHOUT_TOKEN)
_RESET = _SAMPLES[Evidence.RESET][0]
_SILENT_OVER_UDP = _SAMPLES[Evidence.MAY_BE_OPEN][0]


_Sample = tuple[Observation, Facts, Seen]

_STAND_IN_SAMPLES: Mapping[Evidence, _Sample] = {
    Evidence.ECHO: (_ECHOED, _LIVELY, Seen(Sight.ECHO)),
    Evidence.ECHO_AT_ANOTHER_PORT: (_ECHOED, _LIVELY, Seen(Sight.OTHER_PORT, echo=_AT_8080)),
    Evidence.ECHO_FROM_ELSEWHERE: (replace(_ECHOED, detail=f"{REPLIED_FROM}10.0.0.9"), _LIVELY, Seen(Sight.ECHO)),
    Evidence.ECHO_OF_ANOTHER: (_ECHOED, _LIVELY, Seen(Sight.OTHER_HOST, who="the stand-in of m2")),
    Evidence.ANSWERED_IN_ITS_PLACE: (_WITHOUT_TOKEN, _LIVELY, Seen(Sight.LISTENING)),
    Evidence.QUESTION_STOPPED: (_WITHOUT_TOKEN, _LIVELY, Seen(Sight.LISTENING, reached=True)),
    Evidence.NO_TOKEN: (_WITHOUT_TOKEN, _LIVELY, Seen(Sight.CLOSES)),
    Evidence.UNASKED: (replace(_WITHOUT_TOKEN, detail=UNASKED_TOKEN), _LIVELY, Seen(Sight.ABSENT)),
    Evidence.HELD: (_RESET, _LIVELY, Seen(Sight.HELD, holder=_JAVA)),
    Evidence.REFUSED_IN_FRONT: (_RESET, _LIVELY, Seen(Sight.LISTENING)),
    Evidence.SILENT_IN_FRONT: (_SILENT_OVER_UDP, _LIVELY, Seen(Sight.LISTENING)),
    Evidence.ANSWER_LOST: (_SILENT_OVER_UDP, _LIVELY, Seen(Sight.LISTENING, arrived=True)),
    Evidence.CLOSED_UNATTENDED: (_RESET, _LIVELY, Seen(Sight.ABSENT)),
}


def _of_own(state: PortState, reason: Reason, detail: str | None = None, *holders: Holder) -> _Sample:
    return Observation(_OWN_PROBE, state, reason, detail=detail, holders=holders), Facts(), NOT_SEEN


_ROOTS = Holder("0.0.0.0", uid=0)
_OWN_PORT_SAMPLES: Mapping[Evidence, _Sample] = {
    Evidence.OWN_FREE: _of_own(PortState.CLOSED, Reason.PORT_FREE),
    Evidence.OWN_EPHEMERAL: _of_own(PortState.CLOSED, Reason.PORT_FREE, f"{IN_EPHEMERAL_RANGE}1024-65535"),
    Evidence.OWN_UNUSED: _of_own(PortState.CLOSED, Reason.PORT_UNUSED, "needs CAP_NET_BIND_SERVICE"),
    Evidence.OWN_STAND_IN: _of_own(PortState.OPEN, Reason.PORT_HELD, None, replace(_JAVA, stand_in=True)),
    Evidence.OWN_LOOPBACK: _of_own(PortState.OPEN, Reason.PORT_HELD, None, replace(_JAVA, address="127.0.0.1")),
    Evidence.OWN_HELD: _of_own(PortState.OPEN, Reason.PORT_HELD, None, _JAVA),
    Evidence.OWN_HELD_UNSEEN: _of_own(PortState.OPEN, Reason.PORT_HELD),
    Evidence.OWN_HELD_PERHAPS: _of_own(PortState.OPEN, Reason.PORT_HELD, f"{MAY_BE_STAND_IN}9", _ROOTS),
    Evidence.OWN_CONNECTED: _of_own(PortState.OPEN, Reason.PORT_IN_CONNECTION, None, replace(_JAVA, connected=True)),
    Evidence.UNKNOWN: _of_own(PortState.UNKNOWN, Reason.LOCAL_ERROR, "Address family not supported by protocol"),
}
_RULE = "table inet filter, chain input, rule handle 7"
_OWN_FILTER_SAMPLES: Mapping[Evidence, _Sample] = {
    Evidence.LET_IN: _of_own(PortState.OPEN, Reason.RULES_ACCEPT),
    Evidence.DROPPED_HERE: _of_own(PortState.FILTERED, Reason.RULES_DROP, _RULE),
    Evidence.REJECTED_HERE: _of_own(PortState.FILTERED, Reason.RULES_REJECT, _RULE),
    Evidence.RULES_UNCLEAR: _of_own(PortState.UNKNOWN, Reason.RULES_UNCLEAR),
    Evidence.RULES_UNREADABLE: _of_own(PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE),
    Evidence.UNKNOWN: _of_own(PortState.UNKNOWN, Reason.LOCAL_ERROR, "Operation not permitted"),
}


class _Column(NamedTuple):
    title: str
    phase: Phase
    expect: Expect


class _Part(NamedTuple):
    """Lines of evidence that come with the same expectations."""

    title: str
    introduction: str
    columns: tuple[_Column, ...]
    samples: Mapping[Evidence, _Sample]


_REQUIRED_BEFORE = _Column("required, preinstall", Phase.PREINSTALL, Expect.REACHABLE)

_PARTS: tuple[_Part, ...] = (
    _Part(
        "What the network answers",
        "Only what is required means something else before the install.",
        (
            _REQUIRED_BEFORE,
            _Column("required, installed", Phase.INSTALLED, Expect.REACHABLE),
            _Column("allowed", Phase.INSTALLED, Expect.ALLOWED),
            _Column("local-only, from outside", Phase.INSTALLED, Expect.LOCAL_ONLY),
            _Column("not asked for", Phase.INSTALLED, Expect.NOT_OPEN),
        ),
        {evidence: (*seen, NOT_SEEN) for evidence, seen in _SAMPLES.items()},
    ),
    _Part(
        "What stand-ins add",
        "With `--phase preinstall` and a key (`--key-file`). These lines go before those above; whatever a firewall "
        "rejects or drops is as above.",
        (
            _REQUIRED_BEFORE,
            _Column("allowed, preinstall", Phase.PREINSTALL, Expect.ALLOWED),
            _Column("local-only, preinstall", Phase.PREINSTALL, Expect.LOCAL_ONLY),
            _Column("not asked for, preinstall", Phase.PREINSTALL, Expect.NOT_OPEN),
        ),
        _STAND_IN_SAMPLES,
    ),
    _Part(
        "The ports of the machine that we stand on",
        "Asked of its kernel; nothing is sent. Before the install every port of its roles has to be free. With the "
        "product running, what is for localhost is to listen on loopback and nowhere else.",
        (
            _Column("free, preinstall", Phase.PREINSTALL, Expect.FREE),
            _Column("loopback-only, installed", Phase.INSTALLED, Expect.LOOPBACK_ONLY),
        ),
        _OWN_PORT_SAMPLES,
    ),
    _Part(
        "The packet filter of the machine that we stand on",
        "Read, never changed, before the install.",
        (_Column("let in, preinstall", Phase.PREINSTALL, Expect.LET_IN),),
        _OWN_FILTER_SAMPLES,
    ),
)


def verdicts() -> str:
    """The table of all verdicts, what each line of it stands for, and the sentences."""
    parts = [_table_of(part) for part in _PARTS]
    observed = ((f"{evidence}", text) for evidence, text in meanings.EVIDENCE.items())
    parts += [
        "## What was observed\n",
        _table(("line", "what it stands for"), observed, code=False),
        "## The sentences\n",
        "As they read for `m1`, with 10.0.2.254 as a router on the way: for a TCP port, or where only UDP has the "
        "observation for 53/udp. `unknown` says what was in the way.\n",
    ]
    shown: set[tuple[str, str]] = set()
    for part in _PARTS:
        for column in part.columns:
            title = f"{column.title[:1].upper()}{column.title[1:]}"
            # What is required before the install is in two tables, the network's and the stand-ins'.
            again = ", with stand-ins" if (title, "") in shown else ""
            shown.add((title, ""))
            parts += [f"### {title}{again}\n", _sentences(part, column)]
    return "\n".join(parts)


def _table_of(part: _Part) -> str:
    heading = ("what was observed", *(column.title for column in part.columns))
    lines = ((str(evidence), *(_cell(column, evidence) for column in part.columns)) for evidence in part.samples)
    return f"## {part.title}\n\n{part.introduction}\n\n{_table(heading, lines, code=False)}"


def _cell(column: _Column, evidence: Evidence) -> str:
    rule = _rule(column, evidence)
    return _verdict(rule) if rule is not None else "as above"


def _rule(column: _Column, evidence: Evidence) -> Rule | None:
    """None where the expectation never meets this evidence."""
    try:
        return rule_for(column.phase, column.expect, evidence)
    except KeyError:
        return None


def _sentences(part: _Part, column: _Column) -> str:
    rows = (
        (f"{evidence}", _verdict(rule), _sentence(column.phase, column.expect, evidence))
        for evidence in part.samples
        if (rule := _rule(column, evidence)) is not None
    )
    return _table(("observed", "verdict", "sentence"), rows, code=False)


def cells() -> list[tuple[Expect, Evidence]]:
    """Every cell that has a verdict."""
    return [
        (column.expect, evidence)
        for part in _PARTS
        for column in part.columns
        for evidence in part.samples
        if _rule(column, evidence) is not None
    ]


def _verdict(rule: Rule) -> str:
    weak = ", weak" if rule.certainty is Certainty.WEAK else ""
    return f"**{rule.outcome}** `{rule.finding}`{weak}"


def _sentence(phase: Phase, expect: Expect, evidence: Evidence) -> str:
    check, observation, facts, seen = sample(expect, evidence)
    return judge(check, observation, facts, phase, seen=seen).because


def sample(expect: Expect, evidence: Evidence) -> tuple[Check, Observation, Facts, Seen]:
    """A check with this expectation, and what has to be observed and told to be this evidence."""
    samples = next(
        part.samples
        for part in _PARTS
        if evidence in part.samples and any(column.expect is expect for column in part.columns)
    )
    observation, facts, seen = samples[evidence]
    probe = observation.probe
    own = probe.address == OWN_HOST
    check = Check(
        id=f"a1>m1/ipv4/{probe.transport}/{probe.port}",
        source="a1",
        source_role="agent",
        host="m1",
        address=None if own else _ADDRESS,
        family=None if own else Family.IPV4,
        role="master",
        transport=probe.transport,
        port=probe.port,
        expect=expect,
        speaks=("dns",) if probe.transport is Transport.UDP else (),
        silent_when_closed=evidence is Evidence.SILENT_BY_DESIGN,
    )
    return check, observation, facts, seen


# --------------------------------------------------------------------------------------------------- tables


def _text(words_of: Mapping[object, str]) -> dict[str, str]:
    return {str(word): meaning for word, meaning in words_of.items()}


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]], code: bool = True) -> str:
    """A Markdown table; with `code`, the first cell of each row is set as code."""
    lines = [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}"]
    for first, *others in rows:
        cells = [f"`{first}`" if code else first, *others]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "".join(f"{line}\n" for line in lines)
