"""A resumed run equals an uninterrupted one to the last bit."""

import multiprocessing
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import STEPS, Recorder, differing, load, small_config, timeless, train_until_killed
from trainers.assets import Assets
from trainers.loop import train
from trainers.run_report import RunEnd, RunOutcome

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
    "os.link best": (0, 0),
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
        assert differing(load(folder / name), load(whole.folder / name)) == []
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


@pytest.mark.parametrize("moment", ["generator", *KILLED_AT])
def test_killed(
    assets: Assets, photos: Path, cache_dir: Path, tmp_path: Path, whole: dict[str, Run], moment: str
) -> None:
    """SIGKILL in the middle of epoch 5, at each step of replacing a checkpoint, and before ``best.pt`` follows."""
    plain = whole["plain"]
    improvements = len({report.objective for report in plain.recorder.reports} - {None})
    # The last improvement, because a later one would repair what the kill may have broken.
    count = {"generator": 4 * STEPS + 2, "os.link best": improvements}.get(moment) or KILLED_AT[moment][0]
    context = multiprocessing.get_context("forkserver")
    child = context.Process(target=train_until_killed, args=({}, (photos, cache_dir, tmp_path), moment, count))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    left = load(tmp_path / "latest.pt")["progress"]["epoch"]  # whole, whenever the kill came
    assert left == {"generator": 4, "os.link best": plain.outcome.best_epoch}.get(moment, 2)
    if moment != "os.link best":
        before = load(tmp_path / "previous.pt")["progress"]["epoch"]
        assert before == {"generator": 3, **{name: epoch for name, (_, epoch) in KILLED_AT.items()}}[moment]
    recorder = Recorder()
    outcome = train(small_config(), assets, tmp_path, recorder)
    assert recorder.reports[0].epoch == left + 1
    check_same(tmp_path, recorder, outcome, plain)


def test_a_finished_run_is_not_trained_again(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    (tmp_path / "latest.pt").write_bytes((whole["plain"].folder / "latest.pt").read_bytes())
    recorder = Recorder()
    assert train(small_config(), assets, tmp_path, recorder) == whole["plain"].outcome
    assert recorder.reports == []


def test_memory_order_may_change(assets: Assets, tmp_path: Path, whole: dict[str, Run]) -> None:
    """`runtime.*` changes rounding only. Adam's moments must follow their parameters into the other memory order."""
    train(small_config(), assets, tmp_path, Recorder(2))
    recorder = Recorder()
    train(small_config({"runtime.channels_last": False}), assets, tmp_path, recorder)
    third, expected = recorder.reports[0], whole["plain"].recorder.reports[2]
    # One epoch after the change: rounding, which ReLUs amplify, against moments in the wrong places.
    for name in ("d_loss", "g_loss", "grad_norm_d", "grad_norm_g"):
        assert third.metrics[name] == pytest.approx(expected.metrics[name], rel=0.01)
    assert third.measurement is not None and expected.measurement is not None
    assert third.measurement.fid == pytest.approx(expected.measurement.fid, rel=0.01)
