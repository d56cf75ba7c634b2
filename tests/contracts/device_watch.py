"""Runs steps where no GPU is, on devices that refuse what a GPU would wait for, and says what touched the host.

On torch's ``meta`` device tensors have a shape and no values: forward, backward and optimiser run, and everything that
needs a value (``.item()``, ``bool``, ``nonzero``, boolean indexing) raises. Mixing it with the CPU raises too, except
for numbers and copies, which `HostWatch` sees. A CUDA tensor under ``FakeTensorMode`` checks devices operator by
operator, but only forward: backward and CUDA generators want a driver.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from inspect import unwrap
from types import CodeType
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.data.augment import kinds_drawn
from trainers.distributed import my_slice
from trainers.randomness import GlobalRandom
from trainers.transfer import upload, upload_rows

META = torch.device("meta")

# All that may touch a CPU tensor inside an epoch, and why. Nothing here makes the host wait for the GPU.
HOST_BY_DESIGN: dict[CodeType, str] = {
    upload.__code__: "the only way from the host to the device: pinned memory, without waiting",
    upload_rows.__code__: "AC-GAN's classes of a batch: picked on the host, where the tags are, then uploaded like all",
    kinds_drawn.__code__: "augmentation asks the host's own draws whether there is anything to do",
    GlobalRandom.choice.__code__: "AC-GAN draws the fakes' classes on the host, so that ranks and resumed runs agree",
    GlobalRandom.index.__code__: "CycleGAN's buffer: which stored fake is shown, drawn on the host, like ...",
    GlobalRandom.chance.__code__: "... whether it is shown, and the boosted regime's k: Python's if needs them",
    unwrap(torch.optim.RMSprop.step).__code__: "counts its own steps on the CPU, and reads nothing of the device",
}

# Kernels whose result the host has to wait for. On meta most of them raise by themselves; a CPU tensor answers.
READS = ("_local_scalar_dense", "item", "nonzero", "equal", "is_nonzero", "masked_select", "unique")
# Functions that make a tensor of Python numbers: on the CPU, or by a blocking copy to the device.
MAKERS = ("tensor", "as_tensor", "asarray", "new_tensor", "from_numpy")
INDEXING = ("__getitem__", "__setitem__")


def _by_design() -> bool:
    """Whether a function of `HOST_BY_DESIGN` is being called."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code in HOST_BY_DESIGN:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


class _Kernels(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        assert name not in READS or _by_design(), f"{func} waits for the device"
        if name.startswith("index_put"):
            assert all(i is None or i.dtype != torch.bool for i in args[1]), f"{func} counts a boolean mask"
        result = func(*args, **kwargs)
        on_host = any(isinstance(x, Tensor) and x.device.type == "cpu" for x in tree_leaves((args, kwargs, result)))
        assert not on_host or _by_design(), f"{func} has a tensor on the CPU"
        return result


class _Functions(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        assert name not in MAKERS or _by_design(), f"torch's {name} copies numbers of the host"
        if name in INDEXING:
            copied = any(isinstance(part, list) for part in (args[1] if isinstance(args[1], tuple) else (args[1],)))
            assert not copied, "a list as an index is copied from the host"
        return func(*args, **(kwargs or {}))


@contextmanager
def host_watch() -> Iterator[None]:
    """Raises AssertionError at the first operator inside that waits for the device or touches a tensor of the CPU."""
    with _Functions(), _Kernels():
        yield


class DeviceRandom(GlobalRandom):
    """`GlobalRandom` whose noise comes without a generator, which neither meta nor a fake GPU has.

    Args:
        seed: of what is drawn on the host.
        device: where noise is drawn.
        k: what `chance` returns, so that a test can choose what a regime does; None: as drawn.
    """

    def __init__(self, seed: int, device: torch.device, k: float | None = None) -> None:
        super().__init__(seed, torch.device("cpu"))
        self._where, self._k = device, k

    def chance(self) -> float:
        with unset_fake_temporarily():  # the host's own numbers are real
            return super().chance() if self._k is None else self._k

    def index(self, n: int) -> int:
        with unset_fake_temporarily():
            return super().index(n)

    def normal(self, total: int, *shape: int) -> Tensor:
        return torch.randn(total, *shape, device=self._where)[my_slice(total)]

    def uniform(self, total: int, *shape: int) -> Tensor:
        return torch.rand(total, *shape, device=self._where)[my_slice(total)]


class FusedAdam(torch.optim.Adam):
    """What the fused kernel does to shapes and devices. There is none for meta, and torch's others count on the CPU."""

    _step_supports_amp_scaling = True

    def __init__(self, params: Any, *, fused: bool, **settings: Any) -> None:
        assert fused
        super().__init__(params, **settings)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        skipped = getattr(self, "found_inf", None)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                for name in ("exp_avg", "exp_avg_sq"):
                    state[name] = state.get(name, torch.zeros_like(p)) + p.grad
                state["step"] = state.get("step", torch.zeros((), device=p.device)) + 1
                if skipped is not None:
                    state["step"] = state["step"] - skipped
                p.sub_(state["exp_avg"] / (state["exp_avg_sq"].sqrt() + state["step"]) * group["lr"])


CASTS = ("conv2d", "conv_transpose2d", "linear", "matmul", "__matmul__", "bmm", "mm", "addmm")


class MetaAutocast(TorchFunctionMode):
    """`torch.autocast` for meta, which has none: casts what it casts on a GPU, inside itself and nowhere else."""

    enabled: bool = False

    def __init__(self, device_type: str, dtype: torch.dtype | None = None, enabled: bool = True) -> None:
        super().__init__()
        assert device_type == "meta"
        self._wanted = enabled

    def __enter__(self) -> "MetaAutocast":
        self._before, MetaAutocast.enabled = MetaAutocast.enabled, self._wanted
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        MetaAutocast.enabled = self._before
        super().__exit__(*error)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if MetaAutocast.enabled and getattr(func, "__name__", "") in CASTS:
            args = [x.bfloat16() if isinstance(x, Tensor) and x.dtype == torch.float32 else x for x in args]
        return func(*args, **(kwargs or {}))


@contextmanager
def cuda_autocast() -> Iterator[None]:
    """bfloat16 on the fake GPU: `torch.autocast` itself switches off where CUDA is missing."""
    with ExitStack() as stack:
        stack.callback(torch.set_autocast_enabled, "cuda", torch.is_autocast_enabled("cuda"))
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        torch.set_autocast_enabled("cuda", True)
        yield
