"""The reference of the commands and their options, from the program's own declarations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from portcheck import documents
from portcheck.cli.app import app
from portcheck.knowledge import common_tcp_ports
from portcheck.model import SweepKind

_Command = Callable[..., Any]

_SWEEPS: Mapping[SweepKind, tuple[str, str, str]] = {
    SweepKind.DOCUMENTED: (
        "`documented`",
        "the single TCP ports of the selected documents, on every host",
        "the default with a document or a site",
    ),
    SweepKind.COMMON: (
        "`common`",
        "the TCP ports that portcheck's own documents name, products and port lists alike: {common}",
        "an audit",
    ),
    SweepKind.PORTS: ("`1-1024/tcp,53/udp`", "these ports; TCP where nothing is written", "you know what you look for"),
    SweepKind.ALL: ("`all`", "every TCP port, 1 to 65535", "once, after an install"),
    SweepKind.NONE: ("`none`", "nothing", "the default with `-e` alone"),
}
"""What to write, what it looks at, when to use it; a kind that is missing ends the generation."""


def sweeps() -> str:
    """The values of --sweep."""
    common = sum(len(ports.numbers()) for ports in common_tcp_ports(documents.library()))
    lines = (
        " | ".join(_SWEEPS[kind]).format(common=f"some {round(common, -1)}")
        for kind in sorted(SweepKind, key=list(_SWEEPS).index)
    )
    return "| `--sweep` | looks at | when |\n|---|---|---|\n" + "".join(f"| {line} |\n" for line in lines)


def commands() -> str:
    """One section for each command: its usage, what it does, its arguments and options."""
    return "\n".join(_section(*command) for command in _commands(app, "portcheck"))


def _commands(group: typer.Typer, path: str) -> Iterator[tuple[str, str, _Command]]:
    """The words to type, what the help says, and the function of each command."""
    callback = group.registered_callback.callback if group.registered_callback is not None else None
    if callback is not None and any(_declared(callback)):
        yield path, str(group.info.help), callback
    for command in group.registered_commands:
        if command.callback is not None:
            name = command.name or command.callback.__name__
            yield f"{path} {name}", inspect.getdoc(command.callback) or "", command.callback
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from _commands(inner.typer_instance, f"{path} {inner.name}")


def _declared(callback: _Command) -> Iterator[tuple[Any, ArgumentInfo | OptionInfo, inspect.Parameter]]:
    """Type, declaration and parameter of each argument and option."""
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        kind, *infos = get_args(hints[name]) or (None,)
        for info in infos:
            if isinstance(info, ArgumentInfo | OptionInfo):
                yield kind, info, parameter


def _section(path: str, text: str, callback: _Command) -> str:
    arguments: list[tuple[str, str]] = []
    options: list[str] = []
    for kind, info, parameter in _declared(callback):
        if isinstance(info, OptionInfo):
            options.append(_option(info, kind, parameter.default))
        else:
            arguments.append((_argument(info, kind, parameter), info.help or ""))
    command = "COMMAND" if path == "portcheck" else ""
    usage = " ".join(filter(None, [path, "[OPTION]..." if options else "", command, *(name for name, _ in arguments)]))
    parts = [f"## {path}\n", f"```\n{usage}\n```\n", f"{text}\n"]
    if arguments:
        rows = "".join(f"| `{_cell(name)}` | {_cell(meaning)} |\n" for name, meaning in arguments)
        parts.append(f"| argument | meaning |\n|---|---|\n{rows}")
    if options:
        parts.append(f"| option | value | meaning |\n|---|---|---|\n{''.join(options)}")
    return "\n".join(parts)


def _argument(info: ArgumentInfo, kind: Any, parameter: inspect.Parameter) -> str:
    name = (info.metavar or parameter.name.upper()).strip("[].")
    needed = parameter.default is inspect.Parameter.empty
    return f"{name if needed else f'[{name}]'}{'...' if list in set(_types(kind)) else ''}"


def _option(info: OptionInfo, kind: Any, default: Any) -> str:
    # Inside Annotated, typer keeps the first name where a default would stand.
    names = [str(info.default), *(info.param_decls or ())]
    shown = ", ".join(f"`{name}`" for name in sorted(names, key=len) if name.startswith("-"))
    types = set(_types(kind))
    words = [str(word) for each in types if isinstance(each, type) and issubclass(each, Enum) for word in each]
    value = "" if kind is bool else info.metavar or "|".join(words) or "NUMBER"
    meaning = info.help or ""
    if list in types and "repeat" not in meaning.lower():
        meaning += " May be repeated."
    if default is not None and default is not False and "Default" not in meaning:
        meaning += f" Default: `{default}`."
    return f"| {shown} | {f'`{_cell(value)}`' if value else ''} | {_cell(meaning)} |\n"


def _types(kind: Any) -> Iterator[Any]:
    """The types that an annotation is made of: of `list[Transport] | None` list, Transport and NoneType."""
    yield getattr(kind, "__origin__", kind)
    for part in get_args(kind):
        yield from _types(part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
