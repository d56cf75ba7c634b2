"""Makes MLflow's SQLite file whole or not at all.

MLflow makes the tables in some fifty migrations, several seconds, each of them for good: a process that is killed
meanwhile leaves a file that no MLflow opens again (mlflow 3.17).
"""

import contextlib
import os
import time
import uuid
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.results.databases import SQLITE

OLD_S = 3600.0


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


def _remove_parts(file: Path, older_s: float) -> None:
    """Remove what killed processes have left: no other takes so long."""
    for left in file.parent.glob(f".{file.name}.*.part*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime >= older_s:
                left.unlink()
