"""The Tune side of a trial: a lightweight actor without torch that passes a gang's measurements on to Tune."""

from typing import Any

from ray import tune

from orchestrator.sweep.broker_client import BrokerClient


class TrialTrainable(tune.Trainable):
    """Turns each measurement of a trial into a Tune result. The searcher has already submitted the trial to the broker.

    Config: ``trial_id``, ``broker`` (a `BrokerClient`), ``metric`` (the name under which Tune gets the FID).
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take a trial."""
        self._broker: BrokerClient = config["broker"]
        self._trial_id: str = config["trial_id"]
        self._metric: str = config["metric"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process (``reuse_actors``)."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the next measurement. Tune calls this again only when the trial may go on."""
        return self._broker.next_result(self._trial_id).to_tune(self._metric)
