"""`gan-sweep data` as people type it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import trainers
from orchestrator.cli import main
from trainers.data import build_cache

ROOT = Path(trainers.__file__).parents[1]


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def test_prepare_says_what_became_of_the_files(motorbikes: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    result = typed("prepare", motorbikes, dataset, "--size", "32", "--dedupe", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "48 of 53 files, 32 px" in result.output
    assert "5 (2 truncated, 1 animated, 1 empty, 1 not_an_image)" in result.output
    assert str(dataset / "report.html") in result.output and (dataset / "report.html").is_file()
    assert len(build_cache(dataset, image_size=32, fit="pad", cache_dir=tmp_path / "caches")) == 48
    again = typed("prepare", motorbikes, dataset, "--size", "32", "--dedupe")
    assert again.exit_code == 0 and "exists already: 48 images" in again.output


def test_every_option_reaches_the_preparation(motorbikes: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted(motorbikes.glob("*.jpg"))]
    tags, boxes = tmp_path / "tags.csv", tmp_path / "boxes.json"
    tags.write_text("".join(f'{name},"red bike;{"odd" if i == 0 else "even"}"\n' for i, name in enumerate(names)))
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {"image_id": i, "category_id": 1, "bbox": [10, 10, 60, 60], "score": 0.3} for i in range(len(names))
        ],
        "categories": [{"id": 1, "name": "scooter"}],
    }
    boxes.write_text(json.dumps(content))
    options = ["--detector", boxes, "--label", "scooter", "--min-score", "0.2", "--min-side", "20", "--max-aspect", "2"]
    options += ["--tags", tags, "--drop-tag", "odd", "--animated", "first", "--fit", "stretch", "--size", "24"]
    options += ["--max-colourfulness", "200"]
    result = typed("prepare", motorbikes, tmp_path / "dataset", *options)
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    assert manifest["dropped"]["dropped_tag"] == 1 and manifest["dropped"]["no_object"] > 0
    said = manifest["arguments"]
    assert said["detector"].startswith("boxes.json (sha256 ") and said["tags"].startswith("tags.csv (sha256 ")
    assert {name: said[name] for name in ("label", "min_score", "min_side", "max_aspect", "max_colourfulness")} == {
        "label": "scooter",
        "min_score": 0.2,
        "min_side": 20,
        "max_aspect": 2.0,
        "max_colourfulness": 200.0,
    }
    assert (said["fit"], said["size"], said["animated"], said["drop_tags"]) == ("stretch", 24, "first", ["odd"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "nowhere", "new"], "SRC: nowhere is not a folder: it does not exist"),
        (["prepare", "photos", "photos/new"], "lies inside the image folder"),
        (["prepare", "photos", "new", "--fit", "streched"], "did you mean stretch?"),
        (["prepare", "photos", "new", "--detector", "ssdlite"], "did you mean ssdlite320_mobilenet_v3_large?"),
        (["prepare", "photos", "new", "--detector", "ssd300_vgg16"], "--detector-weights FILE"),
        (["prepare", "photos", "new", "--tags", "nowhere.csv"], "--tags: nowhere.csv is not a file: it does not exist"),
        (["inspect", "nowhere"], "DIR: nowhere is not a folder: it does not exist"),
        (["inspect", "photos", "--sheet", "photos/sheet.png"], "would lie inside photos"),
        (
            ["inspect", "photos", "--sheet", "no/where.png"],
            "--sheet: no/where.png cannot be written: there is no folder no",
        ),
        (["inspct", "photos"], "did you mean inspect?"),
    ],
)
def test_user_errors_are_one_line_and_exit_2(
    arguments: list[str], message: str, motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights-here"))
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photos" / "a.png")
    result = typed(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("gan-sweep: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


INTERRUPTED = """
import os, signal, sys
from orchestrator.cli import main

def hook(event, arguments):
    if event == "os.rename" and os.path.basename(arguments[1]) == "chunk-00000.parquet":
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.addaudithook(hook)
main(["data", "prepare", *sys.argv[1:]])
"""


def test_ctrl_c_keeps_what_was_done(tmp_path: Path) -> None:
    photos, dataset = tmp_path / "photos", tmp_path / "dataset"
    photos.mkdir()
    for i in range(200):
        Image.new("RGB", (40, 30), (i, 255 - i, 99)).save(photos / f"{i}.png")
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(photos), str(dataset), "--size", "16"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 130, run.stderr
    assert "run the same command again to continue" in run.stdout and "Traceback" not in run.stderr
    assert not (dataset / "dataset.json").exists()
    result = typed("prepare", photos, dataset, "--size", "16")
    assert result.exit_code == 0 and "200 of 200 files" in result.output
    typed("prepare", photos, tmp_path / "whole", "--size", "16")
    assert {p.name: p.read_bytes() for p in dataset.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()
    }


def test_inspect_a_folder(motorbikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    (folder / "scooter").mkdir(parents=True)
    bikes = sorted(motorbikes.glob("bike_*.jpg"))[:3]
    for name, bike in zip(("0.jpg", "1.jpg", "scooter/2.jpg", "scooter/3.jpg"), [*bikes, bikes[0]], strict=True):
        (folder / name).write_bytes(bike.read_bytes())
    (folder / "text.jpg").write_text("no image")
    (folder / "tags.csv").write_text('0,"blonde hair"\n1,"blonde hair blue eyes"\n7,"red hair"\n')
    (folder / "broken.csv").write_text("\n")
    monkeypatch.chdir(tmp_path)
    found = json.loads(typed("inspect", folder, "--json").output)
    assert (found["files"], found["images"], found["bad"]) == (5, 4, {"not_an_image": 1})
    assert (found["duplicates"], found["near_duplicates"]) == (1, 0)
    assert found["formats"] == {"JPEG": 4} and found["labels"] == {"scooter": 2}
    assert found["tags"] == {"blonde hair": 2, "blue eyes": 1}
    assert (found["untagged"], found["tags_without_image"]) == (2, 1)
    with Image.open(bikes[0]) as first:
        assert found["widths"][0] <= first.width <= found["widths"][2]
    assert found["sheet"] == "photos_contact_sheet.png"
    with Image.open(tmp_path / "photos_contact_sheet.png") as sheet:
        assert sheet.mode == "RGB" and sheet.width > 400
    text = typed("inspect", folder).output
    assert "4 of 5 files" in text and "text.jpg: not_an_image" in text and "1 exact duplicates" in text
    assert "broken.csv has no row" in text and "2 blonde hair" in text


def test_inspect_a_dataset(motorbikes: Path, tmp_path: Path) -> None:
    typed("prepare", motorbikes, tmp_path / "dataset", "--size", "32")
    result = typed("inspect", tmp_path / "dataset", "--sheet", tmp_path / "sheet.png")
    assert result.exit_code == 0, result.output
    assert "48 of 53 files, prepared" in result.output and "2 truncated" in result.output
    assert (tmp_path / "sheet.png").is_file()


def test_inspect_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "text.jpg").write_text("no image")
    result = typed("inspect", tmp_path / "photos", "--sheet", tmp_path / "sheet.png")
    assert result.exit_code == 0 and "none: there is no image" in result.output, result.output
    assert not (tmp_path / "sheet.png").exists()


def test_help_is_instant() -> None:
    code = "import sys; from click.testing import CliRunner; from orchestrator.cli import main; "
    code += "CliRunner().invoke(main, ['data', 'prepare', '--help']); "
    code += "print(sorted({'torch', 'ray', 'mlflow', 'PIL'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
