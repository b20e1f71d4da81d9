"""Every cell of the design's verdict table, what tempers a verdict, the sentences, and the exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_ALIVE,
    ICMP_MUTE,
    IN_EPHEMERAL_RANGE,
    MAY_BE_STAND_IN,
    NEEDS_SOURCE_PORT_68,
    OTHER_WITHOUT_TOKEN,
    OWN_HOST,
    OWN_ROUTE_LOST,
    OWN_RULES,
    REPLIED_FROM,
    RESERVED,
    SILENT_WITHOUT_TOKEN,
    UNASKED_TOKEN,
    WINDOW_STAYS_ZERO,
    Attempt,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Transport,
)
from portcheck.facts import Facts, facts_by_address
from portcheck.model import (
    NOT_SEEN,
    Answers,
    Certainty,
    Check,
    Expect,
    Family,
    Finding,
    Level,
    Outcome,
    Phase,
    Sight,
    Unexpected,
    Verdict,
)
from portcheck.model import Seen as Told
from portcheck.verdict import (
    TABLE,
    Evidence,
    Strictness,
    evidence_of,
    judge,
    rule_for,
    summarise,
)
from tests.samples import PATIENT, check, observation

PRE, INST = Phase.PREINSTALL, Phase.INSTALLED
REACH, LOCAL, ALLOWED, NOT_OPEN = Expect.REACHABLE, Expect.LOCAL_ONLY, Expect.ALLOWED, Expect.NOT_OPEN
FREE, LOOPBACK_ONLY, LET_IN = Expect.FREE, Expect.LOOPBACK_ONLY, Expect.LET_IN
OF_THE_NETWORK = (REACH, LOCAL, ALLOWED, NOT_OPEN)
PASS, FAIL, WARN, UNSURE, INFO = Outcome.PASS, Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE, Outcome.INFO

MUTE, ALIVE = Facts(), Facts(answered=3, alive=True)
FIREWALL = "10.0.0.254"


class Seen(NamedTuple):
    """An observation and what else the run shows of the address."""

    observation: Observation
    facts: Facts


def asked(expect: Expect, seen: Seen, **fields: Any) -> Check:
    """The check that this was observed for."""
    probe = seen.observation.probe
    return check(expect, transport=probe.transport, port=probe.port or None, probe=probe, **fields)


DATAGRAMS = tuple(Attempt(at, 0.7, 40001, 1, "no-response") for at in (0.0, 0.7, 1.4))


def udp(state: PortState, reason: Reason, **fields: Any) -> Observation:
    return observation(state, reason, **{"transport": Transport.UDP, "attempts": DATAGRAMS, **fields})


def of_protocol(transport: Transport, state: PortState, reason: Reason, **fields: Any) -> Observation:
    given = {"probe": Probe("10.0.0.1", transport, 0), "attempts": DATAGRAMS, **fields}
    return observation(state, reason, **given)


OPEN = Seen(observation(PortState.OPEN, Reason.SYN_ACK, rtt_ms=0.4), ALIVE)
RESET = Seen(observation(PortState.CLOSED, Reason.CONN_REFUSED), ALIVE)
REFUSED = Seen(observation(PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN), ALIVE)
ANSWERED = Seen(
    udp(PortState.OPEN, Reason.UDP_RESPONSE, rtt_ms=1.2, answer="NTP server, stratum 3", speaks="ntp"), ALIVE
)
UDP_CLOSED = Seen(udp(PortState.CLOSED, Reason.PORT_UNREACH, responder="10.0.0.1", icmp=(3, 3)), ALIVE)
UDP_REFUSED = Seen(udp(PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN), ALIVE)
ECHO = Seen(of_protocol(Transport.ICMP, PortState.OPEN, Reason.ECHO_REPLY, rtt_ms=0.4), Facts(alive=True))
NO_ECHO = Seen(of_protocol(Transport.ICMP, PortState.FILTERED, Reason.NO_RESPONSE), ALIVE)
NO_GRE = Seen(
    of_protocol(Transport.GRE, PortState.CLOSED, Reason.PROTO_UNREACH, responder="10.0.0.1", icmp=(3, 2)), ALIVE
)
SILENT_GRE = Seen(of_protocol(Transport.GRE, PortState.OPEN_FILTERED, Reason.NO_RESPONSE, detail=ICMP_ALIVE), ALIVE)
NO_PRIVILEGE = Seen(
    of_protocol(Transport.GRE, PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE, detail="CAP_NET_RAW", attempts=()), MUTE
)
SILENT = Seen(observation(PortState.FILTERED, Reason.NO_RESPONSE), ALIVE)
SILENT_HOST = Seen(observation(PortState.FILTERED, Reason.NO_RESPONSE), MUTE)
PROHIBITED = Seen(observation(PortState.FILTERED, Reason.ADMIN_PROHIBITED, responder=FIREWALL, icmp=(3, 13)), MUTE)
PROHIBITED_ALIVE = Seen(PROHIBITED.observation, ALIVE)
REJECTED_BY_HOST = Seen(
    observation(PortState.FILTERED, Reason.PORT_UNREACH, responder="10.0.0.1", icmp=(3, 3)), Facts(alive=True)
)
NO_ARP = Seen(observation(PortState.FILTERED, Reason.ARP_FAILURE, icmp=(3, 1)), MUTE)
NO_HOST_THERE = Seen(observation(PortState.FILTERED, Reason.HOST_UNREACH, responder=FIREWALL, icmp=(3, 1)), MUTE)
NO_NET_THERE = Seen(observation(PortState.FILTERED, Reason.NET_UNREACH, responder=FIREWALL, icmp=(3, 0)), MUTE)
UDP_SILENT = Seen(udp(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, detail=ICMP_ALIVE), ALIVE)
UDP_MUTE = Seen(udp(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, detail=ICMP_MUTE), MUTE)
NO_ROUTE = Seen(observation(PortState.UNKNOWN, Reason.NO_ROUTE), MUTE)
STOPPED = Seen(observation(PortState.UNKNOWN, Reason.DEADLINE, attempts=()), MUTE)
NOT_TOLD_APART = Seen(observation(PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED, responder=FIREWALL), ALIVE)
ACCEPTED_LIKE_ALL = Seen(observation(PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING, responder=FIREWALL), MUTE)
ACCEPTED_AND_RESET = Seen(observation(PortState.UNKNOWN, Reason.RESET_AFTER_HANDSHAKE, responder=FIREWALL), ALIVE)
LOST = Seen(observation(PortState.UNKNOWN, Reason.LOST_CONTACT, detail="answered until 12.3 s"), ALIVE)
LOST_UNASKED = Seen(replace(LOST.observation, attempts=()), ALIVE)
PROBABLY_PROHIBITED = Seen(
    replace(PROHIBITED.observation, inferred=True, detail="seen on 8 of 100 ports"),
    ALIVE,
)
PROBABLY_PROHIBITED_MUTE = Seen(PROBABLY_PROHIBITED.observation, MUTE)

# One line for each cell of the design's table: the outcome and finding before and after the install.
CELLS: dict[tuple[str, Expect, Seen], tuple[Outcome, Finding, Outcome, Finding]] = {
    ("open", REACH, OPEN): (FAIL, Finding.OCCUPIED, PASS, Finding.OK),
    ("closed", REACH, RESET): (PASS, Finding.OK, FAIL, Finding.NOT_LISTENING),
    ("closed, by whom is unknown", REACH, REFUSED): (PASS, Finding.OK, FAIL, Finding.REFUSED),
    ("answered udp", REACH, ANSWERED): (FAIL, Finding.OCCUPIED, PASS, Finding.OK),
    ("closed udp", REACH, UDP_CLOSED): (UNSURE, Finding.UNDETERMINED, FAIL, Finding.NOT_LISTENING),
    ("refused udp, by whom is unknown", REACH, UDP_REFUSED): (UNSURE, Finding.UNDETERMINED, FAIL, Finding.REFUSED),
    # An echo reply, or a word about GRE, takes no port from the product.
    ("echo reply", REACH, ECHO): (PASS, Finding.OK, PASS, Finding.OK),
    ("no echo reply", REACH, NO_ECHO): (FAIL, Finding.BLOCKED, FAIL, Finding.BLOCKED),
    ("no gre", REACH, NO_GRE): (UNSURE, Finding.UNDETERMINED, FAIL, Finding.NOT_LISTENING),
    ("silence over gre", REACH, SILENT_GRE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("no privilege", REACH, NO_PRIVILEGE): (UNSURE, Finding.NOT_TESTED, UNSURE, Finding.NOT_TESTED),
    ("silence", REACH, SILENT): (FAIL, Finding.BLOCKED, FAIL, Finding.BLOCKED),
    ("silence, nothing else either", REACH, SILENT_HOST): (FAIL, Finding.BLOCKED, FAIL, Finding.BLOCKED),
    ("icmp of a firewall", REACH, PROHIBITED): (FAIL, Finding.REJECTED, FAIL, Finding.REJECTED),
    ("icmp of the host", REACH, REJECTED_BY_HOST): (FAIL, Finding.REJECTED, FAIL, Finding.REJECTED),
    ("no arp", REACH, NO_ARP): (FAIL, Finding.HOST_UNREACHABLE, FAIL, Finding.HOST_UNREACHABLE),
    ("no host", REACH, NO_HOST_THERE): (FAIL, Finding.HOST_UNREACHABLE, FAIL, Finding.HOST_UNREACHABLE),
    ("no net", REACH, NO_NET_THERE): (FAIL, Finding.HOST_UNREACHABLE, FAIL, Finding.HOST_UNREACHABLE),
    ("open|filtered", REACH, UDP_SILENT): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("unknown", REACH, NO_ROUTE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("not tested", REACH, STOPPED): (UNSURE, Finding.NOT_TESTED, UNSURE, Finding.NOT_TESTED),
    ("rejected or dropped", REACH, NOT_TOLD_APART): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted like all", REACH, ACCEPTED_LIKE_ALL): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted and reset", REACH, ACCEPTED_AND_RESET): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("lost", REACH, LOST): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("lost before it was asked", REACH, LOST_UNASKED): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("icmp, inferred", REACH, PROBABLY_PROHIBITED): (FAIL, Finding.REJECTED, FAIL, Finding.REJECTED),
    ("icmp, inferred, mute host", REACH, PROBABLY_PROHIBITED_MUTE): (FAIL, Finding.REJECTED, FAIL, Finding.REJECTED),
    # Before the install it is not the product that listens: the port is taken.
    ("open", LOCAL, OPEN): (FAIL, Finding.OCCUPIED, FAIL, Finding.EXPOSED),
    ("closed", LOCAL, RESET): (PASS, Finding.OK, PASS, Finding.OK),
    ("closed, by whom is unknown", LOCAL, REFUSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("answered udp", LOCAL, ANSWERED): (FAIL, Finding.OCCUPIED, FAIL, Finding.EXPOSED),
    ("closed udp", LOCAL, UDP_CLOSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("refused udp, by whom is unknown", LOCAL, UDP_REFUSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("silence", LOCAL, SILENT): (PASS, Finding.OK, PASS, Finding.OK),
    ("silence, nothing else either", LOCAL, SILENT_HOST): (
        UNSURE,
        Finding.UNDETERMINED,
        UNSURE,
        Finding.UNDETERMINED,
    ),
    ("icmp of a firewall, host answers elsewhere", LOCAL, PROHIBITED_ALIVE): (PASS, Finding.OK, PASS, Finding.OK),
    ("icmp of a firewall", LOCAL, PROHIBITED): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("icmp of the host", LOCAL, REJECTED_BY_HOST): (PASS, Finding.OK, PASS, Finding.OK),
    ("no arp", LOCAL, NO_ARP): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("no host", LOCAL, NO_HOST_THERE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("no net", LOCAL, NO_NET_THERE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("open|filtered", LOCAL, UDP_SILENT): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("unknown", LOCAL, NO_ROUTE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("not tested", LOCAL, STOPPED): (UNSURE, Finding.NOT_TESTED, UNSURE, Finding.NOT_TESTED),
    ("rejected or dropped", LOCAL, NOT_TOLD_APART): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted like all", LOCAL, ACCEPTED_LIKE_ALL): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted and reset", LOCAL, ACCEPTED_AND_RESET): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("lost", LOCAL, LOST): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("icmp, inferred", LOCAL, PROBABLY_PROHIBITED): (PASS, Finding.OK, PASS, Finding.OK),
    ("icmp, inferred, mute host", LOCAL, PROBABLY_PROHIBITED_MUTE): (
        UNSURE,
        Finding.UNDETERMINED,
        UNSURE,
        Finding.UNDETERMINED,
    ),
    ("open", NOT_OPEN, OPEN): (FAIL, Finding.UNEXPECTED_OPEN, FAIL, Finding.UNEXPECTED_OPEN),
    ("closed", NOT_OPEN, RESET): (PASS, Finding.OK, PASS, Finding.OK),
    ("closed, by whom is unknown", NOT_OPEN, REFUSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("answered udp", NOT_OPEN, ANSWERED): (FAIL, Finding.UNEXPECTED_OPEN, FAIL, Finding.UNEXPECTED_OPEN),
    ("closed udp", NOT_OPEN, UDP_CLOSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("refused udp, by whom is unknown", NOT_OPEN, UDP_REFUSED): (PASS, Finding.OK, PASS, Finding.OK),
    ("silence", NOT_OPEN, SILENT): (PASS, Finding.OK, PASS, Finding.OK),
    ("silence, nothing else either", NOT_OPEN, SILENT_HOST): (
        UNSURE,
        Finding.UNDETERMINED,
        UNSURE,
        Finding.UNDETERMINED,
    ),
    ("icmp of a firewall, host answers elsewhere", NOT_OPEN, PROHIBITED_ALIVE): (PASS, Finding.OK, PASS, Finding.OK),
    ("icmp of a firewall", NOT_OPEN, PROHIBITED): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("icmp of the host", NOT_OPEN, REJECTED_BY_HOST): (PASS, Finding.OK, PASS, Finding.OK),
    ("no arp", NOT_OPEN, NO_ARP): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("no host", NOT_OPEN, NO_HOST_THERE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("no net", NOT_OPEN, NO_NET_THERE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("open|filtered", NOT_OPEN, UDP_SILENT): (INFO, Finding.UNDETERMINED, INFO, Finding.UNDETERMINED),
    ("unknown", NOT_OPEN, NO_ROUTE): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("not tested", NOT_OPEN, STOPPED): (UNSURE, Finding.NOT_TESTED, UNSURE, Finding.NOT_TESTED),
    ("rejected or dropped", NOT_OPEN, NOT_TOLD_APART): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted like all", NOT_OPEN, ACCEPTED_LIKE_ALL): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("accepted and reset", NOT_OPEN, ACCEPTED_AND_RESET): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("lost", NOT_OPEN, LOST): (UNSURE, Finding.UNDETERMINED, UNSURE, Finding.UNDETERMINED),
    ("icmp, inferred", NOT_OPEN, PROBABLY_PROHIBITED): (PASS, Finding.OK, PASS, Finding.OK),
    ("icmp, inferred, mute host", NOT_OPEN, PROBABLY_PROHIBITED_MUTE): (
        UNSURE,
        Finding.UNDETERMINED,
        UNSURE,
        Finding.UNDETERMINED,
    ),
}


@pytest.mark.parametrize(
    ("expect", "seen", "expected"),
    [(expect, seen, expected) for (_, expect, seen), expected in CELLS.items()],
    ids=[f"{expect}: {name}" for name, expect, _ in CELLS],
)
def test_a_cell_of_the_table(expect: Expect, seen: Seen, expected: tuple[Outcome, Finding, Outcome, Finding]) -> None:
    before = judge(asked(expect, seen), *seen, PRE)
    after = judge(asked(expect, seen), *seen, INST)
    assert (before.outcome, before.finding, after.outcome, after.finding) == expected


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("seen", [seen for _, expect, seen in CELLS if expect is REACH])
def test_what_may_be_open_and_need_not_is_only_information(seen: Seen, phase: Phase) -> None:
    assert judge(asked(ALLOWED, seen), *seen, phase).outcome is INFO


def test_the_table_is_total_and_has_nothing_that_is_never_used() -> None:
    """What evidence comes with which expectation is found by trying all that can be observed and told."""
    found = {(phase, expect, evidence) for phase, expect, evidence in everything_observable()}
    for phase, expect, evidence in found:
        assert rule_for(phase, expect, evidence).because
    used = {(p, x, e) if x is REACH else (x, e) for p, x, e in found}
    assert used == set(TABLE)


def everything_observable() -> Iterator[tuple[Phase, Expect, Evidence]]:
    """Each expectation with each evidence that it can meet."""
    told = [Told(sight, arrived=some, reached=some) for sight in Sight for some in (False, True)]
    details = (None, CLOSED_WITHOUT_TOKEN, UNASKED_TOKEN, f"{REPLIED_FROM}10.0.0.9")
    for phase, expect, silent in product(Phase, OF_THE_NETWORK, (False, True)):
        for (transport, state, reason), facts, detail in product(LEGAL, (MUTE, ALIVE), details):
            seen = observation(state, reason, transport=transport, detail=detail)
            target = check(expect, transport=transport, silent_when_closed=silent)
            for one in told if phase is PRE else (NOT_SEEN,):
                yield phase, expect, evidence_of(target, seen, facts, one)
    for expect, seen in product((FREE, LOOPBACK_ONLY), [*OWN_PORTS.values(), OWN_UNKNOWN]):
        yield PRE, expect, evidence_of(own_check(expect), seen, MUTE)
    for seen in [*OWN_FILTER.values(), OWN_UNKNOWN]:
        yield PRE, LET_IN, evidence_of(own_check(LET_IN), seen, MUTE)


def test_unknown_is_never_a_pass_and_never_a_failure() -> None:
    unknown = [reason for reason in Reason if reason not in CLOSED + FILTERED + OPENED + OF_OURSELVES]
    for phase, expect, reason in product(Phase, OF_THE_NETWORK, unknown):
        seen = observation(PortState.UNKNOWN, reason)
        for facts, present in product((MUTE, ALIVE), (False, True)):
            verdict = judge(check(expect, present=present), seen, facts, phase)
            assert verdict.outcome is (INFO if expect is ALLOWED else UNSURE), (phase, expect, reason)


def test_only_refusals_before_an_install_are_weak() -> None:
    for (_, expect, seen), phase in product(CELLS, Phase):
        verdict = judge(asked(expect, seen), *seen, phase)
        weak = phase is PRE and expect is REACH and seen in (RESET, REFUSED)
        assert (verdict.certainty is Certainty.WEAK) == weak, (expect, seen)


# ------------------------------------------------------------------------------ the rest of the run counts


def test_an_icmp_error_about_a_host_that_answers_elsewhere_is_a_firewalls_word() -> None:
    for reason, code in ((Reason.HOST_UNREACH, 1), (Reason.NET_UNREACH, 0)):
        seen = observation(PortState.FILTERED, reason, responder=FIREWALL, icmp=(3, code))
        assert judge(check(REACH), seen, ALIVE, INST).finding is Finding.REJECTED
        assert judge(check(NOT_OPEN), seen, ALIVE, INST).outcome is PASS


def test_a_host_that_says_of_itself_that_it_is_unreachable_is_there_and_rejects() -> None:
    seen = observation(PortState.FILTERED, Reason.HOST_UNREACH, responder="10.0.0.1", icmp=(3, 1))
    facts = facts_by_address([seen])["10.0.0.1"]
    verdict = judge(check(REACH), seen, facts, INST)
    assert (verdict.outcome, verdict.finding) == (FAIL, Finding.REJECTED)
    assert "cannot reach" not in verdict.because


def test_a_neighbour_that_vanishes_in_the_middle_is_unreachable_and_not_rejected_by_somebody() -> None:
    """arp-failure is our own kernel's word: nobody rejected anything, and a closed port was not shown."""
    reachable = judge(check(REACH), NO_ARP.observation, ALIVE, INST)
    assert (reachable.outcome, reachable.finding) == (FAIL, Finding.HOST_UNREACHABLE)
    assert "although 3 other ports of the same host answered" in reachable.because
    assert judge(check(NOT_OPEN), NO_ARP.observation, ALIVE, INST).outcome is UNSURE
    assert judge(check(LOCAL), NO_ARP.observation, ALIVE, INST).outcome is UNSURE


