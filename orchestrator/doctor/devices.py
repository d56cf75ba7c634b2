"""GPUs, as torch sees them and as their driver does."""

import shutil
import subprocess
from collections.abc import Iterator

from orchestrator.doctor.finding import Asked, Finding, Level

_ANSWER_S = 20.0  # a driver that hangs is as bad as none


def check_devices(asked: Asked) -> Iterator[Finding]:
    """A line for the GPUs, or for why torch does not see those that the driver has."""
    import torch

    driver, gpus = _driver()
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        shown = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
        yield _finding(Level.OK, f"{shown}; driver {driver or 'unknown'}, torch built for CUDA {torch.version.cuda}")
    elif gpus:
        text = f"nvidia-smi sees {gpus} GPUs (driver {driver}), torch {torch.__version__} sees none"
        cure = (
            "unset CUDA_VISIBLE_DEVICES, or install a driver for CUDA " + torch.version.cuda
            if torch.version.cuda
            else "this torch was built without CUDA: pip install --force-reinstall torch torchvision from PyPI"
        )
        yield _finding(Level.FAILED, text, cure)
    elif driver is not None:
        yield _finding(Level.FAILED, f"nvidia-smi: {driver}", "repair or restart the GPUs' driver, then run nvidia-smi")
    else:
        yield _finding(Level.OK, "none: trials train on the CPU")


def check_gpu_works(asked: Asked) -> Iterator[Finding]:
    """A line: whether a GPU adds two numbers; for a sweep that needs one."""
    import torch

    yield from check_devices(asked)
    if not torch.cuda.is_available():
        cure = "give the workers GPUs and their driver, or train on CPUs: --gpus-per-worker 0"
        yield _finding(Level.FAILED, "torch sees none, and the sweep needs some", cure)
        return
    seen = float(torch.ones(2, device="cuda").sum())
    if seen != 2.0:
        yield _finding(Level.FAILED, f"1 + 1 = {seen:g} on the GPU", "replace the machine")


def _driver() -> tuple[str | None, int]:
    """Version of NVIDIA's driver and number of its GPUs; its error and 0; or None and 0 where it is not installed."""
    if shutil.which("nvidia-smi") is None:
        return None, 0
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error), 0
    lines = done.stdout.split("\n")[:-1] if done.returncode == 0 else []
    said = (done.stdout + done.stderr).strip().split("\n")[0]
    return (lines[0] if lines else said or f"ended with exit code {done.returncode}"), len(lines)


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="gpus", level=level, text=text, cure=cure)
