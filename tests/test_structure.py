"""The shape of the repository: rooms, their docstrings and READMEs, file lengths, and where families' names may be."""

import ast
import re
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


# Where a family's name may stand outside of its own folder: the default of TrainConfig, the text of an error.
FAMILY_NAMES_ALLOWED = {
    Path("trainers/config.py"): ["adversarial"],
}


def strings(tree: ast.AST) -> list[str]:
    """Every text in the code that is no docstring, parts of f-strings included."""
    statements = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    docstrings = {id(value) for value in statements if isinstance(value, ast.Constant)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings)
    return [node.value for node in constants if isinstance(node.value, str)]


def test_nobody_but_the_families_knows_a_familys_name() -> None:
    """A family declares its own needs, so a new one is one file and one row."""
    from trainers.families import FAMILIES

    word = re.compile(rf"\b({'|'.join(FAMILIES)})\b")
    assert strings(ast.parse('if family == "acgan": pass')) == ["acgan"]
    found = {}
    for file in SOURCES:
        if file.parts[0] in ("orchestrator", "trainers") and file.parts[:2] != ("trainers", "families"):
            text = " ".join(strings(ast.parse((ROOT / file).read_text())))
            if names := word.findall(text):
                found[file] = names
    assert found == FAMILY_NAMES_ALLOWED
