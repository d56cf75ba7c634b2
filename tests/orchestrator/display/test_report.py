"""The report's contents: what is said of which sweep, and what is left out."""

import base64
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from orchestrator.cli import main
from orchestrator.display.report import page
from orchestrator.display.report.advised import advised
from orchestrator.display.report.entries import Group, read_sweeps
from orchestrator.display.report.front import front_of
from orchestrator.display.report.grids import read_grid
from orchestrator.display.report.importance import CHANCE, measure
from orchestrator.display.report.nearest import search
from orchestrator.display.report.page import build_report
from orchestrator.display.report.reproduce import reproduce, settings_of
from orchestrator.display.report.sprites import choose_pictures, thinned
from orchestrator.display.report.target import optuna_trials, target_of
from orchestrator.display.report.timeline import gang_spans, timeline
from orchestrator.display.report.verdicts import sentence_of
from orchestrator.display.report.wall import facts
from orchestrator.pruning import RULES
from orchestrator.results.records import TrialRecord
from orchestrator.results.sample_grids import find_grids
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import Failure, StopReason, SweepStatus, TrialOutcome
from orchestrator.space.overrides import apply_settings
from tests.orchestrator.display.report_sweeps import SHOWN, sweep
from tests.orchestrator.sweep_helpers import begun, close, epoch, keep, keep_epochs
from trainers.data import build_cache
from trainers.run_report import RunEnd
from trainers.samples import save_grid


def groups_of(*stores: ResultsStore) -> list[Group]:
    return read_sweeps(stores, lambda done, all_: None)


def text_of(*stores: ResultsStore) -> str:
    """What a reader sees of the page, without plotly's own code."""
    html = build_report(stores, nearest_images=False).html
    without = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", html, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without)))


def cut_winner(store: ResultsStore) -> None:
    trial = TrialRecord("0000", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2)
    for one in (epoch(4, fid=50.0, objective=50.0), epoch(6, fid=70.0, objective=50.0)):
        trial.progress(replace(one, best_epoch=4))
    trial.end(TrialOutcome(verdict="outranked", epochs=6, objective=50.0, best_epoch=4), 6.0)
    keep(store, trial)


def test_a_sweep_without_trials_is_a_page(tmp_path: Path) -> None:
    text = text_of(begun(tmp_path / "s", SHOWN))
    assert "No trial has started." in text and "Nothing has been measured yet." in text


@pytest.mark.parametrize("trials", [1, 2])
def test_few_trials_are_a_page_that_says_what_they_cannot_say(trials: int, tmp_path: Path) -> None:
    text = text_of(sweep(tmp_path / "s", trials))
    assert "too few to say which keys matter" in text and "Trial 0000" in text


