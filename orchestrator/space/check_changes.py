"""Checks of settings that change within a training."""

from orchestrator.space.sections import PBT
from orchestrator.space.space import Space, config_names
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_key
from trainers.may_change import may_change


def check_changes(space: Space) -> None:
    """Check that the changes of a space come one after another, and that each makes a valid config.

    Raises:
        UserError: one does not.
    """
    if space.changes and space.scheduler.name == PBT:
        raise UserError("changes: scheduler pbt finds its own")
    config, before, known = space.base, 1, config_names(space.base)
    for change in space.changes:
        where = f"changes from epoch {change.first}"
        if change.first <= before:
            raise UserError(f"{where}: must come after epoch {before}: write them in the order of epochs")
        if change.first > config.schedule.epochs:
            raise UserError(f"{where}: a trial has {config.schedule.epochs} epochs (schedule.epochs)")
        for name, value in change.values.items():
            if name not in known:
                raise unknown_key(f"key in {where}", name, known)
            if name in space.search:
                raise UserError(f"{where}: {name} is searched; a trial has one value of it, or its changes")
            if isinstance(value, bool) or not isinstance(value, int | float) or not may_change(name):
                raise UserError(
                    f"{where}: {name} cannot become {value!r} within a training: numbers of optimizer, loss, noise, "
                    "regularizer, regime, cycle and of the augmentation in data can"
                )
        try:
            config = TrainConfig.build(config.model_dump(), change.values)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        before = change.first
