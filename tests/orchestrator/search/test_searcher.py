"""The searcher reports every trial to Optuna as it was, in real journals and databases."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers._tpe.sampler import _split_trials
from optuna.trial import TrialState
from ray import cloudpickle
from ray.tune.search import Searcher

from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.proposal import Proposal
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import STORAGES, count_asked, open_study, read_study, resolve_storage
from orchestrator.search.trial_states import HEALTHY
from orchestrator.space.load import build_space, load_space
from orchestrator.space.space import Space
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.run_report import RunEnd

METRIC = "fid_test_n2"
SEARCH = {"optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True}, "data.fit": {"choice": ["pad", "stretch"]}}
BASE = {"optimizer.lr_g": 8e-4, "data.fit": "pad"}


def space_with(search: dict[str, Any] = SEARCH, **rest: Any) -> Space:
    return build_space("x", {"base": {}, "search": search, **rest})


class Sweep:
    """A searcher over a study, and what it has submitted."""

    def __init__(self, storage: Path | str, space: Space, seed: int = 0, **options: Any) -> None:
        self.storage, self.space, self.asked = str(storage), space, 0
        self.submitted: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []
        study = open_study(self.storage, "s", space, metric=METRIC, seed=seed)
        self.searcher = OptunaSearcher(study, space, METRIC, self.submit, say=self.said.append, **options)

    def submit(self, proposal: Proposal) -> None:
        self.submitted[proposal.name] = proposal.params

    def suggest(self) -> str:
        """The name of the next trial, which is also its Tune id."""
        self.asked += 1
        config = self.searcher.suggest(f"tune-{self.asked}")
        return f"tune-{self.asked}" if config != Searcher.FINISHED else Searcher.FINISHED

    def end(
        self, trial_id: str, verdict: str, objective: float | None = None, epoch: int = 8, seconds: float = 0.0
    ) -> None:
        outcome = TrialOutcome(verdict=verdict, epochs=epoch, objective=objective)
        result = result_of(epoch, objective, outcome=outcome, seconds=seconds)
        self.searcher.on_trial_complete(trial_id, result.to_tune(METRIC))

    @property
    def params(self) -> list[dict[str, Any]]:
        return list(self.submitted.values())

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """The trials as another process would read them."""
        return read_study(self.storage, "s").trials


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return resolve_storage(request.param, tmp_path)


def test_every_end_has_its_state(storage: str) -> None:
    sweep = Sweep(storage, space_with(), config={"broker": "b"})
    names = ("done", "cut", "nan", "cut short", "trainable", "lost", "peaked", "open")
    configs = {name: sweep.searcher.suggest(name) for name in names}
    assert configs["cut"] == {"trial_id": "0001", "broker": "b"}
    assert list(sweep.submitted) == [f"{n:04d}" for n in range(len(names))]
    for name in ("done", "nan"):
        sweep.searcher.on_trial_result(name, result_of(4, 80.0).to_tune(METRIC))
    sweep.end("done", "completed", 65.0)
    sweep.searcher.on_trial_complete("cut", result_of(4, 80.0).to_tune(METRIC))  # Tune tells only here where it was cut
    sweep.end("nan", RunEnd.NONFINITE.value, epoch=75)
    sweep.end("cut short", "interrupted", epoch=0)  # a later driver goes on with it
    sweep.searcher.on_trial_complete("trainable", None, error=True)
    sweep.end("lost", "lost")
    sweep.end("peaked", "d_collapse", 70.0)
    assert sweep.trials()[-1].state is TrialState.RUNNING

    done, cut, nan, *failed, peaked, still_open = sweep.trials()
    assert (done.state, done.value) == (TrialState.COMPLETE, 65.0)
    assert (peaked.state, peaked.value) == (TrialState.COMPLETE, 70.0)
    assert (cut.state, cut.intermediate_values) == (TrialState.PRUNED, {4: 80.0})
    assert nan.intermediate_values == {4: 80.0}  # the last result invents no measurement
    assert (nan.state, nan.constraints) == (TrialState.PRUNED, {HEALTHY: 0.9})  # 675 of 750 epochs are missing
    assert all(trial.constraints[HEALTHY] < 0 for trial in (done, peaked, cut))
    assert [trial.state for trial in failed] == [TrialState.RUNNING, TrialState.FAIL, TrialState.FAIL]
    assert still_open.state is TrialState.RUNNING
    assert not any(trial.constraints for trial in (*failed, still_open))


def test_whom_tune_has_ended_is_stopped_once(tmp_path: Path) -> None:
    stopped: list[tuple[str, str]] = []
    sweep = Sweep(tmp_path / "j", space_with(), stop=lambda name, why: stopped.append((name, str(why))))
    cut, failed = sweep.suggest(), sweep.suggest()
    for _ in range(2):
        sweep.searcher.on_trial_complete(failed, None, error=True)
        sweep.searcher.on_trial_complete(cut, result_of(4, 80.0).to_tune(METRIC))
    assert stopped == [("0001", "error"), ("0000", "outranked")]
    assert [trial.state for trial in sweep.trials()] == [TrialState.PRUNED, TrialState.FAIL], "and Optuna knew it first"


@pytest.mark.parametrize("name", ["cmaes", "nsga2", "random", "qmc"])
def test_samplers_that_learn_nothing_from_violations_are_told_fail(tmp_path: Path, name: str) -> None:
    sweep = Sweep(tmp_path / "j", space_with(sampler={"name": name}))
    first, second = sweep.suggest(), sweep.suggest()
    sweep.end(first, "nonfinite")
    sweep.end(second, "completed", 50.0)
    failed, done = sweep.trials()
    assert (failed.state, failed.constraints) == (TrialState.FAIL, {})
    assert (done.state, done.constraints) == (TrialState.COMPLETE, {})


def test_a_repeated_measurement_is_ignored(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """A gang that died goes on from its last checkpoint and reports some epochs twice."""
    sweep = Sweep(tmp_path / "j", space_with())
    trial_id = sweep.suggest()
    for epoch, fid in ((4, 80.0), (8, 70.0), (4, 81.0), (8, 71.0), (12, 60.0)):
        sweep.searcher.on_trial_result(trial_id, result_of(epoch, fid).to_tune(METRIC))
    assert sweep.trials()[0].intermediate_values == {4: 80.0, 8: 70.0, 12: 60.0}
    assert not recwarn.list


def test_tpe_keeps_away_from_settings_that_failed(tmp_path: Path) -> None:
    """FID does not depend on the setting, so only the violations can drive it.

    With FAIL instead, TPE seeks failures: it ignores those trials, so it knows no bad trial there. With these numbers
    30 of the last 30 would fail.
    """
    space = space_with({"optimizer.beta1": {"float": [0.0, 0.9]}}, trials=40)
    sweep = Sweep(tmp_path / "j", space)
    for number in range(80):
        trial_id = sweep.suggest()
        if sweep.params[-1]["optimizer.beta1"] > 0.45:
            sweep.end(trial_id, "nonfinite", epoch=3)
        else:
            sweep.end(trial_id, "completed", 50.0 + number % 7)
    bad = [params["optimizer.beta1"] > 0.45 for params in sweep.params]
    assert sum(bad[:15]) >= 4  # it starts at random
    assert sum(bad[50:]) <= 6

    study = read_study(sweep.storage, "s")
    below, above = _split_trials(study, study.get_trials(deepcopy=False), 30)
    failed = {trial.number for trial in study.trials if trial.params["optimizer.beta1"] > 0.45}
    assert failed and failed <= {trial.number for trial in above}
    assert not failed & {trial.number for trial in below}


# Points, and opening again


def test_known_points_come_first_and_never_twice(storage: str) -> None:
    point = {"data.fit": "stretch"}
    space = space_with(points=[point, point])
    first = Sweep(storage, space)
    first.suggest()
    assert [trial.state for trial in first.trials()] == [TrialState.RUNNING, TrialState.WAITING]
    # Its driver dies here, before its log knows of the first one.
    again = Sweep(storage, space)
    for _ in range(5):
        again.end(again.suggest(), "completed", 50.0)
    assert again.params[:2] == [*first.params, {**BASE, **point}] == [BASE, {**BASE, **point}]
    assert list(again.submitted) == [f"{n:04d}" for n in range(5)]
    assert len({tuple(params.items()) for params in again.params}) == 5
    third = Sweep(storage, space)
    assert all(trial.state.is_finished() for trial in third.trials())
    assert count_asked(read_study(storage, "s")) == 5
    third.suggest()
    assert third.params[0] not in again.params


def test_the_grey_of_an_untrained_generator_counts_as_worse_than_it_is(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "j", space_with())
    grey = sweep.suggest()
    sweep.searcher.on_trial_result(grey, result_of(2, 1410.0, 0.09).to_tune(METRIC))
    sweep.searcher.on_trial_result(grey, result_of(4, 1300.0, 0.6).to_tune(METRIC))
    sweep.end(grey, "outranked", epoch=4)
    (trial,) = sweep.trials()
    assert (trial.state, trial.intermediate_values) == (TrialState.PRUNED, {2: 2350.0, 4: 1300.0})


def test_a_dead_process_leaves_no_zombie(storage: str, tmp_path: Path) -> None:
    """Another process asks for two trials and exits; its log does not know them, so they are proposed again."""
    driver = f"""
