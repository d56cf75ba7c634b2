"""The command line as people type it, wrong things included."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from orchestrator.cli import main
from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import make_plan
from orchestrator.plan.saved import to_saved
from orchestrator.results.store import ResultsStore
from orchestrator.space.load import space_as_yaml
from tests.orchestrator.processes import marked, processes_with
from tests.orchestrator.sweep_helpers import begun, ended, keep
from trainers.run_report import RunEnd

DEMO = ["launch", "--space", "ralsgan_motorbike", "--demo"]


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["launch", "--space", "ralsgan_motorbik", "--demo"], "did you mean ralsgan_motorbike?"),
        (["launch", "--space", "ralsgan_motorbike"], "no images: give a folder with --data DIR"),
        ([*DEMO, "--data", "nowhere"], "nowhere"),
        ([*DEMO, "--set", "optimizer.lr=1"], "did you mean optimizer.lr_d or optimizer.lr_g?"),
        ([*DEMO, "--set", "lr_g=1"], "did you mean optimizer.lr_g? valid: confirm.*, cycle.*, data.*, family"),
        ([*DEMO, "--set", "regime.g_step=1"], "did you mean regime.g_steps? valid: regime.d_updates, regime.ema_"),
        ([*DEMO, "--set", "fid.every=2", "--set", "fid.every=3"], "--set fid.every is given twice: fid.every=2 and"),
        ([*DEMO, "--sampler", "gp", "--set", "sampler.name=tpe"], "--set sampler.name is given twice"),
        ([*DEMO, "--set", "data.batch_size=1024"], "fewer images than one batch of 1024"),
        ([*DEMO, "--address", "127.0.0.1:1"], "nothing answers at --address 127.0.0.1:1"),
        ([*DEMO, "--address", "somewhere"], "write HOST:PORT of the cluster's head node, or auto"),
        ([*DEMO, "--tracking-uri", "http://127.0.0.1:1"], "MLflow does not answer at http://127.0.0.1:1"),
        ([*DEMO, "--fid-extractor", "inception"], "--fid-weights FILE"),
        (["results", "nothing"], "unknown sweep"),
        (["spaces", "show", "ralsgan"], "did you mean ralsgan_motorbike?"),
        (["fid", "nowhere", "nowhere", "--fid-extractor", "efficientnet_lite0"], "nowhere is not a folder"),
        ([*DEMO, "--tracking-uri", "file:///tmp/mlruns"], "give http(s)://..., sqlite:///FILE.db"),
        ([*DEMO, "--sampler", "tpee"], "unknown sampler 'tpee': did you mean tpe?"),
        ([*DEMO, "--scheduler", "median-stop"], "unknown scheduler 'median-stop': did you mean median?"),
        ([*DEMO, "--storage", "sqlit"], "unknown --storage 'sqlit': did you mean sqlite?"),
        ([*DEMO, "--storage", "sqlite:////nowhere/at/all.db"], "cannot be opened: unable to open database file"),
        ([*DEMO, "--warm-start", "nothing"], "unknown sweep in sweeps 'nothing'"),
        ([*DEMO, "--narrow", "0.2"], "--narrow 0.2: only with --warm-start SWEEP"),
        ([*DEMO, "--time-budget", "0s"], "must be greater than 0"),
        ([*DEMO, "--max-gpu-hours", "-1"], "--max-gpu-hours '-1': must be greater than 0"),
        ([*DEMO, "--max-gpu-hours", "1", "--gpus-per-worker", "0"], "limit it with --time-budget"),
        ([*DEMO, "--target-fid", "low"], "--target-fid 'low': give a number"),
        ([*DEMO, "--set", "scheduler.grace_epochs=0"], "scheduler.grace_epochs: must be at least 1, got 0"),
        ([*DEMO, "--set", "family=acgna"], "unknown family 'acgna': did you mean acgan?"),
        ([*DEMO, "--set", "family=acgna", "--set", "labels=auto"], "did you mean acgan?"),
        (["resume", "nothing"], "unknown sweep"),
        (["lauch"], "did you mean launch?"),
    ],
)
def test_user_errors_are_one_line_and_exit_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights-here"))
    result = typed(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("gan-sweep: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "sweeps").exists()


def test_dry_run_starts_nothing(tmp_path: Path, motorbikes: Path) -> None:
    budgets = ["--trials", "9", "--time-budget", "2h", "--target-fid", "40"]
    result = typed(*DEMO, "--data", motorbikes, "--sweeps-dir", tmp_path / "s", "--dry-run", *budgets)
    assert result.exit_code == 0, result.output
    assert "nothing was started" in result.output
    assert "9 trials, at most 7200 s, until FID <= 40" in result.output and "48 usable" in result.output
    assert "fid_efflite0_unit_64px_n256" in result.output
    assert "synthetic" not in result.output
    assert not (tmp_path / "s").exists()


def test_a_dry_run_of_a_sweep_that_goes_on_starts_nothing(tmp_path: Path, motorbikes: Path) -> None:
    """Its plan is checked against the one it was launched with; what changed is said."""
    words = [*DEMO, "--data", motorbikes, "--sweeps-dir", tmp_path, "--name", "s", "--resume", "--dry-run"]
    data = {"space": "ralsgan_motorbike", "demo": True, "data": motorbikes, "sweeps_dir": tmp_path, "name": "s"}
    plan = make_plan(LaunchOptions(**data))
    store = begun(tmp_path / "s", to_saved(plan, prepare_data(plan)))
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0))
    log = (store.directory / "events.jsonl").read_bytes()
    result = typed(*words)
    assert result.exit_code == 0, result.output
    assert "going on: 1 trial over, 0 to go on from the last checkpoint, 0 waiting" in result.output
    assert "nothing was started" in result.output

    changed = [*words, "--sampler", "random"]
    refused = typed(*changed)
    assert (
        refused.exit_code == 2 and "sweep s has changed since its launch: sampler.name was 'tpe', is" in refused.stderr
    )
    assert typed(*changed, "--allow-changes").exit_code == 0
    refused = typed(*words, "--set", "data.batch_size=8", "--allow-changes")
    assert refused.exit_code == 2 and "launch a new sweep" in refused.stderr
    said = typed(*[w for w in words if w != "--resume"]).stderr
    assert f"`gan-sweep resume {tmp_path / 's'}` goes on with that sweep" in said

    assert (store.directory / "events.jsonl").read_bytes() == log
    assert store.read_plan().definition == space_as_yaml(plan.space)


def test_the_plan_says_how_it_searches(tmp_path: Path, motorbikes: Path) -> None:
    plan = [*DEMO, "--data", motorbikes, "--sweeps-dir", tmp_path, "--dry-run"]
    assert "sampler tpe, scheduler asha: every trial runs 4 epochs" in typed(*plan).output
    other = typed(*plan, "--sampler", "cmaes", "--scheduler", "hyperband", "--storage", "sqlite").output
    assert "sampler cmaes, scheduler hyperband: every trial runs 4 epochs" in other and "study in study.db" in other
    assert "sampler cmaes does not model these keys and draws them at random: data.flip_p, data.fit" in other
    learns = (
        "sampler nsga2 learns nothing from trials that asha does not train to their end; --scheduler none trains all"
    )
    assert learns in typed(*plan, "--sampler", "nsga2").output
    assert learns not in typed(*plan, "--sampler", "nsga2", "--scheduler", "none").output
    assert "learns nothing" not in typed(*plan, "--sampler", "gp").output


def test_many_fakes_without_a_gpu_are_hinted_at(tmp_path: Path, motorbikes: Path) -> None:
    plan = [*DEMO, "--data", motorbikes, "--sweeps-dir", tmp_path, "--dry-run", "--gpus-per-worker", "0"]
    assert "10000 fakes per FID take long" in typed(*plan, "--set", "fid.n_fake=10000").output
    assert "take long" not in typed(*plan).output


def test_layers_that_would_be_frozen_at_random_are_said(tmp_path: Path, motorbikes: Path) -> None:
    plan = [*DEMO, "--data", motorbikes, "--sweeps-dir", tmp_path, "--dry-run"]
    assert "init.freeze_d_layers 2 freezes random layers" in typed(*plan, "--set", "init.freeze_d_layers=2").output
    assert "freezes random layers" not in typed(*plan).output


def test_results_as_table_and_json(tmp_path: Path) -> None:
    store = begun(tmp_path / "s")
    keep(store, ended("0000", RunEnd.COMPLETED, 80.0), ended("0001", RunEnd.NONFINITE, None))
    table = typed("results", "s", "--sweeps-dir", tmp_path).output
    assert "0000 *" in table and "80.0" in table and "nonfinite" in table
    assert "s: interrupted, 2 of 3 trials" in table and "its driver died at" in table
    summary = json.loads(typed("results", "s", "--json", "--sweeps-dir", tmp_path).output)
    assert summary["best"]["trial_id"] == "0000"
    assert len(summary["trials"]) == 2
    assert summary["status"] == "interrupted" and summary["detail"].startswith("its driver died at")


def test_spaces() -> None:
    assert "ralsgan_motorbike" in typed("spaces", "list").output
    shown = typed("spaces", "show", "ralsgan_motorbike").output
    assert "optimizer.lr_g" in shown and "0.0001 to 0.002, log" in shown and "550 to 750, step 50" in shown


def test_fid_of_a_folder_with_itself_is_zero(tmp_path: Path, motorbikes: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted(motorbikes.glob("*.png"))[:6]:
        with Image.open(path) as picture:
            picture.convert("RGB").save(pictures / path.name)
    result = typed("fid", pictures, pictures, "--fid-extractor", "efficientnet_lite0", "--json")
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)  # a note on the sizes of the pictures goes elsewhere
    assert measured["name"] == "fid_efflite0_unit_64px_n6"
    assert measured["value"] == pytest.approx(0, abs=1e-3)


def test_help_is_instant() -> None:
    """Nothing heavy is imported for help: torch alone takes seconds."""
    code = "import sys; from click.testing import CliRunner; from orchestrator.cli import main; "
    code += "CliRunner().invoke(main, ['launch', '--help']); "
    code += "print(sorted({'torch', 'ray', 'mlflow'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


LONG = ("--set", "schedule.epochs=5000", "--set", "fid.every=4", "--set", "fid.n_fake=8")
ON_TERMINAL = """
import os, sys
os.login_tty(int(sys.argv[1]))
os.execv(sys.executable, [sys.executable, "-m", "orchestrator.cli", *sys.argv[2:]])
"""


def check_stopped_in_order(store: ResultsStore, marker: str) -> None:
    summary = store.summary()
    assert summary["status"] == "interrupted"
    (trial,) = summary["trials"]
    assert (trial["state"], trial["verdict"]) == ("STOPPED", "interrupted")
    assert trial["epochs"] >= 8
    assert not list(processes_with(marker))
    assert "core dump" not in (store.directory / "sweep.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_to_the_process_group_leaves_a_readable_sweep_and_no_process(
    tmp_path: Path, motorbikes: Path, number: signal.Signals
) -> None:
    """As a shell sends Ctrl-C, and `timeout`, Slurm and systemd send SIGTERM: to Ray's processes too, if it could."""
    marker, environment = marked()
    sweeps = tmp_path / "sweeps"
    arguments = [*DEMO, "--data", str(motorbikes), "--sweeps-dir", str(sweeps), "--name", "stopped", *LONG]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if "epoch 8/" in line:
            os.killpg(process.pid, number)
    code = process.wait(60)
    process.stdout.close()
    for end in (leader, follower):
        os.close(end)
    text = "".join(shown)
    assert code == 130, text
    assert "Traceback" not in text
    assert "gan-sweep results" in text
    check_stopped_in_order(ResultsStore(sweeps / "stopped"), marker)


