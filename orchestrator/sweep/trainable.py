"""The Tune side of a trial: a featherweight actor without torch that passes a gang's rungs on to Tune."""

from typing import Any

import ray
from ray import tune


class Relay(tune.Trainable):
    """Turns each rung of a trial into a Tune result. The searcher has already submitted the trial to the broker.

    Config: ``trial_id``, ``broker`` (the actor's handle).
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take a trial."""
        self._broker, self._trial_id = config["broker"], config["trial_id"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in the same process (``reuse_actors``)."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the next rung. Tune calls this again only when the trial may go on."""
        return ray.get(self._broker.next_result.remote(self._trial_id))