def test_an_icmp_error_of_the_host_itself_shows_that_it_is_there() -> None:
    seen = [REJECTED_BY_HOST.observation, SILENT.observation]
    facts = facts_by_address(seen)["10.0.0.1"]
    assert facts == Facts(answered=0, alive=True)
    assert judge(check(NOT_OPEN), SILENT.observation, facts, INST).outcome is PASS


def test_an_icmp_error_of_a_router_shows_nothing_about_the_host() -> None:
    facts = facts_by_address([PROHIBITED.observation, SILENT.observation])["10.0.0.1"]
    assert facts == MUTE
    assert judge(check(NOT_OPEN), SILENT.observation, facts, INST).outcome is UNSURE


def test_answers_of_one_address_say_nothing_about_another() -> None:
    other = replace(OPEN.observation, probe=Probe("10.0.0.2", Transport.TCP, 22))
    facts = facts_by_address([other, SILENT.observation])
    assert facts == {"10.0.0.1": MUTE, "10.0.0.2": Facts(answered=1, alive=True)}


def test_a_link_local_host_is_recognised_although_the_kernel_drops_the_zone() -> None:
    probe = Probe("fe80::1%eth0", Transport.TCP, 22)
    seen = observation(PortState.FILTERED, Reason.PORT_UNREACH, responder="fe80::1", icmp=(1, 4), probe=probe)
    target = check(REACH, address="fe80::1%eth0", family=Family.IPV6, probe=probe)
    facts = facts_by_address([seen])["fe80::1%eth0"]
    assert facts.alive
    assert judge(target, seen, facts, INST).because == "The host itself answered with ICMP port unreachable (1/4)."


