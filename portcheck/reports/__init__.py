"""One module for each format, each `render(run) -> str` over the same Run. Nothing here decides."""
