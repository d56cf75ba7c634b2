"""What happens to ranks."""

import signal

from tests.faults.processes import RANKS, kill
from tests.faults.scenario import Fault, struck
from tests.faults.sweep_under_fault import SweepUnderFault

HANG = "40s"  # of silence, after which a gang is ended; an epoch here takes one or two


def kill_one_rank(sweep: SweepUnderFault) -> None:
    """SIGKILL."""
    kill(sweep.family.find(RANKS)[:1])


def kill_all_ranks(sweep: SweepUnderFault) -> None:
    """SIGKILL."""
    kill(sweep.family.find(RANKS))


def stop_one_rank(sweep: SweepUnderFault) -> None:
    """SIGSTOP: the rank is there and does nothing, as on a device that hangs; nobody lets it go on."""
    kill(sweep.family.find(RANKS)[-1:], signal.SIGSTOP)


def ask_one_rank_to_leave(sweep: SweepUnderFault) -> None:
    """SIGTERM, as a spot machine gets it before it goes."""
    kill(sweep.family.find(RANKS)[-1:], signal.SIGTERM)


FAULTS: dict[str, Fault] = {
    "one-rank": struck("one-rank", kill_one_rank),
    "all-ranks": struck("all-ranks", kill_all_ranks),
    "rank-asked-to-leave": struck("rank-asked-to-leave", ask_one_rank_to_leave),
    "rank-stopped": struck("rank-stopped", stop_one_rank, "--hang-timeout", HANG),
}
