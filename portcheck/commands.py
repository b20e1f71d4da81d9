"""Commands that a report tells its reader to type. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from shlex import quote

from portcheck.engine.probe import Transport
from portcheck.model import Selection
from portcheck.ports import format_ports

KEY_FILE = "stand-in.key"
"""What the file with the shared key is called in all of them; the user's own name of it is not part of a run."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def listen(selection: Selection, host: str) -> str:
    """Starts the stand-ins of a host, on that host, with the key that this check was given or is to be given."""
    return " ".join(["portcheck listen", *_what(selection), *_as(host), "--key-file", KEY_FILE])


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
    return ("--as", host) if _PLAIN_NAME.fullmatch(host) else ()


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
