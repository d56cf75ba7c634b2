"""The training loop: what is measured when, what is kept, and how a run ends."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.trainers.trainer_helpers import STEPS, Recorder, differing, load, small_config, still_times
from trainers.assets import Assets
from trainers.checkpoint import Progress
from trainers.checkpoint_times import CheckpointTimes
from trainers.epoch import Inside
from trainers.errors import UserError
from trainers.families import build_family
from trainers.fid_schedule import fid_due
from trainers.loop import train
from trainers.metric_names import value_of
from trainers.randomness import GlobalRandom
from trainers.run_report import Decision, EpochReport, RunEnd, RunOutcome

pytestmark = pytest.mark.usefixtures("one_thread")

# Fast enough to swing: FID is 1.81, 0.62, 0.08, 0.15, 1.46, 0.28.
SWINGING = {"fid.every": 1, "schedule.window_first": 1, "optimizer.lr_g": 0.04, "optimizer.lr_d": 0.04}
STEP_NAMES = {"d_loss", "g_loss", "d_real_mean", "d_fake_mean", "d_real_accuracy", "d_fake_accuracy"}
STEP_NAMES |= {"grad_norm_d", "grad_norm_g", "grad_norm_d_max", "grad_norm_g_max", "images_per_second"}
STEP_NAMES |= {"d_updates", "g_updates", "d_loss_variance", "weight_norm_d", "weight_norm_g"}


def run(assets: Assets, folder: Path, overrides: dict[str, Any], *stop_at: int) -> tuple[RunOutcome, Recorder]:
    recorder = Recorder(*stop_at)
    return train(small_config(overrides), assets, folder, recorder), recorder


# Reports


def test_every_epoch_is_reported(assets: Assets, tmp_path: Path) -> None:
    outcome, recorder = run(assets, tmp_path, {})
    assert outcome.end is RunEnd.COMPLETED and outcome.epochs == 6 and outcome.detail == ""
    reports = recorder.reports
    assert [report.epoch for report in reports] == [1, 2, 3, 4, 5, 6]
    assert [report.images_seen for report in reports] == [epoch * STEPS * 32 for epoch in range(1, 7)]
    for report in reports:
        measured = set() if report.measurement is None else {"fid_seconds", "diversity"}
        saved = {"checkpoint_seconds"} if report.checkpoint == report.epoch else set()
        assert set(report.logged) == STEP_NAMES | measured | saved and all(map(math.isfinite, report.logged.values()))
        assert report.started < report.trained <= report.ended
        for name in ("d_real_accuracy", "d_fake_accuracy"):
            assert 0 <= report.metrics[name] <= 1
        for name in ("grad_norm_d", "grad_norm_g"):
            assert 0 < report.metrics[name] < report.metrics[f"{name}_max"]


def test_metrics_are_means_over_the_epochs_steps(assets: Assets, tmp_path: Path) -> None:
    """D's accuracies are shares of 128 images, and that of a frozen start is about a half."""
    _, recorder = run(assets, tmp_path, {"optimizer.lr_g": 1e-9, "optimizer.lr_d": 1e-9, "schedule.epochs": 3})
    first = recorder.reports[0].metrics
    for name in ("d_real_accuracy", "d_fake_accuracy"):
        assert (first[name] * STEPS * 32) % 1 == pytest.approx(0, abs=1e-3)
    assert first["d_loss"] == pytest.approx(0.64, abs=0.2)  # logits next to 0: both errors 0.8 squared


def test_weight_norms_are_those_of_the_epochs_end(assets: Assets, tmp_path: Path) -> None:
    _, recorder = run(assets, tmp_path, {"schedule.epochs": 3, "schedule.checkpoint_every": 3})
    family = build_family(small_config(), assets.device, GlobalRandom(3, assets.device))
    networks = {"weight_norm_d": family.discriminator, "weight_norm_g": family.generator}
    family.load_state_dict(load(tmp_path / "latest.pt")["family"])
    for name, network in networks.items():
        flat = torch.cat([p.detach().flatten() for p in network.parameters()])
        assert recorder.reports[-1].metrics[name] == pytest.approx(flat.norm().item(), rel=1e-5)
        assert recorder.reports[0].metrics[name] != recorder.reports[-1].metrics[name]


