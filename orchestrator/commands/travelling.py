"""The words of a command on their way to the head of a cluster, and a file's way back.

The words stand in a file, since Ray shows a job's command line to everyone, and a URI may hold a password. A file comes
back in what the job prints, as base64 in lines: Ray cuts longer ones, and has no other way back.
"""

import base64
import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.shipped import GIVEN
from trainers.atomic import replacing
from trainers.errors import UserError

_ERRAND = Path(GIVEN) / "errand.json"  # in the job's working directory
BUCKET, TRACKING = "GAN_SWEEP_BUCKET", "MLFLOW_TRACKING_URI"  # environment variables of rendered clusters
ENTRYPOINT = "exec python -m orchestrator.on_head"  # exec: signals reach it, and no shell
_BEGIN, _END = "gan-sweep: a file begins", "gan-sweep: a file ends"
_LINE = 12_000  # bytes before base64; Ray cuts lines after 20,000 characters (ray 2.60)


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What is done on the head.

    Attributes:
        words: the command, without ``gan-sweep``.
        cluster: what was given as ``--cluster``, for commands that people are told to type.
        bring: the file that the command writes there, and that comes back; empty: none.
    """

    words: list[str]
    cluster: str
    bring: str = ""

    def write(self, folder: Path) -> None:
        """Write it into the working directory of a job to be."""
        (folder / _ERRAND).parent.mkdir(exist_ok=True)
        (folder / _ERRAND).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls) -> "Errand":
        """Read it there."""
        return cls(**json.loads(_ERRAND.read_text()))


def send(file: Path, show: Callable[[str], None]) -> None:
    """Print a file, in lines without their ends."""
    packed = zlib.compress(file.read_bytes())
    show(_BEGIN)
    for start in range(0, len(packed), _LINE):
        show(base64.b64encode(packed[start : start + _LINE]).decode())
    show(_END)


class Receiver:
    """Takes a file out of what a job prints, and shows the rest; what it says of the file, with the file's path here.

    Args:
        file: where it is written when its last line has come.
        show: gets the other lines.
    """

    def __init__(self, file: Path, show: Callable[[str], None]) -> None:
        self._file, self._show = file, show
        self._lines: list[str] | None = None

    def __call__(self, line: str) -> None:
        """Take a line, with its end.

        Raises:
            UserError: the file cannot be written.
        """
        text = line.rstrip("\n")
        if text == _BEGIN:
            self._lines = []
        elif self._lines is None:
            there = f"{self._file.name}: "
            self._show(f"{self._file}: {line.removeprefix(there)}" if line.startswith(there) else line)
        elif text == _END:
            content = zlib.decompress(b"".join(map(base64.b64decode, self._lines)))
            self._lines = None
            try:
                with replacing(self._file) as part:
                    part.write_bytes(content)
            except OSError as error:
                raise UserError(f"cannot write {self._file}: {error.strerror or error}") from None
        else:
            self._lines.append(text)


def at_home(words: Sequence[str]) -> list[str]:
    """The command with what the cluster's own environment knows, where it was not given.

    Sweeps are kept in the folder ``sweeps`` of the cluster's bucket, and a new one is tracked by its MLflow server.

    Raises:
        UserError: nothing says where the sweep is kept.
    """
    ends = words.index("--") if "--" in words else len(words)
    more = []
    if not _has("--sweeps-dir", words[:ends]):
        if not (bucket := os.environ.get(BUCKET)):
            raise UserError(
                "--cluster: say where the sweep is kept: --sweeps-dir s3://BUCKET/sweeps, or an absolute path that "
                "every machine of the cluster sees"
            )
        more.append(f"--sweeps-dir={bucket}/sweeps")
    if words[0] == "launch" and not _has("--tracking-uri", words[:ends]) and (server := os.environ.get(TRACKING)):
        more.append(f"--tracking-uri={server}")
    return [*words[:ends], *more, *words[ends:]]


def _has(option: str, words: Sequence[str]) -> bool:
    return any(word.startswith(f"{option}=") for word in words)
