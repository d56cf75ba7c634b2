"""What a space must be like for population-based training (scheduler ``pbt``)."""

from orchestrator.space.domains import Choice
from orchestrator.space.sections import PBT
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.may_change import may_change
from trainers.metric_names import FID


def explored(space: Space) -> list[str]:
    """The searched keys whose numbers change within a training: ranges alone, see `trainers.may_change`."""
    return [name for name, domain in space.search.items() if not isinstance(domain, Choice) and may_change(name)]


def check_population(space: Space) -> None:
    """Check that a space can be searched by a population; any other scheduler may have any space.

    Raises:
        UserError: it cannot.
    """
    if space.scheduler.name != PBT:
        return
    if schedule := [name for name in space.search if name.startswith("schedule.")]:
        fixed = f"--set {schedule[0]}={space.base.flat()[schedule[0]]}"
        raise UserError(f"scheduler pbt: its trials train equally long, and {schedule[0]} is searched: fix it: {fixed}")
    if not explored(space):
        named = ", ".join(space.search) or "nothing"
        raise UserError(
            "scheduler pbt: needs a searched range of a number that may change within a training, such as "
            f"optimizer.lr_g or noise.instance_sigma; searched is {named}"
        )
    if space.objectives != (FID,):
        raise UserError(f"scheduler pbt: goes with the objective fid alone, not with {' and '.join(space.objectives)}")
    if space.confirm.train_seeds:
        raise UserError(
            f"scheduler pbt: confirm.train_seeds {space.confirm.train_seeds}: a setting that changes is not trained "
            "again; launch --schedule trains its schedule with another --seed"
        )
    longest = space.base.schedule.epochs
    if space.scheduler.apart >= longest:
        raise UserError(
            f"scheduler pbt: compares trials every {space.scheduler.apart} epochs, and they train {longest}: "
            "lower scheduler.every_epochs"
        )


def check_size(space: Space) -> None:
    """Check that there is somebody to learn from.

    Raises:
        UserError: the population is a single trial.
    """
    if space.scheduler.name == PBT and space.trials < 2:
        raise UserError(f"scheduler pbt: the trials are its population, which needs 2 at least, got {space.trials}")
