"""Crops to detected objects: boxes from COCO JSON files, and torchvision's networks with weights from a file."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainers.data.prepare_helpers import dropped, prepared, rows
from trainers.data.prepare.detection import Detections, only_box
from trainers.data.prepare.torchvision_detector import DETECTORS, TorchvisionDetector
from trainers.errors import UserError

NAME = "ssdlite320_mobilenet_v3_large"  # the smallest: 14 MB of weights


def scene(path: Path, **options: object) -> None:
    """200 x 100 pixels, white, with a red object at (40, 20) to (80, 60)."""
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[20:60, 40:80] = (255, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]


def annotate(*boxes: list[float], image: int = 1, label: int = 4, **more: object) -> list[dict[str, Any]]:
    return [{"image_id": image, "category_id": label, "bbox": box, **more} for box in boxes]


def coco(path: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> str:
    categories = [{"id": 3, "name": "car"}, {"id": 4, "name": "motorcycle"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return str(path)


OBJECT = [40, 20, 40, 40]


def test_crops_to_the_only_object_with_a_margin(tmp_path: Path) -> None:
    scene(tmp_path / "photos" / "a.png")
    images = [{"id": 1, "file_name": "a.png"}]
    found = annotate(OBJECT, score=0.9) + annotate([0, 0, 9, 9], score=0.2) + annotate([100, 0, 50, 50], label=3)
    prepared(tmp_path / "photos", tmp_path / "dataset", size=44, detector=coco(tmp_path / "b.json", images, found))
    row = rows(tmp_path / "dataset")["a.png"]
    assert row["crop"] == [38, 18, 82, 62] and row["score"] == pytest.approx(0.9)  # 5 % of 40 pixels at each side
    pixels = np.asarray(Image.open(BytesIO(row["image"])))  # type: ignore[arg-type]
    expected = np.full((44, 44, 3), 255, np.uint8)
    expected[2:42, 2:42] = (255, 0, 0)
    np.testing.assert_array_equal(pixels, expected)


def test_none_and_several_are_dropped(tmp_path: Path) -> None:
    names = ("one.png", "none.png", "car.png", "weak.png", "two.png", "outside.png", "unnamed.png")
    for name in names:
        scene(tmp_path / "photos" / name)
    images = [{"id": i, "file_name": name} for i, name in enumerate(names[:-1])]
    found = (
        annotate(OBJECT, image=0)
        + annotate(OBJECT, image=2, label=3)
        + annotate(OBJECT, image=3, score=0.4)
        + annotate(OBJECT, [100, 20, 40, 40], image=4)
        + annotate([250, 20, 40, 40], image=5)
    )
    boxes = coco(tmp_path / "b.json", images, found)
    prepared(tmp_path / "photos", tmp_path / "dataset", detector=boxes)
    nothing = dict.fromkeys(("none.png", "car.png", "weak.png", "outside.png", "unnamed.png"), "no_object")
    assert dropped(tmp_path / "dataset") == {**nothing, "two.png": "several_objects"}
    assert set(rows(tmp_path / "dataset")) == {"one.png"}
    prepared(tmp_path / "photos", tmp_path / "weak", detector=boxes, min_score=0.3)
    prepared(tmp_path / "photos", tmp_path / "cars", detector=boxes, label="car")
    assert set(rows(tmp_path / "weak")) == {"one.png", "weak.png"} and set(rows(tmp_path / "cars")) == {"car.png"}


def test_boxes_are_for_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, 200 x 100; upright 100 x 200, the object at (40, 40) to (80, 80)
    scene(tmp_path / "photos" / "a.png", exif=exif)
    boxes = coco(tmp_path / "b.json", [{"id": 1, "file_name": "a.png"}], annotate([40, 40, 40, 40]))
    prepared(tmp_path / "photos", tmp_path / "dataset", size=44, detector=boxes)
    pixels = np.asarray(Image.open(BytesIO(rows(tmp_path / "dataset")["a.png"]["image"])))  # type: ignore[arg-type]
    assert (pixels[2:42, 2:42] == (255, 0, 0)).all() and (pixels[0] == 255).all()


def test_boxes_of_a_scaled_copy_and_of_another_picture(tmp_path: Path) -> None:
    for name in ("half.png", "other.png"):
        scene(tmp_path / "photos" / name)
    images = [
        {"id": 1, "file_name": "half.png", "width": 100, "height": 50},
        {"id": 2, "file_name": "other.png", "width": 100, "height": 200},
    ]
    found = annotate([20, 10, 20, 20]) + annotate(OBJECT, image=2)
    prepared(tmp_path / "photos", tmp_path / "dataset", detector=coco(tmp_path / "b.json", images, found))
    assert rows(tmp_path / "dataset")["half.png"]["crop"] == [38, 18, 82, 62]
    assert dropped(tmp_path / "dataset") == {"other.png": "wrong_boxes"}


def test_files_are_found_by_path_or_by_a_name_that_is_alone(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png", "b/y.png"):
        scene(tmp_path / "photos" / name)
    images = [
        {"id": 1, "file_name": "a/x.png"},
        {"id": 2, "file_name": "elsewhere/x.png"},
        {"id": 3, "file_name": "C:\\pictures\\y.png"},
    ]
    found = [note for image in (1, 2, 3) for note in annotate(OBJECT, image=image)]
    prepared(tmp_path / "photos", tmp_path / "dataset", detector=coco(tmp_path / "b.json", images, found))
    assert set(rows(tmp_path / "dataset")) == {"a/x.png", "b/y.png"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"image_id": 1, "bbox": [0, 0, 1, 1], "category_id": 1, "score": 1}]', "results list.*no file names"),
        ("no json", "is not a COCO JSON.*no JSON"),
        ('{"images": []}', "no list of annotations"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "KeyError: 'file_name'"),
        ('"text"', "it holds a str"),
    ],
)
def test_json_of_another_kind(tmp_path: Path, content: str, message: str) -> None:
    scene(tmp_path / "photos" / "a.png")
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        prepared(tmp_path / "photos", tmp_path / "dataset", detector=str(tmp_path / "b.json"))
    assert "\n" not in str(caught.value) and not (tmp_path / "dataset").exists()


def test_near_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(tmp_path / "photos" / "a.png")
    boxes = coco(tmp_path / "b.json", [{"id": 1, "file_name": "a.png"}], annotate(OBJECT))
    others = coco(tmp_path / "o.json", [{"id": 1, "file_name": "z.png"}], annotate(OBJECT))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    for options, message in (
        ({"detector": boxes, "label": "motorcicle"}, "unknown label 'motorcicle': did you mean motorcycle"),
        ({"detector": others}, "names none of the files, its first is 'z.png'"),
        ({"detector": "fasterrcn_resnet50_fpn"}, "did you mean fasterrcnn_resnet50_fpn"),
        ({"detector": "nowhere.json"}, "nowhere.json: no such file"),
        ({"detector": boxes, "detector_weights": tmp_path / "b.json"}, "need no weights"),
        ({"detector": NAME, "detector_weights": tmp_path / "w.pth"}, "cannot read .*w.pth"),
    ):
        with pytest.raises(UserError, match=message):
            prepared(tmp_path / "photos", tmp_path / "dataset", **options)
    assert not (tmp_path / "dataset").exists()


def test_object_at_the_edge_is_clipped() -> None:
    found = Detections([(-10.0, 0.0, 50.0, 120.0)], ["motorcycle"], [0.7])
    assert only_box(found, "motorcycle", 0.5, (100, 100)) == ((0, 0, 52, 100), 0.7)


# torchvision


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded random weights: the code that runs is real, what it detects is not."""
    from torchvision.models import get_model

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "ssdlite.pth"
    torch.save(get_model(NAME, weights=None, weights_backbone=None, num_classes=91).state_dict(), path)
    return path


