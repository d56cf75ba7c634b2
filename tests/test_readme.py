"""What README tells people to type is what is checked."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def first_block(text: str) -> list[str]:
    """The lines of the first fenced block, without comments."""
    block = re.search(r"^```.*?\n(.*?)^```", text, re.M | re.S)
    assert block is not None
    return [line for raw in block[1].splitlines() if (line := raw.split("#")[0].strip())]


def made(script: str) -> list[str]:
    """The `make` commands of a shell script, in order."""
    return [" ".join(match.split()) for match in re.findall(r"^\s*(make(?:[ \t]+[a-z][a-z-]*)+)", script, re.M)]


def test_ci_types_what_a_newcomer_types() -> None:
    shown = first_block((ROOT / "README.md").read_text())
    assert shown and shown == made("\n".join(shown)), "README begins with make commands"
    run = made((ROOT / ".ci" / "run").read_text())
    assert run == ["make check", *shown]
