"""Rules about what a cluster of Ray's launcher runs."""

import re
from collections.abc import Iterator

from cluster.names import nearest_of
from cluster.validate import software
from cluster.validate.finding import Problem, problem
from cluster.validate.launcher import Launcher


def ray_default(file: Launcher) -> Iterator[Problem]:
    """`ray up` needs ray[default] on every machine; plain `ray` has no autoscaler, dashboard or jobs."""
    commands = list(file.commands())
    if any(True for _ in file.images()) or any(software.installs_ray_default(item.value) for item in commands):
        return
    item = file.root.get("setup_commands") or file.root
    below = "" if file.root.get("setup_commands") else "setup_commands"
    yield problem(item, "no command installs ray[default] and no image is named", below=below)


def image_pinned(file: Launcher) -> Iterator[Problem]:
    """The image is the same today and tomorrow."""
    for item in file.images():
        yield from software.unpinned_image(item)
    docker = file.root.get("docker")
    if docker is not None and docker.value and not any(True for _ in file.images()):
        yield problem(docker, "no image is named", below="image")


def container_name(file: Launcher) -> Iterator[Problem]:
    """Ray wants a name for the container that runs an image."""
    docker = file.root.get("docker")
    named = docker is not None and any(docker.get(name) for name in ("image", "head_image", "worker_image"))
    if docker is not None and named and not docker.text("container_name"):
        text = "the key 'container_name' is missing: Ray refuses an image without it"
        yield problem(docker, text, below="container_name", nearest="container_name: gan_sweep")


def versions(file: Launcher) -> Iterator[Problem]:
    """Ray, Python and this package are the same everywhere."""
    texts = [*file.commands(), *file.images()]
    yield from software.differing(texts, file.here)
    yield from software.unpinned_ray(texts, file.here)
    yield from software.unpinned_python(texts, file.here)
    made_for = {"ray": file.here.ray, "python": file.here.python, "package": file.here.package}
    for name, wanted in made_for.items():  # what `gan-sweep cluster render` writes down
        given = file.root.get("metadata", "gan_sweep", name)
        if given is not None and str(given.value) != wanted:
            yield problem(given, f"the file was made for {name} {given.value}; here it is {wanted}", nearest=wanted)


def shell_syntax(file: Launcher) -> Iterator[Problem]:
    """`bash -n` reads each command without running it."""
    commands = list(file.commands())
    if software.shell_mistake("\n".join(f"{{\n{item.value}\n}}" for item in commands)) is None:
        return
    for item in commands:
        if mistake := software.shell_mistake(item.value):
            yield problem(item, f"is no shell: {mistake[1]}")


def ray_options(file: Launcher) -> Iterator[Problem]:
    """`ray start` gets options that it has."""
    yield from software.unknown_start_options(file.commands())


def ray_start(file: Launcher) -> Iterator[Problem]:
    """The head starts as a head that can add machines, and workers join it. Without these keys Ray uses its own."""
    wanted = {
        "head_start_ray_commands": (r"\bray start\b.*--head\b", "--head", "the head would not start"),
        "worker_start_ray_commands": (r"\bray start\b.*--address\b", "--address", "workers would not join the head"),
    }
    for name, (form, option, what) in wanted.items():
        commands = file.root.get(name)
        if commands is None or not isinstance(commands.value, list):
            continue
        text = " ".join(str(item.value) for item in file.root.members(name))
        if not re.search(form, text, re.DOTALL):
            yield problem(commands, f"no `ray start {option}`: {what}")
        elif option == "--head" and "--autoscaling-config" not in text:
            text = "`ray start --head` without --autoscaling-config: no worker would ever be started"
            yield problem(commands, text, nearest="--autoscaling-config=~/ray_bootstrap_config.yaml")


def blocking(file: Launcher) -> Iterator[Problem]:
    """`ray start` returns, as the launcher goes on only then: --block is for containers and batch scripts."""
    yield from software.blocking_starts(file.commands())


def workers_join(file: Launcher) -> Iterator[Problem]:
    """Workers look for the head where it is."""
    yield from software.wrong_ports(list(file.commands()))
    given = "\n".join(item.value for item in file.commands())
    for item in file.root.members("worker_start_ray_commands"):
        for name in re.findall(r"\$\{?(\w+)", item.value) if isinstance(item.value, str) else ():
            own = re.search(rf"\b{name}=", given)
            if name != "RAY_HEAD_IP" and not own and nearest_of(name, ["RAY_HEAD_IP"], cutoff=0.8):
                text = f"Ray sets no ${name}: the head's address is in $RAY_HEAD_IP"
                yield problem(item, text, nearest="$RAY_HEAD_IP")


def workers_train(file: Launcher) -> Iterator[Problem]:
    """Workers start with CPUs. What `resources` say goes before the command; on AWS Ray fills them in itself."""
    unsaid = [node for node in file.node_types if not node.is_head and node.item.get("resources", "CPU") is None]
    if file.cloud != "local" and (file.cloud == "aws" or not unsaid):
        return
    commands = file.root.members("worker_start_ray_commands")
    yield from software.workers_without_cpus(item for item in commands if isinstance(item.value, str))


def variables(file: Launcher) -> Iterator[Problem]:
    """What gan-sweep reads from the environment has the names that it reads."""
    docker = [i for i in file.root.walk() if i.path[:1] == ("docker",) and isinstance(i.value, str)]
    yield from software.unknown_variables([*file.commands(), *docker])
