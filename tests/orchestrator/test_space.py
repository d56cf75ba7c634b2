"""Spaces: what YAML may say, and what it is told when it says something else."""

import optuna
import pytest

from orchestrator.space import Choice, FloatRange, IntRange, build_space, bundled_spaces, load_space
from orchestrator.yaml import parse_yaml
from trainers.config import TrainConfig
from trainers.errors import UserError


@pytest.mark.parametrize("name", bundled_spaces())
def test_bundled_space_samples_and_resolves(name: str) -> None:
    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    distributions = {key: domain.distribution() for key, domain in space.search.items()}
    seen = set()
    for _ in range(50):
        params = study.ask(distributions).params
        config = space.resolve(params)
        assert {key: config.flat()[key] for key in params} == params
        assert all(space.search[key].contains(value) for key, value in params.items())
        seen.add(tuple(params.values()))
    assert len(seen) > 40


def test_motorbike_base_is_document_001() -> None:
    base = load_space("ralsgan_motorbike").base.flat()
    document = {
        "data.batch_size": 64,
        "optimizer.lr_g": 8e-4,
        "optimizer.lr_d": 8e-4,
        "loss.real_label": 0.8,
        "network.latent_dim": 128,
        "data.image_size": 128,
        "data.fit": "pad",
        "schedule.epochs": 750,
        "schedule.window_first": 550,
        "data.flip_p": 0.5,
        "data.rotation_p": 0.3,
        "data.rotation_degrees": 5,
    }
    assert {name: base[name] for name in document} == document


def test_motorbike_searches_what_the_issue_lists() -> None:
    search = load_space("ralsgan_motorbike").search
    assert search["schedule.epochs"] == IntRange(bounds=(550, 750), step=50)
    assert search["data.fit"] == Choice(choice=("pad", "stretch"))
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
        ("base: {}\nsearch: {optimizer.lr_g: {float: [2, 1]}}", "low before high"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [0, 1], log: true}}", "low end above 0"),
        ("base: {}\nsearch: {schedule.epochs: {int: [550, 760], step: 50}}", "multiple of step 50"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [1e-2, 1]}}", "lies outside its range 0.01 to 1"),
        ("base: {}\nsearch: {data.fit: {choice: [pad, x]}}", "data.fit = 'x' is not possible"),
        ("base: {}\nsearch: {schedule.epochs: {int: [500, 750], step: 50}}", "window_first 550 is after"),
        ("base: {}\nsearch: {fid.n_fake: {int: [2, 9]}}", "cannot be searched"),
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
        (Choice(choice=("pad", 3)), ["pad", 3], ["x", 4]),
    ]
    for domain, inside, outside in domains:
        distribution = domain.distribution()
        for value in inside:
            assert domain.contains(value)
            assert distribution._contains(distribution.to_internal_repr(value))
        assert not any(domain.contains(value) for value in outside)


def test_default_config_is_valid() -> None:
    assert build_space("x", {"base": {}, "search": {}}).base == TrainConfig()
