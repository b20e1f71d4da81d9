"""`python -m tests.bench.udp [JOB ...] [--runs N] [--write]`: portcheck beside nmap -sU, each job in a lab of its own.

nmap -sU runs as root, because it must; portcheck runs as uid 65534 without capabilities. Otherwise as tests.bench.tcp.
"""

from __future__ import annotations

import sys

from tests.bench import results
from tests.bench.comparison import main
from tests.bench.udp_jobs import JOBS

if __name__ == "__main__":
    sys.exit(main("udp", JOBS, results.UDP))
