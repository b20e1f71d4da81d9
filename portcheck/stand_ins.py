"""What the stand-ins say of each check: whose echo came back, and what the right host's report says of the port. Pure.

Two questions are easily mixed up. Who answered: a machine is known by its network stack, and a stack belongs to the
host at whose address it was met without any translation on the way. And where does a stand-in listen: at the
addresses as they are at the stand-in, which behind a translation are not those that we ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from portcheck.engine.probe import (
    CLOSED_WITHOUT_TOKEN,
    OTHER_WITHOUT_TOKEN,
    SILENT_WITHOUT_TOKEN,
    Echo,
    Observation,
    PortState,
    Probe,
    Standing,
    StandInPort,
    StandInReport,
    Transport,
)
from portcheck.engine.token import known_as
from portcheck.measured import Measured
from portcheck.model import LOOPBACK, NOT_SEEN, WILDCARD, Check, Expect, Plan, Seen, Sight
from portcheck.probe_sets import awaits_stand_in

_SIGHTS = {
    Standing.LISTENING: Sight.LISTENING,
    Standing.IN_USE: Sight.HELD,
    Standing.NEEDS_PRIVILEGE: Sight.UNABLE,
    Standing.FAILED: Sight.UNABLE,
}
"""What a report says of a port; of several addresses that take our question, the first one here counts."""

_BEST_FIRST = {standing: place for place, standing in enumerate(_SIGHTS)}

_WITHOUT_A_WORD = frozenset({CLOSED_WITHOUT_TOKEN, SILENT_WITHOUT_TOKEN})
_ALIKE = 2
"""Ports that must behave alike before they are taken for a proxy's: one alone may be any server."""


class StandIns:
    """Made once, when a run has measured everything."""

    def __init__(self, plan: Plan, measured: Measured) -> None:
        self._plan = plan
        self._hosts: dict[str, _Known] = {}
        self._heard_out = measured.heard_out
        if not plan.scope.stand_ins:
            return
        seen = [each for each in measured if isinstance(each, Observation)]
        echoes = [(_plain(each.probe.address), each.echo) for each in seen if each.echo is not None]
        self._identities = _Identities(plan, echoes)
        self._hosts = {name: _Known(frozenset(own)) for name, own in self._identities.addresses_of.items()}
        for asked, echo in echoes:
            self._hear(asked, echo)
        for address, reports in measured.reports.items():
            for report in reports:
                self._read(_plain(address), report)
        for check in plan.checks:
            self._count(check, measured)

    def seen(self, check: Check, observation: Observation) -> Seen:
        """What they say of this check."""
        known = self._hosts.get(check.host)
        if known is None or check.probe is None or check.is_own:
            return NOT_SEEN
        if observation.echo is not None:
            return self._echoed(_plain(check.probe.address), check.probe.port, check.host, observation.echo)
        if not awaits_stand_in(self._plan, check):
            return NOT_SEEN
        if known.has_report:
            return known.reported(check.probe, observation)
        if not known.stacks and known.never_says_a_word and observation.detail in _WITHOUT_A_WORD:
            return Seen(Sight.CLOSES)
        if not self._heard_out:
            return Seen(Sight.CUT_SHORT)
        return Seen(Sight.UNREPORTED if known.stacks else Sight.ABSENT)

    def _echoed(self, asked: str, port: int, host: str, echo: Echo) -> Seen:
        if (who := self._identities.stranger(asked, host, echo)) is not None:
            return Seen(Sight.OTHER_HOST, echo=echo, who=who)
        if echo.port != port:
            return Seen(Sight.OTHER_PORT, echo=echo)
        return Seen(Sight.ECHO, echo=echo, translated=None if echo.address == asked else echo.address)

    # ------------------------------------------------------------------------------------------------- gathering

    def _at(self, address: str) -> Iterable[tuple[str, _Known]]:
        return ((name, self._hosts[name]) for name in self._identities.hosts_at.get(address, ()))

    def _hear(self, asked: str, echo: Echo) -> None:
        for name, host in self._at(asked):
            if self._identities.stranger(asked, name, echo) is None:
                host.stacks.add(echo.stack)
                host.arrivals.setdefault(asked, set()).add(echo.address)

    def _read(self, address: str, report: StandInReport) -> None:
        """A report is its own host's, whoever's address it came from."""
        for name, host in self._at(address):
            stated = self._identities.stated(report)
            if report.stack in host.stacks and stated in (None, name):
                host.take(report)

    def _count(self, check: Check, measured: Measured) -> None:
        expected = check.expect is Expect.REACHABLE and check.transport is Transport.TCP
        host = self._hosts.get(check.host)
        if not expected or host is None or check.probe is None or not awaits_stand_in(self._plan, check):
            return
        seen = measured.of(check.probe)
        port = check.probe.port
        host.expected.add(port)
        if seen.state is PortState.CLOSED:
            host.refusing.add(port)
        elif seen.detail in _WITHOUT_A_WORD:
            host.wordless.add(port)
        elif seen.detail == OTHER_WITHOUT_TOKEN:
            host.talking.add(port)


