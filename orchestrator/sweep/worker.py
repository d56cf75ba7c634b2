"""What every rank of a gang runs for the whole sweep: take a trial, train or measure it, take the next."""

import gc
import math
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.plan.resources import Resources
from orchestrator.pruning import Guard, build_rules
from orchestrator.results.lines import LineWriter
from orchestrator.results.places import history_file
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, StopReason, TrialOutcome, outcome_of
from orchestrator.space.sections import PBT
from orchestrator.space.space import Space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.heart import heart
from orchestrator.sweep.leaving import LeftError, asked_to_leave
from orchestrator.sweep.legs import begin_leg, legs_left, legs_of, past_of
from orchestrator.sweep.messages import ConfirmLease, Hold, Lease, NoLease
from orchestrator.sweep.node_use import NodeUse
from orchestrator.sweep.telling import telling
from orchestrator.sweep.uploads import Uploads
from trainers.errors import UserError, first_line, is_full
from trainers.run_report import Decision, EpochReport, OutOfMemoryError, RunEnd

if TYPE_CHECKING:  # imports torch, which the driver does without
    from trainers.checkpoint import Progress


@dataclass(frozen=True, kw_only=True)
class GangSetup:
    """Settings of every rank of every gang.

    Attributes:
        space: resolves a trial's searched values.
        data: directory of the real images.
        cache_dir: where decoded images and statistics are kept.
        directory: of the sweep.
        resources: of every gang.
        broker: gives leases and takes reports.
    """

    space: Space
    data: Path
    cache_dir: Path
    directory: Path
    resources: Resources
    broker: BrokerClient


def gang_loop(config: dict[str, Any]) -> None:
    """Ray Train's loop function: take a lease, train or measure it, take the next, until the sweep is over.

    Args:
        config: ``setup`` (a `GangSetup`) and ``gang`` (its number).

    Raises:
        LeftError: a rank was asked to leave.
    """
    import ray
    import torch
    from ray.train.torch import get_device

    from trainers.assets import Assets
    from trainers.data.remote_images import have_images
    from trainers.distributed import rank

    setup: GangSetup = config["setup"]
    torch.set_num_threads(setup.resources.threads)
    device = get_device()
    assert isinstance(device, torch.device), f"one device per rank, got {device}"
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL sends pickled objects through the current device
    gc.freeze()  # see _free_memory
    have_images(setup.data)
    assets = Assets(setup.data, setup.cache_dir, device)
    node = ray.get_runtime_context().get_node_id()
    with heart(setup.broker, config["gang"], rank(), node):
        _take_leases(setup, config["gang"], assets)


def _take_leases(setup: GangSetup, gang: int, assets: Any) -> None:
    from trainers.checkpoint import BEST
    from trainers.distributed import any_rank, broadcast_object, rank, world_size

    uploads, elastic = Uploads(setup.directory), setup.resources.elastic
    try:
        while not any_rank(asked_to_leave(), assets.device):
            if rank() == 0:
                uploads.retry()
            size = (world_size(), setup.resources.workers)
            lease = broadcast_object(setup.broker.lease(gang, *size) if rank() == 0 else None)
            if lease is NoLease.SWEEP_OVER:
                return
            if isinstance(lease, Lease):
                if lease.begun:
                    _fetch(uploads, lease.trial_id)
                run_lease(setup, lease, assets, asked_to_leave, uploads, elastic=elastic)
            elif isinstance(lease, ConfirmLease):
                _fetch(uploads, lease.trial_id, BEST)
                run_confirm_lease(setup, lease, assets, uploads)
        raise LeftError
    finally:
        uploads.close()


def _fetch(uploads: Uploads, trial_id: str, only: str = "") -> None:
    """Fetch on every node what a trial has by now, or only that file of it."""
    import ray.train

    from trainers.distributed import all_or_none

    with all_or_none():
        if ray.train.get_context().get_local_rank() == 0:
            uploads.pull(trial_id, only)


