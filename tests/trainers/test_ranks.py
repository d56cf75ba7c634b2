"""Two ranks x 32 images train what one rank x 64 trains."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainers.rank_cases import SHARED, cases, numbers
from tests.trainers.trainer_helpers import Recorder, differing, flat_state, load, small_config, timeless
from trainers.assets import Assets
from trainers.distributed import all_reduce_sum, average_gradients, batch_mean, my_slice, rank, world_size
from trainers.loop import train
from trainers.run_report import RunEnd

pytestmark = pytest.mark.usefixtures("one_thread")
Results = list[dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def one_rank(photos: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one process without a process group gets."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("one_rank")
    left_out = ("unsynchronised", "handed_over", "torn")
    results = {name: case() for name, case in cases(photos, cache_dir, folder).items() if name not in left_out}
    torch.set_num_threads(before)
    return results


def distances(left: Any, right: Any) -> dict[str, float]:
    """By name, the norm of the difference in units of 1e-5 of the norm plus 1e-7; above 1 is too much."""
    a, b = flat_state(left), flat_state(right)
    assert a.keys() == b.keys()
    result = {}
    for name, value in a.items():
        if isinstance(value, str) or value is None:
            result[name] = 0.0 if value == b[name] else math.inf
        else:
            x, y = (torch.as_tensor(v, dtype=torch.float64) for v in (value, b[name]))
            result[name] = float((x - y).norm() / (1e-5 * x.norm() + 1e-7))
    return result


def too_far(left: Any, right: Any) -> dict[str, float]:
    return {name: value for name, value in distances(left, right).items() if value > 1}


def furthest(left: Any, right: Any) -> float:
    return max(distances(left, right).values())


# Collectives


def test_slices(two_rank_results: Results) -> None:
    assert [result["collectives"]["slice"] for result in two_rank_results] == [(0, 3), (3, 6)]
    assert two_rank_results[0]["collectives"]["refused"] == "7 items over 2 ranks"
    assert (world_size(), rank(), my_slice(7)) == (1, 0, slice(0, 7))


def test_gradients_of_a_sum_over_ranks(two_rank_results: Results) -> None:
    """Both ranks' losses depend on both ranks' inputs, and second derivatives follow."""
    x = numbers(6, 4).clone().requires_grad_()
    weights = numbers(2, 4, seed=1).sum(0)  # rank 0's loss and rank 1's
    (gradient,) = torch.autograd.grad((x.square().sum(0) ** 2 * weights).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    for name, expected in (("gradient", gradient.detach()), ("second", second)):
        got = torch.cat([result["collectives"][name] for result in two_rank_results])
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_mean_over_ranks(two_rank_results: Results) -> None:
    for result in two_rank_results:
        torch.testing.assert_close(result["collectives"]["mean"], numbers(6, 4).mean())
        # The losses are 1 x mean and 2 x mean, and each of 24 numbers has a 24th part in the mean.
        torch.testing.assert_close(result["collectives"]["mean_gradient"], torch.full((3, 4), 3 / 24))


def test_gradients_are_averaged_in_place_whatever_their_memory_order(two_rank_results: Results) -> None:
    wide, small = numbers(2, 2, 3, 4, 4).mean(0), numbers(2, 5).mean(0)
    for result in two_rank_results:
        torch.testing.assert_close(result["collectives"]["averaged"][0], wide)
        torch.testing.assert_close(result["collectives"]["averaged"][1], small)


def test_everyone_hears_rank_0(two_rank_results: Results) -> None:
    assert [result["collectives"]["said"] for result in two_rank_results] == [{"from": 0}] * 2


def test_one_rank_is_left_alone() -> None:
    x = numbers(3, 2).requires_grad_()
    assert all_reduce_sum(x) is x
    assert batch_mean(x) == x.mean()
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    average_gradients([parameter])
    assert parameter.grad.tolist() == [1, 2]


def test_every_loss_is_that_of_the_global_batch(two_rank_results: Results, one_rank: dict[str, dict[str, Any]]) -> None:
    """The mean of the ranks' losses is the loss. Gradients are sums over the ranks: half of them is its gradient."""
    for name, whole in one_rank["losses"].items():
        parts = [result["losses"][name] for result in two_rank_results]
        torch.testing.assert_close((parts[0]["value"] + parts[1]["value"]) / 2, whole["value"])
        for side in ("real", "fake"):
            torch.testing.assert_close(torch.cat([part[side] for part in parts]) / 2, whole[side])