def test_samples_when_due(assets: Assets, tmp_path: Path) -> None:
    _, recorder = run(assets, tmp_path, {"schedule.samples_every": 4, "schedule.window_first": 6})
    named = {report.epoch: report.samples for report in recorder.reports if report.samples}
    assert named == {epoch: f"samples/epoch_{epoch:04d}.png" for epoch in (1, 4, 6)}
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [name[8:] for name in named.values()]
    with Image.open(tmp_path / named[6]) as picture:
        assert picture.size == (8 * 66 + 2, 8 * 66 + 2) and picture.mode == "RGB"  # 32 px doubled, 2 px between tiles
        assert picture.getextrema() != ((0, 0), (0, 0), (0, 0))


# FID and the window


@pytest.mark.parametrize(
    ("every", "first", "last", "due"),
    [(25, 550, 750, {*range(25, 751, 25)}), (4, 5, 10, {4, 5, 8, 10}), (100, 3, 6, {3, 6}), (1, 1, 3, {1, 2, 3})],
)
def test_when_fid_is_due(every: int, first: int, last: int, due: set[int]) -> None:
    config = small_config({"fid.every": every, "schedule.window_first": first, "schedule.epochs": last})
    assert {epoch for epoch in range(1, last + 1) if fid_due(epoch, config)} == due


def test_fid_is_measured_exactly_when_due(assets: Assets, tmp_path: Path) -> None:
    config = small_config({"fid.every": 4, "schedule.window_first": 3})
    _, recorder = run(assets, tmp_path, {"fid.every": 4, "schedule.window_first": 3})
    assert set(recorder.fids) == {epoch for epoch in range(1, 7) if fid_due(epoch, config)} == {3, 4, 6}
    assert [report.objective is None for report in recorder.reports] == [True, True, False, False, False, False]


def test_measuring_does_not_change_training(assets: Assets, tmp_path: Path) -> None:
    for every in (1, 100):
        run(assets, tmp_path / str(every), {"fid.every": every, "schedule.samples_every": every})
    often, rarely = (load(tmp_path / name / "latest.pt")["family"] for name in ("1", "100"))
    assert differing(often, rarely) == []


def test_the_objective_is_the_lowest_fid_inside_the_window(assets: Assets, tmp_path: Path) -> None:
    _, recorder = run(assets, tmp_path / "all", SWINGING)
    fids = recorder.fids
    lowest = min(fids, key=fids.__getitem__)
    first = lowest + 1
    assert first <= 6  # so that the window leaves out the lowest
    outcome, windowed = run(assets, tmp_path / "late", {**SWINGING, "schedule.window_first": first})
    assert windowed.fids == fids  # the window decides what counts, not what happens
    inside = {epoch: fid for epoch, fid in fids.items() if epoch >= first}
    best = min(inside, key=inside.__getitem__)
    assert (outcome.objective, outcome.best_epoch) == (fids[best], best) and outcome.objective > fids[lowest]
    running = [min((fids[e] for e in range(first, epoch + 1)), default=None) for epoch in range(1, 7)]
    assert [report.objective for report in windowed.reports] == running
    kept = load(tmp_path / "late" / "best.pt")
    assert kept["progress"] == {
        "epoch": best,
        "step": 0,
        "images_seen": best * STEPS * 32,
        "objective": fids[best],
        "best_epoch": best,
        "inherited": "",
    }
    # best.pt is the state of that epoch, not a later one.
    run(assets, tmp_path / "until", {**SWINGING, "schedule.window_first": first, "schedule.checkpoint_every": 1}, best)
    assert differing(kept["family"], load(tmp_path / "until" / "latest.pt")["family"]) == []


