"""How many fakes FID is measured on at which epoch, and what the reports contain."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.trainer_helpers import Recorder, small_config
from trainers.assets import Assets
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.fid_schedule import fakes_at, first_measurement
from trainers.loop import train
from trainers.measuring import combine
from trainers.metrics import FidResult
from trainers.run_report import EpochReport

pytestmark = pytest.mark.usefixtures("one_thread")


def config_with(first: int | None, full: int, window_first: int) -> TrainConfig:
    return TrainConfig.build({}, {"fid.n_fake_first": first, "fid.n_fake": full, "schedule.window_first": window_first})


@pytest.mark.parametrize(
    ("first", "full", "window_first", "expected"),
    [
        # log2(10000 / 1000) = 3.32 doublings over 550 epochs: the first after 165.6, then 331.1 and 496.7.
        (1000, 10_000, 550, {1: 1000, 165: 1000, 166: 2000, 331: 2000, 332: 4000, 496: 4000, 497: 8000, 549: 8000}),
        (64, 256, 10, {1: 64, 4: 64, 5: 128, 9: 128, 10: 256, 16: 256}),  # 128 from exactly half of the way on
        (2, 16, 9, {2: 2, 3: 4, 5: 4, 6: 8, 8: 8, 9: 16}),  # thirds
        (1000, 1500, 10, {1: 1000, 9: 1000, 10: 1500}),  # less than a doubling away
        (256, 256, 10, {1: 256, 10: 256}),
        (None, 256, 10, {1: 256, 10: 256}),
        (64, 256, 1, {1: 256}),  # all window
    ],
)
def test_fakes_double_on_the_way_to_the_window(
    first: int | None, full: int, window_first: int, expected: dict[int, int]
) -> None:
    config = config_with(first, full, window_first)
    assert {epoch: fakes_at(epoch, config) for epoch in expected} == expected
    window = range(window_first, config.schedule.epochs + 1)
    assert {fakes_at(epoch, config) for epoch in window} == {full}


def test_the_number_does_not_depend_on_how_long_a_trial_runs() -> None:
    short, long = (
        TrainConfig.build({}, {"fid.n_fake_first": 1000, "schedule.epochs": epochs}) for epochs in (550, 750)
    )
    assert [fakes_at(epoch, short) for epoch in range(1, 551)] == [fakes_at(epoch, long) for epoch in range(1, 551)]


def test_the_first_measurement_may_be_on_twice_as_many() -> None:
    """The number has doubled by then where measurements are rare, or the window begins early."""
    long = TrainConfig.build({}, {"fid.n_fake_first": 1000})
    assert first_measurement(long) == (25, 1000)
    short = {"fid.n_fake_first": 1000, "schedule.epochs": 4, "schedule.window_first": 3, "fid.every": 1}
    assert first_measurement(TrainConfig.build({}, short)) == (1, 2000)
    assert first_measurement(TrainConfig.build({}, {**short, "fid.every": 25})) == (3, 10_000)
    assert first_measurement(TrainConfig()) == (25, 10_000)


def test_more_fakes_at_first_than_later_are_refused() -> None:
    with pytest.raises(UserError, match=r"^fid.n_fake_first 500 is more than fid.n_fake 256$"):
        config_with(500, 256, 10)


def test_reports_name_the_protocol_of_each_value(assets: Assets, tmp_path: Path) -> None:
    """A value on few fakes is near that of a run that always measures on so few."""
    racing = {"fid.n_fake_first": 8, "fid.n_fake": 30, "fid.every": 1, "schedule.window_first": 4}
    few, recorder = Recorder(), Recorder()
    train(small_config({**racing, "fid.n_fake_first": None, "fid.n_fake": 8}), assets, tmp_path / "few", few)
    outcome = train(small_config(racing), assets, tmp_path / "racing", recorder)
    reports = recorder.reports
    measured = [report.measurement for report in reports if report.measurement is not None]
    assert [one.n_fake for one in measured] == [8, 8, 16, 30, 30, 30]  # log2(30 / 8) = 1.9 doublings
    assert [one.name for one in measured] == [f"fid_tiny_n{n}" for n in (8, 8, 16, 30, 30, 30)]
    assert [one.epoch for one in measured] == [report.epoch for report in reports]
    # 30 latents have other first 8 than 8 latents: near, not equal. The training in between is the same.
    assert all(0.2 < recorder.fids[epoch] / few.fids[epoch] < 5 for epoch in (1, 2))
    assert [report.objective is None for report in reports] == [True] * 3 + [False] * 3
    assert outcome.objective == min(recorder.fids[epoch] for epoch in (4, 5, 6))


def test_an_epoch_without_fid_has_no_protocol(assets: Assets, tmp_path: Path) -> None:
    recorder = Recorder()
    train(small_config({"schedule.epochs": 3, "fid.every": 3}), assets, tmp_path, recorder)
    first, *_, last = recorder.reports
    assert first.measurement is None and not {"fid_seconds", "diversity"} & first.logged.keys()
    assert last.measurement is not None
    assert (last.measurement.n_fake, last.measurement.name) == (30, "fid_tiny_n30")
    assert 0 < last.logged["fid_seconds"] <= last.ended - last.trained
    assert 0 < last.logged["diversity"] < 2


def test_what_is_measured_beside_fid(assets: Assets, tmp_path: Path) -> None:
    """At every measurement, under its protocol; the report survives the history's file."""
    plain, recorder = Recorder(), Recorder()
    train(small_config({"schedule.epochs": 4}), assets, tmp_path / "plain", plain)
    asked = {"schedule.epochs": 4, "fid.metrics": ["prdc", "kid"], "fid.n_fake_first": 10, "fid.neighbours": 3}
    train(small_config(asked), assets, tmp_path / "more", recorder)
    assert recorder.fids[4] == plain.fids[4], "it changes nothing else"
    assert [report.measurement is None for report in recorder.reports] == [True, False, False, False]
    for report, n in zip(recorder.reports[1:], (20, 30, 30), strict=True):
        assert report.measurement is not None
        names = {f"{name}_tiny_n{n}_k3" for name in ("precision", "recall", "density", "coverage")}
        assert report.measurement.beside.keys() == {f"kid_tiny_n{n}", f"kid_deviation_tiny_n{n}", *names}
        assert report.logged.items() >= report.measurement.beside.items()
    for report in recorder.reports:
        assert EpochReport.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"fid.metrics": ["kd"]}, r"unknown metric 'kd': did you mean kid\? valid: inception_score, kid, prdc"),
        ({"fid.metrics": ["inception_score"]}, "inception_score needs fid.extractor inception, got tiny"),
        ({"fid.metrics": ["prdc"], "fid.n_fake_first": 5}, "prdc needs more than 5 fakes, got fid.n_fake_first 5"),
        ({"fid.metrics": ["prdc"], "fid.neighbours": 30}, "prdc needs more than 30 fakes, got fid.n_fake 30"),
        ({"fid.neighbours": 0}, "fid.neighbours: must be at least 1, got 0"),
        ({"fid.neighbours": 1001}, "fid.neighbours: must be at most 1000, got 1001"),
        ({"fid.neighbours": 2.5}, "fid.neighbours: needs a whole number, got 2.5"),
    ],
)
def test_what_cannot_be_measured_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        small_config(wrong)


