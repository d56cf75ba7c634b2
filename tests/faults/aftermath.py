"""What must hold after a fault: the same results, nothing left, and MLflow and Optuna that say the same."""

import itertools
from collections import Counter
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.search.studies import read_study
from tests.faults.bench import SPACE, Bench
from tests.faults.results import Results
from tests.faults.rows import Row
from tests.faults.sweep_under_fault import SweepUnderFault

FINISHED = "finished"
OF_FIDS = ("objective", "best_epoch", "confirmed", "fids")
# What a sweep's directory may have more or less than the undisturbed one's: the stores that were given, tracebacks.
OTHER_FILES = ("mlflow.db", "mlartifacts", "study.journal", "study.db")


def judge(fault: str, bench: Bench, sweep: SweepUnderFault, *, rounded: bool = False) -> Row:
    """The row of a sweep that is over; `rounded`: its sums had another order, so that no FID is the same."""
    assert bench.reference is not None
    problems, lost, recovery = list(sweep.troubles), bench.trials, None
    if sweep.driver.poll() is None:  # nothing more can be said of a sweep that is not over
        return Row(fault=fault, status="FAILED", lost=lost, resumed=sweep.resumed, text="; ".join(problems))
    problems += nothing_is_left(sweep)
    try:
        results = sweep.results()
        differences = compare(results, bench.reference, rounded=rounded)
        lost = len(differences)
        problems += [*differences.values(), *in_order(results), *same_files(results, bench.reference)]
        problems += tracking(sweep, results) + study(sweep, results)
        recovery = recovery_s(sweep, results)
    except Exception as error:  # whatever cannot be read is what this looks for
        problems.append(f"{type(error).__name__}: {error}")
    return Row(
        fault=fault,
        status="FAILED" if problems else "ok",
        recovery_s=recovery,
        repeated=sweep.repeated,
        lost=lost,
        resumed=sweep.resumed,
        text="; ".join(" ".join(problem.replace("|", "/").split())[:400] for problem in problems),
    )


def compare(results: Results, reference: Results, *, rounded: bool = False) -> dict[str, str]:
    """What is other than in the undisturbed sweep, by trial; FIDs are left out where they are `rounded`."""
    found, expected = results.trials(), reference.trials()
    different = {}
    for trial in sorted(found.keys() | expected.keys()):
        if trial not in found or trial not in expected:
            different[trial] = f"trial {trial} is {'missing' if trial in expected else 'one too many'}"
        elif names := [
            name
            for name in expected[trial]
            if found[trial][name] != expected[trial][name] and not (rounded and name in OF_FIDS)
        ]:
            values = (f"{name} {found[trial][name]} instead of {expected[trial][name]}" for name in names)
            different[trial] = f"trial {trial}: {', '.join(values)}"
    return different


def in_order(results: Results) -> list[str]:
    """The status, and the epochs' order: each is recorded once."""
    wrong = [] if results.summary["status"] == FINISHED else [f"its status is {results.summary['status']}"]
    for trial, lines in results.epochs.items():
        epochs = [line["epoch"] for line in lines]
        if epochs != list(range(1, len(epochs) + 1)):
            wrong.append(f"epochs of trial {trial} are recorded as {epochs}")
    return wrong


def same_files(results: Results, reference: Results) -> list[str]:
    """Files that a sweep which was not disturbed has not; temporary ones among them."""
    more = {name for name in results.files - reference.files if not Path(name).name.startswith("error.rank")}
    return [f"files left: {', '.join(sorted(left))}"] if (left := more - set(OTHER_FILES)) else []


def nothing_is_left(sweep: SweepUnderFault) -> list[str]:
    """Processes, ports and temporary files of a sweep whose driver has ended. Ray keeps the logs of its sessions."""
    wrong = []
    if left := sweep.family.leftovers():
        wrong.append(f"processes left: {', '.join(left)}")
    elif ports := sweep.family.taken_ports():
        wrong.append(f"ports left: {ports}")
    files = [str(path.relative_to(place)) for place in sweep.scratch for path in place.iterdir() if path.name != "ray"]
    return wrong + ([f"temporary files left: {', '.join(sorted(files))}"] if files else [])


def tracking(sweep: SweepUnderFault, results: Results) -> list[str]:
    """MLflow has one run per trial, all over, and no step of a metric twice or out of order."""
    client = MlflowClient(sweep.tracking_uri)
    experiment = client.get_experiment_by_name(SPACE)
    if experiment is None:
        return ["MLflow has no experiment"]
    query = f"tags.`gan_sweep.sweep` = '{sweep.name}'"
    runs = client.search_runs([experiment.experiment_id], query, max_results=1000)
    wrong = [f"MLflow: run {run.info.run_name} is still running" for run in runs if run.info.status == "RUNNING"]
    trials = [run.data.tags["gan_sweep.trial"] for run in runs if "mlflow.parentRunId" in run.data.tags]
    if len(runs) != len(trials) + 1 or sorted(trials) != sorted(results.trials()):
        wrong.append(f"MLflow has {len(runs) - len(trials)} parent runs and runs of trials {sorted(trials)}")
    for run in runs:
        epochs = len(results.epochs.get(run.data.tags["gan_sweep.trial"], []))
        for name in run.data.metrics:
            steps = [metric.step for metric in client.get_metric_history(run.info.run_id, name)]
            if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
                wrong.append(f"MLflow: {name} of {run.info.run_name} has steps {steps}")
            if name == "d_loss" and len(steps) != epochs:
                wrong.append(f"MLflow: {run.info.run_name} has {len(steps)} of {epochs} epochs")
    return wrong


def study(sweep: SweepUnderFault, results: Results) -> list[str]:
    """Optuna has one trial per trial, and each is over."""
    trials = read_study(sweep.storage, sweep.name).trials
    open_ones = [f"{trial.number} {trial.state.name}" for trial in trials if not trial.state.is_finished()]
    wrong = [f"Optuna: trials {', '.join(open_ones)}"] if open_ones else []
    if len(trials) != len(results.trials()):
        states = dict(Counter(trial.state.name for trial in trials))
        wrong.append(f"Optuna has {len(trials)} trials {states}, the sweep {len(results.trials())}")
    return wrong


def recovery_s(sweep: SweepUnderFault, results: Results) -> float | None:
    """Seconds from the last fault to the first recorded epoch that began after it."""
    if not sweep.strikes:
        return None
    began = [line["started"] for lines in results.epochs.values() for line in lines]
    after = [start - sweep.strikes[-1] for start in began if start >= sweep.strikes[-1]]
    return min(after, default=None)
