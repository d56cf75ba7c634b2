"""Trials that wait at rungs: searcher, scheduler and Optuna's study."""

from pathlib import Path
from typing import Any

import pytest
from optuna.samplers._tpe.sampler import _split_trials
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from orchestrator.results.events import Closed, Opened, Paused, Started, Submitted
from orchestrator.results.state import SweepState
from orchestrator.results.verdict import State, SweepStatus, TrialOutcome
from orchestrator.search.earlier import count_earlier, measured_before
from orchestrator.search.samplers import SeededByTrial
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.schedulers.promotion import Promotion
from tests.orchestrator.search.test_going_on import OPENED
from tests.orchestrator.search.test_searcher import METRIC, Sweep, space_with
from tests.orchestrator.sweep_helpers import PLAN, epoch
from tests.orchestrator.sweep_helpers import result as result_of

EPOCHS = 9
SCHEDULER = {"name": "asha", "grace_epochs": 1, "reduction_factor": 2, "rung_factor": 3}
SPACE = space_with(base={"schedule": {"epochs": EPOCHS, "window_first": 1}}, scheduler=SCHEDULER, confirm={"top": 1})


class InTunesPlace:
    """Passes measurements to scheduler and searcher in Tune's order. What the broker would get is in `told`."""

    def __init__(self, storage: Path, **options: Any) -> None:
        self.told: list[str] = []
        self.planned = 99
        self.sweep = Sweep(
            storage,
            SPACE,
            pause=lambda name: self.told.append(f"pause {name}"),
            promote=lambda name, exploit: self.told.append(f"promote {name}"),
            planned=lambda: self.planned,
            **options,
        )
        scheduler = build_scheduler(SPACE)
        assert isinstance(scheduler, Promotion)
        self.scheduler = scheduler
        scheduler.set_search_properties(METRIC, "min")
        self.trials: dict[str, Trial] = {}
        self.asked = 0

    def ask(self) -> str | None:
        """The number of the next trial, which then runs."""
        self.asked += 1
        config = self.sweep.searcher.suggest(f"tune{self.asked}")
        if config is None or config == Searcher.FINISHED:
            return None
        trial = Trial("x", stub=True, trial_id=f"tune{self.asked}", config=config)
        self.trials[config["trial_id"]] = trial
        self.scheduler.on_trial_add(None, trial)  # type: ignore[arg-type]
        return str(config["trial_id"])

    def measure(self, name: str, at: int, fid: float, diversity: float = 0.9) -> bool:
        """Whether the trial goes on."""
        trial, result = self.trials[name], result_of(at, fid, diversity).to_tune(METRIC)
        goes_on = self.scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE
        if goes_on:
            self.sweep.searcher.on_trial_result(trial.trial_id, result)
        else:
            self._end(trial, result)
        return goes_on

    def end(self, name: str, fid: float | None, verdict: str = "completed") -> None:
        best = None if fid is None else EPOCHS
        outcome = TrialOutcome(verdict=verdict, epochs=EPOCHS, objective=fid, best_epoch=best)
        self._end(self.trials[name], result_of(EPOCHS, fid, outcome=outcome).to_tune(METRIC))

    def _end(self, trial: Trial, result: dict[str, Any]) -> None:
        self.scheduler.on_trial_complete(None, trial, result)
        self.sweep.searcher.on_trial_complete(trial.trial_id, result)


@pytest.fixture
def field(tmp_path: Path) -> InTunesPlace:
    field = InTunesPlace(tmp_path / "j")
    field.sweep.searcher.follow(field.scheduler)
    return field


def test_a_trial_waits_and_goes_on_under_its_number(field: InTunesPlace) -> None:
    assert field.ask() == "0000" and not field.measure("0000", 1, 50.0)
    assert field.ask() == "0001" and not field.measure("0001", 1, 60.0)
    assert field.ask() == "0000", "one in two goes on: the better one, and before a new one"
    assert field.told == ["pause 0000", "pause 0001", "promote 0000"]
    assert list(field.sweep.submitted) == ["0000", "0001"], "it is not submitted again"
    assert field.measure("0000", 2, 40.0), "between rungs"
    assert not field.measure("0000", 3, 30.0)
    told = field.sweep.trials()
    assert [trial.state for trial in told] == [TrialState.RUNNING] * 2
    assert told[0].intermediate_values == {1: 50.0, 2: 40.0, 3: 30.0}


def let_the_better_of_two_go_on(field: InTunesPlace) -> None:
    """0000, to its end; 0001 waits, and no new one is left."""
    field.planned = 2
    for number, fid in enumerate((50.0, 60.0)):
        field.ask()
        field.measure(f"000{number}", 1, fid)
    assert field.ask() == "0000" and not field.measure("0000", 3, 45.0)
    assert field.ask() == "0000"


def test_when_no_new_one_is_left_the_best_goes_on_to_its_end(field: InTunesPlace) -> None:
    let_the_better_of_two_go_on(field)
    assert field.ask() is None, "one trial is to finish, and it runs"
    field.end("0000", 40.0)
    assert field.ask() is None, "a sweep is over although one waits"
    assert [trial.state for trial in field.sweep.trials()] == [TrialState.COMPLETE, TrialState.RUNNING]


