"""MLflow's SQLite file: made whole or not at all, and kept quick.

MLflow makes the tables in some fifty migrations, several seconds, each of them for good: a process that is killed
meanwhile leaves a file that no MLflow opens again (mlflow 3.17).
"""

import contextlib
import logging
import os
import sqlite3
import time
import uuid
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.results.databases import SQLITE

log = logging.getLogger(__name__)

OLD_S = 3600.0
BUSY_S = 5.0  # for writers to let go of it
ROWS_LOOKED_AT = 1000  # of an index


def make_database(uri: str, directory: Path) -> None:
    """Make the SQLite file of a tracking URI, with MLflow's tables, unless it is there. Other URIs are left alone.

    It is made under a temporary name of its own: sweeps, of other hosts too, may share the folder. Where two make it at
    once, the first to finish wins.

    Args:
        uri: of MLflow.
        directory: of the sweep that is tracked there; in it nobody else makes one meanwhile.

    Raises:
        OSError: it cannot be written.
    """
    file = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex}.part")
    _remove_parts(file, older_s=0.0 if file.parent == directory else OLD_S)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it tells of each migration
    try:
        MlflowClient(tracking_uri=f"{SQLITE}{part}").search_experiments(max_results=1)
        try:
            os.link(part, file)  # unlike a rename, it replaces nothing
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def gather_statistics(uri: str) -> None:
    """Let an SQLite file know how much its tables hold, so that it finds short ways through them.

    Without it MLflow's query for the first 100 of 10,000 runs in the order of a metric takes seconds
    (tests/benchmarks/bench_tracking.py). A file that is busy is left as it is. Other URIs are left alone.
    """
    if not uri.startswith(SQLITE):
        return
    try:
        with contextlib.closing(sqlite3.connect(uri.removeprefix(SQLITE), timeout=BUSY_S)) as database:
            database.execute(f"pragma analysis_limit = {ROWS_LOOKED_AT}")
            database.execute("analyze")
    except sqlite3.OperationalError as error:
        log.warning("%s is not analysed, its pages may be slow: %s", uri, error)


def _remove_parts(file: Path, older_s: float) -> None:
    """Remove what killed processes have left: no other takes so long."""
    for left in file.parent.glob(f".{file.name}.*.part*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime >= older_s:
                left.unlink()
