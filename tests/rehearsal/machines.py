"""Machines that come and go: a sweep is launched from a laptop, which dies, and is taken up from another."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.results.events import Ended, Interrupted, Started
from tests.faults.processes import EXIT_S
from tests.faults.results import read_epochs
from tests.faults.waiting import wait_until
from tests.orchestrator.sweep_helpers import events_of
from tests.rehearsal.photographs import Photographs
from tests.rehearsal.stage import FIRST_FID, SWEEP, Stage, staged
from tests.rehearsal.steps import Part, check

HEAD, FIRST, SECOND, THIRD, LAPTOP, OTHER_LAPTOP = range(1, 7)
MANY, MORE = 400, 6  # trials: at first, so that the sweep outlasts all that happens; at last, beside those begun
START_S, DEATH_S, JOIN_S, END_S = 180.0, 150.0, 180.0, 300.0


@contextmanager
def stage(folder: Path, photographs: Photographs) -> Iterator[Stage]:
    """Six hosts: a head, three workers, two laptops."""
    with staged(folder, photographs, apart=OTHER_LAPTOP) as made:
        yield made


def a_cluster_stands(stage: Stage) -> str:
    """A head without CPUs, and two workers of one CPU each."""
    stage.cluster.start_head(stage.host(HEAD), cpus=0, jobs=True)
    for number in (FIRST, SECOND):
        stage.join(number, cpus=1)
    resources = stage.cluster.resources()
    check(resources["total"].get("CPU") == 2 and len(resources["nodes"]) == 3, f"the cluster has {resources}")
    where = "network namespaces" if stage.network else f"processes of one machine, since {stage.why_not}"
    return f"head with 0 CPUs, 2 workers with 1 CPU each, token on; hosts are {where}"


def who_has_no_token_is_turned_away(stage: Stage) -> str:
    """A laptop without the token is turned away."""
    asked = stage.type("stranger", LAPTOP, "status", env={"RAY_AUTH_MODE": "disabled"})
    check(asked.end() == 2 and "wants its token" in asked.said(), f"it said {asked.tail()}")
    return f"exit code 2: {asked.tail()[:60]} ..."


def a_sweep_is_launched_from_a_laptop(stage: Stage) -> str:
    """The sweep is a job, and both workers train, the head does not."""
    options = ("--trials", str(MANY), "--concurrency", "2", "--cpus-per-worker", "1")
    command = stage.launch("laptop", LAPTOP, *options)
    command.wait_for(FIRST_FID, START_S)
    both = {FIRST: 1, SECOND: 1}
    wait_until("a rank on each worker", lambda: stage.ranks() == both, START_S)
    wait_until("trials of both gangs", lambda: {event.gang for event in _events(stage)} == {0, 1}, START_S)
    return f"`gan-sweep launch --cluster {stage.cluster.jobs}`; ranks by host {stage.ranks()}, none on the head"


def a_worker_vanishes(stage: Stage) -> str:
    """All of a worker dies without a word, and the head takes it for dead."""
    if stage.network is not None:
        stage.network.cut(SECOND)  # so that no connection is closed: nobody is told
    killed = stage.cluster.vanish(stage.nodes[SECOND])
    stage.cluster.wait_for_death(stage.host(SECOND), DEATH_S)
    check(stage.ranks() == {FIRST: 1}, f"ranks by host {stage.ranks()}")
    how = "its network cut, then " if stage.network is not None else ""
    return f"{how}SIGKILL of {killed} processes; the head took it for dead, {_recorded(stage)} epochs recorded"


def another_joins(stage: Stage) -> str:
    """A new worker gets the lost gang, and the lost trial goes on."""
    stage.join(THIRD, cpus=1)
    wait_until("a rank on the new worker", lambda: stage.ranks() == {FIRST: 1, THIRD: 1}, JOIN_S)
    interrupted = lambda: events_of(stage.sweeps / SWEEP, Interrupted)  # noqa: E731
    lost = wait_until("the loss of a trial", interrupted, JOIN_S)[-1].trial  # told when the gang asks for work again
    starts = lambda: [event for event in _events(stage) if event.trial == lost]  # noqa: E731
    wait_until("a second start of the lost trial", lambda: len(starts()) > 1, JOIN_S)
    return f"ranks by host {stage.ranks()}; trial {lost} was lost, and went on in gang {starts()[-1].gang}"


def the_laptop_dies(stage: Stage) -> str:
    """SIGKILL of the command; the driver on the head goes on."""
    check(len(stage.drivers()) == 1, f"{len(stage.drivers())} drivers run on the head")
    stage.typed["laptop"].kill()
    before = _recorded(stage)
    wait_until("more epochs", lambda: _recorded(stage) >= before + 4, JOIN_S)
    check(len(stage.drivers()) == 1, "its driver is gone")
    check(not list((stage.folder / "laptop").iterdir()), "the laptop's folder is not empty")
    return f"SIGKILL; the driver on the head went on from {before} to {_recorded(stage)} epochs"


def it_is_watched_from_elsewhere(stage: Stage) -> str:
    """`watch` from a third process on another host shows the sweep from its beginning on."""
    command = stage.type("watch", OTHER_LAPTOP, "watch", SWEEP)
    command.wait_for(FIRST_FID, START_S)
    check(command.process.poll() is None, f"it has ended: {command.tail()}")
    return f"`gan-sweep watch {SWEEP}` on another host, {len(events_of(stage.sweeps / SWEEP, Ended))} trials over"


def it_is_cut_short_from_there_and_ends(stage: Stage) -> str:
    """`budget` takes back trials that have not begun; the watcher sees the end, and has the sweep's exit code."""
    trials = str(len(_events(stage)) + MORE)
    command = stage.type("budget", OTHER_LAPTOP, "budget", SWEEP, "--trials", trials)
    check(command.end() == 0, command.tail())
    watching = stage.typed["watch"]
    code = watching.end(END_S)
    last = [line.strip() for line in watching.said().splitlines() if line.startswith("finished: ")]
    check(code == 0 and len(last) == 1, f"exit code {code}: {watching.tail()}")
    return f"`gan-sweep budget {SWEEP} --trials {trials}`; the watcher saw `{last[0]}` and ended with 0"


