"""A sweep on a cluster, rehearsed on this machine without a cloud: every step is tried and printed.

Usage: python -m tests.rehearsal.run [NAME ...]

Without names, all parts: 10 minutes on 2 busy CPU cores. GAN_SWEEP_MOTORBIKES=DIR names a folder of photographs.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil

from orchestrator.commands.travelling import TRACKING
from tests.rehearsal import autoscaling, machines
from tests.rehearsal.photographs import NAMED_IN, choose
from tests.rehearsal.steps import Part, Say, rehearse

PARTS: dict[str, Part] = {part.name: part for part in (machines.PART, autoscaling.PART)}


def run(parts: Sequence[Part], named: str | None, say: Say) -> int:
    """Rehearse parts in a folder that is gone afterwards; returns how many steps failed, at most one of each part."""
    folder = Path(tempfile.mkdtemp(prefix="gsr-", dir="/tmp"))  # short: Ray puts sockets below it
    others = set(_children())  # such as those of the tests, which rehearse in their own process
    try:
        photographs = choose(named, folder / "photos")
        say(f"images: {photographs.text}")
        failed = sum(rehearse(part, folder / str(number), photographs, say) for number, part in enumerate(parts))
    finally:
        shutil.rmtree(folder)
    if left := [str(child.pid) for child in _children() if child not in others]:
        say(f"  FAILED  processes are left: {', '.join(left)}")
        return failed + 1
    return failed


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def main() -> int:
    """Rehearse the parts that were asked for; 1 where a step failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PARTS)}; default: all")
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is ended too
    for name in ("RAY_ADDRESS", "RAY_TMPDIR", TRACKING):  # no server that happens to run is joined
        os.environ.pop(name, None)
    started = time.monotonic()
    say = partial(print, flush=True)
    try:
        failed = run([PARTS[name] for name in names or PARTS], os.environ.get(NAMED_IN), say)
    except KeyboardInterrupt:
        say("\ninterrupted; nothing is left")
        return 130
    say(f"\n{'FAILED' if failed else 'ok'}: {time.monotonic() - started:.0f} s, no process and no file is left")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
