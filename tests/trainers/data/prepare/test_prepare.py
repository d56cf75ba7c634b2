"""prepare on real folders: nothing good is lost, everything else is named, and the source stays as it was."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainers.data.prepare_helpers import (
    HOSTILE_OPTIONS,
    bike,
    contents,
    dropped,
    encoded,
    fill_bikes,
    fill_hostile,
    prepared,
    rows,
)
from trainers.data import decode_image, prepared_tags
from trainers.data.prepare import PrepareOptions, prepare
from trainers.errors import UserError


def test_hostile_folder_loses_no_good_image_and_names_each_other_file(tmp_path: Path) -> None:
    source, dataset = tmp_path / "photos", tmp_path / "dataset"
    good, bad = fill_hostile(source)
    before = contents(source)
    done = prepare(source, dataset, HOSTILE_OPTIONS)
    kept = rows(dataset)
    assert set(kept) == good and dropped(dataset) == bad
    assert done.created and (done.manifest.images, done.manifest.files) == (len(good), len(good) + len(bad))
    assert sum(done.manifest.dropped.values()) + done.manifest.images == done.manifest.files
    assert contents(source) == before
    report = json.loads((dataset / "report.json").read_text())
    assert report["left_aside"] == ["tags.csv"] and all(file["detail"] for file in report["dropped"])


def test_rows_say_where_an_image_comes_from(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    fill_hostile(source)
    prepare(source, tmp_path / "dataset", HOSTILE_OPTIONS)
    kept = rows(tmp_path / "dataset")
    turned, nested = kept["turned.jpg"], kept["Motorräder/näher dran.jpg"]
    assert (turned["width"], turned["height"]) == bike(6).size[::-1] and turned["format"] == "JPEG"
    assert kept["cmyk.jpg"]["mode"] == "CMYK" and kept["palette.png"]["mode"] == "P"
    assert nested["label"] == "Motorräder" and turned["label"] == "" and turned["crop"] is None
    assert turned["sha256"] == contents(source)["turned.jpg"]
    for name, row in kept.items():
        picture = np.asarray(Image.open(io.BytesIO(row["image"]))).transpose(2, 0, 1)  # type: ignore[arg-type]
        np.testing.assert_array_equal(picture, decode_image(source / name, 48, "pad"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_closed_file_is_unreadable(tmp_path: Path) -> None:
    source = fill_bikes(tmp_path / "photos", 2)
    (source / "0000.jpg").chmod(0)
    prepared(source, tmp_path / "dataset")
    assert dropped(tmp_path / "dataset") == {"0000.jpg": "unreadable"}


def test_names_that_are_not_utf8_do_not_shadow_each_other(tmp_path: Path) -> None:
    """Both are the same name as text; one is broken, and the other must not go with it."""
    source = fill_bikes(tmp_path / "photos", 1)
    Path(os.fsdecode(os.fsencode(source) + b"/\xfe.png")).touch()
    Path(os.fsdecode(os.fsencode(source) + b"/\xff.png")).write_bytes(encoded(bike(1), "PNG"))
    assert prepared(source, tmp_path / "dataset").manifest.images == 2
    assert set(rows(tmp_path / "dataset")) == {"0000.jpg", "\ufffd.png"}


@pytest.mark.parametrize(("animated", "images"), [("drop", 1), ("first", 2)])
def test_animations_by_choice(tmp_path: Path, animated: str, images: int) -> None:
    source = fill_bikes(tmp_path / "photos", 1)
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    (source / "moving.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert prepared(source, tmp_path / "dataset", animated=animated).manifest.images == images
    if animated == "first":
        content = rows(tmp_path / "dataset")["moving.gif"]["image"]
        assert Image.open(io.BytesIO(content)).getpixel((16, 16)) == (255, 0, 0)  # type: ignore[arg-type]


def test_duplicates_stay_unless_asked_for(tmp_path: Path) -> None:
    source = fill_bikes(tmp_path / "photos", 2)
    (source / "again.jpg").write_bytes((source / "0000.jpg").read_bytes())
    assert prepared(source, tmp_path / "all").manifest.images == 3
    assert prepared(source, tmp_path / "unique", dedupe=True).manifest.images == 2


def test_the_largest_of_near_duplicates_stays(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    for name, width in (("a_small", 100), ("b_large", 400), ("c_middle", 200)):
        bike(1).resize((width, width * 3 // 4)).save(source / f"{name}.jpg", quality=70)
    prepared(source, tmp_path / "dataset", dedupe=True)
    assert set(rows(tmp_path / "dataset")) == {"b_large.jpg"}
    report = json.loads((tmp_path / "dataset" / "report.json").read_text())
    assert all("b_large.jpg" in file["detail"] for file in report["dropped"])


def test_colourful_background_is_dropped(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    calm = np.full((64, 64, 3), 240, np.uint8)
    calm[16:48, 16:48] = noise[16:48, 16:48]  # the object may be as colourful as it likes
    for name, pixels in (("busy", noise), ("calm", calm)):
        Image.fromarray(pixels).save(source / f"{name}.png")
    prepared(source, tmp_path / "dataset", max_colourfulness=20)
    assert dropped(tmp_path / "dataset") == {"busy.png": "too_colourful"}


def test_tags_are_stored_and_can_drop(tmp_path: Path) -> None:
    source = fill_bikes(tmp_path / "photos", 4)
    tags = tmp_path / "tags.csv"
    tags.write_text('0000,"blonde hair blue eyes"\n0001.jpg,"red hair:3\tpolychromatic:9"\n0009,"red hair"\n')
    prepared(source, tmp_path / "dataset", tags=tags, drop_tags=("polychromatic",))
    kept = rows(tmp_path / "dataset")
    assert kept["0000.jpg"]["tags_text"] == "blonde hair blue eyes" and kept["0002.jpg"]["tags_text"] == ""
    assert prepared_tags(tmp_path / "dataset") == {
        "0000.jpg": ("blonde hair", "blue eyes"),
        "0002.jpg": (),
        "0003.jpg": (),
    }
    assert dropped(tmp_path / "dataset") == {"0001.jpg": "dropped_tag"}
    report = json.loads((tmp_path / "dataset" / "report.json").read_text())
    assert report["tags"] == {"rows": 3, "without_image": ["0009"]}
    assert prepared_tags(source) is None


def test_report_is_one_page_with_pictures(tmp_path: Path) -> None:
    source = tmp_path / "photos"
    _, bad = fill_hostile(source)
    (source / "<b>&.jpg").write_bytes(b"no image")
    prepare(source, tmp_path / "dataset", HOSTILE_OPTIONS)
    page = (tmp_path / "dataset" / "report.html").read_text()
    assert all(name in page for name in bad) and "&lt;b&gt;&amp;.jpg" in page and "<b>&" not in page
    assert (
        page.count("data:image/jpeg;base64,") == 9 + 7
    )  # the kept; cut.jpg and .png, the copies, the GIF, both shapes
    assert page.count("no picture") == len(bad) + 1 - 7
    assert "://" not in page  # nothing is fetched


# Once, and only what was asked for


def test_again_does_nothing(tmp_path: Path) -> None:
    source, dataset = fill_bikes(tmp_path / "photos", 3), tmp_path / "dataset"
    prepared(source, dataset)
    written = {path: path.stat().st_mtime_ns for path in dataset.iterdir()}
    calls: list[tuple[int, int]] = []
    again = prepare(source, dataset, PrepareOptions(size=32), workers=1, progress=lambda *c: calls.append(c))
    assert not again.created and calls == []
    assert {path: path.stat().st_mtime_ns for path in dataset.iterdir()} == written


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 64}, "made with --size 32, not 64"),
        ({"fit": "stretch"}, "made with --fit pad, not stretch"),
        ({"dedupe": True}, "made with --dedupe off, not on"),
        ({"max_aspect": 3.0}, "made with --max-aspect none, not 3"),
    ],
)
def test_other_arguments_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    source, dataset = fill_bikes(tmp_path / "photos", 2), tmp_path / "dataset"
    prepared(source, dataset)
    before = contents(dataset)
    with pytest.raises(UserError, match=message):
        prepared(source, dataset, **options)
    assert contents(dataset) == before


def test_other_files_are_refused(tmp_path: Path) -> None:
    source, dataset = fill_bikes(tmp_path / "photos", 2), tmp_path / "dataset"
    tags = tmp_path / "tags.csv"
    tags.write_text("0000,red bike\n")
    prepared(source, dataset, tags=tags)
    tags.write_text("0000,blue bike\n")
    with pytest.raises(UserError, match=r"made with --tags tags\.csv"):
        prepared(source, dataset, tags=tags)
    tags.write_text("0000,red bike\n")
    (source / "0001.jpg").unlink()
    with pytest.raises(UserError, match="made from other files"):
        prepared(source, dataset, tags=tags)


@pytest.mark.parametrize("destination", ["photos/inside", "photos", "."])
def test_source_and_destination_are_apart(tmp_path: Path, destination: str) -> None:
    source = fill_bikes(tmp_path / "photos", 1)
    before = contents(tmp_path)
    with pytest.raises(UserError, match="lies inside"):
        prepared(source, tmp_path / destination)
    assert contents(tmp_path) == before


def test_wrong_places(tmp_path: Path) -> None:
    source = fill_bikes(tmp_path / "photos", 1)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").touch()
    prepared(source, tmp_path / "dataset")
    for wrong, destination, message in (
        ("nowhere", "new", "nowhere does not exist"),
        ("file", "new", "is not a directory"),
        ("dataset", "new", "is a prepared dataset already"),
        ("photos", "file", "is a file"),
        ("photos", "full", r"not empty and holds no dataset \(it has diary.txt\)"),
    ):
        with pytest.raises(UserError, match=message):
            prepared(tmp_path / wrong, tmp_path / destination)
    assert not (tmp_path / "new").exists() and [p.name for p in (tmp_path / "full").iterdir()] == ["diary.txt"]


def test_no_image_left_leaves_nothing(tmp_path: Path) -> None:
    source = fill_bikes(tmp_path / "photos", 2)
    with pytest.raises(UserError, match=r"no image is left of the 2 files in .*: 2 too_small"):
        prepared(source, tmp_path / "dataset", min_side=1000)
    assert not (tmp_path / "dataset").exists()
    with pytest.raises(UserError, match="the folder is empty"):
        (tmp_path / "nothing").mkdir()
        prepared(tmp_path / "nothing", tmp_path / "dataset")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "padd"}, "did you mean pad"),
        ({"animated": "firts"}, "did you mean first"),
        ({"size": 0}, "--size must be at least 1, got 0"),
        ({"max_aspect": 0.5}, "--max-aspect must be at least 1"),
        ({"label": "car"}, "--label needs --detector"),
        ({"drop_tags": ("x",)}, "needs --tags CSV"),
        ({"detector": "ssdlite", "min_score": 2}, "--min-score must be at most 1"),
        ({"max_colourfulness": float("nan")}, "--max-colourfulness must be at least 0"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PrepareOptions(**options)  # type: ignore[arg-type]


def test_tags_that_fit_nothing(tmp_path: Path) -> None:
    source, tags = fill_bikes(tmp_path / "photos", 2), tmp_path / "tags.csv"
    tags.write_text("elsewhere,red bike\n")
    with pytest.raises(UserError, match="names none of the files: its first id is 'elsewhere'"):
        prepared(source, tmp_path / "dataset", tags=tags)
    tags.write_text("0000,red bike\n0001,blue bike\n")
    with pytest.raises(UserError, match="unknown tag 'red bik': did you mean red bike"):
        prepared(source, tmp_path / "dataset", tags=tags, drop_tags=("red bik",))
    assert not (tmp_path / "dataset").exists()
