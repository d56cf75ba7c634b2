"""``gan-sweep doctor --address`` on a real Ray, and what it says where there is none or another one."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ray
import torch
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.doctor.cluster import check_cluster
from orchestrator.doctor.devices import check_gpu_works
from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.doctor.first_contact import first_contact
from orchestrator.doctor.placement_groups import check_placement_groups

OWNER = """
import sys, ray
from ray.util import placement_group
ray.init(address=sys.argv[1], log_to_driver=False)
group = placement_group([{"CPU": 0.25}], name="left", lifetime="detached")
ray.get(group.ready())
print(group.id.hex())
ray.shutdown()
"""
# As Ray's own command, but of another version; ends with its standard input.
OTHER_RAY = """
import sys
import ray
ray.__version__ = "2.1.0"
from ray._private.node import Node
from ray._private.parameter import RayParams
node = Node(RayParams(num_cpus=1, include_dashboard=False, temp_dir=sys.argv[1], include_log_monitor=False), head=True,
            shutdown_at_exit=False, spawn_reaper=False)
print(node.gcs_address, flush=True)
sys.stdin.read()
node.kill_all_processes(check_alive=False, allow_graceful=False)
"""


@pytest.fixture(autouse=True)
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own Ray stands for a cluster, and listens on 127.0.0.1 alone: see `orchestrator.sweep.loopback`."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def here() -> str:
    address: str = ray.get_runtime_context().gcs_address
    return address


def levels(found: list[Finding]) -> dict[str, set[Level]]:
    return {name: {one.level for one in found if one.name == name} for name in {one.name for one in found}}


@pytest.mark.slow
def test_the_first_machine_with_room_is_asked_and_given_back(
    ray_instance: None, motorbikes: Path, tmp_path: Path
) -> None:
    everything = {"CPU": ray.cluster_resources()["CPU"]}
    asked = Asked(address=here(), data=motorbikes, sweeps_dir=tmp_path, tracking_uri="http://127.0.0.1:1")
    found = list(first_contact(asked, everything))
    assert levels(found) == {
        "nodes": {Level.OK},
        "versions": {Level.OK},
        "gpus": levels(found)["gpus"] - {Level.FAILED},
        "storage": {Level.OK},
        "tracking": {Level.WARNING},
    }
    images = f": images in {motorbikes}: {len(os.listdir(motorbikes))} entries there as here, and one was read"
    assert [one.text for one in found if one.text.endswith(images)]
    said = found[-1].text
    assert said.startswith("MLflow does not answer at http://127.0.0.1:1: ") and "asked from the driver" in said
    assert list(first_contact(asked, everything)) == found, "the room was given back"
    assert os.listdir(tmp_path) == []


def test_a_sweep_on_gpus_needs_one_that_works(tmp_path: Path) -> None:
    found = list(check_gpu_works(Asked(sweeps_dir=tmp_path)))
    if torch.cuda.is_available():
        assert [one.level for one in found] == [Level.OK]
    else:
        assert found[-1].level is Level.FAILED and found[-1].text == "torch sees none, and the sweep needs some"


@pytest.mark.slow
def test_every_node_is_asked_and_nothing_is_left(ray_instance: None, motorbikes: Path, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    words = ["doctor", "--address", here(), "--sweeps-dir", str(sweeps), "--data", str(motorbikes), "--json"]
    shown = CliRunner().invoke(main, words)
    said = json.loads(shown.stdout)
    assert shown.exit_code == 0 and said["ok"], shown.output
    found = [Finding(**{**one, "level": Level(one["level"])}) for one in said["findings"]]
    assert levels(found)["ray"] == levels(found)["token"] == levels(found)["tracking"] == {Level.OK}
    node = f"node {ray.nodes()[0]['NodeName']}: "
    of_node = [one.text.removeprefix(node) for one in found if one.text.startswith(node)]
    assert [one.name for one in found if one.text.startswith(node)] == [
        *("nodes", "versions", "gpus", "weights", "weights", "tracking", "storage", "storage")
    ]
    assert of_node[0] == f"Ray {ray.__version__}, Python {sys.version.split()[0]}, as here"
    assert of_node[-1] == f"{tmp_path} is the same folder here and there, and both can write"
    assert list(tmp_path.iterdir()) == []


def test_a_placement_group_of_an_ended_job_is_leaked(ray_instance: None, tmp_path: Path) -> None:
    asked = Asked(address=here(), sweeps_dir=tmp_path)
    assert levels(list(check_placement_groups(asked))) == {"placement groups": {Level.OK}}
    run = subprocess.run([sys.executable, "-c", OWNER, here()], capture_output=True, text=True, check=True)
    leaked = run.stdout.split()[-1]
    (finding,) = check_placement_groups(asked)
    assert finding.level is Level.WARNING and finding.text.startswith(f"{leaked} 'left' of job ")
    assert finding.text.endswith("which has ended, holds 0.25 CPU") and leaked in finding.cure
    python, *rest = shlex.split(finding.cure)
    assert python == "python"
    subprocess.run([sys.executable, *rest], capture_output=True, check=True)
    assert levels(list(check_placement_groups(asked))) == {"placement groups": {Level.OK}}


def test_nothing_answers(tmp_path: Path) -> None:
    (finding,) = check_cluster(Asked(address="127.0.0.1:1", sweeps_dir=tmp_path))
    assert finding.level is Level.FAILED and "nothing answers at --address 127.0.0.1:1" in finding.text
    assert finding.cure


@pytest.mark.slow
def test_another_version_of_ray_is_one_failed_line(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"gs-doctor-{os.getpid()}"  # Ray's sockets want a short path
    command = [sys.executable, "-c", OTHER_RAY, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        address = other.stdout.readline().strip()
        words = [
            sys.executable,
            "-m",
            "orchestrator.cli",
            "doctor",
            "--sweeps-dir",
            str(tmp_path),
            "--address",
            address,
        ]
        shown = subprocess.run([*words, "--json"], capture_output=True, text=True, check=False)
        other.communicate()
    shutil.rmtree(folder)
    failed = [one for one in json.loads(shown.stdout)["findings"] if one["level"] == "failed"]
    assert shown.returncode == 1 and [one["name"] for one in failed] == ["ray"], shown
    assert "Version mismatch: The cluster was started with: Ray: 2.1.0" in failed[0]["text"]
    assert f"Ray: {ray.__version__} Python" in failed[0]["text"]


@pytest.mark.slow
def test_a_wrong_token_is_one_failed_line(ray_instance: None, tmp_path: Path) -> None:
    if os.environ.get("RAY_AUTH_MODE") != "token":
        pytest.skip("this Ray wants no token")
    words = ["doctor", "--sweeps-dir", str(tmp_path), "--address", here(), "--json"]
    command = [sys.executable, "-m", "orchestrator.cli", *words]
    wrong = {**os.environ, "RAY_AUTH_TOKEN": "0" * 64}
    shown = subprocess.run(command, env=wrong, capture_output=True, text=True, check=False)
    failed = [one for one in json.loads(shown.stdout)["findings"] if one["level"] == "failed"]
    assert shown.returncode == 1 and [one["name"] for one in failed] == ["token"], shown
    assert failed[0]["text"].endswith(" refuses the token in $RAY_AUTH_TOKEN") and failed[0]["cure"]


def test_a_token_for_a_ray_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def token() -> tuple[Level, str]:
        finding = list(check_cluster(Asked(sweeps_dir=tmp_path)))[-1]
        assert finding.name == "token"
        return finding.level, finding.text

    assert token() == (Level.OK, f"Ray makes one in {tmp_path}/.ray/auth_token when it starts here")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "token").write_text("x" * 32)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert token() == (Level.OK, f"a Ray started here takes the one in {tmp_path}/token")
    monkeypatch.setenv("HOME", "/proc/nobody")
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    assert token()[0] is (Level.OK if os.access("/proc", os.W_OK) else Level.FAILED)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert token()[0] is Level.OK