def test_torchvision_answers_in_pixels_of_the_original(weights: Path) -> None:
    detector = TorchvisionDetector(NAME, weights)
    assert "motorcycle" in detector.labels and len(detector.labels) == 80
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    view = Image.fromarray(pixels)
    small, large = (detector.detect("a.png", size, lambda: view) for size in ((80, 60), (800, 600)))
    assert len(small.boxes) > 0 and set(small.labels) <= {*detector.labels, "N/A"}
    np.testing.assert_allclose(np.array(large.boxes), np.array(small.boxes) * 10, rtol=1e-5)
    assert all(0 <= score <= 1 for score in small.scores)
    assert (np.array(small.boxes) >= 0).all() and (np.array(small.boxes) <= (80, 60, 80, 60)).all()


def test_torchvision_in_a_preparation(weights: Path, tmp_path: Path) -> None:
    """Random weights find many of some classes at almost no confidence."""
    scene(tmp_path / "photos" / "a.png")
    with Image.open(tmp_path / "photos" / "a.png") as picture:
        found = TorchvisionDetector(NAME, weights).detect("a.png", picture.size, lambda: picture.copy())
    label = max(set(found.labels) - {"N/A"}, key=found.labels.count)
    assert found.labels.count(label) > 1 and max(found.scores) < 0.9
    for score, reason in ((0.9, "no_object"), (0.0, "several_objects")):
        with pytest.raises(UserError, match=f"no image is left of the 1 files in .*: 1 {reason}"):
            prepared(
                tmp_path / "photos",
                tmp_path / "dataset",
                detector=NAME,
                detector_weights=weights,
                label=label,
                min_score=score,
            )


def test_weights_that_are_not_there_or_of_another_network(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    with pytest.raises(UserError, match=r"put that file at .*hub/checkpoints/ssd300_vgg16_coco-b556d3b4\.pth"):
        TorchvisionDetector("ssd300_vgg16", None)
    with pytest.raises(UserError, match="does not hold the weights of ssd300_vgg16"):
        TorchvisionDetector("ssd300_vgg16", weights)
    (tmp_path / "broken.pth").write_bytes(b"broken")
    with pytest.raises(UserError, match="cannot be read as weights"):
        TorchvisionDetector(NAME, tmp_path / "broken.pth")


def test_weights_are_found_in_the_hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "hub" / "checkpoints" / "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"
    place.parent.mkdir(parents=True)
    place.symlink_to(weights)
    assert TorchvisionDetector(NAME, None).labels == TorchvisionDetector(NAME, weights).labels


def test_registry_names_are_torchvisions() -> None:
    from torchvision.models import get_model_weights, list_models
    from torchvision.models.detection import __name__ as module

    assert set(DETECTORS) <= set(list_models(module=__import__(module, fromlist=["x"])))
    assert all("motorcycle" in get_model_weights(name)["DEFAULT"].meta["categories"] for name in DETECTORS)
