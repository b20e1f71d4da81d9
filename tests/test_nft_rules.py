"""Rulesets as machines have them, and what becomes of a packet under them; tests/lab asks the kernel the same.

tests/rulesets holds what nft 1.0.6 lists: of Debian's default, of chains as firewalld and docker make them, of
iptables-nft, of an allow list with everything in it that is understood, of sets that keep something for each element
(kept), of a dormant table, and of a zone of connections. With the text beside the JSON: of ufw
0.36.2 with some rules of a user's, and of a host with docker and the rules that Red Hat's distributions begin with.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portcheck.engine.nft_rules import End, Ruleset, first_packet
from portcheck.engine.probe import Transport

RULESETS = Path(__file__).with_name("rulesets")

ACCEPT, DROP, REJECT = {End.ACCEPT}, {End.DROP}, {End.REJECT}
REJECTED_BEFORE_NAT = {End.REJECT, End.UNCLEAR}
"""The rejection itself may meet docker's chains of NAT on its way out."""


def became(
    rules: Ruleset, port: str, source: str | None = None, *, ipv6: bool = False, is_local: bool = False
) -> dict[End, str]:
    number, transport = port.split("/")
    asked = first_packet(
        Transport(transport),
        int(number),
        is_ipv6=ipv6 or (source is not None and ":" in source),
        source=None if source is None else int(ip_address(source)),
        target=None,
        is_local=is_local,
    )
    return rules.ends(asked)


def recorded(name: str) -> Ruleset:
    text = RULESETS / f"{name}.txt"
    printed = text.read_text(encoding="utf-8") if text.exists() else ""
    return Ruleset((RULESETS / f"{name}.json").read_text(encoding="utf-8"), printed)


def chain(*statements: list[Any], policy: str = "drop", hook: str = "input", also: tuple[Any, ...] = ()) -> Ruleset:
    """One base chain with these rules, handles from 1."""
    return Ruleset(json.dumps({"nftables": [*also, *listed(*statements, policy=policy, hook=hook)]}))


def listed(
    *statements: list[Any],
    policy: str = "drop",
    hook: str = "input",
    name: str = "c",
    family: str = "inet",
    prio: int = 0,
) -> list[dict[str, Any]]:
    where = {"family": family, "table": "t"}
    head = {**where, "name": name, "type": "filter", "hook": hook, "prio": prio, "policy": policy}
    rules = [{"rule": {**where, "chain": name, "handle": at, "expr": each}} for at, each in enumerate(statements, 1)]
    return [{"table": {"family": family, "name": "t"}}, {"chain": head}, *rules]


