"""The space in which finished trials of a sweep go on: each from its best checkpoint, with its own setting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.starting import KEY, PARTS
from orchestrator.space.domains import Value
from orchestrator.space.load import space_as_yaml
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.init_parts import INIT_PARTS


def extended(
    space: Space, settings: Sequence[dict[str, Value]], checkpoints: Sequence[Path], epochs: int
) -> dict[str, Any]:
    """The contents of a space file: one trial per setting, from its checkpoint on, none of them cut or proposed.

    Networks, average and optimisers are the checkpoint's; epochs count from 1 again, and FID counts in all of them.

    Args:
        space: of the sweep.
        settings: searched values of the trials.
        checkpoints: of each of them.
        epochs: how many more.
    """
    whole = {
        PARTS: ",".join(INIT_PARTS),
        "schedule.epochs": epochs,
        "schedule.window_first": 1,
        "fid.at": (),
        "fid.n_fake_first": None,
        **{name: value for change in space.changes for name, value in change.values.items()},  # as they were at last
    }
    configs = [
        TrainConfig.build(space.resolve(params).model_dump(), {**whole, KEY: str(checkpoint.absolute())})
        for params, checkpoint in zip(settings, checkpoints, strict=True)
    ]
    flats = [config.flat() for config in configs]
    differing = [name for name, value in flats[0].items() if any(flat[name] != value for flat in flats)]
    return {
        **space_as_yaml(space),
        "description": f"trials of {space.name} that go on",
        "base": configs[0].model_dump(mode="json"),
        "search": {name: {"choice": list(dict.fromkeys(flat[name] for flat in flats))} for name in differing},
        "points": [{name: flat[name] for name in differing} for flat in flats[1:]],
        "sampler": {"name": "random"},
        "scheduler": {"name": "none"},
        "changes": [],
        "confirm": {**space.confirm.model_dump(mode="json"), "train_seeds": 0},  # all would start from one checkpoint
        "trials": len(flats),
    }
