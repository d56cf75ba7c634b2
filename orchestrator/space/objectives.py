"""Objectives: FID, and what a trial may cost besides. All are minimised; the first is always FID."""

from collections.abc import Callable, Sequence

from orchestrator.space.sections import SAMPLERS
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name

FID = "fid"

Cost = Callable[[TrainConfig, float], float]


def _device_seconds(config: TrainConfig, device_seconds: float) -> float:
    return device_seconds


def generator_parameters(config: TrainConfig, device_seconds: float = 0) -> float:
    """Weights of the generator, or of both: what `config` would build, without building it."""
    import torch

    from trainers.families import find_family

    with torch.device("meta"):
        generator, _ = find_family(config).build_pair(config)
    return sum(weights.numel() for weights in generator.parameters())


# From a trial's config and its device seconds: wall seconds x ranks x the GPUs of a rank (1 where it has none).
COSTS: dict[str, Cost] = {"device_seconds": _device_seconds, "generator_parameters": generator_parameters}
KNOWN_BEFOREHAND = frozenset({"generator_parameters"})  # costs that the config alone decides


def check_objectives(names: Sequence[str], sampler: str) -> None:
    """FID alone, or FID and one cost that the sampler can search for.

    Raises:
        UserError: anything else.
    """
    for name in names:
        if name != FID and name not in COSTS:
            raise unknown_name("objective", name, [FID, *COSTS])
    if not names or names[0] != FID or len(names) > 2 or len(set(names)) < len(names):
        raise UserError(f"objectives: must be [fid], or fid and one of {', '.join(COSTS)}; got [{', '.join(names)}]")
    if len(names) > 1 and not SAMPLERS[sampler].several_objectives:
        able = ", ".join(name for name, kind in SAMPLERS.items() if kind.several_objectives)
        raise UserError(f"objectives: sampler {sampler} searches for one alone; for two give --sampler one of {able}")


def costs(names: Sequence[str], config: TrainConfig, device_seconds: float) -> dict[str, float]:
    """A trial's values of the objectives besides FID."""
    return {name: COSTS[name](config, device_seconds) for name in names if name != FID}
