"""A resumed run equals an uninterrupted one to the last bit."""

import itertools
import json
import multiprocessing
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import (
    STEPS,
    Recorder,
    curve,
    differing,
    load,
    small_config,
    still_times,
    timeless,
    timeless_checkpoint,
    train_until_killed,
)
from trainers import epoch
from trainers.assets import Assets
from trainers.checkpoint import Progress
from trainers.checkpoint_times import CheckpointTimes
from trainers.loop import train
from trainers.run_report import Decision, EpochReport, RunEnd, RunOutcome

pytestmark = pytest.mark.usefixtures("one_thread")

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without_average": {"regime.ema_halflife_images": None, "optimizer.grad_clip_norm": 1.0},
    "bf16": {"runtime.precision": "bf16"},
    "contiguous": {"runtime.channels_last": False},
}


# In the save of epoch 3, whose previous one is that of epoch 2: which such moment it is, and the epoch of previous.pt.
KILLED_AT = {
    "os.link previous": (2, 1),
    "os.rename previous": (2, 1),
    "os.rename latest": (3, 2),
    "shutil.copyfile best": (0, 0),
}


@dataclass(frozen=True)
class Run:
    folder: Path
    recorder: Recorder
    outcome: RunOutcome


@pytest.fixture(scope="module")
def whole(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Uninterrupted runs, by variant."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    runs = {}
    for name, overrides in VARIANTS.items():
        folder, recorder = tmp_path_factory.mktemp(name), Recorder()
        runs[name] = Run(folder, recorder, train(small_config(overrides), assets, folder, recorder))
    torch.set_num_threads(before)
    return runs


def check_same(folder: Path, recorder: Recorder, outcome: RunOutcome, whole: Run) -> None:
    """Compare every bit that a run leaves behind."""
    assert outcome == whole.outcome and outcome.end is RunEnd.COMPLETED
    by_epoch = {report.epoch: timeless(report) for report in whole.recorder.reports}
    assert recorder.reports and all(timeless(report) == by_epoch[report.epoch] for report in recorder.reports)
    for name in ("latest.pt", "best.pt"):
        assert differing(timeless_checkpoint(folder / name), timeless_checkpoint(whole.folder / name)) == []
    pictures = {path.name: path.read_bytes() for path in (whole.folder / "samples").iterdir()}
    assert {path.name: path.read_bytes() for path in (folder / "samples").iterdir()} == pictures
    assert pictures.keys() >= {"epoch_0001.png", "epoch_0004.png", "epoch_0006.png"}  # and those of its best epochs


def test_runs_are_worth_comparing(whole: dict[str, Run]) -> None:
    """They train, measure FID, keep a best epoch, and differ from one another."""
    plain = whole["plain"]
    assert set(plain.recorder.fids) == {2, 3, 4, 6} and plain.outcome.best_epoch is not None
    latest = load(plain.folder / "latest.pt")
    assert latest["progress"]["epoch"] == 6 and latest["progress"]["images_seen"] == 6 * STEPS * 32
    for name in VARIANTS.keys() - {"plain"}:
        other = load(whole[name].folder / "latest.pt")["family"]["generator"]
        assert differing(other, latest["family"]["generator"])


@pytest.mark.parametrize(
    ("variant", "stops"),
    [
        *[("plain", stops) for stops in ((1,), (2,), (3,), (2, 5))],
        *[(name, (3,)) for name in VARIANTS if name != "plain"],
    ],
)
def test_stopped_between_epochs(
    assets: Assets, tmp_path: Path, whole: dict[str, Run], variant: str, stops: tuple[int, ...]
) -> None:
    """Checkpoints are of epochs 2, 4, 6 and of the best ones, so that some epochs are trained twice."""
    config, recorder = small_config(VARIANTS[variant]), Recorder(*stops)
    for stop in stops:
        outcome = train(config, assets, tmp_path, recorder)
        assert (outcome.end, outcome.epochs) == (RunEnd.STOPPED, stop)
        recorder.stop_at = tuple(s for s in recorder.stop_at if s != stop)
    outcome = train(config, assets, tmp_path, recorder)
    check_same(tmp_path, recorder, outcome, whole[variant])


def test_what_else_draws_random_numbers_in_between(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    """Only the seed and the epoch decide, whatever the process did before."""
    recorder = Recorder(2)
    train(small_config(), assets, tmp_path, recorder)
    torch.manual_seed(12345)
    torch.rand(7)
    recorder.stop_at = ()
    check_same(tmp_path, recorder, train(small_config(), assets, tmp_path, recorder), whole["plain"])


@pytest.fixture
def asked_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "ASK_S", 0.0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_asked_to_leave_inside_epochs(
    assets: Assets, tmp_path: Path, whole: dict[str, Run], asked_after_every_step: None, variant: str
) -> None:
    """At every third question, so that each step of an epoch is the last one somewhere."""
    config, recorder, asked = small_config(VARIANTS[variant]), Recorder(), itertools.count(1)
    steps = []
    while (outcome := train(config, assets, tmp_path, recorder, leave=lambda: next(asked) % 3 == 0)).end is RunEnd.LEFT:
        steps.append(load(tmp_path / "latest.pt")["progress"]["step"])
        torch.rand(7)
    assert set(steps) == set(range(STEPS + 1))
    check_same(tmp_path, recorder, outcome, whole[variant])


def test_a_checkpoint_that_is_late_is_written_inside_the_epoch(
    assets: Assets, tmp_path: Path, whole: dict[str, Run], asked_after_every_step: None
) -> None:
    """The clock shows two minutes more at each look; every checkpoint is gone on from, in a folder of its own."""
    ticks, kept = itertools.count(0.0, 120.0), list[tuple[Progress, Path]]()

    def keep(progress: Progress) -> None:
        kept.append((replace(progress), shutil.copytree(run_dir, tmp_path / str(len(kept)))))

    config, run_dir = small_config(), tmp_path / "run"
    train(config, assets, run_dir, Recorder(), times=CheckpointTimes(lambda: next(ticks)), written=keep)
    inside = [folder for progress, folder in kept if progress.step]
    assert len(inside) == 6 and kept[0][0] == Progress(step=3, images_seen=96)
    for folder in inside:
        recorder = Recorder()
        outcome = train(config, assets, folder, recorder)
        check_same(folder, recorder, outcome, whole["plain"])


@pytest.mark.parametrize("moment", ["generator", *KILLED_AT])
def test_killed(
    assets: Assets, photos: Path, cache_dir: Path, tmp_path: Path, whole: dict[str, Run], moment: str
) -> None:
    """SIGKILL in the middle of epoch 5, at each step of replacing a checkpoint, and before ``best.pt`` follows."""
    plain = whole["plain"]
    improvements = len({report.objective for report in plain.recorder.reports} - {None})
    # The last improvement, because a later one would repair what the kill may have broken.
    count = {"generator": 4 * STEPS + 2, "shutil.copyfile best": improvements}.get(moment) or KILLED_AT[moment][0]
    context = multiprocessing.get_context("forkserver")
    child = context.Process(target=train_until_killed, args=({}, (photos, cache_dir, tmp_path), moment, count))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    left = load(tmp_path / "latest.pt")["progress"]["epoch"]  # whole, whenever the kill came
    assert left == {"generator": 4, "shutil.copyfile best": plain.outcome.best_epoch}.get(moment, 2)
    if moment != "shutil.copyfile best":
        before = load(tmp_path / "previous.pt")["progress"]["epoch"]
        assert before == {"generator": 3, **{name: epoch for name, (_, epoch) in KILLED_AT.items()}}[moment]
    recorder = Recorder()
    outcome = train(small_config(), assets, tmp_path, recorder)
    assert recorder.reports[0].epoch == left  # whose report may not have arrived
    check_same(tmp_path, recorder, outcome, plain)


def test_a_finished_run_is_not_trained_again(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    (tmp_path / "latest.pt").write_bytes((whole["plain"].folder / "latest.pt").read_bytes())
    recorder = Recorder()
    assert train(small_config(), assets, tmp_path, recorder) == whole["plain"].outcome
    assert [timeless(report) for report in recorder.reports] == [timeless(whole["plain"].recorder.reports[-1])]


def test_memory_order_may_change(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    """`runtime.*` changes rounding only. Adam's moments must follow their parameters into the other memory order."""
    train(small_config(), assets, tmp_path, Recorder(2))
    recorder = Recorder()
    train(small_config({"runtime.channels_last": False}), assets, tmp_path, recorder)
    third, expected = recorder.reports[1], whole["plain"].recorder.reports[2]
    assert third.epoch == expected.epoch == 3
    # One epoch after the change: rounding, which ReLUs amplify, against moments in the wrong places.
    for name in ("d_loss", "g_loss", "grad_norm_d", "grad_norm_g"):
        assert third.metrics[name] == pytest.approx(expected.metrics[name], rel=0.01)
    assert third.measurement is not None and expected.measurement is not None
    assert third.measurement.fid == pytest.approx(expected.measurement.fid, rel=0.01)


# The report of the epoch that a run goes on from


class KilledReport(Recorder):
    """Loses the report of one epoch, and the run with it."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def __call__(self, report: EpochReport) -> Decision:
        if report.epoch == self.epoch:
            raise ConnectionError("the process died")
        return super().__call__(report)


@pytest.mark.parametrize("lost", [2, 4, 6])
def test_the_curve_has_no_gap_where_a_report_was_lost(
    assets: Assets, tmp_path: Path, whole: dict[str, Run], lost: int
) -> None:
    before, after = KilledReport(lost), Recorder()
    with pytest.raises(ConnectionError):
        train(small_config(), assets, tmp_path, before)
    assert load(tmp_path / "latest.pt")["progress"]["epoch"] == lost
    outcome = train(small_config(), assets, tmp_path, after)
    assert outcome == whole["plain"].outcome
    assert [report.epoch for report in before.reports + after.reports] == [1, 2, 3, 4, 5, 6]
    assert curve(before.reports + after.reports) == curve(whole["plain"].recorder.reports)
    assert after.reports[0].checkpoint == lost and after.reports[0].measurement is not None


@pytest.mark.parametrize(("epoch", "end"), [(2, RunEnd.STOPPED), (6, RunEnd.COMPLETED)])
def test_the_answer_to_a_repeated_report_holds(assets: Assets, tmp_path: Path, epoch: int, end: RunEnd) -> None:
    """To stop is to stop, but a run whose last epoch is trained is complete."""
    with pytest.raises(ConnectionError):
        train(small_config(), assets, tmp_path, KilledReport(epoch))
    recorder = Recorder(epoch)
    outcome = train(small_config(), assets, tmp_path, recorder)
    assert (outcome.end, outcome.epochs) == (end, epoch)
    assert [report.epoch for report in recorder.reports] == [epoch]


def test_reports_name_the_newest_checkpoint(assets: Assets, tmp_path: Path) -> None:
    recorder = Recorder(4)
    config = small_config({"schedule.checkpoint_every": 2, "schedule.window_first": 6, "fid.every": 100})
    train(config, assets, tmp_path, recorder, times=still_times())
    recorder.stop_at = ()
    train(config, assets, tmp_path, recorder, times=still_times())
    expected = [(1, 1), (2, 2), (3, 2), (4, 4), (4, 4), (5, 5), (6, 6)]  # each run's first epoch has one
    assert [(report.epoch, report.checkpoint) for report in recorder.reports] == expected
    for report in recorder.reports[:3]:
        assert ("checkpoint_seconds" in report.metrics) == (report.checkpoint == report.epoch)
        assert EpochReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_a_checkpoint_of_a_version_without_reports(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    train(small_config(), assets, tmp_path, Recorder(2), times=still_times())
    content = load(tmp_path / "latest.pt")
    del content["report"]
    torch.save(content, tmp_path / "latest.pt")
    recorder = Recorder()
    outcome = train(small_config(), assets, tmp_path, recorder)
    assert [report.epoch for report in recorder.reports] == [3, 4, 5, 6]
    check_same(tmp_path, recorder, outcome, whole["plain"])
