"""Finds the processes that a test has started, and all that they have started."""

import os
import uuid
from pathlib import Path


def marked() -> tuple[str, dict[str, str]]:
    """A marker, and an environment with it, which all processes of a sweep inherit."""
    marker = uuid.uuid4().hex
    return marker, {**os.environ, "GAN_SWEEP_TEST_MARKER": marker}


def processes_with(marker: str) -> list[str]:
    """Command lines of the processes that inherited this environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and marker.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it ended meanwhile
    return found
