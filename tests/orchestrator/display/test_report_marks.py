"""Trials that do not count, in the report: measurements outside the window, refused checkpoints, failures."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.display.report.axes import even_ticks
from orchestrator.display.report.curves import curves
from orchestrator.display.report.entries import Group, read_sweeps
from orchestrator.display.report.front import front
from orchestrator.display.report.leaderboard import leaderboard
from orchestrator.display.report.parallel import parallel
from orchestrator.display.report.slices import slices
from orchestrator.display.report.target import target_of
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from tests.orchestrator.display.report_sweeps import SHOWN, grid
from tests.orchestrator.display.test_report import text_of
from tests.orchestrator.sweep_helpers import begun, epoch, keep, keep_epochs

REFUSED = "on fresh latents its fakes hardly vary"


def group_of(store: ResultsStore) -> Group:
    (group,) = read_sweeps([store], lambda done, all_: None)
    return group


def kept(store: ResultsStore, number: int, fid: float | None, *, refused: str = "", **more: Any) -> TrialRecord:
    """A trial that was measured at epochs 2 and 4, the second of which counts; without a FID it failed before."""
    trial = TrialRecord(f"{number:04d}", {"optimizer.lr_g": 1e-3 * (number + 1)}, 8, started=1.0, n_fake=2)
    trial.costs, verdict = more.get("costs", {}), "d_collapse" if fid is None else "completed"
    last = 1 if fid is None else 4
    reports = [epoch(1)] if fid is None else [epoch(2, fid=fid + 30), epoch(4, fid=fid, objective=fid)]
    for report in reports:
        trial.progress(report)
    best = None if fid is None else 4
    trial.end(TrialOutcome(verdict=verdict, epochs=last, objective=fid, best_epoch=best), 4.0)
    trial.confirmed, trial.refused = more.get("confirmed", []), refused
    trial.confirmed_beside = more.get("beside", [])
    keep(store, trial)
    keep_epochs(store, trial.trial_id, *reports)
    return trial


def test_measurements_that_do_not_count_are_hollow(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    reports = [epoch(2, fid=90.0), epoch(4, fid=80.0, objective=80.0)]
    reports.append(replace(epoch(6, fid=20.0, diversity=0.001), objective=80.0, best_epoch=4))  # all alike
    trial = TrialRecord("0000", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2)
    for report in reports:
        trial.progress(report)
    keep(store, trial)
    keep_epochs(store, "0000", *reports)
    drawn = curves(group_of(store)).values["figure"]["data"]
    marks = {trace["marker"]["symbol"]: trace for trace in drawn if trace["mode"] == "markers"}
    assert marks["hexagon"]["x"] == [4] and marks["hexagon-open"]["x"] == [2, 6]
    assert "before the window" in marks["hexagon-open"]["text"][0]
    assert "hardly vary" in marks["hexagon-open"]["text"][1]
    (winner,) = (trace for trace in drawn if trace["name"].startswith("winner"))
    assert winner["marker"]["symbol"] == ["circle-open", "circle", "circle-open"]
    text = text_of(store)
    assert "hollow: does not count: before the window, or its fakes hardly vary" in text
    assert "~ the lowest FID, which does not count: before the window, or its fakes hardly vary" in text


def test_what_was_measured_beside_fid(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    beside = [{"kid_test_n2": kid, "recall_test_n2_k5": 0.3} for kid in (0.01, 0.02)]
    kept(store, 0, 60.0, confirmed=[61.0, 62.0], beside=beside)
    kept(store, 1, 70.0)
    assert "KID 0.015 ± 0.007, recall 0.3 ± 0" in text_of(store)
    shown = leaderboard(group_of(store)).values
    assert shown["columns"][3:6] == ["measured again", "KID", "recall"]
    assert [row["cells"][4] for row in shown["rows"]] == [("0.015", 0.015, True), ("-", None, True)]


def test_a_refused_trial_is_explained_wherever_it_stands(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", replace(SHOWN, objectives=("fid", "generator_parameters")))
    cost = {"costs": {"generator_parameters": 900.0}}
    kept(store, 0, 60.0, confirmed=[61.0, 62.0], **cost)
    kept(store, 1, 50.0, refused=REFUSED, **cost)
    grid(store.trials_dir / "0001" / "samples" / "epoch_0004.png", (9, 9, 9))
    group, text = group_of(store), text_of(store)
    assert group.best is not None and group.best.label == "0000"
    assert f"Trial 0001, 50.0 in training, cannot win: {REFUSED}." in text
    assert re.search(r"0001 50\.0 † refused 4 ", text), "in the leaderboard"
    assert re.search(r"0001 50\.0 † completed", text), "on the wall"
    assert text.count(f"† measured again and refused, so it cannot win: {REFUSED}") == 2
    marks = {trace["name"]: trace for trace in front(group).values["figure"]["data"]}
    assert marks["refused"]["customdata"] == ["0-0001"] and marks["completed"]["customdata"] == ["0-0000"]
    assert marks["refused"]["marker"]["symbol"] == "circle-x-open"
    drawn = parallel(group).values
    fids, colours = lines(drawn["figure"])
    assert fids[:2] == [60.0, 50.0] and colours[1] == "--failed" != colours[0]
    assert f"In the colour of failures too: measured again and refused, so it cannot win: {REFUSED}." in drawn["said"]


def test_without_a_winner_refused_trials_are_the_reason(tmp_path: Path) -> None:
    kept(store := begun(tmp_path / "s", SHOWN), 0, 50.0, refused=REFUSED)
    text = text_of(store)
    assert "No winner" in text and f"Trial 0000, 50.0 in training, cannot win: {REFUSED}." in text


def lines(figure: Any) -> tuple[list[float], list[str]]:
    """Of the parallel coordinates: the place of each line on the last axis, and its colour."""
    (trace,) = figure["data"]
    scale = trace["line"]["colorscale"]
    colours = [min(scale, key=lambda stop: abs(stop[0] - place))[1] for place in trace["line"]["color"]]
    return trace["dimensions"][-1]["values"], colours


def test_failed_trials_and_the_keys_that_killed_them_stay_in_the_settings(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", replace(SHOWN, trials=4))
    for number, fid in enumerate([60.0, 50.0, None]):
        kept(store, number, fid)
    keep(store, TrialRecord("0003", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2))  # not measured yet
    drawn = parallel(group_of(store)).values
    (trace,) = drawn["figure"]["data"]
    names = [axis["label"] for axis in trace["dimensions"]]
    assert names == ["lr_g", "latent_sigma", "fit", "FID"], "also those that no trial has another value of"
    fids, colours = lines(drawn["figure"])
    top = trace["dimensions"][-1]
    assert fids[:2] == [50.0, 60.0] and fids[2] == top["range"][1] > 60.0
    assert top["ticktext"][-1] == "none" and top["tickvals"][-1] == fids[2] and top["ticktext"][0] == "50.0"
    assert colours[2] == "--failed" and "--failed" not in colours[:2]
    assert colours[0] == colours[3] == colours[4] == "--marked", "the winner's line, which is three"
    (said,) = drawn["said"]
    assert said.startswith("4 trials: 1 without a FID stands at the top") and "1 in training is not drawn" in said
    only = begun(tmp_path / "failed", SHOWN)
    kept(only, 0, None), kept(only, 1, None)
    assert "2 trials: 2 without a FID stand at the top" in text_of(only)


def test_whole_numbers_have_whole_ticks() -> None:
    assert even_ticks(12, 16, whole=True)["ticktext"] == ["12", "13", "14", "15", "16"]
    assert even_ticks(1, 2, whole=True)["tickvals"] == [1, 2] and 1.5 not in even_ticks(0, 3, whole=True)["tickvals"]
    assert even_ticks(0.0, 0.5)["ticktext"] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]


def test_one_trial_is_one(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    kept(store, 0, 60.0, confirmed=[61.0])
    kept(store, 1, 70.0)
    assert "1 trial with an objective, ranked behind, was not measured again." in text_of(store)
    few = begun(tmp_path / "few", SHOWN)
    kept(few, 0, 60.0)
    trial = TrialRecord("0001", {"optimizer.lr_g": 1e-4}, 8, started=1.0, n_fake=2)
    trial.progress(report := epoch(2, fid=80.0))
    keep(few, trial)
    keep_epochs(few, "0001", report)
    assert target_of(group_of(few)).sentence.startswith("Only 1 trial has an objective, so this is the FID at epoch 2")


def test_slices_have_a_title_upright_ticks_and_a_legend(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    kept(store, 0, 60.0), kept(store, 1, 70.0)
    group = group_of(store)
    shown = slices(group, target_of(group), ["optimizer.lr_g"]).values
    ((_, figure),) = shown["plots"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "FID" and figure["layout"]["xaxis"]["tickangle"] == 0
    assert shown["looks"] == {"completed": "completed"}


def test_the_page_says_which_size_ran(tmp_path: Path) -> None:
    described = {**SHOWN.definition, "description": "a GAN on 128 px photographs"}
    text = text_of(begun(tmp_path / "s", replace(SHOWN, definition=described)))
    assert "a GAN on 128 px photographs (this sweep ran at 32 px) training 32 px, 8 epochs, FID counts from" in text
    same = {**SHOWN.definition, "description": "a GAN on 32 px photographs"}
    assert "this sweep ran at" not in text_of(begun(tmp_path / "same", replace(SHOWN, definition=same)))
