"""The sweep's directory: its layout, and how it is read, also while a sweep runs or after its driver has died.

::

    sweeps/mlflow.db  sweeps/mlartifacts/    what MLflow shows, of all sweeps; all of it follows from what is below
    sweeps/NAME/
      plan.json  events.jsonl  space.yaml  study.journal  tracked.json  sweep.log  schedule.yaml  ray/
      trials/0003/  config.yaml  history.jsonl  samples/epoch_0001.png  best.pt
"""

import json
import shutil
import tempfile
from dataclasses import replace
from errno import EEXIST, ENOTDIR, ENOTEMPTY
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.results.argument import argument_of, place_of
from orchestrator.results.events import Event, write
from orchestrator.results.follower import Follower
from orchestrator.results.histories import HistoryReader
from orchestrator.results.lines import LineWriter
from orchestrator.results.mirror import pull
from orchestrator.results.pareto import pareto_front
from orchestrator.results.places import EVENTS_FILE, SPACE_FILE, TRACKING_DB, history_file
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.saved_plan import PLAN_FILE, SavedPlan, plan_text, read_plan
from orchestrator.results.seed_odds import odds_of
from orchestrator.results.spending import spending_of
from orchestrator.results.standing import Standing, last_sign, standing_of
from orchestrator.results.state import SweepState
from orchestrator.space.yaml_text import dump_yaml
from trainers.atomic import write_text
from trainers.config import TrainConfig
from trainers.errors import UserError, unknown_name
from trainers.folders import inside
from trainers.masking import masked
from trainers.remote import open_folder, shown, uri_of
from trainers.run_report import EpochReport


class ResultsStore:
    """Reads and writes one sweep's directory.

    Args:
        directory: ``sweeps/NAME``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def trials_dir(self) -> Path:
        """One folder per trial."""
        return self.directory / "trials"

    def write_plan(self, plan: SavedPlan, *, home: Path | None = None) -> None:
        """Write or replace ``plan.json``, and ``space.yaml`` for people; secrets of URIs are masked.

        Args:
            plan: of the sweep.
            home: where the sweep's directory will be; None: it is there.
        """
        kept = replace(plan, tracking_uri=masked(plan.tracking_uri), storage=masked(plan.storage))
        write_text(self.directory / SPACE_FILE, dump_yaml(plan.definition))
        text = _anywhere(plan_text(kept), home or self.directory)
        write_text(self.directory / PLAN_FILE, text)  # last: with it the sweep exists

    def read_plan(self) -> SavedPlan:
        """Read ``plan.json``.

        Raises:
            UserError: it is damaged, or a newer version wrote it.
        """
        return read_plan(self.directory / PLAN_FILE, partial(_here, directory=self.directory))

    def append(self, event: Event) -> None:
        """Add an event to the log.

        Raises:
            OSError: it cannot be written; then nothing of it is in the file.
        """
        log = LineWriter(self.directory / EVENTS_FILE)
        try:
            write(log, event)
        finally:
            log.close()

    def read_state(self) -> SweepState:
        """How the sweep stands, by what was written so far.

        Raises:
            UserError: a file of it is damaged, or a newer version wrote it.
        """
        follower = Follower(self.directory, self.read_plan(), every_epoch=False)
        follower.poll()
        return follower.state

    def standing(self, state: SweepState | None = None) -> Standing:
        """The sweep's status, which a driver that died could not write, in one word and a sentence."""
        return standing_of(self.directory, self.read_state() if state is None else state)

    def write_config(self, trial_id: str, config: TrainConfig) -> None:
        """Write a trial's resolved config."""
        path = self.trials_dir / trial_id / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, dump_yaml(config.model_dump()))

    def read_trials(self) -> list[TrialRecord]:
        """All trials that have started, by number."""
        return self.read_state().by_number()

    def read_history(self, trial_id: str) -> list[EpochReport]:
        """A trial's epochs in order; of an epoch that was repeated after a death, the first report."""
        reports: dict[int, EpochReport] = {}
        for report, _ in HistoryReader(history_file(self.directory, trial_id)).read():
            reports.setdefault(report.epoch, report)
        return sorted(reports.values(), key=lambda report: report.epoch)

    def summary(self) -> dict[str, Any]:
        """What ``gan-sweep results --json`` prints."""
        state = self.read_state()
        trials, standing = state.by_number(), self.standing(state)
        best, spent = best_trial(trials), spending_of(state, last_sign(self.directory, state))
        odds = odds_of(trials)
        return {
            "sweep": state.plan.sweep,
            "objective": state.plan.objective,
            "best": best.to_json() | spent.of_trial(best.trial_id) if best else None,
            "best_setting": odds.to_json() if odds else None,
            "pareto_front": pareto_front(trials),
            "trials": [trial.to_json() | spent.of_trial(trial.trial_id) for trial in trials],
            "spent": spent.to_json(),
            "status": standing.status,
            "detail": standing.detail,
        }


