"""`explain CHECK-ID RUN.json`: one verdict of a kept run, from the document's row to the packets and back."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice

from portcheck.cli.kept_run import load, refuse, shown
from portcheck.cli.output import columns, say
from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted
from portcheck.reports import explanation
from portcheck.reports.run_shape import CHECK, HEAD, damage

_MAX_COMPARED = 10_000
"""Ids that are looked through for one that was meant."""


def explain_check(check_id: str, run_file: str) -> int:
    """Print everything that a run knows about one check."""
    run = load(run_file, HEAD)
    for number, check in enumerate(run["checks"]):
        if check["id"] == check_id:
            if (found := damage(check, CHECK, f"checks[{number}]")) is not None:
                refuse(run_file, found)
            titles = {document["id"]: document["title"] for document in run["documents"]}
            say(explanation.render(check, run, titles, columns()))
            return 0
    swept = explanation.find_swept(check_id, run["swept"])
    if swept is not None:
        say(explanation.render_swept(check_id, swept, run, columns()))
        return 0
    known = islice((check["id"] for check in run["checks"] if len(check["id"]) < 1000), _MAX_COMPARED)
    close = get_close_matches(check_id[:1000], known, n=3)
    hint = f"; did you mean {' or '.join(printable(item, 200) for item in close)}?" if close else ""
    raise PortcheckError(f"{shown(run_file)}: no check {quoted(check_id, 200)} in this run{hint}")
