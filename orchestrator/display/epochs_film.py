"""The sample grids of a trial, one after another, with the epoch and its FID below each."""

import numpy as np
from PIL import Image

from orchestrator.results.sample_grids import find_grids
from orchestrator.results.store import ResultsStore
from trainers.errors import UserError
from trainers.inference import with_text
from trainers.inference.image_files import Pixels


def epoch_frames(store: ResultsStore, trial_id: str) -> list[Pixels]:
    """The grids in ``samples/`` in order, ``[H, W, 3]`` each.

    Raises:
        UserError: the trial has none.
    """
    if not (grids := find_grids(store.trials_dir / trial_id)):
        raise UserError(f"trial {trial_id} of {store.directory.name} has no sample grids so far")
    fids = {report.epoch: report.measurement.fid for report in store.read_history(trial_id) if report.measurement}
    frames = []
    for epoch, path in grids.items():
        text = f"epoch {epoch}" + (f"    FID {fids[epoch]:.1f}" if epoch in fids else "")
        with Image.open(path) as grid:
            frames.append(np.asarray(with_text(grid, text)))
    return frames
