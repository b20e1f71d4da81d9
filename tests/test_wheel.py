"""What users install: the built wheel, and the sdist that distributions build theirs from."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from portcheck import __version__

ROOT = Path(__file__).resolve().parents[1]
METADATA = f"portcheck_cluster-{__version__}.dist-info"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def build(source: Path, into: Path, *kinds: str) -> None:
    """Build without a network: the backend is the one of the development environment."""
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", into, source, cwd=into)


def files_in_wheel(folder: Path) -> dict[str, bytes]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel, each built from the checkout."""
    folder = tmp_path_factory.mktemp("built")
    build(ROOT, folder, "--sdist", "--wheel")
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed into it; what it depends on comes from the running environment."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def portcheck(installed: Path, cwd: Path, *arguments: str) -> str:
    """The installed command's output; PYTHONPATH comes before an editable install of the checkout."""
    return run(installed / "bin" / "portcheck", *arguments, cwd=cwd, PYTHONPATH=str(installed))


def test_the_wheel_has_the_package_the_documents_and_the_licence(built: Path) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "portcheck").rglob("*.py")}
    documents = {
        f"portcheck/{path.relative_to(ROOT)}"
        for pattern in ("*.yaml", "*.schema.json", "compiled/*.json")
        for path in (ROOT / "expectations").glob(pattern)
    }
    metadata = {
        f"{METADATA}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert "portcheck/expectations/dcos-1.11.yaml" in documents
    assert "portcheck/expectations/document.schema.json" in documents
    assert "portcheck/expectations/compiled/dcos-1.11.json" in documents
    assert set(files_in_wheel(built)) == modules | documents | metadata | {
        "portcheck/py.typed",
        "portcheck/reports/port.schema.json",
        "portcheck/reports/run.schema.json",
    }


def test_the_sdist_has_what_a_distribution_needs_to_test_and_build(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"LICENSE", "README.md", "pyproject.toml", ".gitignore", ".ci/run", "expectations/dcos-1.11.yaml"}
    wanted |= {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    assert wanted <= names


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    build(ROOT, tmp_path)  # without a kind: an sdist, and the wheel from what it unpacks to
    assert files_in_wheel(tmp_path) == files_in_wheel(built)


def test_the_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    show = "import portcheck; print(portcheck.__file__)"
    where = run(sys.executable, "-c", show, cwd=tmp_path, PYTHONPATH=str(installed)).strip()
    assert Path(where) == installed / "portcheck" / "__init__.py"


def test_the_installed_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert __version__ in portcheck(installed, tmp_path, "--version")


def test_the_installed_command_brings_its_documents(installed: Path, tmp_path: Path) -> None:
    assert "dcos-1.11" in portcheck(installed, tmp_path, "documents", "list")


def test_the_installed_package_finds_its_documents_in_their_compiled_copies(installed: Path, tmp_path: Path) -> None:
    find = "import sys; from portcheck.documents import find; print(find('dcos-1.11').id, 'yaml' in sys.modules)"
    assert run(sys.executable, "-c", find, cwd=tmp_path, PYTHONPATH=str(installed)) == "dcos-1.11 False\n"
