"""A network that exists in virtual time, for the datagram engine: hosts, routers, lost packets, rationed ICMP errors.

The loop's clock jumps to the next moment at which something happens, so that a minute of waiting takes milliseconds
and nothing depends on the machine. Every datagram that is sent takes `spread_s` of virtual time, as sendto() does.
"""

from __future__ import annotations

import asyncio
import os
import random
import selectors
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

from portcheck.engine import addresses, datagram
from portcheck.engine.addresses import SockAddr
from portcheck.engine.channels import Arrived, Channels, Inbox, PrivilegeError
from portcheck.engine.datagram import DatagramEngine, DatagramTiming
from portcheck.engine.error_queue import ICMP4_REASONS, ICMP6_REASONS, IcmpError, Returned
from portcheck.engine.neighbours import NextHop, Search
from portcheck.engine.own_network import RouteKey
from portcheck.engine.pace import Pace, Speed
from portcheck.engine.probe import Answered, DatagramSet, Observation, Question, Reason, Transport

US = "10.0.0.1"
GATEWAY = "10.0.0.254"
_HANGS_AFTER = 5_000_000


class Bucket:
    """Linux's inet_peer_xrlim_allow(): so many tokens at most, one more each interval."""

    def __init__(self, burst: float = 6, interval_s: float = 1.0, *, tokens: float | None = None) -> None:
        self.burst = burst
        self.interval_s = interval_s
        self._tokens = burst if tokens is None else tokens
        self._at: float | None = None

    def take(self, now: float) -> bool:
        if self._at is not None and self.interval_s:
            self._tokens = min(self.burst, self._tokens + (now - self._at) / self.interval_s)
        self._at = now
        if not self.interval_s:
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def unlimited() -> Bucket:
    return Bucket(1, 0.0)


@dataclass
class Router:
    """Somebody on the way who rejects."""

    address: str
    icmp: tuple[int, int] = (3, 13)
    bucket: Bucket = field(default_factory=unlimited)


@dataclass
class Host:
    """One address; a port that is not named is closed.

    Attributes:
        open: ports that answer, and after how long.
        silent: ports at which somebody listens and does not answer.
        dropped: what never arrives.
        rejected: what a router answers for.
        mute: it sends no ICMP errors.
        from_other: the address that replies come from, where it is not the one that was asked.
        absent: there is no machine.
        until_s: when it goes away.
    """

    open: Mapping[int, float] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()
    rejected: Mapping[int, Router] = field(default_factory=dict)
    rejects_all: Router | None = None
    bucket: Bucket = field(default_factory=unlimited)
    mute: bool = False
    from_other: str | None = None
    absent: bool = False
    until_s: float = float("inf")
    echoes: bool = True
    protocols: frozenset[Transport] = frozenset()
    delay_s: float | None = None


@dataclass
class Network:
    """Everything behind our machine.

    Attributes:
        loss: the probability that a packet gets lost, each way.
        heard: (time, address, port) of every datagram that arrived at its host.
    """

    hosts: Mapping[str, Host]
    loss: float = 0.0
    rtt_s: float = 0.001
    spread_s: float = 0.00002
    seed: int = 1
    quoted: int = 128
    sent: list[tuple[float, str, int, bytes]] = field(default_factory=list)
    refuses_sending: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def lost(self) -> bool:
        return self.loss > 0 and self.random.random() < self.loss


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while something happens and jumps when nothing does."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._idle = 0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now_s


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing will ever happen again"
            self._loop.now_s += max(timeout, 0.0)
            self._loop._idle += 1
            assert self._loop._idle < _HANGS_AFTER, "the engine spins"
        return found


class SimulatedChannel:
    """What Channel is, without a socket."""

    def __init__(self, network: Network, transport: Transport, source_port: int) -> None:
        self._network = network
        self._transport = transport
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self._returned: list[Returned] = []
        self._arrived: list[Arrived] = []
        self._closed = False
        self.source = (US, source_port if transport is Transport.UDP else None)

    def fileno(self) -> int:
        return self._event

    def close(self) -> None:
        self._closed = True
        os.close(self._event)

    def send(self, payload: bytes, destination: SockAddr) -> tuple[int, Inbox]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        network = self._network
        if network.refuses_sending:
            return network.refuses_sending, Inbox([], [])
        loop.now_s += network.spread_s
        address, port = str(destination[0]), int(destination[1])
        network.sent.append((loop.now_s, address, port, payload))
        host = network.hosts[address]
        way_s = (network.rtt_s if host.delay_s is None else host.delay_s) / 2
        if port in host.rejected or host.rejects_all is not None:
            way_s = network.rtt_s / 2  # As far as the router, which is the same way for all.
        if not network.lost():
            loop.call_at(loop.now_s + way_s, self._arrive, loop, address, port, payload, way_s)
        return 0, Inbox([], [])

    def hear(self) -> Inbox:
        inbox = Inbox(self._returned, self._arrived)
        self._returned, self._arrived = [], []
        if inbox.returned or inbox.arrived:
            os.eventfd_read(self._event)
        return inbox

    def _arrive(self, loop: VirtualLoop, address: str, port: int, payload: bytes, way_s: float) -> None:
        host, now = self._network.hosts[address], loop.now_s
        if port in host.dropped or host.absent or now >= 1000.0 + host.until_s:
            return
        router = host.rejected.get(port, host.rejects_all)
        if router is not None:
            if router.bucket.take(now):
                self._return(loop, way_s, address, port, payload, router.icmp, router.address)
            return
        if self._transport is Transport.ICMP:
            if host.echoes:
                self._reply(loop, way_s, address, 0, payload)
            return
        if self._transport is not Transport.UDP:
            if self._transport in host.protocols:
                self._reply(loop, way_s, address, 0, payload)
            elif not host.mute and host.bucket.take(now):
                icmp = (4, 1) if ":" in address else (3, 2)
                self._return(loop, way_s, address, 0, payload, icmp, address)
            return
        if port in host.open:
            self._reply(loop, way_s + host.open[port], host.from_other or address, port, b"yes")
        elif port not in host.silent and not host.mute and host.bucket.take(now):
            icmp = (1, 4) if ":" in address else (3, 3)
            self._return(loop, way_s, address, port, payload, icmp, address)

    def _reply(self, loop: VirtualLoop, after_s: float, address: str, port: int, data: bytes) -> None:
        if not self._network.lost():
            loop.call_at(loop.now_s + after_s, self._deliver, None, Arrived(data, address, port))

    def _return(
        self,
        loop: VirtualLoop,
        after_s: float,
        address: str,
        port: int,
        payload: bytes,
        icmp: tuple[int, int],
        responder: str,
    ) -> None:
        if self._network.lost():
            return
        reasons = ICMP6_REASONS if ":" in address else ICMP4_REASONS
        error = IcmpError(111, icmp, responder, reasons[icmp])
        returned = Returned(error, address, port, payload[: self._network.quoted])
        loop.call_at(loop.now_s + after_s, self._deliver, returned, None)

    def _deliver(self, returned: Returned | None, arrived: Arrived | None) -> None:
        if self._closed:
            return
        if not self._returned and not self._arrived:
            os.eventfd_write(self._event, 1)
        if returned is not None:
            self._returned.append(returned)
        if arrived is not None:
            self._arrived.append(arrived)