@dataclass(slots=True)
class _Known:
    """What is known of one host.

    Attributes:
        addresses: its own, as the plan has them.
        stacks: of its stand-ins that answered.
        arrivals: by address that was asked, the addresses where the questions arrived.
        ports: what its reports say.
        heard, reached: by transport and port, the addresses at which questions arrived, and connections.
        expected: its TCP ports where a stand-in should be.
        wordless, talking, refusing: those that accept and say nothing, that say something, that refuse.
    """

    addresses: frozenset[str]
    stacks: set[str] = field(default_factory=set)
    arrivals: dict[str, set[str]] = field(default_factory=dict)
    ports: dict[tuple[Transport, int], list[StandInPort]] = field(default_factory=dict)
    heard: dict[tuple[Transport, int], set[str]] = field(default_factory=dict)
    reached: dict[tuple[Transport, int], set[str]] = field(default_factory=dict)
    has_report: bool = False
    expected: set[int] = field(default_factory=set)
    wordless: set[int] = field(default_factory=set)
    talking: set[int] = field(default_factory=set)
    refusing: set[int] = field(default_factory=set)

    @property
    def never_says_a_word(self) -> bool:
        """Whoever accepts connections here does it alike at every port, as a proxy or a stand-in with another key."""
        several = len(self.wordless) >= _ALIKE and len(self.wordless) > len(self.refusing)
        return not self.talking and (several or len(self.expected) == 1)

    def take(self, report: StandInReport) -> None:
        self.has_report = True
        for transport, number, address in report.heard:
            self.heard.setdefault((transport, number), set()).add(_plain(address))
        for transport, number, address in report.reached:
            self.reached.setdefault((transport, number), set()).add(_plain(address))
        for port in report.ports:
            self.ports.setdefault((port.transport, port.port), []).append(port)

    def reported(self, probe: Probe, observation: Observation) -> Seen:
        """What the reports say of a port that sent no echo."""
        here = self.arrivals.get(_plain(probe.address)) or {_plain(probe.address)}
        taking = [port for port in self.ports.get((probe.transport, probe.port), ()) if _takes(port.address, here)]
        if not taking:
            return Seen(Sight.UNOPENED)
        port = min(taking, key=lambda each: _BEST_FIRST[each.standing])
        holder = port.holder
        # Another stand-in of ours on that machine; where it takes a connection and sends no echo, it has another key.
        another = holder is not None and holder.stand_in and observation.state is not PortState.OPEN
        if another or port.standing is Standing.LISTENING:
            key = probe.transport, probe.port
            return Seen(
                Sight.LISTENING,
                arrived=self._is_among(self.heard.get(key, set()), probe, here),
                reached=self._is_among(self.reached.get(key, set()), probe, here),
            )
        return Seen(_SIGHTS[port.standing], holder=holder, detail=port.detail)

    def _is_among(self, where: set[str], probe: Probe, here: set[str]) -> bool:
        """Whether one of the addresses where something arrived is the one that was asked."""
        if where & here:
            return True
        # Translated, and no answer from this address shows to what: certain when it can be no other address of it.
        is_v6 = ":" in _plain(probe.address)
        alone = sum((":" in address) is is_v6 for address in self.addresses) == 1
        known = self.addresses.union(*self.arrivals.values())
        return alone and any((":" in address) is is_v6 and address not in known for address in where)


