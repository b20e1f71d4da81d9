"""The options that `check` and `plan` share: declared once, and read into one value."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Annotated, Any, Concatenate, TypeVar

import typer

from portcheck.cli.keys import ENVIRONMENT, key
from portcheck.cli.secrets import secrets
from portcheck.engine.pace import Speed
from portcheck.engine.probe import Transport, Word
from portcheck.model import Phase, PortcheckError, Secrets, Selection, SweepKind, Unexpected
from portcheck.printable import quoted

_MAX_HOSTS = 65_536
_UDP_BUDGET_S = Selection().udp_budget_s
_NO_WORDS = frozenset({"no", "false", "off", "0"})
_WITH_PORTS = (str(Transport.TCP), str(Transport.UDP))
_YES_WORDS = frozenset({"yes", "true", "on", "1"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for: what to check, when in the product's life, at how many addresses at most.

    Attributes:
        secrets: those that the selection names; their values are kept out of it, and so out of the run.
        key: of the stand-ins, where the selection has them; kept out of it as well.
    """

    selection: Selection
    phase: Phase
    max_hosts: int
    secrets: Secrets
    key: bytes | None = field(default=None, repr=False)


# What was not given is None or empty: `check --resume` takes it from the run that it goes on with.
def asked(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET", help="Address, name, network (10.0.0.0/24) or name=address."),
    ] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", metavar="DOCUMENT", help="Id of a shipped document, or a file of your own."),
    ] = None,
    roles: Annotated[
        list[str] | None, typer.Option("--role", "-r", metavar="ROLE", help="Role of the targets in the documents.")
    ] = None,
    expects: Annotated[
        list[str] | None,
        typer.Option("--expect", "-e", metavar="PORTS", help="Ports that must be reachable: 22/tcp,443/tcp or ssh."),
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", "-s", metavar="FILE", help="Site file: the hosts and their roles.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="HOST|ROLE|ADDRESS",
            help="Where we stand: a host of the site or a role; without a site also the address to send from.",
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            "--phase",
            metavar="preinstall|installed",
            help="Before the install, or with the product running. Default: installed.",
        ),
    ] = None,
    transports: Annotated[
        list[str] | None,
        typer.Option(
            "--transport",
            metavar="tcp|udp|icmp|gre|esp|ah",
            help="Only these transports (repeat it for several).",
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="none|documented|common|all|PORTS",
            help="Ports to look at beyond the required ones (53,161/udp; TCP unless written); common: the TCP ports "
            "that portcheck's documents name. Default: documented, or none without a document.",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME[=no]", help="A feature of a document that is in use, or is not."),
    ] = None,
    max_hosts: Annotated[
        str | None,
        typer.Option(
            "--max-hosts", metavar="NUMBER", help=f"Refuse to check more addresses than this. Default: {_MAX_HOSTS}."
        ),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            "--speed",
            metavar="polite|normal|fast",
            help="polite and normal stay below what makes intrusion protection ban a machine; fast has no limit. "
            "Default: normal.",
        ),
    ] = None,
    max_rate: Annotated[
        str | None,
        typer.Option(
            "--max-rate", metavar="FLOWS", help="At most so many new connections a second, to all addresses together."
        ),
    ] = None,
    udp_budget: Annotated[
        str | None,
        typer.Option(
            "--udp-budget",
            metavar="SECONDS",
            help="How long an address is asked over UDP while somebody limits its ICMP errors (Linux hosts send one a "
            "second); the ports left are not sure. Default: 20.",
        ),
    ] = None,
    secrets_file: Annotated[
        str | None,
        typer.Option(
            "--secrets",
            metavar="FILE",
            help="File with snmp_community: or radius_secret:, for services that answer no stranger; also "
            "PORTCHECK_SNMP_COMMUNITY and PORTCHECK_RADIUS_SECRET in the environment.",
        ),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="Before the install: stand-ins (portcheck listen) are up at the targets, and this is their key; also "
            "PORTCHECK_KEY in the environment.",
        ),
    ] = None,
    is_local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Look at this machine and send nothing: are the ports of its roles free, does its packet filter let "
            "others in? Before the install, unless --phase says otherwise.",
        ),
    ] = False,
) -> Asked:
    """The value of the shared options.

    Raises:
        PortcheckError: one of them cannot be used.
    """
    names, given = tuple(documents or ()), secrets(secrets_file)
    usual = Phase.PREINSTALL if is_local else Phase.INSTALLED
    chosen = usual if phase is None else _word("--phase", phase, Phase)
    shared = _key(key_file, chosen)
    selection = Selection(
        targets=tuple(targets or ()),
        documents=names,
        roles=tuple(role for item in roles or () for role in item.split(",")),
        expects=tuple(expects or ()),
        site=site,
        source=source,
        features=_features(features or ()),
        transports=tuple(str(_word("--transport", text, Transport)) for text in transports or ()),
        sweep=sweep if sweep is not None else "documented" if names or site else "none",
        speed=str(Speed.NORMAL if speed is None else _word("--speed", speed, Speed)),
        max_rate=None if max_rate is None else _rate("--max-rate", max_rate),
        udp_budget_s=_UDP_BUDGET_S if udp_budget is None else _seconds("--udp-budget", udp_budget),
        secrets=tuple(sorted(given.given())),
        stand_ins=shared is not None,
        local=is_local,
    )
    return Asked(
        selection,
        chosen,
        _MAX_HOSTS if max_hosts is None else _count("--max-hosts", max_hosts),
        given,
        shared,
    )


