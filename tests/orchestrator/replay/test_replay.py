"""Replaying: the arithmetic, the command's output, and tuning."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.pruning import build_rules
from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.replay.replay import replay_run, total
from orchestrator.replay.tuning import Candidate, choose, tune
from trainers.errors import UserError

FALL = [100 * 0.93**n for n in range(20)]  # 100 ... 25.2 at step 2000
PEAK = FALL[-1]
COLLAPSE = [*FALL, *(PEAK * 4 for _ in range(80))]
HEALTHY = [100 * 0.97**n for n in range(100)]
SPIKES = [value * (3 if n % 10 == 5 else 1) for n, value in enumerate(HEALTHY)]


def run(name: str, fids: Sequence[float]) -> RecordedRun:
    return RecordedRun(name, [Report(100 * n, {"d_loss": 0.5}, fid) for n, fid in enumerate(fids, 1)], len(fids))


def write(folder: Path, name: str, fids: Sequence[float]) -> Path:
    path = folder / f"{name}.csv"
    rows = (f"{100 * n},0:00:{n:02d},0.5,1.5,{fid}" for n, fid in enumerate(fids, 1))
    path.write_text("\n".join(["step,elapsed,d_loss,g_loss,fid", *rows]) + "\n")
    return path


def test_a_collapse_is_stopped_after_its_best() -> None:
    replayed = replay_run(run("c", COLLAPSE), build_rules())
    assert replayed.stop is not None
    assert (replayed.stop.trip.verdict, replayed.stop.step) == ("fid_diverged", 2300)
    assert replayed.saved == 1 - 2300 / 10000
    assert (replayed.best_kept, replayed.regret, replayed.collapsed) == (PEAK, 0.0, True)
    assert replayed.oracle == 1 - 2000 / 10000
    assert list(replayed.firings) == ["fid_diverged", "fid_plateau"], "what each rule would have done alone"
    assert replayed.firings["fid_plateau"].step == 6700


@pytest.mark.parametrize("fids", [HEALTHY, SPIKES])
def test_a_healthy_run_is_left_alone(fids: list[float]) -> None:
    replayed = replay_run(run("h", fids), build_rules())
    assert replayed.stop is None
    assert (replayed.saved, replayed.regret, replayed.best_kept) == (0.0, 0.0, min(fids))


def test_a_stop_too_early_is_regretted() -> None:
    late = [*COLLAPSE[:60], *(PEAK / 2 for _ in range(40))]
    replayed = replay_run(run("late", late), build_rules())
    assert replayed.stop is not None
    assert (replayed.best_kept, replayed.regret) == (PEAK, 1.0)
    sums = total([replayed, replay_run(run("h", HEALTHY), build_rules())])
    assert (sums.mean_regret, sums.worst_regret, sums.harmed) == (0.5, 1.0, ("late",))


def test_a_run_that_was_stopped_before_its_window_kept_nothing() -> None:
    reports = run("c", COLLAPSE).reports
    replayed = replay_run(RecordedRun("c", reports, 100, window_first=5000), build_rules())
    assert math.isnan(replayed.best_kept)
    assert replayed.regret == math.inf


def test_the_last_report_ends_a_run_anyway() -> None:
    fids = [*FALL, *(PEAK * 4 for _ in range(3))]
    assert replay_run(run("short", fids), build_rules()).firings == {}


def test_of_a_trial_that_went_on_from_a_checkpoint_its_own_epochs_count() -> None:
    reports = [Report(20 + n, {"d_loss": 0.5}, fid) for n, fid in enumerate(COLLAPSE, 1)]
    went_on = RecordedRun("c", reports, 120, unit="epochs", mark="epoch", behind=20)
    replayed = replay_run(went_on, build_rules())
    assert replayed.stop is not None and 40 < replayed.stop.step < 120
    assert replayed.saved == pytest.approx((120 - replayed.stop.step) / 100) and replayed.oracle == 0.8
    for epochs in range(21, 90):  # wherever it ends, no rule ends it at its last report
        short = replay_run(RecordedRun("c", reports[:epochs], 20 + epochs, behind=20), build_rules())
        assert all(firing.step < 20 + epochs for firing in short.firings.values())


def test_totals() -> None:
    sums = total([replay_run(run(name, fids), build_rules()) for name, fids in (("c", COLLAPSE), ("h", HEALTHY))])
    assert (sums.runs, sums.stopped, sums.collapsed) == (2, 1, 1)
    assert (sums.saved, sums.saved_on_collapsed, sums.oracle_on_collapsed) == (0.77 / 2, 0.77, 0.8)


def test_json_is_the_promised_object(tmp_path: Path) -> None:
    places = [str(write(tmp_path, name, fids)) for name, fids in (("c", COLLAPSE), ("h", HEALTHY))]
    shown = CliRunner().invoke(main, ["replay", *places, "--json"])
    assert shown.exit_code == 0, shown.output
    values = json.loads(shown.output)
    assert values.keys() == {"runs", "total"}
    collapse, healthy = values["runs"]
    promised = {"run", "stopped_at_step", "verdict", "best_objective_kept", "steps_saved"}
    assert collapse.keys() >= promised
    assert {name: collapse[name] for name in promised} == {
        "run": "c",
        "stopped_at_step": 2300,
        "verdict": "fid_diverged",
        "best_objective_kept": PEAK,
        "steps_saved": 1 - 2300 / 10000,
    }
    assert {name: healthy[name] for name in promised} == {
        "run": "h",
        "stopped_at_step": None,
        "verdict": None,
        "best_objective_kept": min(HEALTHY),
        "steps_saved": 0.0,
    }
    assert values["total"]["steps_saved_on_collapsed"] == 1 - 2300 / 10000


def test_the_table_says_why(tmp_path: Path) -> None:
    write(tmp_path, "c", COLLAPSE)
    shown = CliRunner().invoke(main, ["replay", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    assert "fid_diverged: FID 100.7 is 4 times its best, 25.19 at step 2000" in text
    assert (
        "1 ended more than 10% above their best FID: 77.0% of their steps saved (a stop right at the best: 80.0%)"
        in text
    )


def test_rules_of_a_file_and_of_a_space(tmp_path: Path) -> None:
    place = str(write(tmp_path, "c", COLLAPSE))
    rules = tmp_path / "rules.yaml"
    rules.write_text("pruning:\n  fid_diverged: off\n")
    values = json.loads(CliRunner().invoke(main, ["replay", place, "--rules", str(rules), "--json"]).output)
    assert (values["runs"][0]["verdict"], values["runs"][0]["stopped_at_step"]) == ("fid_plateau", 6700)
    space = tmp_path / "space.yaml"
    space.write_text("base: {}\nsearch: {}\npruning: off\n")
    values = json.loads(CliRunner().invoke(main, ["replay", place, "--space", str(space), "--json"]).output)
    assert values["runs"][0]["verdict"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "nope is no sweep, CSV file or folder of CSV files"),
        (["PLACE", "--rules", "nope.yaml"], "--rules: nope.yaml is not a file: it does not exist"),
        (["PLACE", "--rules", "BAD"], "unknown rule 'fid_divergd': did you mean fid_diverged"),
        (["PLACE", "--rules", "BAD", "--space", "dcgan_cars"], "give --rules or --space, not both"),
        (["PLACE", "--tune"], "--tune needs at least two runs"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    place, bad = write(tmp_path, "c", COLLAPSE), tmp_path / "bad.yaml"
    bad.write_text("fid_divergd: off\n")
    given = [{"PLACE": str(place), "BAD": str(bad)}.get(word, word) for word in arguments]
    shown = CliRunner().invoke(main, ["replay", *given])
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1


class TestTuning:
    RUNS = (run("c", COLLAPSE), run("d", [*COLLAPSE[:50], *COLLAPSE[20:70]]), run("h", HEALTHY), run("s", SPIKES))

    def test_it_finds_more_at_no_regret(self) -> None:
        lazy = {"fid_diverged": {"limit": 0.05, "patience": 2}, "fid_plateau": {"patience": 0.5}}
        tuned = tune(self.RUNS, lazy, candidates=24)
        assert tuned.seen.saved > tuned.before.saved
        assert tuned.seen.worst_regret == 0.0
        assert tuned.settings["fid_diverged"]["patience"] == 2, "what is not tuned stays"
        assert (tuned.folds, tuned.unseen.runs) == (4, 4)
        build_rules(tuned.settings)

    def test_the_same_seed_finds_the_same(self) -> None:
        lazy = {"fid_diverged": {"limit": 0.05, "patience": 2}}
        first, again, other = (tune(self.RUNS, lazy, candidates=8, seed=seed).settings for seed in (1, 1, 2))
        assert first == again != other

    def test_a_rule_that_reads_what_was_not_recorded_is_left_as_it_is(self) -> None:
        tuned = tune(self.RUNS, candidates=8)
        assert tuned.settings["grad_explosion"] == build_rules()[1].model_dump()

    def test_rules_that_are_off_stay_off(self) -> None:
        tuned = tune(self.RUNS, {"fid_plateau": False}, candidates=4)
        assert tuned.settings["fid_plateau"] is False

    def test_nothing_to_tune_is_one_line(self) -> None:
        with pytest.raises(UserError, match="every rule that could be tuned is off"):
            tune(self.RUNS, False, candidates=4)

    def test_regret_comes_before_savings(self) -> None:
        """A fold's choice depends on its training runs alone."""
        late = run("late", [*COLLAPSE[:60], *(PEAK / 2 for _ in range(40))])
        runs = (run("c", COLLAPSE), late)

        def candidate(settings: dict[str, object]) -> Candidate:
            rules = build_rules(settings)
            return Candidate(settings, tuple(replay_run(one, rules) for one in runs), ((), ()))

        hasty, patient = candidate({}), candidate({"fid_diverged": {"patience": 50}, "fid_plateau": False})
        assert choose([hasty, patient], [0]) is hasty
        assert choose([hasty, patient], [0, 1]) is patient
