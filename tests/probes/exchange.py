"""Golden requests and replies: what the tests of the protocols share.

Each test module has `REPLIES`: by protocol, what each valid reply means. tests/bench/mutated_replies.py mutates them.
"""

from __future__ import annotations

from collections.abc import Mapping

from portcheck.engine.probe import Question, Reply, Transport
from portcheck.model import Secrets
from portcheck.probes import question, read
from portcheck.protocols import Spoken
from tests.probes.conftest import made_target

Replies = Mapping[str, Mapping[bytes, str]]


def octets(*lines: str) -> bytes:
    """Bytes written as hexadecimal digits, with spaces where they help."""
    return bytes.fromhex(" ".join(lines))


def asked(name: str, address: str = "192.0.2.7", **secrets: str) -> Question:
    transport = Transport(name) if name in {"icmp", "gre", "esp", "ah"} else Transport.UDP
    return question(name, transport, made_target(address, secrets=Secrets(**secrets)))


def answered(name: str, data: bytes, **secrets: str) -> Spoken:
    return read(name, asked(name, **secrets), Reply(data, "192.0.2.7", 0))


def meant(replies: Replies, **secrets: str) -> Replies:
    """What the replies are read as, in the shape of what they should be read as."""
    return {name: {data: answered(name, data, **secrets).text for data in valid} for name, valid in replies.items()}


def not_understood(name: str, *replies: bytes, **secrets: str) -> bool:
    """Whether each of them is read as nothing of this protocol."""
    return all(answered(name, data, **secrets).protocol is None for data in replies)
