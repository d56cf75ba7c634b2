"""A driver that was killed after the sweep's end, before MLflow and Optuna had everything."""

from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner
from optuna.trial import TrialState

from orchestrator.cli import main
from orchestrator.results.verdict import SweepStatus
from orchestrator.search.studies import open_study, read_study
from orchestrator.space.load import build_space
from tests.orchestrator.sweep_helpers import begun, close, ended, keep
from tests.orchestrator.tracking.test_tracker import plan_at


def test_status_names_sync_which_delivers_it(database: str, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    resources = {"gangs": 1, "workers": 1, "cpus": 1.0, "gpus": 0.0, "threads": 1}
    plan = replace(plan_at(database), storage=str(journal), resources=resources)
    space = build_space(plan.space, plan.definition)
    space.sample(open_study(plan.storage, plan.sweep, space, metric=plan.objective).ask())
    store = begun(tmp_path / "s", plan)
    keep(store, ended("0000", "completed", 50.0))
    close(store, SweepStatus.FINISHED)

    def say(command: str) -> str:
        result = CliRunner().invoke(main, [command, str(store.directory)])
        assert result.exit_code == 0, result.output
        return result.stderr

    assert f"MLflow has not taken everything: `gan-sweep sync {store.directory}`" in say("status")
    trial = read_study(journal, plan.sweep).trials[0]
    assert trial.state is TrialState.RUNNING
    say("sync")
    assert say("status") == ""
    trial = read_study(journal, plan.sweep).trials[0]
    assert (trial.state, trial.values) == (TrialState.COMPLETE, [50.0])
