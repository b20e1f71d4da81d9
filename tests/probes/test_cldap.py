from __future__ import annotations

import pytest

from tests.probes.exchange import Replies, answered, asked, meant, not_understood, octets

NUMBER = "0204 00810182"


def text(words: str) -> bytes:
    return octets(f"04 {len(words):02x}") + words.encode()


def element(tag: str, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return octets(tag, "82", f"{len(content):04x}") + content


def entry(attribute: str, value: bytes, number: str = NUMBER) -> bytes:
    """RFC 4511 4.5.2: a SearchResultEntry of the root, with one attribute of one value."""
    content = octets("04 82", f"{len(value):04x}") + value
    named = element("30", text(attribute), element("31", content))
    return element("30", octets(number), element("64", octets("0400"), element("30", named)))


def done(code: str = "00", number: str = NUMBER) -> bytes:
    return element("30", octets(number), octets("6507", f"0a01 {code} 0400 0400"))


def netlogon(domain: bytes, kind: str = "1700") -> bytes:
    """[MS-ADTS] 6.3.1.9: operation, sbz, flags, GUID of the domain; forest, domain, host, .. as in RFC 1035 4.1.4."""
    names = octets("03 6c6162 07 6578616d706c65 00") + domain + octets("03 646331 c018 03 4c4142 00 03 444331 00 00")
    return octets(kind, "0000 fdf30100", "00" * 16) + names + octets("00 00 00 05000000 ffff ffff")


REPLIES: Replies = {
    "cldap": {
        entry("defaultNamingContext", b"DC=lab,DC=example") + done(): "domain controller of LAB.EXAMPLE",
        entry("DefaultNamingContext", b"dc=lab, dc=example"): "domain controller of LAB.EXAMPLE",
        entry("Netlogon", netlogon(octets("c018"))) + done(): "domain controller of LAB.EXAMPLE",
        entry("defaultNamingContext", b"O=lab"): "LDAP server over UDP",
        entry("supportedLDAPVersion", b"3") + done(): "LDAP server over UDP",
        done(): "LDAP server over UDP",
        done("35"): "LDAP over UDP: result code 53",
    }
}


def test_requests() -> None:
    """RFC 4511 4.5.1 in the envelope of RFC 1798, without a user."""
    search = "0400 0a0100 0a0100 020100 020100 010100"  # the root itself, without limits, with values
    root = octets(
        *("3054", NUMBER, "634c", search),
        "870b 6f626a656374436c617373",  # present: objectClass
        "302c 0414 737570706f727465644c44415056657273696f6e",
        "0414 64656661756c744e616d696e67436f6e74657874",
    )
    ping = octets(  # [MS-ADTS] 6.3.3.1: (NtVer=6), Netlogon
        *("3036", NUMBER, "632e", search, "a00f a30d 0405 4e74566572 0404 06000000"),
        "300a 0408 4e65746c6f676f6e",
    )
    assert asked("cldap").payloads == (root, ping)


def test_replies() -> None:
    assert meant(REPLIES) == REPLIES


GOOD = entry("supportedLDAPVersion", b"3") + done()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\0",
        entry("supportedLDAPVersion", b"3", number="0204 00810183"),
        entry("supportedLDAPVersion", b"3") + done(number="020101"),
        element("30", octets(NUMBER)),
        element("30", octets(NUMBER, "6500")),
        element("30", octets(NUMBER, "7800")),  # an extended response
    ],
)
def test_what_is_no_reply_to_us(reply: bytes) -> None:
    assert not_understood("cldap", reply)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        netlogon(octets("c018"), kind="1500"),
        netlogon(octets("c025")),  # a name that points at itself
        netlogon(octets("3f 41")),
        netlogon(octets("c018"))[:30],
    ],
)
def test_a_ping_that_lies_about_itself_does_not_hide_the_server(answer: bytes) -> None:
    assert answered("cldap", entry("Netlogon", answer)).protocol == "cldap"


def test_a_domain_is_shown_as_text() -> None:
    said = answered("cldap", entry("defaultNamingContext", b"DC=\x1b[2J" + b"x" * 300)).text
    assert said.startswith(r"domain controller of \x1b[2JXXX")
    assert len(said) <= 120
