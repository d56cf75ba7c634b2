"""`gan-sweep extend`: trials that have ended go on; of one that a rule ended see also test_failure_injection."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.plan.extended import GoesOn, extended
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import _overridden
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from tests.orchestrator.results.test_driver_lock import another_driver
from tests.orchestrator.sweep_helpers import begun, ended, keep
from trainers.errors import UserError
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(two_ranks: tuple[ResultsStore, str]) -> ResultsStore:
    return two_ranks[0]


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def going_on(name: str, done: int, epochs: int, **params: Any) -> GoesOn:
    return GoesOn(params=params, checkpoint=Path(name), done=done, epochs=epochs)


def space_of(**sections: Any) -> Space:
    search = {"optimizer.lr_g": {"float": [1e-4, 1e-2]}, "schedule.epochs": {"int": [20, 40]}}
    base = {"schedule": {"epochs": 30, "window_first": 15}, "fid": {"n_fake_first": 500}}
    values = {"base": base, "search": search, "confirm": {"top": 1}, "pruning": False, **sections}
    return build_space("x", values)


FIRST = going_on("a.pt", 18, 7, **{"optimizer.lr_g": 1e-3, "schedule.epochs": 30})
SECOND = going_on("b.pt", 4, 16, **{"optimizer.lr_g": 2e-3, "schedule.epochs": 20})


def test_each_trial_has_its_setting_its_checkpoint_and_its_epochs() -> None:
    found = build_space("y", extended(space_of(), [FIRST, SECOND]))
    configs = [found.resolve(point) for point in found.known_points()]
    assert [config.optimizer.lr_g for config in configs] == [1e-3, 2e-3]
    assert [config.init.checkpoint for config in configs] == [str(Path(name).absolute()) for name in ("a.pt", "b.pt")]
    assert [config.schedule.epochs for config in configs] == [25, 20]
    assert all(config.init.takes("progress") and config.schedule.window_first == 15 for config in configs)
    assert (found.trials, found.scheduler.name, found.confirm.top, found.pruning) == (2, "none", 1, False)
    alone = build_space("z", extended(space_of(), [FIRST]))
    assert (alone.search, alone.base.init.checkpoint) == ({}, str(Path("a.pt").absolute()))


def test_fid_counts_everywhere_where_the_window_is_out_of_reach() -> None:
    found = build_space("y", extended(space_of(), [FIRST, replace(SECOND, epochs=10)]))
    assert [found.resolve(point).schedule.window_first for point in found.known_points()] == [1, 1]


def test_repeats_keep_their_seeds() -> None:
    """As a launch plans it, whose --seed is that of trials where the space does not search it."""
    two = extended(space_of(), [replace(FIRST, params={"seed": 777}), replace(SECOND, params={"seed": 778})])
    found = _overridden(build_space("y", two), LaunchOptions(space="y", seed=two["base"]["seed"]))
    assert [found.resolve(point).seed for point in found.known_points()] == [777, 778]
    one = extended(space_of(), [replace(FIRST, params={"seed": 777})])
    assert _overridden(build_space("z", one), LaunchOptions(space="z", seed=one["base"]["seed"])).base.seed == 777


def test_settings_that_change_at_an_epoch() -> None:
    """Those of changes that lie behind a trial are its own now; later ones are still to come."""
    changes = [{"from": 6, "set": {"optimizer.lr_d": 0.1}}, {"from": 20, "set": {"optimizer.lr_d": 0.2}}]
    space = space_of(changes=changes)
    found = build_space("y", extended(space, [FIRST]))
    assert found.base.optimizer.lr_d == 0.1 and [change.first for change in found.changes] == [20]
    late = build_space("y", extended(space, [replace(FIRST, done=19)]))
    assert late.base.optimizer.lr_d == 0.2 and not late.changes
    with pytest.raises(UserError, match="settings change at epoch 6, and not all of these trials have got there"):
        extended(space, [FIRST, SECOND])


@pytest.mark.parametrize(
    ("scheduler", "parts", "said"),
    [("asha", "generator,discriminator,progress", "progress needs scheduler none"), ("asha", None, "")],
)
def test_a_scheduler_that_compares_first_epochs_is_refused(scheduler: str, parts: str | None, said: str) -> None:
    start = {"init": {"checkpoint": "a.pt", **({} if parts is None else {"parts": parts})}}
    values = {"base": start, "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}, "scheduler": {"name": scheduler}}
    if not said:
        assert build_space("x", values).scheduler.name == scheduler
        return
    with pytest.raises(UserError, match=said):
        build_space("x", values)


def test_a_trial_goes_on(store: ResultsStore, tmp_path: Path) -> None:
    winner = next(path for path in sorted(store.trials_dir.glob("*/best.pt")))
    name = winner.parent.name
    more = ("extend", store.directory, "--trials", name, "--epochs", 2, "--sweeps-dir", tmp_path, "--concurrency", 1)
    result = typed(*more, "--name", "more")
    assert result.exit_code == 0, result.output + repr(result.exception)
    after = ResultsStore(tmp_path / "more")
    assert after.standing().status == SweepStatus.FINISHED
    (trial,) = after.read_trials()
    best = next(one.best_epoch for one in store.read_trials() if one.trial_id == name) or 0
    assert (trial.epochs, trial.total_epochs) == (best + 2, best + 2) and trial.objective is not None
    assert [report.epoch for report in after.read_history("0000")] == [best + 1, best + 2]
    config = yaml.safe_load((after.trials_dir / "0000" / "config.yaml").read_text())
    assert config["init"]["checkpoint"] == str(winner)
    refused = typed(*more[:4], "--sweeps-dir", tmp_path, "--name", "again")
    assert (
        refused.exit_code == 2
        and f"goes on from its best epoch, {best}: say with --epochs how many more" in refused.stderr
    )


def test_a_sweep_that_still_runs_is_refused(tmp_path: Path) -> None:
    runs = begun(tmp_path / "s")
    keep(runs, ended("0000", RunEnd.COMPLETED, 40.0))
    (runs.trials_dir / "0000" / "best.pt").touch()
    with another_driver(runs.directory):
        refused = typed("extend", "s", "--epochs", "2", "--sweeps-dir", tmp_path)
    assert refused.exit_code == 2 and "s still runs, and may drop a checkpoint" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_on_other_images_no_trial_goes_on(store: ResultsStore, tmp_path: Path) -> None:
    theirs = Path(store.read_plan().data)
    few, moved, sweeps = tmp_path / "few", tmp_path / "moved", tmp_path / "sweeps"
    shutil.copytree(theirs, moved)
    shutil.copytree(theirs, few)
    for path in [path for path in few.rglob("*") if path.is_file()][::4]:
        path.unlink()
    words = ("extend", store.directory, "--epochs", 2, "--sweeps-dir", sweeps, "--dry-run", "--data")
    refused = typed(*words, few)
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1, refused.stderr
    assert f"the images in {few} are not those of the launch" in refused.stderr and not sweeps.exists()
    assert typed(*words, moved).exit_code == 0, "the same ones, at another place"


@pytest.mark.parametrize(
    ("trials", "said"),
    [("0099", "trial of"), ("best,best", "a trial stands twice"), (",", "give trials with commas")],
)
def test_what_cannot_go_on_is_refused(store: ResultsStore, trials: str, said: str, tmp_path: Path) -> None:
    refused = typed("extend", store.directory, "--trials", trials, "--epochs", "2", "--sweeps-dir", tmp_path)
    assert refused.exit_code == 2 and said in refused.stderr and refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