# ------------------------------------------------------------------------------------------ silent systems

SILENT_SYSTEM = {
    (REACH, PRE, True): (UNSURE, Finding.UNDETERMINED),
    (REACH, PRE, False): (UNSURE, Finding.UNDETERMINED),
    (REACH, INST, True): (FAIL, Finding.NO_ANSWER),
    (REACH, INST, False): (FAIL, Finding.NO_ANSWER),
    (LOCAL, INST, True): (PASS, Finding.OK),
    (LOCAL, INST, False): (UNSURE, Finding.UNDETERMINED),
    (NOT_OPEN, PRE, True): (PASS, Finding.OK),
    (NOT_OPEN, PRE, False): (UNSURE, Finding.UNDETERMINED),
    (ALLOWED, INST, True): (INFO, Finding.NO_ANSWER),
    (ALLOWED, INST, False): (INFO, Finding.NO_ANSWER),
}


@pytest.mark.parametrize(("case", "expected"), SILENT_SYSTEM.items())
def test_a_system_that_drops_what_is_closed(
    case: tuple[Expect, Phase, bool], expected: tuple[Outcome, Finding]
) -> None:
    expect, phase, answers_elsewhere = case
    seen = SILENT if answers_elsewhere else SILENT_HOST
    verdict = judge(check(expect, silent_when_closed=True), *seen, phase)
    assert (verdict.outcome, verdict.finding) == expected


def test_a_system_that_drops_what_is_closed_can_still_be_rejected() -> None:
    assert judge(check(silent_when_closed=True), *PROHIBITED, INST).finding is Finding.REJECTED


# -------------------------------------------------------------------------------- what exists already


@pytest.mark.parametrize("seen", [seen for _, expect, seen in CELLS if expect is REACH])
def test_what_exists_before_the_install_is_judged_alike_in_both_phases(seen: Seen) -> None:
    before, after = (judge(check(present=True), *seen, phase) for phase in (PRE, INST))
    assert before == after == judge(check(present=True), *seen, INST)
    assert judge(check(present=True), *OPEN, PRE).outcome is PASS
    assert judge(check(present=True), *RESET, PRE).finding is Finding.NOT_LISTENING


# ----------------------------------------------------------------------------------------- out of a network


@pytest.mark.parametrize("seen", [SILENT_HOST, NO_ARP, NO_HOST_THERE, NO_NET_THERE])
@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("expect", OF_THE_NETWORK)
def test_an_address_of_a_network_without_a_sign_of_life_is_no_host(expect: Expect, silent: bool, seen: Seen) -> None:
    verdict = judge(check(expect, from_network=True, silent_when_closed=silent), *seen, INST)
    assert (verdict.outcome, verdict.finding) == (INFO, Finding.NO_HOST)


@pytest.mark.parametrize("seen", [OPEN, RESET, SILENT, REJECTED_BY_HOST, NO_ROUTE])
def test_a_living_address_of_a_network_is_judged_like_any_other(seen: Seen) -> None:
    assert judge(check(from_network=True), *seen, INST) == replace(
        judge(check(), *seen, INST), check=check(from_network=True)
    )


def test_a_named_host_that_never_answers_is_not_excused() -> None:
    assert judge(check(from_network=False), *SILENT_HOST, INST).outcome is FAIL


# ----------------------------------------------------------------------------------- levels, doubt, strict

RECOMMENDED = {
    "blocked": (REACH, SILENT, WARN, Finding.BLOCKED),
    "exposed": (LOCAL, OPEN, WARN, Finding.EXPOSED),
    "well": (REACH, OPEN, PASS, Finding.OK),
    "unknown": (REACH, NO_ROUTE, UNSURE, Finding.UNDETERMINED),
}


@pytest.mark.parametrize(("expect", "seen", "outcome", "finding"), RECOMMENDED.values(), ids=RECOMMENDED)
def test_what_is_recommended_only_warns(expect: Expect, seen: Seen, outcome: Outcome, finding: Finding) -> None:
    verdict = judge(check(expect, level=Level.RECOMMENDED), *seen, INST)
    assert (verdict.outcome, verdict.finding) == (outcome, finding)


DOUBT = "The column is smudged"
DOUBTED = {
    "not listening": (RESET, False, UNSURE, Finding.NOT_LISTENING),
    "refused": (REFUSED, False, UNSURE, Finding.REFUSED),
    "silent by design": (SILENT, True, UNSURE, Finding.NO_ANSWER),
    "blocked stays": (SILENT, False, FAIL, Finding.BLOCKED),
    "rejected stays": (PROHIBITED, False, FAIL, Finding.REJECTED),
    "unreachable stays": (NO_ARP, False, FAIL, Finding.HOST_UNREACHABLE),
    "open is open": (OPEN, False, PASS, Finding.OK),
}


@pytest.mark.parametrize(("seen", "silent", "outcome", "finding"), DOUBTED.values(), ids=DOUBTED)
@pytest.mark.parametrize("level", [Level.REQUIRED, Level.RECOMMENDED])
def test_a_doubt_about_the_document_excuses_what_does_not_listen_and_nothing_else(
    seen: Seen, silent: bool, outcome: Outcome, finding: Finding, level: Level
) -> None:
    verdict = judge(check(doubt=DOUBT, silent_when_closed=silent, level=level), *seen, INST)
    expected = WARN if outcome is FAIL and level is Level.RECOMMENDED else outcome
    assert (verdict.outcome, verdict.finding) == (expected, finding)
    assert verdict.doubtful == (outcome is UNSURE)
    assert (f"{DOUBT}." in verdict.because) == verdict.doubtful


def test_a_doubt_does_not_excuse_a_port_that_is_taken_before_the_install() -> None:
    assert judge(check(doubt=DOUBT), *OPEN, PRE).outcome is FAIL


@pytest.mark.parametrize("seen", [RESET, REFUSED])
def test_strict_does_not_take_a_weak_pass(seen: Seen) -> None:
    verdict = judge(check(), *seen, PRE, Strictness(weak_passes=True))
    assert (verdict.outcome, verdict.finding) == (UNSURE, Finding.UNDETERMINED)


def test_strict_leaves_everything_else_alone() -> None:
    for (_, expect, seen), phase in product(CELLS, Phase):
        verdict = judge(check(expect), *seen, phase)
        if verdict.certainty is Certainty.CERTAIN:
            assert judge(check(expect), *seen, phase, Strictness(weak_passes=True)) == verdict


def test_a_port_that_is_for_others_is_information_or_with_strict_sources_a_failure() -> None:
    target = check(NOT_OPEN, named_for=("master", "agent"))
    lenient, strict = (judge(target, *OPEN, INST, Strictness(sources=strict)) for strict in (False, True))
    assert (lenient.outcome, lenient.finding) == (INFO, Finding.OPEN_TO_OTHERS)
    assert (strict.outcome, strict.finding) == (FAIL, Finding.OPEN_TO_OTHERS)
    assert "master and agent" in lenient.because


def test_strict_sources_does_not_touch_what_nobody_may_reach() -> None:
    verdict = judge(check(NOT_OPEN), *OPEN, INST, Strictness(sources=True))
    assert (verdict.outcome, verdict.finding) == (FAIL, Finding.UNEXPECTED_OPEN)


@pytest.mark.parametrize(
    ("word", "outcome"), [(Unexpected.FAIL, FAIL), (Unexpected.WARN, Outcome.WARN), (Unexpected.IGNORE, INFO)]
)
def test_what_an_unexpected_port_counts_as_is_said_by_the_user(word: Unexpected, outcome: Outcome) -> None:
    verdict = judge(check(NOT_OPEN), *OPEN, INST, Strictness(unexpected=word))
    assert (verdict.outcome, verdict.finding) == (outcome, Finding.UNEXPECTED_OPEN)


def test_only_what_is_open_and_nobody_asked_for_is_ignored_with_the_unexpected() -> None:
    for (_, expect, seen), phase in product(CELLS, Phase):
        as_usual = judge(check(expect), *seen, phase)
        if as_usual.finding is not Finding.UNEXPECTED_OPEN:
            assert judge(check(expect), *seen, phase, Strictness(unexpected=Unexpected.IGNORE)) == as_usual
    for_others = check(NOT_OPEN, named_for=("master",))
    strict = Strictness(sources=True, unexpected=Unexpected.IGNORE)
    assert judge(for_others, *OPEN, INST, strict).outcome is FAIL


@pytest.mark.parametrize("answers", [Answers.NEVER, Answers.WITH_SECRET])
def test_the_silence_of_a_service_that_answers_nobody_proves_nothing(answers: Answers) -> None:
    verdict = judge(check(answers=answers), *UDP_SILENT, INST)
    assert verdict.unprovable
    assert not judge(check(), *UDP_SILENT, INST).unprovable
    assert not judge(check(answers=answers), *NO_ROUTE, INST).unprovable


BEFORE_THE_INSTALL = {
    "a closed port would have been reported": (
        UDP_SILENT,
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: dropped, or in use already.",
    ),
    "the host keeps its errors back": (
        UDP_MUTE._replace(facts=ALIVE),
        "No answer to 3 datagrams in 2.1 s, and m1 (10.0.0.1) never sent an ICMP error during this run: "
        "free, in use, or dropped.",
    ),
}


@pytest.mark.parametrize("answers", Answers)
@pytest.mark.parametrize(("seen", "because"), BEFORE_THE_INSTALL.values(), ids=BEFORE_THE_INSTALL)
def test_before_the_install_no_service_is_there_to_be_silent(answers: Answers, seen: Seen, because: str) -> None:
    verdict = judge(asked(REACH, seen, answers=answers, speaks=("vxlan",)), *seen, PRE)
    assert (verdict.outcome, verdict.unprovable, verdict.because) == (UNSURE, False, because)
    well = judge(check(), *RESET, PRE)
    assert summarise([well, verdict], [], False, False).exit_status == 3


def test_what_is_there_before_the_install_may_be_silent_by_nature() -> None:
    verdict = judge(asked(REACH, UDP_SILENT, answers=Answers.NEVER, present=True), *UDP_SILENT, PRE)
    assert verdict.unprovable
    assert "it does not answer strangers" in verdict.because


def test_strict_does_not_take_an_answer_that_nobody_can_read() -> None:
    unread = Seen(replace(ANSWERED.observation, answer="12 bytes that are no DNS", speaks=None), ALIVE)
    target = asked(REACH, unread, speaks=("dns",))
    assert judge(target, *unread, INST).outcome is PASS
    assert judge(target, *unread, INST, Strictness(weak_passes=True)).outcome is UNSURE


# ----------------------------------------------------------------------------------- nothing ever raises

