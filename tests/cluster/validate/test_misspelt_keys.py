"""A misspelt key is one line: the right one is named there, and nothing says beside it that the right one is missing."""

from pathlib import Path

import pytest

from tests.cluster.validate.test_mutations import GOOD, findings, needs_crds

HEAD = "available_node_types.head"
CASES = [
    ("aws.yaml", "\nprovider:", "\nprovidr:", "providr", "provider"),
    ("aws.yaml", "cluster_name:", "cluster_nam:", "cluster_nam", "cluster_name"),
    ("aws.yaml", "  type: aws", "  typ: aws", "provider.typ", "type"),
    ("aws.yaml", "  region:", "  regoin:", "provider.regoin", "region"),
    ("aws.yaml", "\nhead_start_ray_commands:", "\nhead_start_ray_command:", "head_start_ray_command", "head_start_ray_commands"),
    ("aws.yaml", "InstanceType: m7i", "InstanceTyp: m7i", f"{HEAD}.node_config.InstanceTyp", "InstanceType"),
    ("aws.yaml", "max_workers: 4", "max_worker: 4", "max_worker", "max_workers"),
    ("aws.yaml", "  container_name:", "  containername:", "docker.containername", "container_name"),
    ("gcp.yaml", "head_node_type:", "head_node_typ:", "head_node_typ", "head_node_type"),
    ("gcp.yaml", "\nsetup_commands:", "\nsetup_command:", "setup_command", "setup_commands"),
    ("azure.yaml", "azure_arm_parameters:", "azure_arm_parametrs:", f"{HEAD}.node_config.azure_arm_parametrs", "azure_arm_parameters"),
    ("local.yaml", "head_ip:", "head_id:", "provider.head_id", "head_ip"),
    ("kuberay.yaml", "\nkind:", "\nknd:", "knd", "kind"),
    ("kuberay.yaml", "apiVersion:", "apiVersio:", "apiVersio", "apiVersion"),
    ("kuberay.yaml", "\nmetadata:", "\nmetadta:", "metadta", "metadata"),
    ("kuberay.yaml", "\nspec:", "\nsepc:", "sepc", "spec"),
    ("kuberay.yaml", "headGroupSpec:", "headGroupSpc:", "spec.headGroupSpc", "headGroupSpec"),
    ("kuberay.yaml", "workerGroupSpecs:", "workerGroupSpec:", "spec.workerGroupSpec", "workerGroupSpecs"),
    ("kuberay.yaml", "rayStartParams:", "rayStartParam:", "spec.headGroupSpec.rayStartParam", "rayStartParams"),
    ("slurm.sh", "--time=", "--tim=", "--tim", "--time"),
    ("slurm.sh", "--gpus-per-node=", "--gpu-per-node=", "--gpu-per-node", "--gpus-per-node"),
]  # fmt: skip
# ruff: noqa: E501  (a table)


@pytest.mark.parametrize(("file", "old", "new", "key", "nearest"), CASES, ids=[case[3] for case in CASES])
def test_a_misspelt_key_is_one_line(file: str, old: str, new: str, key: str, nearest: str, tmp_path: Path) -> None:
    needs_crds(file)
    assert _refused(file, old, new, tmp_path) == [(key, nearest)]


@pytest.mark.parametrize(("old", "new", "key", "nearest"), [case[1:] for case in CASES if case[0] == "kuberay.yaml"])
def test_so_is_one_of_kuberays_without_the_definitions(
    old: str, new: str, key: str, nearest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAN_SWEEP_KUBERAY_CRDS", raising=False)
    assert _refused("kuberay.yaml", old, new, tmp_path) == [(key, nearest)]


def test_a_key_that_is_missing_is_said_beside_a_slip_for_another(tmp_path: Path) -> None:
    good = (GOOD / "aws.yaml").read_text().replace("  region: us-west-2\n", "", 1)
    (tmp_path / "aws.yaml").write_text(good.replace("idle_timeout_minutes:", "idle_timeout_minute:"))
    found = {finding.key for finding in findings(tmp_path / "aws.yaml")}
    assert {"provider.region", "idle_timeout_minute"} <= found and "idle_timeout_minutes" not in found


def _refused(file: str, old: str, new: str, folder: Path) -> list[tuple[str, str | None]]:
    good = (GOOD / file).read_text()
    assert old in good
    (folder / file).write_text(good.replace(old, new, 1))
    return [(one.key, one.nearest) for one in findings(folder / file) if not one.warning]
