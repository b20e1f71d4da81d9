"""What an observation means for a check: one table, looked up once. Pure.

`docs/reference/verdict-table.md` is generated from TABLE, and a test proves that the table is total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from portcheck.engine.probe import (
    IN_EPHEMERAL_RANGE,
    MAY_BE_STAND_IN,
    REPLIED_FROM,
    WITHOUT_TOKEN,
    Answered,
    Observation,
    PortState,
    Reason,
    Transport,
    Word,
)
from portcheck.facts import Facts
from portcheck.holding import is_loopback
from portcheck.model import (
    DOUBTED,
    NOT_SEEN,
    Certainty,
    Check,
    Expect,
    Finding,
    Level,
    Outcome,
    Phase,
    Seen,
    Sight,
    Summary,
    Unexpected,
    Verdict,
)
from portcheck.observed import by_dead_router, fields
from portcheck.protocols import contradicts


class Evidence(Word):
    """What was observed, as far as a verdict depends on it."""

    OPEN = "open"
    RESET = "refused by the host's address"
    REFUSED = "refused, by whom is unknown"
    SAID_CLOSED = "the host says by ICMP that nothing is there"
    SOMEBODY_SAID_CLOSED = "refused without a connection, by whom is unknown"
    REJECTED = "rejected by ICMP, host answers elsewhere"
    REJECTED_MUTE = "rejected by ICMP, host never answers"
    HOST_DOWN = "no host there"
    SILENCE = "silence, host answers elsewhere"
    MUTE_HOST = "silence, host never answers"
    SILENT_BY_DESIGN = "silence, host drops what is closed"
    MAY_BE_OPEN = "silence that an open port may have"
    UNKNOWN = "unknown"
    # Before the install, where stand-ins were said to be up:
    ECHO = "our stand-in answered"
    ECHO_OF_ANOTHER = "another host's stand-in answered"
    ECHO_AT_ANOTHER_PORT = "our stand-in answered, at another port"
    ECHO_FROM_ELSEWHERE = "our stand-in answered, from an address that was not asked"
    ANSWERED_IN_ITS_PLACE = "accepted by somebody, our stand-in did not answer"
    QUESTION_STOPPED = "our stand-in was connected to, and not asked"
    NO_TOKEN = "accepted without a token, like every open port of the host"
    UNASKED = "accepted, by whom could not be asked"
    HELD = "in use by somebody else, says our stand-in"
    REFUSED_IN_FRONT = "refused, though our stand-in listens there"
    SILENT_IN_FRONT = "silence, though our stand-in listens there"
    ANSWER_LOST = "our stand-in was reached, its answer was lost"
    CLOSED_UNATTENDED = "refused, no stand-in known to listen there"
    # Of a port of the machine that we stand on:
    OWN_FREE = "nobody has it"
    OWN_EPHEMERAL = "nobody has it, it is in the ephemeral range"
    OWN_UNUSED = "nobody has it, binding it is not permitted"
    OWN_STAND_IN = "our stand-in has it"
    OWN_LOOPBACK = "somebody has it, on loopback only"
    OWN_HELD = "somebody has it"
    OWN_HELD_UNSEEN = "somebody has it, on which address is not known"
    OWN_HELD_PERHAPS = "somebody has it, perhaps our stand-in"
    OWN_CONNECTED = "an outgoing connection has it"
    # Of our own packet filter:
    LET_IN = "our own packet filter lets it in"
    DROPPED_HERE = "our own packet filter drops it"
    REJECTED_HERE = "our own packet filter rejects it"
    RULES_UNCLEAR = "the rules of our own packet filter are unclear"
    RULES_UNREADABLE = "the rules of our own packet filter are not readable"


@dataclass(frozen=True, slots=True)
class Strictness:
    """What the user asked to be told more strictly than usual, or less."""

    weak_passes: bool = False
    sources: bool = False
    unexpected: Unexpected = Unexpected.FAIL


@dataclass(frozen=True, slots=True)
class Rule:
    """What an evidence comes to, and the sentence that says why; its {fields} are those of observed.py."""

    outcome: Outcome
    finding: Finding
    because: str
    certainty: Certainty = Certainty.CERTAIN


_OPEN = "{host} {answered}{rtt}{said}{from_elsewhere}."
_REFUSED_BY_HOST = "{host} refused the connection: nothing listens there{or_reset}."
_REFUSED_BY_SOMEBODY = (
    "{it_was_refused} and this platform does not show by whom: "
    "nothing listens there, or a firewall on the way rejects it."
)
_SAID_CLOSED = "{says_closed}{or_rejected}."
_REJECTED = "{rejected}."
_REJECTED_MUTE = _REJECTED[:-1] + ", and nothing came from {host} itself during this run."
_UNREACHABLE = "{unreachable}"
_NO_ANSWER = "No answer to {tries}, while {others_answered}{in_detail}."
_NO_ANSWER_AT_ALL = "No answer to {tries}, and nothing else came from {host} during this run{in_detail}."
_NO_ANSWER_BY_DESIGN = "No answer to {tries}{in_detail}. {or_dropped}."
_MAY_BE_OPEN = "{silence}."
_MAY_BE_FREE = "{silence_before}."
_UNKNOWN = "{unknown}"
_ECHO = "Our stand-in on {name_of_host} answered{rtt}{translated}."
_ECHO_OF_ANOTHER = "{who} answered in the place of {host}."
_ECHO_AT_ANOTHER_PORT = (
    "What is sent to {port} of {name_of_host} arrives at port {arrived_port} there: something on the way redirects it, "
    "and the product would not be reached."
)
_QUESTION_STOPPED = (
    "The connection reached our stand-in on {name_of_host}, and what was said over it did not: "
    "a firewall on the way lets connections through and stops what they carry."
)
_IN_ITS_PLACE = (
    "Our stand-in on {name_of_host} listens there, but what {answered} {without_token}: "
    "somebody on the way answers in its place, or lets connections through and not what is said over them."
)
_UNASKED = "{host} {answered}, and whether that is our stand-in could not be asked."
_NO_TOKEN = (
    "{host} {answered} and {without_token}, like every open port of this host: something on the way accepts "
    "connections in its place, or what listens there has another key."
)

_HELD_HERE = "{holder} has {port} on {name_of_host}{bound}: the product cannot use it."
_PERHAPS_OURS = "{holder} has {port} on {name_of_host}; it {may_be_stand_in}."
_NOBODY_HERE = "Nothing listens on {port} of {name_of_host}."

_PASS, _FAIL, _INFO, _UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INFO, Outcome.INCONCLUSIVE
_PRE, _INST = Phase.PREINSTALL, Phase.INSTALLED
_REACH, _LOCAL, _ALLOWED, _NOT_OPEN = Expect.REACHABLE, Expect.LOCAL_ONLY, Expect.ALLOWED, Expect.NOT_OPEN
_FREE, _LOOPBACK_ONLY, _LET_IN = Expect.FREE, Expect.LOOPBACK_ONLY, Expect.LET_IN
_E = Evidence

TABLE: Mapping[tuple[Phase, Expect, Evidence] | tuple[Expect, Evidence], Rule] = {
    # Before the install nothing of the product listens yet.
    (_PRE, _REACH, _E.OPEN): Rule(
        _FAIL, Finding.OCCUPIED, "Something listens on this port already{aside}: the product cannot use it."
    ),
    (_PRE, _REACH, _E.ECHO): Rule(_PASS, Finding.OK, _ECHO),
    (_PRE, _REACH, _E.ECHO_OF_ANOTHER): Rule(_FAIL, Finding.WRONG_RESPONDER, _ECHO_OF_ANOTHER),
    (_PRE, _REACH, _E.ECHO_AT_ANOTHER_PORT): Rule(_FAIL, Finding.WRONG_RESPONDER, _ECHO_AT_ANOTHER_PORT),
    (_PRE, _REACH, _E.ECHO_FROM_ELSEWHERE): Rule(
        _PASS, Finding.OK, _ECHO[:-1] + "{from_elsewhere}: many clients drop such an answer.", Certainty.WEAK
    ),
    (_PRE, _REACH, _E.ANSWERED_IN_ITS_PLACE): Rule(_FAIL, Finding.WRONG_RESPONDER, _IN_ITS_PLACE),
    (_PRE, _REACH, _E.QUESTION_STOPPED): Rule(_FAIL, Finding.BLOCKED, _QUESTION_STOPPED),
    (_PRE, _REACH, _E.NO_TOKEN): Rule(_FAIL, Finding.WRONG_RESPONDER, _NO_TOKEN),
    (_PRE, _REACH, _E.UNASKED): Rule(_UNSURE, Finding.UNDETERMINED, _UNASKED),
    (_PRE, _REACH, _E.HELD): Rule(
        _FAIL,
        Finding.OCCUPIED,
        "{holder} has this port on {name_of_host} already{aside}, says our stand-in there: the product cannot use it.",
    ),
    (_PRE, _REACH, _E.REFUSED_IN_FRONT): Rule(
        _FAIL,
        Finding.REJECTED,
        "{it_was_refused}, although our stand-in on {name_of_host} listens there: "
        "a firewall, on the way or on the host, refuses it in the host's name.",
    ),
    (_PRE, _REACH, _E.SILENT_IN_FRONT): Rule(
        _FAIL, Finding.BLOCKED, "No answer to {tries}, although our stand-in on {name_of_host} listens there."
    ),
    (_PRE, _REACH, _E.ANSWER_LOST): Rule(
        _FAIL,
        Finding.BLOCKED,
        "The question reached our stand-in on {name_of_host}, and its answer was lost on the way back.",
    ),
    (_PRE, _REACH, _E.CLOSED_UNATTENDED): Rule(
        _UNSURE,
        Finding.UNDETERMINED,
        "{it_was_refused}, and {no_stand_in}: the port is free, or a firewall rejects it, which looks the same.",
    ),
    (_PRE, _REACH, _E.RESET): Rule(
        _PASS,
        Finding.OK,
        "{host} refused the connection: the path is open and the port is free, "
        "unless a firewall resets connections, which looks the same{unable}.",
        Certainty.WEAK,
    ),
    (_PRE, _REACH, _E.REFUSED): Rule(
        _PASS,
        Finding.OK,
        "The connection was refused: the path is open and the port is free, "
        "unless a firewall rejects it, which looks the same on this platform{unable}.",
        Certainty.WEAK,
    ),
    (_PRE, _REACH, _E.SAID_CLOSED): Rule(
        _UNSURE,
        Finding.UNDETERMINED,
        "{says_closed}, and the path is open, unless a firewall rejects it in the host's name, "
        "which looks the same{unable}.",
    ),
    (_PRE, _REACH, _E.SOMEBODY_SAID_CLOSED): Rule(
        _UNSURE, Finding.UNDETERMINED, _REFUSED_BY_SOMEBODY[:-1] + "{unable}."
    ),
    (_PRE, _REACH, _E.REJECTED): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_PRE, _REACH, _E.REJECTED_MUTE): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_PRE, _REACH, _E.HOST_DOWN): Rule(_FAIL, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_PRE, _REACH, _E.SILENCE): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER),
    (_PRE, _REACH, _E.MUTE_HOST): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_PRE, _REACH, _E.SILENT_BY_DESIGN): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_BY_DESIGN),
    (_PRE, _REACH, _E.MAY_BE_OPEN): Rule(_UNSURE, Finding.UNDETERMINED, _MAY_BE_FREE),
    (_PRE, _REACH, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # The product is installed.
    (_INST, _REACH, _E.OPEN): Rule(_PASS, Finding.OK, _OPEN),
    (_INST, _REACH, _E.RESET): Rule(_FAIL, Finding.NOT_LISTENING, _REFUSED_BY_HOST),
    (_INST, _REACH, _E.REFUSED): Rule(_FAIL, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_INST, _REACH, _E.SAID_CLOSED): Rule(_FAIL, Finding.NOT_LISTENING, _SAID_CLOSED),
    (_INST, _REACH, _E.SOMEBODY_SAID_CLOSED): Rule(_FAIL, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_INST, _REACH, _E.REJECTED): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_INST, _REACH, _E.REJECTED_MUTE): Rule(_FAIL, Finding.REJECTED, _REJECTED),
    (_INST, _REACH, _E.HOST_DOWN): Rule(_FAIL, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_INST, _REACH, _E.SILENCE): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER),
    (_INST, _REACH, _E.MUTE_HOST): Rule(_FAIL, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_INST, _REACH, _E.SILENT_BY_DESIGN): Rule(_FAIL, Finding.NO_ANSWER, _NO_ANSWER_BY_DESIGN),
    (_INST, _REACH, _E.MAY_BE_OPEN): Rule(_UNSURE, Finding.UNDETERMINED, _MAY_BE_OPEN),
    (_INST, _REACH, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that may be open, and need not be.
    (_ALLOWED, _E.OPEN): Rule(_INFO, Finding.OK, _OPEN),
    (_ALLOWED, _E.RESET): Rule(_INFO, Finding.NOT_LISTENING, _REFUSED_BY_HOST),
    (_ALLOWED, _E.REFUSED): Rule(_INFO, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_ALLOWED, _E.SAID_CLOSED): Rule(_INFO, Finding.NOT_LISTENING, _SAID_CLOSED),
    (_ALLOWED, _E.SOMEBODY_SAID_CLOSED): Rule(_INFO, Finding.REFUSED, _REFUSED_BY_SOMEBODY),
    (_ALLOWED, _E.REJECTED): Rule(_INFO, Finding.REJECTED, _REJECTED),
    (_ALLOWED, _E.REJECTED_MUTE): Rule(_INFO, Finding.REJECTED, _REJECTED),
    (_ALLOWED, _E.HOST_DOWN): Rule(_INFO, Finding.HOST_UNREACHABLE, _UNREACHABLE),
    (_ALLOWED, _E.SILENCE): Rule(_INFO, Finding.BLOCKED, _NO_ANSWER),
    (_ALLOWED, _E.MUTE_HOST): Rule(_INFO, Finding.BLOCKED, _NO_ANSWER_AT_ALL),
    (_ALLOWED, _E.SILENT_BY_DESIGN): Rule(_INFO, Finding.NO_ANSWER, _NO_ANSWER_BY_DESIGN),
    (_ALLOWED, _E.MAY_BE_OPEN): Rule(_INFO, Finding.UNDETERMINED, _MAY_BE_OPEN),
    (_ALLOWED, _E.UNKNOWN): Rule(_INFO, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that only the host itself should be able to reach.
    (_LOCAL, _E.OPEN): Rule(
        _FAIL, Finding.EXPOSED, "{host} {answered} from here{aside}, but the service is for localhost only."
    ),
    (_LOCAL, _E.RESET): Rule(_PASS, Finding.OK, "{host} refuses it from outside, as it should."),
    (_LOCAL, _E.REFUSED): Rule(_PASS, Finding.OK, "Refused from outside, as it should be."),
    (_LOCAL, _E.SAID_CLOSED): Rule(_PASS, Finding.OK, "{host} refuses it from outside, as it should."),
    (_LOCAL, _E.SOMEBODY_SAID_CLOSED): Rule(_PASS, Finding.OK, "Refused from outside, as it should be."),
    (_LOCAL, _E.REJECTED): Rule(_PASS, Finding.OK, "{responder} {probably}rejects it from outside{inferred}."),
    (_LOCAL, _E.REJECTED_MUTE): Rule(_UNSURE, Finding.UNDETERMINED, _REJECTED_MUTE),
    (_LOCAL, _E.HOST_DOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNREACHABLE),
    (_LOCAL, _E.SILENCE): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_LOCAL, _E.MUTE_HOST): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_AT_ALL),
    (_LOCAL, _E.SILENT_BY_DESIGN): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_LOCAL, _E.MAY_BE_OPEN): Rule(_UNSURE, Finding.UNDETERMINED, _MAY_BE_OPEN),
    (_LOCAL, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # In both phases: a port that no active expectation names on this target.
    (_NOT_OPEN, _E.OPEN): Rule(
        _FAIL,
        Finding.UNEXPECTED_OPEN,
        "{host} {answered}{rtt}{aside}, and nothing that is in use here expects it{known_as}.",
    ),
    (_NOT_OPEN, _E.RESET): Rule(_PASS, Finding.OK, "{host} refused the connection."),
    (_NOT_OPEN, _E.REFUSED): Rule(_PASS, Finding.OK, "{it_was_refused}."),
    (_NOT_OPEN, _E.SAID_CLOSED): Rule(_PASS, Finding.OK, "{says_closed}."),
    (_NOT_OPEN, _E.SOMEBODY_SAID_CLOSED): Rule(_PASS, Finding.OK, "{it_was_refused}."),
    (_NOT_OPEN, _E.REJECTED): Rule(_PASS, Finding.OK, "{responder} {probably}rejects it{inferred}."),
    (_NOT_OPEN, _E.REJECTED_MUTE): Rule(_UNSURE, Finding.UNDETERMINED, _REJECTED_MUTE),
    (_NOT_OPEN, _E.HOST_DOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNREACHABLE),
    (_NOT_OPEN, _E.SILENCE): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_NOT_OPEN, _E.MUTE_HOST): Rule(_UNSURE, Finding.UNDETERMINED, _NO_ANSWER_AT_ALL),
    (_NOT_OPEN, _E.SILENT_BY_DESIGN): Rule(_PASS, Finding.OK, _NO_ANSWER),
    (_NOT_OPEN, _E.MAY_BE_OPEN): Rule(_INFO, Finding.UNDETERMINED, _MAY_BE_OPEN),
    (_NOT_OPEN, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # Before the install, ports that are not required from here: what our stand-in opened is not taken.
    (_ALLOWED, _E.ECHO): Rule(_INFO, Finding.OK, _ECHO),
    (_ALLOWED, _E.ECHO_OF_ANOTHER): Rule(_INFO, Finding.WRONG_RESPONDER, _ECHO_OF_ANOTHER),
    (_ALLOWED, _E.ECHO_AT_ANOTHER_PORT): Rule(_INFO, Finding.WRONG_RESPONDER, _ECHO_AT_ANOTHER_PORT),
    (_ALLOWED, _E.ANSWERED_IN_ITS_PLACE): Rule(_INFO, Finding.WRONG_RESPONDER, _IN_ITS_PLACE),
    (_ALLOWED, _E.NO_TOKEN): Rule(_INFO, Finding.UNDETERMINED, _NO_TOKEN),
    (_ALLOWED, _E.UNASKED): Rule(_INFO, Finding.UNDETERMINED, _UNASKED),
    (_LOCAL, _E.ECHO): Rule(
        _INFO,
        Finding.OK,
        "Our stand-in on {name_of_host} answered from there; the service itself is for localhost only.",
    ),
    (_LOCAL, _E.ECHO_OF_ANOTHER): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _ECHO_OF_ANOTHER),
    (_LOCAL, _E.ECHO_AT_ANOTHER_PORT): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _ECHO_AT_ANOTHER_PORT),
    (_LOCAL, _E.ANSWERED_IN_ITS_PLACE): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _IN_ITS_PLACE),
    (_LOCAL, _E.NO_TOKEN): Rule(_UNSURE, Finding.UNDETERMINED, _NO_TOKEN),
    (_LOCAL, _E.UNASKED): Rule(_UNSURE, Finding.UNDETERMINED, _UNASKED),
    (_NOT_OPEN, _E.ECHO): Rule(_PASS, Finding.OK, _ECHO),
    (_NOT_OPEN, _E.ECHO_OF_ANOTHER): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _ECHO_OF_ANOTHER),
    (_NOT_OPEN, _E.ECHO_AT_ANOTHER_PORT): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _ECHO_AT_ANOTHER_PORT),
    (_NOT_OPEN, _E.ANSWERED_IN_ITS_PLACE): Rule(Outcome.WARN, Finding.WRONG_RESPONDER, _IN_ITS_PLACE),
    (_NOT_OPEN, _E.NO_TOKEN): Rule(_UNSURE, Finding.UNDETERMINED, _NO_TOKEN),
    (_NOT_OPEN, _E.UNASKED): Rule(_UNSURE, Finding.UNDETERMINED, _UNASKED),
    # Before the install, ports of the machine that we stand on.
    (_FREE, _E.OWN_FREE): Rule(_PASS, Finding.OK, "{port} on {name_of_host} is free{reserved}."),
    (_FREE, _E.OWN_EPHEMERAL): Rule(
        Outcome.WARN,
        Finding.EPHEMERAL,
        "{port} on {name_of_host} is free now, but lies in its ephemeral range ({ephemeral}): "
        "an outgoing connection may take it at any moment.",
    ),
    (_FREE, _E.OWN_UNUSED): Rule(
        _PASS,
        Finding.OK,
        "Nobody is seen to have {port} on {name_of_host}; it could not be tried{in_detail}.",
        Certainty.WEAK,
    ),
    (_FREE, _E.OWN_STAND_IN): Rule(_PASS, Finding.OK, "Our own stand-in has {port} on {name_of_host}, nobody else."),
    (_FREE, _E.OWN_LOOPBACK): Rule(_FAIL, Finding.OCCUPIED, _HELD_HERE),
    (_FREE, _E.OWN_HELD): Rule(_FAIL, Finding.OCCUPIED, _HELD_HERE),
    (_FREE, _E.OWN_HELD_UNSEEN): Rule(_FAIL, Finding.OCCUPIED, _HELD_HERE),
    (_FREE, _E.OWN_HELD_PERHAPS): Rule(_UNSURE, Finding.UNDETERMINED, _PERHAPS_OURS),
    (_FREE, _E.OWN_CONNECTED): Rule(
        _FAIL,
        Finding.OCCUPIED,
        "An outgoing connection of {holder} has {port} on {name_of_host} as its near end: "
        "the product cannot use it until that connection ends.",
    ),
    (_FREE, _E.UNKNOWN): Rule(_UNSURE, Finding.UNDETERMINED, _UNKNOWN),
    # With the product running, what is for this machine alone.
    (_LOOPBACK_ONLY, _E.OWN_FREE): Rule(_INFO, Finding.NOT_LISTENING, _NOBODY_HERE),
    (_LOOPBACK_ONLY, _E.OWN_EPHEMERAL): Rule(_INFO, Finding.NOT_LISTENING, _NOBODY_HERE),
    (_LOOPBACK_ONLY, _E.OWN_UNUSED): Rule(_INFO, Finding.NOT_LISTENING, _NOBODY_HERE),
    (_LOOPBACK_ONLY, _E.OWN_CONNECTED): Rule(_INFO, Finding.NOT_LISTENING, _NOBODY_HERE),
    (_LOOPBACK_ONLY, _E.OWN_STAND_IN): Rule(
        _INFO, Finding.NOT_LISTENING, "Our own stand-in has {port} on {name_of_host}, not the product."
    ),
    (_LOOPBACK_ONLY, _E.OWN_LOOPBACK): Rule(
        _PASS, Finding.OK, "{holder} listens on {port} of {name_of_host} on {bound_to}, and nowhere else."
    ),
    (_LOOPBACK_ONLY, _E.OWN_HELD): Rule(
        Outcome.WARN,
        Finding.EXPOSED,
        "{holder} listens on {port} of {name_of_host} on {bound_to}, though it is for localhost only: "
        "only a firewall keeps others out.",
    ),
    (_LOOPBACK_ONLY, _E.OWN_HELD_UNSEEN): Rule(
        _INFO, Finding.UNDETERMINED, "Somebody has {port} on {name_of_host}, and on which address could not be seen."
    ),
    (_LOOPBACK_ONLY, _E.OWN_HELD_PERHAPS): Rule(_INFO, Finding.UNDETERMINED, _PERHAPS_OURS),
    (_LOOPBACK_ONLY, _E.UNKNOWN): Rule(_INFO, Finding.UNDETERMINED, _UNKNOWN),
    # Before the install, this machine's own packet filter.
    (_LET_IN, _E.LET_IN): Rule(_PASS, Finding.OK, "The packet filter of {name_of_host} lets {port} in{no_rules}."),
    (_LET_IN, _E.DROPPED_HERE): Rule(
        _FAIL, Finding.BLOCKED, "The packet filter of {name_of_host} itself drops what is sent to {port}{in_detail}."
    ),
    (_LET_IN, _E.REJECTED_HERE): Rule(
        _FAIL, Finding.REJECTED, "The packet filter of {name_of_host} itself rejects what is sent to {port}{in_detail}."
    ),
    (_LET_IN, _E.RULES_UNCLEAR): Rule(
        _INFO,
        Finding.UNDETERMINED,
        "Whether the packet filter of {name_of_host} itself lets {port} in was not determined{in_detail}.",
    ),
    (_LET_IN, _E.RULES_UNREADABLE): Rule(
        _INFO,
        Finding.NOT_TESTED,
        "The packet filter of {name_of_host} itself does not show its rules{in_detail}.",
    ),
    (_LET_IN, _E.UNKNOWN): Rule(_INFO, Finding.UNDETERMINED, _UNKNOWN),
}

_NO_HOST = Rule(_INFO, Finding.NO_HOST, "No sign of life at {host}: probably no host has this address.")
_OPEN_TO_OTHERS = Rule(
    _INFO, Finding.OPEN_TO_OTHERS, "{host} {answered}{rtt}{aside}; the document names this port for {named_for}."
)
_WRONG_RESPONDER = Rule(
    Outcome.WARN,
    Finding.WRONG_RESPONDER,
    "{port} on {name_of_host} is open, but speaks {spoken}{aside}; {expected} was expected.",
)

_UNEXPECTED_OUTCOMES: Mapping[Unexpected, Outcome] = {
    Unexpected.FAIL: Outcome.FAIL,
    Unexpected.WARN: Outcome.WARN,
    Unexpected.IGNORE: Outcome.INFO,
}

_NO_SIGN_OF_LIFE = frozenset({Evidence.MUTE_HOST, Evidence.HOST_DOWN, Evidence.SILENT_BY_DESIGN, Evidence.MAY_BE_OPEN})
"""Unless something else came from the address."""

_STATE_EVIDENCE: Mapping[PortState, Evidence] = {
    PortState.OPEN: Evidence.OPEN,
    PortState.OPEN_FILTERED: Evidence.MAY_BE_OPEN,
    PortState.UNKNOWN: Evidence.UNKNOWN,
}

_CLOSED_EVIDENCE: Mapping[Reason, Evidence] = {
    Reason.CONN_REFUSED: Evidence.RESET,
    Reason.REFUSED_ORIGIN_UNKNOWN: Evidence.REFUSED,
    Reason.PORT_UNREACH: Evidence.SAID_CLOSED,
    Reason.PROTO_UNREACH: Evidence.SAID_CLOSED,
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

_CLOSED = frozenset(_CLOSED_EVIDENCE.values())
_NOT_KNOWN_TO_LISTEN = (Sight.ABSENT, Sight.UNOPENED, Sight.UNREPORTED, Sight.CUT_SHORT)
_UNANSWERED = frozenset({Evidence.MAY_BE_OPEN, Evidence.SILENT_BY_DESIGN})
_NO_ANSWER_CAME = _UNANSWERED | {Evidence.SILENCE, Evidence.MUTE_HOST}

_EVIDENCE_OF_OPEN: Mapping[Sight, Evidence] = {
    Sight.ECHO: Evidence.ECHO,
    Sight.OTHER_HOST: Evidence.ECHO_OF_ANOTHER,
    Sight.OTHER_PORT: Evidence.ECHO_AT_ANOTHER_PORT,
    Sight.CLOSES: Evidence.NO_TOKEN,
    Sight.LISTENING: Evidence.ANSWERED_IN_ITS_PLACE,
}
"""What a stand-in makes of an open port, whatever is expected of it."""

_EVIDENCE_BY_SIGHT: Mapping[tuple[Sight, Evidence], Evidence] = {
    **{(Sight.LISTENING, closed): Evidence.REFUSED_IN_FRONT for closed in _CLOSED},
    **{(Sight.LISTENING, silence): Evidence.SILENT_IN_FRONT for silence in _UNANSWERED},
    **{(Sight.HELD, seen): Evidence.HELD for seen in (Evidence.OPEN, *_CLOSED, *_UNANSWERED)},
    **{(sight, closed): Evidence.CLOSED_UNATTENDED for sight in _NOT_KNOWN_TO_LISTEN for closed in _CLOSED},
}
"""What it makes of the answer of a port that has to be reachable; of others what the network said."""

_MAY_BE_OURS = frozenset({Sight.LISTENING, Sight.UNREPORTED, Sight.ABSENT, Sight.CUT_SHORT})

_OWN_EVIDENCE: Mapping[Reason, Evidence] = {
    Reason.PORT_FREE: Evidence.OWN_FREE,
    Reason.PORT_UNUSED: Evidence.OWN_UNUSED,
    Reason.PORT_IN_CONNECTION: Evidence.OWN_CONNECTED,
    Reason.RULES_ACCEPT: Evidence.LET_IN,
    Reason.RULES_DROP: Evidence.DROPPED_HERE,
    Reason.RULES_REJECT: Evidence.REJECTED_HERE,
    Reason.RULES_UNCLEAR: Evidence.RULES_UNCLEAR,
}

_NOT_TESTED = frozenset({Reason.NEEDS_PRIVILEGE, Reason.DEADLINE, Reason.INTERRUPTED})


def judge(
    check: Check,
    observation: Observation,
    facts: Facts,
    phase: Phase,
    strictness: Strictness | None = None,
    secrets: frozenset[str] = frozenset(),
    seen: Seen = NOT_SEEN,
) -> Verdict:
    """The verdict of one check.

    Args:
        facts: about the check's own address.
        secrets: those that were given, by field name of Secrets.
        seen: what the stand-ins say of it.
    """
    strictness = strictness or Strictness()
    if check.present or (check.port is None and observation.state is PortState.OPEN):
        # A port can be taken. An answer to an echo request, or in GRE, takes nothing from the product.
        phase = Phase.INSTALLED
    seen = seen if phase is Phase.PREINSTALL else NOT_SEEN
    evidence = evidence_of(check, observation, facts, seen)
    rule = rule_for(phase, check.expect, evidence)
    lifeless = not facts.alive and evidence in _NO_SIGN_OF_LIFE and not by_dead_router(observation)
    if check.from_network and lifeless:
        rule = _NO_HOST
    needed_there = check.needed_by_others or check.expect is Expect.LOCAL_ONLY
    if phase is Phase.PREINSTALL and evidence is Evidence.OPEN and needed_there:
        # Whoever may reach it later, the product needs the port: it is as taken as a required one.
        rule = rule_for(phase, Expect.REACHABLE, evidence)
    elif check.named_for and check.expect is Expect.NOT_OPEN and evidence in (Evidence.OPEN, Evidence.ECHO):
        rule = replace(_OPEN_TO_OTHERS, outcome=Outcome.FAIL) if strictness.sources else _OPEN_TO_OTHERS
    elif rule.finding is Finding.UNEXPECTED_OPEN:
        rule = replace(rule, outcome=_UNEXPECTED_OUTCOMES[strictness.unexpected])
    if evidence is Evidence.UNKNOWN and observation.reason in _NOT_TESTED and not observation.attempts:
        rule = replace(rule, finding=Finding.NOT_TESTED)
    elif rule.outcome is Outcome.PASS and evidence is Evidence.OPEN:
        rule = _of_the_answer(rule, check, observation)
    rule = _tempered(rule, check, evidence, strictness)
    because = rule.because.format_map(fields(check, observation, facts, secrets, seen))
    return Verdict(check, observation, rule.outcome, rule.finding, because, rule.certainty, phase=phase, seen=seen)


def evidence_of(check: Check, observation: Observation, facts: Facts, seen: Seen = NOT_SEEN) -> Evidence:
    """Read an observation in the light of what the rest of the run, and the stand-ins, say about the host."""
    if check.is_own:
        return _of_ourselves(check, observation)
    evidence = _of_network(check, observation, facts)
    if evidence is Evidence.OPEN and seen.sight in _MAY_BE_OURS and _is_unasked(observation):
        return Evidence.UNASKED
    # Of a port like every other, that everything is accepted at, the token shows whose it is.
    accepted = evidence is Evidence.OPEN or (evidence is Evidence.UNKNOWN and observation.detail in WITHOUT_TOKEN)
    if accepted and seen.sight in _EVIDENCE_OF_OPEN:
        found = _EVIDENCE_OF_OPEN[seen.sight]
        return _refined(found, observation, seen) if check.expect is Expect.REACHABLE else found
    if check.expect is not Expect.REACHABLE:
        return evidence
    if seen.arrived and evidence in _NO_ANSWER_CAME:
        return Evidence.ANSWER_LOST
    return _EVIDENCE_BY_SIGHT.get((seen.sight, evidence), evidence)


def _refined(evidence: Evidence, observation: Observation, seen: Seen) -> Evidence:
    """What more there is to say of a required port."""
    if evidence is Evidence.ECHO and (observation.detail or "").startswith(REPLIED_FROM):
        return Evidence.ECHO_FROM_ELSEWHERE
    if evidence is Evidence.ANSWERED_IN_ITS_PLACE and seen.reached:
        return Evidence.QUESTION_STOPPED
    return evidence


def _is_unasked(observation: Observation) -> bool:
    """Over UDP the very answer would have been the token."""
    return observation.probe.transport is Transport.TCP and observation.detail not in WITHOUT_TOKEN


def _of_ourselves(check: Check, observation: Observation) -> Evidence:
    """What our own kernel says of a port, or our own packet filter."""
    reason = observation.reason
    if reason is Reason.PORT_HELD:
        return _of_holders(observation)
    if reason is Reason.PORT_FREE and (observation.detail or "").startswith(IN_EPHEMERAL_RANGE):
        return Evidence.OWN_EPHEMERAL
    if reason is Reason.NEEDS_PRIVILEGE and check.expect is Expect.LET_IN:
        return Evidence.RULES_UNREADABLE
    return _OWN_EVIDENCE.get(reason, Evidence.UNKNOWN)


def _of_holders(observation: Observation) -> Evidence:
    listening = [holder for holder in observation.holders if not holder.connected]
    if not listening:
        return Evidence.OWN_HELD_UNSEEN
    detail = observation.detail or ""
    if all(holder.stand_in for holder in listening):
        # What it holds today, an outgoing connection may have tomorrow.
        return Evidence.OWN_EPHEMERAL if detail.startswith(IN_EPHEMERAL_RANGE) else Evidence.OWN_STAND_IN
    if detail.startswith(MAY_BE_STAND_IN):
        return Evidence.OWN_HELD_PERHAPS
    outside = any(not is_loopback(holder.address) for holder in listening)
    return Evidence.OWN_HELD if outside else Evidence.OWN_LOOPBACK


def _of_network(check: Check, observation: Observation, facts: Facts) -> Evidence:
    state, reason = observation.state, observation.reason
    if state in _STATE_EVIDENCE:
        return _STATE_EVIDENCE[state]
    if state is PortState.CLOSED:
        if reason is Reason.REFUSED_ORIGIN_UNKNOWN and check.transport is not Transport.TCP:
            return Evidence.SOMEBODY_SAID_CLOSED
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


def rule_for(phase: Phase, expect: Expect, evidence: Evidence) -> Rule:
    """The table's row; expectations other than `reachable` mean the same in every phase."""
    return TABLE[(phase, expect, evidence)] if expect is Expect.REACHABLE else TABLE[(expect, evidence)]


