"""The shape of the repository: rooms, their docstrings and READMEs, and file lengths."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainers", "search_spaces", "cluster")
ROOMS = (*PACKAGES, "tests")
MAX_LINES = 400


def sources() -> list[Path]:
    """Python files that git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in sorted(set(names.split("\0"))) if name and (ROOT / name).is_file()]


SOURCES = sources()
FOLDERS = sorted({p for file in SOURCES if file.parts[0] in PACKAGES for p in file.parents if p != Path(".")})


def test_code_lives_in_the_rooms() -> None:
    assert {file.parts[0] for file in SOURCES} == set(ROOMS)


def test_no_file_is_too_long() -> None:
    lengths = {str(file): len((ROOT / file).read_text().splitlines()) for file in SOURCES}
    assert {file: n for file, n in lengths.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_every_package_says_what_it_is(folder: Path) -> None:
    init = ROOT / folder / "__init__.py"
    assert init.is_file()
    assert ast.get_docstring(ast.parse(init.read_text()))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_readme(room: str) -> None:
    assert (ROOT / room / "README.md").read_text().startswith("# ")
