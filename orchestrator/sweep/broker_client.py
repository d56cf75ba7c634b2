"""A client of the broker, for any process of the sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.results.exploits import Exploit
from orchestrator.results.verdict import Failure, StopReason, TrialOutcome
from orchestrator.search.proposal import Proposal
from orchestrator.search.result import TrialResult
from orchestrator.sweep.broker import Broker
from orchestrator.sweep.messages import ConfirmLease, Hold, Lease, NoLease, Rank
from trainers.run_report import EpochReport

MAX_RESTARTS = 1000
# Messages that may wait for an answer at once. With Ray's own limit, 1,000, the broker of 1,000 gangs stood still: as
# many trials waited for measurements, and no gang's report was let in.
MOST_WAITING = 1_000_000


class BrokerClient:
    """Each method sends one message of the same name to the broker's actor. Can be pickled.

    Every method but `beat` waits for the answer: Ray does not keep the order of calls to an async actor that are not
    waited for, and of several reasons to stop a trial the first one counts.

    Args:
        actor: Ray's handle of the `Broker`.
    """

    def __init__(self, actor: Any) -> None:  # Ray's stubs do not follow an actor's methods
        self._actor = actor

    @classmethod
    def start(cls, directory: Path, release_after_s: float | None = None) -> "BrokerClient":
        """Start the broker of the sweep in `directory` in the connected Ray, on this very node.

        It lets the gangs go when the driver is silent for `release_after_s` seconds; None: it never does.

        When it dies, Ray starts it again, up to `MAX_RESTARTS` times, and asks again whatever it had not answered.

        Raises:
            Exception: it cannot be started, such as for a damaged log.
        """
        here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options: Any = {"max_restarts": MAX_RESTARTS, "max_task_retries": -1, "max_concurrency": MOST_WAITING}
        actor = ray.remote(num_cpus=0, scheduling_strategy=here, **options)(Broker)
        broker = cls(actor.remote(directory, release_after_s))
        broker.pid()
        return broker

    # from the searcher, Tune's callback and the stopper

    def submit(self, trial: Proposal) -> None:
        """Queue a trial; returns when it is queued."""
        ray.get(self._actor.submit.remote(trial))

    def stop(self, trial_id: str, reason: StopReason | Failure) -> None:
        """Ask for a trial's end."""
        ray.get(self._actor.stop.remote(trial_id, reason))

    def pause(self, trial_id: str) -> None:
        """Let a trial wait at its rung."""
        ray.get(self._actor.pause.remote(trial_id))

    def promote(self, trial_id: str, exploit: Exploit | None = None) -> None:
        """Let a paused trial go on, as a copy of another where one is given."""
        ray.get(self._actor.promote.remote(trial_id, exploit))

    def halt(self, reason: StopReason | Failure) -> None:
        """Ask for the end of all trials, and let none start; the gangs stay."""
        ray.get(self._actor.halt.remote(reason))

    def close(self, reason: StopReason | Failure) -> None:
        """Report that the sweep is over; the gangs exit."""
        ray.get(self._actor.close.remote(reason))

    def abandon(self, gang: int) -> None:
        """Report that a gang has died for good."""
        ray.get(self._actor.abandon.remote(gang))

    def pid(self) -> int:
        """The broker's process."""
        pid: int = ray.get(self._actor.pid.remote())
        return pid

    # from the controllers of gangs

    def ranks(self, gang: int) -> list[Rank]:
        """The ranks of a gang."""
        ranks: list[Rank] = ray.get(self._actor.ranks.remote(gang))
        return ranks

    def work(self, gang: int) -> int:
        """How often a gang has got on so that something is kept."""
        work: int = ray.get(self._actor.work.remote(gang))
        return work

    def died(self, gang: int, cause: str, *, blameless: bool, left: bool = False) -> None:
        """Report that ranks of a gang have died, and why; or that they `left`, as they were asked to."""
        ray.get(self._actor.died.remote(gang, cause, blameless=blameless, left=left))

    # from trainables

    def next_result(self, trial_id: str) -> TrialResult:
        """Wait for a trial's next measurement, or its end."""
        result: TrialResult = ray.get(self._actor.next_result.remote(trial_id))
        return result

    # from the driver, at the end of a sweep

    def settled(self, wait_s: float) -> int:
        """Number of trials that gangs hold; waits up to `wait_s` for none held."""
        held: int = ray.get(self._actor.settled.remote(wait_s))
        return held

    def measure_again(self, trial_ids: list[str], seeds: int, wait_s: float) -> tuple[int, dict[str, str]]:
        """Let gangs measure trials again; returns how many are left, and why others were not confirmed."""
        answer: tuple[int, dict[str, str]] = ray.get(self._actor.measure_again.remote(trial_ids, seeds, wait_s))
        return answer

    def repeat(self, trials: list[Proposal], seeds: int, wait_s: float) -> tuple[int, dict[str, str]]:
        """Let gangs train settings again, and measure them; returns how many are left, and why others were not."""
        answer: tuple[int, dict[str, str]] = ray.get(self._actor.repeat.remote(trials, seeds, wait_s))
        return answer

    # from ranks

    def lease(self, gang: int, workers: int = 1, of: int = 1) -> Lease | ConfirmLease | NoLease:
        """Wait for work for a gang that has so many ranks, of so many planned."""
        lease: Lease | ConfirmLease | NoLease = ray.get(self._actor.lease.remote(gang, workers, of))
        return lease

    def report(self, trial_id: str, report: EpochReport, *, last: bool) -> StopReason | Failure | Hold | None:
        """Report an epoch; returns why the trial has to stop or to pause, None where it goes on."""
        reason: StopReason | Failure | Hold | None = ray.get(self._actor.report.remote(trial_id, report, last=last))
        return reason

    def saved(self, trial_id: str) -> None:
        """Report that a checkpoint inside an epoch is on disk."""
        ray.get(self._actor.saved.remote(trial_id))

    def beat(self, rank: Rank) -> None:
        """Report that a rank gets on, without waiting for an answer."""
        self._actor.beat.remote(rank)

    def hung(self, limit_s: float | None) -> tuple[list[int], list[Rank]]:
        """The gangs that hang, and the ranks that this broker has heard of, of all gangs."""
        gangs, ranks = ray.get(self._actor.hung.remote(limit_s))
        return gangs, ranks

    def full(self, place: str) -> None:
        """Report that a disk is full: this could not be written."""
        ray.get(self._actor.full.remote(place))

    def where_full(self) -> str:
        """What could not be written; empty where all could."""
        place: str = ray.get(self._actor.where_full.remote())
        return place

    def leave(self, trial_id: str) -> None:
        """Report that a trial's gang leaves it, as it was asked."""
        ray.get(self._actor.leave.remote(trial_id))

    def paused(self, trial_id: str, gang: int) -> None:
        """Report that a gang has left a trial at its rung."""
        ray.get(self._actor.paused.remote(trial_id, gang))

    def complain(self, trial_id: str, detail: str) -> None:
        """Report a rank's error, before its gang restarts."""
        ray.get(self._actor.complain.remote(trial_id, detail))

    def end(self, trial_id: str, outcome: TrialOutcome) -> None:
        """Report how a trial ended."""
        ray.get(self._actor.end.remote(trial_id, outcome))

    def confirmed(
        self,
        trial_id: str,
        values: list[float],
        beside: Sequence[dict[str, float]] = (),
        *,
        failure: str = "",
        refused: str = "",
    ) -> None:
        """Report the FIDs that a trial was measured at again, and what else; why it was not, or why it cannot win."""
        ray.get(self._actor.confirmed.remote(trial_id, values, list(beside), failure=failure, refused=refused))
