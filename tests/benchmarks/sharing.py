"""The training loop in several processes at once on the same CPUs, under several settings of OpenMP.

Started with arguments it is one such process: it warms up, says so, waits for a line, and prints its images/s.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

SETTINGS: dict[str, Mapping[str, str]] = {
    "torch's own": {},
    "GOMP_SPINCOUNT=2000": {"GOMP_SPINCOUNT": "2000"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
CHOSEN_BEFORE = {name for setting in SETTINGS.values() for name in setting}


def print_sharing(settings: Iterable[str], copies: int, seconds: float) -> None:
    """Print the images/s of each of `copies` processes, alone and at once, by setting and threads per process."""
    cores = len(os.sched_getaffinity(0))
    print(f"{'32 px, images/s of a process':<32}{'alone':>8}{f'{copies} at once':>12}{'1 thread each':>16}")
    for name in settings:
        alone = rates(1, cores, SETTINGS[name], seconds)
        shared = rates(copies, cores, SETTINGS[name], seconds)
        single = rates(copies, 1, SETTINGS[name], seconds)
        print(f"{name:<32}{alone[0]:8.0f}{sum(shared) / copies:12.0f}{sum(single) / copies:16.0f}")


def rates(copies: int, threads: int, setting: Mapping[str, str], seconds: float) -> list[float]:
    """Images/s of each of `copies` processes that train at the same time."""
    environment = {name: value for name, value in os.environ.items() if name not in CHOSEN_BEFORE} | dict(setting)
    command = [sys.executable, "-m", "tests.benchmarks.sharing", str(threads), str(seconds)]
    started = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(copies)
    ]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in started]


def main(threads: int, seconds: float) -> None:
    """One process: train at the size of a demo for so many seconds."""
    import torch

    from tests.benchmarks.bench_loop import our_step, rate
    from trainers.config import TrainConfig

    torch.set_num_threads(threads)
    config = TrainConfig.build({}, {"data.image_size": 32, "data.batch_size": 16, "network.base_width": 24})
    images = torch.randint(0, 256, (config.data.batch_size, 3, 32, 32), dtype=torch.uint8)
    step = our_step(config, torch.device("cpu"))
    rate(step, images, 20)
    print("ready", flush=True)
    sys.stdin.readline()
    steps, ended = 0, time.perf_counter() + seconds
    started = time.perf_counter()
    while time.perf_counter() < ended:
        step(images)
        steps += 1
    print(steps * len(images) / (time.perf_counter() - started))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
