"""The schedule that population-based training has found: which settings the winner's weights had, and when."""

import logging
from typing import Any, NamedTuple

from orchestrator.results.exploits import params_now
from orchestrator.results.places import SCHEDULE_FILE
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.space.sections import PBT
from orchestrator.space.yaml_text import dump_yaml
from trainers.atomic import write_text
from trainers.errors import first_line

log = logging.getLogger(__name__)

HEAD = "# Settings that population-based training found, by the epoch from which they hold. To train them anew:\n"


class Span(NamedTuple):
    """Epochs in which the weights of a checkpoint had one setting.

    Attributes:
        first: its first epoch, from 1.
        params: all searched values.
        trial: whose weights they were; the next span's may be a copy.
    """

    first: int
    params: dict[str, Any]
    trial: TrialRecord


def lineage_of(state: SweepState, trial: TrialRecord) -> list[Span]:
    """What a trial's best checkpoint was trained with, and as which trials, from epoch 1 on.

    It goes back through the trials whose copies there were. What a trial became after its best epoch is no part of it.
    """
    found: list[Span] = []
    current, until = trial, trial.best_epoch or trial.epochs
    while True:
        before = [one for one in current.exploits if one.epoch < until]
        params = params_now(current.params, before)
        if not before:
            return [Span(1, params, current), *reversed(found)]
        found.append(Span(before[-1].epoch + 1, params, current))
        current, until = state.trials[before[-1].source], before[-1].epoch


def schedule_of(state: SweepState, trial: TrialRecord | None = None) -> dict[str, Any] | None:
    """The contents of ``schedule.yaml``; None where there is no winner yet, or no population.

    Args:
        state: of the sweep.
        trial: whose schedule; None: the winner's.
    """
    best = trial or best_trial(state.by_number())
    if state.plan.scheduler != PBT or best is None:
        return None
    settings, before = [], dict[str, Any]()
    for first, params, _ in lineage_of(state, best):
        changed = {name: value for name, value in params.items() if name not in before or before[name] != value}
        if changed or first == 1:
            settings.append({"from": first, "set": changed})
        before = params
    base = state.plan.definition["base"]
    return {
        "sweep": state.plan.sweep,
        "space": state.plan.space,
        "trial": best.trial_id,
        "objective": best.objective,
        "settings": settings,
        "base": base,
    }


def write_schedule(store: ResultsStore, state: SweepState) -> None:
    """Write ``schedule.yaml`` where a population has a winner; where that fails, the log says why."""
    if (found := schedule_of(state)) is None:
        return
    place = store.directory / SCHEDULE_FILE
    command = f"#   gan-sweep launch --schedule {SCHEDULE_FILE} --space space.yaml --data DIR\n"
    try:
        write_text(place, HEAD + command + dump_yaml(found))
    except OSError as error:
        log.warning("%s is not written: %s", place, first_line(error))
