"""Ends a sweep in the place of its driver, which has died: in the log, and in MLflow."""

from orchestrator.results.driver_lock import DriverLock
from orchestrator.results.standing import death_of
from orchestrator.results.store import ResultsStore
from orchestrator.tracking.mlflow_tracker import MlflowTracker
from trainers.masking import is_masked

PATIENCE_S = 5.0  # for a server that is away or slow


def end_for_the_dead(store: ResultsStore, tracking_uri: str | None = None, *, everything: bool = False) -> str:
    """Write the end that a dead driver could not write, and deliver to MLflow what it could not deliver.

    Args:
        store: of the sweep.
        tracking_uri: MLflow's, where the sweep's own has a secret, which is not kept; None: the sweep's own.
        everything: deliver for as long as the server takes writes, not just for `PATIENCE_S`, and begin at the first
            write that it refused earlier.

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
        return f"{uri} wants its password: `gan-sweep sync {state.plan.sweep} --tracking-uri URI`"
    tracker = MlflowTracker(store.directory, state.plan, uri, again=everything)
    tracker.start()
    tracker.close(PATIENCE_S, renewed=everything)
    return tracker.missing
