"""What a plan asks without a connection, and what becomes of the replies."""

from __future__ import annotations

import errno
from array import array
from dataclasses import replace
from unittest import mock

from portcheck.engine.probe import DatagramSet, Observation, PortState, Probe, Reason, Reply, Tally, Transport
from portcheck.measured import Measured
from portcheck.model import NamedPorts, Plan, Scope, Secrets, Sweep, SweepKind
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.questions import Questions
from tests.samples import claimed, document, host, row, site

HERE = "127.0.0.1"


def planned(ports: str, sweep: str = "") -> Plan:
    scope = Scope(
        (),
        (host("a", HERE), host("b", "127.0.0.2")),
        claimed("internet"),
        sweep=Sweep(SweepKind.PORTS, parse_ports(sweep)) if sweep else Sweep(SweepKind.NONE),
        extra=tuple(NamedPorts(each) for each in parse_ports(ports)),
    )
    return plan(scope)


def asked(of: Plan, kept: Measured | None = None, evidence: bool = False) -> dict[str, DatagramSet]:
    questions = Questions(of, Secrets(), kept or Measured(), evidence=evidence)
    return {each.address: each for each in questions.sets()}


def open_at(probe: Probe, data: bytes) -> Observation:
    return Observation(probe, PortState.OPEN, Reason.UDP_RESPONSE, reply=Reply(data, probe.address, probe.port))


def test_every_address_is_asked_all_but_its_tcp_ports() -> None:
    sets = asked(planned("22/tcp,123,5999/udp,icmp"))
    assert set(sets) == {HERE, "127.0.0.2"}
    for each in sets.values():
        assert {(question.transport, question.port) for question in each.questions} == {
            (Transport.UDP, 123),
            (Transport.UDP, 5999),
            (Transport.ICMP, 0),
        }
        sent = {question.port: question.payloads for question in each.questions}
        assert len(sent[123][0]) == 48  # RFC 5905 section 7.3
        assert sent[5999] == (b"",)


def test_no_request_is_sent_twice_with_the_same_ids() -> None:
    one, other = (each.questions[0].payloads for each in asked(planned("53/udp")).values())
    assert one != other


def test_a_port_is_asked_in_the_protocol_that_the_document_names() -> None:
    documents = [document(row("61053/udp", speaks="dns"), row("61054/udp"))]
    of = plan(site(documents, [host("m", HERE, roles=["doc:master"])], claimed("doc:agent")))
    (each,) = asked(of).values()
    sent = {question.port: question.payloads for question in each.questions}
    assert len(sent[61053][0]) >= 12  # a DNS header, RFC 1035 section 4.1.1
    assert sent[61054] == (b"",)


def test_a_port_that_may_be_one_of_two_services_is_asked_in_both_protocols() -> None:
    documents = [document(row("4000/udp", speaks="dns", service="a"), row("4000/udp", speaks="ntp", service="b"))]
    of = plan(site(documents, [host("m", HERE, roles=["doc:master"])], claimed("doc:agent")))
    questions = Questions(of, Secrets(), Measured())
    (sent,) = next(iter(questions.sets())).questions
    dns, ntp = sent.payloads[:2]
    assert (len(dns), len(ntp)) == (12, 48)
    header = bytes((0x24, 3)) + bytes(22)  # RFC 5905 section 7.3: version 4, mode 4, stratum 3
    questions.take(open_at(Probe(HERE, Transport.UDP, 4000), header + ntp[40:48] + bytes(16)))
    (seen,) = questions.read()
    assert (seen.speaks, seen.answer) == ("ntp", "NTP server, stratum 3")


def test_a_secret_is_sent_where_its_service_is_expected_and_to_no_swept_port() -> None:
    secret = b"s3cret-community"
    for ports, sweep, sends in (("161/udp", "", True), ("icmp", "161/udp", False), ("icmp", "1-300/udp", False)):
        questions = Questions(planned(ports, sweep), Secrets(snmp_community=secret.decode()), Measured())
        sent = [payload for each in questions.sets() for asked in each.questions for payload in asked.payloads]
        assert any(secret in payload for payload in sent) is sends


def test_swept_ports_are_asked_in_bulk_unless_evidence_is_wanted() -> None:
    of = planned("53/udp", sweep="1000-1199/udp")
    bulk = {question.port for question in asked(of)[HERE].questions if question.in_bulk}
    assert bulk == set(range(1000, 1200))
    assert not any(question.in_bulk for question in asked(of, evidence=True)[HERE].questions)


def test_what_has_an_answer_is_not_asked() -> None:
    of = planned("53,123/udp", sweep="1000-1199/udp")
    known = Measured(
        [
            Observation(Probe(HERE, Transport.UDP, 53), PortState.CLOSED, Reason.PORT_UNREACH),
            # 123/tcp is another question.
            Observation(Probe(HERE, Transport.TCP, 123), PortState.CLOSED, Reason.CONN_REFUSED),
            Tally(
                *(HERE, None, PortState.CLOSED, Reason.PORT_UNREACH, array("H", range(1000, 1199)), 199),
                transport=Transport.UDP,
            ),
        ]
    )
    assert {question.port for question in asked(of, known)[HERE].questions} == {123, 1199}


def test_replies_are_read_in_the_protocol_that_was_asked() -> None:
    of = planned("53,5999/udp")
    questions = Questions(of, Secrets(), Measured())
    sent = {question.port: question for question in next(iter(questions.sets())).questions}
    refused = sent[53].payloads[0][:2] + bytes((0x80, 0x05)) + bytes(8)
    for port, data in ((53, refused), (5999, b"hello")):
        questions.take(open_at(Probe(HERE, Transport.UDP, port), data))
    dns, other = questions.read()
    assert (dns.answer, dns.speaks, dns.reply) == ("DNS: refused", "dns", None)
    assert (other.answer, other.speaks, other.reply) == ("5 bytes", None, None)
    assert list(questions.read()) == []


def test_what_was_said_is_put_beside_what_was_measured() -> None:
    measured = Measured()
    probe = Probe(HERE, Transport.UDP, 53)
    seen = open_at(probe, b"")
    measured.take(seen)
    measured.refine(replace(seen, reply=None, answer="DNS: refused"))
    assert measured.of(probe).answer == "DNS: refused"
    assert len(measured.taken) == len(list(measured)) == 1


def test_a_swept_port_without_a_known_protocol_is_a_number_until_it_is_asked() -> None:
    questions = Questions(planned("53/udp", sweep="1-65535/udp"), Secrets(), Measured())
    first = next(questions.sets())
    assert len(first.questions) == 65535
    assert {each.port for each in first.questions} == {*range(1, 65536)}
    assert [each.port for each in first.questions[-2:]] == [first.questions[65533].port, first.questions[-1].port]
    assert len(questions._open) < 1000, "only these have a request of their own to be read with"
    port = first.questions[-1].port
    questions.take(open_at(Probe(first.address, Transport.UDP, port), b"who knows"))
    [seen] = questions.read()
    assert (seen.probe.port, seen.answer) == (port, "9 bytes")


def test_without_a_free_descriptor_a_request_is_made_all_the_same() -> None:
    with mock.patch("portcheck.questions.source_towards", side_effect=OSError(errno.EMFILE, "Too many open files")):
        assert set(asked(planned("5060/udp"))) == {HERE, "127.0.0.2"}
