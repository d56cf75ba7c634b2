"""Finds and ends Ray's processes that outlived their driver.

When a driver is killed (SIGKILL, too little memory), the kernel kills Ray's servers, and workers exit when they miss
them. One that hangs, such as in a call of a GPU's driver, does not: it keeps its memory, and its GPU, for ever.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable

import psutil

from orchestrator.sweep.driver_mark import MARK, DriverMark

EXIT_S = 5.0  # after SIGTERM, and again after SIGKILL, processes get this long to exit

log = logging.getLogger(__name__)


def find_orphans() -> list[psutil.Process]:
    """This user's processes of Rays whose drivers have ended. Never one of a driver that lives."""
    return _with_children(process for process, mark in _marked() if mark.driver_is_gone())


def find_own() -> list[psutil.Process]:
    """The processes of the Ray that this very process started."""
    own = DriverMark.own()
    return _with_children(process for process, mark in _marked() if mark == own)


def end_orphans(say: Callable[[str], None]) -> int:
    """End what `find_orphans` finds; says one line where there was something.

    Returns:
        How many processes have ended.
    """
    orphans = find_orphans()
    if not orphans:
        return 0
    left = end_all(orphans)
    stuck = f"; still there: {', '.join(str(process.pid) for process in left)}" if left else ""
    ended = len(orphans) - len(left)
    say(f"ended {ended} processes that a killed sweep's Ray had left{stuck}")
    return ended


def end_all(processes: list[psutil.Process], grace_s: float = EXIT_S) -> list[psutil.Process]:
    """End processes: SIGTERM, up to `grace_s` later SIGKILL. Returns those that are still there.

    psutil sends no signal to a process that got the id of one that has ended: it compares their start times.
    """
    if grace_s:
        _signal(processes, psutil.Process.terminate)
        _, processes = psutil.wait_procs(processes, timeout=grace_s)
    _signal(processes, psutil.Process.kill)
    _, left = psutil.wait_procs(processes, timeout=EXIT_S)
    return list(left)


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        log.warning("ending %s", process)
        with contextlib.suppress(psutil.NoSuchProcess):
            send(process)


def _marked() -> Iterable[tuple[psutil.Process, DriverMark]]:
    """This user's processes that carry a mark; not this one and those that it runs under."""
    mine = {process.pid for process in psutil.Process().parents()} | {os.getpid()}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.pid in mine or process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            mark = DriverMark.parse(process.environ().get(MARK, ""))
            if mark is not None:
                yield process, mark


def _with_children(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """These and all below them: a process that changes its title overwrites its environment, as Ray's agents do."""
    found: dict[psutil.Process, None] = {}
    for process in processes:
        found[process] = None
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= dict.fromkeys(process.children(recursive=True))
    return list(found)