import os
from tests.orchestrator.search.test_searcher import Sweep, space_with
from tests.orchestrator.sweep_helpers import result as result_of
sweep = Sweep({storage!r}, space_with())
sweep.suggest()
trial_id = sweep.suggest()
sweep.searcher.on_trial_result(trial_id, result_of(4, 80.0).to_tune("fid_test_n2"))
os._exit(9)
"""
    ended = subprocess.run([sys.executable, "-c", driver], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == 9
    assert [trial.state for trial in read_study(storage, "s").trials] == [TrialState.RUNNING] * 2
    sweep = Sweep(storage, space_with())
    for _ in range(3):
        sweep.end(sweep.suggest(), "completed", 50.0)
    assert list(sweep.submitted) == ["0000", "0001", "0002"]
    assert sweep.params[0] == BASE
    assert [trial.state for trial in sweep.trials()] == [TrialState.COMPLETE] * 3
    assert sweep.trials()[1].intermediate_values == {4: 80.0}


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_a_study_opened_again_draws_other_settings(tmp_path: Path, sampler: str) -> None:
    space, seen = space_with(sampler={"name": sampler}), []
    for _ in range(3):
        sweep = Sweep(tmp_path / "j", space)
        for _ in range(4):
            sweep.end(sweep.suggest(), "completed", 50.0)
        seen += sweep.params
    assert len({params["optimizer.lr_g"] for params in seen}) == 12
    other = Sweep(tmp_path / "other", space)
    for _ in range(4):
        other.end(other.suggest(), "completed", 50.0)
    assert other.params == seen[:4]  # the seed alone decides


HALFLIFE = {"regime.ema_halflife_images": {"choice": [None, 10000]}}
WITH_NULL = {
    **HALFLIFE,
    "regime.ema_rampup": {"float": [0.01, 0.1], "when": {"regime.ema_halflife_images": 10000}},
    "regime.g_steps": {"int": [1, 2], "when": {"regime.ema_halflife_images": None}},
}


@pytest.mark.parametrize(
    ("sampler", "kind"), [("tpe", "sqlite"), *((name, "journal") for name in ("tpe", "gp", "qmc", "cmaes", "nsga2"))]
)
def test_null_is_a_choice(sampler: str, kind: str, tmp_path: Path) -> None:
    """It comes from the base, from a point and from the sampler, and is read back from the storage as null."""
    base, point = {"regime": {"ema_halflife_images": None}}, {"regime.ema_halflife_images": 10000}
    startup = {"startup": 4} if sampler in ("tpe", "gp") else {}
    options = {"name": sampler, **startup}
    space = build_space("x", {"base": base, "search": WITH_NULL, "points": [point], "sampler": options})
    sweep = Sweep(resolve_storage(kind, tmp_path), space)
    for number in range(10):
        sweep.end(sweep.suggest(), "completed", 50.0 - number)
    first, second = sweep.params[:2]
    assert first == {"regime.ema_halflife_images": None, "regime.g_steps": 1}
    assert second == {**point, "regime.ema_rampup": 0.05}
    assert {params["regime.ema_halflife_images"] for params in sweep.params[2:]} == {None, 10000}
    for params in sweep.params:
        missing = params["regime.ema_halflife_images"] is None
        assert ("regime.g_steps" in params) == missing and ("regime.ema_rampup" in params) != missing
        assert space.resolve(params).regime.ema_halflife_images == params["regime.ema_halflife_images"]
    assert [trial.params for trial in sweep.trials() if not trial.user_attrs] == sweep.params
    again = Sweep(sweep.storage, space)
    assert all(trial.state.is_finished() for trial in again.trials())  # no point waits a second time


# Spaces that come to an end


FINITE = {
    **HALFLIFE,
    "regime.name": {"choice": ["classic", "monitored"]},
    "data.fit": {"choice": ["pad", "stretch"], "when": {"regime.name": "classic"}},
    "regime.g_steps": {"int": [1, 3]},
}


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2", "gp", "cmaes"])
def test_a_finite_space_is_tried_once_and_then_finished(tmp_path: Path, sampler: str) -> None:
    base = {"regime": {"ema_halflife_images": None}}
    space = build_space("x", {"base": base, "search": FINITE, "sampler": {"name": sampler}})
    sweep = Sweep(tmp_path / "j", space)
    while (trial_id := sweep.suggest()) != Searcher.FINISHED:
        sweep.end(trial_id, "completed", 50.0)
        assert sweep.asked < 40
    assert len(sweep.params) == len({frozenset(params.items()) for params in sweep.params}) == 2 * (2 * 3 + 3)
    assert sweep.said == ["every setting of this space has been tried"]
    assert count_asked(read_study(sweep.storage, "s")) == 18
    assert not [trial for trial in sweep.trials() if not trial.state.is_finished()]
    assert Sweep(tmp_path / "j", space).suggest() == Searcher.FINISHED


def test_a_nested_space_is_asked_only_what_exists(tmp_path: Path) -> None:
    """Past the sampler's random start too, where it models each group of keys on its own; a new study reads it back."""
    space = load_space("losses_and_regimes")
    sweep = Sweep(tmp_path / "j", space)
    for number in range(24):
        sweep.end(sweep.suggest(), "completed", 50.0 + number % 7)
    trials = sweep.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 24
    assert [trial.params for trial in trials[:3]] == space.known_points()
    for trial in trials:
        assert trial.params.keys() == {name for name in space.search if space.is_active(name, trial.params)}
    assert len({frozenset(trial.params) for trial in trials}) > 4


