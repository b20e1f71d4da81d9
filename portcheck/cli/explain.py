"""`explain`: one verdict of a kept run, from the document's row to the packets and back."""

from __future__ import annotations

import json
from difflib import get_close_matches
from itertools import islice
from typing import Any

from portcheck.cli.output import columns, say
from portcheck.model import PortcheckError
from portcheck.printable import printable, quoted
from portcheck.reports import explanation
from portcheck.reports.run_json import SCHEMA
from portcheck.reports.run_shape import CHECK, HEAD, damage

_MAX_FILE_BYTES = 2**30
_MAX_COMPARED = 10_000
"""Ids that are looked through for one that was meant."""


def explain_check(check_id: str, run_file: str) -> int:
    """Print everything that a run knows about one check."""
    run = _load(run_file)
    for number, check in enumerate(run["checks"]):
        if check["id"] == check_id:
            _refuse_damage(run_file, damage(check, CHECK, f"checks[{number}]"))
            titles = {document["id"]: document["title"] for document in run["documents"]}
            say(explanation.render(check, run, titles, columns()))
            return 0
    swept = explanation.find_swept(check_id, run["swept"])
    if swept is not None:
        say(explanation.render_swept(check_id, swept, columns()))
        return 0
    known = islice((check["id"] for check in run["checks"] if len(check["id"]) < 1000), _MAX_COMPARED)
    close = get_close_matches(check_id[:1000], known, n=3)
    hint = f"; did you mean {' or '.join(printable(item, 200) for item in close)}?" if close else ""
    raise PortcheckError(f"{_shown(run_file)}: no check {quoted(check_id, 200)} in this run{hint}")


def _load(path: str) -> dict[str, Any]:
    """Read a run's JSON.

    Raises:
        PortcheckError: it cannot be read, is not JSON, or not a run of this schema.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise PortcheckError(f"{_shown(path)}: cannot read it: {reason}; keep a run with -o run.json") from None
    if len(content) > _MAX_FILE_BYTES:
        raise PortcheckError(f"{_shown(path)}: larger than 1 GiB: not a run of portcheck")
    try:
        run = json.loads(content)
    except (ValueError, RecursionError):
        raise PortcheckError(f"{_shown(path)}: not JSON, or cut short; keep a run with -o run.json") from None
    if not isinstance(run, dict) or run.get("schema") != SCHEMA:
        raise PortcheckError(f"{_shown(path)}: not a run of portcheck (its schema is not {SCHEMA})")
    _refuse_damage(path, damage(run, HEAD))
    return run


def _refuse_damage(path: str, found: str | None) -> None:
    if found is not None:
        raise PortcheckError(f"{_shown(path)}: the run is damaged: {found}")


def _shown(path: str) -> str:
    return printable(path, 300)