OPENED = (Reason.SYN_ACK, Reason.UDP_RESPONSE, Reason.ECHO_REPLY, Reason.PROTO_RESPONSE)
OF_OURSELVES = (
    *(Reason.PORT_FREE, Reason.PORT_UNUSED, Reason.PORT_HELD, Reason.PORT_IN_CONNECTION),
    *(Reason.RULES_ACCEPT, Reason.RULES_DROP, Reason.RULES_REJECT, Reason.RULES_UNCLEAR),
)
CLOSED = (Reason.CONN_REFUSED, Reason.REFUSED_ORIGIN_UNKNOWN, Reason.PORT_UNREACH, Reason.PROTO_UNREACH)
FILTERED = (
    Reason.PORT_UNREACH,
    Reason.ADMIN_PROHIBITED,
    Reason.PROTO_UNREACH,
    Reason.HOST_UNREACH,
    Reason.NET_UNREACH,
    Reason.ARP_FAILURE,
    Reason.NO_RESPONSE,
)
_TCP, _UDP, _ICMP, _GRE = Transport.TCP, Transport.UDP, Transport.ICMP, Transport.GRE
UNKNOWNS = [reason for reason in Reason if reason not in (*OF_OURSELVES, Reason.ECHO_TOKEN)]
LEGAL = [
    *((transport, PortState.OPEN, reason) for transport, reason in zip((_TCP, _UDP, _ICMP, _GRE), OPENED, strict=True)),
    *((transport, PortState.OPEN, Reason.ECHO_TOKEN) for transport in (_TCP, _UDP)),
    (_TCP, PortState.CLOSED, Reason.CONN_REFUSED),
    (_TCP, PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN),
    (_UDP, PortState.CLOSED, Reason.PORT_UNREACH),
    (_UDP, PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN),
    (_GRE, PortState.CLOSED, Reason.PROTO_UNREACH),
    *((transport, PortState.FILTERED, reason) for transport in (_TCP, _ICMP) for reason in FILTERED),
    *((transport, PortState.FILTERED, reason) for transport in (_UDP, _GRE) for reason in FILTERED[:-1]),
    (_UDP, PortState.OPEN_FILTERED, Reason.NO_RESPONSE),
    (_GRE, PortState.OPEN_FILTERED, Reason.NO_RESPONSE),
    *((transport, PortState.UNKNOWN, reason) for transport in (_TCP, _UDP, _ICMP, _GRE) for reason in UNKNOWNS),
]
"""What an engine may say of each transport; ESP and AH are like GRE."""


def test_every_reason_occurs_in_some_legal_pair() -> None:
    assert {reason for _, _, reason in LEGAL} == set(Reason) - set(OF_OURSELVES)
    told_of_ourselves = [*OWN_PORTS.values(), *OWN_FILTER.values()]
    assert {seen.reason for seen in told_of_ourselves} == {*OF_OURSELVES, Reason.NEEDS_PRIVILEGE}
    assert {state for _, state, _ in LEGAL} == set(PortState)


ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        started_s=st.floats(0, 10),
        lasted_s=st.floats(0, 4),
        source_port=st.none() | st.integers(1024, 65535),
        syns=st.none() | st.integers(1, 5),
        result=st.sampled_from(["no-response", "not-needed"]),
    ),
    max_size=3,
)


BETWEEN = (Reason.ANSWERS_EVERYTHING, Reason.RESET_AFTER_HANDSHAKE, Reason.ICMP_RATE_LIMITED)
SEEN_ON = st.none() | st.just("seen on 8 of 100 ports")
DETAILS: dict[Reason, st.SearchStrategy[str | None]] = {
    Reason.ARP_FAILURE: st.none() | st.just("gateway 10.0.0.254"),
    Reason.ANSWERS_EVERYTHING: st.none() | st.just(WINDOW_STAYS_ZERO),
    Reason.NO_RESPONSE: st.none() | st.just("10.0.0.254 limits its ICMP errors, so this may be a rejection"),
    Reason.UDP_RESPONSE: st.none() | st.just(f"{REPLIED_FROM}10.0.0.9"),
    Reason.NEEDS_PRIVILEGE: st.just("CAP_NET_RAW"),
    Reason.LOST_CONTACT: st.none() | st.sampled_from(["answered until 12.3 s", OWN_ROUTE_LOST]),
    **dict.fromkeys((Reason.PORT_UNREACH, Reason.ADMIN_PROHIBITED, Reason.HOST_UNREACH, Reason.NET_UNREACH), SEEN_ON),
}
"""What the engine may say beside a reason; of others anything."""


SILENCES = st.none() | st.sampled_from([ICMP_ALIVE, ICMP_MUTE, NEEDS_SOURCE_PORT_68])
ANSWER = st.none() | st.sampled_from(["NTP server, stratum 3", "12 bytes that are no NTP", "{0} %s Hello."])


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    transport, state, reason = draw(st.sampled_from(LEGAL))
    unreachable = state is PortState.FILTERED and reason is not Reason.NO_RESPONSE
    details = SILENCES if state is PortState.OPEN_FILTERED else DETAILS.get(reason, st.none() | st.just("ENOTSUP"))
    is_open = state is PortState.OPEN
    return observation(
        state,
        reason,
        probe=Probe("10.0.0.1", transport, 22 if transport in (_TCP, _UDP) else 0),
        attempts=tuple(draw(ATTEMPTS)),
        responder=draw(st.sampled_from([None, FIREWALL, "10.0.0.1"])) if unreachable or reason in BETWEEN else None,
        icmp=draw(st.none() | st.tuples(st.sampled_from([3, 11]), st.integers(0, 15))) if unreachable else None,
        rtt_ms=draw(st.none() | st.floats(0, 3000)),
        inferred=unreachable and draw(st.booleans()),
        detail=draw(details),
        answer=draw(ANSWER) if is_open else None,
        speaks=draw(st.sampled_from([None, "ntp", "ssh"])) if is_open else None,
    )


CHECKS = st.builds(
    check,
    expect=st.sampled_from(OF_THE_NETWORK),
    level=st.sampled_from(Level),
    present=st.booleans(),
    doubt=st.none() | st.just(DOUBT) | st.just("It {may} be closed."),
    silent_when_closed=st.booleans(),
    from_network=st.booleans(),
    named_for=st.sampled_from([(), ("master",)]),
    answers=st.sampled_from(Answers),
    speaks=st.sampled_from([(), ("ntp",), ("http", "https"), ("ssdp",), ("radius",)]),
    host=st.sampled_from(["m1", "10.0.0.1"]),
)
TOLD = st.builds(
    Told,
    st.sampled_from(Sight),
    who=st.sampled_from([None, "the stand-in of m2", "a stand-in on {0} (10.0.0.9)"]),
    holder=st.sampled_from([None, Holder("::", pid=7, process="java"), Holder("::", uid=997), Holder("::")]),
    detail=st.none() | st.just("needs CAP_NET_BIND_SERVICE"),
    arrived=st.booleans(),
    translated=st.none() | st.just("192.168.0.1"),
)
FACTS = st.sampled_from([MUTE, Facts(alive=True), Facts(answered=1, alive=True), ALIVE])
STRICTNESS = st.builds(Strictness, weak_passes=st.booleans(), sources=st.booleans())
SENTENCE = re.compile(
    r"(?:[A-Z]|22/(?:tcp|udp) on |m1 \(10\.0\.0\.1\) |10\.0\.0\.1 |10\.0\.0\.254 |java ).*[^.]\.", re.DOTALL
)


@PATIENT
@given(CHECKS, observations(), FACTS, st.sampled_from(Phase), STRICTNESS, TOLD)
def test_every_legal_observation_has_a_verdict_and_a_sentence(
    target: Check, seen: Observation, facts: Facts, phase: Phase, strictness: Strictness, told: Told
) -> None:
    target = replace(target, transport=seen.probe.transport, port=seen.probe.port or None)
    verdict = judge(target, seen, facts, phase, strictness, seen=told)
    said = verdict.because.replace(target.doubt or "\0", "Doubt").replace("{0} %s", "")
    assert SENTENCE.fullmatch(verdict.because), verdict.because
    assert not re.search(r"None|[{}]|\s\s|\.\.|ICMP ICMP|\( *\)| [.,;:]", said), said
    assert ("{0} %s" in verdict.because) <= ("{0} %s" in (seen.answer or ""))
    assert (verdict.outcome is PASS) <= (verdict.finding is Finding.OK)
    assert (verdict.finding is Finding.OK) <= (verdict.outcome in (PASS, INFO))
    if seen.state is PortState.UNKNOWN:
        assert verdict.outcome in (UNSURE, INFO)


