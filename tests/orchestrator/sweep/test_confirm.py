"""Which trials are measured again at the end, which one wins, and how that is shown."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display.live import Screen, trials_table
from orchestrator.results.records import TrialRecord, best_trial
from orchestrator.results.retention import finalists
from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.space.sections import ConfirmConfig
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.confirm import confirm_best
from orchestrator.sweep.messages import ConfirmLease
from orchestrator.sweep.stopper import SweepStopper
from tests.orchestrator.sweep_helpers import PLAN, begun, ended, epoch, keep, proposal, recorder_of, roomy
from trainers.run_report import RunEnd


def test_finalists_are_the_best_whatever_ended_them() -> None:
    trials = [
        ended("0000", RunEnd.COMPLETED, 80.0),
        ended("0001", Failure.LOST, 72.0),  # killed after its best epoch
        ended("0002", StopReason.OUTRANKED, None),
        ended("0003", StopReason.OUT_OF_TIME, 70.0),
        ended("0004", "d_collapse", 75.0),  # it peaked inside its window, then collapsed
        ended("0005", RunEnd.COMPLETED, 70.0),
        ended("0006", RunEnd.COMPLETED, 10.0),
    ]
    trials[-1].refused = "on fresh latents its fakes hardly vary"  # said to an earlier driver
    assert finalists(trials) == ["0003", "0005", "0001", "0004", "0000"]
    assert finalists(trials[2:3]) == []


def trial(trial_id: str, objective: float, *confirmed: float) -> TrialRecord:
    record = ended(trial_id, RunEnd.COMPLETED, objective)
    record.confirmed = list(confirmed)
    return record


def test_the_lowest_confirmed_mean_wins() -> None:
    lucky, steady, unconfirmed = trial("0000", 60.0, 70.0, 72.0), trial("0001", 64.0, 66.0, 65.0), trial("0002", 50.0)
    assert best_trial([lucky, steady]) is steady
    assert best_trial([lucky, steady, unconfirmed]) is steady  # what was not measured again has a minimum only
    assert best_trial([trial("0000", 60.0), trial("0001", 64.0), unconfirmed]) is unconfirmed
    steady.refused = "on fresh latents its fakes hardly vary"
    assert best_trial([lucky, steady]) is lucky
    assert best_trial([steady]) is None
    steady.refused = ""
    lost = trial("0003", 10.0, 10.0)
    lost.verdict = Failure.LOST
    assert best_trial([lost, steady]) is lost  # whatever ended it, its checkpoint was measured


def test_mean_and_spread() -> None:
    record = trial("0000", 60.0, 63.0, 64.0, 65.0)
    assert (record.objective_mean, record.objective_spread) == (64.0, 1.0)  # the sample standard deviation
    assert (trial("0000", 60.0, 63.0).objective_mean, trial("0000", 60.0, 63.0).objective_spread) == (63.0, None)
    assert trial("0000", 60.0).objective_mean is None


def test_the_log_keeps_what_was_measured_again(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    record = trial("0000", 60.0, 63.0, 65.0)
    keep(store, record)
    (read,) = store.read_trials()
    assert read.confirmed == [63.0, 65.0] and read.to_json() == record.to_json()
    shown = store.summary()["best"]
    assert (shown["objective_mean"], shown["objective"]) == (64.0, 60.0)
    assert shown["objective_spread"] == pytest.approx(2**0.5)


# What people see


def running(*reports: tuple[int, float | None, int], n_fake: int = 256) -> TrialRecord:
    """A trial that reported (epoch, FID, fakes), each epoch a second long and FID a quarter of one."""
    record = TrialRecord("0000", {}, total_epochs=20, started=0.0, n_fake=n_fake)
    for number, fid, n in reports:
        objective = fid if n == n_fake else None
        record.progress(epoch(number, fid=fid, objective=objective, n_fake=n, seconds=0.25))
    record.seconds = float(len(reports))
    return record


def row(*records: TrialRecord) -> list[str]:
    """The words of the table's first row."""
    console = Console(file=io.StringIO(), width=160)
    console.print(trials_table(list(records)))
    return console.file.getvalue().splitlines()[1].split()  # type: ignore[attr-defined]


def test_a_carried_fid_says_from_when_it_is() -> None:
    record = running((4, 90.0, 256), (5, None, 0), (6, None, 0))
    record.objective = 90.0
    assert row(record)[2:5] == ["6/20", "90.0", "@4"]
    assert row(running((4, 90.0, 256)))[2:4] == ["4/20", "90.0"]
    assert row(running((1, None, 0)))[1:4] == ["1/20", "-", "-"]


def test_a_fid_of_nought_is_the_lowest() -> None:
    assert running((1, 0.0, 256), (2, 5.0, 256)).lowest_fid == 0.0


