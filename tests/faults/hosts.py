"""What happens to the hosts of a cluster: one loses its raylet; a gang spans two; one is cut off; one joins."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.results.events import Started
from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.network import CannotMakeHostsError, Network, hosts
from tests.faults.processes import RANKS, kill
from tests.faults.ray_cluster import Cluster, Host, ray_cluster
from tests.faults.results import read_epochs
from tests.faults.rows import Row
from tests.faults.scenario import EPOCH, TRIAL, Fault, strike_once
from tests.faults.sweep_under_fault import SweepUnderFault
from tests.faults.waiting import wait_until
from tests.orchestrator.sweep_helpers import events_of

RAY = "ray"
HEAD, WORKERS = 1, (2, 3)
SILENT_S = 120.0  # after which Ray has long taken a host that is cut off for dead: it needs 65 s
JOIN_S = 180.0  # to a trial on a host that has joined


def second_node_dies(bench: Bench) -> Row:
    """The node that the ranks run on loses its raylet; another joins the cluster then."""
    with ray_cluster(bench.folder / RAY) as cluster:
        cluster.start_head(Host(ip="127.0.0.1"), cpus=1)
        node = cluster.add_node(Host(ip="127.0.0.2"), cpus=2)
        options = ("--address", cluster.address, "--cpus-per-worker", "1")
        with bench.sweep("second-node", *options, env=cluster.wants) as sweep:

            def strike(_: SweepUnderFault) -> None:
                cluster.kill_node(node)
                cluster.add_node(Host(ip="127.0.0.3"), cpus=2)

            strike_once(sweep, strike)
            sweep.finish()
            sweep.troubles += cluster.what_is_left()
            return judge("second-node", bench, sweep)


def a_node_stays_away(bench: Bench) -> Row:
    """One of two nodes that a gang's two ranks run on loses its raylet, and none joins: one rank does the rest."""
    with ray_cluster(bench.folder / RAY) as cluster:
        cluster.start_head(Host(ip="127.0.0.1"), cpus=1)
        node = cluster.add_node(Host(ip="127.0.0.2"), cpus=1)
        options = ("--address", cluster.address, "--cpus-per-worker", "0.9", "--min-workers-per-trial", "1")
        with bench.sweep("fewer-ranks", *options, env=cluster.wants) as sweep:
            strike_once(sweep, lambda _: cluster.kill_node(node))
            sweep.finish()
            sweep.troubles += cluster.what_is_left() + with_fewer_ranks(read_epochs(sweep.directory))
            return judge("fewer-ranks", bench, sweep, rounded=True)


def with_fewer_ranks(epochs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What is wrong with the numbers of ranks that trained the epochs of a sweep, by trial."""
    ranks = [line["metrics"]["workers"] for trial in sorted(epochs) for line in epochs[trial]]
    return [] if ranks == sorted(ranks, reverse=True) and set(ranks) == {1, 2} else [f"epochs had {ranks} ranks"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A sweep whose driver is on a head without CPUs, and its hosts.

    Attributes:
        network: of the hosts.
        cluster: of their nodes.
        sweep: launched there.
    """

    network: Network
    cluster: Cluster
    sweep: SweepUnderFault

    def places(self, title: str) -> set[int | None]:
        """Numbers of the hosts with a process of this title."""
        return {self.network.host_of(process) for process in self.cluster.family.titled(title)}


@contextmanager
def on_hosts(bench: Bench, name: str, *options: str, workers: tuple[int, ...], cpus: int) -> Iterator[Stage]:
    """A sweep on some of the hosts, each with so many CPUs."""
    with hosts(max(HEAD, *WORKERS)) as network, ray_cluster(bench.folder / RAY) as cluster:
        head = network.host(HEAD)
        cluster.start_head(head, cpus=0)
        for number in workers:
            cluster.add_node(network.host(number), cpus=cpus)
        where = ("--address", cluster.address, *options)
        with bench.sweep(name, *where, env=cluster.wants, inside=head.inside) as sweep:
            yield Stage(network=network, cluster=cluster, sweep=sweep)


def gang_spans_two(bench: Bench) -> Row:
    """A gang of two ranks, with room for one on each host."""
    name = "hosts-gang"
    with on_hosts(bench, name, workers=WORKERS, cpus=1) as stage:
        sweep = stage.sweep
        sweep.wait_for(trial=TRIAL, epoch=EPOCH)
        if (places := stage.places(RANKS)) != set(WORKERS):
            sweep.troubles.append(f"ranks are on the hosts {places}")
        sweep.finish()
        sweep.troubles += stage.cluster.what_is_left()
        return judge(name, bench, sweep)


def host_is_cut(bench: Bench) -> Row:
    """A host with half a gang is cut off until Ray takes it for dead; back again, its raylet ends and is replaced."""
    name, number = "host-cut", WORKERS[-1]
    with on_hosts(bench, name, workers=WORKERS[:1], cpus=1) as stage:
        cluster, host = stage.cluster, stage.network.host(number)
        node = cluster.add_node(host, cpus=1)

        def strike(_: SweepUnderFault) -> None:
            stage.network.cut(number)
            cluster.wait_for_death(host, SILENT_S)
            stage.network.mend(number)
            node.wait(SILENT_S)
            cluster.add_node(host, cpus=1)

        strike_once(stage.sweep, strike)
        stage.sweep.finish()
        stage.sweep.troubles += cluster.what_is_left()
        return judge(name, bench, stage.sweep)


def host_joins(bench: Bench) -> Row:
    """Two gangs, and one host with room for one; the other host joins in mid-sweep, and the second gang works there."""
    name, number = "host-joins", WORKERS[-1]
    options = ("--concurrency", "2", "--cpus-per-worker", "1")
    with on_hosts(bench, name, *options, workers=WORKERS[:1], cpus=2) as stage:
        sweep = stage.sweep

        def strike(_: SweepUnderFault) -> None:
            ranks = stage.cluster.family.titled(RANKS)
            if (places := stage.places(RANKS)) != {WORKERS[0]}:
                sweep.troubles.append(f"before a host joined, ranks were on the hosts {places}")
            kill(ranks, signal.SIGSTOP)  # so that no gang but the second can take the trials that are left
            try:
                stage.cluster.add_node(stage.network.host(number), cpus=2)
                both = lambda: {event.gang for event in events_of(sweep.directory, Started)} == {0, 1}  # noqa: E731
                wait_until("a trial of the second gang", both, JOIN_S)
                if (places := stage.places(RANKS)) != set(WORKERS):
                    sweep.troubles.append(f"after a host joined, ranks were on the hosts {places}")
            finally:
                kill(ranks, signal.SIGCONT)

        strike_once(sweep, strike, trial=0, epoch=1)
        sweep.finish()
        sweep.troubles += stage.cluster.what_is_left()
        return judge(name, bench, sweep)


def _needs_hosts(name: str, fault: Fault) -> Fault:
    """Skipped where there cannot be any."""

    def row(bench: Bench) -> Row:
        try:
            return fault(bench)
        except CannotMakeHostsError as error:
            return Row(fault=name, status="skipped", text=str(error))

    return row


FAULTS: dict[str, Fault] = {
    "second-node": second_node_dies,
    "fewer-ranks": a_node_stays_away,
    "hosts-gang": _needs_hosts("hosts-gang", gang_spans_two),
    "host-cut": _needs_hosts("host-cut", host_is_cut),
    "host-joins": _needs_hosts("host-joins", host_joins),
}
