"""`demo`: the real engine and the real report on a made-up cluster."""

from __future__ import annotations

from textwrap import wrap

from portcheck.cli.check import deliver, measured
from portcheck.cli.options import Asked
from portcheck.cli.output import columns, report_files, say
from portcheck.demo import Cluster, cluster
from portcheck.model import Phase, Secrets, Selection
from portcheck.plan import plan
from portcheck.wording import listed

_ASKED = Asked(Selection(documents=("demo",)), Phase.INSTALLED, max_hosts=4, secrets=Secrets())


def run_demo(keep: str | None) -> int:
    """Start the cluster, check it, print the report. 0 when the demo worked, whatever the report says."""
    with report_files([keep] if keep else []) as files, cluster() as demo:
        say(_introduction(demo))
        run = measured(plan(demo.scope), _ASKED)
        deliver(run, "terminal", files)
    say(f"\nThe demo ends with status 0; a real check that found this ends with status {run.summary.exit_status}.\n")
    return 0


def _introduction(demo: Cluster) -> str:
    hosts = ", ".join(f"{host.name} {host.addresses[0].ip}" for host in demo.scope.hosts)
    paragraphs = [f"A small DC/OS cluster on this machine ({hosts}).", "What is wrong with it:"]
    paragraphs += [f"  - {fault}" for fault in demo.staged]
    paragraphs += [f"Left out: {reason}." for reason in demo.left_out]
    if demo.moved:
        moves = listed([f"{old} to {new}" for old, new in demo.moved.items()])
        paragraphs.append(f"Ports that somebody uses here already were moved: {moves}.")
    paragraphs.append("A silent port takes four seconds to prove.")
    lines = [line for text in paragraphs for line in wrap(text, columns(), subsequent_indent="    ")]
    return "\n".join([*lines, "", ""])
