"""What commands and images say about versions; used by the rules of every kind of file."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator

from packaging.version import InvalidVersion, Version

from cluster.names import nearest_of
from cluster.pins import Pins
from cluster.validate.fields import read
from cluster.validate.finding import Problem, listed, problem
from cluster.validate.tree import Item

_NUMBER = r"v?(\d+(?:\.\d+){1,2}(?:(?:\.dev|rc|a|b)\d+)?)"
_RAY = re.compile(
    rf"(?<![\w-])ray(?:project/ray(?:-ml)?)?(?:\[[^\]]*\])?\s*(?:===?|:|-)\s*{_NUMBER}|[-_:]ray-?{_NUMBER}"
)
_PACKAGE = re.compile(rf"(?<!\w)gan[-_]sweep(?:\[[^\]]*\])?(?:==|:|-){_NUMBER}")
_PYTHON = re.compile(
    rf"(?<![\w.])(?:c?python(?:==?|:|-|/|\s+)?|venv\b[^;&|]*\s-p[=\s]+){_NUMBER}(?![\w.]*\.whl)", re.IGNORECASE
)
# An environment of the newest patch of a minor version: another one tomorrow.
_PYTHON_MADE = re.compile(
    r"\b(?:uv\s+venv\b[^;&|]*(?:--python|-p)[=\s]+|uv\s+python\s+install\s+|conda\s+(?:create|install)\b[^;&|]*\bpython=+)"
    r"(?:c?python@?-?)?(\d+\.\d+)(?![\w.])"
)
_PYTHON_TAG = re.compile(r"[-_](?:py|cp)(\d)\.?(\d{1,2})((?:\.\d+)?)(?![\d.])")
# Ray asked for by name, and the same with a version; a lock file has versions of its own.
_RAY_ASKED = re.compile(r"(?<![\w/-])ray\[[^\]]*\](?!\s*(==|@))|install\s([^;&|]*\s)?ray(?=\s|$|[;&|'\"]|[<>~!])")
_LOCKED = re.compile(r"(-r|--requirements?|-c|--constraints?)[\s=]*\S+")
# By name, or with this package where that brings what it needs. A lock file
# names no extras, so it may lack them.
_HAS_RAY_DEFAULT = re.compile(
    r"ray\[[^\]]*\b(default|all)\b|\binstall\b(?![^;&|]*--no-deps)[^;&|]*gan[-_]sweep(?=[-\[=\s'\"]|$)"
)
_TAG = re.compile(r"^(?P<name>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?P<digest>@sha256:[0-9a-f]+)?$")
# main-3f9c2ab names a commit, latest-gpu does not.
_MOVING_TAG = re.compile(
    r"(latest|nightly|main|master|dev|edge|stable)([-_.](?!.*\b[0-9a-f]{7,40}$).*)?", re.IGNORECASE
)
START_OPTIONS = frozenset(read("options.yaml")["ray_start"])
_VARIABLES = frozenset(read("options.yaml")["variables"])
_START = re.compile(r"\bray start\b([^;&|\n]*)")


def differing(items: Iterable[Item], here: Pins) -> Iterator[Problem]:
    """Versions of Ray, Python and this package in the texts of `items` that are not those of `here`."""
    for item in items:
        text = item.value
        for name, pattern, wanted in (
            ("Ray", _RAY, here.ray),
            ("gan-sweep", _PACKAGE, here.package),
            ("Python", _PYTHON, here.python),
        ):
            for match in pattern.finditer(text):
                given = next(group for group in match.groups() if group)
                if not same(given, wanted, patch=name != "Python" or given.count(".") > 1):
                    yield problem(item, _text(name, given, wanted), nearest=wanted)
        for match in _PYTHON_TAG.finditer(text):
            given = f"{match[1]}.{match[2]}{match[3]}"
            if not same(given, here.python, patch=bool(match[3])):
                yield problem(item, _text("Python", given, here.python), nearest=here.python)


def names_ray(image: str) -> bool:
    """Whether the name of an image says which Ray is in it."""
    return bool(_RAY.search(image))


def unpinned_python(items: Iterable[Item], here: Pins) -> Iterator[Problem]:
    """Commands that make an environment with whatever patch of Python is the newest."""
    for item in items:
        for match in _PYTHON_MADE.finditer(item.value):
            if same(match[1], here.python, patch=False):
                text = f"Python {match[1]} of any patch: Ray refuses nodes that are not all {here.python}"
                yield problem(item, text, nearest=here.python)


def unpinned_ray(items: Iterable[Item], here: Pins) -> Iterator[Problem]:
    """Commands that install whatever Ray is the newest."""
    for item in items:
        if _RAY_ASKED.search(item.value) and not _LOCKED.search(item.value):
            text = f"installs Ray without its version: the cluster would refuse jobs of Ray {here.ray}"
            yield problem(item, text, nearest=f"ray[default]=={here.ray}")


def unknown_start_options(items: Iterable[Item]) -> Iterator[Problem]:
    """Options that `ray start` does not have."""
    for item in items:
        for start in _START.finditer(item.value):
            for name in re.findall(r"(?<=\s)--([A-Za-z][\w-]*)", start[1]):
                if name not in START_OPTIONS:
                    near = nearest_of(name, START_OPTIONS)
                    yield problem(item, f"`ray start` has no option --{name}", nearest=f"--{near}" if near else None)


def shell_mistake(text: str) -> tuple[int, str] | None:
    """Line, from 1, and words of the mistake that `bash -n` finds in a script, without running it; None: none."""
    bash = shutil.which("bash")
    if bash is None:
        return None
    found = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, timeout=20, check=False)
    match = re.search(r"line (\d+): (.*)", found.stderr)
    return (int(match[1]), match[2]) if match and found.returncode else None


def head_resources(items: Iterable[Item], *, named: bool = False) -> Iterator[Problem]:
    """`ray start --head` that gives the head CPUs or GPUs, so that trials go there; all it has, where none are named.

    Args:
        items: commands.
        named: whether the command must say it: no other part of the file does.
    """
    for item in items:
        for start in _START.finditer(item.value):
            for name, value in re.findall(r"--(num-[cg]pus)[=\s]+(\S+)", start[1]) if "--head" in start[1] else ():
                if value.strip("'\"") != "0":
                    yield problem(item, f"the head would train (--{name}={value})", nearest=f"--{name}=0")
        if named and re.search(r"\bray\s+start\b.*--head\b", item.value) and "--num-cpus" not in item.value:
            yield problem(item, "the head would train: it starts without --num-cpus=0", nearest="--num-cpus=0")


def workers_without_cpus(items: Iterable[Item]) -> Iterator[Problem]:
    """`ray start --address` that gives a worker no CPUs: every rank of a trial asks for some."""
    for item in items:
        for start in _START.finditer(item.value):
            if "--address" in start[1] and re.search(r"--num-cpus[=\s]+['\"]?0\b", start[1]):
                yield problem(item, "a worker without CPUs (--num-cpus=0): Ray could place no trial there")


def wrong_ports(items: list[Item]) -> Iterator[Problem]:
    """`ray start --address` with another port than that of the head; variables are not looked into."""
    starts = [(item, start[1]) for item in items for start in _START.finditer(item.value)]
    ports = [re.search(r"--port[=\s]+['\"]?([^\s'\"]+)", words) for _, words in starts if "--head" in words]
    heads = {port[1] if port else "6379" for port in ports}  # Ray's own choice
    for item, words in starts if heads and all(port.isdigit() for port in heads) else ():
        given = re.search(r"--address[=\s]+['\"]?[^\s'\"]*:(\d+)['\"]?(?=\s|$)", words)
        if given and "--head" not in words and given[1] not in heads:
            text = f"the worker asks at port {given[1]}, and the head answers at {listed(heads)}: it would not join"
            yield problem(item, text, nearest=min(heads))


def blocking_starts(items: Iterable[Item]) -> Iterator[Problem]:
    """`ray start --block` that a command waits for."""
    for item in items:
        for start in re.finditer(r"\bray start\b[^;&|\n]*--block\b[^;&|\n]*(?!&(?!&))(?=[;&|\n]|$)", item.value):
            yield problem(item, f"`{start[0].strip()[:60]}` never returns, and Ray's launcher waits until it does")


def unknown_variables(items: Iterable[Item]) -> Iterator[Problem]:
    """Environment variables that look like this package's and are none; one that is like no other may be yours."""
    for item in items:
        for name in re.findall(r"\bGAN_SWEEP_(\w+)", item.value):
            if name not in _VARIABLES:
                near = nearest_of(name, _VARIABLES)
                text = f"gan-sweep reads no GAN_SWEEP_{name}: {listed(f'GAN_SWEEP_{each}' for each in _VARIABLES)}"
                yield problem(item, text, nearest=f"GAN_SWEEP_{near}" if near else None, warning=near is None)


