"""Broken cluster files: each is one small change of a good one, and what must be said about it."""

from dataclasses import dataclass

# ruff: noqa: E501  (a table)


@dataclass(frozen=True)
class Mutation:
    """Replace the first `old` of a good file by `new`; then `rule` must name `key` in the line that holds `at`."""

    file: str
    name: str
    old: str
    new: str
    rule: str
    key: str
    at: str = ""  # empty: the line in which `new` begins
    warning: bool = False
    nearest: str | None = None  # None: not looked at

    def __str__(self) -> str:
        return f"{self.file.split('.')[0]}: {self.name}"


def m(file: str, name: str, old: str, new: str, rule: str, key: str, **more: object) -> Mutation:
    return Mutation(file, name, old, new, rule, key, **more)  # type: ignore[arg-type]


HEAD = "available_node_types.head"
SPOT = "available_node_types.spot_worker"
A, G, Z, L, K, S = "aws.yaml", "gcp.yaml", "azure.yaml", "local.yaml", "kuberay.yaml", "slurm.sh"
IMAGE = "ghcr.io/example/gan-sweep:0.1.0-ray2.60.0-py3.11.7"
INGRESS = "provider.security_group.IpPermissions[0]"
HEAD_BOX = "spec.headGroupSpec.template.spec.containers[0]"
BOX = "spec.workerGroupSpecs[0].template.spec.containers[0]"

