"""Spaces: valid YAML, and the errors for invalid YAML."""

import optuna
import pytest

from orchestrator.space.domains import Choice, FloatRange, IntRange
from orchestrator.space.load import build_space, bundled_spaces, load_space, space_as_yaml
from orchestrator.space.space import Space, condition_text, possible_search
from orchestrator.space.yaml_text import dump_yaml, parse_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.families import check_buildable
from trainers.fid_schedule import fid_due


@pytest.mark.parametrize("name", bundled_spaces())
def test_bundled_space_samples_and_resolves(name: str) -> None:
    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(50):
        params = space.sample(study.ask())
        config = space.resolve(params)
        check_buildable(config)
        assert {key: config.flat()[key] for key in params} == params
        assert all(space.search[key].contains(value) for key, value in params.items())
        assert params.keys() == {key for key in space.search if space.is_active(key, params)}
        seen.add(tuple(params.values()))
    assert len(seen) > 40


def test_motorbike_searches_what_the_issue_lists() -> None:
    search = load_space("ralsgan_motorbike").search
    assert search["schedule.epochs"] == IntRange(bounds=(550, 750), step=50)
    assert search["data.fit"] == Choice(choice=("pad", "stretch"))
    assert search["regime.ema_halflife_images"] == Choice(choice=(None, 10000))
    assert all(search[f"optimizer.lr_{net}"].log for net in "gd")  # type: ignore[union-attr]
    assert search.keys() >= {"optimizer.beta1", "loss.real_label", "loss.fake_label", "noise.latent_sigma"}
    assert search.keys() >= {"noise.instance_sigma", "data.rotation_p", "data.flip_p", "data.batch_size"}


def test_base_comes_first_then_points() -> None:
    text = """
    base: {optimizer: {lr_g: 8e-4}}
    search: {optimizer.lr_g: {float: [1e-4, 1e-2], log: true}, data.fit: {choice: [pad, stretch]}}
    points: [{data.fit: stretch}]
    """
    assert build_space("x", parse_yaml(text, "x")).known_points() == [
        {"optimizer.lr_g": 8e-4, "data.fit": "pad"},
        {"optimizer.lr_g": 8e-4, "data.fit": "stretch"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: {}\nsearch: {optimizer.lrg: {float: [1, 2]}}", "did you mean optimizer.lr_g?"),
        ("base: {optimizer: {lrg: 1}}\nsearch: {}", "did you mean optimizer.lr_g?"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [2, 1]}}", "low < high"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [0, 1], log: true}}", "low end above 0"),
        ("base: {}\nsearch: {schedule.epochs: {int: [550, 760], step: 50}}", "multiple of step 50"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [1e-2, 1]}}", "lies outside its range 0.01 to 1"),
        ("base: {}\nsearch: {data.fit: {choice: [pad, x]}}", "data.fit = 'x' is not possible"),
        ("base: {}\nsearch: {schedule.epochs: {int: [500, 750], step: 50}}", "window_first 550 is after"),
        ("base: {}\nsearch: {fid.n_fake: {int: [2, 9]}}", "cannot be searched"),
        ("base: {}\nsearch: {}\nconfirm: {top: -1}", "confirm.top: must be at least 0, got -1"),
        ("base: {}\nsearch: {}\nconfirm: {train_seeds: 2, top: 0}", "confirm.train_seeds 2: needs confirm.top of 1"),
        (
            "base: {}\nsearch: {}\nconfirm: {train_seeds: 2}\nobjectives: [fid, device_seconds]",
            "confirm.train_seeds 2: goes with one objective alone, not with fid and device_seconds",
        ),
        (
            "base: {fid: {n_fake_first: 500}}\nsearch: {schedule.window_first: {int: [500, 600]}}",
            "schedule.window_first needs fid.n_fake_first null",
        ),
        ("base: {}\nsearch: {data.fit: {pick: 1}}", "exactly one of float:, int:, choice:"),
        ("base: {}\nsearch: {}\nschedular: {}", "did you mean scheduler?"),
        ("base: {}\nsearch: {}\nscheduler: {name: hyper}", "scheduler.name"),
        ("base: {}\nsearch: {}\npoints: [{data.fit: pad}]", "points[0]"),
        ("base: {}", "at least base: and search:"),
        ("- 1", "at least base: and search:"),
    ],
)
def test_wrong_space_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        build_space("mine", parse_yaml(text, "mine.yaml"))
    assert str(caught.value).startswith("space mine: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_space_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown space 'ralsgan_motorbikes': did you mean ralsgan_motorbike\?"):
        load_space("ralsgan_motorbikes")
    with pytest.raises(UserError, match=r"no space file mine\.yaml"):
        load_space("mine.yaml")


