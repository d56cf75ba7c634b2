"""What a cloud is to this package: a row of facts; its template says the rest."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["ray", "kuberay", "slurm"]


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Attributes:
    name: what commands call it.
    title: for people.
    kind: who starts the machines: Ray's cluster launcher, the KubeRay operator or Slurm.
    template: its file in `cluster/templates/`.
    suffix: of the files rendered for it.
    region: the region where none is given; None where regions are not ours to choose.
    bucket_scheme: what a bucket's address begins with; None where any address or mounted path will do.
    bucket_example: an address of the right form.
    installed: what the laptop needs, in a sentence.
    programs: which it has to have on its PATH.
    modules: Python modules which Ray's launcher wants for it.
    credentials: environment variables (``$NAME``) and files (``~/...``), one of which has to be there.
    head_packages: Python packages that the head needs to start machines here, beside those of the lock file.
    node_packages: Python packages that every node needs to reach the bucket, beside those of the lock file.
    head_disk_gb, worker_disk_gb: None where disks are not ours to choose.
    """

    name: str
    title: str
    kind: Kind
    template: str
    suffix: str = ".yaml"
    region: str | None = None
    bucket_scheme: str | None = None
    bucket_example: str
    installed: str
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    head_packages: tuple[str, ...] = ()
    node_packages: tuple[str, ...] = ()
    head_disk_gb: int | None = None
    worker_disk_gb: int | None = None
