"""What the stand-ins say of a check: who answered, and what the right host's report says of a port without an echo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import pytest

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    OTHER_WITHOUT_TOKEN,
    SILENT_WITHOUT_TOKEN,
    Echo,
    Holder,
    Observation,
    PortState,
    Probe,
    Reason,
    Standing,
    StandInPort,
    StandInReport,
    Transport,
)
from portcheck.engine.token import known_as
from portcheck.measured import Measured
from portcheck.model import NOT_SEEN, Check, Expect, Host, Phase, Plan, Seen, Sight
from portcheck.plan import plan
from portcheck.stand_ins import StandIns
from tests.samples import document, host, row, site

TCP, UDP = Transport.TCP, Transport.UDP
DOC = document(
    row("5050-5053/tcp"),
    row("53/udp"),
    row("22/tcp", sources="client"),
    row("8080/tcp", sources="localhost"),
    row("123/udp", to="ntp"),
)
M1, M2 = "10.0.0.1", "10.0.0.2"
M1_TOO, M1_V6 = "10.1.0.1", "fd00::1"
HOSTS = (
    host("m1", M1, M1_TOO, M1_V6, roles=("doc:master",)),
    host("m2", M2, roles=("doc:master",)),
    host("a1", "10.0.0.11", roles=("doc:agent",)),
    host("clock", "10.0.0.53", roles=("ntp",), external=True),
)
A, B, C = "a" * 16, "b" * 16, "c" * 16
"""Network stacks."""

Key = tuple[str, Transport, int]
"""What is asked: address, transport and port."""


def plan_of(hosts: Iterable[Host] = HOSTS, **fields: object) -> Plan:
    given = {"phase": Phase.PREINSTALL, "stand_ins": True, **fields}
    return plan(site((DOC,), hosts, "a1", **given))


PLAN = plan_of()


def echo(stack: str, arrival: str, port: int = 5050, name: str = "", *, stated: bool = False) -> Echo:
    return Echo(stack, name or f"host-{stack[0]}", stated, arrival, port, "10.0.0.11", 40000)


def closed(probe: Probe) -> Observation:
    return Observation(probe, PortState.CLOSED, Reason.CONN_REFUSED)


def silent(probe: Probe) -> Observation:
    return Observation(probe, PortState.FILTERED, Reason.NO_RESPONSE)


def opened(detail: str | None) -> Callable[[Probe], Observation]:
    return lambda probe: Observation(probe, PortState.OPEN, Reason.SYN_ACK, detail=detail)


def answered(said: Echo) -> Callable[[Probe], Observation]:
    return lambda probe: Observation(probe, PortState.OPEN, Reason.ECHO_TOKEN, echo=replace(said, port=probe.port))


Answers = Mapping[Key, Callable[[Probe], Observation] | Echo]


class Site:
    """A run with these answers; whatever is not named refuses."""

    def __init__(self, answers: Answers, reports: Mapping[str, StandInReport] | None = None, of: Plan = PLAN) -> None:
        measured = Measured()
        for probe in dict.fromkeys(check.probe for check in of.checks if check.probe is not None):
            answer = answers.get((probe.address, probe.transport, probe.port), closed)
            measured.take((answered(answer) if isinstance(answer, Echo) else answer)(probe))
        measured.reports.update({where: [report] for where, report in (reports or {}).items()})
        self.measured, self.checks = measured, of.checks
        self.stand_ins = StandIns(of, measured)

    def check(self, address: str, port: int, transport: Transport = TCP) -> Check:
        (found,) = (c for c in self.checks if (c.address, c.port, c.transport) == (address, port, transport))
        return found

    def seen(self, address: str, port: int = 5050, transport: Transport = TCP) -> Seen:
        check = self.check(address, port, transport)
        assert check.probe is not None
        return self.stand_ins.seen(check, self.measured.of(check.probe))

    def sight(self, address: str, port: int = 5050, transport: Transport = TCP) -> Sight:
        return self.seen(address, port, transport).sight


def report(
    stack: str,
    *ports: StandInPort,
    heard: Iterable[tuple[Transport, int, str]] = (),
    name: str = "",
    stated: bool = False,
) -> StandInReport:
    return StandInReport(stack, name or f"host-{stack[0]}", stated, ports, tuple(heard))


def port(
    number: int,
    address: str = "0.0.0.0",
    standing: Standing = Standing.LISTENING,
    holder: Holder | None = None,
    detail: str | None = None,
    transport: Transport = TCP,
) -> StandInPort:
    return StandInPort(transport, number, address, standing, holder, detail)


def at(address: str, number: int = 5050, transport: Transport = TCP) -> Key:
    return address, transport, number


# ------------------------------------------------------------------------------------------ who answered: right


RIGHT: dict[str, tuple[Answers, Key, str | None]] = {
    "as it should be": ({at(M1): echo(A, M1)}, at(M1), None),
    "over UDP": ({at(M1, 53, UDP): echo(A, M1)}, at(M1, 53, UDP), None),
    "over IPv6": ({at(M1_V6): echo(A, M1_V6)}, at(M1_V6), None),
    "by its stated name": ({at(M1): echo(A, M1, name="m1", stated=True)}, at(M1), None),
    "by its stated name, wherever it arrived": (
        {at(M1): echo(A, "192.168.9.9", name="m1", stated=True), at(M2): echo(B, M2)},
        at(M1),
        "192.168.9.9",
    ),
    "a stated name that the plan does not know": ({at(M1): echo(A, M1, name="master", stated=True)}, at(M1), None),
    "the unstated name of another host": ({at(M1): echo(A, M1, name="m2")}, at(M1), None),
    "translated one to one": ({at(M1): echo(A, "192.168.0.1"), at(M2): echo(B, "192.168.0.2")}, at(M1), "192.168.0.1"),
    "translated to another address of the host": ({at(M1_TOO): echo(A, M1)}, at(M1_TOO), M1),
    "translated to its own machine": (
        {at(M1_TOO): echo(A, "192.168.0.1"), at(M1): echo(A, M1)},
        at(M1_TOO),
        "192.168.0.1",
    ),
    "two stand-ins on one machine": (
        {at(M1): echo(A, M1, name="m1", stated=True), at(M1, 5051): echo(A, M1, name="box")},
        at(M1, 5051),
        None,
    ),
    "one machine that is two hosts of the plan": ({at(M1): echo(A, M1), at(M2): echo(A, M2)}, at(M2), None),
    "at a duplicate address, met at another of the host": (
        {at(M1): echo(A, M1), at(M1, 5051): echo(B, M1), at(M1_TOO): echo(A, M1_TOO)},
        at(M1),
        None,
    ),
    "at a duplicate address, the other is another host": (
        {at(M1): echo(A, M1), at(M1, 5051): echo(B, M1), at(M2): echo(B, M2)},
        at(M1),
        None,
    ),
    "at a duplicate address, stated": (
        {at(M1): echo(A, M1, name="m1", stated=True), at(M1, 5051): echo(B, M1)},
        at(M1),
        None,
    ),
    "at a duplicate address, the machine of a stated one": (
        {
            at(M1): echo(A, M1, name="m1", stated=True),
            at(M1, 5051): echo(A, M1),
            at(M1, 5052): echo(B, M1),
            at(M1_TOO): echo(B, M1_TOO),
        },
        at(M1, 5051),
        None,
    ),
    "at a duplicate address, by its own name": (
        {at(M1): echo(A, M1, name="m1"), at(M1, 5051): echo(B, M1, name="pc7")},
        at(M1),
        None,
    ),
    "behind an address most ports of which are its": (
        {at(M1): echo(A, "192.168.0.1"), at(M1, 5051): echo(A, "192.168.0.1"), at(M1, 5052): echo(B, "192.168.0.9")},
        at(M1),
        "192.168.0.1",
    ),
    "behind two addresses, by its own name": (
        {at(M1): echo(A, "192.168.0.1", name="m1"), at(M2): echo(A, "192.168.0.1", name="m1")},
        at(M1),
        "192.168.0.1",
    ),
}


@pytest.mark.parametrize(("answers", "asked", "translated"), RIGHT.values(), ids=RIGHT)
def test_the_right_host_answered(answers: Answers, asked: Key, translated: str | None) -> None:
    address, transport, number = asked
    said = answers[asked]
    assert isinstance(said, Echo)
    seen = Site(answers).seen(address, number, transport)
    assert seen == Seen(Sight.ECHO, echo=replace(said, port=number), translated=translated)


# ------------------------------------------------------------------------------------------ who answered: wrong

WRONG: dict[str, tuple[Answers, Key, str]] = {
    "by its stated name": ({at(M1): echo(B, M1, name="m2", stated=True)}, at(M1), "the stand-in of m2"),
    "one port led to another host": ({at(M1): echo(B, M2), at(M1, 5051): echo(A, M1)}, at(M1), "the stand-in of m2"),
    "every port led to another host": ({at(M1): echo(B, M2)}, at(M1), "the stand-in of m2"),
    "a machine of another host, by an unlisted address": (
        {at(M1): echo(B, "192.168.0.2"), at(M2): echo(B, M2)},
        at(M1),
        "the stand-in of m2",
    ),
    "a machine that was stated for another host": (
        {at(M1): echo(B, "192.168.0.2"), at(M2): echo(B, "192.168.0.2", name="m2", stated=True)},
        at(M1),
        "the stand-in of m2",
    ),
    "a virtual address with a machine of another host": (
        {at(M1): echo(A, M1), at(M1_TOO): echo(B, M1_TOO), at(M2): echo(B, M2, name="m2", stated=True)},
        at(M1_TOO),
        "the stand-in of m2",
    ),
    "an unknown machine, while the host itself answers elsewhere": (
        {at(M1): echo(C, "192.168.0.9"), at(M1, 5051): echo(A, M1)},
        at(M1),
        "a stand-in on host-c (192.168.0.9)",
    ),
    "an unknown machine at another address of a known host": (
        {at(M1): echo(A, M1), at(M1_TOO): echo(C, "192.168.0.9")},
        at(M1_TOO),
        "a stand-in on host-c (192.168.0.9)",
    ),
    "at a duplicate address, another host": (
        {at(M1): echo(A, M1), at(M1, 5051): echo(B, M1), at(M2): echo(B, M2)},
        at(M1, 5051),
        "the stand-in of m2, one of 2 machines that have the address 10.0.0.1",
    ),
    "at a duplicate address, an unknown machine": (
        {at(M1): echo(A, M1, name="m1", stated=True), at(M1, 5051): echo(C, M1)},
        at(M1, 5051),
        "a stand-in on host-c (10.0.0.1), one of 2 machines that have the address 10.0.0.1",
    ),
    "at a duplicate address, and nothing tells them apart": (
        {at(M1): echo(A, M1), at(M1, 5051): echo(C, M1)},
        at(M1),
        "a stand-in on host-a (10.0.0.1), one of 2 machines that have the address 10.0.0.1",
    ),
    "behind an address most ports of which are another machine's": (
        {at(M1): echo(A, "192.168.0.1"), at(M1, 5051): echo(A, "192.168.0.1"), at(M1, 5052): echo(B, "192.168.0.9")},
        at(M1, 5052),
        "a stand-in on host-b (192.168.0.9), one of 2 machines behind 10.0.0.1",
    ),
    "one of two behind an address": (
        {at(M1): echo(A, "192.168.0.1"), at(M1, 5051): echo(B, "192.168.0.9")},
        at(M1),
        "a stand-in on host-a (192.168.0.1), one of 2 machines behind 10.0.0.1",
    ),
    "behind an address, named like another host": (
        {at(M1): echo(A, "192.168.0.1", name="m2")},
        at(M1),
        "a stand-in on m2 (192.168.0.1)",
    ),
    "one machine behind the addresses of two hosts": (
        {at(M1): echo(A, "192.168.0.1"), at(M2): echo(A, "192.168.0.1")},
        at(M2),
        "a stand-in on host-a (192.168.0.1), which answers for m1 as well",
    ),
    "one machine behind the addresses of two hosts, named like the other": (
        {at(M1): echo(A, "192.168.0.1", name="m1"), at(M2): echo(A, "192.168.0.1", name="m1")},
        at(M2),
        "a stand-in on m1 (192.168.0.1), which answers for m1 as well",
    ),
}


@pytest.mark.parametrize(("answers", "asked", "who"), WRONG.values(), ids=WRONG)
def test_somebody_else_answered(answers: Answers, asked: Key, who: str) -> None:
    address, transport, number = asked
    said = answers[asked]
    assert isinstance(said, Echo)
    seen = Site(answers).seen(address, number, transport)
    assert seen == Seen(Sight.OTHER_HOST, echo=replace(said, port=number), who=who)


def test_a_name_that_is_too_long_for_an_echo_is_known_all_the_same() -> None:
    long, other = "m" * 250 + "1", "m" * 250 + "2"
    hosts = (
        host(long, M1, roles=("doc:master",)),
        host(other, M2, roles=("doc:master",)),
        host("a1", "10.0.0.11", roles=("doc:agent",)),
    )
    said = echo(A, "192.168.0.1", name=known_as(long), stated=True)
    seen = Site({at(M1): said, at(M2): said}, of=plan_of(hosts))
    assert seen.sight(M1) is Sight.ECHO
    assert seen.sight(M2) is Sight.OTHER_HOST


def test_an_address_of_two_hosts_is_answered_by_either() -> None:
    hosts = (
        host("m1", M1, roles=("doc:master",)),
        host("m2", M2, "10.0.0.100", roles=("doc:master",)),
        host("m3", "10.0.0.3", "10.0.0.100", roles=("doc:master",)),
        host("a1", "10.0.0.11", roles=("doc:agent",)),
    )
    of = plan_of(hosts)
    said = echo(B, "10.0.0.100", name="m2", stated=True)
    stand_ins = Site({at("10.0.0.100"): said}, of=of)
    seen = [
        stand_ins.stand_ins.seen(c, stand_ins.measured.of(c.probe)).sight
        for c in of.checks
        if c.probe is not None and c.address == "10.0.0.100" and c.port == 5050
    ]
    assert set(seen) == {Sight.ECHO}


def test_zones_and_spellings_of_addresses_do_not_matter() -> None:
    hosts = (
        host("m1", "fe80::1%eth0", roles=("doc:master",)),
        host("m2", "fd00:0:0::0002", roles=("doc:master",)),
        host("a1", "10.0.0.11", roles=("doc:agent",)),
    )
    answers = {at("fe80::1%eth0"): echo(A, "fe80::1"), at("fd00:0:0::0002"): echo(B, "fd00::2")}
    seen = Site(answers, of=plan_of(hosts))
    assert seen.seen("fe80::1%eth0").translated is None
    assert seen.sight("fe80::1%eth0") is seen.sight("fd00:0:0::0002") is Sight.ECHO


# -------------------------------------------------------------------------------- no echo: what the report says

HELD = Holder("0.0.0.0", pid=7, process="mesos")
OURS = Holder("0.0.0.0", pid=8, process="portcheck", stand_in=True)
HEARD_M1 = {at(M1): echo(A, M1)}

Case = tuple[Answers, StandInReport, Key, Seen]

REPORTED: dict[str, Case] = {
    "it listens everywhere": (HEARD_M1, report(A, port(5051)), at(M1, 5051), Seen(Sight.LISTENING)),
    "at another address of the host": (HEARD_M1, report(A, port(5051)), at(M1_TOO, 5051), Seen(Sight.LISTENING)),
    "at this address": (HEARD_M1, report(A, port(5051, M1)), at(M1, 5051), Seen(Sight.LISTENING)),
    "over UDP": (HEARD_M1, report(A, port(53, transport=UDP)), at(M1, 53, UDP), Seen(Sight.LISTENING)),
    "over TCP, not UDP": (HEARD_M1, report(A, port(53)), at(M1, 53, UDP), Seen(Sight.UNOPENED)),
    "at another address only": (HEARD_M1, report(A, port(5051, M1)), at(M1_TOO, 5051), Seen(Sight.UNOPENED)),
    "on loopback only": (HEARD_M1, report(A, port(5051, "127.0.0.1")), at(M1, 5051), Seen(Sight.UNOPENED)),
    "on IPv4 only": (HEARD_M1, report(A, port(5051)), at(M1_V6, 5051), Seen(Sight.UNOPENED)),
    "on IPv6 only": (HEARD_M1, report(A, port(5051, "::")), at(M1, 5051), Seen(Sight.UNOPENED)),
    "on all of IPv6": (HEARD_M1, report(A, port(5051, "::")), at(M1_V6, 5051), Seen(Sight.LISTENING)),
    "for another role": (HEARD_M1, report(A, port(80)), at(M1, 5051), Seen(Sight.UNOPENED)),
    "the question arrived": (
        HEARD_M1,
        report(A, port(53, transport=UDP), heard=[(UDP, 53, M1)]),
        at(M1, 53, UDP),
        Seen(Sight.LISTENING, arrived=True),
    ),
    "a question to another address arrived": (
        HEARD_M1,
        report(A, port(53, transport=UDP), heard=[(UDP, 53, M1_TOO), (TCP, 53, M1), (UDP, 54, M1)]),
        at(M1, 53, UDP),
        Seen(Sight.LISTENING),
    ),
    "held by somebody": (
        HEARD_M1,
        report(A, port(5051, standing=Standing.IN_USE, holder=HELD)),
        at(M1, 5051),
        Seen(Sight.HELD, holder=HELD),
    ),
    "held on one address and ours on the other": (
        HEARD_M1,
        report(A, port(5051, M1), port(5051, M1_TOO, Standing.IN_USE, HELD)),
        at(M1, 5051),
        Seen(Sight.LISTENING),
    ),
    "held by somebody for other addresses, ours on this one": (
        HEARD_M1,
        report(A, port(5051, "0.0.0.0", Standing.IN_USE, HELD), port(5051, M1)),
        at(M1, 5051),
        Seen(Sight.LISTENING),
    ),
    "held by another stand-in": (
        HEARD_M1,
        report(A, port(5051, standing=Standing.IN_USE, holder=OURS)),
        at(M1, 5051),
        Seen(Sight.LISTENING),
    ),
    "held by another stand-in, which does not know our key": (
        {**HEARD_M1, at(M1, 5051): opened(CLOSED_WITHOUT_TOKEN)},
        report(A, port(5051, standing=Standing.IN_USE, holder=OURS)),
        at(M1, 5051),
        Seen(Sight.HELD, holder=OURS),
    ),
    "without privilege": (
        HEARD_M1,
        report(A, port(5051, standing=Standing.NEEDS_PRIVILEGE, detail="CAP_NET_BIND_SERVICE")),
        at(M1, 5051),
        Seen(Sight.UNABLE, detail="CAP_NET_BIND_SERVICE"),
    ),
    "it could not": (
        HEARD_M1,
        report(A, port(5051, standing=Standing.FAILED, detail="too many")),
        at(M1, 5051),
        Seen(Sight.UNABLE, detail="too many"),
    ),
    "somebody on the way takes the connection": (
        {**HEARD_M1, at(M1, 5051): opened(CLOSED_WITHOUT_TOKEN)},
        report(A, port(5051)),
        at(M1, 5051),
        Seen(Sight.LISTENING),
    ),
    "the report is another machine's": (
        *(HEARD_M1, report(B, port(5051)), at(M1, 5051)),
        Seen(Sight.UNREPORTED),
    ),
    "the report is stated to be another host's": (
        HEARD_M1,
        report(A, port(5051), name="m2", stated=True),
        at(M1, 5051),
        Seen(Sight.UNREPORTED),
    ),
    "nobody but a stranger was heard": (
        {at(M1): echo(B, M2), at(M2): echo(B, M2)},
        report(B, port(5051)),
        at(M1, 5051),
        Seen(Sight.ABSENT),
    ),
    "behind a translation": (
        {at(M1): echo(A, "192.168.0.1")},
        report(A, port(5051, "192.168.0.1"), heard=[(TCP, 5051, "192.168.0.1")]),
        at(M1, 5051),
        Seen(Sight.LISTENING, arrived=True),
    ),
}


@pytest.mark.parametrize(("answers", "told", "asked", "expected"), REPORTED.values(), ids=REPORTED)
def test_the_report_says_it(answers: Answers, told: StandInReport, asked: Key, expected: Seen) -> None:
    address, transport, number = asked
    assert Site(answers, {M1: told}).seen(address, number, transport) == expected


def test_an_answer_that_is_lost_behind_a_translation_is_told_when_the_address_can_be_no_other() -> None:
    told = report(A, port(53, "::", transport=UDP), heard=[(UDP, 53, "fd99::1")])
    assert Site(HEARD_M1, {M1: told}).seen(M1_V6, 53, UDP) == Seen(Sight.LISTENING, arrived=True)
    told = report(A, port(53, transport=UDP), heard=[(UDP, 53, "192.168.0.1")])
    assert Site(HEARD_M1, {M1: told}).seen(M1_TOO, 53, UDP) == Seen(Sight.LISTENING)


def test_reports_of_one_host_are_one() -> None:
    """Two stand-ins on a machine, each started for a part of the ports."""
    answers = {at(M1): echo(A, M1), at(M1_TOO): echo(A, M1_TOO)}
    seen = Site(answers, {M1: report(A, port(5051)), M1_TOO: report(A, port(5052))})
    assert seen.sight(M1, 5051) is seen.sight(M1, 5052) is Sight.LISTENING
    assert seen.sight(M1, 5053) is Sight.UNOPENED


def test_a_report_is_for_its_own_host_only() -> None:
    seen = Site({at(M1): echo(A, M1), at(M2): echo(B, M2)}, {M1: report(A, port(5051)), M2: report(B, port(5052))})
    assert (seen.sight(M1, 5051), seen.sight(M1, 5052)) == (Sight.LISTENING, Sight.UNOPENED)
    assert (seen.sight(M2, 5051), seen.sight(M2, 5052)) == (Sight.UNOPENED, Sight.LISTENING)


# ------------------------------------------------------------------------------------------- nobody was heard

closes, stays_silent = opened(CLOSED_WITHOUT_TOKEN), opened(SILENT_WITHOUT_TOKEN)
speaks = opened(OTHER_WITHOUT_TOKEN)


def ports_of(address: str, answer: Callable[[Probe], Observation], numbers: Iterable[int]) -> Answers:
    return {at(address, number): answer for number in numbers}


UNHEARD: dict[str, tuple[Answers, Sight]] = {
    "everything refuses": ({}, Sight.ABSENT),
    "everything is silent": (ports_of(M2, silent, range(5050, 5054)), Sight.ABSENT),
    "every port closes": (ports_of(M2, closes, range(5050, 5054)), Sight.CLOSES),
    "every port stays silent": (ports_of(M2, stays_silent, range(5050, 5054)), Sight.CLOSES),
    "every open port closes": (ports_of(M2, closes, range(5050, 5053)), Sight.CLOSES),
    "one port closes": ({at(M2): closes}, Sight.ABSENT),
    "one port closes, the others are dropped": (
        {**ports_of(M2, silent, range(5050, 5054)), at(M2): closes},
        Sight.ABSENT,
    ),
    "no more ports close than refuse": (ports_of(M2, closes, range(5050, 5052)), Sight.ABSENT),
    "one of them speaks": ({**ports_of(M2, closes, range(5050, 5053)), at(M2, 5053): speaks}, Sight.ABSENT),
    "a stand-in is heard there": (
        {**ports_of(M2, closes, range(5050, 5053)), at(M2, 5053): echo(B, M2)},
        Sight.UNREPORTED,
    ),
    "a stranger is heard there": (
        {**ports_of(M2, closes, range(5050, 5053)), at(M2, 5053): echo(A, M1), at(M1): echo(A, M1)},
        Sight.CLOSES,
    ),
    "another host closes": (ports_of(M1, closes, range(5050, 5054)), Sight.ABSENT),
}


@pytest.mark.parametrize(("answers", "expected"), UNHEARD.values(), ids=UNHEARD)
def test_a_host_that_was_not_heard(answers: Answers, expected: Sight) -> None:
    assert Site(answers).seen(M2) == Seen(expected)


def test_what_does_not_close_does_not_close_although_all_the_others_do() -> None:
    seen = Site(ports_of(M2, closes, range(5050, 5053)))
    assert seen.sight(M2, 5052) is Sight.CLOSES
    assert seen.sight(M2, 5053) is seen.sight(M2, 53, UDP) is Sight.ABSENT


def test_the_only_port_of_a_host_that_closes_is_all_of_them() -> None:
    one = document(row("5050/tcp"))
    of = plan(site((one,), HOSTS, "a1", phase=Phase.PREINSTALL, stand_ins=True))
    assert Site({at(M2): closes}, of=of).sight(M2) is Sight.CLOSES


# ------------------------------------------------------------------------------------------- nothing to do with it


def sights(of: Plan) -> Iterator[tuple[Check, Seen]]:
    answers = Site({at(M1): echo(A, M1)} if of.scope.stand_ins else {}, {M1: report(A, port(5051))}, of)
    for check in of.checks:
        if check.probe is not None:
            yield check, answers.stand_ins.seen(check, answers.measured.of(check.probe))


def test_without_stand_ins_nothing_is_seen() -> None:
    assert {seen for _, seen in sights(plan_of(stand_ins=False))} == {NOT_SEEN}


def test_what_exists_already_and_what_nobody_needs_has_no_stand_in() -> None:
    seen = list(sights(PLAN))
    assert {found for check, found in seen if check.present} == {NOT_SEEN}
    unnamed = [found for check, found in seen if check.expect is Expect.NOT_OPEN and not check.named_for]
    assert set(unnamed) <= {NOT_SEEN}
    named = [found for check, found in seen if check.expect is Expect.NOT_OPEN and check.named_for]
    assert named
    assert NOT_SEEN not in named


def test_a_name_without_an_address_has_no_stand_in() -> None:
    lost = replace(HOSTS[1], addresses=(), unresolved="no such name")
    of = plan_of((HOSTS[0], lost, *HOSTS[2:]))
    stand_ins = Site({}, of=of).stand_ins
    unasked = [check for check in of.checks if check.probe is None]
    assert unasked
    for check in unasked:
        missing = Observation(Probe("0.0.0.0", TCP, 1), PortState.UNKNOWN, Reason.NAME_UNRESOLVED)
        assert stand_ins.seen(check, missing) == NOT_SEEN


# ------------------------------------------------------------------------------------------------------- quickly


def test_thousands_of_checks_are_looked_at_in_no_time() -> None:
    wide = document(row("10000-19999/tcp"))
    hosts = (host("m1", M1, roles=("doc:master",)), host("a1", "10.0.0.11", roles=("doc:agent",)))
    of = plan(site((wide,), hosts, "a1", phase=Phase.PREINSTALL, stand_ins=True))
    told = report(A, *(port(number) for number in range(10001, 20000)), heard=[(TCP, n, M1) for n in range(1, 9000)])
    made = Site({at(M1, 10000): echo(A, M1)}, {M1: told}, of)
    started = time.process_time()
    for check in of.checks:
        assert check.probe is not None
        made.stand_ins.seen(check, made.measured.of(check.probe))
    assert len(of.checks) == 10000
    assert time.process_time() - started < 3


# ------------------------------------------------------------------------------------- less than the whole way


def arrives_at(number: int) -> Callable[[Probe], Observation]:
    """A router changes the port."""
    return lambda probe: Observation(probe, PortState.OPEN, Reason.ECHO_TOKEN, echo=echo(A, M1, number))


def test_a_port_that_is_redirected_is_not_the_products() -> None:
    seen = Site({at(M1): arrives_at(8080)}).seen(M1)
    assert (seen.sight, seen.echo) == (Sight.OTHER_PORT, echo(A, M1, 8080))
    assert Site({at(M1): arrives_at(5050)}).sight(M1) is Sight.ECHO


@pytest.mark.parametrize(("where", "reached"), [(M1, True), (M2, False)])
def test_a_connection_that_reached_the_stand_in_is_no_proxys(where: str, reached: bool) -> None:
    said = replace(report(A, port(5051)), reached=((TCP, 5051, where),))
    seen = Site({**HEARD_M1, at(M1, 5051): closes}, {M1: said}).seen(M1, 5051)
    assert (seen.sight, seen.reached, seen.arrived) == (Sight.LISTENING, reached, False)


def test_where_the_run_ended_first_nothing_is_said_of_stand_ins() -> None:
    whole = Site({at(M1): echo(A, M1)})
    assert (whole.sight(M1, 5051), whole.sight(M2)) == (Sight.UNREPORTED, Sight.ABSENT)
    whole.measured.heard_out = False
    cut = StandIns(PLAN, whole.measured)
    for address, number in ((M1, 5051), (M2, 5050)):
        check = whole.check(address, number)
        assert check.probe is not None
        assert cut.seen(check, whole.measured.of(check.probe)).sight is Sight.CUT_SHORT
