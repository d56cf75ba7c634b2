"""``--cluster``: the command line, a real Ray cluster with its token and jobs server, and a laptop that dies."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest
import yaml
from click.testing import CliRunner

from cluster.jobs import Head, Job
from cluster.render import RenderOptions, render
from cluster.token import own_token, why_refused
from orchestrator.cli import main
from orchestrator.commands.elsewhere import _follow, _Words, driver_among
from orchestrator.commands.launch import command as launch
from orchestrator.commands.travelling import Receiver, at_home, send
from orchestrator.results.argument import VIA, argument_of, files_argument_of
from orchestrator.results.store import ResultsStore
from orchestrator.sweep.ray_session import WantsToken, check_answers
from tests.faults.processes import CONTROLLER, RANKS, free_port
from tests.faults.ray_cluster import Cluster, Host, ray_cluster
from tests.orchestrator.sweep_helpers import SMALL
from trainers.errors import UserError

NOWHERE = "http://127.0.0.1:1"


class Killed:
    """A head whose job was killed."""

    given = NOWHERE

    def follow(self, job: str, show: object) -> int:
        return -9


def test_the_death_of_a_driver_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert _follow(cast(Head, Killed()), "a job", "far") == 1
    said = f"gan-sweep: the driver of far has died; gan-sweep resume far --cluster {NOWHERE} goes on with it\n"
    assert capsys.readouterr().err == said


def words_of(**given: object) -> _Words:
    return _Words(click.Context(launch, info_name="launch"), launch, given)


def test_words_are_those_that_were_typed_and_files_travel(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("base: {}\n")
    space, data = str(tmp_path / "my.yaml"), "s3://bucket/photos"
    words = words_of(space=space, data=data, demo=True, trials="3", settings=("a.b=1", "c=-x"), name="n")
    assert words.sweep == "n" and words.files == {space: tmp_path / "my.yaml"}
    typed = words.all(["launch"], {tmp_path / "my.yaml": "given/0/my.yaml"})
    expected = ["launch", "--space=given/0/my.yaml", f"--data={data}", "--name=n", "--demo", "--trials=3"]
    assert typed == [*expected, "--set=a.b=1", "--set=c=-x"]
    assert words_of(space="ralsgan_motorbike", data="/photos").all(["launch"], {})[1:] == [
        "--space=ralsgan_motorbike",
        "--data=/photos",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": "photos"}, "--data photos: with --cluster give a URI, or an absolute path"),
        ({"sweeps_dir": "sweeps"}, "--sweeps-dir sweeps: with --cluster give a URI"),
        (
            {"tracking_uri": "sqlite:///my.db"},
            "--tracking-uri sqlite:///my.db: with --cluster give a database's server",
        ),
        ({"storage": "sqlite:///my.db"}, "--storage sqlite:///my.db: with --cluster give a database's server"),
        ({"detach": True}, "--detach: with --cluster a sweep goes on without this terminal anyway"),
        ({"trials": "many"}, "--trials 'many': give a whole number"),
        ({"fid_weights": "/no/file"}, "--fid-weights: /no/file is not a file: it does not exist"),
    ],
)
def test_what_is_wrong_wherever_it_runs_is_said_here(given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as error:
        words_of(space="ralsgan_motorbike", **given)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweeps-dir", "/s"], f"nothing answers at --cluster {NOWHERE}: "),
        (["--data", "photos"], "--data photos: with --cluster "),
        (["--trails", "3"], "No such option '--trails': did you mean --trials?"),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["launch", "--space", "ralsgan_motorbike", "--cluster", NOWHERE, *words])
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"gan-sweep: {said}") and result.stderr.count("\n") == 1


def job(number: int, command: str = "launch", *, place: str = "", runs: bool = False, refused: bool = False) -> Job:
    facts = {"sweeps_dir": place} if place else {}
    return Job(id=str(number), sweep="far", command=command, facts=facts, started=number, runs=runs, refused=refused)


@pytest.mark.parametrize(
    ("jobs", "driver"),
    [
        ([job(1, runs=True), job(2, refused=True)], 0),  # another launch of the same name
        ([job(1, runs=True), job(2, runs=True)], 0),  # the same, before it is refused
        ([job(1), job(2, "resume", runs=True)], 1),
        ([job(1), job(2, "resume")], 1),
        ([job(1), job(2, "--dry-run"), job(3, "status", runs=True)], 0),
    ],
)
def test_a_sweeps_driver_is_the_job_that_runs_it(jobs: list[Job], driver: int) -> None:
    assert driver_among(jobs, "far", NOWHERE) == jobs[driver]


def test_two_sweeps_of_one_name_are_told_apart_by_their_folders() -> None:
    jobs = [job(1, place="/a", runs=True), job(2, place="/b/", runs=True), job(3, place="/a", runs=True)]
    for place, its in (("/a/", 0), ("/b", 1)):
        assert driver_among(jobs, "far", NOWHERE, place) == jobs[its]
    with pytest.raises(UserError, match=f"^sweep far on {NOWHERE} runs in /a and /b: say which: --sweeps-dir /b$"):
        driver_among(jobs, "far", NOWHERE)
    own = [job(1, runs=True), job(2, place="/b", runs=True)]
    assert driver_among(own, "far", NOWHERE, "s3://bucket/sweeps") == own[0], "the cluster's own folder, by its name"
    with pytest.raises(UserError, match=r"runs in the cluster's own folder and /b: say which: --sweeps-dir /b$"):
        driver_among(own, "far", NOWHERE)
    with pytest.raises(UserError, match=r"^unknown sweep on "):
        driver_among(jobs, "far", NOWHERE, "/c")
    assert driver_among([job(1, place="/a"), job(2, place="/b")], "far", NOWHERE).id == "2", "the newest"


def test_a_sweep_whose_only_launch_was_refused_is_none() -> None:
    with pytest.raises(UserError, match=f"^unknown sweep on {NOWHERE} 'far'"):
        driver_among([job(1, refused=True)], "far", NOWHERE)


def test_the_token_is_sent_for_this_command_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would not start in this process any more: it had decided before whether to ask for one."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("t" * 64)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    with own_token():
        assert os.environ["RAY_AUTH_MODE"] == "token"
    CliRunner().invoke(main, ["watch", "n", "--cluster", NOWHERE])
    assert "RAY_AUTH_MODE" not in os.environ
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with own_token():
        assert os.environ["RAY_AUTH_MODE"] == "disabled", "what was said counts"


def test_a_refused_token_is_not_told_like_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    for make in (lambda: None, token.touch):  # an empty file is none
        make()
        assert why_refused().startswith(f"wants its token, and there is none in {token}: ")
    token.write_text("t" * 64)
    assert why_refused().startswith("wants its token: export RAY_AUTH_MODE=token")
    with own_token():
        assert why_refused().startswith(f"refuses the token in {token}: ")
        monkeypatch.setenv("RAY_AUTH_TOKEN", "u" * 64)
        assert why_refused().startswith("refuses the token in $RAY_AUTH_TOKEN: ")


def test_where_a_token_is_to_be_sent_and_there_is_none_ray_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would abort the process with a trace of C++."""
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(WantsToken, match=f"^the Ray cluster at --address {address} wants its token, and there is"):
            check_answers(address)


