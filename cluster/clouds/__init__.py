"""The clouds that `gan-sweep cluster` knows: one file and one row each."""

from cluster.clouds.aws import AWS
from cluster.clouds.azure import AZURE
from cluster.clouds.base import Cloud
from cluster.clouds.gcp import GCP
from cluster.clouds.kuberay import KUBERAY
from cluster.clouds.local import LOCAL
from cluster.clouds.slurm import SLURM

CLOUDS: dict[str, Cloud] = {cloud.name: cloud for cloud in (AWS, GCP, AZURE, KUBERAY, SLURM, LOCAL)}

__all__ = ["CLOUDS", "Cloud"]
