"""A full disk below the sweep's directory."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.rows import Row
from tests.faults.scenario import Fault, strike_once
from tests.faults.sweep_under_fault import SweepUnderFault

SIZE = "48m"  # a sweep needs 15 MB
FULL_S = 45.0  # how long it stays full, unless the driver ends before


class CannotMountError(Exception):
    """A small file system needs root."""


@contextmanager
def small_disk(folder: Path, size: str = SIZE) -> Iterator[Path]:
    """A folder on a tmpfs of its own."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        raise CannotMountError(mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until nothing more fits; returns it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return ballast


def fill_for_a_while(disk: Path, sweep: SweepUnderFault, limit_s: float) -> None:
    """Fill a disk until a sweep's driver has ended, or for some seconds."""
    ballast = fill(disk)
    sweep.over(limit_s)
    ballast.unlink()


def disk_full(bench: Bench) -> Row:
    """The disk is full in mid-trial, for some time or until the driver has ended; then there is room again."""
    name = "disk-full"
    try:
        with small_disk(bench.folder / "disk") as disk, bench.sweep(name, sweeps=disk) as sweep:
            strike_once(sweep, lambda _: fill_for_a_while(disk, sweep, FULL_S))
            sweep.finish()
            return judge(name, bench, sweep)
    except CannotMountError as error:
        return Row(fault=name, status="skipped", text=f"no tmpfs can be mounted: {error}")


FAULTS: dict[str, Fault] = {"disk-full": disk_full}
