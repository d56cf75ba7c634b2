"""Trials that become copies of others: what the broker writes and leases, and whose files are kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.events import Exploited, Interrupted, Paused, Promoted
from orchestrator.results.exploits import Exploit
from orchestrator.results.follower import Follower
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import State
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.housekeeper import Housekeeper
from orchestrator.sweep.messages import Hold, Lease
from tests.orchestrator.sweep.test_broker_pause import measured, paused_at_epoch_2
from tests.orchestrator.sweep_helpers import PLAN, begun, epoch, events_of, keep_epochs, proposal, run

COPY = Exploit(epoch=2, source="0001", params={"optimizer.lr_g": 0.5})
POPULATION = replace(PLAN, definition={**PLAN.definition, "scheduler": {"name": "pbt"}})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return begun(tmp_path / "s", POPULATION).directory


def test_a_copy_is_one_event_and_its_lease_has_the_new_settings(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await paused_at_epoch_2(broker)
        await broker.promote("0000", COPY)
        await broker.promote("0000", COPY)  # Ray sends it again
        assert await broker.lease(1) == Lease("0000", {}, exploit=COPY)
        broker = Broker(directory)  # started again, and so is the gang
        assert await broker.lease(1) == Lease("0000", {}, exploit=COPY)
        (event,) = events_of(directory, Exploited)
        assert (event.trial, event.epoch, event.source, event.params) == ("0000", 2, "0001", COPY.params)
        (record,) = ResultsStore(directory).read_trials()
        assert (record.params, record.exploits, record.rests) == ({}, [COPY], [2])
        assert record.to_json()["exploits"] == [{"epoch": 2, "source": "0001", "params": COPY.params}]
        kinds = [type(one) for one in events_of(directory, Paused, Exploited, Promoted)]
        assert kinds == [Paused, Exploited, Promoted], "the copy is in the log before anybody can take the trial"

    run(story())


def test_a_driver_that_died_between_copy_and_promotion_writes_it_once(directory: Path) -> None:
    async def story() -> None:
        broker = Broker(directory)
        await paused_at_epoch_2(broker)
        ResultsStore(directory).append(
            Exploited(at=1.0, session=1, trial="0000", epoch=2, source="0001", params=COPY.params)
        )
        broker = Broker(directory)
        await broker.promote("0000", COPY)
        assert len(events_of(directory, Exploited)) == 1
        assert await broker.lease(0) == Lease("0000", {}, exploit=COPY)

    run(story())


def test_a_gang_that_dies_before_its_checkpoint_there_is_kept_comes_back_to_the_rung(directory: Path) -> None:
    """Others may become copies of it: it waits at the rung's epoch, not at one that it repeats on the way there."""

    async def story() -> None:
        broker = Broker(directory)
        await broker.submit(proposal("0000"))
        await broker.lease(0)
        assert await broker.report("0000", epoch(1), last=False) is None
        report = await measured(broker, "0000", 2, 90.0)
        await broker.pause("0000")
        assert await report is Hold.PAUSE
        assert await broker.lease(0) == Lease("0000", {}), "it has come back from the dead"
        assert not events_of(directory, Paused) and events_of(directory, Interrupted)
        assert await broker.report("0000", epoch(1), last=False) is None
        assert await broker.report("0000", epoch(2, fid=90.0), last=False) is Hold.PAUSE
        await broker.paused("0000", 0)
        (record,) = ResultsStore(directory).read_trials()
        assert (record.state, record.rests) == (State.PAUSED, [2])

    run(story())


def test_checkpoints_of_rungs_are_kept_until_all_are_past_them(directory: Path) -> None:
    store = ResultsStore(directory)

    async def story() -> None:
        broker = Broker(directory)
        for number, trial in enumerate(("0000", "0001")):
            await paused_at_epoch_2(broker, trial, gang=number)
            keep_epochs(store, trial, replace(epoch(2, fid=90.0), checkpoint=2))
            (store.trials_dir / trial / "rung_0002.pt").touch()
        follower = Follower(directory, POPULATION, [housekeeper])
        housekeeper.watch(follower.state)
        follower.poll()
        assert len(list(store.trials_dir.glob("*/rung_*.pt"))) == 2
        for number, trial in enumerate(("0000", "0001")):
            await broker.promote(trial)
            await broker.lease(number)
            keep_epochs(store, trial, replace(epoch(4, fid=80.0), checkpoint=4))
            report = await measured(broker, trial, 4, 80.0)
            await broker.pause(trial)
            assert await report is Hold.PAUSE
            await broker.paused(trial, number)
            (store.trials_dir / trial / "rung_0004.pt").touch()
            follower.poll()
            left = sorted(path.name for path in store.trials_dir.glob("*/rung_*.pt"))
            if number == 0:
                assert left == ["rung_0002.pt", "rung_0002.pt", "rung_0004.pt"], "0001 may still take 0000's over"
        assert left == ["rung_0004.pt", "rung_0004.pt"]

    housekeeper = Housekeeper(store, "all", top=1)
    run(story())
