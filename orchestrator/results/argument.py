"""How a sweep is named on the command line, and where it is, for people."""

import os
import shlex
from pathlib import Path

from trainers.remote import child, uri_of

VIA = "GAN_SWEEP_VIA"  # environment variable of what runs on a cluster's head: what `--cluster` was given elsewhere


def argument_of(directory: Path) -> str:
    """A sweep's argument for commands that have ``--cluster``, as people type it where they are."""
    cluster = os.environ.get(VIA)
    return on_cluster(directory.name, cluster) if cluster else files_argument_of(directory)


def on_cluster(sweep: str, cluster: str) -> str:
    """The argument of a sweep by its name, where commands reach it by ``--cluster``."""
    return f"{sweep} --cluster {shlex.quote(cluster)}"


def ray_text(address: str | None, here: str = "this machine") -> str:
    """Which Ray a sweep runs on, for people.

    Args:
        address: of a running one, ``HOST:PORT`` or ``auto``; None: one of its own.
        here: the driver's machine in words.
    """
    if address == "auto":
        cluster = os.environ.get(VIA)
        return f"the cluster {cluster}" if cluster else f"the Ray cluster of {here}"
    return address or here


def are_elsewhere(directory: Path) -> bool:
    """Whether a sweep's files are on a cluster's machines, where who reads this text cannot reach them."""
    return VIA in os.environ and uri_of(directory.parent) is None


def files_argument_of(directory: Path) -> str:
    """The same for commands that read the sweep's files: its name in the default directory, else its path or URI."""
    here = directory.resolve().parent == Path("sweeps").resolve()
    return directory.name if here else shlex.quote(place_of(directory))


def place_of(directory: Path) -> str:
    """Where a sweep is at home: its directory, or the URI of a remote folder."""
    uri = uri_of(directory.parent)
    return str(directory) if uri is None else child(uri, directory.name)


def parted_uri(uri: str) -> tuple[str, str]:
    """The URI of the folder that holds a remote sweep, and the sweep's name."""
    path, question, query = uri.partition("?")
    folder, _, name = path.rstrip("/").rpartition("/")
    return f"{folder}{question}{query}", name
