"""The named networks of the lab, for tests and for `python -m tests.lab`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from portcheck.model import Family
from tests.lab import bans, lossy, many, metered, middleboxes, rationed, udp_limits, udp_lossy, udp_matrix
from tests.lab.build import Lab
from tests.lab.dcos import FAULTS, dcos_site, site_yaml
from tests.lab.matrix import ANSWERS, CASES, CLOSED_PORT, MATRIX, OPEN_PORT, PLACES, Case, matrix
from tests.lab.runs import tcp
from tests.lab.topology import Topology
from tests.lab.windows import DROPPED, GUEST, windows_site, windows_yaml

__all__ = ["CASES", "FAULTS", "MATRIX", "SCENARIOS", "Case", "Scenario", "dcos_site", "matrix", "site_yaml"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network with a name.

    Attributes:
        vantage: the node to look from.
        topology: makes the description from the names of faults.
        faults: those names, with their titles.
        arguments: portcheck's arguments when the user gives none; may put files into `lab.home`.
        legend: what to know beside the map, from the names of the faults put in.
    """

    title: str
    vantage: str
    topology: Callable[[Iterable[str]], Topology]
    arguments: Callable[[Lab], list[str]]
    faults: Mapping[str, str]
    legend: Callable[[Iterable[str]], Iterable[str]]


def _matrix_arguments(lab: Lab) -> list[str]:
    targets = dict.fromkeys(case.address for case in CASES)
    ports = sorted({case.port for case in CASES})
    return ["check", *targets, "-e", f"{','.join(map(str, ports))}/tcp"]


def _dcos_arguments(lab: Lab) -> list[str]:
    site = lab.home / "site.yaml"
    site.write_text(site_yaml(lab))
    return ["check", "-s", str(site), "--from", "a1"]


def _windows_arguments(lab: Lab) -> list[str]:
    site = lab.home / "site.yaml"
    site.write_text(windows_yaml(lab))
    return ["check", "-s", str(site), "--from", "pc", "--transport", "tcp", "--sweep", "common"]


def _matrix_legend(faults: Iterable[str]) -> Iterable[str]:
    yield f"Ports of the server: {OPEN_PORT} is open, {CLOSED_PORT} is closed. All others listen behind a firewall:"
    yield "  " + ", ".join(f"{place.first_port} + n at {place.node}" for place in PLACES)
    yield "  n: " + ", ".join(f"{answer.offset} {answer.name}" for answer in ANSWERS)


def _dcos_legend(faults: Iterable[str]) -> Iterable[str]:
    yield "Faults: " + ("; ".join(FAULTS[name].title for name in faults) or "none")


def _trap(vantage: str, topology: Callable[[], Topology], legend: str, *arguments: str) -> Scenario:
    """A network that tests/lab/test_*.py of the same subject is about; it has no faults to choose from."""
    title = topology().title
    return Scenario(
        title, vantage, lambda faults: topology(), lambda lab: ["check", *arguments], {}, lambda faults: [legend]
    )


_DCOS_FAULTS = {name: fault.title for name, fault in FAULTS.items()}

