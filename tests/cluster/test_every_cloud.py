"""Every cloud x GPU type x number x spot or on demand, with the lock file and once an image, through Ray and CRDs."""

import copy
import functools
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler._private.util
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

import cluster.clouds
from cluster.clouds import CLOUDS
from cluster.gpus import load_gpus
from cluster.render import TEMPLATES, RenderOptions, render
from tests.cluster.golden_cases import IMAGE, PINS

TABLE = load_gpus()
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the CRDs have 2.3 MB


def choices() -> list[tuple[str, RenderOptions]]:
    """A cloud with machine types offers the table's numbers of GPUs, another is asked for 1 and 8."""
    found = []
    for name in CLOUDS:
        if name == "local":  # its hosts are what they are
            found += [(name, RenderOptions(gpu_type=gpu)) for gpu in TABLE.types]
            found.append((name, RenderOptions(image=IMAGE)))
            continue
        kinds = [(m.gpu, m.gpus) for m in TABLE.of(name)] or [(gpu, n) for gpu in TABLE.types for n in (1, 8)]
        for i, (gpu, gpus) in enumerate(kinds):
            for spot in (True, False):
                for image in (None, IMAGE) if i == 0 else (None,):
                    options = RenderOptions(gpu_type=str(gpu), gpus=gpus, spot=spot, image=image, max_workers=3)
                    found.append((name, options))
    return found


def label(value: object) -> str:
    if isinstance(value, RenderOptions):
        return f"{value.gpus}x{value.gpu_type}-{'spot' if value.spot else 'od'}-{'image' if value.image else 'lock'}"
    return str(value)


def of_kind(kind: str) -> list[tuple[str, RenderOptions]]:
    return [(name, options) for name, options in choices() if CLOUDS[name].kind == kind]


