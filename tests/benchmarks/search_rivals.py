"""What people use by hand instead of gan-sweep, for `bench_search`: Optuna's loop, and Ray Tune with its searcher.

They get the same trainings (`trainers.loop`), search space, first setting, and FIDs at the same epochs on the same
numbers of fakes, and every default of their own. A trial without a FID to compare counts as `WORST`.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from orchestrator.space.space import Space
from tests.benchmarks.search_curves import Step
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.loop import train
from trainers.run_report import Decision, EpochReport

WORST = 1e6
Enough = Callable[[list[Step]], bool]  # whether a search may end after these steps
Told = Callable[[int, float], bool]  # takes an epoch and its FID; returns whether the trial is pruned


def random_search(space: Space, data: Path, cache: Path, seed: int, trials: int) -> list[Step]:
    """All trials to their end, one after the other."""
    return _search(
        space, data, cache, seed, optuna.samplers.RandomSampler(seed=seed), None, lambda steps: False, trials
    )


def optuna_median(space: Space, data: Path, cache: Path, seed: int, enough: Enough) -> list[Step]:
    """Optuna's TPE and its median pruner."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    return _search(space, data, cache, seed, sampler, optuna.pruners.MedianPruner(), enough)


def optuna_hyperband(space: Space, data: Path, cache: Path, seed: int, enough: Enough) -> list[Step]:
    """Optuna's TPE and its Hyperband pruner."""
    sampler, longest = optuna.samplers.TPESampler(seed=seed), space.base.schedule.epochs
    return _search(space, data, cache, seed, sampler, optuna.pruners.HyperbandPruner(1, longest), enough)


def ray_asha(space: Space, data: Path, cache: Path, seed: int, enough: Enough) -> list[Step]:
    """Ray Tune's ASHA with its OptunaSearch, a Ray trial per training, on the Ray that is up."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    steps: list[Step] = []

    def trainable(params: dict[str, Any]) -> None:
        waiting: list[Step] = []

        def tell(report: EpochReport) -> Decision:
            waiting.append(step_of(0, report))
            if report.measurement is not None:
                tune.report({"fid": _fid(report), "epoch": report.epoch, "steps": waiting[:]})
                waiting.clear()
            return Decision.CONTINUE

        assets = Assets(data, cache, torch.device("cpu"))
        with tempfile.TemporaryDirectory() as scratch:
            train(_config(space, params, seed), assets, Path(scratch), tell)

    class Watch(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            steps.extend(result["steps"])
            return enough(steps)

        def stop_all(self) -> bool:
            return enough(steps)

    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    first = optuna.trial.FixedTrial(_first(space))
    space.sample(first)
    searcher = OptunaSearch(
        first.distributions,
        metric="fid",
        mode="min",
        seed=seed,
        points_to_evaluate=[_first(space)],
    )
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=tune.search.ConcurrencyLimiter(searcher, 1),
                scheduler=ASHAScheduler(time_attr="epoch", metric="fid", mode="min", max_t=space.base.schedule.epochs),
                num_samples=10_000,
            ),
            run_config=tune.RunConfig(storage_path=scratch, stop=Watch(), verbose=0),
        ).fit()
    return steps


def _search(
    space: Space,
    data: Path,
    cache: Path,
    seed: int,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner | None,
    enough: Enough,
    trials: int = 10_000,
) -> list[Step]:
    """Ask, train, tell, until it is enough."""
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.enqueue_trial(_first(space))
    assets, steps = Assets(data, cache, torch.device("cpu")), list[Step]()
    for _ in range(trials):
        trial = study.ask()
        params, pruned = space.sample(trial), False

        def tell(report: EpochReport, trial: optuna.Trial = trial) -> Decision:
            nonlocal pruned
            steps.append(step_of(trial.number, report))
            if report.measurement is not None and pruner is not None:
                trial.report(_fid(report), report.epoch)
                pruned = trial.should_prune()
            return Decision.STOP if pruned or enough(steps) else Decision.CONTINUE

        before = len(steps)
        with tempfile.TemporaryDirectory() as scratch:
            train(_config(space, params, seed), assets, Path(scratch), tell)
        objective = steps[-1].objective if len(steps) > before else None
        if pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, WORST if objective is None else objective)
        if enough(steps):
            break
    return steps


def _first(space: Space) -> dict[str, Any]:
    """What all ways try first: the space's own settings."""
    return dict(space.known_points()[0])


def _config(space: Space, params: dict[str, Any], seed: int) -> TrainConfig:
    return TrainConfig.build(space.resolve(params).model_dump(), {"seed": seed})


def _fid(report: EpochReport) -> float:
    """Of fakes that hardly vary, or are not finite, the worst."""
    measured = report.measurement
    return WORST if measured is None or measured.collapsed or measured.fid != measured.fid else measured.fid


def step_of(trial: int, report: EpochReport) -> Step:
    """An epoch of ours or theirs."""
    measured = report.measurement
    return Step(
        trial=trial,
        images=report.images_seen // report.epoch,  # every epoch has as many
        fakes=0 if measured is None else measured.n_fake or 0,
        seconds=report.ended - report.started,
        fid_seconds=0.0 if measured is None else measured.seconds,
        objective=report.objective,
    )
