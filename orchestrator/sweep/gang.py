"""Gangs: Ray Train worker groups that stay up for the whole sweep and train one trial after another.

Measured on 2 CPU cores: a nested TorchTrainer per trial takes about 22 s to turn around, a warm gang under 0.1 s
(tests/benchmarks/bench_turnaround.py prints both).
"""

import gc
import math
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train

from orchestrator.plan.resources import Resources
from orchestrator.pruning import Guard, build_rules
from orchestrator.results.store import ResultsStore
from orchestrator.space.space import Space
from orchestrator.sweep.broker import BrokerHandle, Lease, Lull
from orchestrator.sweep.confirm_queue import Remeasure
from trainers.errors import UserError
from trainers.run_report import Decision, EpochReport, Outcome, Verdict

MAX_RESTARTS = 100  # of one gang: each takes some 12 s, so a gang that never gets up ends within minutes


@dataclass(frozen=True, kw_only=True)
class GangSetup:
    """What every rank of every gang knows.

    Attributes:
        space: resolves a trial's searched values.
        data: directory of the real images.
        cache_dir: where decoded images and statistics are kept.
        trials_dir: directory with one folder per trial.
        threads: torch threads per rank.
        broker: handle of the broker.
    """

    space: Space
    data: Path
    cache_dir: Path
    trials_dir: Path
    threads: int
    broker: BrokerHandle


def gang_loop(config: dict[str, Any]) -> None:
    """What every rank runs for the whole sweep: take a lease, train or measure it, take the next."""
    import torch
    from ray.train.torch import get_device

    from trainers.assets import Assets
    from trainers.distributed import broadcast_object, rank

    setup: GangSetup = config["setup"]
    torch.set_num_threads(setup.threads)
    device = get_device()
    assert isinstance(device, torch.device), f"one device per rank, got {device}"
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL sends pickled objects through the current device
    gc.freeze()  # see _tidy_up
    assets = Assets(setup.data, setup.cache_dir, device)
    while True:
        lease = broadcast_object(ray.get(setup.broker.lease.remote(config["gang"])) if rank() == 0 else None)
        if lease is Lull.CLOSED:
            return
        if isinstance(lease, Lease):
            run_lease(setup, lease, assets)
        elif isinstance(lease, Remeasure):
            run_remeasure(setup, lease, assets)


def run_lease(setup: GangSetup, lease: Lease, assets: Any) -> None:
    """Train one trial and tell the broker how it ended.

    With one rank an error is the trial's verdict, and the gang goes on. With several, the others may be waiting for the
    one that raised, or raise only because another died: the gang is restarted and the trial tried again, unless the
    error is one that every rank meets.
    """
    from trainers.distributed import rank
    from trainers.loop import train

    broker = setup.broker
    run_dir = setup.trials_dir / lease.trial_id

    def report(epoch_report: EpochReport) -> Decision:
        trip = guard.see(epoch_report)
        last = trip is not None or epoch_report.epoch == train_config.schedule.epochs
        decision = Decision(ray.get(broker.report.remote(lease.trial_id, epoch_report, last=last)))
        return decision if trip is None else Decision.STOP

    try:
        train_config = setup.space.resolve(lease.params)
        rules, epochs = build_rules(setup.space.pruning), train_config.schedule.epochs
        guard = Guard(rules, epochs, lambda: ResultsStore(setup.trials_dir.parent).read_history(lease.trial_id))
        outcome = guard.name(train(train_config, assets, run_dir, report))
    except Exception as error:
        outcome = Outcome(verdict=Verdict.ERROR, epochs=0, detail=_excuse(error, broker, lease.trial_id, run_dir))
    if rank() == 0:
        ray.get(broker.end.remote(lease.trial_id, outcome))
    _tidy_up()


def run_remeasure(setup: GangSetup, lease: Remeasure, assets: Any) -> None:
    """Measure a finished trial's best checkpoint again and tell the broker the values; errors as in `run_lease`."""
    from trainers.confirm import confirm
    from trainers.distributed import rank

    run_dir = setup.trials_dir / lease.trial_id
    values: list[float] = []
    try:
        values = confirm(assets, run_dir, lease.seeds)
        failure = "" if all(map(math.isfinite, values)) else "its samples are not finite"
    except Exception as error:
        failure = _excuse(error, setup.broker, lease.trial_id, run_dir)
    if rank() == 0:
        ray.get(setup.broker.measured.remote(lease.trial_id, values, failure))
    _tidy_up()


def _excuse(error: Exception, broker: BrokerHandle, trial_id: str, run_dir: Path) -> str:
    """An error's text for people, with the traceback in a file; raises it again where it is this gang's end."""
    from trainers.distributed import rank, world_size

    detail = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}".splitlines()[0]
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / f"error.rank{rank()}.txt").write_text("".join(traceback.format_exception(error)))
    if world_size() > 1 and not isinstance(error, UserError):
        ray.get(broker.complain.remote(trial_id, detail))
        raise error
    return detail


def _tidy_up() -> None:
    import torch

    # Free what the trial left in cycles. Freezing what survives keeps the next collection short: with torch and Ray
    # imported a full one takes 0.4 s, four times what it takes to build the demo's networks.
    gc.collect()
    gc.freeze()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Gang(threading.Thread):
    """One gang, kept up by a Ray Train run in a thread of the driver.

    Args:
        number: as the broker knows it.
        setup: what its ranks know.
        resources: what its ranks take.
        storage: directory for Ray Train's own files.

    Attributes:
        number: from 0.
        error: why it ended, None while it runs or when it was sent home.
    """

    def __init__(self, number: int, setup: GangSetup, resources: Resources, storage: Path) -> None:
        super().__init__(name=f"gang-{number}", daemon=True)
        self.error: BaseException | None = None
        self.number, self._setup, self._resources, self._storage = number, setup, resources, storage

    def run(self) -> None:
        """Start the ranks, restart them when they die, end when they are sent home."""
        from ray.train.torch import TorchTrainer

        use_gpu = self._resources.gpus > 0
        per_worker = {"CPU": self._resources.cpus} | ({"GPU": self._resources.gpus} if use_gpu else {})
        trainer = TorchTrainer(
            gang_loop,
            train_loop_config={"setup": self._setup, "gang": self.number},
            scaling_config=ray.train.ScalingConfig(
                num_workers=self._resources.workers, use_gpu=use_gpu, resources_per_worker=per_worker
            ),
            run_config=ray.train.RunConfig(
                name=self.name,
                storage_path=str(self._storage),
                failure_config=ray.train.FailureConfig(max_failures=MAX_RESTARTS),
            ),
        )
        try:
            trainer.fit()
        except BaseException as error:
            self.error = error
