"""Plans: the options of a launch become a checked sweep, or a one-line error."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.checks import gang_sizes
from orchestrator.plan.dataset import prepare_data, with_labels
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.resources import Resources, choose_resources
from orchestrator.space.demo import DEMO_BASE, DEMO_TRIALS, demo_space
from orchestrator.space.domains import IntRange
from orchestrator.space.load import build_space, bundled_spaces, load_space, space_as_yaml
from orchestrator.space.overrides import apply_settings
from orchestrator.space.sections import ConfirmConfig
from orchestrator.space.yaml_text import dump_yaml, parse_yaml
from trainers.data import draw_synthetic
from trainers.errors import UserError
from trainers.metric_names import EXTRACTORS_ENV

SPACE = "ralsgan_motorbike"


FOUR: dict[str, Any] = {"workers_per_trial": 4, "cpus_per_worker": 0.1}


def plan_with(tmp_path: Path, **options: Any) -> Any:
    return make_plan(LaunchOptions(**{"space": SPACE, "demo": True, "sweeps_dir": tmp_path, **options}))


@pytest.mark.parametrize("name", bundled_spaces())
def test_demo_shrinks_any_space(name: str) -> None:
    full = load_space(name)
    space = demo_space(full)
    flat, expected = space.base.flat(), {**DEMO_BASE, **full.demo}
    assert space.trials == expected.pop("trials", DEMO_TRIALS)
    assert {key: flat[key] for key in expected} == expected
    assert space.search.keys() == full.search.keys()
    first = space.known_points()[0]
    assert first.keys() == {key for key in space.search if space.is_active(key, first)}
    assert all(space.search[key].contains(value) for key, value in first.items())
    assert space.scheduler.grace_epochs >= flat["fid.every"]


def test_demo_shrinks_searched_epochs() -> None:
    assert isinstance(epochs := demo_space(load_space(SPACE)).search["schedule.epochs"], IntRange)
    assert epochs.bounds[1] == DEMO_BASE["schedule.epochs"]


def test_an_extractor_with_other_weights_each_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"drawn_{tmp_path.name}"
    source = """
import torch
from trainers.metrics import Extractor