def run_lease(
    setup: GangSetup,
    lease: Lease,
    assets: Any,
    leave: Callable[[], bool],
    uploads: Uploads | None = None,
    *,
    elastic: bool = False,
) -> None:
    """Train one trial and report to the broker how it ended, or that it pauses.

    With one rank an error is the trial's verdict, and the gang goes on. With several, other ranks may wait for the one
    that raised, or a rank may raise only because another died: the gang is restarted and the trial tried again, unless
    it is an error that every rank meets (a UserError), or too little memory on a rank's device, which ends the trial.
    An error of storage or of a device, such as a stale file handle, may pass: there too the trial is tried again.
    A full disk is no fault of the trial: the broker hears of it, and ends it as cut short by the end of the sweep.

    Args:
        setup: the rank's settings.
        lease: the trial.
        assets: the rank's warm `trainers.assets.Assets`.
        leave: whether this rank was asked to leave.
        uploads: of the rank; None for a sweep that is at home here.
        elastic: whether the gang's number of ranks may change; then it is one of every epoch's metrics, ``workers``.

    Raises:
        LeftError: a rank was asked; the trial waits for a gang again, which goes on from the checkpoint just written.
        Exception: whatever training raised on one of several ranks, except a UserError; storage's or a device's on one.
    """
    from trainers.changing import keep_rung
    from trainers.checkpoint import PREVIOUS
    from trainers.distributed import broadcast_object, rank, world_size
    from trainers.families import loss_scale
    from trainers.loop import train

    store, uploads = ResultsStore(setup.directory), uploads or Uploads(setup.directory)
    run_dir = store.trials_dir / lease.trial_id
    reason: StopReason | Failure | Hold | None = None

    def report(epoch_report: EpochReport) -> Decision:  # called on rank 0 alone
        nonlocal reason
        assert history is not None
        more = use.metrics() | ({"workers": float(world_size())} if elastic else {})
        epoch_report = replace(epoch_report, metrics=epoch_report.metrics | more)
        history.append(epoch_report)
        if epoch_report.samples is not None:
            uploads.push(lease.trial_id)
        trip = guard.see(epoch_report)
        last = trip is not None or epoch_report.epoch == train_config.schedule.epochs
        reason = setup.broker.report(lease.trial_id, epoch_report, last=last)
        if trip is None and (reason is Hold.PAUSE or (reason is None and epoch_report.epoch == leg.until)):
            return Decision.PAUSE
        return Decision.CONTINUE if trip is None and reason is None else Decision.STOP

    def written(progress: "Progress") -> None:  # called on rank 0 alone
        uploads.push(lease.trial_id)
        if progress.step:
            setup.broker.saved(lease.trial_id)

    outcome, history, left, use = None, None, False, NodeUse(assets.device)
    try:
        legs = legs_of(setup.space, lease)
        leg, train_config = legs[0], legs[0].config
        rules, epochs = build_rules(setup.space.pruning), train_config.schedule.epochs
        guard = Guard(rules, epochs, lambda: past_of(store, lease), loss_scale(train_config))
        if rank() == 0:
            run_dir.mkdir(parents=True, exist_ok=True)
            history = _History(store, lease.trial_id)
        with telling(setup.directory, lease.trial_id) if rank() == 0 else nullcontext():
            for leg in legs_left(legs, run_dir):
                begin_leg(leg, run_dir, store, uploads)
                run = train(leg.config, assets, run_dir, report, leave=leave, written=written)
                if run.end is not RunEnd.PAUSED or isinstance(broadcast_object(reason), Hold):
                    break
        if rank() == 0 and run.end is RunEnd.PAUSED and setup.space.scheduler.name == PBT:
            keep_rung(run_dir, run.epochs)
        left = run.end is RunEnd.LEFT
        if rank() == 0 and run.end is not RunEnd.PAUSED:
            outcome = outcome_of(run, guard.trip, None if isinstance(reason, Hold) else reason)
    except OutOfMemoryError as error:  # on one of several ranks: the others wait for it, so the gang has to restart
        setup.broker.end(lease.trial_id, outcome_of(error.outcome, None, None))
        raise
    except Exception as error:
        if _disk_was_full(error, setup.broker, run_dir):
            return
        detail = _keep_error(error, setup.broker, lease.trial_id, run_dir)
        outcome = TrialOutcome(verdict=Failure.ERROR, epochs=0, detail=detail)
    finally:
        if history is not None:
            history.close()
            uploads.finish(lease.trial_id)
    if left:  # no rank exits before the broker knows: the first that does ends all
        if rank() == 0:
            setup.broker.leave(lease.trial_id)
        broadcast_object(None)
        raise LeftError
    if rank() == 0:
        if outcome is None:
            (run_dir / PREVIOUS).unlink(missing_ok=True)  # many trials may wait
            uploads.settle(lease.trial_id)
            setup.broker.paused(lease.trial_id, lease.gang)
        else:
            setup.broker.end(lease.trial_id, outcome)
    _free_memory()


