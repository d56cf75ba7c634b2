"""What a rank does with a lease: a real broker, training in this very process as the only rank."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from orchestrator.results.events import Confirmed, Ended, Interrupted, Saved
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, State, StopReason, TrialOutcome
from orchestrator.space.load import build_space
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.leaving import LeftError
from orchestrator.sweep.messages import ConfirmLease, Lease, NoLease
from orchestrator.sweep.worker import GangSetup, run_confirm_lease, run_lease
from tests.orchestrator.sweep_helpers import ONE_RANK, begun, epoch, events_of, proposal
from trainers.assets import Assets
from trainers.loop import never
from trainers.run_report import OutOfMemoryError, RunEnd, RunOutcome

BASE = {
    "data": {"image_size": 32, "batch_size": 16},
    "network": {"base_width": 8, "latent_dim": 16},
    "schedule": {"epochs": 2, "window_first": 2, "checkpoint_every": 2},
    "fid": {"extractor": "efficientnet_lite0", "n_fake": 8, "every": 2, "min_diversity": 0.0},
}
NAMES = ("0000", "0001", "0002")
SEARCH = {"optimizer.lr_g": {"choice": [8e-4, 1e30]}}


@pytest.fixture(scope="module")
def assets(motorbikes: Path, own_cache: Path) -> Assets:
    return Assets(motorbikes, own_cache, torch.device("cpu"))


@pytest.fixture
def setup(ray_instance: None, motorbikes: Path, own_cache: Path, tmp_path: Path) -> GangSetup:
    return GangSetup(
        space=build_space("x", {"base": BASE, "search": SEARCH}),
        data=motorbikes,
        cache_dir=own_cache,
        directory=begun(tmp_path / "s").directory,
        resources=ONE_RANK,
        broker=BrokerClient.start(tmp_path / "s"),
    )


def outcome_of_training(
    setup: GangSetup, assets: Assets, params: dict[str, Any], meanwhile: Callable[[], None] = lambda: None
) -> TrialOutcome:
    """Lease a trial to this process, train it, and return the outcome that the broker has."""
    setup.broker.submit(proposal("0000", params))
    lease = setup.broker.lease(0)
    assert isinstance(lease, Lease)
    meanwhile()
    run_lease(setup, lease, assets, never)
    (ended,) = events_of(setup.directory, Ended)
    return TrialOutcome(**ended.outcome)


def test_a_trial_is_trained_and_measured_again(setup: GangSetup, assets: Assets, one_thread: None) -> None:
    outcome = outcome_of_training(setup, assets, {"optimizer.lr_g": 8e-4})
    assert (outcome.verdict, outcome.epochs, outcome.best_epoch) == ("completed", 2, 2)
    history = ResultsStore(setup.directory).read_history("0000")
    assert [report.epoch for report in history] == [1, 2]
    assert 0 < history[1].metrics["system/cpu_utilization_percentage"] <= 100
    used = history[1].metrics["system/system_memory_usage_megabytes"] * 1e6
    assert psutil.Process().memory_info().rss / 2 < used < psutil.virtual_memory().total
    assert "lr_g: 0.0008" in (setup.directory / "trials" / "0000" / "config.yaml").read_text()
    assert (setup.directory / "trials" / "0000" / "best.pt").is_file()
    setup.broker.measure_again(["0000"], 2, 0)
    lease = setup.broker.lease(0)
    assert lease == ConfirmLease("0000", 2)
    run_confirm_lease(setup, lease, assets)
    (confirmed,) = events_of(setup.directory, Confirmed)
    assert len(set(confirmed.values)) == 2
    assert [{name.split("_")[0] for name in one} for one in confirmed.beside] == [
        {"kid", "precision", "recall", "density", "coverage"}
    ] * 2
    (trial,) = ResultsStore(setup.directory).read_trials()
    assert trial.confirmed_beside == confirmed.beside and trial.beside == {}  # in training nobody asked for it


def test_a_stop_is_heard_at_the_next_report(setup: GangSetup, assets: Assets, one_thread: None) -> None:
    out_of_time = lambda: setup.broker.halt(StopReason.OUT_OF_TIME)  # noqa: E731
    outcome = outcome_of_training(setup, assets, {"optimizer.lr_g": 8e-4}, out_of_time)
    assert (outcome.verdict, outcome.epochs) == ("out_of_time", 1)


def test_a_rank_that_is_asked_to_leave_gives_its_trial_no_verdict(
    setup: GangSetup, assets: Assets, one_thread: None
) -> None:
    """Inside the first epoch, of which the other gang, perhaps on another node, has to fetch the checkpoint."""
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))
    lease = setup.broker.lease(0)
    assert isinstance(lease, Lease) and not lease.begun
    asked = iter([False, True])
    with pytest.raises(LeftError):
        run_lease(setup, lease, assets, lambda: next(asked))
    assert not events_of(setup.directory, Ended)
    (interrupted,) = events_of(setup.directory, Interrupted)
    assert (interrupted.trial, interrupted.attempts) == ("0000", 0)
    assert [event.trial for event in events_of(setup.directory, Saved)] == ["0000"]
    assert not (setup.directory / "trials" / "0000" / "history.jsonl").read_text(), "no epoch is over"
    again = setup.broker.lease(1)
    assert again == lease and isinstance(again, Lease) and again.begun
    run_lease(setup, again, assets, never)
    (ended,) = events_of(setup.directory, Ended)
    assert (ended.outcome["verdict"], ended.outcome["epochs"]) == ("completed", 2)
    assert [report.epoch for report in ResultsStore(setup.directory).read_history("0000")] == [1, 2]


def test_a_rule_names_the_end(setup: GangSetup, assets: Assets, one_thread: None) -> None:
    outcome = outcome_of_training(setup, assets, {"optimizer.lr_g": 1e30})
    assert (outcome.verdict, outcome.epochs) == ("nonfinite", 1)
    assert outcome.detail.endswith(" at epoch 1")


def test_a_full_disk_is_not_the_trials_fault(
    setup: GangSetup, assets: Assets, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainers.checkpoint_writer.save_latest", full)
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))
    lease = setup.broker.lease(0)
    assert isinstance(lease, Lease)
    run_lease(setup, lease, assets, never)
    assert setup.broker.where_full() == str(setup.directory / "trials" / "0000")
    assert setup.broker.lease(0) is NoLease.SWEEP_OVER
    (ended,) = events_of(setup.directory, Ended)
    assert TrialOutcome(**ended.outcome).state is State.STOPPED and ended.outcome["verdict"] == "sweep_failed"
    assert not list(setup.directory.glob("trials/0000/error*"))


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), torch.AcceleratorError("ECC error")])
def test_an_error_that_may_pass_is_no_verdict(
    setup: GangSetup, assets: Assets, one_thread: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The gang starts again, the trial is tried again, and an attempt counts."""

    def fails(*_: Any) -> None:
        raise error

    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))
    lease = setup.broker.lease(0)
    assert isinstance(lease, Lease)
    with monkeypatch.context() as patch:
        patch.setattr("trainers.checkpoint_writer.save_latest", fails)
        with pytest.raises(type(error)):
            run_lease(setup, lease, assets, never)
    assert setup.broker.lease(0) == lease
    (interrupted,) = events_of(setup.directory, Interrupted)
    assert interrupted.attempts == 1 and str(error) in interrupted.why
    run_lease(setup, lease, assets, never)
    (ended,) = events_of(setup.directory, Ended)
    assert ended.outcome["verdict"] == "completed"


