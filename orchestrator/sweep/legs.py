"""A trial's legs: epochs in a row with the same settings. All but populations and schedules have one.

A leg begins with a checkpoint: that of another trial (population-based training), or the trial's own with other
settings (a schedule). It is rewritten once, whole or not at all, whoever dies meanwhile; see `trainers.changing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.results.exploits import Exploit
from orchestrator.results.store import ResultsStore
from orchestrator.space.space import Space
from orchestrator.sweep.messages import Lease
from orchestrator.sweep.uploads import Uploads
from trainers.config import TrainConfig
from trainers.run_report import EpochReport


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Epochs with the same settings.

    Attributes:
        trial_id: whose it is.
        config: the settings.
        after: the epoch after which it begins; 0 at the start.
        until: its last epoch where another leg follows; None: it trains to the end.
        exploit: whose checkpoint it begins with; None: the trial's own.
    """

    trial_id: str
    config: TrainConfig
    after: int = 0
    until: int | None = None
    exploit: Exploit | None = None

    @property
    def name(self) -> str:
        """What its first checkpoint says it has inherited; empty of a start."""
        if self.exploit is not None:
            return self.exploit.name
        return f"@{self.after}" if self.after else ""


def legs_of(space: Space, lease: Lease) -> list[Leg]:
    """The legs of a trial by now, in order; one that became a copy of another has that leg alone.

    Raises:
        UserError: its settings are not possible.
    """
    exploit = lease.exploit
    config = space.resolve(lease.params if exploit is None else exploit.params)
    starts = [0, *(change.first - 1 for change in space.changes)]
    ends = [*starts[1:], None]
    found = []
    for number, (after, until) in enumerate(zip(starts, ends, strict=True)):
        if number:
            config = TrainConfig.build(config.model_dump(), space.changes[number - 1].values)
        found.append(Leg(trial_id=lease.trial_id, config=config, after=after, until=until, exploit=exploit))
    return found


def past_of(store: ResultsStore, lease: Lease) -> list[EpochReport]:
    """What rules see of a trial's epochs so far: of a copy those of the other trial, up to its checkpoint."""
    own, exploit = store.read_history(lease.trial_id), lease.exploit
    if exploit is None:
        return own
    theirs = [one for one in store.read_history(exploit.source) if one.epoch <= exploit.epoch]  # may be elsewhere
    return [*theirs, *(one for one in own if one.epoch > exploit.epoch)] if theirs else own


def legs_left(legs: Sequence[Leg], run_dir: Path) -> list[Leg]:
    """Those that are not behind the trial's newest checkpoint; every rank calls this, and all get the same."""
    from trainers.changing import own_progress
    from trainers.distributed import broadcast_object, rank

    if len(legs) == 1:
        return list(legs)
    inherited = broadcast_object(own_progress(run_dir).inherited if rank() == 0 else None)
    begun = [number for number, leg in enumerate(legs) if leg.name == inherited]
    return list(legs[begun[0] if begun else 0 :])


def begin_leg(leg: Leg, run_dir: Path, store: ResultsStore, uploads: Uploads) -> None:
    """Write the leg's config, and its first checkpoint where that is not there yet; every rank calls this.

    Raises:
        UserError: the checkpoint to begin with is missing or damaged.
    """
    from trainers.changing import inherit, rung_file
    from trainers.checkpoint import LATEST
    from trainers.distributed import all_or_none, rank

    if rank() == 0:
        store.write_config(leg.trial_id, leg.config)
    if not leg.name:
        return
    source = run_dir / LATEST
    with all_or_none():
        if rank() == 0 or uploads.first_here:  # in an object store every node has files of its own
            if leg.exploit is not None:
                kept = rung_file(leg.exploit.epoch)
                source = run_dir.parent / leg.exploit.source / kept
                uploads.pull(leg.exploit.source, kept)
            inherit(run_dir, source, leg.config, leg.name)