def run_confirm_lease(setup: GangSetup, lease: ConfirmLease, assets: Any, uploads: Uploads | None = None) -> None:
    """Measure a finished trial's best checkpoint again and tell the broker its values; arguments as of `run_lease`.

    Pictures that this makes are pushed before; errors as in `run_lease`.
    """
    from trainers.confirm import confirm
    from trainers.distributed import rank

    run_dir = ResultsStore(setup.directory).trials_dir / lease.trial_id
    values: list[float] = []
    beside: list[dict[str, float]] = []
    failure = refused = ""
    try:
        measured = confirm(assets, run_dir, lease.seeds, setup.space.confirm.metrics)
        values, beside = [one.value for one in measured], [one.others for one in measured]
        if not all(map(math.isfinite, values)):
            refused = "on fresh latents its samples are not finite, or cannot be measured"
        elif any(one.collapsed for one in measured):
            refused = "on fresh latents its fakes hardly vary"
    except Exception as error:
        if _disk_was_full(error, setup.broker, run_dir):
            return
        failure = _keep_error(error, setup.broker, lease.trial_id, run_dir)
    if rank() == 0:
        if uploads is not None:
            uploads.finish(lease.trial_id)
        setup.broker.confirmed(lease.trial_id, values, beside, failure=failure, refused=refused)
    _free_memory()


class _History:
    """Writes a trial's epochs to its ``history.jsonl``, each once: a trial that goes on repeats some."""

    def __init__(self, store: ResultsStore, trial_id: str) -> None:
        past = store.read_history(trial_id)
        self._last = past[-1].epoch if past else 0
        self._lines = LineWriter(history_file(store.directory, trial_id))

    def append(self, report: EpochReport) -> None:
        if report.epoch > self._last:
            self._lines.append(report.to_json())
            self._last = report.epoch

    def close(self) -> None:
        self._lines.close()


def _disk_was_full(error: Exception, broker: BrokerClient, run_dir: Path) -> bool:
    """Tell the broker of a full disk; returns whether that is what the error is about.

    Raises:
        Exception: `error` itself where other ranks wait for this one.
    """
    from trainers.distributed import world_size

    if not is_full(error):
        return False
    broker.full(str(getattr(error, "filename", None) or run_dir))
    if world_size() > 1:
        raise error
    return True


def _keep_error(error: Exception, broker: BrokerClient, trial_id: str, run_dir: Path) -> str:
    """Write an error's traceback to a file; returns the error's text for people.

    Raises:
        Exception: `error` itself where other ranks may not have met it, or where it may pass; the broker gets its text
            before.
    """
    from torch import AcceleratorError

    from trainers.distributed import rank, world_size

    detail = str(error) if isinstance(error, UserError) else first_line(error, with_type=True)
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / f"error.rank{rank()}.txt").write_text("".join(traceback.format_exception(error)))
    may_pass = isinstance(error, OSError | AcceleratorError)
    if may_pass or (world_size() > 1 and not isinstance(error, UserError)):
        broker.complain(trial_id, detail)
        raise error
    return detail


def _free_memory() -> None:
    import torch

    # Free the reference cycles that the trial left. Freezing what survives keeps the next collection short: with torch
    # and Ray imported a full one takes 0.4 s, four times what it takes to build the demo's networks.
    gc.collect()
    gc.freeze()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
