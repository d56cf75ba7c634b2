"""Writes the field names that the clouds themselves publish to cluster/validate/data/.

python -m tests.cluster.validate.make_fields COMPUTE_V1_JSON

COMPUTE_V1_JSON is googleapiclient/discovery_cache/documents/compute.v1.json of the wheel google-api-python-client.
AWS comes from the installed botocore, Azure from the installed Ray. The notation is explained in
cluster/validate/fields.py.
"""

import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import botocore
import ray
import yaml

DATA = Path(__file__).parents[3] / "cluster/validate/data"
BOTOCORE = Path(botocore.__file__).parent / "data"
AWS_TYPES = {"string": "str", "integer": "int", "long": "int", "boolean": "bool", "float": "number", "double": "number"}
GCP_TYPES = {"string": "str", "integer": "int", "boolean": "bool", "number": "number", "any": "any"}
ARM_TYPES = {"string": "str", "securestring": "str", "int": "int", "bool": "bool", "object": "any", "array": ["any"]}


def aws_shape(shapes: dict[str, Any], name: str) -> Any:
    shape = shapes[name]
    if shape["type"] == "structure":
        return {key: aws_shape(shapes, member["shape"]) for key, member in sorted(shape["members"].items())}
    if shape["type"] == "list":
        return [aws_shape(shapes, shape["member"]["shape"])]
    if "enum" in shape and name != "InstanceType":
        return "|".join(shape["enum"])
    return AWS_TYPES.get(shape["type"], "str")


def gcp_schema(schemas: dict[str, Any], schema: dict[str, Any], above: tuple[str, ...] = ()) -> Any:
    name = schema.get("$ref")
    if name in above or (schema.get("readOnly") and name):
        return "any"
    if name:
        return gcp_schema(schemas, schemas[name], (*above, name))
    if schema["type"] == "array":
        return [gcp_schema(schemas, schema["items"], above)]
    if schema["type"] == "object":
        properties = schema.get("properties")
        if not properties:
            return "texts" if schema.get("additionalProperties", {}).get("type") == "string" else "any"
        return {k: gcp_schema(schemas, v, above) for k, v in sorted(properties.items())}
    if "enum" in schema:
        return "|".join(schema["enum"])
    return "int" if "int" in schema.get("format", "") else GCP_TYPES[schema["type"]]


def write(name: str, comment: str, content: Any) -> None:
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    made = "# Made by tests/cluster/validate/make_fields.py, which says how to make it again.\n"
    (DATA / name).write_text(lines + made + yaml.dump(content, width=118, default_flow_style=None, sort_keys=False))


def aws() -> None:
    shapes = json.loads(gzip.decompress((BOTOCORE / "ec2/2016-11-15/service-2.json.gz").read_bytes()))["shapes"]
    version = f"botocore {botocore.__version__}, EC2 of 2016-11-15"
    fields = aws_shape(shapes, "RunInstancesRequest")
    fields["SubnetIds"] = ["str"]  # Ray's own: it picks one
    write(
        "aws_fields.yaml",
        f"What EC2's RunInstances takes, and what one rule of a security group takes: {version}.\n"
        "SubnetIds is Ray's own: it picks one of them.",
        {"node_config": fields, "ip_permission": aws_shape(shapes, "IpPermission")},
    )
    sizes = defaultdict(list)
    for machine in sorted(shapes["InstanceType"]["enum"]):
        sizes[machine.split(".")[0]].append(machine.split(".")[1])
    write("aws_instance_types.yaml", f"EC2's instance types, family by family: {version}.", dict(sizes))


def gcp(document: Path) -> None:
    api = json.loads(document.read_text())
    write(
        "gcp_fields.yaml",
        f"What Compute Engine's Instance takes: compute v1, revision {api['revision']}.",
        {"node_config": gcp_schema(api["schemas"], {"$ref": "Instance"})},
    )


def azure() -> None:
    template = Path(ray.__file__).parent / "autoscaler/_private/_azure/azure-vm-template.json"
    parameters = json.loads(template.read_text())["parameters"]
    fields = {key: ARM_TYPES[value["type"].lower()] for key, value in parameters.items()}
    fields |= {
        "vmTags": "texts",
        "availability_zone": "str",
        "priority": "Regular|Low|Spot",
        "evictionPolicy": "Delete|Deallocate",
    }
    fields["billingProfile"] = {"maxPrice": "number"}
    write(
        "azure_fields.yaml",
        f"What Ray's Azure provider takes: the parameters of its azure-vm-template.json, Ray {ray.__version__}.\n"
        "availability_zone is read by its node_provider.py; the values of priority, evictionPolicy and billingProfile\n"
        "are those of Microsoft.Compute/virtualMachines of 2024-07-01, which that template names.",
        {"node_config": {"azure_arm_parameters": fields, "tags": "texts"}},
    )


if __name__ == "__main__":
    aws()
    gcp(Path(sys.argv[1]))
    azure()
