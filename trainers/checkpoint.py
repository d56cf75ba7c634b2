"""Checkpoints: written under a temporary name, then renamed; loaded with checked sums and ``weights_only=True``.

A checkpoint holds the networks, the moving average, the optimisers and the counters. Written between epochs it needs no
random state and no position in the data, since `trainers.randomness` reseeds from the epoch number; one that is written
inside an epoch has them, and the epoch's averages so far.
"""

import errno
import os
import shutil
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from trainers.atomic import replacing
from trainers.config import TrainConfig, flatten
from trainers.errors import UserError, first_line

LATEST, PREVIOUS, BEST = "latest.pt", "previous.pt", "best.pt"

_AWAY = (errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN)  # storage says it of a file that may be whole


class DamagedCheckpointError(UserError):
    """A checkpoint's bytes are not those that were written."""


@dataclass(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: epochs finished.
        step: steps of the epoch after that.
        images_seen: real images shown to D, over all ranks.
        objective: best value of the run's objective inside the window so far; by default the lowest FID.
        best_epoch: the epoch it was measured at.
        inherited: what the run has taken over last, see `trainers.changing`; empty for nothing.
    """

    epoch: int = 0
    step: int = 0
    images_seen: int = 0
    objective: float | None = None
    best_epoch: int | None = None
    inherited: str = ""


def save_checkpoint(path: Path, config: TrainConfig, progress: Progress, family_state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    with replacing(path) as part:
        write_checkpoint(part, _content(config, progress, family_state))


def save_latest(
    run_dir: Path,
    config: TrainConfig,
    progress: Progress,
    family_state: dict[str, Any],
    report: dict[str, Any] | None,
    inside: dict[str, Any] | None = None,
) -> None:
    """Write ``latest.pt``; the one before becomes ``previous.pt``. At every moment one of them is whole on the disk.

    Args:
        run_dir: the run's directory.
        config: the run.
        progress: how far it is.
        family_state: of its networks and optimisers.
        report: the last epoch's, as `EpochReport.to_json` gives it: it is made after this, so a run that dies in
            between repeats it. None before the first.
        inside: where the run is inside an epoch; None between epochs.
    """
    with replacing(run_dir / LATEST, sync=True, shared=True) as part:
        write_checkpoint(part, {**_content(config, progress, family_state), "report": report, "inside": inside})
        if (run_dir / LATEST).exists():
            also_name(run_dir / LATEST, run_dir / PREVIOUS)


def remove_parts(run_dir: Path) -> None:
    """Remove what processes that were killed while they wrote a checkpoint have left.

    One that is only cut off, and still writes, finds its file gone, and replaces nothing.
    """
    for part in run_dir.glob(".*.part.pt"):
        part.unlink(missing_ok=True)


def restore_latest(run_dir: Path) -> None:
    """Make ``latest.pt``, which is damaged, the current ``previous.pt``; else the next save would make that damaged."""
    _copy(run_dir / PREVIOUS, run_dir / LATEST)


def keep_as_best(run_dir: Path) -> None:
    """Make ``best.pt`` the current ``latest.pt``."""
    _copy(run_dir / LATEST, run_dir / BEST)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A checkpoint's ``config``, ``progress`` and ``family``, the last epoch's ``report``, and what is ``inside`` one.

    The last two are None, or missing in files of older versions, where there is nothing.

    Raises:
        DamagedCheckpointError: the file is no whole checkpoint, or a bit of it is not what it was.
        UserError: it is missing, may not be opened, or is a whole file of another kind.
        OSError: the storage does not answer.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"checkpoint {path} cannot be opened: {error.strerror}") from None
    with file:
        try:
            checkpoint = _load_checked(file, path, device)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # zip readers and unpickler raise many types for damage: OSError, KeyError
            if isinstance(error, OSError) and error.errno in _AWAY:
                raise
            raise DamagedCheckpointError(f"{path} is not a whole checkpoint: {first_line(error)}") from None
    if not isinstance(checkpoint, dict) or not {"config", "progress", "family"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of a run")
    return checkpoint


def checksum(path: Path) -> int:
    """A number that differs where the content of two whole checkpoints does; reads the file's table alone."""
    with zipfile.ZipFile(path) as archive:
        return zlib.crc32(repr([(part.filename, part.CRC) for part in archive.infolist()]).encode())


def check_same_config(saved: dict[str, Any], config: TrainConfig) -> None:
    """Refuse to continue a run of another config; ``runtime.*`` and ``fid.at`` may differ.

    Where else FID is measured follows from the sweep's scheduler, which may change when a sweep goes on. A key that is
    younger than the checkpoint had its default's meaning then.

    Raises:
        UserError: naming every key that differs.
    """
    defaults, now = TrainConfig().flat(), config.flat()
    before = {name: defaults[name] for name in defaults.keys() & now.keys()} | flatten(saved)
    changed = [
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and not name.startswith("runtime.") and name != "fid.at"
    ]
    if changed:
        raise UserError(f"the checkpoint belongs to another config: {'; '.join(changed)}")


def _content(config: TrainConfig, progress: Progress, family_state: dict[str, Any]) -> dict[str, Any]:
    return {"config": config.model_dump(), "progress": asdict(progress), "family": family_state}


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write the content of a checkpoint."""
    # An open file, since from a path torch would name the archive's top folder after the temporary file.
    with path.open("wb") as file:
        torch.save(content, file)


def also_name(file: Path, name: Path) -> None:
    """Make `name` another name of `file`: a hard link where the file system has them, else a copy."""
    try:
        with replacing(name, shared=True) as part:
            os.link(file, part)
    except OSError:
        _copy(file, name)


def _copy(file: Path, name: Path) -> None:
    """Make `name` a copy of `file`: bits that flip in one are not those of the other."""
    with replacing(name, sync=True, shared=True) as part:
        shutil.copyfile(file, part)


def _load_checked(file: BinaryIO, path: Path, device: torch.device | str) -> Any:
    """What torch.save wrote to `file`, whose sums are checked in a thread while torch reads.

    Nothing is returned before both are done. Where both find the file damaged, the sums say how.
    """
    with path.open("rb") as same, ThreadPoolExecutor(1) as pool:
        if not os.path.samestat(os.fstat(file.fileno()), os.fstat(same.fileno())):
            raise OSError(errno.ESTALE, "replaced while it was opened", str(path))
        sums = pool.submit(_check_sums, same)
        try:
            return torch.load(file, map_location=device, weights_only=True)
        finally:
            sums.result()


def _check_sums(file: BinaryIO) -> None:
    """Read every part of a file that torch.save wrote, and compare its CRC-32: torch's own reader does not.

    Without this a bit that flipped inside a tensor would be trained on. Costs 0.12 to 0.2 s for 248 MB that are in
    memory, about as much as the loading itself.

    Raises:
        zipfile.BadZipFile: the file is torn, or a part is not what was written.
    """
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} fails its checksum")
