"""When an answer is a contradiction: `5050/tcp is open but speaks SSH`."""

from __future__ import annotations

import pytest

from portcheck.protocols import PROTOCOLS, contradicts

EXPECTED_AND_SPOKEN = {
    "another service": (("http",), "ssh", True),
    "none of several": (("http", "https"), "ssh", True),
    "a client of HTTP cannot speak TLS": (("http",), "https", True),
    "nor TLS with something in it": (("http",), "tls", True),
    "a client of HTTPS cannot do without": (("https",), "http", True),
    "LDAP that should be encrypted": (("ldaps",), "ldap", True),
    "one protocol inside TLS is not another": (("https",), "ldaps", True),
    "WinRM without TLS": (("winrm-tls",), "http", True),
    "what should be there": (("ssh",), "ssh", False),
    "one of several": (("http", "https"), "https", False),
    "TLS whose inside was silent": (("ldaps",), "tls", False),
    "TLS, whatever is inside": (("tls",), "https", False),
    "WinRM is HTTP": (("winrm",), "http", False),
    "WinRM over TLS is HTTPS": (("winrm-tls",), "https", False),
    "and may be silent inside": (("winrm-tls",), "tls", False),
    "a database may be wrapped": (("redis",), "tls", False),
    "file sharing by either way": (("smb",), "netbios-ssn", False),
    "nothing is expected": ((), "ssh", False),
    "nobody knows what it is": (("http",), None, False),
    "nor has a word for it": (("http",), "gopher", False),
    "a word that we do not have was expected": (("gopher",), "http", False),
}


@pytest.mark.parametrize(("expected", "spoken", "wrong"), EXPECTED_AND_SPOKEN.values(), ids=EXPECTED_AND_SPOKEN)
def test_contradicts(expected: tuple[str, ...], spoken: str | None, wrong: bool) -> None:
    assert contradicts(expected, spoken) is wrong


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_protocol_contradicts_itself(name: str) -> None:
    assert not contradicts((name,), name)