def the_gangs_have_left(stage: Stage) -> str:
    """No rank, no actor, no reservation; all CPUs are free."""
    left = stage.cluster.what_is_left()
    check(not left, "; ".join(left))
    wait_until("the end of the driver", lambda: not stage.drivers(), EXIT_S)
    free = lambda: stage.cluster.resources()["free"].get("CPU") == 2  # noqa: E731
    wait_until("2 free CPUs", free, EXIT_S)
    return "no driver, rank or actor runs, nothing is reserved, 2 of 2 CPUs are free"


def results_from_elsewhere(stage: Stage) -> str:
    """`results` from the other laptop."""
    command = stage.type("results", OTHER_LAPTOP, "results", SWEEP, "--json")
    check(command.end() == 0, command.tail())
    summary = json.loads(command.said()[command.said().index("{") :])
    trials = summary["trials"]
    done = [trial for trial in trials if trial["verdict"] == "completed"]
    said = f"{summary['status']}, {len(done)} of {len(trials)} trials completed"
    check(summary["status"] == "finished" and len(done) == len(trials) > 0, said)
    return f"{said}, best FID {min(trial['objective'] for trial in done):.1f}"


def _events(stage: Stage) -> list[Started]:
    return events_of(stage.sweeps / SWEEP, Started)


def _recorded(stage: Stage) -> int:
    return sum(map(len, read_epochs(stage.sweeps / SWEEP).values()))


PART = Part(
    name="machines",
    about="a worker vanishes, another joins, the laptop dies, another takes over",
    cannot="machines of a cloud and how long they take to come, notices of spot machines, GPUs, a bucket (all hosts "
    "share this machine's disk)",
    stage=stage,
    steps=(
        a_cluster_stands,
        who_has_no_token_is_turned_away,
        a_sweep_is_launched_from_a_laptop,
        a_worker_vanishes,
        another_joins,
        the_laptop_dies,
        it_is_watched_from_elsewhere,
        it_is_cut_short_from_there_and_ends,
        the_gangs_have_left,
        results_from_elsewhere,
    ),
)
