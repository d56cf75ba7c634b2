"""The guard on real training: failures are injected, and end under their names within one report."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from orchestrator.pruning import Guard, build_rules
from orchestrator.results.records import State, state_of
from tests.orchestrator.sweep.test_broker import epoch
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.data import build_cache
from trainers.loop import train
from trainers.losses import LOSSES
from trainers.losses.bce import BCE
from trainers.run_report import Decision, EpochReport, Outcome, Verdict

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


Run = Callable[..., tuple[Outcome, list[EpochReport]]]


@pytest.fixture
def run(assets: Assets, tmp_path: Path) -> Run:
    def run(settings: dict[str, Any], pruning: Any = True) -> tuple[Outcome, list[EpochReport]]:
        """Train under guard, as a gang does."""
        config = TrainConfig.build({}, {**SMALL, **settings})
        guard = Guard(build_rules(pruning), config.schedule.epochs, past=lambda: [])
        reports: list[EpochReport] = []

        def report(epoch_report: EpochReport) -> Decision:
            reports.append(epoch_report)
            return Decision.CONTINUE if guard.see(epoch_report) is None else Decision.STOP

        return guard.name(train(config, assets, tmp_path, report)), reports

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
    inside = [report.fid for report in reports if report.fid is not None and report.epoch >= window_first]
    assert outcome.objective == min(inside, default=None), "the best before the NaN is kept"


def test_without_rules_nan_ends_a_trial_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "nan_at_step_50", NanAtStep50)
    monkeypatch.setattr(NanAtStep50, "steps", 0)
    outcome, _ = run({"loss.name": "nan_at_step_50"}, False)
    assert (outcome.verdict, outcome.epochs) == (Verdict.NONFINITE, 9)


def report(number: int, fid: float | None = None, **metrics: float) -> EpochReport:
    return epoch(number, fid=fid, objective=fid, metrics=metrics)


def test_after_its_gang_died_a_trial_is_judged_by_its_whole_history() -> None:
    reports = [report(number, grad_norm_d=150.0) for number in range(1, 4)]
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
    stopped = Outcome(verdict=Verdict.OUTRANKED, epochs=number, objective=50.0, best_epoch=20)
    outcome = guard.name(stopped)
    assert (outcome.verdict, outcome.objective, number) == ("fid_diverged", 50.0, 24)
    assert outcome.detail == "FID 200 is 4 times its best, 50 at epoch 11, and has been above it for 4 rungs"
    assert state_of(outcome.verdict, outcome.objective) is State.COMPLETED
    assert state_of(outcome.verdict, None) is State.PRUNED


@pytest.mark.parametrize("verdict", [Verdict.COMPLETED, Verdict.ERROR])
def test_only_a_stop_gets_the_rules_name(verdict: Verdict) -> None:
    guard = Guard(build_rules(), 100, past=lambda: [])
    assert guard.see(report(1, d_loss=math.nan)) is not None
    outcome = Outcome(verdict=verdict, epochs=1)
    assert guard.name(outcome) == outcome
    assert guard.name(replace(outcome, verdict=Verdict.OUTRANKED)).verdict == "nonfinite"
