"""The key of stand-ins and checks: from a file or the environment, and never said again."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcheck.cli.keys import ENVIRONMENT, key, write_new_key
from portcheck.model import PortcheckError
from tests.command import portcheck

DIGITS = "00112233445566778899AABBCCDDEEFF" * 2


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def written(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / "stand-in.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_without_anything_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key(None) is None
    monkeypatch.setenv(ENVIRONMENT, "")
    assert key(None) is None


def test_the_environment_has_it_and_the_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "ab" * 16)
    assert key(None) == b"\xab" * 16
    assert key(written(tmp_path, f"{DIGITS}\n")) == bytes.fromhex(DIGITS)


@pytest.mark.parametrize("text", [DIGITS, f"{DIGITS}\n", f"  {DIGITS}\r\n", DIGITS.lower(), "ab" * 16, "ab" * 64])
def test_one_line_of_hexadecimal_digits_is_a_key(tmp_path: Path, text: str) -> None:
    assert key(written(tmp_path, text)) == bytes.fromhex(text.strip())


UNUSABLE = ["", "\n", "ab" * 15, "ab" * 65, f"{DIGITS}a", f"{DIGITS} {DIGITS}", f"{DIGITS}\n{DIGITS}", f"key: {DIGITS}"]
UNUSABLE += [f"{DIGITS}xy", f"{DIGITS[:-2]}é", "٣" * 64, f"{DIGITS}\x1b[31m", "a" * 10_000]


@pytest.mark.parametrize("text", UNUSABLE)
def test_anything_else_is_refused_without_being_said(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PortcheckError, match="no usable key: write one line of 32 to 128 hexadecimal digits") as error:
        key(path)
    assert path in str(error.value)
    assert DIGITS[:16] not in str(error.value)
    assert "aaaa" not in str(error.value)


def test_an_unusable_variable_is_named_without_being_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, f"{DIGITS}!")
    with pytest.raises(PortcheckError, match=f"^{ENVIRONMENT}: no usable key") as error:
        key(None)
    assert DIGITS not in str(error.value)


def test_who_has_no_key_file_yet_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PortcheckError, match=r"; make one with: portcheck listen … --write-key FILE$"):
        key(str(tmp_path / "stand-in.key"))
    with pytest.raises(PortcheckError, match=r"cannot read it: Is a directory$"):
        key(str(tmp_path))


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(PortcheckError, match=r"^key file .*: cannot read it: "):
        key(str(tmp_path / name))


def test_a_file_that_others_can_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key(written(tmp_path, DIGITS))
    assert capsys.readouterr().err == ""
    key(written(tmp_path, DIGITS, 0o640))
    assert "can be read by other users of this machine: chmod 600 it" in capsys.readouterr().err


def test_a_new_key_is_kept_where_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    made = write_new_key(str(path))
    assert (len(made), key(str(path))) == (32, made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert write_new_key(str(tmp_path / "other.key")) != made


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, DIGITS)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for each in (path, str(link)):
        with pytest.raises(PortcheckError, match="it exists already: take it with --key-file, or name another file"):
            write_new_key(each)
    assert key(path) == bytes.fromhex(DIGITS)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["no/such/folder", ".", "a\0b", ""])
def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(PortcheckError, match=r"^key file "):
        write_new_key(str(tmp_path / name) if name else name)


def test_a_key_that_was_left_in_the_environment_is_not_passed_over() -> None:
    """What answers may be a stand-in still, and the report would call it the product."""
    done = portcheck("check", "127.0.0.1", "-e", "9/tcp", **{ENVIRONMENT: DIGITS})
    assert (done.status, done.out) == (2, "")
    assert f"{ENVIRONMENT} is set, so what answers may be a stand-in: add --phase preinstall, or unset" in done.err
