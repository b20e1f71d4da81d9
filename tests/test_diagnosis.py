"""From verdicts to causes: what belongs together, what it is called, what to ask for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck.engine.probe import OWN_ROUTE_LOST, WINDOW_STAYS_ZERO, Observation, PortState, Probe, Reason
from portcheck.model import Diagnosis, NamedPorts, Outcome, Phase, Run, Scope, Sweep, SweepKind
from portcheck.plan import plan
from portcheck.ports import parse_ports
from tests.made_runs import (
    DCOS,
    HOSTS,
    NOT_IN_TIME,
    SCENARIOS,
    Answer,
    Answered,
    closed,
    made,
    nobody_there,
    open_port,
    rejected_by,
    seen_from_a1,
    silent,
    unknown,
)
from tests.samples import HERE, PATIENT, claimed, host, site

OPEN_OUTCOMES = (Outcome.FAIL, Outcome.WARN, Outcome.INCONCLUSIVE)
NO_FDS = unknown(Reason.LOCAL_FD_LIMIT)
NO_ROUTE = unknown(Reason.NO_ROUTE)
NO_WAY_OUT = unknown(Reason.LOCAL_FIREWALL)


def refused_by_somebody(probe: Probe) -> Observation:
    return Observation(probe, PortState.CLOSED, Reason.REFUSED_ORIGIN_UNKNOWN, closed(probe).attempts)


PROXY = "10.0.0.254"
LOST = unknown(Reason.LOST_CONTACT, "answered until 12.3 s")
OFFLINE = unknown(Reason.LOST_CONTACT, OWN_ROUTE_LOST)


def at_proxy(reason: Reason, detail: str | None = None) -> Answer:
    return lambda probe: replace(unknown(reason, detail)(probe), responder=PROXY)


RESET_AT_ONCE = at_proxy(Reason.RESET_AFTER_HANDSHAKE)
NOT_TOLD_APART = at_proxy(Reason.ICMP_RATE_LIMITED)
ACCEPTED_LIKE_ALL = at_proxy(Reason.ANSWERS_EVERYTHING)
ZERO_WINDOW = at_proxy(Reason.ANSWERS_EVERYTHING, WINDOW_STAYS_ZERO)
ACCEPTED_BY_SOMEBODY = unknown(Reason.ANSWERS_EVERYTHING)


def inferred(probe: Probe) -> Observation:
    return replace(rejected_by(PROXY, inferred=True)(probe), detail="seen on 1 of 3 ports")


def maybe_rejected(probe: Probe) -> Observation:
    return replace(silent(probe), detail=f"{PROXY} limits its ICMP errors, so this may be a rejection")


def answers(**given: Answer) -> Answered:
    """`answers(m1=silent, m2_443=closed)`: of a host, or of one port of it."""
    return {re.sub(r"_(\d+)$", r"/ipv4/tcp/\1", name): answer for name, answer in given.items()}


def heads(run: Run) -> list[str]:
    return [f"{d.cause}: {d.headline}" for d in run.diagnosis]


CASES: dict[str, tuple[Answered, list[str]]] = {
    "all is well": ({}, []),
    "one port on every master": (
        answers(m1_443=silent, m2_443=silent, m3_443=silent),
        ["blocked: 443/tcp Admin Router is dropped on the way to every master (m1, m2, m3)"],
    ),
    "one port on some masters": (
        answers(m1_443=silent, m3_443=silent),
        ["blocked: 443/tcp Admin Router is dropped on the way to m1, m3"],
    ),
    "two ports of one host": (
        answers(m1_443=silent, m1_5050=silent),
        ["blocked: 443/tcp Admin Router, 5050/tcp Mesos Master are dropped on the way to m1"],
    ),
    "many ports of one host": (
        answers(m1_443=silent, m1_2181=silent, m1_5050=silent, m1_8181=silent),
        ["blocked: 4 ports (443, 2181, 5050, 8181/tcp) are dropped on the way to m1"],
    ),
    "different ports of different hosts": (
        answers(m1_443=silent, m2_5050=silent),
        [
            "blocked: 443/tcp Admin Router is dropped on the way to m1",
            "blocked: 5050/tcp Mesos Master is dropped on the way to m2",
        ],
    ),
    "a silent host": (
        answers(m2=silent),
        ["host-silent: m2 (10.0.0.2) does not answer at all: 9 ports asked, all silent"],
    ),
    "all hosts are silent": (
        answers(m1=silent, m2=silent, m3=silent, a2=silent),
        ["all-hosts-silent: No host answers at all: m1 (10.0.0.1), m2 (10.0.0.2), m3 (10.0.0.3), a2 (10.0.0.12)"],
    ),
    "a host that is not there": (
        answers(m2=nobody_there),
        ["host-unreachable: m2 (10.0.0.2) cannot be reached"],
    ),
    "the same firewall for two hosts": (
        answers(m1_443=rejected_by("10.0.0.254"), m2_443=rejected_by("10.0.0.254")),
        ["rejected: 443/tcp Admin Router on m1, m2 is rejected by 10.0.0.254"],
    ),
    "two firewalls for one port": (
        answers(m1_443=rejected_by("10.0.0.254"), m2_443=rejected_by("10.0.0.253")),
        [
            "rejected: 443/tcp Admin Router on m1 is rejected by 10.0.0.254",
            "rejected: 443/tcp Admin Router on m2 is rejected by 10.0.0.253",
        ],
    ),
    "every host rejects by itself": (
        answers(m1_443=rejected_by("10.0.0.1"), m2_443=rejected_by("10.0.0.2"), m3_443=rejected_by("10.0.0.3")),
        ["rejected: 443/tcp Admin Router on every master (m1, m2, m3) is rejected by the host itself"],
    ),
    "a service that is down": (
        answers(m1_443=closed),
        ["not-listening: 443/tcp Admin Router on m1 is refused: nothing seems to listen"],
    ),
    "a product that is down": (
        answers(m1=closed),
        ["product-not-running: m1 (10.0.0.1) refuses all 5 required ports: the product does not seem to run there"],
    ),
    "refused, by whom is unknown": (
        answers(m1_443=refused_by_somebody),
        ["refused: 443/tcp Admin Router on m1 is refused"],
    ),
    "a doubtful row": (
        answers(a2_62080=closed),
        ["doubtful: 62080/tcp Navstar on a2: no service found, but the document is doubtful there"],
    ),
    "a doubtful row that is blocked": (
        answers(a2_62080=silent),
        ["blocked: 62080/tcp Navstar is dropped on the way to a2"],
    ),
    "exposed": (
        answers(m1_8888=open_port, m3_8888=open_port),
        ["exposed: 8888/tcp Certificate Authority on m1, m3 is reachable from here, but for localhost only"],
    ),
    "unexpected": (
        answers(a2_443=open_port, a2_5050=open_port),
        ["unexpected-open: 443/tcp, 5050/tcp on a2 are open and nobody asked for them"],
    ),
    "no time left": (answers(m1=NOT_IN_TIME, m3_443=NOT_IN_TIME), ["unfinished: 10 checks of m1, m3 not finished"]),
    "no descriptors": (
        answers(m1_443=NO_FDS),
        ["own-limits: 1 check could not be made from this machine"],
    ),
    "no route": (
        answers(m1=NO_ROUTE, m2=NO_ROUTE),
        ["no-route: This machine has no route to m1 (10.0.0.1), m2 (10.0.0.2)"],
    ),
    "our own firewall": (
        answers(m1_443=NO_WAY_OUT),
        ["local-firewall: 443/tcp Admin Router to m1 did not leave this machine"],
    ),
    "seen to be rejected, and inferred": (
        answers(m1_443=inferred, m1_2181=rejected_by(PROXY), m1_5050=inferred),
        ["rejected: 443/tcp Admin Router, 2181/tcp ZooKeeper, 5050/tcp Mesos Master on m1 are rejected by 10.0.0.254"],
    ),
    "only inferred": (
        answers(m1_443=inferred),
        ["rejected: 443/tcp Admin Router on m1 is probably rejected by 10.0.0.254"],
    ),
    "dropped, or perhaps rejected": (
        answers(m1_443=silent, m2_443=maybe_rejected),
        [
            "blocked: 443/tcp Admin Router is dropped on the way to m1",
            "blocked: 443/tcp Admin Router is probably dropped on the way to m2",
        ],
    ),
    "rejected or dropped": (
        answers(m1_443=NOT_TOLD_APART),
        ["icmp-rate-limited: 443/tcp Admin Router on m1 is rejected or dropped, which of the two is not known"],
    ),
    "contact lost": (
        answers(m1=LOST, m2_443=LOST, m2_5050=LOST),
        [
            "lost-contact: Contact with m1 (10.0.0.1) was lost in the middle of the run: 9 checks not decided",
            "lost-contact: Contact with m2 (10.0.0.2) was lost in the middle of the run: 2 checks not decided",
        ],
    ),
    "our own network lost": (
        answers(m1=OFFLINE, m2_443=OFFLINE),
        ["lost-contact: This machine lost its network in the middle of the run: 10 checks of m1, m2 not decided"],
    ),
    "a host that accepts everything": (
        answers(m1=ACCEPTED_LIKE_ALL, m2_443=ACCEPTED_BY_SOMEBODY),
        [
            "answers-everything: 10.0.0.254, or something right behind it, probably answers for m1 (10.0.0.1): "
            "9 ports not decided",
            "answers-everything: m2 (10.0.0.2) seems to accept every connection: 1 port not decided",
        ],
    ),
    "nothing behind a proxy": (
        answers(m1_443=ZERO_WINDOW, m1_2181=RESET_AT_ONCE, m1_5050=RESET_AT_ONCE),
        [
            "answers-everything: 443/tcp Admin Router on m1: accepted, but nothing can ever be sent",
            "reset-after-handshake: 2181/tcp ZooKeeper, 5050/tcp Mesos Master on m1 are accepted and reset at once",
        ],
    ),
    "failures come before warnings and doubts": (
        answers(a2_62080=closed, m1_9090=closed, m1_443=silent),
        [
            "blocked: 443/tcp Admin Router is dropped on the way to m1",
            "not-listening: 9090/tcp Metrics on m1 is refused: nothing seems to listen",
            "doubtful: 62080/tcp Navstar on a2: no service found, but the document is doubtful there",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_causes(name: str) -> None:
    given_answers, expected = CASES[name]
    assert heads(made(seen_from_a1(), given_answers)) == expected


def only(run: Run) -> Diagnosis:
    (diagnosis,) = run.diagnosis
    return diagnosis


REMEDIES: dict[str, tuple[Answered, str | None]] = {
    "blocked": (
        answers(m1_443=silent, m2_443=silent, m1_5050=silent, m2_5050=silent),
        "Allow 443, 5050/tcp from a1 (10.0.0.11) to 10.0.0.1, 10.0.0.2.",
    ),
    "rejected on the way": (
        answers(m1_443=rejected_by("10.0.0.254")),
        "Allow 443/tcp from a1 (10.0.0.11) to 10.0.0.1. Ask whoever runs 10.0.0.254.",
    ),
    "rejected by the host": (
        answers(m1_443=rejected_by("10.0.0.1")),
        "Allow 443/tcp from a1 (10.0.0.11) to 10.0.0.1.",
    ),
    "not listening": (answers(m1_443=closed), "On m1: systemctl status dcos-adminrouter.service"),
    "a product that is down": (
        answers(m1=closed),
        "On m1: systemctl status dcos-adminrouter.service dcos-exhibitor.service dcos-mesos-master.service",
    ),
    "not listening, unit unknown": (answers(a2_61091=closed), "Is the service running on a2?"),
    "exposed": (
        answers(m1_8888=open_port),
        "Bind it to 127.0.0.1 on the host, or close it in the host's firewall.",
    ),
    "a ban": (
        answers(m1=LOST),
        "Ask whoever runs the intrusion protection there, then run again with --speed polite.",
    ),
    "offline": (answers(m1=OFFLINE), "Look at this machine's interfaces and routes, then run again."),
    "somebody on the way accepts": (
        answers(m1_443=ACCEPTED_LIKE_ALL),
        "Check from a machine behind 10.0.0.254, or ask whoever runs it to let this machine pass.",
    ),
    "somebody accepts": (
        answers(m1_443=ACCEPTED_BY_SOMEBODY),
        "Look on the host itself what listens there, or check from a machine that is nearer to it.",
    ),
    "all silent": (
        answers(m1=silent, m2=silent, m3=silent, a2=silent),
        "Is there a way from a1 (10.0.0.11) to their networks? Look at this machine's own firewall, its routes, "
        "and the first firewall on the way.",
    ),
}


@pytest.mark.parametrize("name", REMEDIES)
def test_the_remedy_names_who_what_and_where(name: str) -> None:
    given_answers, remedy = REMEDIES[name]
    assert only(made(seen_from_a1(), given_answers)).remedy == remedy


def test_the_remedy_of_a_machine_without_a_role_names_the_machine() -> None:
    run = made(Scope((DCOS,), HOSTS[:1], HERE), {"m1/ipv4/tcp/443": silent})
    assert only(run).remedy == "Allow 443/tcp from machine to 10.0.0.1."


def test_the_remedy_names_the_address_that_the_packets_really_had() -> None:
    """The firewall team needs it, and nobody chose it: the kernel did."""

    def from_address(probe: Probe) -> Observation:
        seen = silent(probe)
        return replace(seen, attempts=tuple(replace(a, source_address="10.9.9.9") for a in seen.attempts))

    run = made(Scope((DCOS,), HOSTS[:1], HERE), {"m1/ipv4/tcp/443": from_address})
    assert only(run).remedy == "Allow 443/tcp from machine (10.9.9.9) to 10.0.0.1."


PATTERNS: dict[str, tuple[Answered, str | None]] = {
    "alike on all": (
        answers(m1_443=silent, m2_443=silent, m3_443=silent),
        "All 3 hosts alike: a rule on the way is likelier than one on each host.",
    ),
    "some work": (
        answers(m1_443=silent, m2_443=silent),
        "The same from here to m3 works: look at m1, m2 and what stands before them.",
    ),
    "most work": (
        answers(m1_443=rejected_by("10.0.0.254")),
        "The same from here to m2, m3 works.",
    ),
    "what is open where it should not be is no comparison": (
        answers(m1_5050=silent, m2_5050=silent, m3_5050=silent, a2_5050=open_port),
        "All 3 hosts alike: a rule on the way is likelier than one on each host.",
    ),
    "nothing to compare with": (answers(a2_61091=silent), None),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_other_hosts_tell_where_the_rule_is(name: str) -> None:
    given_answers, pattern = PATTERNS[name]
    lines = made(seen_from_a1(), given_answers).diagnosis[0].lines
    found = [line for line in lines if "alike" in line or "works" in line]
    assert found == ([pattern] if pattern else [])


def test_how_many_of_the_rejections_were_seen_is_said_beside_one_that_was() -> None:
    lines = only(made(seen_from_a1(), answers(m1_443=inferred, m1_2181=rejected_by(PROXY), m1_5050=inferred))).lines
    assert lines[:2] == (
        "10.0.0.254 answered with ICMP administratively prohibited (3/13); that is not 10.0.0.1.",
        "Seen on 1 of them; the others stayed silent because 10.0.0.254 limits how many ICMP errors it sends, "
        "so they are inferred.",
    )


def test_rejections_of_several_hosts_are_counted_as_checks_and_not_as_ports() -> None:
    found = only(made(seen_from_a1(), answers(m1_443=rejected_by(PROXY), m2_443=inferred)))
    assert found.headline == "443/tcp Admin Router on m1, m2 is rejected by 10.0.0.254"
    assert found.lines[1].startswith("Seen on 1 of 2 checks; the others ")


@pytest.mark.parametrize("answer", [inferred, rejected_by(PROXY)], ids=["inferred", "seen"])
def test_rejections_that_are_all_alike_need_no_count(answer: Answer) -> None:
    lines = only(made(seen_from_a1(), answers(m1_443=answer, m1_5050=answer))).lines
    assert [line for line in lines if line.startswith("Seen on")] == []


def test_a_lost_host_is_told_with_its_last_sign_of_life() -> None:
    assert "(answered until 12.3 s)" in only(made(seen_from_a1(), answers(m1=LOST))).lines[0]


def test_two_hosts_alike_are_both() -> None:
    scope = site([DCOS], [HOSTS[0], HOSTS[1], HOSTS[3]], "a1")
    run = made(scope, answers(m1_443=silent, m2_443=silent))
    assert run.diagnosis[0].lines[1].startswith("Both hosts alike: ")


TWO_FAMILIES = (
    host("m1", "10.0.0.1", "fd00::1", roles=("dcos:master",)),
    host("m2", "10.0.0.2", "fd00::2", roles=("dcos:master",)),
)


@pytest.mark.parametrize(
    ("bad", "headline"),
    [
        (
            ["m1/ipv6/tcp/443", "m2/ipv6/tcp/443"],
            "443/tcp Admin Router is dropped on the way to every master (m1, m2) over IPv6",
        ),
        (["m1/ipv6/tcp/443"], "443/tcp Admin Router is dropped on the way to m1 (fd00::1)"),
        (
            ["m1/ipv6/tcp/443", "m1/ipv4/tcp/443"],
            "443/tcp Admin Router is dropped on the way to m1",
        ),
        (
            ["m1/ipv6/tcp/443", "m2/ipv4/tcp/443"],
            "443/tcp Admin Router is dropped on the way to m1 (fd00::1), m2 (10.0.0.2)",
        ),
    ],
)
def test_a_host_with_addresses_that_are_well_is_named_with_the_one_that_is_not(bad: list[str], headline: str) -> None:
    run = made(site([DCOS], TWO_FAMILIES, claimed("dcos:agent")), dict.fromkeys(bad, silent))
    assert [d.headline for d in run.diagnosis] == [headline]


def test_another_address_of_the_same_host_is_a_comparison() -> None:
    run = made(site([DCOS], TWO_FAMILIES[:1], claimed("dcos:agent")), {"m1/ipv6/tcp/443": silent})
    assert "The same from here to 10.0.0.1 works: another address of the same host." in only(run).lines


def test_the_places_in_the_documents_are_named_but_not_by_the_dozen() -> None:
    lines = only(made(seen_from_a1(), answers(m1_443=silent, m1_5050=silent))).lines
    assert lines[-1] == 'DC/OS Ports, "Ports", rows 443/tcp, 5050/tcp'


def test_a_waived_finding_is_in_no_diagnosis() -> None:
    run = SCENARIOS["waived"]()
    waived = {v.check.id for v in run.verdicts if v.waived is not None}
    assert waived
    assert waived.isdisjoint({check for d in run.diagnosis for check in d.checks})


ANSWERS: tuple[Answer, ...] = (
    open_port,
    closed,
    silent,
    rejected_by("10.0.0.254"),
    rejected_by("10.0.0.1"),
    nobody_there,
    refused_by_somebody,
    NOT_IN_TIME,
    NO_FDS,
    NO_ROUTE,
    NO_WAY_OUT,
    unknown(Reason.INTERRUPTED),
    unknown(Reason.LOCAL_ERROR, "message too long"),
    inferred,
    maybe_rejected,
    rejected_by("10.0.0.1", inferred=True),
    NOT_TOLD_APART,
    ACCEPTED_LIKE_ALL,
    ACCEPTED_BY_SOMEBODY,
    ZERO_WINDOW,
    RESET_AT_ONCE,
    LOST,
    OFFLINE,
)

CHECK_IDS = [check.id.partition(">")[2] for check in plan(seen_from_a1()).checks]


@PATIENT
@given(
    st.dictionaries(st.sampled_from([*CHECK_IDS, "m1", "m2", "m3", "a2"]), st.sampled_from(ANSWERS)),
    st.sampled_from(Phase),
)
def test_every_open_verdict_is_in_exactly_one_diagnosis(answered: dict[str, Answer], phase: Phase) -> None:
    run = made(seen_from_a1(phase=phase), answered)
    found = Counter(check for d in run.diagnosis for check in d.checks)
    assert found == Counter(v.check.id for v in run.verdicts if v.outcome in OPEN_OUTCOMES and v.waived is None)
    outcomes = {v.check.id: v.outcome for v in run.verdicts}
    for diagnosis in run.diagnosis:
        gravest = min((outcomes[check] for check in diagnosis.checks), key=OPEN_OUTCOMES.index)
        assert diagnosis.outcome is gravest
        assert_readable(diagnosis)
    order = [OPEN_OUTCOMES.index(d.outcome) for d in run.diagnosis]
    assert order == sorted(order)


def assert_readable(diagnosis: Diagnosis) -> None:
    for text in (diagnosis.headline, *diagnosis.lines, diagnosis.remedy or "-"):
        assert text.strip() == text != ""
        assert "None" not in text
        assert "{" not in text
        assert "  " not in text
    one = re.match(r"\d+/tcp [A-Z]\w*( \w+)* on \w+ (is|are)\b", diagnosis.headline)
    assert one is None or one[2] == "is"


def test_a_host_of_which_one_port_was_asked_is_not_called_silent() -> None:
    extra = (NamedPorts(parse_ports("22/tcp")[0], "ssh"),)
    scope = Scope((), HOSTS[:1], HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    assert heads(made(scope, answers(m1=silent))) == ["blocked: 22/tcp ssh is dropped on the way to m1"]
