"""What happens to the sweep's own actors."""

from tests.faults.processes import BROKER, CONTROLLER, TRAINABLES, kill
from tests.faults.scenario import Fault, struck
from tests.faults.sweep_under_fault import SweepUnderFault


def kill_broker(sweep: SweepUnderFault) -> None:
    """SIGKILL."""
    kill(sweep.family.find(BROKER))


def kill_controller(sweep: SweepUnderFault) -> None:
    """SIGKILL of one gang's controller."""
    kill(sweep.family.find(CONTROLLER)[:1])


def kill_trainable(sweep: SweepUnderFault) -> None:
    """SIGKILL of the oldest trainable: that of the first trial, or of those that took its actor over."""
    kill(sweep.family.find(TRAINABLES)[:1])


FAULTS: dict[str, Fault] = {
    "train-controller": struck("train-controller", kill_controller),
    "broker": struck("broker", kill_broker),
    "trainable": struck("trainable", kill_trainable, trial=0),
}
