"""Every sampler over plain, conditional and two-objective spaces, through the searcher and a real journal."""

import logging
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from orchestrator.search.samplers import RANDOM, SeededByTrial, build_sampler, drawn_at_random, left_to_chance
from orchestrator.space.load import build_space, load_space
from orchestrator.space.overrides import apply_settings
from orchestrator.space.sections import SAMPLERS, SamplerConfig
from orchestrator.space.space import Space
from tests.orchestrator.search.test_searcher import METRIC, Sweep
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.errors import UserError

PLAIN = {
    "optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True},
    "data.batch_size": {"int": [16, 64], "step": 16},
    "data.fit": {"choice": ["pad", "stretch"]},
}


# A Gaussian process takes seconds for a proposal on two cores.
QUICK = {"gp": {"startup": 6}}
TRIALS = {name: 10 if name == "gp" else 30 for name in SAMPLERS}


def space_for(name: str, **rest: Any) -> Space:
    return build_space("x", {"base": {}, "search": PLAIN, "sampler": {"name": name, **QUICK.get(name, {})}, **rest})


def run(sweep: Sweep, trials: int) -> None:
    """Run trials of every end, two at a time, as gangs do."""
    asked = [sweep.suggest()]
    for number in range(trials):
        asked.append(sweep.suggest())
        trial_id = asked.pop(0)
        sweep.searcher.on_trial_result(trial_id, result_of(4, 90.0 - number).to_tune(METRIC))
        match number % 5:
            case 3:
                sweep.searcher.on_trial_complete(trial_id, result_of(8, 99.0).to_tune(METRIC))
            case 4:
                sweep.end(trial_id, "nonfinite", epoch=9)
            case _:
                sweep.end(trial_id, "completed", 60.0 + number % 7, seconds=number + 1.0)
    sweep.searcher.on_trial_complete(asked.pop(), error=True)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("nested", [False, True], ids=["plain", "nested"])
