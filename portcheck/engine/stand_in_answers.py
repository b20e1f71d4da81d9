"""What a stand-in answers: the decision, without a socket.

Only a request under the shared key is answered, and that always: what arrived for its run is kept for the report,
so that a check learns of questions whose answers were lost on the way back.
"""

from collections import OrderedDict
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import List, Optional, Sequence, Tuple

from . import token
from .half_open import HalfOpen
from .probe import StandInPort, StandInReport, Transport
from .stand_in_places import Places
from .stand_in_visitors import Visitors

_REQUEST_LENGTHS = frozenset((token.REQUEST_BYTES, token.PAGE_BYTES))

_MOST_BYTES = 4 << 20
"""Of the reports that are being read: most have two pages of 1,145 bytes."""
_AROUND = 128
"""Bytes that Python needs beside those of a page, and a quarter of what it needs beside the pages of a report."""
_MOST_REPORTED = 4096
"""Requests that are known again."""


class Peers:
    """Who is answered: everybody, or these addresses and networks.

    Raises:
        ValueError: one of them is neither, with what it is.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._networks = tuple(ip_network(each.partition("%")[0], strict=False) for each in allowed)
        # Of a flood, parsing the sender's address would be the most expensive part.
        self._remembered = lru_cache(maxsize=1024)(self._is_in_a_network)

    def allow(self, peer: str) -> bool:
        return not self._networks or self._remembered(peer)

    def _is_in_a_network(self, peer: str) -> bool:
        address = ip_address(peer.partition("%")[0])
        return any(address in network for network in self._networks)


class _Readings:
    """Reports that are being read. All pages of a reading must be of one report, whatever arrives meanwhile."""

    def __init__(self) -> None:
        self._pages: "OrderedDict[Tuple[bytes, str], List[bytes]]" = OrderedDict()
        self._bytes = 0

    def keep(self, run: bytes, peer: str, pages: List[bytes]) -> None:
        """This peer reads these in this run; those that are read least give way."""
        self._bytes += _size(pages) - _size(self._pages.pop((run, peer), []))
        self._pages[run, peer] = pages
        while self._bytes > _MOST_BYTES and len(self._pages) > 1:
            self._bytes -= _size(self._pages.popitem(last=False)[1])

    def get(self, run: bytes, peer: str) -> List[bytes]:
        """What it reads; empty when it has to begin anew."""
        pages = self._pages.get((run, peer), [])
        if pages:
            self._pages.move_to_end((run, peer))
        return pages


def _size(pages: Sequence[bytes]) -> int:
    """With what is around them, counted generously."""
    return sum(_AROUND + len(page) for page in pages) + _AROUND * 4 if pages else 0


class Answers:
    """Answers requests in the name of one stand-in.

    Args:
        heard: by run, where its questions arrived.
        connected: by peer, where its connections did.
        half_open: connections that arrived, and whose answers did not.

    Attributes:
        ports: what the report says of them; the stand-in adds to it.
    """

    def __init__(
        self,
        key: bytes,
        stack: str,
        name: str,
        is_stated: bool,
        peers: Peers,
        visitors: Visitors,
        heard: Places,
        connected: Places,
        half_open: HalfOpen,
    ) -> None:
        self._key = key
        self._stack = stack
        self._name = name
        self._is_stated = is_stated
        self._peers = peers
        self._visitors = visitors
        self._heard = heard
        self._connected = connected
        self._half_open = half_open
        self._readings = _Readings()
        self._reported: "OrderedDict[bytes, None]" = OrderedDict()
        self.ports: List[StandInPort] = []

    def admit(self, peer: str, transport: Transport, port: int) -> bool:
        """Whether anything of this peer's is read at all."""
        if self._peers.allow(peer):
            return True
        self.refuse(peer, transport, port)
        return False

    def connected(self, peer: str, port: int, address: str) -> None:
        """A connection came about; it need not say anything."""
        self._connected.note(peer, Transport.TCP, port, address)

    def refuse(self, peer: str, transport: Transport, port: int) -> None:
        """It came without a request under our key."""
        self._visitors.note(peer, transport, port, authentic=False)

    def answer(
        self, data: bytes, transport: Transport, address: str, port: int, peer: str, peer_port: int
    ) -> Optional[bytes]:
        """The response to what arrived at `address` and `port`; None: nothing is said, for it is no request of ours."""
        request = self._request(data, peer)
        if request is None:
            return None
        self._visitors.note(peer, transport, port, authentic=True)
        if request.kind is token.Kind.PAGE:
            return self._page(request, peer)
        self._heard.note(request.run, transport, port, address)
        return token.echo(self._key, request, self._stack, self._name, self._is_stated, address, port, peer, peer_port)

    def _request(self, data: bytes, peer: str) -> Optional[token.Request]:
        """Of garbage the length is looked at and no more."""
        if len(data) not in _REQUEST_LENGTHS or not self._peers.allow(peer):
            return None
        return token.read_request(self._key, data)

    def _page(self, request: token.Request, peer: str) -> Optional[bytes]:
        if request.page == 0 and self._is_new(request):
            self._readings.keep(request.run, peer, token.pages(self._report(request, peer)))
        pages = self._readings.get(request.run, peer)
        if request.page >= len(pages):
            return None
        return token.page(self._key, request, request.page, len(pages), pages[request.page])

    def _is_new(self, request: token.Request) -> bool:
        """Making a report takes longer than anything else here, so a request that was recorded makes no other one."""
        if request.digest in self._reported:
            return False
        self._reported[request.digest] = None
        if len(self._reported) > _MOST_REPORTED:
            self._reported.popitem(last=False)
        return True

    def _report(self, request: token.Request, peer: str) -> StandInReport:
        tried = ((Transport.TCP, port, address) for address, port in self._half_open.by(peer, request.age_s))
        return StandInReport(
            self._stack,
            self._name,
            self._is_stated,
            tuple(self.ports),
            heard=tuple(dict.fromkeys((*self._heard.of(request.run), *tried))),
            reached=tuple(self._connected.of(peer, request.age_s)),
        )
