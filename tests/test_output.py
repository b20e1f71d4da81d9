"""Where results go: the terminal or a pipe, colour or none, files that are whole or not there, progress."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from portcheck.cli.announcement import Forecast, announcement, forecast, size
from portcheck.cli.output import ReportFile, columns, report_files, wants_color
from portcheck.cli.progress import time_left
from portcheck.demo import listen_to_nobody
from portcheck.engine.pace import Speed
from portcheck.model import PortcheckError, Selection
from tests.command import Done, portcheck

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = [sys.executable, "-c", "import sys; from portcheck.cli import main; main(sys.argv[1:])"]
ESCAPE = "\x1b"


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", **changes}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A TCP port of 127.0.0.1 that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A TCP port of 127.0.0.1 that answers nothing, as behind a firewall."""
    with closing(socket.socket()) as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    with ExitStack() as stack:
        listen_to_nobody(stack, "127.0.0.1", port)
        yield port


def check(port: int, *arguments: str, **environ: str) -> Done:
    return portcheck("check", "127.0.0.1", "-e", f"{port}/tcp", *arguments, **environ)


# -------------------------------------------------------------------------------------------- files with -o


def test_a_run_is_kept_as_json_and_printed(server: int, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    done = check(server, "-o", str(path))
    assert done.status == 0
    assert done.out.startswith("portcheck ")
    assert json.loads(path.read_text(encoding="ascii"))["answer"]["word"] == "OK"
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_several_files_and_text_by_its_ending(server: int, tmp_path: Path) -> None:
    names = ["one.json", "two", "three.txt"]
    done = check(server, *(word for name in names for word in ("-o", str(tmp_path / name))), FORCE_COLOR="1")
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in names}
    assert done.status == 0
    assert json.loads(texts["one.json"]) == json.loads(texts["two"])
    assert texts["three.txt"].startswith("portcheck ")
    assert ESCAPE not in texts["three.txt"]
    assert ESCAPE in done.out
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(names)


def test_the_format_is_that_of_stdout_whatever_goes_to_files(server: int, tmp_path: Path) -> None:
    done = check(server, "--format", "json", "-o", str(tmp_path / "run.txt"))
    assert json.loads(done.out)["schema"] == "portcheck/run/1"
    assert (tmp_path / "run.txt").read_text(encoding="utf-8").startswith("portcheck ")


