"""Which settings may change within a training, and what a run takes over of another's checkpoint.

Population-based training (Jaderberg et al. 2017, arXiv:1711.09846) lets a run go on with the weights and the settings
of a better one, and its schedules are settings that change at certain epochs.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainers.atomic import replacing
from trainers.checkpoint import (
    LATEST,
    PREVIOUS,
    DamagedCheckpointError,
    Progress,
    also_name,
    load_checkpoint,
    write_checkpoint,
)
from trainers.config import TrainConfig


def rung_file(epoch: int) -> str:
    """The name of the checkpoint that a run keeps of an epoch at which others may take it over."""
    return f"rung_{epoch:04d}.pt"


def keep_rung(run_dir: Path, epoch: int) -> None:
    """Keep ``latest.pt``, which is of `epoch`, under a name that the run's next checkpoints do not replace."""
    also_name(run_dir / LATEST, run_dir / rung_file(epoch))


def inherit(run_dir: Path, source: Path, config: TrainConfig, name: str) -> bool:
    """Make ``latest.pt`` of a run what another checkpoint holds, with settings that this run has from now on.

    Networks, average, moments, counters and the regime are the checkpoint's, rates and decays those of `config`;
    objective and best epoch stay the run's own, whose ``best.pt`` they belong to. Written whole or not at all, and only
    once: nothing happens where the run has taken `name` over before.

    Args:
        run_dir: of the run, which nobody trains at the moment.
        source: the checkpoint, between two epochs; it may be the run's own.
        config: of the run from now on.
        name: what tells this from other such steps of the run.

    Returns:
        Whether anything was written.

    Raises:
        UserError: the checkpoint is missing or damaged.
    """
    own = own_progress(run_dir)
    if own.inherited == name:
        return False
    saved = load_checkpoint(source)
    progress = Progress(**saved["progress"])
    progress.objective, progress.best_epoch, progress.inherited = own.objective, own.best_epoch, name
    content = {
        "config": config.model_dump(),
        "progress": asdict(progress),
        "family": _with_decays(saved["family"], config),
        "report": None,  # of its last epoch: the run has reported its own
        "inside": None,
    }
    run_dir.mkdir(parents=True, exist_ok=True)
    with replacing(run_dir / LATEST, sync=True, shared=True) as part:
        write_checkpoint(part, content)
    (run_dir / PREVIOUS).unlink(missing_ok=True)  # of before
    return True


def own_progress(run_dir: Path) -> Progress:
    """How far a run is by its newest whole checkpoint."""
    for name in (LATEST, PREVIOUS):
        if (run_dir / name).exists():
            try:
                return Progress(**load_checkpoint(run_dir / name)["progress"])
            except DamagedCheckpointError:  # the trainer says so, and goes on from the other
                continue
    return Progress()


def _with_decays(family: dict[str, Any], config: TrainConfig) -> dict[str, Any]:
    """A family's state whose optimisers have the decays of `config`; the rates are set at each epoch's start."""
    found = dict(family)
    for part in ("optimizer_g", "optimizer_d"):
        betas = (config.optimizer.beta1, config.optimizer.beta2)
        groups = [{**one, "betas": betas} if "betas" in one else one for one in found[part]["param_groups"]]
        found[part] = {**found[part], "param_groups": groups}
    return found