def result(value: float, diversity: float, **beside: float) -> FidResult:
    return FidResult(value=value, diversity=diversity, name="fid_x_n9", n_real=9, n_fake=9, seconds=1.0, beside=beside)


def test_metrics_of_one_target_and_of_several() -> None:
    one = combine({"images": result(3.0, 0.5)}, n_fake=9, epoch=4, min_diversity=0.45)
    assert (one.fid, one.epoch, one.metrics()) == (3.0, 4, {"fid_seconds": 1.0, "diversity": 0.5})
    both = combine({"a2b": result(2.0, 0.9), "b2a": result(4.0, 0.4)}, n_fake=9, epoch=4, min_diversity=0.45)
    own = {"fid_x_n9_a2b": 2.0, "fid_x_n9_b2a": 4.0, "diversity_a2b": 0.9, "diversity_b2a": 0.4}
    assert (both.fid, both.metrics()) == (3.0, {"fid_seconds": 2.0, "diversity": 0.4, **own})
    assert both.collapsed and not one.collapsed
    more = combine({"a2b": result(2.0, 0.9, kid_x_n9=0.5), "b2a": result(4.0, 0.4, kid_x_n9=1.5)}, 9, 4, 0.45)
    assert more.beside == {"kid_x_n9": 1.0}
    assert more.metrics() == both.metrics() | {"kid_x_n9": 1.0, "kid_x_n9_a2b": 0.5, "kid_x_n9_b2a": 1.5}
    assert combine({"images": result(3.0, math.nan)}, n_fake=9, epoch=4, min_diversity=0.45).metrics() == {
        "fid_seconds": 1.0
    }
