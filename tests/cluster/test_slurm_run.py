"""The file for Slurm on a real Slurm of two nodes: a job is stopped, and the next one goes on with its sweep."""

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.results.events import Closed
from tests.cluster.slurm_cluster import PACKAGES, PROGRAMS, Slurm
from tests.faults.network import CannotMakeHostsError, hosts
from tests.faults.results import read_epochs
from tests.orchestrator.sweep_helpers import events_of, small

MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
EPOCHS = 12
JOB_S = 270.0
# A rank takes all CPUs that a node has, so that a trial's two ranks are on two nodes. The GPUs are made up.
LAUNCH = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "2", "--name", "s", "--resume"]
LAUNCH += ["--workers-per-trial", "2", "--cpus-per-worker", "2", "--gpus-per-worker", "0"]
LAUNCH += ["--rules", "off", "--scheduler", "none"]  # nothing else ends a trial
LAUNCH += [word for setting in small(f"schedule.epochs={EPOCHS}", "confirm.top=0") for word in ("--set", setting)]


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    """Two nodes of one GPU each. The folder's path is short, since Ray puts sockets below it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gs")))
        try:
            network = stack.enter_context(hosts(2))
        except CannotMakeHostsError as error:
            pytest.skip(f"no machines for two nodes: {error}")
        made = Slurm(folder / "s", [network.host(1), network.host(2)])
        stack.callback(made.end)
        made.start()
        yield made


@pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: apt-get install {PACKAGES}")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start Slurm's daemons, and machines for them")
@pytest.mark.slow
def test_a_job_is_stopped_and_the_next_one_goes_on(slurm: Slurm, motorbikes: Path) -> None:
    token, shared = secrets.token_hex(32), slurm.home / "shared"
    sweep = shared / "sweeps" / "s"
    for place in (".ray", "gan-sweep"):
        (slurm.home / place).mkdir()
    (slurm.home / ".ray" / "auth_token").write_text(token)
    (slurm.home / "gan-sweep" / "venv").symlink_to(sys.prefix)
    options = ("--gpus", "1", "--max-workers", "2", "--on-demand", "--name", "bikes", "--bucket", str(shared))
    slurm.type("cluster", "render", "slurm", *options, "-o", "job.sh")
    assert slurm.type("cluster", "validate", "job.sh") == "job.sh: ok\n"

    def submit() -> tuple[str, Path]:
        job = slurm.run(
            "sbatch", "--parsable", "--cpus-per-task=2", "job.sh", *LAUNCH, "--data", str(motorbikes)
        ).strip()
        return job, slurm.home / f"bikes-{job}.log"

    first, log = submit()
    slurm.said(log, f"trial 0000  epoch 2/{EPOCHS}", first, JOB_S)
    command, _, job = slurm.type("cluster", "status", "job.sh").splitlines()
    assert command == "$ squeue --me --name bikes" and job.split()[:3] == [first, "all", "bikes"] and "R" in job.split()
    slurm.type("cluster", "down", "job.sh", "--yes")
    assert slurm.ended(first, JOB_S) == "FAILED", "as every job that was told to end and does"
    assert slurm.left() == []
    assert "trial 0000  interrupted" in log.read_text(), log.read_text()
    assert events_of(sweep, Closed)[-1].status == "interrupted", "the driver was killed"
    before = sum(map(len, read_epochs(sweep).values()))
    assert 2 <= before < 2 * EPOCHS

    second, log = submit()
    assert slurm.ended(second, JOB_S) == "COMPLETED", log.read_text()
    assert slurm.left() == []
    results = json.loads(slurm.type("results", "s", "--sweeps-dir", str(shared / "sweeps"), "--json"))
    assert results["status"] == "finished"
    assert [trial["verdict"] for trial in results["trials"]] == ["completed", "completed"]
    epochs = {trial: [line["epoch"] for line in lines] for trial, lines in read_epochs(sweep).items()}
    assert epochs == {trial: [*range(1, EPOCHS + 1)] for trial in ("0000", "0001")}, "none is missing, none repeated"

    client = MlflowClient(f"sqlite:///{slurm.home}/gan-sweep/mlflow/bikes.db")
    experiment = client.get_experiment_by_name("ralsgan_motorbike")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`gan_sweep.sweep` = 's'")
    assert [run.info.status for run in runs] == ["FINISHED"] * 3, "the sweep and its two trials"
    files = [path for path in slurm.home.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if token.encode() in path.read_bytes()] == [slurm.home / ".ray" / "auth_token"]
