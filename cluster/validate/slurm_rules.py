"""Rules about Slurm batch scripts: what sbatch passes over, and what the launcher's rules would say."""

import re
from collections.abc import Iterator
from signal import Signals

from cluster.names import nearest_of
from cluster.validate import network, secret_rules, software
from cluster.validate.batch_script import SHORT, BatchScript
from cluster.validate.fields import read
from cluster.validate.finding import Problem, problem, some_gpus
from cluster.validate.tree import Item

_OPTIONS = frozenset(SHORT.values()) | {f"--{name}" for name in read("options.yaml")["sbatch"]}
_COUNT = r"\d+([kKmM])?"
_SIZE = r"\d+(\.\d+)?[KMGT]?B?"
_GPUS = r"([A-Za-z][\w.-]*:)?\d+(,([A-Za-z][\w.-]*:)?\d+)*"
_FORMS = {
    "--nodes": (rf"{_COUNT}(-{_COUNT})?(:\d+)?|\d+(,\d+)+", "4 or 2-4"),
    "--ntasks": (_COUNT, "4"),
    "--ntasks-per-node": (_COUNT, "1"),
    "--cpus-per-task": (_COUNT, "8"),
    "--cpus-per-gpu": (_COUNT, "8"),
    "--gpus": (_GPUS, "4 or a100:4"),
    "--gpus-per-node": (_GPUS, "4 or a100:4"),
    "--gpus-per-task": (_GPUS, "1 or a100:1"),
    "--gres": (r"(gpu|[a-z]\w*)(:[A-Za-z][\w.-]*)?(:\d+[KMG]?)?(,.*)?|none|help", "gpu:4 or gpu:a100:4"),
    "--mem": (_SIZE, "64G"),
    "--mem-per-cpu": (_SIZE, "4G"),
    "--mem-per-gpu": (_SIZE, "32G"),
    "--time": (r"\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?", "30 (minutes), 4:00:00 or 1-12:00:00"),
    "--signal": (r"([RB]{1,2}:)?(SIG)?\w+(@\d+)?", "B:TERM@120"),
}
_SIZES = ("--mem", "--mem-per-cpu", "--mem-per-gpu")
_SIGNALS = frozenset(each.name.removeprefix("SIG") for each in Signals)
_ASKS_GPUS = ("--gpus", "--gpus-per-node", "--gpus-per-task", "--gres")


def shebang(file: BatchScript) -> Iterator[Problem]:
    """sbatch takes only a script that names its shell."""
    first = file.lines[0]
    if not re.match(r"^#!\s*/\S+", first.value):
        yield problem(
            Item("", 1, ("#!",)), "the first line names no shell; sbatch refuses the script", nearest="#!/bin/bash"
        )


def directive(file: BatchScript) -> Iterator[Problem]:
    """#SBATCH lines stand before the first command, and are spelt as sbatch wants them; others are comments to it."""
    for each in file.directives:
        if each.too_late:
            yield problem(each.item, "stands after the first command, where Slurm does not look any more")
        elif each.name not in _OPTIONS:
            yield problem(each.item, "no option of sbatch", nearest=nearest_of(each.name, _OPTIONS))
    for item in file.lines:
        word = re.match(r"^#[#\s]*([A-Za-z]+)\s*-", item.value)
        if word and not item.value.startswith("#SBATCH") and nearest_of(word[1], ["SBATCH"]):
            yield problem(item, "a comment to Slurm, so this option does not count", nearest="#SBATCH")


def option_value(file: BatchScript) -> Iterator[Problem]:
    """Numbers, sizes and times have the form that sbatch reads."""
    for each in file.directives:
        form, example = _FORMS.get(each.name, ("", ""))
        if form and not re.fullmatch(form, each.value or ""):
            given = f"{each.value!r} has not the form" if each.value else "needs a value"
            yield problem(each.item, f"{given}: {example}")
        for name in re.findall(r"(?:^|,)(\w+)", each.value or "") if each.name == "--gres" else []:
            if name != "gpu" and nearest_of(name, ["gpu"]):
                yield problem(each.item, f"Slurm calls GPUs gpu, not {name!r}", nearest="gpu")
    for each in file.directives:
        value = each.value or ""
        low, _, high = value.partition("-")
        if each.name == "--nodes" and (low == "0" or (low.isdigit() and high.isdigit() and int(low) > int(high))):
            yield problem(each.item, f"{value!r} is no number of nodes, the smaller one first: 4 or 2-4")
        if each.name == "--signal" and (match := re.fullmatch(r"(?:[RB]{1,2}:)?(\w+)(?:@\d+)?", value)):
            yield from _signal(each.item, match[1])
        if each.name in _SIZES and value.isdigit() and 0 < int(value) < 1024:
            yield problem(each.item, f"{value!r} is megabytes to Slurm: a unit is missing", nearest=f"{value}G")
        if each.name == "--time" and re.fullmatch(r"[0:-]+", value):
            yield problem(each.item, f"{value!r} means no limit to Slurm: say how long at most, such as 24:00:00")
        elif each.name == "--time" and any(int(part) > 59 for part in value.split(":")[1:]):
            yield problem(each.item, f"{value!r}: no more than 59 minutes and seconds, such as 4:30:00")
    seen: dict[str, Item] = {}
    for each in file.directives:
        if each.name in seen and each.name in _FORMS:
            yield problem(each.item, f"given twice, first in line {seen[each.name].line}; only the last counts")
        seen[each.name] = each.item


