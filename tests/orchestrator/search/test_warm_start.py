"""Trials of an earlier sweep in a new study: which fit, and the reasons why others do not."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from orchestrator.results.events import Confirmed
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from orchestrator.search.earlier import count_earlier
from orchestrator.search.proposal import Proposal
from orchestrator.search.schedulers import build_scheduler
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import ORIGIN, STORAGES, count_asked, open_study, read_study, resolve_storage
from orchestrator.search.trial_states import HEALTHY
from orchestrator.search.warm_start import WarmStart, read_warm_start
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep, keep_epochs
from tests.orchestrator.sweep_helpers import result as result_of
from trainers.errors import UserError
from trainers.run_report import RunEnd

METRIC, DATA = "fid_test_n2", "/photos"
SPACE: dict[str, Any] = {
    "base": {"schedule": {"epochs": 10, "window_first": 5}, "optimizer": {"lr_g": 1e-3}},
    "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True}, "data.fit": {"choice": ["pad", "stretch"]}},
}
OLD = [  # params, verdict, objective, epochs, FIDs
    ({"optimizer.lr_g": 1e-3, "data.fit": "pad"}, "completed", 60.0, 10, {4: 90.0, 8: 60.0}),
    ({"optimizer.lr_g": 9e-3, "data.fit": "pad"}, "outranked", None, 4, {4: 120.0}),
    ({"optimizer.lr_g": 8e-3, "data.fit": "stretch"}, "nonfinite", None, 3, {}),
    ({"optimizer.lr_g": 2e-4, "data.fit": "stretch"}, "lost", None, 4, {4: 70.0}),
    ({"optimizer.lr_g": 2e-3, "data.fit": "stretch"}, "completed", 50.0, 10, {4: 80.0, 8: 50.0}),
    ({"optimizer.lr_g": 3e-3, "data.fit": "stretch"}, None, None, 4, {4: 75.0}),  # still runs
]


def changed(**parts: Any) -> Space:
    return build_space("x", {**SPACE, **parts})


def base(**parts: Any) -> dict[str, Any]:
    return {**SPACE["base"], **parts}


def searching(**domains: Any) -> dict[str, Any]:
    return {**SPACE["search"], **{name.replace("__", "."): domain for name, domain in domains.items()}}


Write = Callable[..., ResultsStore]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an earlier sweep as `gan-sweep launch` leaves it."""

    def write_sweep(
        space: dict[str, Any] = SPACE,
        trials: Any = OLD,
        costs: dict[str, float] | None = None,
        name: str = "earlier",
        **info: Any,
    ) -> ResultsStore:
        known = {"objective": METRIC, "data": DATA, "unique": name, **info}
        plan = replace(PLAN, sweep=Path(name).name, trials=len(trials), definition=space, **known)
        store = begun(tmp_path / "sweeps" / name, plan)
        for number, (params, verdict, objective, epochs, fids) in enumerate(trials):
            record = TrialRecord(f"{number:04d}", params, 10, 100.0, epochs=epochs, costs=costs or {})
            keep_epochs(store, record.trial_id, *(epoch(step, fid=fids.get(step)) for step in range(1, epochs + 1)))
            if verdict is not None:
                record.end(TrialOutcome(verdict=verdict, epochs=epochs, objective=objective), seconds=20.0)
            keep(store, record)
        return store

    return write_sweep


def into(submitted: dict[str, Any]) -> Callable[[Proposal], None]:
    """What a searcher may call with each proposal."""

    def submit(proposal: Proposal) -> None:
        submitted[proposal.name] = proposal.params

    return submit


def warm(store: ResultsStore, space: Space, metric: str = METRIC, data: str = DATA) -> WarmStart:
    return read_warm_start([store], space, metric=metric, data=data)


def test_finished_trials_come_with_their_measurements(write: Write) -> None:
    start = warm(write(), changed())
    done, cut, failed, better = start.trials
    assert (done.state, done.value, done.params) == (TrialState.COMPLETE, 60.0, OLD[0][0])
    assert done.intermediate_values == {4: 90.0, 8: 60.0}
    assert (cut.state, cut.value, cut.intermediate_values) == (TrialState.PRUNED, 120.0, {4: 120.0})
    assert (failed.state, failed.constraints) == (TrialState.PRUNED, {HEALTHY: 0.7})
    assert better.user_attrs == {ORIGIN: "earlier/0004"} and better.constraints[HEALTHY] < 0
    assert str(start) == "4 trials of earlier; 2 left out: ended as lost (1), not finished (1)"


