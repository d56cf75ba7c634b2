"""``gan-sweep cluster``: files are written, checked, and handed to Ray, kubectl or Slurm."""

import os
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cluster.actions import ClusterFile, check_ready, command_for
from cluster.clouds import CLOUDS
from cluster.errors import ClusterError
from cluster.render import RenderOptions, render
from orchestrator.cli import main

ACTIONS = ("up", "down", "status", "ssh", "dashboard", "mlflow", "logs")


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, ["cluster", *map(str, words)])


def test_what_is_rendered_is_right_and_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "aws.yaml"
    made = typed("render", "aws", "--gpu-type", "A10G", "--bucket", "my-sweeps", "--max-workers", 7, "-o", file)
    assert made.exit_code == 0 and f"gan-sweep cluster validate {file}" in made.output
    options = RenderOptions(gpu_type="A10G", bucket="my-sweeps", max_workers=7)
    assert (
        file.read_text()
        == render("aws", options)
        == typed("render", "aws", "--gpu-type", "A10G", "--bucket", "my-sweeps", "--max-workers", 7).stdout
    )
    assert typed("validate", file).output.startswith(f"{file}: ok; to fill in before `up`: {file}:")
    file.write_text(file.read_text().replace("sg-REPLACE-ME", "sg-0123456789abcdef0"))
    assert typed("validate", file).output == f"{file}: ok\n"
    file.write_text(render("aws", options))
    again = typed("render", "aws", "-o", file)
    assert again.exit_code == 2 and "is there already, and is not overwritten" in again.stderr
    assert file.read_text() == render("aws", options)


def test_each_mistake_is_a_line_and_the_exit_code_is_2(tmp_path: Path) -> None:
    good, wrong = tmp_path / "good.yaml", tmp_path / "wrong.yaml"
    good.write_text(text := render("gcp", RenderOptions()))
    wrong.write_text(text.replace("idle_timeout_minutes: 5", "idle_timout_minutes: 5"))
    line = wrong.read_text().splitlines().index("idle_timout_minutes: 5") + 1
    found = typed("validate", good, wrong)
    assert found.exit_code == 2 and found.stdout.startswith(f"{good}, {wrong}: ")
    assert any(
        said.startswith(f"{wrong}:{line}: idle_timout_minutes: ")
        and said.endswith("did you mean 'idle_timeout_minutes'?")
        for said in found.stderr.splitlines()
    )
    assert str(good) not in found.stderr


@pytest.mark.parametrize("cloud", [cloud for cloud in CLOUDS if cloud != "slurm"])  # whose script has no gap
def test_nothing_starts_from_a_file_with_a_gap(cloud: str, tmp_path: Path) -> None:
    """What the options did not say has to be filled in."""
    file = tmp_path / "c.yaml"
    file.write_text(render(cloud, RenderOptions()))
    unfilled = ClusterFile.read(file).unfilled
    assert unfilled and all("REPLACE" in file.read_text().splitlines()[number - 1] for number in unfilled)
    checked = typed("validate", file)
    lines = ",".join(map(str, unfilled))
    assert checked.exit_code == 0 and checked.stdout.endswith(f"; to fill in before `up`: {file}:{lines}\n")
    result = typed("up", file)
    assert result.exit_code == 2 and f"REPLACE-ME in line {unfilled[0]}" in result.stderr and not result.stdout


def test_nothing_starts_without_the_files_that_it_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    options = RenderOptions(bucket="s3://b", security_group="sg-0123456789abcdef0")
    (tmp_path / "c.yaml").write_text(render("aws", options))
    wheel = f"dist/gan_sweep-{version('gan-sweep')}-py3-none-any.whl"
    result = typed("up", "c.yaml")
    missing = f"c.yaml sends files that are not here: ~/.ray/auth_token, requirements.lock, {wheel}: its first comments"
    assert result.exit_code == 2 and result.stderr.startswith(f"gan-sweep: {missing}") and not result.stdout


@pytest.mark.parametrize("cloud", CLOUDS)
def test_commands_are_those_of_rays_launcher_kubectl_or_slurm(cloud: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(render(cloud, RenderOptions(name="mine")))
    read = ClusterFile.read(file)
    assert read.cloud is CLOUDS[cloud] and read.name == "mine"
    words = {action: command_for(action, read, yes=True, port=9000) for action in ACTIONS if _has(cloud, action)}
    program = {"ray": "ray", "kuberay": "kubectl", "slurm": "sbatch"}[CLOUDS[cloud].kind]
    assert Path(words["up"][0]).name == program and str(file) in words["up"]
    if program == "ray":
        assert words["up"][1:] == ["up", str(file), "--yes"] and words["down"][1:] == ["down", str(file), "--yes"]
        assert command_for("down", read)[1:] == ["down", str(file)], "Ray asks"
        assert words["dashboard"][-2:] == ["--port", "9000"]
        assert words["mlflow"][-4:] == ["--port", "9000", "--remote-port", "5000"]
    if program == "sbatch":
        assert words["down"][0] == "bash" and words["down"][3:] == ["scancel", "--me", "--name", "mine"]
        with pytest.raises(ClusterError, match=r"^cluster dashboard: there is none for Slurm"):
            command_for("dashboard", read)
    if program == "kubectl":
        assert words["down"] == ["kubectl", "delete", "--filename", str(file)]
        assert "9000:8265" in words["dashboard"] and "9000:5000" in words["mlflow"]


@pytest.mark.parametrize(
    ("words", "answer", "code", "ended"),
    [(["--yes"], "", 0, True), ([], "y\n", 0, True), ([], "n\n", 1, False), ([], "", 2, False)],
)
def test_what_ends_a_cluster_is_shown_before_it_is_asked_about(
    words: list[str], answer: str, code: int, ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kubectl := tmp_path / "kubectl").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("KUBECONFIG", str(kubectl))
    (file := tmp_path / "c.yaml").write_text(render("kuberay", RenderOptions(name="mine")))
    result = CliRunner().invoke(main, ["cluster", "down", str(file), *words], input=answer)
    question = "" if words else f"end mine? [y/N]: {answer}"
    assert result.exit_code == code and (tmp_path / "called").exists() == ended
    assert result.stdout == f"$ kubectl delete --filename {file}\n{question}" + ("\n" if code == 2 else "")
    if code == 2:
        said = "gan-sweep: nobody answers, and mine was not ended: --yes ends it without asking\n"
        assert result.stderr == said


def _has(cloud: str, action: str) -> bool:
    return CLOUDS[cloud].kind != "slurm" or action in ("up", "down", "status", "ssh")


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        ("slurm", "sbatch is not installed; slurm needs sbatch on the machine"),
        ("azure", "the Python package of azure.identity is not installed; azure needs pip install"),
        ("aws", r"no credentials: none of \$AWS_ACCESS_KEY_ID, .* is there; aws needs pip install boto3, and cred"),
    ],
)
def test_what_this_machine_lacks_is_said(
    cloud: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (place for row in CLOUDS.values() for place in row.credentials if place.startswith("$")):
        monkeypatch.delenv(place[1:], raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=f"^{said}"):
        check_ready(CLOUDS[cloud])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", ":1:5: is no YAML: expected the node content"),
        ("a: 1\n", "is no cluster file: no `provider`"),
        ("provider: {type: awz}\n", "did you mean aws?"),
    ],
)
def test_what_is_no_cluster_file(text: str, said: str, tmp_path: Path) -> None:
    (file := tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ClusterError) as error:
        ClusterFile.read(file)
    assert said in str(error.value) and "\n" not in str(error.value)
