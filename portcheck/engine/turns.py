"""What every engine is: turns on asyncio's loop, taken when a socket is ready or a moment is due, until it is finished.

The loop is asyncio's, so that both engines and whoever started them run side by side; what wakes an engine is here.
"""

import asyncio
import heapq
from typing import Any, Callable, List, Optional, Set, Tuple

from .own_network import OwnNetwork
from .probe import Reason
from .readiness import Readiness

_BURST_S = 0.05
"""Our interfaces and routes are looked at once for all of a burst: every container that starts changes them."""


class Turns:
    """The turns of one run.

    Args:
        turn: takes what came, does what is due, and says with `come_back` when to call it at the latest.
        compare_routes: called with the time, soon after our interfaces, addresses or routes have changed.
        readiness: of the engine's sockets; closed with the run.
    """

    def __init__(self, turn: Callable[[], None], compare_routes: Callable[[float], None], readiness: Readiness) -> None:
        self._readiness = readiness
        self._turn = turn
        self._compare_routes = compare_routes
        self._loop = asyncio.get_running_loop()
        self._finished: "asyncio.Future[None]" = self._loop.create_future()
        self._moments: List[Tuple[float, int, Callable[[Any, float], None], Any]] = []
        self._sequence = 0
        self._timer: Optional[asyncio.TimerHandle] = None
        self._look_is_due = False
        self._own_network = OwnNetwork()
        self._watched = self._own_network.fileno()
        self._loop.add_reader(readiness.fileno(), self.guarded, turn)
        if self._watched is not None:
            self._loop.add_reader(self._watched, self.guarded, self._look_at_own_network)

    async def until(self, stop: "asyncio.Future[Reason]") -> Optional[Reason]:
        """Take turns until the engine is finished; the reason when it is stopped before.

        Raises:
            Exception: whatever a step raised.
        """
        self._loop.call_soon(self.guarded, self._turn)
        either: Set[asyncio.Future[Any]] = {self._finished, stop}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._finished.done():
            return stop.result()
        self._finished.result()
        return None

    def finish(self) -> None:
        """Nothing is left to do."""
        self._finished.set_result(None)

    def guarded(self, step: Callable[[], None]) -> None:
        """For whatever the loop calls: a bug in it ends the run loudly instead of leaving it waiting for ever."""
        if self._finished.done():
            return
        try:
            step()
        except Exception as error:
            self._finished.set_exception(error)

    # ---------------------------------------------------------------------------------------------- moments

    def at(self, when: float, action: Callable[[Any, float], None], subject: Any) -> None:
        """In the first turn from then on, call `action` with the subject and the time."""
        self._sequence += 1
        heapq.heappush(self._moments, (when, self._sequence, action, subject))

    def wake_due(self, now: float) -> None:
        """Do what was put off until now."""
        while self._moments and self._moments[0][0] <= now:
            _, _, action, subject = heapq.heappop(self._moments)
            action(subject, now)

    def next_moments(self) -> List[float]:
        """When something was put off until, the first of them; empty for nothing."""
        return [self._moments[0][0]] if self._moments else []

    def come_back(self, due: float) -> None:
        """Take a turn then, if none comes before."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self.guarded, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._turn()

    # ------------------------------------------------------------------------------------------ our own network

    def _look_at_own_network(self) -> None:
        if self._own_network.changed() and not self._look_is_due:
            self._look_is_due = True
            self.at(self._loop.time() + _BURST_S, self._end_burst, None)
            self._turn()

    def _end_burst(self, _: None, now: float) -> None:
        self._look_is_due = False
        self._compare_routes(now)

    def close(self) -> None:
        """End the run; what is still scheduled finds it over."""
        if self._timer is not None:
            self._timer.cancel()
        self._finished.cancel()
        self._loop.remove_reader(self._readiness.fileno())
        self._readiness.close()
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
        self._own_network.close()
