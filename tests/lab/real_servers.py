"""`python -m tests.lab.real_servers`: starts every real server that is installed, asks it, keeps what it answered.

The manual's table of UDP protocols is made from results/real_servers.json. A server that is not installed keeps the
row that it has there. `packages` prints what is to be installed before the tests can run, `packages --all` also what
only this script asks.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from portcheck.model import Family
from tests.lab import runs, servers
from tests.lab.build import build, unavailable
from tests.lab.known_servers import BY_HAND, CLIENT, ENVIRONMENT, IN_CI, KERNEL, REAL, Row, rows
from tests.lab.runs import Result
from tests.lab.servers import Server

RESULTS = Path(__file__).with_name("results") / "real_servers.json"

ALL: Mapping[str, Sequence[Server]] = {**IN_CI, **BY_HAND}

Kept = dict[str, Any]
"""What is kept of one port of one server, by family: state, answer and protocol."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 when something answered otherwise than it must, 2 where there can be no lab."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.real_servers", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    packages = commands.add_parser("packages", help="print the Debian packages that are missing, and ask nothing")
    packages.add_argument("--all", action="store_true", help="not only those that the tests need")
    options = parser.parse_args(argv)
    if options.command == "packages":
        _say(*servers.missing_packages(every(ALL if options.all else IN_CI)))
        return 0
    reason = unavailable()
    if reason is not None:
        sys.stderr.write(f"python -m tests.lab.real_servers: {reason}\n")
        return 2
    return _ask({node: [server for server in several if not server.missing()] for node, several in ALL.items()})


def every(table: Mapping[str, Sequence[Server]]) -> Iterable[Server]:
    return (server for several in table.values() for server in several)


def _ask(table: Mapping[str, Sequence[Server]]) -> int:
    asked = list(rows(table))
    with build(REAL) as lab, servers.running(lab, table, client=CLIENT):
        looks = {
            node: partial(
                runs.check,
                lab,
                CLIENT,
                *(REAL.address(node, family) for family in Family),
                "-e",
                f"{','.join(str(port) for server in several for port in server.udp)}/udp",
                env=ENVIRONMENT,
                capability="net_bind_service",
            )
            for node, several in table.items()
            if several
        }
        results = runs.named(looks)
    found: dict[str, Kept] = {}
    installed = {**servers.versions(server.package for server in every(table)), KERNEL: platform.release()}
    for row in asked:
        kept = found.setdefault(key(row), _about(row, installed))
        kept[row.family] = _seen(results[row.node], row)
    wrong = [row for row in asked if not row.agrees(found[key(row)][row.family]["answer"])]
    for row in asked:
        seen = found[key(row)][row.family]
        _say(f"{'WRONG ' if row in wrong else '      '}{row!s:36} {seen['state']:14} {seen['answer'] or ''}")
    missing = servers.missing_packages(every(ALL))
    if missing:
        _say("", f"Not installed: {', '.join(missing)}")
    if wrong:
        _say("", f"{RESULTS.name} stays as it was: some answered otherwise than they must.")
        return 1
    _write(found)
    return 0


def key(row: Row) -> str:
    return f"{row.node}/{row.server.name}/{row.port}"


def _about(row: Row, installed: Mapping[str, str]) -> Kept:
    return {
        "server": row.server.name,
        "package": row.server.package,
        "version": installed.get(row.server.package, ""),
        "port": row.port,
        "asked": datetime.now(UTC).date().isoformat(),
        "why": row.server.why if row.said is None else "",
    }


def _seen(result: Result, row: Row) -> Kept:
    check = result.check(row.address, row.port, row.transport)
    return {word: check[word] for word in ("state", "answer", "speaks")}


def _write(found: Mapping[str, Kept]) -> None:
    """Puts what was found into the file, in the order of the tables; what was not asked now stays."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    everything = kept | dict(found)
    order = dict.fromkeys(key(row) for row in rows(ALL))
    RESULTS.parent.mkdir(exist_ok=True)
    content = {key: everything[key] for key in order if key in everything}
    RESULTS.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
