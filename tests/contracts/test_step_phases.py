"""Every family's step decides, computes and applies.

What computes never reads a value back from the GPU, so it could be a CUDA graph. A step that the regime refuses changes
nothing.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.contracts.family_cases import CASES, case_config, fresh_family, take_steps
from trainers.families import Family
from trainers.regimes.classic import Classic
from trainers.regularizers import penalised

pytestmark = pytest.mark.usefixtures("one_thread")

# Calls that make a program wait for a GPU: kernels, and methods that read memory on a CPU without any kernel.
KERNELS = ("_local_scalar_dense", "item", "nonzero", "equal", "is_nonzero")
METHODS = ("tolist", "numpy", "cpu")


class NoKernels(TorchDispatchMode):
    """Refuses every kernel whose result the host has to wait for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.overloadpacket.__name__ not in KERNELS, f"asks the device for a value: {func}"
        return func(*args, **(kwargs or {}))


class NoMethods(TorchFunctionMode):
    """Refuses every method whose result the host has to wait for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert getattr(func, "__name__", "") not in METHODS, f"asks the device for a value: {func}"
        return func(*args, **(kwargs or {}))


class Refusing(Classic):
    """Refuses every update of D, and keeps the losses that it was asked about."""

    asked: ClassVar[list[float]] = []

    def allows_d(self, d_loss: Tensor) -> bool:
        self.asked.append(float(d_loss))
        return False


def watched(family: Family) -> list[str]:
    """Refuse waits for the GPU in the compute phases of `family`. Returns the names of the phases, in order of call."""
    calls: list[str] = []

    def watch(name: str, phase: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if not name.startswith("_compute"):
                return phase(*args, **kwargs)
            before = family.random._choices.get_state()
            with NoKernels(), NoMethods():
                result = phase(*args, **kwargs)
            assert torch.equal(family.random._choices.get_state(), before), f"{name} draws on the host"
            return result

        return call

    for name in dir(family):
        if name.startswith(("_decide", "_compute", "_apply")):
            setattr(family, name, watch(name, getattr(family, name)))
    return calls


@pytest.mark.parametrize("ask", [lambda x: x.item(), bool, float, lambda x: x.nonzero(), lambda x: x.tolist()])
def test_the_watch_sees_questions(ask: Callable[[Tensor], Any]) -> None:
    with NoKernels(), NoMethods(), pytest.raises(AssertionError, match="asks the device"):
        ask(torch.ones(()))


@pytest.mark.parametrize("name", CASES)
def test_computing_asks_the_device_for_nothing(name: str) -> None:
    family = fresh_family(case_config(name))
    calls = watched(family)
    take_steps(family, 2)
    assert {"_compute_d", "_compute_g", "_apply_d", "_apply_g"} <= set(calls)
    assert calls[0] == "_decide" and calls.count("_decide") == 2
    after = {(call, calls[at + 1]) for at, call in enumerate(calls) if call in ("_compute_d", "_compute_g")}
    assert after == {("_compute_d", "_apply_d"), ("_compute_g", "_apply_g")}


REFUSED = {
    "adversarial": {},
    "adversarial cars, separate": {},
    "adversarial gradient penalty": {},
    "adversarial r3gan": {},
    "acgan": {},
    "acgan on other networks": {},
    "cyclegan": {"regularizer.r1_gamma": 1.0},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_step_leaves_d_and_its_optimiser_alone(name: str) -> None:
    family = fresh_family(case_config(name, REFUSED[name]))
    (applied,) = take_steps(family, 1)
    assert applied["d_updates"] == 1 and ("d_penalty" in applied) is penalised(family.config.regularizer)

    def kept() -> list[Tensor]:
        moments = [value for state in family.descent_d.optimizer.state.values() for value in state.values()]
        return [value.clone() for value in [*family.discriminator.parameters(), *moments]]

    family.regime = Refusing(g_steps=family.config.regime.g_steps)
    family.regime.asked.clear()
    d, g = kept(), [p.clone() for p in family.generator.parameters()]
    (refused,) = take_steps(family, 1)
    assert family.regime.asked == [float(refused["d_loss"])]  # once, even where there would have been two updates
    assert all(torch.equal(before, after) for before, after in zip(d, kept(), strict=True))
    assert all(p.grad is None for p in family.discriminator.parameters())
    assert refused["d_updates"] == 0 and not {"grad_norm_d", "d_penalty"} & refused.keys()
    assert any(not torch.equal(before, after) for before, after in zip(g, family.generator.parameters(), strict=True))
