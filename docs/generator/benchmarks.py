"""The pages of benchmarks: what tests/bench/results/*.json says, as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).parents[2] / "tests" / "bench" / "results"


def benchmarks(name: str) -> str:
    """Where it was measured, the table, and the commands behind each row of `python -m tests.bench.NAME`."""
    kept = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    rows: Mapping[str, Any] = kept["rows"]
    return "\n".join(
        (_where(kept["environment"], rows), "", *_table(rows), "", "## The commands", "", *_commands(rows))
    )


def _where(here: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    days = sorted({row["measured"] for row in rows.values()})
    return (
        f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))}: Linux {here['kernel']}, {here['cpus']} CPUs "
        f"({here['cpu']}), at most {here['sockets']:,} sockets in a process; portcheck {here['portcheck']} with Python "
        f"{here['python']}, nmap {here['nmap']}."
    )


def _table(rows: Mapping[str, Any]) -> Iterator[str]:
    yield "| job | portcheck | beside it | takes | demanded |"
    yield "|---|---|---|---|---|"
    for name, row in rows.items():
        ours, *peers = row["programs"]
        beside = "<br>".join(f"{peer['name']}: {_said(peer)}" for peer in peers)
        ratios = "<br>".join(_ratio(ours, peer) for peer in peers)
        yield f"| {row['title']}<br>`{name}` | {_said(ours)} | {beside} | {ratios} | {_demanded(row)} |"


def _said(program: Mapping[str, Any]) -> str:
    """`1.30 s (1.20 to 1.60), 0 of 1,200 wrong, 0.45 s of CPU, 40 MB`: medians, the extremes, the peak of memory."""
    stopped = f"> {program['longest_s']:g} s, stopped"
    if program["median_s"] is None:
        return stopped
    parts = [
        f"{_number(program['median_s'])} s ({_number(program['least_s'])} to {_number(program['most_s'])})",
        f"{program['wrong']:,} of {program['ports']:,} wrong",
    ]
    if program["wrong"]:
        parts[-1] += f" ({', '.join(f'{mistake} {number:,}' for mistake, number in program['mistakes'].items())})"
    if program["undecided"]:
        parts.append(f"{program['undecided']:,} undecided")
    if program["unnamed"]:
        parts.append(f"{program['unnamed']:,} unnamed")
    parts += [f"{_number(program['cpu_s'])} s of CPU", f"{program['peak_mb']:.0f} MB"]
    if program["killed"]:
        parts.append(f"{program['killed']} of {program['runs']} runs {stopped}")
    return ", ".join(parts)


def _number(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}"


def _ratio(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """How many times our time the peer takes."""
    if ours["median_s"] is None:
        return "-"
    if peer["median_s"] is None:
        return f"> {peer['longest_s'] / ours['median_s']:.1f} times ours"
    return f"{peer['median_s'] / ours['median_s']:.2f} times ours"


def _demanded(row: Mapping[str, Any]) -> str:
    return "<br>".join(f"{word}: {_kept(row[word])}" for word in ("must", "aim") if row[word] is not None)


def _kept(bounds: Mapping[str, Any]) -> str:
    return f"{bounds['text']}: {'**not kept**' if bounds['broken'] else 'kept'}"


def _commands(rows: Mapping[str, Any]) -> Iterator[str]:
    for name, row in rows.items():
        together = f", {row['at_once']} at a time" if row["at_once"] > 1 else ""
        lines = [
            f"{row['under']} {command}".lstrip()
            + f"    # {program['runs']} {'run' if program['runs'] == 1 else 'runs'}{together}"
            for program in row["programs"]
            for command in program["commands"]
        ]
        yield from (f"`{name}`", "", "```", *lines, "```", "")
