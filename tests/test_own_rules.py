"""What is said of this machine's packet filter, from what was read of the machine; tests/lab asks a real one."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from portcheck.engine import own_rules
from portcheck.engine.own_rules import (
    NO_RULES,
    Listing,
    OwnRulesSeen,
    Signs,
    Trouble,
    judged,
    list_ruleset,
    look_at_own_rules,
    look_for_signs,
)
from portcheck.engine.probe import OWN_RULES, PortState, Probe, Reason, Transport

RULESETS = Path(__file__).with_name("rulesets")
NOTHING_ELSE = Signs(has_nftables=True, legacy=())
OURS = ("10.0.0.8", "fd00::8", "127.0.0.1")

Said = tuple[PortState, Reason, str | None]


def look(
    name: str,
    *ports: str,
    sources: Mapping[str, Sequence[str]] | None = None,
    addresses: Sequence[str] = OURS,
    signs: Signs = NOTHING_ELSE,
) -> OwnRulesSeen:
    text = (RULESETS / f"{name}.json").read_text(encoding="utf-8")
    named = {key(port): each for port, each in (sources or {}).items()}
    return judged(probes(*ports), named, addresses, Listing(text), signs)


def key(port: str) -> tuple[Transport, int]:
    number, transport = port.split("/")
    return Transport(transport), int(number)


def probes(*ports: str) -> tuple[Probe, ...]:
    return tuple(Probe(OWN_RULES, *key(port)) for port in ports)


def said(seen: OwnRulesSeen) -> list[Said]:
    return [(each.state, each.reason, each.detail) for each in seen.observations]


def test_each_port_has_its_observation() -> None:
    seen = look("allowed", "22/tcp", "23/tcp", "3000/tcp", "7000/tcp", "161/udp", addresses=["10.0.0.8"])
    assert [each.probe for each in seen.observations] == list(
        probes("22/tcp", "23/tcp", "3000/tcp", "7000/tcp", "161/udp")
    )
    assert said(seen) == [
        (PortState.OPEN, Reason.RULES_ACCEPT, None),
        (PortState.FILTERED, Reason.RULES_DROP, "table inet site, chain input, policy"),
        (
            PortState.UNKNOWN,
            Reason.RULES_UNCLEAR,
            "depends on the packet: table inet site, chain input, policy",
        ),
        (
            PortState.UNKNOWN,
            Reason.RULES_UNCLEAR,
            "depends on the packet: table inet site, chain input, policy",
        ),
        (PortState.FILTERED, Reason.RULES_DROP, "table inet site, chain input, rule handle 21"),
    ]
    assert (seen.remarks, seen.facts) == ((), ("Packet filter of this machine: nftables (table inet site).",))


def test_who_is_shut_out_is_named() -> None:
    seen = look(
        "allowed", "2181/tcp", "5050/tcp", sources={"2181/tcp": ["10.0.0.1", "10.0.0.4"], "5050/tcp": ["10.0.0.9"]}
    )
    assert said(seen) == [
        (PortState.FILTERED, Reason.RULES_DROP, "table inet site, chain input, policy, for 10.0.0.4"),
        (PortState.OPEN, Reason.RULES_ACCEPT, None),
    ]


def test_many_who_are_shut_out_are_counted() -> None:
    sources = {"2181/tcp": ["10.0.0.1", *(f"10.0.1.{number}" for number in range(5))]}
    [(_, _, detail)] = said(look("allowed", "2181/tcp", sources=sources))
    assert detail == "table inet site, chain input, policy, for 10.0.1.0, 10.0.1.1, 10.0.1.2 and 2 more"


def test_the_address_that_is_shut_is_named() -> None:
    [(_, reason, detail)] = said(look("plain-iptables", "111/tcp"))
    assert reason is Reason.RULES_REJECT
    assert detail is not None
    assert detail.endswith(", to 10.0.0.8")
    [(_, reason, detail)] = said(look("plain-iptables", "111/tcp", addresses=()))
    assert detail is not None
    assert detail.endswith(", to IPv4")


def test_families_that_nobody_uses_do_not_count() -> None:
    """Of firewalld's chains only those for IPv6 depend on the interface."""
    assert said(look("firewalld", "22/tcp", addresses=["10.0.0.8"])) == [(PortState.OPEN, Reason.RULES_ACCEPT, None)]
    [(_, reason, _)] = said(look("firewalld", "22/tcp"))
    assert reason is Reason.RULES_UNCLEAR
    [(_, reason, _)] = said(look("firewalld", "22/tcp", sources={"22/tcp": ["10.0.0.1"]}))
    assert reason is Reason.RULES_ACCEPT