def test_fid_on_fewer_fakes_says_so_and_is_compared_with_its_like(tmp_path: Path) -> None:
    record = running((1, 70.0, 64), (2, 90.0, 128), (3, 80.0, 128), (4, 85.0, 128))
    assert (record.last_fid, record.lowest_fid, record.last_fid_n) == (85.0, 80.0, 128)
    assert row(record)[1:6] == ["4/20", "85.0", "n128", "~80.0", "n128"]
    screen = io.StringIO()
    Screen(Console(file=screen), tmp_path).progressed(
        record, epoch(4, 85.0, n_fake=128, metrics={"images_per_second": 9})
    )
    assert screen.getvalue() == "trial 0000  epoch 4/20  FID 85.0 n128  9 images/s\n"


def test_time_spent_on_fid_is_a_share_of_the_trials() -> None:
    record = running((1, None, 0), (2, 90.0, 256), (3, None, 0), (4, 80.0, 256))
    assert (record.fid_seconds, record.fid_share) == (0.5, 0.125)
    assert row(record)[-2] == "12%"
    assert record.to_json()["fid_share"] == 0.125
    assert running((1, None, 0)).to_json()["fid_share"] is None


def test_the_table_shows_mean_and_spread() -> None:
    lucky, steady = trial("0000", 60.0, 70.0, 72.0), trial("0001", 64.0, 66.0, 65.0)
    console = Console(file=io.StringIO(), width=160)
    console.print(trials_table([lucky, steady, trial("0002", 65.0)]))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "confirmed" in lines[0]
    assert "71.0 ± 1.4" in lines[1] and lines[2].startswith("0001 *") and "65.5 ± 0.7" in lines[2]
    assert lines[3].split()[3:5] == ["65.0", "-"]
    console = Console(file=io.StringIO(), width=160)
    console.print(trials_table([trial("0002", 65.0)]))
    assert "confirmed" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_narrow_terminal_has_room_for_the_verdict() -> None:
    record = trial("0000", 1281.5, 1260.2, 1285.2, 1310.2)
    console = Console(file=io.StringIO(), width=80)
    console.print(trials_table([record]))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1285.2 ± 25.0" in shown and "completed" in shown


class LivingGang:
    number, name, error = 0, "gang-0", None

    def is_alive(self) -> bool:
        return True


def test_where_no_finalist_is_confirmed_the_next_are_measured(ray_instance: None, tmp_path: Path) -> None:
    """A real broker; this test is its gang, and refuses the best trial."""
    said: list[str] = []
    store = begun(tmp_path / "s")
    broker = BrokerClient.start(store.directory)

    def measure(line: str) -> None:
        said.append(line)
        lease = broker.lease(0)
        assert isinstance(lease, ConfirmLease)
        refused = "on fresh latents its fakes hardly vary" if lease.trial_id == "0001" else ""
        broker.confirmed(lease.trial_id, [70.0], refused=refused)

    def say(line: str) -> None:
        threading.Thread(target=measure, args=(line,)).start()  # the lease waits until the trial is queued

    for name, objective in (("0000", 80.0), ("0001", 60.0), ("0002", 90.0), ("0003", 70.0)):
        broker.submit(proposal(name))
        broker.lease(0)
        if name != "0003":  # whose checkpoint was dropped
            (store.trials_dir / name).mkdir(parents=True)
            (store.trials_dir / name / "best.pt").touch()
        broker.end(name, TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=objective, best_epoch=4))
    stopper = SweepStopper(broker, [LivingGang()], recorder_of(store), roomy(store))
    confirm_best(ConfirmConfig(top=1, seeds=1), store, broker, stopper, say)
    assert said == [f"measuring the best trials again: {name} ..." for name in ("0001", "0000")]


@pytest.mark.parametrize(("again", "asked"), [(0.2, ["0001", "0000"]), (0.4, ["0001"])])
def test_where_none_keeps_the_constraints_the_next_that_may_is_measured(
    ray_instance: None, tmp_path: Path, again: float, asked: list[str]
) -> None:
    recall = "recall_test_n2_k5"
    store = begun(tmp_path / "s", replace(PLAN, constraints={"recall": ">= 0.3"}))
    for number, objective in enumerate((80.0, 60.0, 90.0)):
        trial = ended(f"{number:04d}", "completed", objective)
        trial.beside = {recall: 0.2 if objective == 90.0 else 0.5}  # in training
        keep(store, trial)
        (store.trials_dir / trial.trial_id / "best.pt").touch()
    broker = BrokerClient.start(store.directory)
    said: list[str] = []

    def measure() -> None:
        lease = broker.lease(0)
        assert isinstance(lease, ConfirmLease)
        broker.confirmed(lease.trial_id, [61.0], [{recall: again if lease.trial_id == "0001" else 0.1}])

    def say(line: str) -> None:
        said.append(line.split()[-2])
        threading.Thread(target=measure).start()  # the lease waits until the trial is queued

    stopper = SweepStopper(broker, [LivingGang()], recorder_of(store), roomy(store))
    confirm_best(ConfirmConfig(top=1, seeds=1), store, broker, stopper, say)
    assert said == asked, "and not the third, which breaks them in training"
