"""What nft prints of the extensions of iptables-nft, of which its JSON has no more than the name. Pure.

`nft -a list ruleset` translates many of them: `ct state related,established`, `tcp dport { 22, 80 }`. A line is read
as a whole, or not at all: a word that is not in the tables here leaves the rule as the JSON has it, which is not known.
"""

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

Key = Tuple[str, str, str]
"""Family, table and name of a chain."""

_TABLE = re.compile(r"table (\w+) (\S+) \{(?: # handle \d+)?")
_CHAIN = re.compile(r"\tchain (\S+) \{(?: # handle \d+)?")
_RULE = re.compile(r"\t\t(.*) # handle (\d+)")


def printed_rules(text: str) -> Dict[Key, List[Tuple[int, str]]]:
    """Handle and text of the rules of each chain, in order."""
    found: Dict[Key, List[Tuple[int, str]]] = {}
    table: Optional[Tuple[str, str]] = None
    rules: Optional[List[Tuple[int, str]]] = None
    for line in text.split("\n"):
        begun, chain, rule = _TABLE.fullmatch(line), _CHAIN.fullmatch(line), _RULE.fullmatch(line)
        if begun:
            table, rules = (begun[1], begun[2]), None
        elif chain and table:
            rules = found.setdefault((*table, chain[1]), [])
        elif line == "\t}":
            rules = None
        elif rule and rules is not None:
            rules.append((int(rule[2]), rule[1]))
    return found


def understood(statements: List[Any], line: str) -> List[Any]:
    """A rule of the JSON with what its line says of its extensions; as it was, where the line is not understood.

    All conditions of a rule must hold, so those that both show are asked twice, and their order does not matter.
    """
    # iptables-nft puts the counter between the conditions and what is done.
    at = next((number for number, each in enumerate(statements) if "counter" in each), 0)
    extensions = [each["xt"] for each in statements[:at] if "xt" in each]
    parts = _PARTS.match(line)
    # Before 1.0.6 the JSON has no names (None), and the text shows half a translation where there is no whole one.
    if not extensions or not all(extensions) or parts is None:
        return statements
    said = _conditions(parts["conditions"], [str(each["name"]) for each in extensions])
    if said is None:
        return statements
    return [*(each for each in statements[:at] if "xt" not in each), *said, *statements[at:]]


_PARTS = re.compile(r"(?P<conditions>(?:.*? )??)counter packets \d+ bytes \d+(?: |$)")


# ------------------------------------------------------------------------------------------------- conditions

_SILENT = "comment"
"""An extension of which nothing is printed. Of any other that means that nft lacks its translation."""
_TRANSLATED = frozenset(
    (
        *(_SILENT, "conntrack", "state", "tcp", "udp", "multiport", "addrtype", "iprange", "pkttype", "limit"),
        *("icmp", "icmp6", "hl", "rt"),
    )
)
"""Extensions whose translation says all that they ask, as far as it is understood here."""


def _payload(protocol: str, field: str) -> Dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


_LEFT: Mapping[str, Any] = {
    "ct state": {"ct": {"key": "state"}},
    "meta l4proto": {"meta": {"key": "l4proto"}},
    "iifname": {"meta": {"key": "iifname"}},
    "oifname": {"meta": {"key": "oifname"}},
    "pkttype": {"meta": {"key": "pkttype"}},
    "meta pkttype": {"meta": {"key": "pkttype"}},
    "meta mark": {"meta": {"key": "mark"}},
    "fib daddr type": {"fib": {"result": "type", "flags": ["daddr"]}},
    "rt type": {"exthdr": {"name": "rt", "field": "type"}},
    "ip protocol": _payload("ip", "protocol"),
    **{f"ip {field}": _payload("ip", field) for field in ("saddr", "daddr")},
    **{f"ip6 {field}": _payload("ip6", field) for field in ("saddr", "daddr", "nexthdr", "hoplimit")},
    **{f"{name} {field}": _payload(name, field) for name in ("tcp", "udp") for field in ("sport", "dport")},
    **{f"{name} type": _payload(name, "type") for name in ("icmp", "icmpv6")},
}
"""`ct status` is not among them: the translation of `--ctstate NEW,DNAT` is `ct status dnat`, without the NEW."""

_TYPES_ALIKE = ("local", "broadcast", "multicast")
"""Types of an address that mean the same in iptables. Over IPv6 its `unicast` holds for local ones, too, and of
`local,multicast` both must hold, however nft prints it (xt_addrtype.c)."""

