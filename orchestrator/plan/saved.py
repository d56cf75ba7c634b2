"""A plan as it is kept in the sweep's directory, and what a later driver makes of it."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestrator.plan.budgets import Budgets
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import Resources
from orchestrator.results.retention import default_keep
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.space.load import build_space, space_as_yaml
from orchestrator.space.narrowing import Narrowing
from orchestrator.space.sections import PBT, ConfirmConfig, SchedulerConfig
from trainers.config import TrainConfig, flatten
from trainers.errors import UserError

# What may change in a space while its sweep goes on: neither what a trial learns nor what its FID means.
COMPATIBLE = ("description", "pruning", "scheduler", "sampler", "confirm", "demo", "base.runtime")


def to_saved(plan: Plan, caches: Sequence[Any]) -> SavedPlan:
    """What is kept of a plan.

    Args:
        plan: of a sweep that has not begun, or that goes on.
        caches: its images, from `orchestrator.plan.dataset.prepare_data`.
    """
    resources = plan.resources
    return SavedPlan(
        sweep=plan.sweep,
        space=plan.space.name,
        objective=plan.metric,
        trials=plan.trials,
        data=str(plan.data),
        n_real=len(caches[0]),
        synthetic=plan.synthetic,
        tracking_uri=plan.tracking_uri,
        warm_start=tuple(map(str, plan.warm_start)),
        narrowed=asdict(plan.narrowed) if plan.narrowed is not None else {},
        storage=plan.storage,
        cache_dir=str(plan.cache_dir),
        address=plan.address,
        seed=plan.seed,
        hang_timeout_s=plan.hang_timeout_s,
        keep_checkpoints=plan.keep_checkpoints or default_keep(plan.space.confirm.top),
        register=plan.register,
        checkpoint_bytes=plan.checkpoint_bytes,
        resources=asdict(resources),
        budgets=asdict(plan.budgets),
        objectives=plan.space.objectives,
        constraints=dict(plan.space.constraints),
        devices=resources.devices,
        gang_gpus=resources.workers * resources.gpus,
        prices=plan.prices,
        fingerprint=fingerprint_of(caches),
        definition=space_as_yaml(plan.space),
        version=version("gan-sweep"),
        unique=uuid.uuid4().hex,
    )


def fingerprint_of(caches: Sequence[Any]) -> str:
    """`SavedPlan.fingerprint` of a sweep's images, from `orchestrator.plan.dataset.prepare_data`."""
    return hashlib.sha256(" ".join(sorted(cache.path.stem for cache in caches)).encode()).hexdigest()


def from_saved(saved: SavedPlan, directory: Path, definition: dict[str, Any]) -> Plan:
    """The plan of a sweep that goes on.

    Args:
        saved: as it was launched.
        directory: of the sweep.
        definition: its space as it is now, as the contents of a space file.

    Raises:
        UserError: the space is not valid.
    """
    return Plan(
        sweep=saved.sweep,
        directory=directory,
        space=build_space(saved.space, definition),
        data=Path(saved.data),
        synthetic=saved.synthetic,
        cache_dir=Path(saved.cache_dir),
        resources=Resources(**saved.resources),
        metric=saved.objective,
        tracking_uri=saved.tracking_uri,
        storage=saved.storage,
        warm_start=tuple(map(Path, saved.warm_start)),
        narrowed=Narrowing(**saved.narrowed) if saved.narrowed else None,
        address=saved.address,
        budgets=Budgets(**saved.budgets),
        prices=saved.prices,
        seed=saved.seed,
        hang_timeout_s=saved.hang_timeout_s,
        keep_checkpoints=saved.keep_checkpoints,
        register=saved.register,
        checkpoint_bytes=saved.checkpoint_bytes,
    )


@dataclass(frozen=True)
class Difference:
    """What was one thing when a sweep was launched, and is another now.

    Attributes:
        name: a key of the space, or what else it is, for people.
        before: its value then; None where there was none.
        now: its value now; None where there is none.
        compatible: whether the sweep may go on with it.
    """

    name: str
    before: Any
    now: Any
    compatible: bool

    def __str__(self) -> str:
        return f"{self.name} was {self.before!r}, is {self.now!r}"


def differences(saved: SavedPlan, now: SavedPlan) -> list[Difference]:
    """What differs between a sweep as it was launched and as it would go on, besides trials, budgets and resources.

    A key that is younger than the sweep had its default's meaning then.
    """
    before_space, now_space = _flat(saved.definition), _flat(now.definition)
    younger = now_space.keys() - before_space.keys()
    before_space |= {name: value for name, value in _defaults().items() if name in younger}
    # A population that waits has no rungs of another scheduler, nor of other epochs.
    population = PBT in (before_space.get("scheduler.name"), now_space.get("scheduler.name"))
    may = tuple(section for section in COMPATIBLE if not (population and section == "scheduler"))
    found = [
        Difference(name, before_space.get(name), now_space.get(name), name.startswith(may))
        for name in dict.fromkeys([*before_space, *now_space])
        if before_space.get(name) != now_space.get(name) and name != "trials"
    ]
    for name, what in (("objective", "the objective"), ("seed", "the seed"), ("data", "the images' folder")):
        before, after = getattr(saved, name), getattr(now, name)
        if before != after:
            # The same images at another place may go on; the fingerprint says whether they are.
            found.append(Difference(what, before, after, compatible=name == "data"))
    if saved.fingerprint != now.fingerprint:
        found.append(Difference("the fingerprint of the images", saved.fingerprint[:12], now.fingerprint[:12], False))
    return found


def check_differences(found: Sequence[Difference], sweep: str, *, allow: bool) -> None:
    """Check that a sweep may go on.

    Raises:
        UserError: it may not, or only if the user allows changes.
    """
    refused = [one for one in found if not one.compatible] or ([] if allow else list(found))
    if not refused:
        return
    compatible = all(one.compatible for one in refused)
    cure = "--allow-changes goes on with them" if compatible else "launch a new sweep, with --warm-start for its trials"
    raise UserError(f"sweep {sweep} has changed since its launch: {'; '.join(map(str, refused))}: {cure}")


def _defaults() -> dict[str, Any]:
    """By dotted keys, of what has grown."""
    confirm = ConfirmConfig().model_dump(include={"train_seeds", "metrics"})
    scheduler = SchedulerConfig().model_dump(include={"every_epochs", "quantile", "resample", "factors"})
    grown = {"base": TrainConfig().model_dump(), "confirm": confirm, "scheduler": scheduler}
    return _flat({**grown, "constraints": {}, "changes": []})


def _flat(definition: dict[str, Any]) -> dict[str, Any]:
    """By dotted keys, with lists as they are in a file."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in flatten(definition).items()}