def _signal(item: Item, given: str) -> Iterator[Problem]:
    """sbatch takes a signal's name, whatever its capitals and with or without SIG, or its number."""
    name = given.upper().removeprefix("SIG")
    if not (given.isdigit() and 0 < int(given) <= 64) and name not in _SIGNALS:
        yield problem(item, f"{given!r} is no signal: such as TERM, USR1 or INT", nearest=nearest_of(name, _SIGNALS))


def script_told(file: BatchScript) -> Iterator[Problem]:
    """Before the time is over Slurm tells the script, which ends the sweep in order."""
    steps = any(re.search(r"\bsrun\b.*\bgan-sweep\s+(launch|resume)\b", item.value) for item in file.commands)
    for each in file.values("--signal") if not steps else ():
        flags, _, signal = (each.value or "").rpartition(":")
        if signal and "B" not in flags:
            text = "Slurm tells what srun started, Ray above all, and not this script: the sweep would be cut off"
            yield problem(each.item, text, nearest=f"{flags}B:{signal}", warning=True)


def time_limit(file: BatchScript) -> Iterator[Problem]:
    """An allocation ends by itself; without a limit it holds its GPUs as long as the partition allows."""
    if not any(file.values("--time")):
        yield problem(
            Item("", 1, ()), "no time limit: the GPUs are held as long as the partition allows", below="--time"
        )


def gpus(file: BatchScript) -> Iterator[Problem]:
    """The allocation asks for GPUs."""
    gres = re.compile(r"(^|,)gpu(:|$)")
    asked = [each for each in file.values(*_ASKS_GPUS) if each.name != "--gres" or gres.search(each.value or "")]
    if not asked:
        yield problem(Item("", 1, ()), "asks for no GPU", below="--gpus-per-node")
    for each in asked:
        if re.search(r"(^|:)0$", each.value or ""):
            yield problem(each.item, "asks for no GPU")


def one_task(file: BatchScript) -> Iterator[Problem]:
    """One Ray runs per node, with all that the job has there: a second one would take the same ports and GPUs."""
    many = [each for each in file.values("--ntasks-per-node") if (each.value or "").isdigit() and each.value != "1"]
    nodes = [each.value or "" for each in file.values("--nodes")]
    for each in file.values("--ntasks") if not any(file.values("--ntasks-per-node")) else ():
        if (each.value or "").isdigit() and all(n.isdigit() and int(each.value or 0) > int(n) for n in nodes or ["1"]):
            many.append(each)
    own = re.compile(r"\bsrun\b.*\s(--ntasks(-per-node)?[=\s]1|-n\s*1)(\s|$)")
    inherits = [item for item in _workers(file) if re.search(r"\bsrun\b", item.value) and not own.search(item.value)]
    for each in many:
        if inherits:
            text = f"the srun of line {inherits[0].line} would start so many Rays on one node; Ray wants one"
            yield problem(each.item, text, nearest="--ntasks-per-node=1")
        else:
            text = "one Ray runs per node, and what is held for the other tasks may do nothing: give it to one task"
            yield problem(each.item, text, nearest="--ntasks-per-node=1", warning=True)


