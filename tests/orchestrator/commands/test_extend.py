"""`gan-sweep extend`: finished trials go on from their best checkpoints."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.plan.extended import extended
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import build_space

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(two_ranks: tuple[ResultsStore, str]) -> ResultsStore:
    return two_ranks[0]


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_each_trial_has_its_setting_and_its_checkpoint(tmp_path: Path) -> None:
    search = {"optimizer.lr_g": {"float": [1e-4, 1e-2]}, "schedule.epochs": {"int": [20, 40]}}
    base = {"schedule": {"epochs": 30, "window_first": 15}, "fid": {"n_fake_first": 500}}
    space = build_space("x", {"base": base, "search": search, "confirm": {"top": 1}, "pruning": False})
    settings = [{"optimizer.lr_g": 1e-3, "schedule.epochs": 30}, {"optimizer.lr_g": 2e-3, "schedule.epochs": 20}]
    found = build_space("y", extended(space, settings, [tmp_path / "a.pt", tmp_path / "b.pt"], 7))
    configs = [found.resolve(point) for point in found.known_points()]
    assert [config.optimizer.lr_g for config in configs] == [1e-3, 2e-3]
    assert [config.init.checkpoint for config in configs] == [str(tmp_path / "a.pt"), str(tmp_path / "b.pt")]
    assert all(config.init.takes("optimizers") and config.schedule.epochs == 7 for config in configs)
    assert (found.trials, found.scheduler.name, found.confirm.top, found.pruning) == (2, "none", 1, False)
    alone = build_space("z", extended(space, settings[:1], [tmp_path / "a.pt"], 7))
    assert (alone.search, alone.base.init.checkpoint) == ({}, str(tmp_path / "a.pt"))


def test_a_trial_goes_on(store: ResultsStore, tmp_path: Path) -> None:
    winner = next(path for path in sorted(store.trials_dir.glob("*/best.pt")))
    name = winner.parent.name
    more = ("extend", store.directory, "--trials", name, "--epochs", 2, "--sweeps-dir", tmp_path, "--concurrency", 1)
    result = typed(*more, "--name", "more")
    assert result.exit_code == 0, result.output + repr(result.exception)
    after = ResultsStore(tmp_path / "more")
    assert after.standing().status == SweepStatus.FINISHED
    (trial,) = after.read_trials()
    assert trial.epochs == 2 and trial.objective is not None
    config = yaml.safe_load((after.trials_dir / "0000" / "config.yaml").read_text())
    assert config["init"]["checkpoint"] == str(winner)


@pytest.mark.parametrize(
    ("trials", "said"),
    [("0099", "trial of"), ("best,best", "a trial stands twice"), (",", "give trials with commas")],
)
def test_what_cannot_go_on_is_refused(store: ResultsStore, trials: str, said: str, tmp_path: Path) -> None:
    refused = typed("extend", store.directory, "--trials", trials, "--epochs", "2", "--sweeps-dir", tmp_path)
    assert refused.exit_code == 2 and said in refused.stderr and refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
