"""An extractor from outside: every node must have it before a trial starts; then a sweep is measured with it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.ray_cluster import Host, ray_cluster
from tests.orchestrator.sweep_helpers import SMALL
from trainers.metric_names import EXTRACTORS_ENV

MEANS = """
import torch
from trainers.metrics import Extractor

def build(weights):
    class Means(torch.nn.Module):
        def forward(self, images):
            return images.float().mean((2, 3))
    return Extractor(Means(), protocol="PROTOCOL", dim=3)
"""


def write(folder: Path, text: str) -> tuple[str, ...]:
    """A module in a folder; returns words that make a node find it."""
    folder.mkdir()
    (folder / "means_of_mine.py").write_text(text)
    return "env", f"PYTHONPATH={with_path(folder)}"


def with_path(folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.slow
def test_a_node_without_it_is_named_before_the_start(motorbikes: Path, tmp_path: Path) -> None:
    there = write(tmp_path / "code", MEANS.replace("PROTOCOL", "means3"))
    other = write(tmp_path / "older", MEANS.replace("PROTOCOL", "means2"))
    sweeps = tmp_path / "sweeps"
    # Ray puts sockets below the cluster's folder, whose paths may have 107 characters: pytest's own are too long.
    with tempfile.TemporaryDirectory(prefix="gsx-", dir="/tmp") as short, ray_cluster(Path(short) / "c") as cluster:
        cluster.start_head(Host(ip="127.0.0.1", inside=there), cpus=1)
        words = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "2", "--name", "mine"]
        words += ["--data", str(motorbikes), "--sweeps-dir", str(sweeps), "--cpus-per-worker", "1"]
        words += [word for setting in SMALL for word in ("--set", setting)]
        words += ["--fid-extractor", "means_of_mine:build", "--address", cluster.address]
        # The nodes' own environment allows no such code: the launch hands that on.
        env = {**os.environ, **cluster.wants, "OMP_NUM_THREADS": "1", "PYTHONPATH": with_path(tmp_path / "code")}
        env |= {EXTRACTORS_ENV: "means_of_mine"}

        def launched() -> tuple[int, str, str]:
            command = [sys.executable, "-m", "orchestrator.cli", *words]
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280, check=False)
            return done.returncode, done.stdout, done.stderr

        bad = [
            (Host(ip="127.0.0.2"), "means_of_mine cannot be imported on "),
            (Host(ip="127.0.0.3", inside=other), "its extractor has the protocol 'means2', the one here 'means3': "),
        ]
        nodes = [cluster.add_node(host, cpus=1) for host, _ in bad]
        code, _, said = launched()
        line = said.splitlines()[-1]
        assert code == 2 and line.startswith("gan-sweep: no trial was started: node 127.0.0.2: "), said
        assert "Traceback" not in said and "node 127.0.0.1:" not in line
        for host, why in bad:
            assert why in line.partition(f"node {host.ip}: ")[2].partition("; ")[0]
        assert not (sweeps / "mine").exists() and cluster.what_is_left() == [], "nothing is left behind"
        for node, (host, _) in zip(nodes, bad, strict=True):
            cluster.kill_node(node)
            cluster.wait_for_death(host, 60.0)

        cluster.add_node(Host(ip="127.0.0.4", inside=there), cpus=1)
        code, shown, said = launched()
        assert code == 0, shown + said
        plan = json.loads((sweeps / "mine" / "plan.json").read_text())
        assert plan["objective"].startswith("fid_means3_n"), "the protocol that the factory gives"
        assert "best trial" in shown and "2 of 2 trials" in shown
        assert cluster.what_is_left() == []