def gpus_of_ray(file: BatchScript) -> Iterator[Problem]:
    """`ray start --num-gpus` is what the job asks for per node: Ray believes the number."""
    asked = None
    for each in file.values("--gpus-per-node", "--gres"):
        gres = each.name == "--gres"
        parts = [part for part in (each.value or "").split(",") if not gres or part.split(":")[0] == "gpu"]
        counts = [part.rsplit(":", 1)[-1] for part in parts]
        asked = sum(int(n) for n in counts) if counts and all(n.isdigit() for n in counts) else asked
    if asked is None:
        return
    for item in _workers(file):
        for value in re.findall(r"--num-gpus[=\s]+['\"]?(\d+)\b", item.value):
            if int(value) > asked:
                text = f"Ray would believe in {some_gpus(value)} per node, and the job asks for {asked}"
                yield problem(item, text, nearest=f"--num-gpus={asked}")
            elif int(value) < asked:
                text = f"the job holds {some_gpus(asked)} per node, and Ray would use {value} of them"
                yield problem(item, text, nearest=f"--num-gpus={asked}", warning=True)


def _workers(file: BatchScript) -> list[Item]:
    """Commands that start Ray where trials run."""
    starts = re.compile(r"\bray\s+(start\b(?!.*--head\b)|symmetric-run\b)")
    return [item for item in file.commands if starts.search(item.value)]


def ray_start(file: BatchScript) -> Iterator[Problem]:
    """Ray starts inside the allocation: one head, and workers that know its address."""
    starts = [item for item in file.commands if re.search(r"\bray\s+(start|symmetric-run)\b", item.value)]
    if not starts:
        yield problem(Item("", 1, ()), "no command starts Ray: `ray start --head`, then `ray start --address=...`")
        return
    symmetric = any("symmetric-run" in item.value for item in starts)
    if not symmetric and not any(re.search(r"--head\b", item.value) for item in starts):
        yield problem(starts[0], "no `ray start` has --head", below="--head")
    for item in starts:
        if not symmetric and not re.search(r"--head\b|--address\b", item.value):
            yield problem(item, "`ray start` needs --head or --address")
    if any(each for each in file.values("--nodes") if (each.value or "1") != "1"):
        joins = symmetric or any(re.search(r"--address\b", item.value) for item in starts)
        if not joins:
            yield problem(starts[0], "several nodes, and no `ray start --address=...` joins them", below="--address")


def head_trains(file: BatchScript) -> Iterator[Problem]:
    """The head gets no CPUs and GPUs, so that trials go to the workers."""
    yield from software.head_resources(file.commands, named=True)


def workers_join(file: BatchScript) -> Iterator[Problem]:
    """Workers look for the head at its port."""
    yield from software.wrong_ports(file.commands)


def workers_train(file: BatchScript) -> Iterator[Problem]:
    """Workers start with CPUs."""
    yield from software.workers_without_cpus(file.commands)


def ray_options(file: BatchScript) -> Iterator[Problem]:
    """`ray start` gets options that it has."""
    yield from software.unknown_start_options(file.commands)


def shell_syntax(file: BatchScript) -> Iterator[Problem]:
    """`bash -n` reads the script without running it."""
    for item in file.lines:
        if re.search(r"\\[ \t]+$", item.value) and not item.value.lstrip().startswith("#"):
            yield problem(item, "a space after the backslash: the line does not go on")
    if mistake := software.shell_mistake(file.text):
        yield problem(file.lines[min(mistake[0], len(file.lines)) - 1], f"is no shell: {mistake[1]}")


def versions(file: BatchScript) -> Iterator[Problem]:
    """Ray, Python and this package are the same as here."""
    yield from software.differing(file.commands, file.here)
    yield from software.unpinned_ray(file.commands, file.here)
    yield from software.unpinned_python(file.commands, file.here)


def variables(file: BatchScript) -> Iterator[Problem]:
    """What gan-sweep reads from the environment has the names that it reads."""
    yield from software.unknown_variables([*file.commands, *(d.item for d in file.directives if d.value)])


def image_pinned(file: BatchScript) -> Iterator[Problem]:
    """Images for Apptainer, Enroot or Docker are the same today and tomorrow."""
    for item in [*file.commands, *(d.item for d in file.directives if d.value)]:
        for match in re.finditer(r"(?:docker://|--container-image=)([^\s\"'();&|]+)", str(item.value)):
            if "$" not in match[1]:
                yield from software.unpinned_image(Item(match[1], item.line, item.path))


def open_port(file: BatchScript) -> Iterator[Problem]:
    """No server answers on every address: a cluster's users can all reach its nodes."""
    yield from network.open_servers(file.commands)
    yield from network.world_open(file.commands)


def secret(file: BatchScript) -> Iterator[Problem]:
    """Nothing secret in clear."""
    for item in file.lines:
        yield from secret_rules.secret(item)
