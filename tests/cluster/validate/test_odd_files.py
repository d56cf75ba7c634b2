"""Files that are no cluster files: each is one clear finding, and never a traceback."""

import os
from pathlib import Path

import pytest

from cluster.validate import validate

HEAD = "cluster_name: x\nprovider:\n  type: aws\n"

ODD = {
    "empty": (b"", 1, "is empty"),
    "spaces": (b" \n\n", 1, "is empty"),
    "comments": (b"# nothing\n", 1, "nothing but comments"),
    "null": (b"~\n", 1, "is empty"),
    "text": (b"hello\n", 1, "must be a mapping"),
    "list": (b"- a\n- b\n", 1, "must be a mapping"),
    "other yaml": (b"a: 1\nb: 2\n", 1, "is no cluster file"),
    "tab": (HEAD.encode() + b"\tregion: us-west-2\n", 4, "a tab"),
    "tab before a key": (b"provider:\n\ttype: aws\n", 2, "a tab"),
    "duplicate key": (HEAD.encode() + b"provider: {}\n", 4, "given twice, first in line 2"),
    "nested duplicate": (b"provider:\n  type: aws\n  region: a\n  type: gcp\n", 4, "given twice"),
    "two documents": (HEAD.encode() + b"---\ncluster_name: y\n", 5, "a second document"),
    "unclosed": (b"provider: {type: aws\nmax_workers: 2\n", 2, "is no YAML"),
    "indentation": (b"provider:\n  type: aws\n region: x\n", 3, "is no YAML"),
    "unknown alias": (b"provider: *nothing\n", 1, "undefined alias"),
    "alias of itself": (b"provider: &a\n  type: *a\n", 2, "stands inside"),
    "many aliases": (
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (i + 1, i + 1, b", ".join([b"*%c" % i] * 9)) for i in range(97, 104))
        + b"provider: 1\n",
        0,
        "aliases multiply",
    ),
    "python tag": (b"provider: !!python/object/apply:os.system [ls]\n", 0, "tag"),
    "tagged mapping": (b"provider: !!python/object:a.B {x: 1}\n", 0, "tag"),
    "number as key": (b"provider:\n  1: x\n", 2, "no text to YAML"),
    "yes as key": (b"provider:\n  yes: x\n", 2, "no text to YAML"),
    "list as key": (b"provider:\n  ? [a]\n  : x\n", 2, "a key must be a text"),
    "no such day": (b"provider: 2026-13-45\n", 0, "cannot read"),
    "binary": (b"provider:\n\x00\x01\x02", 2, "binary"),
    "not utf-8": (b"provider:\n  type: \xff\xfe\xff\n", 2, "not UTF-8"),
    "control character": (b"provider:\n  type: a\x07b\n", 2, "does not allow"),
    "deep": (b"[" * 5000, 1, ""),
    "huge": (b"# " + b"x" * 2_000_001, 1, "more than"),
}

# Where in its line the mistake is, for those that a parser finds.
COLUMNS = {"tab": 1, "unclosed": 12, "indentation": 2, "unknown alias": 11, "control character": 10}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_one_finding(name: str, tmp_path: Path) -> None:
    content, line, says = ODD[name]
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    found = validate(path)
    assert len(found) == 1
    assert says in found[0].text
    assert not line or found[0].line == line
    assert name not in COLUMNS or str(found[0]).startswith(f"{path}:{line}:{COLUMNS[name]}: ")
    assert not found[0].warning
    assert str(found[0]).count("\n") == 0 and "Traceback" not in str(found[0])


def test_a_place_that_holds_no_file_is_one_finding(tmp_path: Path) -> None:
    assert [f.text for f in validate(tmp_path / "none.yaml")] == ["there is no such file"]
    assert [f.text for f in validate(tmp_path)] == ["is a folder, not a file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("x")
    path.chmod(0)
    assert len(validate(path)) == 1


def test_anchors_merge_keys_a_bom_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    good = (Path(__file__).parent / "good/local.yaml").read_text()
    anchored = good.replace("ssh_user: me", "<<: &base {ssh_user: me}")
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + anchored.replace("\n", "\r\n").encode())
    assert not any(finding.rule in ("yaml", "layout") for finding in validate(path))
