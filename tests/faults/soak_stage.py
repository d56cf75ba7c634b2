"""The stage of the soak: a sweep to which as much can happen as the machine allows."""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import actors, checkpoints, driver, postgres, ranks
from tests.faults.bench import Bench
from tests.faults.hosts import RAY
from tests.faults.postgres import Postgres
from tests.faults.processes import running
from tests.faults.ray_cluster import Cluster, Host, ray_cluster
from tests.faults.scenario import Strike
from tests.faults.storage import CannotMountError, fill_for_a_while, small_disk
from tests.faults.sweep_under_fault import SweepUnderFault
from tests.orchestrator.tracking.servers import Server

DISK = "400m"  # thirty trials need 110 MB
FULL_S = 15.0  # how long the disk stays full, unless the driver ends before


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A sweep that has been launched.

    Attributes:
        sweep: it.
        strikes: what can happen to it, by name.
        cluster: that it runs on; None: on a Ray of its driver's.
    """

    sweep: SweepUnderFault
    strikes: dict[str, Strike]
    cluster: Cluster | None

    def end_cluster(self) -> None:
        """End it where there is one; what the sweep has left in it is one of the sweep's troubles."""
        if self.cluster is not None:
            self.sweep.troubles += self.cluster.what_is_left()
            self.cluster.end()


@contextmanager
def staged(bench: Bench, *, local: bool) -> Iterator[Stage]:
    """Launch the sweep.

    Args:
        bench: where it runs.
        local: on a Ray of the driver's own, and not on a cluster with a second node.
    """
    strikes: dict[str, Strike] = {}
    with ExitStack() as stack:
        cluster = None if local else stack.enter_context(ray_cluster(bench.folder / RAY))
        database = _database(bench.folder / "postgres", stack, strikes)
        store = None if database is None else database.uri("mlflow")
        server = stack.enter_context(running(Server(bench.folder / "mlflow", store)))
        disk = _disk(bench.folder / "disk", stack, strikes)
        options = ["--tracking-uri", server.uri, "--hang-timeout", ranks.HANG]
        if database is not None:
            options += ["--storage", database.uri("optuna")]
        if cluster is not None:
            cluster.start_head(Host(ip="127.0.0.1"), cpus=1)
            strikes["second-node"] = _second_node(cluster)
            options += ["--address", cluster.address, "--cpus-per-worker", "1"]
        env = {} if cluster is None else cluster.wants
        sweep = stack.enter_context(bench.sweep("soak", *options, sweeps=disk, env=env))
        sweep.tracking_uri = server.uri
        if database is not None:
            sweep.storage = database.uri("optuna")
        if cluster is not None:
            for node in cluster.nodes:  # whose children its ranks are
                sweep.family.add(node.pid)
        yield Stage(sweep=sweep, strikes=strikes | _usual(server), cluster=cluster)


def _database(folder: Path, stack: ExitStack, strikes: dict[str, Strike]) -> Postgres | None:
    """PostgreSQL with a database for each store; None where it is not installed."""
    if (programs := postgres.programs()) is None:
        print("PostgreSQL never dies: it is not installed", flush=True)
        return None
    database = stack.enter_context(running(Postgres(programs, folder)))
    for name in ("mlflow", "optuna"):
        database.create(name)
    strikes["postgres"] = lambda _: database.kill_and_restart()
    return database


def _disk(folder: Path, stack: ExitStack, strikes: dict[str, Strike]) -> Path | None:
    """A small disk for the folder of sweeps; None where none can be mounted."""
    try:
        disk = stack.enter_context(small_disk(folder, DISK))
    except CannotMountError as error:
        print(f"the disk is never full: {error}", flush=True)
        return None
    strikes["disk-full"] = lambda sweep: fill_for_a_while(disk, sweep, FULL_S)
    return disk


def _second_node(cluster: Cluster) -> Strike:
    """Add a node for the ranks. The strike kills it, and another joins at another address."""
    numbers = itertools.count(2)

    def join() -> subprocess.Popen[bytes]:
        return cluster.add_node(Host(ip=f"127.0.0.{next(numbers)}"), cpus=2)

    nodes = [join()]

    def strike(sweep: SweepUnderFault) -> None:
        if nodes:  # else one that was to join before did not
            cluster.kill_node(nodes.pop())
        nodes.append(join())
        sweep.family.add(nodes[-1].pid)

    return strike


def _usual(server: Server) -> dict[str, Strike]:
    """What can happen to any sweep that tracks to a server."""

    def overlapping(sweep: SweepUnderFault) -> None:
        ranks.kill_one_rank(sweep)
        driver.kill_driver(sweep)
        server.kill_and_restart()

    return {
        "one-rank": ranks.kill_one_rank,
        "all-ranks": ranks.kill_all_ranks,
        "rank-asked-to-leave": ranks.ask_one_rank_to_leave,
        "rank-stopped": ranks.stop_one_rank,
        "train-controller": actors.kill_controller,
        "broker": actors.kill_broker,
        "trainable": actors.kill_trainable,
        "mlflow-server": lambda _: server.kill_and_restart(),
        "driver": driver.kill_driver,
        "torn-checkpoint": checkpoints.tear_checkpoint,
        "flipped-bit": checkpoints.flip_bit,
        "torn-log": checkpoints.tear_log,
        "driver-rank-mlflow": overlapping,
    }
