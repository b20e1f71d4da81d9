"""Requests and answers in lines like those of HTTP, in one datagram: SSDP and SIP. No scapy: it is text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIRST_LINE = re.compile(rb"(?:HTTP|SIP)/[0-9.]{1,8} +([1-6][0-9][0-9])\b *([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code, its words, and the fields by their names in lower case; of equal names the first counts."""

    code: int
    words: str
    fields: dict[str, str]


def in_uri(address: str, port: int | None = None) -> str:
    """An address as URIs have it: IPv6 in brackets, and without its zone, which means nothing to others."""
    bare = address.partition("%")[0]
    host = f"[{bare}]" if ":" in bare else bare
    return host if port is None else f"{host}:{port}"


def read_answer(protocol: bytes, reply: bytes) -> Answer | None:
    """None for what is no answer of `protocol`, "HTTP/1.1" or "SIP/2.0"."""
    first = _FIRST_LINE.match(reply) if reply.startswith(protocol + b" ") else None
    if first is None:
        return None
    fields: dict[str, str] = {}
    for line in reply[first.end() :].split(b"\r\n\r\n", 1)[0].splitlines():
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return Answer(int(first[1]), first[2].decode("utf-8", "replace").strip(), fields)