def _anywhere(text: str, directory: Path) -> str:
    """A plan's text without the place of its sweep, which may be moved, alone or with the store beside it."""
    here, name = _base(directory)
    return text.replace(*_shared_store(directory)).replace(here, name)


def _here(text: str, directory: Path) -> str:
    """And back, where the sweep is now."""
    here, name = _base(directory)
    shared, beside = _shared_store(directory)
    return text.replace(beside, shared).replace(name, here)


def _shared_store(directory: Path) -> tuple[str, str]:
    """The URI of MLflow's store beside a sweep, in JSON, and what is written for it."""
    return json.dumps(f"sqlite:///{directory.parent / TRACKING_DB}"), f'"sqlite:///{{sweep}}/../{TRACKING_DB}"'


def _base(directory: Path) -> tuple[str, str]:
    """The start of paths that move along with a sweep, in JSON, and what is written for it.

    That is its directory; of a remote one the cache, which the next driver may have elsewhere.
    """
    if uri_of(directory.parent) is None:
        return json.dumps(f"{directory}/")[1:-1], "{sweep}/"
    return json.dumps(str(directory.parents[2]))[1:-1], "{cache}"


def find_sweep(name: str, sweeps_dir: Path, *, whole: bool = False) -> ResultsStore:
    """A sweep by name, or by its directory; arguments as of `look_up_sweep`.

    Raises:
        UserError: there is none; the message names the existing ones.
    """
    store = look_up_sweep(name, sweeps_dir, whole=whole)
    if store is None:
        if uri_of(Path(name).parent) is not None:  # it was given as a URI
            name, sweeps_dir = Path(name).name, Path(name).parent
        elif len(Path(name).parts) > 1 and name != "..":
            raise UserError(_why_no_sweep(Path(name)))
        raise unknown_name(f"sweep in {shown(sweeps_dir)}", name, sweep_names(sweeps_dir))
    return store


def _why_no_sweep(path: Path) -> str:
    if not path.exists():
        return f"there is no sweep and no file {path}"
    sweep = path.parent.parent
    if (sweep / PLAN_FILE).is_file():
        return f"{path} is a trial of the sweep {sweep}: name the sweep, or the trial's checkpoint {path}/best.pt"
    return f"{path} is no sweep: it has no {PLAN_FILE}"


def look_up_sweep(name: str, sweeps_dir: Path, *, whole: bool = False) -> ResultsStore | None:
    """A sweep by name, or by its directory; None where there is none.

    Args:
        name: of the sweep.
        sweeps_dir: where to look.
        whole: of a remote sweep, fetch checkpoints and grids too.

    Raises:
        UserError: the name is that of a link which leads out of `sweeps_dir`, or remote storage refuses.
    """
    named = [] if len(Path(name).parts) != 1 or name == ".." else [inside(sweeps_dir, name)]
    for directory in (*named, Path(name)):
        pull(directory, whole=whole)
        if (directory / PLAN_FILE).is_file():
            return ResultsStore(directory.resolve())
    return None


def sweep_names(sweeps_dir: Path) -> list[str]:
    """The sweeps in a directory."""
    if (uri := uri_of(sweeps_dir)) is not None:
        return open_folder(uri).folders_with(PLAN_FILE)
    found = (path.parent.name for path in sweeps_dir.glob(f"*/{PLAN_FILE}"))
    return sorted(name for name in found if not name.startswith("."))  # one that is being made


def create_sweep(directory: Path, plan: SavedPlan) -> ResultsStore:
    """Make a new sweep's directory with its plan in it, whole or not at all; one that is there but empty is taken.

    Raises:
        UserError: it exists, or cannot be made.
        OSError: the plan cannot be written, such as on a full disk.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # For its owner only: configs, logs and pictures are nobody else's business.
        part = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise UserError(f"cannot make {directory}: {error.filename}: {error.strerror}") from None
    try:
        ResultsStore(part).write_plan(plan, home=directory)
        part.rename(directory)
    except OSError as error:
        if error.errno in (EEXIST, ENOTEMPTY, ENOTDIR):
            raise exists_already(directory) from None
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)  # it is not there any more where all went well
    return ResultsStore(directory)


def exists_already(directory: Path) -> UserError:
    """What is said of a new sweep whose directory is there."""
    if (directory / PLAN_FILE).is_file():
        return UserError(
            f"{place_of(directory)} exists already: `gan-sweep resume {argument_of(directory)}` goes on with that "
            "sweep; a new one wants another --name"
        )
    return UserError(f"{place_of(directory)} exists already; choose another --name")
