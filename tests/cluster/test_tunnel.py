"""The way to the head of a cluster in a file, where there is none."""

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.tunnel import reached


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster of Kubernetes, and a `kubectl` that cannot reach it."""
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho starting >&2\necho 'error: services \"far-head-svc\" not found' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("KUBECONFIG", str(program))
    path = tmp_path / "k.yaml"
    path.write_text("kind: RayCluster\nmetadata: {name: far}\n")
    return path


def test_a_cluster_that_is_not_up(manifest: Path) -> None:
    with pytest.raises(ClusterError) as error, reached(str(manifest)):
        pytest.fail("there is no way")
    assert str(error.value) == (
        f"--cluster {manifest}: no way to its head (gan-sweep cluster up {manifest} starts it): "
        'error: services "far-head-svc" not found'
    )


@pytest.mark.parametrize("name", ["my.yaml", "./my.yml", "clusters/my"])
def test_a_file_that_is_not_there(name: str) -> None:
    with pytest.raises(ClusterError, match=rf"^--cluster {name}: no such file$"), reached(name):
        pytest.fail("there is none")


def test_a_folder_is_no_cluster(tmp_path: Path) -> None:
    with (
        pytest.raises(ClusterError, match=r": is a folder; give a cluster file, or http://HOST:8265$"),
        reached(str(tmp_path)),
    ):
        pytest.fail("it is none")


@pytest.mark.parametrize("given", ["127.0.0.77", "http://127.0.0.77", "http://127.0.0.77/"])
def test_the_port_of_jobs_servers_need_not_be_typed(given: str) -> None:
    with pytest.raises(ClusterError, match=r"http://127\.0\.0\.77:8265"), reached(given):
        pytest.fail("nothing listens there")
