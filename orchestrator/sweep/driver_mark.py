"""The mark of a driver: every process of the Ray that it starts carries it in its environment."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "GAN_SWEEP_DRIVER"


@dataclass(frozen=True, kw_only=True)
class DriverMark:
    """Which driver a process belongs to.

    Attributes:
        pid: the driver's process id.
        started: when it started, in the kernel's ticks since boot: a later process with the same id is another one.
        namespace: the namespace of process ids that `pid` is meant in: one per container.
    """

    pid: int
    started: int
    namespace: str

    @classmethod
    def own(cls) -> "DriverMark":
        """The mark of this process."""
        return cls(pid=os.getpid(), started=start_ticks(os.getpid()), namespace=_namespace())

    @classmethod
    def parse(cls, text: str) -> "DriverMark | None":
        """Read a mark; None for what is none."""
        pid, _, rest = text.partition("/")
        started, _, namespace = rest.partition("/")
        if not (pid.isdecimal() and started.isdecimal() and namespace):
            return None
        return cls(pid=int(pid), started=int(started), namespace=namespace)

    def __str__(self) -> str:
        return f"{self.pid}/{self.started}/{self.namespace}"

    def driver_is_gone(self) -> bool:
        """Whether the driver has ended. A driver of another container is never called gone: nobody can know here."""
        if self.namespace != _namespace():
            return False
        try:
            state, started = _stat(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return True
        return started != self.started or state in "ZX"


@contextlib.contextmanager
def marking_children() -> Iterator[None]:
    """Let the processes that start meanwhile carry this process's mark, and all that they start later."""
    before = os.environ.get(MARK)
    os.environ[MARK] = str(DriverMark.own())
    try:
        yield
    finally:
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before


def start_ticks(pid: int) -> int:
    """When a process was started, in the kernel's ticks since boot, which no clock that is set can change.

    Raises:
        OSError: there is no such process.
    """
    return _stat(pid)[1]


def _stat(pid: int) -> tuple[str, int]:
    """State and start of a process, see proc(5); its name may hold blanks and brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")
