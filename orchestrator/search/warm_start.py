"""``--warm-start SWEEP``: gives the finished trials of another sweep to this sweep's sampler.

They become the first trials of the new study. The sweep's own trials are numbered after them, so that a trial has the
same number in Optuna, in the sweep's directory and in MLflow.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from orchestrator.results.records import TrialRecord
from orchestrator.results.repeats import searched
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.store import ResultsStore
from orchestrator.search.studies import ORIGIN
from orchestrator.search.trial_states import FEASIBLE, HEALTHY, state_for_optuna, violation
from orchestrator.space.constraints import limits_of
from orchestrator.space.domains import FloatRange, Value
from orchestrator.space.load import build_space
from orchestrator.space.objectives import KNOWN_BEFOREHAND, costs, measured_costs
from orchestrator.space.sections import SAMPLERS
from orchestrator.space.space import Space
from trainers.errors import UserError
from trainers.metric_names import value_of
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
class WarmStart:
    """Another sweep's trials, as far as they fit.

    Attributes:
        sweep: its name.
        trials: for the new study.
        measured: by trial of these, its FIDs in order, for the scheduler.
        left_out: by reason, how many trials do not fit.
    """

    sweep: str
    trials: tuple[FrozenTrial, ...]
    measured: dict[str, list[Measurement]]
    left_out: dict[str, int]

    def __str__(self) -> str:
        text = f"{len(self.trials)} trials of {self.sweep}"
        if self.left_out:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in self.left_out.items())
            text += f"; {sum(self.left_out.values())} left out: {reasons}"
        return text


def read_warm_start(store: ResultsStore, space: Space, *, metric: str, data: str) -> WarmStart:
    """Another sweep's finished trials, as trials of a study over `space`.

    A trial fits when the new space could have proposed it: the value of a key that is searched here must lie inside its
    range, and that of any other key must be the base's. Keys that the other sweep did not search have its base's value.

    Args:
        store: the other sweep.
        space: the new sweep's space.
        metric: name of the new sweep's FID, protocol included.
        data: the new sweep's directory of real images.

    Raises:
        UserError: the FIDs of the two sweeps cannot be compared, or no trial fits.
    """
    info = store.read_plan()
    try:
        old = build_space(info.space, info.definition)
    except UserError as error:
        raise UserError(f"--warm-start {info.sweep}: its space cannot be read: {error}") from None
    _check_comparable(info, old, space, metric, data)
    taken, measured, left_out = [], {}, Counter[str]()
    for record in searched(store.read_trials()):
        reports = [report.measurement for report in store.read_history(record.trial_id)]
        own = [one for one in reports if one is not None]
        try:
            taken.append(_import(record, own, store, old, space))
        except _Unfit as reason:
            left_out[str(reason)] += 1
        else:
            measured[f"{store.directory.name}/{record.trial_id}"] = own
    warm = WarmStart(info.sweep, tuple(taken), measured, dict(left_out.most_common()))
    if not taken:
        raise UserError(f"--warm-start {info.sweep}: no trial of it fits this space: {warm}")
    return warm


class _Unfit(Exception):
    """Why a trial does not fit."""


def _check_comparable(info: SavedPlan, old: Space, new: Space, metric: str, data: str) -> None:
    def differ(what: str, before: Any, now: Any) -> UserError:
        return UserError(f"--warm-start {info.sweep}: its FIDs do not compare: {what} was {before}, is {now} here")

    if info.objective != metric:
        raise differ("the objective", info.objective, metric)
    if info.data != data:
        raise differ("the images' folder", info.data, data)
    before, now = old.base.flat(), new.base.flat()
    for name in dict.fromkeys([*_flat_names(_MEASURED, before), *_flat_names(_MEASURED, now)]):
        if name not in old.search and name not in new.search and before.get(name) != now.get(name):
            raise differ(name, before.get(name), now.get(name))


def _flat_names(names: tuple[str, ...], flat: dict[str, Any]) -> Iterator[str]:
    """The keys of `flat` that are in `names`, or nested below one of them."""
    return (key for key in flat if key in names or key.startswith(tuple(f"{name}." for name in names)))


def _import(
    record: TrialRecord, measured: Sequence[Measurement], store: ResultsStore, old: Space, new: Space
) -> FrozenTrial:
    if record.open or record.verdict is None:
        raise _Unfit("not finished")
    fids = {one.epoch: one.fid for one in measured if not one.collapsed}
    state, at_fault = state_for_optuna(record.verdict, record.objective, measured=bool(measured))
    learns = SAMPLERS[new.sampler.name].violations
    if at_fault and learns:
        state = TrialState.PRUNED
    if state is TrialState.FAIL:
        raise _Unfit(f"ended as {record.verdict}")
    params, several = _translated(record, old, new), len(new.objectives) > 1
    fixed = FixedTrial(dict(params))
    new.sample(fixed)
    values = list(fids.values())[-1:] if fids and not several else None  # as Optuna itself does for PRUNED
    healthy = {HEALTHY: violation(new, params, record.epochs) if at_fault else FEASIBLE} if learns else {}
    return create_trial(
        state=state,
        values=_values(record, old, new) if state is TrialState.COMPLETE else values,
        params=dict(params),
        distributions=fixed.distributions,
        intermediate_values={} if several else fids,
        user_attrs={ORIGIN: f"{store.directory.name}/{record.trial_id}"},
        constraints={**healthy, **(_violations(record, new) if state is TrialState.COMPLETE else {})} or None,
    )


def _violations(record: TrialRecord, new: Space) -> dict[str, float]:
    """By how much a finished trial breaks the constraints of `new`, for a sampler that learns from it."""
    if not SAMPLERS[new.sampler.name].constraints:
        return {}
    limits = limits_of(new.constraints)
    if missing := [limit.value for limit in limits if value_of(record.beside, limit.value) is None]:
        raise _Unfit(f"without {missing[0]}")
    return {limit.value: limit.violation(value_of(record.beside, limit.value)) for limit in limits}


def _values(record: TrialRecord, old: Space, new: Space) -> list[float]:
    beforehand = [name for name in new.objectives if name in KNOWN_BEFOREHAND]
    known = {**record.objectives, **costs(beforehand, old.resolve(record.params), 0)}
    known |= measured_costs(new.objectives, record.beside)
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
