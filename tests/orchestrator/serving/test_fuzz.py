"""Schemathesis asks what /openapi.json allows and what it does not, and finds every answer as it is documented."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.orchestrator.serving.served import CLASSES, TRANSLATING, checkpoint, serving

RUN = ("--checks", "all", "--phases", "examples,coverage,fuzzing", "--mode", "all", "--seed", "1", "--no-color")


@pytest.mark.slow
@pytest.mark.parametrize("case", [CLASSES, TRANSLATING])
def test_schemathesis_finds_nothing(case: str, tmp_path: Path) -> None:
    with serving(checkpoint(tmp_path, case)) as (server, url):
        words = [Path(sys.executable).with_name("schemathesis"), "run", f"{url}openapi.json", *RUN, "-n", "25"]
        hooks = {"SCHEMATHESIS_HOOKS": "tests.orchestrator.serving.pictures_to_send"}
        root = Path(__file__).parents[3]
        run = subprocess.run(
            words, cwd=tmp_path, env={**os.environ, **hooks, "PYTHONPATH": str(root)}, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert httpx.get(f"{url}healthz").status_code == 200 and server.poll() is None
        counted = httpx.get(f"{url}metrics").text
        path = "/v1/translate" if case == TRANSLATING else "/v1/walk"
        assert f'gan_sweep_requests_total{{code="200",path="{path}"}}' in counted, "nothing got through"
        assert 'code="500"' not in counted
