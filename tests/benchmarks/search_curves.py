"""What a search had spent when it had found what, for `bench_search`."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """An epoch of any trial of a search.

    Attributes:
        trial: its number in the search.
        images: real images trained on in it.
        fakes: images generated for its FID; 0 without one.
        seconds: of the epoch, FID included.
        fid_seconds: of its FID.
        objective: the trial's lowest FID of its window so far; None before it has one.
    """

    trial: int
    images: int
    fakes: int
    seconds: float
    fid_seconds: float
    objective: float | None


@dataclass(frozen=True)
class Rates:
    """Seconds per image trained and per fake measured, on this machine: times vary with its load, these do not.

    So the compute of a search is what its images and fakes would have taken one like the other.
    """

    image: float
    fake: float

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "Rates":
        """Those of these steps, some of which have a FID."""
        measured = [step for step in steps if step.fakes]
        return cls(
            statistics.median((step.seconds - step.fid_seconds) / step.images for step in steps),
            statistics.median(step.fid_seconds / step.fakes for step in measured),
        )

    def compute(self, steps: Iterable[Step]) -> float:
        """Seconds of these steps."""
        return sum(step.images * self.image + step.fakes * self.fake for step in steps)


Curve = list[tuple[float, float]]  # compute, lowest objective by then; only where it got lower


def curve_of(steps: Iterable[Step], rates: Rates) -> Curve:
    """How the lowest objective fell with the compute."""
    spent, best, curve = 0.0, math.inf, Curve()
    for step in steps:
        spent += rates.compute([step])
        if step.objective is not None and step.objective < best:
            best = step.objective
            curve.append((spent, best))
    return curve


def reached(curve: Curve, target: float) -> float:
    """Compute until the objective was at most `target`; infinite where it never was."""
    return next((spent for spent, best in curve if best <= target), math.inf)


def best_at(curve: Curve, spent: float) -> float:
    """The lowest objective when so much was spent; infinite before the first."""
    return min((best for at, best in curve if at <= spent), default=math.inf)


def draw(curves: dict[str, list[Curve]], wholes: Sequence[float], title: str, file: Path) -> None:
    """Draw the lowest objective against compute: median and quartiles over the seeds of each way.

    Args:
        curves: of each way, one per seed. What stopped at its target stays there.
        wholes: of each seed, compute that is called 1: that of all its random trials.
        title: above the picture.
        file: PNG.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), dpi=110)
    shares = [share / 200 for share in range(1, 201)]
    for way, of_way in curves.items():
        seeds = list(zip(of_way, wholes, strict=True))
        at = [sorted(best_at(curve, share * whole) for curve, whole in seeds) for share in shares]
        seen = [
            (share, values) for share, values in zip(shares, at, strict=True) if math.isfinite(_quantile(values, 0.75))
        ]
        xs = [share for share, _ in seen]
        (line,) = axes.plot(xs, [_quantile(values, 0.5) for _, values in seen], label=way)
        lower, upper = ([_quantile(values, q) for _, values in seen] for q in (0.25, 0.75))
        axes.fill_between(xs, lower, upper, alpha=0.15, color=line.get_color())
    axes.set(xlabel="compute, as a share of all random trials'", ylabel="lowest FID so far", title=title)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


def _quantile(values: Sequence[float], share: float) -> float:
    return values[round((len(values) - 1) * share)]
