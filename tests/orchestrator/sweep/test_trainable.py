"""Tune's side of a trial: a real broker, the trainable in this process."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.search.result import WORST, TrialResult
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.trainable import TrialTrainable
from tests.orchestrator.sweep_helpers import begun, epoch, proposal
from trainers.run_report import RunEnd

METRIC = "fid_test_n2"


@pytest.fixture
def broker(ray_instance: None, tmp_path: Path) -> BrokerClient:
    return BrokerClient.start(begun(tmp_path / "s").directory)


def test_measurements_become_tunes_results(broker: BrokerClient) -> None:
    broker.submit(proposal("0000"))
    broker.lease(0)
    outcome = TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=80.0, best_epoch=4)
    report = epoch(4, fid=80.0, diversity=0.5, objective=80.0)
    assert broker.report("0000", report, last=True) is None
    broker.end("0000", outcome)
    trainable = TrialTrainable({"trial_id": "0000", "broker": broker, "metric": METRIC})
    result = trainable.train()
    assert (result["epoch"], result[METRIC], result["done"]) == (4, 80.0, True)
    record = TrialResult.from_tune(result)
    assert record is not None and record.seconds > 0
    assert (record.measurement, record.outcome) == (report.measurement, outcome)


def test_the_same_process_takes_the_next_trial(broker: BrokerClient) -> None:
    """A trial that never ran: Tune gets a finite FID all the same, because ASHA never stops on NaN."""
    for trial_id, reason in (("0000", StopReason.OUT_OF_TIME), ("0001", StopReason.TARGET_REACHED)):
        broker.submit(proposal(trial_id))
        broker.stop(trial_id, reason)
    trainable = TrialTrainable({"trial_id": "0000", "broker": broker, "metric": METRIC})
    assert trainable.train()["done"]
    assert trainable.reset_config({"trial_id": "0001", "broker": broker, "metric": METRIC})
    result = trainable.train()
    assert (result["epoch"], result[METRIC]) == (0, WORST)
    record = TrialResult.from_tune(result)
    assert record is not None and record.outcome is not None and record.outcome.verdict == "target_reached"


def test_its_process_needs_neither_torch_nor_optuna_nor_mlflow() -> None:
    code = "import sys, orchestrator.sweep.trainable as t; print({'torch', 'optuna', 'mlflow'} & set(sys.modules))"
    root = Path(__file__).parents[3]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
