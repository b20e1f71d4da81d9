"""How a process inside a lab loses every privilege and can still read the interpreter and the checkout.

The interpreter may live where only root gets to (a pyenv in root's home): uid 65534 could not even start it, and a
process that drops its privileges after the start could not import lazily any more. So the command runs in a mount
namespace of its own (`ip netns exec` makes one), in which each closed folder is covered by an empty one and the
few trees that are needed are mounted into it, at their own paths. Nothing of that is visible outside.
"""

import os
import shlex
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

NOBODY = 65534
"""The uid and gid of the probing process."""

CHECKOUT = Path(__file__).resolve().parents[2]


def drop_privileges(capability: str | None = None) -> tuple[str, ...]:
    """The command that runs what follows it as NOBODY, with one capability ("net_bind_service") or none."""
    left = f"-all,+{capability}" if capability else "-all"
    return (
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        f"--inh-caps={left}",
        f"--ambient-caps={left}",
        f"--bounding-set={left}",
        "--no-new-privs",
        "--pdeathsig=KILL",  # a killed test run leaves no probing process behind
        "--",
    )


def needed_trees() -> tuple[Path, ...]:
    """What our Python reads: interpreter, virtual environment, checkout; none of them inside another."""
    named = {Path(sys.base_prefix), Path(sys.prefix), CHECKOUT}
    trees = named | {tree.resolve() for tree in named}
    return tuple(sorted(tree for tree in trees if not trees & set(tree.parents)))


def closed_folder(tree: Path) -> Path | None:
    """The topmost folder on the way to `tree` that others may not pass; None if everybody gets there.

    Raises PermissionError if the tree itself is closed: no mount changes that.
    """
    if not tree.stat().st_mode & stat.S_IXOTH:
        raise PermissionError(f"{tree}: uid {NOBODY} may not read this folder; chmod o+rx it")
    return next((folder for folder in reversed(tree.parents) if not folder.stat().st_mode & stat.S_IXOTH), None)


def opening_script(trees: Iterable[Path], staging: Path) -> str:
    """Shell commands that open the way to `trees` for everybody; empty when it is open.

    `staging` is a folder of the lab's own, where the trees stand while their old places are being covered.
    """
    closed = {tree: folder for tree in trees if (folder := closed_folder(tree)) is not None}
    lines: list[str] = []
    for number, tree in enumerate(closed):
        place = shlex.quote(str(staging / str(number)))
        lines += [f"mkdir -p {place}", f"mount --bind {shlex.quote(str(tree))} {place}"]
    for folder in sorted(set(closed.values())):
        lines.append(f"mount -t tmpfs -o mode=755,size=1m portcheck-lab {shlex.quote(str(folder))}")
    for number, tree in enumerate(closed):
        place, home = shlex.quote(str(staging / str(number))), shlex.quote(str(tree))
        lines += [f"mkdir -p {home}", f"mount --bind {place} {home}"]
    return "\n".join(lines)


def command(
    namespace: str, argv: Iterable[str | os.PathLike[str]], staging: Path, capability: str | None = None
) -> list[str]:
    """`argv`, to be run in `namespace` as uid and gid 65534, without other groups, with one capability or none."""
    # The shell becomes the program, so that whoever started it waits for, and kills, the program itself.
    become = f'exec {" ".join(drop_privileges(capability))} "$@"'
    script = "\n".join(("set -eu", "umask 022", opening_script(needed_trees(), staging), become))
    return ["ip", "netns", "exec", namespace, "sh", "-c", script, "sh", *(os.fspath(arg) for arg in argv)]


def environment(home: Path) -> dict[str, str]:
    """Nothing of ours but the path to programs; `home` is the folder that the process may write to."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
