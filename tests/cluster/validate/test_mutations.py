"""Every good file passes without a finding, and each broken one is refused in the line of its mistake."""

import os
from pathlib import Path

import pytest

from cluster.pins import Pins
from cluster.validate import Finding, validate
from cluster.validate.crd import crd_schema
from cluster.validate.machine_table import GpuMachine
from tests.cluster.validate.mutations import MUTATIONS, Mutation

GOOD = Path(__file__).parent / "good"
HERE = Pins(python="3.11.7", ray="2.60.0", package="0.1.0")
MACHINES = {
    "aws": {
        "g5.xlarge": GpuMachine("A10G", 1, frozenset({"us-east-1", "us-west-2"})),
        "g4dn.xlarge": GpuMachine("T4", 1, frozenset({"us-east-1", "us-west-2", "eu-west-1"})),
    },
    "gcp": {
        "g2-standard-4": GpuMachine("L4", 1, frozenset({"us-central1"})),
        "n1-standard-8": GpuMachine("T4", 0, frozenset({"us-central1"}), "nvidia-tesla-t4"),
    },
    "azure": {"Standard_NC24ads_A100_v4": GpuMachine("A100-80GB", 1, frozenset({"westus2"}))},
}


def findings(path: Path) -> list[Finding]:
    return validate(path, here=HERE, machines=MACHINES)


def needs_crds(file: str) -> None:
    folder = os.environ.get("GAN_SWEEP_KUBERAY_CRDS", "")
    if file.startswith("kuberay") and crd_schema(folder, "RayJob", "v1") is None:
        pytest.skip("GAN_SWEEP_KUBERAY_CRDS does not name the folder of KubeRay's definitions")


@pytest.mark.parametrize("path", sorted(GOOD.iterdir()), ids=lambda path: path.name)
def test_a_good_file_passes(path: Path) -> None:
    needs_crds(path.name)
    assert [str(finding) for finding in findings(path)] == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_broken_file_is_refused_in_the_line_of_its_mistake(mutation: Mutation, tmp_path: Path) -> None:
    needs_crds(mutation.file)
    good = (GOOD / mutation.file).read_text()
    assert good.count(mutation.old), "the table and the good file do not fit"
    broken = good.replace(mutation.old, mutation.new, 1)
    start = broken.index(mutation.at) if mutation.at else good.index(mutation.old)
    lead = "" if mutation.at else mutation.new[: len(mutation.new) - len(mutation.new.lstrip("\n"))]
    line = broken.count("\n", 0, start + len(lead)) + 1
    path = tmp_path / mutation.file
    path.write_text(broken)

    found = findings(path)

    said = [f for f in found if (f.rule, f.key, f.line) == (mutation.rule, mutation.key, line)]
    assert said, f"line {line} expected, found: " + "\n".join(map(str, found))
    assert said[0].warning == mutation.warning
    if mutation.nearest is not None:
        assert said[0].nearest == mutation.nearest
    assert str(said[0]).startswith("warning: " if mutation.warning else f"{path}:{line}: {mutation.key}: ")
    assert "\n" not in str(said[0])


def test_there_are_enough_of_each_kind() -> None:
    kinds = {name: sum(each.file == name for each in MUTATIONS) for name in sorted({m.file for m in MUTATIONS})}
    assert len(MUTATIONS) >= 40
    assert set(kinds) == {path.name for path in GOOD.iterdir()}
    assert min(kinds.values()) >= 4
