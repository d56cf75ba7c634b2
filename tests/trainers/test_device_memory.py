"""A run out of its device's memory ends with what a person needs to know, and is neither shrunk nor tried again."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trainer_helpers import STEPS, Recorder, small_config
from trainers.assets import Assets
from trainers.device_memory import is_out_of_memory
from trainers.families import FAMILIES
from trainers.families.adversarial import Adversarial
from trainers.families.phases import Metrics
from trainers.loop import train
from trainers.run_report import OutOfMemoryError, RunEnd, RunOutcome

pytestmark = pytest.mark.usefixtures("one_thread")

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB\nof which more"


class Greedy(Adversarial):
    """Asks for too much in the first step of epoch 5."""

    sizes: tuple[int, ...] = ()

    def step(self, *batch: torch.Tensor, **given: Any) -> Metrics:
        type(self).sizes += (len(batch[0]),)
        if len(self.sizes) > 4 * STEPS:
            raise torch.OutOfMemoryError(SAID)
        return super().step(*batch, **given)


class GreedyAtFid(Adversarial):
    def _evaluate(self, *args: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError(SAID)


@pytest.fixture(autouse=True)
def greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Greedy, "sizes", ())
    monkeypatch.setitem(FAMILIES, "greedy", Greedy)
    monkeypatch.setitem(FAMILIES, "greedy_at_fid", GreedyAtFid)


def test_in_a_step(assets: Assets, tmp_path: Path) -> None:
    recorder = Recorder()
    outcome = train(small_config({"family": "greedy"}), assets, tmp_path, recorder)
    assert (outcome.end, outcome.epochs) == (RunEnd.OUT_OF_MEMORY, 4)
    assert outcome.detail == (
        "out of device memory after epoch 4 with 32 images per rank and step (data.batch_size 32, 1 rank; "
        "fid.batch_size 20); CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB"
    )
    last = recorder.reports[-1]
    assert (outcome.objective, outcome.best_epoch) == (last.objective, last.best_epoch) != (None, None)
    assert set(Greedy.sizes) == {32} and len(Greedy.sizes) == 4 * STEPS + 1  # not once more, not smaller


def test_after_a_resume_the_objective_is_kept(assets: Assets, tmp_path: Path) -> None:
    config = small_config({"family": "greedy"})
    train(config, assets, tmp_path, Recorder(4))
    assert len(Greedy.sizes) == 4 * STEPS
    outcome = train(config, assets, tmp_path, Recorder())
    assert (outcome.end, outcome.epochs) == (RunEnd.OUT_OF_MEMORY, 4) and outcome.objective is not None


def test_in_a_measurement(assets: Assets, tmp_path: Path) -> None:
    outcome = train(small_config({"family": "greedy_at_fid", "fid.every": 1}), assets, tmp_path, Recorder())
    assert (outcome.end, outcome.epochs) == (RunEnd.OUT_OF_MEMORY, 1)
    assert not (tmp_path / "latest.pt").exists()


def test_another_error_stays_an_error(assets: Assets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any, **__: Any) -> Metrics:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Greedy, "step", step)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        train(small_config({"family": "greedy"}), assets, tmp_path, Recorder())


def test_what_counts() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError(SAID))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously ..."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("DataLoader worker is killed")) and not is_out_of_memory(MemoryError())


def test_the_error_of_several_ranks_travels() -> None:
    error = OutOfMemoryError(RunOutcome(end=RunEnd.OUT_OF_MEMORY, epochs=3, objective=60.0, detail="too little"))
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.outcome, str(twin)) == (error.outcome, "too little")
