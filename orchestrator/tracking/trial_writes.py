"""What waits to be written of one trial: put together, so that many epochs take one request."""

from dataclasses import dataclass, field

from mlflow.entities import Metric, Param, RunTag

from orchestrator.results.records import TrialRecord
from trainers.run_report import EpochReport

MOST_ENTRIES = 1000  # of one request, as MLflow allows


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one request can say of a run."""

    params: list[Param] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.params) + len(self.metrics) + len(self.tags)


@dataclass(kw_only=True)
class TrialWrites:
    """What waits of a trial.

    Attributes:
        trial: as it stands when it is written.
        opens: whether a gang has taken it.
        metrics: of each epoch, or of its confirmation.
        grids: epochs with a sample grid.
        ends: whether it is over.
        again: whether it was measured again.
    """

    trial: TrialRecord
    opens: bool = False
    metrics: list[list[Metric]] = field(default_factory=list)
    grids: list[EpochReport] = field(default_factory=list)
    ends: bool = False
    again: bool = False


def grouped(parts: list[Batch]) -> list[list[Batch]]:
    """The parts, in order, in groups of which each fits into one request; empty ones are left out."""
    groups: list[list[Batch]] = []
    size = MOST_ENTRIES
    for part in parts:
        if part.size == 0:
            continue
        if size + part.size > MOST_ENTRIES:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.size
    return groups


def joined(parts: list[Batch]) -> Batch:
    """All parts in one."""
    return Batch(
        params=[param for part in parts for param in part.params],
        metrics=[metric for part in parts for metric in part.metrics],
        tags=[tag for part in parts for tag in part.tags],
    )
