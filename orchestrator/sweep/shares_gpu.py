"""Lets the ranks that share a GPU use it at the same time, where the node allows it."""

import logging
from pathlib import Path

from ray.train.v2._internal.execution.callback import WorkerCallback

from orchestrator.sweep.mps import use_mps

log = logging.getLogger(__name__)


class SharesGpu(WorkerCallback):
    """Makes every rank a client of CUDA MPS; see `orchestrator.sweep.mps`.

    Args:
        sweep: its directory.
    """

    def __init__(self, sweep: Path) -> None:
        self._sweep = sweep

    def after_init_train_context(self) -> None:
        """Called by Ray Train in every rank's main thread, before the rank touches CUDA."""
        if said := use_mps(self._sweep):
            log.warning(said)
