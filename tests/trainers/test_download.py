"""Downloads from a server of our own: once, whole, checked, and one line when there is none."""

import hashlib
import pickle
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trainers import download
from trainers.download import DownloadError, hub_file

CONTENT = b"weights " * 300_000  # more than one block
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Has ``/whole/*``; ``/cut/*`` ends early and ``/silent/*`` never answers."""

    daemon_threads = False  # so that closing waits for its threads

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "silent":
            self.server.closing.wait(60)
        elif kind in ("whole", "cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT if kind == "whole" else CONTENT[:-1000])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8]], ids=["whole", "beginning"])
def test_a_file_is_downloaded_once(server: Server, checkpoints: Path, sha256: str) -> None:
    for _ in range(2):
        assert hub_file(server.url("whole/net.pth"), sha256) == checkpoints / "net.pth"
    assert (checkpoints / "net.pth").read_bytes() == CONTENT
    assert names(checkpoints) == ["net.pth"] and server.asked == ["/whole/net.pth"]


def test_several_at_once_download_once(server: Server, checkpoints: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: hub_file(server.url("whole/net.pth"), SHA256), range(4)))
    assert set(paths) == {checkpoints / "net.pth"} and server.asked == ["/whole/net.pth"]


@pytest.mark.parametrize(
    ("path", "sha256", "reason"),
    [
        ("whole/net.pth", "0" * 8, f"got other bytes: SHA-256 {SHA256}"),
        ("cut/net.pth", SHA256, ""),  # the text depends on the version of Python
        ("nowhere/net.pth", SHA256, "HTTP Error 404: Not Found"),
        ("silent/net.pth", SHA256, "timed out"),
    ],
)
def test_anything_else_leaves_nothing_and_is_one_line(
    server: Server, checkpoints: Path, monkeypatch: pytest.MonkeyPatch, path: str, sha256: str, reason: str
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2 if path.startswith("silent") else 10)
    with pytest.raises(DownloadError) as caught:
        hub_file(server.url(path), sha256)
    text = str(caught.value)
    assert text.startswith(f"downloading {server.url(path)} failed (") and reason in text and "\n" not in text
    assert caught.value.target == checkpoints / "net.pth" and names(checkpoints) == []
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == text and again.target == caught.value.target


def test_nobody_listens(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match=r"failed \(.*refused.*\)$"):
            hub_file(f"http://127.0.0.1:{taken.getsockname()[1]}/net.pth", SHA256)
    assert names(checkpoints) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="Not a directory"):
        hub_file("http://127.0.0.1:9/net.pth", SHA256)
