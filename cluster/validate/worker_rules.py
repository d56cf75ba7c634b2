"""Rules about how many machines there may be, and when they go."""

from collections.abc import Iterator

from cluster.names import nearest_of
from cluster.validate.finding import Problem, listed, problem
from cluster.validate.launcher import Launcher

LONG_IDLE_MINUTES = 30  # the templates have 5


def head_node_type(file: Launcher) -> Iterator[Problem]:
    """The head's type is one of available_node_types."""
    given = file.root.get("head_node_type")
    names = [node.name for node in file.node_types]
    if given is not None and isinstance(given.value, str) and names and given.value not in names:
        text = f"{given.value!r} is no key of available_node_types: {listed(names)}"
        yield problem(given, text, nearest=nearest_of(given.value, names))


def worker_counts(file: Launcher) -> Iterator[Problem]:
    """min_workers <= max_workers, of each node type and in sum. Ray checks the sum only."""
    limit = file.root.number("max_workers")
    total = 0.0
    for node in file.node_types:
        low, high = node.item.number("min_workers"), node.item.number("max_workers")
        total += low or 0
        if low is not None and high is not None and low > high:
            yield problem(node.item.children["min_workers"], f"min_workers {low} is more than max_workers {high}")
    if limit is not None and total > limit:
        text = f"min_workers of all node types are {total:g} in sum, more than max_workers {limit}"
        yield problem(file.root.children["max_workers"], text)
    if file.cloud == "local":
        low = file.root.number("min_workers")
        if low is not None and limit is not None and low > limit:
            yield problem(file.root.children["min_workers"], f"min_workers {low} is more than max_workers {limit}")


def max_workers(file: Launcher) -> Iterator[Problem]:
    """A cluster on rented machines says how large it may grow."""
    if file.on_cloud and file.root.get("max_workers") is None:
        text = "the key 'max_workers' is missing: say how many machines may be rented at once"
        yield problem(file.root, text, below="max_workers")


def idle_timeout(file: Launcher) -> Iterator[Problem]:
    """Rented machines go when they have nothing to do."""
    if not file.on_cloud:
        return
    minutes = file.root.number("idle_timeout_minutes")
    if file.root.get("idle_timeout_minutes") is None:
        text = "the key 'idle_timeout_minutes' is missing: say after how many idle minutes a machine goes"
        yield problem(file.root, text, below="idle_timeout_minutes")
    elif minutes is not None and minutes > LONG_IDLE_MINUTES:
        text = f"an idle machine is paid for {minutes:g} minutes; more than {LONG_IDLE_MINUTES} is rarely meant"
        yield problem(file.root.children["idle_timeout_minutes"], text, warning=True)
    elif minutes == 0:
        text = "a machine goes the moment it is idle, and the next trial waits for a new one"
        yield problem(file.root.children["idle_timeout_minutes"], text, warning=True)
    for node in file.node_types:
        seconds = node.item.number("idle_timeout_s")
        if seconds is not None and seconds > LONG_IDLE_MINUTES * 60:
            text = f"an idle machine is paid for {seconds / 60:g} minutes"
            yield problem(node.item.children["idle_timeout_s"], text, warning=True)


def spot_fallback(file: Launcher) -> Iterator[Problem]:
    """Where spot machines run out, a type on demand lets the sweep go on."""
    spot = [node for node in file.gpu_workers if node.spot]
    if spot and len(spot) == len(file.gpu_workers):
        item = spot[0].spot or spot[0].item
        text = "every GPU worker type is spot: without one on demand the sweep waits while the cloud has none to spare"
        yield problem(item, text, warning=True)


def no_workers(file: Launcher) -> Iterator[Problem]:
    """A head that trains nothing needs a worker type that may start."""
    if not file.on_cloud or not file.heads:
        return
    able = [n for n in file.node_types if not n.is_head and n.item.number("max_workers") != 0]
    limit = file.root.get("max_workers")
    if limit is not None and limit.value == 0:
        yield problem(limit, "no worker may ever start: no trial would run")
    elif not able:
        item = file.root.get("available_node_types") or file.root
        yield problem(item, "holds no type of worker that may ever start: no trial would run")
