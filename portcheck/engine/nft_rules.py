"""What an nftables ruleset does with a new connection or datagram from outside: read, not tried. Pure.

Every match is true, false or not known, for much of a packet nobody knows beforehand: the interface it comes in by,
its source port, its mark. What is not known goes both ways, so the result is the set of all ways the packet may end.
One way alone is an answer; more than one is none. Input: what `nft -j list ruleset` prints, libnftables-json(5), and
what `nft -a list ruleset` does, for the extensions of iptables-nft.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .nft_text import printed_rules, understood
from .nft_values import (
    FLAGS,
    ICMPV6,
    STATES,
    Found,
    Known,
    Members,
    Packet,
    Reader,
    bare,
    compared,
    field_of,
    find_in_rows,
    negated,
)
from .probe import Transport, Word

_JUMPS = 32
"""The kernel allows 16 (NFT_JUMP_STACK_SIZE); what has more is from no kernel."""
_STEPS = 2_000_000
"""Rules and set elements looked at for one ruleset, some seconds; what is asked after them is unclear."""
_STEPS_OF_A_ROW = 5
"""A row of a set costs as much as so many rules, measured: 16 and 3 microseconds."""
_NAME_CHARS = 64
_NOT_UNDERSTOOD = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)
"""What reading raises where a statement has a form that nobody knew of."""


class End(Word):
    """How a packet may end."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    UNCLEAR = "unclear"


Ends = Dict[End, str]
"""The ways a packet may end, each with a place that does it: "table inet filter, chain input, rule handle 7"."""

_Key = Tuple[str, str, str]
"""Family, table and name of a chain, set or map."""


@dataclass(frozen=True)
class _Chain:
    """`hook` is None where other chains have to jump to it; `kind` is "filter", "nat" or "route"."""

    key: _Key
    rules: List[Any]
    hook: Optional[str]
    kind: Optional[str]
    priority: int
    policy: Optional[str]

    def place(self, where: str) -> str:
        family, table, name = self.key
        return f"table {shown(family)} {shown(table)}, chain {shown(name)}, {where}"


def shown(name: str) -> str:
    """A name as it may be printed: the kernel takes any bytes."""
    return "".join(char if char.isprintable() else "?" for char in str(name)[:_NAME_CHARS])


def first_packet(
    transport: Transport, port: int, *, is_ipv6: bool, source: Optional[int], target: Optional[int], is_local: bool
) -> Packet:
    """What opens a connection to a port of this machine, or asks it without one."""
    packet = Packet(is_ipv6, transport, source, target, target_port=port, is_local=is_local)
    return replace(packet, flags=FLAGS["syn"], state=STATES["new"])