def test_every_file_has_its_row() -> None:
    folder = Path(cluster.clouds.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    assert files == set(CLOUDS)
    assert {path.name for path in TEMPLATES.iterdir()} == {c.template for c in CLOUDS.values()} | {"_ray.yaml.j2"}


@functools.lru_cache
def launcher(name: str, options: RenderOptions) -> dict[str, Any]:
    """The file as Ray's launcher takes it in."""
    prepared = prepare_config(yaml.safe_load(render(name, options, pins=PINS)))
    validate_config(prepared)
    return prepared  # type: ignore[no-any-return]


def bash_accepts(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert done.returncode == 0, f"{script}\n{done.stderr}"


@pytest.mark.parametrize(("name", "options"), of_kind("ray"), ids=label)
def test_launcher_file(name: str, options: RenderOptions) -> None:
    text = render(name, options, pins=PINS)
    config = launcher(name, options)
    commands = [command for key, values in config.items() if key.endswith("_commands") for command in values]
    bash_accepts("\n".join(commands))
    assert config["idle_timeout_minutes"] == 5
    assert not re.search(r"(?<!\d)0\.0\.0\.0", text) and "dashboard-host=127.0.0.1" in text
    assert "--num-cpus=0 --num-gpus=0" in " ".join(config["head_start_ray_commands"])
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in " ".join(config["head_start_ray_commands"])
    starts = [command for command in commands if re.search(r"\bray start\b", command)]
    assert len(starts) == 2 and all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("chmod 600 ~/.ray/auth_token" in command for command in commands)
    if options.image:
        assert config["docker"]["image"] == IMAGE and "requirements.lock" not in config["file_mounts"].values()
    else:
        assert f'"ray[default]=={PINS.ray}"' in text and f"--python {PINS.python} " in text and PINS.wheel in text


@pytest.mark.parametrize(("name", "options"), [c for c in of_kind("ray") if c[0] != "local"], ids=label)
def test_node_types(name: str, options: RenderOptions) -> None:
    config = launcher(name, options)
    types, machine = config["available_node_types"], TABLE.machine(name, options.gpu_type, options.gpus)
    head, workers = types["head"], {key: value for key, value in types.items() if key != "head"}
    assert config["head_node_type"] == "head"
    assert head["resources"] == {"CPU": 0} and head["max_workers"] == 0
    assert list(workers) == (["worker_spot", "worker_on_demand"] if options.spot else ["worker_on_demand"])
    for worker in workers.values():
        assert worker["resources"] == {"CPU": machine.vcpus, "GPU": machine.gpus}
        assert (worker["min_workers"], worker["max_workers"]) == (0, options.max_workers)
    assert config["max_workers"] == options.max_workers
    priorities = [worker["priority"] for worker in workers.values()]
    assert priorities == sorted(priorities, reverse=True) and len(set(priorities)) == len(priorities)
    spot = {key: is_spot(type_["node_config"]) for key, type_ in types.items()}
    assert spot == {key: key == "worker_spot" for key in types}
    assert config["provider"]["cache_stopped_nodes"] is False


def is_spot(node: dict[str, Any]) -> bool:
    return (
        node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        or node.get("scheduling", {}).get("provisioningModel") == "SPOT"
        or node.get("azure_arm_parameters", {}).get("priority") == "Spot"
    )


def test_nodes_differ_in_spot_alone() -> None:
    """The fallback is the same machine, else a sweep would go on elsewhere than it began."""
    for name in ("aws", "gcp", "azure"):
        types = launcher(name, RenderOptions())["available_node_types"]
        text = [yaml.safe_dump(types[key]["node_config"]).lower() for key in ("worker_spot", "worker_on_demand")]
        added = set(text[0].splitlines()) - set(text[1].splitlines())
        assert all(re.search(r"spot|interruption|market|termination|eviction|billing|maxprice", line) for line in added)


def crd(file: str) -> dict[str, Any]:
    """The v1 schema of a CRD, with fields that it does not know refused instead of dropped."""
    folder = os.environ.get("GAN_SWEEP_KUBERAY_CRDS")
    if not folder:
        pytest.skip("GAN_SWEEP_KUBERAY_CRDS is not set: a folder with ray.io_rayclusters.yaml and ray.io_rayjobs.yaml")
    versions = yaml.load((Path(folder) / file).read_text(), Loader=LOADER)["spec"]["versions"]
    (schema,) = (version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1")
    return strict(copy.deepcopy(schema))


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """In place, at every level."""
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not open_ended:
        schema["additionalProperties"] = False
    for part in schema.get("properties", {}).values():
        strict(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            strict(schema[key])
    return schema


@pytest.fixture(scope="module")
def crds() -> dict[str, dict[str, Any]]:
    return {"RayCluster": crd("ray.io_rayclusters.yaml"), "RayJob": crd("ray.io_rayjobs.yaml")}


@pytest.mark.parametrize(("name", "options"), of_kind("kuberay"), ids=label)
def test_kuberay_documents(name: str, options: RenderOptions) -> None:
    cluster_, job = yaml.safe_load_all(render(name, options, pins=PINS))
    assert (cluster_["kind"], job["kind"]) == ("RayCluster", "RayJob")
    spec = cluster_["spec"]
    assert job["spec"]["rayClusterSpec"] == spec
    assert job["spec"]["shutdownAfterJobFinishes"] is True and job["spec"]["suspend"] is True
    assert spec["rayVersion"] == PINS.ray and spec["enableInTreeAutoscaling"] is True
    assert spec["autoscalerOptions"]["idleTimeoutSeconds"] == 300
    assert spec["authOptions"] == {"mode": "token", "secretName": "gan-sweep-ray-token"}
    head = spec["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0" and head["serviceType"] == "ClusterIP"
    groups = {group["groupName"]: group for group in spec["workerGroupSpecs"]}
    assert list(groups) == (["gpu-spot", "gpu-on-demand"] if options.spot else ["gpu-on-demand"])
    for group in groups.values():
        assert (group["minReplicas"], group["replicas"], group["maxReplicas"]) == (0, 0, options.max_workers)
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == options.gpus
    texts = yaml.safe_dump(groups)
    assert ("gke-spot" in texts) or options.gpu_type == "A10G"


@pytest.mark.parametrize(("name", "options"), of_kind("kuberay"), ids=label)
def test_kuberay_crds(name: str, options: RenderOptions, crds: dict[str, dict[str, Any]]) -> None:
    for document in yaml.safe_load_all(render(name, options, pins=PINS)):
        checked = {**document, "metadata": {}}  # the CRD leaves metadata to Kubernetes
        jsonschema.Draft202012Validator(crds[document["kind"]]).validate(checked)


def test_the_crds_refuse_what_is_wrong(crds: dict[str, dict[str, Any]]) -> None:
    document = next(yaml.safe_load_all(render("kuberay", RenderOptions(), pins=PINS)))
    document["metadata"] = {}
    for key, value in (("rayVersoin", "2.60.0"), ("enableInTreeAutoscaling", "yes")):
        wrong = {**document, "spec": {**document["spec"], key: value}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(crds["RayCluster"]).validate(wrong)


@pytest.mark.parametrize(("name", "options"), of_kind("slurm"), ids=label)
def test_slurm_script(name: str, options: RenderOptions) -> None:
    text = render(name, options, pins=PINS)
    bash_accepts(text)
    directives = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, flags=re.MULTILINE))
    assert directives["nodes"] == "3" and directives["gpus-per-node"] == str(options.gpus)
    assert ("requeue" in directives) == options.spot
    first_command = next(i for i, line in enumerate(text.splitlines()) if line and not line.startswith("#"))
    assert max(i for i, line in enumerate(text.splitlines()) if line.startswith("#SBATCH")) < first_command
    assert "trap finish EXIT" in text and "export RAY_AUTH_MODE=token" in text


@pytest.mark.parametrize("name", CLOUDS)
def test_no_token_in_any_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("5ec4e7" * 10)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "5ec4e7" * 10)
    text = render(name, RenderOptions(), pins=PINS)
    assert "5ec4e7" not in text
    assert "ray get-auth-token --generate > /dev/null" in text


def node_configs(name: str) -> list[dict[str, Any]]:
    """Those of all types of a file, for every machine."""
    files = [launcher(name, options) for cloud, options in of_kind("ray") if cloud == name]
    return [kind["node_config"] for file in files for kind in file["available_node_types"].values()]


def test_amazon_knows_every_field() -> None:
    """Amazon's own model of RunInstances, which Ray hands a node_config to."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    for node in node_configs("aws"):
        report = ParamValidator().validate({**node, "MinCount": 1, "MaxCount": 1}, shape)
        assert not report.has_errors(), report.generate_report()
    assert ParamValidator().validate({"InstanceTyp": "x", "MinCount": 1, "MaxCount": 1}, shape).has_errors()


def test_azure_knows_every_field() -> None:
    """The parameters of the machine template that Ray ships."""
    folder = Path(ray.autoscaler._private.util.__file__).parent / "_azure"
    known = set(json.loads((folder / "azure-vm-template.json").read_text())["parameters"])
    for node in node_configs("azure"):
        assert set(node) == {"azure_arm_parameters"} and set(node["azure_arm_parameters"]) <= known


def test_google_gets_whole_addresses() -> None:
    """Zone, region and project of every address in a file are those of the file."""
    for options in [options for cloud, options in of_kind("ray") if cloud == "gcp"]:
        file = launcher("gcp", options)
        provider = file["provider"]
        for kind in file["available_node_types"].values():
            text = json.dumps(kind["node_config"])
            assert set(re.findall(r"zones/([^/\"]+)", text)) == {provider["availability_zone"]}
            assert set(re.findall(r"regions/([^/\"]+)", text)) == {provider["region"]}
            assert provider["availability_zone"].startswith(provider["region"] + "-")