def match(left: Mapping[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
ESTABLISHED = [match(STATE, ["established", "related"], "in"), {"accept": None}]
ALLOWED: dict[str, Any] = {"accept": None}
DROPPED: dict[str, Any] = {"drop": None}

# (ruleset, port, source, how it may end); the source also says which family.
KNOWN: tuple[tuple[str, str, str | None, set[End]], ...] = (
    ("debian", "22/tcp", None, ACCEPT),
    ("debian", "53/udp", "fd00::1", ACCEPT),
    ("firewalld", "22/tcp", None, ACCEPT),
    ("firewalld", "5050/tcp", "10.9.9.9", ACCEPT),
    ("firewalld", "8100/tcp", None, ACCEPT),
    ("firewalld", "8101/tcp", None, REJECT),
    ("firewalld", "53/udp", None, REJECT),
    ("firewalld", "161/udp", None, DROP),
    ("firewalld", "2181/tcp", "10.0.0.5", ACCEPT),
    ("firewalld", "2181/tcp", "10.0.1.5", REJECT),
    ("firewalld", "2181/tcp", None, {End.ACCEPT, End.REJECT}),
    ("docker", "22/tcp", None, ACCEPT),
    ("docker", "8080/udp", None, ACCEPT),
    ("docker", "8080/tcp", None, {End.ACCEPT, End.UNCLEAR}),
    ("ufw", "22/tcp", None, ACCEPT),
    ("ufw", "22/tcp", "fd00::1", ACCEPT),
    ("ufw", "5050/tcp", "10.1.2.3", ACCEPT),
    ("ufw", "5050/tcp", "11.1.2.3", DROP),
    ("ufw", "5050/tcp", "fd00::1", DROP),
    ("ufw", "23/tcp", None, DROP),
    ("ufw", "24/udp", None, REJECT),
    ("ufw", "24/tcp", "fd00::1", REJECT),
    ("ufw", "25/tcp", None, {End.ACCEPT, End.REJECT}),
    ("ufw", "443/tcp", None, ACCEPT),
    ("ufw", "443/udp", None, DROP),
    ("ufw", "8010/udp", None, ACCEPT),
    ("ufw", "8011/udp", "fd00::1", DROP),
    ("iptables-host", "22/tcp", None, ACCEPT),
    ("iptables-host", "22/tcp", "fd00::1", ACCEPT),
    ("iptables-host", "22/udp", None, REJECTED_BEFORE_NAT),
    ("iptables-host", "443/tcp", None, ACCEPT),
    ("iptables-host", "443/tcp", "fd00::1", REJECT),
    ("iptables-host", "8010/tcp", None, ACCEPT),
    ("iptables-host", "8011/tcp", None, REJECTED_BEFORE_NAT),
    ("iptables-host", "5050/tcp", "10.0.0.9", ACCEPT),
    ("iptables-host", "5050/tcp", "10.0.0.10", REJECTED_BEFORE_NAT),
    ("iptables-host", "123/udp", "10.0.0.9", ACCEPT),
    ("iptables-host", "123/udp", "10.0.0.10", REJECTED_BEFORE_NAT),
    ("iptables-host", "25/tcp", None, {End.ACCEPT, End.REJECT}),
    ("iptables-host", "26/tcp", None, {End.ACCEPT, End.DROP}),
    ("iptables-host", "27/tcp", None, {End.ACCEPT, End.REJECT}),
    ("iptables-host", "8080/tcp", None, {End.REJECT, End.UNCLEAR}),
    ("plain-iptables", "22/tcp", None, ACCEPT),
    ("plain-iptables", "111/tcp", None, REJECT),
    ("plain-iptables", "111/udp", None, DROP),
    ("plain-iptables", "112/tcp", None, ACCEPT),
    ("plain-iptables", "113/tcp", None, {End.ACCEPT, End.DROP}),
    ("plain-iptables", "5050/tcp", "10.1.2.3", ACCEPT),
    ("plain-iptables", "5050/tcp", "11.1.2.3", DROP),
    ("plain-iptables", "5050/tcp", "fd00::1", ACCEPT),
    ("allowed", "22/tcp", None, ACCEPT),
    ("allowed", "23/tcp", None, DROP),
    ("allowed", "22/udp", None, DROP),
    ("allowed", "22/tcp", "fd00::1", ACCEPT),
    ("allowed", "2181/tcp", "10.0.0.3", ACCEPT),
    ("allowed", "2181/tcp", "10.0.0.4", DROP),
    ("allowed", "2181/tcp", "10.0.9.255", ACCEPT),
    ("allowed", "2181/tcp", "fd00::1", DROP),
    ("allowed", "5050/tcp", "10.0.0.7", DROP),
    ("allowed", "5050/tcp", "10.0.0.8", ACCEPT),
    ("allowed", "3000/tcp", None, {End.REJECT, End.DROP}),
    ("allowed", "3010/udp", None, DROP),
    ("allowed", "53/udp", None, ACCEPT),
    ("allowed", "53/tcp", None, DROP),
    ("allowed", "123/udp", "10.0.0.9", ACCEPT),
    ("allowed", "123/udp", "10.0.0.10", REJECT),
    ("allowed", "123/udp", "10.0.0.11", DROP),
    ("allowed", "161/udp", None, DROP),
    ("allowed", "514/udp", "10.0.0.2", ACCEPT),
    ("allowed", "514/udp", "10.0.0.3", DROP),
    ("allowed", "9005/tcp", None, ACCEPT),
    ("allowed", "9000/udp", None, DROP),
    ("allowed", "7000/tcp", None, {End.ACCEPT, End.DROP}),
    ("allowed", "7001/tcp", None, {End.ACCEPT, End.DROP}),
    ("allowed", "7002/tcp", None, {End.ACCEPT, End.DROP}),
    ("allowed", "7003/tcp", None, DROP),
    ("allowed", "7004/tcp", None, ACCEPT),
    ("allowed", "7005/tcp", "fd00::1", ACCEPT),
    ("allowed", "7005/tcp", "2001:db8::1", DROP),
    ("allowed", "7006/udp", None, ACCEPT),
    # A quota, a rate and a number of connections that each element has for itself.
    *(("kept", f"{port}/tcp", "10.0.0.1", {End.ACCEPT, End.DROP}) for port in (21, 22, 23, 24, 27, 31)),
    *(("kept", f"{port}/tcp", "10.0.0.2", DROP) for port in (21, 23, 27)),
    ("kept", "25/tcp", "10.0.0.1", ACCEPT),
    ("kept", "25/tcp", "10.0.0.2", DROP),
    # An element that ends in an hour.
    ("kept", "26/tcp", "10.0.0.1", {End.ACCEPT, End.DROP}),
    # A rate; a rate again, behind a counter, which is all that nft 1.0.6 prints.
    ("kept", "28/tcp", "10.0.0.1", {End.ACCEPT, End.DROP}),
    ("kept", "29/tcp", "10.0.0.1", {End.ACCEPT, End.DROP}),
    ("kept", "30/tcp", "10.0.0.1", DROP),
    ("kept", "32/tcp", "10.0.0.1", ACCEPT),
    ("kept", "33/tcp", "10.0.0.1", DROP),
    ("dormant", "22/tcp", None, {End.ACCEPT, End.UNCLEAR}),
    ("zone", "22/tcp", None, {End.ACCEPT, End.UNCLEAR}),
)


@pytest.mark.parametrize(("name", "port", "source", "expected"), KNOWN)
def test_what_machines_have(name: str, port: str, source: str | None, expected: set[End]) -> None:
    found = became(recorded(name), port, source)
    assert set(found) == expected, found


@pytest.mark.parametrize("port", ["22/tcp", "80/tcp", "9999/tcp", "53/udp"])
def test_what_the_json_does_not_say_of_iptables_is_not_guessed(port: str) -> None:
    """ufw begins with `-m conntrack`, of which there is no more than the name: it may accept, and it may drop."""
    rules = Ruleset((RULESETS / "ufw.json").read_text(encoding="utf-8"))
    assert {End.ACCEPT, End.DROP} <= set(became(rules, port))


def test_the_reverse_path_check_of_firewalld_depends_on_the_interface() -> None:
    found = became(recorded("firewalld"), "22/tcp", "fd00::1")
    assert set(found) == {End.ACCEPT, End.DROP}
    assert "mangle_PREROUTING" in found[End.DROP]


def test_the_place_that_decides_is_named() -> None:
    assert became(recorded("allowed"), "23/tcp") == {End.DROP: "table inet site, chain input, policy"}
    found = became(recorded("allowed"), "123/udp", "10.0.0.10")
    assert found == {End.REJECT: "table inet site, chain clocks, rule handle 8"}


def test_over_the_loopback_interface_what_is_for_it_holds() -> None:
    assert set(became(recorded("allowed"), "7003/tcp", "10.0.0.1", is_local=True)) == ACCEPT


# ----------------------------------------------------------------------------------------------- one by one

# (rules before `policy drop`, port, how it may end)
STATEMENTS: dict[str, tuple[list[list[Any]], str, set[End]]] = {
    "queue": ([[{"queue": {"num": 0}}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "flowtable": (
        [ESTABLISHED, [{"flow": {"op": "add", "flowtable": "@f"}}, ALLOWED]],
        "1/tcp",
        {End.UNCLEAR, End.DROP},
    ),
    "synproxy": ([[{"synproxy": None}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "redirect": ([[match(DPORT, 25), {"redirect": {"port": 26}}]], "25/tcp", {End.UNCLEAR, End.DROP}),
    "redirect of another": ([[match(DPORT, 25), {"redirect": {"port": 26}}]], "24/tcp", DROP),
    "tomorrow's statement": ([[{"teleport": 1}, ALLOWED]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "tomorrow's match": ([ESTABLISHED, [match({"smell": 1}, 2), ALLOWED]], "1/tcp", {End.ACCEPT, End.DROP}),
    "tomorrow's operator": ([ESTABLISHED, [match(DPORT, 2, "~"), ALLOWED]], "1/tcp", {End.ACCEPT, End.DROP}),
    "a chain that is not there": ([[{"jump": {"target": "x"}}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "a set that is not there": ([[match(DPORT, "@x"), DROPPED]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "a row of another length": (
        [[match({"concat": [DPORT, SADDR]}, {"set": [{"concat": [1]}]}), ALLOWED]],
        "1/tcp",
        {End.UNCLEAR, End.DROP},
    ),
    "a name for a port": ([ESTABLISHED, [match(DPORT, "ssh"), ALLOWED]], "22/tcp", {End.ACCEPT, End.DROP}),
    "raw bytes": (
        [ESTABLISHED, [match({"payload": {"base": "th", "offset": 16, "len": 16}}, 22), ALLOWED]],
        "22/tcp",
        {End.ACCEPT, End.DROP},
    ),
    "a chain that jumps to itself": ([[{"jump": {"target": "c"}}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "an old nft's xt before a verdict": ([ESTABLISHED, [{"xt": None}, ALLOWED]], "1/tcp", {End.ACCEPT, End.DROP}),
    "an old nft's xt": ([[{"xt": None}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "xt DNAT": ([[{"xt": {"type": "target", "name": "DNAT"}}]], "1/tcp", {End.UNCLEAR, End.DROP}),
    "reset, of which nft does not print the family": (
        [[{"reject": {"type": "tcp reset"}}]],
        "1/tcp",
        {End.REJECT, End.DROP},
    ),
    "reject of the other family": ([[{"reject": {"type": "icmpv6"}}]], "1/tcp", {End.REJECT, End.DROP}),
    "default element": (
        [[{"vmap": {"key": DPORT, "data": {"set": [[1, DROPPED], ["*", {"reject": None}]]}}}]],
        "2/tcp",
        REJECT,
    ),
    "a verdict map of what is not known": (
        [[{"vmap": {"key": {"meta": {"key": "mark"}}, "data": {"set": [[1, {"reject": None}], [2, DROPPED]]}}}]],
        "2/tcp",
        {End.REJECT, End.DROP},
    ),
    "return from a base chain": ([[match(DPORT, 1), {"return": None}], [ALLOWED]], "1/tcp", DROP),
    "continue": ([[match(DPORT, 1), {"continue": None}], [{"reject": None}]], "1/tcp", REJECT),
    "ECN may be set": (
        [ESTABLISHED, [match({"payload": {"protocol": "tcp", "field": "flags"}}, "syn"), ALLOWED]],
        "1/tcp",
        {End.ACCEPT, End.DROP},
    ),
    "without established nothing follows": (
        [[match(STATE, "new", "in"), match(DPORT, 22), ALLOWED]],
        "22/tcp",
        {End.ACCEPT, End.UNCLEAR},
    ),
    "notrack": (
        [[{"notrack": None}], ESTABLISHED, [match(STATE, "new", "in"), ALLOWED]],
        "22/tcp",
        {End.ACCEPT, End.DROP},
    ),
}


@pytest.mark.parametrize(("rules", "port", "expected"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement(rules: list[list[Any]], port: str, expected: set[End]) -> None:
    found = became(chain(*rules), port)
    assert set(found) == expected, found


def test_a_reset_of_one_family_is_a_rejection() -> None:
    rules = chain([match(SADDR, "10.0.0.1"), {"reject": {"type": "tcp reset"}}])
    assert set(became(rules, "1/tcp", "10.0.0.1")) == REJECT
    assert set(became(rules, "1/tcp", "10.0.0.2")) == DROP


def test_elements_that_come_and_go_are_not_known() -> None:
    banned = {"set": {"family": "inet", "table": "t", "name": "b", "type": "ipv4_addr", "elem": ["10.0.0.1"]}}
    rule = [match(SADDR, "@b"), DROPPED]
    adding = [match(DPORT, 1), {"set": {"op": "add", "elem": SADDR, "set": "@b"}}]
    table = {"table": {"family": "inet", "name": "t"}}
    fixed = chain(rule, policy="accept", also=(table, banned))
    assert set(became(fixed, "22/tcp", "10.0.0.1")) == DROP
    assert set(became(fixed, "22/tcp", "10.0.0.2")) == ACCEPT
    changing = chain(rule, adding, policy="accept", also=(table, banned))
    assert set(became(changing, "22/tcp", "10.0.0.1")) == {End.ACCEPT, End.DROP}
    timed = {"set": {**banned["set"], "flags": ["timeout"]}}
    assert set(became(chain(rule, policy="accept", also=(table, timed)), "22/tcp", "10.0.0.1")) == {
        End.ACCEPT,
        End.DROP,
    }


def together(*chains: list[dict[str, Any]]) -> Ruleset:
    return Ruleset(json.dumps({"nftables": [each for one in chains for each in one]}))


def test_every_base_chain_must_accept() -> None:
    first = listed([match(DPORT, 22), ALLOWED], ESTABLISHED, name="first", prio=-10)
    second = listed([match(DPORT, 22), {"reject": None}], policy="accept", name="second")
    assert set(became(together(first, second), "22/tcp")) == REJECT
    assert set(became(together(first, second), "23/tcp")) == DROP


def test_the_order_of_chains_with_one_priority_is_not_known() -> None:
    one = listed([DROPPED], name="one")
    other = listed([{"reject": None}], name="other")
    assert set(became(together(one, other), "22/tcp")) == {End.DROP, End.REJECT}


def test_prerouting_drops_too_and_its_early_chains_know_no_connections() -> None:
    early = listed([match(STATE, "new", "in"), DROPPED], policy="accept", hook="prerouting", prio=-300)
    late = listed([match(STATE, "new", "in"), DROPPED], policy="accept", hook="prerouting", prio=-150)
    assert set(became(together(early), "22/tcp")) == {End.ACCEPT, End.DROP}
    assert set(became(together(late), "22/tcp")) == DROP


def test_a_server_that_may_not_answer_is_not_said_to_be_open() -> None:
    found = became(chain(hook="output"), "22/tcp")
    assert set(found) == {End.ACCEPT, End.UNCLEAR}
    assert found[End.UNCLEAR] == "the answers: table inet t, chain c, policy"
    assert set(became(chain(ESTABLISHED, hook="output"), "22/tcp")) == ACCEPT


def test_a_rejection_that_may_not_leave_is_silence() -> None:
    rejecting = listed([{"reject": None}], name="in")
    assert set(became(together(rejecting, listed(hook="output")), "22/tcp")) == {End.REJECT, End.UNCLEAR}


def test_policy_drop_without_neighbour_discovery_is_no_way_in_over_ipv6() -> None:
    rules = chain(ESTABLISHED, [match(DPORT, 22), ALLOWED])
    assert set(became(rules, "22/tcp")) == ACCEPT
    assert set(became(rules, "22/tcp", ipv6=True)) == {End.ACCEPT, End.UNCLEAR}


@pytest.mark.parametrize("family", ["netdev", "bridge", "arp"])
def test_what_filters_beneath_is_not_understood(family: str) -> None:
    dropping = listed([match(DPORT, 1), DROPPED], policy="accept", family=family)
    counting = listed([{"counter": None}], policy="accept", family=family)
    assert End.UNCLEAR in became(together(dropping), "22/tcp")
    assert set(became(together(counting), "22/tcp")) == ACCEPT


def test_chains_of_nat_are_passed_over_without_connection_tracking() -> None:
    rules = listed([DROPPED], policy="accept", hook="prerouting", prio=-100)
    rules[1]["chain"]["type"] = "nat"
    assert set(became(together(rules), "22/tcp")) == {End.ACCEPT, End.UNCLEAR}


# What nft 1.0.6 prints for `flags dormant`, and for `flags owner`: freed memory. Newer ones print the flag, or a list.
@pytest.mark.parametrize("flags", ["inet", "filter", "Lester Gooch #5", "", "dormant", "owner", ["dormant"]])
def test_a_table_that_may_be_dormant_is_not_known(flags: str | list[str]) -> None:
    rules = listed([DROPPED], policy="accept")
    rules[0]["table"]["flags"] = flags
    found = became(together(rules), "22/tcp")
    assert set(found) == {End.ACCEPT, End.UNCLEAR}
    assert found[End.UNCLEAR] == "table inet t, chain c, rule handle 1, of a table that may be dormant"


@pytest.mark.parametrize("flags", [["owner"], ["owner", "persist"]])
def test_a_table_that_belongs_to_somebody_is_in_force(flags: list[str]) -> None:
    rules = listed([DROPPED], policy="accept")
    rules[0]["table"]["flags"] = flags
    assert set(became(together(rules), "22/tcp")) == DROP


def test_whatever_else_is_said_of_an_element_it_may_not_hold() -> None:
    for said in ({"last": None}, {"expires": 5}, {"counter": {"packets": 0, "bytes": 0}}, {"tomorrow": 1}):
        ports = [{"elem": {"val": 22, **said}}, {"elem": {"val": 23, "comment": "ssh"}}]
        rules = chain(ESTABLISHED, [match(DPORT, {"set": ports}), ALLOWED])
        assert set(became(rules, "22/tcp")) == {End.ACCEPT, End.DROP}
        assert set(became(rules, "23/tcp")) == ACCEPT
        assert set(became(rules, "24/tcp")) == DROP


def test_everything_else_may_not_hold_either() -> None:
    everything = {"elem": {"val": "*", "limit": {"rate": 1, "burst": 5, "per": "hour"}}}
    data = {"set": [[1, DROPPED], [everything, {"reject": None}]]}
    found = became(chain([{"vmap": {"key": DPORT, "data": data}}], policy="accept"), "2/tcp")
    assert set(found) == {End.ACCEPT, End.REJECT}


def test_names_are_printed_without_control_characters() -> None:
    found = became(chain(), "1/tcp")
    assert found == {End.DROP: "table inet t, chain c, policy"}
    wild = listed(name="\x1b[31m" + "x" * 500)
    place = became(together(wild), "1/tcp")[End.DROP]
    assert place.isprintable()
    assert len(place) < 200


# -------------------------------------------------------------------------------------- extensions of iptables-nft


def with_text(line: str, *extensions: str | None, text: str = "RULE", handle: int = 2) -> Ruleset:
    """A rule that drops, of which the JSON has the names and the text this line."""
    names = [{"xt": name and {"type": "match", "name": name}} for name in extensions]
    rule = [*names, {"counter": {"packets": 0, "bytes": 0}}, DROPPED]
    lines = (
        *("table ip t { # handle 1", "\tchain c { # handle 1", "\t\tct state established,related accept # handle 1"),
        "\t\t" + text.replace("RULE", f"{line}counter packets 5 bytes 300 drop # handle {handle}"),
        *("\t}", "}"),
    )
    listing = {"nftables": listed(ESTABLISHED, rule, policy="accept", family="ip")}
    return Ruleset(json.dumps(listing), "\n".join(lines))


HOLDS, FAILS, UNKNOWN = DROP, ACCEPT, {End.ACCEPT, End.DROP}

# (conditions as nft prints them, names in the JSON, port, what is known of them)
LINES: tuple[tuple[str, tuple[str | None, ...], str, set[End]], ...] = (
    ("ct state new ", ("conntrack",), "22/tcp", HOLDS),
    ("ct state new ", ("state",), "53/udp", HOLDS),
    ("ct state related,established ", ("conntrack",), "22/tcp", FAILS),
    ("ct state invalid,new,untracked ", ("conntrack",), "22/tcp", HOLDS),
    ("ct state ! new ", ("conntrack",), "22/tcp", FAILS),
    ("ct state != related,established ", ("conntrack",), "22/tcp", HOLDS),
    # `--ctstate NEW,DNAT` and `--ctstate DNAT` are printed alike.
    ("ct status dnat ", ("conntrack",), "22/tcp", UNKNOWN),
    ("ct direction original ct state new ", ("conntrack",), "22/tcp", UNKNOWN),
    ("meta l4proto tcp tcp dport { 22, 80-90 } ", ("multiport",), "85/tcp", HOLDS),
    ("meta l4proto tcp tcp dport { 22,80-90} ", ("multiport",), "85/tcp", HOLDS),
    ("meta l4proto tcp tcp dport { 22, 80-90 } ", ("multiport",), "23/tcp", FAILS),
    ("meta l4proto tcp tcp dport != { 22, 80-90 } ", ("multiport",), "23/tcp", HOLDS),
    ("meta l4proto tcp tcp dport 22 ", ("multiport",), "22/udp", FAILS),
    ("ip protocol tcp tcp dport 22-25 ", ("tcp",), "24/tcp", HOLDS),
    ("tcp sport . tcp dport { 0-65535 . 22, 22 . 0-65535 } ", ("multiport",), "22/tcp", UNKNOWN),
    ("meta l4proto tcp tcp sport 22 ", ("multiport",), "22/tcp", UNKNOWN),
    ("tcp flags syn / fin,syn,rst,ack ", ("tcp",), "22/tcp", HOLDS),
    ("tcp flags & (fin|syn|rst|ack) == syn ", ("tcp",), "22/tcp", HOLDS),
    ("tcp flags != syn / fin,syn,rst,ack ct state new ", ("conntrack",), "22/tcp", FAILS),
    ("meta l4proto tcp tcp option 5 exists ", ("tcp",), "22/tcp", UNKNOWN),
    ("fib daddr type local ", ("addrtype",), "22/tcp", HOLDS),
    ("fib daddr type != local ", ("addrtype",), "22/tcp", FAILS),
    ("fib daddr type { local, multicast } ", ("addrtype",), "22/tcp", UNKNOWN),
    ("fib daddr type unicast ", ("addrtype",), "22/tcp", UNKNOWN),
    ("fib saddr type local ", ("addrtype",), "22/tcp", UNKNOWN),
    ("pkttype broadcast ", ("pkttype",), "22/tcp", FAILS),
    ("limit rate 3/minute burst 10 packets ct state new ", ("conntrack",), "22/tcp", UNKNOWN),
    ("limit rate 3/minute ct state established ", ("conntrack",), "22/tcp", FAILS),
    ("rt type 0 ", ("rt",), "22/tcp", FAILS),
    ("icmp type echo-request ", ("icmp",), "22/tcp", FAILS),
    ("tcp dport 22  ", ("tcp", "comment"), "22/tcp", HOLDS),
    (" ", ("comment",), "22/tcp", HOLDS),
    ('tcp dport 22 xt match "comment" ', ("tcp", "comment"), "22/tcp", HOLDS),
    # Extensions that are not installed where nft runs: it prints nothing for them.
    (" ", ("conntrack",), "22/tcp", UNKNOWN),
    ("meta l4proto tcp   ", ("multiport", "comment"), "22/tcp", UNKNOWN),
    ("", ("conntrack",), "22/tcp", UNKNOWN),
    ('xt match "recent" tcp dport 23 ', ("recent", "tcp"), "22/tcp", FAILS),
    ("xt match recent tcp dport 22 ", ("recent", "tcp"), "22/tcp", UNKNOWN),
    ("tcp dport 22 ", ("tcp", "recent"), "22/tcp", UNKNOWN),
    ("tcp dport 22 meta length 1-5 ", ("tcp", "length"), "22/tcp", UNKNOWN),
    ("tcp dport 22 ", ("tomorrow",), "22/tcp", UNKNOWN),
    ("tcp dport ssh ", ("tcp",), "22/tcp", UNKNOWN),
    ("tcp dport { 22 ", ("tcp",), "22/tcp", UNKNOWN),
    ("tcp dport 22x ", ("tcp",), "22/tcp", UNKNOWN),
    ('iifname "a counter packets 0 bytes 0 b" ct state new ', ("conntrack",), "22/tcp", UNKNOWN),
    # nft before 1.0.6 has no names, and prints half of what it cannot print as a whole.
    ("ct state new ", (None,), "22/tcp", UNKNOWN),
    ("ct state new tcp dport 22 ", ("conntrack", None), "22/tcp", UNKNOWN),
)


@pytest.mark.parametrize(("line", "extensions", "port", "expected"), LINES)
def test_a_line_is_read_as_a_whole_or_not_at_all(
    line: str, extensions: tuple[str | None, ...], port: str, expected: set[End]
) -> None:
    assert set(became(with_text(line, *extensions), port)) == expected


def test_the_range_of_iprange_is_read() -> None:
    rules = with_text("ip saddr 10.0.0.1-10.0.0.9 ", "iprange")
    assert set(became(rules, "22/tcp", "10.0.0.9")) == HOLDS
    assert set(became(rules, "22/tcp", "10.0.0.10")) == FAILS


@pytest.mark.parametrize(
    "text", ["counter # handle 7\n\t\tRULE", "", "RULE\n\t\tRULE", "RULE\n\t}\n\tchain c {\n\t\tRULE", "\tRULE"]
)
def test_a_text_with_other_rules_than_the_json_is_not_used(text: str) -> None:
    assert set(became(with_text("ct state new ", "conntrack", text=text), "22/tcp")) == UNKNOWN


def test_a_rule_is_known_by_its_handle() -> None:
    assert set(became(with_text("ct state new ", "conntrack", handle=3), "22/tcp")) == UNKNOWN


def test_a_comment_cannot_pass_for_a_rule() -> None:
    rules = listed([{"xt": {"type": "match", "name": "conntrack"}}, {"counter": {}}, DROPPED], policy="accept")
    rules[2]["rule"]["comment"] = "x\n\t\tct state new counter packets 0 bytes 0 drop # handle 1"
    printed = "table inet t {\n\tchain c {\n\t\tct state new counter packets 0 bytes 0 drop # handle 1\n"
    assert End.ACCEPT in became(Ruleset(json.dumps({"nftables": rules}), printed), "22/tcp")


def test_no_form_of_a_text_is_an_unexpected_error_or_another_answer_than_doubt() -> None:
    """Any word left out or doubled: never from drop to accept, nor the other way round."""
    random = Random(6)
    text, printed = ((RULESETS / f"iptables-host.{kind}").read_text(encoding="utf-8") for kind in ("json", "txt"))
    words = re.split("( )", printed)
    for _ in range(150):
        at = random.randrange(len(words))
        other = "".join([*words[:at], *random.choice(([], [words[at]] * 2, ["\x00"], ["{ " * 50])), *words[at + 1 :]])
        assert set(became(Ruleset(text, other), "8011/tcp")) <= set(End)


# ---------------------------------------------------------------------------------------------- hostile input


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"nftables": 1}',
        '{"nftables": [{}]}',
        '{"nftables": [{"rule": {}}]}',
        json.dumps({"nftables": [{"table": {"family": "ip", "name": "t"}}, {"rule": {"family": "ip", "table": "t"}}]}),
        json.dumps(
            {"nftables": [*listed(), {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": {"a": 1}}}]}
        ),
        '{"nftables": [{"chain": {"family": []}}]}',
        '{"nftables": [{"table": {"family": "ip"}}]}',
        '{"nftables": [{"metainfo": {"json_schema_version": 2}}]}',
        '{"nftables": ' + "[" * 5000,
    ],
)
def test_what_is_not_from_nft_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        Ruleset(text)


def test_ten_thousand_elements_are_looked_up_fast() -> None:
    allowed = [str(ip_address("10.0.0.0") + 2 * number) for number in range(10_000)]
    services = [[port, ALLOWED] for port in range(1, 20_001, 2)]
    table = {"table": {"family": "inet", "name": "t"}}
    sets = (
        table,
        {"set": {"family": "inet", "table": "t", "name": "a", "type": "ipv4_addr", "elem": allowed}},
        {"map": {"family": "inet", "table": "t", "name": "m", "type": "inet_service", "elem": services}},
    )
    rules = chain(ESTABLISHED, [match(SADDR, "@a", "!="), DROPPED], [{"vmap": {"key": DPORT, "data": "@m"}}], also=sets)
    began = time.process_time()
    for port in range(1, 201):
        expected = ACCEPT if port % 2 else DROP
        assert set(became(rules, f"{port}/tcp", "10.0.0.2")) == expected
        assert set(became(rules, f"{port}/tcp", "10.0.0.3")) == DROP
    assert time.process_time() - began < 2


def test_chains_are_walked_once_however_many_ways_lead_there() -> None:
    """Each of 30 chains jumps to the next one twice: a billion ways."""
    where = {"family": "inet", "table": "t"}
    chains: list[dict[str, Any]] = [{"chain": {**where, "name": f"c{number}"}} for number in range(31)]
    jumps = [
        {"rule": {**where, "chain": f"c{number}", "handle": 1, "expr": [{"jump": {"target": f"c{number + 1}"}}]}}
        for number in range(30)
    ]
    deep = Ruleset(json.dumps({"nftables": [*listed([{"jump": {"target": "c0"}}]), *chains, *jumps, *jumps]}))
    assert set(became(deep, "1/tcp")) == DROP


def test_a_ruleset_that_takes_too_long_is_given_up() -> None:
    rows = {"set": [{"concat": [port + 2, "10.0.0.1"]} for port in range(1000)]}
    rules = listed(*[[match({"concat": [DPORT, SADDR]}, rows), ALLOWED] for _ in range(40)])
    text = json.dumps({"nftables": rules})
    assert set(became(Ruleset(text), "1/tcp", "10.0.0.1")) == DROP
    found = became(Ruleset(text, steps=50_000), "1/tcp", "10.0.0.1")
    assert set(found) == {End.DROP, End.UNCLEAR}


def test_no_form_of_a_ruleset_is_an_unexpected_error() -> None:
    """Any part of a listing replaced by any other value: it is refused, or read with doubt."""
    random = Random(6)
    text = (RULESETS / "allowed.json").read_text(encoding="utf-8")
    for _ in range(400):
        listing = json.loads(text)
        holder, at = random.choice(list(parts_of(listing["nftables"])))
        holder[at] = random.choice(
            (None, 0, -1, 1e300, "", "@", "*", "x", [], [[]], {}, {"set": 1}, {"&": [{}, 1]}, True)
        )
        try:
            rules = Ruleset(json.dumps(listing))
        except ValueError:
            continue
        for port in ("22/tcp", "53/udp", "9000/udp"):
            assert set(became(rules, port, "10.0.0.1")) <= set(End)


def parts_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a listing where something stands: its holder, and the key or number there."""
    if isinstance(value, dict | list):
        for at, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, at
            yield from parts_of(inner)
