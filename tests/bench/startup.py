"""`python -m tests.bench.startup`: how long the command takes before it does anything, and what it loads for a check.

Whole processes, beside an interpreter that does nothing. A TCP check must not load what it does not use.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

from tests.bench.measure import say, seconds, summary
from tests.lab.build import portcheck_argv

TIMES = 20
NOT_FOR_A_CHECK = ("scapy", "ansible", "jinja2", "sqlite3", "asyncssh", "starlette")

LOADED = """
import json, os, sys
from portcheck.cli import main
stdout = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
try:
    main()
except SystemExit:
    pass
os.write(stdout, json.dumps(sorted(sys.modules)).encode())
"""


_FIND = "import portcheck.documents as documents; documents.find('windows-server')"
_LOAD = "import portcheck.documents as documents; documents.library()"
_ASK = """
import os
from portcheck.engine.probe import Transport
from portcheck.model import Secrets
from portcheck.probes import Target, question
from portcheck.probes.registry import CODECS
target = Target("192.0.2.7", 1, "192.0.2.1", Secrets("community", "secret"), os.urandom)
for name in CODECS:
    question(name, Transport(name) if name in ("icmp", "gre", "esp", "ah") else Transport.UDP, target)
"""


def run(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def main() -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "portcheck --version": portcheck_argv(["--version"]),
        "portcheck check --help": portcheck_argv(["check", "--help"]),
        "import portcheck.documents": [sys.executable, "-c", "import portcheck.documents"],
        "… and find windows-server": [sys.executable, "-c", _FIND],
        "… and load the whole library": [sys.executable, "-c", _LOAD],
        "import portcheck.probes": [sys.executable, "-c", "import portcheck.probes.registry"],
        "… and build every request (scapy)": [sys.executable, "-c", _ASK],
        "portcheck check 127.0.0.1 -e 1/tcp": portcheck_argv(["check", "127.0.0.1", "-e", "1/tcp"]),
    }
    for name, argv in commands.items():
        run(argv)
        say(f"{name:36} {summary(seconds(partial(run, argv), TIMES))}")
    loaded: list[str] = json.loads(run([sys.executable, "-c", LOADED, "check", "127.0.0.1", "-e", "1/tcp"]))
    packages = {name.partition(".")[0] for name in loaded}
    unwanted = [name for name in NOT_FOR_A_CHECK if name in packages]
    say(f"modules loaded for that check: {len(loaded)}; of the unwanted: {', '.join(unwanted) or 'none'}")


if __name__ == "__main__":
    main()
