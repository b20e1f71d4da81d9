"""Names and dates of certificates are those that scapy reads, and that OpenSSL wrote."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcheck.probes.scapy_quietly import scapy_quietly
from portcheck.verify.certificate import UNREADABLE, Certificate, described, read

Certificates = Callable[..., Path]

MADE = {
    "a name": (("-subj", "/CN=m1.example", "-days", "100"), ("m1.example",)),
    "no name": (("-subj", "/O=Nobody", "-days", "100"), ()),
    "other names win": (
        (
            "-subj",
            "/CN=m1",
            "-days",
            "100",
            "-addext",
            "subjectAltName=DNS:m2.example,IP:10.0.0.1,IP:fd00::1,email:a@b",
        ),
        ("m2.example", "10.0.0.1", "fd00::1"),
    ),
    "no other name that counts": (
        ("-subj", "/CN=m1", "-days", "100", "-addext", "subjectAltName=email:a@b.example"),
        ("m1",),
    ),
    "many": (
        ("-subj", "/CN=m1", "-addext", "subjectAltName=" + ",".join(f"DNS:m{i}.example" for i in range(300))),
        tuple(f"m{i}.example" for i in range(300)),
    ),
    "beyond 2050": (("-subj", "/CN=m1.example", "-days", "20000"), ("m1.example",)),
    "letters beyond ASCII": (("-subj", "/CN=Bücher", "-utf8", "-days", "100"), ("Bücher",)),
}


def der_of(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.parametrize(("arguments", "names"), MADE.values(), ids=MADE)
def test_it_is_read_as_scapy_reads_it(
    certificates: Certificates, arguments: tuple[str, ...], names: tuple[str, ...]
) -> None:
    der = der_of(certificates(*arguments))
    with scapy_quietly():
        from scapy.layers.x509 import X509_Cert
    validity = X509_Cert(der).tbsCertificate.validity
    assert read(der) == Certificate(names, validity.not_before.datetime, validity.not_after.datetime)


def test_what_is_told(certificates: Certificates) -> None:
    der = der_of(certificates(*MADE["other names win"][0]))
    certificate = read(der)
    assert certificate is not None
    begin, end = certificate.not_before, certificate.not_after
    day = timedelta(days=1)
    named = "certificate for m2.example and 2 more names"
    assert described(der, begin + day) == f"{named}, expires {end:%Y-%m-%d}"
    assert described(der, end + day) == f"{named}, expired {end:%Y-%m-%d}"
    assert described(der, begin - day) == f"{named}, not valid before {begin:%Y-%m-%d}"


def test_a_name_cannot_command_a_terminal(certificates: Certificates) -> None:
    der = der_of(certificates("-subj", "/CN=\x1b[31mred\x07", "-days", "100"))
    assert described(der, datetime.now(UTC)).startswith("certificate for \\x1b[31mred\\x07, expires")


def test_bytes_that_are_no_certificate() -> None:
    for data in (b"", b"hello", b"\x30\x80" * 4000, b"\x30\x00", bytes(5000), b"\x30" * 60000):
        assert described(data, datetime.now(UTC)) == UNREADABLE


@settings(deadline=None)
@given(data=st.data())
def test_a_mutated_certificate_is_read_or_not_but_never_fails(certificates: Certificates, data: st.DataObject) -> None:
    der = bytearray(der_of(certificates(*MADE["other names win"][0])))
    for _ in range(data.draw(st.integers(1, 8))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    assert described(bytes(der), datetime.now(UTC)).isprintable()
