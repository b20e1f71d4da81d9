"""What this machine's packet filter does with its own ports: looked up, never tried, and nothing is changed.

nftables is read with its own program, which shows the rules of iptables-nft, firewalld, ufw and docker, too. What is
active beside it is told from /proc and two files. Linux only.
"""

import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .nft_rules import End, Ends, Ruleset, first_packet, shown
from .probe import Observation, PortState, Probe, Reason, Transport, Word
from .socket_table import is_loopback

NO_RULES = "no-rules"
"""Detail of RULES_ACCEPT: there is no rule at all."""

_NFT = ("/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/bin/nft")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_NFT_LIMIT_S = 10.0
_NFT_LIMIT_BYTES = 16 * 1024 * 1024
_ERROR_BYTES = 65536
_READ_BYTES = 65536
_NAMED_AT_MOST = 3
_TABLES_AT_MOST = 8


@dataclass(frozen=True)
class OwnRulesSeen:
    """`remarks`: what could not be read; `facts`: what is active, where nothing is wrong. One sentence each."""

    observations: Tuple[Observation, ...]
    remarks: Tuple[str, ...] = ()
    facts: Tuple[str, ...] = ()


class Trouble(Word):
    """Why nft did not list its rules."""

    MISSING = "nft is not installed"
    NOT_PERMITTED = "nft was not permitted to list the rules"
    TOO_SLOW = "nft did not end in time"
    TOO_LONG = "the ruleset is too long to read"
    FAILED = "nft could not list the rules"
    NOT_UNDERSTOOD = "what nft lists is in another form"


class Listing(NamedTuple):
    """What `nft -j list ruleset` printed, or why it did not.

    Attributes:
        printed: by `nft -a list ruleset`, where there are extensions of iptables-nft, which only that translates.
    """

    text: Optional[str]
    trouble: Optional[Trouble] = None
    printed: str = ""


@dataclass(frozen=True)
class Signs:
    """What tells of packet filters beside nft's listing.

    Attributes:
        has_nftables: whether the running kernel has nftables at all; None: not known.
        legacy: families ("ip", "ip6") of which tables of iptables-legacy are in use; None: not known.
        managers: "firewalld" and "ufw", where active.
    """

    has_nftables: Optional[bool] = None
    legacy: Optional[Tuple[str, ...]] = None
    managers: Tuple[str, ...] = ()


def look_at_own_rules(
    probes: Iterable[Probe], sources: Mapping[Tuple[Transport, int], Sequence[str]], addresses: Sequence[str]
) -> OwnRulesSeen:
    """What happens to a new connection or datagram to each probe's port.

    Args:
        probes: with address OWN_RULES.
        sources: addresses that have to reach a port; a port that is not in it, or without any: anybody.
        addresses: of this machine, at which the ports have to be reached; none: at any of either family.
    """
    asked = tuple(probes)
    if not asked:
        return OwnRulesSeen(())
    if not sys.platform.startswith("linux"):
        remark = "The packet filter of this machine was not looked at: portcheck reads that of Linux only."
        return OwnRulesSeen(tuple(_unknown(each, Reason.RULES_UNCLEAR, "not Linux") for each in asked), (remark,))
    return judged(asked, sources, addresses, list_ruleset(), look_for_signs())


def judged(
    probes: Sequence[Probe],
    sources: Mapping[Tuple[Transport, int], Sequence[str]],
    addresses: Sequence[str],
    listing: Listing,
    signs: Signs,
) -> OwnRulesSeen:
    """The same from what was read of the machine. Pure."""
    rules, trouble = _readable(listing, signs)
    facts = tuple(filter(None, [_active(signs, rules)]))
    if trouble is not None:
        reason, remark = _TROUBLES[trouble]
        detail = str(trouble) if reason is Reason.RULES_UNCLEAR else None
        seen = tuple(_unknown(each, reason, detail) for each in probes)
        return OwnRulesSeen(seen, (remark,), facts)
    ways = _Ways(rules, frozenset(signs.legacy or ()), addresses)
    seen = tuple(ways.observation(each, sources.get((each.transport, each.port), ())) for each in probes)
    return OwnRulesSeen(seen, facts=facts)


def _readable(listing: Listing, signs: Signs) -> Tuple[Ruleset, Optional[Trouble]]:
    """The rules, and why they are not all that there is."""
    if listing.text is None and signs.has_nftables is not False:
        return Ruleset(), listing.trouble or Trouble.FAILED
    if signs.legacy is None:
        return Ruleset(), Trouble.NOT_PERMITTED
    try:
        return Ruleset() if listing.text is None else Ruleset(listing.text, listing.printed), None
    except ValueError:
        return Ruleset(), Trouble.NOT_UNDERSTOOD