def _of_the_answer(rule: Rule, check: Check, observation: Observation) -> Rule:
    """What it makes of a pass that something else answers, or something that cannot be read."""
    if observation.speaks is not None and contradicts(check.speaks, observation.speaks):
        return _WRONG_RESPONDER
    unread = observation.answer is not None and observation.speaks is None
    if unread and check.speaks and check.transport is Transport.UDP:
        # Over UDP the answer is all that there is: no handshake shows that the port is the service's.
        return replace(rule, because=f"{rule.because} What answers is not known.", certainty=Certainty.WEAK)
    return rule


def _tempered(rule: Rule, check: Check, evidence: Evidence, strictness: Strictness) -> Rule:
    """What a doubt, the level and --strict make of the table's rule."""
    doubted = rule.finding in DOUBTED and rule.outcome is Outcome.FAIL
    unshown = evidence is Evidence.MAY_BE_OPEN and rule.outcome is Outcome.INCONCLUSIVE
    if check.doubt and (doubted or unshown):
        return replace(
            rule,
            outcome=Outcome.INCONCLUSIVE,
            because=rule.because + " The document is doubtful here: {doubt}",
        )
    if check.range is not None and rule.finding is Finding.OCCUPIED and rule.outcome is Outcome.FAIL:
        return replace(rule, outcome=Outcome.WARN)  # The product takes another port of the range.
    if check.level is Level.RECOMMENDED and rule.outcome is Outcome.FAIL:
        return replace(rule, outcome=Outcome.WARN)
    if strictness.weak_passes and rule.outcome is Outcome.PASS and rule.certainty is Certainty.WEAK:
        return replace(rule, outcome=Outcome.INCONCLUSIVE, finding=Finding.UNDETERMINED)
    return rule


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
        hosts=len(_hosts(listed)),
        probes=sum(ports for ports, _ in sent),
        packets=sum(packets for _, packets in sent),
        kept=kept,
        exit_status=_exit_status(listed, interrupted, strict),
    )


def _hosts(verdicts: Iterable[Verdict]) -> set[str]:
    """Those that were asked over the network; of a run that asked nobody, the machine that it looked at."""
    there = [v.check for v in verdicts if v.finding is not Finding.NO_HOST]
    return {check.host for check in there if not check.is_own} or {check.host for check in there}


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
    # Where all that was asked is unprovable, nothing was shown.
    examined = any(
        v.finding is not Finding.NO_HOST and v.observation.state is not PortState.UNKNOWN and not v.unprovable
        for v in verdicts
    )
    return 3 if interrupted or unsure or not examined else 0
