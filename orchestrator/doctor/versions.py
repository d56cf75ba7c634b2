"""Installed versions against those that the package's metadata asks for."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from orchestrator.doctor.finding import Asked, Finding, Level

PACKAGE = "gan-sweep"
_SHOWN = ("torch", "ray", "optuna", "mlflow")


def check_versions(asked: Asked) -> Iterator[Finding]:
    """A line with the versions that matter most, and one for each that is outside what gan-sweep needs."""
    try:
        wanted, python = requires(PACKAGE) or [], metadata(PACKAGE)["Requires-Python"]
    except PackageNotFoundError:
        yield _failed(f"{PACKAGE} runs from a folder: it is not installed", "pip install -e .")
        return
    if not SpecifierSet(python).contains(platform.python_version(), prereleases=True):
        yield _failed(f"Python {platform.python_version()}, {PACKAGE} needs {python}", f"use Python {python}")
    wrong = list(unmet(wanted))
    for requirement, found in wrong:
        text = f"{found}, {PACKAGE} needs {requirement}"
        yield _failed(text, f"pip install '{requirement}', in the environment of this Python")
    missing = {requirement.name for requirement, found in wrong if found.endswith("is not installed")}
    shown = ", ".join(f"{name} {version(name)}" for name in _SHOWN if name not in missing)
    text = f"{PACKAGE} {version(PACKAGE)}, Python {platform.python_version()}, {shown}"
    yield Finding(name="versions", level=Level.OK, text=text)


def unmet(requirements: Iterable[str]) -> Iterator[tuple[Requirement, str]]:
    """The requirements that are not met here, each with what was found. Those of extras do not count.

    Args:
        requirements: as in a package's metadata, such as ``"ray[tune]>=2.60"``.
    """
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield requirement, f"{requirement.name} is not installed"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield requirement, f"{requirement.name} {found}"


def _failed(text: str, cure: str) -> Finding:
    return Finding(name="versions", level=Level.FAILED, text=text, cure=cure)
