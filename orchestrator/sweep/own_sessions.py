"""Starts Ray's processes in sessions of their own, out of reach of the driver's terminal and process group."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def own_sessions() -> Iterator[None]:
    """Let every process that this thread starts lead a session of its own.

    `ray.init` has no option for it: it starts Ray's servers in the driver's process group, where Ctrl-C, a closed
    terminal or a SIGTERM to the group (`timeout`, Slurm) ends them before the driver can stop in order. It starts them
    with `subprocess.Popen`, whose own option this sets. Ray asks the kernel in the child, after this, to kill it when
    the driver dies: that stays.
    """
    start, thread = subprocess.Popen.__init__, threading.get_ident()

    def start_in_session(self: Any, *arguments: Any, **options: Any) -> None:
        if threading.get_ident() == thread:
            options["start_new_session"] = True
        start(self, *arguments, **options)

    subprocess.Popen.__init__ = start_in_session  # type: ignore[method-assign]
    try:
        yield
    finally:
        subprocess.Popen.__init__ = start  # type: ignore[method-assign]
