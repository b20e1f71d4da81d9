"""`python -m tests.bench.dcos_site`: the check of a whole DC/OS site in the lab, from typing it to its exit.

Seven hosts, IPv4 and IPv6, about 370 TCP ports; the faulty site has five faults, one of which is silent. What it
takes to enter the namespace and to drop privileges is measured beside it and is part of the figures.
"""

from __future__ import annotations

import sys

from tests.bench.measure import say, seconds, summary
from tests.lab.build import Lab, build
from tests.lab.scenarios import dcos_site, site_yaml

TIMES = 10
FIVE = ("drop_5050", "reject_2181", "exposed_7070", "unexpected_8080", "not_listening_8181")
GOAL_S = 0.5


def check(lab: Lab, status: int) -> None:
    done = lab.portcheck("a1", "check", "-s", str(lab.home / "site.yaml"), "--transport", "tcp")
    if done.returncode != status:
        raise SystemExit(f"status {done.returncode} instead of {status}:\n{done.stdout}{done.stderr}")


def measured(name: str, faults: tuple[str, ...], status: int) -> None:
    with build(dcos_site(faults, ipv6=True)) as lab:
        (lab.home / "site.yaml").write_text(site_yaml(lab))
        check(lab, status)
        say(f"{name:28} {summary(seconds(lambda: check(lab, status), TIMES))}")
        if not faults:
            entering = seconds(lambda: lab.run("a1", ["true"]), TIMES)
            python = seconds(lambda: lab.run("a1", [sys.executable, "-c", "pass"]), TIMES)
            say(f"{'  entering the namespace':28} {summary(entering)}")
            say(f"{'  and starting Python':28} {summary(python)}")


def main() -> None:
    say(f"goal for the healthy site: {GOAL_S} s")
    measured("healthy site", (), 0)
    measured("five faults, one silent", FIVE, 1)


if __name__ == "__main__":
    main()
