"""No arrow points up: who may import what, as one table, held against every import of the package.

docs/explanation/architecture.md explains it; a test here keeps the copy there equal.
"""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the table. Modules are named below `portcheck.`; a package's name means everything in it.

    Attributes:
        modules: what belongs to the layer.
        below: layers or modules that it may import, beside its own.
        pure: no clock, no socket, no file, no chance.
        program: may print, exit and read the environment.
    """

    modules: tuple[str, ...]
    below: tuple[str, ...] = ()
    pure: bool = False
    program: bool = False


TEXT = ("addresses", "ports", "printable", "wording", "holding", "commands")
DECISIONS = (
    *("rows", "role_ports", "own_checks", "elsewhere", "plan", "probe_sets", "measured", "stand_ins"),
    *("facts", "observed", "verdict", "judging", "waivers", "diagnosis", "answer"),
    *("knowledge", "service_names", "protocols"),
)
IMPORTING = tuple(
    f"documents.importing.{name}"
    for name in ("page", "sentences", "cells", "columns", "sections", "rows", "drafting", "summary")
)

LAYERS: Mapping[str, Layer] = {
    "version": Layer(("__init__",), pure=True),
    "engine": Layer(("engine",)),
    "model": Layer(("model",), below=("engine.probe",), pure=True),
    "pure": Layer((*TEXT, *DECISIONS), below=("model", "engine.probe", "engine.token"), pure=True),
    "probes": Layer(("probes",), below=("printable", "protocols", "model", "engine.probe")),
    "verify": Layer(
        ("verify",),
        below=(
            "probes",
            "printable",
            "protocols",
            "model",
            "engine.probe",
            "engine.pace",
            "engine.addresses",
            "engine.tasks",
        ),
    ),
    "importing": Layer(IMPORTING, below=("printable", "wording", "model", "engine.probe"), pure=True),
    "edges": Layer(
        ("yaml_input", "records", "documents", "site", "vantage"), below=("importing", "pure", "model", "engine")
    ),
    "run": Layer(
        ("run", "questions", "echoes", "own_looks"), below=("version", "verify", "probes", "pure", "model", "engine")
    ),
    "scoping": Layer(("scoping",), below=("edges", "pure", "model", "engine.probe")),
    "reports": Layer(("reports",), below=(*TEXT, "knowledge.said", "protocols", "model", "engine.probe")),
    "resume": Layer(("resume",), below=("reports", *TEXT, "model", "engine.probe", "engine.pace"), pure=True),
    "demo": Layer(("demo",), below=("version", "scoping", "run", "edges", "pure", "model", "engine")),
    "cli": Layer(
        ("cli", "__main__"),
        below=(
            *("version", "demo", "resume", "reports", "scoping", "run"),
            *("edges", "importing", "pure", "model", "engine"),
        ),
        program=True,
    ),
}
"""Low to high; a layer may import the ones that it names, and its own without going in a circle."""

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "bs4": ("documents.importing.html_page",),
    "markdown_it": ("documents.importing.markdown_page",),
    "rich": ("cli", "reports.terminal"),
    "scapy": ("probes", "verify"),
    "typer": ("cli",),
    "yaml": ("yaml_input",),
}
"""What is neither ours nor in the standard library, and the only modules that may import it."""

IMPURE = frozenset(
    {"asyncio", "concurrent", "fcntl", "glob", "http", "io", "multiprocessing", "os", "pathlib", "random", "resource"}
    | {"secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile"}
    | {"threading", "time", "urllib"}
)
CLOCKS = (".now", ".today", ".utcnow")
PROGRAM_ONLY = frozenset(
    {"print", "input", "exit", "quit", "SystemExit", "sys.exit", "sys.argv", "os._exit"}
    | {"os.environ", "os.environb", "os.getenv", "os.putenv"}
)
BY_COMPUTED_NAME = frozenset({"__import__", "importlib.import_module"})


# ------------------------------------------------------------------------------------------ reading sources


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the module meant, in full, and the line."""

    target: str
    line: int


Sources = Mapping[str, str]
"""Module name in full ("portcheck.engine" for its __init__.py) to source text."""


