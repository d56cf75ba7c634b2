"""A sweep of the real command line, as a subprocess that can be watched, struck and resumed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.processes import Family
from tests.faults.results import Results, read_epochs, read_files
from tests.faults.waiting import NotInTimeError, wait_until
from trainers.checkpoint import load_checkpoint
from trainers.errors import UserError

ROOT = Path(__file__).parents[2]
START_S = 300.0  # Ray, the ranks and the first epoch
END_S = 400.0
COMMAND_S = 60.0
MOST_RESUMES = 3  # of a sweep that is not struck any more


class SweepUnderFault:
    """A sweep, its processes and what happened to it.

    Args:
        folder: the suite's; temporary files of the sweep go to a folder of its own below it.
        name: the sweep's.
        sweeps: the folder of sweeps.
        env: environment variables of its commands, beside this process's.
        inside: words before its commands.

    Attributes:
        name: as given.
        directory: the sweep's.
        family: its processes.
        strikes: wall clock of every fault.
        repeated: recorded epochs that no checkpoint held, at all faults together.
        resumed: how often it was resumed.
        started: wall clock of the newest driver's start.
        tracking_uri: of MLflow.
        storage: of Optuna.
        troubles: what went wrong already.
        scratch: its temporary folder, and the folder that its commands run in.
    """

    def __init__(
        self, folder: Path, name: str, sweeps: Path, env: Mapping[str, str], inside: Sequence[str] = ()
    ) -> None:
        self.name, self.directory = name, sweeps / name
        self.family = Family()
        self.strikes: list[float] = []
        self.repeated = self.resumed = 0
        self.started = 0.0
        self.tracking_uri = f"sqlite:///{sweeps / 'mlflow.db'}"
        self.storage = str(self.directory / "study.journal")
        self.troubles: list[str] = []
        self.scratch = (folder / f"t-{name}", folder / f"cwd-{name}")
        for place in self.scratch:
            place.mkdir()
        self._folder, self._sweeps, self._env, self._inside = folder, sweeps, env, inside
        self._driver: subprocess.Popen[bytes] | None = None

    @property
    def driver(self) -> subprocess.Popen[bytes]:
        """The newest driver."""
        assert self._driver is not None
        return self._driver

    def launch(self, *options: str) -> None:
        """Start it."""
        self._start("launch", "--name", self.name, *options)

    def resume(self, *options: str) -> None:
        """Go on with it, in a new driver."""
        self.resumed += 1
        self._start("resume", self.name, *options)

    def recorded(self) -> int:
        """Number of recorded epochs."""
        return sum(map(len, read_epochs(self.directory).values()))

    def wait_for(self, *, trial: int, epoch: int, limit_s: float = START_S) -> None:
        """Return when an epoch of a trial is recorded.

        Raises:
            NotInTimeError: it is not, or the driver has ended before.
        """

        def there() -> bool:
            lines = read_epochs(self.directory).get(f"{trial:04d}", [])
            if any(line["epoch"] >= epoch for line in lines):
                return True
            if self.driver.poll() is not None:
                raise NotInTimeError(f"the driver ended before epoch {epoch} of trial {trial}: {self.said()}")
            return False

        wait_until(f"epoch {epoch} of trial {trial}", there, limit_s)

    def strike(self, action: Callable[[], object]) -> None:
        """Let a fault happen now; remember when, and what has to be repeated after it."""
        self.family.note_ports()
        for trial, lines in read_epochs(self.directory).items():
            if lines and f"trials/{trial}/latest.pt" in read_files(self.directory):
                self.repeated += lines[-1]["epoch"] - self._saved(trial, lines[-1])
        self.strikes.append(time.time())
        action()

    def wait(self, limit_s: float = END_S) -> int:
        """The driver's exit code, when it has ended.

        Raises:
            NotInTimeError: it has not.
        """
        try:
            return self.driver.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise NotInTimeError(f"the driver has not ended in {limit_s:g} s") from None

    def over(self, limit_s: float) -> bool:
        """Whether the driver ends within some seconds."""
        with contextlib.suppress(NotInTimeError):
            self.wait(limit_s)
        return self.driver.poll() is not None

    def finish(self, limit_s: float = END_S) -> None:
        """Return when the sweep is over; it is resumed where its driver ended without finishing it.

        Where it cannot be finished, `troubles` says so.
        """
        try:
            for _ in range(MOST_RESUMES):
                if self.wait(limit_s) == 0:
                    return
                self.resume()
            if (code := self.wait(limit_s)) != 0:
                self.troubles.append(f"resumed, it ended with exit code {code}: {self.said()}")
        except NotInTimeError as error:
            self.troubles.append(str(error))

    def results(self) -> Results:
        """What it has and says now.

        Raises:
            RuntimeError: ``gan-sweep results`` fails.
        """
        command = self._command("results", self.name, "--json")
        done = subprocess.run(command, **self._surroundings(), capture_output=True, text=True, timeout=COMMAND_S)
        if done.returncode != 0:
            raise RuntimeError(f"gan-sweep results ended with {done.returncode}: {done.stderr.strip()}")
        epochs, files = read_epochs(self.directory), read_files(self.directory)
        return Results(summary=json.loads(done.stdout), epochs=epochs, files=files)

    def said(self) -> str:
        """The last lines of the newest driver's output."""
        return " / ".join(self._output().read_text(errors="replace").strip().splitlines()[-3:])

    def clean_up(self) -> None:
        """Kill what is left and remove the temporary files; logs stay where GAN_SWEEP_FAULTS_KEEP names a folder."""
        self.family.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.driver.wait(COMMAND_S)
        if keep := os.environ.get("GAN_SWEEP_FAULTS_KEEP"):
            kept = Path(keep) / self.name
            kept.mkdir(parents=True, exist_ok=True)
            logs = (self._output(), *self.directory.glob("*.log"), *self.directory.glob("*.json*"))
            for log in (*logs, *self.directory.glob("trials/*/error*")):
                if log.is_file():
                    shutil.copy(log, kept / log.name)
        for place in self.scratch:
            shutil.rmtree(place)

    def _saved(self, trial: str, line: dict[str, Any]) -> int:
        """The epoch that a trial's newest checkpoint holds whole; later than its last report knows, if it has left."""
        with contextlib.suppress(UserError):
            progress = load_checkpoint(self.directory / "trials" / trial / "latest.pt")["progress"]
            return max(line["checkpoint"], min(line["epoch"], progress["epoch"]))
        return line["checkpoint"]

    def _start(self, *arguments: str) -> None:
        self.started = time.time()
        with self._output().open("ab") as out:
            self._driver = subprocess.Popen(
                self._command(*arguments),
                **self._surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.family.add(self._driver.pid)

    def _output(self) -> Path:
        return self._folder / f"{self.name}.out"

    def _command(self, command: str, *arguments: str) -> list[str]:
        sweeps = ("--sweeps-dir", str(self._sweeps))
        return [*self._inside, sys.executable, "-m", "orchestrator.cli", command, *arguments, *sweeps]

    def _surroundings(self) -> dict[str, object]:
        temporary, here = self.scratch
        env = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_TMPDIR")}
        env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **own_files(self._folder, temporary)}
        return {"cwd": here, "env": {**env, **self._env}}


def own_files(folder: Path, temporary: Path) -> dict[str, str]:
    """Environment variables with which a process leaves files in these folders alone, temporary ones in the second."""
    # torch makes its folder as soon as it is imported
    caches = {"GAN_SWEEP_CACHE": str(folder / "cache"), "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    return {"TMPDIR": str(temporary), **caches}
