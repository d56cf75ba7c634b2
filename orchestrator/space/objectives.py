"""Objectives: FID, always the first, and optionally a cost of the trial or a value that is measured beside FID.

FID, costs and KID are minimised, the others maximised: precision, recall, density, coverage, the Inception score.
None of these can be the first, since each alone is won by what nobody wants: precision by one good picture.
"""

from collections.abc import Callable, Mapping, Sequence

from orchestrator.space.sections import SAMPLERS
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name
from trainers.metric_names import MINIMISED, all_values, value_of

FID = "fid"

Cost = Callable[[TrainConfig, float], float]


def _device_seconds(config: TrainConfig, device_seconds: float) -> float:
    return device_seconds


def generator_parameters(config: TrainConfig, device_seconds: float = 0) -> float:
    """Number of weights of the generator (both generators of a translator), counted without allocating them."""
    import torch

    from trainers.families import find_family

    with torch.device("meta"):
        generator, _ = find_family(config).build_pair(config)
    return sum(weights.numel() for weights in generator.parameters())


# Each cost is a function of a trial's config and its device seconds: wall seconds x ranks x GPUs per rank (1 on CPUs).
COSTS: dict[str, Cost] = {"device_seconds": _device_seconds, "generator_parameters": generator_parameters}
KNOWN_BEFOREHAND = frozenset({"generator_parameters"})  # costs that depend on the config alone


def check_objectives(names: Sequence[str], sampler: str) -> None:
    """Check that `names` is FID alone, or FID and one more with a sampler that supports two objectives.

    Raises:
        UserError: it is not.
    """
    others = [*COSTS, *all_values()]
    for name in names:
        if name != FID and name not in others:
            raise unknown_name("objective", name, [FID, *others])
    if not names or names[0] != FID or len(names) > 2 or len(set(names)) < len(names):
        raise UserError(f"objectives: must be [fid], or fid and one of {', '.join(others)}; got [{', '.join(names)}]")
    if len(names) > 1 and not SAMPLERS[sampler].several_objectives:
        able = ", ".join(name for name, kind in SAMPLERS.items() if kind.several_objectives)
        raise UserError(f"objectives: sampler {sampler} supports one objective; for two give --sampler one of {able}")


def costs(
    names: Sequence[str], config: TrainConfig, device_seconds: float, beside: Mapping[str, float] | None = None
) -> dict[str, float]:
    """A trial's values of the objectives besides FID; what was not measured is left out.

    Args:
        names: of the objectives.
        config: of the trial.
        device_seconds: that it took.
        beside: what was measured beside FID at its best epoch, by protocol.
    """
    return {name: COSTS[name](config, device_seconds) for name in names if name in COSTS} | measured_costs(
        names, beside or {}
    )


def measured_costs(names: Sequence[str], beside: Mapping[str, float]) -> dict[str, float]:
    """Of the objectives `names`, those that are measured beside FID and are in `beside`, by short name."""
    found = {name: value_of(beside, name) for name in names if name in all_values()}
    return {name: value for name, value in found.items() if value is not None}


def maximised(name: str) -> bool:
    """Whether more of an objective is better."""
    return name in all_values() and name not in MINIMISED


def lower_is_better(values: Mapping[str, float]) -> tuple[float, ...]:
    """Values of objectives, by name, with the signs of those turned that are maximised."""
    return tuple(-value if maximised(name) else value for name, value in values.items())