# Training. Measured in units of `distances` on 2 x86 cores: gradients of a step 0.45, after 8 steps parameters 0.13,
# BatchNorm's statistics 0.3, metrics 0.4, FID 0.1; without synchronised BatchNorm up to 12,000, 3,700, 5,300 in turn.


def test_gradients_of_a_step(two_rank_results: Results, one_rank: dict[str, dict[str, Any]]) -> None:
    for result in two_rank_results:
        assert too_far(result["step"]["gradients"], one_rank["step"]["gradients"]) == {}
    first, second = (result["step"]["state"] for result in two_rank_results)
    assert furthest(first, second) == 0  # the ranks agree to the last bit


def test_a_clipped_step_has_the_global_norm(two_rank_results: Results, one_rank: dict[str, dict[str, Any]]) -> None:
    limit = SHARED["optimizer.grad_clip_norm"]
    for results in (one_rank, *two_rank_results):
        for network in ("g.", "d."):
            gradients = [g for name, g in results["step"]["gradients"].items() if name.startswith(network)]
            norm = torch.cat([g.reshape(-1) for g in gradients]).norm().item()
            assert norm == pytest.approx(limit, rel=1e-4)


def test_training(two_rank_results: Results, one_rank: dict[str, dict[str, Any]]) -> None:
    """Parameters of G, D and the average, BatchNorm statistics, Adam's moments, metrics and FID."""
    two, one = two_rank_results[0]["train"], one_rank["train"]
    assert set(one["checkpoint"]["family"]) == {
        "generator",
        "discriminator",
        "average",
        "optimizer_g",
        "optimizer_d",
        "regime",
    }
    assert one["checkpoint"]["progress"]["images_seen"] == 4 * 2 * 64
    networks = {name: one["checkpoint"]["family"][name] for name in ("generator", "discriminator", "average")}
    for name, state in networks.items():
        assert too_far(two["checkpoint"]["family"][name], state) == {}, name
    assert [report["epoch"] for report in two["reports"]] == [1, 2, 3, 4]
    assert too_far(two["reports"], one["reports"]) == {}
    assert (two["end"], two["best"]["best_epoch"]) == (one["end"], one["best"]["best_epoch"])
    # Gradients that nearly cancel have the same absolute error as large ones.
    for name in ("optimizer_g", "optimizer_d"):
        torch.testing.assert_close(
            moments(two["checkpoint"]["family"][name]), moments(one["checkpoint"]["family"][name]), rtol=1e-5, atol=1e-6
        )


def moments(state: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in flat_state(state["state"]).items() if name.endswith("exp_avg")}


def test_every_rank_ends_alike(two_rank_results: Results) -> None:
    first, second = (result["train"] for result in two_rank_results)
    assert (first["end"], first["epochs"], first["objective"]) == tuple(
        second[name] for name in ("end", "epochs", "objective")
    )
    assert second["reports"] == []  # rank 0 alone reports
    assert [result["stopped"]["end"] for result in two_rank_results] == ["stopped"] * 2  # and stops all


def test_a_checkpoint_measured_again(two_rank_results: Results, one_rank: dict[str, dict[str, Any]]) -> None:
    first, second = (result["confirmed"] for result in two_rank_results)
    assert first == second and len(set(first["values"])) == 2
    assert [len(beside) for beside in first["beside"]] == [6, 6]  # of all ranks' features
    assert too_far(first, one_rank["confirmed"]) == {}


def test_a_start_from_a_checkpoint_with_frozen_layers(
    two_rank_results: Results, one_rank: dict[str, dict[str, Any]]
) -> None:
    two, one = two_rank_results[0]["started"], one_rank["started"]
    for name in ("generator", "discriminator", "average"):
        assert too_far(two["checkpoint"]["family"][name], one["checkpoint"]["family"][name]) == {}, name
    assert too_far(two["reports"], one["reports"]) == {} and len(one["reports"]) == 2
    for result in (one, two):
        now = result["checkpoint"]["family"]["discriminator"]
        assert set(now) - set(differing(result["source"], now)) == {"model.0.weight", "model.2.weight"}


def test_ranks_that_do_not_read_the_same_checkpoint(two_rank_results: Results) -> None:
    for number, result in enumerate(two_rank_results):
        missing, other = result["torn"]["texts"]
        assert "init.checkpoint: no checkpoint at " in missing and "missing1.pt; every machine that trains" in missing
        assert f"other{number}.pt: the ranks see different files there" in other


