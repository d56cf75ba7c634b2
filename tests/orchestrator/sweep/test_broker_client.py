"""The broker's calls through a real actor."""

import inspect

from orchestrator.results.verdict import StopReason
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.broker_client import BrokerClient


def test_of_several_reasons_to_stop_the_first_counts(ray_instance: None) -> None:
    """Ray runs calls to an async actor in any order unless the caller waits: without waiting, some of these failed."""
    broker = BrokerClient.start()
    for number in range(200):
        trial_id = f"{number:04d}"
        broker.submit(trial_id, {})
        broker.stop(trial_id, StopReason.OUT_OF_TIME)
        broker.stop(trial_id, StopReason.OUTRANKED)
    _, outcomes = broker.outcomes(0)
    assert len(outcomes) == 200
    assert {outcome.verdict for outcome in outcomes.values()} == {"out_of_time"}


def test_every_message_of_the_broker_has_its_call() -> None:
    messages = {name: method for name, method in inspect.getmembers(Broker, inspect.isfunction) if name[0] != "_"}
    for name, method in messages.items():
        call = getattr(BrokerClient, name)
        taken = [word for word in inspect.signature(method).parameters if word != "_ray_trace_ctx"]  # added by Ray
        assert list(inspect.signature(call).parameters) == taken, name
    assert set(messages) == {name for name in vars(BrokerClient) if name[0] != "_"} - {"start"}
