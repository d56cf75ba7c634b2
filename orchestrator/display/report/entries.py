"""What the report shows: sweeps as they are on disk, their trials in order of merit, and which of them compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.pruning import RULES
from orchestrator.results.events import Event, from_json
from orchestrator.results.lines import LineReader
from orchestrator.results.places import EVENTS_FILE
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.repeats import searched, seeds_place
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.spending import Spending, spending_of
from orchestrator.results.standing import Standing, last_sign
from orchestrator.results.state import SweepState
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from trainers.checkpoint import BEST
from trainers.errors import UserError
from trainers.run_report import EpochReport, Measurement

MOST_TRIALS = 2000  # in a page; the best stay


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep as it is on disk.

    Attributes:
        store: its directory.
        state: by its log.
        standing: its status, also where its driver has died.
        space: None where this version cannot read it.
        events: its log.
    """

    store: ResultsStore
    state: SweepState
    standing: Standing
    space: Space | None
    events: Sequence[Event] = field(repr=False)

    @property
    def name(self) -> str:
        """Of its directory: two sweeps of one name may have been moved beside each other."""
        return self.store.directory.name

    @cached_property
    def searched(self) -> int:
        """How many trials its search has started; repeats with fresh training seeds are none."""
        return len(searched(self.state.trials.values()))

    @cached_property
    def until(self) -> float:
        """Until when its time counts."""
        return last_sign(self.store.directory, self.state)

    @cached_property
    def spent(self) -> Spending:
        """What it has held and cost."""
        return spending_of(self.state, self.until)

    @property
    def plan(self) -> SavedPlan:
        """As it was launched."""
        return self.state.plan


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A trial in the page.

    Attributes:
        key: that nothing else in the page has; letters, digits and ``-`` only.
        label: what people call it: its number, after its sweep where there are several.
        sweep: that it belongs to.
        trial: its record.
        history: its epochs.
    """

    key: str
    label: str
    sweep: Sweep
    trial: TrialRecord
    history: Sequence[EpochReport] = field(repr=False)

    @property
    def name(self) -> str:
        """Why it ended, in one word."""
        return self.trial.verdict or ("paused" if self.trial.paused else "training")

    @property
    def look(self) -> str:
        """Which of six colours it has, by why it ended."""
        return look_of(self.name, self.trial.state)

    @cached_property
    def measured(self) -> list[Measurement]:
        """Its measurements with a finite objective, by epoch."""
        found = (report.measurement for report in self.history)
        return [one for one in found if one is not None and math.isfinite(one.value)]

    @cached_property
    def counted(self) -> set[int]:
        """Epochs whose value counts: in the window, where the first objective is, and of fakes that vary."""
        return {
            one.epoch
            for report in self.history
            if (one := report.measurement) is not None and report.objective is not None and not one.collapsed
        }

    @property
    def detail(self) -> str:
        """A sentence on how it ended, and why it cannot win; empty where its verdict says it all."""
        broken = f"breaks {', '.join(self.trial.broken)}" if self.trial.can_win and self.trial.broken else ""
        return "; ".join(filter(None, (self.trial.detail, self.trial.refused, broken)))

    @property
    def refused(self) -> bool:
        """Whether it has an objective and cannot win: its best checkpoint was refused when it was measured again."""
        return self.trial.objective is not None and bool(self.trial.refused)

    @property
    def kept(self) -> bool:
        """Whether its best checkpoint is in the sweep's directory."""
        return (self.sweep.store.trials_dir / self.trial.trial_id / BEST).is_file()

    @property
    def merit(self) -> tuple[float, float, int]:
        """Sorts trials, the best first: by the mean over training seeds, then confirmed ones by their mean, then by
        objective, then by their lowest FID.

        Of those with an objective, those that break a constraint come after all others.
        """
        trial = self.trial
        behind = 0.0 if not (trial.can_win and trial.broken) else 1.25
        if trial.can_win and trial.seeds.values and not trial.broken:
            failed, mean, number = seeds_place(trial)
            return failed - 2, mean, number
        if trial.can_win and trial.objective_mean is not None:
            return behind, trial.lower(trial.objective_mean), trial.number
        if trial.can_win and trial.objective is not None:
            return behind + (0.25 if behind else 1), trial.lower(trial.objective), trial.number
        if (
            trial.stands_for_none
            and trial.lowest_fid is not None
            and math.isfinite(trial.lowest_fid)
            and not trial.refused
        ):
            return 2, trial.lowest_fid, trial.number
        return 3, 0.0, trial.number

    @property
    def finite_objective(self) -> float | None:
        """Its objective; None where it has none that is finite."""
        value = self.trial.objective
        return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sweeps whose objectives compare.

    Attributes:
        number: of the group in the page, from 0.
        sweeps: as they were named.
        entries: their trials, the best first.
        repeats: their settings that were trained again with fresh training seeds; they are in no ranking of trials.
        left_out: trials that are not in `entries`, since there are too many.
    """

    number: int
    sweeps: Sequence[Sweep]
    entries: Sequence[Entry]
    left_out: int = 0
    repeats: Sequence[Entry] = ()

    @property
    def every(self) -> list[Entry]:
        """Trials, then repeats."""
        return [*self.entries, *self.repeats]

    @property
    def objective(self) -> str:
        """Name of the objective, by default of the FID, protocol included."""
        return self.sweeps[0].plan.objective

    @property
    def measure(self) -> str:
        """What the objective is, by its short name."""
        return self.sweeps[0].plan.objectives[0]

    @property
    def named(self) -> str:
        """Its sweeps."""
        return ", ".join(sweep.name for sweep in self.sweeps)

    @property
    def several(self) -> bool:
        """Whether trials of more than one sweep are in it."""
        return len(self.sweeps) > 1

    @cached_property
    def best(self) -> Entry | None:
        """The winner, as `best_trial` chooses it: where settings were trained again it may be a repeat."""
        best = best_trial([entry.trial for entry in self.entries])
        return next((entry for entry in self.every if entry.trial is best), None)

    @cached_property
    def best_setting(self) -> Entry | None:
        """The trial whose setting has won: the winner, or the one that it repeats."""
        best = self.best
        runs = ((entry, [entry.trial, *entry.trial.repeats]) for entry in self.entries)
        return next((entry for entry, own in runs if best and any(run is best.trial for run in own)), None)

    @property
    def searched(self) -> list[str]:
        """The searched keys of all sweeps, in order."""
        found: dict[str, None] = {}
        for sweep in self.sweeps:
            found |= dict.fromkeys(sweep.plan.definition.get("search") or {})
        for entry in self.entries:
            found |= dict.fromkeys(entry.trial.params)
        return list(found)

    @property
    def costs(self) -> list[str]:
        """The objectives besides the first."""
        return list(dict.fromkeys(name for entry in self.entries for name in entry.trial.costs))

    @property
    def refused(self) -> list[Entry]:
        """Trials whose checkpoint was refused, the best objective first."""
        refused = (one for one in self.entries if one.refused)
        return sorted(refused, key=lambda one: one.trial.lower(one.trial.objective or 0.0))

    @property
    def runs(self) -> bool:
        """Whether one of its trials still trains."""
        return any(entry.trial.open for entry in self.entries)


def look_of(verdict: str, state: State) -> str:
    """``training``, ``completed``, ``outranked``, ``rule``, ``stopped`` or ``failed``: a colour of the page."""
    if verdict in RULES:
        return "rule"
    if state is State.PRUNED:
        return "outranked"
    if state in (State.RUNNING, State.PAUSED):
        return "training"
    return {State.COMPLETED: "completed", State.STOPPED: "stopped", State.FAILED: "failed"}[state]


def read_sweeps(stores: Sequence[ResultsStore], progress: Callable[[int, int], None]) -> list[Group]:
    """Read sweeps, and put those together whose FIDs compare: one protocol, the same real images.

    Args:
        stores: their directories.
        progress: called with (trials read, trials in all).

    Raises:
        UserError: a file of one is damaged, or a newer version wrote it.
    """
    sweeps = [_read(store) for store in stores]
    together: dict[tuple[str, str], list[tuple[int, Sweep]]] = {}
    for place, sweep in enumerate(sweeps):
        together.setdefault((sweep.plan.objective, sweep.plan.fingerprint), []).append((place, sweep))
    total, done, groups = sum(len(sweep.state.trials) for sweep in sweeps), 0, []
    for number, members in enumerate(together.values()):
        entries = []
        for place, sweep in members:
            for trial in sweep.state.by_number():
                label = f"{sweep.name}/{trial.trial_id}" if len(members) > 1 else trial.trial_id
                history = sweep.store.read_history(trial.trial_id)
                key = f"{place}-{trial.trial_id}"
                entries.append(Entry(key=key, label=label, sweep=sweep, trial=trial, history=history))
                done += 1
                progress(done, total)
        repeats = [entry for entry in entries if entry.trial.is_repeat]
        ranked = sorted((one for one in entries if not one.trial.is_repeat), key=lambda entry: entry.merit)
        shown = ranked[:MOST_TRIALS]
        own, left_out = [sweep for _, sweep in members], len(ranked) - len(shown)
        groups.append(Group(number=number, sweeps=own, entries=shown, left_out=left_out, repeats=repeats))
    return groups


def _read(store: ResultsStore) -> Sweep:
    state = store.read_state()
    try:
        space = build_space(state.plan.space, state.plan.definition)
    except UserError:  # of an older version, whose keys were others: the page does without what needs it
        space = None
    events = [from_json(line) for line in LineReader(store.directory / EVENTS_FILE).read()]
    return Sweep(store=store, state=state, standing=store.standing(state), space=space, events=events)
