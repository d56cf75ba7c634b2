"""Servers that are started here listen on 127.0.0.1 alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
# A Ray of its own with its own home: the tests' Ray has its token already.
CODE = """
import json, psutil, ray
from orchestrator.sweep.ray_session import connected
with connected(None):
    ray.get([ray.remote(lambda: 1).remote() for _ in range(2)])
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        for place in process.net_connections(kind="inet"):
            if place.status == psutil.CONN_LISTEN:
                print("LISTENS", process.name().split()[0], place.laddr.ip)
"""


def test_a_local_ray_is_for_this_machine_and_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    environment |= {"HOME": str(home), "RAY_TMPDIR": f"/tmp/gs-loopback-{os.getpid()}"}
    os.makedirs(environment["RAY_TMPDIR"])  # Ray's sockets want a short path
    try:
        run = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, umask=0o022)
    finally:
        shutil.rmtree(environment["RAY_TMPDIR"])
    assert run.returncode == 0, run.stderr
    places = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("LISTENS")]
    assert {"gcs_server", "raylet"} <= {name for name, _ in places}
    assert {address for _, address in places} <= LOOPBACK, places
    modes = [(home / name).stat().st_mode & 0o777 for name in (".ray", ".ray/auth_token")]
    assert modes == [0o700, 0o600]
