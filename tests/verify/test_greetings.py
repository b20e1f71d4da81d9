"""Servers are known by their first words, and doubtful words are not believed."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portcheck.protocols import Spoken
from portcheck.verify.greetings import recognise
from portcheck.verify.language import LONGEST_TEXT
from portcheck.verify.registry import LANGUAGES


def mysql(body: bytes) -> bytes:
    """A packet of MySQL with sequence 0."""
    return len(body).to_bytes(3, "little") + b"\x00" + body


HANDSHAKE = b"\x0a8.0.36\x00" + bytes(60)
MARIADB = b"\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\x00" + bytes(60)
NOT_ALLOWED = b"\xff\x6a\x04Host '10.0.0.1' is not allowed to connect to this MySQL server"

KNOWN = {
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n": ("ssh", "SSH, OpenSSH_9.2p1 Debian-2"),
    b"Welcome\r\nto a host\r\nSSH-2.0-dropbear\r\n": ("ssh", "SSH, dropbear"),
    b"220 mail.example ESMTP Postfix\r\n": ("smtp", "SMTP, mail.example ESMTP Postfix"),
    b"554 mail.example SMTP not for you\r\n": ("smtp", "SMTP, mail.example SMTP not for you"),
    b"220 (vsFTPd 3.0.3)\r\n": ("ftp", "FTP, (vsFTPd 3.0.3)"),
    b"220-FileZilla Server 1.7\r\n220 Please log in\r\n": ("ftp", "FTP, FileZilla Server 1.7"),
    b"+OK Dovecot ready.\r\n": ("pop3", "POP3, Dovecot ready."),
    b"* OK [CAPABILITY IMAP4rev1 LOGIN] Dovecot ready.\r\n": ("imap", "IMAP, Dovecot ready."),
    b"RFB 003.008\n": ("vnc", "VNC, RFB 3.8"),
    b"\xff\xfd\x18\xff\xfd\x20": ("telnet", "Telnet"),
    b"@RSYNCD: 31.0 sha512\n": ("rsync", "rsync, protocol, 31.0"),
    mysql(HANDSHAKE): ("mysql", "MySQL 8.0.36"),
    mysql(MARIADB): ("mysql", "MariaDB 10.11.6"),
    mysql(NOT_ALLOWED): ("mysql", "MySQL, Host '10.0.0.1' is not allowed to connect to this MySQL server"),
    b"-DENIED Redis is running in protected mode\r\n": ("redis", "Redis in protected mode"),
    b"-ERR unknown command `HEAD`, with args beginning with: \r\n": ("redis", "Redis"),
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n": ("http", "HTTP 400, Server: nginx"),
    b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03": ("http", "HTTP/2"),
    b"\x15\x03\x01\x00\x02\x02\x16": ("tls", "TLS"),
    b"ncacn_http/1.0": ("msrpc", "Microsoft RPC over HTTP"),
    b"EFATAL:  unsupported frontend protocol\x00": ("postgresql", "PostgreSQL"),
    b"AMQP\x00\x00\x09\x01": ("amqp", "AMQP"),
}

UNKNOWN = (
    b"",
    b"hello\r\n",
    b"220 ready\r\n",
    b"+OK\r\n",
    b"-ERR\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"HTTP is spoken here\r\n",
    mysql(b"\x0a" + bytes(60)),
    b"\x00" * 64,
)


@pytest.mark.parametrize(("words", "meaning"), KNOWN.items())
def test_first_words_are_known(words: bytes, meaning: tuple[str, str]) -> None:
    protocol, text = meaning
    assert recognise(words, ended=False) == Spoken(text, protocol)


@pytest.mark.parametrize("words", UNKNOWN)
def test_what_is_not_sure_is_not_said(words: bytes) -> None:
    assert recognise(words, ended=True) is None


@pytest.mark.parametrize("words", KNOWN)
def test_half_a_word_never_names_another_protocol(words: bytes) -> None:
    protocol, _ = KNOWN[words]
    for end in range(len(words)):
        for ended in (False, True):
            spoken = recognise(words[:end], ended=ended)
            assert spoken is None or spoken.protocol == protocol, words[:end]


EXPECTED = {
    "a mail server that does not say so": ("smtp", b"220 ready\r\n", "SMTP, ready"),
    "an FTP server that does not say so": ("ftp", b"220 ready\r\n", "FTP, ready"),
    "a silent name": ("pop3", b"+OK\r\n", "POP3"),
    "a prompt": ("telnet", b"\r\nrouter1 login: ", "Telnet"),
    "another one": ("smtp", b"220 (vsFTPd 3.0.3)\r\n", None),
    "a web server": ("ssh", b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
    "not the date": ("daytime", b"SSH-2.0-OpenSSH_9.2p1\r\n", None),
}


@pytest.mark.parametrize(("name", "words", "text"), EXPECTED.values(), ids=EXPECTED)
def test_who_is_expected_may_be_short(name: str, words: bytes, text: str | None) -> None:
    assert LANGUAGES[name].interpret(b"", words) == text


def test_a_character_generator_never_ends() -> None:
    assert LANGUAGES["chargen"].interpret(b"", b"!\"#$%&'()*+,-./0123456789\r\n" * 300) is not None


@settings(deadline=None)
@given(st.binary(max_size=400) | st.tuples(st.sampled_from(list(KNOWN)), st.binary(max_size=200)).map(b"".join))
@example(b"SSH-2.0-\x1b[31m[red]\x00\xe2\x80\xae\r\n")
@example(b"220 SMTP " + b"\x1b" * 4000 + b"\r\n")
@example(b"HTTP/1.1 200 OK\r\nServer: \xff\x1b[2J\r\n\r\n")
def test_hostile_words_are_safe_to_show(words: bytes) -> None:
    spoken = recognise(words, ended=True)
    assert spoken is None or (spoken.text.isprintable() and len(spoken.text) <= LONGEST_TEXT)