def test_a_cluster_with_a_bucket_knows_where_sweeps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("GAN_SWEEP_BUCKET", raising=False)
    assert at_home(["stop", "--sweeps-dir=/s", "--", "n"]) == ["stop", "--sweeps-dir=/s", "--", "n"]
    with pytest.raises(UserError, match=r"^--cluster: say where the sweep is kept: --sweeps-dir s3://"):
        at_home(["stop", "--", "--sweeps-dir=n"])
    monkeypatch.setenv("GAN_SWEEP_BUCKET", "s3://b")
    assert at_home(["stop", "--now", "--", "n"]) == ["stop", "--now", "--sweeps-dir=s3://b/sweeps", "--", "n"]


def test_a_cluster_with_a_tracking_server_tracks_new_sweeps_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert at_home(["launch", "--sweeps-dir=/s"])[2:] == ["--tracking-uri=http://127.0.0.1:5000"]
    for words in (["launch", "--sweeps-dir=/s", "--tracking-uri=sqlite:////m.db"], ["resume", "--sweeps-dir=/s"]):
        assert at_home(words) == words


def test_a_file_comes_back_in_what_a_job_prints(tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (tmp_path / "there").write_bytes(content)
    lines: list[str] = []
    send(tmp_path / "there", lines.append)
    assert max(map(len, lines)) < 20_000, "Ray cuts longer lines"
    shown: list[str] = []
    receive = Receiver(tmp_path / "here", shown.append)
    for line in ["before\n", "here: 0.1 MB\n", *(f"{line}\n" for line in lines), "after\n"]:
        receive(line)
    assert shown == ["before\n", f"{tmp_path}/here: 0.1 MB\n", "after\n"]
    assert (tmp_path / "here").read_bytes() == content
    gone = Receiver(tmp_path / "no" / "here", shown.append)
    with pytest.raises(UserError, match=r"^cannot write .*/no/here: No such file or directory$"):
        for line in lines:
            gone(line)


def test_commands_that_a_job_shows_are_typed_on_the_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path("/shared/far")
    assert argument_of(place) == files_argument_of(place) == "/shared/far"
    monkeypatch.setenv(VIA, "my cluster.yaml")
    assert argument_of(place) == "far --cluster 'my cluster.yaml'" and files_argument_of(place) == "/shared/far"


@contextlib.contextmanager
def stand_in_for_kubectl(folder: Path, jobs: str) -> Iterator[dict[str, str]]:
    """The environment in which ``kubectl port-forward`` leads to a jobs server of this machine."""
    folder.mkdir()
    (folder / "kubectl").write_text(f"#!{sys.executable}\n{_FORWARD}")
    (folder / "kubectl").chmod(0o755)
    host, port = jobs.removeprefix("http://").split(":")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    yield {"PATH": path, "KUBECONFIG": str(folder / "kubectl"), "FORWARD_TO": f"{host} {port}"}


_FORWARD = """
import asyncio, os, sys
assert sys.argv[1:3] == ["port-forward", "service/far-head-svc"], sys.argv
host, port = os.environ["FORWARD_TO"].split()

async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def connected(reader, writer):
    there = await asyncio.open_connection(host, port)
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", int(sys.argv[3].split(":")[0]))
    await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that trains nothing, with its jobs server.

    The folder's path is short, since Ray puts sockets below it.
    """
    with tempfile.TemporaryDirectory(prefix="gs") as folder, ray_cluster(Path(folder) / "c") as made:
        made.start_head(Host(ip="127.0.0.1"), cpus=0, jobs=True)
        yield made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may hide a folder from a node")
@pytest.mark.slow
def test_a_sweep_outlives_the_laptop_that_launched_it(cluster: Cluster, motorbikes: Path, tmp_path: Path) -> None:
    laptop, sweeps = tmp_path / "laptop", tmp_path / "shared"
    laptop.mkdir()

    def typed(*words: str, wants: dict[str, str] = cluster.wants, cluster: str = cluster.jobs) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "orchestrator.cli", *words, "--cluster", cluster]
        # Ray would take these for the cluster's; its answers must not depend on them.
        env = {**os.environ, **wants, "RAY_ADDRESS": f"127.0.0.1:{free_port()}"}
        return subprocess.Popen(
            command, cwd=laptop, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def said(*words: str, wants: dict[str, str] = cluster.wants, cluster: str = cluster.jobs) -> tuple[int, str]:
        process = typed(*words, wants=wants, cluster=cluster)
        text, _ = process.communicate(timeout=280)
        return process.returncode, text

    asked = ["launch", "--space", "ralsgan_motorbike", "--demo", "--trials", "400", "--name", "far"]
    asked += ["--data", str(motorbikes), *(word for setting in SMALL for word in ("--set", setting))]
    code, text = said(*asked, "--sweeps-dir", str(sweeps), wants={**cluster.wants, "RAY_AUTH_MODE": "disabled"})
    assert code == 2 and text.startswith(f"gan-sweep: --cluster {cluster.jobs} wants its token: export RAY_AUTH_MODE")
    (tmp_path / "token").write_text("0" * 64)
    code, text = said(*asked, "--sweeps-dir", str(sweeps), wants={"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")})
    assert code == 2 and text.startswith(f"gan-sweep: --cluster {cluster.jobs} refuses the token in {tmp_path}/token:")
    code, text = said(*asked)
    assert code == 2 and text.startswith("gan-sweep: --cluster: say where the sweep is kept: --sweeps-dir s3://")

    code, text = said(*asked, "--sweeps-dir", str(sweeps))
    assert code == 2 and text.startswith("gan-sweep: the Ray cluster has no CPU and no GPU for trials yet: "), text

    hides = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(motorbikes))
    blind = cluster.add_node(Host(ip="127.0.0.2", inside=hides), cpus=2)
    code, text = said(*asked, "--sweeps-dir", str(sweeps))
    said_last = text.splitlines()[-1]
    assert code == 2 and said_last.startswith("gan-sweep: no trial was started: node 127.0.0.2: images in "), text
    here = len(list(motorbikes.iterdir()))
    assert f": 0 entries there, {here} entries here: mount the same shared storage there" in said_last
    assert not (sweeps / "far").exists(), "nothing is left behind"
    cluster.kill_node(blind)
    node = cluster.add_node(Host(ip="127.0.0.3"), cpus=2)

    # The token alone is enough: nobody has to say that it is to be used.
    token = {name: value for name, value in cluster.wants.items() if name != "RAY_AUTH_MODE"}
    process = typed(*asked, "--sweeps-dir", str(sweeps), wants=token)
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if "trial 0000  epoch 2/6" in line:
            break
    assert shown[0].split()[:2] == ["sweep", "far:"], "".join(shown)  # without what Ray says before
    process.send_signal(signal.SIGKILL)
    for title in (RANKS, CONTROLLER):
        (found,) = cluster.family.titled(title)
        raylet = found.parent()
        assert raylet is not None and raylet.ppid() == node.pid, f"{title} is on the head"
    process.stdout.close()
    process.wait(60)

    code, text = said("watch", "fra")
    assert code == 2 and "did you mean far?" in text
    code, text = said("status", "far")
    assert code == 0 and "  status  running" in text and "trials" in text
    code, text = said(*asked, "--sweeps-dir", str(sweeps))
    assert code == 2 and "exists already" in text, text
    watching = typed("watch", "far")  # not what was just refused
    assert watching.stdout is not None
    assert any("trial 0001" in line for line in watching.stdout)
    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=60)
    assert watching.returncode == 130 and f"gan-sweep stop far --cluster {cluster.jobs} ends it" in rest
    code, text = said("stop", "far")
    assert code == 0 and "far: interrupted" in text, text
    code, text = said("results", "far", "--json")
    assert code == 0 and '"status": "interrupted"' in text
    (tmp_path / "k.yaml").write_text("kind: RayCluster\nmetadata: {name: far}\n")
    with stand_in_for_kubectl(tmp_path / "bin", cluster.jobs) as here:
        code, text = said("results", "far", wants=cluster.wants | here, cluster=str(tmp_path / "k.yaml"))
        assert code == 0 and f"gan-sweep report far --cluster {tmp_path}/k.yaml --open" in text, text
        assert "gan-sweep generate" not in text, "its files are not here"
    code, text = said("report", "far", "--no-nearest", "-o", str(tmp_path / "page.html"))
    assert code == 0 and text.startswith(f"{tmp_path}/page.html: "), text
    assert (tmp_path / "page.html").read_text().count("<html") == 1
    store = ResultsStore(sweeps / "far")
    assert 0 < len(store.read_trials()) < 400 and not list(laptop.iterdir())
    assert cluster.what_is_left() == []


@pytest.mark.slow
def test_the_job_of_a_kuberay_file_is_planned_for_the_cluster_that_runs_it(motorbikes: Path, tmp_path: Path) -> None:
    """Submitted as KubeRay's own pod does. MLflow's server is the pod's; here a database stands for it."""
    (tmp_path / "data").symlink_to(motorbikes)
    _, document = yaml.safe_load_all(render("kuberay", RenderOptions(bucket=str(tmp_path))))
    server, database = "http://127.0.0.1:5000", f"sqlite:///{tmp_path}/mlflow.db"
    entrypoint = shlex.split(document["spec"]["entrypoint"].replace(server, database))
    ray = str(Path(sys.executable).with_name("ray"))
    with tempfile.TemporaryDirectory(prefix="gs") as folder, ray_cluster(Path(folder) / "c") as made:
        made.start_head(Host(ip="127.0.0.1"), cpus=2, jobs=True)
        words = [ray, "job", "submit", "--address", made.jobs, "--", *entrypoint, "--demo", "--dry-run"]
        done = subprocess.run(words, env={**os.environ, **made.wants}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "on the Ray cluster of this machine" in said and f"{tmp_path}/sweeps/bikes" in said, said
    assert "dry run: nothing was started" in said
