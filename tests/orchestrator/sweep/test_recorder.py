"""What the recorder passes on: a real broker, a real study, a sweep's directory."""

from pathlib import Path

import pytest

from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from orchestrator.results.sinks import Sink
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.search.searcher import OptunaSearcher
from orchestrator.search.studies import open_study, read_study
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Lease
from tests.orchestrator.sweep_helpers import PLAN, begun, close, epoch, keep_epochs, proposal, recorder_of
from trainers.run_report import EpochReport, RunEnd

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
def store(tmp_path: Path) -> ResultsStore:
    plan = SavedPlan(**{**vars(PLAN), "objectives": ("fid", "device_seconds"), "devices": DEVICES})
    return begun(tmp_path / "s", plan)


@pytest.fixture
def broker(ray_instance: None, store: ResultsStore) -> BrokerClient:
    return BrokerClient.start(store.directory)


def test_device_seconds_are_the_same_to_the_last_digit_for_optuna_and_the_results(
    broker: BrokerClient, store: ResultsStore
) -> None:
    storage = str(store.directory / "study.journal")
    study = open_study(storage, "s", SPACE, metric=METRIC)
    searcher = OptunaSearcher(study, SPACE, METRIC, broker.submit, devices=DEVICES)
    for number in range(2):
        config = searcher.suggest(f"tune{number}")
        lease = broker.lease(0)
        assert isinstance(lease, Lease) and lease.trial_id == config["trial_id"]
        broker.report(lease.trial_id, epoch(4, fid=80.0, objective=80.0), last=True)
        broker.end(lease.trial_id, TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=80.0, best_epoch=4))
        searcher.on_trial_complete(f"tune{number}", broker.next_result(lease.trial_id).to_tune(METRIC))
    records = store.read_trials()
    for record, trial in zip(records, read_study(storage, "s").trials, strict=True):
        device_seconds = record.costs["device_seconds"]
        assert trial.values == [80.0, device_seconds]
        assert device_seconds == record.seconds * DEVICES > 0


def test_trials_that_are_open_at_the_end_are_closed_with_what_they_have(store: ResultsStore) -> None:
    told: list[str] = []

    class Told(Sink):
        def progressed(self, trial: TrialRecord, report: EpochReport) -> None:
            told.append(f"{trial.trial_id} epoch {report.epoch}")

        def ended(self, trial: TrialRecord) -> None:
            told.append(f"{trial.trial_id} {trial.verdict} {trial.state}")

    import asyncio

    from orchestrator.sweep.broker import Broker  # as the actor runs it, on a loop of its own

    async def story() -> None:
        broker = Broker(store.directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)

    asyncio.run(story())
    recorder = recorder_of(store, Told())
    recorder.start()
    keep_epochs(store, "0000", epoch(1), epoch(3, fid=70.0, objective=70.0))
    close(store, SweepStatus.INTERRUPTED)
    recorder.close()
    assert recorder.error is None
    assert told == ["0000 epoch 1", "0000 epoch 3", "0000 interrupted STOPPED"]
    assert recorder.state.trials["0000"].objective == 70.0 and recorder.state.status is SweepStatus.INTERRUPTED


def test_a_damaged_log_ends_the_recording_and_says_so(store: ResultsStore) -> None:
    with (store.directory / "events.jsonl").open("a") as file:
        file.write("[]\n")
    recorder = recorder_of(store)
    recorder.start()
    recorder.join(60)
    assert "events.jsonl is damaged" in str(recorder.error)
