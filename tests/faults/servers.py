"""An MLflow server that dies and comes back."""

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.processes import running
from tests.faults.rows import Row
from tests.faults.scenario import Fault, mend, strike_once
from tests.orchestrator.tracking.servers import Server


def mlflow_dies(bench: Bench) -> Row:
    """It is killed in mid-trial, and comes back when the trial after has begun."""
    with (
        running(Server(bench.folder / "mlflow")) as server,
        bench.sweep("mlflow-server", "--tracking-uri", server.uri) as sweep,
    ):
        sweep.tracking_uri = server.uri
        strike_once(sweep, lambda _: server.kill())
        mend(sweep, server.start, trial=3, epoch=1)
        sweep.finish()
        return judge("mlflow-server", bench, sweep)


FAULTS: dict[str, Fault] = {"mlflow-server": mlflow_dies}
