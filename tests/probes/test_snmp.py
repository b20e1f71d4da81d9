from __future__ import annotations

import pytest

from portcheck.engine.probe import Reply
from portcheck.probes import read
from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

NUMBER = "0204 00810182"
COMMUNITY = {"snmp_community": "s3cret"}

DISCOVERY = octets(
    "303e 020103",  # RFC 3412 6: version 3
    f"3011 {NUMBER} 020300ffe3 040104 020103",  # msgID, msgMaxSize, msgFlags: reportable, user-based security
    "0410 300e 0400 020100 020100 0400 0400 0400",  # RFC 3414 2.4: no engine, no user
    "3014 0400 0400",  # contextEngineID, contextName
    f"a00e {NUMBER} 020100 020100 3000",  # RFC 3416 3: GetRequest
)


def report(engine: str, number: str = NUMBER, pdu: str = "a8", version: str = "03") -> bytes:
    """RFC 3414 4: the engine id in the security parameters, and usmStatsUnknownEngineIDs.0 in the Report."""
    size = len(octets(engine))
    security = octets(f"30 {14 + size:02x} 04 {size:02x}", engine, "020101 020110 0400 0400 0400")
    statistics = octets("3012 3010 06 0a 2b06010603 0f01010400 41 02 0007")
    answer = octets(pdu, f"{len(statistics) + 12:02x}", number, "020100 020100") + statistics
    scoped = octets(f"04 {size:02x}", engine, "0400") + answer
    header = octets(f"300f {number} 0202 05c0 0400 020103")
    message = octets(f"0201 {version}") + header
    message += octets(f"04{len(security):02x}") + security + octets(f"30{len(scoped):02x}") + scoped
    return octets(f"30 81 {len(message):02x}") + message


def response(value: str, number: str = NUMBER, community: str = "06 733363726574") -> bytes:
    """RFC 1901, RFC 3416 3: GetResponse with sysObjectID.0."""
    bound = octets("06 08 2b06010201010200", value)
    answer = octets(number, "020100 020100", f"30{len(bound) + 2:02x} 30{len(bound):02x}") + bound
    message = octets("020101 04", community, f"a2{len(answer):02x}") + answer
    return octets(f"30{len(message):02x}") + message


NET_SNMP = "80001f88 80 1234567890abcdef"  # RFC 3411 5: enterprise 8072, octets
REPLIES: Replies = {
    "snmp": {
        report(NET_SNMP): "SNMP engine of Net-SNMP",
        report("80000009 03 001122334455"): "SNMP engine of Cisco",
        report("00000009 0000000000000000"): "SNMP engine of Cisco",  # the older form, of 12 bytes
        report("80ffffff 05 01"): "SNMP engine (enterprise 16777215)",
        report(""): "SNMP engine",
    },
    "snmp-trap": {report(NET_SNMP): "SNMP engine of Net-SNMP"},
}
ANSWERS = {
    response("06 0a 2b06010401bf0803020a"): "SNMP agent of Net-SNMP",
    response("06 07 2b060104018237"): "SNMP agent of Microsoft",
    response("0500"): "SNMP agent",
    response("8000"): "SNMP agent",  # noSuchObject
    response("06 1a 2b06010401" + "ff" * 20 + "7f"): "SNMP agent",  # a number of 140 bits
    response("0500").replace(octets("300c 0608"), octets("800c 0608")): "SNMP agent",  # no list
}


def test_requests() -> None:
    assert asked("snmp").payloads == (DISCOVERY,)
    assert asked("snmp-trap", **COMMUNITY).payloads == (DISCOVERY,)


def test_a_community_is_used_when_it_was_given() -> None:
    get = octets(f"3029 020101 0406 733363726574 a01c {NUMBER} 020100 020100 300e 300c 0608 2b06010201010200 0500")
    assert asked("snmp", **COMMUNITY).payloads == (DISCOVERY, get)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES
    assert meant(REPLIES, **COMMUNITY) == REPLIES
    assert {data: answered("snmp", data, **COMMUNITY).text for data in ANSWERS} == ANSWERS


GOOD = report(NET_SNMP)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\0",
        report(NET_SNMP, number="0204 00810183"),
        report(NET_SNMP, pdu="a2"),
        report(NET_SNMP, version="02"),
        octets("3000"),
        octets("3003 020103"),
        b"\x30\x82\x07\xfc" + b"".join(b"\x30\x82" + (2036 - 4 * deep).to_bytes(2, "big") for deep in range(510)),
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("snmp", reply)
    assert not_understood("snmp", reply, **COMMUNITY)


def test_an_agent_that_was_not_asked_is_not_believed() -> None:
    good = next(iter(ANSWERS))
    assert not_understood("snmp", good)
    assert not_understood("snmp", response("0500", number="0204 00810183"), **COMMUNITY)


def test_what_was_read_never_has_the_community() -> None:
    question = asked("snmp", **COMMUNITY)
    for data in (*ANSWERS, question.payloads[1], b"s3cret"):
        assert "s3cret" not in read("snmp", question, Reply(data, "192.0.2.7", 161, 1)).text
