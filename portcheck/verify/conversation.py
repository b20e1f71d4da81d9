"""What to say to a port, in which order, and what to make of what it said.

What is expected there is asked first: that is one connection for nearly every port. Then TLS, then HTTP, because much
that listens without a name of its own is one of the two.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from portcheck.engine.probe import Transport
from portcheck.printable import quoted
from portcheck.protocols import Spoken, usual
from portcheck.verify import certificate
from portcheck.verify.greetings import recognise
from portcheck.verify.http import dns_name
from portcheck.verify.language import Language, Server, said
from portcheck.verify.registry import INSIDE_TLS, LANGUAGES, OTHER_NAMES, OVER_TLS, can_be_asked, title
from portcheck.verify.wire import TlsWire, Wire, connected

MOST_CONNECTIONS = 3

_GUESSED_NEVER = frozenset({"smtp"})
"""Where these are expected nothing else is tried: mail servers that are silent for some seconds on purpose treat who
speaks before them as a sender of spam, and some ban it (RFC 5321 section 4.3.1 forbids it)."""

_MISUNDERSTOOD = re.compile(rb"HTTP/1\.[01] 400 |\x15\x03")
"""How servers of HTTP answer TLS, and servers of TLS answer HTTP. Both know what they are; a second question tells."""

_TLS_SERVER = re.compile(rb"\x15\x03[\x00-\x04]|\x16\x03[\x00-\x04][\x00-\xff]{2}\x02")
"""An alert, or the hello of a server (RFC 8446 section 4): ours, sent back by an echo server, is another."""

_REFUSALS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "wants a client certificate",
    "TLSV1_ALERT_PROTOCOL_VERSION": "refuses the versions that we speak",
    "UNSUPPORTED_PROTOCOL": "speaks no version that we speak",
}
"""OpenSSL's reasons in words; the others are shown as they are."""


