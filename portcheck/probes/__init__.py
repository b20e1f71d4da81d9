"""What is asked over UDP, ICMP, GRE, ESP and AH, and what the replies mean.

One module per protocol: `payloads(target)` and `interpret(payloads, reply)`. scapy builds and dissects where it has
the protocol. It is imported inside the functions, through scapy_quietly.py, so that a run over TCP never loads it.
"""

from __future__ import annotations

from portcheck.engine.probe import Question, Reply, Transport
from portcheck.printable import printable
from portcheck.probes.registry import CODECS, Codec
from portcheck.probes.target import Target
from portcheck.protocols import PROTOCOLS, Spoken

__all__ = ["Target", "question", "read"]

LONGEST_TEXT = 120


def question(name: str | None, transport: Transport, target: Target, *, in_bulk: bool = False) -> Question:
    """What to send to a target where this protocol is expected; one empty datagram where we cannot ask for any."""
    codec = _codec(name, transport)
    if codec is None:
        return Question(transport, target.port, in_bulk=in_bulk)
    return Question(transport, target.port, codec.payloads(target), codec.private, codec.source_port, in_bulk)


def read(name: str | None, question: Question, reply: Reply) -> Spoken:
    """What answered, in words. Never raises, whatever the network sent."""
    codec = _codec(name, question.transport)
    if question.transport is Transport.UDP and reply.data and reply.data in question.payloads and name != "echo":
        return Spoken("our own request, sent back", "echo")
    if codec is None:
        return Spoken(_size(reply.data))
    try:
        text = codec.interpret(question.payloads, reply.data)
    except Exception:
        # A dissector may fail on hostile bytes; the reply is one more that is not of this protocol.
        text = None
    if text is None:
        return Spoken(f"{_size(reply.data)} that {_is(reply.data)} no {_title(name, question.transport)}")
    return Spoken(printable(printable(text), LONGEST_TEXT), _name(name, question.transport))


def _name(name: str | None, transport: Transport) -> str:
    """Only UDP carries several protocols; every other transport is one itself."""
    return (name or "") if transport is Transport.UDP else transport.value


def _codec(name: str | None, transport: Transport) -> Codec | None:
    return CODECS.get(_name(name, transport))


def _title(name: str | None, transport: Transport) -> str:
    """As a person would say it: "IKE (ISAKMP)", "ICMP"."""
    spoken = _name(name, transport)
    return PROTOCOLS[spoken].title if spoken in PROTOCOLS else spoken.upper()


def _size(data: bytes) -> str:
    return {0: "an empty datagram", 1: "1 byte"}.get(len(data), f"{len(data)} bytes")


def _is(data: bytes) -> str:
    return "is" if len(data) < 2 else "are"
