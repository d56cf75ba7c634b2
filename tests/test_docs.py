"""Files and make targets that the texts name exist, and no file holds a path of the machine it was written on."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
FILE_NAME = re.compile(r"\.?[\w.-]+(/[\w.-]+)*/?")
MAKE = re.compile(r"(?:^|[;&|]\s*)make((?:\s+[a-z][a-z-]*)+)")
# Home folders that are allowed: of examples, and of the users of cloud images.
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:work|root|home/(?!(?:you|user|ubuntu|ray)/)[\w-]+|Users/[\w-]+)/")


def tracked(root: Path = ROOT) -> list[Path]:
    """Files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [path for name in sorted(set(names.split("\0"))) if name and (path := root / name).is_file()]


DOCS = [p for p in tracked() if p.name == "README.md" or (p.parent == ROOT and p.suffix == ".md")]
docs = pytest.mark.parametrize("doc", DOCS, ids=lambda p: str(p.relative_to(ROOT)))


def broken_links(doc: Path) -> list[str]:
    """Relative link targets that lead nowhere."""
    targets = (link.split("#")[0] for link in LINK.findall(FENCE.sub("", doc.read_text())))
    return [t for t in targets if t and "://" not in t and not (doc.parent / t).exists()]


def code_lines(text: str) -> Iterator[str]:
    """Lines of fenced blocks, comments cut, and inline code spans."""
    for block in FENCE.findall(text):
        yield from (re.sub(r"(^|\s)#.*", "", line).removeprefix("$ ").strip() for line in block.splitlines()[1:-1])
    yield from (span.strip() for span in SPAN.findall(FENCE.sub("", text)))


def missing_files(doc: Path, root: Path = ROOT) -> list[str]:
    """Words of code that name a file of this project by its path, or a source file by its name, which is not there.

    Only git says what is there: what a run leaves in a checkout, such as `sweeps/`, is no part of the project.
    """
    files = tracked(root)
    names = {path.name for path in files}
    there = {*files, *(folder for path in files for folder in path.parents)}
    places = (doc.parent, root)
    missing = []
    for word in (w.strip("'\",:") for line in code_lines(doc.read_text()) for w in line.split()):
        if not FILE_NAME.fullmatch(word) or "NAME" in word:  # NAME stands for any name
            continue
        if "/" in word:
            first, rest = word.split("/", 1)
            inside = rest and any(place / first in there for place in places)
            if inside and not any(place / word in there for place in places):
                missing.append(word)
        elif word.endswith((".py", ".md", ".toml", ".lock")) and word not in names:
            missing.append(word)
    return missing


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(), re.M))


def machine_paths(text: str) -> list[str]:
    return [match.group() for match in MACHINE_PATH.finditer(text)]


@docs
def test_relative_links_lead_somewhere(doc: Path) -> None:
    assert broken_links(doc) == []


@docs
def test_named_files_exist(doc: Path) -> None:
    assert missing_files(doc) == []


@docs
def test_named_make_targets_exist(doc: Path) -> None:
    named = {t for line in code_lines(doc.read_text()) for m in MAKE.findall(line) for t in m.split()}
    assert named <= make_targets()


def test_no_file_holds_a_path_of_one_machine() -> None:
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data and (paths := machine_paths(data.decode("utf-8", "replace"))):
            found[str(path.relative_to(ROOT))] = paths
    assert found == {}


def test_what_git_ignores_is_no_part_of_the_project(tmp_path: Path) -> None:
    """A sweep leaves `sweeps/` behind; what README says of a sweep's directory holds before and after."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("sweeps/\n")
    doc = tmp_path / "README.md"
    doc.write_text("`sweeps/NAME/` `sweeps/mine/best.pt`\n")
    assert missing_files(doc, tmp_path) == []
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    (tmp_path / "sweeps" / "mine" / "plan.json").touch()
    assert missing_files(doc, tmp_path) == []


def test_the_checks_can_fail(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    doc = tmp_path / "README.md"
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "here.py").touch()
    doc.write_text("[a](gone.md) [b](https://x.org/gone.md) [c](room) `room/gone.py` `nowhere.py` `photos/`\n")
    assert broken_links(doc) == ["gone.md"]
    assert missing_files(doc, tmp_path) == ["room/gone.py", "nowhere.py"]
    code = "```\nmake brew  # make tea\n$ make check test\n```\n`make lock`, and make sure.\n"
    assert [m.split() for line in code_lines(code) for m in MAKE.findall(line)] == [
        ["brew"],
        ["check", "test"],
        ["lock"],
    ]
    home = "/" + "home"
    bad = [f"/{'work'}/x", f"'/{'root'}/x'", f"{home}/alice/x"]
    assert [len(machine_paths(text)) for text in bad] == [1, 1, 1]
    assert machine_paths(f"{home}/ubuntu/x a/work/x https://x.org/work/x ~/work/x") == []
