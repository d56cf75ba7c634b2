"""One fault of the suite; `make faults` runs all of them. And the checks of what is left can fail."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import aftermath
from tests.faults.bench import bare_bench
from tests.faults.processes import Family
from tests.faults.ranks import kill_one_rank
from tests.faults.results import Results, read_epochs
from tests.faults.rows import Row, table
from tests.faults.scenario import strike_once

TRIAL = {
    "trial_id": "0000",
    "params": {"optimizer.lr_g": 1e-3},
    "state": "COMPLETED",
    "verdict": "completed",
    "objective": 80.0,
    "best_epoch": 2,
    "epochs": 2,
    "confirmed": [],
    "detail": "",
}


def results(*fids: float | None, epochs: tuple[int, ...] = (1, 2), files: tuple[str, ...] = ()) -> Results:
    lines = [{"epoch": epoch, "fid": fid} for epoch, fid in zip(epochs, fids, strict=True)]
    return Results(summary={"status": "finished", "trials": [TRIAL]}, epochs={"0000": lines}, files=frozenset(files))


@pytest.mark.slow
def test_a_killed_rank_costs_nothing() -> None:
    """The default tier's one fault, without an undisturbed sweep to compare with: that is what `make faults` does."""
    with bare_bench(trials=1) as bench, bench.sweep("quick") as sweep:
        strike_once(sweep, kill_one_rank, trial=0, epoch=3)
        assert sweep.wait() == 0, sweep.said()
        assert '"event":"interrupted","at"' in (sweep.directory / "events.jsonl").read_text(), "the rank was killed"
        assert aftermath.nothing_is_left(sweep) == sweep.troubles == []
        found = sweep.results()
        assert aftermath.in_order(found) + aftermath.tracking(sweep, found) + aftermath.study(sweep, found) == []
        (trial,) = found.trials().values()
        assert (trial["verdict"], trial["epochs"]) == ("completed", 8)
        assert aftermath.recovery_s(sweep, found) is not None


def test_another_result_is_seen() -> None:
    assert aftermath.compare(results(None, 80.0), results(None, 80.0)) == {}
    differs = aftermath.compare(results(None, 80.5), results(None, 80.0))
    assert list(differs) == ["0000"] and "80.5" in differs["0000"]
    none = Results(summary={"status": "finished", "trials": []}, epochs={}, files=frozenset())
    assert aftermath.compare(none, results(None, 80.0)) == {"0000": "trial 0000 is missing"}


def test_where_sums_had_another_order_all_but_fids_is_compared() -> None:
    assert aftermath.compare(results(None, 80.5), results(None, 80.0), rounded=True) == {}
    other = replace(results(None, 80.5), summary={"status": "finished", "trials": [{**TRIAL, "epochs": 1}]})
    assert list(aftermath.compare(other, results(None, 80.0), rounded=True)) == ["0000"]


def test_an_epoch_that_is_recorded_twice_is_seen() -> None:
    assert aftermath.in_order(results(None, 80.0)) == []
    assert aftermath.in_order(results(None, None, 80.0, epochs=(1, 1, 2))) != []


def test_files_that_are_left_are_seen() -> None:
    before = results(None, None, files=("sweep.log", "trials/0000/best.pt"))
    more = ("sweep.log", "trials/0000/best.pt", "mlflow.db", "trials/0000/error.rank0.txt")
    assert aftermath.same_files(results(None, None, files=more), before) == []
    left = results(None, None, files=("sweep.log", "trials/0000/.latest.part.pt"))
    assert aftermath.same_files(left, before) == ["files left: trials/0000/.latest.part.pt"]


def test_orphans_and_ports_are_seen() -> None:
    """A shell starts a listener in a session of its own and dies."""
    import subprocess
    import sys

    listener = "import socket; s = socket.socket(); s.bind(('', 0)); s.listen(); print(1, flush=True); input()"
    script = f'{sys.executable} -c "{listener}" <&0 & read go'
    family = Family()
    parent = subprocess.Popen(
        ["sh", "-c", f"exec 3<&0; {script.replace('<&0', '<&3')}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        family.add(parent.pid)
        assert parent.stdout is not None and parent.stdout.readline() == b"1\n"
        family.note_ports()
        (port,) = family.taken_ports()
        parent.kill()
        parent.wait()
        (left,) = family.leftovers(limit_s=0)
        assert "python" in left and family.taken_ports() == [port]
    finally:
        family.end()
        for stream in (parent.stdin, parent.stdout):
            if stream is not None:
                stream.close()
    assert family.taken_ports() == []


def test_half_a_line_is_no_epoch(tmp_path: Path) -> None:
    file = tmp_path / "trials" / "0000" / "history.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"epoch": 1, "fid": None}) + '\n{"epoch": 2, "fi')
    assert [line["epoch"] for line in read_epochs(tmp_path)["0000"]] == [1]


def test_the_table() -> None:
    rows = [Row(fault="a", status="ok", recovery_s=1.25), Row(fault="b", status="skipped", text="apt install b")]
    assert table(rows).splitlines()[2:] == [
        "| a | ok | 1.2 | 0 | 0 | 0 |  |",
        "| b | skipped | - | - | - | - | apt install b |",
    ]