@pytest.mark.parametrize(("loss", "verdict"), [("bce", "d_collapse"), ("wasserstein", "completed")])
def test_the_rules_know_the_trials_loss(
    setup: GangSetup, assets: Assets, one_thread: None, loss: str, verdict: str
) -> None:
    """A rule so impatient that it ends every trial whose loss can say that D has won."""
    at_once = {"warmup": 0, "d_loss": 1e9, "window": 1, "accuracy": 0, "patience": 3, "improvement": 1}
    schedule = {"epochs": 5, "window_first": 1, "checkpoint_every": 5}
    base = {**BASE, "loss": {"name": loss}, "schedule": schedule, "fid": {**BASE["fid"], "every": 1}}
    pruning = {"d_collapse": at_once, "grad_explosion": False}
    space = build_space("x", {"base": base, "search": SEARCH, "pruning": pruning})
    outcome = outcome_of_training(replace(setup, space=space), assets, {"optimizer.lr_g": 8e-4})
    assert outcome.verdict == verdict


def test_an_error_is_the_trials_verdict_and_the_rank_goes_on(
    setup: GangSetup, assets: Assets, one_thread: None
) -> None:
    outcome = outcome_of_training(setup, assets, {"optimizer.lr_g": -1.0})
    assert (outcome.verdict, outcome.epochs) == ("error", 0)
    assert "optimizer.lr_g" in outcome.detail and "\n" not in outcome.detail
    assert "UserError" in (setup.directory / "trials" / "0000" / "error.rank0.txt").read_text()
    setup.broker.measure_again(["0000"], 1, 0)
    lease = setup.broker.lease(0)
    assert isinstance(lease, ConfirmLease)
    run_confirm_lease(setup, lease, assets)  # it has no checkpoint
    pending, given_up = setup.broker.measure_again(["0000"], 1, 0)
    assert pending == 0 and "no checkpoint at" in given_up["0000"]


