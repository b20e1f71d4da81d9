"""The reference of words and verdicts: what the program decides, beside what each word means (meanings.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from generator import meanings
from portcheck.engine.probe import ICMP_ALIVE, Attempt, Observation, PortState, Probe, Reason, Transport
from portcheck.facts import Facts
from portcheck.model import Certainty, Check, Expect, Family, Phase
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
        of("Expectations", "What a check expects to see: `expect`, strictest first.", _text(meanings.EXPECTS)),
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

_EXPECTED: tuple[tuple[str, Phase, Expect], ...] = (
    ("required, preinstall", Phase.PREINSTALL, Expect.REACHABLE),
    ("required, installed", Phase.INSTALLED, Expect.REACHABLE),
    ("allowed", Phase.INSTALLED, Expect.ALLOWED),
    ("local-only, from outside", Phase.INSTALLED, Expect.LOCAL_ONLY),
    ("not asked for", Phase.INSTALLED, Expect.NOT_OPEN),
)
"""The columns; only what is required means something else before the install."""

_ADDRESS = "10.0.1.11"
_ROUTER = "10.0.2.254"
_PROBE = Probe(_ADDRESS, Transport.TCP, 5050)
_UDP_PROBE = Probe(_ADDRESS, Transport.UDP, 53)
_SILENT = (Attempt(0.0, 3.3, 40000, 4, "no-response"), Attempt(1.0, 3.3, 40001, 4, "no-response"))
_ANSWERED = (Attempt(0.0, 0.0004, 40000, 1, "syn-ack"),)
_UNANSWERED = tuple(Attempt(start_s, 1.0, 40000, 1, "no-response") for start_s in (0.0, 0.25, 0.5))
_LIVELY = Facts(answered=22, alive=True)

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


def verdicts() -> str:
    """The table of all verdicts, what each line of it stands for, and the sentences."""
    heading = ("what was observed", *(title for title, _, _ in _EXPECTED))
    lines = ((str(evidence), *(_verdict(rule) for rule in _rules(evidence))) for evidence in Evidence)
    observed = ((f"{evidence}", text) for evidence, text in meanings.EVIDENCE.items())
    parts = [
        _table(heading, lines, code=False),
        "## What was observed\n",
        _table(("line", "state and reason"), observed, code=False),
        "## The sentences\n",
        "As they read for `m1`, with 10.0.2.254 as a router on the way: for a TCP port, or where only UDP has the "
        "observation for 53/udp. `unknown` says what was in the way.\n",
    ]
    for title, phase, expect in _EXPECTED:
        parts.append(f"### {title[:1].upper()}{title[1:]}\n")
        sentences = ((f"{e}", _verdict(rule_for(phase, expect, e)), _sentence(phase, expect, e)) for e in Evidence)
        parts.append(_table(("observed", "verdict", "sentence"), sentences, code=False))
    return "\n".join(parts)


def _rules(evidence: Evidence) -> Iterator[Rule]:
    for _, phase, expect in _EXPECTED:
        yield rule_for(phase, expect, evidence)


def _verdict(rule: Rule) -> str:
    weak = ", weak" if rule.certainty is Certainty.WEAK else ""
    return f"**{rule.outcome}** `{rule.finding}`{weak}"


def _sentence(phase: Phase, expect: Expect, evidence: Evidence) -> str:
    check, observation, facts = sample(expect, evidence)
    return judge(check, observation, facts, phase).because


def sample(expect: Expect, evidence: Evidence) -> tuple[Check, Observation, Facts]:
    """A check with this expectation, and what has to be observed to be this evidence."""
    observation, facts = _SAMPLES[evidence]
    probe = observation.probe
    check = Check(
        id=f"a1>m1/ipv4/{probe.transport}/{probe.port}",
        source="a1",
        source_role="agent",
        host="m1",
        address=_ADDRESS,
        family=Family.IPV4,
        role="master",
        transport=probe.transport,
        port=probe.port,
        expect=expect,
        speaks=("dns",) if probe.transport is Transport.UDP else (),
        silent_when_closed=evidence is Evidence.SILENT_BY_DESIGN,
    )
    return check, observation, facts


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
