"""How a sweep is named on the command line."""

import shlex
from pathlib import Path


def argument_of(directory: Path) -> str:
    """A sweep's argument on the command line: its name in the default directory, else its path."""
    here = directory.resolve().parent == Path("sweeps").resolve()
    return directory.name if here else shlex.quote(str(directory))