@pytest.mark.parametrize(("objective", "metrics", "best_of"), [("kid", ("kid",), min), ("density", ("prdc",), max)])
def test_another_objective_decides_on_the_best_epoch(
    assets: Assets, tmp_path: Path, objective: str, metrics: tuple[str, ...], best_of: Any
) -> None:
    """By its own direction, at an epoch that need not have the lowest FID."""
    more = {**SWINGING, "fid.metrics": metrics, "fid.objective": objective, "schedule.window_first": 1}
    outcome, recorder = run(assets, tmp_path, more)
    values = {one.epoch: value_of(one.beside, objective) for one in recorder.measurements}
    best = best_of(values, key=values.__getitem__)
    assert len({*values.values()}) > 2, "they differ, or this would say nothing"
    assert (outcome.objective, outcome.best_epoch) == (values[best], best)
    running = [best_of(values[e] for e in values if e <= report.epoch) for report in recorder.reports]
    assert [report.objective for report in recorder.reports] == running
    assert load(tmp_path / "best.pt")["progress"]["epoch"] == best
    again = [EpochReport.from_json(json.loads(json.dumps(report.to_json()))) for report in recorder.reports]
    assert [one.measurement.value for one in again if one.measurement] == list(values.values())


def test_a_measurement_of_fakes_that_hardly_vary_never_counts(assets: Assets, tmp_path: Path) -> None:
    plain, seen = run(assets, tmp_path / "plain", SWINGING)
    diversity = {one.epoch: one.diversity for one in seen.measurements}
    lowest = diversity[plain.best_epoch]
    least = (lowest + max(diversity.values())) / 2
    assert lowest < least  # so that the lowest FID does not count
    outcome, recorder = run(assets, tmp_path / "guarded", {**SWINGING, "fid.min_diversity": least})
    counted = {epoch: recorder.fids[epoch] for epoch in diversity if diversity[epoch] >= least}
    assert {one.epoch for one in recorder.measurements if not one.collapsed} == set(counted)
    best = min(counted, key=counted.__getitem__)
    assert (outcome.objective, outcome.best_epoch) == (counted[best], best) and outcome.objective > plain.objective
    assert load(tmp_path / "guarded" / "best.pt")["progress"]["epoch"] == best


def test_a_run_whose_fakes_never_vary_says_so(assets: Assets, tmp_path: Path) -> None:
    still = {"optimizer.lr_g": 1e-9, "optimizer.lr_d": 1e-9, "fid.min_diversity": 0.9}
    outcome, recorder = run(assets, tmp_path, still)
    assert all(one.collapsed for one in recorder.measurements) and recorder.measurements
    assert (outcome.end, outcome.objective, outcome.best_epoch) == (RunEnd.COMPLETED, None, None)
    assert "hardly vary" in outcome.detail and "fid.min_diversity" in outcome.detail
    assert not (tmp_path / "best.pt").exists()


def test_the_best_epoch_has_a_sample_grid(assets: Assets, tmp_path: Path) -> None:
    outcome, recorder = run(assets, tmp_path, {**SWINGING, "schedule.samples_every": 100})
    assert outcome.best_epoch not in (1, 6)  # else it would have one anyway
    improved = [r.epoch for r in recorder.reports if r.best_epoch == r.epoch]
    named = [report.epoch for report in recorder.reports if report.samples]
    assert named == sorted({1, *improved, 6})
    assert (tmp_path / "samples" / f"epoch_{outcome.best_epoch:04d}.png").is_file()


# Checkpoints


