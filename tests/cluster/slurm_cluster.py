"""A real Slurm on this machine: munged, slurmctld and slurmd of Debian's packages; each node has a network, processes,
a name and temporary files of its own."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

from tests.faults.ray_cluster import Host
from tests.faults.sweep_under_fault import ROOT, own_files
from tests.faults.waiting import NotInTimeError, wait_until
from tests.orchestrator.processes import marked, processes_with

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "unshare")
PACKAGES = "slurmctld slurmd slurm-client munge"
GOING_ON = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")
START_S, COMMAND_S = 60.0, 60.0

# The first process of a machine is a bash, which reaps. When it is killed, so is all that ever started there.
# It ends by itself with who started it.
_UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts")
_MACHINE = """
set -e
hostname {name}
mount --bind {folder}/{name}/tmp {folder}/tmp
mount --bind {folder}/{name}/hosts /etc/hosts
{starts}
read -r _
"""
_MUNGED = """\
munged --force --num-threads 4 --key-file {folder}/munge.key --socket {folder}/munge.socket \
--pid-file {folder}/munged.pid --log-file {folder}/munged.log --seed-file {folder}/munged.seed
slurmctld -D -f {folder}/slurm.conf &
"""
_SLURMD = "slurmd -D -N {name} -f {folder}/slurm.conf &\n"
# Nodes may claim more than there is: jobs ask for 4 CPUs and 16 GB, and these need less. The GPU is made up.
_CONF = """\
ClusterName=test
SlurmctldHost={first}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
GresTypes=gpu
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
"""
_NODE = "NodeName={name} NodeAddr={ip} CPUs=4 RealMemory=20000 Gres=gpu:1"


class Slurm:
    """A Slurm cluster; its control is on the first node.

    Args:
        folder: for its files; made here. Its path is short, since Ray puts sockets below it.
        hosts: of the nodes.

    Attributes:
        home: the home folder, which all nodes share.
    """

    def __init__(self, folder: Path, hosts: list[Host]) -> None:
        self.home, self._folder = folder / "home", folder
        self._hosts = {f"node{number}": host for number, host in enumerate(hosts, 1)}
        self._machines: list[subprocess.Popen[bytes]] = []
        self._marker, environment = marked()
        self._env = {name: value for name, value in environment.items() if not name.startswith(("RAY_", "SLURM_"))}
        self._env |= {"SLURM_CONF": str(folder / "slurm.conf"), "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        self._env |= {"OMP_NUM_THREADS": "1", "RAY_TMPDIR": str(folder / "tmp"), **own_files(folder, folder / "tmp")}
        self._env["MLFLOW_WORKERS"] = "1"  # four start at once otherwise
        self._write()

    def start(self) -> None:
        """Start it; returns when every node is idle.

        Raises:
            NotInTimeError: one is not; the text has the ends of the logs.
        """
        try:
            for number, (name, host) in enumerate(self._hosts.items()):
                starts = (_MUNGED if number == 0 else "") + _SLURMD
                self._start(name, host, starts.format(folder=self._folder, name=name))
                wait_until("munged", self._answers, START_S)
            wait_until("idle nodes", self._idle, START_S)
        except NotInTimeError as error:
            raise NotInTimeError(f"{error}: {self._logs()}") from None

    def end(self) -> None:
        """Kill all of it."""
        for machine in self._machines:
            machine.kill()
            machine.communicate(timeout=COMMAND_S)

    def run(self, *words: str) -> str:
        """What a command says that is typed on the first node, in the home folder. It must succeed."""
        done = self._ask(*words)
        assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def type(self, *words: str) -> str:
        """The same of a ``gan-sweep`` command."""
        return self.run(sys.executable, "-m", "orchestrator.cli", *words)

    def said(self, log: Path, text: str, job: str, limit_s: float) -> None:
        """Return when a job's log has a text.

        Raises:
            NotInTimeError: it has not, or the job has ended before.
        """

        def there() -> bool:
            over = self.state(job) not in GOING_ON
            said = log.read_text() if log.exists() else ""
            if over and text not in said:
                raise NotInTimeError(f"the job ended before it said {text!r}: {said[-2000:]}")
            return text in said

        wait_until(f"{text!r} in {log.name}", there, limit_s)

    def ended(self, job: str, limit_s: float) -> str:
        """How Slurm says that a job has ended, such as ``COMPLETED``, when it has.

        Raises:
            NotInTimeError: it has not.
        """
        wait_until(f"the end of job {job}", lambda: self.state(job) not in GOING_ON, limit_s)
        return self.state(job)

    def state(self, job: str) -> str:
        """A job's state, by Slurm's own names."""
        return re.findall(r"JobState=(\w+)", self.run("scontrol", "show", "job", job))[0]

    def left(self) -> list[str]:
        """Command lines of what was typed or submitted, and of all that it started, as far as they run."""
        return processes_with(self._marker)

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self._hosts["node1"].inside, *words]
        return subprocess.run(command, cwd=self.home, env=self._env, capture_output=True, text=True, timeout=COMMAND_S)

    def _write(self) -> None:
        for place in (self.home, self._folder / "state", self._folder / "tmp"):
            place.mkdir(parents=True)
        (self._folder / "munge.key").touch(mode=0o600)
        (self._folder / "munge.key").write_bytes(secrets.token_bytes(128))
        nodes = [_NODE.format(name=name, ip=host.ip) for name, host in self._hosts.items()]
        first = f"node1({self._hosts['node1'].ip})"
        conf = _CONF.format(first=first, folder=self._folder, nodes="\n".join(nodes))
        (self._folder / "slurm.conf").write_text(conf)
        (self._folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        for name in self._hosts:
            (self._folder / name / "tmp").mkdir(parents=True)
            others = [f"{host.ip} {other}" for other, host in self._hosts.items() if other != name]
            own = ["127.0.0.1 localhost", f"127.0.1.1 {name}"]  # as Debian's installer writes it
            (self._folder / name / "hosts").write_text("\n".join([*own, *others, ""]))

    def _start(self, name: str, host: Host, starts: str) -> None:
        script = _MACHINE.format(folder=self._folder, name=name, starts=starts)
        with (self._folder / name / "machine.log").open("wb") as log:
            machine = subprocess.Popen(
                [*host.inside, *_UNSHARE, "bash", "-c", script],
                env={name: value for name, value in self._env.items() if value != self._marker},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._machines.append(machine)

    def _answers(self) -> bool:
        if any(machine.poll() is not None for machine in self._machines):
            raise NotInTimeError("a machine has ended")
        return (self._folder / "munge.socket").exists()

    def _idle(self) -> bool:
        states = self._ask("sinfo", "--noheader", "--Node", "--format=%T").stdout.split()
        return self._answers() and states == ["idle"] * len(self._hosts)

    def _logs(self) -> str:
        logs = [*self._folder.glob("*.log"), *self._folder.glob("*/*.log")]
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1000:]}" for log in logs)
