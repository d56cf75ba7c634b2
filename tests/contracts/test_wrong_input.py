"""The contract of wrong input: every option and argument of every command refuses it in one line and leaves nothing.

The parameters come from click's own objects, so that a new one is tested without a line here, unless it is a text with
rules of its own: then `TEXTS` must say what is wrong for it.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cluster.render import RenderOptions, render
from orchestrator.cli import main
from orchestrator.commands.parameters import (
    FileToRead,
    FileToWrite,
    FolderToMake,
    FolderToRead,
    Number,
    SweepsFolder,
    Text,
)
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.resources import Resources
from orchestrator.plan.saved import fingerprint_of, from_saved
from orchestrator.results.records import TrialRecord
from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import load_space
from orchestrator.space.overrides import apply_settings
from tests.contracts.wrong_values import HUGE, TEXTS, WRONG
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, keep
from tests.trainers.trainer_helpers import checkpoint, small_config
from trainers.config import TrainConfig
from trainers.errors import UserError
from trainers.run_report import RunEnd

# Their own check names the option.
_NAMED = FolderToRead | FileToRead | FolderToMake | SweepsFolder | FileToWrite | Number
VALID = {
    "budget": ["s", "--trials", "2"],
    "cluster dashboard": ["cluster.yaml"],
    "cluster mlflow": ["cluster.yaml"],
    "cluster down": ["cluster.yaml"],
    "cluster list": [],
    "cluster logs": ["cluster.yaml"],
    "cluster render": ["aws"],
    "cluster show": ["aws"],
    "cluster ssh": ["cluster.yaml"],
    "cluster status": ["cluster.yaml"],
    "cluster up": ["cluster.yaml"],
    "cluster validate": ["cluster.yaml"],
    "compare": ["s", "s"],
    "launch": ["--space", "ralsgan_motorbike", "--demo", "--data", "photos", "--dry-run"],
    "data prepare": ["photos", "new"],
    "data inspect": ["photos"],
    "doctor": [],
    "export": ["s", "--out", "model"],
    "extend": ["s", "--epochs", "2", "--data", "photos", "--dry-run"],
    "evaluate": ["photos", "photos", "--fid-extractor", "efficientnet_lite0"],
    "fid": ["photos", "photos", "--fid-extractor", "efficientnet_lite0"],
    "generate": ["s", "--out", "fakes", "--count", "2"],
    "replay": ["log.csv"],
    "report": ["s", "-o", "report.html"],
    "results": ["s"],
    "resume": ["s"],
    "status": ["s"],
    "stop": ["s"],
    "sync": ["s"],
    "trial add": ["s", "optimizer.lr_g=0.0005"],
    "trial stop": ["s", "0001"],
    "ui": ["s"],
    "watch": ["s"],
    "serve": ["s", "--ray", "--trial", "0001"],
    "spaces list": [],
    "spaces new": ["new.yaml"],
    "spaces schema": [],
    "spaces show": ["ralsgan_motorbike"],
}
_OVER = "sweep s does not run: finished"
_NO_TOOL = "the Python package of azure.identity is not installed"
NOTHING_LEFT = {
    **{f"cluster {action}": _NO_TOOL for action in ("dashboard", "down", "logs", "mlflow", "ssh", "status")},
    "cluster up": "REPLACE-ME in line",
    **dict.fromkeys(("budget", "stop", "trial add", "trial stop", "watch"), _OVER),
    "extend": "generator of another kind: data.image_size is 32 there and 128 here",
    "resume": "sweep s is finished: 2 of 2 trials; more: --trials 4",
    "serve": "has no checkpoint of its best epoch",
    "sync": "MLflow has not taken everything",
}


def leaves(group: click.Group = main, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        words = f"{name} {word}".strip()
        if isinstance(command, click.Group):
            yield from leaves(command, words)
        else:
            yield words, command


def wrong_values(words: str, parameter: click.Parameter) -> tuple[str, ...]:
    kind = type(parameter.type)
    assert kind in WRONG, f"{parameter.opts[0]}: give it a type of orchestrator/commands/parameters.py, not {kind}"
    if isinstance(parameter.type, Number):
        least = parameter.type.least
        zero = ("0",) if least > 0 or parameter.type.above else ()
        return (*WRONG[kind], *zero, str(int(parameter.type.most) + 1))
    if kind is not Text:
        return WRONG[kind]
    name = parameter.opts[0]
    assert name in TEXTS, f"{name}: say in TEXTS what is wrong for it"
    return (*WRONG[Text], *TEXTS.get(f"{words} {name}", TEXTS[name]))


def cases() -> Iterator[Any]:
    """Command line, and a short name of the case."""
    for words, command in leaves():
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
                continue
            for value in wrong_values(words, parameter):
                valid = list(VALID[words])
                if isinstance(parameter, click.Argument):
                    valid[arguments.index(parameter)] = value
                    line = [*words.split(), *valid]
                else:
                    line = [*words.split(), *valid, parameter.opts[0], value]
                shown = ascii(value if len(value) <= 24 else f"{value[:8]}x{len(value)}")
                checked = isinstance(parameter, click.Option) and isinstance(parameter.type, _NAMED)
                named = max(parameter.opts, key=len) if checked else ""
                yield pytest.param(line, named, id=f"{words} {parameter.opts[0]} {shown}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what wrong values may name, and a right value for every argument."""
    home = tmp_path_factory.mktemp("home")
    (home / "file.txt").write_text("text\n")
    (home / "loop").symlink_to("loop")
    (home / "dangling").symlink_to("gone")
    os.mkfifo(home / "pipe")
    for name, mode in (("folder", 0o777), ("photos", 0o777), ("sweeps", 0o777), ("shut", 0)):
        (home / name).mkdir(mode=mode)
    for number in range(40):
        Image.new("RGB", (40, 30), (6 * number, 90, 120)).save(home / "photos" / f"{number}.png")
    (home / "log.csv").write_text("step,d_loss,g_loss,fid\n" + "".join(f"{i},1,1,{99 - i}\n" for i in range(30)))
    (home / "cluster.yaml").write_text(render("azure", RenderOptions()))  # of a cloud that the tests cannot reach
    resources = asdict(Resources(gangs=1, workers=1, cpus=1.0, gpus=0.0, threads=1))
    space = {"base": {"data": {"batch_size": 8}}, "search": {"optimizer.lr_g": {"float": [1e-4, 1e-2]}}}
    plan = replace(PLAN, trials=2, tracking_uri="http://127.0.0.1:1", resources=resources, definition=space)
    again = replace(from_saved(plan, home / "sweeps" / "s", space), data=home / "photos", cache_dir=home / "cache")
    store = begun(home / "sweeps" / "s", replace(plan, fingerprint=fingerprint_of(prepare_data(again))))
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0), TrialRecord("0001", {}, 4, 0.0))
    close(store, SweepStatus.FINISHED)
    checkpoint(store.trials_dir / "0000" / "best.pt", small_config())
    return home


