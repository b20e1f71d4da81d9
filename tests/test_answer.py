"""The first line of a report: its word and its sentence for every mix of verdicts, and their grammar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.answer import answer
from portcheck.engine.probe import PortState, Reason, Transport
from portcheck.model import Answers, Expect, Finding, Level, Outcome, Phase, Seen, Sight, Verdict
from portcheck.ports import parse_ports
from portcheck.verdict import summarise
from tests.samples import PATIENT, check, observation

F, R, E = Finding, Outcome, Expect
OPEN = observation(PortState.OPEN, Reason.SYN_ACK)
CLOSED = observation(PortState.CLOSED, Reason.CONN_REFUSED)
SILENT = observation(PortState.FILTERED, Reason.NO_RESPONSE)
UNASKED = observation(PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, attempts=())
QUIET = observation(PortState.OPEN_FILTERED, Reason.NO_RESPONSE)

KINDS: Mapping[str, Verdict] = {
    "open": Verdict(check(), OPEN, R.PASS, F.OK, ""),
    "blocked": Verdict(check(), SILENT, R.FAIL, F.BLOCKED, ""),
    "rejected": Verdict(check(), SILENT, R.FAIL, F.REJECTED, ""),
    "host down": Verdict(check(), SILENT, R.FAIL, F.HOST_UNREACHABLE, ""),
    "not listening": Verdict(check(), CLOSED, R.FAIL, F.NOT_LISTENING, ""),
    "refused": Verdict(check(), CLOSED, R.FAIL, F.REFUSED, ""),
    "no answer": Verdict(check(), SILENT, R.FAIL, F.NO_ANSWER, ""),
    "occupied": Verdict(check(), OPEN, R.FAIL, F.OCCUPIED, ""),
    "somebody else's": Verdict(check(), OPEN, R.FAIL, F.WRONG_RESPONDER, ""),
    "recommended": Verdict(check(level=Level.RECOMMENDED), CLOSED, R.WARN, F.NOT_LISTENING, ""),
    "unsure": Verdict(check(), SILENT, R.INCONCLUSIVE, F.UNDETERMINED, ""),
    "untested": Verdict(check(), UNASKED, R.INCONCLUSIVE, F.NOT_TESTED, ""),
    "untested ESP": Verdict(check(transport=Transport.ESP, port=None), UNASKED, R.INCONCLUSIVE, F.NOT_TESTED, ""),
    "untested GRE": Verdict(check(transport=Transport.GRE, port=None), UNASKED, R.INCONCLUSIVE, F.NOT_TESTED, ""),
    "doubtful": Verdict(check(doubt="why"), CLOSED, R.INCONCLUSIVE, F.NOT_LISTENING, ""),
    "wrong": Verdict(check(), OPEN, R.WARN, F.WRONG_RESPONDER, ""),
    "unprovable": Verdict(check(answers=Answers.NEVER), QUIET, R.INCONCLUSIVE, F.UNDETERMINED, ""),
    "ping": Verdict(check(transport=Transport.ICMP, port=None), OPEN, R.PASS, F.OK, ""),
    "accepted": Verdict(check(), CLOSED, R.FAIL, F.NOT_LISTENING, "", waived="reason"),
    "local": Verdict(check(E.LOCAL_ONLY), CLOSED, R.PASS, F.OK, ""),
    "exposed": Verdict(check(E.LOCAL_ONLY), OPEN, R.FAIL, F.EXPOSED, ""),
    "swept": Verdict(check(E.NOT_OPEN), CLOSED, R.PASS, F.OK, ""),
    "unexpected": Verdict(check(E.NOT_OPEN), OPEN, R.FAIL, F.UNEXPECTED_OPEN, ""),
    "accepted unexpected": Verdict(check(E.NOT_OPEN), OPEN, R.FAIL, F.UNEXPECTED_OPEN, "", waived="reason"),
    "for others": Verdict(check(E.NOT_OPEN), OPEN, R.INFO, F.OPEN_TO_OTHERS, ""),
    "strictly for others": Verdict(check(E.NOT_OPEN), OPEN, R.FAIL, F.OPEN_TO_OTHERS, ""),
    "sweep unsure": Verdict(check(E.NOT_OPEN), SILENT, R.INCONCLUSIVE, F.UNDETERMINED, ""),
    "allowed": Verdict(check(E.ALLOWED), OPEN, R.INFO, F.OK, ""),
    "no host": Verdict(check(from_network=True), SILENT, R.INFO, F.NO_HOST, ""),
}

SENTENCES: tuple[tuple[dict[str, int], str], ...] = (
    ({}, "NOT SURE  Nothing was checked."),
    ({"open": 1}, "OK  The required flow is open."),
    ({"open": 1200}, "OK  All 1,200 required flows are open."),
    ({"open": 2, "swept": 1}, "OK  All 2 required flows are open, the other port looked at is not open."),
    (
        {"open": 2, "swept": 2, "local": 1},
        "OK  All 2 required flows are open, none of 3 other ports looked at is open.",
    ),
    ({"swept": 2}, "OK  None of 2 ports looked at is open."),
    ({"swept": 1}, "OK  The port looked at is not open."),
    ({"allowed": 1}, "OK  Nothing that was asked for is wrong."),
    (
        {"open": 2, "swept": 3, "for others": 1},
        "OK  All 2 required flows are open, 1 of 4 other ports looked at is open, see below.",
    ),
    ({"open": 3, "recommended": 1}, "OK  All 3 required flows are open, 1 warning."),
    (
        {"open": 3, "wrong": 1, "recommended": 1},
        "OK  3 of 4 required flows are open, 1 is open, but spoken there is something else than expected, 1 warning.",
    ),
    ({"open": 3, "unprovable": 2}, "OK  3 of 5 required flows are open, 2 cannot be decided, see below."),
    ({"unprovable": 1}, "NOT SURE  Nothing is proven: the required flow may be silent although all is well."),
    ({"unprovable": 2}, "NOT SURE  Nothing is proven: all 2 required flows may be silent although all is well."),
    (
        {"unprovable": 1, "no host": 1},
        "NOT SURE  Nothing is proven: the required flow may be silent although all is well.",
    ),
    (
        {"unprovable": 1, "untested": 1},
        "NOT SURE  Nothing failed, but 1 of 2 required flows was not determined, 1 was not tested.",
    ),
    ({"open": 3, "accepted": 1}, "OK  3 of 4 required flows are open, 1 finding is accepted by waivers."),
    ({"open": 1, "accepted": 2}, "OK  1 of 3 required flows is open, 2 findings are accepted by waivers."),
    (
        {"open": 2, "swept": 1, "accepted unexpected": 2},
        "OK  All 2 required flows are open, 2 of 3 other ports looked at are open, see below, "
        "2 findings are accepted by waivers.",
    ),
    (
        {"open": 2, "doubtful": 1, "unprovable": 1},
        "NOT SURE  Nothing failed, but 2 of 4 required flows were not determined.",
    ),
    ({"open": 1, "no host": 3}, "OK  The required flow is open."),
    ({"open": 1, "ping": 1}, "OK  All 2 required flows are open."),
    ({"no host": 4}, "NOT SURE  No host was found."),
    ({"blocked": 1}, "FAIL  The required flow is blocked."),
    ({"blocked": 1, "open": 40}, "FAIL  1 of 41 required flows is blocked."),
    ({"blocked": 3, "open": 38}, "FAIL  3 of 41 required flows are blocked."),
    ({"blocked": 4}, "FAIL  All 4 required flows are blocked."),
    ({"rejected": 2, "open": 1}, "FAIL  2 of 3 required flows are rejected on the way."),
    ({"host down": 2, "open": 1}, "FAIL  2 of 3 required flows are to hosts that cannot be reached."),
    ({"refused": 1, "open": 1}, "FAIL  1 of 2 required flows is refused."),
    ({"no answer": 1, "open": 1}, "FAIL  1 of 2 required flows is unanswered."),
    ({"occupied": 1, "open": 1}, "FAIL  1 of 2 required flows is in use already."),
    ({"somebody else's": 1, "open": 1}, "FAIL  1 of 2 required flows is answered by somebody else."),
    (
        {"blocked": 2, "not listening": 1, "exposed": 1, "unexpected": 2, "open": 5, "unsure": 1},
        "FAIL  2 of 9 required flows are blocked, 1 is refused because nothing seems to listen, 1 local-only port is "
        "reachable from here, 2 ports are open that nobody asked for.",
    ),
    (
        {"strictly for others": 1, "open": 1},
        "FAIL  1 port is open to this machine but meant for others.",
    ),
    ({"blocked": 1, "accepted": 1, "open": 1}, "FAIL  1 of 3 required flows is blocked."),
    ({"blocked": 1, "no host": 9}, "FAIL  The required flow is blocked."),
    ({"unsure": 1}, "NOT SURE  Nothing failed, but the required flow was not determined."),
    ({"unsure": 3}, "NOT SURE  Nothing failed, but none of 3 required flows was determined."),
    ({"unsure": 1, "open": 1}, "NOT SURE  Nothing failed, but 1 of 2 required flows was not determined."),
    ({"unsure": 2, "open": 1}, "NOT SURE  Nothing failed, but 2 of 3 required flows were not determined."),
    ({"untested ESP": 4}, "NOT SURE  Nothing failed, but none of 4 required flows (ESP) was tested."),
    (
        {"untested ESP": 2, "untested GRE": 1, "open": 1},
        "NOT SURE  Nothing failed, but 3 of 4 required flows (ESP and GRE) were not tested.",
    ),
    (
        {"untested": 2, "open": 1, "sweep unsure": 1},
        "NOT SURE  Nothing failed, but 2 of 3 required flows were not tested, 1 other check was not determined.",
    ),
    (
        {"unsure": 1, "untested ESP": 1, "open": 1, "sweep unsure": 2},
        "NOT SURE  Nothing failed, but 1 of 3 required flows was not determined, 1 (ESP) was not tested, "
        "2 other checks were not determined.",
    ),
    ({"sweep unsure": 1, "open": 1}, "NOT SURE  Nothing failed, but 1 check was not determined."),
)


def said(kinds: Mapping[str, int], phase: Phase = Phase.INSTALLED, interrupted: bool = False) -> str:
    verdicts = tuple(KINDS[kind] for kind, number in kinds.items() for _ in range(number))
    summary = summarise(verdicts, (), interrupted, strict=False)
    found = answer(verdicts, summary, phase)
    return f"{found.word}  {found.sentence}"


@pytest.mark.parametrize(("kinds", "expected"), SENTENCES, ids=lambda value: str(value)[:60])
def test_the_sentence(kinds: dict[str, int], expected: str) -> None:
    assert said(kinds) == expected


def test_every_kind_of_verdict_is_in_a_sentence() -> None:
    assert {kind for kinds, _ in SENTENCES for kind in kinds} == set(KINDS)


def test_before_the_install_an_open_flow_is_a_path_to_a_free_port() -> None:
    assert said({"open": 1}, Phase.PREINSTALL) == "OK  The required flow has an open path and a free port."
    assert said({"open": 2}, Phase.PREINSTALL) == "OK  All 2 required flows have an open path and a free port."


def test_before_the_install_a_protocol_without_ports_has_no_port_that_is_free() -> None:
    assert said({"ping": 1}, Phase.PREINSTALL) == "OK  The required flow has an open path."
    assert said({"ping": 1, "open": 1}, Phase.PREINSTALL) == "OK  All 2 required flows have an open path."


def test_a_run_that_was_ended_early_is_not_called_well() -> None:
    assert said({"open": 2}, interrupted=True) == "NOT SURE  Nothing failed, but the run is not complete."


@PATIENT
@given(st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers(1, 3)), st.booleans())
def test_the_word_follows_the_exit_status_and_the_sentence_is_one(kinds: dict[str, int], interrupted: bool) -> None:
    verdicts = tuple(KINDS[kind] for kind, number in kinds.items() for _ in range(number))
    summary = summarise(verdicts, (), interrupted, strict=False)
    found = answer(verdicts, summary, Phase.INSTALLED)
    assert found.word == {0: "OK", 1: "FAIL", 3: "NOT SURE"}[summary.exit_status]
    assert found.sentence[0].isupper() or found.sentence[0].isdigit()
    assert found.sentence.endswith(".")
    assert not {"1 is open that", " 1 ports", " 1 flows", "0 of"} & set(found.sentence.split(", "))
    if found.word == "OK":
        assert "not determined" not in found.sentence
    if any(v.outcome is Outcome.FAIL and v.waived is None for v in verdicts):
        assert found.word == "FAIL"


def test_swept_ports_that_are_judged_together_are_counted_one_by_one() -> None:
    many = replace(KINDS["swept"], alike=tuple(range(1, 401)))
    ignored = replace(KINDS["unexpected"], outcome=Outcome.INFO)
    summary = summarise((many, ignored), (), interrupted=False, strict=False)
    found = answer((many, ignored), summary, Phase.INSTALLED)
    assert found.sentence == "1 of 401 ports looked at is open, see below."


def test_ranges_that_were_not_tested_are_said_where_all_is_well() -> None:
    summary = summarise((KINDS["open"],), (), interrupted=False, strict=False)
    one = answer((KINDS["open"],), summary, Phase.INSTALLED, ranges=1)
    assert one.sentence == "The required flow is open, the path to 1 range of ports is not tested."
    several = answer((KINDS["open"],), summary, Phase.INSTALLED, ranges=6)
    assert several.sentence == "The required flow is open, the paths to 6 ranges of ports are not tested."


def test_a_port_that_is_taken_and_not_required_from_here_is_no_flow() -> None:
    """Before the install the product needs it, whoever may reach it later."""
    taken = replace(KINDS["occupied"], check=check(E.NOT_OPEN, named_for=("client",)))
    verdicts = (KINDS["open"], KINDS["occupied"], taken)
    summary = summarise(verdicts, (), interrupted=False, strict=False)
    sentence = answer(verdicts, summary, Phase.PREINSTALL).sentence
    assert sentence == "1 of 2 required flows is in use already, 1 port that the product needs is in use already."


# ------------------------------------------------------------------------------------ this machine and no other

SAMPLE: dict[str, Any] = {"expect": E.FREE, "range": parse_ports("49152-65535/tcp")[0], "level": Level.RECOMMENDED}
OWN: Mapping[str, Verdict] = {
    "free": Verdict(check(E.FREE), CLOSED, R.PASS, F.OK, ""),
    "taken": Verdict(check(E.FREE), OPEN, R.FAIL, F.OCCUPIED, ""),
    "ephemeral": Verdict(check(E.FREE), CLOSED, R.WARN, F.EPHEMERAL, ""),
    "unknown": Verdict(check(E.FREE), UNASKED, R.INCONCLUSIVE, F.UNDETERMINED, ""),
    "sample": Verdict(check(**SAMPLE), CLOSED, R.PASS, F.OK, ""),
    "taken sample": Verdict(check(**SAMPLE), OPEN, R.WARN, F.OCCUPIED, ""),
    "let in": Verdict(check(E.LET_IN), OPEN, R.PASS, F.OK, ""),
    "dropped": Verdict(check(E.LET_IN), SILENT, R.FAIL, F.BLOCKED, ""),
    "unclear": Verdict(check(E.LET_IN), UNASKED, R.INFO, F.UNDETERMINED, ""),
    "unread": Verdict(check(E.LET_IN), UNASKED, R.INFO, F.NOT_TESTED, ""),
    "perhaps on loopback": Verdict(check(E.LOOPBACK_ONLY), OPEN, R.INFO, F.UNDETERMINED, ""),
    "on loopback": Verdict(check(E.LOOPBACK_ONLY), OPEN, R.PASS, F.OK, ""),
    "wider": Verdict(check(E.LOOPBACK_ONLY), OPEN, R.WARN, F.EXPOSED, ""),
}

OF_THIS_MACHINE: tuple[tuple[dict[str, int], str], ...] = (
    ({"free": 24}, "OK  All 24 ports that master needs are free."),
    ({"free": 1}, "OK  The port that master needs is free."),
    (
        {"free": 24, "sample": 5, "let in": 29},
        "OK  All 24 ports that master needs are free, so are 5 of the ports 49152-65535, "
        "the packet filter of this machine lets in all 29 ports that others have to reach.",
    ),
    (
        {"free": 22, "ephemeral": 2},
        "OK  All 24 ports that master needs are free, 2 free ones lie in the ephemeral range.",
    ),
    ({"sample": 5}, "OK  5 of the ports 49152-65535 are free."),
    (
        {"free": 2, "sample": 4, "taken sample": 1},
        "OK  All 2 ports that master needs are free, so are 4 of 5 tried of the ports 49152-65535.",
    ),
    ({"free": 22, "taken": 2}, "FAIL  2 of 24 ports that master needs are in use already."),
    ({"taken": 2}, "FAIL  All 2 ports that master needs are in use already."),
    (
        {"free": 2, "taken": 1, "unknown": 1},
        "FAIL  1 of 4 ports that master needs is in use already, whether 1 is free is not known.",
    ),
    ({"free": 2, "unknown": 2}, "NOT SURE  Whether 2 of 4 ports that master needs are free is not known."),
    (
        {"free": 2, "let in": 1, "dropped": 1},
        "FAIL  All 2 ports that master needs are free, the packet filter of this machine stops what is sent to 1 of 2 "
        "ports that others have to reach.",
    ),
    (
        {"free": 46, "let in": 45, "unclear": 1},
        "OK  All 46 ports that master needs are free, the packet filter of this machine lets in 45 of 46 ports that "
        "others have to reach, of 1 that was not determined.",
    ),
    (
        {"free": 4, "let in": 1, "dropped": 1, "unclear": 1, "unread": 1},
        "FAIL  All 4 ports that master needs are free, the packet filter of this machine stops what is sent to 1 of 4 "
        "ports that others have to reach, of 2 that was not determined.",
    ),
    (
        {"free": 2, "unread": 2},
        "OK  All 2 ports that master needs are free, whether the packet filter of this machine lets in all 2 ports "
        "that others have to reach was not determined.",
    ),
    (
        {"free": 5, "let in": 1},
        "OK  All 5 ports that master needs are free, the packet filter of this machine lets in the port that others "
        "have to reach.",
    ),
    ({"on loopback": 2}, "OK  None of 2 ports for localhost only listens for others."),
    ({"on loopback": 1}, "OK  The port for localhost only does not listen for others."),
    (
        {"on loopback": 1, "perhaps on loopback": 1},
        "OK  The port for localhost only does not listen for others, whether 1 port for localhost only listens for "
        "others is not known.",
    ),
    ({"on loopback": 2, "wider": 1}, "OK  1 of 3 ports for localhost only listens for others too."),
)


@pytest.mark.parametrize(("kinds", "expected"), OF_THIS_MACHINE, ids=lambda value: str(value)[:60])
def test_the_sentence_about_this_machine(kinds: dict[str, int], expected: str) -> None:
    verdicts = tuple(OWN[kind] for kind, number in kinds.items() for _ in range(number))
    found = answer(verdicts, summarise(verdicts, (), interrupted=False, strict=False), Phase.PREINSTALL)
    assert f"{found.word}  {found.sentence}" == expected


def test_every_kind_of_verdict_about_this_machine_is_in_a_sentence() -> None:
    assert {kind for kinds, _ in OF_THIS_MACHINE for kind in kinds} == set(OWN)


def test_without_a_role_the_ports_are_those_that_were_asked_for() -> None:
    verdicts = (replace(OWN["free"], check=check(E.FREE, role="")),) * 3
    summary = summarise(verdicts, (), interrupted=False, strict=False)
    assert answer(verdicts, summary, Phase.PREINSTALL).sentence == "All 3 ports are free."


WELL_BESIDE = "The required flow has an open path and a free port, "
NEEDED_HERE = "ports that master needs on this machine"
LETS_IN = "the packet filter of this machine lets in"
BESIDE: tuple[tuple[dict[str, int], str], ...] = (
    (
        {"free": 2, "let in": 1},
        f"{WELL_BESIDE}all 2 {NEEDED_HERE} are free, {LETS_IN} the port that others have to reach.",
    ),
    (
        {"free": 16, "sample": 5, "let in": 20, "unclear": 1},
        f"{WELL_BESIDE}all 16 {NEEDED_HERE} are free, so are 5 of the ports 49152-65535, {LETS_IN} 20 of 21 ports "
        "that others have to reach, of 1 that was not determined.",
    ),
    (
        {"sample": 5, "unread": 2},
        f"{WELL_BESIDE}5 of the ports 49152-65535 on this machine are free, whether the packet filter of this machine "
        "lets in all 2 ports that others have to reach was not determined.",
    ),
    (
        {"free": 1, "ephemeral": 1},
        f"{WELL_BESIDE}all 2 {NEEDED_HERE} are free, 1 free one lies in the ephemeral range.",
    ),
    (
        {"on loopback": 1, "wider": 1},
        f"{WELL_BESIDE}1 of 2 ports on this machine for localhost only listens for others too.",
    ),
    (
        {"taken": 1, "dropped": 1, "let in": 1, "unclear": 1},
        "1 port that the product needs is in use already, the packet filter of this machine stops what is sent to "
        "1 of 3 ports that others have to reach, of 1 that was not determined.",
    ),
    ({"taken": 1, "let in": 1}, "1 port that the product needs is in use already."),
    (
        {"unknown": 1, "let in": 1, "unclear": 1},
        f"Nothing failed, but 1 check was not determined, {LETS_IN} 1 of 2 ports that others have to reach, "
        "of 1 that was not determined.",
    ),
)


@pytest.mark.parametrize(("kinds", "expected"), BESIDE, ids=lambda value: str(value)[:60])
def test_beside_the_network_this_machine_is_spoken_of_in_the_same_words(kinds: dict[str, int], expected: str) -> None:
    verdicts = (KINDS["open"], *(OWN[kind] for kind, number in kinds.items() for _ in range(number)))
    summary = summarise(verdicts, (), interrupted=False, strict=False)
    assert answer(verdicts, summary, Phase.PREINSTALL).sentence == expected


def test_what_our_stand_ins_opened_is_not_counted_among_the_open_ports() -> None:
    ours = replace(KINDS["for others"], seen=Seen(Sight.ECHO))
    verdicts = (KINDS["open"], KINDS["swept"], ours)
    summary = summarise(verdicts, (), interrupted=False, strict=False)
    assert answer(verdicts, summary, Phase.PREINSTALL).sentence == (
        "The required flow has an open path and a free port, the other port looked at (our stand-ins aside) is not "
        "open."
    )
