"""The pictures of trials in MLflow: part of every sample grid, at a trial's end the samples of its best epoch, and of
those that are measured again the real images nearest to their fakes.
"""

import logging
import re
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image

from orchestrator.results.records import TrialRecord
from orchestrator.results.sample_grids import find_grids, find_likenesses
from orchestrator.tracking.described import BEST_GRID
from orchestrator.tracking.pictures import corner, real_above, real_images
from trainers.config import TrainConfig
from trainers.folders import inside

log = logging.getLogger(__name__)

SAMPLES, BEST = "samples", "real_vs_fake"  # keys of MLflow's image grid: by epoch; once, as step 0


def open_grid(directory: Path, trial: str, name: str) -> Image.Image | None:
    """A sample grid of a trial; None for one that was deleted or damaged, for which no server is at fault."""
    file = inside(directory, f"trials/{trial}/{name}")
    try:
        with Image.open(file) as grid:
            grid.load()
            return grid
    except OSError as error:
        log.warning("%s is left out: %s", file, error)
        return None


class TrialPictures:
    """Writes pictures that are not there yet.

    Args:
        directory: of the sweep, with sample grids.
        data: folder of the real images.
    """

    def __init__(self, directory: Path, data: Path) -> None:
        self._directory, self._data = directory, data
        self._there: dict[str, set[tuple[str, int]]] = {}  # by run, key and step of what MLflow has
        self._real: dict[tuple[int, str], list[Image.Image]] = {}  # by size and fit

    def log_grid(
        self, client: MlflowClient, run: str, grid: Image.Image, config: TrainConfig, epoch: int, at: float
    ) -> None:
        """Log part of the grid of an epoch that ended `at`."""
        self._log(client, run, SAMPLES, epoch, at, corner(grid, config.data.image_size))

    def log_best(self, client: MlflowClient, run: str, trial: TrialRecord, config: TrainConfig) -> str | None:
        """Log the grid of a trial's best epoch, or its newest, whole and beside real images.

        Returns:
            The address of the whole grid on MLflow's server; None where there is no grid.
        """
        grids = find_grids(self._directory / "trials" / trial.trial_id)
        if not grids:
            return None
        best = grids.get(trial.best_epoch or 0, list(grids.values())[-1])
        grid = open_grid(self._directory, trial.trial_id, f"samples/{best.name}")
        if grid is None:
            return None
        client.log_image(run, grid, artifact_file=BEST_GRID)
        real = self._real_images(config)
        picture = real_above(grid, real) if real else corner(grid, config.data.image_size)
        self._log(client, run, BEST, 0, trial.ended or trial.started, picture)
        return f"get-artifact?path={BEST_GRID}&run_uuid={run}"

    def log_likenesses(self, client: MlflowClient, run: str, trial: TrialRecord) -> None:
        """Log a trial's fakes beside the real images nearest to them, once; keys as the files are called."""
        for path in find_likenesses(self._directory / "trials" / trial.trial_id):
            picture = open_grid(self._directory, trial.trial_id, f"samples/{path.name}")
            if picture is not None:
                self._log(client, run, path.stem, 0, trial.ended or trial.started, picture)

    def _real_images(self, config: TrainConfig) -> list[Image.Image]:
        shape = config.data.image_size, config.data.fit
        if shape not in self._real:
            self._real[shape] = real_images(self._data, config)
        return self._real[shape]

    def _log(self, client: MlflowClient, run: str, key: str, step: int, at: float, picture: Image.Image) -> None:
        if run not in self._there:
            names = (Path(item.path).name for item in client.list_artifacts(run, "images"))
            found = (re.match(r"(.+?)[+%]step[+%](\d+)[+%]", name) for name in names)
            self._there[run] = {(match[1], int(match[2])) for match in found if match}
        if (key, step) not in self._there[run]:
            client.log_image(run, picture, key=key, step=step, timestamp=int(at * 1000))
            self._there[run].add((key, step))
