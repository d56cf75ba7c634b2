"""What a run reports. Imports no torch, since orchestrator processes that only pass reports on import this."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trainers.config import FidConfig
from trainers.metric_names import FID, lower_better, value_of


class Decision(StrEnum):
    """The answer to a report."""

    CONTINUE = "continue"
    PAUSE = "pause"  # write a checkpoint and return: the run may go on from it later
    STOP = "stop"


class RunEnd(StrEnum):
    """How a training run ended."""

    COMPLETED = "completed"  # all its epochs
    STOPPED = "stopped"  # the answer to a report was to stop
    PAUSED = "paused"  # the answer was to pause; the run can go on from the checkpoint that it wrote
    LEFT = "left"  # a rank was asked to leave; the run can go on elsewhere from the checkpoint that it wrote
    OUT_OF_MEMORY = "out_of_memory"  # the device's
    NONFINITE = "nonfinite"  # a loss, a gradient or the samples stopped being finite


def hardly_vary(diversity: float | None, least: float = FidConfig().min_diversity) -> bool:
    """Whether fakes of this diversity hardly vary; an unknown diversity counts as varied.

    Args:
        diversity: as in `Measurement`.
        least: ``fid.min_diversity`` of the run; by default the config's own default.
    """
    return diversity is not None and diversity < least


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """FID at an epoch, with its protocol. With several targets it is their mean, each on `n_fake` fakes.

    Attributes:
        epoch: the epoch it was measured at.
        fid: NaN when a sample was not finite.
        name: its protocol, such as ``fid_inception2048_n10000``: compare it with values of that name only. None in
            histories of older versions.
        n_fake: generated images of each target; fewer before the window than in it. None where `name` is.
        diversity: of the fakes' features against the real images' (see `FidResult`), the lowest of the targets'; None
            where it is not known or the real images do not vary.
        collapsed: the fakes hardly vary: `diversity` is below ``fid.min_diversity``. Such a FID is never an objective,
            since one good picture, grey or noise may have a lower one than pictures that are still poor.
        seconds: wall time.
        per_target: where there are several targets, each one's FID and diversity as ``PROTOCOL_TARGET`` and
            ``diversity_TARGET``, and so all of `beside`.
        beside: what else was measured (``fid.metrics``), each under its protocol, such as
            ``recall_inception2048_n1000_k5``; of several targets the mean.
        objective: which of the values is the run's objective, by its short name.
    """

    epoch: int
    fid: float
    name: str | None = None
    n_fake: int | None = None
    diversity: float | None = None
    collapsed: bool = False
    seconds: float = 0.0
    per_target: dict[str, float] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    objective: str = FID

    @property
    def value(self) -> float:
        """Of the objective; NaN where that was not measured."""
        if self.objective == FID:
            return self.fid
        found = value_of(self.beside, self.objective)
        return math.nan if found is None else found

    @property
    def lower(self) -> float:
        """`value`, with its sign turned where more is better: lower is better."""
        return lower_better(self.objective, self.value)

    @property
    def others(self) -> dict[str, float]:
        """What was measured beside the objective, by protocol: `beside`, and FID where that is not the objective."""
        return self.beside if self.objective == FID else {self.name or FID: self.fid, **self.beside}

    def metrics(self) -> dict[str, float]:
        """What is logged with the FID: ``fid_seconds``, ``diversity`` where it is known, `beside` and `per_target`."""
        diversity = {} if self.diversity is None else {"diversity": self.diversity}
        return {"fid_seconds": self.seconds, **diversity, **self.beside, **self.per_target}


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """One epoch of one run.

    Attributes:
        epoch: from 1.
        images_seen: real images shown to D so far, over all ranks.
        metrics: means over the epoch: d_loss, g_loss, d_real_mean, d_fake_mean (logits), d_real_accuracy,
            d_fake_accuracy (shares), grad_norm_d, grad_norm_g and their _max, d_updates and g_updates (per iteration),
            images_per_second; families add their own. What no step of the epoch computed is missing. Also
            d_loss_variance, the variance of D's loss over the epoch's steps, weight_norm_d and weight_norm_g after the
            epoch, and checkpoint_seconds where a checkpoint was written.
        measurement: FID at this epoch, None where none was due or it was not finite.
        objective: best value of the run's objective (``fid.objective``), by default the lowest FID, inside the window
            so far, of fakes that vary; None before the first.
        best_epoch: the epoch it was measured at.
        samples: file name of the sample grid written at this epoch, in the run's directory.
        started: wall clock of the epoch's first step, seconds since 1970.
        trained: wall clock of the end of its last step.
        ended: wall clock after FID, samples and checkpoint; in a report that is repeated after a resume, before its
            checkpoint was written.
        checkpoint: the epoch of the newest checkpoint on disk; 0 where there is none, and in histories of older
            versions.
    """

    epoch: int
    images_seen: int
    metrics: dict[str, float]
    measurement: Measurement | None
    objective: float | None
    best_epoch: int | None
    samples: str | None
    started: float
    trained: float
    ended: float
    checkpoint: int = 0

    @property
    def logged(self) -> dict[str, float]:
        """All numbers of the epoch except the FID itself."""
        return self.metrics | (self.measurement.metrics() if self.measurement is not None else {})

    def to_json(self) -> dict[str, Any]:
        """A line of ``history.jsonl``."""
        fid = self.measurement
        return {
            "epoch": self.epoch,
            "images_seen": self.images_seen,
            "metrics": self.logged,
            "fid": fid.fid if fid is not None else None,
            "objective": self.objective,
            "best_epoch": self.best_epoch,
            "samples": self.samples,
            "started": self.started,
            "trained": self.trained,
            "ended": self.ended,
            "n_fake": fid.n_fake if fid is not None else None,
            "fid_name": fid.name if fid is not None else None,
            "collapsed": fid.collapsed if fid is not None else None,
            "checkpoint": self.checkpoint,
            "beside": list(fid.beside) if fid is not None else [],  # which of the metrics are
            "objective_name": fid.objective if fid is not None else FID,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "EpochReport":
        """The report that `to_json` wrote; lines of older versions lack some keys, as said at the attributes."""
        rest, metrics = dict(values), dict(values["metrics"])
        fid, name, n_fake = (rest.pop(key, None) for key in ("fid", "fid_name", "n_fake"))
        collapsed, beside = rest.pop("collapsed", None), rest.pop("beside", [])
        objective = rest.pop("objective_name", FID)
        del rest["metrics"]
        if fid is None:
            return cls(**rest, metrics=metrics, measurement=None)
        starts = tuple(f"{one}_" for one in (name, "diversity", *beside))
        measurement = Measurement(
            epoch=rest["epoch"],
            fid=fid,
            name=name,
            n_fake=n_fake,
            diversity=(diversity := metrics.pop("diversity", None)),
            collapsed=hardly_vary(diversity) if collapsed is None else collapsed,
            seconds=metrics.pop("fid_seconds", 0.0),
            beside={key: metrics.pop(key) for key in beside},
            objective=objective,
            per_target={key: metrics.pop(key) for key in list(metrics) if key.startswith(starts)},
        )
        return cls(**rest, metrics=metrics, measurement=measurement)


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        end: why it ended.
        epochs: the last epoch that was trained.
        objective: as in `EpochReport`.
        best_epoch: the epoch it was measured at.
        detail: a sentence for people, empty where `end` says it all.
    """

    end: RunEnd
    epochs: int
    objective: float | None = None
    best_epoch: int | None = None
    detail: str = ""


class OutOfMemoryError(RuntimeError):
    """One of several ranks is out of its device's memory; the others may wait for it for ever.

    Whoever runs the ranks must end and restart them, but not try this run again: it would end the same way.

    Attributes:
        outcome: how the run ended.
    """

    def __init__(self, outcome: RunOutcome) -> None:
        super().__init__(outcome)  # as an argument, so that it can be pickled
        self.outcome = outcome

    def __str__(self) -> str:
        return self.outcome.detail


Report = Callable[[EpochReport], Decision]