SENTENCES = {
    "open": (REACH, OPEN, "m1 (10.0.0.1) accepted the connection in 0.4 ms."),
    "dropped": (
        REACH,
        SILENT,
        "No answer to 8 SYNs from 2 source ports in 4.3 s, while 3 other ports of the same host answered.",
    ),
    "dropped, the host only rejects": (
        REACH,
        Seen(SILENT.observation, Facts(alive=True)),
        "No answer to 8 SYNs from 2 source ports in 4.3 s, while ICMP messages came from the same host.",
    ),
    "dropped, or rejected by a router that limits its errors": (
        REACH,
        Seen(replace(SILENT.observation, detail="10.0.0.254 limits its ICMP errors, so this may be a rejection"), MUTE),
        "No answer to 8 SYNs from 2 source ports in 4.3 s, and nothing else came from m1 (10.0.0.1) during this run "
        "(10.0.0.254 limits its ICMP errors, so this may be a rejection).",
    ),
    "one of one": (
        REACH,
        Seen(replace(SILENT.observation, attempts=(Attempt(0, 1.2, 40001, 1, "no-response"),)), Facts(1, True)),
        "No answer to 1 SYN from 1 source port in 1.2 s, while 1 other port of the same host answered.",
    ),
    "rejected on the way": (
        REACH,
        PROHIBITED,
        "10.0.0.254 answered with ICMP administratively prohibited (3/13); that is not 10.0.0.1.",
    ),
    "rejected by itself": (REACH, REJECTED_BY_HOST, "The host itself answered with ICMP port unreachable (3/3)."),
    "probably rejected on the way": (
        REACH,
        PROBABLY_PROHIBITED,
        "Probably rejected by 10.0.0.254, which limits how many such answers it sends: "
        "ICMP administratively prohibited (3/13), seen on 8 of 100 ports of this host.",
    ),
    "probably rejected by itself, nobody counted": (
        REACH,
        Seen(replace(REJECTED_BY_HOST.observation, inferred=True), ALIVE),
        "Probably rejected by the host itself: ICMP port unreachable (3/3), seen on other ports of this host.",
    ),
    "probably rejected, as it should be": (
        NOT_OPEN,
        PROBABLY_PROHIBITED,
        "10.0.0.254 probably rejects it, seen on 8 of 100 ports of this host.",
    ),
    "probably rejected, and nothing else": (
        NOT_OPEN,
        PROBABLY_PROHIBITED_MUTE,
        "Probably rejected by 10.0.0.254, which limits how many such answers it sends: ICMP administratively "
        "prohibited (3/13), seen on 8 of 100 ports of this host, and nothing came from m1 (10.0.0.1) itself during "
        "this run.",
    ),
    "not reached, inferred": (
        REACH,
        Seen(replace(NO_HOST_THERE.observation, inferred=True), MUTE),
        "10.0.0.254 reports that it cannot reach m1 (10.0.0.1) (ICMP host unreachable (3/1)), "
        "seen on other ports of this host.",
    ),
    "rejected or dropped": (
        REACH,
        NOT_TOLD_APART,
        "No answer, and 10.0.0.254 limits how many ICMP errors it sends: "
        "whether this port is rejected or dropped could not be told.",
    ),
    "everything is accepted": (
        REACH,
        ACCEPTED_LIKE_ALL,
        "m1 (10.0.0.1) accepts connections on random ports too, which nobody expects to be open: that this one was "
        "accepted proves nothing. Probably 10.0.0.254, or something right behind it, answers for the host.",
    ),
    "everything is accepted, by whom is not known": (
        REACH,
        Seen(replace(ACCEPTED_LIKE_ALL.observation, responder=None), MUTE),
        "m1 (10.0.0.1) accepts connections on random ports too, which nobody expects to be open: that this one was "
        "accepted proves nothing. Something on the way, or on the host itself, answers for all its ports.",
    ),
    "accepted with a window of zero": (
        REACH,
        Seen(replace(ACCEPTED_LIKE_ALL.observation, detail=WINDOW_STAYS_ZERO), MUTE),
        "The connection was accepted with a receive window of zero that never opened: a SYN proxy, probably "
        "10.0.0.254 or something right behind it, answered for m1 (10.0.0.1) and nothing answers behind it, "
        "or it is a tarpit.",
    ),
    "accepted and reset": (
        REACH,
        ACCEPTED_AND_RESET,
        "The connection was accepted and reset at once: a SYN proxy, probably 10.0.0.254 or something right behind "
        "it, answered for m1 (10.0.0.1) and nothing seems to listen behind it, or the service turns this machine away.",
    ),
    "lost": (
        REACH,
        LOST,
        "m1 (10.0.0.1) stopped answering as before in the middle of the run (answered until 12.3 s), even on a port "
        "that had answered: it banned this machine, restarted, or the network between went away. "
        "What was not decided by then is not known.",
    ),
    "lost, by this machine": (
        REACH,
        Seen(replace(LOST.observation, detail=OWN_ROUTE_LOST), ALIVE),
        "This machine lost its route to m1 (10.0.0.1) in the middle of the run. "
        "What was not decided by then is not known.",
    ),
    "a loop": (
        REACH,
        Seen(observation(PortState.FILTERED, Reason.NET_UNREACH, responder=FIREWALL, icmp=(11, 0)), MUTE),
        "10.0.0.254 reports that it has no way to m1 (10.0.0.1) (ICMP time exceeded (11/0)).",
    ),
    "our own firewall, silently": (
        REACH,
        Seen(observation(PortState.UNKNOWN, Reason.LOCAL_FIREWALL), MUTE),
        "A firewall or a routing rule of this machine rejects it: nothing left for the network.",
    ),
    "our own firewall, by ICMP": (
        REACH,
        Seen(observation(PortState.UNKNOWN, Reason.LOCAL_FIREWALL, icmp=(3, 3)), MUTE),
        "A firewall or a routing rule of this machine rejects it (ICMP 3/3): nothing left for the network.",
    ),
}


