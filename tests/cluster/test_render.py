"""Options, their errors, and golden files."""

import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cluster.errors import ClusterError
from cluster.pins import Pins
from cluster.render import RenderOptions, doubt, render
from orchestrator.commands.launch import command as launch
from tests.cluster.golden_cases import CASES, GOLDEN, golden_file, rendered


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    """After a wanted change: python -m tests.cluster.golden_cases, and read the difference."""
    assert rendered(case) == golden_file(case).read_text()


def test_no_golden_file_is_left_over() -> None:
    assert set(GOLDEN.iterdir()) == {golden_file(case) for case in CASES}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "Gan Sweep"}, "name: small letters"),
        ({"name": "a" * 31}, "name: small letters"),
        ({"name": "true"}, "name: small letters"),
        ({"security_group": "default"}, "security_group: an id: 'default'; such as sg-0123456789abcdef0"),
        ({"gpus": 0}, "gpus: a whole number from 1 to 16: 0"),
        ({"gpus": True}, "gpus: a whole number"),
        ({"max_workers": 0}, "max_workers: a whole number from 1 to 1000: 0"),
        ({"image": "gan-sweep"}, "image: one with a fixed tag or a digest"),
        ({"image": "host:5000/gan-sweep"}, "image: one with a fixed tag or a digest"),
        ({"image": "gan-sweep:latest"}, "image: one with a fixed tag or a digest"),
        ({"bucket": "s3://x; rm -rf /"}, "bucket: a word without spaces"),
        ({"bucket": "s3://$HOME"}, "bucket: a word without spaces"),
        ({"region": "us-east-1\nx: y"}, "region: a word without spaces"),
        ({"hosts": ("a", "b c")}, "hosts: a word without spaces"),
    ],
)
def test_an_option_that_is_wrong_everywhere(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ClusterError) as error:
        RenderOptions(**options)
    assert str(error.value).startswith(text) and "\n" not in str(error.value)


@pytest.mark.parametrize("image", ["x:1", "host:5000/x:1.0", "x@sha256:" + "0" * 64, "x:latest@sha256:" + "0" * 64])
def test_pinned_images_are_accepted(image: str) -> None:
    assert RenderOptions(image=image).image == image


def test_an_image_whose_tag_does_not_name_its_ray_is_doubted() -> None:
    pins = Pins(python="3.11.7", ray="2.60.0", package="0.1.0")
    said = doubt(RenderOptions(image="x:1"), pins=pins)
    assert said and said.startswith("image: 'x:1' does not say which Ray") and "0.1.0-py3.11.7-ray2.60.0" in said
    assert doubt(RenderOptions(image="x:0.1.0-py3.11.7-ray2.60.0"), pins=pins) is None
    assert doubt(RenderOptions(), pins=pins) is None


