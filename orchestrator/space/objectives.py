"""Objectives: FID and, optionally, a cost of the trial. All are minimised; FID is always the first."""

from collections.abc import Callable, Sequence

from orchestrator.space.sections import SAMPLERS
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name

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
    """Check that `names` is FID alone, or FID and one cost with a sampler that supports two objectives.

    Raises:
        UserError: it is not.
    """
    for name in names:
        if name != FID and name not in COSTS:
            raise unknown_name("objective", name, [FID, *COSTS])
    if not names or names[0] != FID or len(names) > 2 or len(set(names)) < len(names):
        raise UserError(f"objectives: must be [fid], or fid and one of {', '.join(COSTS)}; got [{', '.join(names)}]")
    if len(names) > 1 and not SAMPLERS[sampler].several_objectives:
        able = ", ".join(name for name, kind in SAMPLERS.items() if kind.several_objectives)
        raise UserError(f"objectives: sampler {sampler} supports one objective; for two give --sampler one of {able}")


def costs(names: Sequence[str], config: TrainConfig, device_seconds: float) -> dict[str, float]:
    """A trial's values of the objectives besides FID."""
    return {name: COSTS[name](config, device_seconds) for name in names if name != FID}