_TROUBLES: Mapping[Trouble, Tuple[Reason, str]] = {
    Trouble.MISSING: (
        Reason.RULES_UNCLEAR,
        "The packet filter of this machine was not read: install nftables (the program nft), and check again as root.",
    ),
    Trouble.NOT_PERMITTED: (
        Reason.NEEDS_PRIVILEGE,
        "The packet filter of this machine was not read: check again with sudo (in a container: with CAP_NET_ADMIN).",
    ),
    Trouble.TOO_SLOW: (
        Reason.RULES_UNCLEAR,
        f"The packet filter of this machine was not read: nft did not list it within {_NFT_LIMIT_S:.0f} s.",
    ),
    Trouble.TOO_LONG: (
        Reason.RULES_UNCLEAR,
        "The packet filter of this machine was not read: its rules are longer than "
        f"{_NFT_LIMIT_BYTES // (1024 * 1024)} MiB.",
    ),
    Trouble.FAILED: (
        Reason.RULES_UNCLEAR,
        "The packet filter of this machine was not read: see what `nft -j list ruleset` says as root.",
    ),
    Trouble.NOT_UNDERSTOOD: (
        Reason.RULES_UNCLEAR,
        "The packet filter of this machine was not understood: see what `nft list ruleset` says as root.",
    ),
}


