"""From verdicts to causes: what belongs together, what it is called, what to ask for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcheck import commands
from portcheck.addresses import is_machine_name
from portcheck.diagnosis import diagnose
from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    ICMP_MUTE,
    IN_EPHEMERAL_RANGE,
    NEEDS_SOURCE_PORT_68,
    OWN_ROUTE_LOST,
    UNASKED_TOKEN,
    WINDOW_STAYS_ZERO,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Transport,
)
from portcheck.model import (
    Answers,
    Diagnosis,
    Finding,
    NamedPorts,
    Outcome,
    Phase,
    Run,
    Scope,
    Selection,
    Sweep,
    SweepKind,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from tests.made_runs import (
    DCOS,
    EPHEMERAL,
    HOSTS,
    JAVA,
    NEW,
    NOT_IN_TIME,
    SCENARIOS,
    SERVICES,
    Answer,
    Answered,
    accepted_without,
    closed,
    echoed_by,
    held_by,
    limited_by,
    made,
    no_echo,
    no_reply,
    nobody_there,
    open_port,
    over_udp,
    own,
    rejected_by,
    replied,
    reported,
    seen_from_a1,
    silent,
    this_machine,
    unknown,
    with_stand_ins,
)
from tests.samples import HERE, PATIENT, claimed, cluster, document, host, row, site

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
        ["own-limits: 443/tcp Admin Router on m1 could not be asked from this machine"],
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


# ------------------------------------------------------------------------------------- without a connection


def by_hand(ports: str, given_answers: Answered, hosts: int = 1, phase: Phase = Phase.INSTALLED) -> Run:
    extra = tuple(NamedPorts(item) for item in parse_ports(ports))
    targets = tuple(host(f"h{n}", f"192.0.2.{n}") for n in range(1, hosts + 1))
    return made(Scope((), targets, HERE, extra=extra, sweep=Sweep(SweepKind.NONE), phase=phase), given_answers)


def services(given_answers: Answered) -> Run:
    return made(site([SERVICES], cluster(SERVICES, masters=2, agents=2), "a1"), given_answers)


def test_udp_alone_never_makes_a_host_silent() -> None:
    assert heads(by_hand("53,123/udp", answers(h1=silent))) == ["no-reply: 53/udp, 123/udp on h1 are silent"]


def test_udp_belongs_to_the_silence_of_its_host() -> None:
    found = by_hand("22/tcp 53,64000/udp".replace(" ", ","), answers(h1=silent))
    assert heads(found) == ["host-silent: h1 (192.0.2.1) does not answer at all: 3 ports asked, all silent"]


def test_a_host_that_reports_closed_ports_is_not_silent() -> None:
    run = by_hand("22/tcp,53/udp", {"h1/ipv4/tcp/22": silent, "h1/ipv4/udp/53": no_reply()})
    assert heads(run) == ["blocked: 22/tcp is dropped on the way to h1", "no-reply: 53/udp on h1 is silent"]


def test_ports_that_one_router_rejects_are_one_cause_whatever_carries_them() -> None:
    run = by_hand("53/tcp+udp", {f"h{n}": rejected_by("198.51.100.1") for n in range(1, 39)}, hosts=38)
    (found,) = run.diagnosis
    assert found.count == 76
    assert found.headline == ("53/tcp, 53/udp on h1, h2, h3, h4, h5, h6, h7 and 31 more are rejected by 198.51.100.1")


def test_what_was_not_decided_in_time_is_told_by_who_limits_its_errors() -> None:
    late = {f"h{n}": limited_by("198.51.100.1") for n in (1, 2)} | {f"h{n}": limited_by(f"192.0.2.{n}") for n in (3, 4)}
    assert heads(by_hand("53/udp", late, hosts=4)) == [
        "udp-budget: 53/udp on h1, h2: not decided in time, 198.51.100.1 limits its ICMP errors",
        "udp-budget: 53/udp on h3, h4: not decided in time, each host limits its ICMP errors",
    ]


def test_more_time_is_told_in_seconds_for_all_ports_of_the_limiter() -> None:
    answers_of_h1 = {f"h1/ipv4/udp/{port}": closed for port in range(5000, 5010)} | {"h1": limited_by("192.0.2.1")}
    assert only_budget(by_hand("5000-5059/udp", answers_of_h1)) == (
        "Give it more time: a Linux machine sends one such error a second over IPv4, and 60 ports take about 80 s "
        "(--udp-budget 80)."
    )
    # A router has one limit for all who are behind it; hosts that limit themselves are asked side by side.
    behind = {f"h{n}": limited_by("198.51.100.1") for n in range(1, 5)}
    assert "and 80 ports take about 110 s " in only_budget(by_hand("5000-5019/udp", behind, hosts=4))
    themselves = {f"h{n}": limited_by(f"192.0.2.{n}") for n in range(1, 5)}
    assert "and 20 ports of each take about 30 s " in only_budget(by_hand("5000-5019/udp", themselves, hosts=4))


def test_more_time_is_more_than_there_was() -> None:
    extra = tuple(NamedPorts(item) for item in parse_ports("53,123/udp"))
    scope = Scope((), (host("h1", "192.0.2.1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    found = only_budget(made(scope, answers(h1=limited_by("192.0.2.1")), udp_budget_s=45.0))
    assert found == (
        "Give it twice the time (--udp-budget 90): it sends fewer such errors than a Linux machine would, "
        "or others use them up."
    )


def test_over_ipv6_more_time_is_a_tenth() -> None:
    extra = (NamedPorts(parse_ports("5000-5399/udp")[0]),)
    scope = Scope((), (host("h1", "2001:db8::1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    found = only_budget(made(scope, {"h1": limited_by("2001:db8::1")}))
    assert "sends ten such errors a second over IPv6, and 400 ports take about 60 s (--udp-budget 60)." in found


def only_budget(run: Run) -> str:
    (found,) = (d for d in run.diagnosis if d.cause == "udp-budget")
    return found.remedy or ""


def test_what_a_limiter_rejected_in_time_is_told_beside_what_it_did_not() -> None:
    run = by_hand("53/udp", {"h1": limited_by("198.51.100.1"), "h2": rejected_by("198.51.100.1")}, hosts=2)
    assert run.diagnosis[-1].lines[0].endswith("It rejected the same on 1 other host.")


SILENCES = {
    "what is spoken there is not known": (
        "161,5303/udp",
        [
            "No answer to 3 datagrams each, while h1 (192.0.2.1) reports closed ports: dropped, or open and silent: "
            "161/udp to SNMP requests (without SNMPv3 it answers only who knows its community); 5303/udp to empty "
            "datagrams, for what would make it answer is not known."
        ],
    ),
    "two protocols": (
        "53,123/udp",
        [
            "No answer to 3 datagrams each, while h1 (192.0.2.1) reports closed ports: dropped, or open and silent: "
            "53/udp to DNS requests; 123/udp to NTP requests."
        ],
    ),
    "tunnels beside UDP": (
        "161/udp,esp,gre",
        [
            "No answer to 3 datagrams in 2.1 s, while h1 (192.0.2.1) reports closed ports: dropped, or open and "
            "silent to SNMP requests (without SNMPv3 it answers only who knows its community).",
            "No answer to 3 ESP packets in 2.1 s, while h1 (192.0.2.1) reports closed ports: dropped, ignored, or in "
            "use with known peers only.",
            "No answer to 3 GRE packets in 2.1 s, while h1 (192.0.2.1) reports closed ports: dropped, ignored, or in "
            "use with known peers only.",
        ],
    ),
}


@pytest.mark.parametrize("name", SILENCES)
def test_a_silence_is_told_of_each_port_as_it_was_asked(name: str) -> None:
    ports, lines = SILENCES[name]
    run = by_hand(ports, answers(h1=no_reply()))
    assert {d.cause for d in run.diagnosis} == {"no-reply"}
    assert sorted(d.lines[0] for d in run.diagnosis) == sorted(lines)


def test_several_hosts_are_not_told_by_the_first_alone() -> None:
    found = only(by_hand("500,4500/udp", answers(h1=no_reply(ICMP_MUTE), h2=no_reply(ICMP_MUTE)), hosts=2))
    assert found.lines[0].startswith(
        "No answer to 3 datagrams each, and no ICMP error: closed, dropped, or open and silent: 500/udp to "
    )
    run = services({f"m{n}/ipv4/udp/53": no_reply() for n in (1, 2)} | {**TUNNELS_ARE_UP})
    assert only(run).lines[0].startswith("No answer to 3 datagrams in 2.1 s, while m1 (10.0.0.1) reports closed ports:")


def test_tunnels_that_are_refused_are_told_one_by_one_and_no_service_is_looked_for() -> None:
    run = by_hand("esp,gre", answers(h1=closed, h2=closed), hosts=2)
    assert [(d.headline, d.remedy) for d in run.diagnosis] == [
        (
            f"{name} on h1, h2 is refused: nothing seems to speak it",
            "Is the tunnel's end on h1, h2 up?",
        )
        for name in ("esp", "gre")
    ]
    assert ["does not speak ESP" in run.diagnosis[0].lines[0], "does not speak GRE" in run.diagnosis[1].lines[0]] == [
        True,
        True,
    ]


def test_before_the_install_tunnels_are_told_one_by_one() -> None:
    extra = tuple(NamedPorts(item) for item in parse_ports("esp,gre"))
    targets = (host("h1", "192.0.2.1"),)
    scope = Scope((), targets, HERE, extra=extra, sweep=Sweep(SweepKind.NONE), phase=Phase.PREINSTALL)
    found = made(scope, answers(h1=closed)).diagnosis
    assert [("ESP" in d.lines[0], "GRE" in d.lines[0]) for d in found] == [(True, False), (False, True)]


def test_an_echo_that_is_dropped_is_not_told_in_syns() -> None:
    run = by_hand("22,443/tcp,icmp", {"h1": silent, "h1/ipv4/tcp/22": open_port})
    assert heads(run) == ["blocked: icmp is dropped on the way to h1", "blocked: 443/tcp is dropped on the way to h1"]
    assert ["echo request" in d.lines[0] for d in run.diagnosis] == [True, False]


def test_ports_that_are_taken_are_told_with_what_answers_at_each() -> None:
    scope = site([SERVICES], cluster(SERVICES, masters=2, agents=1), "a1", phase=Phase.PREINSTALL)
    taken = {
        **{f"m{n}/ipv4/udp/53": replied("DNS: refused", "dns") for n in (1, 2)},
        "m1/ipv4/udp/123": replied("NTP server, stratum 2", "ntp"),
        "m2/ipv4/udp/123": replied("NTP server, stratum 3", "ntp"),
    }
    run = made(scope, {"m1": closed, "m2": closed, "a1": closed, **taken})
    (found,) = (d for d in run.diagnosis if d.cause == "occupied")
    assert found.lines[:4] == (
        "Something listens on these ports already: the product cannot use them.",
        "53/udp answers: DNS: refused.",
        "123/udp on m1 answers: NTP server, stratum 2.",
        "123/udp on m2 answers: NTP server, stratum 3.",
    )


def test_ports_that_are_exposed_are_told_with_what_answers_at_each() -> None:
    local = document(row("9998-9999/udp", "localhost", "agent", service="Debugger"), id="local")
    run = made(
        site([local], cluster(local, masters=1, agents=2), "a1"),
        {"a2/ipv4/udp/9998": replied("4 bytes"), "a2/ipv4/udp/9999": replied("5 bytes")},
    )
    assert only(run).lines[:3] == (
        "They answered from here, but the services are for localhost only.",
        "9998/udp answers: 4 bytes.",
        "9999/udp answers: 5 bytes.",
    )


GIVEN = {
    "nothing": ((), "161/udp", True, "without SNMPv3 it answers only who knows its community"),
    "the community": (("snmp_community",), "161/udp", False, "this machine may not ask, or the community is wrong"),
    "another secret": (("radius_secret",), "161/udp", True, "without SNMPv3 it answers only who knows its community"),
    "the secret": (
        ("radius_secret",),
        "1812/udp",
        False,
        "it does not know this machine or Status-Server (RFC 5997), or the secret is wrong",
    ),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_secret_that_was_given_is_not_asked_for_and_may_be_wrong(name: str) -> None:
    given_secrets, ports, asked_for, why = GIVEN[name]
    extra = (NamedPorts(parse_ports(ports)[0]),)
    secrets = frozenset(given_secrets)
    scope = Scope((), (host("h1", "192.0.2.1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE), secrets=secrets)
    found = only(made(scope, answers(h1=no_reply())))
    assert ("--secrets" in (found.remedy or "")) is asked_for
    assert f"requests ({why})" in found.lines[0]


def from_here(answer: Answer) -> Answer:
    """To an address of this machine, of which the kernel sends from the very same."""

    def seen(probe: Probe) -> Observation:
        plain = answer(probe)
        return replace(plain, attempts=tuple(replace(a, source_address=probe.address) for a in plain.attempts))

    return seen


ON_THIS_MACHINE = {
    "a silent tunnel": ("gre", no_reply(), None),
    "silence over UDP": (
        "53/udp",
        no_reply(),
        "Whether it listens: ss -lun (Windows: netstat -ano -p udp) on h1.",
    ),
    "dropped": ("22,443/tcp", silent, "Look at this machine's own firewall."),
    "rejected": ("53/udp", rejected_by("192.0.2.1"), "Look at this machine's own firewall."),
}


@pytest.mark.parametrize("name", ON_THIS_MACHINE)
def test_nobody_is_asked_to_let_this_machine_through_to_itself(name: str) -> None:
    ports, answer, remedy = ON_THIS_MACHINE[name]
    run = by_hand(f"{ports},80/tcp", {"h1": from_here(answer), "h1/ipv4/tcp/80": from_here(open_port)})
    assert only(run).remedy == remedy


def test_loopback_is_this_machine() -> None:
    extra = (NamedPorts(parse_ports("gre")[0]),)
    scope = Scope((), (host("127.0.0.1", "127.0.0.1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    assert only(made(scope, {"127.0.0.1": no_reply()})).remedy is None


def test_all_that_answers_no_stranger_is_one_line_and_each_secret_another() -> None:
    run = services(
        dict.fromkeys(("m1/ipv4/udp/138", "m2/ipv4/udp/138", "m1/ipv4/udp/1812"), no_reply(ICMP_MUTE))
        | {"a2/ipv4/udp/64000": no_reply(), "m1/ipv4/gre": open_gre, "m2/ipv4/gre": open_gre}
    )
    assert heads(run) == [
        "unprovable: 138/udp NetBIOS datagrams on every master (m1, m2); 64000/udp Overlay on a2: "
        "never answer a stranger",
        "unprovable: 1812/udp RADIUS on m1: answers only who knows its secret",
    ]
    ways = [d.remedy or "" for d in run.diagnosis]
    assert "ss -lun" in ways[0]
    assert "PORTCHECK_RADIUS_SECRET" in ways[1]


def open_gre(probe: Probe) -> Observation:
    return Observation(probe, PortState.OPEN, Reason.PROTO_RESPONSE, replied()(probe).attempts, rtt_ms=1.0)


TUNNELS_ARE_UP: Answered = {"m1/ipv4/gre": open_gre, "m2/ipv4/gre": open_gre}


PRIVILEGES = {
    "gre": (
        "CAP_NET_RAW",
        "Run it as root, or give CAP_NET_RAW to this run alone (docs/how-to/check-icmp-and-tunnels.md).",
    ),
    "icmp": (
        "CAP_NET_RAW or net.ipv4.ping_group_range",
        "Run it as root, or let every user send echo requests: sysctl -w net.ipv4.ping_group_range='0 2147483647'",
    ),
}


@pytest.mark.parametrize("name", PRIVILEGES)
def test_a_privilege_that_is_lacking_is_told_with_how_to_get_it(name: str) -> None:
    detail, remedy = PRIVILEGES[name]
    found = only(by_hand(name, answers(h1=unknown(Reason.NEEDS_PRIVILEGE, detail))))
    assert (found.cause, found.remedy) == ("needs-privilege", remedy)
    assert found.headline == f"{name} on h1: not tested"


def test_a_source_port_that_we_may_not_use_is_told_with_how_to_get_it() -> None:
    found = only(by_hand("67/udp", answers(h1=no_reply(NEEDS_SOURCE_PORT_68))))
    assert found.cause == "needs-source-port"
    assert "CAP_NET_BIND_SERVICE" in (found.remedy or "")


def test_silence_over_udp_is_told_with_what_happens_to_the_same_port_over_tcp() -> None:
    run = by_hand("53/tcp+udp,22/tcp", {"h1/ipv4/tcp/53": silent, "h1/ipv4/udp/53": no_reply()})
    assert "53/tcp is blocked there as well, so a firewall is likely." in run.diagnosis[-1].lines[0]
    assert run.diagnosis[-1].remedy == (
        "Allow 53/udp from machine to 192.0.2.1. Whether the service has to be looked at as well: "
        "ss -lun (Windows: netstat -ano -p udp) on h1."
    )


WHAT_TO_DO = {
    "a closed port would be reported": (
        Phase.INSTALLED,
        no_reply(),
        "Allow 61053/udp from machine to 192.0.2.1. Whether the service has to be looked at as well: "
        "ss -lun (Windows: netstat -ano -p udp) on h1.",
    ),
    "a closed port may be silent": (
        Phase.INSTALLED,
        no_reply(ICMP_MUTE),
        "Whether it listens: ss -lun (Windows: netstat -ano -p udp) on h1. If it does: "
        "Allow 61053/udp from machine to 192.0.2.1.",
    ),
    "before the install": (
        Phase.PREINSTALL,
        no_reply(),
        "Whether it is in use: ss -lunp (Windows: netstat -abn) on h1. If so, stop or move what listens there. "
        "If not: Allow 61053/udp from machine to 192.0.2.1.",
    ),
    "before the install, a closed port may be silent": (
        Phase.PREINSTALL,
        no_reply(ICMP_MUTE),
        "Whether it is in use: ss -lunp (Windows: netstat -abn) on h1. If so, stop or move what listens there. "
        "If not, only the firewalls' rules tell what is dropped.",
    ),
}


@pytest.mark.parametrize("name", WHAT_TO_DO)
def test_what_to_do_about_silence_follows_from_what_it_may_be(name: str) -> None:
    phase, answer, remedy = WHAT_TO_DO[name]
    assert only(by_hand("61053/udp", answers(h1=answer), phase=phase)).remedy == remedy


def test_before_the_install_several_silent_ports_are_not_told_as_shy_services() -> None:
    found = only(by_hand("514,1812,4789/udp", answers(h1=no_reply()), phase=Phase.PREINSTALL))
    assert (found.cause, found.count) == ("no-reply", 3)
    assert found.lines[0] == (
        "No answer to 3 datagrams each, while h1 (192.0.2.1) reports closed ports: dropped, or in use already."
    )
    assert (found.remedy or "").startswith("Whether they are in use: ")
    mute = only(by_hand("514,4789/udp", answers(h1=no_reply(ICMP_MUTE)), phase=Phase.PREINSTALL))
    assert mute.lines[0] == "No answer to 3 datagrams each, and no ICMP error: free, in use, or dropped."


def test_what_exists_before_the_install_is_not_told_with_what_does_not() -> None:
    rows = (
        row("53/udp", "agent", "master", service="DNS", present_before_install=True),
        row("123/udp", "agent", "master", service="Time"),
    )
    doc = document(*rows, id="both")
    run = made(
        site([doc], cluster(doc, masters=1, agents=1), "a1", phase=Phase.PREINSTALL),
        dict.fromkeys(("m1/ipv4/udp/53", "m1/ipv4/udp/123"), no_reply()),
    )
    assert [("in use" in (d.remedy or "")) for d in run.diagnosis if d.cause == "no-reply"] == [False, True]


def test_that_a_host_reports_closed_ports_is_told_of_what_answers_no_stranger() -> None:
    silence = "Silence looks the same when all is well and when packets are dropped."
    one = only(by_hand("514/udp", answers(h1=no_reply())))
    assert one.lines[0] == f"{silence} h1 reports closed ports, so 514/udp there is dropped or open; it is not closed."
    assert only(by_hand("514/udp", answers(h1=no_reply(ICMP_MUTE)))).lines[0] == silence
    both = only(by_hand("162,514/udp", answers(h1=no_reply(), h2=no_reply(ICMP_MUTE), h3=no_reply()), hosts=3))
    assert both.lines[0] == (
        f"{silence} h1, h3 report closed ports, so 162, 514/udp there are dropped or open; they are not closed."
    )


@pytest.mark.parametrize("answers_", [Answers.NEVER, Answers.NORMALLY])
def test_a_doubt_of_the_document_is_told_of_silence_as_well(answers_: Answers) -> None:
    rows = (
        row("636/udp", "agent", "master", service="LDAP", doubt="Nothing listens there.", answers=answers_),
        row("637/udp", "agent", "master", service="Other", answers=answers_),
        row("53/udp", "agent", "master", service="DNS", answers=answers_),
    )
    doc = document(*rows, id="odd")
    run = made(
        site([doc], cluster(doc, masters=1, agents=1), "a1"),
        dict.fromkeys((f"m1/ipv4/udp/{port}" for port in (636, 637, 53)), no_reply()),
    )
    (found,) = (d for d in run.diagnosis if d.cause in ("unprovable", "no-reply"))
    assert found.lines[0].endswith(" The document is doubtful at 636/udp: Nothing listens there.")


def test_a_port_for_localhost_alone_is_never_asked_to_be_let_through() -> None:
    found = only(services({"a2/ipv4/udp/9999": no_reply(), "m1/ipv4/gre": open_gre, "m2/ipv4/gre": open_gre}))
    assert "Allow" not in (found.remedy or "")
    assert "127.0.0.1" in (found.remedy or "")


def test_a_product_that_is_down_is_recognised_though_udp_is_not_known_and_the_host_answers_a_ping() -> None:
    down = {"m1": closed, "m1/ipv4/udp/138": no_reply(), "m1/ipv4/gre": no_reply()}
    run = services({**down, "m2/ipv4/gre": open_gre})
    expected = "m1 (10.0.0.1) refuses 8 required ports: the product does not seem to run there"
    assert heads(run)[0] == f"product-not-running: {expected}"


def test_something_else_that_answers_is_told_with_where_to_look() -> None:
    (found,) = (d for d in over_udp().diagnosis if d.cause == "wrong-responder")
    assert found.outcome is Outcome.WARN
    assert found.headline == "8443/tcp Console on m2 is open, but speaks SSH"
    assert found.remedy == "Look on m2 what listens there: ss -ltnp (Windows: netstat -abn)"


def test_a_port_that_is_taken_is_looked_for_where_its_transport_is_listed() -> None:
    scope = site([SERVICES], cluster(SERVICES, masters=1, agents=1), "a1", phase=Phase.PREINSTALL)
    run = made(scope, {"m1/ipv4/udp/123": replied("NTP server, stratum 3", "ntp"), "m1": closed, "a1": closed})
    (found,) = (d for d in run.diagnosis if d.cause == "occupied")
    assert "ss -lunp" in (found.remedy or "")


WITHOUT_CONNECTION: tuple[Answer, ...] = (
    *(open_port, closed, silent, no_reply(), no_reply(ICMP_MUTE), no_reply(NEEDS_SOURCE_PORT_68), no_echo),
    *(replied("12 bytes that are no NTP"), replied("NTP server, stratum 3", "ntp"), replied("SSH", "ssh")),
    *(
        rejected_by("10.0.0.254"),
        rejected_by("10.0.0.1"),
        nobody_there,
        limited_by("10.0.0.254"),
        limited_by("10.0.0.1"),
    ),
    *(unknown(Reason.NEEDS_PRIVILEGE, "CAP_NET_RAW"), NOT_IN_TIME, NO_ROUTE, LOST),
)
SERVICE_IDS = [
    check.id.partition(">")[2]
    for check in plan(site([SERVICES], cluster(SERVICES, masters=2, agents=2), "a1")).checks
    if check.transport is not Transport.TCP
]


@PATIENT
@given(st.dictionaries(st.sampled_from(SERVICE_IDS), st.sampled_from(WITHOUT_CONNECTION)), st.sampled_from(Phase))
def test_every_open_verdict_without_a_connection_is_in_exactly_one_diagnosis(
    answered: dict[str, Answer], phase: Phase
) -> None:
    scope = site([SERVICES], cluster(SERVICES, masters=2, agents=2), "a1", phase=phase)
    run = made(scope, answered)
    found = Counter(check for d in run.diagnosis for check in d.checks)
    assert found == Counter(v.check.id for v in run.verdicts if v.outcome in OPEN_OUTCOMES)
    for diagnosis in run.diagnosis:
        assert_readable(diagnosis)
    assert "undetermined" not in {d.cause for d in run.diagnosis}


def test_no_verdict_calls_silence_over_udp_a_block() -> None:
    run = over_udp()
    silent_ones = [v for v in run.verdicts if v.observation.state is PortState.OPEN_FILTERED]
    assert {v.outcome for v in silent_ones} == {Outcome.INCONCLUSIVE}
    assert Finding.BLOCKED not in {v.finding for v in silent_ones}


def test_a_host_works_only_where_every_port_of_the_finding_does() -> None:
    blocked = {"h1/ipv4/tcp/22": silent, "h1/ipv4/tcp/443": silent, "h1/ipv4/tcp/80": open_port}
    some = by_hand("22,80,443/tcp", {**blocked, "h2/ipv4/tcp/443": closed}, hosts=2)
    assert "works" not in " ".join(some.diagnosis[0].lines)
    every = by_hand("22,80,443/tcp", blocked, hosts=2)
    assert every.diagnosis[0].lines[-1] == "The same from here to h2 works: look at h1 and what stands before it."


def test_other_addresses_work_only_where_every_port_of_the_finding_does() -> None:
    extra = tuple(NamedPorts(item) for item in parse_ports("22,80,443/tcp"))
    scope = Scope((), (host("h1", "192.0.2.1", "192.0.2.2"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    ids = [check.id.partition(">")[2] for check in plan(scope).checks if check.address == "192.0.2.1"]
    blocked: Answered = {check: silent for check in ids if not check.endswith("/80")}
    assert blocked
    run = made(scope, blocked)
    assert run.diagnosis[0].lines[-1] == "The same from here to 192.0.2.2 works: another address of the same host."
    other = next(c.id.partition(">")[2] for c in plan(scope).checks if c.address == "192.0.2.2" and c.port == 443)
    run = made(scope, {**blocked, other: closed})
    assert "works" not in " ".join(run.diagnosis[0].lines)


def test_a_host_where_something_else_speaks_does_not_work() -> None:
    run = services({"m1/ipv4/tcp/8443": silent, "m2/ipv4/tcp/8443": spoken_as("ssh")})
    found = next(d for d in run.diagnosis if d.cause == "blocked")
    assert "works" not in " ".join(found.lines)


def spoken_as(name: str) -> Answer:
    return lambda probe: replace(open_port(probe), answer=name.upper(), speaks=name)


def test_where_there_is_no_route_it_is_said_that_nothing_was_sent() -> None:
    found = only(by_hand("53/udp,53/tcp", answers(h1=NO_ROUTE)))
    assert found.lines == ("2 checks not made: no packet left this machine.",)
    assert "ip route get 192.0.2.1" in (found.remedy or "")


def test_what_this_machine_rejects_may_be_a_route_and_no_firewall() -> None:
    found = only(by_hand("53/udp", answers(h1=NO_WAY_OUT)))
    assert found.lines == ("A firewall or a routing rule of this machine rejects it: nothing left for the network.",)
    assert "ip route get 192.0.2.1" in (found.remedy or "")


def test_a_route_that_discards_is_told_with_target_port_and_what_to_do() -> None:
    found = only(by_hand("53/tcp", answers(h1=unknown(Reason.LOCAL_ERROR, "EINVAL"))))
    assert found.headline == "53/tcp on h1 could not be asked from this machine"
    assert found.lines == ("A route of this machine discards it: ip route get 192.0.2.1.",)


def test_a_host_has_one_number_for_all_its_undecided_ports_whoever_limits_itself() -> None:
    """The router rejects three ports of the host; which of the two keeps errors back is not known of the others."""
    router = "198.51.100.1"
    by_port = {f"h1/ipv4/udp/{port}": rejected_by(router) for port in (5000, 5001, 5002)}
    undecided = {f"h1/ipv4/udp/{port}": limited_by(router) for port in range(5003, 5013)}
    run = by_hand("5000-5059/udp", {**by_port, **undecided, "h1": limited_by("192.0.2.1")})
    assert only_budget(run).endswith("60 ports take about 80 s (--udp-budget 80).")
    found = next(d for d in run.diagnosis if d.cause == "udp-budget")
    assert found.headline.endswith(": not decided in time, 198.51.100.1 or the host itself limits its ICMP errors")
    assert found.lines[0].startswith("No answer, and 198.51.100.1 or the host itself limits how many ICMP errors")


def test_a_router_is_not_blamed_alone_where_the_host_sends_errors_too() -> None:
    router = "198.51.100.1"
    given_answers: Answered = {"h1/ipv4/udp/5000": rejected_by(router), "h1/ipv4/udp/5001": closed}
    run = by_hand("5000-5059/udp", {**given_answers, "h1": limited_by(router)})
    found = next(d for d in run.diagnosis if d.cause == "udp-budget")
    assert "198.51.100.1 or the host itself limits" in found.headline


# ---------------------------------------------------------------------------------- with stand-ins at the targets

ALL = "443,2181,5050,8080,40000,49152-65535/tcp,53/udp"
REPORTS = {f"10.0.0.{n}": reported(f"m{n}", ALL) for n in (1, 2, 3)}


def on_m3(answer: Answer) -> Answered:
    """Every port of m3, by TCP, by UDP and out of the range."""
    return {**with_stand_ins_ids("m3", answer), "m3/ipv4/tcp/8888": closed}


def with_stand_ins_ids(name: str, answer: Answer) -> Answered:
    run = with_stand_ins({}, REPORTS)
    return {v.check.id.partition(">")[2]: answer for v in run.verdicts if v.check.host == name}


def test_with_every_stand_in_heard_nothing_is_amiss() -> None:
    assert with_stand_ins({}, REPORTS).diagnosis == ()


def test_a_host_whose_stand_in_was_not_heard_is_one_finding_with_the_command_that_starts_it() -> None:
    reports = {address: said for address, said in REPORTS.items() if address != "10.0.0.3"}
    found = only(with_stand_ins(on_m3(closed), reports))
    assert (found.cause, found.outcome) == ("no-stand-in", Outcome.INCONCLUSIVE)
    assert found.headline == "m3: no stand-in was heard, 10 checks not decided"
    assert found.remedy == "On m3: portcheck listen -s site.yaml --as m3 --key-file stand-in.key"


def test_the_command_has_what_was_selected_in_it() -> None:
    """Without a site file, and with a name that a shell would take apart."""
    run = with_stand_ins(on_m3(closed), {})
    by_hand = replace(
        run.selection, site=None, documents=("my doc.yaml",), roles=("master",), features={"enterprise": False}
    )
    verdicts = tuple(v for v in run.verdicts if v.check.host == "m3")
    (found,) = diagnose(verdicts, run.plan.scope.vantage, {}, frozenset(), by_hand)
    assert found.remedy == (
        "On m3: portcheck listen -d 'my doc.yaml' -r master --feature enterprise=no --as m3 --key-file stand-in.key"
    )


def without_a_key(answers: Answered, masters: int = 1) -> Diagnosis:
    """The gravest finding before the install in a run without stand-ins."""
    scope = site([NEW], cluster(NEW, masters=masters, agents=1), "a1", phase=Phase.PREINSTALL)
    ids = [check.id.partition(">")[2] for check in plan(scope).checks if not check.is_own]
    return made(scope, {**dict.fromkeys(ids, closed), **answers}).diagnosis[0]


def test_without_a_key_the_first_stand_in_makes_it() -> None:
    """The file that --key-file names would be nowhere yet."""
    one, three = without_a_key({}), without_a_key({}, masters=3)
    assert (one.cause, three.cause, three.count) == ("free-or-rejected", "free-or-rejected", 3)
    first = "portcheck listen -s site.yaml --as m1 --write-key stand-in.key"
    assert one.remedy == (
        f"Start a stand-in there: {first}. Copy stand-in.key here, and check with --key-file stand-in.key. Or check "
        "again when the product runs."
    )
    assert three.remedy == (
        f"Start stand-ins there, the first on m1: {first}. Copy stand-in.key to the others and here, and start and "
        "check with --key-file stand-in.key. Or check again when the product runs."
    )


def test_several_ports_that_are_taken_may_be_stand_ins_whose_key_was_forgotten() -> None:
    hint = "If these are stand-ins (portcheck listen), give their key: --key-file."
    many = without_a_key({"m1/ipv4/tcp/443": open_port, "m1/ipv4/tcp/5050": open_port})
    assert (many.cause, many.count) == ("occupied", 2)
    assert (many.remedy or "").endswith(f"on m1: ss -ltnp (Windows: netstat -abn). {hint}")
    one = without_a_key({"m1/ipv4/tcp/443": open_port})
    assert (one.cause, one.count) == ("occupied", 1)
    assert "stand-ins" not in (one.remedy or "")


def test_one_port_on_each_of_several_hosts_is_no_stand_in() -> None:
    found = without_a_key({f"m{n}/ipv4/tcp/443": open_port for n in (1, 2, 3)}, masters=3)
    assert (found.cause, found.count) == ("occupied", 3)
    assert "stand-ins" not in (found.remedy or "")


def test_who_is_known_to_have_several_ports_is_no_stand_in() -> None:
    found = only(this_machine({"m1/own/tcp/5050": held_by(JAVA), "m1/own/tcp/8080": held_by(JAVA)}))
    assert "stand-ins" not in (found.remedy or "")
    unseen = Holder("0.0.0.0", uid=101)
    found = only(this_machine({"m1/own/tcp/5050": held_by(unseen), "m1/own/tcp/8080": held_by(unseen)}))
    assert "stand-ins" not in (found.remedy or ""), "our own stand-ins are told by their process"


@pytest.mark.parametrize("name", ["a" * 64, "a" * 253, "m1", "node-1.example", "10.0.0.1"])
def test_a_command_says_the_name_of_a_host_if_listen_takes_it(name: str) -> None:
    said = commands.listen(Selection(documents=("dcos-1.11",), roles=("master",)), name)
    assert f" --as {name} " in said
    assert is_machine_name(name)


@pytest.mark.parametrize("name", ["a" * 254, "fd00::1", "-x", "m 1", "m\n1", "", "m1;reboot", "\u0661"])
def test_a_command_has_no_name_that_listen_refuses(name: str) -> None:
    assert " --as " not in commands.listen(Selection(documents=("dcos-1.11",), roles=("master",)), name)
    assert not is_machine_name(name)


def test_several_hosts_without_stand_ins_are_one_finding() -> None:
    silent_ones = {**on_m3(closed), **with_stand_ins_ids("m2", closed)}
    found = only(with_stand_ins(silent_ones, {"10.0.0.1": REPORTS["10.0.0.1"]}))
    assert found.headline == "m2, m3: no stand-in of these was heard, 20 checks not decided"
    assert (found.remedy or "").startswith("On each, with its own name, as on m2: portcheck listen ")


def test_a_stand_in_that_was_started_for_less_is_named_with_its_ports() -> None:
    reports = {**REPORTS, "10.0.0.3": reported("m3", "443,2181,8080,40000,49152-65535/tcp,53/udp")}
    found = only(with_stand_ins({"m3/ipv4/tcp/5050": closed}, reports))
    assert found.headline == "The stand-in on m3 was started without 5050/tcp Mesos Master"


def test_a_stand_in_without_the_privilege_is_told_how_to_get_it() -> None:
    reports = {**REPORTS, "10.0.0.3": reported("m3", "443,2181,5050,8080,40000,49152-65535/tcp", unable="53/udp")}
    found = only(with_stand_ins({"m3/ipv4/udp/53": closed}, reports))
    assert found.headline == "The stand-in on m3 may not take ports below 1024: 53/udp DNS"
    assert (found.remedy or "").startswith("On m3, as root: portcheck listen ")


def test_ports_that_one_process_has_are_one_finding_however_they_answer() -> None:
    reports = {**REPORTS, "10.0.0.3": reported("m3", "443,8080,40000,49152-65535/tcp,53/udp", {"2181,5050/tcp": JAVA})}
    taken = {"m3/ipv4/tcp/2181": closed, "m3/ipv4/tcp/5050": accepted_without(CLOSED_WITHOUT_TOKEN)}
    found = only(with_stand_ins(taken, reports))
    assert found.headline == (
        "2181/tcp ZooKeeper, 5050/tcp Mesos Master on m3 are in use already "
        "by java (PID 812, unit dcos-mesos-master.service)"
    )
    assert found.remedy is not None
    assert found.remedy.endswith("on m3: systemctl status dcos-mesos-master.service")


def test_the_same_process_on_two_hosts_is_one_finding_and_another_one_is_another() -> None:
    sshd = Holder("::", pid=9, process="sshd")
    others = "443,2181,8080,40000,49152-65535/tcp,53/udp"
    holders = {"10.0.0.1": JAVA, "10.0.0.2": replace(JAVA, pid=813), "10.0.0.3": sshd}
    reports = {f"10.0.0.{n}": reported(f"m{n}", others, {"5050/tcp": holders[f"10.0.0.{n}"]}) for n in (1, 2, 3)}
    found = with_stand_ins({f"m{n}/ipv4/tcp/5050": closed for n in (1, 2, 3)}, reports).diagnosis
    assert [(d.cause, d.count) for d in found] == [("occupied", 2), ("occupied", 1)]
    assert "on m1, m2 is in use already by java (PID 812, " in found[0].headline
    assert found[1].headline == "5050/tcp Mesos Master on m3 is in use already by sshd (PID 9)"


def test_a_translation_to_another_host_is_named() -> None:
    found = only(with_stand_ins({"m3/ipv4/tcp/5050": echoed_by("m2"), "m3/ipv4/tcp/443": echoed_by("m2")}, REPORTS))
    assert (found.cause, found.outcome) == ("answered-by-another", Outcome.FAIL)
    assert found.headline == "443/tcp Admin Router, 5050/tcp Mesos Master on m3 are answered by the stand-in of m2"
    assert "The same from here to m1, m2 works: look at m3 and what stands before it." in found.lines


def test_who_accepts_in_the_place_of_a_stand_in_is_on_the_way() -> None:
    found = only(with_stand_ins({"m3/ipv4/tcp/5050": accepted_without(CLOSED_WITHOUT_TOKEN)}, REPORTS))
    assert found.cause == "answered-on-the-way"
    assert "from here to m1, m2 works" in found.lines[1]


def test_a_host_at_which_nobody_gives_a_token_is_one_finding() -> None:
    reports = {address: said for address, said in REPORTS.items() if address != "10.0.0.3"}
    run = with_stand_ins({**on_m3(accepted_without(CLOSED_WITHOUT_TOKEN)), "m3/ipv4/udp/53": silent}, reports)
    found = run.diagnosis[0]
    assert (found.cause, found.outcome) == ("no-token", Outcome.FAIL)
    assert found.headline.startswith("m3 (10.0.0.3) accepts connections without a token on ")
    assert "portcheck listen -s site.yaml --as m3" in (found.remedy or "")


def test_a_port_that_could_not_be_asked_is_not_called_taken() -> None:
    run = with_stand_ins({"m3/ipv4/tcp/5050": accepted_without(UNASKED_TOKEN)}, REPORTS)
    assert (only(run).cause, only(run).outcome) == ("stand-in-not-asked", Outcome.INCONCLUSIVE)


def test_a_refusal_in_front_of_a_stand_in_is_a_firewalls_and_nobody_knows_whose() -> None:
    found = only(with_stand_ins({"m3/ipv4/tcp/5050": closed}, REPORTS))
    assert found.cause == "refused-in-front"
    assert "a firewall, on the way or on the host, refuses it" in found.lines[0]
    assert found.lines[1] == "The same from here to m1, m2 works: look at m3 and what stands before it."
    everywhere = only(with_stand_ins({f"m{n}/ipv4/tcp/5050": closed for n in (1, 2, 3)}, REPORTS))
    assert everywhere.lines[1] == "All 3 hosts alike: a rule on the way is likelier than one on each host."


def test_a_lost_answer_asks_for_the_way_back() -> None:
    reports = {**REPORTS, "10.0.0.3": reported("m3", ALL, heard="53/udp", at="10.0.0.3")}
    found = only(with_stand_ins({"m3/ipv4/udp/53": no_reply(ICMP_MUTE)}, reports))
    assert found.headline == "The answers of 53/udp DNS on m3 are lost on the way back"
    assert found.remedy == "Allow the answers: from 10.0.0.3, ports 53/udp, to a1 (10.0.0.11)."


def test_a_range_that_is_blocked_in_its_middle_is_named_with_the_ports_that_show_it() -> None:
    run = with_stand_ins({}, REPORTS)
    drawn = sorted(v.check.port or 0 for v in run.verdicts if v.check.host == "m3" and v.check.range)
    assert len(drawn) == 5
    found = only(with_stand_ins({f"m3/ipv4/tcp/{drawn[2]}": silent}, REPORTS))
    assert found.headline == f"1 of the ports 49152-65535/tcp ({drawn[2]}) Tasks is dropped on the way to m3"
    assert found.remedy == (
        "Allow 49152-65535/tcp from a1 (10.0.0.11) to 10.0.0.3. On m3, this shows what its own firewall does: "
        "portcheck check --local -s site.yaml"
    )
    whole = only(with_stand_ins({f"m3/ipv4/tcp/{port}": silent for port in drawn}, REPORTS))
    assert whole.headline == "5 of the ports 49152-65535/tcp Tasks are dropped on the way to m3"


# -------------------------------------------------------------------------------------- this machine and no other


def test_what_one_process_has_of_this_machine_is_one_finding() -> None:
    found = only(this_machine({"m1/own/tcp/5050": held_by(JAVA), "m1/own/tcp/8080": held_by(JAVA)}))
    assert found.headline == (
        "5050/tcp Mesos Master, 8080/tcp Marathon on this machine (m1) are in use already "
        "by java (PID 812, unit dcos-mesos-master.service)"
    )


def test_who_is_not_known_is_looked_for_by_root() -> None:
    found = only(this_machine({"m1/own/udp/53": held_by(Holder("0.0.0.0", uid=101))}))
    assert found.headline == "53/udp DNS on this machine (m1) is in use already"
    assert found.lines[0] == "A process (user id 101) has 53/udp on m1: the product cannot use it."
    assert "ss -lunp" in (found.remedy or "")


def test_ports_in_the_ephemeral_range_are_one_warning_with_one_line_that_reserves_them() -> None:
    found = only(this_machine({"m1/own/tcp/40000": EPHEMERAL, "m1/own/tcp/8080": EPHEMERAL}))
    assert (found.cause, found.outcome, found.count) == ("ephemeral", Outcome.WARN, 2)
    assert found.headline.endswith(" on this machine (m1) lie in its ephemeral range (32768-60999)")
    setting = "net.ipv4.ip_local_reserved_ports"
    assert f'sysctl -w {setting}="8080,40000,$(sysctl -n {setting})"' in (found.remedy or "")


def test_a_range_is_reserved_as_far_as_connections_can_have_it_and_only_if_enough_is_left() -> None:
    def with_range(span: str) -> str:
        everything = own(PortState.CLOSED, Reason.PORT_FREE, f"{IN_EPHEMERAL_RANGE}{span}")
        samples = {f"m1/own/tcp/{port}": everything for port in range(49152, 65536)}
        return only(this_machine({**samples, "m1/own/tcp/5050": everything})).remedy or ""

    assert '="5050,49152-60999,$(' in with_range("32768-60999")
    assert '="5050,49152-65535,$(' in with_range("1024-65535")
    narrow = with_range("40000-65535")
    assert '="5050,$(' in narrow
    assert "leaves too little for outgoing connections" in narrow


def test_a_port_that_a_connection_has_is_told_to_be_free_later() -> None:
    curl = Holder("10.0.0.1", connected=True, pid=5, process="curl")
    found = only(this_machine({"m1/own/tcp/5050": own(PortState.OPEN, Reason.PORT_IN_CONNECTION, None, curl)}))
    assert found.headline.endswith("is the near end of an outgoing connection of curl (PID 5)")
    assert '="5050,$(' in (found.remedy or "")


def test_one_rule_of_our_own_filter_is_one_finding() -> None:
    by_rule = {
        f"m1/rules/tcp/{port}": own(PortState.FILTERED, Reason.RULES_DROP, f"chain input, rule handle {handle}")
        for port, handle in ((443, 7), (5050, 7), (8080, 8))
    }
    heads_of = heads(this_machine(by_rule))
    assert heads_of == [
        "own-firewall: The packet filter of this machine (m1) itself drops what is sent to 443/tcp Admin Router, "
        "5050/tcp Mesos Master",
        "own-firewall: The packet filter of this machine (m1) itself drops what is sent to 8080/tcp Marathon",
    ]


def test_a_port_of_a_range_that_is_taken_is_a_warning() -> None:
    first = "m1/own/tcp/49152"
    found = only(this_machine({first: held_by(JAVA)}))
    assert (found.cause, found.outcome) == ("taken-in-range", Outcome.WARN)
    assert found.headline.startswith("1 of the ports 49152-65535/tcp (49152) Tasks on this machine (m1) is in use")


def test_what_listens_for_more_than_localhost_is_a_warning() -> None:
    found = only(this_machine({"m1/own/tcp/8888": held_by(JAVA)}, phase=Phase.INSTALLED))
    assert (found.cause, found.outcome) == ("bound-wider", Outcome.WARN)
    assert found.headline == (
        "8888/tcp Certificate Authority on this machine (m1) listens for others too, but is for localhost only"
    )


def test_a_hostile_process_name_stays_a_name() -> None:
    evil = Holder("::", pid=7, process="{0}\x1b[2J\nOK", unit="\u202e.service")
    found = only(this_machine({"m1/own/tcp/5050": held_by(evil)}))
    text = " ".join((found.headline, *found.lines, found.remedy or ""))
    assert text.isprintable()
    assert "{0}\\x1b[2J\\nOK" in text
