"""What a sweep found, kept in plain files: written while it runs, read afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.results.tables import Tables


def load(sweep: str | Path, sweeps_dir: str | Path = "sweeps") -> Tables:
    """The trials and epochs of a sweep as tables, running or not.

    Args:
        sweep: its name, its directory, or its URI in an object store.
        sweeps_dir: where a name is looked for: a folder, or a URI.

    Raises:
        UserError: there is no such sweep, or a file of it is damaged.
    """
    # Here, since every process of a sweep imports this package, and few need pandas.
    from orchestrator.results.tables import load_tables

    return load_tables(str(sweep), str(sweeps_dir))