def test_batchnorm_of_each_ranks_own_is_another_training(
    two_rank_results: Results, one_rank: dict[str, dict[str, Any]]
) -> None:
    """That the comparison above can fail: with ``sync_batchnorm`` off everything is far beyond its tolerance."""
    apart, one = two_rank_results[0]["unsynchronised"], one_rank["train"]
    for name in ("generator", "discriminator", "average"):
        assert furthest(apart["checkpoint"]["family"][name], one["checkpoint"]["family"][name]) > 100
    assert furthest(apart["reports"], one["reports"]) > 100


def test_all_ranks_leave_where_one_is_asked(two_rank_results: Results) -> None:
    assert [result["left"] for result in two_rank_results] == [{"end": "left", "epochs": 2, "checkpoint": 2}] * 2


def test_ranks_that_leave_inside_epochs_end_where_others_do(two_rank_results: Results) -> None:
    """To the last bit, but for the averages so far, of which each rank then has the mean."""
    left, whole = (two_rank_results[0][name] for name in ("left_inside", "train"))
    assert max(left["steps"]) > 0 and left["steps"] == two_rank_results[1]["left_inside"]["steps"]
    assert differing(left["checkpoint"]["family"], whole["checkpoint"]["family"]) == []
    assert too_far(left["curve"], whole["reports"]) == {}


def test_out_of_memory_of_one_of_several_ranks_is_raised(
    two_rank_results: Results, one_rank: dict[str, dict[str, Any]]
) -> None:
    """Other ranks may wait for it in a collective, so that returning would leave them there."""
    alone, (first, second) = one_rank["greedy"], (result["greedy"] for result in two_rank_results)
    assert (alone["end"], alone["raised"]) == ("out_of_memory", False)
    assert (first["end"], first["raised"]) == ("out_of_memory", True) and first == second
    assert "with 64 images per rank and step (data.batch_size 64, 1 rank;" in alone["detail"]
    assert "with 32 images per rank and step (data.batch_size 64, 2 ranks;" in first["detail"]


def test_every_rank_falls_back_to_the_same_checkpoint(two_rank_results: Results) -> None:
    whole, second = two_rank_results[0]["train"], two_rank_results[1]["damaged"]
    went_on = two_rank_results[0]["damaged"]
    assert [report["epoch"] for report in went_on["reports"]] == [2, 3, 4]  # 2 is repeated
    assert went_on["reports"] == whole["reports"][1:]
    assert differing(went_on["checkpoint"]["family"], whole["checkpoint"]["family"]) == []
    assert (second["end"], second["epochs"], second["objective"]) == ("completed", 4, whole["objective"])


def test_one_rank_goes_on_where_two_stopped(
    two_rank_results: Results, one_rank: dict[str, dict[str, Any]], assets: Assets, tmp_path: Path
) -> None:
    torch.save(two_rank_results[0]["stopped"]["checkpoint"], tmp_path / "latest.pt")
    recorder = Recorder()
    outcome = train(small_config(SHARED), assets, tmp_path, recorder)
    assert outcome.end is RunEnd.COMPLETED
    assert [report.epoch for report in recorder.reports] == [2, 3, 4]  # 2 is repeated
    assert too_far([timeless(report) for report in recorder.reports], one_rank["train"]["reports"][1:]) == {}
    resumed = load(tmp_path / "latest.pt")["family"]
    assert too_far(resumed["average"], one_rank["train"]["checkpoint"]["family"]["average"]) == {}


def test_two_ranks_go_on_where_one_went_on_for_them(
    two_rank_results: Results, one_rank: dict[str, dict[str, Any]]
) -> None:
    first, second = (result["handed_over"] for result in two_rank_results)
    assert [report["epoch"] for report in first["reports"]] == [3, 4], "3, that of one rank, is repeated"
    assert too_far(first["reports"], one_rank["train"]["reports"][2:]) == {}
    for name in ("generator", "discriminator", "average"):
        assert too_far(first["checkpoint"]["family"][name], one_rank["train"]["checkpoint"]["family"][name]) == {}
    assert (second["end"], second["objective"]) == (first["end"], first["objective"])
    assert first["checkpoint"]["progress"]["images_seen"] == 4 * 2 * 64
