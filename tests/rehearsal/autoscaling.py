"""A cluster that is empty, grows as a sweep asks for it, and is empty again: Ray's own autoscaler, v2, on one machine.

Machines are started by the fake provider of Ray's wheel (ray 2.60): each is a raylet of its own. Ray's own
`AutoscalingCluster` is not used: the wheel lacks the file of defaults that it reads, and its `ray stop --force` would
end every Ray on this machine.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from mlflow import MlflowClient
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID, FAKE_HEAD_NODE_TYPE

from orchestrator.commands.travelling import TRACKING
from orchestrator.sweep.ray_session import MAY_HAVE_CPUS
from tests.faults.processes import EXIT_S, RANKS, RAYLET, TRAINABLES, running, title_of
from tests.faults.sweep_under_fault import ROOT
from tests.faults.waiting import NotInTimeError, wait_until
from tests.orchestrator.tracking.servers import Server
from tests.rehearsal.photographs import Photographs
from tests.rehearsal.stage import SPACE, Stage, staged
from tests.rehearsal.steps import Part, check

IDLE_S, MOST, TRIALS = 10, 2, 6
GROW_S, TRAIN_S, RELEASE_S, DRIVER_S = 120.0, 300.0, 50.0, 120.0

_PROVIDER = "tests.rehearsal.provider.Provider"
# Which Ray's defaults would have, were they in the wheel.
_EMPTY = ("setup_commands", "head_setup_commands", "worker_setup_commands", "cluster_synced_files")
_SETTINGS = {
    "PYTHONPATH": str(ROOT),  # of the autoscaler, for the provider
    "RAY_FAKE_CLUSTER": "1",
    "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
    "RAY_enable_autoscaler_v2": "1",  # as `ray up` does
}


@dataclass(kw_only=True)
class Scaled:
    """A cluster with an autoscaler, and MLflow's server beside its head.

    Attributes:
        stage: the cluster.
        server: of MLflow.
        head: the head's raylet.
        times: moments by name.
    """

    stage: Stage
    server: Server
    head: psutil.Process
    times: dict[str, float] = field(default_factory=dict)

    def machines(self) -> list[psutil.Process]:
        """The raylets beside the head's: what a cloud would bill."""
        return [one for one in self.stage.cluster.family.titled(RAYLET) if one != self.head]

    def on_them(self) -> str:
        """What runs on the machines, by Ray's titles: a machine with an actor on it never counts as idle."""
        machines = {one.pid for one in self.machines()}
        below = [one for one in self.stage.cluster.family.living() if _parent(one) in machines]
        titles = Counter(title for one in below if (title := title_of(one)).startswith("ray::"))
        return ", ".join(f"{count} {title}" for title, count in sorted(titles.items())) or "nothing of Ray's"

    def on_machines(self, title: str) -> tuple[int, int]:
        """How many processes of this title are on such machines, and how many there are."""
        machines = {one.pid for one in self.machines()}
        found = self.stage.cluster.family.titled(title)
        return sum(_parent(one) in machines for one in found), len(found)

    def since(self, name: str) -> float:
        """Seconds since a moment."""
        return time.monotonic() - self.times[name]


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


@contextmanager
def stage(folder: Path, photographs: Photographs) -> Iterator[Scaled]:
    """A head without CPUs, with an autoscaler, and MLflow's server."""
    with staged(folder, photographs, apart=0) as made, running(Server(folder / "mlflow")) as server:
        host, config = made.host(1), folder / "autoscaling.json"
        config.write_text(_config(made.cluster.address_on(host)))
        made.cluster.wants |= {**_SETTINGS, TRACKING: server.uri, MAY_HAVE_CPUS: str(MOST)}
        made.cluster.start_head(host, 0, "--autoscaling-config", str(config), jobs=True)
        (head,) = made.cluster.family.titled(RAYLET)
        yield Scaled(stage=made, server=server, head=head)


def _config(address: str) -> str:
    types = {
        FAKE_HEAD_NODE_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": MOST},
    }
    provider = {"type": "external", "module": _PROVIDER, "launch_multiple": True, "head_node_id": FAKE_HEAD_NODE_ID}
    return json.dumps(
        {
            "cluster_name": "rehearsal",
            "max_workers": MOST,
            "idle_timeout_minutes": IDLE_S / 60,
            "provider": {**provider, "gcs_address": address},
            "available_node_types": types,
            "head_node_type": FAKE_HEAD_NODE_TYPE,
            **{name: [] for name in _EMPTY},
        }
    )


