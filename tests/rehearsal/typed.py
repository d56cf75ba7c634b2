"""Commands that are typed at a laptop, or at another one."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.faults.ray_cluster import Host
from tests.faults.sweep_under_fault import ROOT
from tests.faults.waiting import NotInTimeError, wait_until

ANSWER_S = 120.0  # of a command that only asks


class Typed:
    """A ``gan-sweep`` command with ``--cluster``, as a process of its own.

    Args:
        host: where it is typed.
        folder: its working directory; made when missing. What it says goes into a file beside it.
        env: environment variables beside this process's.
        words: after ``gan-sweep``.
    """

    def __init__(self, host: Host, folder: Path, env: Mapping[str, str], *words: str) -> None:
        folder.mkdir(exist_ok=True)
        self._said = folder.with_suffix(".out")
        with self._said.open("wb") as out:
            self.process = subprocess.Popen(
                [*host.inside, sys.executable, "-m", "orchestrator.cli", *words],
                cwd=folder,
                env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the rehearsal, which ends this
            )

    def said(self) -> str:
        """All that it has printed."""
        return self._said.read_text(errors="replace")

    def wait_for(self, text: str, limit_s: float) -> None:
        """Return when it has printed a text.

        Raises:
            NotInTimeError: it has not, or has ended before.
        """

        def there() -> bool:
            ended = self.process.poll() is not None
            if text in self.said():
                return True
            if ended:
                raise NotInTimeError(f"it ended with {self.process.returncode} before it said {text!r}: {self.tail()}")
            return False

        wait_until(f"{text!r} from the command", there, limit_s)

    def end(self, limit_s: float = ANSWER_S) -> int:
        """Its exit code, when it has ended.

        Raises:
            NotInTimeError: it has not.
        """
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise NotInTimeError(f"the command has not ended in {limit_s:g} s: {self.tail()}") from None

    def tail(self) -> str:
        """The last lines that it printed."""
        return " / ".join(self.said().strip().splitlines()[-4:])

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        self.process.kill()
        self.process.wait()