def test_every_sampler_searches_without_a_warning(
    name: str, nested: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it cannot model it draws at random; Optuna would warn at every trial, we say it once at the launch."""
    space = space_for(name)
    if nested:
        space = load_space("losses_and_regimes").model_copy(update={"sampler": space.sampler})
    optuna.logging.enable_propagation()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "optuna"):
        warnings.simplefilter("error")
        sweep = Sweep(tmp_path / "j", space)
        run(sweep, TRIALS[name])
    optuna.logging.disable_propagation()
    assert not caplog.records
    trials = sweep.trials()
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert all(space.search[key].contains(value) for trial in trials for key, value in trial.params.items())
    different = len({frozenset(params.items()) for params in sweep.params})
    assert len(sweep.params) == TRIALS[name] + 1
    assert different >= len(sweep.params) - (name == "gp")  # where its model is sure, it may propose the same again


@pytest.mark.parametrize("name", SAMPLERS)
def test_two_objectives_where_the_sampler_can(name: str, tmp_path: Path) -> None:
    two = {"objectives": ["fid", "device_seconds"]}
    if not SAMPLERS[name].several_objectives:
        with pytest.raises(
            UserError, match=f"sampler {name} supports one objective; for two give --sampler one of tpe"
        ):
            space_for(name, **two)
        return
    sweep = Sweep(tmp_path / "j", space_for(name, **two))
    run(sweep, TRIALS[name])
    complete = [trial for trial in sweep.trials() if trial.state is TrialState.COMPLETE]
    assert len(complete) == TRIALS[name] * 3 // 5 and all(len(trial.values) == 2 for trial in complete)


def test_models_find_the_better_half() -> None:
    """A slope in four keys: samplers that learn draw lower values at last than those that do not."""
    keys = ("data.flip_p", "data.rotation_p", "noise.instance_sigma", "loss.real_label")

    def mean_of_last(name: str) -> float:
        space = build_space(
            "x", {"base": {"loss": {"real_label": 0.5}}, "search": {key: {"float": [0, 1]} for key in keys}}
        )
        study = optuna.create_study(sampler=build_sampler(SamplerConfig(name=name, **QUICK.get(name, {})), seed=0))
        for _ in range(15 if name == "gp" else 80):
            trial = study.ask()
            study.tell(trial, sum(float(value) for value in space.sample(trial).values()))
        return sum(float(trial.value or 0) for trial in study.trials[-8:]) / (8 * len(keys))

    for name in ("tpe", "gp", "cmaes", "nsga2"):
        assert mean_of_last(name) < 0.3, name
    for name in ("random", "qmc"):
        assert mean_of_last(name) > 0.4, name


@pytest.mark.parametrize("name", ["tpe", "gp"])
@pytest.mark.parametrize("fraction", [None, 0.5, 0.0])
def test_some_trials_are_drawn_at_random_whatever_the_model_thinks(name: str, fraction: float | None) -> None:
    """They are the same whether low or high values were found to be good, and those of the model are not."""
    keys = ("data.flip_p", "data.rotation_p", "noise.instance_sigma")
    space = build_space("x", {"base": {}, "search": {key: {"float": [0, 1]} for key in keys}})
    config = SamplerConfig(name=name, startup=1, random_fraction=fraction)
    share = RANDOM if fraction is None else fraction

    def drawn(sign: int) -> list[tuple[float, ...]]:
        study = optuna.create_study(sampler=build_sampler(config, seed=1))
        for _ in range(16):
            trial = study.ask()
            study.tell(trial, sign * sum(float(value) for value in space.sample(trial).values()))
        return [tuple(trial.params.values()) for trial in study.trials]

    low, high = drawn(1), drawn(-1)
    same = {number for number in range(5, 16) if low[number] == high[number]}
    at_random = {number for number in range(5, 16) if drawn_at_random(number - 1, 1, share)}  # startup 1
    assert bool(at_random) == bool(share), "of these numbers some are"
    assert same >= at_random and len(same - at_random) <= 1, "a model may come to the same draw of its prior once"
    assert len({low[number] for number in at_random}) == len(at_random), "each has values of its own"


@pytest.mark.parametrize("seed", [0, 1])
def test_as_many_are_drawn_at_random_as_asked_whatever_the_turn(seed: int) -> None:
    for turns in (1, 4, 8):
        for first in range(turns):
            asked = range(first, 2000 * turns, turns)
            share = sum(drawn_at_random(number, seed, 0.125) for number in asked) / 2000
            assert share == pytest.approx(0.125, abs=0.035)  # 4.7 standard deviations


def test_short_searches_have_random_trials_too() -> None:
    for seed in range(50):
        for row in range(20):
            assert sum(drawn_at_random(8 * row + place, seed, 0.125) for place in range(8)) == 1
    assert sum(drawn_at_random(number, 0, 0.3) for number in range(1000)) == 300
    assert not any(drawn_at_random(number, 0, 0.5) for number in range(-9, 0))
    assert not any(drawn_at_random(number, 0, share) for number in range(9) for share in (1e-20, 5e-324))


def inner(config: SamplerConfig, **options: bool) -> Any:
    """Optuna's own sampler."""
    built = build_sampler(config, 0, **options)
    assert isinstance(built, SeededByTrial)
    return built.sampler


def test_a_decision_on_a_trial_stays_when_another_was_asked_for_meanwhile() -> None:
    """What is measured in between changes it for later ones alone."""
    sampler = SeededByTrial(inner(SamplerConfig()), 0, at_random=0.0, until_one_learns=0.999)
    study = optuna.create_study(sampler=sampler)
    space = {"x": FloatDistribution(0, 1)}
    for place in range(12):
        values = {"value": 100.0, "intermediate_values": {1: 100.0}}
        study.add_trial(optuna.create_trial(params={"x": place / 12}, distributions=space, **values))

    def is_random(trial: optuna.Trial) -> bool:
        return sampler.infer_relative_search_space(study, study.get_trials()[trial.number]) == {}

    first = study.ask(space)
    assert is_random(first)
    first.report(50.0, 1)
    sampler.measured = lambda: (first.number,)
    second = study.ask(space)
    assert not is_random(second) and is_random(first)


def test_options_reach_the_sampler() -> None:
    assert inner(SamplerConfig(name="nsga2", population=7)).population_size == 7
    for name in ("tpe", "gp"):
        assert inner(SamplerConfig(name=name, startup=3))._n_startup_trials == 3
    assert inner(SamplerConfig(), conditional=True)._group
    space = apply_settings(space_for("nsga2"), ["sampler.population=6"])
    assert space.sampler == SamplerConfig(name="nsga2", population=6)
    assert apply_settings(space, ["sampler.name=tpe"]).sampler == SamplerConfig()  # it has no population


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sampler.name=tpee"], "sampler.name: unknown sampler 'tpee': did you mean tpe?"),
        (["sampler.population=1"], "sampler.population: must be at least 2, got 1"),
        (["sampler.population=8"], "sampler: sampler tpe has no population; cmaes and nsga2 have"),
        (["sampler.name=qmc", "sampler.random_fraction=0.5"], "sampler qmc has no random_fraction; tpe and gp have"),
        (["sampler.random_fraction=1"], "sampler.random_fraction: must be less than 1, got 1"),
        (["sampler.nam=tpe"], "did you mean sampler.name?"),
        (["scheduler.name=hyperbnd"], "scheduler.name: unknown scheduler 'hyperbnd': did you mean hyperband?"),
    ],
)
def test_a_wrong_sampler_or_scheduler_is_one_clear_line(settings: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        apply_settings(space_for("tpe"), settings)
    assert message in str(caught.value) and "\n" not in str(caught.value)


ONE_FIRST = (
    "must be one of fid, kid, precision, recall, density, coverage, inception_score, "
    "and at most one more of these or of"
)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (["fid", "gpu_seconds"], "did you mean device_seconds?"),
        (["fid", "recal"], "did you mean recall?"),
        (["device_seconds"], f"{ONE_FIRST} device_seconds, generator_parameters; got [device_seconds]"),
        (["device_seconds", "fid"], ONE_FIRST),
        (["fid", "fid"], ONE_FIRST),
        (["fid", "device_seconds", "generator_parameters"], ONE_FIRST),
        ([], ONE_FIRST),
    ],
)
def test_wrong_objectives_are_one_clear_line(objectives: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        space_for("tpe", objectives=objectives)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_a_sampler_leaves_to_chance() -> None:
    search = load_space("losses_and_regimes").search
    conditional = {key for key, domain in search.items() if domain.when}
    assert conditional
    for name in SAMPLERS:
        left = set(left_to_chance(name, search))
        if name in ("tpe", "random"):
            assert not left
        else:
            assert conditional <= left and ("loss.name" in left) == (name == "cmaes")
