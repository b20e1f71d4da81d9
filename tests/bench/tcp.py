"""`python -m tests.bench.tcp [JOB ...] [--runs N] [--write]`: portcheck beside nmap, each job in a lab of its own.

Both run as uid 65534 without capabilities, except nmap -sS, which runs as root; in turn, on the same ports, from the
same namespace. Times are those of whole processes, without entering the namespace. What is true of each port is
known from how the lab was built, so wrong answers are counted, not estimated.
"""

from __future__ import annotations

import sys

from tests.bench import results
from tests.bench.comparison import main
from tests.bench.jobs import JOBS

if __name__ == "__main__":
    sys.exit(main("tcp", JOBS, results.TCP))
