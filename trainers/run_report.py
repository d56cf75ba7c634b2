"""What a run says of itself. No torch here: orchestrator processes that only relay import this."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Decision(StrEnum):
    """The answer to a report."""

    CONTINUE = "continue"
    STOP = "stop"


class Verdict(StrEnum):
    """Why a trial ended."""

    COMPLETED = "completed"
    OUTRANKED = "outranked"  # the scheduler preferred others
    NONFINITE = "nonfinite"  # a loss, a gradient or the samples stopped being finite
    ERROR = "error"  # the trial could not be run
    LOST = "lost"  # its workers failed or died more often than it may be retried
    OUT_OF_TIME = "out_of_time"  # the sweep's time budget ended
    OUT_OF_GPU_HOURS = "out_of_gpu_hours"  # the sweep's budget of GPU hours ended
    TARGET_REACHED = "target_reached"  # a trial of the sweep, this one or another, reached the FID that was asked for
    INTERRUPTED = "interrupted"  # Ctrl-C


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """One epoch of one run.

    Attributes:
        epoch: from 1.
        images_seen: real images shown to D so far, over all ranks.
        metrics: means over the epoch: d_loss, g_loss, d_real_mean, d_fake_mean (logits), d_real_accuracy,
            d_fake_accuracy (shares), grad_norm_d, grad_norm_g and their _max, d_updates and g_updates (per iteration),
            images_per_second; families add their own. What no step of the epoch computed is not there. Also
            weight_norm_d and weight_norm_g after the epoch and, where FID was measured, fid_seconds (wall time) and
            diversity (see `FidResult`; the least of several targets', which have theirs as diversity_NAME).
        fid: FID measured at this epoch, None where none was due.
        n_fake: generated images that it was measured on; fewer before the window than in it.
        fid_name: its protocol, such as ``fid_inception2048_n10000``: compare it with values of that name only.
        objective: lowest FID inside the window so far, None before the window.
        best_epoch: the epoch it was measured at.
        samples: file name of the sample grid written at this epoch, in the run's directory.
        started: wall clock of the epoch's first step, seconds since 1970.
        trained: wall clock of the end of its last step.
        ended: wall clock after FID, samples and checkpoint.
    """

    epoch: int
    images_seen: int
    metrics: dict[str, float]
    fid: float | None
    objective: float | None
    best_epoch: int | None
    samples: str | None
    started: float
    trained: float
    ended: float
    n_fake: int | None = None
    fid_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        verdict: why; a string is the name of the rule that ended it.
        epochs: the last epoch that was trained.
        objective: lowest FID inside the window, None when it was never measured there.
        best_epoch: the epoch it was measured at.
        detail: a sentence for people, empty where the verdict says it all.
    """

    verdict: Verdict | str
    epochs: int
    objective: float | None = None
    best_epoch: int | None = None
    detail: str = field(default="")


Report = Callable[[EpochReport], Decision]