def test_a_closed_terminal_leaves_a_readable_sweep_and_no_process(tmp_path: Path, motorbikes: Path) -> None:
    """As a dropped SSH session does: the kernel sends SIGHUP, and every later write to the screen fails."""
    marker, environment = marked()
    sweeps = tmp_path / "sweeps"
    arguments = [*DEMO, "--data", str(motorbikes), "--sweeps-dir", str(sweeps), "--name", "closed", *LONG]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, str(follower), *arguments], pass_fds=[follower], env=environment
    )
    os.close(follower)
    shown = b""
    while not re.search(rb"\d{2,}/5000", shown):  # the table is drawn four times a second: it may skip numbers
        shown += os.read(leader, 4096)
    os.close(leader)
    assert process.wait(60) == 130
    check_stopped_in_order(ResultsStore(sweeps / "closed"), marker)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume"], "--resume: give the sweep's name too: --name SWEEP"),
        (["--name", "s", "--allow-changes"], "--allow-changes: only with --resume"),
    ],
)
def test_options_of_a_launch_that_goes_on_want_each_other(words: list[str], said: str, tmp_path: Path) -> None:
    result = typed(*DEMO, "--sweeps-dir", tmp_path, "--dry-run", *words)
    assert (result.exit_code, result.stderr) == (2, f"gan-sweep: {said}\n")
