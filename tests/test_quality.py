"""The checkout keeps its own rules: linters, types, the engine's Python, no traces of a machine, a README that runs."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TOOLS = {
    "ruff check": ("-m", "ruff", "check", "--quiet", "--no-fix", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "--diff", "--quiet", "."),
    "mypy": ("-m", "mypy", "--no-error-summary"),
    # vermin has no __main__, only a function.
    "vermin": ("-c", "import vermin; vermin.main()", "-t=3.9-", "--no-tips", "--violations", "portcheck/engine"),
}
"""What Python is asked to run; silent and successful when there is nothing to complain about."""

MACHINE_PATHS = re.compile(rb"(?<![\w.])/(?:work|root|tmp/bash_jobs[\w.]*)/")
"""Absolute paths of whoever wrote the file; the same words inside a link or a relative path are none."""


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_a_tool_has_nothing_to_say(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def project_files() -> list[Path]:
    """Every file of the project: what git tracks, or in an unpacked archive all that .gitignore does not name."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return list(files_not_ignored())
    # The checkout may belong to another user than the one who runs the tests, as in many CI containers.
    listing = [git, "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def files_not_ignored() -> Iterator[Path]:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if not any(fnmatch.fnmatch(name, each) for each in ignored)]
        yield from (Path(folder, name) for name in names)


def test_no_file_has_a_path_of_somebodys_machine() -> None:
    files = project_files()
    assert ROOT / "pyproject.toml" in files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
        for path in files
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if MACHINE_PATHS.search(line)
    ]
    assert not found, "\n".join(found)


def fenced_block_under(heading: str) -> str:
    """What stands in the fenced code block that directly follows a heading of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(rf"^{re.escape(heading)}\n+```[a-z]*\n(.*?)\n```$", readme, re.MULTILINE | re.DOTALL)
    assert match is not None, f"README.md: no fenced code block directly under {heading!r}"
    return match[1]


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    last_line = (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().splitlines()[-1]
    assert fenced_block_under("## Test it") == last_line


def test_the_readme_shows_the_program_in_one_command() -> None:
    assert len(fenced_block_under("## See it").splitlines()) == 1
