"""Where something arrived, by whose it was: the questions of a run, the connections of an address."""

import sys
import time
from collections import OrderedDict
from typing import Callable, Dict, List, Tuple, Union

from .probe import Transport

Place = Tuple[Transport, int, str]
"""Transport, port and address of ours."""

Owner = Union[bytes, str]
"""A run, or the address of a peer."""


class Places:
    """The places of the latest owners. What does not fit is forgotten, owner by owner.

    Args:
        most_owners, most_of_each, most: how many owners, places of each, and places in all are remembered.
        now: seconds of a clock that does not go back.
    """

    def __init__(
        self, most_owners: int, most_of_each: int, most: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_owners = most_owners
        self._most_of_each = most_of_each
        self._most = max(most, most_of_each)
        self._now = now
        # When something arrived at each place last. The owner that was noted or asked for last is at the end.
        self._owners: "OrderedDict[Owner, Dict[Place, float]]" = OrderedDict()
        self._number = 0

    def note(self, owner: Owner, transport: Transport, port: int, address: str) -> None:
        """Something arrived there."""
        places = self._owners.setdefault(owner, {})
        self._owners.move_to_end(owner)
        # Many places, and few addresses, which are kept once.
        place = (transport, port, sys.intern(address.partition("%")[0]))
        if place not in places:
            if len(places) >= self._most_of_each:
                return
            self._number += 1
        places[place] = self._now()
        while len(self._owners) > self._most_owners or self._number > self._most:
            self._number -= len(self._owners.popitem(last=False)[1])

    def of(self, owner: Owner, within_s: float = float("inf")) -> List[Place]:
        """Where something of this owner's arrived in so many seconds."""
        places = self._owners.get(owner)
        if places is None:
            return []
        self._owners.move_to_end(owner)
        since = self._now() - within_s
        return [place for place, last in places.items() if last >= since]