def test_a_trial_that_is_out_of_device_memory_ends_with_its_batch_size(
    setup: GangSetup, assets: Assets, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*batch: Any, **counters: Any) -> Any:
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr("trainers.families.adversarial.Adversarial.step", step)
    outcome = outcome_of_training(setup, assets, {"optimizer.lr_g": 8e-4})
    assert (outcome.verdict, outcome.state) == ("out_of_memory", State.FAILED)
    assert "data.batch_size 16" in outcome.detail and "20 GiB" in outcome.detail


def test_one_of_several_ranks_that_is_out_of_memory_ends_the_trial_before_the_gang_restarts(
    setup: GangSetup, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*arguments: Any, **options: Any) -> Any:  # as on one of several ranks: tests/trainers/test_ranks.py
        raise OutOfMemoryError(RunOutcome(end=RunEnd.OUT_OF_MEMORY, epochs=3, detail="batch 64"))

    monkeypatch.setattr("trainers.loop.train", train)
    setup.broker.submit(proposal("0000", {"optimizer.lr_g": 8e-4}))
    lease = setup.broker.lease(0)
    assert isinstance(lease, Lease)
    with pytest.raises(OutOfMemoryError):
        run_lease(setup, lease, assets, never)
    setup.broker.submit(proposal("0001"))
    assert setup.broker.lease(0) == Lease("0001", {}), "the first is not tried again"
    (ended,) = events_of(setup.directory, Ended)
    assert (ended.outcome["verdict"], ended.outcome["epochs"], ended.outcome["detail"]) == (
        "out_of_memory",
        3,
        "batch 64",
    )


def test_an_error_after_its_best_epoch_leaves_a_trial_its_objective(setup: GangSetup) -> None:
    setup.broker.submit(proposal("0000"))
    setup.broker.lease(0)
    setup.broker.report("0000", epoch(3, fid=70.0, objective=70.0), last=True)
    setup.broker.end("0000", TrialOutcome(verdict=Failure.ERROR, epochs=0, detail="no space left on device"))
    (ended,) = events_of(setup.directory, Ended)
    assert (ended.outcome["verdict"], ended.outcome["detail"]) == ("error", "no space left on device")
    assert (ended.outcome["objective"], ended.outcome["best_epoch"], ended.outcome["epochs"]) == (70.0, 3, 3)
    assert TrialOutcome(**ended.outcome).state is State.COMPLETED


def test_a_checkpoint_that_is_alike_on_fresh_latents_is_not_confirmed(
    setup: GangSetup, assets: Assets, one_thread: None
) -> None:
    outcome_of_training(setup, assets, {"optimizer.lr_g": 8e-4})
    best = setup.directory / "trials" / "0000" / "best.pt"
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["config"]["fid"]["min_diversity"] = 1.0
    torch.save(checkpoint, best)
    setup.broker.measure_again(["0000"], 1, 0)
    lease = setup.broker.lease(0)
    assert isinstance(lease, ConfirmLease)
    run_confirm_lease(setup, lease, assets)
    why = "on fresh latents its fakes hardly vary"
    assert setup.broker.measure_again(["0000"], 1, 0) == (0, {"0000": why})
    (confirmed,) = events_of(setup.directory, Confirmed)
    assert (confirmed.values, confirmed.refused) == ([], why)


def test_settings_change_within_a_trial(setup: GangSetup, assets: Assets, one_thread: None) -> None:
    """By a schedule: the epochs before it are those without, also where the gang dies at the very change."""
    schedule = {**BASE, "schedule": {"epochs": 3, "window_first": 1}, "fid": {**BASE["fid"], "every": 1}}
    rates = [{"from": 2, "set": {"optimizer.lr_g": 0.01}}, {"from": 3, "set": {"optimizer.lr_d": 0.01}}]
    space = build_space("x", {"base": schedule, "search": {}, "changes": rates})
    store = ResultsStore(setup.directory)
    for name, changes in (("0000", ()), ("0001", space.changes), ("0002", space.changes)):
        changed = replace(setup, space=space.model_copy(update={"changes": changes}))
        setup.broker.submit(proposal(name))
        lease = setup.broker.lease(0)
        assert isinstance(lease, Lease)
        if name == "0002":
            for gone in (1, 2):  # after an epoch each: it goes on from its checkpoint, where the change is yet to come
                with pytest.raises(LeftError):
                    run_lease(changed, lease, assets, lambda gone=gone: len(store.read_history("0002")) >= gone)
                again = setup.broker.lease(0)
                assert isinstance(again, Lease) and again.begun
        run_lease(changed, lease, assets, never)
    fids = {name: [one.measurement.fid for one in store.read_history(name) if one.measurement] for name in NAMES}
    assert fids["0001"] == fids["0002"] and len(fids["0001"]) == 3
    assert fids["0000"][0] == fids["0001"][0] and fids["0000"][1] != fids["0001"][1]
    config = (store.trials_dir / "0001" / "config.yaml").read_text()
    assert config.count("0.01") == 2
