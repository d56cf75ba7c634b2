"""Moments: mean and covariance of a stream of feature vectors, in float64, over all ranks."""

import torch
from torch import Tensor

from trainers.distributed import all_reduce_sum, rank, world_size

FEWEST = 2  # images that a FID needs on each side: fewer vectors have no covariance


class Moments:
    """Streamed mean and covariance.

    Up to `dim` vectors are kept as they are, because then the Frechet distance is cheaper from n x n Gram matrices
    than from the d x d covariance; beyond that they are folded into mean and scatter matrix, batch by batch, each batch
    centred before it is squared (Chan, Golub and LeVeque 1983).

    Args:
        dim: length d of a feature vector.
        device: where the sums live.
    """

    def __init__(self, dim: int, device: torch.device | str = "cpu") -> None:
        self.dim, self.device = dim, torch.device(device)
        self.n = 0
        self._rows: list[Tensor] | None = []  # until folded
        self._mean = torch.zeros(dim, dtype=torch.float64, device=device)
        self._scatter: Tensor | None = None  # sum of outer products of the centred vectors, [d, d], once folded

    def update(self, features: Tensor) -> None:
        """Add `features`, floating point [B, d], on any device."""
        assert features.ndim == 2 and features.shape[1] == self.dim, (features.shape, self.dim)
        rows = features.detach().to(self.device, torch.float64)
        if self._rows is not None and self.n + len(rows) <= self.dim:
            self._rows.append(rows)
            self.n += len(rows)
        else:
            self._fold()
            self._merge(rows)

    def all_reduce(self) -> "Moments":
        """Moments over the vectors of all ranks, equal on all of them; `self` when there is one rank.

        Every rank must call this. Ranks may have seen different numbers of vectors, or none.
        """
        if world_size() == 1:
            return self
        counts = torch.zeros(world_size(), dtype=torch.int64, device=self.device)
        counts[rank()] = self.n
        per_rank = all_reduce_sum(counts).tolist()
        total = Moments(self.dim, self.device)
        total.n = sum(per_rank)
        if total.n <= self.dim:
            # Each rank writes its part of the whole: as many bytes as an all-gather of unequal parts needs at most.
            rows = torch.zeros(total.n, self.dim, dtype=torch.float64, device=self.device)
            first = sum(per_rank[: rank()])
            rows[first : first + self.n] = self._kept_rows()
            total._rows = [all_reduce_sum(rows)]
        else:
            self._fold()
            assert self._scatter is not None
            total._rows = None
            total._mean = all_reduce_sum(self._mean * self.n) / total.n
            shift = self._mean - total._mean
            total._scatter = all_reduce_sum(self._scatter.addr(shift, shift, alpha=self.n))
        return total

    @property
    def mean(self) -> Tensor:
        """float64 [d]."""
        return self._mean if self._rows is None else self._kept_rows().mean(0)

    @property
    def centred(self) -> Tensor | None:
        """The vectors minus their mean, float64 [n, d]; None once they are folded, which is when n > d."""
        return None if self._rows is None else self._kept_rows() - self.mean

    @property
    def covariance(self) -> Tensor:
        """Unbiased, as ``numpy.cov(features, rowvar=False)``: float64 [d, d]. Needs n > 1."""
        centred = self.centred
        if centred is not None:
            return centred.T @ centred / (self.n - 1)
        assert self._scatter is not None
        return self._scatter / (self.n - 1)

    @property
    def trace(self) -> float:
        """Trace of the covariance, which is not formed while the vectors are kept."""
        if self._rows is None:
            return float(self.covariance.trace())
        return float((self._kept_rows() - self.mean).square().sum() / (self.n - 1))

    def _kept_rows(self) -> Tensor:
        assert self._rows is not None
        if len(self._rows) != 1:
            self._rows = [torch.cat(self._rows)] if self._rows else [self._mean.new_zeros(0, self.dim)]
        return self._rows[0]

    def _fold(self) -> None:
        if self._rows is None:
            return
        kept, self._rows, self.n = self._kept_rows(), None, 0
        self._scatter = self._mean.new_zeros(self.dim, self.dim)
        self._merge(kept)

    def _merge(self, rows: Tensor) -> None:
        assert self._scatter is not None
        if not len(rows):
            return
        n = self.n + len(rows)
        mean = rows.mean(0)
        shift = mean - self._mean
        # The last row stands for the distance of the two means; one product then updates the scatter matrix.
        between = shift * (self.n * len(rows) / n) ** 0.5
        spread = torch.cat([rows - mean, between[None]])
        self._scatter.addmm_(spread.T, spread)
        self._mean = self._mean + shift * (len(rows) / n)
        self.n = n