def test_what_it_measured_counts_at_the_rungs(write: Write) -> None:
    """A new trial goes on where it is among the best of both sweeps, not of its own alone."""
    space = changed(scheduler={"name": "asha_stopping", "grace_epochs": 4, "reduction_factor": 2})
    decisions = []
    for measured in (warm(write(), space).measured, {}):
        scheduler = build_scheduler(space)
        scheduler.set_search_properties(METRIC, "min")
        count_earlier(scheduler, METRIC, measured)
        trial = Trial("new", stub=True)
        scheduler.on_trial_add(None, trial)
        decisions.append(scheduler.on_trial_result(None, trial, result_of(4, 95.0).to_tune(METRIC)))
    assert decisions == [TrialScheduler.STOP, TrialScheduler.CONTINUE]  # they had 90, 120 and 80


def test_fids_of_fakes_that_hardly_vary_count_as_higher(write: Write) -> None:
    store = write()
    grey = TrialRecord("0006", OLD[0][0], 10, 100.0)
    keep_epochs(store, "0006", *(epoch(step, fid=50.0, diversity=0.01) for step in (4, 8, 10)))
    grey.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=10), seconds=20.0)
    keep(store, grey)
    imported = warm(store, changed()).trials[-1]
    assert (imported.state, imported.intermediate_values) == (TrialState.PRUNED, {4: 250.0, 8: 250.0, 10: 250.0})
    assert imported.constraints[HEALTHY] > 0  # its setting made it collapse


