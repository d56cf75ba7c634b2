"""``gan-sweep doctor`` as people type it, without a cluster."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main


@pytest.mark.parametrize(("address", "code"), [([], 0), (["--address", "127.0.0.1:1"], 1)])
def test_one_line_each_with_its_cure(
    address: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    shown = CliRunner().invoke(main, ["doctor", *address])
    said = json.loads(CliRunner().invoke(main, ["doctor", *address, "--json"]).stdout)
    assert shown.exit_code == code and said["ok"] is (code == 0), shown.output
    lines = shown.stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    cures = [line.strip() for line in lines if line.startswith(" ")]
    assert [line.split()[0] for line in heads] == [one["level"] for one in said["findings"]]
    assert cures == [f"-> {one['cure']}" for one in said["findings"] if one["cure"]]
    assert all(bool(one["cure"]) is (one["level"] != "ok") for one in said["findings"])
    assert ("failed" in {one["level"] for one in said["findings"]}) is bool(code)
    assert list(tmp_path.iterdir()) == []
