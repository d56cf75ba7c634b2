"""A cluster that Slurm schedules: Ray is started inside an allocation, and ends with it."""

from cluster.clouds.base import Cloud

SLURM = Cloud(
    name="slurm",
    title="Slurm: Ray inside an allocation",
    kind="slurm",
    template="slurm.sh.j2",
    suffix=".sh",
    bucket_example="/shared/sweeps",
    installed="sbatch on the machine from which you submit, and a home folder that all nodes share",
    programs=("sbatch", "squeue", "scancel"),
)