_VALUE = r'(?:"[^" ]*"|[\w.:/-]+)'
_MATCH = re.compile(
    rf"(?P<left>{'|'.join(_LEFT)}) (?:(?P<operator>!=|!) )?"
    rf"(?:(?P<listed>{_VALUE}(?:,{_VALUE})*)|\{{ ?(?P<set>{_VALUE}(?:, ?{_VALUE})*) ?\}})"
)
_NAMES = r"\w+(?:[,|]\w+)*"
_FLAGS = re.compile(
    rf"tcp flags (?:(?P<operator>!=) )?(?P<value>{_NAMES}) / (?P<mask>{_NAMES})"
    rf"|tcp flags & \(?(?P<mask_before>{_NAMES})\)? (?P<operator_between>==|!=) (?P<value_after>{_NAMES})"
)
_SOMETIMES = re.compile(r'limit rate \d+/\w+(?: burst \d+ \w+)?|xt match (?P<name>"\w+"|\w+)')
_UNTRANSLATED = re.compile(r'(?:^| )xt match "?(\w+)')


def _conditions(text: str, extensions: Sequence[str]) -> Optional[List[Any]]:
    """What is asked before the counter; None: not understood."""
    # Each has a space after it. What prints nothing shows as a space too many.
    words = text[:-1].split(" ") if text else []
    text = " ".join(filter(None, words))
    untranslated = _UNTRANSLATED.findall(text)
    if words.count("") + untranslated.count(_SILENT) != extensions.count(_SILENT):
        return None
    others = [each for each in extensions if each not in _TRANSLATED]
    if any(untranslated.count(each) != others.count(each) for each in others):
        return None
    said: List[Any] = []
    at = 0
    while at < len(text):
        statement, at = _condition(text, at)
        if statement is None:
            return None
        said.append(statement)
    return said if len(said) >= len(extensions) - extensions.count(_SILENT) else None


def _condition(text: str, at: int) -> Tuple[Optional[Any], int]:
    """The one that begins there, if it is understood, and where the next one does."""
    for pattern, read in ((_MATCH, _match), (_FLAGS, _flags), (_SOMETIMES, _sometimes)):
        found = pattern.match(text, at)
        if found is not None and text[found.end() : found.end() + 1] in ("", " "):
            return read(found), found.end() + 1
    return None, at


def _match(found: "re.Match[str]") -> Optional[Any]:
    name, operator = found["left"], found["operator"] or "=="
    if name == "fib daddr type" and found["listed"] not in _TYPES_ALIKE:
        return None
    if found["set"] is not None:
        values: Any = {"set": [_value(each.strip()) for each in found["set"].split(",")]}
    elif name == "ct state":
        # As a row of bits, whether it is spelled `!` or, by older versions, `!=`.
        values = found["listed"].split(",")
        operator = "in" if operator == "==" else "!"
    else:
        values = _value(found["listed"])
    return None if operator == "!" and name != "ct state" else _statement(operator, _LEFT[name], values)


def _value(word: str) -> Any:
    """As the JSON has it. What is of none of these forms is a name, known or not."""
    if word.isdecimal():
        return int(word)
    first, dash, last = word.partition("-")
    if dash and (first[0:1].isdecimal() or ":" in first):
        return {"range": [_value(first), _value(last)]}
    address, slash, length = word.partition("/")
    if slash and length.isdecimal():
        return {"prefix": {"addr": address, "len": int(length)}}
    return word.strip('"')


def _flags(found: "re.Match[str]") -> Any:
    """`syn / fin,syn,rst,ack`, in other versions `& (fin|syn|rst|ack) == syn`."""
    mask, value = (re.split("[,|]", found[one] or found[other]) for one, other in _FLAG_GROUPS)
    operator = found["operator"] or found["operator_between"] or "=="
    return _statement(operator, {"&": [_payload("tcp", "flags"), mask]}, value)


_FLAG_GROUPS = (("mask", "mask_before"), ("value", "value_after"))


def _sometimes(found: "re.Match[str]") -> Any:
    """Something that nobody knows beforehand."""
    return {"counter": None} if (found["name"] or "").strip('"') == _SILENT else {"limit": None}


def _statement(operator: str, left: Any, right: Any) -> Any:
    return {"match": {"op": operator, "left": left, "right": right}}
