"""What is done with a cluster's file: commands of Ray, of kubectl or of Slurm."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cluster.clouds import CLOUDS, Cloud
from cluster.errors import ClusterError
from cluster.names import one_of

JOBS_PORT = 8265  # of Ray's dashboard, which takes jobs too
MLFLOW_PORT = 5000
_LAST = "100"  # lines of a log
_UNFILLED = re.compile(r"REPLACE-?ME[-\w]*")
_MONITOR = "/tmp/ray/session_latest/logs/monitor.log"  # of Ray's autoscaler: which machines it starts and why
# A running job's script alone is told: it ends the sweep before it ends Ray. A plain scancel tells all processes of the
# job at once: the driver waits for a Ray that is gone, and is killed after 30 seconds.
_TELL = 'scancel --state=PENDING "$@" && scancel --batch --signal=TERM "$@"'

Command = list[str]


@dataclass(frozen=True, kw_only=True)
class ClusterFile:
    """A file that says which machines there are.

    Attributes:
        path: its own.
        cloud: the row of `CLOUDS` that it is for.
        name: of the cluster, or of the Slurm job.
        namespace: of Kubernetes; None where it names none.
        unfilled: lines with a place that a person has yet to fill in, such as ``REPLACE-ME-sweeps``.
        sends: files of this machine that are copied to the others.
    """

    path: Path
    cloud: Cloud
    name: str
    namespace: str | None = None
    unfilled: tuple[int, ...] = ()
    sends: tuple[Path, ...] = ()

    @property
    def unsent(self) -> list[Path]:
        """Of the files that it sends, those that are not there."""
        return [path for path in self.sends if not path.expanduser().exists()]

    @classmethod
    def read(cls, path: Path) -> "ClusterFile":
        """Find out what a file is for; whether it is right, `cluster.validate` says.

        Raises:
            ClusterError: it cannot be read, or is none.
        """
        from cluster.validate.tree import TreeError, documents  # with all the rules, which `launch` has no use for

        try:
            text = path.read_text(encoding="utf-8")
            lines = enumerate(text.splitlines(), 1)
            unfilled = tuple(number for number, line in lines if _UNFILLED.search(line.partition("# ")[0]))
            if text.startswith("#!"):
                job = re.search(r"^#SBATCH\s+--job-name[= ](\S+)", text, re.MULTILINE)
                return cls(path=path, cloud=CLOUDS["slurm"], name=job[1] if job else path.stem, unfilled=unfilled)
            found = [item.value for item in documents(text) if isinstance(item.value, dict)]
        except (OSError, UnicodeDecodeError) as error:
            raise ClusterError(f"{path} is no cluster file: {str(error).splitlines()[0]}") from None
        except TreeError as error:
            place = f"{error.line}:{error.column}" if error.column else str(error.line)
            raise ClusterError(f"{path}:{place}: {error}") from None
        for one in found:
            if one.get("kind") in ("RayCluster", "RayJob"):
                facts: Mapping[str, Any] = one.get("metadata") or {}
                name, space = str(facts.get("name")), facts.get("namespace")
                return cls(path=path, cloud=CLOUDS["kuberay"], name=name, namespace=space, unfilled=unfilled)
            if isinstance(one.get("provider"), dict):
                cloud = CLOUDS[one_of(f"provider of {path}", one["provider"].get("type"), CLOUDS)]
                sends = tuple(Path(str(here)) for here in (one.get("file_mounts") or {}).values())
                return cls(path=path, cloud=cloud, name=str(one.get("cluster_name")), unfilled=unfilled, sends=sends)
        raise ClusterError(f"{path} is no cluster file: no `provider`, no `kind: RayCluster`, no #SBATCH")


def check_ready(cloud: Cloud) -> None:
    """Check that this machine has what it takes to talk to a cloud.

    Raises:
        ClusterError: a program, a Python package or credentials are missing; the text says what to install or to set.
    """
    for program in cloud.programs:
        if shutil.which(program) is None:
            raise ClusterError(f"{program} is not installed; {cloud.name} needs {cloud.installed}")
    for module in cloud.modules:
        if not _is_there(module):
            raise ClusterError(f"the Python package of {module} is not installed; {cloud.name} needs {cloud.installed}")
    if cloud.credentials and not any(map(_is_set, cloud.credentials)):
        found = ", ".join(cloud.credentials)
        raise ClusterError(f"no credentials: none of {found} is there; {cloud.name} needs {cloud.installed}")


def command_for(action: str, file: ClusterFile, *, yes: bool = False, port: int = JOBS_PORT) -> Command:
    """The command that does something with a cluster.

    Args:
        action: ``up``, ``down``, ``status``, ``ssh``, ``dashboard``, ``mlflow`` or ``logs``.
        file: of the cluster.
        yes: do not ask before machines are started or ended.
        port: of this machine, for ``dashboard`` and ``mlflow``.

    Raises:
        ClusterError: there is no such command for this kind of cluster.
    """
    makers = {"ray": _ray, "kuberay": _kubectl, "slurm": _slurm}
    return makers[file.cloud.kind](action, file, yes, port)


def _ray(action: str, file: ClusterFile, yes: bool, port: int) -> Command:
    beside = Path(sys.executable).with_name("ray")
    ray, path, sure = str(beside) if beside.exists() else "ray", str(file.path), ["--yes"] if yes else []
    return {
        "up": [ray, "up", path, *sure],
        "down": [ray, "down", path, *sure],
        "status": [ray, "exec", path, "ray status"],
        "ssh": [ray, "attach", path],
        "dashboard": [ray, "dashboard", path, "--port", str(port)],
        "mlflow": [ray, "dashboard", path, "--port", str(port), "--remote-port", str(MLFLOW_PORT)],
        "logs": [ray, "exec", path, f"tail -n {_LAST} -F {_MONITOR}"],
    }[action]


def _kubectl(action: str, file: ClusterFile, yes: bool, port: int) -> Command:
    space = ["--namespace", file.namespace] if file.namespace else []
    kubectl, head, path = ["kubectl", *space], f"service/{file.name}-head-svc", str(file.path)
    return {
        "up": [*kubectl, "apply", "--filename", path],
        "down": [*kubectl, "delete", "--filename", path],
        "status": [*kubectl, "get", "raycluster,rayjob,pods", "--selector", f"ray.io/cluster={file.name}"],
        "ssh": [*kubectl, "exec", "--stdin", "--tty", head, "--", "bash"],
        "dashboard": [*kubectl, "port-forward", head, f"{port}:{JOBS_PORT}"],
        "mlflow": [*kubectl, "port-forward", head, f"{port}:{MLFLOW_PORT}"],
        "logs": [*kubectl, "logs", head, "--all-containers", "--follow", f"--tail={_LAST}"],
    }[action]


def _slurm(action: str, file: ClusterFile, yes: bool, port: int) -> Command:
    ours = ["--me", "--name", file.name]
    commands = {
        "up": ["sbatch", str(file.path)],
        "down": ["bash", "-c", _TELL, "scancel", *ours],
        "status": ["squeue", *ours],
        "ssh": ["bash", "-c", 'srun --overlap --jobid "$(squeue --me --name "$0" -ho %A)" --pty bash', file.name],
    }
    if action not in commands:
        raise ClusterError(
            f"cluster {action}: there is none for Slurm, whose job writes to the file that `sbatch` names: "
            f"valid: {', '.join(sorted(commands))}"
        )
    return commands[action]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


def _is_set(place: str) -> bool:
    if place.startswith("$"):
        return bool(os.environ.get(place[1:]))
    return Path(place).expanduser().exists()
