"""Where prices come from: options, the sweep's own plan, the environment of a rendered cluster; never from nowhere."""

import pytest

from cluster.render import RenderOptions, render
from orchestrator.plan.prices import GPU_PRICE, HEAD_PRICE, read_prices
from orchestrator.results.prices import Prices, money
from trainers.errors import UserError

ON_HEAD = {GPU_PRICE: "1.006", HEAD_PRICE: "0.192"}


def test_each_price_is_as_given_else_as_before_else_of_the_environment() -> None:
    assert read_prices(None, None, environ={}) == Prices()
    assert read_prices(None, None, environ=ON_HEAD) == Prices(gpu_hour=1.006, head_hour=0.192)
    assert read_prices(2.5, None, environ=ON_HEAD) == Prices(gpu_hour=2.5, head_hour=0.192)
    before = Prices(gpu_hour=3.0)
    assert read_prices(None, None, before=before, environ=ON_HEAD) == Prices(gpu_hour=3.0, head_hour=0.192)
    assert read_prices(None, 0.5, before=before, environ=ON_HEAD) == Prices(gpu_hour=3.0, head_hour=0.5)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1,5", "cheap"])
def test_a_wrong_price_of_the_environment_is_one_line_that_names_it(text: str) -> None:
    with pytest.raises(UserError, match=rf"^\${HEAD_PRICE} '{text}': .*$"):
        read_prices(1.0, None, environ={HEAD_PRICE: text})
    assert read_prices(1.0, 1.0, environ={HEAD_PRICE: text}).head_hour == 1.0, "nobody reads it then"


def test_gpus_and_head_add_up_and_what_has_no_price_has_no_cost() -> None:
    both = Prices(gpu_hour=2.0, head_hour=0.5)
    assert both.cost(on_gpus=True, gpu_hours=10.0, seconds=7200.0) == 21.0
    assert both.cost(on_gpus=False, gpu_hours=0.0, seconds=7200.0) == 1.0
    assert Prices(gpu_hour=2.0).cost(on_gpus=True, gpu_hours=10.0, seconds=7200.0) == 20.0
    assert Prices(head_hour=0.5).cost(on_gpus=True, gpu_hours=10.0, seconds=7200.0) is None
    assert Prices(gpu_hour=2.0).cost(on_gpus=False, gpu_hours=0.0, seconds=7200.0) is None


def test_money_has_digits_that_mean_something() -> None:
    assert [money(one) for one in (1234.5, 1.0, 0.25, 0.00012, 0.0)] == [
        "1,234.50 USD",
        "1.00 USD",
        "0.2500 USD",
        "0.0001 USD",
        "0.00 USD",
    ]


def test_a_rendered_head_says_the_prices_of_its_own_region_alone() -> None:
    """Of a GPU on demand, though the file asks for spot: the fallback may run all the time."""
    dear = render("aws", RenderOptions(gpu_type="H100", gpus=8))
    assert f"'export {GPU_PRICE}=6.88'" in dear and f"'export {HEAD_PRICE}=0.192'" in dear
    for cloud, options in (
        ("aws", RenderOptions(gpu_type="H100", gpus=8, region="us-west-2")),
        ("gcp", RenderOptions(gpu_type="T4")),  # null in the table
        ("local", RenderOptions()),
    ):
        assert "export GAN_SWEEP_BUCKET" in (text := render(cloud, options)) and "_PRICE" not in text
    no_head = render("azure", RenderOptions(gpu_type="A100-80GB", gpus=2))
    assert f"'export {GPU_PRICE}=3.673'" in no_head and HEAD_PRICE not in no_head
    for cloud in ("kuberay", "slurm"):  # where they have a place, and no number
        text = render(cloud, RenderOptions())
        assert all(line.lstrip().startswith("#") for line in text.splitlines() if "_PRICE" in line)
        assert GPU_PRICE in text and HEAD_PRICE in text