def test_what_we_send_to_ourselves_comes_over_the_loopback_interface() -> None:
    sources = {"7003/tcp": ["10.0.0.8"], "7002/tcp": ["10.0.0.8", "10.0.0.9"]}
    assert said(look("allowed", "7003/tcp", sources=sources)) == [(PortState.OPEN, Reason.RULES_ACCEPT, None)]
    [(_, reason, _)] = said(look("allowed", "7002/tcp", sources=sources))
    assert reason is Reason.RULES_UNCLEAR


def test_addresses_that_are_none_mean_anybody() -> None:
    sources = {"22/tcp": ["m1.example", "fe80::1%eth0"], "2181/tcp": ["m1.example"]}
    [one, other] = said(look("allowed", "22/tcp", "2181/tcp", sources=sources, addresses=["10.0.0.8"]))
    assert one == (PortState.OPEN, Reason.RULES_ACCEPT, None)
    assert other[1] is Reason.RULES_UNCLEAR


def test_rules_of_iptables_are_understood_by_their_text() -> None:
    """Real ones of ufw: of the JSON alone nothing is known."""
    listed = Listing(
        (RULESETS / "ufw.json").read_text(encoding="utf-8"),
        printed=(RULESETS / "ufw.txt").read_text(encoding="utf-8"),
    )
    sources = {key("5050/tcp"): ["10.1.1.1", "10.1.1.2"]}
    asked = probes("22/tcp", "5050/tcp", "23/tcp")
    seen = judged(asked, sources, ["10.0.0.8"], listed, Signs(has_nftables=True, legacy=(), managers=("ufw",)))
    assert said(seen) == [
        (PortState.OPEN, Reason.RULES_ACCEPT, None),
        (PortState.OPEN, Reason.RULES_ACCEPT, None),
        (PortState.FILTERED, Reason.RULES_DROP, "table ip filter, chain ufw-user-input, rule handle 113"),
    ]
    assert seen.facts == ("Packet filter of this machine: ufw, nftables (tables ip filter, ip6 filter).",)


def test_a_machine_without_rules_accepts() -> None:
    empty = json.dumps({"nftables": [{"metainfo": {"json_schema_version": 1}}]})
    seen = judged(probes("22/tcp"), {}, OURS, Listing(empty), NOTHING_ELSE)
    assert said(seen) == [(PortState.OPEN, Reason.RULES_ACCEPT, NO_RULES)]
    assert (seen.remarks, seen.facts) == ((), ())


def test_iptables_legacy_is_not_read_so_its_family_is_not_known() -> None:
    signs = Signs(has_nftables=True, legacy=("ip",))
    seen = look("debian", "22/tcp", signs=signs)
    assert said(seen) == [(PortState.UNKNOWN, Reason.RULES_UNCLEAR, "rules of iptables-legacy")]
    assert "iptables-legacy (portcheck cannot read its rules)" in seen.facts[0]
    assert said(look("debian", "22/tcp", signs=signs, addresses=["fd00::8"])) == [
        (PortState.OPEN, Reason.RULES_ACCEPT, None)
    ]


