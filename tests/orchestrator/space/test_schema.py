"""The JSON schema of space files agrees with what reads them; and the spaces that `spaces new` writes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.space.load import build_space, bundled_spaces, load_space, space_as_yaml
from orchestrator.space.schema import FILE, space_schema
from orchestrator.space.template import commented
from orchestrator.space.yaml_text import parse_yaml, read_yaml
from trainers.errors import UserError
from trainers.families import check_buildable

LAUNCH = ["launch", "--demo", "--dry-run"]


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    made = json.loads(json.dumps(space_schema()))
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def as_json(values: Any) -> Any:
    return json.loads(json.dumps(values))


@pytest.mark.parametrize("name", bundled_spaces())
def test_every_space_fits_and_so_does_what_is_kept_of_it(name: str, schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(as_json(read_yaml(bundled_spaces()[name], "space")))
    schema.validate(as_json(space_as_yaml(load_space(name))))


@pytest.mark.parametrize(
    "text",
    [
        "search: {}",
        "base: {}\nsearch: {}\nbases: {}",
        "base: {data: {image_size: 100}}\nsearch: {}",
        "base: {optimizer: {lr: 1}}\nsearch: {}",
        "base: {optimizer: {lr_g: -1}}\nsearch: {}",
        "base: {loss: {name: ralsgn}}\nsearch: {}",
        "base: {family: acgna}\nsearch: {}",
        "base: {}\nsearch: {optimizer.lr: {float: [0.1, 1]}}",
        "base: {}\nsearch: {fid.every: {int: [1, 2]}}",
        "base: {}\nsearch: {optimizer.lr_g: [0.1, 1]}",
        "base: {}\nsearch: {optimizer.lr_g: {float: [0.1]}}",
        "base: {}\nsearch: {optimizer.lr_g: {float: [0.1, 1], logs: true}}",
        "base: {}\nsearch: {}\nsampler: {name: tpee}",
        "base: {}\nsearch: {}\nscheduler: {name: ahsa}",
        "base: {}\nsearch: {}\nobjectives: [fid, speed]",
        "base: {}\nsearch: {}\npruning: {d_colapse: off}",
        "base: {}\nsearch: {}\npruning: {d_collapse: {windows: 3}}",
        "base: {}\nsearch: {}\ntrials: 0",
        "base: {}\nsearch: {}\nsynthetic: boats",
    ],
)
def test_what_is_wrong_does_not_fit_and_is_refused(text: str, schema: jsonschema.Draft202012Validator) -> None:
    values = parse_yaml(text, "x")
    assert not schema.is_valid(as_json(values))
    with pytest.raises(UserError):
        check_buildable(build_space("x", values).base)


@pytest.mark.parametrize(
    "text",
    [
        "base: {}\nsearch: {regime.monitored_ratio: {float: [0.4, 1], when: {regime.name: monitored}}}",
        "base: {}\nsearch: {loss.class_weights.hair: {float: [0.4, 1]}}",
        "base: {}\nsearch: {}\npruning: {d_collapse: 'off'}",  # as YAML 1.2, and so an editor, reads off
        "base: {}\nsearch: {}\npruning: {d_collapse: false, fid_plateau: {warmup: 0.5}}",
        "base: {labels: auto}\nsearch: {}",
    ],
)
def test_what_is_right_fits(text: str, schema: jsonschema.Draft202012Validator) -> None:
    schema.validate(as_json(parse_yaml(text, "x")))


def test_keys_say_what_they_mean(schema: jsonschema.Draft202012Validator) -> None:
    searched = schema.schema["properties"]["search"]["properties"]
    assert searched["optimizer.lr_g"]["description"] == "learning rate of G"
    assert "fid.every" not in searched and "family" not in searched


@pytest.mark.parametrize("name", bundled_spaces())
def test_a_new_space_is_the_one_that_it_was_made_from(name: str, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    made = CliRunner().invoke(main, ["spaces", "new", str(file), "--from", name])
    assert made.exit_code == 0, made.output
    assert load_space(str(file)).model_copy(update={"name": name}) == load_space(name)


@pytest.mark.parametrize("name", bundled_spaces())
def test_all_keys_with_their_marks_taken_away_are_the_same_space(name: str) -> None:
    text = commented(space := load_space(name))
    opened = re.sub(r"^( *)# ( *)(\w+:( .*)?)$", r"\1\2\3", text, flags=re.M)
    assert len(parse_yaml(opened, "x")["base"]) > len(parse_yaml(text, "x")["base"])
    assert build_space(name, parse_yaml(opened, "x")) == space


def test_an_editor_finds_the_schema_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"# yaml-language-server: $schema={FILE}"
    for words in (["new", "one.yaml"], ["schema", "-o", FILE], ["new", "two.yaml"]):
        assert CliRunner().invoke(main, ["spaces", *words]).exit_code == 0
    assert [line in Path(name).read_text() for name in ("one.yaml", "two.yaml")] == [False, True]
    assert json.loads(Path(FILE).read_text()) == as_json(space_schema())
    assert json.loads(CliRunner().invoke(main, ["spaces", "schema"]).output) == as_json(space_schema())


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (file := tmp_path / "mine.yaml").write_text("mine")
    result = CliRunner().invoke(main, ["spaces", "new", str(file)])
    assert result.exit_code == 2 and "is there already, and is not overwritten" in result.stderr
    assert file.read_text() == "mine"


def test_a_new_space_passes_a_dry_run(tmp_path: Path, motorbikes: Path) -> None:
    file = str(tmp_path / "new.yaml")
    for words in (["spaces", "new", file], [*LAUNCH, "--space", file, "--data", str(motorbikes)]):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
    assert "space new, 8 trials" in result.output and "nothing was started" in result.output
