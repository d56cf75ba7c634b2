"""What a trial takes, measured by a process of its own: here, and on a machine of a cluster."""

import sys
from pathlib import Path

import pytest
import ray

from orchestrator.sweep import dry_trial
from orchestrator.sweep.dry_trial import has_room, measure_here, measure_there
from tests.faults.waiting import wait_until
from tests.trainers.trainer_helpers import small_config
from trainers.errors import UserError

CONFIG = small_config({"fid.extractor": "efficientnet_lite0"})  # the child knows no tiny one


def test_a_child_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trainers").mkdir()  # another package of that name where the user stands
    (tmp_path / "trainers" / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    found = measure_here(CONFIG, images=0, device="cpu")
    assert 10**7 < found.peak < found.room


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('noise', file=sys.stderr); print('too large', file=sys.stderr); sys.exit(2)", "too large"),
        ("raise RuntimeError('no driver')", "the dry step failed: RuntimeError: no driver"),
        ("import os; os.kill(os.getpid(), 9)", "the dry step failed: exit code -9"),
    ],
)
def test_what_a_child_says_is_one_line(code: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_trial, "_COMMAND", (sys.executable, "-c", code))
    with pytest.raises(UserError) as error:
        measure_here(CONFIG, images=0)
    assert str(error.value) == f"--trials-per-gpu: {said}" and "\n" not in said


@pytest.mark.slow
def test_a_machine_of_the_cluster_measures(ray_instance: None) -> None:
    assert has_room({"CPU": 1}) and not has_room({"CPU": 1, "GPU": 1})
    found = measure_there(CONFIG, 0, {"CPU": 1})
    assert 10**7 < found.peak < found.room
    with pytest.raises(UserError, match=r"^--trials-per-gpu: unknown FID extractor 'nothing'"):
        measure_there(small_config({"fid.extractor": "nothing"}), 0, {"CPU": 1})
    wait_until("what was reserved is given back", lambda: has_room({"CPU": ray.cluster_resources()["CPU"]}), 60)
