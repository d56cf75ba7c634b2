"""What the rehearsal says and returns, on a stage without a cluster. The rehearsal itself: ``make rehearsal``."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rehearsal import run
from tests.rehearsal.photographs import Photographs, choose
from tests.rehearsal.steps import Part, Step, check
from trainers.data import find_files

ended: list[Path] = []


@contextmanager
def bare(folder: Path, photographs: Photographs) -> Iterator[str]:
    assert photographs.folder.is_dir()
    try:
        yield "a stage"
    finally:
        ended.append(folder)


def it_goes_well(stage: str) -> str:
    return f"on {stage}"


def it_goes_wrong(stage: str) -> str:
    check(not stage, "two\nlines")
    return "never"


def somebody_presses_ctrl_c(stage: str) -> str:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """`main` has a handler of its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def rehearsed(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> int:
    """The exit code of a rehearsal of one part, whose stage and folder are gone afterwards."""
    ended.clear()
    part = Part(name="p", about="a part", cannot="much", stage=bare, steps=steps)
    monkeypatch.setattr(run, "PARTS", {"p": part})
    monkeypatch.setattr(sys, "argv", ["rehearsal"])
    code = run.main()
    (folder,) = ended
    assert not folder.parent.exists()
    return code


def test_a_step_that_fails_is_named_and_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rehearsed(monkeypatch, it_goes_well, it_goes_wrong, it_goes_well) == 1
    said = capsys.readouterr().out
    assert "  ok          0.0 s  it goes well: on a stage\n" in said
    assert "  FAILED      0.0 s  it goes wrong: StepError: two lines\n" in said
    assert "  not tried          it goes well\n" in said and "not shown" not in said
    assert "\nFAILED: " in said


def test_what_cannot_be_shown_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearsed(monkeypatch, it_goes_well) == 0
    said = capsys.readouterr().out
    assert "  not shown          much\n" in said and "\nok: " in said


def test_a_process_that_stays_is_a_failure_and_others_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def it_leaves_a_process(stage: str) -> str:
        started.append(subprocess.Popen(["sleep", "600"]))
        return "one"

    try:
        started.append(subprocess.Popen(["sleep", "600"]))
        assert rehearsed(monkeypatch, it_goes_well) == 0
        assert rehearsed(monkeypatch, it_leaves_a_process) == 1
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_ctrl_c_ends_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rehearsed(monkeypatch, somebody_presses_ctrl_c) == 130


def test_drawn_images_are_never_called_photographs(tmp_path: Path, motorbikes: Path) -> None:
    named = choose(str(motorbikes), tmp_path / "a")
    assert "DRAWN" not in named.text and len(find_files(named.folder)) == len(find_files(motorbikes)) >= 48
    drawn = choose(None, tmp_path / "b")
    assert "DRAWN" in drawn.text and len(find_files(drawn.folder)) >= 128


@pytest.mark.parametrize("part", run.PARTS.values(), ids=lambda part: part.name)
def test_every_step_says_what_it_does(part: Part) -> None:
    names = [step.__name__ for step in part.steps]
    assert len(names) == len(set(names)) > 3
    assert all(step.__doc__ for step in part.steps) and part.cannot