@pytest.mark.parametrize(
    ("cloud", "options", "text"),
    [
        ("kubray", {}, "unknown cloud 'kubray': did you mean kuberay? valid: aws, gcp, azure, kuberay, slurm, local"),
        (
            "gcp",
            {"gpu_type": "A10G"},
            "unknown GPU type of gcp 'A10G': did you mean A100? valid: T4, L4, A100, A100-80GB, H100",
        ),
        ("slurm", {"gpu_type": "T5"}, "unknown GPU type of slurm 'T5': did you mean T4?"),
        ("aws", {"gpu_type": "A100", "gpus": 4}, "unknown number of A100 GPUs per machine of aws '4': valid: 8"),
        ("aws", {"region": "us-eastt-1"}, "unknown region of aws 'us-eastt-1': did you mean us-east-1?"),
        (
            "azure",
            {"gpu_type": "H100", "gpus": 1, "region": "eastus"},
            "unknown region of azure with 1 x H100 (Standard_NC40ads_H100_v5) 'eastus': did you mean eastus2?",
        ),
        ("kuberay", {"region": "us-east-1"}, "region: kuberay has none to choose, leave it out: 'us-east-1'"),
        ("aws", {"bucket": "gs://x"}, "bucket of aws: begins with s3://: 'gs://x'; such as s3://my-sweeps"),
        ("aws", {"bucket": "s3://"}, "bucket of aws: names no place: 's3://'; such as s3://my-sweeps"),
        ("slurm", {"bucket": "ü://x"}, "bucket of slurm: names no place"),
        ("aws", {"project": "p"}, "project: for gcp alone, leave it out for aws: 'p'"),
        ("gcp", {"security_group": "sg-0123456789abcdef0"}, "security_group: for aws alone"),
        ("aws", {"hosts": ("a", "b")}, "hosts: for local alone, leave it out for aws: 'a, b'"),
        (
            "local",
            {"max_workers": 9},
            "max_workers: for aws, gcp, azure, kuberay, slurm alone, leave it out for local: 9",
        ),
        (
            "local",
            {"spot": False},
            "spot: for aws, gcp, azure, kuberay, slurm alone, leave it out for local: 'on-demand'",
        ),
        ("local", {"gpus": 2}, "gpus: for aws, gcp, azure, kuberay, slurm alone"),
        ("kuberay", {"ssh_user": "me"}, "ssh_user: for aws, gcp, azure, local alone, leave it out for kuberay: 'me'"),
        ("slurm", {"ssh_user": "me"}, "ssh_user: for aws, gcp, azure, local alone, leave it out for slurm: 'me'"),
        ("azure", {"region": "East US"}, "unknown region of azure 'East US': did you mean eastus? valid: eastus, "),
        ("aws", {"image": "x:ray2.59.0"}, "image: 'x:ray2.59.0' has Ray 2.59.0, and here it is "),
        ("aws", {"image": "x:1-py3.9"}, "image: 'x:1-py3.9' has Python 3.9, and here it is "),
        ("slurm", {"bucket": "sweeps"}, "bucket of slurm: an address or an absolute path: 'sweeps'"),
        ("local", {"hosts": ("a",)}, "hosts of local: the head and at least one other machine, each once"),
        ("local", {"hosts": ("a", "a")}, "hosts of local: the head and at least one other machine, each once"),
    ],
)
def test_an_option_that_is_wrong_for_a_cloud(cloud: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ClusterError) as error:
        render(cloud, RenderOptions(**options))
    assert str(error.value).startswith(text) and "\n" not in str(error.value)


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure", "kuberay", "slurm", "local"])
def test_every_file_names_the_versions(cloud: str) -> None:
    text = render(cloud, RenderOptions(), pins=Pins(python="3.12.99", ray="2.77.0", package="9.8.7"))
    assert "3.12.99" in text and "2.77.0" in text and "9.8.7" in text
    assert "3.11.7" not in text and "2.60.0" not in text and "0.1.0" not in text


def test_a_price_of_the_users_reaches_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "sources: {mine: {region: us-east-1, date: 2026-10-01, text: our contract}}\n"
        "machines: {aws: [{gpu: T4, gpus: 1, machine: g4dn.xlarge, vcpus: 4, memory_gb: 16,"
        " on_demand: 0.4, spot: 0.1, source: mine, regions: [us-east-1]}]}\n"
    )
    price = yaml.safe_load(render("aws", RenderOptions(), gpus_file=file))["metadata"]["gan_sweep"]["price"]
    assert (price["worker_on_demand"], price["worker_spot"], price["source"]) == (0.4, 0.1, "our contract")


def test_the_region_is_one_that_has_the_machine() -> None:
    config = yaml.safe_load(render("azure", RenderOptions(gpu_type="H100")))
    assert config["provider"]["location"] == "eastus2"  # eastus, where none is given, has no machine with one H100


@pytest.mark.parametrize("bucket", ["s3://my-sweeps", "/shared", None])
def test_kuberays_job_runs_its_sweep_on_its_own_cluster_and_keeps_it_in_the_bucket(bucket: str | None) -> None:
    text = render("kuberay", RenderOptions(bucket=bucket))
    _, job = yaml.safe_load_all(text)
    program, name, *words = shlex.split(job["spec"]["entrypoint"])
    assert (program, name) == ("gan-sweep", launch.name)
    given, _, _ = launch.make_parser(click.Context(launch)).parse_args(words)
    kept = bucket or "s3://REPLACE-ME-sweeps"
    assert given == {
        "address": "auto",
        "sweeps_dir": f"{kept}/sweeps",
        "tracking_uri": "http://127.0.0.1:5000",
        "space": "ralsgan_motorbike",
        "data": f"{kept}/data",
        "name": "bikes",
        "resume": True,
    }
    head, mlflow = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    assert {"name": "MLFLOW_TRACKING_URI", "value": given["tracking_uri"]} in head["env"]
    assert mlflow["command"] == ["mlflow", "server", "--host", "127.0.0.1", "--port", "5000"]
    assert mlflow["startupProbe"]["exec"]["command"][-1].endswith("/127.0.0.1/5000")
