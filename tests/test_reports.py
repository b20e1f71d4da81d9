"""The reports of made runs: word for word on the terminal, by its schema as JSON, harmless whatever a name contains.

`python -m tests.test_reports` writes the golden files anew; read the difference before you keep it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from portcheck import commands
from portcheck.engine import probe as engine_words
from portcheck.engine.pace import Speed
from portcheck.engine.probe import Word
from portcheck.model import (
    Certainty,
    Diagnosis,
    Expect,
    Family,
    Finding,
    Gap,
    Level,
    NamedPorts,
    Outcome,
    Own,
    Phase,
    Run,
    Scope,
    Sweep,
    SweepKind,
)
from portcheck.plan import plan
from portcheck.ports import parse_ports
from portcheck.reports import document_text, how_sure, plan_text, run_json, terminal
from portcheck.reports.explanation import find_swept
from tests.made_runs import (
    NEW,
    SCENARIOS,
    SERVICES,
    Answer,
    Answered,
    a_sweep,
    before_the_install,
    closed,
    echoed_by,
    five_faults,
    free,
    local_taken,
    local_well,
    made,
    nobody_there,
    open_port,
    over_udp,
    own,
    replied,
    reported,
    seen_from_a1,
    silent,
    stand_ins_broken,
    stand_ins_well,
    this_machine,
    unknown,
    with_stand_ins,
    without_a_role,
)
from tests.samples import HERE, PATIENT, cluster, document, host, row, site

GOLDEN = Path(__file__).parent / "golden"
ESCAPE = "\x1b"

HOSTILE = (
    "[red]red[/red]",
    "[/]",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\u202eevil\u2066",
    "line\nfeed\r\x0b\x0c\x85\u2028end",
    "\0nul\x7f",
    ":smile: https://example.org \\[bold] {0} %s",
    "x" * 10_000,
    "\ud800 lone surrogate",
    "宽" * 50,
)


def schema() -> dict[str, Any]:
    text = resources.files("portcheck.reports").joinpath("run.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


# ---------------------------------------------------------------------------------------------- the terminal


def golden_text(name: str) -> str:
    return terminal.render(SCENARIOS[name](), saved_as="run.json")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_report_is_word_for_word_what_was_read_and_approved(name: str) -> None:
    assert golden_text(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_a_run() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SCENARIOS)


COMMANDS = ("portcheck listen -", "portcheck check --local", "sysctl -w net.", "sysctl net.")
"""How the lines begin that are there to be copied."""


@pytest.mark.parametrize("width", [40, 80, 110])
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_line_is_wider_than_the_window_or_ends_in_blanks(name: str, width: int) -> None:
    text = terminal.render(SCENARIOS[name](), width)
    assert ESCAPE not in text
    lines = text.splitlines()
    assert [line for line in lines if len(line) > width and not line.lstrip().startswith(COMMANDS)] == []
    assert [line for line in lines if line != line.rstrip()] == []
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", SCENARIOS)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    plain, colored = (terminal.render(SCENARIOS[name](), color=color) for color in (False, True))
    assert ESCAPE in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_colour_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = terminal.render(five_faults()), terminal.render(five_faults(), color=True)
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1"), ("FORCE_COLOR", "1"), ("COLUMNS", "20")):
        monkeypatch.setenv(name, value)
        assert (terminal.render(five_faults()), terminal.render(five_faults(), color=True)) == expected


def test_the_command_that_explains_can_be_copied_from_a_narrow_window() -> None:
    text = terminal.render(five_faults(), 40, saved_as="/var/lib/port check/it's mine.json")
    command = text.partition("Explain one:\n")[2].replace(" \\\n", " ").split()
    assert " ".join(command) == ("portcheck explain 'a1>m1/ipv4/tcp/5050' '/var/lib/port check/it'\"'\"'s mine.json'")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("scenario", [before_the_install, local_taken, stand_ins_broken])
def test_long_commands_have_lines_of_their_own_that_are_never_broken(scenario: Callable[[], Run], width: int) -> None:
    run = scenario()
    remedies = [*(d.remedy for d in run.diagnosis if d.remedy is not None), *how_sure.before_install(run)]
    said = [piece for remedy in remedies for is_command, piece in commands.pieces(remedy) if is_command]
    lines = [line.strip() for line in terminal.render(run, width).splitlines()]
    assert said
    assert all(command.startswith(COMMANDS) for command in said)
    assert [command for command in said if command not in lines] == []


PIECES: tuple[tuple[str, list[str]], ...] = (
    ("Allow it.", ["Allow it."]),
    ("", []),
    ("-> On m3: portcheck listen -s site.yaml --as m3 --key-file stand-in.key", ["-> On m3:", "!"]),
    ("Start it: portcheck listen -d 'a b' --key-file stand-in.key. Or wait.", ["Start it:", "!", "Or wait."]),
    ("On m1: portcheck listen -r 'it'\"'\"'s' --write-key k; copy k here.", ["On m1:", "!", "copy k here."]),
    ("Look: portcheck check --local", ["Look:", "!"]),
    ("If these are stand-ins (portcheck listen), say so.", ["If these are stand-ins (portcheck listen), say so."]),
    ("Open ' portcheck listen -s 'a", ["Open ' portcheck listen -s 'a"]),
    (
        'Reserve it: sysctl -w net.x="1-2,$(sysctl -n net.x)" and, to keep it, sysctl net.x > /etc/x.conf.',
        ["Reserve it:", "!", "and, to keep it,", "!"],
    ),
)


@pytest.mark.parametrize(("text", "expected"), PIECES, ids=[text[:30] for text, _ in PIECES])
def test_a_text_is_cut_at_its_commands(text: str, expected: list[str]) -> None:
    pieces = list(commands.pieces(text))
    assert ["!" if is_command else piece for is_command, piece in pieces] == expected
    assert all(piece in text and not piece.endswith((".", ";", ",")) for is_command, piece in pieces if is_command)


# ---------------------------------------------------------------------------------------------- hostile text


def with_texts(value: Any, text: str) -> Any:
    """The same value with `text` in place of every free text; words of ours, addresses and times stay."""
    if isinstance(value, Word) or not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for each in fields(value):
        old = getattr(value, each.name)
        if each.name in FREE_TEXTS and isinstance(old, str):
            changed[each.name] = text
        elif each.name in FREE_TEXTS and isinstance(old, tuple):
            changed[each.name] = tuple(text for _ in old) or (text,)
        elif isinstance(old, tuple):
            changed[each.name] = tuple(with_texts(item, text) for item in old)
        else:
            changed[each.name] = with_texts(old, text)
    return replace(value, **changed)


FREE_TEXTS = frozenset(
    {"answer", "host", "because", "detail", "doubt", "headline", "lines", "machine", "named_for", "notices"}
    | {"reason_text", "remedy", "services", "text", "title", "waived", "warnings", "role", "responder", "sentence"}
    | {"section", "row", "facts"}
)


def hostile_run(text: str) -> Run:
    run = made(seen_from_a1(), {"m1/ipv4/tcp/443": silent})
    extra = Diagnosis("blocked", Outcome.INCONCLUSIVE, text, (text,), ("id",), text)
    changed = with_texts(replace(run, diagnosis=(*run.diagnosis, extra)), text)
    assert isinstance(changed, Run)
    return changed


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_what_a_datagram_says_is_shown_and_never_obeyed(text: str) -> None:
    run = with_texts(over_udp(), text)
    assert isinstance(run, Run)
    report = terminal.render(run, saved_as="run.json")
    assert_harmless(report)
    assert max(map(len, report.splitlines())) <= 80
    assert run_json.render(run).isascii()


def test_the_json_has_what_answered_and_what_should_have() -> None:
    checks = {check["id"].partition(">")[2]: check for check in run_json.as_json(over_udp())["checks"]}
    told = [(check["answer"], check["speaks"], check["should_speak"], check["answers"]) for check in checks.values()]
    by_id = dict(zip(checks, told, strict=True))
    assert by_id["m1/ipv4/udp/123"] == ("NTP server, stratum 3", "ntp", ["ntp"], "normally")
    assert by_id["m2/ipv4/udp/123"] == ("12 bytes that are no NTP", None, ["ntp"], "normally")
    assert by_id["m2/ipv4/tcp/8443"] == ("SSH, OpenSSH_9.2", "ssh", ["https"], "normally")
    assert by_id["m1/ipv4/udp/1812"] == (None, None, ["radius"], "with-secret")
    assert by_id["a2/ipv4/udp/64000"] == (None, None, [], "never")


def test_what_answers_and_is_not_understood_is_shown_and_weakens_no_pass_over_tcp() -> None:
    told = "25 bytes: hello, no answer of HTTP, HTTPS"
    hosts = cluster(SERVICES, masters=3, agents=1)
    answers: Answered = {
        "m1/ipv4/tcp/8443": lambda probe: replace(open_port(probe), answer=told),
        "m2/ipv4/tcp/8443": lambda probe: replace(open_port(probe), answer="HTTPS, nginx", speaks="https"),
        "m1/ipv4/udp/123": replied("12 bytes that are no NTP"),
    }
    run = made(site([SERVICES], hosts, "a1"), answers, verify=True)
    lines = " ".join(terminal.render(run, 2000).split("\n"))
    assert f"- Open, but what speaks there is not known: 8443/tcp on m1 ({told})" in lines
    assert "- Answered, but not in the protocol that was expected: 123/udp on m1 (12 bytes that are no NTP)" in lines
    assert "- 8443/tcp on m2: HTTPS, nginx" in lines
    assert lines.count(told) == 1
    # Where nobody knows what should speak, an answer is told for what it is; silence is none.
    hand = Scope((), hosts[:1], HERE, extra=tuple(NamedPorts(item) for item in parse_ports("7777/tcp+udp")))
    silent_one = {"m1/ipv4/tcp/7777": lambda probe: replace(open_port(probe), answer="silent when asked for HTTP")}
    by_hand = terminal.render(made(hand, {**silent_one, "m1/ipv4/udp/7777": replied("4 bytes")}, verify=True), 2000)
    assert "  - Open, but what speaks there is not known: 7777/tcp on m1 (silent when asked for HTTP)\n" in by_hand
    assert "What answered\n  - 7777/udp on m1: 4 bytes\n" in by_hand
    (found,) = (v for v in run.verdicts if v.observation.answer == told)
    assert (found.outcome, found.certainty) == (Outcome.PASS, Certainty.CERTAIN)


@pytest.mark.parametrize("strict", [False, True])
def test_an_answer_that_is_not_of_the_protocol_is_counted_before_anything_else(strict: bool) -> None:
    hand = Scope((), (host("h1", "192.0.2.1"),), HERE, extra=tuple(NamedPorts(p) for p in parse_ports("53,123/udp")))
    run = made(
        hand,
        {
            "h1/ipv4/udp/53": replied("12 bytes that are no DNS"),
            "h1/ipv4/udp/123": replied("NTP server, stratum 3", "ntp"),
        },
        strict=strict,
    )
    first = terminal.render(run, 200).partition("\n\n")[0]
    assert first.endswith("1 answer is not of the protocol that was expected: something else may be there.")
    assert run.summary.exit_status == (3 if strict else 0)
    assert "protocol" not in terminal.render(made(hand, {}), 200).partition("\n\n")[0]


def assert_harmless(text: str) -> None:
    assert all(line.isprintable() for line in text.split("\n")), text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_text_of_strangers_is_shown_and_never_obeyed(text: str) -> None:
    run = hostile_run(text)
    report = terminal.render(run, saved_as="run.json")
    assert_harmless(report)
    assert max(map(len, report.splitlines())) <= 80
    assert_harmless(plan_text.render(run.plan, text))
    assert_harmless(document_text.render(run.plan.scope.documents[0]))
    assert_harmless(document_text.render_list(run.plan.scope.documents))
    written = run_json.render(run)
    assert written.isascii()
    assert_harmless(written)
    if "\ud800" not in text:
        assert json.loads(written)["answer"]["sentence"] == text


def test_markup_is_text() -> None:
    assert "[red]red[/red] :boom:" in terminal.render(hostile_run("[red]red[/red] :boom:"), 110)


@PATIENT
@given(st.text(st.characters(), max_size=60))
def test_no_text_at_all_reaches_the_terminal_raw(text: str) -> None:
    run = without_a_role()
    changed = replace(run, answer=replace(run.answer, sentence=text), warnings=(text,))
    assert_harmless(terminal.render(changed, saved_as=text))


def test_the_document_as_text_fits_a_log_and_shows_every_row() -> None:
    rows = [row(f"{port}/tcp", service=f"Service {port}", note="a note " * 30, doubt="doubt") for port in range(1, 30)]
    text = document_text.render(document(*rows, notices=("notice " * 30,)))
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"Service {port}:" in text for port in range(1, 30))


# ------------------------------------------------------------------------------------------------------ JSON


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_json_is_what_its_schema_says(name: str, validator: Draft202012Validator) -> None:
    run = json.loads(run_json.render(SCENARIOS[name]()))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(run)] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_check_is_in_the_json_once(name: str) -> None:
    made_run = SCENARIOS[name]()
    run = json.loads(run_json.render(made_run))
    swept = sum(len(numbers(entry["ports"])) for entry in run["swept"])
    assert len(run["checks"]) + swept == run["summary"]["checks"] == made_run.plan.size
    assert len({check["id"] for check in run["checks"]}) == len(run["checks"])
    outcomes = ("pass", "fail", "warn", "inconclusive", "info")
    assert sum(run["summary"][word] for word in outcomes) == run["summary"]["checks"]


def numbers(ports: str) -> list[int]:
    pairs = (part.partition("-") for part in ports.split(","))
    return [number for first, _, last in pairs for number in range(int(first), int(last or first) + 1)]


def test_a_sweep_is_kept_as_sets_of_ports() -> None:
    (entry,) = (e for e in run_json.as_json(five_faults())["swept"] if e["target"]["host"] == "m3")
    assert entry == {
        "source": "a1",
        "target": {"host": "m3", "address": "10.0.0.3"},
        "transport": "tcp",
        "state": "closed",
        "reason": "conn-refused",
        "detail": None,
        "responder": None,
        "icmp": None,
        "inferred": False,
        "outcome": "pass",
        "certainty": "certain",
        "finding": "ok",
        "because": "m3 (10.0.0.3) refused the connection.",
        "waived": None,
        "ports": "8080,61091,62080",
    }


def test_a_large_sweep_says_what_is_not_known_of_how_many_ports_and_why() -> None:
    entries = {(e["target"]["host"], e["reason"], e["outcome"], e["ports"]) for e in swept_of(a_sweep())}
    assert entries == {
        ("web", "conn-refused", "pass", "1-442,444-2000,8000-8079,8081-8999"),
        ("web", "local-error", "inconclusive", "9000-9999"),
        ("db", "admin-prohibited", "pass", "1-21,23-442,444-2000,8000-9999"),
        ("db", "conn-refused", "pass", "22"),
        ("old", "no-response", "inconclusive", "1-442,444-2000,8000-9999"),
    }
    (rejected,) = (e for e in swept_of(a_sweep()) if e["reason"] == "admin-prohibited")
    assert (rejected["responder"], rejected["icmp"]) == ("198.51.100.1", {"type": 3, "code": 13})
    (waived,) = (e for e in swept_of(a_sweep()) if e["waived"])
    assert (waived["finding"], waived["waived"], waived["ports"]) == ("undetermined", "a tarpit", "9000-9999")


def swept_of(run: Run) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = run_json.as_json(run)["swept"]
    return listed


def test_a_diagnosis_names_some_of_the_swept_ports_and_counts_them_all() -> None:
    run = a_sweep()
    swept = swept_of(run)
    (found,) = (d for d in run_json.as_json(run)["diagnosis"] if d["cause"] == "host-silent")
    assert found["count"] == 4000
    assert found["checks"][:2] == ["here>old/ipv4/tcp/443", "here>old/ipv4/tcp/1"]
    assert len(found["checks"]) == 25
    assert all(find_swept(check_id, swept) for check_id in found["checks"][1:])


def test_evidence_is_kept_where_something_is_wrong_and_everywhere_on_demand() -> None:
    answers = {"m1/ipv4/tcp/443": silent, "m2/ipv4/tcp/62080": closed}
    run = run_json.as_json(made(seen_from_a1(), answers))
    attempts = {check["id"]: (check["outcome"], check["attempts"], len(check["evidence"])) for check in run["checks"]}
    assert attempts["a1>m1/ipv4/tcp/443"] == ("fail", 2, 2)
    assert attempts["a1>m2/ipv4/tcp/443"] == ("pass", 1, 0)
    full = run_json.as_json(made(seen_from_a1(), answers, evidence=True))
    assert full["swept"] == []
    assert {check["attempts"] - len(check["evidence"]) for check in full["checks"]} == {0}
    assert len(full["checks"]) == full["summary"]["checks"] == run["summary"]["checks"]


def test_a_run_that_went_on_with_another_says_with_which() -> None:
    run = made(seen_from_a1(), resumed="20261119T080000Z-abcdef")
    assert run_json.as_json(run)["resumed"] == "20261119T080000Z-abcdef"
    assert run_json.as_json(five_faults())["resumed"] is None


def test_the_json_is_ascii_without_a_number_that_json_does_not_have() -> None:
    written = run_json.render(hostile_run("Zürich"))
    assert written.isascii()
    assert json.loads(written, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    bad = replace(five_faults(), duration_s=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        run_json.render(bad)


SCHEMA_WORDS: dict[str, type[Word]] = {
    "properties/phase": Phase,
    "properties/not_planned/items/properties/gap": Gap,
    "properties/swept/items/properties/state": engine_words.PortState,
    "properties/swept/items/properties/reason": engine_words.Reason,
    "properties/swept/items/properties/transport": engine_words.Transport,
    "properties/swept/items/properties/finding": Finding,
    "properties/selection/properties/speed": Speed,
    "$defs/check/properties/transport": engine_words.Transport,
    "$defs/check/properties/expect": Expect,
    "$defs/check/properties/level": Level,
    "$defs/check/properties/state": engine_words.PortState,
    "$defs/check/properties/reason": engine_words.Reason,
    "$defs/check/properties/outcome": Outcome,
    "$defs/check/properties/certainty": Certainty,
    "$defs/check/properties/finding": Finding,
    "$defs/check/properties/target/properties/family": Family,
}


@pytest.mark.parametrize("place", SCHEMA_WORDS)
def test_the_words_of_the_schema_are_the_words_of_the_program(place: str) -> None:
    found: Any = schema()
    for step in place.split("/"):
        found = found[step]
    assert [word for word in found["enum"] if word is not None] == [word.value for word in SCHEMA_WORDS[place]]


def test_the_schema_is_strict_and_explains_every_field() -> None:
    loose = [path for path, node in nodes(schema()) if node.get("type") == "object" and not is_strict(node)]
    assert loose == ["properties.selection.properties.features"]
    unexplained = [
        path
        for path, node in nodes(schema())
        if path.rpartition(".")[0].endswith("properties") and "$ref" not in node and "description" not in node
    ]
    assert unexplained == []


def is_strict(node: dict[str, Any]) -> bool:
    return node.get("additionalProperties") is False


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from nodes(inner, f"{path}.{key}" if path else key)


MUTATIONS: dict[str, Any] = {
    "another schema": {"schema": "portcheck/run/2"},
    "a word of nobody": {"phase": "later"},
    "a key of nobody": {"colour": "red"},
    "a text for a number": {"seed": "7"},
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_schema_refuses_what_is_wrong(name: str, validator: Draft202012Validator) -> None:
    run = json.loads(run_json.render(five_faults()))
    assert not validator.is_valid({**run, **MUTATIONS[name]})
    for key in run:
        assert not validator.is_valid({k: v for k, v in run.items() if k != key}), key


def write_golden_files() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name in SCENARIOS:
        (GOLDEN / f"{name}.txt").write_text(golden_text(name), encoding="utf-8")


@pytest.mark.parametrize("reason", engine_words.Reason)
def test_whatever_could_not_be_measured_has_a_report(reason: engine_words.Reason) -> None:
    extra = tuple(NamedPorts(item) for item in parse_ports("53/tcp+udp,icmp"))
    scope = Scope((), (host("u", "192.0.2.1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    run = made(scope, {"u": unknown(reason)})
    assert "Not sure about\n  - " in terminal.render(run)


def test_what_documents_need_is_left_out_only_where_there_is_one() -> None:
    extra = (NamedPorts(parse_ports("53/udp")[0]),)
    only_udp = frozenset({engine_words.Transport.UDP})
    scope = Scope((), (host("u", "192.0.2.1"),), HERE, extra=extra, sweep=Sweep(SweepKind.NONE), transports=only_udp)
    assert "documents need" not in terminal.render(made(scope))
    assert "Only UDP was asked for.\n" in terminal.render(made(scope))
    with_document = site([SERVICES], cluster(SERVICES, masters=2, agents=2), "a1", transports=only_udp)
    assert "what the documents need besides is left out." in terminal.render(made(with_document))


def test_what_answers_over_udp_is_told_beside_a_document_as_well() -> None:
    hosts = cluster(SERVICES, masters=3, agents=1)
    dns = {f"m{n}/ipv4/udp/53": replied("DNS: refused", "dns") for n in (1, 2, 3)}
    over_tcp = {"m1/ipv4/tcp/8443": lambda probe: replace(open_port(probe), answer="HTTPS", speaks="https")}
    scope = site([SERVICES], hosts, "a1")
    text = terminal.render(made(scope, {**dns, **over_tcp}))
    assert "What answered\n  - 53/udp on m1, m2, m3: DNS: refused\n\n" in text


def test_beside_a_document_few_answers_are_told() -> None:
    rows = tuple(row(f"{port}/udp", to="master") for port in range(20000, 20013))
    asked = document(*rows, id="many", title="Many")
    answered = {f"m1/ipv4/udp/{port}": replied(f"{port} bytes", "dns") for port in range(20000, 20013)}
    text = terminal.render(made(site([asked], cluster(asked, masters=1, agents=1), "a1"), answered))
    assert text.count("/udp on m1: ") == 10
    assert "  - And 3 more: the JSON report has them all.\n" in text


def test_addresses_where_nobody_is_are_not_untested_as_well() -> None:
    """Without the privilege to send echo requests; each empty address was told twice, and counted as a host."""
    hosts = tuple(host(f"192.0.2.{n}", f"192.0.2.{n}", from_network=True) for n in range(1, 5))
    extra = tuple(NamedPorts(item) for item in parse_ports("53/udp,icmp"))
    scope = Scope((), hosts, HERE, extra=extra, sweep=Sweep(SweepKind.NONE))
    no_icmp = {
        f"192.0.2.{n}/ipv4/icmp": unknown(engine_words.Reason.NEEDS_PRIVILEGE, "CAP_NET_RAW") for n in range(1, 5)
    }
    run = made(scope, {**no_icmp, **{f"192.0.2.{n}": nobody_there for n in (1, 2, 4)}})
    text = terminal.render(run)
    assert text.splitlines()[1].startswith("1 host, ")
    assert "1 of 2 required flows (ICMP) was not tested" in " ".join(text.split())
    assert "  - icmp on 192.0.2.3: not tested." in text
    assert "3 addresses without any sign of life" in text


def test_where_nothing_could_be_asked_nobody_says_that_no_host_is_there() -> None:
    hosts = tuple(host(f"192.0.2.{n}", f"192.0.2.{n}", from_network=True) for n in range(1, 3))
    scope = Scope((), hosts, HERE, extra=(NamedPorts(parse_ports("icmp")[0]),), sweep=Sweep(SweepKind.NONE))
    lacking = unknown(engine_words.Reason.NEEDS_PRIVILEGE, "CAP_NET_RAW")
    text = terminal.render(made(scope, {f"192.0.2.{n}": lacking for n in (1, 2)}))
    assert text.splitlines()[1].startswith("2 hosts, ")
    assert "sign of life" not in text


# ------------------------------------------------------------------------------------------- before an install


def first_lines(run: Run) -> str:
    """What is said above the answer, on one line."""
    return " ".join(terminal.render(run, 2000).partition("\n\n")[0].split("\n")[2:])


def test_without_stand_ins_the_report_says_how_to_become_certain() -> None:
    (said,) = how_sure.before_install(before_the_install())
    assert said == (
        "17 passes are weak: a firewall that resets connections looks like a port that is free. To be certain, run on "
        "m1: portcheck listen -s site.yaml --as m1 --write-key stand-in.key. Copy stand-in.key to the others and here; "
        "start theirs alike, each with its own name and --key-file stand-in.key; then this check with --key-file "
        "stand-in.key."
    )


def test_the_way_to_certainty_with_one_host_copies_the_key_here_alone() -> None:
    scope = site([NEW], cluster(NEW, masters=1, agents=1), "a1", phase=Phase.PREINSTALL, sweep=Sweep(SweepKind.NONE))
    ids = [check.id.partition(">")[2] for check in plan(scope).checks]
    (said,) = how_sure.before_install(made(scope, dict.fromkeys(ids, closed)))
    assert said.endswith(
        "To be certain, run on m1: portcheck listen -s site.yaml --as m1 --write-key stand-in.key. Copy stand-in.key "
        "here; then this check with --key-file stand-in.key."
    )


def test_with_stand_ins_the_report_says_whose_were_heard() -> None:
    assert first_lines(stand_ins_well()) == "Stand-ins were heard on all 3 hosts (m1, m2, m3)."
    assert first_lines(stand_ins_broken()) == "Stand-ins were heard on m1, m2, and none on m3."


def test_what_a_stand_in_could_not_open_is_named_beside_its_weak_passes() -> None:
    well = "2181,5050,8080,40000,49152-65535/tcp,53/udp"
    reports = {f"10.0.0.{n}": reported(f"m{n}", well, unable="443/tcp") for n in (1, 2, 3)}
    run = with_stand_ins({f"m{n}/ipv4/tcp/443": closed for n in (1, 2, 3)}, reports)
    assert first_lines(run).endswith(
        "3 passes are weak: a firewall that resets connections looks like a port that is free. The stand-ins could not "
        "open 443/tcp on m1; 443/tcp on m2; 443/tcp on m3: start them there as root."
    )
    assert run.summary.exit_status == 0


def test_a_run_about_this_machine_says_so_and_that_nothing_was_sent() -> None:
    lines = terminal.render(local_well(), 200).splitlines()
    assert lines[0] == "portcheck 1.0 · New Product · preinstall · this machine (m1, master)"
    assert lines[1] == "23 checks, 4.3 s · nothing was sent"
    assert lines[3].startswith("OK  All 7 ports that master needs are free, so are 5 of the ports 49152-65535")


def not_known(why: str | None) -> Answer:
    return own(engine_words.PortState.UNKNOWN, engine_words.Reason.RULES_UNCLEAR, why)


def test_what_this_machine_does_not_tell_of_itself_is_not_left_out() -> None:
    packet, legacy = "depends on the packet: chain i, rule handle 2", "rules of iptables-legacy"
    unclear = {"m1/rules/tcp/443": not_known(packet), "m1/rules/tcp/2181": not_known(packet)}
    before = terminal.render(this_machine({**unclear, "m1/rules/tcp/5050": not_known(legacy)}), 200)
    lets_in = "  - Whether the packet filter of this machine lets in"
    assert f"{lets_in} 443, 2181/tcp on m1 was not determined ({packet})\n" in before
    assert f"{lets_in} 5050/tcp on m1 was not determined ({legacy})\n" in before
    assert before.count(lets_in) == 2
    after = terminal.render(this_machine({"m1/own/tcp/8888": free}, phase=Phase.INSTALLED), 200)
    assert "  - For localhost only, and nothing listens: 8888/tcp on m1\n" in after


def test_where_nothing_is_known_of_the_packet_filter_its_ports_are_not_listed() -> None:
    checks = [check.id.partition(">")[2] for check in local_well().plan.checks if check.expect is Expect.LET_IN]
    text = terminal.render(this_machine(dict.fromkeys(checks, not_known("not Linux"))), 200)
    assert len(checks) > 1
    assert text.partition("Also seen\n")[2] == (
        "  - Whether the packet filter of this machine lets in what others have to reach was not determined "
        "(not Linux)\n"
    )


def test_whether_a_local_service_listens_for_others_too_may_be_unknown() -> None:
    perhaps = own(engine_words.PortState.UNKNOWN, engine_words.Reason.LOCAL_ERROR, "EMFILE")
    text = terminal.render(this_machine({"m1/own/tcp/8888": perhaps}, phase=Phase.INSTALLED), 200)
    assert "  - Whether it listens for localhost only was not determined: 8888/tcp on m1 (EMFILE)\n" in text


def test_what_is_no_reason_to_warn_is_told_among_what_was_seen() -> None:
    fact = "Packet filter of this machine: nftables (table inet site)."
    run = replace(local_well(), facts=(fact,))
    text = terminal.render(run, 200)
    assert "Warnings" not in text
    assert text.partition("Also seen\n")[2] == f"  - {fact}\n"
    assert run_json.as_json(run)["facts"] == [fact]


def test_two_names_of_one_machine_are_told_where_one_stand_in_answers_as_both() -> None:
    twice = {check.id.partition(">")[2]: echoed_by("m1", stated=False) for check in stand_ins_well().plan.checks}
    scope = stand_ins_well().plan.scope
    m1, m2, *others = scope.hosts
    same = replace(scope, hosts=(m1, replace(m2, addresses=m1.addresses), *others))
    text = terminal.render(made(same, {name: told for name, told in twice.items() if name[:2] in ("m1", "m2")}), 200)
    assert "  - The same machine, for one stand-in answered as all of them: m1, m2\n" in text
    assert "The same machine" not in terminal.render(stand_ins_well(), 200)


def test_the_json_has_tokens_holders_ranges_and_stand_ins() -> None:
    run = run_json.as_json(stand_ins_broken())
    checks = {check["id"].partition(">")[2]: check for check in run["checks"]}
    assert [who["process"] for who in checks["m2/ipv4/tcp/2181"]["holders"]] == ["java"]
    assert checks["m2/ipv4/tcp/5050"]["echo"]["address"] == "172.16.0.2"
    assert checks["m1/ipv4/tcp/2181"]["echo"] is None
    assert {check["range"] for check in run["checks"]} == {None, "49152-65535"}
    (m2,) = (told for told in run["stand_ins"] if told["host"] == "m2")
    assert (m2["name"], m2["in_use"], m2["not_opened"]) == ("m2", ["2181/tcp", "40000/tcp"], ["53/udp"])
    own = {check["id"]: check for check in run_json.as_json(local_taken())["checks"]}
    assert own["m1>m1/own/tcp/5050"]["holders"][0]["unit"] == "dcos-mesos-master.service"
    assert own["m1>m1/own/tcp/5050"]["target"]["address"] is None


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
@pytest.mark.parametrize("scenario", [local_taken, stand_ins_broken])
def test_what_processes_and_stand_ins_are_called_is_shown_and_never_obeyed(
    scenario: Callable[[], Run], text: str
) -> None:
    run = with_texts(scenario(), text)
    assert isinstance(run, Run)
    assert_harmless(terminal.render(run, saved_as="run.json"))
    assert run_json.render(run).isascii()


if __name__ == "__main__":
    write_golden_files()


# ----------------------------------------------------------------------------------------- a plan of this machine


def planned_text(scope: Scope) -> str:
    return plan_text.render(plan(scope), "nothing", 500)


def test_every_expectation_has_its_words_in_a_plan() -> None:
    assert set(plan_text.EXPECT_WORDS) == set(Expect)


def test_a_plan_of_this_machine_alone_says_what_is_looked_at() -> None:
    text = planned_text(this_machine({}).plan.scope)
    assert text.splitlines()[1] == "Nothing is sent: this is about the machine itself."
    assert "\nthis machine (m1, master), nothing is sent for it\n" in text
    assert "\n  must be free: 443, 2181, 5050, 8080, 8888, 40000, 49152, " in text
    assert "\n  must be let in by its packet filter: 443, 2181, 5050, " in text
    assert "no address" not in text
    assert "must listen on localhost only: 8888/tcp" in planned_text(
        replace(this_machine({}).plan.scope, phase=Phase.INSTALLED)
    )


def test_a_plan_of_a_site_tells_this_machine_from_what_is_sent() -> None:
    scope = site([NEW], cluster(NEW, masters=2, agents=1), "m1", phase=Phase.PREINSTALL, own=Own.ALSO)
    text = planned_text(scope)
    assert "\nthis machine (m1, master), nothing is sent for it\n" in text
    assert "\nm2 (10.0.0.2, master)\n" in text
    assert "  must be reachable: " in text.partition("\nm2 (")[2]


def test_a_plan_for_another_machine_does_not_call_it_this_one() -> None:
    scope = site([NEW], cluster(NEW, masters=2, agents=1), "m1", phase=Phase.PREINSTALL, own=Own.ALSO)
    elsewhere = replace(scope, vantage=replace(scope.vantage, machine=""))
    assert "\nm1 itself (master), nothing is sent for it\n" in planned_text(elsewhere)
