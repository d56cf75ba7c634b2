"""A newest checkpoint that is torn or has a flipped bit, and log lines that are torn."""

from pathlib import Path

from tests.faults.driver import kill_driver
from tests.faults.ranks import kill_all_ranks
from tests.faults.scenario import Fault, struck
from tests.faults.sweep_under_fault import SweepUnderFault


def tear_checkpoint(sweep: SweepUnderFault) -> None:
    """Cut the newest checkpoint in half; its ranks are dead, so nobody writes it meanwhile."""
    kill_all_ranks(sweep)
    for file in _checkpoints(sweep):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_bit(sweep: SweepUnderFault) -> None:
    """Flip one bit in the middle of the newest checkpoint."""
    kill_all_ranks(sweep)
    for file in _checkpoints(sweep):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)


def tear_log(sweep: SweepUnderFault) -> None:
    """The driver dies, with half a line at the end of each log."""
    kill_driver(sweep)
    sweep.driver.wait()
    for file in (*sweep.directory.glob("events.jsonl"), *sweep.directory.glob("trials/*/history.jsonl")):
        with file.open("ab") as log:
            log.write(b'{"v": 1, "epoch": 3, "imag')


def tear_journal(sweep: SweepUnderFault) -> None:
    """The driver dies, with half a line at the end of Optuna's journal."""
    kill_driver(sweep)
    sweep.driver.wait()
    with Path(sweep.storage).open("ab") as log:
        log.write(b'{"op_code": 5, "work')


def _checkpoints(sweep: SweepUnderFault) -> list[Path]:
    """The newest checkpoint of each open trial."""
    files = sorted(sweep.directory.glob("trials/*/latest.pt"))
    assert files, "no open trial has a checkpoint"
    return files


FAULTS: dict[str, Fault] = {
    "torn-checkpoint": struck("torn-checkpoint", tear_checkpoint),
    "flipped-bit": struck("flipped-bit", flip_bit),
    "torn-log": struck("torn-log", tear_log),
    "torn-journal": struck("torn-journal", tear_journal),
}
