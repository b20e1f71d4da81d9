"""What is said to a port, in which order, and what all its answers together come to."""

from __future__ import annotations

import pytest

from portcheck.protocols import PROTOCOLS, Spoken
from portcheck.verify.conversation import MOST_CONNECTIONS, Heard, conclusion, steps

STEPS = {
    "nothing is expected": ((), ("https", "http")),
    "something is": (("smb",), ("smb", "https", "http")),
    "HTTP": (("http",), ("http", "https")),
    "HTTPS": (("https",), ("https", "http")),
    "both": (("http", "https"), ("http", "https")),
    "TLS is asked for once": (("ldaps",), ("ldaps", "http")),
    "another name for HTTP": (("winrm",), ("http", "https")),
    "what nobody can ask over TCP": (("ntp", "gopher"), ("https", "http")),
    "a mail server is left alone": (("smtp",), ("smtp",)),
    "too many": (("ssh", "ldap", "smb", "redis"), ("ssh", "ldap", "smb")),
}


@pytest.mark.parametrize(("speaks", "expected"), STEPS.values(), ids=STEPS)
def test_steps(speaks: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert steps(speaks) == expected


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_port_gets_more_than_three_connections(name: str) -> None:
    assert 1 <= len(steps((name,))) <= MOST_CONNECTIONS


SILENT, CLOSED = Heard("HTTPS", None), Heard("HTTP", None, closed=True)
HTTP, TLS = Spoken("HTTP 400", "http"), Spoken("TLS 1.3", "tls")

CONCLUSIONS = {
    "the last answer that was understood": ([Heard("HTTP", HTTP), Heard("HTTPS", TLS)], TLS),
    "one answer": ([Heard("HTTP", HTTP), SILENT], HTTP),
    "text": ([Heard("SMB", None, b"hello\r\nyou"), SILENT], Spoken('"hello", no answer of SMB')),
    "bytes": ([SILENT, Heard("SMB", None, b"\x00\x01")], Spoken("2 bytes, no answer of SMB")),
    "a greeting": ([Heard("SSH", None, b"hello\r\n", unasked=True)], Spoken('"hello", an unknown greeting')),
    "colours": ([Heard("SMB", None, b"\x1b[31m")], Spoken("5 bytes, no answer of SMB")),
    "silence": ([SILENT, CLOSED], Spoken("silent when asked for HTTPS and HTTP")),
    "never a word": ([CLOSED], Spoken("closes the connection without a word when asked for HTTP")),
}


@pytest.mark.parametrize(("heard", "spoken"), CONCLUSIONS.values(), ids=CONCLUSIONS)
def test_conclusion(heard: list[Heard], spoken: Spoken) -> None:
    assert conclusion(heard) == spoken
