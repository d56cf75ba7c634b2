"""Ray's servers on this machine whose driver is gone."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil

_SERVERS = ("raylet", "gcs_server")
_SESSION = re.compile(r"--session[-_](?:dir|name)=(\S+)")


def find_orphans() -> Iterator[tuple[int, str, str]]:
    """Process id, name and Ray's session of each server of this user whose parent is no Python process.

    Those of a cluster that ``ray start`` started look the same: it ends, and they stay.
    """
    for process in psutil.process_iter():
        try:
            if process.name() not in _SERVERS or process.uids().real != os.getuid():
                continue
            session = _SESSION.search(" ".join(process.cmdline()))
            if session is not None and not _is_python(process.parent()):
                yield process.pid, process.name(), Path(session[1]).name
        except psutil.NoSuchProcess:
            continue  # ended meanwhile


def _is_python(process: psutil.Process | None) -> bool:
    try:
        return process is not None and "python" in Path(process.exe()).name
    except psutil.AccessDenied:  # another user's, such as init
        return False