# Two objectives


def test_two_objectives_have_two_values_and_fids_as_attributes(storage: str) -> None:
    space = space_with(objectives=["fid", "device_seconds"], sampler={"name": "nsga2"})
    sweep = Sweep(storage, space, devices=4.0)
    done, cut, failed = sweep.suggest(), sweep.suggest(), sweep.suggest()
    for trial_id in (done, cut):
        sweep.searcher.on_trial_result(trial_id, result_of(4, 80.0).to_tune(METRIC))
    sweep.end(done, "completed", 65.0, seconds=10.0)
    sweep.searcher.on_trial_complete(cut, result_of(8, 79.0).to_tune(METRIC))
    sweep.end(failed, "nonfinite")
    study = read_study(storage, "s")
    assert study.metric_names == [METRIC, "device_seconds"]
    first, second, third = study.trials
    assert (first.state, first.values) == (TrialState.COMPLETE, [65.0, 40.0])
    assert (second.state, second.user_attrs) == (TrialState.PRUNED, {f"{METRIC}@4": 80.0, f"{METRIC}@8": 79.0})
    assert third.state is TrialState.FAIL
    assert [trial.number for trial in study.best_trials] == [0]


def test_the_generators_size_is_an_objective(tmp_path: Path) -> None:
    search = {"network.base_width": {"choice": [8, 16, 32]}}
    sweep = Sweep(tmp_path / "j", space_with(search, objectives=["fid", "generator_parameters"]))
    for _ in range(3):
        sweep.end(sweep.suggest(), "completed", 50.0)
    sizes = {trial.params["network.base_width"]: trial.values[1] for trial in sweep.trials() if trial.values}
    assert 0 < sizes[8] < sizes[16] < sizes[32]


def test_tune_gets_no_copy_of_the_study(tmp_path: Path) -> None:
    """It pickles its config into the sweep's directory; a database's URL may hold a password."""
    sweep = Sweep(tmp_path / "secret.journal", space_with())
    assert b"secret" not in cloudpickle.dumps(sweep.searcher)
