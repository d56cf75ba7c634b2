"""YAML of strangers: aliases, tags, nesting and length are bounded, each in one line."""

import tracemalloc
from pathlib import Path

import pytest

from orchestrator.space.load import bundled_spaces, load_space, space_as_yaml
from orchestrator.space.yaml_text import MOST_LETTERS, MOST_LEVELS, MOST_VALUES, dump_yaml, parse_yaml
from trainers.errors import UserError


def doubled(levels: int, use: str) -> str:
    """Levels that each name the one before ten times; written out, ten to the power of `levels`."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} {use.format(', '.join([f'*a{level - 1}'] * 10))}")
    return "\n".join(lines)


BOMBS = {
    "laughs": (doubled(9, "[{}]"), f"more than {MOST_VALUES} values, with its aliases written out"),
    "merged": (doubled(9, "{{<<: [{}]}}"), f"more than {MOST_VALUES} values, with its aliases written out"),
    "a chain": (
        "\n".join(["a0: &a0 []", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MOST_LEVELS + 1))]),
        "nested too deeply, with its aliases written out",
    ),
    "lists": ("[" * 100_000, "nested too deeply"),
    "mappings": ("\n".join(" " * n + "a:" for n in range(500)), "nested too deeply"),
    "many": ("[" + "1," * MOST_VALUES + "]", f"column {2 * MOST_VALUES} more than {MOST_VALUES} values"),
    "long": ("#" * (MOST_LETTERS + 1), f"longer than the {MOST_LETTERS} characters"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_grow_is_refused_while_it_is_small(name: str) -> None:
    text, message = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            parse_yaml(text, "bomb.yaml")
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert message in str(refused.value) and str(refused.value).startswith("bomb.yaml: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch gone']",
        "!!python/object/new:os.system ['touch gone']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1, 2]",
        "!anything x",
    ],
)
def test_no_tag_makes_an_object(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^mine\.yaml: line 1, column 7 could not determine a constructor") as refused:
        parse_yaml(f"base: {tag}", "mine.yaml")
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())


def test_aliases_of_everyday_use_are_read() -> None:
    text = "one: &one {x: 1}\ntwo: {<<: *one, y: 2}\nthree: [*one, *one]\n"
    assert parse_yaml(text, "x") == {"one": {"x": 1}, "two": {"x": 1, "y": 2}, "three": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize("name", bundled_spaces())
def test_what_is_written_here_is_far_below_the_limits(name: str) -> None:
    text = dump_yaml(space_as_yaml(load_space(name)))
    assert len(text) < MOST_LETTERS / 50


def test_a_file_is_not_read_beyond_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    with file.open("wb") as stream:
        stream.truncate(1 << 36)  # 64 GB that take no room on the disk
    with pytest.raises(UserError, match=f"long.yaml: longer than the {MOST_LETTERS} characters"):
        load_space(str(file))