class Ruleset:
    """The tables of one machine. `tables` are family and name of each, in force or not."""

    def __init__(self, text: str = '{"nftables": []}', printed: str = "", steps: int = _STEPS) -> None:
        """Raises ValueError for anything but what `nft -j list ruleset` prints.

        Args:
            printed: by `nft -a list ruleset`; empty where unknown, so that extensions of iptables-nft are, too.
            steps: see _STEPS.
        """
        self._chains: Dict[_Key, _Chain] = {}
        self._sets: Dict[_Key, List[Any]] = {}
        self._changing: Set[_Key] = set()
        self._is_untracked = False
        self._members: Dict[Tuple[int, Reader], Members] = {}
        self._steps_left = steps
        try:
            listed = [next(iter(each.items())) for each in json.loads(text)["nftables"]]
            tables = {(str(of["family"]), str(of["name"])): of for kind, of in listed if kind == "table"}
            self.tables = tuple(tables)
            self._perhaps_dormant = {key for key, of in tables.items() if not _is_in_force(of)}
            self._read(listed)
            # A comment with a line break in it could pass for a rule.
            self._translate(printed if "\\n" not in text else "")
        except (*_NOT_UNDERSTOOD, StopIteration) as error:
            raise ValueError(f"not understood: {type(error).__name__}") from error

    def _read(self, listed: Sequence[Tuple[str, Any]]) -> None:
        for kind, of in listed:
            if kind == "metainfo" and of.get("json_schema_version", 1) != 1:
                raise ValueError("a newer form")
            if kind not in ("chain", "set", "map") or (of["family"], of["table"]) not in self.tables:
                continue
            key = (of["family"], of["table"], of["name"])
            if kind == "chain":
                at = int(of.get("prio", 0))
                self._chains[key] = _Chain(key, [], of.get("hook"), of.get("type"), at, of.get("policy"))
            else:
                kept = frozenset(kind for statement in of.get("stmt", ()) for kind in statement)
                elements = of.get("elem", [])
                self._sets[key] = [_as_kept(each, kept) for each in list_of(elements)] if kept else elements
                if "timeout" in of.get("flags", ()) or "dynamic" in of.get("flags", ()):
                    self._changing.add(key)
        for kind, of in listed:
            if kind == "rule" and (of["family"], of["table"]) in self.tables:
                self._chains[of["family"], of["table"], of["chain"]].rules.append(of)
        self._hooked = [chain for chain in self._chains.values() if chain.hook is not None]

    def _translate(self, printed: str) -> None:
        """Fills in what only the text says, where both list the same rules."""
        lines = printed_rules(printed)
        for chain in self._chains.values():
            beside = lines.get(chain.key, [])
            if [rule.get("handle") for rule in chain.rules] == [handle for handle, _ in beside]:
                for rule, (_, line) in zip(chain.rules, beside):  # noqa: B905  (Python 3.10)
                    rule["expr"] = understood(rule["expr"], line)
            for rule in chain.rules:
                self._note_effects(rule)

    def _note_effects(self, rule: Mapping[str, Any]) -> None:
        """What a rule does that decides what others mean, wherever it stands."""
        for statement in rule["expr"]:
            ((kind, of),) = statement.items()
            # nft 1.0.6 does not print the flag `dynamic`: the rules tell which sets have elements that come and go.
            if kind in ("set", "map", "meter"):
                name = of.get(kind, of.get("name"))
                self._changing.add((rule["family"], rule["table"], str(name).lstrip("@")))
            # In a zone of its own a connection is looked for where nobody else looks: answers may be of no connection.
            is_zoned = kind == "mangle" and of["key"].get("ct", {}).get("key") == "zone"
            if is_zoned or kind == "notrack" or (kind == "xt" and (of is None or of.get("name") in ("CT", "NOTRACK"))):
                self._is_untracked = True

    @property
    def is_empty(self) -> bool:
        """No chain is hooked in anywhere."""
        return not self._hooked

    # ------------------------------------------------------------------------------------ what becomes of a packet

    def ends(self, first: Packet) -> Ends:
        """How a new connection or datagram may end, and what follows and answers it."""
        if self._is_untracked:
            first = replace(first, state=None)
        found = self._beneath(first)
        for hooks in (_OUTBOUND, _INBOUND) if first.is_local else (_INBOUND,):
            ends = self._through(hooks, replace(first, is_outbound=hooks is _OUTBOUND))
            _add(found, ends)
            if End.ACCEPT not in ends:
                found.pop(End.ACCEPT, None)
                break
        if len(found) > 1:
            return found
        needed = _rest(first) if End.ACCEPT in found else _rejections(first) if End.REJECT in found else []
        if needed and first.is_ipv6 and not first.is_local:
            needed += _NEIGHBOUR_DISCOVERY
        for way, packet, role in needed:
            ends = self._through(way, packet)
            if set(ends) != {End.ACCEPT}:
                _add(found, {End.UNCLEAR: f"{role}: {_trouble(ends)}"})
        return found

    def _beneath(self, first: Packet) -> Ends:
        """Interfaces, bridges and ARP see frames: all that is asked is whether any of them are ever dropped there."""
        for chain in self._hooked:
            family = chain.key[0]
            beneath = family in ("netdev", "bridge", "arp") or chain.hook in ("ingress", "egress")
            if beneath and chain.hook != "forward" and not (family == "arp" and first.is_ipv6):
                ends = _Walk(self, None).base(chain)
                if set(ends) != {End.ACCEPT}:
                    return {End.UNCLEAR: _trouble(ends)}
        return {}

    def _through(self, hooks: Sequence[str], packet: Packet) -> Ends:
        """Past all base chains of these hooks; each of them must accept."""
        walk, untracked = _Walk(self, packet), _Walk(self, replace(packet, state=None))
        found: Ends = {}
        for hook in hooks:
            chains = [chain for chain in self._hooked if chain.hook == hook and _meets(packet, chain)]
            for priority in sorted({chain.priority for chain in chains}):
                # Of two chains with one priority the listing does not tell which is first.
                early = priority <= _TRACKED_FROM and hook in ("prerouting", "output")
                at_once = (chain for chain in chains if chain.priority == priority)
                level = [(untracked if early else walk).base(chain) for chain in at_once]
                for ends in level:
                    _add(found, {end: place for end, place in ends.items() if end is not End.ACCEPT})
                if any(End.ACCEPT not in ends for ends in level):
                    return found
        return {**found, End.ACCEPT: ""}

    # ------------------------------------------------------------------------------------------ what a walk needs

    def chain(self, key: _Key) -> _Chain:
        return self._chains[key]

    def may_be_dormant(self, chain: _Chain) -> bool:
        return chain.key[:2] in self._perhaps_dormant

    def elements(self, right: Any, table: _Key) -> Optional[List[Any]]:
        """Of an anonymous or a named set or map of that table; None where they come and go."""
        if isinstance(right, dict):
            return list_of(right["set"])
        key = (table[0], table[1], right[1:])
        return None if key in self._changing else list_of(self._sets[key])

    def members(self, elements: List[Any], read: Reader) -> Members:
        """The elements, or the keys of a map, as numbers; read once."""
        key = (id(elements), read)
        if key not in self._members:
            self.spend(len(elements))
            self._members[key] = Members([_key_of(each) for each in elements], read)
        return self._members[key]

    def spend(self, steps: int = 1) -> bool:
        """Whether there is time for so many more steps."""
        self._steps_left -= steps
        return self._steps_left >= 0


