"""Where the suite's sweeps run: one folder, one space, one undisturbed sweep that all are compared with."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.results import Results
from tests.faults.sweep_under_fault import SweepUnderFault
from trainers.data import draw_motorbikes

IMAGES = 128
EPOCHS = 8
TRIALS = 4
SPACE = "faults"
SEED = "3"

# Every trial is a point of the space, so that no trial depends on results: what was proposed before a fault and what is
# proposed after it have to be the same. One rate makes a trial nonfinite: verdicts have to be the same too.
_SPACE = """
description: every trial is a known point
base:
  data: {{image_size: 32, batch_size: 16}}
  network: {{base_width: 8, latent_dim: 16}}
  optimizer: {{lr_g: 8.0e-4}}
  schedule: {{epochs: {epochs}, window_first: 4, checkpoint_every: 2, samples_every: 4}}
  fid: {{extractor: efficientnet_lite0, n_fake: 16, every: 2, min_diversity: 0}}
search:
  optimizer.lr_g: {{float: [1.0e-4, 1.0e+30], log: true}}
points: [{points}]
scheduler: {{name: none}}
sampler: {{name: random}}
confirm: {{top: 1, seeds: 2}}
pruning: false
"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where sweeps run.

    Attributes:
        folder: everything of the suite; its path is short, since Ray puts sockets below it.
        trials: of a sweep.
        reference: the undisturbed sweep's results; None while it runs.
    """

    folder: Path
    trials: int
    reference: Results | None = None

    @contextmanager
    def sweep(
        self,
        name: str,
        *options: str,
        sweeps: Path | None = None,
        env: Mapping[str, str] | None = None,
        inside: Sequence[str] = (),
    ) -> Iterator[SweepUnderFault]:
        """A sweep that has been launched. Whatever of it is left at the end of the block is killed.

        Args:
            name: its name.
            options: more of ``gan-sweep launch``.
            sweeps: the folder of sweeps, where it is not the suite's.
            env: more environment variables.
            inside: words before its commands, which make them run elsewhere.
        """
        usual = ("--space", str(self.folder / f"{SPACE}.yaml"), "--data", str(self.folder / "photos"), "--seed", SEED)
        size = ("--trials", str(self.trials), "--workers-per-trial", "2")
        sweep = SweepUnderFault(self.folder, name, sweeps or self.folder / "sweeps", env or {}, inside)
        try:
            sweep.launch(*usual, *size, *options)
            yield sweep
        finally:
            sweep.clean_up()


@contextmanager
def make_bench(trials: int = TRIALS) -> Iterator[Bench]:
    """A bench with its pictures and its space, and the undisturbed sweep's results; removed at the end.

    Raises:
        RuntimeError: the undisturbed sweep failed.
    """
    with bare_bench(trials) as bench:
        with bench.sweep("reference") as sweep:
            code = sweep.wait()
            if code != 0:
                raise RuntimeError(f"the undisturbed sweep ended with {code}:\n{sweep.said()}")
            results = sweep.results()
        yield Bench(folder=bench.folder, trials=trials, reference=results)


@contextmanager
def bare_bench(trials: int = TRIALS) -> Iterator[Bench]:
    """A bench without an undisturbed sweep."""
    folder = Path(tempfile.mkdtemp(prefix="gsf-", dir="/tmp"))
    try:
        folder.chmod(0o755)  # a database server of another user looks into it
        draw_motorbikes(folder / "photos", count=IMAGES)
        rates = [1e30, *(1e-3 * (1 + number / 8) for number in range(trials - 2))][: trials - 1]
        points = ", ".join(f"{{optimizer.lr_g: {rate:e}}}" for rate in rates)
        (folder / f"{SPACE}.yaml").write_text(_SPACE.format(epochs=EPOCHS, points=points))
        yield Bench(folder=folder, trials=trials)
    finally:
        shutil.rmtree(folder)
