"""The space in which trials of a sweep that have ended go on: each from a checkpoint, with its own setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.plan.starting import KEY, PARTS
from orchestrator.space.domains import Value
from orchestrator.space.load import space_as_yaml
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.init_parts import INIT_PARTS


@dataclass(frozen=True, kw_only=True)
class GoesOn:
    """A trial that goes on.

    Attributes:
        params: its searched values.
        checkpoint: where from.
        done: epochs that the checkpoint has.
        epochs: how many more.
    """

    params: dict[str, Value]
    checkpoint: Path
    done: int
    epochs: int

    @property
    def last(self) -> int:
        """Its last epoch."""
        return self.done + self.epochs


def extended(space: Space, trials: Sequence[GoesOn]) -> dict[str, Any]:
    """The contents of a space file: one trial for each of `trials`, none of them cut or proposed.

    Networks, average, optimisers, regime and the number of the epoch are the checkpoint's. FID counts in the
    sweep's window, and where not all trials get there, in all epochs that follow.

    Args:
        space: of the sweep.
        trials: those that go on.

    Raises:
        UserError: settings that change at an epoch (`launch --schedule`) have changed for some of them alone.
    """
    behind = [change for change in space.changes if change.first <= max(trial.done for trial in trials) + 1]
    if any(change.first > trial.done + 1 for change in behind for trial in trials):
        raise UserError(
            f"settings change at epoch {behind[-1].first}, and not all of these trials have got there: extend them in "
            "two sweeps"
        )
    changed = {name: value for change in behind for name, value in change.values.items()}
    own = [TrainConfig.build(space.resolve(trial.params).model_dump(), changed) for trial in trials]
    reached = max(config.schedule.window_first for config in own) <= min(trial.last for trial in trials)
    configs = [_going_on(config, trial, reached) for config, trial in zip(own, trials, strict=True)]
    flats = [config.flat() for config in configs]
    differing = [name for name, value in flats[0].items() if any(flat[name] != value for flat in flats)]
    definition = space_as_yaml(space)
    return {
        **definition,
        "description": f"trials of {space.name} that go on",
        "base": configs[0].model_dump(mode="json"),
        "search": {name: {"choice": list(dict.fromkeys(flat[name] for flat in flats))} for name in differing},
        "points": [{name: flat[name] for name in differing} for flat in flats[1:]],
        "sampler": {"name": "random"},
        "scheduler": {"name": "none"},
        "changes": definition["changes"][len(behind) :],
        "confirm": {**space.confirm.model_dump(mode="json"), "train_seeds": 0},  # all would start from one checkpoint
        "trials": len(flats),
    }


def _going_on(config: TrainConfig, trial: GoesOn, window_reached: bool) -> TrainConfig:
    changes = {
        KEY: str(trial.checkpoint.absolute()),
        PARTS: ",".join(INIT_PARTS),
        "schedule.epochs": trial.last,
        "fid.at": (),
        "fid.n_fake_first": None,
    }
    return TrainConfig.build(
        config.model_dump(), changes if window_reached else {**changes, "schedule.window_first": 1}
    )
