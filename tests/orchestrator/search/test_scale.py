"""Thousands of SIMULATED trials through the real searcher, schedulers and rules."""

import math
import random
from collections import Counter, deque
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from orchestrator.pruning import build_rules
from orchestrator.results.verdict import StopReason
from orchestrator.search.proposal import Proposal
from orchestrator.search.samplers import build_sampler
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.trial_states import FEASIBLE, HEALTHY
from orchestrator.space.load import build_space
from orchestrator.space.sections import SCHEDULERS
from orchestrator.space.space import Space
from tests.orchestrator.search.simulated import METRIC, Curve, Field
from trainers.run_report import RunEnd

EPOCHS, EVERY, WINDOW, GRACE = 24, 2, 16, 4


def space_with(scheduler: str, sampler: str = "random") -> Space:
    return build_space(
        "simulated",
        {
            "base": {"schedule": {"epochs": EPOCHS, "window_first": WINDOW}, "fid": {"every": EVERY}},
            "search": {
                "optimizer.lr_g": {"float": [1e-5, 1e-1], "log": True},
                "optimizer.lr_d": {"float": [1e-5, 1e-1], "log": True},
                "noise.instance_sigma": {"float": [0.0, 0.2]},
            },
            "scheduler": {"name": scheduler, "grace_epochs": GRACE, "reduction_factor": 3},
            "sampler": {"name": sampler},
        },
    )


def curve(params: dict[str, Any]) -> Curve:
    """The nearer both rates are to 1e-3 the better; a rate of D above 1e-2 explodes, one of G makes NaN."""
    rng = random.Random(repr(sorted(params.items())))
    away = math.log10(params["optimizer.lr_g"] / 1e-3) ** 2 + math.log10(params["optimizer.lr_d"] / 1e-3) ** 2
    floor = 20 + 30 * away
    fids: list[float | None] = [
        (floor + 200 * math.exp(-epoch / 6)) * math.exp(rng.gauss(0, 0.02)) if epoch % EVERY == 0 else None
        for epoch in range(1, EPOCHS + 1)
    ]
    if params["optimizer.lr_d"] > 1e-2:
        return Curve(fids, rng.randint(1, EPOCHS), "grad_explosion")
    if params["optimizer.lr_g"] > 1e-2:
        return Curve(fids, rng.randint(1, EPOCHS), "nonfinite")
    return Curve(fids)


def simulate(trials: int, gangs: int, scheduler: str, sampler: str = "random", seed: int = 0) -> tuple[Field, Any]:
    space = space_with(scheduler, sampler)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=build_sampler(space.sampler, seed))
    queue: deque[Proposal] = deque()
    searcher = OptunaSearcher(study, space, METRIC, queue.append)
    rules, tune_scheduler = build_rules(space.pruning), build_scheduler(space)
    field = Field(searcher, tune_scheduler, rules, queue, gangs=gangs, curve=curve, window_first=WINDOW, seed=seed)
    field.run(trials)
    return field, study


def check(field: Field, study: optuna.Study, trials: int, *, violations: bool) -> None:
    """What must hold however many trials there were."""
    lives = field.lives
    assert len(lives) == trials
    assert len({repr(sorted(life.params.items())) for life in lives.values()}) == trials, "no setting twice"
    told = study.get_trials(deepcopy=False)
    assert [f"{trial.number:04d}" for trial in told] == sorted(lives, key=int)
    assert not [trial for trial in told if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    for trial in told:
        life = lives[f"{trial.number:04d}"]
        assert trial.params == life.params
        fails_at = life.curve.fails_at
        assert fails_at is None or life.epoch <= fails_at, "ended within one report"
        if life.epoch == fails_at:
            assert life.verdict == life.curve.failure
        elif life.epoch == EPOCHS:
            assert life.verdict == RunEnd.COMPLETED
        else:
            assert life.verdict == StopReason.OUTRANKED or life.verdict in ("fid_diverged", "fid_plateau")
        if life.verdict == StopReason.OUTRANKED:
            assert life.epoch >= GRACE
            assert life.epoch % EVERY == 0
        if life.verdict == RunEnd.COMPLETED or (life.verdict != StopReason.OUTRANKED and life.objective is not None):
            assert (trial.state, trial.value) == (TrialState.COMPLETE, life.objective)
        elif life.verdict in ("nonfinite", "grad_explosion"):
            assert trial.state is (TrialState.PRUNED if violations else TrialState.FAIL)
        else:
            assert trial.state is TrialState.PRUNED
        if life.verdict == StopReason.OUTRANKED:
            assert trial.intermediate_values == life.shown


def test_ten_thousand_trials_on_256_gangs() -> None:
    field, study = simulate(10_000, 256, "asha")
    assert field.busiest == 256
    check(field, study, 10_000, violations=False)
    verdicts = Counter(life.verdict for life in field.lives.values())
    assert {"completed", "outranked", "nonfinite", "grad_explosion"} <= set(verdicts)
    finished = [life for life in field.lives.values() if life.objective is not None]
    best = min(finished, key=lambda life: life.objective or math.inf)
    assert study.best_value == best.objective
    assert len(finished) < 10_000 / 3, "ASHA leaves few to the window"
    assert best.objective is not None and best.objective < 30


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@settings(max_examples=8, deadline=None)
@given(trials=st.integers(1, 120), gangs=st.integers(1, 40), seed=st.integers(0, 1000))
def test_any_number_of_trials_on_any_number_of_gangs(scheduler: str, trials: int, gangs: int, seed: int) -> None:
    field, study = simulate(trials, gangs, scheduler, seed=seed)
    check(field, study, trials, violations=False)
    assert field.busiest == min(trials, gangs)
    if scheduler == "none":
        assert all(life.verdict != StopReason.OUTRANKED for life in field.lives.values())


def test_tpe_learns_to_stay_away_from_what_fails() -> None:
    """A quarter and more of all settings fails; violated constraints let TPE avoid them."""
    field, study = simulate(120, 4, "asha", "tpe")
    check(field, study, 120, violations=True)
    failed = [life.curve.fails_at is not None for life in field.lives.values()]
    assert sum(failed[-60:]) < sum(failed[:30]), "fewer in the last sixty than in the first thirty"
    feasible = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    assert all(trial.constraints[HEALTHY] == FEASIBLE for trial in feasible)
