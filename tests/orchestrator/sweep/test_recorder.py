"""What the recorder keeps: a real broker, a real study, a sweep's directory."""

from pathlib import Path

import pytest

from orchestrator.results.sinks import StoreSink
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study, read_study
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Lease
from orchestrator.sweep.recorder import Recorder
from tests.orchestrator.sweep_helpers import epoch
from trainers.run_report import RunEnd

METRIC = "fid_test_n2"
SPACE = build_space(
    "two",
    {
        "base": {"schedule": {"epochs": 4, "window_first": 2}},
        "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2], "log": True}},
        "sampler": {"name": "random"},
        "objectives": ["fid", "device_seconds"],
    },
)
DEVICES = 3.0


@pytest.fixture
def broker(ray_instance: None) -> BrokerClient:
    return BrokerClient.start()


def test_device_seconds_are_the_same_to_the_last_digit_for_optuna_and_the_results(
    broker: BrokerClient, tmp_path: Path
) -> None:
    storage = str(tmp_path / "study.journal")
    study = open_study(storage, "s", SPACE, metric=METRIC)
    searcher = OptunaSearcher(study, SPACE, METRIC, broker.submit, devices=DEVICES)
    store = create_sweep(tmp_path / "s")
    recorder = Recorder(broker, SPACE, [StoreSink(store)], DEVICES)
    recorder.start()
    for number in range(2):
        config = searcher.suggest(f"tune{number}")
        lease = broker.lease(0)
        assert isinstance(lease, Lease) and lease.trial_id == config["trial_id"]
        broker.report(lease.trial_id, epoch(4, fid=80.0, objective=80.0), last=True)
        broker.end(lease.trial_id, TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=80.0, best_epoch=4))
        searcher.on_trial_complete(f"tune{number}", broker.next_result(lease.trial_id).to_tune(METRIC))
    recorder.close(StopReason.OUTRANKED)
    assert recorder.error is None
    records = store.read_trials()
    for record, trial in zip(records, read_study(storage, "s").trials, strict=True):
        device_seconds = record.costs["device_seconds"]
        assert trial.values == [80.0, device_seconds]
        assert device_seconds == recorder.trials[record.trial_id].seconds * DEVICES > 0


def test_trials_that_are_open_at_the_end_are_closed_with_what_they_have(broker: BrokerClient, tmp_path: Path) -> None:
    store = create_sweep(tmp_path / "s")
    recorder = Recorder(broker, SPACE, [StoreSink(store)])
    recorder.start()
    broker.submit("0000", {"optimizer.lr_g": 1e-3})
    broker.lease(0)
    broker.report("0000", epoch(3, fid=70.0, objective=70.0), last=True)
    recorder.close(StopReason.INTERRUPTED)
    (record,) = store.read_trials()
    assert (record.verdict, record.state.value, record.objective, record.epochs) == ("interrupted", "STOPPED", 70.0, 3)
    assert recorder.gangs == {0}