def _active(signs: Signs, rules: Ruleset) -> str:
    """What is active, in one sentence; empty where nothing is."""
    named = list(signs.managers)
    tables = [f"{shown(family)} {shown(name)}" for family, name in rules.tables]
    if tables:
        more = f" and {len(tables) - _TABLES_AT_MOST} more" if len(tables) > _TABLES_AT_MOST else ""
        named.append(f"nftables (table{'s' * (len(tables) > 1)} {', '.join(tables[:_TABLES_AT_MOST])}{more})")
    legacy = [{"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}[family] for family in signs.legacy or ()]
    if legacy:
        named.append(f"{' and '.join(legacy)} (portcheck cannot read {'their' if len(legacy) > 1 else 'its'} rules)")
    return f"Packet filter of this machine: {', '.join(named)}." if named else ""


# ------------------------------------------------------------------------------------- one port, all who need it


class _Way(NamedTuple):
    """A flow that has to pass, by the addresses of its two ends; None: anybody, or any of ours."""

    is_ipv6: bool
    target: Optional[str]
    source: Optional[str]


_ANYBODY = _Way(is_ipv6=False, target=None, source=None)


class _Ways:
    """Answers for one port after the other; one address after the other only where it makes a difference."""

    def __init__(self, rules: Ruleset, legacy: "frozenset[str]", addresses: Sequence[str]) -> None:
        self._rules = rules
        self._legacy = legacy
        self._known: Dict[Tuple[Transport, int, _Way], Ends] = {}
        self._own = frozenset(filter(None, map(_plain, addresses)))
        self._targets = tuple(each for each in dict.fromkeys(map(_plain, addresses)) if each and not is_loopback(each))

    def observation(self, probe: Probe, sources: Sequence[str]) -> Observation:
        if self._rules.is_empty and not self._legacy:
            return Observation(probe, PortState.OPEN, Reason.RULES_ACCEPT, detail=NO_RULES)
        ends: Dict[_Way, Ends] = {}
        for way in self._ways([plain for plain in map(_plain, sources) if plain]):
            ends[way] = self._ends(probe, way)
        stopped = {way: found for way, found in ends.items() if set(found) in ({End.DROP}, {End.REJECT})}
        if stopped:
            end, place = next(iter(next(iter(stopped.values())).items()))
            detail = place + _only_for(stopped, ends)
            return Observation(probe, PortState.FILTERED, _STOPPED[end], detail=detail)
        if all(set(found) == {End.ACCEPT} for found in ends.values()):
            return Observation(probe, PortState.OPEN, Reason.RULES_ACCEPT)
        return _unknown(probe, Reason.RULES_UNCLEAR, next(_doubt(found) for found in ends.values() if len(found) > 1))

    def _ways(self, sources: Sequence[str]) -> List[_Way]:
        others = [each for each in dict.fromkeys(sources) if each not in self._own] or list(dict.fromkeys(sources))
        ways = [
            _Way(":" in (target or source or ""), target, source)
            for target in self._targets or (None,)
            for source in others or (None,)
            if target is None or source is None or (":" in target) == (":" in source)
        ]
        if not ways:  # Nobody of those who need it has an address of a family of ours.
            return self._ways(())
        return ways if ways != [_ANYBODY] else [_ANYBODY, _ANYBODY._replace(is_ipv6=True)]

    def _ends(self, probe: Probe, way: _Way) -> Ends:
        """Most rules care for no address: what is the same for anybody is asked once."""
        wider = (_Way(way.is_ipv6, None, None), _Way(way.is_ipv6, way.target, None))
        for each in () if way.source in self._own else wider:
            if len(self._remembered(probe, each)) == 1:
                return self._remembered(probe, each)
        return self._remembered(probe, way)

    def _remembered(self, probe: Probe, way: _Way) -> Ends:
        key = (probe.transport, probe.port, way)
        if key not in self._known:
            self._known[key] = self._asked(probe, way)
        return self._known[key]

    def _asked(self, probe: Probe, way: _Way) -> Ends:
        if ("ip6" if way.is_ipv6 else "ip") in self._legacy:
            return {End.UNCLEAR: "rules of iptables-legacy", End.ACCEPT: ""}
        packet = first_packet(
            probe.transport,
            probe.port,
            is_ipv6=way.is_ipv6,
            source=_as_number(way.source),
            target=_as_number(way.target),
            is_local=way.source is not None and way.source in self._own,
        )
        return self._rules.ends(packet)


_STOPPED: Mapping[End, Reason] = {End.DROP: Reason.RULES_DROP, End.REJECT: Reason.RULES_REJECT}


def _doubt(ends: Ends) -> str:
    """What stands in the way of an answer."""
    if End.UNCLEAR in ends:
        return ends[End.UNCLEAR]
    return f"depends on the packet: {next(ends[end] for end in (End.DROP, End.REJECT) if end in ends)}"


def _only_for(stopped: Mapping[_Way, Ends], everything: Mapping[_Way, Ends]) -> str:
    """For whom, where it is not for all."""
    if len(stopped) == len(everything):
        return ""
    others = [way for way in everything if way not in stopped]
    sources = dict.fromkeys(way.source for way in stopped if way.source is not None)
    if sources and not set(sources) & {way.source for way in others}:
        return f", for {_listed(list(sources))}"
    targets = dict.fromkeys(way.target or ("IPv6" if way.is_ipv6 else "IPv4") for way in stopped)
    to = f", to {_listed(list(targets))}"
    return f", for {_listed(list(sources))}{to}" if sources else to


def _listed(names: List[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _unknown(probe: Probe, reason: Reason, detail: Optional[str] = None) -> Observation:
    return Observation(probe, PortState.UNKNOWN, reason, detail=detail)


def _plain(address: str) -> Optional[str]:
    """Without zone, as Python spells it; None for what is no address."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return None


def _as_number(address: Optional[str]) -> Optional[int]:
    return None if address is None else int(ip_address(address))


# --------------------------------------------------------------------------------------------- asking the machine


def list_ruleset(programs: Sequence[str] = _NFT, limit_s: float = _NFT_LIMIT_S) -> Listing:
    """What nft lists; child processes without a shell, ended after `limit_s`."""
    program = next((each for each in programs if os.access(each, os.X_OK)), None)
    if program is None:
        return Listing(None, Trouble.MISSING)
    deadline = time.monotonic() + limit_s
    text, errors, trouble = _ran([program, "-j", "list", "ruleset"], deadline)
    if trouble is None and _lacks_extensions(errors):
        # Some versions leave out of a rule what they cannot load.
        trouble = Trouble.NOT_UNDERSTOOD
    if trouble is not None:
        return Listing(None, trouble)
    if '"xt"' not in text:
        return Listing(text)
    printed, errors, trouble = _ran([program, "-a", "list", "ruleset"], deadline)
    return Listing(text, printed="" if trouble is not None or _lacks_extensions(errors) else printed)


def _lacks_extensions(errors: bytes) -> bool:
    """Whether extensions of iptables-nft are not installed here: "XT match conntrack not found"."""
    return any(line.startswith(b"XT ") for line in errors.splitlines())


def _ran(command: Sequence[str], deadline: float) -> Tuple[str, bytes, Optional[Trouble]]:
    """What it printed and what it complained of."""
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
        )
    except OSError:
        return "", b"", Trouble.FAILED
    with child:
        try:
            output, errors, trouble = _read_both(child, deadline)
            status = child.wait(max(0.0, deadline - time.monotonic())) if trouble is None else None
        except subprocess.TimeoutExpired:
            return "", b"", Trouble.TOO_SLOW
        finally:
            child.kill()
    # 1.0.6 says "(you must be root)" before "Operation not permitted"; another may lose either line.
    if b"not permitted" in errors or b"must be root" in errors or b"Permission denied" in errors:
        trouble = trouble or Trouble.NOT_PERMITTED
    return output.decode("utf-8", "replace"), errors, trouble or (Trouble.FAILED if status else None)


def _read_both(child: "subprocess.Popen[bytes]", deadline: float) -> Tuple[bytes, bytes, Optional[Trouble]]:
    """What it prints, until it ends; neither more nor longer than we have room and time for."""
    assert child.stdout is not None
    assert child.stderr is not None
    output, errors = bytearray(), bytearray()
    rooms: Mapping[IO[bytes], Tuple[bytearray, int]] = {
        child.stdout: (output, _NFT_LIMIT_BYTES),
        child.stderr: (errors, _ERROR_BYTES),
    }
    with selectors.DefaultSelector() as waiting:
        for stream in rooms:
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready and time.monotonic() >= deadline:
                return bytes(output), bytes(errors), Trouble.TOO_SLOW
            for key, _ in ready:
                chunk = os.read(key.fd, _READ_BYTES)
                kept, room = rooms[key.fileobj]  # type: ignore[index]  # What was registered above.
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif kept is output and len(kept) + len(chunk) > room:
                    return bytes(output), bytes(errors), Trouble.TOO_LONG
                else:
                    kept += chunk[: room - len(kept)]
    return bytes(output), bytes(errors), None


def look_for_signs(root: Path = Path("/")) -> Signs:
    """What /proc and the managers' files tell. `root` is where they are."""
    symbols = _kernel_symbols(root / "proc/kallsyms")
    managers = [
        name for name, is_active in (("firewalld", _runs(root, "firewalld")), ("ufw", _ufw_is_on(root))) if is_active
    ]
    legacy: List[str] = []
    for family, table_names, symbol in _LEGACY:
        has_tables = _is_in_use(root / table_names)
        if has_tables is None:
            # Not readable (only root may); a kernel without the code has no tables either.
            has_tables = None if symbols is None or symbol in symbols else False
        if has_tables is None:
            return Signs(_has(symbols, _NFT_SYMBOL), None, tuple(managers))
        if has_tables:
            legacy.append(family)
    return Signs(_has(symbols, _NFT_SYMBOL), tuple(legacy), tuple(managers))


_NFT_SYMBOL = "nft_do_chain"
_LEGACY = (
    ("ip", "proc/net/ip_tables_names", "ipt_do_table"),
    ("ip6", "proc/net/ip6_tables_names", "ip6t_do_table"),
)
"""Family, the list of its tables (absent until the module is loaded), and the function that walks them."""
_EVERY_KERNEL = "do_exit"
"""A function that no kernel is without: a list that lacks it is not the whole list."""


def _kernel_symbols(path: Path) -> Optional["frozenset[str]"]:
    """Which of the filters' functions the running kernel has, modules included; None: not known.

    The names may be read by everybody, only the addresses are hidden (kernel.kptr_restrict).
    """
    wanted = {_NFT_SYMBOL, _EVERY_KERNEL, *(symbol for _, _, symbol in _LEGACY)}
    try:
        with path.open(encoding="ascii", errors="replace") as lines:
            found = frozenset(name for name in map(_symbol, lines) if name in wanted)
    except OSError:
        return None
    return found if _EVERY_KERNEL in found else None


def _symbol(line: str) -> str:
    """`ffffffff81000000 T name [module]`."""
    words = line.split(None, 3)
    return words[2] if len(words) > 2 else ""


def _has(symbols: Optional["frozenset[str]"], symbol: str) -> Optional[bool]:
    return None if symbols is None else symbol in symbols


def _is_in_use(table_names: Path) -> Optional[bool]:
    """Whether any table is listed; None: not permitted to see that."""
    try:
        return bool(table_names.read_text(encoding="ascii", errors="replace").strip())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None


def _runs(root: Path, name: str) -> bool:
    """Whether a process of that name is seen."""
    try:
        pids = [each for each in os.listdir(root / "proc") if each.isdecimal()]
    except OSError:
        return False
    return any(_first_line(root / "proc" / pid / "comm") == name for pid in pids)


def _ufw_is_on(root: Path) -> bool:
    try:
        lines = (root / "etc/ufw/ufw.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip().replace('"', "").lower() == "enabled=yes" for line in lines)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
