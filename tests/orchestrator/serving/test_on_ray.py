"""The same application on a real Ray Serve."""

import os
import shutil
from pathlib import Path

import httpx
import psutil
import pytest

from tests.orchestrator.processes import marked, processes_with
from tests.orchestrator.serving.served import DRAWING, checkpoint, serving

REPLICA = "ray::ServeReplica"


def replicas(driver: int) -> set[int]:
    """Processes of replicas that are up."""
    found = set()
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if process.name().startswith(REPLICA[:15]) and process.cmdline()[0].startswith(REPLICA):
                found.add(process.pid)
        except (psutil.NoSuchProcess, IndexError):
            continue  # it ended meanwhile
    return found


@pytest.mark.slow
def test_replicas_answer_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    temporary = Path("/tmp") / f"gs-serve-{os.getpid()}"  # Ray's sockets want a short path
    marker, env = marked()
    words = (checkpoint(tmp_path, DRAWING), "--ray", "--replicas", "2")
    try:
        with serving(*words, env={**env, "RAY_TMPDIR": str(temporary)}) as (server, url):
            body = {"seed": 3, "count": 4, "format": "zip"}
            before = httpx.post(f"{url}v1/images", json=body)
            assert before.status_code == 200 and httpx.get(f"{url}readyz").json() == {"status": "ready"}
            assert httpx.post(f"{url}v1/images", json={"seed": -3}).json()["detail"].startswith("seed: ")
            first = replicas(server.pid)
            assert len(first) == 2
            dead = min(first)
            psutil.Process(dead).kill()
            while len(replicas(server.pid) - {dead}) < 2:
                assert httpx.get(f"{url}-/healthz", timeout=30).status_code == 200
            answers = [httpx.post(f"{url}v1/images", json=body, timeout=30) for _ in range(8)]
            assert {answer.status_code for answer in answers} == {200}
            assert {answer.content for answer in answers} == {before.content}, "the same bytes from every replica"
            server.terminate()
            assert server.wait(60) == 0
            assert processes_with(marker) == []
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