@pytest.fixture(autouse=True)
def in_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("GAN_SWEEP_CACHE", str(home / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def refused(home: Path, *words: str) -> str:
    """The one line with which these words are refused; nothing is left behind."""
    before = sorted(path for path in home.rglob("*"))
    result = typed(*words)
    assert result.exit_code == 2, f"{result.output}\n{result.exception!r}"
    assert result.stderr.startswith("gan-sweep: ") and result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.output and len(result.stderr) < 1500
    assert sorted(path for path in home.rglob("*")) == before
    return result.stderr


@pytest.mark.timeout(60)  # a pipe that is opened waits for ever
@pytest.mark.parametrize(("words", "named"), list(cases()))
def test_a_wrong_value_is_one_line_and_leaves_nothing(words: list[str], named: str, home: Path) -> None:
    said = refused(home, *words)
    assert f"gan-sweep: {named}" in said
    assert not any(text in said for text in NOTHING_LEFT.values()), "something else was refused"


def test_every_command_has_a_valid_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is the wrong value which is refused above."""
    assert {words for words, _ in leaves()} == set(VALID)
    monkeypatch.setenv("GAN_SWEEP_CACHE", str(tmp_path / "cache"))
    instead = {name: str(tmp_path / name) for name in ("new", "new.yaml", "model", "fakes", "report.html")}
    for words, valid in VALID.items():
        more = ["--sheet", str(tmp_path / "sheet.png")] if words == "data inspect" else []
        result = typed(*words.split(), *(instead.get(word, word) for word in valid), *more)
        nothing_left = NOTHING_LEFT.get(words, "")
        assert result.exit_code == (2 if nothing_left else 0) and nothing_left in result.stderr, result.output


def test_going_on_wants_a_sweep_that_is_there_and_has_not_changed(home: Path) -> None:
    assert "--tracking-uri http://127.0.0.1:2: s uses http://127.0.0.1:1" in refused(
        home, "resume", "s", "--tracking-uri", "http://127.0.0.1:2"
    )
    assert "--max-gpu-hours needs GPUs" in refused(home, "resume", "s", "--max-gpu-hours", "2")
    assert "--max-cost 5: the price of its machine is not known: " in refused(home, "resume", "s", "--max-cost", "5")
    assert "its target FID is reached: a lower --target-fid goes on" in refused(
        home, "resume", "s", "--target-fid", "80"
    )
    assert "sweeps/s exists already" in refused(home, *VALID_LAUNCH, "--name", "s")


def test_money_wants_a_price_that_somebody_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = (*VALID_LAUNCH, "--gpus-per-worker", "0", "--max-cost", "5")
    assert "give launch or resume --head-price X, US dollars per hour, or set $GAN_SWEEP_HEAD_PRICE" in refused(
        home, *limited
    )
    assert "--max-cost 5: the price of its machine is not known" in refused(home, "budget", "s", "--max-cost", "5")
    monkeypatch.setenv("GAN_SWEEP_HEAD_PRICE", "cheap")
    assert "$GAN_SWEEP_HEAD_PRICE 'cheap': give a number" in refused(home, *limited)
    monkeypatch.setenv("GAN_SWEEP_HEAD_PRICE", "0.192")
    assert typed(*limited).exit_code == 0


@pytest.mark.parametrize("words", [words for words, _ in leaves()])
def test_a_wrong_word_names_the_nearest(words: str, home: Path) -> None:
    assert "No such option '--hepl': did you mean --help? valid: " in refused(home, *words.split(), "--hepl")


def test_wrong_words_before_any_command(home: Path) -> None:
    assert "did you mean --version?" in refused(home, "--versoin")
    assert "Missing option '--space' (`main launch --help` says more)" in refused(home, "launch")
    assert "give two folders, or one and --sweep NAME, or --sweep NAME alone" in refused(home, "fid", "photos")
    assert "unexpected extra argument (x)" in refused(home, "results", "s", "x")


NUMBERS = [name for name, value in TrainConfig().flat().items() if type(value) in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1e400", 10**30, "many", "1e400x"])
def test_a_number_of_the_config_is_finite(name: str, value: Any) -> None:
    whole = isinstance(TrainConfig().flat()[name], int)
    if value == 10**30 and not whole:
        return  # any finite float
    with pytest.raises(UserError, match=name) as caught:
        TrainConfig.build({}, {name: value})
    assert "\n" not in str(caught.value) and str(caught.value).count("got") <= 1


@pytest.mark.parametrize(
    "name",
    [
        *("scheduler.grace_epochs", "scheduler.reduction_factor", "scheduler.brackets", "fid.min_diversity"),
        *("sampler.startup", "confirm.top", "confirm.seeds", "confirm.train_seeds"),
    ],
)
@pytest.mark.parametrize("value", [".nan", ".inf", "-1", HUGE, "many"])
def test_a_number_of_a_section_is_finite(name: str, value: str) -> None:
    with pytest.raises(UserError, match=name):
        apply_settings(load_space("ralsgan_motorbike"), [f"{name}={value}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: {}\nsearch: {}\nbase: {}\n", "line 3, column 1 the key 'base' stands twice"),
        ("base: {seed: 1, seed: 2}\nsearch: {}\n", "the key 'seed' stands twice"),
        ("base: &a {seed: *a}\nsearch: {}\n", "an alias stands inside what it names"),
        ("base: {}\nsearch: {data.fit: {choice: [pad, pad]}}\n", "the value pad stands twice"),
        ("base: {seed: .nan}\nsearch: {}\n", "seed"),
        (f"base: {{}}\nsearch: {{}}\ntrials: {HUGE}\n", "trials: must be at most 1000000"),
        (f"base: {{}}\nsearch: {{network.base_width: {{int: [1, {HUGE}]}}}}\n", "network.base_width"),
        ("base: {}\nsearch: {optimizer.lr_g: {float: [.nan, 1]}}\n", "two finite numbers"),
        ("base: {}\nsearch: {optimizer.lr_g: {choice: [.inf, 1]}}\n", "finite"),
        ("base: {loss: {name: 2020-99-99}}\nsearch: {}\n", "month must be in 1..12"),
        (f"base: {{seed: {'9' * 5000}}}\nsearch: {{}}\n", "too many digits"),
        (f"base: {{seed: 0x{'f' * 5000}}}\nsearch: {{}}\n", "too many digits"),
        ("[" * 3000, "nested too deeply"),
        ("base: {}\nsearch: {}\npruning: {fid_plateau: {patience: .nan}}\n", "fid_plateau"),
    ],
)
def test_a_wrong_space_file(text: str, message: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(text)
    assert message in refused(home, "launch", "--space", str(tmp_path / "space.yaml"), "--data", "photos", "--dry-run")


def test_a_rules_file_with_a_key_twice(home: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("fid_plateau: off\nfid_plateau: on\n")
    assert "stands twice" in refused(home, *VALID_LAUNCH, "--rules", str(tmp_path / "rules.yaml"))


VALID_LAUNCH = ["launch", *VALID["launch"]]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--concurrency", "100"], "are 100 ranks, this machine has 2 CPUs for at most 4"),
        (["--workers-per-trial", "8"], "are 8 ranks, this machine has 2 CPUs for at most 4"),
        (["--concurrency", "9999", "--cpus-per-worker", "0.0001"], "GB of memory"),
        (["--set", "network.base_width=100000"], "GB with gradients and moments)"),
        (["--set", "network.base_width=1000000000"], "cannot be built"),
        (["--set", "network.latent_dim=1000000000"], "GB of memory (dcgan with network.base_width 24"),
        (["--gpus-per-worker", "1.5"], "a whole number of GPUs"),
        (["--set", "data.batch_size=64"], "fewer images than one batch of 64: 40 files"),
        (["--sweeps-dir", "/proc/sweeps"], "nothing can be written in /proc"),
        (
            ["--scheduler", "ahsa"],
            "unknown scheduler 'ahsa': did you mean asha? valid: asha, asha_stopping, hyperband, hyperband_stopping, ",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_images_are_decoded(
    more: list[str], message: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.plan.plan.machine", lambda: (2, 0))
    assert message in refused(home, *VALID_LAUNCH, *more)


def test_folders_are_looked_at_before_weights_are_asked_for(home: Path) -> None:
    launch = ["launch", "--space", "ralsgan_motorbike", "--data"]
    assert "--data: photo is not a folder: it does not exist; did you mean photos?" in refused(home, *launch, "photo")
    assert "folder has fewer images" in refused(home, *launch, "folder")
    assert "FID needs at least 2 images, folder has 0" in refused(home, "fid", "photos", "folder")


def test_copies_of_one_image_are_refused(home: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(40):
        shutil.copy("photos/0.png", copies / f"{number}.png")
    launch = ["launch", "--space", "ralsgan_motorbike", "--demo", "--dry-run", "--data", str(copies)]
    assert "are copies of 1: FID compares how images vary" in refused(home, *launch)
    for number in range(40):  # other bytes, the same pixels
        with Image.open("photos/0.png") as image:
            image.save(copies / f"{number}.png", compress_level=number % 10, dpi=(72, 1 + number))
    before = set(home.iterdir())
    result = typed(*launch)
    assert result.exit_code == 2 and "the 40 images" in result.stderr and "are copies of 1" in result.stderr
    for path in set(home.iterdir()) - before:
        shutil.rmtree(path)  # the decoded images, which another launch could use


@pytest.mark.parametrize("place", ["sweeps/s", "sweeps/s/trials", "sweeps", "."])
def test_a_sweep_is_no_folder_of_images(place: str, home: Path) -> None:
    (home / "sweeps" / "s" / "trials").mkdir(exist_ok=True)
    launch = ["launch", "--space", "ralsgan_motorbike", "--demo", "--dry-run", "--sweeps-dir", "/tmp/elsewhere"]
    for words in ([*launch, "--data", place], ["data", "prepare", place, "/tmp/elsewhere-new"]):
        assert "whose grids are no images to train on" in refused(home, *words)


def test_a_pipe_among_the_images(home: Path, tmp_path: Path) -> None:
    piped = tmp_path / "piped"
    shutil.copytree("photos", piped)
    os.mkfifo(piped / "a.png")
    assert "it is not a regular file" in refused(home, "fid", "photos", str(piped))
    os.mkfifo(piped / "tags.csv")
    result = typed("data", "inspect", str(piped), "--sheet", str(tmp_path / "sheet.png"))
    assert result.exit_code == 0 and "1 unreadable" in result.output


def test_a_dry_run_makes_no_database(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_SWEEP_CACHE", str(tmp_path / "cache"))
    for option in ("--tracking-uri", "--storage"):
        before = sorted(home.rglob("*"))
        result = typed(*VALID_LAUNCH, option, "sqlite:///new.db")
        assert result.exit_code == 0, result.output
        assert sorted(home.rglob("*")) == before


def test_a_refused_folder_leaves_no_cache(home: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(40):
        (texts / f"{number}.txt").write_text(str(number))
    launch = ["launch", "--space", "ralsgan_motorbike", "--demo", "--dry-run", "--data", str(texts)]
    assert "no usable image among the 40 files" in refused(home, *launch)


def test_fid_takes_prepared_datasets_and_is_never_below_zero(home: Path, tmp_path: Path) -> None:
    prepared = str(tmp_path / "prepared")
    assert typed("data", "prepare", "photos", prepared, "--size", "64").exit_code == 0
    for pair in ((prepared, prepared), ("photos", prepared), ("photos", "photos")):
        result = typed("fid", *pair, "--fid-extractor", "efficientnet_lite0")
        assert result.exit_code == 0 and "(40 and 40 images)" in result.output, result.output
        assert " -" not in result.stdout
