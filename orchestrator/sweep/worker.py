"""What every rank of a gang runs for the whole sweep: take a trial, train or measure it, take the next."""

import gc
import math
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from orchestrator.pruning import Guard, build_rules
from orchestrator.results.store import ResultsStore
from orchestrator.space.space import Space
from orchestrator.sweep.broker import BrokerHandle
from orchestrator.sweep.messages import Lease, Lull, Remeasure
from trainers.errors import UserError
from trainers.run_report import Decision, EpochReport, Outcome, Verdict


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
