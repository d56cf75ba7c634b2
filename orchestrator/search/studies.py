"""The sweep's Optuna study: its storage, and how it is created or opened again. `optuna-dashboard` can open it too."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from orchestrator.results.databases import check_database, check_uri, read_column
from orchestrator.results.lines import cut_torn_line
from orchestrator.results.places import STUDY_FILE
from orchestrator.search.samplers import build_sampler
from orchestrator.space.space import Space
from trainers.errors import UserError, first_line, unknown_name
from trainers.masking import masked
from trainers.metric_names import FID, maximised
from trainers.remote import uri_of

STORAGES = ("journal", "sqlite")
ORIGIN = "warm_start"  # user attribute of an imported trial: SWEEP/TRIAL
DUPLICATE = "duplicate"  # user attribute of a proposal that had been tried before, so it was not run


def resolve_storage(given: str | None, directory: Path) -> str:
    """A journal's path or a database's URL.

    Args:
        given: ``journal`` (or None) and ``sqlite`` for a file in the sweep's directory, or a database's URL.
        directory: the sweep's directory.

    Raises:
        UserError: it is none of these.
    """
    if given in (None, "journal"):
        return str(directory / STUDY_FILE)
    if given == "sqlite" and uri_of(directory.parent) is not None:
        raise UserError(f"--storage sqlite: a sweep in {uri_of(directory.parent)} has journal, or a database's URL")
    if given == "sqlite":
        return f"sqlite:///{directory / 'study.db'}"
    assert given is not None
    if "://" not in given:
        raise unknown_name("--storage", given, [*STORAGES, "a database's URL"])
    if given.startswith("sqlite:///"):
        return f"sqlite:///{Path(given.removeprefix('sqlite:///')).resolve()}"
    return check_uri(given, "--storage")


def open_storage(storage: str) -> BaseStorage:
    """The storage at a journal's path or a database's URL, created where it does not exist.

    Raises:
        UserError: it cannot be opened; one line, without the password.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if "://" not in storage:
            return JournalStorage(JournalFileBackend(storage))
        return RDBStorage(storage, engine_kwargs={"pool_pre_ping": True})  # the server may have been restarted
    except Exception as error:  # the driver's, Optuna's or a failed import: all mean that it cannot be opened
        raise _cannot_be_opened(storage, error) from None


def check_storage(storage: str, name: str) -> None:
    """Check that a database answers and has no study of this name yet. Nothing is made in it.

    Raises:
        UserError: it does not answer, or has such a study.
    """
    try:
        names = read_column(storage, "studies", "study_name") if "studies" in check_database(storage) else []
    except Exception as error:  # the driver's or a failed import: all mean that it cannot be opened
        raise _cannot_be_opened(storage, error) from None
    if name in names:
        raise UserError(f"--storage {masked(storage)} has a study {name} already; choose another --name")


def _cannot_be_opened(storage: str, error: Exception) -> UserError:
    cause = getattr(error, "orig", None) or error
    return UserError(f"--storage {masked(storage)}: cannot be opened: {first_line(cause)}")


def open_study(
    storage: str,
    name: str,
    space: Space,
    *,
    metric: str = FID,
    seed: int = 0,
    imported: Sequence[FrozenTrial] = (),
) -> optuna.Study:
    """Open the study of a sweep, or create it, with the space's sampler.

    Args:
        storage: a journal's path or a database's URL.
        name: the study's name.
        space: gives the sampler and the objectives.
        metric: name of the first objective, protocol included.
        seed: seed of the sampler; see `SeededByTrial`.
        imported: finished trials of another sweep, added once; see `orchestrator.search.warm_start`.
    """
    if "://" not in storage:
        cut_torn_line(Path(storage))  # Optuna would go on in the same line, and then read neither
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            storage=open_storage(storage),
            study_name=name,
            directions=["maximize" if maximised(name) else "minimize" for name in space.objectives],
            load_if_exists=True,
        )
        if study.metric_names is None:
            study.set_metric_names([metric, *space.objectives[1:]])
    there = {trial.user_attrs.get(ORIGIN) for trial in study.get_trials(deepcopy=False)}
    study.add_trials(trial for trial in imported if trial.user_attrs[ORIGIN] not in there)
    study.sampler = build_sampler(space.sampler, seed, conditional=space.conditional, objectives=space.objectives)
    return study


def read_study(storage: str | Path, name: str) -> optuna.Study:
    """Load an existing study, for reading."""
    return optuna.load_study(study_name=name, storage=open_storage(str(storage)))


def count_asked(study: optuna.Study) -> int:
    """Number of the sweep's own trials: waiting, imported and duplicate ones do not count."""
    return sum(_counts(trial) for trial in study.get_trials(deepcopy=False))


def _counts(trial: FrozenTrial) -> bool:
    attributes: dict[str, Any] = trial.user_attrs
    return trial.state is not TrialState.WAITING and ORIGIN not in attributes and DUPLICATE not in attributes