def the_cluster_is_empty(scaled: Scaled) -> str:
    """A head without CPUs alone."""
    resources = scaled.stage.cluster.resources()
    nodes, cpus = len(resources["nodes"]), resources["total"].get("CPU", 0)
    check((nodes, cpus, len(scaled.machines())) == (1, 0, 0), f"the cluster has {resources}")
    return f"a head with 0 CPUs; at most {MOST} workers with 1 CPU, given back after {IDLE_S} s of idleness"


def a_sweep_makes_it_grow(scaled: Scaled) -> str:
    """The gangs' ranks ask for CPUs, and machines are started for them."""
    scaled.times["launch"] = time.monotonic()
    command = scaled.stage.launch("laptop", 1, "--trials", str(TRIALS), "--concurrency", str(MOST))
    try:
        wait_until("machines", lambda: len(scaled.machines()) == MOST, GROW_S)
        grown = scaled.since("launch")
        wait_until("a rank on each", lambda: scaled.on_machines(RANKS) == (MOST, MOST), GROW_S)
    except NotInTimeError as error:
        raise NotInTimeError(f"{error}; {len(scaled.machines())} machines; it said {command.tail()}") from None
    ranks = scaled.since("launch")
    return f"0 -> {MOST} machines {grown:.0f} s after the launch was typed, a rank on each after {ranks:.0f} s"


def tunes_actors_have_a_place(scaled: Scaled) -> str:
    """Where Tune's actors are, one per trial and one more: a machine with one of them is never idle."""
    everybody = lambda: scaled.on_machines(TRAINABLES)[1] > MOST  # noqa: E731
    wait_until("the actors of Tune", everybody, TRAIN_S)
    there, of = scaled.on_machines(TRAINABLES)
    return f"{of - there} of {of} actors are on the head, {there} on machines, which they hold as long as Tune runs"


def mlflow_goes_and_the_gangs_leave(scaled: Scaled) -> str:
    """Without its tracking server the driver tries for a minute at the end: time to see what machines do meanwhile."""
    client = MlflowClient(scaled.server.uri)
    wait_until("the sweep in MLflow", lambda: client.get_experiment_by_name(SPACE), TRAIN_S)
    scaled.server.kill()
    wait_until("the end of the ranks", lambda: not scaled.stage.cluster.family.titled(RANKS), TRAIN_S)
    scaled.times["left"] = time.monotonic()
    drivers, (_, tune) = len(scaled.stage.drivers()), scaled.on_machines(TRAINABLES)
    check(drivers == 1, f"{drivers} drivers run")
    return f"no rank and {tune} actors of Tune run, {len(scaled.machines())} machines and the driver do: MLflow is away"


def idle_machines_go_while_the_driver_is_up(scaled: Scaled) -> str:
    """The measurement: from the last rank's end to the last machine's."""
    try:
        wait_until("the end of the machines", lambda: not scaled.machines(), RELEASE_S)
    except NotInTimeError as error:
        held = f"{len(scaled.machines())} machines run, and on them {scaled.on_them()}"
        raise NotInTimeError(f"{error}: {held}; {scaled.stage.cluster.resources()}") from None
    gone = scaled.since("left")
    check(len(scaled.stage.drivers()) == 1, "the driver ended before: what held the machines cannot be told")
    return f"{MOST} -> 0 machines {gone:.1f} s after the last rank had left, of which {IDLE_S} s are the idle timeout"


def the_driver_ends(scaled: Scaled) -> str:
    """It finished the sweep, and says what MLflow lacks."""
    command = scaled.stage.typed["laptop"]
    code = command.end(DRIVER_S)
    done = f"{TRIALS} of {TRIALS} trials"
    check(code == 0 and done in command.said() and "gan-sweep sync" in command.said(), f"{code}: {command.tail()}")
    wait_until("the end of the driver", lambda: not scaled.stage.drivers(), EXIT_S)
    left = scaled.stage.cluster.what_is_left()
    check(not left and not scaled.machines(), f"left: {left}, {len(scaled.machines())} machines")
    return f"exit code 0, {done}; the cluster is empty; `gan-sweep sync` is named for what MLflow missed"


PART = Part(
    name="autoscaling",
    about="an empty cluster grows for a sweep and is empty again",
    cannot="how long a cloud takes to start a machine (here: a process), spot machines and their notices, GPUs (ranks "
    "ask for CPUs here), quotas and machines that cannot be had, a cloud's bill",
    stage=stage,
    steps=(
        the_cluster_is_empty,
        a_sweep_makes_it_grow,
        tunes_actors_have_a_place,
        mlflow_goes_and_the_gangs_leave,
        idle_machines_go_while_the_driver_is_up,
        the_driver_ends,
    ),
)
