"""Measures what a trial takes of a GPU, in a process of its own: the driver never holds a CUDA context.

On this machine that is a child of the driver; on a cluster it is a child of a task on a machine with room for a rank.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import trainers
from trainers.config import TrainConfig
from trainers.dry_step import Measured
from trainers.errors import UserError, first_line
from trainers.masking import masked

_COMMAND = (sys.executable, "-P", "-m", "trainers.dry_step")
LIMIT_S = 600.0  # it imports torch, and cuDNN tries its algorithms


def measure_here(config: TrainConfig, images: int, device: str = "cuda") -> Measured:
    """Take the dry step on this machine.

    Args:
        config: the costliest of the sweep.
        images: bytes of the decoded images.
        device: where; a CPU in tests.

    Raises:
        UserError: not one trial fits, or the step failed; one line.
    """
    asked = json.dumps({"config": config.model_dump(mode="json"), "device": device, "images": images})
    path = os.pathsep.join([str(Path(trainers.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(":")])
    try:
        done = subprocess.run(
            _COMMAND,
            input=asked,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"--trials-per-gpu: the dry step gave no answer within {LIMIT_S:.0f} s") from None
    if done.returncode:
        said = masked((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
        raise UserError(f"--trials-per-gpu: {'' if done.returncode == 2 else 'the dry step failed: '}{said}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def measure_there(config: TrainConfig, images: int, needed: dict[str, float]) -> Measured:
    """Take it on the first machine of the connected cluster that has room; waits for one. Errors as `measure_here`.

    Args:
        config: the costliest of the sweep.
        images: bytes of the decoded images.
        needed: resources of a rank that has a GPU for itself.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    from orchestrator.sweep.placing import Reservation

    device = "cuda" if needed.get("GPU") else "cpu"
    with Reservation(needed, 1, lambda: True) as room:
        inside: Any = PlacementGroupSchedulingStrategy(room.group)
        task = ray.remote(max_calls=1, max_retries=0)(_answer)
        asked = task.options(
            scheduling_strategy=inside, num_cpus=needed.get("CPU", 0), num_gpus=needed.get("GPU", 0)
        ).remote(config.model_dump(mode="json"), images, device)
        try:
            answer: Measured | str = ray.get(asked)
        except RayError as error:
            said = first_line(getattr(error, "cause", None) or error)
            raise UserError(f"--trials-per-gpu: the dry step on the cluster failed: {said}") from error
    if isinstance(answer, str):
        raise UserError(answer)
    return answer


def has_room(needed: dict[str, float]) -> bool:
    """Whether a machine that is up has room for a rank now, so that none has to be started for it."""
    import ray
    from ray._private.state import available_resources_per_node

    nodes = available_resources_per_node().values() if ray.is_initialized() else ()
    return any(all(node.get(name, 0) >= amount for name, amount in needed.items()) for node in nodes)


def _answer(config: dict[str, Any], images: int, device: str) -> Measured | str:
    """Runs on the cluster's machine; a person's mistake comes back as its line."""
    try:
        return measure_here(TrainConfig.model_validate(config), images, device)
    except UserError as error:
        return str(error)