def list_of(value: Any) -> List[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _is_in_force(table: Mapping[str, Any]) -> bool:
    """Whether it surely is: not where it may be dormant.

    Up to 1.0.9 nft prints freed memory in place of a single flag: "inet", the name of a table, anything (its commit
    "json: fix use after free in table_flags_json()"). Several flags are a list, in newer versions a single one, too.
    """
    flags = table.get("flags", [])
    return isinstance(flags, list) and set(flags) <= {"owner", "persist"}


def _key_of(element: Any) -> Any:
    """Elements of a map are pairs."""
    return element[0] if isinstance(element, list) else element


def _as_kept(element: Any, kept: "frozenset[str]") -> Any:
    """An element, or a pair of a map, of a set that keeps such statements for each of its own.

    Of the statements of an element nft 1.0.6 prints the first one only. So a counter may hide a limit, unless the set
    says that it is all there is.
    """
    if isinstance(element, list):
        return [_as_kept(element[0], kept), *element[1:]]
    said = {**element["elem"]} if isinstance(element, dict) and "elem" in element else {"val": element}
    if kept == {"counter"}:
        said.pop("counter", None)
    else:
        said.update(dict.fromkeys(kept))
    return {"elem": said}


_TRACKED_FROM = -200
"""NF_IP_PRI_CONNTRACK: chains before it take every packet for invalid."""
_INBOUND = ("prerouting", "input")
_OUTBOUND = ("output", "postrouting")
_FOLLOWING = "the packets that follow the first"
_ANSWERS = "the answers"


_Way = Tuple[Sequence[str], Packet, str]
"""Hooks, the packet that has to pass them, and what it is."""


def _rest(first: Packet) -> List[_Way]:
    """What else has to pass so that a port can be used, beside the first packet."""
    tracked = None if first.state is None else STATES["established"]
    later = replace(first, state=tracked, flags=FLAGS["ack"])
    answer = replace(
        first,
        source=first.target,
        target=first.source,
        source_port=first.target_port,
        target_port=first.source_port,
        flags=FLAGS["syn"] | FLAGS["ack"],
        state=tracked,
    )
    if not first.is_local:
        return [(_INBOUND, later, _FOLLOWING), (_OUTBOUND, replace(answer, is_outbound=True), _ANSWERS)]
    return [
        (hooks, replace(packet, is_outbound=hooks is _OUTBOUND), role)
        for packet, role in ((later, _FOLLOWING), (answer, _ANSWERS))
        for hooks in (_OUTBOUND, _INBOUND)
    ]


def _rejections(first: Packet) -> List[_Way]:
    """A reset or an ICMP error, as it leaves; the connection tracking may not know it."""
    answer = Packet(first.is_ipv6, first.transport, first.target, first.source, is_outbound=True)
    packets = (
        replace(answer, source_port=first.target_port, flags=FLAGS["rst"] | FLAGS["ack"], is_local=first.is_local),
        replace(answer, transport=Transport.ICMP, is_local=first.is_local),
    )
    return [(_OUTBOUND, packet, "its rejections") for packet in packets if packet.transport is not Transport.UDP]


_NEIGHBOUR_DISCOVERY: List[_Way] = [
    (
        hooks,
        Packet(True, Transport.ICMP, icmp_type=kind, state=STATES["untracked"], is_outbound=hooks is _OUTBOUND),
        "IPv6 neighbour discovery",
    )
    for kind in (ICMPV6["nd-neighbor-solicit"], ICMPV6["nd-neighbor-advert"])
    for hooks in (_INBOUND, _OUTBOUND)
]
"""Without it nobody on the link finds this machine (RFC 4861): the usual oversight of `policy drop`."""


def _meets(packet: Packet, chain: _Chain) -> bool:
    """Whether the packet comes past this chain of a hook."""
    # Chains of NAT see the first packet of a connection only.
    if chain.kind == "nat" and packet.state == STATES["established"]:
        return False
    return chain.key[0] in ("inet", "ip6" if packet.is_ipv6 else "ip")


def _add(ends: Ends, more: Mapping[End, str]) -> None:
    for end, place in more.items():
        ends.setdefault(end, place)


def _trouble(ends: Ends) -> str:
    """Where a packet may be held up."""
    return next(ends[end] for end in (End.UNCLEAR, End.DROP, End.REJECT) if end in ends)


# --------------------------------------------------------------------------------------------------- rule by rule


class _Outcome(NamedTuple):
    """Of a chain or rule: how a packet may end in it, and whether it may come out again: to the next rule
    (`goes_on`), or to whoever jumped to this chain (`returns`)."""

    ends: Ends
    returns: bool = False
    goes_on: bool = False


_NEXT_RULE = _Outcome({}, goes_on=True)
_WITHOUT_EFFECT = frozenset(
    ("counter", "log", "notrack", "dup", "last", "secmark", "ct helper", "ct timeout", "ct expectation", "continue")
)
_SOMETIMES = frozenset(("limit", "quota", "ct count", "set", "map", "meter"))
"""Statements that end the rule when a measure is full."""
_TARGETS_WITHOUT_EFFECT = frozenset(
    (
        *("LOG", "NFLOG", "MARK", "CONNMARK", "SECMARK", "CONNSECMARK", "TCPMSS", "CHECKSUM", "AUDIT", "CLASSIFY"),
        *("DSCP", "TOS", "ECN", "TTL", "HL", "SET", "CT", "NOTRACK", "TRACE", "RATEEST"),
    )
)
_VERDICTS = frozenset(("accept", "drop", "reject", "jump", "goto", "return", "vmap"))
_MANGLED_WITHOUT_EFFECT = frozenset(("ttl", "hoplimit", "dscp", "ecn"))


class _Walk:
    """One packet on its way through chains."""

    def __init__(self, rules: Ruleset, packet: Optional[Packet]) -> None:
        self._rules = rules
        self._packet = packet
        self._walked: Dict[_Key, _Outcome] = {}

    def base(self, chain: _Chain) -> Ends:
        """How the packet may leave a chain that is hooked in; ACCEPT: to the next one."""
        outcome = self._chain(chain, 0)
        ends = dict(outcome.ends)
        if outcome.returns:
            policy = _POLICIES.get(chain.policy or "accept", End.UNCLEAR)
            _add(ends, {policy: chain.place("policy")})
        if self._rules.may_be_dormant(chain) and set(ends) != {End.ACCEPT}:
            return {End.UNCLEAR: f"{_trouble(ends)}, of a table that may be dormant", End.ACCEPT: ""}
        if chain.kind == "nat" and set(ends) != {End.ACCEPT}:
            # Without connection tracking in that family the kernel passes over chains of NAT, even their policy.
            return {End.UNCLEAR: _trouble(ends), End.ACCEPT: ""}
        return ends

    def _chain(self, chain: _Chain, depth: int) -> _Outcome:
        if chain.key in self._walked:
            return self._walked[chain.key]
        unclear = _Outcome({End.UNCLEAR: chain.place("too deep")}, returns=True)
        if depth > _JUMPS:
            return unclear
        self._walked[chain.key] = unclear  # For a chain that jumps to itself, which no kernel has.
        ends: Ends = {}
        returns = False
        for rule in chain.rules:
            outcome = self._rule(chain, rule, depth)
            _add(ends, outcome.ends)
            returns = returns or outcome.returns
            if not outcome.goes_on:
                break
        else:
            returns = True
        self._walked[chain.key] = _Outcome(ends, returns)
        return self._walked[chain.key]

    def _rule(self, chain: _Chain, rule: Mapping[str, Any], depth: int) -> _Outcome:
        handle = rule.get("handle")
        place = chain.place(f"rule handle {handle}" if isinstance(handle, int) else "a rule")
        if not self._rules.spend():
            return _Outcome({End.UNCLEAR: "the ruleset is too large"}, returns=True)
        try:
            return self._statements(chain, rule["expr"], place, depth)
        except _NOT_UNDERSTOOD:
            return _Outcome({End.UNCLEAR: place}, returns=True, goes_on=True)

    def _statements(self, chain: _Chain, statements: Sequence[Any], place: str, depth: int) -> _Outcome:
        """Each statement is a condition of those behind it, or decides."""
        may_go_on = False
        for number, statement in enumerate(statements):
            ((kind, of),) = statement.items()
            if kind == "xt":
                kind, of = _translated(of, statements[number + 1 :])
            if kind in _VERDICTS:
                outcome = self._verdict(chain, kind, of, place, depth)
                hides = kind == "reject" and _hides_a_family(chain, of or {}, statements)
                return outcome._replace(goes_on=outcome.goes_on or may_go_on or hides)
            holds = self._condition(chain, kind, of)
            if holds is False:
                return _NEXT_RULE
            if holds is None and kind not in _SOMETIMES and kind != "match":
                return _Outcome({End.UNCLEAR: place}, returns=True, goes_on=True)
            may_go_on = may_go_on or holds is None
        return _NEXT_RULE

    def _condition(self, chain: _Chain, kind: str, of: Any) -> Known:
        """Whether the packet gets past a statement; None for one that is not understood, too."""
        if kind == "match":
            return self._matches(chain, of["op"], of["left"], of["right"])
        if kind in _WITHOUT_EFFECT or (kind == "mangle" and _is_harmless(of["key"])):
            return True
        return None

    def _matches(self, chain: _Chain, operator: str, left: Any, right: Any) -> Known:
        if (isinstance(right, str) and right[:1] == "@") or (isinstance(right, dict) and "set" in right):
            found = self._found(chain, left, right)
            if found is None:
                return False
            return negated(found.known, operator == "!=") if operator in ("==", "!=", "in") else None
        field = None if "concat" in left else field_of(left, self._packet)
        return False if field is None else compared(operator, field, right)

    def _found(self, chain: _Chain, left: Any, right: Any) -> Optional[Found]:
        """Which elements of a set or map the packet may be; None: it has no such part."""
        parts = left.get("concat", [left])
        fields = [field for field in (field_of(part, self._packet) for part in parts) if field is not None]
        if len(fields) < len(parts):
            return None
        elements = self._rules.elements(right, chain.key)
        if elements is None:
            return Found((0,), True)
        if "concat" not in left:
            return self._rules.members(elements, fields[0].read).find(fields[0])
        if not self._rules.spend(_STEPS_OF_A_ROW * len(elements)):
            raise ValueError("the ruleset is too large")
        return find_in_rows(fields, [_key_of(each) for each in elements])

    def _verdict(self, chain: _Chain, kind: str, of: Any, place: str, depth: int) -> _Outcome:
        if kind in ("accept", "drop"):
            return _Outcome({End(kind): place})
        if kind == "return":
            return _Outcome({}, returns=True)
        if kind == "reject":
            return self._rejected(of or {}, place)
        if kind == "vmap":
            return self._mapped(chain, of, place, depth)
        target = self._rules.chain((chain.key[0], chain.key[1], of["target"]))
        inner = self._chain(target, depth + 1)
        if kind == "goto":  # The end of the other chain is the end of this one.
            return inner
        return _Outcome(inner.ends, goes_on=inner.returns)

    def _rejected(self, of: Mapping[str, Any], place: str) -> _Outcome:
        """nft does not print the condition on the family or protocol that comes with a kind of rejection."""
        packet, kind = self._packet, of.get("type")
        if packet is not None and kind == "tcp reset" and packet.transport is not Transport.TCP:
            return _Outcome({End.DROP: place}, goes_on=True)
        is_other = packet is not None and kind == ("icmp" if packet.is_ipv6 else "icmpv6")
        return _Outcome({End.REJECT: place}, goes_on=is_other)

    def _mapped(self, chain: _Chain, of: Mapping[str, Any], place: str, depth: int) -> _Outcome:
        found = self._found(chain, of["key"], of["data"])
        if found is None:
            return _NEXT_RULE
        elements = self._rules.elements(of["data"], chain.key)
        if elements is None or not self._rules.spend(len(found.places)):
            raise ValueError("its elements come and go, or are too many")
        ends: Ends = {}
        returns, goes_on = False, found.may_miss
        for number in found.places:
            ((kind, target),) = bare(elements[number][1]).items()
            if kind == "continue":
                goes_on = True
                continue
            if kind not in _VERDICTS:
                raise ValueError("no verdict")
            outcome = self._verdict(chain, kind, target, place, depth)
            _add(ends, outcome.ends)
            returns, goes_on = returns or outcome.returns, goes_on or outcome.goes_on
        return _Outcome(ends, returns, goes_on)


_POLICIES = {"accept": End.ACCEPT, "drop": End.DROP}


def _hides_a_family(chain: _Chain, rejection: Mapping[str, Any], statements: Sequence[Mapping[str, Any]]) -> bool:
    """Of `meta nfproto ipv6 reject with tcp reset` nft 1.0.6 prints the second half only, JSON or not."""
    if chain.key[0] != "inet" or rejection.get("type") != "tcp reset":
        return False
    matched = [each["match"]["left"] for each in statements if "match" in each]
    return not any(left.get("payload", {}).get("protocol") in ("ip", "ip6") for left in matched)


def _translated(of: Any, rest: Sequence[Mapping[str, Any]]) -> Tuple[str, Any]:
    """The statement that says as much as the name of an extension of iptables-nft does: its arguments are not known.

    A rule of iptables has either a target extension at its end or a verdict, so one with a verdict is a match.
    """
    kind = of.get("type") if isinstance(of, dict) else None
    name = of.get("name") if isinstance(of, dict) else None
    if kind == "match" or any(verdict in each for each in rest for verdict in _VERDICTS):
        return ("counter", None) if name == "comment" else ("limit", None)
    if kind == "target" and name in _TARGETS_WITHOUT_EFFECT:
        return "counter", None
    return ("reject", None) if kind == "target" and name == "REJECT" else ("xt", of)


def _is_harmless(key: Mapping[str, Any]) -> bool:
    """Whether setting this part of a packet leaves what rules are asked about here as it is."""
    ((kind, of),) = key.items()
    if kind == "meta":
        return bool(of["key"] != "pkttype")
    return kind in ("ct", "tcp option") or (kind == "payload" and of.get("field") in _MANGLED_WITHOUT_EFFECT)
