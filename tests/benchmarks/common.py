"""What every benchmark prints before its numbers."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path


def print_setting(*packages: str) -> None:
    """Date, hardware and versions."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{time.strftime('%Y-%m-%d')}, {len(os.sched_getaffinity(0))} x {model}, {device_name()}")
    print(f"Python {platform.python_version()}, {versions}")


def device_name() -> str:
    """The GPU, or that there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