class SimulatedChannels(Channels):
    """Makes them. `lacks`: transports that need a privilege which we do not have."""

    def __init__(self, network: Network, lacks: frozenset[Transport] = frozenset()) -> None:
        super().__init__(portable=False)
        self._network = network
        self._lacks = lacks
        self.made: list[tuple[str, Transport, int | None]] = []

    def _new(self, address: str, transport: Transport, source_port: int | None) -> Any:
        if transport in self._lacks:
            raise PrivilegeError("CAP_NET_RAW")
        self.made.append((address, transport, source_port))
        return SimulatedChannel(self._network, transport, source_port or 40000 + len(self.made))

    def udp(self, address: str, port: int, source_address: str | None, source_port: int | None) -> Any:
        return self._new(address, Transport.UDP, source_port)

    def echo(self, address: str, source_address: str | None) -> Any:
        return self._new(address, Transport.ICMP, None)

    def raw(self, address: str, transport: Transport, source_address: str | None) -> Any:
        return self._new(address, transport, None)


class _Hops:
    """Everybody is behind one router, as far as our kernel knows."""

    def __init__(self, at_once: int) -> None:
        self._gateway = NextHop(GATEWAY, GATEWAY, Search.FOUND)

    def towards(self, address: str) -> NextHop:
        return self._gateway

    def may_be_asked(self, hop: NextHop) -> bool:
        return True

    def end(self, hop: NextHop, search: Search) -> list[NextHop]:
        return []


@contextmanager
def surroundings() -> Iterator[None]:
    """Our kernel's knowledge of addresses, for a machine that has US and a default route."""
    with (
        mock.patch.object(addresses, "is_own", lambda address: address in (US, "::1", "127.0.0.1")),
        mock.patch.multiple(
            datagram,
            source_towards=lambda address: US,
            route_fingerprint=lambda address, source=None: RouteKey(GATEWAY, 1, US),
            Neighbours=_Hops,
        ),
    ):
        yield


@dataclass
class Outcome:
    """What a run reported, and how long it took in virtual time."""

    answers: list[Answered]
    took_s: float
    channels: SimulatedChannels

    def by_port(self) -> dict[tuple[str, int], Observation]:
        singles = [seen for seen in self.answers if isinstance(seen, Observation)]
        assert len(singles) == len({seen.probe for seen in singles}), "reported twice"
        return {(seen.probe.address, seen.probe.port): seen for seen in singles}


def ask(
    network: Network,
    sets: Iterable[DatagramSet],
    *,
    timing: DatagramTiming | None = None,
    speed: Speed = Speed.FAST,
    stop_after_s: float | None = None,
    lacks: frozenset[Transport] = frozenset(),
    report: Callable[[Answered], None] = lambda answered: None,
    **options: Any,
) -> Outcome:
    """Run the engine on the network."""
    answers: list[Answered] = []

    def take(answered: Answered) -> None:
        report(answered)
        answers.append(answered)

    channels = SimulatedChannels(network, lacks)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[Reason] = loop.create_future()
        if stop_after_s is not None:
            loop.call_later(stop_after_s, stop.set_result, Reason.DEADLINE)
        began = loop.time()
        options.setdefault("pace", Pace(speed))
        options.setdefault("seed", network.seed)
        engine = DatagramEngine(timing or DatagramTiming(), take, channels=channels, **options)
        await engine.run(iter(sets), stop)
        return loop.time() - began

    with surroundings(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        took_s = runner.run(run())
    return Outcome(answers, took_s, channels)


def questions(ports: Iterable[int], **options: Any) -> tuple[Question, ...]:
    return tuple(Question(Transport.UDP, port, **options) for port in ports)


__all__ = ["Bucket", "Host", "Network", "Outcome", "Router", "ask", "questions", "replace", "unlimited"]
