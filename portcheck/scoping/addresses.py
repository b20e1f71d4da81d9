"""What a host's written address comes to: a literal, or a name's addresses as far as we have a route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portcheck.model import Address, Gap, NotPlanned
from portcheck.vantage import local


def addresses_of(
    host: str, text: str, found: Mapping[str, local.Lookup], left_out: list[NotPlanned]
) -> tuple[Address, ...] | str:
    """All addresses of a literal or a name; in one phrase why a name has none."""
    literal = local.canonical(text)
    if literal is not None:
        return (Address(literal, local.family(literal)),)
    looked_up = found[text]
    if isinstance(looked_up, str):
        return looked_up
    kept, unroutable = local.reachable_families(tuple(Address(ip, local.family(ip), text) for ip in looked_up))
    for address in unroutable:
        line = f"{host}: {address.ip} (this machine has no {address.family} route to it)"
        left_out.append(NotPlanned(Gap.FAMILY_WITHOUT_ROUTE, 0, line))
    return distinct(kept)


def distinct(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Each IP once: a name and a literal, or two names, may mean the same."""
    by_ip: dict[str, Address] = {}
    for address in addresses:
        by_ip.setdefault(address.ip, address)
    return tuple(by_ip.values())
