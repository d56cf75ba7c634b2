"""read_tags on the forms that tags are found in."""

from pathlib import Path

import pytest

from trainers.data.tags import find_id, read_tag_texts, read_tags
from trainers.errors import UserError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tags.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('0,"blonde hair blue eyes"\n', {"0": ("blonde hair", "blue eyes")}),
        ("0,aqua hair aqua eyes\r\n1,red hair\r\n", {"0": ("aqua hair", "aqua eyes"), "1": ("red hair",)}),
        ('id,tags\n0,"a hair"\n', {"0": ("a hair",)}),
        ("image,split,tags\n7,train,red;blue\n", {"7": ("red", "blue")}),
        ('\ufeffid,tags\n\n1,"blonde hair:30\tblue eyes:2\tpolychromatic"\n', {"1": ("blonde hair", "blue eyes", "polychromatic")}),  # noqa: E501
        ("1,long hair, twin tails ,,red:4\n", {"1": ("long hair", "twin tails", "red")}),
        ("1;red;blue\n", {"1": ("red", "blue")}),
        ("1\tred,shiny\tblue\n", {"1": ("red", "shiny", "blue")}),
        ('"a, b.jpg","red bike"\n', {"a, b.jpg": ("red bike",)}),
        # "bike" and "wheel" end pairs in two rows; "flowing" and "dress" in one, so that text is one tag.
        ("1,red bike big wheel\n2,blue bike small wheel\n3,long flowing red dress\n",
         {"1": ("red bike", "big wheel"), "2": ("blue bike", "small wheel"), "3": ("long flowing red dress",)}),
        ("1,polychromatic blue hair green eyes\n", {"1": ("polychromatic", "blue hair", "green eyes")}),
        # Attributes learned from the pairs of two rows hold in the others as hair and eyes do; "polychromatic" is none.
        ("1,red paint big wheels\n2,blue paint small wheels\n3,polychromatic red paint big wheels\n4,tall green paint",
         {"1": ("red paint", "big wheels"), "2": ("blue paint", "small wheels"),
          "3": ("polychromatic", "red paint", "big wheels"), "4": ("tall", "green paint")}),
        ("1,red paint big wheels\n2,polychromatic red paint big wheels\n",  # seen in one row only: no attributes
         {"1": ("red paint big wheels",), "2": ("polychromatic red paint big wheels",)}),
        ("1,hair\n2,hair eyes\n3,a red bike\n", {"1": ("hair",), "2": ("hair eyes",), "3": ("a red bike",)}),
        ("1,\n2,red hair\n", {"1": (), "2": ("red hair",)}),
        ("1,red\n1,blue\n1,red\n", {"1": ("red", "blue")}),
    ],
)  # fmt: skip
def test_forms(tmp_path: Path, text: str, tags: dict[str, tuple[str, ...]]) -> None:
    assert read_tags(written(tmp_path, text)) == tags


def test_texts_are_as_written(tmp_path: Path) -> None:
    path = written(tmp_path, 'id,tags\n0,"blonde hair:3\tblue eyes"\n1,red,blue\n1,green\n')
    assert read_tag_texts(path) == {"0": "blonde hair:3\tblue eyes", "1": "red,blue; green"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row of an id and tags"),
        ("just words\n", "has no row of an id and tags"),
        ("id,tags\n", "has a header and no rows"),
        ("1,red\n,blue\n", "has no id in row 2"),
        (f'1,"{"x" * 200_000}"\n', "is not a CSV"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_tags(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the tags file"):
        read_tags(tmp_path / "nowhere.csv")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\xff\xfe,")
    with pytest.raises(UserError, match=r"is not text in UTF-8 \(byte 0\)"):
        read_tags(tmp_path / "a.png")


def test_ids_are_paths_names_or_stems(tmp_path: Path) -> None:
    ids = {"sub/1.jpg", "sub/2", "3.jpg", "4", "1"}
    files = ("sub/1.jpg", "sub/2.png", "sub/3.jpg", "4.jpg", "other/1.png", "5.jpg")
    assert [find_id(file, ids) for file in files] == ["sub/1.jpg", "sub/2", "3.jpg", "4", "1", None]
