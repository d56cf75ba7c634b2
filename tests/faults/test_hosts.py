"""A gang that spans two nodes; and hosts as the suite makes them. What happens to sweeps on these: `make faults`."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from ray._common.network_utils import node_ip_address_from_perspective
from ray.cluster_utils import Cluster

from tests.faults import aftermath
from tests.faults.bench import bare_bench
from tests.faults.network import NAMESPACES, CannotMakeHostsError, Network, hosts
from tests.faults.processes import RANKS


@contextlib.contextmanager
def cluster_of(*cpus: int) -> Iterator[tuple[Cluster, set[int]]]:
    """A cluster of a head without CPUs and of one node for each number; and the process ids of the nodes' raylets."""
    # By itself it takes the address of this process's Ray, if there is one: 127.0.0.1, where nobody else finds it.
    here = node_ip_address_from_perspective()
    head = {"num_cpus": 0, "node_ip_address": here}
    cluster = Cluster(initialize_head=True, shutdown_at_exit=False, head_node_args=head)
    try:
        nodes = [cluster.add_node(num_cpus=count, node_ip_address=here) for count in cpus]
        yield cluster, {node.all_processes["raylet"][0].process.pid for node in nodes}
    finally:
        cluster.shutdown()


def reaches(network: Network, number: int, other: int) -> bool:
    """Whether a host hears another, where nobody listens: it is refused, and not left without an answer."""
    code = "import socket, sys; socket.create_connection((sys.argv[1], 9), timeout=1)"
    command = [*network.host(number).inside, sys.executable, "-c", code, network.host(other).ip]
    return "ConnectionRefusedError" in subprocess.run(command, capture_output=True, text=True).stderr


def test_hosts_hear_each_other_unless_one_is_cut_off_and_are_gone_after_an_error() -> None:
    before = sorted(NAMESPACES.glob("*"))
    try:
        with contextlib.suppress(KeyError), hosts(2) as network:
            assert reaches(network, 1, 2) and reaches(network, 2, 1)
            network.cut(2)
            assert not reaches(network, 1, 2)
            network.mend(2)
            assert reaches(network, 1, 2)
            command = [*network.host(2).inside, "cat"]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as there:
                assert there.stdin is not None and there.stdout is not None
                there.stdin.write(b"there\n")
                assert there.stdout.readline() == b"there\n"
                assert network.host_of(psutil.Process(there.pid)) == 2
                assert network.host_of(psutil.Process()) is None
                raise KeyError
    except CannotMakeHostsError as error:
        pytest.skip(str(error))
    assert sorted(NAMESPACES.glob("*")) == before


@pytest.mark.slow
def test_a_gang_spans_two_nodes_and_the_head_has_no_rank() -> None:
    """Each node has the CPUs of one rank and not a share more, as a trial's other actors might want."""
    with bare_bench(trials=1) as bench, cluster_of(1, 1) as (cluster, raylets):
        options = ("--address", cluster.address, "--cpus-per-worker", "1", "--set", "confirm.top=0")
        with bench.sweep("nodes", *options) as sweep:
            sweep.wait_for(trial=0, epoch=1)
            titles = [(one.ppid(), "".join(one.cmdline())) for one in psutil.process_iter() if one.ppid() in raylets]
            ranks = [raylet for raylet, title in titles if RANKS in title]
            assert set(ranks) == raylets and len(ranks) == 2
            # Ray Train's detached actor outlives every sweep: its node would never be given back.
            assert not [title for _, title in titles if "AutoscalingCoordinator" in title]
            assert sweep.wait() == 0, sweep.said()
            (trial,) = sweep.results().trials().values()
            assert (trial["verdict"], trial["epochs"]) == ("completed", 8)
            assert aftermath.nothing_is_left(sweep) == sweep.troubles == []
