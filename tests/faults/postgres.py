"""PostgreSQL as the store of MLflow and of Optuna, killed and restarted. Debian's package, started here."""

import shutil
import subprocess
from pathlib import Path

import psutil

from tests.faults.aftermath import judge
from tests.faults.bench import Bench
from tests.faults.processes import free_port, kill, running, user_or_nobody
from tests.faults.rows import Row
from tests.faults.scenario import Fault, mend, strike_once
from tests.faults.waiting import wait_until

PROGRAMS = Path("/usr/lib/postgresql")
USER = "postgres"  # the package makes it; the server refuses to run as root
START_S = 60.0


class Postgres:
    """A database server in a folder.

    Args:
        programs: with ``initdb`` and ``postgres``.
        folder: for its files; made here.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self._port = programs, folder, free_port()
        self._user = user_or_nobody(USER)
        self._server: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        if self._user:
            shutil.chown(folder, USER, USER)
        self._run("initdb", "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale")

    def uri(self, database: str) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self._port)]
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*command, "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._user,
            )
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self._port)]
        wait_until("PostgreSQL", lambda: subprocess.run(ready, capture_output=True).returncode == 0, START_S)

    def create(self, database: str) -> None:
        """Make an empty database."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", USER, database)

    def kill(self) -> None:
        """SIGKILL of the server and of all its helpers."""
        if self._server is not None and self._server.poll() is None:
            parent = psutil.Process(self._server.pid)
            kill([parent, *parent.children(recursive=True)])
            self._server.wait()

    def kill_and_restart(self) -> None:
        """As it says; returns when it answers again."""
        self.kill()
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            **self._user,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


def programs() -> Path | None:
    """Where Debian's newest PostgreSQL is; None where none is installed."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent if found else None


def both_stores_die(bench: Bench) -> Row:
    """The server of both stores dies in mid-trial; it is back two epochs later, or when the driver has ended."""
    name, there = "postgres", programs()
    if there is None:
        return Row(fault=name, status="skipped", text="apt install postgresql")
    with running(Postgres(there, bench.folder / "postgres")) as server:
        for database in ("mlflow", "optuna"):
            server.create(database)
        stores = ("--tracking-uri", server.uri("mlflow"), "--storage", server.uri("optuna"))
        with bench.sweep(name, *stores) as sweep:
            sweep.tracking_uri, sweep.storage = server.uri("mlflow"), server.uri("optuna")
            strike_once(sweep, lambda _: server.kill())
            mend(sweep, server.start, epoch=5)
            sweep.finish()
            return judge(name, bench, sweep)


FAULTS: dict[str, Fault] = {"postgres": both_stores_die}
