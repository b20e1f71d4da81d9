"""The reference of what `portcheck listen --format jsonl` prints, from the program's own table."""

from __future__ import annotations

from portcheck.cli.listen_events import EVENTS


def listen_events() -> str:
    """A table for each event."""
    return "\n".join(
        f"## `{event}`\n\n{meaning}\n\n| field | value | meaning |\n|---|---|---|\n"
        + "".join(f"| `{name}` | {kind} | {text} |\n" for name, (kind, text) in fields.items())
        for event, (meaning, fields) in EVENTS.items()
    )
