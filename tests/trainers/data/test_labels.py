"""Classes from a tags CSV or from folders, and the two folders of a translation."""

from pathlib import Path

import pytest

from trainers.data import find_classes, find_domains, read_labels
from trainers.errors import UserError

CLASSES = {"hair": ("red", "blue"), "eyes": ("green", "blue")}


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    rows = (
        '0,"red hair blue eyes"\n1,"blue hair"\n2,"polychromatic blue hair green eyes"\n7,"red hair"\n3,"green hair"\n'
    )
    (tmp_path / "tags.csv").write_text(rows)
    return tmp_path


def test_classes_of_a_tags_file(tagged: Path) -> None:
    paths = ["0.jpg", "1.png", "sub/2.jpg", "3.jpg", "4.jpg"]
    labels = read_labels(tagged, paths, CLASSES)
    assert labels.tolist() == [[0, 1], [1, -1], [1, 0], [-1, -1], [-1, -1]]


def test_folders_are_classes_where_there_is_no_tags_file(tmp_path: Path) -> None:
    paths = ["cats/1.jpg", "dogs/2.jpg", "more/cats/3.jpg", "4.jpg"]
    assert read_labels(tmp_path, paths, {"class": ("cats", "dogs")}).flatten().tolist() == [0, 1, 0, -1]
    assert find_classes(tmp_path, paths) == {"class": ("cats", "dogs")}


def test_what_there_is_can_be_asked(tagged: Path) -> None:
    found = find_classes(tagged, ["0.jpg", "1.jpg", "2.jpg", "3.jpg"])
    assert found == {"eyes": ("blue", "green"), "hair": ("blue", "green", "red")}


def test_no_class_at_all_is_said_with_what_there_is(tagged: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(UserError, match=r"no image in .* has a class of 'hat': it has eyes: .*; hair: .*labels=auto"):
        read_labels(tagged, ["0.jpg", "1.jpg", "2.jpg"], {"hat": ("red", "blue")})
    empty = tmp_path_factory.mktemp("untagged")
    with pytest.raises(UserError, match=r"it has neither a tags CSV .* nor a folder per class"):
        read_labels(empty, ["0.jpg"], CLASSES)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("trainA", "trainB", "testA", "testB"), ("trainA", "trainB")),
        (("A", "B"), ("A", "B")),
        (("prints", "faces", "testA"), ("faces", "prints")),
        (("a", "b", "other", ".hidden"), ("a", "b")),
    ],
)
def test_two_folders_are_found(tmp_path: Path, names: tuple[str, ...], expected: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    assert find_domains(tmp_path) == (tmp_path / expected[0], tmp_path / expected[1])


@pytest.mark.parametrize("names", [(), ("one",), ("one", "two", "three")])
def test_other_numbers_of_folders_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=r"needs two folders of images in .*, such as trainA and trainB; it has"):
        find_domains(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        find_domains(tmp_path / "nowhere")