def test_a_sampler_without_constraints_gets_no_failures(write: Write) -> None:
    start = warm(write(), changed(sampler={"name": "cmaes"}))
    assert [trial.state for trial in start.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    assert not any(trial.constraints for trial in start.trials)
    assert start.sweeps[0].left_out == {"ended as nonfinite": 1, "ended as lost": 1, "not finished": 1}


@pytest.mark.parametrize(
    ("parts", "taken", "left_out"),
    [
        (
            {"search": searching(optimizer__lr_g={"float": [5e-4, 5e-3]})},
            [0, 4],
            "optimizer.lr_g outside 0.0005 to 0.005 (2)",
        ),
        (  # searched there, fixed here
            {"search": {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}, "base": base(data={"fit": "stretch"})},
            [2, 4],
            "data.fit not searched here and not stretch (2)",
        ),
        ({"search": searching(optimizer__beta1={"float": [0.1, 0.9]})}, [0, 1, 2, 4], ""),  # searched here, fixed there
        (
            {"search": searching(regime__g_steps={"int": [2, 3]}), "base": base(regime={"g_steps": 2})},
            [],
            "regime.g_steps outside 2 to 3 (4)",
        ),
        ({"base": base(optimizer={"lr_d": 1e-4})}, [], "optimizer.lr_d not searched here and not 0.0001 (4)"),
        ({"base": base(seed=5, runtime={"precision": "bf16"})}, [0, 1, 2, 4], ""),
        (  # null here, an average there
            {
                "search": searching(regime__ema_halflife_images={"choice": [None, 5000]}),
                "base": base(regime={"ema_halflife_images": None}),
            },
            [],
            "regime.ema_halflife_images outside null | 5000 (4)",
        ),
        (  # a key that exists only for values that these trials do not have
            {
                "search": searching(
                    regime__name={"choice": ["classic", "monitored"]},
                    regime__monitored_ratio={"float": [0.1, 0.5], "when": {"regime.name": "monitored"}},
                ),
                "base": base(regime={"monitored_ratio": 0.3}),
            },
            [0, 1, 2, 4],
            "",
        ),
    ],
)
def test_only_what_this_space_could_have_proposed(
    write: Write, parts: dict[str, Any], taken: list[int], left_out: str
) -> None:
    store = write()
    if not taken:
        with pytest.raises(UserError, match="no trial of it fits this space") as caught:
            warm(store, changed(**parts))
        assert left_out in str(caught.value) and "\n" not in str(caught.value)
        return
    space = changed(**parts)
    start = warm(store, space)
    assert [int(trial.user_attrs[ORIGIN][-4:]) for trial in start.trials] == taken
    assert left_out in str(start)
    for trial in start.trials:
        assert trial.params.keys() == {name for name in space.search if space.is_active(name, trial.params)}
        assert all(space.search[name].contains(value) for name, value in trial.params.items())


@pytest.mark.parametrize(
    ("parts", "options", "reason"),
    [
        ({}, {"metric": "fid_inception2048_n10000"}, "the objective was fid_test_n2, is fid_inception2048_n10000 here"),
        ({}, {"data": "/others"}, "the images' folder was /photos, is /others here"),
        ({"base": {"schedule": {"epochs": 10, "window_first": 6}}}, {}, "schedule.window_first was 5, is 6 here"),
        ({"base": base(data={"image_size": 64})}, {}, "data.image_size was 128, is 64 here"),
        ({"base": base(fid={"every": 5})}, {}, "fid.every was 25, is 5 here"),
        ({"base": base(family="cyclegan")}, {}, "family was adversarial, is cyclegan here"),
    ],
)
def test_fids_that_do_not_compare_are_refused(
    write: Write, parts: dict[str, Any], options: dict[str, str], reason: str
) -> None:
    with pytest.raises(UserError) as caught:
        warm(write(), changed(**parts), **options)
    assert str(caught.value) == f"--warm-start earlier: its FIDs do not compare: {reason}"


@pytest.mark.parametrize("parts", [{"constraints": {"recall": ">= 0.3"}}, {"objectives": ["fid", "density"]}])
def test_values_of_other_neighbourhoods_are_refused_where_they_count(write: Write, parts: dict[str, Any]) -> None:
    store, three = write(), {"base": base(fid={"neighbours": 3})}
    with pytest.raises(UserError, match=r"its FIDs do not compare: fid\.neighbours was 5, is 3 here$"):
        warm(store, changed(**three, **parts))
    assert len(warm(store, changed(**three)).trials) == 4, "FID alone has no neighbourhoods"


def test_the_best_share_counts_trials_without_an_objective_too(write: Write) -> None:
    """Of four that fit, half are two; of one, one, and of all four only two have an objective."""
    start = warm(write(), changed())
    assert [params["optimizer.lr_g"] for params in start.best(0.5)] == [2e-3, 1e-3]
    assert [params["optimizer.lr_g"] for params in start.best(0.2)] == [2e-3]
    assert len(start.best(1)) == 2


def test_a_refused_trial_is_no_good_one(write: Write) -> None:
    store = write()
    store.append(Confirmed(at=200.0, session=1, trial="0004", values=[], refused="its fakes hardly vary"))
    assert [params["optimizer.lr_g"] for params in warm(store, changed()).best(1)] == [1e-3]


def test_several_sweeps_are_read_in_order_and_told_apart(write: Write) -> None:
    first, second = write(), write(name="more", trials=OLD[:2])
    start = read_warm_start([first, second], changed(), metric=METRIC, data=DATA)
    origins = [trial.user_attrs[ORIGIN] for trial in start.trials]
    assert origins == ["earlier/0000", "earlier/0001", "earlier/0002", "earlier/0004", "more/0000", "more/0001"]
    assert list(start.measured) == origins
    assert str(start).splitlines()[0].startswith("4 trials of earlier; 2 left out: ")
    assert str(start).splitlines()[1] == "2 trials of more"


def test_sweeps_of_one_name_are_told_apart_by_their_folders(write: Write, tmp_path: Path) -> None:
    stores = [write(), write(name="elsewhere/earlier", trials=OLD[:1])]
    start = read_warm_start(stores, changed(), metric=METRIC, data=DATA)
    assert len(start.measured) == len(start.trials) == 5
    assert start.trials[-1].user_attrs[ORIGIN] == f"{tmp_path}/sweeps/elsewhere/earlier/0000"


def test_a_trial_of_two_copies_of_a_sweep_comes_once(write: Write) -> None:
    """The copy has gone on: what only one of them has comes from that one."""
    first, copy = write(trials=OLD[:2]), write(name="copy", unique="earlier")
    start = read_warm_start([first, copy], changed(), metric=METRIC, data=DATA)
    assert [trial.user_attrs[ORIGIN] for trial in start.trials] == [
        "earlier/0000",
        "earlier/0001",
        "copy/0002",
        "copy/0004",
    ]
    assert start.sweeps[1].left_out["came with a copy of this sweep"] == 2


def test_one_of_several_that_does_not_compare_is_refused_by_its_name(write: Write) -> None:
    stores = [write(), write(name="other", data="/others")]
    reason = "--warm-start other: its FIDs do not compare: the images' folder was /others, is /photos here"
    with pytest.raises(UserError) as caught:
        read_warm_start(stores, changed(), metric=METRIC, data=DATA)
    assert str(caught.value) == reason
    said: list[str] = []  # when a sweep goes on, the others are read all the same
    start = read_warm_start(stores, changed(), metric=METRIC, data=DATA, gone=lambda error: said.append(str(error)))
    assert (len(start.trials), said) == (4, [reason])


def test_a_space_that_cannot_be_read_is_one_line(write: Write) -> None:
    store = write()
    store.write_plan(replace(store.read_plan(), definition={"base": {"old_key": 1}, "search": {}}))
    with pytest.raises(UserError, match=r"--warm-start earlier: its space cannot be read: .*old_key") as caught:
        warm(store, changed())
    assert "\n" not in str(caught.value)


def test_two_objectives_need_both_values(write: Write) -> None:
    two = {"objectives": ["fid", "device_seconds"], "sampler": {"name": "nsga2"}}
    start = warm(write(costs={"device_seconds": 7.0}), changed(**two))
    assert [trial.values for trial in start.trials] == [[60.0, 7.0], None, [50.0, 7.0]]
    assert not any(trial.intermediate_values for trial in start.trials)


def test_a_cost_that_was_not_measured_is_said(write: Write) -> None:
    store = write()
    start = warm(store, changed(objectives=["fid", "device_seconds"]))
    assert start.sweeps[0].left_out["without device_seconds"] == 2
    sized = warm(store, changed(objectives=["fid", "generator_parameters"]))
    assert sized.trials[0].values[0] == 60.0 and sized.trials[0].values[1] > 1000  # the config says it


@pytest.mark.parametrize("kind", STORAGES)
def test_the_study_knows_them_and_the_sweep_does_not_repeat_them(kind: str, write: Write, tmp_path: Path) -> None:
    """The base is not evaluated again, own trials have later numbers, and reopening imports nothing twice."""
    space = changed(points=[{"data.fit": "stretch"}])
    imported, storage = warm(write(), space).trials, resolve_storage(kind, tmp_path)
    submitted: dict[str, Any] = {}
    for _ in range(2):
        study = open_study(storage, "s", space, metric=METRIC, imported=imported)
        searcher = OptunaSearcher(study, space, METRIC, into(submitted))
        searcher.suggest("a")
        searcher.on_trial_complete("a", error=True)
    assert list(submitted) == ["0004", "0005"]
    assert submitted["0004"] == {"optimizer.lr_g": 1e-3, "data.fit": "stretch"}
    assert submitted["0005"]["optimizer.lr_g"] not in {params["optimizer.lr_g"] for params, *_ in OLD}
    study = read_study(storage, "s")
    assert [trial.user_attrs.get(ORIGIN) is not None for trial in study.trials] == [True] * 4 + [False] * 2
    assert study.best_value == 50.0
    assert study.trials[0].intermediate_values == {4: 90.0, 8: 60.0}
    assert count_asked(study) == 2


def test_the_sampler_learns_from_them(write: Write, tmp_path: Path) -> None:
    """Thirty earlier trials with a valley at 2e-4: a warm TPE proposes near it from its first trials on."""

    def valley(rate: float) -> float:
        return 50 + 100 * abs(math.log10(rate) + 3.7)

    rates = [10 ** (-4 + 2 * number / 29) for number in range(30)]
    trials = [({"optimizer.lr_g": rate, "data.fit": "pad"}, "completed", valley(rate), 10, {8: 60.0}) for rate in rates]
    space = changed()
    imported = warm(write(trials=trials), space).trials
    inside = {}
    for name, known in (("warm", imported), ("cold", ())):
        submitted: dict[str, Any] = {}
        study = open_study(str(tmp_path / name), "s", space, metric=METRIC, imported=known)
        searcher = OptunaSearcher(study, space, METRIC, into(submitted))
        for number in range(10):
            searcher.suggest(str(number))
            objective = valley(list(submitted.values())[-1]["optimizer.lr_g"])
            outcome = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=10, objective=objective)
            result = result_of(10, objective, outcome=outcome)
            searcher.on_trial_complete(str(number), result.to_tune(METRIC))
        inside[name] = sum(params["optimizer.lr_g"] < 4e-4 for params in list(submitted.values())[1:])
    assert inside["warm"] >= 6 > inside["cold"]