@pytest.mark.parametrize(("expect", "seen", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_a_sentence(expect: Expect, seen: Seen, sentence: str) -> None:
    assert judge(asked(expect, seen), *seen, INST).because == sentence


def silent_because(detail: str | None) -> Seen:
    return Seen(replace(UDP_SILENT.observation, detail=detail), ALIVE)


NTP, UNKNOWN_SERVICE = {"speaks": ("ntp",)}, dict[str, Any]()
DATAGRAM_SENTENCES: dict[str, tuple[Seen, dict[str, Any], str]] = {
    "answered": (ANSWERED, NTP, "m1 (10.0.0.1) answered in 1.2 ms: NTP server, stratum 3."),
    "answered from elsewhere": (
        Seen(replace(ANSWERED.observation, detail=f"{REPLIED_FROM}10.0.0.9"), ALIVE),
        NTP,
        "m1 (10.0.0.1) answered in 1.2 ms: NTP server, stratum 3; the answer came from 10.0.0.9, which was not asked.",
    ),
    "closed": (
        UDP_CLOSED,
        NTP,
        "m1 (10.0.0.1) refused it with ICMP port unreachable (3/3): nothing listens on this UDP port, or a firewall "
        "rejects it in the host's name; the path is probably open.",
    ),
    "refused by somebody": (
        UDP_REFUSED,
        NTP,
        "It was refused and this platform does not show by whom: nothing listens there, or a firewall on the way "
        "rejects it.",
    ),
    "silent on a host that reports closed ports": (
        UDP_SILENT,
        NTP,
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: "
        "dropped, or open and silent to NTP requests.",
    ),
    "silent, as servers of its kind may be": (
        UDP_SILENT,
        {"speaks": ("ssdp",)},
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: "
        "dropped, or open and silent to SSDP requests (a server without devices is silent).",
    ),
    "silent, and nobody knows what to ask": (
        UDP_SILENT,
        UNKNOWN_SERVICE,
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: dropped, or open and silent; "
        "what would make it answer is not known, so the datagrams were empty.",
    ),
    "silent on a host that reports nothing": (
        silent_because(ICMP_MUTE),
        NTP,
        "No answer to 3 datagrams in 2.1 s, and m1 (10.0.0.1) never sent an ICMP error during this run: "
        "closed, dropped, or open and silent to NTP requests.",
    ),
    "silent like everything else": (
        UDP_MUTE,
        NTP,
        "No answer to 3 datagrams in 2.1 s, and nothing else came from m1 (10.0.0.1) during this run: "
        "closed, dropped, or open and silent to NTP requests.",
    ),
    "silent to strangers": (
        UDP_SILENT,
        {"answers": Answers.NEVER, "speaks": ("vxlan",)},
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: dropped, or open; "
        "healthy or not, it does not answer strangers.",
    ),
    "silent without its secret": (
        silent_because(ICMP_MUTE),
        {"answers": Answers.WITH_SECRET, "speaks": ("radius",)},
        "No answer to 3 datagrams in 2.1 s, and m1 (10.0.0.1) never sent an ICMP error during this run: "
        "closed, dropped, or open; healthy or not, it answers only who knows its secret.",
    ),
    "silent to our source port": (
        silent_because(NEEDS_SOURCE_PORT_68),
        {"speaks": ("dhcp",)},
        "No answer to 3 datagrams in 2.1 s: DHCP answers source port 68 only, which this process may not use.",
    ),
    "silent to our source port, since the right one is taken": (
        silent_because("source port 68 is in use on this machine"),
        {"speaks": ("dhcp",)},
        "No answer to 3 datagrams in 2.1 s: DHCP answers source port 68 only, and source port 68 is in use on this "
        "machine.",
    ),
    "doubtful": (
        UDP_SILENT,
        {**NTP, "doubt": DOUBT},
        "No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports: dropped, or open and silent to "
        f"NTP requests. The document is doubtful here: {DOUBT}.",
    ),
    "not told in time": (
        Seen(udp(PortState.UNKNOWN, Reason.ICMP_RATE_LIMITED, responder="10.0.0.1"), ALIVE),
        NTP,
        "No answer, and the host itself limits how many ICMP errors it sends: --udp-budget ended "
        "before it could be told whether this port is closed, rejected, dropped, or open and silent.",
    ),
    "an echo reply": (ECHO, UNKNOWN_SERVICE, "m1 (10.0.0.1) answered the echo request in 0.4 ms."),
    "no echo reply": (
        NO_ECHO,
        UNKNOWN_SERVICE,
        "No answer to 3 echo requests in 2.1 s, while 3 ports of the same host answered.",
    ),
    "no echo reply of a system that drops what it does not know": (
        NO_ECHO,
        {"silent_when_closed": True},
        "No answer to 3 echo requests in 2.1 s. This system's own firewall may drop echo requests: "
        "blocked there, or on the way.",
    ),
    "no GRE": (
        NO_GRE,
        UNKNOWN_SERVICE,
        "m1 (10.0.0.1) answered with ICMP protocol unreachable (3/2): it does not speak GRE, or a firewall rejects it "
        "in the host's name; the path is probably open.",
    ),
    "silence over GRE": (
        SILENT_GRE,
        UNKNOWN_SERVICE,
        "No answer to 3 GRE packets in 2.1 s, while m1 (10.0.0.1) reports closed ports: "
        "dropped, ignored, or in use with known peers only.",
    ),
    "no privilege": (
        NO_PRIVILEGE,
        UNKNOWN_SERVICE,
        "This process may not send such packets: that takes a privilege (CAP_NET_RAW).",
    ),
}


@pytest.mark.parametrize(("seen", "fields", "sentence"), DATAGRAM_SENTENCES.values(), ids=DATAGRAM_SENTENCES)
def test_a_sentence_about_what_needs_no_connection(seen: Seen, fields: dict[str, Any], sentence: str) -> None:
    assert judge(asked(REACH, seen, **fields), *seen, INST).because == sentence


def test_a_udp_port_that_refuses_before_the_install_may_also_be_rejected() -> None:
    assert judge(asked(REACH, UDP_CLOSED), *UDP_CLOSED, PRE).because == (
        "m1 (10.0.0.1) refused it with ICMP port unreachable (3/3): nothing listens on this UDP port, and the path is "
        "open, unless a firewall rejects it in the host's name, which looks the same."
    )


def test_who_answers_where_nobody_should_is_told() -> None:
    assert judge(asked(NOT_OPEN, ANSWERED), *ANSWERED, INST).because == (
        "m1 (10.0.0.1) answered in 1.2 ms (NTP server, stratum 3), and nothing that is in use here expects it."
    )
    assert judge(asked(REACH, ANSWERED), *ANSWERED, PRE).because == (
        "Something listens on this port already (NTP server, stratum 3): the product cannot use it."
    )


SSH_SPOKEN = Seen(replace(OPEN.observation, answer="SSH, OpenSSH_9.2", speaks="ssh"), ALIVE)


def test_something_else_that_answers_is_a_warning() -> None:
    verdict = judge(check(speaks=("http",), port=5050), *SSH_SPOKEN, INST)
    assert (verdict.outcome, verdict.finding) == (WARN, Finding.WRONG_RESPONDER)
    assert verdict.because == "5050/tcp on m1 is open, but speaks SSH (SSH, OpenSSH_9.2); HTTP was expected."


@pytest.mark.parametrize("speaks", [(), ("ssh",), ("http", "ssh")])
def test_what_is_expected_or_unknown_is_nothing_else(speaks: tuple[str, ...]) -> None:
    verdict = judge(check(speaks=speaks), *SSH_SPOKEN, INST)
    assert (verdict.outcome, verdict.certainty) == (PASS, Certainty.CERTAIN)
    assert verdict.because == "m1 (10.0.0.1) accepted the connection in 0.4 ms: SSH, OpenSSH_9.2."


def test_something_else_where_nothing_should_be_open_is_still_what_should_not_be_open() -> None:
    verdict = judge(check(NOT_OPEN, speaks=("http",)), *SSH_SPOKEN, INST)
    assert (verdict.outcome, verdict.finding) == (FAIL, Finding.UNEXPECTED_OPEN)


def test_a_datagram_that_nobody_can_read_proves_the_path_and_not_the_service() -> None:
    unread = Seen(replace(ANSWERED.observation, answer="12 bytes that are no NTP", speaks=None), ALIVE)
    verdict = judge(asked(REACH, unread, speaks=("ntp",)), *unread, INST)
    assert (verdict.outcome, verdict.certainty) == (PASS, Certainty.WEAK)
    assert verdict.because.endswith("12 bytes that are no NTP. What answers is not known.")
    read = Seen(replace(unread.observation, answer="NTP server, stratum 3", speaks="ntp"), ALIVE)
    assert judge(asked(REACH, read, speaks=("ntp",)), *read, INST).certainty is Certainty.CERTAIN
    assert judge(asked(REACH, unread), *unread, INST).certainty is Certainty.CERTAIN


def test_a_host_that_reports_a_closed_port_is_alive_though_all_that_was_asked_is_silent() -> None:
    facts = facts_by_address([UDP_SILENT.observation, SILENT.observation])["10.0.0.1"]
    assert facts == Facts(answered=0, alive=True)
    assert judge(check(NOT_OPEN), SILENT.observation, facts, INST).outcome is PASS
    assert facts_by_address([UDP_MUTE.observation])["10.0.0.1"] == MUTE


def test_an_echo_reply_shows_a_host_and_no_port() -> None:
    assert facts_by_address([ECHO.observation, NO_GRE.observation])["10.0.0.1"] == Facts(answered=0, alive=True)


def test_silent_datagrams_to_an_address_of_a_network_find_no_host() -> None:
    assert judge(asked(REACH, UDP_MUTE, from_network=True), *UDP_MUTE, INST).finding is Finding.NO_HOST
    assert judge(asked(REACH, UDP_SILENT, from_network=True), *UDP_SILENT, INST).finding is Finding.UNDETERMINED


def test_a_port_that_nobody_asked_for_is_told_with_what_the_documents_have_it_for() -> None:
    verdict = judge(check(NOT_OPEN, known_as=("Marathon on master",)), *OPEN, INST)
    assert verdict.because == (
        "m1 (10.0.0.1) accepted the connection in 0.4 ms, and nothing that is in use here expects it; "
        "the documents have it for Marathon on master."
    )


def test_evidence_has_no_word_that_nothing_comes_to() -> None:
    assert {evidence for _, _, evidence in everything_observable()} == set(Evidence)


# -------------------------------------------------------------------------------- with stand-ins at the targets

JAVA = Holder("::", pid=812, process="java", uid=997, unit="dcos-mesos-master.service")


def told(sight: Sight, **fields: Any) -> Told:
    return Told(sight, **fields)


def accepted(detail: str) -> Seen:
    return Seen(replace(OPEN.observation, detail=detail), ALIVE)


ECHO_TOLD = Echo("0" * 16, "m1", True, "10.0.0.1", 22, "10.0.0.11", 40001)
ECHO_SEEN = Seen(
    replace(
        OPEN.observation,
        reason=Reason.ECHO_TOKEN,
        attempts=(Attempt(0.0, 0.001, 40001, 1, "syn-ack", "10.0.0.11"),),
        echo=ECHO_TOLD,
    ),
    ALIVE,
)
ECHO_ELSEWHERE = Seen(replace(ECHO_SEEN.observation, detail=f"{REPLIED_FROM}10.0.0.9"), ALIVE)
CLOSES, SILENT_AFTER, OTHER = map(accepted, (CLOSED_WITHOUT_TOKEN, SILENT_WITHOUT_TOKEN, OTHER_WITHOUT_TOKEN))
UNASKED = accepted(UNASKED_TOKEN)
EVERYTHING = Seen(observation(PortState.UNKNOWN, Reason.ANSWERS_EVERYTHING, detail=CLOSED_WITHOUT_TOKEN), ALIVE)

WITH_STAND_INS: dict[str, tuple[Sight, Seen, Outcome, Finding]] = {
    "our stand-in": (Sight.ECHO, ECHO_SEEN, PASS, Finding.OK),
    "our stand-in, from another address": (Sight.ECHO, ECHO_ELSEWHERE, PASS, Finding.OK),
    "another port of it": (Sight.OTHER_PORT, ECHO_SEEN, FAIL, Finding.WRONG_RESPONDER),
    "the run ended first, refused": (Sight.CUT_SHORT, RESET, UNSURE, Finding.UNDETERMINED),
    "the run ended first, open": (Sight.CUT_SHORT, UNASKED, UNSURE, Finding.UNDETERMINED),
    "another one": (Sight.OTHER_HOST, ECHO_SEEN, FAIL, Finding.WRONG_RESPONDER),
    "a proxy before a stand-in": (Sight.LISTENING, CLOSES, FAIL, Finding.WRONG_RESPONDER),
    "a tarpit before a stand-in": (Sight.LISTENING, SILENT_AFTER, FAIL, Finding.WRONG_RESPONDER),
    "something else before a stand-in, over UDP": (Sight.LISTENING, ANSWERED, FAIL, Finding.WRONG_RESPONDER),
    "nobody gives a token": (Sight.CLOSES, CLOSES, FAIL, Finding.WRONG_RESPONDER),
    "listening, but not asked in time": (Sight.LISTENING, UNASKED, UNSURE, Finding.UNDETERMINED),
    "nothing known, and not asked in time": (Sight.ABSENT, UNASKED, UNSURE, Finding.UNDETERMINED),
    "held": (Sight.HELD, OTHER, FAIL, Finding.OCCUPIED),
    "held, and not asked": (Sight.HELD, UNASKED, FAIL, Finding.OCCUPIED),
    "held on another address": (Sight.HELD, RESET, FAIL, Finding.OCCUPIED),
    "held, silent over UDP": (Sight.HELD, UDP_SILENT, FAIL, Finding.OCCUPIED),
    "everything accepted before a stand-in": (Sight.LISTENING, EVERYTHING, FAIL, Finding.WRONG_RESPONDER),
    "everything accepted, and never a token": (Sight.CLOSES, EVERYTHING, FAIL, Finding.WRONG_RESPONDER),
    "everything accepted, and no stand-in": (Sight.ABSENT, EVERYTHING, UNSURE, Finding.UNDETERMINED),
    "held behind a firewall that drops": (Sight.HELD, SILENT, FAIL, Finding.BLOCKED),
    "held behind a firewall that rejects": (Sight.HELD, PROHIBITED_ALIVE, FAIL, Finding.REJECTED),
    "held, not measured": (Sight.HELD, NO_ROUTE, UNSURE, Finding.UNDETERMINED),
    "somebody where the stand-in was not started": (Sight.UNOPENED, OTHER, FAIL, Finding.OCCUPIED),
    "the same, not asked": (Sight.UNOPENED, UNASKED, FAIL, Finding.OCCUPIED),
    "somebody, and no stand-in": (Sight.ABSENT, OTHER, FAIL, Finding.OCCUPIED),
    "somebody over UDP, and no stand-in": (Sight.ABSENT, ANSWERED, FAIL, Finding.OCCUPIED),
    "somebody where the stand-in may not listen": (Sight.UNABLE, OTHER, FAIL, Finding.OCCUPIED),
    "reset in front of it": (Sight.LISTENING, RESET, FAIL, Finding.REJECTED),
    "refused in front of it, on Windows": (Sight.LISTENING, REFUSED, FAIL, Finding.REJECTED),
    "refused in front of it over UDP": (Sight.LISTENING, UDP_CLOSED, FAIL, Finding.REJECTED),
    "dropped before it": (Sight.LISTENING, SILENT, FAIL, Finding.BLOCKED),
    "dropped before it over UDP": (Sight.LISTENING, UDP_SILENT, FAIL, Finding.BLOCKED),
    "rejected before it": (Sight.LISTENING, PROHIBITED_ALIVE, FAIL, Finding.REJECTED),
    "no host": (Sight.ABSENT, NO_ARP, FAIL, Finding.HOST_UNREACHABLE),
    "no stand-in, refused": (Sight.ABSENT, RESET, UNSURE, Finding.UNDETERMINED),
    "no stand-in, refused over UDP": (Sight.ABSENT, UDP_CLOSED, UNSURE, Finding.UNDETERMINED),
    "no stand-in, silent over UDP": (Sight.ABSENT, UDP_SILENT, UNSURE, Finding.UNDETERMINED),
    "no stand-in, dropped": (Sight.ABSENT, SILENT, FAIL, Finding.BLOCKED),
    "not started for it": (Sight.UNOPENED, RESET, UNSURE, Finding.UNDETERMINED),
    "its report did not come": (Sight.UNREPORTED, RESET, UNSURE, Finding.UNDETERMINED),
    "its report did not come, and not asked": (Sight.UNREPORTED, UNASKED, UNSURE, Finding.UNDETERMINED),
    "may not take it": (Sight.UNABLE, RESET, PASS, Finding.OK),
    "may not take it over UDP": (Sight.UNABLE, UDP_CLOSED, UNSURE, Finding.UNDETERMINED),
}


@pytest.mark.parametrize(("sight", "seen", "outcome", "finding"), WITH_STAND_INS.values(), ids=WITH_STAND_INS)
def test_a_required_port_with_a_stand_in(sight: Sight, seen: Seen, outcome: Outcome, finding: Finding) -> None:
    verdict = judge(asked(REACH, seen), *seen, PRE, seen=told(sight, holder=JAVA, who="the stand-in of m2"))
    assert (verdict.outcome, verdict.finding, verdict.seen.sight) == (outcome, finding, sight)
    weak = (sight, verdict.outcome) == (Sight.UNABLE, PASS) or seen is ECHO_ELSEWHERE
    assert verdict.certainty is (Certainty.WEAK if weak else Certainty.CERTAIN)


@pytest.mark.parametrize(("sight", "seen", "outcome", "finding"), WITH_STAND_INS.values(), ids=WITH_STAND_INS)
def test_stand_ins_say_nothing_of_what_exists_or_when_the_product_is_there(
    sight: Sight, seen: Seen, outcome: Outcome, finding: Finding
) -> None:
    existing = asked(REACH, seen, present=True)
    assert judge(existing, *seen, PRE, seen=told(sight)) == judge(existing, *seen, PRE)
    assert judge(asked(REACH, seen), *seen, INST, seen=told(sight)) == judge(asked(REACH, seen), *seen, INST)


def test_a_system_that_drops_what_is_closed_drops_nothing_that_our_stand_in_opened() -> None:
    target = asked(REACH, SILENT, silent_when_closed=True)
    assert judge(target, *SILENT, PRE, seen=told(Sight.LISTENING)).finding is Finding.BLOCKED
    assert judge(target, *SILENT, PRE, seen=told(Sight.UNABLE)).finding is Finding.UNDETERMINED


NOT_REQUIRED: dict[str, tuple[Expect, Sight, Seen, Outcome, Finding]] = {
    "ours": (NOT_OPEN, Sight.ECHO, ECHO_SEEN, PASS, Finding.OK),
    "ours, for localhost": (LOCAL, Sight.ECHO, ECHO_SEEN, INFO, Finding.OK),
    "ours, allowed": (ALLOWED, Sight.ECHO, ECHO_SEEN, INFO, Finding.OK),
    "another's": (NOT_OPEN, Sight.OTHER_HOST, ECHO_SEEN, WARN, Finding.WRONG_RESPONDER),
    "another's, for localhost": (LOCAL, Sight.OTHER_HOST, ECHO_SEEN, WARN, Finding.WRONG_RESPONDER),
    "a proxy": (NOT_OPEN, Sight.CLOSES, CLOSES, UNSURE, Finding.UNDETERMINED),
    "not asked": (NOT_OPEN, Sight.LISTENING, UNASKED, UNSURE, Finding.UNDETERMINED),
    "a proxy before ours": (NOT_OPEN, Sight.LISTENING, CLOSES, WARN, Finding.WRONG_RESPONDER),
    "somebody": (NOT_OPEN, Sight.ABSENT, OTHER, FAIL, Finding.OCCUPIED),
    "somebody, for localhost": (LOCAL, Sight.UNOPENED, OTHER, FAIL, Finding.OCCUPIED),
    "refused": (NOT_OPEN, Sight.ABSENT, RESET, PASS, Finding.OK),
    "refused, for localhost": (LOCAL, Sight.LISTENING, RESET, PASS, Finding.OK),
}


@pytest.mark.parametrize(("expect", "sight", "seen", "outcome", "finding"), NOT_REQUIRED.values(), ids=NOT_REQUIRED)
def test_a_port_that_is_not_required_from_here_with_a_stand_in(
    expect: Expect, sight: Sight, seen: Seen, outcome: Outcome, finding: Finding
) -> None:
    verdict = judge(asked(expect, seen, needed_by_others=True), *seen, PRE, seen=told(sight))
    assert (verdict.outcome, verdict.finding) == (outcome, finding)


def test_what_our_stand_in_opened_for_others_is_open_to_others_and_never_occupied() -> None:
    target = check(NOT_OPEN, named_for=("master",), needed_by_others=True)
    lenient, strict = (
        judge(target, *ECHO_SEEN, PRE, Strictness(sources=strict), seen=told(Sight.ECHO)) for strict in (False, True)
    )
    assert (lenient.outcome, lenient.finding) == (INFO, Finding.OPEN_TO_OTHERS)
    assert (strict.outcome, strict.finding) == (FAIL, Finding.OPEN_TO_OTHERS)


STAND_IN_SENTENCES: dict[str, tuple[Seen, Told, str]] = {
    "our stand-in": (ECHO_SEEN, told(Sight.ECHO), "Our stand-in on m1 answered in 0.4 ms."),
    "behind a translation": (
        Seen(replace(ECHO_SEEN.observation, echo=Echo("0" * 16, "m1", True, "192.168.0.1", 22, "9.9.9.9", 1)), ALIVE),
        told(Sight.ECHO, translated="192.168.0.1"),
        "Our stand-in on m1 answered in 0.4 ms; the question arrived at 192.168.0.1 and came from 9.9.9.9 there: "
        "addresses are translated on the way.",
    ),
    "another one": (
        ECHO_SEEN,
        told(Sight.OTHER_HOST, who="the stand-in of m2"),
        "The stand-in of m2 answered in the place of m1 (10.0.0.1).",
    ),
    "from another address": (
        ECHO_ELSEWHERE,
        told(Sight.ECHO),
        "Our stand-in on m1 answered in 0.4 ms; the answer came from 10.0.0.9, which was not asked: many clients drop "
        "such an answer.",
    ),
    "at another port": (
        ECHO_SEEN,
        told(Sight.OTHER_PORT, echo=replace(ECHO_TOLD, port=8080)),
        "What is sent to 22/tcp of m1 arrives at port 8080 there: something on the way redirects it, and the product "
        "would not be reached.",
    ),
    "a firewall that reads": (
        CLOSES,
        told(Sight.LISTENING, reached=True),
        "The connection reached our stand-in on m1, and what was said over it did not: a firewall on the way lets "
        "connections through and stops what they carry.",
    ),
    "a proxy": (
        CLOSES,
        told(Sight.LISTENING),
        "Our stand-in on m1 listens there, but what accepted the connection closed it without a token: somebody on "
        "the way answers in its place, or lets connections through and not what is said over them.",
    ),
    "held": (
        RESET,
        told(Sight.HELD, holder=JAVA),
        "java (PID 812, unit dcos-mesos-master.service) has this port on m1 already, says our stand-in there: the "
        "product cannot use it.",
    ),
    "held by nobody knows whom": (
        RESET,
        told(Sight.HELD),
        "Somebody has this port on m1 already, says our stand-in there: the product cannot use it.",
    ),
    "held by somebody with a hostile name": (
        RESET,
        told(Sight.HELD, holder=Holder("::", pid=7, process="{0}\x1b[2J")),
        "{0}\\x1b[2J (PID 7) has this port on m1 already, says our stand-in there: the product cannot use it.",
    ),
    "the answer was lost": (
        UDP_SILENT,
        told(Sight.LISTENING, arrived=True),
        "The question reached our stand-in on m1, and its answer was lost on the way back.",
    ),
    "the question was lost": (
        UDP_SILENT,
        told(Sight.LISTENING),
        "No answer to 3 datagrams in 2.1 s, although our stand-in on m1 listens there.",
    ),
    "no stand-in": (
        RESET,
        told(Sight.ABSENT),
        "The connection was refused, and no stand-in of m1 was heard: the port is free, or a firewall rejects it, "
        "which looks the same.",
    ),
    "no privilege": (
        RESET,
        told(Sight.UNABLE, detail="needs CAP_NET_BIND_SERVICE"),
        "m1 (10.0.0.1) refused the connection: the path is open and the port is free, unless a firewall resets "
        "connections, which looks the same; our stand-in there could not open this port (needs CAP_NET_BIND_SERVICE).",
    ),
}


@pytest.mark.parametrize(("seen", "said", "sentence"), STAND_IN_SENTENCES.values(), ids=STAND_IN_SENTENCES)
def test_a_sentence_about_a_stand_in(seen: Seen, said: Told, sentence: str) -> None:
    assert judge(asked(REACH, seen), *seen, PRE, seen=said).because == sentence


# -------------------------------------------------------------------------------------- of this machine itself


def own_check(expect: Expect, **fields: Any) -> Check:
    probe = Probe(OWN_RULES if expect is LET_IN else OWN_HOST, Transport.TCP, 5050)
    return check(expect, address=None, family=None, port=5050, probe=probe, **fields)


def of_own(state: PortState, reason: Reason, detail: str | None = None, *holders: Holder) -> Observation:
    return Observation(Probe(OWN_HOST, Transport.TCP, 5050), state, reason, detail=detail, holders=holders)


def held(*holders: Holder) -> Observation:
    return of_own(PortState.OPEN, Reason.PORT_HELD, None, *holders)


CURL = Holder("10.0.0.1", connected=True, pid=5, process="curl")
OWN_PORTS = {
    "free": of_own(PortState.CLOSED, Reason.PORT_FREE),
    "reserved": of_own(PortState.CLOSED, Reason.PORT_FREE, RESERVED),
    "ephemeral": of_own(PortState.CLOSED, Reason.PORT_FREE, f"{IN_EPHEMERAL_RANGE}32768-60999"),
    "unused": of_own(PortState.CLOSED, Reason.PORT_UNUSED, "needs CAP_NET_BIND_SERVICE"),
    "held": held(JAVA),
    "held on two addresses": held(replace(JAVA, address="127.0.0.1"), replace(JAVA, address="10.0.0.1")),
    "held by our stand-in": held(Holder("0.0.0.0", pid=9, process="python3", stand_in=True)),
    "held by our stand-in and another": held(JAVA, Holder("0.0.0.0", pid=9, process="python3", stand_in=True)),
    "held on loopback": held(replace(JAVA, address="127.0.0.53"), CURL),
    "held on both loopbacks": held(replace(JAVA, address="::1"), replace(JAVA, address="::ffff:127.0.0.1")),
    "held by who knows whom": held(),
    "held by root, as a stand-in is": replace(held(Holder("0.0.0.0", uid=0)), detail=f"{MAY_BE_STAND_IN}9"),
    "held by our stand-in, for a time": replace(
        held(Holder("0.0.0.0", stand_in=True)), detail=f"{IN_EPHEMERAL_RANGE}1024-65535"
    ),
    "in a connection": of_own(PortState.OPEN, Reason.PORT_IN_CONNECTION, None, CURL),
}
OWN_FILTER = {
    "accepted": of_own(PortState.OPEN, Reason.RULES_ACCEPT),
    "dropped": of_own(PortState.FILTERED, Reason.RULES_DROP, "table inet filter, chain input, rule handle 7"),
    "rejected": of_own(PortState.FILTERED, Reason.RULES_REJECT),
    "unclear": of_own(PortState.UNKNOWN, Reason.RULES_UNCLEAR),
    "not readable": of_own(PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE),
}
OWN_UNKNOWN = of_own(PortState.UNKNOWN, Reason.LOCAL_ERROR, "Address family not supported by protocol")

OWN_CELLS: dict[tuple[Expect, str], tuple[Outcome, Finding]] = {
    (FREE, "free"): (PASS, Finding.OK),
    (FREE, "reserved"): (PASS, Finding.OK),
    (FREE, "ephemeral"): (WARN, Finding.EPHEMERAL),
    (FREE, "unused"): (PASS, Finding.OK),
    (FREE, "held"): (FAIL, Finding.OCCUPIED),
    (FREE, "held on two addresses"): (FAIL, Finding.OCCUPIED),
    (FREE, "held by our stand-in"): (PASS, Finding.OK),
    (FREE, "held by our stand-in and another"): (FAIL, Finding.OCCUPIED),
    # DC/OS's own check misses a listener on 127.0.0.1:5050: the product binds every address.
    (FREE, "held on loopback"): (FAIL, Finding.OCCUPIED),
    (FREE, "held on both loopbacks"): (FAIL, Finding.OCCUPIED),
    (FREE, "held by who knows whom"): (FAIL, Finding.OCCUPIED),
    (FREE, "held by root, as a stand-in is"): (UNSURE, Finding.UNDETERMINED),
    (FREE, "held by our stand-in, for a time"): (WARN, Finding.EPHEMERAL),
    (FREE, "in a connection"): (FAIL, Finding.OCCUPIED),
    (LOOPBACK_ONLY, "free"): (INFO, Finding.NOT_LISTENING),
    (LOOPBACK_ONLY, "ephemeral"): (INFO, Finding.NOT_LISTENING),
    (LOOPBACK_ONLY, "unused"): (INFO, Finding.NOT_LISTENING),
    (LOOPBACK_ONLY, "in a connection"): (INFO, Finding.NOT_LISTENING),
    (LOOPBACK_ONLY, "held by our stand-in"): (INFO, Finding.NOT_LISTENING),
    (LOOPBACK_ONLY, "held on loopback"): (PASS, Finding.OK),
    (LOOPBACK_ONLY, "held on both loopbacks"): (PASS, Finding.OK),
    (LOOPBACK_ONLY, "held"): (WARN, Finding.EXPOSED),
    (LOOPBACK_ONLY, "held on two addresses"): (WARN, Finding.EXPOSED),
    (LOOPBACK_ONLY, "held by who knows whom"): (INFO, Finding.UNDETERMINED),
    (LOOPBACK_ONLY, "held by root, as a stand-in is"): (INFO, Finding.UNDETERMINED),
    (LET_IN, "accepted"): (PASS, Finding.OK),
    (LET_IN, "dropped"): (FAIL, Finding.BLOCKED),
    (LET_IN, "rejected"): (FAIL, Finding.REJECTED),
    (LET_IN, "unclear"): (INFO, Finding.UNDETERMINED),
    (LET_IN, "not readable"): (INFO, Finding.NOT_TESTED),
}


@pytest.mark.parametrize(("case", "expected"), OWN_CELLS.items(), ids=[f"{x}: {name}" for x, name in OWN_CELLS])
@pytest.mark.parametrize("phase", Phase)
def test_of_this_machine_itself(case: tuple[Expect, str], expected: tuple[Outcome, Finding], phase: Phase) -> None:
    expect, name = case
    verdict = judge(own_check(expect), (OWN_FILTER if expect is LET_IN else OWN_PORTS)[name], MUTE, phase)
    assert (verdict.outcome, verdict.finding) == expected
    assert verdict.certainty is (Certainty.WEAK if case == (FREE, "unused") else Certainty.CERTAIN)
    assert not re.search(r"None|[{}]|\s\s|\.\.", verdict.because)


@pytest.mark.parametrize(("expect", "outcome"), [(FREE, UNSURE), (LOOPBACK_ONLY, INFO), (LET_IN, INFO)])
def test_what_this_machine_cannot_tell_of_itself(expect: Expect, outcome: Outcome) -> None:
    verdict = judge(own_check(expect), OWN_UNKNOWN, MUTE, PRE)
    assert (verdict.outcome, verdict.finding) == (outcome, Finding.UNDETERMINED)
    assert verdict.because == "This machine could not tell: Address family not supported by protocol."


OWN_SENTENCES = {
    (FREE, "free"): "5050/tcp on m1 is free.",
    (FREE, "reserved"): "5050/tcp on m1 is free, and reserved for a server.",
    (FREE, "ephemeral"): "5050/tcp on m1 is free now, but lies in its ephemeral range (32768-60999): an outgoing "
    "connection may take it at any moment.",
    (FREE, "held"): "java (PID 812, unit dcos-mesos-master.service) has 5050/tcp on m1: the product cannot use it.",
    (FREE, "held on loopback"): "java (PID 812, unit dcos-mesos-master.service) has 5050/tcp on m1 on 127.0.0.53: "
    "the product cannot use it.",
    (FREE, "held by who knows whom"): "Somebody has 5050/tcp on m1: the product cannot use it.",
    (FREE, "in a connection"): "An outgoing connection of curl (PID 5) has 5050/tcp on m1 as its near end: the "
    "product cannot use it until that connection ends.",
    (LOOPBACK_ONLY, "held"): "java (PID 812, unit dcos-mesos-master.service) listens on 5050/tcp of m1 on every "
    "address (::), though it is for localhost only: only a firewall keeps others out.",
    (LET_IN, "dropped"): "The packet filter of m1 itself drops what is sent to 5050/tcp (table inet filter, chain "
    "input, rule handle 7).",
}


@pytest.mark.parametrize(("case", "sentence"), OWN_SENTENCES.items(), ids=[f"{x}: {n}" for x, n in OWN_SENTENCES])
def test_a_sentence_about_this_machine(case: tuple[Expect, str], sentence: str) -> None:
    expect, name = case
    seen = (OWN_FILTER if expect is LET_IN else OWN_PORTS)[name]
    assert judge(own_check(expect), seen, MUTE, PRE).because == sentence


# -------------------------------------------------------------------------------------------- exit status


def verdicts(*seen: tuple[Check, Seen], strict: bool = False) -> tuple[Verdict, ...]:
    strictness = Strictness(weak_passes=strict)
    return tuple(judge(target, *one, INST, strictness) for target, one in seen)


GOOD = (check(), OPEN)
BAD = (check(), SILENT)
WARNING = (check(level=Level.RECOMMENDED), SILENT)
UNCLEAR = (check(), NO_ROUTE)
OPTIONAL = (check(ALLOWED), NO_ROUTE)
NEVER = (check(answers=Answers.NEVER), UDP_SILENT)
DOUBTFUL = (check(doubt=DOUBT), RESET)
NOBODY = (check(from_network=True), SILENT_HOST)

STATUS = {
    "well": ((GOOD,), False, False, 0),
    "a failure": ((GOOD, BAD, UNCLEAR), False, False, 1),
    "not known": ((GOOD, UNCLEAR), False, False, 3),
    "warnings alone": ((GOOD, WARNING), False, False, 0),
    "allowed and not known": ((GOOD, OPTIONAL), False, False, 0),
    "unprovable": ((GOOD, NEVER), False, False, 0),
    "unprovable and nothing else": ((NEVER,), False, False, 3),
    "unprovable, strict": ((GOOD, NEVER), False, True, 3),
    "doubtful": ((GOOD, DOUBTFUL), False, False, 3),
    "doubtful, strict": ((GOOD, DOUBTFUL), False, True, 3),
    "unprovable and not known": ((NEVER, UNCLEAR), False, False, 3),
    "nothing": ((), False, False, 3),
    "nobody there": ((NOBODY,), False, False, 3),
    "somebody there": ((NOBODY, GOOD), False, False, 0),
    "nothing measured": ((OPTIONAL,), False, False, 3),
    "nobody there, nothing measured": ((NOBODY, OPTIONAL), False, False, 3),
    "interrupted": ((GOOD,), True, False, 3),
    "interrupted after a failure": ((GOOD, BAD), True, False, 1),
    "only warnings, interrupted": ((WARNING,), True, False, 3),
}


@pytest.mark.parametrize(("seen", "interrupted", "strict", "status"), STATUS.values(), ids=STATUS)
def test_the_exit_status(seen: tuple[tuple[Check, Seen], ...], interrupted: bool, strict: bool, status: int) -> None:
    assert summarise(verdicts(*seen, strict=strict), [], interrupted, strict).exit_status == status


@pytest.mark.parametrize(("found", "status"), [(BAD, 0), (UNCLEAR, 0), (WARNING, 0)])
def test_a_waived_finding_keeps_its_outcome_and_does_not_count(found: tuple[Check, Seen], status: int) -> None:
    (verdict,) = verdicts(found)
    waived = replace(verdict, waived="known")
    summary = summarise([*verdicts(GOOD), waived], [], False, False)
    assert (summary.exit_status, summary.waived, summary.passed) == (status, 1, 1)
    assert summary.failed + summary.inconclusive + summary.warned == 1


def test_a_waiver_does_not_excuse_the_next_failure() -> None:
    (failed,) = verdicts(BAD)
    assert summarise([failed, replace(failed, waived="known")], [], False, False).exit_status == 1


def test_everything_is_counted_once() -> None:
    judged = verdicts(GOOD, BAD, WARNING, UNCLEAR, OPTIONAL, NEVER, DOUBTFUL, (check(NOT_OPEN), SILENT))
    weak = judge(check(), *RESET, PRE)
    seen = [OPEN.observation, SILENT.observation, STOPPED.observation]
    summary = summarise([*judged, weak], seen, False, False)
    assert summary.checks == 9
    assert (summary.passed, summary.failed, summary.warned) == (3, 1, 1)
    assert (summary.inconclusive, summary.informed) == (3, 1)
    assert (summary.weak, summary.unprovable, summary.doubtful, summary.hosts) == (1, 1, 1, 1)
    assert (summary.probes, summary.packets) == (2, 16)


def test_a_port_that_the_product_needs_for_others_must_be_free_before_the_install() -> None:
    """DC/OS 15101 on a master, seen from an agent: for masters only, but taken all the same."""
    for_others = check(NOT_OPEN, named_for=("master",), needed_by_others=True)
    assert (lambda v: (v.outcome, v.finding))(judge(for_others, *OPEN, PRE)) == (FAIL, Finding.OCCUPIED)
    assert (lambda v: (v.outcome, v.finding))(judge(for_others, *OPEN, INST)) == (INFO, Finding.OPEN_TO_OTHERS)
    nobodys = check(NOT_OPEN)
    assert judge(nobodys, *OPEN, PRE).finding is Finding.UNEXPECTED_OPEN
    existing = check(NOT_OPEN, named_for=("master",), present=True)
    assert judge(existing, *OPEN, PRE).finding is Finding.OPEN_TO_OTHERS


def test_a_dead_router_is_not_blamed_on_the_host_behind_it() -> None:
    seen = observation(PortState.FILTERED, Reason.ARP_FAILURE, detail="gateway 10.55.0.254")
    verdict = judge(check(), seen, MUTE, INST)
    assert (verdict.outcome, verdict.finding) == (FAIL, Finding.HOST_UNREACHABLE)
    assert "leads over gateway 10.55.0.254" in verdict.because
    assert "it is down, or has another address" not in verdict.because
    assert judge(check(NOT_OPEN), seen, MUTE, INST).outcome is UNSURE
    # A whole network behind it is not empty: nobody got there to look.
    assert judge(check(from_network=True), seen, MUTE, INST).finding is Finding.HOST_UNREACHABLE


def test_a_doubt_counts_by_what_was_seen_and_not_by_the_words_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    key = (INST, REACH, Evidence.MAY_BE_OPEN)
    reworded = replace(TABLE[key], because="Said in other words.")
    monkeypatch.setattr("portcheck.verdict.TABLE", {**TABLE, key: reworded})
    silence = observation(PortState.OPEN_FILTERED, Reason.NO_RESPONSE, transport=Transport.UDP)
    doubted = judge(check(transport=Transport.UDP, doubt=DOUBT), silence, Facts(), INST)
    assert doubted.because == f"Said in other words. The document is doubtful here: {DOUBT}."


def test_no_firewall_is_blamed_where_this_machine_asked_itself() -> None:
    own = Attempt(0.0, 0.001, 40001, 1, "conn-refused", "10.0.0.1")
    refused = observation(PortState.CLOSED, Reason.CONN_REFUSED, attempts=(own,))
    assert (
        judge(check(), refused, ALIVE, INST).because == "m1 (10.0.0.1) refused the connection: nothing listens there."
    )
    elsewhere = replace(refused, attempts=(replace(own, source_address="10.0.0.11"),))
    assert "a firewall resets it" in judge(check(), elsewhere, ALIVE, INST).because
