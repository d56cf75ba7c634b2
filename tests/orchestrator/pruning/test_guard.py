"""The guard on real training: injected failures end a trial with their verdict within one report."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from orchestrator.pruning import Guard, build_rules
from orchestrator.results.verdict import State, TrialOutcome, outcome_of, state_of
from tests.orchestrator.sweep_helpers import epoch
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.data import build_cache
from trainers.loop import train
from trainers.losses import LOSSES
from trainers.losses.bce import BCE
from trainers.run_report import Decision, EpochReport, RunEnd, RunOutcome

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "data.image_size": 32,
    "data.batch_size": 8,  # six steps an epoch
    "network.base_width": 8,
    "network.latent_dim": 16,
    "loss.name": "bce",
    "schedule.epochs": 12,
    "schedule.window_first": 4,
    "schedule.checkpoint_every": 12,
    "schedule.samples_every": 12,
    "fid.extractor": "efficientnet_lite0",
    "fid.n_fake": 8,
    "fid.every": 1,
}


class NanAtStep50(BCE):
    """Binary cross-entropy until D's 50th step."""

    steps: ClassVar[int] = 0

    def d_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """As BCE, then NaN."""
        type(self).steps += 1
        return super().d_loss(real_logits, fake_logits) * (math.nan if self.steps == 50 else 1.0)


@pytest.fixture(scope="module")
def assets(motorbikes: Path, own_cache: Path) -> Assets:
    build_cache(motorbikes, image_size=32, fit="pad", cache_dir=own_cache)
    return Assets(motorbikes, own_cache, torch.device("cpu"))


Run = Callable[..., tuple[TrialOutcome, list[EpochReport]]]


@pytest.fixture
def run(assets: Assets, tmp_path: Path) -> Run:
    def run(settings: dict[str, Any], pruning: Any = True) -> tuple[TrialOutcome, list[EpochReport]]:
        """Train with a guard, as a gang does."""
        config = TrainConfig.build({}, {**SMALL, **settings})
        guard = Guard(build_rules(pruning), config.schedule.epochs, past=lambda: [])
        reports: list[EpochReport] = []

        def report(epoch_report: EpochReport) -> Decision:
            reports.append(epoch_report)
            return Decision.CONTINUE if guard.see(epoch_report) is None else Decision.STOP

        return outcome_of(train(config, assets, tmp_path, report), guard.trip, None), reports

    return run


def test_a_learning_rate_of_ten(run: Run) -> None:
    outcome, reports = run({"optimizer.lr_g": 10.0, "optimizer.lr_d": 10.0, "loss.name": "ralsgan"})
    assert (outcome.verdict, outcome.epochs, len(reports)) == ("grad_explosion", 1, 1)
    assert outcome.detail.startswith("gradient norm of D is ")
    assert state_of(outcome.verdict, outcome.objective) is State.FAILED


def test_a_d_that_wins_at_once(run: Run) -> None:
    impatient = {"warmup": 0, "window": 3, "patience": 3}
    outcome, reports = run({"optimizer.lr_g": 1e-9, "optimizer.lr_d": 1e-2}, {"d_collapse": impatient})
    assert outcome.verdict == "d_collapse", outcome
    assert outcome.detail.startswith("D loss below 0.01 for 3 of 3 epochs while FID ")
    assert max(report.metrics["d_loss"] for report in reports[-3:]) < 0.01
    assert min(report.metrics["d_fake_accuracy"] for report in reports[-3:]) > 0.99


@pytest.mark.parametrize(("window_first", "state"), [(4, State.COMPLETED), (12, State.FAILED)])
def test_nan_at_step_50(run: Run, monkeypatch: pytest.MonkeyPatch, window_first: int, state: State) -> None:
    monkeypatch.setitem(LOSSES, "nan_at_step_50", NanAtStep50)
    monkeypatch.setattr(NanAtStep50, "steps", 0)
    settings = {"loss.name": "nan_at_step_50", "schedule.window_first": window_first}
    outcome, reports = run(settings, {"fid_plateau": False, "fid_diverged": False})
    assert (outcome.verdict, outcome.epochs) == ("nonfinite", 9), "step 50 is the second of epoch 9"
    assert outcome.detail.startswith("d_fake_mean is nan") or "d_loss is nan" in outcome.detail
    assert state_of(outcome.verdict, outcome.objective) is state
    measured = [report.measurement for report in reports]
    inside = [one.fid for one in measured if one is not None and one.epoch >= window_first]
    assert outcome.objective == min(inside, default=None), "the best before the NaN is kept"


def test_without_rules_nan_ends_a_trial_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "nan_at_step_50", NanAtStep50)
    monkeypatch.setattr(NanAtStep50, "steps", 0)
    outcome, _ = run({"loss.name": "nan_at_step_50"}, False)
    assert (outcome.verdict, outcome.epochs) == (RunEnd.NONFINITE, 9)


def report(number: int, fid: float | None = None, **metrics: float) -> EpochReport:
    return epoch(number, fid=fid, objective=fid, metrics=metrics)


def test_after_its_gang_died_a_trial_is_judged_by_its_whole_history() -> None:
    reports = [report(number, grad_norm_d=350.0) for number in range(1, 4)]
    whole, half = (Guard(build_rules(), 100, past=lambda: reports) for _ in range(2))
    assert whole.see(reports[0]) is None
    assert whole.see(reports[1]) is None
    tripped = whole.see(reports[2])
    assert tripped is not None
    assert half.see(reports[2]) == tripped, "epochs 1 and 2 come from its file, 3 is not counted twice"


def test_a_trial_that_peaked_and_then_collapsed_is_completed() -> None:
    guard = Guard(build_rules(), 100, past=lambda: [])
    number = 0
    while guard.trip is None:
        number += 1
        guard.see(report(number, fid=50.0 if number <= 20 else 200.0))
    run = RunOutcome(end=RunEnd.STOPPED, epochs=number, objective=50.0, best_epoch=20)
    outcome = outcome_of(run, guard.trip, None)
    assert (outcome.verdict, outcome.objective, number) == ("fid_diverged", 50.0, 23)
    assert outcome.detail == "FID 200 is 4 times its best, 50 at epoch 11, and has been above it for 3 measurements"
    assert outcome.state is State.COMPLETED
    assert state_of(outcome.verdict, None) is State.PRUNED
