"""The contract of credentials: whatever a URI of an option holds, no text, log or file shows its secret."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import psutil
import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.commands import launch
from orchestrator.commands.parameters import FileToRead, FolderToMake, FolderToRead, NameOrPath, Text
from orchestrator.commands.shared import with_secrets
from orchestrator.commands.ui import serve_ui
from orchestrator.sweep.ray_session import log_to
from tests.orchestrator.sweep_helpers import PLAN, SMALL, begun
from tests.orchestrator.tracking.test_tracker import Server
from trainers.errors import UserError

SECRET = "s3cr3t"
URIS = (
    "http://me:s3cr3t@127.0.0.1:1",
    "http://me:pa:ss@s3cr3t@127.0.0.1:1",
    "http://127.0.0.1:1/?token=s3cr3t&x=1",
    "postgresql://me:s3cr3t@127.0.0.1:1/db",
    "postgresql+psycopg2://me:a%40s3cr3t@127.0.0.1:1/db?sslpassword=s3cr3t",
    "mysql+pymysql://127.0.0.1:1/db?password=s3cr3t",
    "nonsense://me:s3cr3t@h/x",
    "s3://AKIA:s3cr3t@bucket/sweeps",
    "me:s3cr3t@127.0.0.1:1/db",
    f"postgresql://me:{'x' * 200}s3cr3t{'x' * 200}@h/db",
)
# Every option of launch that takes a text, a name or a path may be given a URI.
OPTIONS = [
    option.opts[0]
    for option in launch.command.params
    if isinstance(option, click.Option)
    and isinstance(option.type, Text | NameOrPath | FileToRead | FolderToMake | FolderToRead)
]


def files_with_secret(*folders: Path) -> list[Path]:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert files
    return [file for file in files if SECRET.encode() in file.read_bytes() or SECRET in file.name]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("uri", URIS)
def test_a_refused_uri_shows_no_secret(
    option: str, uri: str, tmp_path: Path, motorbikes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    words = ["launch", "--space", "ralsgan_motorbike", "--demo", "--data", str(motorbikes), "--dry-run", option, uri]
    result = CliRunner().invoke(main, words)
    if "://" in uri or option != "--sweeps-dir":  # there, a folder may be called like one whose scheme was forgotten
        assert result.exit_code == 2, result.output
        assert SECRET not in result.output + result.stderr + repr(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--tracking-uri", "--storage"])
def test_a_uri_with_blanks_is_refused_unseen(option: str, motorbikes: Path) -> None:
    words = ["launch", "--space", "ralsgan_motorbike", "--demo", "--data", str(motorbikes), "--dry-run"]
    result = CliRunner().invoke(main, [*words, option, f"postgresql://me:bl {SECRET}@h/db"])
    assert result.exit_code == 2 and SECRET not in result.output + result.stderr
    assert f"{option}: a URI has no blanks: write %20" in result.stderr


def test_an_error_that_nobody_caught_shows_no_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from orchestrator import cli; from orchestrator.commands import launch\n"
        f"def fail(*a, **k): raise RuntimeError('no answer from http://me:{SECRET}@h')\n"
        "launch.launch = fail; cli.main(['launch', '--space', 'x'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "Traceback" in run.stderr
    assert "http://me:***@h" in run.stderr and SECRET not in run.stderr.replace(f"http://me:{SECRET}@h')\n", "")


def test_the_log_of_a_sweep_masks_records_and_prints(tmp_path: Path) -> None:
    with log_to(tmp_path / "sweep.log"):
        print(f"connecting to postgresql://me:{SECRET}@host/db")
        print(f"http://host/?token={SECRET}", file=sys.stderr)
    text = (tmp_path / "sweep.log").read_text()
    assert SECRET not in text and "postgresql://me:***@host/db" in text and "?token=***" in text


def test_a_sweeps_description_holds_no_secret(tmp_path: Path) -> None:
    uri = f"postgresql://me:{SECRET}@host/db"
    info = begun(tmp_path / "s", replace(PLAN, tracking_uri=uri, storage=uri)).read_plan()
    assert info.storage == info.tracking_uri
    assert info.tracking_uri == "postgresql://me:***@host/db" and not files_with_secret(tmp_path)
    with pytest.raises(UserError, match=r"give that with its password: --tracking-uri URI"):
        with_secrets(info, None)
    with pytest.raises(UserError, match=r"--tracking-uri postgresql://me:\*\*\*@other/db: s is tracked at"):
        with_secrets(info, f"postgresql://me:{SECRET}@other/db")
    assert with_secrets(info, uri).tracking_uri == uri


def test_ui_prints_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    plan = replace(PLAN, tracking_uri=f"http://me:{SECRET}@127.0.0.1:1")
    assert serve_ui([plan], "127.0.0.1", 1, one=True, in_browser=False) == 0
    assert "is tracked at http://me:***@127.0.0.1:1" in capsys.readouterr().out


@pytest.mark.slow
def test_a_whole_sweep_keeps_no_secret(tmp_path: Path, motorbikes: Path) -> None:
    """On a real MLflow server and a real database: not on the screen, in the sweep's folder, in Ray's, or in `ps`."""
    temporary = Path("/tmp") / f"gs-secrets-{os.getpid()}"  # Ray's sockets want a short path
    server = Server(tmp_path / "server")
    words = ["launch", "--space", "ralsgan_motorbike", "--demo", "--data", str(motorbikes), "--trials", "1"]
    words += [word for setting in (*SMALL, "confirm.top=0") for word in ("--set", setting)]
    words += ["--sweeps-dir", str(tmp_path / "sweeps"), "--name", "s"]
    words += ["--tracking-uri", server.uri.replace("//", f"//me:{SECRET}@")]
    words += ["--storage", f"sqlite+pysqlite:///file:{tmp_path}/study.db?uri=true&token={SECRET}"]
    shown, title = [], ""
    try:
        server.start()
        temporary.mkdir()
        run = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *words],
            env={**os.environ, "RAY_TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert run.stdout is not None
        for line in run.stdout:
            shown.append(line)
            if line.startswith("trial 0000"):
                title = " ".join(psutil.Process(run.pid).cmdline()) or title
        assert run.wait(60) == 0, "".join(shown)
        run.stdout.close()
        assert SECRET not in "".join(shown)
        assert "--tracking-uri http://me:***@" in title and SECRET not in title
        assert (tmp_path / "sweeps" / "s" / "sweep.log").is_file()
        assert files_with_secret(tmp_path / "sweeps", temporary) == []
    finally:
        server.kill()
        shutil.rmtree(temporary, ignore_errors=True)
