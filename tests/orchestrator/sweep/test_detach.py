"""`launch --detach` on a terminal that is closed, by the real command line."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import psutil

from orchestrator.results.store import ResultsStore
from tests.orchestrator.processes import marked, processes_with

ON_TERMINAL = """
import os, sys
os.login_tty(int(sys.argv[1]))
os.execv(sys.executable, [sys.executable, "-m", "orchestrator.cli", *sys.argv[2:]])
"""
SPACE = """
base:
  data: {image_size: 32, batch_size: 16}
  network: {base_width: 8, latent_dim: 16}
  schedule: {epochs: 2, window_first: 1}
  fid: {extractor: efficientnet_lite0, n_fake: 8, every: 2, min_diversity: 0}
search: {optimizer.lr_g: {choice: [8e-4, 4e-4]}}
confirm: {top: 0}
"""


def test_the_sweep_finishes_although_its_terminal_is_closed(tmp_path: Path, motorbikes: Path) -> None:
    marker, environment = marked()
    (tmp_path / "tiny.yaml").write_text(SPACE)
    space = ["--space", str(tmp_path / "tiny.yaml"), "--data", str(motorbikes), "--trials", "1"]
    arguments = ["launch", *space, "--name", "s", "--sweeps-dir", str(tmp_path), "--detach"]
    leader, follower = pty.openpty()
    parent = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, str(follower), *arguments], pass_fds=[follower], env=environment
    )
    os.close(follower)
    shown = b""
    while f"gan-sweep stop {tmp_path}/s ends it".encode() not in shown.replace(b"\r\n", b""):
        shown += os.read(leader, 4096)  # fails where the parent ends without the line
    assert parent.wait(60) == 0
    os.close(leader)
    found = re.search(rb"sweep s runs in the background \(process (\d+)\)", shown)
    assert found is not None
    driver = psutil.Process(int(found[1]))
    assert driver.terminal() is None
    driver.wait(300)
    summary = ResultsStore(tmp_path / "s").summary()
    assert (summary["status"], len(summary["trials"])) == ("finished", 1), (tmp_path / "s" / "sweep.log").read_text()
    assert not list(processes_with(marker))


def test_an_error_before_the_sweep_is_open_is_the_parents(tmp_path: Path) -> None:
    arguments = ["launch", "--space", "ralsgan_motorbike", "--data", str(tmp_path), "--detach"]
    ended = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2 and "the folder is empty" in ended.stderr
