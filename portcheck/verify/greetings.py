r"""What servers say unasked, or when they did not understand us: enough to tell the protocol by its first words. Pure.

Patterns of bytes, because nothing more is in a greeting: scapy has no layer for most of them, and the one for MySQL
came with 2.8 only. Every pattern begins at the first byte and looks at one line or a few fixed bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from portcheck.protocols import Spoken
from portcheck.verify import http
from portcheck.verify.language import Language, has_a_line, said, text_of


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first words of one protocol.

    Attributes:
        pattern: what only this protocol says.
        phrase: the answer in words, from the match.
        among_friends: what is enough where the protocol is expected, because another says the like.
        whole: as in Language.
    """

    protocol: str
    pattern: re.Pattern[bytes]
    phrase: Callable[[re.Match[bytes]], str]
    among_friends: re.Pattern[bytes] | None = None
    whole: Callable[[bytes], bool] = has_a_line


def _first(title: str) -> Callable[[re.Match[bytes]], str]:
    """The title, and what the pattern's group caught."""

    def phrase(match: re.Match[bytes]) -> str:
        words = text_of(match[1]) if match.re.groups and match[1] else ""
        return f"{title}, {words}" if words else title

    return phrase


def _mysql(match: re.Match[bytes]) -> str:
    version = text_of(match[1])
    if "MariaDB" not in version:
        return f"MySQL {version}"
    # MariaDB puts 5.5.5- before its version, for replication with old MySQL.
    return f"MariaDB {version.removeprefix('5.5.5-').partition('-')[0]}"


def _telnet(match: re.Match[bytes]) -> str:
    return "Telnet"


def _http(match: re.Match[bytes]) -> str:
    return http.interpret(b"", match.string) or "HTTP"


def _packet_of_mysql(reply: bytes) -> bool:
    return len(reply) >= 4 and len(reply) >= 4 + int.from_bytes(reply[:3], "little")


def _some(count: int) -> Callable[[bytes], bool]:
    return lambda reply: len(reply) >= count


_ANY_CODE = re.compile(rb"[245]\d\d[ -]([^\r\n]*)")

GREETINGS: tuple[Greeting, ...] = (
    # RFC 4253 section 4.2: lines before the version are allowed.
    Greeting(
        "ssh",
        re.compile(rb"(?:[^\r\n]{0,255}\r?\n){0,5}?SSH-\d\.\d+-([^\r\n]*)"),
        _first("SSH"),
        whole=lambda reply: b"SSH-" in reply and reply.endswith(b"\n"),
    ),
    Greeting("http", re.compile(rb"HTTP/\d(?:\.\d)? \d\d\d"), _http, whole=http.whole),
    # A SETTINGS frame, RFC 9113 section 3.4: a server of HTTP/2 that was spoken to otherwise.
    Greeting(
        "http", re.compile(rb"\x00\x00[\x00-\xff]\x04\x00\x00\x00\x00\x00"), lambda match: "HTTP/2", whole=_some(9)
    ),
    # RFC 5246 section 7.2, RFC 8446 section 6: an alert, warning or fatal.
    Greeting("tls", re.compile(rb"\x15\x03[\x00-\x04]\x00\x02[\x01\x02]"), lambda match: "TLS", whole=_some(7)),
    Greeting("smtp", re.compile(rb"[245]\d\d[ -]([^\r\n]*SMTP[^\r\n]*)", re.I), _first("SMTP"), _ANY_CODE),
    Greeting("ftp", re.compile(rb"[245]\d\d[ -]([^\r\n]*(?:FTP|FileZilla)[^\r\n]*)", re.I), _first("FTP"), _ANY_CODE),
    Greeting(
        "pop3",
        re.compile(rb"\+OK\b ?([^\r\n]*(?:POP|ready|<[^>\r\n]+>)[^\r\n]*)", re.I),
        _first("POP3"),
        re.compile(rb"(?:\+OK|-ERR)\b ?([^\r\n]*)"),
    ),
    Greeting("imap", re.compile(rb"\* (?:OK|PREAUTH|BYE)\b ?(?:\[[^\]\r\n]*\] ?)?([^\r\n]*)"), _first("IMAP")),
    Greeting("vnc", re.compile(rb"RFB (\d\d\d\.\d\d\d)\n"), lambda match: f"VNC, RFB {_rfb(match)}"),
    Greeting(
        "telnet",
        re.compile(rb"\xff[\xfb-\xfe][\x00-\xff]"),
        _telnet,
        re.compile(rb"[ -~\s]*(?:login|user ?name|password)[ -~]*:", re.I),
        _some(3),
    ),
    # Protocol::HandshakeV10: length, sequence 0, version 10, the server's version.
    Greeting(
        "mysql",
        re.compile(rb"[\x20-\xff]\x00\x00\x00\x0a([0-9][!-~]{1,80})\x00"),
        _mysql,
        whole=_packet_of_mysql,
    ),
    # ERR_Packet in its place: sequence 0, 1040 too many connections, 1129 and 1130 this host is not allowed.
    Greeting(
        "mysql",
        re.compile(rb"[\x04-\xff][\x00\x01]\x00\x00\xff[\x10\x69\x6a]\x04(?:#.{5})?([ -~]+)", re.S),
        _first("MySQL"),
        whole=_packet_of_mysql,
    ),
    Greeting("rsync", re.compile(rb"@RSYNCD: (\d+[.\d]*)"), _first("rsync, protocol")),
    Greeting("msrpc", re.compile(rb"ncacn_http/1\.0"), lambda match: "Microsoft RPC over HTTP", whole=_some(14)),
    Greeting("redis", re.compile(rb"-DENIED Redis[^\r\n]*"), lambda match: "Redis in protected mode"),
    Greeting("redis", re.compile(rb"-(?:NOAUTH |ERR unknown command|ERR wrong number of arg)"), _first("Redis")),
    Greeting(
        "postgresql", re.compile(rb"E(?:\x00\x00[\x00-\xff]{2}S)?FATAL"), lambda match: "PostgreSQL", whole=_some(6)
    ),
    Greeting("amqp", re.compile(rb"AMQP\x00[\x00-\xff]{3}"), lambda match: "AMQP", whole=_some(8)),
)
"""The first one that fits. Those of one protocol stand together."""


def _rfb(match: re.Match[bytes]) -> str:
    major, minor = match[1].split(b".")
    return f"{int(major)}.{int(minor)}"


def recognise(data: bytes, *, ended: bool) -> Spoken | None:
    """Who speaks like this; None: nobody that we know, or not enough of it yet.

    Args:
        ended: nothing more will come.
    """
    for greeting in GREETINGS:
        if (match := greeting.pattern.match(data)) is not None and (ended or greeting.whole(data)):
            return said(greeting.phrase(match), greeting.protocol)
    return None


def greeter(protocol: str, whole: Callable[[bytes], bool] = has_a_line) -> Language:
    """A protocol in which the server speaks first, one of GREETINGS."""
    own = [greeting for greeting in GREETINGS if greeting.protocol == protocol]

    def interpret(request: bytes, reply: bytes) -> str | None:
        spoken = recognise(reply, ended=True)
        if spoken is not None:
            return spoken.text if spoken.protocol == protocol else None
        for greeting in own:
            if greeting.among_friends is not None and (match := greeting.among_friends.match(reply)) is not None:
                return greeting.phrase(match)
        return None

    return Language(None, interpret, own[0].whole)