UNREAD: dict[str, tuple[Listing, Signs, tuple[PortState, Reason], str]] = {
    "not permitted": (
        Listing(None, Trouble.NOT_PERMITTED),
        Signs(has_nftables=True, managers=("firewalld",)),
        (PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE),
        "sudo",
    ),
    "not permitted, and nobody knows the kernel": (
        Listing(None, Trouble.NOT_PERMITTED),
        Signs(),
        (PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE),
        "sudo",
    ),
    "no nft, but a kernel with it": (
        Listing(None, Trouble.MISSING),
        Signs(has_nftables=True, legacy=()),
        (PortState.UNKNOWN, Reason.RULES_UNCLEAR),
        "install nftables",
    ),
    "no nft, no rules in /proc that we may see": (
        Listing(None, Trouble.MISSING),
        Signs(has_nftables=False),
        (PortState.UNKNOWN, Reason.NEEDS_PRIVILEGE),
        "sudo",
    ),
    "no nft, and nothing in the kernel": (
        Listing(None, Trouble.MISSING),
        Signs(has_nftables=False, legacy=()),
        (PortState.OPEN, Reason.RULES_ACCEPT),
        "",
    ),
    "iptables-legacy alone": (
        Listing(None, Trouble.MISSING),
        Signs(has_nftables=False, legacy=("ip", "ip6")),
        (PortState.UNKNOWN, Reason.RULES_UNCLEAR),
        "iptables-legacy and ip6tables-legacy",
    ),
    "too slow": (Listing(None, Trouble.TOO_SLOW), NOTHING_ELSE, (PortState.UNKNOWN, Reason.RULES_UNCLEAR), "10 s"),
    "too long": (Listing(None, Trouble.TOO_LONG), NOTHING_ELSE, (PortState.UNKNOWN, Reason.RULES_UNCLEAR), "16 MiB"),
    "not JSON": (Listing("hello"), NOTHING_ELSE, (PortState.UNKNOWN, Reason.RULES_UNCLEAR), "nft list ruleset"),
}


@pytest.mark.parametrize(("listing", "signs", "expected", "remark"), UNREAD.values(), ids=UNREAD)
def test_what_cannot_be_read_is_said_once(
    listing: Listing, signs: Signs, expected: tuple[PortState, Reason], remark: str
) -> None:
    seen = judged(probes("22/tcp", "53/udp"), {}, OURS, listing, signs)
    assert [(state, reason) for state, reason, _ in said(seen)] == [expected] * 2
    told = (*seen.remarks, *seen.facts)
    assert [remark in sentence for sentence in told].count(True) == (1 if remark else 0)
    assert all(sentence.endswith(".") for sentence in told)


def test_the_detail_says_why_a_port_is_unclear() -> None:
    seen = judged(probes("22/tcp"), {}, OURS, Listing(None, Trouble.MISSING), NOTHING_ELSE)
    assert said(seen) == [(PortState.UNKNOWN, Reason.RULES_UNCLEAR, "nft is not installed")]


def test_a_manager_is_named_even_where_its_rules_cannot_be_read() -> None:
    signs = Signs(has_nftables=True, managers=("firewalld", "ufw"))
    seen = judged(probes("22/tcp"), {}, OURS, Listing(None, Trouble.NOT_PERMITTED), signs)
    assert seen.facts == ("Packet filter of this machine: firewalld, ufw.",)
    assert len(seen.remarks) == 1


# --------------------------------------------------------------------------------------------- the program nft


def program(folder: Path, script: str) -> list[str]:
    path = folder / "nft"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(folder / "missing"), str(path)]


# (what the program does, what is read of it)
PROGRAMS: dict[str, tuple[str, Listing]] = {
    "lists": ('echo "$* $PATH"', Listing("-j list ruleset /usr/sbin:/usr/bin:/sbin:/bin\n")),
    "not permitted": (
        'echo "Operation not permitted (you must be root)" >&2; exit 1',
        Listing(None, Trouble.NOT_PERMITTED),
    ),
    "fails": ("exit 1", Listing(None, Trouble.FAILED)),
    "fails after half of it": ("echo '{'; exit 1", Listing(None, Trouble.FAILED)),
    "has extensions": (
        """test "$1" = -a && echo text || echo '{"xt"}'""",
        Listing('{"xt"}\n', printed="text\n"),
    ),
    "has extensions that are not installed here": (
        """test "$1" = -a && { echo text; echo "XT match conntrack not found" >&2; } || echo '{"xt"}'""",
        Listing('{"xt"}\n'),
    ),
    "leaves out extensions that are not installed here": (
        """echo "XT match conntrack not found" >&2; echo '{}'""",
        Listing(None, Trouble.NOT_UNDERSTOOD),
    ),
    "cannot print its extensions": (
        """test "$1" = -a && { echo text; exit 1; } || echo '{"xt"}'""",
        Listing('{"xt"}\n'),
    ),
    "talks without end": ("exec cat /dev/zero", Listing(None, Trouble.TOO_LONG)),
    "complains without end": ("head -c 1000000 /dev/zero >&2; echo x", Listing("x\n")),
}