class Newest(Recorder):
    """Keeps the epoch of ``latest.pt`` at each report, and lets a clock go on by 10 seconds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.now, self.epochs = path, 0.0, []

    def __call__(self, report: EpochReport) -> Decision:
        self.now += 10.0
        self.epochs.append(load(self.path)["progress"]["epoch"] if self.path.exists() else 0)
        return super().__call__(report)

    def clock(self) -> float:
        self.now += 0.25  # whatever lies between two questions takes that long
        return self.now


def test_checkpoints_are_due_by_time_too(assets: Assets, tmp_path: Path) -> None:
    """A save takes 0.25 s, so that one in 12.5 s is cheap: every second epoch of 10 s."""
    recorder = Newest(tmp_path / "latest.pt")
    config = small_config({"schedule.checkpoint_every": 100, "schedule.window_first": 6, "schedule.epochs": 7})
    train(config, assets, tmp_path, recorder, times=CheckpointTimes(recorder.clock))
    assert recorder.epochs == [1, 1, 3, 3, 5, 6, 6]  # 6: the best so far


def test_checkpoints_that_are_due_by_epoch_do_not_wait(assets: Assets, tmp_path: Path) -> None:
    recorder = Newest(tmp_path / "latest.pt")
    config = small_config({"schedule.checkpoint_every": 2, "schedule.window_first": 6})
    train(config, assets, tmp_path, recorder, times=still_times())
    assert recorder.epochs == [1, 2, 2, 4, 4, 6]


def test_a_checkpoint_is_passed_on_before_it_is_reported(assets: Assets, tmp_path: Path) -> None:
    recorder, written = Recorder(), []

    def pass_on(_: Progress) -> None:
        written.append((load(tmp_path / "latest.pt")["progress"]["epoch"], len(recorder.reports)))

    train(small_config(), assets, tmp_path, recorder, written=pass_on)
    named = [report.epoch for report in recorder.reports if report.checkpoint == report.epoch]
    assert written == [(epoch, epoch - 1) for epoch in named] and named


# Ends


def test_stop_ends_the_run_and_keeps_the_best(assets: Assets, tmp_path: Path) -> None:
    outcome, recorder = run(assets, tmp_path, {"fid.every": 1, "schedule.window_first": 2}, 4)
    assert (outcome.end, outcome.epochs) == (RunEnd.STOPPED, 4)
    assert [report.epoch for report in recorder.reports] == [1, 2, 3, 4]
    assert outcome.best_epoch in (2, 3, 4) and outcome.objective == recorder.fids[outcome.best_epoch]
    assert load(tmp_path / "best.pt")["progress"]["epoch"] == outcome.best_epoch


def test_stop_at_the_last_epoch_is_completed(assets: Assets, tmp_path: Path) -> None:
    assert run(assets, tmp_path, {}, 6)[0].end is RunEnd.COMPLETED


class AskedToLeave:
    """True from the question of that number on; the first comes before the first epoch."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked >= self.number


NO_CHECKPOINTS = {"schedule.checkpoint_every": 100, "schedule.window_first": 6, "fid.every": 100}


@pytest.fixture
def between_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked inside an epoch; what happens there is in test_resume.py."""
    monkeypatch.setattr(Inside, "ask", lambda *_: False)


def test_leaving_writes_a_checkpoint_at_once(assets: Assets, tmp_path: Path, between_epochs: None) -> None:
    recorder, config = Recorder(), small_config(NO_CHECKPOINTS)
    outcome = train(config, assets, tmp_path, recorder, leave=AskedToLeave(4), times=still_times())
    assert (outcome.end, outcome.epochs) == (RunEnd.LEFT, 3)
    assert [(report.epoch, report.checkpoint) for report in recorder.reports] == [(1, 1), (2, 1), (3, 3)]
    assert load(tmp_path / "latest.pt")["progress"]["epoch"] == 3
    train(config, assets, tmp_path, recorder, times=still_times())
    train(config, assets, tmp_path / "whole", Recorder(), times=still_times())
    ends = (load(folder / "latest.pt")["family"] for folder in (tmp_path, tmp_path / "whole"))
    assert differing(*ends) == []
    assert [report.epoch for report in recorder.reports] == [1, 2, 3, 3, 4, 5, 6]


class Pauses(Recorder):
    """Pauses at its third report, whatever epoch that is."""

    def __call__(self, report: EpochReport) -> Decision:
        super().__call__(report)
        return Decision.PAUSE if len(self.reports) == 3 else Decision.CONTINUE


def test_pausing_writes_a_checkpoint_at_once(assets: Assets, tmp_path: Path, between_epochs: None) -> None:
    recorder, config = Pauses(), small_config(NO_CHECKPOINTS)
    outcome = train(config, assets, tmp_path, recorder, times=still_times())
    assert (outcome.end, outcome.epochs) == (RunEnd.PAUSED, 3)
    assert load(tmp_path / "latest.pt")["progress"]["epoch"] == 3
    assert train(config, assets, tmp_path, recorder, times=still_times()).end is RunEnd.COMPLETED
    assert [(report.epoch, report.checkpoint) for report in recorder.reports[2:4]] == [(3, 1), (3, 3)]
    assert [report.epoch for report in recorder.reports] == [1, 2, 3, 3, 4, 5, 6]
    train(config, assets, tmp_path / "whole", Recorder(), times=still_times())
    ends = (load(folder / "latest.pt")["family"] for folder in (tmp_path, tmp_path / "whole"))
    assert differing(*ends) == []


def test_who_is_asked_before_the_start_trains_nothing(assets: Assets, tmp_path: Path) -> None:
    recorder, config = Recorder(), small_config(NO_CHECKPOINTS)
    outcome = train(config, assets, tmp_path, recorder, leave=AskedToLeave(1))
    assert (outcome.end, outcome.epochs, recorder.reports) == (RunEnd.LEFT, 0, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("question", "stop", "end"), [(3, 2, RunEnd.STOPPED), (7, 100, RunEnd.COMPLETED)])
def test_a_run_that_is_over_does_not_go_on_elsewhere(
    assets: Assets, tmp_path: Path, between_epochs: None, question: int, stop: int, end: RunEnd
) -> None:
    outcome = train(small_config(), assets, tmp_path, Recorder(stop), leave=AskedToLeave(question))
    assert (outcome.end, outcome.epochs) == (end, question - 1)


def test_nonfinite_ends_the_epoch_it_happens_in(assets: Assets, tmp_path: Path) -> None:
    outcome, recorder = run(assets, tmp_path, {"optimizer.lr_g": 1e30})
    assert (outcome.end, outcome.epochs) == (RunEnd.NONFINITE, 1)
    broken = [name for name, value in recorder.reports[0].metrics.items() if not math.isfinite(value)]
    assert "g_loss" in broken and "images_per_second" not in broken
    assert outcome.detail == f"{', '.join(broken)} not finite at epoch 1"
    assert len(recorder.reports) == 1 and not (tmp_path / "latest.pt").exists() and not (tmp_path / "samples").exists()


class Bytes(Recorder):
    """Also keeps what ``latest.pt`` held at each report."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.contents = path, []

    def __call__(self, report: EpochReport) -> Decision:
        self.contents.append(self.path.read_bytes() if self.path.exists() else None)
        return super().__call__(report)


