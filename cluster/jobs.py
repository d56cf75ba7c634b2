"""Commands that run on a cluster's head node, as jobs of Ray.

The jobs server is that of Ray's dashboard, port 8265 of the head. Rendered clusters open it to the head itself alone;
`ray dashboard FILE`, which tunnels it through SSH, brings it to this machine.
"""

import asyncio
import contextlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from cluster.actions import JOBS_PORT
from cluster.errors import ClusterError
from cluster.token import why_refused

OWNER, COMMAND = "gan_sweep", "command"  # metadata of our jobs: the sweep, and the first word after `gan-sweep`
_OVER = ("SUCCEEDED", "FAILED", "STOPPED")
_OTHERS = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")  # Ray prefers these to the address that it is given
# Loggers that tell of each upload.
_TALKATIVE = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env")
_ADDRESS = re.compile(r"https?://([-\w.]{1,253}|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?")
_BEGINS = "Running entrypoint for job"
# Prints come at once, and without colours: a log is read, not a terminal.
_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
REFUSED_EXIT = 2  # of a command whose words are wrong
LOST_EXIT = -1  # of a job that has no exit code, such as when its node went


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command on the head.

    Attributes:
        id: Ray's submission id.
        sweep: what it is about.
        command: its first word, such as ``launch``.
        facts: what was noted with it.
        started: milliseconds since 1970; 0 while it waits.
        runs: whether it is not over.
        refused: whether it ended because what was typed was wrong, and so did nothing.
    """

    id: str
    sweep: str
    command: str
    facts: Mapping[str, str]
    started: int
    runs: bool
    refused: bool


class Head:
    """The head node of a cluster that runs.

    Args:
        address: ``http://HOST:8265`` or ``HOST:8265``; HTTPS too.
        given: what the user named instead, such as a file.

    Attributes:
        address: with its scheme.
        given: what the user named: for commands to type, and for errors.

    Raises:
        ClusterError: nothing answers there, it refuses the token that is here, or its Ray has another version than
            this process's.
    """

    def __init__(self, address: str, given: str = "") -> None:
        self.address = address if "://" in address else f"http://{address}"
        self.given = given or self.address
        if (match := _ADDRESS.fullmatch(self.address)) is None:
            raise ClusterError(f"--cluster {address[:80]!r}: give the address of the jobs server: http://HOST:8265")
        if match[2] is None and self.address.startswith("http:"):
            self.address = f"{self.address.rstrip('/')}:{JOBS_PORT}"
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        with self._errors(), _without(_OTHERS):
            self._client = JobSubmissionClient(self.address)
            there = self._ray_version()
        if there != ray.__version__:
            raise ClusterError(
                f"--cluster {self.given}: Ray {there} runs there, and Ray {ray.__version__} here: "
                f"install the same, to the patch: pip install 'ray[default,train,tune]=={there}'"
            )

    def submit(
        self, entrypoint: str, folder: Path, *, sweep: str, command: str, facts: Mapping[str, str], columns: int = 80
    ) -> str:
        """Run a shell's line in a copy of `folder`; returns the job's id.

        Args:
            entrypoint: Ray shows it to everyone.
            folder: which Python looks into first.
            sweep: what it is about.
            command: its first word for people, such as ``launch``.
            facts: to be noted with it; shown to everyone too.
            columns: of the terminal on which it is shown.
        """
        with self._errors():
            return self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=f"gan-sweep-{sweep}-{command}-{secrets.token_hex(4)}",
                runtime_env={"working_dir": str(folder), "env_vars": {**_ENVIRONMENT, "COLUMNS": str(columns)}},
                metadata={**facts, OWNER: sweep, COMMAND: command},
            )

    def follow(self, job: str, show: Callable[[str], None]) -> int:
        """Show what a job prints, from its beginning, until it ends; returns its exit code, below 0 where it died.

        Raises:
            ClusterError: the connection is lost; the job goes on.
        """

        with self._errors():
            began = asyncio.run(self._show(job, show))
            info = self._client.get_job_info(job)
        if info.status not in _OVER:
            raise ClusterError(f"--cluster {self.given}: the connection is lost; the sweep goes on there")
        if not began:
            raise ClusterError(f"--cluster {self.given}: the command did not start: {info.message}")
        code = info.driver_exit_code
        return LOST_EXIT if code is None else code

    def forget(self, job: str) -> None:
        """Remove a job that is over from the head's list."""
        with self._errors():
            self._client.delete_job(job)

    def jobs(self) -> list[Job]:
        """Our jobs, of all sweeps, oldest first."""
        with self._errors():
            found = self._client.list_jobs()
        ours = [
            Job(
                id=one.submission_id,
                sweep=facts[OWNER],
                command=facts.get(COMMAND, ""),
                facts=facts,
                started=one.start_time or 0,
                runs=one.status not in _OVER,
                refused=one.driver_exit_code == REFUSED_EXIT,
            )
            for one in found
            if one.submission_id is not None and OWNER in (facts := one.metadata or {})
        ]
        return sorted(ours, key=lambda job: job.started)

    async def _show(self, job: str, show: Callable[[str], None]) -> bool:
        """Show what the command prints, without what Ray says before; returns whether it began."""
        began = False
        async for text in self._client.tail_job_logs(job):
            for line in text.splitlines(keepends=True):
                if began:
                    show(line)
                began = began or line.startswith(_BEGINS)
        return began

    def _ray_version(self) -> str:
        answer = self._client._do_request("GET", "/api/version")
        return str(answer.json()["ray_version"])

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Ray's errors in one line."""
        try:
            yield
        except AuthenticationError:
            raise ClusterError(f"--cluster {self.given} {why_refused()}") from None
        except ConnectionError as error:
            raise ClusterError(f"nothing answers at --cluster {self.given}: {_first_line(error)}") from None
        except RuntimeError as error:
            raise ClusterError(f"--cluster {self.given}: {_first_line(error)}") from None


@contextlib.contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
