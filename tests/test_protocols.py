"""What is spoken where: names, silences, and what the documents that come along say of it."""

from __future__ import annotations

from collections import Counter

import pytest

from portcheck import documents
from portcheck.engine.probe import Transport
from portcheck.model import Answers, Expectation, Listen, Ports
from portcheck.protocols import PROTOCOLS, carries, titles, usual, why_silent

TCP, UDP = Transport.TCP, Transport.UDP


def test_a_port_is_usual_for_one_protocol() -> None:
    ports = Counter((TCP, port) for protocol in PROTOCOLS.values() for port in protocol.tcp)
    ports += Counter((UDP, port) for protocol in PROTOCOLS.values() for port in protocol.udp)
    assert [port for port, times in ports.items() if times > 1] == []
    assert usual(UDP, 123) == "ntp"
    assert usual(TCP, 123) is usual(Transport.GRE, None) is None


@pytest.mark.parametrize(
    ("name", "over"),
    [("dns", (TCP, UDP)), ("ntp", (UDP,)), ("http", (TCP,)), ("tls", (TCP,)), ("web", (TCP, UDP))],
)
def test_a_protocol_is_spoken_over_what_it_has_ports_of(name: str, over: tuple[Transport, ...]) -> None:
    assert tuple(transport for transport in Transport if carries(name, transport)) == over


def test_several_protocols_are_named_as_alternatives() -> None:
    assert titles(["http", "https"]) == "HTTP or HTTPS"
    assert titles([]) == ""


def test_why_a_server_may_be_silent_is_half_a_sentence() -> None:
    assert why_silent(["ssdp"]) == "a server without devices is silent"
    assert why_silent(["ntp"]) == why_silent([]) == ""
    told = [text for each in PROTOCOLS.values() for text in (each.silence, each.silence_with_secret) if text]
    assert [text for text in told if text[0].isupper() or text.endswith(".")] == []


def test_why_a_server_may_be_silent_to_who_gave_its_secret() -> None:
    given = frozenset({"snmp_community"})
    assert why_silent(["snmp"], given) == "this machine may not ask, or the community is wrong"
    assert why_silent(["radius"], given) == why_silent(["radius"])
    lacking = [name for name, each in PROTOCOLS.items() if (each.secret is None) != (each.silence_with_secret is None)]
    assert lacking == []


def asked_over_udp() -> list[tuple[str, Expectation, Ports]]:
    return [
        (document.id, row, ports)
        for document in documents.library().documents
        for row in document.expectations
        for ports in row.ports
        if ports.transport is UDP and row.listen is Listen.SINGLE
    ]


def test_every_udp_port_of_the_documents_is_asked_in_a_protocol_or_need_not_answer() -> None:
    lacking = [
        f"{document}: {ports} {row.service}"
        for document, row, ports in asked_over_udp()
        if row.answers is Answers.NORMALLY and row.speaks is None and usual(UDP, ports.first) is None
    ]
    assert lacking == []
    assert len(asked_over_udp()) > 80


def test_only_what_has_a_secret_that_can_be_given_answers_with_one() -> None:
    for document, row, ports in asked_over_udp():
        if row.answers is Answers.WITH_SECRET:
            speaks = row.speaks or usual(UDP, ports.first)
            assert speaks is not None, f"{document}: {ports}"
            assert PROTOCOLS[speaks].secret is not None, f"{document}: {ports}"