def _key(path: str | None, phase: Phase) -> bytes | None:
    if phase is Phase.PREINSTALL:
        return key(path)
    if path is None and key(None) is not None:
        raise PortcheckError(
            f"{ENVIRONMENT} is set, so what answers may be a stand-in: add --phase preinstall, or unset {ENVIRONMENT}"
        )
    if path is not None:
        raise PortcheckError("--key-file is for stand-ins, before the install: add --phase preinstall, or leave it out")
    return None


def of_this_machine(
    documents: Iterable[str],
    roles: Iterable[str],
    expects: Iterable[str],
    site: str | None,
    name: str | None,
    features: Iterable[str],
    transports: Iterable[str],
) -> Selection:
    """What `listen` stands in for: the ports of the machine that it runs on, which may be `name` in the site.

    Raises:
        PortcheckError: one of them cannot be used.
    """
    for text in transports:
        if text not in _WITH_PORTS:
            raise PortcheckError(f"--transport {quoted(text)}: only these have ports: write {' or '.join(_WITH_PORTS)}")
    return Selection(
        documents=tuple(documents),
        roles=tuple(role for item in roles for role in item.split(",")),
        expects=tuple(expects),
        site=site,
        source=name,
        features=_features(features),
        transports=tuple(transports),
        sweep=str(SweepKind.NONE),
        local=True,
    )


def with_deadline(selection: Selection, deadline: str | None) -> Selection:
    """The selection with the deadline, if one was given."""
    return selection if deadline is None else replace(selection, deadline_s=_seconds("--deadline", deadline))


def with_unexpected(selection: Selection, unexpected: str | None) -> Selection:
    """The selection with what an unexpectedly open port counts as, if that was given."""
    if unexpected is None:
        return selection
    return replace(selection, unexpected=str(_word("--unexpected", unexpected, Unexpected)))


Command = Callable[..., None]


def sharing(command: Callable[Concatenate[Asked, ...], None]) -> Command:
    """Give a command the shared options before its own; it gets their value as its first argument."""
    shared = inspect.signature(asked, eval_str=True).parameters
    _, *own = inspect.signature(command, eval_str=True).parameters.values()

    @wraps(command)
    def called(**given: Any) -> None:
        command(asked(**{name: given.pop(name) for name in shared}), **given)

    parameters = [each.replace(kind=each.KEYWORD_ONLY) for each in (*shared.values(), *own)]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def given(context: typer.Context) -> dict[str, str]:
    """The parameters of a command that were given, each with its name on the command line."""
    return {
        parameter.name: str(parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0])
        for parameter in context.command.params
        if parameter.name is not None and context.params.get(parameter.name) not in (None, False, (), [])
    }


# ------------------------------------------------------------------------------------------ one value each


def _features(items: Iterable[str]) -> dict[str, bool]:
    stated: dict[str, bool] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if equals and value.lower() not in _NO_WORDS | _YES_WORDS:
            raise PortcheckError(f"--feature {quoted(item)}: write {name} or {name}=no")
        stated[name] = not equals or value.lower() in _YES_WORDS
    return stated


W = TypeVar("W", bound=Word)


def _word(option: str, text: str, words: type[W]) -> W:
    for word in words:
        if word.value == text:
            return word
    known = [word.value for word in words]
    raise PortcheckError(f"{option} {quoted(text)}: write {', '.join(known[:-1])} or {known[-1]}")


def _seconds(option: str, text: str) -> float:
    seconds = _number(text)
    if not 0.1 <= seconds < math.inf:
        raise PortcheckError(f"{option} {quoted(text)}: write seconds, 0.1 or more")
    return seconds


def _rate(option: str, text: str) -> float:
    rate = _number(text)
    if not 0 < rate < math.inf:
        raise PortcheckError(f"{option} {quoted(text)}: write new connections a second, more than 0: {option} 50")
    return rate


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _count(option: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 40 and int(text) > 0:
        return int(text)
    raise PortcheckError(f"{option} {quoted(text)}: write a whole number, 1 or more")