def seeded(weights):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 4, 3)
    class Means(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network
        def forward(self, images):
            return self.network(images / 255).mean((2, 3))
    return Extractor(Means(), protocol="seeded", dim=4)

def unseeded(weights):
    torch.seed()
    extractor = seeded(None)
    torch.nn.init.normal_(extractor.network.network.weight)
    return extractor
"""
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(EXTRACTORS_ENV, name)
    assert plan_with(tmp_path, fid_extractor=f"{name}:seeded").metric.startswith("fid_seeded_")
    with pytest.raises(UserError, match="has other weights each time that it is made"):
        plan_with(tmp_path, fid_extractor=f"{name}:unseeded")


def test_options_override_the_demo(tmp_path: Path) -> None:
    plan = plan_with(
        tmp_path, trials=3, workers_per_trial=2, settings=("schedule.epochs=20", "fid.n_fake=32", "data.batch_size=8")
    )
    assert (plan.trials, plan.resources.workers) == (3, 2)
    assert plan.space.base.schedule.epochs == 20
    assert plan.metric == "fid_efflite0_unit_64px_n32"
    assert "schedule.epochs" not in plan.space.search
    assert plan.tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_epochs_alone_take_the_schedule_along() -> None:
    space = apply_settings(load_space(SPACE), ["schedule.epochs=30"])
    schedule = space.base.schedule
    assert (schedule.epochs, schedule.window_first, space.base.fid.every) == (30, 22, 3)
    assert space.scheduler.grace_epochs == 3
    kept = apply_settings(load_space(SPACE), ["schedule.epochs=30", "schedule.window_first=5", "fid.every=10"])
    assert (kept.base.schedule.window_first, kept.base.fid.every) == (5, 10)


def test_few_fakes_alone_are_few_from_the_start() -> None:
    assert load_space(SPACE).base.fid.n_fake_first == 1000
    assert apply_settings(load_space(SPACE), ["fid.n_fake=256"]).base.fid.n_fake_first is None
    assert apply_settings(load_space(SPACE), ["fid.n_fake=5000"]).base.fid.n_fake_first == 1000
    with pytest.raises(UserError, match=r"fid\.n_fake_first 300 is more than fid\.n_fake 256"):
        apply_settings(load_space(SPACE), ["fid.n_fake=256", "fid.n_fake_first=300"])


def test_who_is_measured_again_can_be_set() -> None:
    assert load_space(SPACE).confirm == ConfirmConfig(top=3, seeds=3)
    assert apply_settings(load_space(SPACE), ["confirm.top=0"]).confirm == ConfirmConfig(top=0, seeds=3)
    with pytest.raises(UserError, match=r"confirm\.seeds: must be at least 1, got 0"):
        apply_settings(load_space(SPACE), ["confirm.seeds=0"])
    assert apply_settings(load_space(SPACE), ["confirm.train_seeds=2"]).most_repeats == 6
    with pytest.raises(UserError, match=r"confirm\.train_seeds: must be at least 0, got -1"):
        apply_settings(load_space(SPACE), ["confirm.train_seeds=-1"])


def test_settings_reach_base_and_scheduler() -> None:
    settings = ["optimizer.lr_g=3e-4", "data.fit=stretch", "scheduler.name=none", "optimizer.grad_clip_norm=null"]
    space = apply_settings(load_space(SPACE), settings)
    assert space.base.optimizer.lr_g == 3e-4
    assert space.base.data.fit == "stretch"
    assert space.scheduler.name == "none"
    assert not {"optimizer.lr_g", "data.fit"} & space.search.keys()
    assert "optimizer.lr_d" in space.search


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.lrg=1", "did you mean optimizer.lr_g?"),
        ("optimizer.lr_g", "write it as dotted.key=value"),
        ("optimizer.lr_g=fast", "optimizer.lr_g: needs a number"),
        ("optimizer.lr_g=-1", "optimizer.lr_g: must be greater than 0, got -1"),
        ("data.image_size=50", "data.image_size: must be 32, 64, 96, 128 or 256, got 50"),
        ("schedule.epochs=0", "schedule.epochs"),
        ("schedule.epochs=many", "schedule.epochs"),
        ("schedule.window_first=800", "window_first 800 is after"),
        ("scheduler.grace=2", "did you mean scheduler.grace_epochs?"),
        ("scheduler.reduction_factor=1", "greater than 1"),
        ("network.name=dcgann", "did you mean dcgan?"),
        ("loss.name=ralsgann", "did you mean ralsgan?"),
        ("fid.extractor=inceptoin", "did you mean inception?"),
    ],
)
def test_wrong_setting_is_one_clear_line(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_with(tmp_path, settings=(setting,))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"demo": False}, "no images: give a folder with --data DIR"),
        ({"name": "a/b"}, "letters, digits"),
        ({"time_budget": "soon"}, "write it as 2h, 30m, 1h30m or 90s"),
        ({"max_gpu_hours": "2", "gpus_per_worker": 0.0}, "--max-gpu-hours needs GPUs"),
        ({"workers_per_trial": 3, "cpus_per_worker": 0.1}, "cannot be shared by 3 workers"),
        ({"min_workers_per_trial": 2}, "--min-workers-per-trial 2: must be at most --workers-per-trial, which is 1"),
        ({**FOUR, "min_workers_per_trial": 3}, "must share every data.batch_size evenly, as 1, 2, 4 do"),
        (
            {**FOUR, "min_workers_per_trial": 2, "settings": ("runtime.sync_batchnorm=false",)},
            "--min-workers-per-trial 2: without runtime.sync_batchnorm a trial learns other things with fewer workers",
        ),
        ({"concurrency": 4096, "cpus_per_worker": 1.0}, "need 4096 CPUs"),
        ({"gpus_per_worker": 64.0}, "need 64 GPUs"),
        ({"workers_per_trial": 2, "gpus_per_worker": 0.5}, "2 workers of a trial with 0.5 GPUs each would share a GPU"),
        ({"fid_weights": Path("nowhere.pth"), "fid_extractor": "inception"}, "nowhere.pth"),
    ],
)
def test_wrong_option_is_one_clear_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_with(tmp_path, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trials_that_are_to_take_few_device_seconds_keep_their_ranks(tmp_path: Path) -> None:
    space = tmp_path / "pair.yaml"
    space.write_text(bundled_spaces()[SPACE].read_text() + "\nobjectives: [fid, device_seconds]\n")
    with pytest.raises(UserError, match="device_seconds would depend on which machines were there"):
        plan_with(tmp_path, space=str(space), sampler="nsga2", **FOUR, min_workers_per_trial=1)
    assert not plan_with(tmp_path, space=str(space), sampler="nsga2", **FOUR, min_workers_per_trial=4).resources.elastic


def test_a_gang_has_numbers_of_ranks_that_share_every_batch(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, **FOUR, min_workers_per_trial=1, settings=("data.batch_size=64",))
    assert gang_sizes(plan.space, plan.resources) == (1, 2, 4)
    assert gang_sizes(plan.space, replace(plan.resources, min_workers=None)) == (4,)
    searched = {"base": {"data": {"batch_size": 12}}, "search": {"data.batch_size": {"choice": [12, 24, 20]}}}
    assert gang_sizes(build_space("x", searched), replace(plan.resources, min_workers=1)) == (1, 2, 4)


def test_data_is_checked_before_anything_starts(tmp_path: Path, motorbikes: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="empty"):
        prepare_data(plan_with(tmp_path, data=empty))
    with pytest.raises(UserError, match=r"fewer images than one batch of 64"):
        prepare_data(plan_with(tmp_path, data=motorbikes, settings=("data.batch_size=64",)))
    caches = prepare_data(plan_with(tmp_path, data=motorbikes, settings=("data.batch_size=16",)))
    assert [len(cache) for cache in caches] == [48, 48]  # pad and stretch
    near = ("data.batch_size=16", "fid.metrics=[prdc]", "fid.neighbours=48")
    with pytest.raises(UserError, match=r"^fid\.neighbours 48: prdc needs more than 48 images to compare .* has 48$"):
        prepare_data(plan_with(tmp_path, data=motorbikes, settings=near))


def test_the_written_space_is_the_planned_one(tmp_path: Path) -> None:
    """Sampler, scheduler and objectives included; a later sweep with --warm-start reads it."""
    space = tmp_path / "pair.yaml"
    text = bundled_spaces()[SPACE].read_text() + "\nobjectives: [fid, device_seconds]\n"
    space.write_text(text)
    settings = ("sampler.population=6", "scheduler.brackets=2")
    plan = plan_with(tmp_path, space=str(space), sampler="nsga2", scheduler="hyperband", settings=settings)
    assert (plan.space.sampler.name, plan.space.sampler.population) == ("nsga2", 6)
    assert (plan.space.scheduler.name, plan.space.scheduler.brackets) == ("hyperband", 2)
    written = build_space(plan.space.name, parse_yaml(dump_yaml(space_as_yaml(plan.space)), "space.yaml"))
    assert written == plan.space


def test_resources_fill_the_machine() -> None:
    def chosen(available_cpus: int, available_gpus: int, **wishes: Any) -> Resources:
        asked = {"concurrency": None, "workers": None, "cpus": None, "gpus": None, "local": True, **wishes}
        return choose_resources(**asked, available_cpus=available_cpus, available_gpus=available_gpus)

    assert chosen(2, 0) == Resources(gangs=1, workers=1, cpus=1, gpus=0, threads=2)
    assert chosen(2, 0, workers=2) == Resources(gangs=1, workers=2, cpus=1, gpus=0, threads=1)
    assert chosen(16, 4) == Resources(gangs=4, workers=1, cpus=1, gpus=1, threads=4)
    assert chosen(16, 4, workers=2) == Resources(gangs=2, workers=2, cpus=1, gpus=1, threads=4)
    assert chosen(16, 1, gpus=0.2).gangs == 5
    assert chosen(16, 1, gpus=0.25) == Resources(gangs=4, workers=1, cpus=1, gpus=0.25, threads=4)
    assert chosen(1, 0, workers=2).cpus * 2 <= 1
    assert chosen(16, 2, workers=2, gpus=0.6).gangs == 1  # two ranks of 0.6 GPUs never share one
    # A cluster's head node may have no CPUs, and any number of ranks may wait for nodes.
    assert chosen(0, 0, local=False, cpus=1).cpus == 1 and chosen(0, 0, local=False, gpus=1).cpus == 1
    with pytest.raises(UserError, match=r"no CPU and no GPU for trials yet: .* --gpus-per-worker 1 --concurrency 4"):
        chosen(0, 0, local=False, concurrency=4)
    assert chosen(2, 0, local=False, concurrency=10_000).cpus == 0.01
    for wish in ({"concurrency": 100}, {"workers": 8}):
        with pytest.raises(UserError, match=r"ranks, this machine has 2 CPUs for at most 4"):
            chosen(2, 0, **wish)
    held = [chosen(16, 1, gpus=0.25), chosen(16, 4, workers=2), chosen(2, 0, workers=2)]
    assert [resources.devices for resources in held] == [0.25, 2, 2]


# Data of the other families


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "faces"
    draw_synthetic("faces", folder, count=40, broken=False)
    return folder


def prepared(tmp_path: Path, **options: Any) -> Plan:
    plan = plan_with(tmp_path, **options)
    return with_labels(plan, prepare_data(plan)[0])


def test_labels_of_a_space_are_checked_against_the_data(tmp_path: Path, faces: Path, motorbikes: Path) -> None:
    plan = prepared(tmp_path, space="acgan_anime", data=faces)
    assert plan.space.base.labels == load_space("acgan_anime").base.labels
    with pytest.raises(UserError, match=r"no image in .* has a class of 'hair': it has neither"):
        prepared(tmp_path, space="acgan_anime", data=flat_copy(motorbikes, tmp_path / "flat"))


def flat_copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.glob("bike*"):
        shutil.copy(path, target)
    return target


def test_labels_auto_are_those_of_the_data(tmp_path: Path, faces: Path) -> None:
    """Folders are the classes; the searched weights of the document's attributes are dropped."""
    by_class = tmp_path / "classes"
    for number, path in enumerate(sorted(faces.glob("*.*"))):
        if path.suffix != ".csv":
            folder = by_class / ("even" if number % 2 else "odd")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)
    with pytest.raises(UserError, match="it has class: even, odd; use these with --set labels=auto"):
        prepared(tmp_path, space="acgan_anime", data=by_class)
    plan = prepared(tmp_path, space="acgan_anime", data=by_class, settings=("labels=auto",))
    assert plan.space.base.labels == {"class": ("even", "odd")}
    assert plan.space.base.loss.class_weights == {}
    assert not [name for name in plan.space.search if "class_weights" in name]
    assert "noise.latent_sigma" in plan.space.search


