"""The command line that tcp.py and udp.py have in common: run the jobs, print the rows, keep them for the manual."""

from __future__ import annotations

import argparse
import compileall
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import portcheck
from tests.bench import results
from tests.bench.jobs import Job
from tests.bench.programs import Runs, run
from tests.lab.build import Lab, build


def measured(job: Job, times: int) -> list[Runs]:
    """What the runs of the job's programs came to; a program that was killed does not run again."""
    everything = [Runs(program) for program in job.programs]
    with build(job.network()) as lab, ThreadPoolExecutor(job.at_once) as pool, job.around(lab):
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


def main(name: str, jobs: Mapping[str, Job], kept_in: Path) -> int:
    """`python -m tests.bench.NAME`; the status is 1 when a limit was not kept."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{name}", description="portcheck beside nmap")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"default: all of {', '.join(jobs)}")
    parser.add_argument("--runs", type=int, metavar="N", help="of each program, instead of what each job says")
    parser.add_argument("--write", action="store_true", help=f"keep the rows in {kept_in.name} for the manual")
    options = parser.parse_args()
    unknown = [job for job in options.jobs if job not in jobs]
    if unknown:
        parser.error(f"no job {', '.join(unknown)}; there are {', '.join(jobs)}")
    # An installed package has its bytecode; a process of uid 65534 could not keep what it compiled.
    compileall.compile_dir(Path(portcheck.__file__).parent, quiet=1)
    rows = {}
    for each in options.jobs or jobs:
        rows[each] = results.row_of(jobs[each], measured(jobs[each], options.runs or jobs[each].runs))
        results.say(results.told(each, rows[each]))
        if options.write:
            results.write(kept_in, rows, tuple(jobs))
    return 1 if any(row["must"] and row["must"]["broken"] for row in rows.values()) else 0
