"""Runs a program; the last line of stderr tells how long it took and how much memory it held, as JSON.

Run as a file by an isolated interpreter inside the namespace, so that entering it, dropping privileges and this
interpreter's own start are not part of the figures. Arguments: the longest time in seconds, then the command.
"""

import json
import resource
import signal
import subprocess
import sys
import time


def main() -> None:
    longest_s, argv = float(sys.argv[1]), sys.argv[2:]
    began = time.perf_counter()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        # A timer instead of wait(timeout): that one asks every 50 ms, which would be added to each figure.
        signal.signal(signal.SIGALRM, lambda number, frame: process.kill())
        signal.setitimer(signal.ITIMER_REAL, longest_s)
        status = process.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken_s = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "status": status,
        "seconds": taken_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        # The peak of the only child, what /proc/PID/status calls VmHWM; in KiB on Linux.
        "peak_mb": used.ru_maxrss * 1024 / 1e6,
        "killed": status == -signal.SIGKILL,
    }
    sys.stderr.write("\n" + json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
