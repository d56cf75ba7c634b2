"""Makes MLflow's SQLite file whole or not at all.

MLflow makes the tables in some fifty migrations, several seconds, each of them for good: a process that is killed
meanwhile leaves a file that no MLflow opens again (mlflow 3.17).
"""

import os
from pathlib import Path

import psutil
from mlflow import MlflowClient

from orchestrator.results.databases import SQLITE


def make_database(uri: str) -> None:
    """Make the SQLite file of a tracking URI, with MLflow's tables, unless it is there. Other URIs are left alone.

    It is made under a temporary name, which has the process id: sweeps may share the folder. Where two make it at once,
    the first to finish wins.

    Raises:
        OSError: it cannot be written.
    """
    file = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    _remove_parts(file)
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


def _remove_parts(file: Path) -> None:
    """Remove what killed processes have left."""
    for left in file.parent.glob(f".{file.name}.*.part*"):
        owner = left.name.removeprefix(f".{file.name}.").partition(".")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            left.unlink(missing_ok=True)
