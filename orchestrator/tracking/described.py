"""What MLflow says of a trial besides its metrics: parameters, tags, the run's name, and a sentence on how it ended."""

import json
import math
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE

from orchestrator.results.records import NOT_COUNTED, TrialRecord
from orchestrator.results.repeats import setting_of
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.verdict import State
from orchestrator.space.objectives import best_text, number_text
from orchestrator.space.space import Space
from trainers.config import TrainConfig

DIGITS = 3  # of what MLflow's table shows, which cuts longer numbers off; the FIDs themselves have all
LOG10 = "log10_"  # MLflow's plots have no logarithmic axis
BEST_GRID = "samples.png"  # all samples of a trial's best epoch, an artifact of its run
TOP = 10  # of the trials that are tagged `top10`


def in_digits(value: float) -> float:
    """A value with `DIGITS` after the point; where it is below 1, as KID and recall are, with one more that counts."""
    return round(value, DIGITS) if abs(value) >= 1 else float(f"{value:.{DIGITS + 1}g}")


def run_name(trial: TrialRecord, plan: SavedPlan) -> str:
    """``0003 · 61.8 · completed · bikes``: the sweep comes last, since MLflow cuts long names off at their end."""
    if trial.verdict is None:
        return f"{trial.trial_id} · {plan.sweep}"
    return " · ".join([trial.trial_id, *_lowest(trial), str(trial.verdict), plan.sweep])


def _lowest(trial: TrialRecord) -> list[str]:
    """Its objective as `gan-sweep results` shows it: with ~ before it where it lies before the window."""
    if trial.objective is not None:
        return [number_text(trial.objective, ".1f")]
    return [f"~{trial.lowest_fid:.1f}"] if trial.stands_for_none else []


def on_log_scale(space: Space) -> list[str]:
    """The keys that are searched on a logarithmic scale."""
    return [name for name, domain in space.search.items() if getattr(domain, "log", False)]


def trial_params(trial: TrialRecord, space: Space, config: TrainConfig | None) -> list[Param]:
    """The searched keys and what differs from the space's base, but for ``fid.at``, which the scheduler decides.

    Args:
        trial: of the sweep.
        space: of the sweep.
        config: of the trial; None where there is none, since its values do not fit together.
    """
    values: dict[str, Any] = dict(trial.params)
    if config is not None:
        base = space.base.flat()
        differing = {name: value for name, value in config.flat().items() if value != base.get(name)}
        values |= {name: value for name, value in differing.items() if name != "fid.at"}
    twins = {f"{LOG10}{name}": math.log10(values[name]) for name in on_log_scale(space) if name in values}
    return [*params_of(values), *(Param(name, f"{value:.3f}") for name, value in twins.items())]


def params_of(values: dict[str, Any]) -> list[Param]:
    """As MLflow keeps them: texts. Six digits are legible in a column; ``config.yaml`` has them all."""
    return [Param(name, f"{value:.6g}" if isinstance(value, float) else str(value)) for name, value in values.items()]


def trial_tags(trial: TrialRecord, plan: SavedPlan, config: TrainConfig | None) -> dict[str, str]:
    """What a trial can be filtered and grouped by."""
    tags = {
        "space": plan.space,
        "sweep": plan.sweep,
        "state": trial.state.value,
        "verdict": str(trial.verdict or "running"),
        "data_fingerprint": plan.fingerprint,
        "code_version": plan.version,
    }
    if trial.is_repeat:
        tags |= {"repeat_of": setting_of(trial.trial_id), "train_seed": str(trial.params.get("seed"))}
    if trial.gang is not None:
        tags["gang"] = str(trial.gang)
    if config is not None:
        tags |= {"family": config.family, "loss": config.loss.name, "regime": config.regime.name}
    return tags


def end_tags(trial: TrialRecord, plan: SavedPlan, grid: str | None) -> list[RunTag]:
    """What is said of a trial at its end.

    Args:
        trial: that has ended.
        plan: of the sweep.
        grid: address of `BEST_GRID` on MLflow's server; None: it has no samples.
    """
    note = sentence(trial) + (f"\n\n![all samples of that epoch]({grid})" if grid else "")
    said = {"state": trial.state.value, "verdict": str(trial.verdict)}
    if trial.detail:
        said["detail"] = trial.detail
    if trial.exploits:  # of whom it became a copy, and at which epoch; the parameters are those of its start
        said["copy_of"] = ", ".join(one.name for one in trial.exploits)
    return tags_of(said | {MLFLOW_RUN_NAME: run_name(trial, plan), MLFLOW_RUN_NOTE: note})


def tags_of(values: dict[str, str]) -> list[RunTag]:
    """As MLflow's client wants them."""
    return [RunTag(name, value) for name, value in values.items()]


def sentence(trial: TrialRecord) -> str:
    """How it ended, and its best epoch, for people."""
    how = {State.PRUNED: "Cut", State.STOPPED: "Cut short by the end of the sweep", State.FAILED: "Failed"}
    text = f"{how.get(trial.state, 'Ended')} after epoch {trial.epochs} of {trial.total_epochs}: {trial.verdict}"
    if trial.detail:
        text += f", {trial.detail.rstrip('.')}"
    if trial.objective is not None:
        best = best_text(trial.measure)
        return f"{text}. {best[0].upper()}{best[1:]} {number_text(trial.objective, '.1f')} at epoch {trial.best_epoch}."
    if trial.lowest_fid is not None:
        return f"{text}. Lowest FID {trial.lowest_fid:.1f}; it {NOT_COUNTED}."
    return f"{text}. No FID was measured."


def dataset_of(plan: SavedPlan) -> DatasetInput:
    """The images, as MLflow's dataset: its digest is the start of their fingerprint."""
    dataset = Dataset(
        name=Path(plan.data).name or plan.data,
        digest=(plan.fingerprint or plan.data)[:MAX_DATASET_DIGEST_SIZE],
        source_type="drawn" if plan.synthetic else "images",
        source=json.dumps({"uri": plan.data}),
        profile=json.dumps({"num_images": plan.n_real}),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, "training")])
