"""Samplers that know constraints are told which finished trials keep them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from orchestrator.display.search_text import sampler_hints
from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.studies import read_study
from orchestrator.search.trial_states import HEALTHY
from orchestrator.space.sections import SAMPLERS
from tests.orchestrator.search.test_searcher import METRIC, Sweep, space_with
from tests.orchestrator.sweep_helpers import result

RECALL = "recall_test_n2_k5"
ABLE = [name for name, kind in SAMPLERS.items() if kind.constraints]


def sweep_with(folder: Path, sampler: str, search: dict[str, Any] | None = None, **more: Any) -> Sweep:
    given = {"constraints": {"recall": ">= 0.3"}, "sampler": {"name": sampler}, **more}
    return Sweep(folder / "j", space_with(search, **given) if search else space_with(**given))


def measured(sweep: Sweep, trial: str, epoch: int, fid: float, recall: float | None) -> None:
    report = result(epoch, fid)
    assert report.measurement is not None
    beside = {} if recall is None else {RECALL: recall}
    report = replace(report, measurement=replace(report.measurement, beside=beside))
    sweep.searcher.on_trial_result(trial, report.to_tune(METRIC))


def end(sweep: Sweep, trial: str, objective: float, best_epoch: int) -> None:
    outcome = TrialOutcome(verdict="completed", epochs=8, objective=objective, best_epoch=best_epoch)
    sweep.searcher.on_trial_complete(trial, result(8, outcome=outcome).to_tune(METRIC))


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_the_value_at_the_best_epoch_counts(tmp_path: Path, sampler: str) -> None:
    sweep = sweep_with(tmp_path, sampler)
    for recalls in ((0.5, 0.1), (0.1, 0.5), (0.5, None)):
        trial = sweep.suggest()
        for epoch, fid, recall in zip((4, 8), (70.0, 60.0), recalls, strict=True):
            measured(sweep, trial, epoch, fid, recall)
        end(sweep, trial, 60.0, 8)
    told = [{name: value for name, value in one.constraints.items() if name != HEALTHY} for one in sweep.trials()]
    broken, kept, unknown = ({"recall": pytest.approx(value)} for value in (0.2, -0.2, 1.0))
    assert told == ([broken, kept, unknown] if sampler in ABLE else [{}] * 3)


@pytest.mark.parametrize("sampler", ABLE)
def test_fid_counts_where_it_is_not_the_objective(tmp_path: Path, sampler: str) -> None:
    sweep = sweep_with(tmp_path, sampler, constraints={"fid": "<= 65"}, objectives=["kid"])
    for fids in ((60.0, 70.0), (70.0, 60.0)):
        trial = sweep.suggest()
        for epoch, fid, kid in zip((4, 8), fids, (0.3, 0.2), strict=True):
            one = result(epoch, fid).measurement
            assert one is not None
            one = replace(one, name=METRIC, objective="kid", beside={"kid_test_n2": kid})
            sweep.searcher.on_trial_result(trial, replace(result(epoch, fid), measurement=one).to_tune(METRIC))
        end(sweep, trial, 0.2, 8)
    assert [one.constraints["fid"] for one in sweep.trials()] == [pytest.approx(5), pytest.approx(-5)]


def test_they_learn_from_it(tmp_path: Path) -> None:
    """The lowest FID lies where recall is too low; the search stays away from there."""
    given = {"constraints": {"recall": ">= 0.3"}, "sampler": {"name": "tpe", "random_fraction": 0}, "trials": 60}
    sweep = Sweep(tmp_path / "j", space_with({"optimizer.beta1": {"float": [0.0, 0.9]}}, **given))
    for _ in range(60):
        trial = sweep.suggest()
        beta = float(sweep.params[-1]["optimizer.beta1"])
        measured(sweep, trial, 8, 90 - 50 * beta, 0.2 if beta > 0.5 else 0.4)
        end(sweep, trial, 90 - 50 * beta, 8)
    late = [float(params["optimizer.beta1"]) for params in sweep.params[30:]]
    assert sum(beta > 0.5 for beta in late) < len(late) / 2
    assert max(beta for beta in late if beta <= 0.5) > 0.45, "near the bound, where FID is lowest"


def test_a_sampler_that_is_not_told_is_named() -> None:
    spaces = {name: space_with(constraints={"recall": ">= 0.3"}, sampler={"name": name}) for name in SAMPLERS}
    hints = {name: " ".join(sampler_hints(space)) for name, space in spaces.items()}
    said = "does not learn from constraints: the winner keeps them all the same; tpe, gp, nsga2 do"
    assert {name for name, hint in hints.items() if said in hint} == set(SAMPLERS) - set(ABLE)


def test_the_second_objective_is_the_value_at_the_best_epoch(tmp_path: Path) -> None:
    space = space_with(objectives=["fid", "recall"], sampler={"name": "nsga2"})
    assert space.base.fid.metrics == ("prdc",)
    sweep = Sweep(tmp_path / "j", space)
    for recall in (0.5, None):
        trial = sweep.suggest()
        measured(sweep, trial, 4, 70.0, 0.9)
        measured(sweep, trial, 8, 60.0, recall)
        end(sweep, trial, 60.0, 8)
    study = read_study(sweep.storage, "s")
    assert study.directions == [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    assert [(one.state, one.values) for one in study.trials] == [
        (TrialState.COMPLETE, [60.0, 0.5]),
        (TrialState.FAIL, None),  # nobody knows it
    ]
