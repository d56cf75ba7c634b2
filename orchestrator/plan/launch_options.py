"""What can be typed after ``gan-sweep launch``."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """The options of ``gan-sweep launch``; None means not given."""

    space: str
    data: Path | None = None
    name: str | None = None
    demo: bool = False
    trials: int | None = None
    concurrency: int | None = None
    workers_per_trial: int | None = None
    min_workers_per_trial: int | None = None
    cpus_per_worker: float | None = None
    gpus_per_worker: float | None = None
    trials_per_gpu: str | None = None
    settings: tuple[str, ...] = ()
    fid_extractor: str | None = None
    fid_weights: Path | None = None
    tracking_uri: str | None = None
    register: str | None = None
    sweeps_dir: Path = Path("sweeps")
    address: str | None = None
    time_budget: str | None = None
    max_gpu_hours: str | float | None = None
    max_cost: str | float | None = None
    gpu_price: float | None = None
    head_price: float | None = None
    target_fid: str | float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    schedule: Path | None = None
    rules: str | None = None
    storage: str | None = None
    warm_start: tuple[str, ...] = ()
    narrow: float | None = None
    seed: int = 0
    hang_timeout: str | None = None
    release_after: str | None = None
    keep_checkpoints: str | None = None
    confirm_seeds: int | None = None
    resume: bool = False
    allow_changes: bool = False