def installs_ray_default(text: str) -> bool:
    """Whether a command brings `ray[default]`: by name, with this package, or from its lock file."""
    return bool(_HAS_RAY_DEFAULT.search(text))


def unpinned_image(item: Item) -> Iterator[Problem]:
    """An image whose tag moves, so that two nodes may run two versions."""
    match = _TAG.match(item.value)
    if match is None or not item.value:
        yield problem(item, f"{item.value!r} is no name of an image")
    elif not match["digest"] and not match["tag"]:
        yield problem(item, f"the image {item.value!r} has no tag, so it is the newest of each day: pin a version")
    elif not match["digest"] and _MOVING_TAG.fullmatch(match["tag"]):
        yield problem(item, f"the tag {match['tag']!r} moves: pin a version")


def same(given: str, wanted: str, *, patch: bool) -> bool:
    """Whether two versions are the same, to the patch or to the minor number."""
    if not patch:
        return given.split(".")[:2] == wanted.split(".")[:2]
    try:
        return Version(given) == Version(wanted)
    except InvalidVersion:
        return given == wanted


def _text(name: str, given: str, wanted: str) -> str:
    differs = f"{name} {given}, and here it is {wanted}"
    if name == "gan-sweep":
        return f"{differs}: the cluster would run another version of this package than the one that asks it to"
    return f"{differs}: a cluster refuses jobs when Ray or Python differ in the patch"
