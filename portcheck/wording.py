"""Small grammar for sentences about several things. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from portcheck.printable import printable

_NAMED = 8


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 port`, `3 ports`, `12,000 addresses`; `many` where an s does not make the plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {many or noun + 's'}"


def are(number: int) -> str:
    """`is` or `are`."""
    return "is" if number == 1 else "are"


def these(number: int) -> str:
    """`it` or `them`."""
    return "it" if number == 1 else "them"


def listed(names: Sequence[str], limit: int = _NAMED, between: str = ", ") -> str:
    """`m1, m2, m3`; a longer list ends with how many more there are."""
    if len(names) <= limit:
        return between.join(names)
    return f"{between.join(names[: limit - 1])} and {len(names) - limit + 1} more"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """ "; did you mean …?" for the nearest known word, or nothing."""
    import difflib  # only a file with a mistake pays for it

    nearest = difflib.get_close_matches(word[:60], islice(known, 200), n=1)
    return f"; did you mean {printable(nearest[0], 60)}?" if nearest else ""
