"""A cluster and the laptops beside it, which a part of the rehearsal is played on."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.network import CannotMakeHostsError, Network, hosts
from tests.faults.processes import RANKS
from tests.faults.ray_cluster import Cluster, Host, ray_cluster
from tests.faults.sweep_under_fault import own_files
from tests.rehearsal.photographs import Photographs
from tests.rehearsal.typed import Typed

SPACE, SWEEP = "rehearsal", "rehearsed"
DRIVER = "orchestrator.on_head"
FIRST_FID = "trial 0000  epoch 4/8"  # a line for each measurement
# Small enough for two cores. Every trial runs to its end, so that how long the sweep takes depends on nothing it finds.
_SPACE = """
description: a rehearsal
base:
  data: {image_size: 32, batch_size: 16}
  network: {base_width: 8, latent_dim: 16}
  schedule: {epochs: 8, window_first: 4, checkpoint_every: 2, samples_every: 4}
  fid: {extractor: efficientnet_lite0, n_fake: 32, every: 4, min_diversity: 0}
search:
  optimizer.lr_g: {float: [1.0e-4, 1.0e-3], log: true}
scheduler: {name: none}
sampler: {name: random}
confirm: {top: 1, seeds: 2}
pruning: false
"""


@dataclass(kw_only=True)
class Stage:
    """A cluster, and who types.

    Attributes:
        folder: everything of the part.
        photographs: what sweeps learn from.
        cluster: without nodes at first.
        network: the hosts' own; None: all of them are this very machine.
        why_not: why there is no network.
        nodes: worker nodes, by host.
        typed: commands by name.
    """

    folder: Path
    photographs: Photographs
    cluster: Cluster
    network: Network | None
    why_not: str = ""
    nodes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    typed: dict[str, Typed] = field(default_factory=dict)

    @property
    def sweeps(self) -> Path:
        """The folder of sweeps, which every machine sees."""
        return self.folder / "sweeps"

    def host(self, number: int) -> Host:
        """A host, from 1."""
        return Host(ip=f"127.0.0.{number}") if self.network is None else self.network.host(number)

    def join(self, number: int, cpus: int) -> None:
        """Start a worker node on a host."""
        self.nodes[number] = self.cluster.add_node(self.host(number), cpus=cpus)

    def type(self, name: str, host: int, *words: str, env: Mapping[str, str] | None = None) -> Typed:
        """Type a command on a host; `name` is for its files, `env` instead of variables that the cluster wants."""
        words = (*words, "--cluster", self.cluster.jobs)
        self.typed[name] = Typed(self.host(host), self.folder / name, {**self.cluster.wants, **(env or {})}, *words)
        return self.typed[name]

    def launch(self, name: str, host: int, *options: str) -> Typed:
        """Type the launch of the rehearsed sweep."""
        space = self.folder / f"{SPACE}.yaml"
        space.write_text(_SPACE)
        words = ("--space", str(space), "--data", str(self.photographs.folder), "--name", SWEEP)
        return self.type(name, host, "launch", *words, "--sweeps-dir", str(self.sweeps), *options)

    def ranks(self) -> dict[int, int]:
        """How many ranks are on which host; those of the head count for host 0."""
        found: dict[int, int] = {}
        of = {node.pid: number for number, node in self.nodes.items()}
        for rank in self.cluster.family.titled(RANKS):
            try:
                above = [parent.pid for parent in rank.parents()]
            except psutil.NoSuchProcess:
                continue
            number = next((of[pid] for pid in above if pid in of), 0)
            found[number] = found.get(number, 0) + 1
        return found

    def end(self) -> None:
        """End what was typed."""
        for command in self.typed.values():
            command.kill()

    def drivers(self) -> list[psutil.Process]:
        """The processes of jobs that run a command on the head."""
        return [one for one in self.cluster.family.living() if DRIVER in _words(one)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@contextmanager
def staged(folder: Path, photographs: Photographs, *, apart: int) -> Iterator[Stage]:
    """A stage whose hosts are namespaces of the network where this machine permits; all of it is ended.

    Args:
        folder: for its files; made here.
        photographs: what sweeps learn from.
        apart: how many hosts; 0: this machine is enough.
    """
    folder.mkdir()
    (folder / "tmp").mkdir()
    network, why_not = None, ""
    with ExitStack() as stack:
        if apart:
            try:
                network = stack.enter_context(hosts(apart))
            except CannotMakeHostsError as error:
                why_not = str(error)
        cluster = stack.enter_context(ray_cluster(folder / "ray"))
        cluster.wants |= own_files(folder.parent, folder / "tmp")  # what is decoded for one part is for all
        stage = Stage(folder=folder, photographs=photographs, cluster=cluster, network=network, why_not=why_not)
        stack.callback(stage.end)
        yield stage
