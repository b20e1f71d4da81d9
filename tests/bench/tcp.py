"""`python -m tests.bench.tcp [JOB ...] [--runs N] [--write]`: portcheck beside nmap, each job in a lab of its own.

Both run as uid 65534 without capabilities, except nmap -sS, which runs as root; in turn, on the same ports, from the
same namespace. Times are those of whole processes, without entering the namespace. What is true of each port is
known from how the lab was built, so wrong answers are counted, not estimated.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import portcheck
from tests.bench import results
from tests.bench.jobs import JOBS, Job
from tests.bench.programs import Runs, run
from tests.lab.build import Lab, build


def measured(job: Job, times: int) -> list[Runs]:
    """What the runs of the job's programs came to; a program that was killed does not run again."""
    everything = [Runs(program) for program in job.programs]
    with build(job.network()) as lab, ThreadPoolExecutor(job.at_once) as pool:
        if job.prepare is not None:
            job.prepare(lab)
        for done in range(0, times, job.at_once):
            for runs in everything:
                if not runs.killed:
                    time.sleep(job.rest_s)
                    _add(runs, job, lab, pool, min(job.at_once, times - done))
    return everything


def _add(runs: Runs, job: Job, lab: Lab, pool: ThreadPoolExecutor, at_once: int) -> None:
    going = [pool.submit(run, lab, job.node, runs.program, job.truth, job.under) for _ in range(at_once)]
    for future in going:
        runs.add(future.result())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tcp", description="portcheck beside nmap")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"default: all of {', '.join(JOBS)}")
    parser.add_argument("--runs", type=int, metavar="N", help="of each program, instead of what each job says")
    parser.add_argument("--write", action="store_true", help=f"keep the rows in {results.RESULTS.name} for the manual")
    options = parser.parse_args()
    unknown = [name for name in options.jobs if name not in JOBS]
    if unknown:
        parser.error(f"no job {', '.join(unknown)}; there are {', '.join(JOBS)}")
    # An installed package has its bytecode; a process of uid 65534 could not keep what it compiled.
    compileall.compile_dir(Path(portcheck.__file__).parent, quiet=1)
    rows = {}
    for name in options.jobs or JOBS:
        job = JOBS[name]
        rows[name] = results.row_of(job, measured(job, options.runs or job.runs))
        results.say(results.told(name, rows[name]))
        if options.write:
            results.write(rows, tuple(JOBS))
    return 1 if any(row["must"] and row["must"]["broken"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
