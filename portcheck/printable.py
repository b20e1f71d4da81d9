"""Text of unknown origin, made safe to show: nothing that a terminal would obey, nothing endless."""


def printable(text: str, limit: int | None = None) -> str:
    """`text` with unprintable characters as escapes (\\x1b, \\u202e), cut to `limit` characters with "…"."""
    cut = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def quoted(text: str, limit: int = 60) -> str:
    """`text` as a message shows it: printable, cut to `limit` characters, between double quotes."""
    return f'"{printable(text, limit)}"'
