"""Objectives: a value that is measured, by default FID, and optionally a cost of the trial or another measured value.

FID, costs and KID are minimised, the others maximised: precision, recall, density, coverage, the Inception score. The
first decides on a trial's best epoch, on its rungs and on the winner; rules go by FID whatever it is.
"""

from collections.abc import Callable, Mapping, Sequence

from orchestrator.space.sections import SAMPLERS
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name
from trainers.metric_names import FID, KID, lower_better, maximised, measurable, value_of

DEVICE_SECONDS = "device_seconds"  # of a trial: wall seconds x ranks x GPUs per rank (1 on CPUs)


def generator_parameters(config: TrainConfig) -> float:
    """Number of weights of the generator (both generators of a translator), counted without allocating them."""
    import torch

    from trainers.families import find_family

    with torch.device("meta"):
        generator, _ = find_family(config).build_pair(config)
    return sum(weights.numel() for weights in generator.parameters())


# The costs that a trial's config alone says, before it trains.
COUNTED: dict[str, Callable[[TrainConfig], float]] = {"generator_parameters": generator_parameters}
COSTS = (DEVICE_SECONDS, *COUNTED)


def check_objectives(names: Sequence[str], sampler: str) -> None:
    """Check that `names` is a measured value alone, or with one more and a sampler that supports two objectives.

    Raises:
        UserError: it is not.
    """
    first, known = measurable(), [*measurable(), *COSTS]
    for name in names:
        if name not in known:
            raise unknown_name("objective", name, known)
    if not names or names[0] not in first or len(names) > 2 or len(set(names)) < len(names):
        raise UserError(
            f"objectives: must be one of {', '.join(first)}, and at most one more of these or of {', '.join(COSTS)}; "
            f"got [{', '.join(names)}]"
        )
    if len(names) > 1 and not SAMPLERS[sampler].several_objectives:
        able = ", ".join(name for name, kind in SAMPLERS.items() if kind.several_objectives)
        raise UserError(f"objectives: sampler {sampler} supports one objective; for two give --sampler one of {able}")


def counted(names: Sequence[str], config: TrainConfig) -> dict[str, float]:
    """Of the objectives `names`, those that a trial's config alone says. It takes a tenth of a second, or more."""
    return {name: COUNTED[name](config) for name in names if name in COUNTED}


def measured_costs(names: Sequence[str], beside: Mapping[str, float]) -> dict[str, float]:
    """Of the objectives `names`, those that are measured and are in `beside`, by short name."""
    found = {name: value_of(beside, name) for name in names if name in measurable()}
    return {name: value for name, value in found.items() if value is not None}


def called(name: str) -> str:
    """An objective for people: ``FID``, ``recall``, ``device seconds``."""
    return {FID: "FID", KID: "KID"}.get(name, name.replace("_", " "))


def best_text(name: str, how: str = "") -> str:
    """What is best of an objective: ``lowest FID``, ``highest recall``, with `how` ``lowest confirmed FID``."""
    return f"{'highest' if maximised(name) else 'lowest'} {how}{called(name)}"


def number_text(value: float, form: str = ".2f") -> str:
    """A value of an objective: as `form` where it is 1 or more, as FIDs are, else with three digits that count."""
    return format(value, form) if abs(value) >= 1 else f"{value:.3g}"


def spread_text(mean: float, spread: float | None, form: str = ".2f") -> str:
    """``64.1 ± 0.4``, ``0.0121 ± 0.0004``: a mean and its deviation, which None leaves out."""
    if spread is None:
        return number_text(mean, form)
    return f"{number_text(mean, form)} ± {format(spread, form if abs(mean) >= 1 else '.1g')}"


def latents_text(count: int) -> str:
    """``3 sets of fresh latents``: what a checkpoint is measured again on; nothing of it is a training seed."""
    return f"{count} set{'' if count == 1 else 's'} of fresh latents"


def training_seeds_text(count: int) -> str:
    """``3 training seeds``: what a setting is trained again with."""
    return f"{count} training seed{'' if count == 1 else 's'}"


def lower_is_better(values: Mapping[str, float]) -> tuple[float, ...]:
    """Values of objectives, by name, with the signs of those turned that are maximised."""
    return tuple(lower_better(name, value) for name, value in values.items())
