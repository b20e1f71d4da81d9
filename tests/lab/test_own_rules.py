"""What is said of this machine's packet filter, against what the kernel does with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from subprocess import Popen

import pytest

from portcheck.engine.own_rules import Listing
from tests.lab.build import Lab, build
from tests.lab.own_rules import ruleset
from tests.lab.rule_trials import DEFINITE, TOPOLOGY, client_in, compare

pytestmark = pytest.mark.lab

RULESETS = 60
SEED = 6
UNCLEAR_AT_MOST = 0.6
"""Of all answers; chance writes stranger rulesets than people do."""

LOOK = """
import json
from portcheck.engine.own_rules import look_at_own_rules
from portcheck.engine.probe import OWN_RULES, Probe, Transport
probes = [Probe(OWN_RULES, Transport.TCP, port) for port in (2000, 2001, 2002)]
seen = look_at_own_rules(probes, {}, ["10.98.1.10"])
print(json.dumps([[[each.state, each.reason, each.detail] for each in seen.observations], seen.remarks, seen.facts]))
"""
ALLOWED_ONE = """
flush ruleset
table inet site {
chain input { type filter hook input priority 0; policy drop;
ct state established,related accept
tcp dport 2000 accept
tcp dport 2001 reject
}
}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with build(TOPOLOGY) as built:
        yield built


@pytest.fixture(scope="module")
def client(lab: Lab) -> Iterator[Popen[str]]:
    with client_in(lab) as process:
        yield process


def applied(lab: Lab, text: str) -> str | None:
    """What nft lists once these rules are in force; None where it does not take them."""
    script = "nft -f - 2>/dev/null || exit 3; exec nft -j list ruleset"
    done = lab.run("server", ["sh", "-c", script], user=False, input=text)
    return done.stdout if done.returncode == 0 else None


def test_what_is_said_for_certain_is_what_the_kernel_does(lab: Lab, client: Popen[str]) -> None:
    random = Random(SEED)
    counted: Counter[str] = Counter()
    while counted["rulesets"] < RULESETS:
        text = ruleset(random)
        listing = applied(lab, text)
        counted["refused by nft" if listing is None else "rulesets"] += 1
        if listing is not None:
            counted += compare(client, Listing(listing), text)
    answers = sum(counted[each] for each in ("accept", "drop", "reject", "unclear"))
    assert counted["unclear"] < UNCLEAR_AT_MOST * answers, counted
    assert min(counted[each] for each in DEFINITE.values()) > 50, counted


INPUT = "chain input { type filter hook input priority 0; policy drop;\n"
FOLLOWING = "ct state established,related accept\nmeta l4proto ipv6-icmp accept\n"
# Without these the answer was wrong once, or doubted.
FORMS: dict[str, str] = {
    "a quota of an element": f"""
set s {{ type ipv4_addr; quota over 100 mbytes; elements = {{ 10.98.1.20 }}
}}
{INPUT}{FOLLOWING}ip saddr @s accept
}}""",
    "a quota behind a counter": f"""
set s {{ type ipv4_addr; counter quota over 100 mbytes; elements = {{ 10.98.1.20 }}
}}
{INPUT}{FOLLOWING}ip saddr @s accept
}}""",
    "a quota of a verdict": f"""
map m {{ type inet_service : verdict; quota over 100 mbytes; elements = {{ 2000 : accept }}
}}
{INPUT}{FOLLOWING}tcp dport vmap @m
}}""",
    "a rate behind a counter": f"""
{INPUT}tcp dport {{ 2000 counter limit rate over 1/second, 2001 counter limit rate over 1/second }} accept
{FOLLOWING}}}""",
    "dormant": f"flags dormant\n{INPUT}}}",
    "zone": f"""
chain early {{ type filter hook prerouting priority -300;
ct zone set 5
}}
chain output {{ type filter hook output priority 0; policy drop;
{FOLLOWING}}}""",
}


@pytest.mark.parametrize("family", ["inet", "ip"])
@pytest.mark.parametrize("form", FORMS)
def test_forms_that_depend_on_more_than_the_packet(lab: Lab, client: Popen[str], form: str, family: str) -> None:
    text = f"flush ruleset\ntable {family} site {{\n{FORMS[form]}\n}}\n"
    listing = applied(lab, text)
    assert listing is not None
    assert compare(client, Listing(listing), text)["unclear"]


@pytest.mark.parametrize("kind", ["admin-prohibited", "host-unreachable", "port-unreachable", "no-route"])
@pytest.mark.parametrize("hook", ["input", "prerouting"])
def test_every_rejection_reaches_the_client(lab: Lab, client: Popen[str], hook: str, kind: str) -> None:
    text = f"""flush ruleset
table inet site {{
chain c {{ type filter hook {hook} priority 0;
meta l4proto {{ tcp, udp }} th dport 2000 reject with icmpx {kind}
}}
}}
"""
    listing = applied(lab, text)
    assert listing is not None
    assert compare(client, Listing(listing), text)["reject"] == 8  # Two transports, two families, two clients.


def test_root_is_told_port_by_port(lab: Lab) -> None:
    assert applied(lab, ALLOWED_ONE) is not None
    done = lab.python("server", "-c", LOOK, user=False)
    observed, remarks, facts = json.loads(done.stdout)
    assert observed == [
        ["open", "rules-accept", None],
        ["filtered", "rules-reject", "table inet site, chain input, rule handle 4"],
        ["filtered", "rules-drop", "table inet site, chain input, policy"],
    ]
    [fact] = facts
    assert remarks == []
    assert "nftables (table inet site)" in fact  # The machine that the lab is on may have firewalld or ufw, too.


def test_an_ordinary_user_is_told_what_it_needs_and_nothing_is_guessed(lab: Lab) -> None:
    assert applied(lab, ALLOWED_ONE) is not None
    done = lab.python("server", "-c", LOOK)
    observed, remarks, _ = json.loads(done.stdout)
    assert observed == [["unknown", "needs-privilege", None]] * 3
    assert ["sudo" in remark for remark in remarks].count(True) == 1


def test_looking_changes_nothing(lab: Lab) -> None:
    before = applied(lab, ALLOWED_ONE)
    lab.python("server", "-c", LOOK, user=False)
    after = lab.run("server", ["nft", "-j", "list", "ruleset"], user=False).stdout
    assert after == before


def test_without_any_rule_everything_is_accepted(lab: Lab) -> None:
    assert applied(lab, "flush ruleset\n") is not None
    done = lab.python("server", "-c", LOOK, user=False)
    observed, *told = json.loads(done.stdout)
    assert observed == [["open", "rules-accept", "no-rules"]] * 3
    assert told[0] == []
