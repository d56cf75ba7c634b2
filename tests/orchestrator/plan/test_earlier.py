"""A plan that is narrowed to where an earlier sweep was good, and what is kept of that."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display.search_text import search_rows
from orchestrator.display.winner_text import print_rows
from orchestrator.plan.earlier import narrowed, narrowed_as_launched, warm_start_of
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.saved import differences, from_saved, to_saved
from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import plan_text, read_plan
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from orchestrator.space.domains import Choice
from orchestrator.space.load import space_as_yaml
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, keep, keep_epochs
from trainers.errors import UserError

RATES = (2e-3, 3e-3, 4e-3, 5e-3, 1e-4, 9e-3, 8e-3, 2e-4)  # the best first


class NoImages:
    """Stands for a cache of images where only the space matters."""

    path = Path("none")

    def __len__(self) -> int:
        return 0


def asked(motorbikes: Path, folder: Path, **options: object) -> LaunchOptions:
    file = folder / "space.yaml"
    file.write_text(
        "base: {optimizer: {lr_g: 0.001}, fid: {extractor: efficientnet_lite0}, data: {batch_size: 16}}\n"
        "search:\n  optimizer.lr_g: {float: [0.0001, 0.01], log: true}\n  data.fit: {choice: [pad, stretch]}\n"
        "points: [{optimizer.lr_g: 0.0002}, {optimizer.lr_g: 0.0025}]\n"
    )
    return LaunchOptions(space=str(file), data=motorbikes, name="s", sweeps_dir=folder, **options)  # type: ignore[arg-type]


@pytest.fixture
def earlier(tmp_path: Path, motorbikes: Path) -> ResultsStore:
    """A sweep of the same space in which rates near 3e-3 were the best."""
    plan = make_plan(asked(motorbikes, tmp_path))
    info = replace(
        PLAN, sweep="first", objective=plan.metric, data=str(plan.data), definition=space_as_yaml(plan.space)
    )
    store = begun(tmp_path / "first", info)
    for number, rate in enumerate(RATES):
        trial = TrialRecord(f"{number:04d}", {"optimizer.lr_g": rate, "data.fit": "pad"}, 10, 100.0)
        keep_epochs(store, trial.trial_id, epoch(1, fid=40.0 + number))
        trial.end(TrialOutcome(verdict="completed", epochs=10, objective=40.0 + number, best_epoch=1), seconds=20.0)
        keep(store, trial)
    return store


@pytest.fixture
def plan(tmp_path: Path, motorbikes: Path, earlier: ResultsStore) -> Plan:
    return make_plan(asked(motorbikes, tmp_path, warm_start=("first",), narrow=0.5))


def test_the_plan_says_every_range_before_and_now(plan: Plan) -> None:
    now = narrowed(plan, 0.5)
    screen = io.StringIO()
    print_rows(Console(file=screen, width=200), search_rows(now, warm_start_of(now)))
    lines = [line.strip() for line in screen.getvalue().splitlines()]
    assert lines[1:] == [
        "warm start  4 trials of first; 4 left out: optimizer.lr_g outside 0.00178 to 0.00562, log (4)",
        "narrowed    to where the best 4 of 8 earlier trials (the best 50% of those with an objective) are",
        "optimizer.lr_g: 0.0001 to 0.01, log -> 0.00178 to 0.00562, log",
        "data.fit: pad | stretch -> pad",
        "the space's own start lies outside (optimizer.lr_g=0.001): the start is the best earlier trial, tried already",
        "1 of 2 known points outside: not tried",
    ]


def test_it_is_what_the_sweep_is_launched_and_goes_on_with(plan: Plan, tmp_path: Path) -> None:
    """`resume` reads it; `launch --resume` makes it again, whatever the earlier sweep has become."""
    caches = [NoImages()]
    now = narrowed(plan, 0.5)
    file = tmp_path / "plan.json"
    file.write_text(plan_text(to_saved(now, caches)))
    kept = read_plan(file)
    assert json.loads(file.read_text())["warm_start"] == [str(tmp_path / "first")]
    assert kept.definition["search"]["data.fit"] == {"choice": ["pad"]}
    resumed = from_saved(kept, plan.directory, kept.definition)
    assert (resumed.space, resumed.narrowed) == (now.space, now.narrowed)
    for share in (0.5, None):
        again = narrowed_as_launched(plan, kept, share)
        assert (again.space, again.narrowed) == (now.space, now.narrowed)
        assert differences(kept, to_saved(again, caches)) == []
    with pytest.raises(UserError, match=r"--narrow 0.2: s was launched with --narrow 0.5"):
        narrowed_as_launched(plan, kept, 0.2)
    with pytest.raises(UserError, match=r"--narrow 0.2: s was launched without --narrow"):
        narrowed_as_launched(plan, to_saved(plan, caches), 0.2)


def test_without_it_nothing_changes(plan: Plan) -> None:
    assert narrowed(plan, None) is plan
    assert isinstance(plan.space.search["data.fit"], Choice) and plan.narrowed is None


def test_too_few_good_trials_are_one_line(plan: Plan) -> None:
    with pytest.raises(UserError, match=r"--narrow 0.3: of 8 earlier trials that fit, the best 30% are 3 with"):
        narrowed(plan, 0.3)


def test_what_is_asked_wrongly_is_one_line(tmp_path: Path, motorbikes: Path, earlier: ResultsStore) -> None:
    with pytest.raises(UserError, match=r"--narrow 0.2: only with --warm-start SWEEP"):
        make_plan(asked(motorbikes, tmp_path, narrow=0.2))
    with pytest.raises(UserError, match=r"--warm-start \S+/first is given twice"):
        make_plan(asked(motorbikes, tmp_path, warm_start=("first", str(earlier.directory))))
    options = asked(motorbikes, tmp_path, warm_start=("first",), narrow=0.2)
    file = Path(options.space)
    file.write_text(f"{file.read_text()}objectives: [fid, device_seconds]\nsampler: {{name: nsga2}}\n")
    with pytest.raises(UserError, match=r"--narrow 0.2: only with one objective, this space has fid, device_seconds"):
        make_plan(options)