SCENARIOS: Mapping[str, Scenario] = {
    "matrix": Scenario(
        "every way in which a TCP port can answer or not, IPv4 and IPv6",
        "client",
        lambda faults: matrix(),
        _matrix_arguments,
        {},
        _matrix_legend,
    ),
    "dcos": Scenario(
        "a DC/OS site, IPv4", "a1", lambda faults: dcos_site(faults), _dcos_arguments, _DCOS_FAULTS, _dcos_legend
    ),
    "dcos6": Scenario(
        "the same with IPv6 beside IPv4",
        "a1",
        lambda faults: dcos_site(faults, ipv6=True),
        _dcos_arguments,
        _DCOS_FAULTS,
        _dcos_legend,
    ),
    "windows": Scenario(
        "a Windows domain, seen from a member",
        "pc",
        lambda faults: windows_site(
            dropped=DROPPED if "dropped" in faults else None, opened=[GUEST] if "guest" in faults else ()
        ),
        _windows_arguments,
        {"dropped": f"the router drops {DROPPED}/tcp", "guest": f"{GUEST}/tcp is open on the controller"},
        lambda faults: ["dc is the domain controller; it drops what nothing listens for, as Windows does."],
    ),
    "lossy": _trap(
        "client",
        lossy.lossy,
        f"The server's addresses: {', '.join(map(lossy.server_address, lossy.LOSS_PERCENT))}.",
        lossy.server_address(10),
        "-e",
        tcp((*lossy.OPEN_PORTS[:20], *lossy.DROPPED_PORTS[:2])),
    ),
    "rationed": _trap(
        "c-half",
        rationed.rationed,
        "; ".join(
            f"{rationed.address(target.name)}: {target.rejected} ports from {rationed.FIRST_PORT} on are rejected "
            f"by {target.rejected_by}, the next {target.dropped} dropped"
            for target in rationed.TARGETS.values()
        ),
        rationed.address("half"),
        "-e",
        tcp((rationed.OPEN_PORT, *rationed.TARGETS["half"].rejected_ports, *rationed.TARGETS["half"].dropped_ports)),
    ),
    "boxes": _trap(
        "client",
        middleboxes.middleboxes,
        f"{middleboxes.address(middleboxes.PROXIED)}: a SYN proxy; {middleboxes.address(middleboxes.CAPTIVE)}: accepts "
        f"everything; {middleboxes.address(middleboxes.BALANCED)}: a load balancer.",
        middleboxes.address(middleboxes.PROXIED),
        "-e",
        tcp((*middleboxes.OPEN_PORTS, *middleboxes.CLOSED_PORTS[:20], middleboxes.DROPPED_PORT)),
    ),
    "bans": _trap(
        "reject-6s",
        bans.bans,
        f"A client's name says how it is banned and for how long: {', '.join(bans.BANS)}.",
        bans.BANNED.address("server", Family.IPV4),
        "-e",
        tcp((*bans.OPEN_PORTS[:35], *bans.CLOSED_PORTS, *bans.DROPPED_PORTS)),
        "--speed",
        "fast",
    ),
    "metered": _trap(
        "normal",
        metered.metered,
        "Clients 10 to 49 meet the vendor default, 50 to 99 the hardening guide.",
        metered.METERED.address("server", Family.IPV4),
        "-e",
        tcp((*metered.OPEN_PORTS, *metered.CLOSED_PORTS, *metered.DROPPED_PORTS)),
    ),
    "many": _trap(
        "fast",
        many.many,
        f"Dead: {', '.join((*many.addresses(many.ABSENT), *many.addresses(many.SILENT)))}.",
        *many.addresses(range(many.LIVE.start, many.SILENT.stop)),
        "-e",
        tcp(many.PORTS),
    ),
    "udp": _trap(
        "client",
        udp_matrix.udp_matrix,
        f"Ports of the server: {udp_matrix.OPEN_PORT} answers, {udp_matrix.SILENT_PORT} is silent, "
        f"{udp_matrix.CLOSED_PORT} is closed; the others as in matrix.",
        udp_matrix.UDP_MATRIX.address("server", Family.IPV4),
        "-e",
        f"{udp_matrix.OPEN_PORT},{udp_matrix.SILENT_PORT},{udp_matrix.CLOSED_PORT},2101,3003,3004/udp,icmp",
    ),
    "udplimit": _trap(
        "c-half",
        udp_limits.udp_limits,
        "; ".join(
            f"{', '.join(udp_limits.addresses(name)[:2])}{' …' if target.addresses > 2 else ''}: "
            f"{target.closed} ports from {udp_limits.FIRST_PORT} on are "
            f"{'rejected by r1' if target.rejected_by_r1 else 'closed'}, the next {target.dropped} dropped"
            for name, target in udp_limits.TARGETS.items()
        ),
        *udp_limits.addresses("half"),
        "-e",
        f"{','.join(map(str, udp_limits.TARGETS['half'].ports))}/udp",
    ),
    "udploss": _trap(
        udp_lossy.CLIENTS[0],
        udp_lossy.udp_lossy,
        f"The servers: {', '.join(map(udp_lossy.server_address, udp_lossy.LOSS_PERCENT))}.",
        udp_lossy.server_address(10),
        "-e",
        f"{','.join(map(str, udp_lossy.PORTS))}/udp",
    ),
}
