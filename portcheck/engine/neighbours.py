"""Who takes our packets to an address first, and how many of them our kernel has to find at the same time.

A packet leaves for a machine on a network segment of ours: for the target itself, or for a router. The kernel
must find that machine first (ARP, neighbour discovery), three times in three seconds, and says to itself
"host unreachable" when it does not: about a target behind a router that is the router's absence.
"""

from collections import deque
from enum import Enum
from typing import Deque, Dict, List, Optional

from .probe import Observation
from .routes import Route, route_to


class Search(Enum):
    """How far our kernel is with finding a neighbour."""

    NOT_BEGUN = "not begun"
    WAITING = "waiting"
    RUNNING = "running"
    FOUND = "found"


class NextHop:
    """The machine that must take our packets first: the target, or a router that many targets share.

    Attributes:
        address: the target's when it is one, which is also said where the kernel does not tell.
        gateway: address of the router, None without one.
        search: of a neighbour that is a target; routers are few and count as found from the start.
        absent: the first answer that showed that our kernel found nobody; None while it did not.
        answered: whether anything ever came back over it.
    """

    __slots__ = ("absent", "address", "answered", "gateway", "search")

    def __init__(self, address: str, gateway: Optional[str], search: Search) -> None:
        self.address = address
        self.gateway = gateway
        self.search = search
        self.absent: Optional[Observation] = None
        self.answered = False

    @property
    def detail(self) -> Optional[str]:
        """What to say beside `arp-failure`: who did not answer, when that is not the target."""
        return None if self.gateway is None else f"gateway {self.gateway}"


class Neighbours:
    """All next hops of a run; `at_once` of them at most are being searched."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._running = 0
        self._waiting: Deque[NextHop] = deque()
        self._gateways: Dict[str, NextHop] = {}

    def towards(self, address: str) -> NextHop:
        """The next hop to an address that is asked about for the first time."""
        route = _route_or_neighbour(address)
        if route is None or route.gateway is None:
            neighbour = route is not None and route.neighbour
            return NextHop(address, None, Search.NOT_BEGUN if neighbour else Search.FOUND)
        if route.gateway not in self._gateways:
            self._gateways[route.gateway] = NextHop(address, route.gateway, Search.FOUND)
        return self._gateways[route.gateway]

    def may_be_asked(self, hop: NextHop) -> bool:
        """Whether its search may run, or is not needed; otherwise `end` names it when its turn has come."""
        if hop.search is Search.NOT_BEGUN:
            if self._running < self._at_once:
                self._running += 1
                hop.search = Search.RUNNING
            else:
                self._waiting.append(hop)
                hop.search = Search.WAITING
        return hop.search is not Search.WAITING

    def end(self, hop: NextHop, search: Search) -> List[NextHop]:
        """Note what a search came to; those whose searches begin in its place."""
        if hop.search is not Search.RUNNING:
            return []
        hop.search = search
        self._running -= 1
        begun: List[NextHop] = []
        while self._waiting and self._running < self._at_once:
            following = self._waiting.popleft()
            self._running += 1
            following.search = Search.RUNNING
            begun.append(following)
        return begun


def is_neighbour(address: str) -> bool:
    """Whether our kernel must find the address itself on a network segment of ours."""
    route = _route_or_neighbour(address)
    return route is not None and route.neighbour


def _route_or_neighbour(address: str) -> Optional[Route]:
    try:
        return route_to(address)
    except OSError:
        return Route(local=False, neighbour=True)  # No descriptor left to ask with: the careful answer.
