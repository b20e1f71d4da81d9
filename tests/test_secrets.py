"""Secrets: from a file or the environment, as they are written, and never said again."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcheck.cli.secrets import ENVIRONMENT, secrets
from portcheck.model import PortcheckError, Secrets
from tests.command import portcheck

SECRET = "s3cret-that-nobody-reads"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)


def written(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / "secrets.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_without_anything_there_is_none() -> None:
    assert secrets(None) == Secrets()
    assert secrets(None).given() == frozenset()


def test_the_environment_has_them_and_the_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCHECK_SNMP_COMMUNITY", "public")
    monkeypatch.setenv("PORTCHECK_RADIUS_SECRET", "one")
    assert secrets(None) == Secrets("public", "one")
    given = secrets(written(tmp_path, "radius_secret: other\n"))
    assert given == Secrets("public", "other")
    assert given.given() == {"snmp_community", "radius_secret"}


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCHECK_RADIUS_SECRET", "")
    assert secrets(None) == Secrets()


@pytest.mark.parametrize("text", ["0815", "yes", "2026-11-21", '"a: b  # c"', "  two  words ", "~x", "[bold]x[/bold]"])
def test_a_value_is_taken_as_it_is_written(tmp_path: Path, text: str) -> None:
    quoted = text if text.startswith('"') else text.strip()
    path = written(tmp_path, f"snmp_community: {quoted if text[0] not in '[~' else repr(text)}\n")
    assert secrets(path).snmp_community == text.strip().strip('"')


@pytest.mark.parametrize(
    "text",
    [
        f"radius_secrets: {SECRET}\n",
        f"{SECRET}\n",
        f"radius_secret: {{a: {SECRET}}}\n",
        f'radius_secret: "{SECRET}\n',
        f'radius_secret: "{SECRET}\\x07"\n',
        f"radius_secret: {SECRET * 20}\n",
        f"radius_secret: *{SECRET}\n",
        f"radius_secret: &{SECRET} x\n",
        f"radius_secret: !{SECRET} x\n",
        f"radius_secret: [{SECRET}]\n",
        f"radius_secret: {SECRET}\nradius_secret: {SECRET}\n",
        f"{SECRET}: x\n",
        "other: 1\n",
        "",
    ],
)
def test_an_unusable_file_is_said_without_the_secret(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PortcheckError) as error:
        secrets(path)
    assert path in str(error.value)
    assert SECRET not in str(error.value)


def test_an_unusable_variable_is_said_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCHECK_SNMP_COMMUNITY", f"{SECRET}\x1b[31m")
    with pytest.raises(PortcheckError, match="PORTCHECK_SNMP_COMMUNITY: not usable") as error:
        secrets(None)
    assert SECRET not in str(error.value)


def test_a_file_that_others_can_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets(written(tmp_path, "snmp_community: public\n"))
    assert capsys.readouterr().err == ""
    secrets(written(tmp_path, "snmp_community: public\n", 0o640))
    assert "can be read by other users of this machine: chmod 600 it" in capsys.readouterr().err


def test_the_kept_run_names_the_secret_and_does_not_hold_it(tmp_path: Path) -> None:
    kept = tmp_path / "run.json"
    path = written(tmp_path, f"radius_secret: {SECRET}\n")
    done = portcheck("check", "127.0.0.1", "-e", "1812/udp", "--secrets", path, "-o", str(kept), "--format", "json")
    run = kept.read_text(encoding="utf-8")
    assert '"radius_secret"' in run
    for text in (run, done.out, done.err, repr(Secrets(radius_secret=SECRET))):
        assert SECRET not in text
