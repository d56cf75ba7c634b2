"""Kill everything that can die in a running sweep, and look what is left: one table.

Usage: python -m tests.faults.run [NAME ...]

Without names, all faults. Some 25 minutes on 2 CPU cores. GAN_SWEEP_FAULTS_KEEP=DIR keeps the sweeps' logs.
"""

import argparse
import signal
import sys
import time
import traceback

from tests.faults import actors, checkpoints, driver, hosts, overlapping, postgres, ranks, servers, storage
from tests.faults.bench import Bench, make_bench
from tests.faults.rows import HEAD, Row
from tests.faults.scenario import Fault

GROUPS = (ranks, actors, servers, hosts, driver, storage, checkpoints, postgres, overlapping)
FAULTS: dict[str, Fault] = {name: fault for group in GROUPS for name, fault in group.FAULTS.items()}


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(FAULTS)}; default: all")
    return parser


def run(bench: Bench, name: str) -> Row:
    """The row of a fault. One that raises has failed; its traceback goes to stderr."""
    try:
        return FAULTS[name](bench)
    except Exception as error:
        traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Row(fault=name, status="FAILED", lost=bench.trials, text=text)


def main() -> int:
    """Run the faults that were asked for; 1 where one failed."""
    options = parser()
    asked = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that sweeps and servers are ended too
    if unknown := [name for name in asked.names if name not in FAULTS]:
        options.error(f"no fault is called {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    started = time.perf_counter()
    rows = []
    with make_bench() as bench:
        print(f"the undisturbed sweep: {time.perf_counter() - started:.0f} s\n\n{HEAD}", flush=True)
        for name in asked.names or FAULTS:
            rows.append(run(bench, name))
            print(rows[-1].line(), flush=True)
    failed = [row.fault for row in rows if row.status == "FAILED"]
    print(f"\n{len(rows)} faults, {len(failed)} failed, {time.perf_counter() - started:.0f} s", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