@pytest.mark.parametrize(("script", "expected"), PROGRAMS.values(), ids=PROGRAMS)
def test_what_nft_says_is_read_within_bounds(tmp_path: Path, script: str, expected: Listing) -> None:
    assert list_ruleset(program(tmp_path, script)) == expected


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    assert list_ruleset(program(tmp_path, "exec sleep 1000"), limit_s=0.2) == Listing(None, Trouble.TOO_SLOW)
    assert time.monotonic() - began < 100


def test_no_program_is_no_listing(tmp_path: Path) -> None:
    assert list_ruleset([str(tmp_path / "nft")]) == Listing(None, Trouble.MISSING)


def test_a_program_that_does_not_run_is_no_listing(tmp_path: Path) -> None:
    path = Path(program(tmp_path, "")[1])
    path.write_bytes(b"\x7fELF?")
    assert list_ruleset([str(path)]) == Listing(None, Trouble.FAILED)


def test_nobody_is_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: Any) -> Listing:
        raise AssertionError("nft was started")

    monkeypatch.setattr(own_rules, "list_ruleset", started)
    assert look_at_own_rules((), {}, ()) == OwnRulesSeen((), (), ())


# ------------------------------------------------------------------------------------------------- signs

SYMBOLS = "0000000000000000 T do_exit\n0000000000000000 T nft_do_chain\t[nf_tables]\n"


def machine(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


SIGNS: dict[str, tuple[dict[str, str], Signs]] = {
    "nothing": ({}, Signs(None, ())),
    "a kernel without any filter": ({"proc/kallsyms": "0 T do_exit\n"}, Signs(False, ())),
    "a kernel that hides its names": ({"proc/kallsyms": ""}, Signs(None, ())),
    "nftables": ({"proc/kallsyms": SYMBOLS}, Signs(True, ())),
    "iptables-legacy": ({"proc/net/ip_tables_names": "filter\nnat\n"}, Signs(None, ("ip",))),
    "iptables-legacy loaded": (
        {"proc/net/ip_tables_names": "", "proc/net/ip6_tables_names": "raw\n"},
        Signs(None, ("ip6",)),
    ),
    "firewalld": ({"proc/7/comm": "firewalld\n", "proc/8/comm": "sh\n"}, Signs(None, (), ("firewalld",))),
    "ufw": ({"etc/ufw/ufw.conf": "# ENABLED=no\nENABLED=yes\n"}, Signs(None, (), ("ufw",))),
    "ufw is off": ({"etc/ufw/ufw.conf": "ENABLED=no\n"}, Signs(None, ())),
}


@pytest.mark.parametrize(("files", "expected"), SIGNS.values(), ids=SIGNS)
def test_signs(tmp_path: Path, files: dict[str, str], expected: Signs) -> None:
    assert look_for_signs(machine(tmp_path, files)) == expected


def test_a_list_of_tables_that_may_not_be_read_says_nothing_unless_the_kernel_has_none(tmp_path: Path) -> None:
    # A folder in its place cannot be read, not even by root.
    (tmp_path / "proc/net/ip_tables_names").mkdir(parents=True)
    assert look_for_signs(tmp_path) == Signs(None, None)
    assert look_for_signs(machine(tmp_path, {"proc/kallsyms": SYMBOLS})) == Signs(True, ())
    with_it = SYMBOLS + "0000000000000000 T ipt_do_table\n"
    assert look_for_signs(machine(tmp_path, {"proc/kallsyms": with_it})) == Signs(True, None)
