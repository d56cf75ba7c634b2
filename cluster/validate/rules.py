"""Every rule, by kind of file. A rule is a function of a file that yields Problems; its name is the rule's name.

To add one: write the function in the file that it belongs to and put it here.
"""

from collections.abc import Callable, Iterator

from cluster.validate import (
    bill_rules,
    crd,
    head_rules,
    kuberay_rules,
    machine_rules,
    name_rules,
    network_rules,
    place_rules,
    pod_rules,
    secret_rules,
    slurm_rules,
    software_rules,
    structure_rules,
    token_rules,
    worker_rules,
)
from cluster.validate.batch_script import BatchScript
from cluster.validate.finding import Problem
from cluster.validate.launcher import Launcher
from cluster.validate.manifest import Manifests


def secret(file: Launcher) -> Iterator[Problem]:
    """Nothing secret in clear."""
    yield from secret_rules.secret(file.root)


# In the order in which a reader would mend them.
LAUNCHER: tuple[Callable[[Launcher], Iterator[Problem]], ...] = (
    structure_rules.provider_type,
    structure_rules.layout,
    structure_rules.provider_required,
    structure_rules.node_config,
    structure_rules.aws_ids,
    structure_rules.local_hosts,
    name_rules.cluster_name,
    name_rules.cloud_labels,
    worker_rules.head_node_type,
    worker_rules.worker_counts,
    worker_rules.max_workers,
    worker_rules.idle_timeout,
    worker_rules.no_workers,
    worker_rules.spot_fallback,
    bill_rules.always_up,
    bill_rules.kept_disks,
    bill_rules.spot_request,
    head_rules.head_gpu,
    head_rules.head_trains,
    head_rules.head_spot,
    place_rules.region,
    place_rules.zone,
    place_rules.addresses,
    machine_rules.machine_type,
    machine_rules.accelerator,
    machine_rules.resource_names,
    machine_rules.gpu_count,
    machine_rules.worker_cpus,
    machine_rules.host_maintenance,
    machine_rules.disk_size,
    software_rules.ray_default,
    software_rules.image_pinned,
    software_rules.versions,
    software_rules.variables,
    software_rules.ray_start,
    software_rules.blocking,
    software_rules.workers_join,
    software_rules.workers_train,
    software_rules.ray_options,
    software_rules.shell_syntax,
    software_rules.container_name,
    network_rules.open_port,
    network_rules.address_range,
    token_rules.launcher_token,
    token_rules.token_file,
    secret,
)

KUBERAY: tuple[Callable[[Manifests], Iterator[Problem]], ...] = (
    crd.kinds,
    crd.structure,
    name_rules.names,
    name_rules.labels,
    kuberay_rules.entrypoint,
    pod_rules.group_names,
    pod_rules.start_params,
    pod_rules.resources,
    pod_rules.asked_and_limited,
    pod_rules.volumes,
    pod_rules.pods,
    kuberay_rules.worker_counts,
    kuberay_rules.max_workers,
    kuberay_rules.idle_timeout,
    kuberay_rules.spot_fallback,
    bill_rules.pods_always_up,
    bill_rules.rented_again,
    kuberay_rules.head_gpu,
    kuberay_rules.head_trains,
    kuberay_rules.head_spot,
    pod_rules.disk_size,
    pod_rules.image_pinned,
    kuberay_rules.versions,
    kuberay_rules.variables,
    kuberay_rules.open_port,
    kuberay_rules.open_server,
    token_rules.kuberay_token,
    kuberay_rules.secret,
)

SLURM: tuple[Callable[[BatchScript], Iterator[Problem]], ...] = (
    slurm_rules.shebang,
    slurm_rules.directive,
    slurm_rules.option_value,
    slurm_rules.script_told,
    slurm_rules.time_limit,
    bill_rules.job_array,
    slurm_rules.gpus,
    slurm_rules.one_task,
    slurm_rules.ray_start,
    slurm_rules.gpus_of_ray,
    slurm_rules.head_trains,
    slurm_rules.workers_join,
    slurm_rules.workers_train,
    slurm_rules.ray_options,
    slurm_rules.shell_syntax,
    slurm_rules.image_pinned,
    slurm_rules.versions,
    slurm_rules.variables,
    slurm_rules.open_port,
    token_rules.slurm_token,
    slurm_rules.secret,
)