def test_one_that_trained_to_its_end_without_an_objective_has_not_finished(field: InTunesPlace) -> None:
    let_the_better_of_two_go_on(field)
    field.end("0000", None)
    assert field.ask() == "0001", "one trial is to get an objective"
    field.end("0001", 60.0, "d_collapse")
    assert field.ask() is None


def test_fakes_that_hardly_vary_count_as_worse_than_they_are(field: InTunesPlace) -> None:
    field.ask()
    assert not field.measure("0000", 1, 50.0, diversity=0.01), "as 250"
    field.ask()
    assert field.measure("0001", 1, 240.0), "the best of two"
    field.ask()
    assert not field.measure("0002", 1, 245.0)
    assert [trial.intermediate_values for trial in field.sweep.trials()] == [{1: 250.0}, {1: 240.0}, {1: 245.0}]


def test_tpe_learns_from_those_that_wait(field: InTunesPlace) -> None:
    """To TPE they are pruned ones: behind those that have finished, the longest trained first."""
    for number, fid in enumerate((50.0, 60.0)):
        field.ask()
        field.measure(f"000{number}", 1, fid)
    assert field.ask() == "0000" and not field.measure("0000", 3, 80.0)
    assert field.ask() == "0002" and not field.measure("0002", 1, 70.0)
    study = field.sweep.searcher._study
    sampler = study.sampler
    assert isinstance(sampler, SeededByTrial)
    shown = sampler._shown(study, study.ask())
    trials = shown._get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert [trial.number for trial in trials] == [0, 1, 2]
    below, _ = _split_trials(shown, trials, 2)
    assert [trial.number for trial in below] == [0, 1], "0 by its later epoch, though its FID is the highest"
    assert [trial.state for trial in study.get_trials()[:3]] == [TrialState.RUNNING] * 3, "the study is as it was"


def paused_sweep() -> SweepState:
    """0000 and 0001 wait at epoch 1, 0002 was interrupted there; the driver died, and another has opened the sweep."""
    state = SweepState(PLAN)
    state.apply(Opened(at=0.0, session=1, **OPENED))
    for number in range(3):
        name = f"{number:04d}"
        state.apply(Submitted(at=1.0, session=1, trial=name, params={}, epochs=EPOCHS, n_fake=2))
        state.apply(Started(at=2.0 + number, session=1, trial=name, gang=0, attempt=1))
        state.progress(name, epoch(1, fid=50.0 + 10 * number))
        if number < 2:
            state.apply(Paused(at=2.5 + number, session=1, trial=name))
    state.apply(Closed(at=9.0, session=1, status=SweepStatus.INTERRUPTED, ended=9.0))
    state.apply(Opened(at=20.0, session=2, **OPENED))
    return state


def test_another_driver_lets_them_wait_where_they_waited(tmp_path: Path) -> None:
    first = Sweep(tmp_path / "j", SPACE)
    for _ in range(3):
        first.suggest()
    state = paused_sweep()
    assert [trial.state for trial in state.trials.values()] == [State.PAUSED, State.PAUSED, State.RUNNING]
    assert state.interrupted == ["0002"]

    def history(name: str) -> list[Any]:
        return [epoch(1, fid=50.0 + 10 * int(name))]

    field = InTunesPlace(tmp_path / "j", state=state, history=history)
    over, still_open = measured_before(field.scheduler, state, history)
    assert list(over) == ["0000", "0001"] and still_open == {"0002": []}
    count_earlier(field.scheduler, METRIC, over)
    field.sweep.searcher.follow(field.scheduler)
    assert field.ask() == "0002", "what was interrupted comes first"
    assert not field.measure("0002", 1, 70.0)
    assert field.ask() == "0000", "one in two of three: the best, which waited"
    assert field.told == ["pause 0002", "promote 0000"]
    assert [trial.intermediate_values for trial in field.sweep.trials()] == [{1: 50.0}, {1: 60.0}, {1: 70.0}]


def test_trials_of_earlier_do_not_count_as_those_that_finish(field: InTunesPlace) -> None:
    """Each is the best at every rung when it comes, as those of a warm start may be: none of them runs."""
    earlier = {f"e{number}": [epoch(at, fid=90.0 - number).measurement for at in (1, 3)] for number in range(3)}
    count_earlier(field.scheduler, METRIC, earlier)  # type: ignore[arg-type]
    field.planned = 2
    for number, fid in enumerate((95.0, 96.0)):
        assert field.ask() == f"{number:04d}" and not field.measure(f"{number:04d}", 1, fid)
    assert field.ask() == "0000", "one is to finish, however good the earlier ones were"
    assert field.measure("0000", 3, 94.0) and field.ask() is None


def test_a_paused_trial_without_a_history_goes_on_at_once(tmp_path: Path) -> None:
    first = Sweep(tmp_path / "j", SPACE)
    for _ in range(3):
        first.suggest()
    field = InTunesPlace(tmp_path / "j", state=paused_sweep(), history=lambda name: [])
    field.sweep.searcher.follow(field.scheduler)
    assert [field.ask() for _ in range(3)] == ["0002", "0000", "0001"]
    assert field.told == ["promote 0000", "promote 0001"]
