"""How one protocol is asked over a connection, and how its answer is read: the values that all modules here share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portcheck.model import Secrets
from portcheck.printable import printable
from portcheck.probes import Target
from portcheck.protocols import Spoken

LONGEST_TEXT = 120


@dataclass(frozen=True, slots=True)
class Server:
    """One open port that is asked.

    Attributes:
        address: IPv4 or IPv6 literal; link-local IPv6 carries its zone.
        host: the host's name as the user knows it, which need not be a name of DNS.
        source_address: the address of ours to send from, None for the kernel's choice.
        draw: that many random bytes, for what a reply must repeat.
    """

    address: str
    port: int
    host: str
    source_address: str | None
    draw: Callable[[int], bytes]

    @property
    def target(self) -> Target:
        """The same for a request out of portcheck.probes; none of those that TCP carries needs a secret."""
        return Target(self.address, self.port, self.source_address, Secrets(), self.draw)


@dataclass(frozen=True, slots=True)
class Language:
    """One protocol over TCP.

    Attributes:
        request: what we say first; None: the server does.
        interpret: what answered, from the request and the reply; None for bytes that are no answer of this protocol.
        whole: whether more of the reply would say no more. Asked for every piece that comes, so it must be quick.
    """

    request: Callable[[Server], bytes] | None
    interpret: Callable[[bytes, bytes], str | None]
    whole: Callable[[bytes], bool]

    def ask(self, server: Server) -> bytes:
        """What we say; nothing where the server speaks first."""
        return self.request(server) if self.request is not None else b""

    def read(self, request: bytes, reply: bytes) -> str | None:
        """What answered. Never raises, whatever the network sent."""
        try:
            return self.interpret(request, reply)
        except Exception:
            # A dissector may fail on hostile bytes; the reply is one more that is not of this protocol.
            return None


def has_a_line(reply: bytes) -> bool:
    return b"\n" in reply


def said(text: str, protocol: str | None = None) -> Spoken:
    """`text` made safe to show; its escapes count as what they are, several characters."""
    return Spoken(printable(printable(text), LONGEST_TEXT), protocol)


def text_of(data: bytes) -> str:
    """Bytes that should be text, whatever they are; not yet printable."""
    return data.decode("utf-8", "replace").strip()
