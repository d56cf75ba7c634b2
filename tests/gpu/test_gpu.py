"""The run on a GPU, where there is one; and everywhere the same code at its smallest size on the CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.gpu.run import parts
from tests.gpu.speed import RACES
from tests.gpu.table import TINY

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu.run", *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"} if "cpu" in arguments else dict(os.environ)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: `make gpu` has to run on a machine with one")
def test_everything_is_right_on_the_gpu(tmp_path: Path) -> None:
    done = run("--result", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_same_code_runs_without_a_gpu(tmp_path: Path) -> None:
    done = run("--device", "cpu", "--tiny", "--result", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-cpu\.md", file.name)
    text = file.read_text()
    assert text in done.stdout and "torch " in text and "FAILED" not in text and "| ok |" in text
    for what in (
        "resumed against uninterrupted",
        "two gangs on one device",
        "two gloo ranks",
        "Frechet distance",
        "dry step",
        "CUDA MPS",
    ):
        assert what in text
    for name, *_ in RACES:
        assert re.search(
            rf"{name}-32 ours bf16 \| ok \| [\d.]+ images/s, [\d.]+ x the document's, [1-9]\d* launches", text
        )


def test_what_fails_is_a_row_and_an_exit_code(tmp_path: Path) -> None:
    done = run("--device", "cpu", "--tiny", "--limit", "-1", "--result", tmp_path)
    assert done.returncode == 1
    rows = [line for line in done.stdout.splitlines() if "FAILED" in line]
    assert len(rows) == len(parts(torch.device("cpu"), TINY, True))


def test_without_a_gpu_nothing_is_claimed(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = run("--result", tmp_path)
    assert done.returncode == 0 and "nothing was checked" in done.stdout and not list(tmp_path.iterdir())


def test_it_needs_none_of_the_orchestrators_packages() -> None:
    code = (
        "import sys, tests.gpu.run; print(sorted({'ray','optuna','mlflow','click','pytest','rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