def test_the_same_file_twice_is_written_once(server: int, tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    assert check(server, "-o", path, "-o", path).status == 0
    assert os.listdir(tmp_path) == ["run.json"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_permissions_are_those_of_any_new_file(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        with report_files([str(tmp_path / "run.json")]) as (file,):
            file.write("{}\n")
    finally:
        os.umask(before)
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "2026-11-20.json", tmp_path / "latest.json"
    target.write_text("old", encoding="utf-8")
    link.symlink_to(target.name)
    with report_files([str(link)]) as (file,):
        file.write("new")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace"])
def test_a_write_that_fails_leaves_the_older_file(
    broken: str, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_text("older", encoding="utf-8")
    monkeypatch.setattr(broken, full_disk)
    done = check(server, "-o", str(path))
    assert done.status == 2
    assert done.err == f'portcheck: -o "{path}": cannot write it: No space left on device.\n'
    assert "OK  The required flow is open." in done.out
    assert path.read_text(encoding="utf-8") == "older"
    assert os.listdir(tmp_path) == ["run.json"]


def test_one_file_that_fails_does_not_keep_the_others_from_being_written(
    server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    write = ReportFile.write

    def write_or_fail(self: ReportFile, text: str) -> None:
        if self.path == str(bad):
            raise PortcheckError(f'-o "{bad}": cannot write it: No space left on device.')
        write(self, text)

    monkeypatch.setattr(ReportFile, "write", write_or_fail)
    done = check(server, "-o", str(bad), "-o", str(good))
    assert done.status == 2
    assert json.loads(good.read_text(encoding="ascii"))["summary"]["exit_status"] == 0
    assert os.listdir(tmp_path) == ["good.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_nothing_stays_behind_when_the_run_ends_otherwise(error: type[BaseException], tmp_path: Path) -> None:
    older = tmp_path / "run.json"
    older.write_text("older", encoding="utf-8")

    def run() -> None:
        with report_files([str(older), str(tmp_path / "new.txt")]):
            assert len(os.listdir(tmp_path)) == 3
            raise error

    with pytest.raises(error):
        run()
    assert os.listdir(tmp_path) == ["run.json"]
    assert older.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_reported_and_kept(number: signal.Signals, black_hole: int, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    command = [*PROGRAM, "check", "127.0.0.1", "-e", f"{black_hole}/tcp", "-o", str(path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_attempt(black_hole)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (3, b"")
    run = json.loads(path.read_text(encoding="ascii"))
    assert run["interrupted"] == number.name
    assert f"{number.name} ended the run early" in out.decode()
    assert "NOT SURE  Nothing failed, but the required flow was not determined." in out.decode()
    assert os.listdir(tmp_path) == ["run.json"]


def wait_for_attempt(port: int) -> None:
    """Until somebody besides the fillers of the black hole tries to connect: the probes' sockets are the newest."""
    row = re.compile(rf" \w+:\w+ 0100007F:{port:04X} 02 ")

    def attempts() -> int:
        return len(row.findall(Path("/proc/net/tcp").read_text(encoding="ascii")))

    before = attempts()
    ends = time.monotonic() + 20
    while attempts() <= before:
        assert time.monotonic() < ends, "no probe was seen"


# ------------------------------------------------------------------------------------------------- a stdout


def run_program(*arguments: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    command = [*PROGRAM, *arguments]
    return subprocess.run(command, env=environment(), stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)


def test_a_reader_that_leaves_is_no_error() -> None:
    """`portcheck documents show dcos-1.11 | head -1`"""
    reading, writing = os.pipe()
    os.close(reading)
    done = run_program("documents", "show", "dcos-1.11", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_reader_that_leaves_does_not_cost_the_file(server: int, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    path = tmp_path / "run.json"
    done = run_program("check", "127.0.0.1", "-e", f"{server}/tcp", "-o", str(path), stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
    assert json.loads(path.read_text(encoding="ascii"))["answer"]["word"] == "OK"


def test_a_full_disk_behind_stdout_is_a_message() -> None:
    with open("/dev/full", "wb") as full:
        done = run_program("documents", "list", stdout=full)
    message = b"portcheck: cannot print the report: No space left on device; keep it in a file with -o\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_do_not_turn_into_sockets(closed: tuple[int, ...], server: int) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed)
    shell = f'exec "$@" {redirections}'
    command = ["sh", "-c", shell, "sh", *PROGRAM, "check", "127.0.0.1", "-e", f"{server}/tcp"]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"OK  The required flow is open." in done.stdout) is (1 not in closed)


def test_a_terminal_of_few_characters_gets_replacements_not_a_traceback(server: int) -> None:
    ascii_only = environment(PYTHONIOENCODING="ascii")
    done = subprocess.run(
        [*PROGRAM, "check", "127.0.0.1", "-e", f"{server}/tcp"],
        env=ascii_only,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"portcheck ")
    assert b" ? installed ? seen from " in done.stdout


# -------------------------------------------------------------------------------------------- colour, width

COLORS = [
    # isatty, TERM, NO_COLOR, FORCE_COLOR: colour
    (False, "xterm", "", "", False),
    (True, "xterm", "", "", True),
    (True, "dumb", "", "", False),
    (True, "xterm", "1", "", False),
    (False, "xterm", "", "1", True),
    (False, "dumb", "", "1", True),
    (True, "xterm", "1", "1", False),
]


@pytest.mark.parametrize(("is_terminal", "term", "no_color", "force_color", "expected"), COLORS)
def test_colour(
    is_terminal: bool, term: str, no_color: str, force_color: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", force_color)
    assert wants_color() is expected


@pytest.mark.parametrize(("force_color", "term"), [("1", "xterm"), ("1", "dumb"), ("1", "")])
def test_colour_that_is_forced_is_there(force_color: str, term: str, server: int) -> None:
    assert ESCAPE in check(server, FORCE_COLOR=force_color, TERM=term).out
    assert ESCAPE not in check(server, FORCE_COLOR=force_color, TERM=term, NO_COLOR="1").out
    assert ESCAPE not in check(server, TERM=term).out


@pytest.mark.parametrize(("window", "expected"), [("20", 40), ("80", 80), ("100", 100), ("500", 110)])
def test_a_report_is_as_wide_as_the_window_within_reason(
    window: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", window)
    assert columns() == 80
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert columns() == expected


# ------------------------------------------------------------------------------------------------- progress


def on_terminal(*arguments: str, program: list[str] = PROGRAM, **environ: str) -> tuple[int, bytes, str]:
    """Run with stderr on a terminal of 80 columns: status, stdout, what the terminal got."""
    terminal, device = pty.openpty()
    fcntl.ioctl(device, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [*program, *arguments]
    with subprocess.Popen(command, env=environment(**environ), stdout=subprocess.PIPE, stderr=device) as process:
        os.close(device)
        shown = b"".join(iter(lambda: read_terminal(terminal), b""))
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    return process.returncode, out, shown.decode()


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: EIO once the last process has closed the other end
        return b""


def test_progress_counts_on_a_terminal_and_is_gone_at_the_end(server: int, black_hole: int) -> None:
    ports = f"{server},{black_hole}/tcp"
    status, out, shown = on_terminal("check", "127.0.0.1", "-e", ports)
    assert status == 1
    assert out.startswith(b"portcheck ")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"probing .* 1/2 +at most \d s left", plain)
    assert shown.rstrip().endswith("\x1b[2K") or plain.endswith(("\r", "\n"))


def test_a_terminal_that_cannot_move_its_cursor_gets_no_progress(server: int) -> None:
    assert on_terminal("check", "127.0.0.1", "-e", f"{server}/tcp", TERM="dumb")[2] == ""


def test_off_a_terminal_stderr_stays_empty(server: int) -> None:
    done = run_program("check", "127.0.0.1", "-e", f"{server}/tcp")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("left_s", "expected"),
    [
        (600, "at most 10 min left"),
        (4.4, "at most 4 s left"),
        (0.2, "at most 1 s left"),
        (-3, "takes longer than foreseen"),
    ],
)
def test_progress_says_what_may_still_come_and_never_that_it_is_over(left_s: float, expected: str) -> None:
    assert time_left(left_s) == expected


WAITING = """
from portcheck.cli.output import tell
from portcheck.cli.progress import progress

with progress(2000, 90) as decided:
    decided(1500)
    tell("10.0.0.1 fell silent [red]\\x1b[31m")
    decided(1400)
"""


def test_what_the_engine_tells_is_a_line_above_the_bar() -> None:
    """A bar that goes back, and a sentence that would be markup and colour if anybody obeyed it."""
    _, out, shown = on_terminal(program=[sys.executable, "-c", WAITING])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert out == b""
    assert "10.0.0.1 fell silent [red]\\x1b[31m\r\n" in plain
    assert plain.index("10.0.0.1") < plain.rindex("1,400/2,000  at most 90 s left")


def test_off_a_terminal_what_the_engine_tells_is_a_line_on_stderr() -> None:
    command = [sys.executable, "-c", WAITING]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (b"", b"10.0.0.1 fell silent [red]\\x1b[31m\n")


# --------------------------------------------------------------------------------------------- announcements


def ahead(**changes: object) -> Forecast:
    """What is ahead of a small run that nothing slows down."""
    small = Forecast(10, 2, at_least_s=0.1, at_most_s=4.3, unpaced_s=4.3, speed=Speed.NORMAL, max_rate=None)
    return replace(small, **changes)  # type: ignore[arg-type]


SIZES: dict[str, tuple[Forecast, str]] = {
    "nothing waits": (ahead(), "10 ports at 2 addresses: 10 packets when all answer, 80 when none does; 4 s at most"),
    "normal": (
        ahead(ports=6000, addresses=200, at_least_s=22.4, at_most_s=118, unpaced_s=9),
        "6,000 ports at 200 addresses: 6,000 packets when all answer, 48,000 when none does; at least 22 s, at most "
        "2 min at --speed normal (at most 90 new connections in 2 s to an address, 90 addresses in 10 s)",
    ),
    "polite, and a rate": (
        ahead(at_least_s=4, at_most_s=9000, speed=Speed.POLITE, max_rate=0.5),
        "10 ports at 2 addresses: 10 packets when all answer, 80 when none does; at least 4 s, at most 2.5 h at "
        "--speed polite (at most 18 new connections in 5 s to an address, 25 addresses in 10 s, 0.5 new connections "
        "a second to all)",
    ),
    "fast, and slow all the same": (
        ahead(at_most_s=100, unpaced_s=100, speed=Speed.FAST),
        "10 ports at 2 addresses: 10 packets when all answer, 80 when none does; 2 min at most",
    ),
    "not over TCP alone": (
        ahead(others=4, at_most_s=21.5, unpaced_s=21.5),
        "10 ports (4 not over TCP) at 2 addresses: 10 packets when all answer, about 72 when none does; 22 s at most, "
        "where ICMP errors are limited (--udp-budget)",
    ),
    "nothing over TCP": (
        ahead(ports=3, others=3, addresses=1, at_most_s=21.5, unpaced_s=21.5),
        "3 flows, none over TCP, at 1 address: 3 packets when all answer, about 18 when none does; 22 s at most, "
        "where ICMP errors are limited (--udp-budget)",
    ),
    "not over TCP alone, and paced": (
        ahead(others=4, at_least_s=4, at_most_s=90, max_rate=2, speed=Speed.FAST),
        "10 ports (4 not over TCP) at 2 addresses: 10 packets when all answer, about 72 when none does; at least 4 s, "
        "at most 2 min at --speed fast (at most 2 new connections a second to all), and --udp-budget where ICMP "
        "errors are limited",
    ),
    "fast, but for a rate": (
        ahead(at_least_s=12, at_most_s=100, speed=Speed.FAST, max_rate=20),
        "10 ports at 2 addresses: 10 packets when all answer, 80 when none does; at least 12 s, at most 2 min at "
        "--speed fast (at most 20 new connections a second to all)",
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_size_and_time_are_said_in_one_sentence(name: str) -> None:
    forecast, text = SIZES[name]
    assert size(forecast) == text


@pytest.mark.parametrize(
    ("forecast", "announced"),
    [
        (ahead(), False),
        (ahead(ports=20_000, addresses=256), False),
        (ahead(ports=20_001), True),
        (ahead(addresses=257), True),
        (ahead(at_least_s=10.1, at_most_s=30, unpaced_s=30), True),
        # Silence takes that long at any speed, and the pace adds nothing to it.
        (ahead(at_most_s=30, unpaced_s=30), False),
        (ahead(at_most_s=30, unpaced_s=4.3), True),
        (ahead(at_most_s=9.9, unpaced_s=4.3), False),
    ],
)
def test_what_is_large_or_slow_is_announced(forecast: Forecast, announced: bool) -> None:
    assert forecast.is_large is announced


def test_what_would_be_faster_is_said_where_the_pace_takes_the_time() -> None:
    assert announcement(ahead(ports=30_000)).count("\n") == 0
    assert announcement(ahead(at_most_s=30)).splitlines()[1] == (
        "--speed fast is faster, where no intrusion protection is in the way; --speed polite is gentler"
    )


def test_a_large_run_is_announced_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portcheck.cli.announcement._LARGE_PORTS", 2)
    done = portcheck("check", "127.0.0.1", "-e", "1-3/tcp", "--deadline", "0.1")
    assert done.err == "3 ports at 1 address: 3 packets when all answer, 24 when none does; 4 s at most\n"


def test_the_pace_of_other_addresses_is_announced_and_not_that_of_this_machine() -> None:
    polite = Selection(speed="polite")
    away, here = forecast({"192.0.2.1": 100}, polite), forecast({"127.0.0.1": 100}, polite)
    assert away.at_least_s > 20
    assert away.at_most_s > away.at_least_s
    assert here.at_most_s == here.unpaced_s < 5
    limited = forecast({"192.0.2.1": 100}, Selection(speed="fast", max_rate=2))
    assert 45 < limited.at_least_s < limited.at_most_s


def test_what_needs_no_connection_takes_its_budget_at_most() -> None:
    fast = Selection(speed="fast", udp_budget_s=30)
    both = forecast({"192.0.2.1": 2}, fast, {"192.0.2.1": 3, "192.0.2.2": 5})
    assert (both.ports, both.others, both.addresses) == (10, 8, 2)
    assert 30 < both.at_most_s < 35
    assert not both.is_large
    # Thousands of silent ports take longer than any budget.
    many = forecast({}, fast, {"192.0.2.1": 2000})
    assert many.at_most_s > 150
    assert forecast({"192.0.2.1": 2}, fast, {}) == forecast({"192.0.2.1": 2}, fast)


def test_what_needs_no_connection_keeps_to_the_same_pace() -> None:
    polite = Selection(speed="polite")
    tcp, both = forecast({"192.0.2.1": 50}, polite), forecast({"192.0.2.1": 50}, polite, {"192.0.2.1": 50})
    assert both.at_least_s > 1.5 * tcp.at_least_s


def test_a_plan_says_the_same_and_nothing_waits_for_what_stays_here() -> None:
    done = portcheck("plan", "127.0.0.1", "192.0.2.1", "-e", "1-400/tcp", "--speed", "polite", "--max-rate", "9")
    text = " ".join(done.out.split())
    assert "800 ports at 2 addresses: 800 packets when all answer, 6,400 when none does; at least " in text
    assert (
        "at --speed polite (at most 18 new connections in 5 s to an address, 25 addresses in 10 s, 9 new connections "
        "a second to all)" in text
    )
