"""Gangs: Ray Train worker groups that stay up for the whole sweep and train one trial after another.

Measured on 2 CPU cores: a nested TorchTrainer per trial takes about 22 s to turn around, a warm gang under 0.1 s
(tests/benchmarks/bench_turnaround.py prints both).
"""

import logging
import os
import threading
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray.train
from ray.exceptions import ActorUnschedulableError, OutOfMemoryError, RayActorError

from orchestrator.plan.checks import gang_sizes
from orchestrator.sweep.casualties import MEMORY_MONITOR, Casualties, was_asked
from orchestrator.sweep.interface import NamesInterface
from orchestrator.sweep.leaving import TakesSigterm
from orchestrator.sweep.patience import MAX_RESTARTS, FailureRow, all_left
from orchestrator.sweep.reserved import GivesBack, give_back
from orchestrator.sweep.shares_gpu import SharesGpu
from orchestrator.sweep.worker import GangSetup, gang_loop
from trainers.errors import first_line
from trainers.metric_names import EXTRACTORS_ENV

if TYPE_CHECKING:
    from orchestrator.sweep.elastic import GangTrainer
    from orchestrator.sweep.placing import Reservation

log = logging.getLogger(__name__)

# OpenMP's threads spin while they wait. On CPUs that others use too, such as a second sweep, each spins while the
# other's work waits. So many turns, instead of millions, cost a gang that is alone little
# (tests/benchmarks/bench_loop.py).
SHARED_CPUS = {"GOMP_SPINCOUNT": "2000"}
OPENMP_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # the user's own choice wins


_DIED = (RayActorError, ActorUnschedulableError, OutOfMemoryError, ray.train.ControllerError)  # with the controller


def openmp_settings() -> dict[str, str]:
    """Environment variables for ranks that train on CPUs."""
    return {} if any(name in os.environ for name in OPENMP_SETTINGS) else SHARED_CPUS


def allowed_extractors() -> dict[str, str]:
    """The variable that allows extractors from outside, for ranks on other machines than the driver's."""
    return {EXTRACTORS_ENV: os.environ[EXTRACTORS_ENV]} if EXTRACTORS_ENV in os.environ else {}


class Gang(threading.Thread):
    """One gang, kept alive by a Ray Train run in a thread of the driver.

    Args:
        number: its number for the broker, from 0.
        setup: settings of its ranks.
        storage: directory for Ray Train's own files.
        alone: whether Ray was started for this sweep alone: there a gang has room at once, and one node.

    Attributes:
        number: as given.
        error: why it ended, None while it runs and after a regular exit.
        closing: set before Ray shuts down: what dies then is not started again.
        dismissed: set at the end of the sweep: a gang that still waits for room does not start any more.
    """

    def __init__(self, number: int, setup: GangSetup, storage: Path, *, alone: bool = False) -> None:
        super().__init__(name=f"gang-{number}", daemon=True)
        self.error: BaseException | None = None
        self.closing, self.dismissed = threading.Event(), threading.Event()
        self.number, self._setup, self._storage, self._alone = number, setup, storage, alone
        self._work = partial(setup.broker.work, number)

    def run(self) -> None:
        """Start the ranks, restart them when they die, and return when they exit at the end of the sweep.

        Ray Train restarts ranks; when the controller that does so dies, it is started again here.
        """
        failures = FailureRow(self._work)
        try:
            for start in count(1):
                try:
                    return self._run_once(start)
                except ray.train.WorkerGroupError as error:
                    if not all_left(error):
                        raise
                    log.info("%s has left its node, which goes", self.name)
                except _DIED as error:
                    if self.closing.is_set() or failures.failed() > MAX_RESTARTS:
                        raise
                    self._clean_up(error)
        except BaseException as error:
            self.error = error

    def _clean_up(self, error: Exception) -> None:
        """After a controller's death, of which `error` tells."""
        log.warning("the controller of %s has died, starting it again: %s", self.name, first_line(error))
        starved = isinstance(error, OutOfMemoryError)  # the memory monitor ends controllers together with the ranks
        cause = MEMORY_MONITOR if starved else ""
        self._setup.broker.died(self.number, cause, blameless=starved, left=was_asked(error))

    def _run_once(self, start: int) -> None:
        """Run until the sweep is over, or raise what ended the controller."""
        per_worker, sizes = self._setup.resources.per_rank, gang_sizes(self._setup.space, self._setup.resources)
        if self._alone:
            self._trainer(start, per_worker, sizes, None).fit()
            return
        from orchestrator.sweep.placing import Reservation

        give_back(self._setup.broker, self.number)
        with Reservation(per_worker, sizes[0], lambda: not (self.dismissed.is_set() or self.closing.is_set())) as room:
            if room.nodes:
                self._trainer(start, per_worker, sizes, room).fit()

    def _trainer(
        self, start: int, per_worker: dict[str, float], sizes: Sequence[int], room: "Reservation | None"
    ) -> "GangTrainer":
        from orchestrator.sweep.elastic import LOOK_S, GangTrainer

        resources, use_gpu = self._setup.resources, "GPU" in per_worker
        workers: Any = (sizes[0], sizes[-1]) if resources.elastic else sizes[-1]
        known = (self._setup.broker, self.number)
        callbacks: list[Any] = [TakesSigterm(), NamesInterface(), GivesBack(*known), Casualties(*known)]
        if 0 < resources.gpus < 1:
            callbacks.append(SharesGpu(self._setup.directory))
        env = {**({} if use_gpu else openmp_settings()), **allowed_extractors()}
        return GangTrainer(
            gang_loop,
            sizes=sizes,
            work=self._work,
            room=room,
            train_loop_config={"setup": self._setup, "gang": self.number},
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers,
                use_gpu=use_gpu,
                resources_per_worker=per_worker,
                # mypy sees the configs of Ray Train V1, which is not used
                elastic_resize_monitor_interval_s=LOOK_S,  # type: ignore[call-arg]
            ),
            run_config=ray.train.RunConfig(
                name=f"{self.name}-{start}",  # Ray Train would restore what a dead one has left under its name
                storage_path=str(self._storage),
                failure_config=ray.train.FailureConfig(max_failures=MAX_RESTARTS),  # those of LeftError do not count
                callbacks=callbacks,
                worker_runtime_env={"env_vars": env} if env else {},  # type: ignore[call-arg]
            ),
        )
