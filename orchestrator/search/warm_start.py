"""``--warm-start SWEEP``: gives the finished trials of other sweeps to this sweep's sampler.

They become the first trials of the new study. The sweep's own trials are numbered after them, so that a trial has the
same number in Optuna, in the sweep's directory and in MLflow.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import searched
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.search.result import compared
from orchestrator.search.studies import ORIGIN
from orchestrator.search.trial_states import FEASIBLE, HEALTHY, state_for_optuna, violation
from orchestrator.space.constraints import limits_of
from orchestrator.space.domains import FloatRange, Value
from orchestrator.space.load import build_space
from orchestrator.space.objectives import counted, measured_costs
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.metric_names import PRDC, VALUES, value_of
from trainers.run_report import Measurement

# Keys that change neither what a trial learns nor what its FID means.
_INCIDENTAL = (
    "seed",
    "schedule.checkpoint_every",
    "schedule.samples_every",
    "fid.weights",
    "fid.batch_size",
    "fid.at",
    "fid.metrics",
    "fid.neighbours",  # but see `_check_comparable`
)
_INCIDENTAL_SECTIONS = ("runtime.",)
# Keys that every trial's FID depends on, besides its protocol's name.
_MEASURED = (
    "family",
    "labels",
    "data.image_size",
    "data.fit",
    "data.heldout",
    "data.heldout_seed",
    "schedule.window_first",
    "fid.every",
    "fid.n_fake_first",
    "fid.min_diversity",
)


@dataclass(frozen=True)
class Earlier:
    """Another sweep's trials, as far as they fit.

    Attributes:
        sweep: its name, or its directory where two of the sweeps have one name.
        trials: for the new study.
        measured: by origin of these trials, its FIDs in order, for the scheduler.
        left_out: by reason, how many trials do not fit.
        objectives: by origin of those that could win here: not refused, and within the constraints; their objective,
            lower is better.
    """

    sweep: str
    trials: tuple[FrozenTrial, ...]
    measured: dict[str, list[Measurement]]
    left_out: dict[str, int]
    objectives: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{len(self.trials)} trials of {self.sweep}"
        if self.left_out:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in self.left_out.items())
            text += f"; {sum(self.left_out.values())} left out: {reasons}"
        return text


@dataclass(frozen=True)
class WarmStart:
    """The trials of one or several other sweeps, each once, as far as they fit.

    Attributes:
        sweeps: in the order in which they were named.
    """

    sweeps: tuple[Earlier, ...]

    @property
    def trials(self) -> tuple[FrozenTrial, ...]:
        """For the new study."""
        return tuple(trial for earlier in self.sweeps for trial in earlier.trials)

    @property
    def measured(self) -> dict[str, list[Measurement]]:
        """By origin of these trials, its FIDs in order, for the scheduler."""
        return {origin: fids for earlier in self.sweeps for origin, fids in earlier.measured.items()}

    @property
    def objectives(self) -> dict[str, float]:
        """By origin of those that could win here: not refused, and within the constraints; their objective."""
        return {origin: value for earlier in self.sweeps for origin, value in earlier.objectives.items()}

    def best(self, share: float) -> list[dict[str, Value]]:
        """The settings of the best share of the trials, the best first, as far as these have an objective.

        One without an objective, or that was refused or breaks a constraint, ranks behind all others.
        """
        objectives = self.objectives
        own = [trial for trial in self.trials if trial.user_attrs[ORIGIN] in objectives]
        own.sort(key=lambda trial: objectives[trial.user_attrs[ORIGIN]])
        most = math.ceil(round(share * len(self.trials), 6))  # 0.1 * 30 is a little more than 3
        return [dict(trial.params) for trial in own[:most]]

    def __str__(self) -> str:
        return "\n".join(map(str, self.sweeps))


def read_warm_start(
    stores: Sequence[ResultsStore],
    space: Space,
    *,
    metric: str,
    data: str,
    gone: Callable[[UserError], None] | None = None,
) -> WarmStart:
    """The finished trials of other sweeps, as trials of a study over `space`.

    A trial fits when the new space could have proposed it: the value of a key that is searched here must lie inside its
    range, and that of any other key must be the base's. Keys that the other sweep did not search have its base's value.
    A trial comes once, also where two of the sweeps are copies of one.

    Args:
        stores: the other sweeps.
        space: the new sweep's space.
        metric: name of the new sweep's FID, protocol included.
        data: the new sweep's directory of real images.
        gone: called with what is wrong with a sweep, which is then left out; None: that is raised.

    Raises:
        UserError: the FIDs of one of the sweeps cannot be compared, or none of its trials fits; names the sweep.
    """
    known: set[_Identity] = set()
    sweeps = []
    names = Counter(store.directory.name for store in stores)
    for store in stores:
        name = store.directory.name if names[store.directory.name] == 1 else str(store.directory)
        try:
            sweeps.append(_read(store, name, space, metric, data, known))
        except UserError as error:
            if gone is None:
                raise
            gone(error)
    return WarmStart(tuple(sweeps))


_Identity = tuple[str, str, float]  # the sweep's own word, and the trial's number and start: copies of it have the same


def _read(store: ResultsStore, name: str, space: Space, metric: str, data: str, known: set[_Identity]) -> Earlier:
    """The trials of one sweep without those in `known`, to which they are added."""
    info = store.read_plan()
    try:
        old = build_space(info.space, info.definition)
    except UserError as error:
        raise UserError(f"--warm-start {name}: its space cannot be read: {error}") from None
    _check_comparable(info, name, old, space, metric, data)
    taken, measured, objectives, left_out = [], {}, {}, Counter[str]()
    for record in searched(store.read_trials()):
        reports = [report.measurement for report in store.read_history(record.trial_id)]
        own = [one for one in reports if one is not None]
        identity, origin = (info.unique or name, record.trial_id, record.started), f"{name}/{record.trial_id}"
        try:
            if identity in known:
                raise _Unfit("came with a copy of this sweep")
            if record.exploits or old.changes:
                raise _Unfit("their settings changed while they trained")
            taken.append(_import(record, own, origin, old, space))
        except _Unfit as reason:
            left_out[str(reason)] += 1
        else:
            known.add(identity)
            measured[origin] = own
            if record.objective is not None and record.can_win and _keeps(record, space):
                objectives[origin] = record.lower(record.objective)
    earlier = Earlier(name, tuple(taken), measured, dict(left_out.most_common()), objectives)
    if not taken:
        raise UserError(f"--warm-start {name}: no trial of it fits this space: {earlier}")
    return earlier


class _Unfit(Exception):
    """Why a trial does not fit."""


def _check_comparable(info: SavedPlan, sweep: str, old: Space, new: Space, metric: str, data: str) -> None:
    def differ(what: str, before: Any, now: Any) -> UserError:
        return UserError(f"--warm-start {sweep}: its FIDs do not compare: {what} was {before}, is {now} here")

    if info.objective != metric:
        raise differ("the objective", info.objective, metric)
    if info.data != data:
        raise differ("the images' folder", info.data, data)
    before, now = old.base.flat(), new.base.flat()
    wanted = {limit.value for limit in limits_of(new.constraints)}.union(new.objectives)
    measured = (*_MEASURED, "fid.neighbours") if wanted & set(VALUES[PRDC]) else _MEASURED
    for name in dict.fromkeys([*_flat_names(measured, before), *_flat_names(measured, now)]):
        if name not in old.search and name not in new.search and before.get(name) != now.get(name):
            raise differ(name, before.get(name), now.get(name))


def _flat_names(names: tuple[str, ...], flat: dict[str, Any]) -> Iterator[str]:
    """The keys of `flat` that are in `names`, or nested below one of them."""
    return (key for key in flat if key in names or key.startswith(tuple(f"{name}." for name in names)))


def _import(record: TrialRecord, measured: Sequence[Measurement], origin: str, old: Space, new: Space) -> FrozenTrial:
    if record.open or record.verdict is None:
        raise _Unfit("not finished")
    known = {one.epoch: value for one in measured if not math.isnan(value := compared(one))}
    state, at_fault = state_for_optuna(record.verdict, record.objective, measured=bool(measured))
    learns = SAMPLERS[new.sampler.name].violations
    if at_fault and learns:
        state = TrialState.PRUNED
    if state is TrialState.FAIL:
        raise _Unfit(f"ended as {record.verdict}")
    params, several = _translated(record, old, new), len(new.objectives) > 1
    fixed = FixedTrial(dict(params))
    new.sample(fixed)
    values = list(known.values())[-1:] if known and not several else None  # as Optuna itself does for PRUNED
    healthy = {HEALTHY: violation(new, params, record.epochs) if at_fault else FEASIBLE} if learns else {}
    return create_trial(
        state=state,
        values=_values(record, old, new) if state is TrialState.COMPLETE else values,
        params=dict(params),
        distributions=fixed.distributions,
        intermediate_values={} if several else known,
        user_attrs={ORIGIN: origin},
        constraints={**healthy, **(_violations(record, new) if state is TrialState.COMPLETE else {})} or None,
    )


def _keeps(record: TrialRecord, new: Space) -> bool:
    """Whether a trial keeps the constraints of `new`."""
    limits = limits_of(new.constraints)
    return all(limit.violation(value_of(record.beside, limit.value)) <= 0 for limit in limits)


def _violations(record: TrialRecord, new: Space) -> dict[str, float]:
    """By how much a finished trial breaks the constraints of `new`, for a sampler that learns from it."""
    if not SAMPLERS[new.sampler.name].constraints:
        return {}
    limits = limits_of(new.constraints)
    if missing := [limit.value for limit in limits if value_of(record.beside, limit.value) is None]:
        raise _Unfit(f"without {missing[0]}")
    return {limit.value: limit.violation(value_of(record.beside, limit.value)) for limit in limits}


def _values(record: TrialRecord, old: Space, new: Space) -> list[float]:
    known = {**record.objectives, **counted(new.objectives, old.resolve(record.params))}
    known |= measured_costs(new.objectives[1:], record.beside)
    values = []
    for name in new.objectives:
        if (value := known.get(name)) is None:
            raise _Unfit(f"without {name}")
        values.append(value)
    return values


def _translated(record: TrialRecord, old: Space, new: Space) -> dict[str, Value]:
    """A trial of `old` as values of the keys that `new` searches."""
    before = old.resolve(record.params).flat()
    params: dict[str, Value] = {}
    for name in new.in_order():
        if not new.is_active(name, params):
            continue
        domain, value = new.search[name], before.get(name)
        if name not in before or not domain.contains(value):
            raise _Unfit(f"{name} outside {domain}")
        params[name] = float(before[name]) if isinstance(domain, FloatRange) else value
    try:
        now = new.resolve(params).flat()
    except UserError as error:
        raise _Unfit(str(error)) from None
    for name in dict.fromkeys([*now, *before]):
        inactive = name in new.search and name not in params  # does not exist for these values
        if name in params or inactive or name in _INCIDENTAL or name.startswith(_INCIDENTAL_SECTIONS):
            continue
        if before.get(name) != now.get(name):
            raise _Unfit(f"{name} not searched here and not {now.get(name)}")
    return params
