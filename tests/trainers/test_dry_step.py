"""The dry step: what a trial takes, on random images alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contracts.family_cases import CASES, case_config
from tests.trainers.trainer_helpers import register_tiny_extractor
from trainers import dry_step as module
from trainers.config import TrainConfig
from trainers.dry_step import dry_step
from trainers.families import Family, find_family
from trainers.regimes import Updates

CPU = torch.device("cpu")
TINY = (
    "import sys; from tests.trainers.trainer_helpers import register_tiny_extractor; register_tiny_extractor();"
    "from trainers.dry_step import main; sys.exit(main())"
)


def asked(config: TrainConfig) -> subprocess.CompletedProcess[str]:
    """What a process of its own answers, which knows the tiny extractor."""
    text = json.dumps({"config": config.model_dump(mode="json"), "device": "cpu", "images": 10**12})
    return subprocess.run([sys.executable, "-c", TINY], input=text, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def tiny() -> None:
    register_tiny_extractor()


@pytest.mark.parametrize("name", CASES)
def test_every_family_takes_its_costliest_updates(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = case_config(name)
    taken: list[dict[str, Any]] = []
    plans: list[Any] = []
    family = find_family(config)
    step, decide = family.step, Family._decide

    def watched(self: Family, *batch: Any, **more: Any) -> Any:
        taken.append(step(self, *batch, **more))
        return taken[-1]

    def decided(self: Family, *given: Any) -> Any:
        plans.append(decide(self, *given))
        return plans[-1]

    monkeypatch.setattr(family, "step", watched)
    monkeypatch.setattr(Family, "_decide", decided)
    found = dry_step(config, CPU)
    assert len(taken) >= 2 and all(torch.as_tensor(v).isfinite() for values in taken for v in values.values())
    penalties = config.regularizer.gradient_penalty + config.regularizer.r1_gamma + config.regularizer.r2_gamma
    assert all(plan.d and plan.g_steps == config.regime.g_steps and plan.penalise == (penalties > 0) for plan in plans)
    assert found.peak >= 0 and found.room > 10**8


def test_a_boost_of_one_network_does_not_hide_what_both_take(monkeypatch: pytest.MonkeyPatch) -> None:
    config = case_config("adversarial pokemon, boosted")
    monkeypatch.setattr("trainers.regimes.boosted.Boosted.next", lambda *_: Updates(d=True, g_steps=0))
    seen: list[float] = []
    apply_g = Family._apply_g
    monkeypatch.setattr(Family, "_apply_g", lambda self, computed: (seen.append(1), apply_g(self, computed))[1])
    dry_step(config, CPU)
    assert len(seen) == 2


def test_the_buffer_of_older_fakes_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    config = case_config("cyclegan", {"cycle.buffer_size": 20})  # batches of 8
    kept: list[Any] = []
    build = module.build_family
    monkeypatch.setattr(module, "build_family", lambda *given: kept.append(build(*given)) or kept[0])
    dry_step(config, CPU)
    assert all(len(buffer.state_dict()["images"]) == 20 for buffer in kept[0].buffers.values())


def test_a_process_of_its_own_says_what_a_trial_takes() -> None:
    small, large = (case_config("adversarial", {"data.batch_size": n, "network.base_width": 16}) for n in (16, 256))
    peaks = []
    for config in (small, large):
        done = asked(config)
        assert done.returncode == 0, done.stderr
        peaks.append(json.loads(done.stdout)["peak"])
    fakes = 240 * 3 * 32 * 32 * 4  # bytes of as many images as one batch has more than the other
    assert peaks[1] - peaks[0] > 4 * fakes, peaks


def test_what_cannot_be_built_is_one_line() -> None:
    done = asked(case_config("adversarial", {"fid.extractor": "nothing"}))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("unknown FID extractor 'nothing'")


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")

    monkeypatch.setattr(module, "_step", full)
    with pytest.raises(ValueError, match=r"^not one trial with data.batch_size 8, .* 32 px fits: CUDA out of memory"):
        dry_step(case_config("adversarial"), CPU)


def test_nothing_is_written_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    dry_step(case_config("acgan"), CPU)
    assert not list(tmp_path.iterdir())
