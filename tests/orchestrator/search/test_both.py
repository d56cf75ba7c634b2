"""What samplers learn of two objectives from trials that were cut, or wait at rungs."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from orchestrator.results.verdict import TrialOutcome
from orchestrator.search import propose as proposing
from orchestrator.search.both import SO_FAR, with_both
from orchestrator.search.studies import DUPLICATE
from orchestrator.search.trial_states import HEALTHY
from orchestrator.space import objectives
from tests.orchestrator.search.test_searcher import METRIC, Sweep, space_with
from tests.orchestrator.sweep_helpers import result

SPACE = {"x": FloatDistribution(0.0, 1.0)}
EPOCHS = 8
OTHERS = ("noise.instance_sigma", "data.flip_p", "data.rotation_p")  # they change nothing
NO_CHANCE = {"flip_p": 0.0, "rotation_p": 0.0}


def study_of(*directions: str) -> Study:
    return optuna.create_study(directions=directions or ("minimize", "minimize"))


def add(study: Study, *, so_far: list[float] | None = None, **end: Any) -> int:
    attributes = {} if so_far is None else {SO_FAR: so_far}
    study.add_trial(create_trial(params={"x": 0.5}, distributions=SPACE, user_attrs=attributes, **end))
    return len(study.trials) - 1


def cut(study: Study, epoch: int, first: float, second: float, **more: Any) -> int:
    return add(study, so_far=[epoch, first, second], state=TrialState.PRUNED, **more)


def seen(study: Study, measured: set[int] | None = None, **how: Any) -> dict[int, list[float]]:
    view: list[FrozenTrial] = with_both(study, measured or set(), **how)._get_trials(
        deepcopy=False, states=(TrialState.COMPLETE,)
    )
    return {trial.number: trial.values for trial in view}


def test_a_cut_trial_ranks_behind_finished_ones_and_has_the_cost_of_its_whole_training() -> None:
    study = study_of()
    best, worse = add(study, values=[40.0, 80.0]), add(study, values=[90.0, 60.0])
    far, near = cut(study, 4, 70.0, 30.0), cut(study, 2, 20.0, 90.0)
    study.enqueue_trial({"x": 0.1})
    rung = study.ask(SPACE)
    rung.set_user_attr(SO_FAR, [2, 50.0, 10.0])
    never, equal = add(study, state=TrialState.PRUNED), cut(study, 2, 20.0, 50.0)
    found = seen(study, {rung.number})
    assert found[equal][0] == found[near][0], "neither seems to beat the other"
    assert [found.pop(equal)[1], never in found] == [50.0, False]
    assert sorted(found, key=lambda number: found[number][0]) == [best, worse, far, near, rung.number]
    assert {number: values[1] for number, values in found.items()} == {0: 80.0, 1: 60.0, 2: 30.0, 3: 90.0, 4: 10.0}
    assert study.trials[rung.number].state is TrialState.RUNNING, "only the sampler sees it otherwise"
    assert seen(study).keys() == {best, worse, far, near, equal}, "one that runs is not known before it waits"


def test_a_measured_second_objective_is_a_rank_too() -> None:
    study = study_of("maximize", "maximize")
    high, low = add(study, values=[0.9, 0.2]), add(study, values=[0.8, 0.3])
    early = cut(study, 2, 1.0, 1.0)
    found = seen(study, costs=False)
    assert sorted(found, key=lambda number: -found[number][0]) == [high, low, early]
    assert sorted(found, key=lambda number: -found[number][1]) == [low, high, early]


def test_one_that_a_rule_ended_is_the_worst_for_a_sampler_without_constraints() -> None:
    study = study_of()
    add(study, values=[40.0, 80.0])
    cut(study, 2, 70.0, 60.0)
    failed = add(study, state=TrialState.PRUNED, constraints={HEALTHY: 0.9})
    assert failed not in seen(study)
    found = seen(study, constraints=False)
    assert found[failed] == [max(first for first, _ in found.values()), 80.0]


def test_where_all_are_complete_their_values_count() -> None:
    study = study_of()
    add(study, values=[1.0, 2.0])
    assert with_both(study) is study


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2"])
def test_proposals_move_to_the_cheap_half_though_most_trials_were_cut(tmp_path: Path, sampler: str) -> None:
    """At equal FID one half of a range is twice as dear. All trials but the first are cut at their first rung."""
    trials = 60
    space = space_with(
        {"optimizer.beta1": {"float": [0.0, 0.9]}, **{name: {"float": [0.0, 0.9]} for name in OTHERS}},
        objectives=["fid", "device_seconds"],
        sampler={"name": sampler},
        trials=trials,
        base={"schedule": {"epochs": EPOCHS, "window_first": EPOCHS}, "optimizer": {"beta1": 0.4}, "data": NO_CHANCE},
    )
    sweep = Sweep(tmp_path / "j", space)
    for number in range(trials):
        trial = sweep.suggest()
        each = 2.0 if float(sweep.params[-1]["optimizer.beta1"]) > 0.45 else 1.0
        measured = result(2, 60.0, seconds=2 * each).to_tune(METRIC)
        if number:
            sweep.searcher.on_trial_complete(trial, measured)
            continue
        sweep.searcher.on_trial_result(trial, measured)
        outcome = TrialOutcome(verdict="completed", epochs=EPOCHS, objective=50.0, best_epoch=EPOCHS)
        end = result(EPOCHS, 50.0, outcome=outcome, seconds=EPOCHS * each).to_tune(METRIC)
        sweep.searcher.on_trial_complete(trial, end)
    told = [one for one in sweep.trials() if DUPLICATE not in one.user_attrs]
    assert sum(one.state is TrialState.PRUNED for one in told) == trials - 1
    assert {tuple(one.user_attrs[SO_FAR])[2] for one in told} == {8.0, 16.0}, "of the whole training"
    late = [float(params["optimizer.beta1"]) for params in sweep.params[-24:]]
    assert sum(beta <= 0.45 for beta in late) >= 18, late


def test_parameters_are_counted_once_per_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    count = objectives.COUNTED["generator_parameters"]

    def counting(config: Any) -> float:
        counts.append(1)
        return count(config)

    monkeypatch.setitem(objectives.COUNTED, "generator_parameters", counting)
    assert proposing.counted is objectives.counted
    sweep = Sweep(tmp_path / "j", space_with(objectives=["fid", "generator_parameters"]))
    trial = sweep.suggest()
    for epoch in (2, 4, 6):
        now = result(epoch, 60.0)
        assert sweep.searcher.second_objective("0", now) == sweep.searcher.second_objective("0", now)
        sweep.searcher.on_trial_result(trial, now.to_tune(METRIC))
    sweep.end(trial, "completed", 50.0)
    assert len(counts) == 1
    assert sweep.trials()[0].values[1] > 1000
