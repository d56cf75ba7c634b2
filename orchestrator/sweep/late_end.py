"""Ends a sweep in the place of its driver, which has died: in the log, in MLflow and in Optuna."""

from dataclasses import replace
from pathlib import Path

from orchestrator.plan.going_on import with_secret
from orchestrator.plan.saved import from_saved
from orchestrator.results.argument import files_argument_of
from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.standing import death_of
from orchestrator.results.store import ResultsStore
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from trainers.masking import is_masked

PATIENCE_S = 5.0  # for a server that is away or slow


def end_for_the_dead(
    store: ResultsStore, tracking_uri: str | None = None, *, everything: bool = False, register: str = ""
) -> str:
    """Write the end that a dead driver could not write, and deliver to MLflow what it could not deliver.

    Args:
        store: of the sweep.
        tracking_uri: MLflow's, where the sweep's own has a secret, which is not kept; None: the sweep's own.
        everything: deliver for as long as the server takes writes, not just for `PATIENCE_S`, and begin at the first
            write that it refused earlier.
        register: name of the registered model whose champion the best generator becomes; empty: as the sweep's plan.

    Returns:
        A sentence on what MLflow does not have; empty where it has everything.

    Raises:
        UserError: a driver runs the sweep.
    """
    lock = DriverLock(store.directory)
    lock.acquire()
    try:
        state = store.read_state()
        if (death := death_of(store.directory, state)) is not None:
            store.append(death)
    finally:
        lock.release()  # before the delivery, which may take long: a driver may start meanwhile
    uri = tracking_uri or state.plan.tracking_uri
    if is_masked(uri):
        return f"{uri} wants its password: `gan-sweep sync {files_argument_of(store.directory)} --tracking-uri URI`"
    tracker = MlflowTracker(store.directory, state.plan, uri, again=everything, register=register)
    tracker.start()
    tracker.close(PATIENCE_S, renewed=everything)
    return tracker.missing


def tell_optuna(store: ResultsStore, storage: str | None = None) -> None:
    """Report to Optuna the trials that are over by the log, which a driver that died could not report.

    Args:
        store: of the sweep.
        storage: of its study, where that has a secret, which is not kept; None: the sweep's own.

    Raises:
        UserError: a driver runs the sweep, or the storage cannot be opened.
    """
    lock = DriverLock(store.directory)
    lock.acquire()
    try:
        state = store.read_state()
        saved = replace(state.plan, storage=with_secret("--storage", state.plan.storage, storage, state.plan.sweep))
        if "://" not in saved.storage and not Path(saved.storage).is_file():
            return  # its driver died before it made a study
        plan = from_saved(saved, store.directory, saved.definition)
        study = open_study(plan.storage, plan.sweep, plan.space, metric=plan.metric, seed=plan.seed)
        devices, history = plan.resources.devices, store.read_history
        OptunaSearcher(study, plan.space, plan.metric, _never, history=history, devices=devices).close(state)
    finally:
        lock.release()


def _never(proposal: object) -> None:
    raise AssertionError(f"{proposal} is not to be run")