def test_yaml_reads_numbers_as_people_write_them() -> None:
    assert parse_yaml("[8e-4, 1E5, -2.5e-3, 1.5, 3, .5e1, pad, 1e, e4]", "x") == [
        8e-4,
        1e5,
        -2.5e-3,
        1.5,
        3,
        5.0,
        "pad",
        "1e",
        "e4",
    ]
    with pytest.raises(UserError, match=r"x\.yaml: line 2"):
        parse_yaml("a: [1,\n}", "x.yaml")


def test_domains_agree_with_optuna() -> None:
    domains = [
        (FloatRange(bounds=(1e-4, 1e-2), log=True), [1e-4, 1e-2, 3e-3], [9e-5, 2e-2, "x"]),
        (IntRange(bounds=(550, 750), step=50), [550, 600, 750], [551, 800, "x"]),
        (Choice(choice=("pad", 3)), ["pad", 3], ["x", 4, None]),
        (Choice(choice=(None, 10000)), [None, 10000], [0, "null", False]),
    ]
    for domain, inside, outside in domains:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for value in inside:
            assert domain.contains(value)
            study.enqueue_trial({"x": value})
            assert domain.suggest(study.ask(), "x") == value
        assert not any(domain.contains(value) for value in outside)
        assert all(domain.contains(domain.suggest(study.ask(), "x")) for _ in range(20))


def test_null_is_a_choice_in_yaml_there_and_back() -> None:
    text = """
    base: {regime: {ema_halflife_images: null}}
    search:
      regime.ema_halflife_images: {choice: [null, 10000]}
      data.flip_p: {float: [0, 1], when: {regime.ema_halflife_images: null}}
    points: [{regime.ema_halflife_images: 10000}, {regime.ema_halflife_images: null}]
    """
    space = build_space("x", parse_yaml(text, "x"))
    assert str(space.search["regime.ema_halflife_images"]) == "null | 10000"
    assert condition_text(space.search["data.flip_p"].when) == "only when regime.ema_halflife_images = null"
    none, average = {"regime.ema_halflife_images": None, "data.flip_p": 0.5}, {"regime.ema_halflife_images": 10000}
    assert space.known_points() == [none, average, none]
    assert build_space("x", parse_yaml(dump_yaml(space_as_yaml(space)), "x")) == space
    with pytest.raises(UserError, match="batch_size = None is not possible"):
        build_space("x", {"base": {}, "search": {"data.batch_size": {"choice": [64, None]}}})


def test_default_config_is_valid() -> None:
    assert build_space("x", {"base": {}, "search": {}}).base == TrainConfig()


# Conditions


NESTED = """
base: {loss: {name: bce, real_label: 0.9}}
search:
  loss.real_label: {float: [0.7, 1.0], when: {loss.name: [bce, lsgan]}}
  regime.monitored_ratio: {float: [0.4, 1.2], when: {regime.name: monitored, loss.name: bce}}
  loss.name: {choice: [bce, lsgan, hinge]}
  regime.name: {choice: [classic, monitored]}
  optimizer.beta1: {float: [0.0, 0.9]}
"""


def nested(*changes: tuple[str, str]) -> Space:
    text = NESTED
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return build_space("x", parse_yaml(text, "x"))


def test_a_conditional_key_exists_only_beside_its_values() -> None:
    space, study = nested(), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    samples = [space.sample(study.ask()) for _ in range(200)]
    for params in samples:
        assert ("loss.real_label" in params) == (params["loss.name"] in ("bce", "lsgan"))
        monitored = params["regime.name"] == "monitored" and params["loss.name"] == "bce"
        assert ("regime.monitored_ratio" in params) == monitored
        assert space.resolve(params).loss.name == params["loss.name"]
    assert {len(params) for params in samples} == {3, 4, 5}


def test_conditions_may_stand_on_conditional_keys() -> None:
    """The whole chain decides: the innermost key exists only where the middle one does."""
    space = nested(
        ("loss.name: {choice: [bce, lsgan, hinge]}", "loss.name: {choice: [bce, lsgan, hinge], when: {data.fit: pad}}"),
        ("regime.name: {choice", "data.fit: {choice: [pad, stretch]}\n  regime.name: {choice"),
    )
    assert not space.is_active("loss.real_label", {"data.fit": "stretch", "regime.name": "classic"})
    order = space.in_order()
    assert order.index("data.fit") < order.index("loss.name") < order.index("loss.real_label")


