"""`python -m tests.lab`: builds a named network to look at, or to run portcheck in."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from portcheck.model import Family
from tests.lab.build import Lab, build, portcheck_argv, unavailable
from tests.lab.scenarios import SCENARIOS, Scenario
from tests.lab.topology import SWITCH, Node, Topology


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: portcheck's own for `run`; 2 for wrong usage or a machine without labs."""
    # argparse loses what follows "--" when options stand between it and the last positional argument.
    words = list(sys.argv[1:] if argv is None else argv)
    split = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:split])
    options.arguments = words[split + 1 :]
    if options.command == "list":
        _say(*_listing())
        return 0
    scenario = SCENARIOS[options.name]
    strangers = sorted(set(options.fault) - set(scenario.faults))
    if strangers:
        known = ", ".join(scenario.faults) or "none"
        _complain(f"{options.name} has no fault {', '.join(strangers)}; it has: {known}")
        return 2
    reason = unavailable()
    if reason is not None:
        _complain(reason)
        return 2
    try:
        with build(scenario.topology(options.fault)) as lab:
            return _up(lab, scenario, options.fault) if options.command == "up" else _run(lab, scenario, options)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the networks and their faults")
    up = commands.add_parser("up", help="build a network and keep it until Ctrl-C")
    run = commands.add_parser(
        "run",
        help="build a network and run portcheck in it, unprivileged",
        epilog="after --: portcheck's arguments (default: a check of it all)",
    )
    for command in (up, run):
        command.add_argument("name", choices=SCENARIOS, help="the network")
        command.add_argument("-f", "--fault", action="append", default=[], help="put a fault in; may be repeated")
    run.add_argument("--on", metavar="NODE", help="where portcheck runs (default: the network's usual vantage)")
    return parser


def _listing() -> Iterator[str]:
    for name, scenario in SCENARIOS.items():
        yield f"{name:8} {scenario.title}"
        for fault, title in scenario.faults.items():
            yield f"         --fault {fault:20} {title}"


def _up(lab: Lab, scenario: Scenario, faults: Sequence[str]) -> int:
    _say(*_map(lab.topology), "", *scenario.legend(faults))
    _say("", f"Built in {lab.built_in_s:.2f} s. To run something there, as root:")
    for name in (*(node.name for node in lab.topology.present), SWITCH):
        _say(f"  ip netns exec {lab.namespace(name)} …")
    portcheck = shlex.join(portcheck_argv(scenario.arguments(lab)))
    _say(
        "",
        f"A check, from {scenario.vantage}:",
        f"  ip netns exec {lab.namespace(scenario.vantage)} {portcheck}",
    )
    # A shell's background jobs ignore SIGINT; this one is ended by it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _say("", "Ctrl-C takes it all down.")
    signal.pause()
    return 0


def _run(lab: Lab, scenario: Scenario, options: argparse.Namespace) -> int:
    arguments = options.arguments or scenario.arguments(lab)
    command = lab.command(options.on or scenario.vantage, portcheck_argv(arguments))
    return subprocess.run(command, env=lab.environment(), cwd="/", check=False).returncode


def _map(topology: Topology) -> Iterator[str]:
    """Who is where: nets with their members, then what each node does."""
    yield f"{topology.name}: {topology.title}"
    for net in topology.nets:
        yield ""
        yield f"{net.name}: {', '.join(filter(None, (net.ipv4, net.ipv6)))}"
        for node in topology.nodes:
            for link in node.links:
                if link.net == net.name:
                    found = (net.address(number, family) for family in Family for number in link.numbers)
                    addresses = ", ".join(filter(None, found))
                    yield f"  {node.name:10} {addresses:28} {_description(node)}"


def _description(node: Node) -> str:
    if not node.present:
        return "no machine"
    tcp = sum(listener.transport == "tcp" for listener in node.listeners)
    udp = len(node.listeners) - tcp
    parts = (
        "router" if node.forwards else "",
        f"{tcp} tcp ports" if tcp else "",
        f"{udp} udp ports" if udp else "",
        "firewall" if node.rules else "",
    )
    return ", ".join(filter(None, parts)) or "host"


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _complain(message: str) -> None:
    sys.stderr.write(f"python -m tests.lab: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
