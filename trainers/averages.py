"""Means of what the steps of an epoch computed, read from the device once."""

import math
from typing import Any

import torch
from torch import Tensor

from trainers.distributed import mean_over_ranks

PEAKS = ("grad_norm_d", "grad_norm_g")
OF_D_UPDATES = ("grad_norm_d", "d_penalty")  # where the device decides on D's update: 0 in a step without one


class StepAverages:
    """Adds up scalars by name. A step may lack some: each name is averaged over the steps that have it."""

    def __init__(self) -> None:
        self._steps = 0
        self._numbers: dict[str, float] = {}
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = {}
        self._peaks: dict[str, Tensor] = {}
        self._updates: dict[str, Tensor] = {}
        self._d_losses: list[Tensor] = []

    def add(self, values: dict[str, Tensor | float]) -> None:
        """Add one step. Every rank must add the same names in the same order.

        Plain numbers are the same on every rank and averaged over all steps; nothing here waits for a GPU. Where
        ``d_updates`` is a tensor, values of `OF_D_UPDATES` are averaged over the steps in which it is 1.
        """
        self._steps += 1
        for name, value in values.items():
            if not isinstance(value, Tensor):
                self._numbers[name] = self._numbers.get(name, 0.0) + value
        names = tuple(name for name, value in values.items() if isinstance(value, Tensor))
        if names:
            # Stacked, so that a step adds with one kernel. A regime may skip D or G: each set of names has its own sum.
            row = torch.stack([values[name].detach().float() for name in names])  # type: ignore[union-attr]
            self._sums[names] = self._sums[names] + row if names in self._sums else row
            self._counts[names] = self._counts.get(names, 0) + 1
        updated = values.get("d_updates")
        if isinstance(updated, Tensor):
            for name in set(OF_D_UPDATES).intersection(names):
                self._updates[name] = self._updates[name] + updated if name in self._updates else updated
        for name in PEAKS:
            peak = values.get(name)
            if isinstance(peak, Tensor):
                self._peaks[name] = torch.maximum(self._peaks[name], peak) if name in self._peaks else peak
        if isinstance(d_loss := values.get("d_loss"), Tensor):
            self._d_losses.append(d_loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """What was added so far, as means over the ranks; every rank calls this."""
        return {
            "steps": self._steps,
            "numbers": dict(self._numbers),
            "sums": {names: mean_over_ranks(row) for names, row in self._sums.items()},
            "counts": dict(self._counts),
            "peaks": dict(self._peaks),
            "updates": dict(self._updates),
            "d_losses": mean_over_ranks(torch.stack(self._d_losses)) if self._d_losses else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned. The mean as every rank's share gives the same means."""
        self._steps, self._numbers, self._counts = state["steps"], state["numbers"], state["counts"]
        self._sums, self._peaks, self._updates = state["sums"], state["peaks"], state["updates"]
        self._d_losses = [] if state["d_losses"] is None else list(state["d_losses"])

    def means(self) -> dict[str, float]:
        """By name, the mean over steps and ranks.

        Also the largest gradient norm of any step as ``<name>_max``, and ``d_loss_variance``.
        """
        totals: dict[str, float] = {}
        counts: dict[str, int] = {}
        for names, sums in self._sums.items():
            for name, value in zip(names, mean_over_ranks(sums).tolist(), strict=True):
                totals[name] = totals.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + self._counts[names]
        for name, updates in self._updates.items():
            counts[name] = int(updates.item())
        means = {name: total / counts[name] for name, total in totals.items() if counts[name]}
        means |= {name: total / self._steps for name, total in self._numbers.items()}
        peaks = {f"{name}_max": peak.item() for name, peak in self._peaks.items() if name in means}
        return means | peaks | self._d_loss_variance()

    def _d_loss_variance(self) -> dict[str, float]:
        """Variance of D's loss over the steps that have one; nothing for fewer than two, or where one is not finite.

        A step's loss is that of the global batch, so it is averaged over the ranks first: one reduction of all steps.
        """
        if len(self._d_losses) < 2:
            return {}
        steps = mean_over_ranks(torch.stack(self._d_losses).float())
        losses = steps.cpu().double()  # squares of losses above 1e19 overflow float32
        variance = losses.var(correction=0).item()
        return {"d_loss_variance": variance} if math.isfinite(variance) else {}
