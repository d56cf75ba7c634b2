"""The versions that head, workers and laptop share to the patch.

Ray refuses a job or a node whose Ray or Python differs in the patch version from the head's, so every rendered file
names all three versions.
"""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from cluster.errors import ClusterError


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Attributes:
    python: such as 3.11.7.
    ray: such as 2.60.0.
    package: the version of gan-sweep itself.
    """

    python: str
    ray: str
    package: str

    @property
    def wheel(self) -> str:
        """The name of the file that `python -m build --wheel` writes to dist/."""
        return f"gan_sweep-{self.package}-py3-none-any.whl"


def pins_here() -> Pins:
    """The versions of this process.

    Raises:
        ClusterError: Ray or gan-sweep itself is not installed.
    """
    return Pins(python=platform.python_version(), ray=_version("ray"), package=_version("gan-sweep"))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise ClusterError(
            f"versions come from the installed packages: {distribution!r} is not installed; install it with pip"
        ) from None
