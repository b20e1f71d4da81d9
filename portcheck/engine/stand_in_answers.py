"""What a stand-in answers: the decision, without a socket.

Only a request under the shared key is answered, and that always: what arrived for its run is kept for the report,
so that a check learns of questions whose answers were lost on the way back.
"""

import sys
from collections import OrderedDict
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Dict, List, Optional, Sequence, Tuple

from . import token
from .half_open import HalfOpen
from .probe import StandInPort, StandInReport, Transport
from .stand_in_visitors import Visitors

_REQUEST_LENGTHS = frozenset((token.REQUEST_BYTES, token.PAGE_BYTES))


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


class _Run:
    """What is kept of one run. A report is read in pages, which must all be of one report: of `pages`."""

    def __init__(self) -> None:
        self.heard: Dict[Tuple[Transport, int, str], None] = {}
        self.pages: List[bytes] = []
        self.pages_have = -1
        """How much was heard when the pages were made."""


class Answers:
    """Answers requests in the name of one stand-in.

    Args:
        most_runs: the latest ones are remembered.
        most_heard: arrivals that are remembered of a run.
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
        most_runs: int,
        most_heard: int,
        half_open: Optional[HalfOpen] = None,
    ) -> None:
        self._key = key
        self._stack = stack
        self._name = name
        self._is_stated = is_stated
        self._peers = peers
        self._visitors = visitors
        self._most_runs = most_runs
        self._most_heard = most_heard
        self._half_open = half_open or HalfOpen()
        self._runs: "OrderedDict[bytes, _Run]" = OrderedDict()
        self.ports: List[StandInPort] = []

    def admit(self, peer: str, transport: Transport, port: int) -> bool:
        """Whether anything of this peer's is read at all."""
        if self._peers.allow(peer):
            return True
        self.refuse(peer, transport, port)
        return False

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
        run = self._run(request.run)
        if request.kind is token.Kind.PAGE:
            return self._page(request, run, peer)
        self._hear(run, transport, port, address)
        return token.echo(self._key, request, self._stack, self._name, self._is_stated, address, port, peer, peer_port)

    def _request(self, data: bytes, peer: str) -> Optional[token.Request]:
        """Of garbage the length is looked at and no more."""
        if len(data) not in _REQUEST_LENGTHS or not self._peers.allow(peer):
            return None
        return token.read_request(self._key, data)

    def _run(self, name: bytes) -> _Run:
        run = self._runs.get(name)
        if run is None:
            if len(self._runs) >= self._most_runs:
                self._runs.popitem(last=False)
            run = self._runs[name] = _Run()
        self._runs.move_to_end(name)
        return run

    def _hear(self, run: _Run, transport: Transport, port: int, address: str) -> None:
        if len(run.heard) < self._most_heard:
            # Many runs, and many entries of each: the few addresses that they name are kept once.
            run.heard[transport, port, sys.intern(address.partition("%")[0])] = None

    def _page(self, request: token.Request, run: _Run, peer: str) -> Optional[bytes]:
        if request.page == 0:
            for address, port in self._half_open.by(peer):
                self._hear(run, Transport.TCP, port, address)
        # A second reading begins with page 0. Making the pages takes longer than anything else here, so whoever
        # sends the same request again and again gets the same pages.
        if not run.pages or (request.page == 0 and run.pages_have != len(run.heard)):
            report = StandInReport(self._stack, self._name, self._is_stated, tuple(self.ports), tuple(run.heard))
            run.pages, run.pages_have = token.pages(report), len(run.heard)
        if request.page >= len(run.pages):
            return None
        return token.page(self._key, request, request.page, len(run.pages), run.pages[request.page])