# One step an epoch: G's first update comes after the epoch's last loss, so epoch 1 is finite and epoch 2 is not.
EXPLODING = {"data.batch_size": 128, "optimizer.lr_g": 1e30, "schedule.checkpoint_every": 1}


def test_weights_that_are_no_numbers_end_the_epoch_that_made_them(assets: Assets, tmp_path: Path) -> None:
    """No loss of an epoch sees its last update, only the weights do; huge weights (1e30) are still numbers."""
    outcome, recorder = run(assets, tmp_path, {**EXPLODING, "optimizer.lr_g": 1e38, "optimizer.name": "rmsprop"})
    assert (outcome.end, outcome.detail) == (RunEnd.NONFINITE, "weight_norm_g not finite at epoch 1")
    assert math.isfinite(recorder.reports[0].metrics["weight_norm_d"])
    _, huge = run(assets, tmp_path / "huge", EXPLODING, 1)
    assert 1e30 < huge.reports[0].metrics["weight_norm_g"] < 1e38


def test_the_last_good_checkpoint_survives(assets: Assets, tmp_path: Path) -> None:
    recorder = Bytes(tmp_path / "latest.pt")
    outcome = train(small_config(EXPLODING), assets, tmp_path, recorder)
    assert (outcome.end, outcome.epochs) == (RunEnd.NONFINITE, 2)
    assert recorder.contents[0] is not None and recorder.contents[0] == recorder.contents[1]
    assert (tmp_path / "latest.pt").read_bytes() == recorder.contents[0]
    assert recorder.reports[1].measurement is None and recorder.reports[1].samples is None


def test_nonfinite_samples_are_named(assets: Assets, tmp_path: Path) -> None:
    outcome, recorder = run(assets, tmp_path, {**EXPLODING, "fid.every": 1, "optimizer.lr_g": 1e38})
    assert (outcome.end, outcome.epochs) == (RunEnd.NONFINITE, 1)
    assert outcome.detail == "FID (samples) not finite at epoch 1"
    assert recorder.reports[0].measurement is None and not (tmp_path / "latest.pt").exists()


def test_a_batch_larger_than_the_data(assets: Assets, tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(UserError, match="fewer images than one batch of 256"):
        train(small_config({"data.batch_size": 256}), assets, tmp_path, recorder)
    assert recorder.reports == [] and list(tmp_path.iterdir()) == []
