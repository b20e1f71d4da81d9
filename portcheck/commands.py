"""Commands that a report tells its reader to type. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from shlex import quote

from portcheck.addresses import is_machine_name
from portcheck.engine.probe import Transport
from portcheck.model import Selection
from portcheck.ports import format_ports

KEY_FILE = "stand-in.key"
"""What the file with the shared key is called in all of them; the user's own name of it is not part of a run."""
_OPTION = r""" --?[a-z][a-z-]*(?: (?:'[^']*'|"[^"]*"|[^\s'"])+)"""
_COMMAND = re.compile(
    rf"portcheck (?:listen(?:{_OPTION})+|check --local(?:{_OPTION})*)(?<![.;,])"
    r"""|sysctl -w [\w.]+="[^"]*"|sysctl [\w.]+ > \S+(?<![.;,])"""
)
"""Those of this module that are too long to be copied out of wrapped text."""


def listen(selection: Selection, host: str) -> str:
    """Starts the stand-ins of a host, on that host, with the key of this check; without one it makes the first."""
    option = "--key-file" if selection.stand_ins else "--write-key"
    return " ".join(["portcheck listen", *_what(selection), *_as(host), option, KEY_FILE])


def copy_key(hosts: int) -> str:
    """What comes after the first of so many stand-ins has made the key."""
    return f"Copy {KEY_FILE} here" if hosts == 1 else f"Copy {KEY_FILE} to the others and here"


def check_local(selection: Selection) -> str:
    """Looks at a machine's own ports and packet filter, on that machine."""
    return " ".join(["portcheck check --local", *_what(selection)])


def _what(selection: Selection) -> Iterable[str]:
    options: list[tuple[str, Iterable[str]]] = [("-e", selection.expects)]
    if selection.site is not None:
        options = [("-s", [selection.site]), *options]
    else:
        options = [("-d", selection.documents), ("-r", selection.roles), *options]
    stated = [name if used else f"{name}=no" for name, used in selection.features.items()]
    for option, values in (*options, ("--feature", stated)):
        for value in values:
            yield f"{option} {quote(value)}"


def _as(host: str) -> Iterable[str]:
    """Its name as the check has it: then an echo shows that it came from this host and no other."""
    return ("--as", host) if is_machine_name(host) else ()


def who_listens(transports: Iterable[Transport]) -> str:
    """Shows which processes have ports."""
    asked = set(transports)
    kinds = "".join(letter for letter, one in (("t", Transport.TCP), ("u", Transport.UDP)) if one in asked)
    return f"ss -l{kinds}np (Windows: netstat -abn)"


def keep_reserved() -> str:
    """The same after the next start."""
    return "sysctl net.ipv4.ip_local_reserved_ports > /etc/sysctl.d/60-reserved-ports.conf"


def reserve(ports: Iterable[int]) -> str:
    """Keeps the kernel from giving these ports to outgoing connections, and all that were kept from it before."""
    setting = "net.ipv4.ip_local_reserved_ports"
    numbers = format_ports(sorted(set(ports)))
    # The new ones first: of a list that begins with a comma Linux says "Invalid argument".
    return f'sysctl -w {setting}="{numbers},$(sysctl -n {setting})"'


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """A text cut at its long commands: whether it is one, and the piece, without what stood between the two."""
    end = 0
    for found in _COMMAND.finditer(text):
        yield from _prose(text[end : found.start()], bool(end))
        yield True, found[0]
        end = found.end()
    yield from _prose(text[end:], bool(end))


def _prose(text: str, after_command: bool) -> Iterator[tuple[bool, str]]:
    if said := (text.lstrip(" .;,") if after_command else text).rstrip(" "):
        yield False, said
