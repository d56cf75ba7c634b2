"""Every benchmark runs at its smallest size, as README says, and prints what it promises; figures are not judged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.pruning import RULES
from tests.benchmarks.bench_controller import CASES
from tests.benchmarks.bench_rules import TUNED
from tests.benchmarks.bench_search import in_others
from tests.benchmarks.search_curves import Rates, Step, curve_of, reached
from tests.trainers.metrics.disturbances import DISTURBANCES

HERE = Path(__file__).parent
BENCHMARKS = sorted(path.stem for path in HERE.glob("bench_*.py"))

# {pictures} is a folder of drawn motorbikes.
SMALLEST = {
    "bench_controller": "--trials 2",
    "bench_demo": "--seeds 1 --trials 1 --set schedule.epochs=1 --set schedule.window_first=1 --set fid.n_fake=8",
    "bench_early_ranks": "--draws 2",
    "bench_extractors": "{pictures} --sides 64 --images 8",
    "bench_fid_trace": "--n 16 --dim 8 --n-real 32 --repeats 1",
    "bench_generate": "--image-size 32 --images 16",
    "bench_loop": "--image-size 32 --base-width 4 --batch-size 4 --steps 1 --rounds 1 --copies 1 --seconds 0.1"
    " --openmp GOMP_SPINCOUNT=2000",
    "bench_opening": "--trials 4 --epochs 2 --open 1",
    "bench_prepare": "--images 4 --width 64 --size 32 --workers 1",
    "bench_racing": "--images 32 --epochs 1 --fakes 8 16 --seeds 1",
    "bench_report": "--trials 3",
    "bench_rules": "--record {pictures} --settings 2 --epochs 2 --fakes 4 --candidates 2",
    "bench_rungs": "--trials 4 --orders 2",
    "bench_scale": "--trials 6 --gangs 2 --epochs 4 --every 2 --pace 0.01 --deliver-seconds 100",
    "bench_search": "--trials 1 2 --seeds 1 --epochs 6 --images 48 --fakes 8 --patience 500 --min-diversity 0"
    " --picture {pictures}/../curves.png",
    "bench_serving": "--seconds 0.2 --clients 1 2 --counts 1 3",
    "bench_switch": "--times 1 --width 8 --size 32",
    "bench_tracking": "--epochs 2 --runs 3",
    "bench_turnaround": "--trials 2 --nested-trials 2 --data {pictures}",
}

# Regular expressions; # stands for a number.
PROMISED = {
    "bench_controller": [
        rf"{sampler} +{storage} +2 trials on +# gangs +# ms of deciding per trial"
        for sampler, _, _ in CASES
        for storage in ("memory", "journal")
    ],
    "bench_demo": [
        "seed 0: first setting (#|none), winner (#|none), # trials, # s",
        "the search ended ahead of its first setting with [01] of 1 seeds",
    ],
    "bench_early_ranks": [
        rf"{name}, epoch {epoch} of 36, # of 32 hardly vary: {way} +rank correlation +#, keeps the best in +#%"
        for name in ("digits", "cars")
        for epoch in (1, 2, 4, 8)
        for way in ("as it is", "worse than any", "in proportion", "by the root")
    ],
    "bench_extractors": [
        "drawn, 64 px, lengths as they are",
        *(f"{kind} +# +# +# +# +#" for kind in DISTURBANCES),
        "pure noise #, plain grey #",
        *(f"64 px, lengths {length}: # of # pairs in the wrong order" for length in ("as they are", "made equal")),
        "64 px: # images/s",
    ],
    "bench_fid_trace": [
        "root of the real covariance, once per dataset: # s",
        "n_fake +pytorch-fid s +ours s +ratio +FID +relative difference",
        "16 +# +# +# +# +#e[-+]#",
    ],
    "bench_generate": [
        "generator alone, float64: # images/s",
        "generator alone, float32: # images/s",
        *(f"encoder alone, {kind}: # images/s in one thread, # in #, # in # processes" for kind in ("png", "webp")),
        *(
            f"both, {kind}: # images/s, generator # s, encoder # s, in # s on # threads"
            for kind in ("png", "webp", "parquet")
        ),
    ],
    "bench_loop": [
        "the article's loop +# images/s",
        r"trainers\.loop +# images/s",
        r"ratio # \(min #, max #\)",
        "GOMP_SPINCOUNT=2000 +# +# +#",
    ],
    "bench_opening": [
        r"4 trials x 2 epochs, 1 open: log # MB, histories # MB",
        *(rf"{name} +# s \(# s of CPU\) +# MB" for name in ("state", "gan-sweep results", "gan-sweep results --json")),
        "the log was not rewritten",
    ],
    "bench_prepare": [
        "prepared +4 images in # s: # images/s",
        "memory +# MB at most above # MB",
        "dataset +# MB, dropped nothing",
        "again +# s",
    ],
    "bench_racing": [
        r"n +8 +# s \( *# x\) +FID +# ± #",
        r"n +16 +# s \( *# x\) +FID +# ± #",
        "ralsgan_motorbike, whole trial: # fakes instead of #, # times fewer",
        "ralsgan_motorbike, cut at epoch #: # fakes instead of #, # times fewer",
    ],
    "bench_report": [
        "3 trials, 11 grids of 64 images of 32 px",
        "page +# MB in # s",
        "memory +# MB at most",
    ],
    "bench_rules": [
        "drawn: 2 runs of 2 epochs, # stopped being finite",
        *(
            rf"{name} +ends +# of 2, +# good of # \(# harmed\), saves +#% of all steps, +#% of # useless, mean regret"
            for name in ("all", *RULES)
        ),
        *(
            f"{name} searched: .* saves #%, regret (#|inf)%; held out #%, (#|inf)%; as shipped #%, (#|inf)%"
            for name in TUNED
        ),
    ],
    "bench_rungs": [
        "36 trials of 16 epochs, made up",
        r"4 trials +none +cost #  behind the best +#%, at most +#%  found it +#%  whole #",
        r"4 trials +asha +grace_epochs=1 rung_factor=3 reduction_factor=4 +cost #",
    ],
    "bench_scale": [
        "6 trials, # epochs on 2 gangs, at most 2 at once, in # s: # epochs/s",
        "real GPUs, # s per epoch, would take # s: # epochs/s, # trials/s",
        "decisions +# /s, real GPUs ask for #",
        "messages +# /s, real GPUs ask for #, pulses #",
        "log +# lines/s, # kB/s; real GPUs ask for #, # kB/s; log # MB, histories # MB",
        *(
            rf"{part} .*# s +carries +[\d,]+ GPUs"
            for part in ("searcher", "scheduler", "stopper", "broker", "recorder:")
        ),
        "tracking +# of 6 trials are in MLflow when the last one ends; .*it has everything",
        "memory: driver # MB, broker # MB at most",
        r"first bottleneck: .*, at [\d,]+ GPUs",
    ],
    "bench_search": [
        "48 images of digits, 6 epochs, 8 fakes, ours 1 at a time",
        *(rf"until the best FID of {trials} random trials \(#\):" for trials in (1, 2)),
        *(rf"until within #% of the best FID of {trials} random trials:" for trials in (1, 2)),
        *(
            rf"{way} +median (#|more), mean (#|more), in [01] of 1 seeds: (#|-)"
            for way in ("ours", r"optuna \+ median", r"optuna \+ hyperband", r"ray asha \+ optuna", "random")
        ),
        r'\{"targets": ',
    ],
    "bench_serving": [
        "computing +64 at once: float32 #, float64 # images/s, ratio #",
        "one by one without a server # images/s, # ms of CPU each",
        *(f"{count} +{clients} +# +# +# +#x +# +#" for count in (1, 3) for clients in (1, 2)),
    ],
    "bench_switch": [
        "ralsgan_motorbike, 32 px, checkpoints of # MB, median of 1",
        r"leaving # s, going on # s, at best # s \(aim: below 0.3\)",
    ],
    "bench_tracking": [
        *(rf"{what} +# requests" for what in ("the sweep's start", "a trial's start", "epoch 1", "a trial's end")),
        "epoch 2, measured, with a grid +# requests",
        "the sweep's end, of one trial +# requests",
        *(f"the first 3 of 3 runs, by objective, {how}: # s" for how in ("as MLflow left it", "analysed as by .*")),
    ],
    "bench_turnaround": [
        r"from launch to the first training step # s \(aim: below 12\)",
        "# s imports, checks and decoded images",
        "# s Ray and the gang",
        "# s extractor, networks and statistics of the real images",
        *(rf"{way} +# s median \(min #, max #\), +# x gangs" for way in ("gangs", "reused actors", "nested")),
        "share of the time from first to last step in training, FID, samples and checkpoints: #%",
        r"share of it that log, histories and heartbeat take, done again and timed: #% \(aim: below 1%\)",
    ],
}


def test_every_benchmark_has_a_smallest_size() -> None:
    """A new benchmark needs a row in both tables above."""
    assert sorted(SMALLEST) == BENCHMARKS
    assert sorted(PROMISED) == BENCHMARKS and all(PROMISED.values())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_runs_and_prints_what_it_promises(name: str, motorbikes: Path) -> None:
    arguments = SMALLEST[name].format(pictures=motorbikes).split()
    run = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments],
        cwd=HERE.parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # two threads only wait for each other at this size
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for promise in PROMISED[name]:
        pattern = promise.replace("#", r"-?\d+(\.\d+)?")
        assert re.search(rf"^ *{pattern}", run.stdout, re.M), f"no line like {promise!r} in\n{run.stdout}"


def test_other_draws_are_those_of_all_other_seeds_in_turn() -> None:
    searches = [[Step(trial, 1, 0, 1.0, 0.0, float(10 * seed + trial)) for trial in range(2)] for seed in range(3)]
    assert [step.objective for step in in_others(searches, 1)] == [20.0, 21.0, 0.0, 1.0]
    assert reached(curve_of(in_others(searches, 1), Rates(image=1.0, fake=1.0)), 0.0) == 3.0
