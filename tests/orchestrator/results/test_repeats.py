"""Settings that were trained again: what their seeds say, which wins, and whose generator is used."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.display.live import trials_table
from orchestrator.display.seeds_text import seeds_rows
from orchestrator.results.records import best_trial, ranked
from orchestrator.results.repeats import are_left, by_seeds, repeats_text, settings_to_repeat
from orchestrator.results.retention import finalists, kept
from orchestrator.results.seed_odds import odds_of
from orchestrator.results.tables import Tables
from orchestrator.results.verdict import StopReason
from orchestrator.results.winner import choose
from tests.orchestrator.sweep_helpers import begun, ended, keep, repeated
from trainers.errors import UserError


def test_the_lowest_mean_over_fresh_seeds_wins_and_the_lucky_first_run_does_not_count() -> None:
    lucky, steady = repeated("0000", 50.0, 70.0, 72.0), repeated("0001", 64.0, 66.0, 64.0)
    trials = [lucky, steady, *lucky.repeats, *steady.repeats]
    assert (steady.seeds.values, steady.seeds.mean, steady.seeds.failed) == ((66.0, 64.0), 65.0, 0)
    assert steady.seeds.spread == pytest.approx(2**0.5)
    assert by_seeds(trials) == [steady, lucky]
    assert [trial.trial_id for trial in ranked(trials)][:2] == ["0001", "0000"]
    steady.confirmed = [64.5]
    assert best_trial(trials) is steady.repeats[1]  # of the winning setting, the generator with the lowest FID
    steady.confirmed = [63.0]
    assert best_trial(trials) is steady
    assert finalists(trials) == ["0000", "0001"]  # a repeat is none


def test_a_setting_with_failed_seeds_ranks_behind() -> None:
    broken, whole = repeated("0000", 50.0, 51.0, None, 52.0), repeated("0001", 64.0, 66.0, 64.0, 65.0)
    assert by_seeds([broken, whole]) == [whole, broken]
    assert (broken.seeds.failed, broken.seeds.asked) == (1, 3)
    assert str(broken.seeds) == "51.50 ± 0.71 over 2 training seeds; 2 of 3 ran to the end"
    whole.repeats[0].refused, whole.repeats[0].confirmed = "on fresh latents its fakes hardly vary", []
    assert whole.seeds.failed == 1 and whole.seeds.values == (64.0, 65.0)


def test_a_setting_that_breaks_a_constraint_does_not_compete() -> None:
    recall = "recall_inception2048_n10000_k5"
    lower, keeps = repeated("0000", 50.0, 50.5, 51.0), repeated("0001", 60.0, 60.5, 61.0)
    trials = [lower, *lower.repeats, keeps, *keeps.repeats]
    for trial, value in ((lower, 0.1), (keeps, 0.5)):
        for run in (trial, *trial.repeats):
            run.constraints, run.beside = {"recall": ">= 0.3"}, {recall: value}
            run.confirmed_beside = [{recall: value} for _ in run.confirmed]
    assert best_trial(trials) is keeps and by_seeds(trials) == [keeps]
    odds = odds_of(trials)
    assert odds is not None and odds.winner == "0001"
    assert str(odds) == "no other setting that keeps the constraints was trained again"
    assert seeds_rows(trials, keeps)["best setting"].startswith("0001: 60.75")
    lower.constraints = keeps.constraints = {"recall": ">= 0.9"}
    assert best_trial(trials) is lower and by_seeds(trials) == [lower, keeps], "none keeps it"


def test_settings_compare_once_each_has_a_seed_that_is_over() -> None:
    first, second = repeated("0000", 50.0, 70.0), repeated("0001", 64.0, 66.0)
    waits = ended("0001s1", StopReason.OUT_OF_TIME, 60.0)  # cut short: neither failed nor trained
    second.repeats = [waits]
    assert by_seeds([first, second]) == [] and best_trial([first, second]) is first
    assert not second.seeds.known and second.seeds.failed == 0
    assert are_left([first, second], 2, 1) and not are_left([first], 1, 1) and are_left([first], 1, 2)


def test_a_sweep_of_an_older_version_has_none() -> None:
    trial = repeated("0000", 50.0)
    assert not trial.seeds.known and best_trial([trial]) is trial
    assert trial.to_json()["seeds_n"] == 0 and trial.to_json()["repeat_of"] is None


def test_the_best_by_their_confirmed_means_are_trained_again() -> None:
    first, second, third = repeated("0000", 70.0), repeated("0001", 64.0, 66.0), ended("0002", "completed", 1.0)
    assert settings_to_repeat([first, second, *second.repeats, third], 2) == [second, first]


def test_what_is_on_disk_says_the_same(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    settings = repeated("0000", 60.0, 70.0, 72.0), repeated("0001", 64.0, 66.0, None)
    keep(store, *settings, *settings[0].repeats, *settings[1].repeats)
    state = store.read_state()
    assert [trial.trial_id for trial in state.by_number()] == ["0000", "0000s1", "0000s2", "0001", "0001s1", "0001s2"]
    assert (state.proposed(), repeats_text(state)) == (2, "4 of 4 training seeds done, 1 failed")
    summary = store.summary()
    assert summary["best"]["trial_id"] == "0000" and summary["best_setting"]["winner"] == "0000"
    assert summary["trials"][0]["seeds_mean"] == 71.0 and summary["trials"][1]["repeat_of"] == "0000"
    rows = Tables(store).trials
    assert list(rows["repeat_of"].fillna("")) == ["", "0000", "0000", "", "0001", "0001"]
    assert list(rows["seeds_n"]) == [2, 0, 0, 1, 0, 0] and rows["seed"][1] == 1
    (store.trials_dir / "0000s1" / "best.pt").touch()
    assert choose("s", tmp_path, "0000s1").name == choose("s", tmp_path, "0s1").name == "s/0000s1"
    with pytest.raises(UserError, match="unknown trial of s '0000s9': did you mean 0000s2"):
        choose("s", tmp_path, "0000s9")


def test_the_winner_may_be_a_repeat_and_keeps_its_checkpoint() -> None:
    setting = repeated("0000", 64.0, 62.0, 66.0)
    assert kept([setting, *setting.repeats], 1, front=False) == {"0000s1"}


def test_latents_and_training_have_two_columns() -> None:
    first, second = repeated("0000", 64.0, 66.0, 64.0), repeated("0001", 50.0, 70.0, None)
    trials = [first, *first.repeats, second, *second.repeats]
    console = Console(file=io.StringIO(), width=160)
    console.print(trials_table(trials))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "confirmed" in lines[0] and "seeds" in lines[0]
    assert "65.0 ± 1.4 n2" in lines[1] and "70.0 n1 of 2" in lines[4]
    rows = seeds_rows(trials, best_trial(trials))
    assert rows["best setting"] == "0000: 65.00 ± 1.41 over 2 training seeds"
    assert rows["how sure"].startswith("0000 ranks before 0001 since 1 of 2 training seeds")
    assert rows["generator"].startswith("0000, its first run")
    assert seeds_rows([ended("0002", "completed", 1.0)], None) == {}
