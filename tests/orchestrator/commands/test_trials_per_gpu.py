"""``--trials-per-gpu`` at a launch, on a machine that says it has a GPU."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.commands.launch import launch
from orchestrator.plan.launch_options import LaunchOptions
from trainers.config import TrainConfig
from trainers.dry_step import Measured
from trainers.errors import UserError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[TrainConfig, int]]:
    """What was to be measured: of each the config, and the bytes of the images."""
    asked: list[tuple[TrainConfig, int]] = []

    def measure(config: TrainConfig, images: int) -> Measured:
        asked.append((config, images))
        return Measured(peak=4_700_000_000, room=15_800_000_000)

    monkeypatch.setattr("orchestrator.sweep.dry_trial.measure_here", measure)
    for room in ("plan", "packed"):
        monkeypatch.setattr(f"orchestrator.plan.{room}.machine", lambda: (8, 2))
    return asked


def dry_run(data: Path, sweeps: Path, **more: Any) -> str:
    screen = io.StringIO()
    settings = ("data.batch_size=16", "data.image_size=32")
    options = LaunchOptions(
        space="ralsgan_motorbike", demo=True, data=data, sweeps_dir=sweeps, settings=settings, trials=40, **more
    )
    assert launch(options, dry_run=True, console=Console(file=screen, width=200)) == 0
    return screen.getvalue()


@pytest.mark.parametrize(("given", "gangs", "trials"), [("auto", 6, 3), ("2", 4, 2)])
def test_a_dry_run_says_how_many_and_why(
    given: str, gangs: int, trials: int, motorbikes: Path, tmp_path: Path, asked: list[tuple[TrainConfig, int]]
) -> None:
    lines = dry_run(motorbikes, tmp_path, trials_per_gpu=given).splitlines()
    (where,) = (number for number, line in enumerate(lines) if line.strip().startswith("where"))
    assert f"{gangs} trials at once on this machine" in lines[where]
    assert lines[where + 1].strip() == f"{trials} trials per GPU: 4.7 GB of 15.8 GB each at their peak"
    ((config, images),) = asked
    assert config.data.batch_size == 16 and images % (3 * 32 * 32) == 0 and images > 16 * 3 * 32 * 32


def test_more_than_fit_are_refused(motorbikes: Path, tmp_path: Path, asked: list[tuple[TrainConfig, int]]) -> None:
    with pytest.raises(UserError, match=r"^--trials-per-gpu 4: .*: --trials-per-gpu 3 fits$"):
        dry_run(motorbikes, tmp_path, trials_per_gpu="4")


def test_without_it_nothing_is_measured(motorbikes: Path, tmp_path: Path, asked: list[tuple[TrainConfig, int]]) -> None:
    assert "per GPU" not in dry_run(motorbikes, tmp_path) and not asked
