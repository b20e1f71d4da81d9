"""The commands and their options. Each command's work is imported when it is called: start-up is part of the job."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from portcheck import __version__

app = typer.Typer(
    name="portcheck",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which required network ports are blocked, which are open that nobody asked for, and who is in the way.",
)
documents_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="The vendor documents: list, show, lint."
)
app.add_typer(documents_app, name="documents")

Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="Address, name, network (10.0.0.0/24) or name=address."),
]
Documents = Annotated[
    list[str] | None,
    typer.Option("--document", "-d", metavar="DOCUMENT", help="Id of a shipped document, or a file of your own."),
]
Roles = Annotated[
    list[str] | None, typer.Option("--role", "-r", metavar="ROLE", help="Role of the targets in the documents.")
]
Expects = Annotated[
    list[str] | None,
    typer.Option("--expect", "-e", metavar="PORTS", help="Ports that must be reachable: 22/tcp,443/tcp or ssh."),
]
SiteFile = Annotated[
    str | None, typer.Option("--site", "-s", metavar="FILE", help="Site file: the hosts and their roles.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="HOST|ROLE|ADDRESS",
        help="Where we stand: a host of the site or a role; without a site also the address to send from.",
    ),
]
PhaseOption = Annotated[
    str,
    typer.Option("--phase", metavar="preinstall|installed", help="Before the install, or with the product running."),
]
Transports = Annotated[
    list[str] | None,
    typer.Option("--transport", metavar="tcp|udp", help="Only these transports (repeat it for several)."),
]
SweepOption = Annotated[
    str | None,
    typer.Option(
        "--sweep",
        metavar="none|documented|all|PORTS",
        help="TCP ports to look at beyond the required ones. Default: documented, or none without a document.",
    ),
]
Features = Annotated[
    list[str] | None,
    typer.Option("--feature", metavar="NAME[=no]", help="A feature of a document that is in use, or is not."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Weak passes and unprovable checks count as not sure.")]
StrictSources = Annotated[
    bool, typer.Option("--strict-sources", help="A port that is open here, but meant for others, fails.")
]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="SECONDS", help="End the run then; the rest is not sure.")
]
MaxHosts = Annotated[
    str, typer.Option("--max-hosts", metavar="NUMBER", help="Refuse to check more addresses than this.")
]


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"portcheck {__version__}")
        raise typer.Exit


def _help_without_command(context: typer.Context) -> None:
    """A command that says nothing gets the help, and the status of one that cannot be carried out."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""
    _help_without_command(context)


@app.command(short_help="Check the targets from here; report what is wrong.")
def check(
    targets: Targets = None,
    documents: Documents = None,
    roles: Roles = None,
    expects: Expects = None,
    site: SiteFile = None,
    source: Source = None,
    phase: PhaseOption = "installed",
    transports: Transports = None,
    sweep: SweepOption = None,
    features: Features = None,
    strict: Strict = False,
    strict_sources: StrictSources = False,
    deadline: Deadline = None,
    max_hosts: MaxHosts = "65536",
    report_format: Annotated[
        str, typer.Option("--format", metavar="terminal|json", help="What to print on stdout.")
    ] = "terminal",
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Keep the run in FILE: JSON, or text if it ends in .txt. Repeat it for both.",
        ),
    ] = None,
) -> None:
    """Check the targets from here and report what is blocked, what is exposed, and why.

    Exit status: 0 all that was asked for holds, 1 something failed, 2 unusable input, 3 nothing failed but
    something is not known.
    """
    from portcheck.cli.check import read_count, read_phase, read_seconds, run_check, selection_of

    selection = selection_of(targets, documents, roles, expects, site, source, transports, sweep, features)
    deadline_s = read_seconds("--deadline", deadline) if deadline is not None else None
    selection = replace(selection, strict=strict, strict_sources=strict_sources, deadline_s=deadline_s)
    number = read_count("--max-hosts", max_hosts)
    raise typer.Exit(run_check(selection, read_phase(phase), number, report_format, outputs or []))


@app.command(short_help="Show what `check` would send; send nothing.")
def plan(
    targets: Targets = None,
    documents: Documents = None,
    roles: Roles = None,
    expects: Expects = None,
    site: SiteFile = None,
    source: Source = None,
    phase: PhaseOption = "installed",
    transports: Transports = None,
    sweep: SweepOption = None,
    features: Features = None,
    max_hosts: MaxHosts = "65536",
) -> None:
    """Show what `check` would send: to whom, which ports, how many packets, how long at most. Sends nothing."""
    from portcheck.cli.check import read_count, read_phase, selection_of, show_plan

    selection = selection_of(targets, documents, roles, expects, site, source, transports, sweep, features)
    raise typer.Exit(show_plan(selection, read_phase(phase), read_count("--max-hosts", max_hosts)))


@app.command(short_help="Explain one verdict of a kept run.")
def explain(
    check_id: Annotated[
        str,
        typer.Argument(metavar="CHECK-ID", help="One of the kept run's checks[].id; the report shows one."),
    ],
    run_file: Annotated[str, typer.Argument(metavar="RUN.json", help="A run kept with -o.")],
) -> None:
    """Explain one verdict of a kept run: what was asked, what was sent, what came back, what follows."""
    from portcheck.cli.explain import explain_check

    raise typer.Exit(explain_check(check_id, run_file))


@app.command(short_help="Try it on a made-up cluster on this machine.")
def demo(
    keep: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Keep the run as JSON, to try `explain` on it.")
    ] = None,
) -> None:
    """Check a small made-up cluster on this machine: no root, no network, about five seconds."""
    from portcheck.cli.demo import run_demo

    raise typer.Exit(run_demo(keep))


@documents_app.callback()
def _documents_options(context: typer.Context) -> None:
    """Options of every `documents` command: none."""
    _help_without_command(context)


@documents_app.command("list")
def documents_list() -> None:
    """The shipped documents."""
    from portcheck.cli.documents import list_documents

    raise typer.Exit(list_documents())


@documents_app.command("show", short_help="What a document asks for, row by row.")
def documents_show(document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="An id or a file.")]) -> None:
    """What a document asks for, row by row, and what it asks that no port probe can show."""
    from portcheck.cli.documents import show_document

    raise typer.Exit(show_document(document))


@documents_app.command("lint")
def documents_lint(files: Annotated[list[str], typer.Argument(metavar="FILE...")]) -> None:
    """Check document files: every error with its line."""
    from portcheck.cli.documents import lint_documents

    raise typer.Exit(lint_documents(files))
