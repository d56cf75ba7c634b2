"""What happens to the driver."""

import random

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.processes import kill
from tests.faults.rows import Row
from tests.faults.scenario import Fault, struck
from tests.faults.sweep_under_fault import START_S, SweepUnderFault
from tests.faults.waiting import NotInTimeError, wait_until

MOMENTS = 10
LATEST_S = 30.0  # after a driver's start; most of them are over with starting Ray and the ranks after 20 s
SEED = 0


def kill_driver(sweep: SweepUnderFault) -> None:
    """SIGKILL."""
    kill([process for process in sweep.family.living() if process.pid == sweep.driver.pid])


def ten_moments(bench: Bench) -> Row:
    """One sweep whose driver dies ten times, each time after a random number of seconds, and is resumed each time."""
    draw = random.Random(SEED)
    with bench.sweep("driver-10-moments") as sweep:
        try:
            wait_until("the sweep's directory", sweep.directory.exists, START_S)
            for _ in range(MOMENTS):
                if sweep.over(draw.uniform(0.0, LATEST_S)):
                    break
                sweep.strike(lambda: kill_driver(sweep))
                sweep.wait()
                sweep.resume()
        except NotInTimeError as error:
            sweep.troubles.append(str(error))
        sweep.finish()
        return judge("driver-10-moments", bench, sweep)


FAULTS: dict[str, Fault] = {
    "driver": struck("driver", kill_driver),
    "driver-10-moments": ten_moments,
}
