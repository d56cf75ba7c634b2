"""Ray's token is asked for: without it whoever reaches a port of Ray's runs code there.

Ray 2.60 asks for one by default on a cluster of one machine alone, so each file must say it.
"""

import re
from collections.abc import Iterator

from cluster.validate.batch_script import BatchScript
from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher
from cluster.validate.manifest import Manifests
from cluster.validate.tree import Item

_OFF = re.compile(r"RAY_AUTH_MODE=['\"]?(?!token\b|\$)")
_WHY = "whoever reaches a port of Ray's may run code on every node"


def launcher_token(file: Launcher) -> Iterator[Problem]:
    """Ray starts with RAY_AUTH_MODE=token."""
    commands = list(file.commands())
    yield from _switched_off(commands)
    start = file.root.get("head_start_ray_commands")
    if start is not None and start.value and not any("RAY_AUTH_MODE" in item.value for item in commands):
        near = "RAY_AUTH_MODE=token ray start --head ..."
        yield problem(start, f"no RAY_AUTH_MODE=token: {_WHY}", nearest=near, warning=True)


def token_file(file: Launcher) -> Iterator[Problem]:
    """Where a token is asked for, each node has it: `ray start` refuses to start without."""
    wanted = [item for item in file.commands() if re.search(r"RAY_AUTH_MODE=['\"]?token\b", item.value)]
    if not wanted or any(_brings_token(item) for item in file.root.walk()):
        return
    text = "nothing brings Ray's token to the nodes, and without it Ray does not start there"
    given = file.root.get("file_mounts")
    below = "" if given else "file_mounts"
    yield problem(given or file.root, text, below=below, nearest='"~/.ray/auth_token": "~/.ray/auth_token"')


def _brings_token(item: Item) -> bool:
    """Whether it names the token's file, its folder as a mount, or Ray's variables for it; `chmod` brings nothing."""
    place = str(item.path[-1]) if item.path else ""
    text = re.sub(r"\bchmod\s[^;&|]*", "", item.value) if isinstance(item.value, str) else ""
    return bool(re.search(r"auth_token\b|RAY_AUTH_TOKEN|\.ray/?(:|$)", f"{place}\n{text}", re.MULTILINE))


def slurm_token(file: BatchScript) -> Iterator[Problem]:
    """The script sets RAY_AUTH_MODE=token."""
    yield from _switched_off(file.commands)
    starts = [item for item in file.commands if re.search(r"\bray\s+(start|symmetric-run)\b", item.value)]
    if starts and "RAY_AUTH_MODE" not in "\n".join(item.value for item in file.commands):
        yield problem(starts[0], f"no RAY_AUTH_MODE=token: {_WHY}", nearest="export RAY_AUTH_MODE=token")


def kuberay_token(file: Manifests) -> Iterator[Problem]:
    """The cluster has `authOptions: {mode: token}`, or its head the environment that says the same."""
    for document in file.clusters:
        mode = document.spec.get("authOptions", "mode") if document.spec else None
        env = [item for item in document.root.walk() if item.text("name") == "RAY_AUTH_MODE" and item.get("value")]
        for item in [*([mode] if mode else []), *(each.children["value"] for each in env)]:
            if item.value == "disabled":
                yield problem(item, f"the token is switched off: {_WHY}", nearest="token")
        if document.spec and document.heads and mode is None and not env:
            yield problem(document.spec, f"no token: {_WHY}", below="authOptions", nearest="authOptions: {mode: token}")


def _switched_off(items: list[Item]) -> Iterator[Problem]:
    for item in items:
        if _OFF.search(item.value):
            yield problem(item, f"the token is switched off: {_WHY}", nearest="RAY_AUTH_MODE=token")