def test_a_translation_needs_two_folders(tmp_path: Path, faces: Path) -> None:
    with pytest.raises(UserError, match="this family needs two folders of images"):
        prepare_data(plan_with(tmp_path, space="cyclegan_ukiyoe", data=faces))
    domains = tmp_path / "domains"
    draw_synthetic("domains", domains, count=20, broken=False)
    caches = prepare_data(plan_with(tmp_path, space="cyclegan_ukiyoe", data=domains))
    assert [Path(cache.report.source).name for cache in caches] == ["trainA", "trainB"]


@pytest.mark.parametrize(
    ("space", "setting", "message"),
    [
        ("acgan_anime", "labels={}", "family acgan needs labels"),
        ("acgan_anime", "loss.class_weights.hat=1", "did you mean loss.class_weights.hair?"),
        ("acgan_anime", "loss.name=ralsgan", "'separate' needs a loss"),
        ("dcgan_cars", "network.name=resnet_patchgan", "unknown network.name 'resnet_patchgan'"),
        (
            "dcgan_cars",
            "family=acgna",
            "unknown family 'acgna': did you mean acgan? valid: acgan, adv",
        ),
        ("acgan_anime", "family=cyclegna", "unknown family 'cyclegna': did you mean cyclegan?"),
        ("cyclegan_ukiyoe", "network.name=dcgan", "unknown network.name of family cyclegan 'dcgan'"),
        ("dcgan_pokemon", "data.image_size=96", "power of two"),
        ("r3gan_small", "regularizer.diffaugment=colour", "did you mean color?"),
        ("dcgan_pokemon", "regime.name=monitord", "did you mean monitored?"),
        ("dcgan_cars", "loss.real_label=1.5", "real_label"),
    ],
)
def test_what_does_not_fit_together_is_one_clear_line(tmp_path: Path, space: str, setting: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        settings = ("regime.d_updates=separate", setting) if space == "acgan_anime" else (setting,)
        plan_with(tmp_path, space=space, settings=settings)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("space", "setting", "message"),
    [
        ("dcgan_cars", "network.name=resnet_patchgan", "unknown network.name 'resnet_patchgan'"),  # has no labels
        ("cyclegan_ukiyoe", "loss.name=lsgn", "did you mean lsgan?"),
        ("acgan_anime", "network.name=dcgan_car", "did you mean dcgan_cars?"),
    ],
)
def test_unknown_labels_hide_nothing_else(tmp_path: Path, space: str, setting: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_with(tmp_path, space=space, settings=("labels=auto", setting))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_labels_may_wait_for_the_data(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, space="acgan_anime", settings=("labels=auto", "regime.d_updates=separate"))
    assert plan.space.base.labels == "auto" and "loss.class_weights.hair" in plan.space.search


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("loss.name=ralsgan",), "needs a loss that judges real images and fakes apart; got loss.name 'ralsgan'"),
        (
            ("regularizer.r1_gamma=1", "regularizer.gradient_penalty=0.5"),
            "allows no gradient penalty; got regularizer.gradient_penalty 0.5, regularizer.r1_gamma 1",
        ),
    ],
)
def test_what_forbids_separate_updates_is_named(tmp_path: Path, settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_with(tmp_path, space="acgan_anime", settings=("regime.d_updates=separate", *settings))
    assert str(caught.value).endswith(f"regime.d_updates 'separate' {message}")


@pytest.mark.parametrize("name", bundled_spaces())
def test_a_space_is_written_as_it_is_read(name: str) -> None:
    space = load_space(name)
    assert build_space(name, parse_yaml(dump_yaml(space_as_yaml(space)), "space.yaml")) == space


def test_rules_of_the_command_line_go_before_the_spaces(tmp_path: Path) -> None:
    block = tmp_path / "rules.yaml"
    block.write_text("pruning:\n  fid_plateau: off\n  d_collapse: {window: 3}\n")
    given = {rules: plan_with(tmp_path, rules=rules).space for rules in ("on", "off", str(block))}
    assert given["on"].pruning is True
    assert given["off"].pruning is False
    assert given[str(block)].pruning == {"fid_plateau": False, "d_collapse": {"window": 3}}
    written = space_as_yaml(plan_with(tmp_path, rules=str(block)).space)
    assert build_space("again", parse_yaml(dump_yaml(written), "x")).pruning == given[str(block)].pruning


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("nope.yaml", "cannot read the rules nope.yaml: No such file or directory"),
        ("BAD", "unknown rule 'fid_plato': did you mean fid_plateau"),
    ],
)
def test_rules_that_cannot_be_are_one_line(tmp_path: Path, rules: str, said: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("fid_plato: off\n")
    with pytest.raises(UserError, match=said):
        plan_with(tmp_path, rules=str(bad) if rules == "BAD" else rules)