MUTATIONS = [
    # Keys
    m(A, "top-level key", "max_workers: 4", "max_worker: 4", "layout", "max_worker", nearest="max_workers"),
    m(A, "provider key", "  region:", "  regoin:", "layout", "provider.regoin", nearest="region"),
    m(A, "region is gone", "  region: us-west-2\n", "", "provider_required", "provider.region", at="provider:"),
    m(A, "auth key", "ssh_user", "ssh_usr", "layout", "auth.ssh_usr", nearest="ssh_user"),
    m(A, "docker key", "container_name", "containername", "layout", "docker.containername"),
    m(A, "node type key", "min_workers: 0", "min_worker: 0", "layout", f"{HEAD}.min_worker", nearest="min_workers"),
    m(A, "capitals", "InstanceType: m7i", "instanceType: m7i", "node_config", f"{HEAD}.node_config.instanceType"),
    m(
        A, "EBS key", "VolumeSize: 200", "VolumSize: 200", "node_config",
        f"{SPOT}.node_config.BlockDeviceMappings[0].Ebs.VolumSize", nearest="VolumeSize",
    ),
    m(
        A, "spot option", "SpotInstanceType", "SpotInstanceTyp", "node_config",
        f"{SPOT}.node_config.InstanceMarketOptions.SpotOptions.SpotInstanceTyp", nearest="SpotInstanceType",
    ),
    m(
        A, "market type", "MarketType: spot", "MarketType: spto", "node_config",
        f"{SPOT}.node_config.InstanceMarketOptions.MarketType", nearest="spot",
    ),
    m(
        A, "network interface", "Groups:", "Group:", "node_config",
        f"{SPOT}.node_config.NetworkInterfaces[0].Group", nearest="Groups",
    ),
    m(A, "a list as a mapping", "        - DeviceName: /dev/sda1\n          Ebs: {", "          DeviceName: x\n          Ebs: {",
      "node_config", f"{HEAD}.node_config.BlockDeviceMappings", at="BlockDeviceMappings"),
    m(A, "security group key", "FromPort", "FormPort", "layout", f"{INGRESS}.FormPort", nearest="FromPort"),
    m(A, "text for a number", "max_workers: 4", 'max_workers: "4"', "layout", "max_workers", nearest="4"),
    m(A, "null list", "setup_commands:\n  - python -c 'import ray'", "setup_commands:", "layout", "setup_commands"),
    m(A, "unknown provider", "type: aws", "type: awss", "provider_type", "provider.type", nearest="aws"),
    # Workers and head
    m(A, "head type", "head_node_type: head", "head_node_type: haed", "head_node_type", "head_node_type", nearest="head"),
    m(A, "min above max", "    min_workers: 0\n    max_workers: 4", "    min_workers: 5\n    max_workers: 4",
      "worker_counts", f"{SPOT}.min_workers"),
    m(Z, "min in sum", "    min_workers: 0\n    max_workers: 2", "    min_workers: 3\n    max_workers: 3",
      "worker_counts", "max_workers", at="max_workers: 2"),
    m(A, "no limit", "max_workers: 4\nupscaling", "upscaling", "max_workers", "max_workers", at="cluster_name"),
    m(A, "no idle timeout", "idle_timeout_minutes: 5\n", "", "idle_timeout", "idle_timeout_minutes", at="cluster_name"),
    m(A, "long idle timeout", "minutes: 5", "minutes: 120", "idle_timeout", "idle_timeout_minutes", warning=True),
    m(A, "head has a GPU", "CPU: 0, GPU: 0", "CPU: 0, GPU: 1", "head_gpu", f"{HEAD}.resources.GPU"),
    m(A, "head is a GPU machine", "m7i.xlarge", "g5.xlarge", "head_gpu", f"{HEAD}.node_config.InstanceType"),
    m(A, "head trains", "CPU: 0, GPU: 0", "GPU: 0", "head_trains", f"{HEAD}.resources.CPU"),
    m(G, "head trains", '"CPU": 0', '"CPU": 4', "head_trains", f"{HEAD}.resources.CPU"),
    m(A, "no fallback", "      InstanceMarketOptions: {}\n", "", "spot_fallback",
      f"{SPOT}.node_config.InstanceMarketOptions.MarketType", at="MarketType: spot", warning=True),
    # What is paid for though nothing runs on it
    m(A, "always up", "  spot_worker: &worker\n    min_workers: 0", "  spot_worker: &worker\n    min_workers: 1", "always_up",
      f"{SPOT}.min_workers", at="min_workers: 1", warning=True),
    m(A, "disks of stopped machines", "cache_stopped_nodes: false", "cache_stopped_nodes: true", "kept_disks",
      "provider.cache_stopped_nodes", nearest="false", warning=True),
    m(A, "disk that stays", "DeleteOnTermination: true", "DeleteOnTermination: false", "kept_disks",
      f"{SPOT}.node_config.BlockDeviceMappings[0].Ebs.DeleteOnTermination", nearest="true", warning=True),
    m(K, "always up", "minReplicas: 0", "minReplicas: 1", "pods_always_up", "spec.workerGroupSpecs[0].minReplicas", warning=True),
    # Places and machines
    m(A, "no such region", "region: us-west-2", "region: us-west-22", "region", "provider.region", nearest="us-west-2"),
    m(A, "zone of another region", "us-west-2b", "us-east-1b", "zone", "provider.availability_zone"),
    m(G, "zone of another region", "zone: us-central1-a", "zone: us-east1-b", "zone", "provider.availability_zone"),
    m(A, "no such zone", "us-west-2a,us-west-2b", "us-west-2a,us-west-2z", "zone", "provider.availability_zone", nearest="us-west-2a"),
    m(A, "zone that may be new", "us-west-2a,us-west-2b", "us-west-2a,us-west-2f", "zone", "provider.availability_zone", warning=True),
    m(G, "no such zone", "zone: us-central1-a", "zone: us-central1-q", "zone", "provider.availability_zone", nearest="us-central1-a"),
    m(A, "no such machine", "g5.xlarge", "g5.xlrage", "machine_type", f"{SPOT}.node_config.InstanceType", nearest="g5.xlarge"),
    m(A, "machine of another region", "region: us-west-2\n  availability_zone: us-west-2a,us-west-2b", "region: eu-west-1",
      "machine_type", f"{SPOT}.node_config.InstanceType", at="InstanceType: g5"),
    m(Z, "no such machine", "NC24ads_A100_v4", "NC24ads_A100_v5", "machine_type",
      f"{SPOT}.node_config.azure_arm_parameters.vmSize", nearest="Standard_NC24ads_A100_v4"),
    m(A, "size that is not", "InstanceType: g5.xlarge", "InstanceType: g5.3xlarge", "machine_type", f"{SPOT}.node_config.InstanceType"),
    m(G, "size that is not", "g2-standard-4", "g2-standard-5", "machine_type", f"{SPOT}.node_config.machineType", nearest="g2-standard-4"),
    m(G, "head's size that is not", "n2-standard-4", "n2-standard-7", "machine_type", f"{HEAD}.node_config.machineType",
      nearest="n2-standard-8"),
    m(Z, "size that is not", "NC24ads_A100_v4", "NC36ads_A100_v4", "machine_type",
      f"{SPOT}.node_config.azure_arm_parameters.vmSize", nearest="Standard_NC24ads_A100_v4"),
    m(Z, "head's size that is not", "Standard_D4s_v5", "Standard_D5s_v5", "machine_type",
      f"{HEAD}.node_config.azure_arm_parameters.vmSize", nearest="Standard_D4s_v5"),
    m(G, "more CPUs than there are", "CPU: 4, GPU: 1", "CPU: 8, GPU: 1", "worker_cpus", f"{SPOT}.resources.CPU", nearest="4"),
    m(A, "more CPUs than the name says", "CPU: 4, GPU: 1", "CPU: 16, GPU: 1", "worker_cpus", f"{SPOT}.resources.CPU", nearest="4",
      warning=True),
    m(A, "no CPUs", "CPU: 4, GPU: 1", "CPU: 0, GPU: 1", "worker_cpus", f"{SPOT}.resources.CPU"),
    m(K, "no CPUs", "rayStartParams: {}", 'rayStartParams: {num-cpus: "0"}', "asked_and_limited",
      "spec.workerGroupSpecs[0].rayStartParams.num-cpus"),
    m(A, "more GPUs than there are", "CPU: 4, GPU: 1", "CPU: 4, GPU: 8", "gpu_count", f"{SPOT}.resources.GPU", nearest="1"),
    m(A, "small disk", "VolumeSize: 200", "VolumeSize: 50", "disk_size",
      f"{SPOT}.node_config.BlockDeviceMappings[0].Ebs.VolumeSize"),
    m(G, "small disk", "diskSizeGb: 200", "diskSizeGb: 50", "disk_size",
      f"{SPOT}.node_config.disks[0].initializeParams.diskSizeGb"),
    m(Z, "small disk", "osDiskSize: 256", "osDiskSize: 64", "disk_size", f"{SPOT}.node_config.azure_arm_parameters.osDiskSize"),
    # Software
    m(A, "image of today", "0.1.0-ray2.60.0-py3.11.7", "latest", "image_pinned", "docker.image"),
    m(A, "image without tag", ":0.1.0-ray2.60.0-py3.11.7", "", "image_pinned", "docker.image"),
    m(A, "another Ray", "ray2.60.0", "ray2.60.1", "versions", "docker.image", nearest="2.60.0"),
    m(A, "another Python", "py3.11.7", "py3.11.9", "versions", "docker.image", nearest="3.11.7"),
    m(G, "another Ray", "tune]==2.60.0", "tune]==2.59.0", "versions", "setup_commands[2]", nearest="2.60.0"),
    m(G, "another Python", "python 3.11.7", "python 3.12.1", "versions", "setup_commands[1]", nearest="3.11.7"),
    m(G, "no ray[default]", '"ray[default,train,tune]==2.60.0" gan-sweep==0.1.0', '"ray==2.60.0"', "ray_default",
      "setup_commands", at="setup_commands"),
    m(G, "Ray of any version", "tune]==2.60.0", "tune]", "versions", "setup_commands[2]"),
    # Doors and secrets
    m(A, "open to the world", "203.0.113.0/24", "0.0.0.0/0", "open_port", f"{INGRESS}.IpRanges[0].CidrIp"),
    m(A, "open dashboard", "dashboard-host=127.0.0.1", "dashboard-host=0.0.0.0", "open_port", "head_start_ray_commands[1]",
      at="  - >-"),
    m(A, "access key", "python -c 'import ray'", "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "secret", "setup_commands[0]"),
    m(Z, "token", "  - ray stop", "  - export MLFLOW_TRACKING_TOKEN=3f9c1b2a77", "secret", "head_start_ray_commands[0]"),
    m(A, "password", "cache_stopped_nodes: false", "aws_credentials: {aws_secret_access_key: wJalrXUtnFEMIK7MDENG}", "secret",
      "provider.aws_credentials.aws_secret_access_key"),
    # Other clouds' own
    m(G, "initializeParams", "diskSizeGb: 200", "diskSizeGB: 200", "node_config",
      f"{SPOT}.node_config.disks[0].initializeParams.diskSizeGB", nearest="diskSizeGb"),
    m(G, "scheduling", "provisioningModel", "provisionningModel", "node_config",
      f"{SPOT}.node_config.scheduling.provisionningModel", nearest="provisioningModel"),
    m(G, "zone is gone", "  availability_zone: us-central1-a\n", "", "provider_required", "provider.availability_zone",
      at="provider:"),
    m(Z, "arm parameter", "vmSize: Standard_D4s_v5", "vmsize: Standard_D4s_v5", "node_config",
      f"{HEAD}.node_config.azure_arm_parameters.vmsize", nearest="vmSize"),
    m(Z, "arm section", "azure_arm_parameters", "azure_arm_parameter", "node_config", f"{HEAD}.node_config.azure_arm_parameter"),
    m(Z, "no such location", "location: westus2", "location: westuss2", "region", "provider.location", nearest="westus2"),
    m(Z, "priority", "priority: Spot", "priority: Sport", "node_config", f"{SPOT}.node_config.azure_arm_parameters.priority"),
    m(L, "no head", "head_ip:", "head_id:", "layout", "provider.head_id", nearest="head_ip"),
    m(L, "a host as text", "worker_ips:\n    - 192.0.2.2\n    - 192.0.2.3", "worker_ips: 192.0.2.2", "layout",
      "provider.worker_ips"),
    m(L, "a host twice", "- 192.0.2.3", "- 192.0.2.2", "local_hosts", "provider.worker_ips[1]"),
    m(L, "node types", "auth:", "head_node_type: head\nauth:", "local_hosts", "head_node_type"),
    # KubeRay
    m(K, "kind", "kind: RayCluster", "kind: RayClustr", "kinds", "kind", nearest="RayCluster"),
    m(K, "version", "apiVersion: ray.io/v1", "apiVersion: ray.io/v2", "kinds", "apiVersion", nearest="ray.io/v1"),
    m(K, "spec key", "workerGroupSpecs", "workerGroupSpec", "structure", "spec.workerGroupSpec", nearest="workerGroupSpecs"),
    m(K, "container key", "image: ghcr", "imag: ghcr", "structure", f"{HEAD_BOX}.imag", nearest="image"),
    m(K, "text for a number", "replicas: 0", 'replicas: "0"', "structure", "spec.workerGroupSpecs[0].replicas", nearest="0"),
    m(K, "number for a text", 'num-cpus: "0"', "num-cpus: 0", "structure", "spec.headGroupSpec.rayStartParams.num-cpus"),
    m(K, "min above max", "minReplicas: 0", "minReplicas: 9", "worker_counts", "spec.workerGroupSpecs[0].minReplicas"),
    m(K, "image of today", IMAGE, "ghcr.io/example/gan-sweep:latest", "image_pinned", f"{HEAD_BOX}.image"),
    m(K, "another Ray", 'rayVersion: "2.60.0"', 'rayVersion: "2.60.1"', "versions", "spec.rayVersion", nearest="2.60.0"),
    m(K, "GPU resource", "nvidia.com/gpu: 1", "nvidia.com/gpus: 1", "resources", f"{BOX}.resources.limits.nvidia.com/gpus"),
    m(K, "token", "valueFrom:\n                  secretKeyRef:\n                    name: gan-sweep\n                    key: auth_token",
      "value: 3f9c1b2a77", "secret", f"{HEAD_BOX}.env[1].value"),
    m(K, "no autoscaling", "enableInTreeAutoscaling: true", "enableInTreeAutoscaling: false", "idle_timeout",
      "spec.enableInTreeAutoscaling"),
    m(K, "cluster outlives job", "shutdownAfterJobFinishes: true", "shutdownAfterJobFinishes: false", "idle_timeout",
      "spec.shutdownAfterJobFinishes"),
    m(K, "head trains", 'num-cpus: "0"', 'num-cpus: "4"', "head_trains", "spec.headGroupSpec.rayStartParams.num-cpus"),
    m(K, "open service", "serviceType: ClusterIP", "serviceType: LoadBalancer", "open_port", "spec.headGroupSpec.serviceType"),
    m(K, "enum", "upscalingMode: Default", "upscalingMode: Defualt", "structure", "spec.autoscalerOptions.upscalingMode",
      nearest="Default"),
    # Slurm
    m(S, "option", "--ntasks-per-node", "--ntask-per-node", "directive", "--ntask-per-node", nearest="--ntasks-per-node"),
    m(S, "directive", "#SBATCH --mem", "#SBTACH --mem", "directive", "#SBTACH", nearest="#SBATCH"),
    m(S, "too late", "set -euo pipefail", "set -euo pipefail\n#SBATCH --mem=8G", "directive", "--mem", at="--mem=8G"),
    m(S, "time", "08:00:00", "8h", "option_value", "--time"),
    m(S, "no time", "#SBATCH --time=08:00:00\n", "", "time_limit", "--time", at="#!/bin/bash"),
    m(S, "no GPU", "#SBATCH --gpus-per-node=a100:2\n", "", "gpus", "--gpus-per-node", at="#!/bin/bash"),
    m(S, "shell", "; do\n", "\n", "shell_syntax", "srun", at='srun --nodes=1 --ntasks=1 -w "$node"'),
    m(S, "open dashboard", "--num-cpus=0", "--num-cpus=0 --dashboard-host=0.0.0.0", "open_port", "srun", at='-w "$head"'),
    m(S, "token", "RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN=3f9c1b2a77", "secret", "export"),
    # Rules that the table above does not reach
    m(A, "an image by name", "ImageId: ami-0123456789abcdef0", "ImageId: ubuntu-22.04", "aws_ids", f"{HEAD}.node_config.ImageId"),
    m(A, "a group by name", "[sg-0123456789abcdef0]", "[default]", "aws_ids", f"{HEAD}.node_config.SecurityGroupIds[0]"),
    m(A, "spot head", "InstanceType: m7i.xlarge", "InstanceMarketOptions: {MarketType: spot}\n      InstanceType: m7i.xlarge",
      "head_spot", f"{HEAD}.node_config.InstanceMarketOptions.MarketType"),
    m(A, "no workers", "max_workers: 4\nup", "max_workers: 0\nup", "no_workers", "max_workers"),
    m(A, "resource", "CPU: 4, GPU: 1", "CPU: 4, Gpu: 1", "resource_names", f"{SPOT}.resources.Gpu", nearest="GPU"),
    m(A, "no such range", "203.0.113.0/24", "203.0.113.0/33", "address_range", f"{INGRESS}.IpRanges[0].CidrIp"),
    m(A, "protocol", "IpProtocol: tcp", "IpProtocol: tpc", "address_range", f"{INGRESS}.IpProtocol"),
    m(A, "container without name", "  container_name: gan-sweep\n", "", "container_name", "docker.container_name", at="docker:"),
    m(A, "no workers start", "worker_start_ray_commands:\n  - ray stop\n  - ulimit -n 65536; ray start --address=$RAY_HEAD_IP:6379",
      "worker_start_ray_commands:\n  - ray stop", "ray_start", "worker_start_ray_commands"),
    m(L, "no autoscaling", " --autoscaling-config=~/ray_bootstrap_config.yaml", "", "ray_start", "head_start_ray_commands",
      at="head_start_ray_commands"),
    m(L, "option of ray start", "--num-gpus=0", "--num-gpu=0", "ray_options", "head_start_ray_commands[1]", nearest="--num-gpus"),
    m(L, "no such address", "192.0.2.3", "192.0.2.333", "local_hosts", "provider.worker_ips[1]"),
    m(G, "moved while it runs", "onHostMaintenance: TERMINATE", "onHostMaintenance: MIGRATE", "host_maintenance",
      f"{SPOT}.node_config.scheduling.onHostMaintenance", nearest="TERMINATE"),
    m(G, "accelerator", "machineType: g2-standard-4", "machineType: n1-standard-8\n      guestAccelerators:\n        - {acceleratorType: "
      "projects/p/zones/us-central1-a/acceleratorTypes/nvidia-tesla-t44, acceleratorCount: 1}", "accelerator",
      f"{SPOT}.node_config.guestAccelerators[0].acceleratorType", at="- {acceleratorType", nearest="nvidia-tesla-t4"),
    m(G, "kind of machine", "n2-standard-4", "n2-standrd-4", "machine_type", f"{HEAD}.node_config.machineType", nearest="standard"),
    m(K, "head has a GPU", "memory: 16Gi", "nvidia.com/gpu: 1", "head_gpu", f"{HEAD_BOX}.resources.limits.nvidia.com/gpu"),
    m(K, "half a GPU", "nvidia.com/gpu: 1", "nvidia.com/gpu: 0.5", "resources", f"{BOX}.resources.limits.nvidia.com/gpu"),
    m(K, "no unit", "memory: 16Gi", "memory: 16", "resources", f"{HEAD_BOX}.resources.limits.memory"),
    m(K, "no limit", "      maxReplicas: 4\n", "", "max_workers", "spec.workerGroupSpecs[0].maxReplicas", at="- groupName: spot"),
    m(K, "spot head", "      spec:\n        containers:\n          - name: ray-head", "      spec:\n        nodeSelector: "
      '{cloud.google.com/gke-spot: "true"}\n        containers:\n          - name: ray-head', "head_spot",
      "spec.headGroupSpec.template.spec.nodeSelector.cloud.google.com/gke-spot", at="nodeSelector: {cloud"),
    m(K, "no fallback", "                  memory: 32Gi\n                  nvidia.com/gpu: 1\n---", "                  memory: 32Gi\n---",
      "spot_fallback", "spec.workerGroupSpecs[0].template.spec.nodeSelector.cloud.google.com/gke-spot", at="cloud.google.com/gke-spot",
      warning=True),
    m(K, "small disk", "ephemeral-storage: 100Gi", "ephemeral-storage: 20Gi", "disk_size", f"{BOX}.resources.limits.ephemeral-storage"),
    m(K, "job without entrypoint", "entrypoint: gan-sweep launch --space ralsgan_motorbike --data s3://bucket/photos", 'entrypoint: ""',
      "entrypoint", "spec.entrypoint"),
    m(K, "two groups of one name", "groupName: on-demand", "groupName: spot", "group_names", "spec.workerGroupSpecs[1].groupName"),
    m(K, "option of ray start", 'num-cpus: "0"', 'num-cpus: "0"\n      numcpus: "0"', "start_params",
      "spec.headGroupSpec.rayStartParams.numcpus", at="numcpus", nearest="num-cpus"),
    m(K, "service type", "serviceType: ClusterIP", "serviceType: ClusterIp", "pods", "spec.headGroupSpec.serviceType",
      nearest="ClusterIP"),
    m(K, "toleration", "effect: NoSchedule", "effect: NoSchedul", "pods",
      "spec.workerGroupSpecs[0].template.spec.tolerations[0].effect", nearest="NoSchedule"),
    m(S, "no shell named", "#!/bin/bash\n", "", "shebang", "#!", at="#SBATCH"),
    m(S, "option of ray start", "--num-cpus=0", "--numcpus=0", "ray_options", "srun", at='srun --nodes=1 --ntasks=1 -w "$head"'),
    m(S, "no head", "ray start --head", "ray start --block", "ray_start", "srun.--head", at='srun --nodes=1 --ntasks=1 -w "$head"'),
    m(S, "another Ray", "set -euo pipefail", "pip install ray==2.59.1", "versions", "pip"),
    m(S, "image of today", "set -euo pipefail", "apptainer pull docker://rayproject/ray", "image_pinned", "apptainer"),
    # What a reader who wrote none of this broke
    m(A, "half of the world", "203.0.113.0/24", "128.0.0.0/2", "open_port", f"{INGRESS}.IpRanges[0].CidrIp"),
    m(A, "ports the wrong way round", "FromPort: 22", "FromPort: 2200", "address_range", f"{INGRESS}.FromPort"),
    m(A, "MLflow for all", "python -c 'import ray'", "mlflow server -h 0.0.0.0 &", "open_port", "setup_commands[0]"),
    m(A, "a notebook", "python -c 'import ray'", "jupyter lab --ip=0.0.0.0 &", "open_port", "setup_commands[0]"),
    m(A, "a firewall", "python -c 'import ray'", "sudo ufw allow 8265/tcp", "open_port", "setup_commands[0]"),
    m(A, "a quote too many", "python -c 'import ray'", "python -c 'import ray", "shell_syntax", "setup_commands[0]"),
    m(A, "no token", "export RAY_AUTH_MODE=token; ", "", "launcher_token", "head_start_ray_commands", at="head_start_ray_commands", warning=True),
    m(A, "token switched off", "RAY_AUTH_MODE=token", "RAY_AUTH_MODE=disabled", "launcher_token", "head_start_ray_commands[1]", at="  - >-"),
    m(A, "small disk of the head", "VolumeSize: 100", "VolumeSize: 8", "disk_size", f"{HEAD}.node_config.BlockDeviceMappings[0].Ebs.VolumeSize",
      at="Ebs: {VolumeSize: 8"),
    m(A, "header", "python -c 'import ray'", "'curl -H \"X: Bearer abcdef1234567890abcdef\" https://x'", "secret", "setup_commands[0]"),
    m(A, "docker's password", "python -c 'import ray'", "docker login -u me -p hunter2 ghcr.io", "secret", "setup_commands[0]"),
    m(G, "disk of another zone", "diskSizeGb: 100", "diskSizeGb: 100\n            diskType: zones/us-east1-b/diskTypes/pd-ssd", "addresses",
      f"{HEAD}.node_config.disks[0].initializeParams.diskType", at="diskType: zones/us-east1-b", nearest="us-central1-a"),
    m(G, "lock file, no ray[default]", '"ray[default,train,tune]==2.60.0" gan-sweep==0.1.0', "-r ~/gan-sweep/requirements.lock", "ray_default",
      "setup_commands", at="setup_commands"),
    m(G, "any patch of Python", "uv venv --python 3.11.7", "uv venv --python 3.11", "versions", "setup_commands[1]", nearest="3.11.7"),
    m(L, "head with CPUs by its command", "--num-cpus=0", "--num-cpus=8", "head_trains", "head_start_ray_commands[1]", nearest="--num-cpus=0"),
    m(K, "no token", "              - name: RAY_AUTH_MODE\n                value: token\n", "", "kuberay_token", "spec.authOptions", at="spec:"),
    m(K, "no limits", "                limits:\n                  cpu: \"8\"", "                requests:\n                  cpu: \"8\"", "asked_and_limited",
      f"{BOX}.resources.limits", at="- name: ray-worker"),
    m(K, "GPUs that are not there", "rayStartParams: {}", "rayStartParams: {num-gpus: \"4\"}", "asked_and_limited",
      "spec.workerGroupSpecs[0].rayStartParams.num-gpus", nearest="1"),
    m(K, "volume", "            env:\n", "            volumeMounts: [{name: data, mountPath: /data}]\n            env:\n", "volumes",
      f"{HEAD_BOX}.volumeMounts[0].name"),
    m(S, "no token", "export RAY_AUTH_MODE=token\n", "", "slurm_token", "srun", at='srun --nodes=1 --ntasks=1 -w "$head"'),
    m(S, "head trains", "--num-cpus=0", "--num-cpus=8", "head_trains", "srun", at='srun --nodes=1 --ntasks=1 -w "$head"'),
    m(S, "no end", "08:00:00", "00:00:00", "option_value", "--time"),
    m(S, "range of nodes", "--nodes=3", "--nodes=4-2", "option_value", "--nodes"),
]  # fmt: skip
