"""What is said to servers and what their answers mean: bytes from the specifications and from real servers.

Samba 4.17, rpcbind 1.2.6 and PostgreSQL 15 of Debian 12 were asked with these very requests.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.probes.registry import CODECS
from portcheck.protocols import PROTOCOLS
from portcheck.verify.registry import INSIDE_TLS, LANGUAGES, OTHER_NAMES, OVER_TLS
from tests.verify.conftest import made_server


def octets(*lines: str) -> bytes:
    return bytes.fromhex(" ".join(lines))


REQUESTS: dict[str, bytes] = {
    "http": b"HEAD / HTTP/1.1\r\nHost: m1.example:1\r\nUser-Agent: portcheck\r\nAccept: */*\r\n"
    b"Connection: close\r\n\r\n",
    # [MS-SMB2] 2.2.1 and 2.2.3: length, header, five dialects, SHA-512 for 3.1.1.
    "smb": octets(
        "0000009e fe534d42 4000 0000 00000000 0000 0000 00000000 00000000 0000000000000000 00000000 00000000",
        "0000000000000000 00000000000000000000000000000000",
        "2400 0500 0100 0000 00000000 0403020106050807090a0b0c0d0e0f10 70000000 0100 0000",
        "0202 1002 0003 0203 1103 0000 0100 2600 00000000 0100 2000 0100",
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    ),
    # RFC 1002 section 4.3.2.
    "netbios-ssn": octets(
        "81000044",
        "20 434b4644454e4543464445464643464745464643434143414341434143414341 00",
        "20 46414550464346454544454945464544454c4341434143414341434143414341 00",
    ),
    # C706 section 12.6.4.3: bind, call 1, the endpoint mapper in NDR.
    "msrpc": octets(
        "05000b03 10000000 4800 0000 01000000 d016 0020 00000000 01000000 0000 0100",
        "0883afe11f5dc91191a408002b14a0fa 0300 0000 045d888aeb1cc9119fe808002b104860 02000000",
    ),
    # RFC 4511 section 4.5.1: base object "", (objectClass=*), four attributes.
    "ldap": octets("3064 020101 635f 0400 0a0100 0a0100 020100 020100 010100 870b")
    + b"objectClass0?\x04\x0bdnsHostName\x04\x14defaultNamingContext\x04\x0enamingContexts\x04\x0avendorName",
    # [MS-RDPBCGR] 2.2.1.1: TPKT, connection request, TLS or CredSSP.
    "rdp": octets("03000013 0e e0 0000 0000 00 01 00 0800 0b000000"),
    # [MS-TDS] 2.2.6.5: VERSION and ENCRYPTION, off.
    "mssql": octets("12 01 001a 0000 00 00", "00 000b 0006 01 0011 0001 ff 000000000000 00"),
    "postgresql": octets("00000008 04d2162f"),
    "redis": b"PING\r\n",
    "memcached": b"version\r\n",
    "zookeeper": b"srvr",
    "amqp": octets("414d5150 00 00 09 01"),
    "epmd": octets("0001 6e"),
    # RFC 1035 section 4.2.2: a length before the message.
    "dns": octets("000c 0102 1000 0000 0000 0000 0000"),
    # RFC 5531 section 11: the last fragment.
    "rpcbind": octets("80000028 01020304 00000000 00000002 000186a0 00000002 00000000", "00000000" * 4),
}

SAMBA_SMB = octets(
    "0000010e fe534d42 4000 0000 00000000 0000 0100 01000000 00000000 0000000000000000 00000000 00000000",
    "0000000000000000 00000000000000000000000000000000",
    "4100 0300 1103 0100 64633100000000000000000000000000 07000000 00008000 00008000 00008000",
    "86cd03bfe579dd01 0000000000000000 8000 6000 e0000000",
    "605e06062b0601050502a0543052a024302206092a864882f71201020206092a864886f712010202060a2b06010401823702020a",
)
SAMBA_SMB += bytes(4 + 0x10E - len(SAMBA_SMB))
SAMBA_ENTRY = (
    octets("308193 020101 64818d 0400 308188 302b 0414") + b"defaultNamingContext1\x13\x04\x11DC=lab,DC=example"
)
SAMBA_ENTRY += b"02\x04\x0avendorName1$\x04\x22Samba Team (https://www.samba.org)"
SAMBA_ENTRY += b"0%\x04\x0bdnsHostName1\x16\x04\x0fdc1.lab.example\x04\x03two"
DONE = octets("300c 020101 6507 0a0100 0400 0400")
ENTRY_OF_NOTHING = octets("3009 020101 6404 0400 3000")
KRB_ERROR = octets(
    "7e8196 308193 a003020105 a10302011e a411180f 32303236313132313138323535355a a505020303750f a603020106",
    "a7131b11 504f5254434845434b2e494e56414c4944 a8163014 a003020101 a10d300b 1b09 706f7274636865636b",
    "a9131b11 504f5254434845434b2e494e56414c4944 aa263024 a003020102 a11d301b 1b06 6b7262746774",
    "1b11 504f5254434845434b2e494e56414c4944",
)

REPLIES: dict[str, dict[bytes, str]] = {
    "http": {
        b"HTTP/1.1 401 Unauthorized\r\nServer: nginx\r\nWWW-Authenticate: Basic\r\n\r\n": "HTTP 401, Server: nginx",
        b"HTTP/1.0 200 OK\r\n\r\n": "HTTP 200",
    },
    "smb": {
        SAMBA_SMB: "SMB 3.1.1, signing required",
        SAMBA_SMB[:70] + b"\x01" + SAMBA_SMB[71:72] + b"\x10\x02" + SAMBA_SMB[74:]: "SMB 2.1, signing not required",
        octets("00000049")
        + SAMBA_SMB[4:12]
        + octets("bb0000c0")
        + SAMBA_SMB[16:77]: "SMB, refuses to negotiate (0xC00000BB)",
        octets("00000023 ff534d42") + bytes(31): "SMB 1",
    },
    "netbios-ssn": {
        octets("82000000"): "NetBIOS session service",
        octets("83000001 82"): "NetBIOS session service, refuses the name *SMBSERVER",
    },
    "msrpc": {
        octets(
            "05000c03 10000000 3c00 0000 01000000 d016 d016 c3380000 0400 31333500 0000",
            "01000000 0000 0000 045d888aeb1cc9119fe808002b104860 02000000",
        ): "Microsoft RPC endpoint mapper",
        octets(
            "05000c03 10000000 3c00 0000 01000000 d016 d016 b7800000 0600 343931353200",
            "01000000 0200 0100 00000000000000000000000000000000 00000000",
        ): "Microsoft RPC, no endpoint mapper",
        octets("05000d03 10000000 1500 0000 01000000 0400 01 05 00"): "Microsoft RPC, refuses a bind",
    },
    "ldap": {
        SAMBA_ENTRY + DONE: "LDAP, dc1.lab.example, Samba Team (https://www.samba.org)",
        ENTRY_OF_NOTHING + DONE: "LDAP",
        DONE: "LDAP",
    },
    "rdp": {
        octets("03000013 0e d0 0000 1234 00 02 1f 0800 02000000"): "Remote Desktop, network level authentication",
        octets("03000013 0e d0 0000 1234 00 02 1f 0800 01000000"): "Remote Desktop, TLS",
        octets("0300000b 06 d0 0000 1234 00"): "Remote Desktop, its own security only",
        octets("03000013 0e d0 0000 1234 00 03 00 0800 05000000"): "Remote Desktop, refuses to negotiate (5)",
    },
    "mssql": {
        octets(
            "04 01 001a 0000 01 00 00 000b 0006 01 0011 0001 ff 0f00 1040 0000 03"
        ): "SQL Server 15.0.4160, encryption required",
    },
    "postgresql": {b"S": "PostgreSQL, offers TLS", b"N": "PostgreSQL, without TLS"},
    "redis": {
        b"+PONG\r\n": "Redis",
        b"-NOAUTH Authentication required.\r\n": "Redis, wants a password",
        b"-DENIED Redis is running in protected mode because\r\n": "Redis in protected mode",
    },
    "memcached": {b"VERSION 1.6.18\r\n": "memcached 1.6.18"},
    "zookeeper": {
        b"Zookeeper version: 3.8.0-1, built on 2022-02-25\nMode: leader\nNode count: 5\n": "ZooKeeper 3.8.0, leader",
        b"srvr is not executed because it is not in the whitelist.\n": "ZooKeeper, does not tell its state "
        "(srvr is not in 4lw.commands.whitelist)",
        b"This ZooKeeper instance is not currently serving requests\n": "ZooKeeper, not serving requests: it has no "
        "quorum",
    },
    "amqp": {octets("01 0000 00000100 000a 000a 00 09 00000000"): "AMQP 0-9-1", b"AMQP\x03\x01\x00\x00": "AMQP"},
    "epmd": {
        octets("0000 1111"): "Erlang port mapper, 0 nodes",
        octets("0000 1111") + b"name navstar at port 62502\n": "Erlang port mapper, 1 node",
    },
}

AS_OVER_UDP: dict[str, tuple[bytes, bytes]] = {
    "dns": (octets("000c"), octets("0102 9004 0000 0000 0000 0000")),
    "kerberos": (octets("00000099"), KRB_ERROR),
    "rpcbind": (octets("80000018"), octets("01020304 00000001 00000000 00000000 00000000 00000000")),
    "nfs": (octets("80000018"), octets("01020304 00000001 00000000 00000000 00000000 00000000")),
    "stun": (b"", octets("0101 0000 2112a442 0102030405060708090a0b0c")),
    "echo": (b"", b"portcheck \x01\x02\x03\x04\x05\x06\x07\x08"),
    "daytime": (b"", b"Sat Nov 21 18:25:00 2026\r\n"),
}
"""Frames and messages: what is in the frame is read by portcheck.probes."""

REFUSED: dict[str, tuple[bytes, ...]] = {
    "smb": (REQUESTS["smb"], SAMBA_SMB[:20]),
    "netbios-ssn": (octets("82000001 00"), octets("83000000"), octets("81000044")),
    "msrpc": (REQUESTS["msrpc"], octets("05000c03 10000000 1000 0000 02000000")),
    "ldap": (REQUESTS["ldap"], octets("300c 020102 6507 0a0100 0400 0400"), SAMBA_ENTRY[:-1], octets("3080 0000")),
    "rdp": (REQUESTS["rdp"], octets("0300000b 06 d0")),
    "mssql": (REQUESTS["mssql"], octets("04 01 000e 0000 0100") + bytes(6)),
    "postgresql": (b"SS", b"X", REQUESTS["postgresql"]),
    "amqp": (REQUESTS["amqp"],),
    "epmd": (octets("0001 1111"), octets("0000 1111") + b"hello\n"),
    "dns": (REQUESTS["dns"], octets("000c 0103 9004 0000 0000 0000 0000")),
    # "Program unavailable" is an answer of RPC, but not of NFS.
    "nfs": (octets("80000018 01020304 00000001 00000000 00000000 00000000 00000001"),),
}


def asked(name: str) -> bytes:
    return LANGUAGES[name].ask(made_server())


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_said(name: str) -> None:
    assert asked(name) == REQUESTS[name]


@pytest.mark.parametrize(("name", "reply", "text"), [(n, r, t) for n, all_ in REPLIES.items() for r, t in all_.items()])
def test_what_is_understood(name: str, reply: bytes, text: str) -> None:
    language = LANGUAGES[name]
    assert language.interpret(asked(name), reply) == text
    assert language.whole(reply) or name == "epmd"


@pytest.mark.parametrize("name", AS_OVER_UDP)
def test_an_answer_in_a_frame_is_the_answer_over_udp(name: str) -> None:
    frame, message = AS_OVER_UDP[name]
    language, payload = LANGUAGES[name], CODECS[name].payloads(made_server().target)[0]
    text = CODECS[name].interpret((payload,), message)
    assert text is not None
    assert language.interpret(asked(name), frame + message) == text
    assert language.whole(frame + message)
    assert not language.whole((frame + message)[:-1])


@pytest.mark.parametrize(("name", "reply"), [(name, reply) for name, replies in REFUSED.items() for reply in replies])
def test_what_is_no_answer(name: str, reply: bytes) -> None:
    assert LANGUAGES[name].interpret(asked(name), reply) is None


BELIEVED_WHERE_EXPECTED = frozenset({"daytime", "qotd", "systat", "time", "chargen", "pop3"})
"""A line with a digit in it is a date, and any line a quote."""


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_answer_is_taken_for_one_of_another_protocol(name: str) -> None:
    request, language = asked(name), LANGUAGES[name]
    wrong = [
        other
        for other, replies in REPLIES.items()
        for reply in replies
        if other != name and language.read(request, reply) is not None
    ]
    assert not wrong or name in BELIEVED_WHERE_EXPECTED


@pytest.mark.parametrize("name", LANGUAGES)
def test_requests_are_small_and_change_nothing(name: str) -> None:
    assert len(asked(name)) <= 512


def test_requests_carry_nothing_that_a_host_name_could_smuggle() -> None:
    hostile = made_server(host="a.example\r\nX-Evil: 1")
    assert b"Host: 192.0.2.7:1\r\n" in LANGUAGES["http"].ask(hostile)


def test_the_host_of_an_ipv6_literal_is_in_brackets_and_has_no_zone() -> None:
    server = made_server(host="m1", address="fe80::1%eth0")
    assert b"Host: [fe80::1]:1\r\n" in LANGUAGES["http"].ask(server)


def test_every_protocol_with_a_port_of_tcp_can_be_asked() -> None:
    # Nobody answers at discard.
    with_port = {name for name, protocol in PROTOCOLS.items() if protocol.tcp} - {"discard"}
    assert with_port <= {*LANGUAGES, *INSIDE_TLS, *OTHER_NAMES}


def test_tls_is_asked_for_where_it_begins_with_it() -> None:
    assert set(INSIDE_TLS) == {name for name, protocol in PROTOCOLS.items() if protocol.tls}
    assert {*OVER_TLS, *filter(None, INSIDE_TLS.values()), *OTHER_NAMES.values()} <= set(LANGUAGES)
    assert set(OVER_TLS.values()) <= set(INSIDE_TLS)
    assert set(LANGUAGES) <= set(PROTOCOLS)


@pytest.mark.parametrize("name", LANGUAGES)
@settings(deadline=None)
@given(data=st.data())
def test_mutated_answers_are_read_or_not_but_never_fail(name: str, data: st.DataObject) -> None:
    reply = bytearray(data.draw(st.sampled_from([*REPLIES.get(name, {}), b"220 hello\r\n", b""])))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(reply)))
        reply[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    reply += data.draw(st.binary(max_size=8)) * data.draw(st.sampled_from([0, 1, 1000]))
    language, request = LANGUAGES[name], asked(name)
    language.whole(bytes(reply))
    language.read(request, bytes(reply))


WORST = {
    "many attributes": (
        "ldap",
        octets("30821f40 020101 64821f39 0400 30821f33") + octets("3006 0401 61 3101 04") * 1000,
    ),
    "deep": ("ldap", octets("3080") * 4000),
    "many results": (
        "msrpc",
        octets("05000c03 10000000 0002 0000 01000000 d016 d016 c3380000 0000 0000 ff000000") + bytes(440),
    ),
    "many options": ("mssql", octets("04 01 2000 0000 01 00") + octets("00 000b 0006") * 1600),
    "many nodes": ("epmd", octets("0000 1111") + b"name a at port 1\n" * 400),
    "many headers": ("http", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1300 + b"\r\n"),
    "one long line": ("ssh", b"SSH-2.0-" + b"\x1b" * 8000 + b"\r\n"),
    "lines before the version": ("ssh", b"a\r\n" * 2700),
}


@pytest.mark.parametrize(("name", "reply"), WORST.values(), ids=WORST)
def test_the_worst_answer_costs_less_than_50_ms_of_the_processor(name: str, reply: bytes) -> None:
    language, request = LANGUAGES[name], asked(name)
    started = time.thread_time()
    language.read(request, reply)
    assert time.thread_time() - started < 0.05
