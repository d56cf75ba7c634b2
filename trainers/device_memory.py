"""A run that needs more memory than its device has: what is known about it then."""

import torch

from trainers.checkpoint import Progress
from trainers.config import TrainConfig
from trainers.distributed import world_size
from trainers.errors import first_line
from trainers.run_report import RunEnd, RunOutcome

# What CUDA and cuBLAS say outside of torch's allocator, such as for a context or a workspace.
_TEXTS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device has too little memory left. Nothing about the memory of the host."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def forget_peak(device: torch.device) -> None:
    """Start measuring the peak anew, since a process trains one run after another."""
    if device.type == "cuda" and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats(device)


def out_of_memory(error: BaseException, config: TrainConfig, progress: Progress, device: torch.device) -> RunOutcome:
    """How a run ended that is out of memory: with its batch sizes, and on CUDA this rank's peak since `forget_peak`.

    Nothing is halved or tried again: a smaller batch is another experiment.
    """
    batch, ranks = config.data.batch_size, world_size()
    peak = f"peak {torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB; " if device.type == "cuda" else ""
    detail = (
        f"out of device memory after epoch {progress.epoch} with {batch // ranks} images per rank and step "
        f"(data.batch_size {batch}, {ranks} rank{'s'[: ranks > 1]}; fid.batch_size {config.fid.batch_size}); "
        f"{peak}{first_line(error, 120)}"
    )
    return RunOutcome(
        end=RunEnd.OUT_OF_MEMORY,
        epochs=progress.epoch,
        objective=progress.objective,
        best_epoch=progress.best_epoch,
        detail=detail,
    )
