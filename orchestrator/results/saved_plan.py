"""``plan.json``: the resolved plan of a sweep, as it was launched. What changes later is in the log."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.results.events import FORMAT, check_format
from orchestrator.results.prices import Prices
from trainers.errors import UserError, first_line

PLAN_FILE = "plan.json"


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A sweep as it was launched.

    Attributes:
        sweep: its name.
        space: name of its space.
        objective: name of the metric, protocol included.
        trials: how many were planned at first.
        data: directory of the real images.
        n_real: usable images in it.
        synthetic: whether the images were drawn by ``--demo``.
        tracking_uri: of MLflow; a password in it is masked.
        warm_start: directories of the sweeps whose trials the sampler got; older files have one, or null for none.
        narrowed: what ``--narrow`` changed of the space, as `orchestrator.space.narrowing.Narrowing`; empty: nothing.
        storage: of Optuna's study; a password in it is masked.
        cache_dir: of decoded images and statistics.
        address: of the Ray cluster; None: one on the driver's machine.
        seed: of the search and of every trial.
        hang_timeout_s: seconds of silence after which a gang hangs; None: by the sweep's epochs.
        keep_checkpoints: whose ``best.pt`` is kept: ``all``, ``best`` or ``top:K``.
        checkpoint_bytes: of the largest checkpoint that a trial may have; 0 where that is not known.
        resources: gangs and ranks, as in `orchestrator.plan.resources.Resources`.
        budgets: limits at first, as in `orchestrator.plan.budgets.Budgets`.
        objectives: their names; ``objective`` is the first with its protocol.
        constraints: what the winner has to keep, as in the space; empty in plans of older versions.
        devices: number of devices that a trial holds; see `Resources.devices`.
        gang_gpus: GPUs that one gang holds.
        prices: of GPUs and head, as far as they are known; all that the sweep has used so far counts by them.
        fingerprint: hash of the images, at the sizes in which they are trained on.
        definition: the space, as the contents of a space file.
        version: of gan-sweep.
        register: name of the registered model in MLflow whose champion the best generator becomes; empty: of none.
        unique: a random word, so that two sweeps of one name are not taken for one in MLflow.
    """

    sweep: str
    space: str
    objective: str
    trials: int
    data: str
    n_real: int
    synthetic: bool
    tracking_uri: str
    warm_start: tuple[str, ...] = ()
    narrowed: dict[str, Any] = field(default_factory=dict)
    storage: str = ""
    cache_dir: str = ""
    address: str | None = None
    seed: int = 0
    hang_timeout_s: float | None = None
    keep_checkpoints: str = "all"
    checkpoint_bytes: int = 0
    resources: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, float | None] = field(default_factory=dict)
    objectives: tuple[str, ...] = ("fid",)
    constraints: dict[str, str] = field(default_factory=dict)
    devices: float = 1.0
    gang_gpus: float = 0.0
    prices: Prices = field(default_factory=Prices)
    fingerprint: str = ""
    definition: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    register: str = ""
    unique: str = ""

    @property
    def scheduler(self) -> str:
        """Name of the scheduler; empty where the definition does not say it."""
        return str(self.definition.get("scheduler", {}).get("name", ""))


def plan_text(plan: SavedPlan) -> str:
    """The contents of ``plan.json``."""
    return json.dumps({"format": FORMAT, **asdict(plan)}, indent=1)


def read_plan(file: Path, moved: Callable[[str], str] = str) -> SavedPlan:
    """Read ``plan.json``, its text as `moved` makes it.

    Raises:
        UserError: it is missing or damaged, or a newer version wrote it.
    """
    try:
        values = json.loads(moved(file.read_text()))
        found = values.pop("format")
        check_format(found, str(file))
        known = {name: value for name, value in values.items() if name in SavedPlan.__dataclass_fields__}
        known |= {"objectives": tuple(known.get("objectives", ["fid"])), "prices": Prices(**known.get("prices", {}))}
        earlier = known.get("warm_start") or ()
        known["warm_start"] = (earlier,) if isinstance(earlier, str) else tuple(map(str, earlier))
        return SavedPlan(**known)
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{file} is damaged: {first_line(error, with_type=True)}") from error