class _Identities:
    """Whose an echo is.

    Args:
        plan: its hosts, and what a stand-in of each calls itself when a user says so.
        echoes: the address that was asked, and what came back.
    """

    def __init__(self, plan: Plan, echoes: list[tuple[str, Echo]]) -> None:
        self._names = {known_as(host.name): host.name for host in plan.scope.all_hosts}
        self.hosts_at = _hosts_at(plan)
        self.addresses_of = _inverted(self.hosts_at)
        self._said: dict[str, set[str]] = {}
        self._stated: dict[str, set[str]] = {}
        self._met: dict[str, set[str]] = {}
        """By stack, the addresses at which it was met without translation."""
        for asked, echo in echoes:
            self._said.setdefault(echo.stack, set()).add(echo.name)
            if (name := self.stated(echo)) is not None:
                self._stated.setdefault(echo.stack, set()).add(name)
            if echo.address == asked:
                self._met.setdefault(echo.stack, set()).add(asked)
        self._having = _inverted(self._met)
        self._whose = {address: self._chosen(address) for address in self._having}
        self._belongs = {stack: set(hosts) for stack, hosts in self._stated.items()}
        for address, stack in self._whose.items():
            if stack is not None:
                self._belongs.setdefault(stack, set()).update(self.hosts_at.get(address, ()))
        self._met_hosts = set[str]().union(*self._belongs.values())
        self._behind: dict[str, Counter[str]] = {}
        """By address, the stacks behind a translation with nothing else against them, and how often."""
        for asked, echo in echoes:
            hosts = self.hosts_at.get(asked, set())
            if echo.address != asked and self.stated(echo) is None and self._translated(hosts, echo) is None:
                self._behind.setdefault(asked, Counter())[echo.stack] += 1
        self._answers_for = {stack: self._hosts_of(at) for stack, at in _inverted(self._behind).items()}

    def stated(self, said: Echo | StandInReport) -> str | None:
        """The host of the plan that a user said it is; the name of anything else tells nothing."""
        return self._names.get(said.name) if said.is_stated else None

    def stranger(self, asked: str, host: str, echo: Echo) -> str | None:
        """Who answered in the place of the host, in words; None when it was the host itself."""
        hosts = self.hosts_at.get(asked, set()) | {host}
        if (name := self.stated(echo)) is not None:
            return None if name in hosts else _stand_in_of({name})
        if echo.address == asked:
            return None if echo.stack == self._whose[asked] else self._second(asked, hosts, echo)
        against = self._translated(hosts, echo) or self._one_of_several(asked, hosts, echo)
        return against or self._named_like_another(hosts, echo)

    def _second(self, asked: str, hosts: set[str], echo: Echo) -> str:
        """A machine with an address that is another's."""
        who, number = self._described(hosts, echo), len(self._having[asked])
        return who if number == 1 else f"{who}, one of {number} machines that have the address {asked}"

    def _translated(self, hosts: set[str], echo: Echo) -> str | None:
        """Behind a translation it may be anybody, unless the machine is known, or the host's is and is another one."""
        others = self.hosts_at.get(echo.address, set())
        if others and not others & hosts:
            return _stand_in_of(others)
        belongs = self._belongs.get(echo.stack, set())
        suspect = not belongs & hosts and bool(belongs or hosts & self._met_hosts)
        return self._described(hosts, echo) if suspect else None

    def _one_of_several(self, asked: str, hosts: set[str], echo: Echo) -> str | None:
        """Behind one address there is one machine, the one that answers at most ports; and it is of one host."""
        if echo.stack in self._belongs:
            return None
        behind = self._behind.get(asked, Counter())
        as_often = sum(number >= behind[echo.stack] for number in behind.values())
        if as_often > 1:
            return f"{self._described(hosts, echo)}, one of {len(behind)} machines behind {asked}"
        others = self._answers_for[echo.stack] - hosts
        named = not self._said[echo.stack].isdisjoint(map(known_as, hosts))
        if others and not named:
            return f"{self._described(hosts, echo)}, which answers for {min(others)} as well"
        return None

    def _named_like_another(self, hosts: set[str], echo: Echo) -> str | None:
        """A machine's own name proves nothing, and behind a translation it is all that there is."""
        named = self._names.get(echo.name)
        return None if named is None or named in hosts else self._described(hosts, echo)

    def _described(self, hosts: set[str], echo: Echo) -> str:
        others = self._belongs.get(echo.stack, set()) - hosts
        return _stand_in_of(others) if others else f"a stand-in on {echo.name} ({echo.address})"

    def _hosts_of(self, addresses: Iterable[str]) -> set[str]:
        return set[str]().union(*(self.hosts_at.get(address, ()) for address in addresses))

    def _chosen(self, address: str) -> str | None:
        """The stack whose the address is; None when several machines have it and nothing tells whose it should be."""
        hosts = self.hosts_at.get(address, set())
        others = {other for host in hosts for other in self.addresses_of[host]} - {address}
        names = {known_as(host) for host in hosts}
        stacks = {stack for stack in self._having[address] if self._stated.get(stack, hosts) & hosts}
        tells: tuple[Callable[[str], bool], ...] = (
            lambda stack: bool(self._stated.get(stack)),
            lambda stack: bool(self._met[stack] & others),
            lambda stack: not self._met[stack] - others - {address},
            lambda stack: bool(self._said[stack] & names),
        )
        for tell in tells:
            if len(stacks) > 1:
                stacks = set(filter(tell, stacks)) or stacks
        return next(iter(stacks)) if len(stacks) == 1 else None


def _stand_in_of(hosts: set[str]) -> str:
    return f"the stand-in of {min(hosts)}"


def _hosts_at(plan: Plan) -> dict[str, set[str]]:
    """By address, the hosts of the plan that have it; the loopback address is that of the machine that we stand on."""
    found: dict[str, set[str]] = {}
    for host in plan.scope.all_hosts:
        for address in host.addresses:
            found.setdefault(_plain(address.ip), set()).add(host.name)
    for check in plan.checks:
        if check.address in LOOPBACK.values():
            found.setdefault(_plain(check.address), set()).add(check.host)
    return found


def _inverted(sets: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, values in sets.items():
        for value in values:
            found.setdefault(value, set()).add(key)
    return found


def _takes(bound: str, here: Iterable[str]) -> bool:
    """Whether a socket that is bound like this gets what is sent to one of the addresses.

    A stand-in's `::` is for IPv6 alone (IPV6_V6ONLY).
    """
    if bound in WILDCARD.values():
        return any((":" in address) is (":" in bound) for address in here)
    return _plain(bound) in here


@lru_cache(maxsize=65536)
def _plain(address: str) -> str:
    """As an echo has it: without a zone, which is of one machine, and in one spelling."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return address
