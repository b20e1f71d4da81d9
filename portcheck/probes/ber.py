"""ASN.1 in BER (X.690): what requests without a layer in scapy are written with, and replies are held against first.

scapy dissects ASN.1 by recursion and has no SNMPv3; its Kerberos costs 150 ms to import. A reply that `parse` accepts
is nested at most DEEPEST levels, and every length in it is true.
"""

from __future__ import annotations

from dataclasses import dataclass

DEEPEST = 12
"""Of what we read, a Kerberos error nests deepest: 5."""

SEQUENCE, INTEGER, OCTETS, OID, ENUMERATED, BOOLEAN = 0x30, 0x02, 0x04, 0x06, 0x0A, 0x01
_CONSTRUCTED, _HIGH_TAG, _LONG = 0x20, 0x1F, 0x80


@dataclass(frozen=True, slots=True)
class Element:
    """A tag with its content; `inside` is the content taken apart, of a constructed element."""

    tag: int
    content: bytes
    inside: tuple[Element, ...] = ()

    def at(self, *tags: int) -> Element | None:
        """What is reached by going to the first element with each of these tags."""
        found: Element | None = self
        for tag in tags:
            found = next((each for each in found.inside if each.tag == tag), None) if found else None
        return found

    def integer(self) -> int | None:
        """The content as a signed number; None for what is no number of ours."""
        return int.from_bytes(self.content, "big", signed=True) if 0 < len(self.content) <= 8 else None


def parse(data: bytes) -> Element | None:
    """The one element that these bytes are, with nothing before, after or missing; None for everything else."""
    found = parse_all(data)
    return found[0] if found is not None and len(found) == 1 else None


def parse_all(data: bytes, depth: int = 0) -> tuple[Element, ...] | None:
    """The elements that these bytes are, one after the other; None for bytes that are anything else."""
    found, start = [], 0
    while start < len(data):
        header = _header(data, start)
        if header is None or depth == DEEPEST:
            return None
        begin, end = header
        tag, content = data[start], data[begin:end]
        inside = parse_all(content, depth + 1) if tag & _CONSTRUCTED else ()
        if inside is None:
            return None
        found.append(Element(tag, content, inside))
        start = end
    return tuple(found)


def _header(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the content begins and ends; None without a whole element here (8.1.2 and 8.1.3 of X.690)."""
    begin = start + 2
    if len(data) < begin or data[start] & _HIGH_TAG == _HIGH_TAG:
        return None
    length = data[start + 1]
    if length & _LONG:
        octets = length & ~_LONG
        # 80 is the indefinite form, which none of our protocols has; four octets are more than a datagram holds.
        if not 0 < octets <= 4 or len(data) < begin + octets:
            return None
        length, begin = int.from_bytes(data[begin : begin + octets], "big"), begin + octets
    return (begin, begin + length) if begin + length <= len(data) else None


def element(tag: int, *contents: bytes) -> bytes:
    """One element, with the shortest form of its length."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(octets))) + octets + content


def integer(value: int) -> bytes:
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
