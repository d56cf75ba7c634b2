"""The API: what is asked is what comes, and wrong questions are answered with the reason."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from starlette.testclient import TestClient

from orchestrator.cli import main
from orchestrator.serving.app import build_app
from orchestrator.serving.gate import LOOPBACK_NAMES, Door
from orchestrator.serving.limits import Limits
from orchestrator.serving.model import Model
from tests.orchestrator.serving.pictures_to_send import claiming, photograph
from tests.orchestrator.serving.served import CLASSES, DRAWING, TRANSLATING, checkpoint, model
from tests.trainers.inference.test_exported import exported
from trainers.inference import FinishedGenerator, Output, make_set

pytestmark = pytest.mark.usefixtures("one_thread")


def client_of(folder: Path, case: str, **options: Any) -> Iterator[TestClient]:
    with TestClient(build_app(model(folder, case), **options)) as client:
        yield client


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    yield from client_of(tmp_path_factory.mktemp("drawing"), DRAWING)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    yield from client_of(tmp_path_factory.mktemp("classes"), CLASSES)


@pytest.fixture(scope="module")
def translating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    yield from client_of(tmp_path_factory.mktemp("translating"), TRANSLATING)


def ask(client: TestClient, to: str = "/v1/images", /, **body: Any) -> Any:
    answer = client.post(to, json=body)
    assert answer.status_code == 200, answer.text
    return answer


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(BytesIO(content)))


def reason(answer: Any, status: int = 422) -> str:
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    text: str = answer.json()["detail"]
    assert "\n" not in text and "Traceback" not in text
    return text


def test_images_are_those_of_the_seed(drawing: TestClient, tmp_path: Path) -> None:
    """Those that `FinishedGenerator` makes, in every format, whether asked for together or one by one."""
    generator = FinishedGenerator.load(checkpoint(tmp_path, DRAWING))
    expected = generator.pixels(generator.inputs(range(5), seed=7, truncation=0.5)).permute(0, 2, 3, 1).numpy()
    asked = {"seed": 7, "truncation": 0.5}
    grid = ask(drawing, count=5, format="grid", **asked)
    assert grid.headers["x-columns"] == "3" and grid.headers["x-seed"] == "7"
    assert grid.headers["x-model"] == generator.digest
    whole = pixels(grid.content)
    assert whole.shape == (2 * 32, 3 * 32, 3)
    archive = zipfile.ZipFile(BytesIO(ask(drawing, count=5, format="zip", **asked).content))
    assert archive.namelist() == [f"7_{number}.png" for number in range(5)]
    for number in range(5):
        row, column = divmod(number, 3)
        tile = whole[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32]
        # float64 here and float32 there: a byte in thousands is rounded the other way
        assert np.abs(tile.astype(int) - expected[number]).max() <= 1
        for form in ("png", "webp"):
            assert np.array_equal(pixels(ask(drawing, first=number, format=form, **asked).content), tile)
        assert np.array_equal(pixels(archive.read(f"7_{number}.png")), tile)
    assert not whole[32:, 64:].any(), "the place that is left over is black"


@pytest.mark.parametrize("form", ["png", "webp"])
def test_a_file_is_the_one_that_generate_writes(drawing: TestClient, tmp_path: Path, form: str) -> None:
    generator = FinishedGenerator.load(checkpoint(tmp_path, DRAWING), dtype=torch.float64)
    make_set(generator, 3, Output(folder=tmp_path / "set", format=form), seed=7)
    written = (tmp_path / "set" / f"00002.{form}").read_bytes()
    assert ask(drawing, seed=7, first=2, format=form).content == written


def test_an_exported_model(tmp_path: Path) -> None:
    generator, out = exported(tmp_path)
    loaded = Model.load(out, "cpu")
    assert (loaded.name, loaded.facts().digest) == ("out", generator.digest)
    assert loaded.generate_from is None, "generate takes none"
    with TestClient(build_app(loaded)) as client:
        assert client.post("/v1/images", json={}).headers["x-model"] == generator.digest
    said = CliRunner().invoke(main, ["serve", str(out), "--trial", "3"])
    assert said.exit_code == 2 and "is an exported model, and --trial 3 chooses" in said.stderr


def test_a_seed_is_drawn_and_told(drawing: TestClient) -> None:
    one, other = ask(drawing), ask(drawing)
    assert one.headers["x-seed"] != other.headers["x-seed"]
    assert ask(drawing, seed=int(one.headers["x-seed"])).content == one.content != other.content


def test_json_knows_one_kind_of_number(drawing: TestClient) -> None:
    assert ask(drawing, seed=2.0, count=1.0, truncation=1).content == ask(drawing, seed=2).content


def test_a_walk(drawing: TestClient) -> None:
    start = ask(drawing, seed=3, first=2).content
    at = {"seed": 3, "number": 2}
    assert ask(drawing, "/v1/walk", distance=0, **at).content == start
    around = ask(drawing, "/v1/walk", count=4, format="zip", distance=0.2, direction_seed=5, **at)
    assert (around.headers["x-seed"], around.headers["x-direction-seed"]) == ("3", "5")
    archive = zipfile.ZipFile(BytesIO(around.content))
    tiles = [archive.read(name) for name in archive.namelist()]
    assert archive.namelist()[0] == "3_2_walk_5_0.png" and len(set(tiles)) == 4

    step = {"seed": 5, "number": 3, "distance": 0.2}
    assert ask(drawing, "/v1/walk", distance=0, path=[step], **at).content == tiles[3], "and on from a neighbour"

    def far(distance: float) -> float:
        content = ask(drawing, "/v1/walk", distance=distance, direction_seed=5, **at).content
        return float(np.abs(pixels(content).astype(int) - pixels(start)).mean())

    assert 0 < far(0.05) < far(0.2) < far(1.0)
    drawn = ask(drawing, "/v1/walk", **at).headers["x-direction-seed"]
    assert drawn != ask(drawing, "/v1/walk", **at).headers["x-direction-seed"]


def test_classes(classes: TestClient) -> None:
    assert classes.get("/v1/model").json()["classes"] == {
        "hair": ["red", "blue", "green"],
        "eyes": ["red", "blue"],
    }
    red, blue = (ask(classes, seed=1, classes={"hair": hair, "eyes": "red"}).content for hair in ("red", "blue"))
    assert red != blue
    walked = ask(classes, "/v1/walk", seed=1, classes={"hair": "red", "eyes": "red"}, distance=0)
    assert walked.content == red
    assert "did you mean blue?" in reason(classes.post("/v1/images", json={"classes": {"hair": "blu"}}))
    assert "unknown attribute 'x'" in reason(classes.post("/v1/walk", json={"seed": 1, "classes": {"x": "y"}}))
    schema = classes.get("/openapi.json").json()["components"]["schemas"]["OneImage"]["properties"]["classes"]
    assert schema["properties"]["eyes"]["enum"] == ["red", "blue"] and not schema["additionalProperties"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"count": 65, "format": "zip"}, "count: must be at most 64, got 65"),
        ({"count": 0, "format": "grid"}, "count: "),
        ({"count": 4}, "count: a PNG or WebP file holds one image: for several ask for format zip or grid"),
        ({"count": 4, "format": "gif"}, "format: must be 'png', 'webp', 'zip' or 'grid', got 'gif'"),
        ({"format": ["zip"], "seed": -1}, "format: must be 'png', 'webp', 'zip' or 'grid', got ['zip']"),
        ({"seed": -1}, "seed: "),
        ({"seed": 2**53}, "seed: "),
        ({"seed": "1"}, "seed: "),
        ({"seed": True}, "seed: "),
        ({"truncation": 2.5}, "truncation: "),
        ({"seed": 1.5}, "seed: "),
        ({"sede": 1}, "sede: no such key, got 1"),
        ({"classes": {"hair": "red"}}, "this is a generator without classes, got {'hair': 'red'}"),
        ({"\ud800": 1}, "text in UTF-8"),
        ([], "the body: "),
        ("x", "the body: "),
        (None, "the body: "),
    ],
)
def test_a_wrong_value_is_one_line(drawing: TestClient, body: Any, said: str) -> None:
    answer = drawing.post("/v1/images", content=json.dumps(body), headers={"content-type": "application/json"})
    assert said in reason(answer)
    assert "best.pt" not in answer.text, "where the server keeps its files is nobody's business"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("{", 400),
        ("[", 400),
        ("[" * 20000, 400),
        ("9" * 5000, 400),
        ("", 422),
        ('{"truncation": NaN}', 422),
        ('{"truncation": 1e999}', 422),
    ],
)
def test_what_is_no_json_is_one_line(drawing: TestClient, text: str, status: int) -> None:
    assert reason(drawing.post("/v1/images", content=text, headers={"content-type": "application/json"}), status)
    documented = drawing.get("/openapi.json").json()["paths"]["/v1/images"]["post"]["responses"][str(status)]
    assert ("no JSON" if status == 400 else "body is missing") in documented["description"]


def test_head_is_answered_as_get_is_without_the_body(drawing: TestClient) -> None:
    for path in ("/", "/healthz", "/readyz", "/v1/model", "/openapi.json", "/nothing", "/v1/images"):
        there, head = drawing.get(path), drawing.head(path)
        assert (head.status_code, head.headers, head.content) == (there.status_code, there.headers, b"")


def test_what_a_model_does_not_do(drawing: TestClient, translating: TestClient) -> None:
    assert "POST /v1/images" in reason(drawing.post("/v1/translate", content=b"x"), 404)
    assert "POST /v1/translate" in reason(translating.post("/v1/images", json={}), 404)
    assert reason(drawing.get("/v1/../etc/passwd"), 404) and reason(drawing.get("/page.css/../x"), 404)
    assert drawing.get("/v1/images").headers["allow"] == "POST"


def translate(client: TestClient, content: bytes, kind: str = "image/png", **query: str) -> Any:
    return client.post("/v1/translate", content=content, headers={"content-type": kind}, params=query)


def test_a_picture_is_translated(translating: TestClient) -> None:
    there, back = (translate(translating, photograph(), direction=way) for way in ("a2b", "b2a"))
    assert there.status_code == back.status_code == 200 and there.content != back.content
    assert pixels(there.content).shape == (32, 32, 3) and there.headers["x-model"]
    assert translate(translating, photograph(form="WEBP"), "image/webp").content == there.content
    assert pixels(translate(translating, photograph(form="JPEG"), "image/jpeg", format="webp").content).any()


def test_pictures_that_cannot_be_used(translating: TestClient) -> None:
    for content, said in (
        (b"", "zero bytes"),
        (b"GIF89a", "no image format"),
        (photograph()[:100], "truncated"),
        (claiming(20_000, 20_000), "400000000 pixels) exceeds limit"),
        (claiming(9000, 6000), "54000000 pixels, the limit is 50000000"),
        (photograph(form="TIFF"), "no image format"),
    ):
        assert said in reason(translate(translating, content))
    assert "did you mean a2b?" in reason(translate(translating, photograph(), direction="a2c"))
    assert "format: must be" in reason(translate(translating, photograph(), format="gif"))
    assert "send one of image/jpeg" in reason(translate(translating, photograph(), "image/svg+xml"), 415)
    assert "larger than 16777216 bytes" in reason(translate(translating, bytes(2**24 + 1)), 413)


def test_bodies_have_bounds(drawing: TestClient) -> None:
    assert "larger than 65536 bytes" in reason(drawing.post("/v1/images", content=b" " * 65537), 413)
    assert "larger than 65536 bytes" in reason(drawing.post("/v1/images", content=iter([b" " * 40000] * 2)), 413)


def test_the_token(tmp_path: Path) -> None:
    app = build_app(model(tmp_path, DRAWING), door=Door(token="right" * 4))
    with TestClient(app) as client:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic " + "right" * 4}):
            for path in ("/v1/images", "/v1/model", "/metrics", "/v1/nothing"):
                answer = client.request("POST" if path == "/v1/images" else "GET", path, headers=given)
                assert "Authorization: Bearer" in reason(answer, 401) and answer.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/page.js", "/favicon.ico", "/docs", "/openapi.json", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        assert client.get("/v1/model", headers={"Authorization": "Bearer " + "right" * 4}).status_code == 200


def test_another_sites_name_does_not_reach_this_machine(tmp_path: Path) -> None:
    with TestClient(build_app(model(tmp_path, DRAWING), door=Door(hosts=LOOPBACK_NAMES))) as client:
        for host, status in (("evil.example", 403), ("localhost:9000", 200), ("[::1]:80", 200), ("127.0.0.1", 200)):
            assert client.get("/v1/model", headers={"host": host}).status_code == status


def test_headers_of_safety(drawing: TestClient) -> None:
    for path in ("/", "/v1/model", "/docs", "/nothing"):
        headers = drawing.get(path, headers={"origin": "https://evil.example"}).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


def test_metrics_count(tmp_path: Path) -> None:
    with TestClient(build_app(model(tmp_path, DRAWING))) as client:
        ask(client, count=3, format="zip")
        client.post("/v1/images", json={"count": 4})
        client.get("/no/such/path")
        text = client.get("/metrics").text
    for line in (
        'gan_sweep_requests_total{code="200",path="/v1/images"} 1.0',
        'gan_sweep_requests_total{code="422",path="/v1/images"} 1.0',
        'gan_sweep_requests_total{code="404",path="other"} 1.0',
        "gan_sweep_images_total 3.0",
        "gan_sweep_batch_images_count 1.0",
        "gan_sweep_waiting_images 0.0",
    ):
        assert line in text.splitlines(), text


@pytest.mark.parametrize(
    ("limits", "status", "said"),
    [
        (Limits(request_s=0), 503, "it took more than 0 s"),
        (Limits(waiting=3), 503, "0 images wait already"),
        (Limits(in_flight=0), 503, "0 requests are being answered"),
    ],
)
def test_a_busy_server_says_when_to_come_back(
    limits: Limits, status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.serving.batcher.Batcher.retry_s", lambda _: 7)
    with TestClient(build_app(model(tmp_path, DRAWING), limits=limits)) as client:
        answer = client.post("/v1/images", json={"count": 4, "format": "zip"})
        assert said in reason(answer, status) and answer.headers["retry-after"] == "7", "whichever limit it was"
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_a_fault_shows_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = build_app(model(tmp_path, DRAWING))
    monkeypatch.setattr("orchestrator.serving.app.encode", lambda *_: 1 / 0)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert reason(client.post("/v1/images", json={}), 500) == "a fault of the server, which its log describes"
