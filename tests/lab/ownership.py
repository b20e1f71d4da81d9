"""Which namespaces belong to which process, and how what a lab leaves behind is removed.

A lab's names begin with portcheck.PID.START.N., START being the owner's start time in clock ticks since boot: a
later process with the same pid is not the owner, so leftovers of killed runs are recognised for certain.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
from itertools import count
from pathlib import Path

NAMESPACES = Path("/run/netns")
FOLDERS = Path("/run/portcheck-lab")
KILL_WAIT_S = 10

_OURS = re.compile(r"(portcheck\.(\d+)\.(\d+)\.\d+)(\..+)?")
_numbers = count(1)


def new_prefix() -> str:
    """A prefix that no other lab has, in this process or in another."""
    return f"portcheck.{os.getpid()}.{_started_ticks(os.getpid())}.{next(_numbers)}"


def _started_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)), found after the name, which may hold anything; None: no process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[19])


def namespaces(prefix: str) -> tuple[str, ...]:
    """The namespaces that exist of the lab with this prefix."""
    return tuple(sorted(path.name for path in _entries(NAMESPACES) if path.name.startswith(f"{prefix}.")))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def remove(prefix: str) -> None:
    """Ends what runs in the lab's namespaces, deletes these and the lab's folder. Repeating it is harmless."""
    names = namespaces(prefix)
    if names:
        _end_processes_in(names)
        batch = "".join(f"netns delete {name}\n" for name in names)
        subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True, capture_output=True, check=False)
        left = namespaces(prefix)
        if left:
            raise RuntimeError(f"could not delete the network namespaces {', '.join(left)}")
    shutil.rmtree(FOLDERS / prefix, ignore_errors=True)


def sweep() -> tuple[str, ...]:
    """Removes the labs of processes that are gone; returns their prefixes."""
    found = {
        (match[1], int(match[2]), int(match[3]))
        for path in (*_entries(NAMESPACES), *_entries(FOLDERS))
        if (match := _OURS.fullmatch(path.name))
    }
    orphans = tuple(sorted(prefix for prefix, pid, started in found if _started_ticks(pid) != started))
    for prefix in orphans:
        remove(prefix)
    return orphans


def _end_processes_in(names: tuple[str, ...]) -> None:
    networks = {identity for name in names if (identity := _identity(NAMESPACES / name)) is not None}
    for path in _entries(Path("/proc")):
        if path.name.isdecimal() and _identity(path / "ns/net") in networks:
            _end_process(int(path.name), networks)


def _identity(namespace: Path) -> tuple[int, int] | None:
    """What two names of one namespace have in common (namespaces(7)); None if there is nothing to see."""
    try:
        found = namespace.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _end_process(pid: int, networks: set[tuple[int, int]]) -> None:
    """Kills a process and waits for its end. Looks again once it is held: the pid may have a new bearer."""
    with contextlib.suppress(ProcessLookupError):
        held = os.pidfd_open(pid)
        try:
            if _identity(Path(f"/proc/{pid}/ns/net")) in networks:
                signal.pidfd_send_signal(held, signal.SIGKILL)
                end = select.poll()
                end.register(held, select.POLLIN)
                end.poll(KILL_WAIT_S * 1000)
        finally:
            os.close(held)
