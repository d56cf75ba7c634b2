"""The searcher tells Optuna the truth about every trial, in a real journal."""

from pathlib import Path

import optuna
import pytest
import ray
from optuna.trial import TrialState

from orchestrator.broker import Lease, start_broker
from orchestrator.search import OptunaSearcher, open_study
from orchestrator.space import Space, build_space, load_space
from trainers.report import Verdict

METRIC = "fid_test_n2"


@pytest.fixture
def space() -> Space:
    search = {"optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True}, "data.fit": {"choice": ["pad", "stretch"]}}
    return build_space("x", {"base": {}, "search": search})


def reopened(path: Path) -> list[optuna.trial.FrozenTrial]:
    return open_study(path, "s", seed=1).trials


def test_every_end_has_its_state(tmp_path: Path, space: Space, ray_instance: None) -> None:
    journal = tmp_path / "study.journal"
    broker = start_broker(METRIC)
    searcher = OptunaSearcher(open_study(journal, "s", seed=0), space, METRIC, broker)
    configs = {name: searcher.suggest(name) for name in ("done", "cut", "nan", "unmeasured", "relay", "open")}
    assert [config["trial_id"] for config in configs.values()] == [f"{n:04d}" for n in range(6)]
    for name in ("done", "nan"):
        searcher.on_trial_result(name, {METRIC: 80.0, "epoch": 4})
    searcher.on_trial_complete("done", {METRIC: 70.0, "epoch": 8, "verdict": "completed", "objective": 65.0})
    searcher.on_trial_complete("cut", {METRIC: 80.0, "epoch": 4})  # the rung that it was cut at comes only here
    last = {METRIC: 1e6, "epoch": 5, "verdict": Verdict.NONFINITE.value, "objective": None}
    searcher.on_trial_complete("nan", last)
    searcher.on_trial_complete("unmeasured", {METRIC: 1e6, "epoch": 0, "verdict": "interrupted", "objective": None})
    searcher.on_trial_complete("relay", None, error=True)
    assert [trial.state for trial in reopened(journal)][-1] is TrialState.RUNNING
    searcher.close()

    trials = reopened(journal)
    states = [TrialState.COMPLETE, TrialState.PRUNED, *[TrialState.FAIL] * 4]
    assert [trial.state for trial in trials] == states
    assert trials[0].value == 65.0
    assert trials[1].intermediate_values == {4: 80.0}
    assert trials[2].intermediate_values == {4: 80.0}  # the last result invents no measurement


def test_base_first_and_never_twice(tmp_path: Path, space: Space, ray_instance: None) -> None:
    journal = tmp_path / "study.journal"
    broker = start_broker(METRIC)
    first = OptunaSearcher(open_study(journal, "s", seed=0), space, METRIC, broker)
    first.suggest("a")
    again = OptunaSearcher(open_study(journal, "s", seed=0), space, METRIC, broker)
    again.suggest("b")
    base = {"optimizer.lr_g": 8e-4, "data.fit": "pad"}
    leases: list[Lease] = [ray.get(broker.lease.remote(gang)) for gang in range(2)]
    assert leases[0] == Lease("0000", base)
    assert leases[1].trial_id == "0001"
    assert leases[1].params != base


def test_a_nested_space_is_asked_only_what_exists(tmp_path: Path, ray_instance: None) -> None:
    """Past the sampler's random start too, where it models each group of keys on its own; a new study reads it back."""
    space, journal = load_space("losses_and_regimes"), tmp_path / "study.journal"
    broker = start_broker(METRIC)
    searcher = OptunaSearcher(open_study(journal, "s", seed=0, conditional=True), space, METRIC, broker)
    for number in range(24):
        searcher.suggest(str(number))
        done = {METRIC: 50.0 + number % 7, "epoch": 4, "verdict": "completed", "objective": 50.0 + number % 7}
        searcher.on_trial_complete(str(number), done)
    trials = reopened(journal)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 24
    assert [trial.params for trial in trials[:3]] == space.known_points()
    for trial in trials:
        assert trial.params.keys() == {name for name in space.search if space.is_active(name, trial.params)}
    assert len({frozenset(trial.params) for trial in trials}) > 4