def test_known_points_hold_only_what_exists() -> None:
    space = nested(
        ("base:", "points: [{loss.name: hinge}, {regime.name: monitored, regime.monitored_ratio: 0.5}]\nbase:")
    )
    base, hinge, monitored = space.known_points()
    assert base.keys() == {"loss.name", "loss.real_label", "regime.name", "optimizer.beta1"}
    assert hinge.keys() == {"loss.name", "regime.name", "optimizer.beta1"}
    assert monitored["regime.monitored_ratio"] == 0.5


def test_what_is_fixed_decides_its_conditions() -> None:
    """As ``--set`` does: children of another value go, children of this one stay and no longer depend on anything."""
    space = nested()
    for name, gone in (("monitored", {"regime.name"}), ("classic", {"regime.name", "regime.monitored_ratio"})):
        base = TrainConfig.build(space.base.model_dump(), {"regime.name": name})
        search = {key: domain for key, domain in space.search.items() if key != "regime.name"}
        left = possible_search(space.model_copy(update={"base": base, "search": search}))
        assert space.search.keys() - left.search.keys() == gone
    study = optuna.create_study()
    study.enqueue_trial({"loss.name": "bce"})
    base = TrainConfig.build(space.base.model_dump(), {"regime.name": "monitored"})
    assert "regime.monitored_ratio" in space.model_copy(update={"base": base, "search": search}).sample(study.ask())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("when: {loss.name: [bce, lsgan]}", "when: {loss.nam: bce}", "did you mean loss.name?"),
        ("when: {loss.name: [bce, lsgan]}", "when: {loss.name: wgan}", "when loss.name is 'wgan', which is not in its"),
        ("when: {loss.name: [bce, lsgan]}", "when: {loss.name: []}", "search.loss.real_label: when.loss.name"),
        ("when: {loss.name: [bce, lsgan]}", "when: {data.fit: stretch}", "never exists: data.fit is always 'pad'"),
        ("choice: [classic, monitored]", "choice: [classic, monitored], when: {regime.monitored_ratio: 1}", "circle"),
        (
            "base:",
            "points: [{loss.name: hinge, loss.real_label: 1}]\nbase:",
            "loss.real_label exists only when loss.name",
        ),
    ],
)
def test_a_wrong_condition_is_one_clear_line(before: str, after: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        nested((before, after))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_space_of_before_says_min_diversity_of_the_scheduler() -> None:
    """Sweeps that an older version wrote must stay readable."""
    space = build_space("old", {"base": {}, "search": {}, "scheduler": {"name": "median", "min_diversity": 0.4}})
    assert space.base.fid.min_diversity == 0.4 and space.scheduler.name == "median"
    with pytest.raises(UserError, match="min_diversity"):
        build_space("old", {"base": {}, "search": {}, "scheduler": {"min_diversity": "much"}})


def test_a_choice_has_each_value_once() -> None:
    with pytest.raises(UserError, match="the value pad stands twice"):
        build_space("x", {"base": {}, "search": {"data.fit": {"choice": ["pad", "pad"]}}})


def test_fid_is_measured_where_the_scheduler_compares_trials() -> None:
    base = {"schedule": {"epochs": 40, "window_first": 30}, "fid": {"every": 10}}
    scheduler = {"name": "asha", "grace_epochs": 2, "rung_factor": 2.5, "brackets": 2}

    def measured(name: str) -> list[int]:
        rung_factor = {} if name == "none" or "stopping" in name else {"rung_factor": 2.5}
        given = {"name": name, **{key: scheduler[key] for key in ("grace_epochs", "brackets")}, **rung_factor}
        space = build_space("x", {"base": base, "search": {}, "scheduler": given})
        config = space.resolve({})
        assert space.base.fid.at == (), "a file does not have to say it"
        return [epoch for epoch in range(1, 41) if fid_due(epoch, config)]

    assert measured("none") == [10, 20, 30, 40]
    assert measured("asha") == [2, 5, 10, 13, 20, 30, 32, 40]
    assert measured("hyperband") == [2, 5, 10, 13, 20, 30, 32, 40], "the second bracket starts at a rung of the first"
    assert measured("asha_stopping") == [2, 6, 10, 18, 20, 30, 40], "three times as far"
