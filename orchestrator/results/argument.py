"""How a sweep is named on the command line, and where it is, for people."""

import shlex
from pathlib import Path

from trainers.remote import child, uri_of


def argument_of(directory: Path) -> str:
    """A sweep's argument on the command line: its name in the default directory, else its path or URI."""
    here = directory.resolve().parent == Path("sweeps").resolve()
    return directory.name if here else shlex.quote(place_of(directory))


def place_of(directory: Path) -> str:
    """Where a sweep is at home: its directory, or the URI of a remote folder."""
    uri = uri_of(directory.parent)
    return str(directory) if uri is None else child(uri, directory.name)
