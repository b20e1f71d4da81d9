"""What the jobs came to, as kept in results/*.json: the pages docs/explanation/benchmarks*.md are made from them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from portcheck import __version__
from tests.bench.jobs import Job, Limits
from tests.bench.programs import Program, Runs

TCP = Path(__file__).with_name("results") / "tcp.json"
UDP = TCP.with_name("udp.json")

Row = dict[str, Any]


def row_of(job: Job, runs: Sequence[Runs]) -> Row:
    """A job's row; the first of `runs` is portcheck's."""
    return {
        "title": job.title,
        "measured": datetime.now(UTC).date().isoformat(),
        "at_once": job.at_once,
        "under": " ".join(job.under),
        "must": _bounds_of(job.must, runs),
        "aim": _bounds_of(job.aim, runs),
        "programs": [_program(each) for each in runs],
    }


def _program(runs: Runs) -> Row:
    count, taken = runs.count, runs.seconds
    return {
        "name": runs.program.name,
        "commands": commands(runs.program),
        "runs": len(taken) + runs.killed,
        "killed": runs.killed,
        "longest_s": runs.program.longest_s,
        "median_s": round(runs.median_s, 3) if taken else None,
        "least_s": round(min(taken), 3) if taken else None,
        "most_s": round(max(taken), 3) if taken else None,
        "cpu_s": round(median(runs.cpu_s), 3) if taken else None,
        "peak_mb": round(runs.peak_mb, 1),
        "ports": count.ports,
        "wrong": count.wrong,
        "undecided": count.undecided,
        "unnamed": count.unnamed,
        "mistakes": dict(count.mistakes.most_common()),
    }


def commands(program: Program) -> list[str]:
    """As somebody would type them, without a hundred addresses."""
    return [" ".join(_shortened(command)).replace("{home}/", "") for command in program.commands]


def _shortened(command: Sequence[str]) -> Iterator[str]:
    """Sixteen or two hundred addresses in a row as the first and the last."""
    run: list[str] = []
    for word in (*command, ""):
        if word[:1].isdigit() and word.count(".") == 3:
            run.append(word)
            continue
        yield from run if len(run) < 3 else (run[0], "...", run[-1])
        run = []
        if word:
            yield word


def speed(runs: Sequence[Runs]) -> float | None:
    """How many times as long as portcheck the first peer takes, or has taken when it was stopped."""
    return runs[1].median_s / runs[0].median_s if len(runs) > 1 and runs[0].seconds else None


def _bounds_of(limits: Limits | None, runs: Sequence[Runs]) -> Row | None:
    if limits is None:
        return None
    return {"text": ", ".join(text for text, _ in _bounds(limits, runs)), "broken": list(broken(limits, runs))}


def broken(limits: Limits, runs: Sequence[Runs]) -> Iterator[str]:
    """The limits that the first of these, portcheck's, did not keep to."""
    return (text for text, kept in _bounds(limits, runs) if not kept)


def _bounds(limits: Limits, runs: Sequence[Runs]) -> Iterator[tuple[str, bool]]:
    """Each limit in words, and whether it was kept."""
    ours = runs[0]
    if limits.seconds is not None:
        yield f"≤ {limits.seconds:g} s", not ours.killed and ours.median_s <= limits.seconds
    if limits.speed is not None:
        yield f"≥ {limits.speed:g} of the speed of {runs[1].program.name}", (speed(runs) or 0) >= limits.speed
    if limits.peak_mb is not None:
        yield f"≤ {limits.peak_mb:g} MB", not ours.killed and ours.peak_mb <= limits.peak_mb
    for word in ("wrong", "undecided", "unnamed"):
        most = getattr(limits, word)
        if most is not None:
            yield f"{most} {word}", not ours.killed and getattr(ours.count, word) <= most


# ------------------------------------------------------------------------------------------------- the file


def environment() -> dict[str, Any]:
    """Where and with what is measured, as far as it bears on the figures."""
    return {
        "portcheck": __version__,
        "python": platform.python_version(),
        "nmap": _first_line("nmap", "--version").split()[2],
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "sockets": int(_first_line("sh", "-c", "ulimit -Hn")),
    }


def _first_line(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _cpu() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def write(path: Path, rows: Mapping[str, Row], order: Sequence[str]) -> None:
    """Puts rows into the file, in the order of the jobs; rows of other jobs stay.

    Raises:
        SystemExit: those were measured elsewhere, or with other versions: one table does not hold both.
    """
    here = environment()
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"environment": here, "rows": {}}
    others = {name: row for name, row in kept["rows"].items() if name in order and name not in rows}
    if others and kept["environment"] != here:
        raise SystemExit(f"{path.name} was measured with {kept['environment']}, this is {here}: run all jobs")
    everything = others | dict(rows)
    content = {"environment": here, "rows": {name: everything[name] for name in order if name in everything}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------------------------------ the screen


def told(name: str, row: Row) -> Iterator[str]:
    """The row for a terminal."""
    yield f"{name}: {row['title']}"
    ours = row["programs"][0]["median_s"]
    for program in row["programs"]:
        median_s, count = program["median_s"], f"{program['wrong']} of {program['ports']} wrong"
        if program["killed"]:
            yield f"  {program['name']:22} {program['killed']} of {program['runs']} runs > {program['longest_s']:g} s"
        if median_s is None:
            continue
        times = f"   {median_s / ours:.2f} x ours" if ours and program is not row["programs"][0] else ""
        yield (
            f"  {program['name']:22} {median_s:7.3f} s ({program['least_s']:.3f} to {program['most_s']:.3f}, "
            f"{program['runs']} runs)   {count}, {program['undecided']} undecided, {program['unnamed']} unnamed   "
            f"{program['cpu_s']:.2f} s of CPU, {program['peak_mb']:.0f} MB{times}"
        )
        yield from (f"      {mistake}: {number}" for mistake, number in program["mistakes"].items())
    for word in ("must", "aim"):
        bounds = row[word]
        if bounds is not None:
            kept = f"NOT KEPT: {', '.join(bounds['broken'])}" if bounds["broken"] else "kept"
            yield f"  {word}: {bounds['text']}: {kept}"


def say(lines: Iterator[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
