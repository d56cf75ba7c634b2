"""What the texts tell people to type is typed here, so that no text shows a command that is refused."""

import re
from pathlib import Path

import pytest

from orchestrator.results.store import ResultsStore
from tests.test_docs import FENCE
from tests.typed import CI, ROOT, Command, Home, commands, type_command

ROOMS = ("orchestrator", "trainers", "search_spaces", "cluster", "tests")
DOCS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(p for r in ROOMS for p in sorted((ROOT / r).rglob("README.md"))),
]
SHOWN = list(dict.fromkeys(command for doc in DOCS for command in commands(doc.read_text())))


@pytest.fixture
def home(
    motorbikes: Path, two_ranks: tuple[ResultsStore, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    """On a machine that seems to have 4 GPUs, as some commands want, with fewer drawn pictures than a demo has."""
    home = Home(tmp_path / "home", motorbikes, two_ranks[0])
    monkeypatch.chdir(home.folder)
    monkeypatch.setattr("orchestrator.plan.plan.machine", lambda: (16, 4))
    monkeypatch.setattr("orchestrator.space.demo.DEMO_IMAGES", 64)
    return home


@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command.text)
def test_every_command_that_a_text_shows_can_be_typed(command: Command, home: Home) -> None:
    type_command(command, home)


def test_ci_types_what_a_newcomer_types() -> None:
    first = FENCE.search((ROOT / "README.md").read_text())
    assert first is not None
    shown = [command.text for command in commands(first.group())]
    assert shown and all(command.startswith("make ") for command in shown), "README begins with make commands"
    assert ["make check", *shown] == CI


def test_commands_are_found() -> None:
    text = """Say `gan-sweep` or `gan-sweep
results NAME`, and make sure; `make help`, `--trials 4`.

```
$ A=1 .venv/bin/gan-sweep launch --space x \\
    --set a.b=1   # comment
  all trials  gan-sweep results x
make demo && python -m tests.benchmarks.bench_loop
```
"""
    assert commands(text) == [
        Command("gan-sweep launch --space x --set a.b=1", True),
        Command("make demo", True),
        Command("python -m tests.benchmarks.bench_loop", True),
        Command("gan-sweep results NAME", False),
        Command("make help", False),
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("gan-sweep launch --space ralsgan_motorbike --demo --trails 3", "No such option"),
        ("gan-sweep launch --space ralsgan_motorbik --demo", "did you mean ralsgan_motorbike"),
        ("gan-sweep launch --space NAME --data photos/ --set optimizer.lr=1", "did you mean optimizer.lr_d"),
        ("gan-sweep launch --space NAME", "no images"),
        ("gan-sweep launch --space NAME --data photos/ --address HEAD:6379 --no-such", "No such option"),
        ("gan-sweep ui NAME --prot 5", "No such option"),
        ("gan-sweep result NAME", "did you mean results"),
        ("gan-sweep replay SWEEP --tune --tries 3", "No such option"),
        ("gan-sweep fid DIR_A", "FID of what? give two folders"),
        ("gan-sweep launch --space NAME --data photos/ --fid-weights FILE", "what FILE stands for as --fid-weights"),
        ("make dmeo", "No rule to make target"),
        ("python -m tests.benchmarks.bench_lop", "there is no benchmark bench_lop"),
        ("python -m tests.benchmarks.bench_loop --stps 3", "does not take --stps 3"),
        ("python -m orchestrator.cli launch", "teach it, or show another command"),
    ],
)
def test_the_checks_can_fail(wrong: str, message: str, home: Home) -> None:
    (command,) = commands(f"```\n{wrong}\n```\n")
    with pytest.raises(AssertionError, match=re.escape(message)):
        type_command(command, home)