@dataclass(frozen=True, slots=True)
class ConversationTiming:
    """How long one connection may take.

    Attributes:
        connection_s: all of it.
        greeting_s: for a server to speak first, where nothing says what is there. A server that is slower is heard
            all the same: its greeting is then the answer to what we said.
        quiet_s: a server that began to speak and paused this long has ended.
    """

    connection_s: float = 2.0
    greeting_s: float = 0.5
    quiet_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one connection.

    Attributes:
        asked: title of the protocol that we spoke, or waited for.
        spoken: what it was; None when nobody knows.
        data: the first bytes that came; none where they are encrypted.
        unasked: they came before we had said anything.
        closed: the server ended the connection.
    """

    asked: str
    spoken: Spoken | None
    data: bytes = b""
    unasked: bool = False
    closed: bool = False

    @property
    def settled(self) -> bool:
        """Whether another question could not tell more."""
        misunderstood = _MISUNDERSTOOD.match(self.data) is not None
        return self.unasked or (self.spoken is not None and not misunderstood)


def steps(speaks: tuple[str, ...]) -> tuple[str, ...]:
    """The protocols to ask for, one for each connection."""
    wanted = [OTHER_NAMES.get(name, name) for name in speaks if can_be_asked(OTHER_NAMES.get(name, name))]
    asked_for_tls = any(name in INSIDE_TLS for name in wanted)
    guesses = [] if _GUESSED_NEVER.intersection(wanted) else ["http"] if asked_for_tls else ["https", "http"]
    return tuple(dict.fromkeys((*wanted, *guesses)))[:MOST_CONNECTIONS]


@dataclass(frozen=True, slots=True)
class Question:
    """One step, ready to be asked.

    Attributes:
        step: a name of LANGUAGES or of INSIDE_TLS.
        name: the protocol of the request: that of the step, or the one inside its TLS; None for TLS alone.
        request: what we say; empty where the server speaks first.
    """

    step: str
    name: str | None
    request: bytes

    @property
    def language(self) -> Language | None:
        return None if self.name is None else LANGUAGES[self.name]


def question(step: str, server: Server) -> Question:
    name = INSIDE_TLS.get(step, step)
    language = None if name is None else LANGUAGES[name]
    return Question(step, name, language.ask(server) if language is not None else b"")


def expected_at(port: int, speaks: tuple[str, ...]) -> tuple[str, ...]:
    """What is expected there, else what is usual at the port; empty when neither is known."""
    by_number = usual(Transport.TCP, port)
    return speaks or ((by_number,) if by_number else ())


async def ask(
    server: Server,
    speaks: tuple[str, ...],
    timing: ConversationTiming,
    context: ssl.SSLContext,
    turn: Callable[[str], AbstractAsyncContextManager[None]],
) -> Spoken | None:
    """What answers at this port; None when no connection can be made to it now.

    Args:
        speaks: what is expected there, names of portcheck.protocols; empty for what is usual at the port.
        turn: for an address, held during each connection to it; entering waits until one may be made.
    """
    expected = expected_at(server.port, speaks)
    heard: list[Heard] = []
    for step in steps(expected):
        asked = question(step, server)
        async with turn(server.address):
            try:
                async with connected(server, timing.connection_s) as wire:
                    if not expected and not heard and (greeted := await _wait_for_greeting(wire, asked, timing)):
                        heard.append(greeted)
                    elif step in INSIDE_TLS:
                        heard.append(await _over_tls(wire, asked, server, context, timing))
                    else:
                        heard.append(await _in_clear(wire, asked, timing))
            except OSError:
                break
        if heard[-1].settled:
            break
    return conclusion(heard) if heard else None


async def _wait_for_greeting(wire: Wire, asked: Question, timing: ConversationTiming) -> Heard | None:
    if not (first := await wire.receive(timing.greeting_s)):
        return None
    spoken = await _listen(wire, None, timing, first)
    return Heard(title(asked.step), spoken, bytes(wire.heard), unasked=True, closed=wire.closed)


async def _in_clear(wire: Wire, asked: Question, timing: ConversationTiming) -> Heard:
    wire.send(asked.request)
    spoken = await _listen(wire, asked, timing)
    unasked = not asked.request and bool(wire.heard)
    return Heard(title(asked.step), spoken, bytes(wire.heard), unasked, wire.closed)


async def _over_tls(
    wire: Wire, asked: Question, server: Server, context: ssl.SSLContext, timing: ConversationTiming
) -> Heard:
    """The handshake, the certificate, and what is spoken inside."""
    tls = TlsWire(wire, context, dns_name(server.host))
    if not await tls.handshake():
        raw = bytes(wire.heard)
        if _TLS_SERVER.match(raw) is not None:
            return Heard(title(asked.step), said(f"TLS, {_failure(tls.refusal)}", "tls"), closed=wire.closed)
        spoken = recognise(raw, ended=True) or _sent_back(bytes(wire.said), raw)
        return Heard(title(asked.step), spoken, raw, closed=wire.closed)
    shown = tls.certificate
    parts = [tls.version, certificate.described(shown, datetime.now(UTC)) if shown else "without certificate"]
    tls.send(asked.request)
    inside = await _listen(tls, asked, timing) if asked.name is not None else None
    if tls.refusal in _REFUSALS:
        parts.append(_REFUSALS[tls.refusal])
    elif inside is not None:
        parts.append(inside.text)
    protocol = OVER_TLS.get(inside.protocol or "", "tls") if inside is not None else "tls"
    return Heard(title(asked.step), said(", ".join(parts), protocol), closed=wire.closed)


def _failure(refusal: str | None) -> str:
    if refusal is None:
        return "which does not finish its handshake"
    return _REFUSALS.get(refusal) or "the handshake fails: " + refusal.lower().replace("_", " ")


async def _listen(
    wire: Wire | TlsWire, asked: Question | None, timing: ConversationTiming, first: bytes = b""
) -> Spoken | None:
    """Who speaks: the one that was asked, or another. Ends with the first answer that can be read.

    An answer is read when it is whole and once more at its end, however many pieces it comes in: reading may be slow.
    """
    data, was_whole = first, False
    language = None if asked is None else asked.language
    while True:
        if language is not None and not was_whole and language.whole(data):
            was_whole = True
            if (spoken := _interpreted(asked, data)) is not None:
                return spoken
        if (spoken := recognise(data, ended=False)) is not None:
            return spoken
        more = await wire.receive(timing.quiet_s if data else None)
        if not more:
            return _interpreted(asked, data) or recognise(data, ended=True)
        data += more


def _interpreted(asked: Question | None, data: bytes) -> Spoken | None:
    if asked is None or asked.language is None or not data:
        return None
    if (echo := _sent_back(asked.request, data)) is not None:
        return echo
    text = asked.language.read(asked.request, data)
    return None if text is None else said(text, asked.name)


def _sent_back(request: bytes, reply: bytes) -> Spoken | None:
    return said("echo: what we send comes back", "echo") if request and reply.startswith(request) else None


def conclusion(heard: list[Heard]) -> Spoken:
    """What all connections to a port together say; at least one."""
    spoken = [each.spoken for each in heard if each.spoken is not None]
    if spoken:
        return spoken[-1]
    asked = _listed([each.asked for each in heard])
    for each in heard:
        if each.data:
            return said(
                f"{_shown(each.data)}, {'an unknown greeting' if each.unasked else f'no answer of {each.asked}'}"
            )
    if all(each.closed for each in heard):
        return said(f"closes the connection without a word when asked for {asked}")
    return said(f"silent when asked for {asked}")


def _shown(data: bytes) -> str:
    """A line of text as text, anything else as its length."""
    try:
        text = data.partition(b"\n")[0].decode().strip()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return quoted(text, 40)
    return "1 byte" if len(data) == 1 else f"{len(data)} bytes"


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
