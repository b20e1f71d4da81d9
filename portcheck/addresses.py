"""Addresses as people write them: an IP literal, or a DNS name that may have one. Pure: nothing is looked up."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted

_LITERAL = "[0-9A-Fa-f.:]+(%[A-Za-z0-9_.-]+)?"
# RFC 1123, 2.1, and the underscore that private zones use; a last label of digits would be a broken IPv4 address.
_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = rf"(?=.{{1,254}}$)({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?"
# Wider than a site file's rule for its hosts, so that each of these can be named on a command line.
_MACHINE_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,252}"


def parse_address(text: str) -> str:
    """An IP literal or a plausible DNS name, as it is; PortcheckError says what is wrong with it."""
    address = literal(text)
    if address is not None:
        if address.is_unspecified or address.is_multicast or text == "255.255.255.255":
            raise PortcheckError(f"{text} is no address of one host; write the host's own address")
        return text
    if re.fullmatch(_DNS_NAME, text):
        return text
    raise PortcheckError(_why_no_address(text))


def _why_no_address(text: str) -> str:
    if "://" in text:
        return f"{quoted(text)} is a URL; write the host's address or name alone"
    if "/" in text and literal(text.partition("/")[0]):
        return f"{quoted(text)} is a network; write the addresses of its hosts"
    without_port = text.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if without_port and (literal(without_port) or re.fullmatch(_DNS_NAME, without_port)):
        return f"{quoted(text)} has a port; write {printable(without_port, 60)} alone"
    return f"{quoted(text)} is neither an IP address nor a DNS name; write one like 10.0.0.1, fd00::1 or m1.example"


def is_machine_name(text: str) -> bool:
    """Whether a machine can be called that on a command line (`--as`, `name=address`)."""
    return re.fullmatch(_MACHINE_NAME, text) is not None


def literal(text: str) -> IPv4Address | IPv6Address | None:
    """The address that an IP literal stands for; None for any other text."""
    if not re.fullmatch(_LITERAL, text):  # ipaddress takes any character for a zone, even an escape
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None
