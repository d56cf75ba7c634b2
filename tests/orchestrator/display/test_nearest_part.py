"""The report's part on the real images nearest to the winner's fakes: which picture it shows, and when none."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.display.report.page import build_report
from orchestrator.results.records import best_trial
from orchestrator.results.sample_grids import find_grids, find_likenesses
from orchestrator.results.store import ResultsStore
from tests.orchestrator.display.report_sweeps import sweep
from trainers.samples import likeness_file

PIXELS = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return sweep(tmp_path / "s", 3)


def winner_folder(store: ResultsStore) -> Path:
    best = best_trial(store.read_trials())
    assert best is not None
    return store.trials_dir / best.trial_id


def part_of(store: ResultsStore, *, nearest_images: bool = True) -> str:
    html = build_report([store], nearest_images=nearest_images).html
    return html.partition('id="nearest-0"')[2].partition("</section>")[0]


def test_what_was_measured_again_has_its_picture_and_no_other(store: ResultsStore) -> None:
    for target in ("a2b", "b2a"):
        Image.fromarray(PIXELS).save(winner_folder(store) / "samples" / likeness_file(target))
    part = part_of(store)
    found = re.findall(r"data:image/webp;base64,([^\"]*)", part)
    assert len(found) == 2 and part.count("<img") == 2
    with Image.open(io.BytesIO(base64.b64decode(found[0]))) as shown:
        assert np.array_equal(np.asarray(shown.convert("RGB")), PIXELS)
    assert "It is no proof" in part and "Left out" not in part
    assert "it was not asked for" in part_of(store, nearest_images=False)


def test_without_a_picture_or_with_a_damaged_one_pixels_are_compared(store: ResultsStore) -> None:
    assert "the checkpoint of trial 0000 is not kept" in part_of(store), "which needs the checkpoint"
    (winner_folder(store) / "samples" / likeness_file()).write_bytes(b"no picture")
    assert "the checkpoint of trial 0000 is not kept" in part_of(store)


def test_they_are_no_sample_grids_and_lead_nowhere_else(store: ResultsStore, tmp_path: Path) -> None:
    folder = winner_folder(store)
    before = find_grids(folder)
    Image.fromarray(PIXELS).save(folder / "samples" / likeness_file())
    Image.fromarray(PIXELS).save(tmp_path / "foreign.png")
    (folder / "samples" / likeness_file("x")).symlink_to(tmp_path / "foreign.png")
    assert [path.name for path in find_likenesses(folder)] == ["nearest.png"]
    assert find_grids(folder) == before
