"""Prices from where they are said: options, the plan of a sweep that goes on, the environment of a rendered cluster."""

import os
from collections.abc import Mapping

from orchestrator.plan.amounts import amount
from orchestrator.results.prices import Prices
from trainers.errors import UserError

# Set on the heads of rendered clusters, from the table cluster/gpus.yaml.
GPU_PRICE, HEAD_PRICE = "GAN_SWEEP_GPU_PRICE", "GAN_SWEEP_HEAD_PRICE"


def read_prices(
    gpu: float | None, head: float | None, *, before: Prices | None = None, environ: Mapping[str, str] = os.environ
) -> Prices:
    """The prices of a sweep: each as it is given, else as the sweep has it, else as the environment says.

    Args:
        gpu: value of ``--gpu-price``.
        head: value of ``--head-price``.
        before: those that the sweep has; None for a new one.
        environ: of the process.

    Raises:
        UserError: a variable of the environment is no price.
    """
    before = before or Prices()
    return Prices(
        gpu_hour=gpu or before.gpu_hour or _price(environ, GPU_PRICE),
        head_hour=head or before.head_hour or _price(environ, HEAD_PRICE),
    )


def _price(environ: Mapping[str, str], name: str) -> float | None:
    return amount(f"${name}", text) if (text := environ.get(name, "").strip()) else None


def check_priced(cost: float | None, prices: Prices, gpus: float) -> None:
    """Check that a limit in money can be counted.

    Args:
        cost: the limit; None: there is none.
        prices: of the sweep.
        gpus: GPUs per worker of the sweep.

    Raises:
        UserError: there is no price; the line says how to give one.
    """
    if cost is None or prices.cost(on_gpus=gpus > 0, gpu_hours=0, seconds=0) is not None:
        return
    what, option, variable = (
        ("of a GPU hour", "--gpu-price", GPU_PRICE) if gpus > 0 else ("of its machine", "--head-price", HEAD_PRICE)
    )
    raise UserError(
        f"--max-cost {cost:g}: the price {what} is not known: give launch or resume {option} X, US dollars per hour, "
        f"or set ${variable}"
    )
