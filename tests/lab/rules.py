"""nftables rulesets as text: one table of chains, and matches that are spelled alike in both families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portcheck.model import Family

FIELD: Mapping[Family, str] = {Family.IPV4: "ip", Family.IPV6: "ip6"}
"""What a rule calls the header of a family."""


def table(*parts: str) -> str:
    """The ruleset of a node, from chains and sets."""
    return "\n".join(("table inet lab {", *parts, "}"))


def chain(hook: str, rules: Iterable[str], *, kind: str = "filter", priority: str = "filter") -> str:
    """A chain that the packets of a hook go through, and pass unless a rule says otherwise."""
    return "\n".join(
        (
            f"chain {kind}_{hook}_{priority} {{",
            f"type {kind} hook {hook} priority {priority}; policy accept;",
            *rules,
            "}",
        )
    )


def span(ports: range) -> str:
    """Neighbouring ports, as nftables and -e write them."""
    return f"{ports.start}-{ports.stop - 1}"


def loses(percent: int, addresses: Mapping[Family, str], only: str = "") -> list[str]:
    """Of a router that loses packets to and from these addresses: one rule for each direction and family.

    Args:
        only: what else a packet must be, in nft's words.
    """
    return [
        f"{FIELD[family]} {end} {address} {only} numgen random mod 100 < {percent} drop"
        for family, address in addresses.items()
        for end in ("saddr", "daddr")
    ]