def read_package() -> dict[str, str]:
    sources: dict[str, str] = {}
    for path in sorted((ROOT / "portcheck").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts
        sources[".".join(name)] = path.read_text(encoding="utf-8")
    return sources


def imports(module: str, tree: ast.Module, modules: frozenset[str]) -> Iterator[Import]:
    """Every import of a module, those inside functions and behind TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(in_full(alias.name), node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = ".".join(filter(None, (parent(module, node.level, modules), node.module)))
            for alias in node.names:
                # `from portcheck import documents` means a module, `from portcheck.ports import Range` does not.
                inner = f"{origin}.{alias.name}"
                yield Import(inner if inner in modules else in_full(origin), node.lineno)


def in_full(name: str) -> str:
    """`portcheck` alone is a module like the others: the one that has the version."""
    return "portcheck.__init__" if name == "portcheck" else name


def parent(module: str, level: int, modules: frozenset[str]) -> str:
    """What the dots of a relative import stand for; empty for an absolute one."""
    if level == 0:
        return ""
    is_package = any(other.startswith(f"{module}.") for other in modules)
    parts = module.split(".")
    return ".".join(parts[: len(parts) - level + is_package])


def layer_of(module: str) -> str | None:
    """The layer that the module belongs to; None for a module that the table does not know."""
    return next((layer for layer, row in LAYERS.items() if any(covers(name, module) for name in row.modules)), None)


def covers(name: str, module: str) -> bool:
    """Whether `name`, as in the table, is the module or a package with the module in it."""
    return f"{module}.".startswith(f"portcheck.{name}.")


# ------------------------------------------------------------------------------------------------ the rules


def violations(sources: Sources) -> list[str]:
    """Everything in these modules that breaks the table, one line each."""
    modules = frozenset(sources)
    trees = {module: ast.parse(text) for module, text in sources.items()}
    wanted = {module: tuple(imports(module, tree, modules)) for module, tree in trees.items()}
    found = [line for module, tree in trees.items() for line in problems(module, wanted[module], tree)]
    return found + cycle({module: {each.target for each in wanted[module]} & modules for module in modules})


def problems(module: str, wanted: tuple[Import, ...], tree: ast.Module) -> Iterator[str]:
    """What one module does wrong by itself."""
    layer = layer_of(module)
    if layer is None:
        yield f"{module}: a new module, say where it belongs (LAYERS in tests/test_architecture.py)"
        return
    for each in wanted:
        if (wrong := import_problem(module, layer, each.target)) is not None:
            yield f"{module}:{each.line}: {wrong}"
    for line, name in uses(tree):
        if (wrong := use_problem(LAYERS[layer], name)) is not None:
            yield f"{module}:{line}: {wrong}"


def import_problem(module: str, layer: str, target: str) -> str | None:
    row, top = LAYERS[layer], target.partition(".")[0]
    if top == "portcheck":
        theirs = layer_of(target)
        if theirs == layer or theirs in row.below or any(covers(name, target) for name in row.below):
            return None
        return f"{layer} must not import {target} ({theirs or 'say where it belongs'}), only {', '.join(row.below)}"
    if top in sys.stdlib_module_names:
        return f"{layer} is pure and must not import {top}" if row.pure and top in IMPURE else None
    homes = LIBRARIES.get(top)
    if homes is None:
        return f"a new library, say where {top} belongs (LIBRARIES in tests/test_architecture.py)"
    if any(covers(home, module) for home in homes):
        return None
    return f"{top} is for {', '.join(homes)} only"


def use_problem(row: Layer, name: str) -> str | None:
    """What no import shows: files and clocks in pure modules, printing and exiting in a library."""
    if name in PROGRAM_ONLY and not row.program:
        return f"{name} is for the program only"
    if name in BY_COMPUTED_NAME:
        return f"{name} hides from this test what is imported"
    if row.pure and (name == "open" or name.endswith(CLOCKS)):
        return f"{name} in a pure module"
    return None


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything used; not of the part of a module that runs it as a program."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            continue
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        pending += ast.iter_child_nodes(node)


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["import cycle: " + " <- ".join(error.args[1])]
    return []


# ------------------------------------------------------------------------------------------------ the tests


def test_no_arrow_points_up() -> None:
    found = violations(read_package())
    assert not found, "\n".join(found)


CAUGHT = {
    "a verdict that opens a socket": ("verdict", "import socket", "pure and must not import socket"),
    "inside a function": ("plan", "def f():\n    from os import path", "pure and must not import os"),
    "a clock": ("plan", "from datetime import date\nx = date.today()", "date.today in a pure module"),
    "a file": ("rows", "def f():\n    return open('x')", "open in a pure module"),
    "a prober that knows the plan": ("engine.tcp", "from portcheck import plan", "not import portcheck.plan"),
    "a relative import out of the engine": ("engine.tcp", "from ..model import Check", "not import portcheck.model"),
    "a library in the engine": ("engine.tcp", "import typer", "typer is for cli only"),
    "the model and an engine's inside": (
        "model",
        "from portcheck.engine import tcp",
        "not import portcheck.engine.tcp",
    ),
    "a run that reads files": ("run", "import portcheck.site", "not import portcheck.site (edges)"),
    "a report that decides": ("reports.json", "from portcheck.verdict import judge", "not import portcheck.verdict"),
    "colours in another report": ("reports.html", "import rich.table", "rich is for cli, reports.terminal only"),
    "a second reader of YAML": ("site", "import yaml", "yaml is for yaml_input only"),
    "a dissector outside the probes": ("run", "def f():\n    import scapy.all", "scapy is for probes, verify only"),
    "a library that nobody decided on": ("cli", "import requests", "say where requests belongs"),
    "only for the type checker": (
        "plan",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from portcheck.run import Report",
        "not import portcheck.run",
    ),
    "printing": ("run", "print('x')", "print is for the program only"),
    "the environment": ("vantage.local", "import os\nx = os.environ['X']", "os.environ is for the program only"),
    "the environment by its own name": ("site", "from os import getenv", "os.getenv is for the program only"),
    "exiting": ("run", "raise SystemExit(1)", "SystemExit is for the program only"),
    "a computed import": ("cli", "import importlib\nimportlib.import_module(x)", "hides from this test"),
    "a module without a place": ("helpers", "", "say where it belongs"),
    "two that need each other": ("plan", "import portcheck.rows", "import cycle: "),
}


@pytest.mark.parametrize(("module", "text", "message"), CAUGHT.values(), ids=CAUGHT)
def test_a_violation_is_caught(module: str, text: str, message: str) -> None:
    others = dict.fromkeys(
        ("model", "plan", "verdict", "run", "site", "engine", "engine.tcp", "vantage", "vantage.local"), ""
    )
    package = {**others, "rows": "import portcheck.plan" if message.startswith("import cycle") else "", module: text}
    found = violations({f"portcheck.{name}": source for name, source in package.items()})
    assert len(found) == 1
    assert message in found[0]


ALLOWED = {
    "a neighbour in the engine": ("engine.tcp", "from . import probe\nfrom .probe import Probe"),
    "the engine's words": ("plan", "from portcheck.engine.probe import Probe"),
    "the version": ("run", "from portcheck import __version__"),
    "a module that is a program too": ("documents.schema", "import sys\nif __name__ == '__main__':\n    sys.exit(0)"),
    "a day that is handed in": (
        "waivers",
        "from datetime import date\ndef due(today: date) -> bool:\n    return today > x",
    ),
    "the program": ("cli", "import os, sys, typer\nprint(os.environ)\nsys.exit(1)"),
    "a report for the terminal": ("reports.terminal", "from rich.table import Table\nfrom portcheck import printable"),
    "the list of the reports": ("reports", "from portcheck.reports.terminal import render"),
}


@pytest.mark.parametrize(("module", "text"), ALLOWED.values(), ids=ALLOWED)
def test_what_the_table_allows_passes(module: str, text: str) -> None:
    names = ("__init__", "engine", "engine.probe", "printable", "documents", "reports", "cli")
    sources = {f"portcheck.{name}": "" for name in names} | {f"portcheck.{module}": text}
    assert violations(sources) == []


def test_a_layer_only_looks_down() -> None:
    order = list(LAYERS)
    homes = {layer: [layer_of(f"portcheck.{below}") or below for below in row.below] for layer, row in LAYERS.items()}
    for layer, lower in homes.items():
        assert all(order.index(name) < order.index(layer) for name in lower), layer


def as_markdown() -> str:
    lines = ["| layer | modules of `portcheck` | may import | |", "|---|---|---|---|"]
    for name, row in LAYERS.items():
        kind = "pure" if row.pure else "the program" if row.program else ""
        lines.append(f"| {name} | {coded(row.modules)} | {', '.join(row.below) or 'nothing of ours'} | {kind} |")
    lines += ["", "| library | only in |", "|---|---|"]
    lines += [f"| {library} | {coded(homes)} |" for library, homes in LIBRARIES.items()]
    return "\n".join(lines)


def coded(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_the_manual_has_the_tables() -> None:
    assert as_markdown() in PAGE.read_text(encoding="utf-8"), f"{PAGE.name} needs these tables:\n{as_markdown()}"


# ---------------------------------------------------------------------------------------------- starting up

HEAVY = frozenset({"scapy", "ansible", "jinja2", "jsonschema", "sqlite3"})

LOADED_BY_MAIN = """
import sys
from portcheck.cli import main
try:
    status = main()
except SystemExit as end:
    status = end.code
if status:
    sys.exit(status)
sys.stderr.write("\\n" + " ".join({name.partition(".")[0] for name in sys.modules}))
"""


def loaded_by(*arguments: str) -> frozenset[str]:
    """The top-level modules that a successful command has imported by its end."""
    command = [sys.executable, "-c", LOADED_BY_MAIN, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return frozenset(done.stderr.splitlines()[-1].split())


def test_the_version_is_told_without_loading_what_a_check_needs() -> None:
    assert loaded_by("--version") & (HEAVY | {"yaml", "rich"}) == frozenset()


def test_a_tcp_check_loads_nothing_that_it_does_not_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        loaded = loaded_by("check", "127.0.0.1", "-e", f"{server.getsockname()[1]}/tcp")
    assert loaded & HEAVY == frozenset()
