"""How much of its machine a trial uses, under the names that MLflow's own system metrics have (mlflow 3.17)."""

from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch


class NodeUse:
    """The use of the machine of this rank, by everything that runs there, from one `metrics` to the next.

    Args:
        device: of the rank.
    """

    def __init__(self, device: "torch.device") -> None:
        self._device = device
        psutil.cpu_percent()  # begins to count

    def metrics(self) -> dict[str, float]:
        """Percent of all CPUs since the last call; memory in use now, in MB and percent; the same of a CUDA device.

        ``system/gpu_N_utilization_percentage`` is there where pynvml is installed.
        """
        memory = psutil.virtual_memory()
        values = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": round(memory.used / 1e6),
            "system_memory_usage_percentage": memory.percent,
        }
        if self._device.type == "cuda":
            values |= self._of_gpu()
        return {f"system/{name}": float(value) for name, value in values.items()}

    def _of_gpu(self) -> dict[str, float]:
        import torch

        free, total = torch.cuda.mem_get_info(self._device)
        gpu = f"gpu_{self._device.index or 0}"
        values = {
            f"{gpu}_memory_usage_megabytes": round((total - free) / 1e6),
            f"{gpu}_memory_usage_percentage": round(100 * (total - free) / total, 1),
        }
        with suppress(ModuleNotFoundError):  # pynvml, which torch does not bring
            values[f"{gpu}_utilization_percentage"] = torch.cuda.utilization(self._device)
        return values
