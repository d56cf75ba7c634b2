"""What another terminal asks for: kept for the driver that is asked, and never the end of a sweep."""

from pathlib import Path

import pytest

from orchestrator.results.lines import LineWriter
from orchestrator.results.requests import (
    AddTrial,
    ChangeBudget,
    NotUnderstood,
    Request,
    RequestReader,
    StopSweep,
    StopTrial,
    ask,
)
from trainers.errors import UserError

EVERY: list[Request] = [
    StopSweep(session=1, now=True),
    StopTrial(session=1, trial="0003"),
    AddTrial(session=1, params={"optimizer.lr_g": 0.1, "data.fit": "pad"}),
    ChangeBudget(session=1, trials=9, budgets={"time_s": 60.0}),
]


def test_every_request_arrives_once(tmp_path: Path) -> None:
    reader = RequestReader(tmp_path, 1)
    assert reader.read() == []
    for request in EVERY:
        ask(tmp_path, request)
    ask(tmp_path, another := StopSweep(session=2))
    assert reader.read() == EVERY
    assert reader.read() == []
    assert RequestReader(tmp_path, 2).read() == [another]


def test_what_cannot_be_understood_ends_nothing_and_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = LineWriter(tmp_path / "requests.jsonl")
    right = {"v": 1, "ask": "stop_trial", "session": 1, "key": "abc", "trial": "0003"}
    for change in ({"v": 99}, {"ask": "dance"}, {"trial": ["0003"]}, {"session": 7, "ask": None}, {}):
        lines.append({**right, **change})
    lines.close()
    with caplog.at_level("WARNING", "orchestrator"):
        *strange, one = RequestReader(tmp_path, 1).read()
    assert isinstance(one, StopTrial) and (one.session, one.trial) == (1, "0003")
    assert [type(request) for request in strange] == [NotUnderstood] * 3
    assert {request.key for request in strange} == {"abc"}
    assert len(caplog.records) == 3 and "dance" in caplog.text, "those of other drivers are nobody's business"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.symlink_to(tmp_path / "away" / "requests.jsonl")
    with pytest.raises(UserError, match=r"requests\.jsonl cannot be written: No such file or directory$"):
        ask(tmp_path, StopSweep(session=1))
