"""Reads a file, finds out what it is, and asks every rule for that kind."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from cluster.pins import Pins, pins_here
from cluster.validate.batch_script import BatchScript
from cluster.validate.finding import Finding, Problem
from cluster.validate.launcher import Launcher
from cluster.validate.machine_table import MachineTable, machine_table
from cluster.validate.manifest import Manifests
from cluster.validate.rules import KUBERAY, LAUNCHER, SLURM
from cluster.validate.secret_rules import hide
from cluster.validate.structure_rules import ray_accepts
from cluster.validate.tree import Item, TreeError, documents

MAX_BYTES = 2_000_000  # a cluster file has a few thousand; the largest manifest that Kubernetes takes has 1.5 million
_LAUNCHER_KEYS = {"provider", "cluster_name", "available_node_types", "head_node_type", "max_workers", "auth"}


def validate(path: Path, *, here: Pins | None = None, machines: MachineTable | None = None) -> list[Finding]:
    """What is wrong in a cluster file, in the order of its lines; empty: nothing was found.

    The kind of file is found by its content: a file of Ray's cluster launcher, KubeRay's manifests, or a Slurm batch
    script. Nothing is asked of a cloud and nothing is raised: a file that cannot be read is one finding.

    Args:
        path: the file.
        here: versions that the cluster must have. None: those of this process.
        machines: GPU machines of each cloud. None: those of the shipped table.
    """
    here = here or pins_here()
    machines = machine_table() if machines is None else machines
    try:
        found = list(_findings(path, _read(path), here, machines))
    except TreeError as error:
        mistake = Problem(line=error.line, column=error.column, key=error.key, text=str(error))
        found = [_finding(path, "yaml", mistake)]
    return sorted(_without_echoes(found), key=lambda finding: (finding.line, finding.warning))


def _without_echoes(found: list[Finding]) -> list[Finding]:
    """Leaves out that a key is missing, or what it should hold, where another finding says that it is only misspelt."""
    meant = {f.key.removesuffix(f.key.split(".")[-1]) + f.nearest for f in found if f.nearest}
    echoes = [f for f in found if f.missing and any(f.key == key or f.key.startswith(f"{key}.") for key in meant)]
    return [finding for finding in found if finding not in echoes]


def _read(path: Path) -> str:
    if not path.is_file():
        raise TreeError(1, "is a folder, not a file" if path.is_dir() else "there is no such file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TreeError(1, f"cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise TreeError(1, f"has more than {MAX_BYTES} bytes: no cluster file")
    if b"\0" in content:
        raise TreeError(content[: content.index(b"\0")].count(b"\n") + 1, "is a binary file, not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TreeError(content[: error.start].count(b"\n") + 1, "is not UTF-8 text") from None


def _findings(path: Path, text: str, here: Pins, machines: MachineTable) -> Iterator[Finding]:
    if not text.strip():
        raise TreeError(1, "is empty")
    if text.startswith("#!") or re.search(r"^#SBATCH\b", text, re.MULTILINE):
        yield from _ask(path, SLURM, BatchScript(text, here))
        return
    roots = documents(text)
    if not roots:
        raise TreeError(1, "is empty: it holds nothing but comments")
    for root in roots:
        if not isinstance(root.value, dict):
            raise TreeError(root.line, "is no cluster file: it must be a mapping of keys to values")
    if any({"apiVersion", "kind"} & set(root.children) for root in roots):
        yield from _ask(path, KUBERAY, Manifests(roots, here))
    elif any(_LAUNCHER_KEYS & set(root.children) for root in roots):
        if len(roots) > 1:
            raise TreeError(_first_line(roots[1]), "a second document: Ray's launcher takes one cluster per file")
        yield from _launcher(path, Launcher(roots[0], here, machines))
    else:
        raise TreeError(_first_line(roots[0]), "is no cluster file: no `provider`, no `kind: RayCluster`, no #SBATCH")


def _first_line(root: Item) -> int:
    return min((child.line for child in root.children.values()), default=root.line)


def _launcher(path: Path, file: Launcher) -> Iterator[Finding]:
    found = list(_ask(path, LAUNCHER, file))
    yield from found
    # Ray names one mistake and no line: what it says is new only where nothing else was refused.
    if not any(not finding.warning for finding in found):
        yield from _ask(path, (ray_accepts,), file)


def _ask(path: Path, rules: Iterable[Callable[[Any], Iterator[Problem]]], file: Any) -> Iterator[Finding]:
    for rule in rules:
        seen = set()
        for each in rule(file):
            if each not in seen:
                seen.add(each)
                yield _finding(path, rule.__name__, each)


def _finding(path: Path, rule: str, each: Problem) -> Finding:
    return Finding(
        file=str(path),
        line=each.line,
        key=each.key,
        rule=rule,
        text=hide(each.text),
        nearest=hide(each.nearest) if each.nearest else None,
        warning=each.warning,
        missing=each.missing,
        column=each.column,
    )
