"""``gan-sweep serve`` as a process: when it listens, how it ends, and what it refuses to begin with."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from tests.orchestrator.serving.served import DRAWING, checkpoint, free_port, serving
from tests.trainers.inference.test_exported import edit, exported

# Whose 64 images take long enough to look meanwhile.
SLOW = {"network.base_width": 48}


def refused(*words: str | Path) -> str:
    result = CliRunner().invoke(main, ["serve", *map(str, words)])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1, result.output
    return result.stderr


@pytest.mark.slow
def test_it_answers_when_it_says_so_to_this_machine_alone_and_wants_its_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cr3t" * 4 + "\n")
    file.chmod(0o600)
    with serving(checkpoint(tmp_path, DRAWING), "--token-file", file) as (server, url):
        assert httpx.get(f"{url}readyz").json() == {"status": "ready"}
        process = psutil.Process(server.pid)
        places = process.net_connections("inet")
        assert {place.laddr.ip for place in places if place.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
        assert httpx.get(f"{url}v1/model").status_code == 401
        facts = httpx.get(f"{url}v1/model", headers={"Authorization": "Bearer " + "s3cr3t" * 4})
        assert facts.json()["name"] == "best.pt" and str(tmp_path) not in facts.text
        assert "s3cr3t" not in " ".join(process.cmdline())
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert server.stdout is not None and "s3cr3t" not in server.stdout.read()
        assert server.stderr is not None and server.stderr.read() == ""


@pytest.mark.slow
def test_sigterm_drains(tmp_path: Path) -> None:
    """While requests are computed, /readyz says so, new ones are refused, and those that were there are answered."""
    words = (checkpoint(tmp_path, DRAWING, SLOW), "--host", "0.0.0.0")
    with serving(*words) as (server, url), httpx.Client(base_url=url, timeout=60) as client:
        many = {"count": 64, "format": "zip"}
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(httpx.post, f"{url}v1/images", json=many, timeout=60) for _ in range(4)]
            while "gan_sweep_requests_in_flight 4.0" not in client.get("metrics").text:
                assert not any(answer.done() for answer in answers), "too fast to be looked at"
            server.send_signal(signal.SIGTERM)
            while (ready := client.get("readyz")).status_code == 200:  # the signal is on its way
                pass
            assert ready.status_code == 503 and "shutting down" in ready.json()["detail"]
            late = client.post("v1/images", json={})
            assert late.status_code == 503 and late.headers["retry-after"]
            assert client.get("healthz").status_code == 200
            assert [answer.result().status_code for answer in answers] == [200] * 4
        assert server.wait(30) == 0
        assert server.stderr is not None
        assert server.stderr.read() == f"warning: everybody who reaches {url} can use it: there is no --token-file\n"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(checkpoint(tmp_path, DRAWING), "--port", str(port))
    assert f"port {port} is taken: give another with --port" in said


def test_what_cannot_be_served(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, DRAWING)
    assert "--host 'no.such.host.example'" in refused(model, "--host", "no.such.host.example")
    assert "--host '192.0.2.1': no address of this machine" in refused(model, "--host", "192.0.2.1")
    assert "unknown device 'cuda:99'" in refused(model, "--device", "cuda:99")
    assert "--trial 3 chooses among those of a sweep" in refused(model, "--trial", "3")
    (tmp_path / "bad.pt").write_text("no checkpoint")
    assert "bad.pt" in refused(tmp_path / "bad.pt", "--port", str(free_port()))
    _, out = exported(tmp_path)
    edit(out, config=5)
    assert "model.json is damaged: ValueError: config: 5" in refused(out, "--port", str(free_port()))


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("x" * 20, 0o644, "others may open"),
        ("x" * 20, 0o640, "others may open"),
        ("", 0o600, "holds no token"),
        ("short", 0o600, "holds no token"),
        ("two words of some length", 0o600, "holds no token"),
        ("x" * 2000, 0o600, "holds no token"),
        ("pässword" * 4, 0o600, "holds no token"),
    ],
)
def test_a_token_file_that_is_none(content: str, mode: int, said: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    shown = refused(checkpoint(tmp_path, DRAWING), "--token-file", file)
    assert said in shown and (not content or content not in shown)
