"""A sweep in which something dies or breaks every few seconds, to its end.

Usage: python tests/faults/soak.py [--trials 30] [--kill-every 20] [--seed 0] [--local]

Two ranks per trial, on a cluster of two nodes, with an MLflow server, PostgreSQL below it and below Optuna, and a small
disk. What happens is drawn from all that can; the same seed draws the same. What this machine has no rights or
programs for is left out, and said. Afterwards the sweep is compared with an undisturbed one. The last line says
``30 results, 0 lost``.
"""

import argparse
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))  # as a script, it would not find the package that it is in

from tests.faults.aftermath import judge
from tests.faults.bench import Bench, make_bench
from tests.faults.rows import Row, table
from tests.faults.soak_stage import staged
from tests.faults.waiting import NotInTimeError, wait_until


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="S")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--local", action="store_true", help="on the driver's own Ray, which dies with it, without a second node"
    )
    parser.add_argument("--limit", type=float, default=3600.0, metavar="S", help="give up after so long")
    return parser


def soak(bench: Bench, *, local: bool, kill_every: float, seed: int, limit_s: float) -> tuple[Counter[str], Row]:
    """Run the sweep; returns what happened how often, and how it took it."""
    draw, happened = random.Random(seed), Counter[str]()
    deadline = time.monotonic() + limit_s
    with staged(bench, local=local) as stage:
        sweep, struck = stage.sweep, 0.0
        wait_until("the sweep's directory", sweep.directory.exists, 120.0)
        while time.monotonic() < deadline:
            if not sweep.over(kill_every):
                name = draw.choice(list(stage.strikes))
                struck = time.time()
                try:
                    sweep.strike(lambda name=name: stage.strikes[name](sweep))
                    happened[name] += 1
                except (
                    NotInTimeError,
                    AssertionError,
                    psutil.Error,
                ) as error:  # it is not there just now
                    print(f"{name}: {error}", flush=True)
            elif sweep.driver.returncode == 0:
                break
            elif sweep.driver.returncode == 2 and struck < sweep.started:
                sweep.troubles.append(f"the command was refused although nothing had happened: {sweep.said()}")
                break
            else:
                sweep.resume()
            print(f"{sum(happened.values())} faults, {sweep.recorded()} epochs", flush=True)
        else:
            sweep.troubles.append(f"not over in {limit_s:g} s")
        stage.end_cluster()
        return happened, judge("soak", bench, sweep)


def main() -> int:
    """Run it; 1 where something was lost or left."""
    asked = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sweep and its server are ended too
    with make_bench(asked.trials) as bench:
        happened, row = soak(
            bench, local=asked.local, kill_every=asked.kill_every, seed=asked.seed, limit_s=asked.limit
        )
    print(table([row]))
    print(", ".join(f"{count} x {name}" for name, count in sorted(happened.items())))
    print(f"{asked.trials - row.lost} results, {row.lost} lost")
    return int(row.status != "ok")


if __name__ == "__main__":
    sys.exit(main())
