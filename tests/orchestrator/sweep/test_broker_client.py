"""The broker's calls through a real actor."""

import inspect
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray

from orchestrator.results.events import Ended, Started
from orchestrator.results.verdict import StopReason, TrialOutcome
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.broker_client import BrokerClient
from orchestrator.sweep.messages import Lease
from tests.orchestrator.sweep_helpers import begun, epoch, events_of, proposal


def test_of_several_reasons_to_stop_the_first_counts(ray_instance: None, tmp_path: Path) -> None:
    """Ray runs calls to an async actor in any order unless the caller waits: without waiting, some of these failed."""
    directory = begun(tmp_path / "s").directory
    broker = BrokerClient.start(directory)
    for number in range(200):
        trial_id = f"{number:04d}"
        broker.submit(proposal(trial_id))
        broker.stop(trial_id, StopReason.OUT_OF_TIME)
        broker.stop(trial_id, StopReason.OUTRANKED)
    assert [event.outcome["verdict"] for event in events_of(directory, Ended)] == ["out_of_time"] * 200


def test_a_broker_that_is_killed_is_back_and_answers_what_it_was_asked(ray_instance: None, tmp_path: Path) -> None:
    directory = begun(tmp_path / "s").directory
    broker = BrokerClient.start(directory)
    broker.submit(proposal("0000", {"lr": 1}))
    assert broker.lease(0) == Lease("0000", {"lr": 1})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(broker.next_result, "0000")  # waits for a measurement
        before = broker.pid()
        os.kill(before, signal.SIGKILL)
        broker.report("0000", epoch(1, fid=90.0), last=False)
        assert asked.result(60).epoch == 1
    assert broker.pid() != before
    assert len(events_of(directory, Started)) == 1, "its gang has lived on, and still has its trial"


def test_as_many_messages_may_wait_as_there_are_gangs(ray_instance: None, tmp_path: Path) -> None:
    """Ray lets 1,000 into an async actor: with as many trials waiting for measurements, none could be reported."""
    broker = BrokerClient.start(begun(tmp_path / "s").directory)
    broker.submit(proposal("0000"))
    actor: Any = broker._actor
    waiting = [actor.next_result.remote("0000") for _ in range(1001)]
    assert broker.lease(0) == Lease("0000", {})
    broker.report("0000", epoch(1, fid=90.0), last=True)
    broker.end("0000", TrialOutcome(verdict="completed", epochs=1))
    assert ray.get(waiting[-1]).epoch == 1


def test_every_message_of_the_broker_has_its_call() -> None:
    messages = {name: method for name, method in inspect.getmembers(Broker, inspect.isfunction) if name[0] != "_"}
    for name, method in messages.items():
        call = getattr(BrokerClient, name)
        taken = [word for word in inspect.signature(method).parameters if word != "_ray_trace_ctx"]  # added by Ray
        assert list(inspect.signature(call).parameters) == taken, name
    assert set(messages) == {name for name in vars(BrokerClient) if name[0] != "_"} - {"start"}
