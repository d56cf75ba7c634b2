"""Trials that share a device: what the dry step says they take, against what they take; and with CUDA MPS."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from orchestrator.sweep.mps import CONTROL, use_mps
from tests.gpu.shared import gangs
from tests.gpu.table import Row, Sizes
from trainers.config import TrainConfig
from trainers.dry_step import Measured

MOST = {"cuda": 4, "cpu": 2}  # processes at once, so that it ends in time
# The dry step in a process that stays until it is let go, so that the device can be asked what all of them take.
_HOLDS = """
import json, sys, torch
from dataclasses import asdict
from trainers.config import TrainConfig
from tests.trainers.trainer_helpers import register_tiny_extractor
from trainers.dry_step import dry_step
register_tiny_extractor()
asked = json.loads(sys.stdin.readline())
found = dry_step(TrainConfig.model_validate(asked["config"]), torch.device(asked["device"]))
print(json.dumps(asdict(found)), flush=True)
sys.stdin.read()
"""


def dry_step(device: torch.device, sizes: Sizes) -> list[Row]:
    """As many processes as should fit, at most `MOST`, each take the dry step at once; together they take no more."""
    overrides = {
        "data.image_size": sizes.side or 128,
        "data.batch_size": sizes.batch,
        "network.base_width": sizes.width or 32,
        "fid.extractor": "tiny",
        "fid.batch_size": sizes.batch,
    }
    config = TrainConfig.build({}, overrides)
    asked = json.dumps({"config": config.model_dump(mode="json"), "device": device.type})
    (first,), _, failed = _at_once(1, asked, device)
    if not first:
        return [Row("dry step", "FAILED", failed)]
    alone = Measured(**json.loads(first))
    count = min(MOST[device.type], alone.fit)
    _, taken, failed = _at_once(count, asked, device)
    text = f"peak {alone.peak / 1e9:.2f} of {alone.room / 1e9:.2f} GB, {alone.fit} fit; {count} at once"
    if device.type == "cuda":
        text += f" take {taken / 1e9:.2f} GB, {taken / count / alone.peak:.2f} x the peak each"
    wrong = bool(failed) or taken > count * alone.peak
    return [Row("dry step", "FAILED" if wrong else "ok", f"{text}{failed and f'; {failed}'}")]


def _at_once(count: int, asked: str, device: torch.device) -> tuple[list[str], int, str]:
    """What so many processes measure, what the device says that all of them take, and the error of one that failed."""
    before, pipe = _free(device), subprocess.PIPE
    command = [sys.executable, "-c", _HOLDS]
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(count)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(f"{asked}\n")
        process.stdin.flush()
    lines = [process.stdout.readline() for process in running if process.stdout is not None]
    taken = before - _free(device)
    said = [process.communicate("")[1].strip().splitlines() or ["no word"] for process in running]
    failed = [words[-1] for line, words in zip(lines, said, strict=True) if not line]
    return lines, taken, failed[0] if failed else ""


def _free(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def mps(device: torch.device, sizes: Sizes) -> list[Row]:
    """Two gangs on one device once more, as clients of CUDA MPS."""
    if device.type != "cuda" or shutil.which(CONTROL) is None:
        return [Row("CUDA MPS", "skipped", f"no GPU, or no {CONTROL} on the PATH")]
    with tempfile.TemporaryDirectory() as sweep:
        environment = dict(os.environ)
        try:
            why = use_mps(Path(sweep))  # this process has its context already: its children are the clients
            rows = [Row("CUDA MPS", "skipped", why)] if why else gangs(device, sizes)
        finally:
            os.environ.clear()
            os.environ.update(environment)
    return [Row(f"{row.name}, CUDA MPS", row.status, row.text) for row in rows]
