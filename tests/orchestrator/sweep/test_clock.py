"""Budgets and durations where somebody sets the clock."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.results.clock import driver_clock
from orchestrator.results.events import Closed, Ended, GangUp, Opened
from orchestrator.results.store import create_sweep
from orchestrator.results.verdict import SweepStatus, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.session import Session
from tests.orchestrator.sweep_helpers import PLAN, events_of, proposal

STEP = 36_000.0  # seconds by which the clock is set, far more than a test takes


@pytest.mark.parametrize("step", [STEP, -STEP])
def test_no_time_and_no_gpu_hours_are_spent_by_setting_the_clock(
    step: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = create_sweep(tmp_path / "s", replace(PLAN, gang_gpus=1.0))
    session = Session(store)
    session.open(trials=3, budgets={})
    broker, right = Broker(store.directory), time.time

    async def run() -> None:
        for name in ("0000", "0001"):
            await broker.submit(proposal(name))
        await broker.lease(0)
        monkeypatch.setattr(time, "time", lambda: right() + step)
        await broker.lease(1)
        await broker.end("0000", TrialOutcome(verdict="completed", epochs=4))

    asyncio.run(run())
    now = driver_clock(store.read_state().sessions[-1].opened)
    assert store.read_state().seconds(now) < STEP / 10
    assert 0 <= store.read_state().gpu_hours(now) < STEP / 3600 / 10
    session.end(SweepStatus.INTERRUPTED)
    session.close()
    (opened,), (closed,) = events_of(store.directory, Opened), events_of(store.directory, Closed)
    assert abs(closed.ended - opened.at) < STEP / 10
    assert len(events_of(store.directory, GangUp, Ended)) == 3
    assert all(abs(event.at - opened.at) < STEP / 10 for event in events_of(store.directory, GangUp, Ended))
