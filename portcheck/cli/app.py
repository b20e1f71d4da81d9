"""The commands and their options. Each command's work is imported when it is called: start-up is part of the job."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from portcheck import __version__
from portcheck.cli.options import Asked, given, of_this_machine, sharing, with_deadline, with_unexpected
from portcheck.model import PortcheckError

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
    invoke_without_command=True, rich_markup_mode=None, help="The vendor documents: list, show, lint, import."
)
app.add_typer(documents_app, name="documents")


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
@sharing
def check(
    asked: Asked,
    context: typer.Context,
    strict: Annotated[
        bool, typer.Option("--strict", help="Weak passes and unprovable checks count as not sure.")
    ] = False,
    strict_sources: Annotated[
        bool, typer.Option("--strict-sources", help="A port that is open here, but meant for others, fails.")
    ] = False,
    unexpected: Annotated[
        str | None,
        typer.Option(
            "--unexpected",
            metavar="fail|warn|ignore",
            help="What an open port that nobody asked for counts as. Default: fail.",
        ),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option("--deadline", metavar="SECONDS", help="End the run then; the rest is not sure.")
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Keep every attempt in the JSON, also of ports that are well.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Ask every open TCP port what it speaks: HTTP, TLS (certificate), SSH, SMB, ..."),
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN.json",
            help="Go on with a stopped run that was kept with -o: its answers are kept, only the rest is asked.",
        ),
    ] = None,
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
    from portcheck.cli.check import run_check

    selection = replace(asked.selection, strict=strict, strict_sources=strict_sources, evidence=evidence, verify=verify)
    selection = with_unexpected(with_deadline(selection, deadline), unexpected)
    asked = replace(asked, selection=selection)
    stopped = None
    if resume is not None:
        from portcheck.cli.resume import go_on

        stopped, asked = go_on(resume, asked, given(context))
    raise typer.Exit(run_check(asked, report_format, outputs or [], stopped))


@app.command(short_help="Show what `check` would send; send nothing.")
@sharing
def plan(asked: Asked) -> None:
    """Show what `check` would send: to whom, which ports, how many packets, how long it takes. Sends nothing."""
    from portcheck.cli.check import show_plan

    raise typer.Exit(show_plan(asked))


@app.command(short_help="Before the install: stand in for a role's services.")
def listen(
    documents: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", metavar="DOCUMENT", help="Id of a shipped document, or a file of your own."),
    ] = None,
    roles: Annotated[
        list[str] | None, typer.Option("--role", "-r", metavar="ROLE", help="Role of this machine in the documents.")
    ] = None,
    expects: Annotated[
        list[str] | None,
        typer.Option("--expect", "-e", metavar="PORTS", help="Ports to open: 22/tcp,8000-8010/tcp or ssh."),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option("--site", "-s", metavar="FILE", help="Site file: it has this machine's roles and addresses."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="HOST",
            help="Which host of the site this machine is; without a site a name to call itself. Default: the host "
            "that has an address of this machine, or the machine's own name.",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME[=no]", help="A feature of a document that is in use, or is not."),
    ] = None,
    transports: Annotated[
        list[str] | None,
        typer.Option("--transport", metavar="tcp|udp", help="Only this transport."),
    ] = None,
    binds: Annotated[
        list[str] | None,
        typer.Option(
            "--bind",
            metavar="ADDRESS",
            help="Open the ports on this address (repeat it for several). Default: the host's addresses in the site, "
            "or all.",
        ),
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option(
            "--peers",
            metavar="ADDRESS|NETWORK",
            help="Answer only these (repeat it for several). Default: everybody who has the key.",
        ),
    ] = None,
    ttl: Annotated[
        str, typer.Option("--ttl", metavar="TIME", help="End after this time: 90s, 30m or 8h; at most 24h.")
    ] = "30m",
    until_eof: Annotated[bool, typer.Option("--until-eof", help="End when stdin ends, too.")] = False,
    outlive_parent: Annotated[
        bool,
        typer.Option(
            "--outlive-parent", help="Go on when the shell or session that started it has ended; else it ends as well."
        ),
    ] = False,
    listen_format: Annotated[
        str, typer.Option("--format", metavar="text|jsonl", help="What to print: lines to read, or a JSON object each.")
    ] = "text",
    key_file: Annotated[
        str | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="The key that it shares with the checks; also PORTCHECK_KEY in the environment. Default: a new one, "
            "shown once.",
        ),
    ] = None,
    write_key: Annotated[
        str | None,
        typer.Option("--write-key", metavar="FILE", help="Make a new key and keep it in FILE, which must not exist."),
    ] = None,
) -> None:
    """Open every port that a role needs and stand in for its services, so that `check --phase preinstall` is certain.

    It answers nobody but checks that have its key. It ends after --ttl, with Ctrl-C, or with the shell that started
    it, and leaves nothing behind. Exit status: 0 every port was opened, 1 some were not, 2 unusable input or none was.
    """
    from portcheck.cli.listen import Listening, stand_in

    selection = of_this_machine(
        documents or (), roles or (), expects or (), site, name, features or (), transports or ()
    )
    asked = Listening(
        selection,
        binds=tuple(binds or ()),
        peers=tuple(peers or ()),
        ttl=ttl,
        until_eof=until_eof,
        outlive_parent=outlive_parent,
        report_format=listen_format,
        key_file=key_file,
        write_key=write_key,
    )
    raise typer.Exit(stand_in(asked))


@app.command(short_help="What the documents say of a port; or one verdict of a kept run.")
def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="PORT|CHECK-ID",
            help="A port (3268/tcp, 445), range (8000-8100), protocol (gre) or service (ldap); or one of the "
            "checks[].id of RUN.json.",
        ),
    ],
    run_file: Annotated[str | None, typer.Argument(metavar="RUN.json", help="A run kept with -o.")] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", metavar="FILE", help="A document of your own, beside the shipped ones."),
    ] = None,
    explain_format: Annotated[
        str | None,
        typer.Option("--format", metavar="terminal|json", help="What to print about a port. Default: terminal."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Each row by itself, with its notes and its places in the documents.")
    ] = False,
) -> None:
    """What the documents say of a port: what it is called, who needs it, where they disagree.

    With RUN.json, one verdict of that run: what was asked, what was sent, what came back, what follows.
    """
    if run_file is None:
        from portcheck.cli.explain_port import explain_port

        raise typer.Exit(explain_port(subject, documents or [], explain_format or "terminal", everything))
    if documents or explain_format is not None or everything:
        raise PortcheckError("-d, --format and --all are for a port: leave them out, or leave out RUN.json")
    from portcheck.cli.explain import explain_check

    raise typer.Exit(explain_check(subject, run_file))


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


@documents_app.command("import", short_help="Make a draft of a document from a vendor's page.")
def documents_import(
    page: Annotated[
        str, typer.Argument(metavar="FILE", help="A page with tables of ports: Markdown, HTML or CSV, in UTF-8.")
    ],
    document_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The document's id. Default: from the name of the file.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the draft to FILE, not to stdout.")
    ] = None,
) -> None:
    """Make a draft of a document from the tables of a vendor's page, and tell what could not be read.

    The draft has each row's ports, transports and place. Everything else is a beginning, to be gone through by hand.
    """
    from portcheck.cli.documents_import import import_document

    raise typer.Exit(import_document(page, document_id, output))