def test_a_running_trial_leads_so_far(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    keep(store, TrialRecord("0000", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2))
    assert "No winner yet" in text_of(store)
    keep_epochs(store, "0000", epoch(2, fid=80.0), epoch(4, fid=60.0, objective=60.0))
    text = text_of(store)
    assert "60.0 FID" in text and "Trial 0000 , so far" in text and "It still trains." in text


def test_a_fid_that_is_not_finite_is_a_dash(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    trial = TrialRecord("0000", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2)
    trial.progress(epoch(2, fid=float("nan")))
    trial.end(TrialOutcome(verdict="nonfinite", epochs=2, detail="g_loss is not finite"), 2.0)
    keep(store, trial)
    keep_epochs(store, "0000", epoch(2, fid=float("nan")))
    text, html = text_of(store), build_report([store], nearest_images=False).html
    assert "No winner" in text and "g_loss is not finite" in text
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    assert "-" in cells and not any("nan" in cell.lower() for cell in cells)


def test_a_winner_that_the_scheduler_cut_is_said_to_be_one(tmp_path: Path) -> None:
    cut_winner(store := begun(tmp_path / "s", SHOWN))
    assert "The scheduler cut it after epoch 6 of 8; its best epoch counts anyway." in text_of(store)


def test_what_comes_from_files_is_text(tmp_path: Path) -> None:
    wild = "</script><img src=x onerror=alert(1)>{{ 7*7 }}<!--"
    store = sweep(tmp_path / "a&b<i>'\"", 10, detail=wild)
    html = build_report([store], nearest_images=False).html
    assert "<img src=x" not in html and "<i>'" not in html
    assert html.count("<!--") == 0 or "<!--" in page.get_plotlyjs()
    data = re.search(r'<script type="application/json" id="trials">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert wild in {one["detail"] for one in json.loads(data[1]).values()}


def test_sweeps_with_one_protocol_compare_and_others_stand_apart(tmp_path: Path) -> None:
    first, second = sweep(tmp_path / "first", 3), sweep(tmp_path / "second", 3, seed=1)
    other = sweep(tmp_path / "other", 3, objective="fid_test_n9")
    (both,) = groups_of(first, second)
    assert Counter(entry.label.split("/")[0] for entry in both.entries) == {"first": 3, "second": 3}
    assert len(groups_of(first, second, other)) == 2
    text = text_of(first, second, other)
    assert "Part 2 of 2. other: FID as fid_test_n9. Sweeps that measure otherwise stand apart" in text
    assert "first, second Winner Images" in text and "other Winner Images" in text, "in the list of parts"
    assert "Leaderboard first, second" in text and "Leaderboard other" in text, "in the headings"
    foreign = sweep(tmp_path / "foreign", 3, fingerprint="b" * 64)
    assert "images with the fingerprint bbbbbbbbbbbb" in text_of(first, foreign)


def test_trials_are_ranked_as_the_winner_is_chosen(tmp_path: Path) -> None:
    (group,) = groups_of(sweep(tmp_path / "s", 12))
    assert group.best is group.entries[0] and group.best.trial.confirmed
    kinds = [entry.merit[0] for entry in group.entries]
    assert kinds == sorted(kinds) and set(kinds) == {0, 1, 2}


def test_a_grid_is_read_as_it_was_written(tmp_path: Path) -> None:
    images = torch.rand(12, 3, 16, 16) * 2 - 1
    save_grid(images, tmp_path / "samples" / "epoch_0003.png", 4)
    tiles = read_grid(find_grids(tmp_path)[3], 16)
    assert tiles is not None and tiles.shape == (3, 4, 16, 16, 3)
    expected = ((images + 1) / 2 * 255 + 0.5).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    assert np.abs(tiles.reshape(12, 16, 16, 3).astype(int) - expected).max() <= 1


def test_grids_outside_the_sweep_and_damaged_ones_are_no_pictures(tmp_path: Path) -> None:
    store = sweep(tmp_path / "s", 3)
    folder = store.trials_dir / "0000"
    Image.new("RGB", (8, 8)).save(tmp_path / "foreign.png")
    (folder / "samples" / "epoch_0003.png").symlink_to(tmp_path / "foreign.png")
    for name in ("epoch_0001.png", "epoch_0002.png"):
        whole = (folder / "samples" / name).read_bytes()
        (folder / "samples" / name).write_bytes(whole[: len(whole) // 2])
    assert 3 not in find_grids(folder)
    pictures = choose_pictures(groups_of(store), 10**7, lambda done, all_: None)
    assert pictures.by_trial["0-0000"]["epochs"] == [4, 6, 8]
    assert pictures.notes == ("2 sample grids could not be read, and nothing stands for them.",)
    assert pictures.notes[0] in text_of(store)


def test_a_sweep_without_grids_is_a_page(tmp_path: Path) -> None:
    assert "No trial has sample grids that can be read." in text_of(sweep(tmp_path / "s", 3, grids=False))


@pytest.mark.parametrize("room", [0, 300, 1500, 10**7])
def test_pictures_take_no_more_than_their_room(room: int, tmp_path: Path) -> None:
    pictures = choose_pictures(groups_of(sweep(tmp_path / "s", 9)), room, lambda done, all_: None)
    texts = [text for one in pictures.by_trial.values() for text in (one["wall"], *one["grids"].values())]
    assert sum(map(len, texts)) <= room
    assert bool(pictures.notes) == (room < 10**7)
    if room == 10**7:
        own = pictures.by_trial["0-0000"]
        assert own["epochs"] == [1, 2, 4, 6, 8] and len(own["grids"]) == 5
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(own["wall"]))))
        assert [tuple(sheet[5, 96 * place + 5]) for place in (0, 4)] == [(40, 0, 255), (40, 200, 75)]


def test_fewer_epochs_keep_the_first_the_best_and_the_last() -> None:
    assert thinned([1, 2, 3], 3, None) == [1, 2, 3]
    assert {1, 7, 20} <= set(few := thinned(range(1, 21), 5, 7)) and len(few) == 5
    assert thinned(range(1, 21), 2, 7) == [7, 20]


def test_the_planted_key_is_above_chance(tmp_path: Path) -> None:
    (group,) = groups_of(sweep(tmp_path / "s", 40, grids=False))
    target = target_of(group)
    found = {one.name: one for one in measure(list(optuna_trials(group, target).values()), group.searched)}
    assert set(found) == {*group.searched, CHANCE}
    assert found["noise.latent_sigma"].low > found[CHANCE].high  # the FIDs of `sweep` depend on it alone
    assert found["data.fit"].low <= found[CHANCE].high


def test_an_earlier_fid_stands_in_where_few_trials_have_an_objective(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", SHOWN)
    for number in range(12):
        trial = TrialRecord(f"{number:04d}", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2)
        reports = [epoch(2, fid=80.0 + number), *([epoch(4, fid=60.0, objective=60.0)] if number < 3 else [])]
        for report in reports:
            trial.progress(report)
        keep(store, trial)
        keep_epochs(store, trial.trial_id, *reports)
    (group,) = groups_of(store)
    target = target_of(group)
    assert target.name == "FID at epoch 2" and sorted(target.values.values()) == [80.0 + n for n in range(12)]
    assert "Only 3 trials have an objective, so this is the FID at epoch 2" in target.sentence


def test_a_gangs_time_adds_up(tmp_path: Path) -> None:
    (group,) = groups_of(sweep(tmp_path / "s", 3))
    (spans,) = gang_spans(group.sweeps[0], group.entries).values()
    assert all(before.end == after.start for before, after in pairwise(spans))
    seconds = Counter[str]()
    for span in spans:
        seconds[span.kind] += span.end - span.start  # type: ignore[assignment]
    epochs, measured = 8 + 4 + 4, 4 + 2 + 2
    assert seconds["train"] == pytest.approx(0.7 * epochs) and seconds["fid"] == pytest.approx(0.2 * measured)
    assert sum(seconds.values()) == pytest.approx(spans[-1].end - spans[0].start)
    assert spans[0].start == 0.0 and seconds["off"] == pytest.approx(10.0), "the driver waited 10 s for its gang"
    (strips,) = timeline(group).values["sweeps"]
    assert "off" in strips["kinds"] and strips["rows"][0]["shares"]["off"] == ("10 s", "32%")
    assert [one["said"] for one in strips["rows"][0]["trials"]] == [
        "trial 0000, 8 s: completed, 8 epochs",
        "trial 0001, 4 s: outranked, 4 epochs",
        "trial 0002, 4 s: outranked, 4 epochs",
    ]


def test_two_objectives_have_a_front(tmp_path: Path) -> None:
    store = begun(tmp_path / "s", replace(SHOWN, objectives=("fid", "generator_parameters")))
    for number, (fid, cost) in enumerate([(50.0, 900.0), (60.0, 300.0), (70.0, 800.0)]):
        trial = TrialRecord(f"{number:04d}", {"optimizer.lr_g": 1e-3}, 8, started=1.0, n_fake=2)
        trial.costs = {"generator_parameters": cost}
        trial.progress(report := epoch(4, fid=fid, objective=fid))
        trial.end(TrialOutcome(verdict="completed", epochs=4, objective=fid, best_epoch=4), 4.0)
        keep(store, trial)
        keep_epochs(store, trial.trial_id, report)
    (group,) = groups_of(store)
    assert front_of(group) == ["0-0000", "0-0001"]
    text = text_of(store)
    assert "0001 60.0 300" in text and "0002 70.0 800" not in text
    headings = re.findall(r"<h2>(.*?)</h2>", build_report([store], nearest_images=False).html)
    assert headings[:3] == ["Pareto front", "Lowest FID", "Images"] and headings.count("Pareto front") == 1
    assert "Trial 0000 , the lowest FID of 2 on the front" in text
    assert "fid_test_n2 and generator parameters 900" in text
    assert "objective fid_test_n2 and generator parameters: the lowest FID in the window" in text


def test_the_winners_setting_again_is_its_config(tmp_path: Path) -> None:
    """``--set schedule.epochs`` alone would scale the window and shorten the intervals."""
    search = {**SHOWN.definition["search"], "schedule.epochs": {"int": [6, 8]}}
    store = begun(tmp_path / "s", replace(SHOWN, definition={**SHOWN.definition, "search": search}))
    params = {"optimizer.lr_g": 1.23456789e-05, "data.fit": "stretch", "schedule.epochs": 6}
    trial = TrialRecord("0000", params, 6, started=1.0, n_fake=2)
    trial.progress(epoch(4, fid=50.0, objective=50.0))
    keep(store, trial)
    (group,) = groups_of(store)
    space = group.sweeps[0].space
    assert space is not None
    assert apply_settings(space, settings_of(group.entries[0])).resolve({}) == space.resolve(params)


def test_the_winner_can_be_used_where_its_checkpoint_is_kept(tmp_path: Path) -> None:
    cut_winner(store := begun(tmp_path / "s", SHOWN))

    def said(store: ResultsStore) -> tuple[list[list[str]], str]:
        (group,) = groups_of(store)
        (shown,) = reproduce(group).values["sweeps"]
        commands = [pieces for _, own in shown["commands"] for pieces in own]
        return commands, facts(group.entries[0])["serve"]

    commands, serve = said(store)
    assert serve == "" and "gan-sweep serve" not in text_of(store)
    assert [pieces[1] for pieces in commands] == ["launch", "launch", "results"]
    assert "--set optimizer.lr_g=0.001" in commands[1], "a setting and its option are one piece, which is not broken"
    assert not any(piece.startswith("optimizer") for pieces in commands for piece in pieces)
    (store.trials_dir / "0000" / "best.pt").touch()
    commands, serve = said(store)
    place = store.directory
    assert serve == f"gan-sweep serve {place} --trial 0000"
    assert [" ".join(pieces) for pieces in commands[2:]] == [
        f"gan-sweep generate {place} --count 100 --out images",
        f"gan-sweep serve {place}",
        f"gan-sweep export {place} --to onnx --out model",
        f"gan-sweep results {place}",
    ]


def test_every_verdict_has_a_sentence() -> None:
    for verdict in (
        *StopReason,
        *Failure,
        *RULES,
        *(end for end in RunEnd if end not in (RunEnd.STOPPED, RunEnd.PAUSED, RunEnd.LEFT)),
    ):
        assert sentence_of(verdict).endswith("."), verdict


def test_the_nearest_real_image_is_found_mirrored_too_and_never_itself(motorbikes: Path, own_cache: Path) -> None:
    cache = build_cache(motorbikes, image_size=32, fit="pad", cache_dir=own_cache)
    real = cache.gather(np.arange(len(cache)))
    queries = torch.stack([real[5], real[7].flip(-1), real[9]])
    distances, places = search(queries, np.array([-1, -1, 9]), cache)
    assert places[:2].tolist() == [5, 7] and distances[:2].tolist() == [0.0, 0.0]
    assert places[2] != 9 and distances[2] > 0


def test_the_command_writes_one_file_and_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = sweep(tmp_path / "sweeps" / "s", 3)
    (store.trials_dir / "0001" / "samples" / "epoch_0001.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, ["report", "s"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("s.html: ") and "1 sample grid could not be read" in shown.stdout
    html = (tmp_path / "s.html").read_text()
    assert "Left out: the checkpoint of trial 0000 is not kept." in unescape(html)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html.partition("<script>")[0])
    gone = CliRunner().invoke(main, ["report", "s", "-o", "nowhere/x.html"])
    assert gone.exit_code == 2 and "there is no folder nowhere" in gone.stderr


def test_a_sweep_that_was_interrupted_says_so(tmp_path: Path) -> None:
    cut_winner(store := begun(tmp_path / "s", SHOWN))
    close(store, SweepStatus.INTERRUPTED)
    assert "interrupted · 1 of 3 trials" in text_of(store)


def test_advice_is_in_the_page_where_there_is_some(tmp_path: Path) -> None:
    """Of thirty trials six end by the same rule; four say nothing."""
    text = text_of(sweep(tmp_path / "s", 30, grids=False))
    assert " For the next sweep " in text and " d_collapse ended 6 of 30 trials (20%; 95% interval " in text
    (group,) = groups_of(sweep(tmp_path / "few", 4, grids=False))
    assert advised(group) is None


def test_the_sweeps_that_a_sweep_builds_on_are_named_and_given_again(tmp_path: Path) -> None:
    before = {"optimizer.lr_g": {"float": [1e-5, 1e-1], "log": True}}
    narrowed = {"share": 0.2, "good": 4, "trials": 20, "search": before}
    store = sweep(tmp_path / "s", 3, grids=False, warm_start=("/sweeps/a", "/sweeps/b"), narrowed=narrowed)
    text = text_of(store)
    assert "its sampler was given the trials of /sweeps/a and /sweeps/b" in text
    assert "optimizer.lr_g: 1e-05 to 0.1, log -> 0.0001 to 0.01, log" in text
    (shown,) = reproduce(groups_of(store)[0]).values["sweeps"]
    pieces = shown["commands"][0][1][0]
    assert [one for one in pieces if "warm" in one] == ["--warm-start /sweeps/a", "--warm-start /sweeps/b"]
