"""`python -m tests.lab.iptables_rules`: rules of iptables-nft by chance, and whether the kernel does what is said.

By hand, as root, with Debian's packages iptables and nftables; the tests need neither iptables nor its extensions,
they have listings in tests/rulesets. Prints how often what was said, and stops at the first answer that is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from random import Random

from portcheck.engine.own_rules import Listing
from tests.lab.build import Lab, build, unavailable
from tests.lab.rule_trials import TOPOLOGY, client_in, compare

INNER = ("one", "two", "three")
_TCP = (
    *("--dport 2000", "! --dport 2002", "--dport 2001:2002", "--syn", "! --syn", "--tcp-flags SYN,ACK SYN"),
    *("--sport 1:1000", "--sport 1100:", "--tcp-option 5", "! --tcp-flags ALL NONE", "--tcp-flags ALL SYN"),
)
_UDP = ("--dport 2001", "! --dport 2000", "--dport 2002:2003", "--sport 1:1000", "--sport 1100: --dport 2000:2001")
_MULTIPORT = (
    *("--dports 2000,2002:2003", "! --dports 2001", "! --dports 2001,2003", "--ports 2000,2003", "--dports 2000"),
    *("--sports 1:1000", "! --sports 7"),
)
_ANY = (
    *("conntrack --ctstate NEW", "conntrack ! --ctstate NEW", "conntrack --ctstate RELATED,ESTABLISHED"),
    *("conntrack --ctstate INVALID", "conntrack --ctstate NEW,UNTRACKED", "conntrack ! --ctstate RELATED,ESTABLISHED"),
    *(
        "conntrack --ctstate NEW,DNAT",
        "conntrack --ctstate DNAT",
        "conntrack ! --ctstate NEW,SNAT",
        "state --state NEW",
    ),
    *("conntrack --ctstate NEW --ctdir ORIGINAL", "conntrack --ctstatus NONE", "conntrack ! --ctproto 6"),
    *("state ! --state NEW", "state --state NEW,ESTABLISHED", "conntrack --ctstate NEW --ctorigdstport 2001"),
    *("addrtype --dst-type LOCAL", "addrtype ! --dst-type LOCAL", "addrtype --dst-type LOCAL,MULTICAST"),
    *(
        "addrtype --dst-type UNICAST",
        "addrtype --dst-type MULTICAST",
        "addrtype --src-type LOCAL",
        "addrtype --src-type UNICAST",
    ),
    *("addrtype --src-type UNICAST --dst-type LOCAL", "addrtype --dst-type LOCAL --limit-iface-in"),
    *("pkttype --pkt-type broadcast", "pkttype --pkt-type unicast", "pkttype ! --pkt-type multicast"),
    *("comment --comment x", 'comment --comment "reject # handle 3"', "limit --limit 1/hour --limit-burst 1"),
    *("mark --mark 1", "mark --mark 0", "length --length 1:5", "statistic --mode random --probability 0.5"),
    *(
        "statistic --mode nth --every 2 --packet 0",
        "recent --name a --set",
        "recent --name a --rcheck",
        "u32 --u32 0=0",
    ),
    *("mac --mac-source 02:00:00:00:00:01", "connlimit --connlimit-above 1", "time --timestart 10:00 --timestop 12:00"),
    *("hashlimit --hashlimit-name h --hashlimit-above 1/hour", "string --algo bm --string ask", "dscp --dscp 0"),
)
_OF = {
    False: (
        *(
            "-s 10.98.1.20",
            "! -s 10.98.1.20",
            "-s 10.98.1.0/24",
            "-d 10.98.1.10",
            "-d 224.0.0.0/4",
            "-m ttl --ttl-gt 3",
        ),
        *("-m iprange --src-range 10.98.1.20-10.98.1.20", "-m iprange ! --src-range 10.98.1.21-10.98.1.30"),
        *(
            "-m iprange --dst-range 10.98.1.1-10.98.1.10",
            "-i lo",
            "! -i lo",
            "-i eth+",
            "-f",
            "-m addrtype --dst-type BROADCAST",
            "-m ecn --ecn-ip-ect 0",
        ),
    ),
    True: (
        *(
            "-s fd98:1::20",
            "! -s fd98:1::20",
            "-d fd98:1::/64",
            "-m hl --hl-gt 3",
            "-m hl --hl-eq 1",
            "-m rt --rt-type 0",
        ),
        *(
            "-m iprange --src-range fd98:1::20-fd98:1::20",
            "-i lo",
            "! -i lo",
            "-m frag --fragid 3",
            "-m rt ! --rt-type 0",
        ),
        *("-m ipv6header --header frag --soft", "-m dst --dst-len 8"),
    ),
}
_BEGINNINGS = (
    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-m state --state RELATED,ESTABLISHED -j ACCEPT",
    "-m conntrack ! --ctstate NEW,INVALID,UNTRACKED -j ACCEPT",
    None,
)
_NEIGHBOURS: tuple[tuple[str, ...], ...] = (
    ("-p icmpv6 -j ACCEPT",),
    tuple(
        f"-p icmpv6 -m icmp6 --icmpv6-type neighbour-{kind} -m hl --hl-eq 255 -j ACCEPT"
        for kind in ("solicitation", "advertisement")
    ),
    tuple(f"-p icmpv6 -m icmp6 --icmpv6-type {kind} -j ACCEPT" for kind in (135, 136)),
    (),
)
_TARGETS = ("ACCEPT", "ACCEPT", "ACCEPT", "DROP", "DROP", "REJECT", "REJECT", "RETURN", "LOG", "NFLOG --nflog-group 1")
_OTHER_TABLES = (
    ("raw", "PREROUTING", ("-p tcp --dport 2001 -j CT --notrack", "-m conntrack --ctstate INVALID -j DROP")),
    (
        "mangle",
        "PREROUTING",
        ("-p udp --dport 2001 -j DROP", "-j MARK --set-mark 1", "-m conntrack --ctstate NEW -j DROP"),
    ),
    ("mangle", "INPUT", ("-p tcp -m multiport --dports 2000,2001 -j DROP", "-m state --state INVALID -j DROP")),
    (
        "nat",
        "PREROUTING",
        ("-p tcp --dport 2003 -j REDIRECT --to-ports 2000", "-m addrtype --dst-type LOCAL -j RETURN"),
    ),
    ("filter", "OUTPUT", ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-p udp --sport 2002 -j DROP")),
)


def script(random: Random) -> str:
    """What a shell has to do for one ruleset; ends with status 3 where iptables does not take it."""
    parts = ["nft flush ruleset"]
    for is_ipv6, program in ((False, "iptables-nft-restore"), (True, "ip6tables-nft-restore")):
        parts += [f"{program} 2>/dev/null <<'END' || exit 3", *_tables(random, is_ipv6), "END"]
    return "\n".join(parts) + "\n"


def _tables(random: Random, is_ipv6: bool) -> list[str]:
    lines = [
        "*filter",
        f":INPUT {random.choice(('ACCEPT', 'DROP', 'DROP'))} [0:0]",
        *(f":{name} - [0:0]" for name in INNER),
    ]
    for at, name in enumerate(INNER):
        lines += [f"-A {name} {_rule(random, is_ipv6, INNER[:at])}" for _ in range(random.randrange(4))]
    beginning = random.choice(_BEGINNINGS)
    lines += [f"-A INPUT {each}" for each in (beginning, *(random.choice(_NEIGHBOURS) if is_ipv6 else ())) if each]
    lines += [f"-A INPUT {_rule(random, is_ipv6, INNER)}" for _ in range(random.randrange(1, 7))]
    lines.append("COMMIT")
    for table, chain, rules in _OTHER_TABLES:
        if random.random() < 0.1:
            policy = random.choice(("ACCEPT", "DROP")) if chain == "OUTPUT" else "ACCEPT"
            lines += [f"*{table}", f":{chain} {policy} [0:0]", f"-A {chain} {random.choice(rules)}", "COMMIT"]
    return lines


def _rule(random: Random, is_ipv6: bool, chains: Sequence[str]) -> str:
    protocol = random.choice(("tcp", "udp", ""))
    parts = [f"-p {protocol}"] if protocol else []
    if protocol and random.random() < 0.7:
        parts.append(random.choice((_of_ports(random, protocol), f"-m multiport {random.choice(_MULTIPORT)}")))
    parts += [f"-m {random.choice(_ANY)}" for _ in range(random.choice((0, 1, 1, 2)))]
    if random.random() < 0.3:
        parts.append(random.choice(_OF[is_ipv6]))
    targets = [*_TARGETS, *(["REJECT --reject-with tcp-reset"] if protocol == "tcp" else [])]
    ends = [*(f"-j {each}" for each in targets), *(f"{verb} {name}" for name in chains for verb in ("-j", "-g")), ""]
    return " ".join([*parts, random.choice(ends)])


def _of_ports(random: Random, protocol: str) -> str:
    return f"-m {protocol} {random.choice(_TCP if protocol == 'tcp' else _UDP)}"


def applied(lab: Lab, rules: str) -> Listing | None:
    """What nft lists once these rules are in force; None where iptables does not take them."""
    if lab.run("server", ["sh"], user=False, input=rules).returncode != 0:
        return None
    as_json, as_text = (lab.run("server", ["nft", flag, "list", "ruleset"], user=False).stdout for flag in ("-j", "-a"))
    return Listing(as_json, printed=as_text)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 where there can be no lab."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.iptables_rules", description=__doc__)
    parser.add_argument("--rulesets", type=int, default=300)
    parser.add_argument("--seed", type=int, default=6)
    options = parser.parse_args(argv)
    reason = unavailable()
    if reason is not None:
        sys.stderr.write(f"python -m tests.lab.iptables_rules: {reason}\n")
        return 2
    random = Random(options.seed)
    counted: Counter[str] = Counter()
    with build(TOPOLOGY) as lab, client_in(lab) as client:
        while counted["rulesets"] < options.rulesets:
            rules = script(random)
            listing = applied(lab, rules)
            counted["refused by iptables" if listing is None else "rulesets"] += 1
            if listing is not None:
                counted += compare(client, listing, rules)
    sys.stdout.write(f"{dict(counted)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
