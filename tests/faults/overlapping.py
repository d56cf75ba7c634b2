"""Several faults within one second."""

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.driver import kill_driver
from tests.faults.processes import running
from tests.faults.ranks import kill_one_rank
from tests.faults.rows import Row
from tests.faults.scenario import Fault, strike_once
from tests.faults.sweep_under_fault import SweepUnderFault
from tests.orchestrator.tracking.servers import Server


def driver_rank_and_mlflow(bench: Bench) -> Row:
    """All three die at once; MLflow is back before the sweep is resumed."""
    name = "driver-rank-mlflow"
    with running(Server(bench.folder / name)) as server, bench.sweep(name, "--tracking-uri", server.uri) as sweep:
        sweep.tracking_uri = server.uri

        def strike(_: SweepUnderFault) -> None:
            kill_one_rank(sweep)
            kill_driver(sweep)
            server.kill()
            server.start()

        strike_once(sweep, strike)
        sweep.finish()
        return judge(name, bench, sweep)


FAULTS: dict[str, Fault] = {"driver-rank-mlflow": driver_rank_and_mlflow}
