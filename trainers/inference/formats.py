"""Formats in which a network is written to a file, and how the file is run again to compare.

A new one is a subclass of `ExportFormat` and a row here; tests/contracts/test_exports.py runs on every row.
"""

import json
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers.inference.exported import WEIGHTS_SUFFIX
from trainers.inference.meaning import INPUT, OUTPUT
from trainers.inference.packages import needs


class ExportFormat(ABC):
    """One format of files, each of which holds one network in float32.

    Attributes:
        suffix: of its files.
        packages: modules without which it cannot be written or run.
    """

    suffix: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def check(cls) -> None:
        """Check that it can be written here.

        Raises:
            UserError: a package is missing.
        """
        for module in cls.packages:
            needs(module)

    @classmethod
    @abstractmethod
    def write(cls, network: nn.Module, inputs: Tensor, file: Path, metadata: Mapping[str, str]) -> None:
        """Write a network in eval mode to a new file.

        Args:
            network: from `inputs` to images, on the CPU.
            inputs: two of them; the file takes any number.
            file: to write.
            metadata: what the file says of itself.
        """

    @classmethod
    @abstractmethod
    def run(cls, file: Path, network: nn.Module, inputs: Tensor) -> Tensor:
        """Images of a file that was just written, from `inputs`; `network` is a twin without its weights' values."""


class Safetensors(ExportFormat):
    """The weights alone; gan-sweep builds the network around them."""

    suffix, packages = WEIGHTS_SUFFIX, ("safetensors.torch",)

    @classmethod
    def write(cls, network: nn.Module, inputs: Tensor, file: Path, metadata: Mapping[str, str]) -> None:
        weights = {name: value.contiguous() for name, value in network.state_dict().items()}
        # Not `save_file`, whose file only its owner may read.
        file.write_bytes(needs("safetensors.torch").save(weights, metadata=dict(metadata)))

    @classmethod
    def run(cls, file: Path, network: nn.Module, inputs: Tensor) -> Tensor:
        twin = deepcopy(network)
        twin.load_state_dict(needs("safetensors.torch").load_file(file))
        return twin(inputs)


class TorchScript(ExportFormat):
    """Weights and computation for torch alone, in Python or C++.

    It is traced: torch can script none of the networks. Tracing warns of the checks of shapes in `forward`, which it
    leaves out, and torch calls TorchScript deprecated; that the file does what the network does is compared.
    """

    suffix = ".torchscript.pt"

    @classmethod
    def write(cls, network: nn.Module, inputs: Tensor, file: Path, metadata: Mapping[str, str]) -> None:
        buffer = BytesIO()
        with _quiet():
            traced = torch.jit.trace(network, inputs, check_trace=False, _store_inputs=False)
            torch.jit.save(traced, buffer, _extra_files={"metadata.json": json.dumps(dict(metadata))})
        with zipfile.ZipFile(buffer) as archive, zipfile.ZipFile(file, "w") as kept:
            for entry in archive.infolist():
                if not entry.filename.endswith(".debug_pkl"):  # paths of source files on this machine
                    kept.writestr(entry, archive.read(entry))

    @classmethod
    def run(cls, file: Path, network: nn.Module, inputs: Tensor) -> Tensor:
        with _quiet():
            return torch.jit.load(file)(inputs)


class Onnx(ExportFormat):
    """Weights and computation for ONNX runtimes; the number of images is free."""

    suffix, packages = ".onnx", ("onnxscript", "onnxruntime")

    @classmethod
    def write(cls, network: nn.Module, inputs: Tensor, file: Path, metadata: Mapping[str, str]) -> None:
        program = torch.onnx.export(
            network,
            (inputs,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # among them paths of source files on this machine
        program.model.metadata_props.update(metadata)
        program.save(file, external_data=False)

    @classmethod
    def run(cls, file: Path, network: nn.Module, inputs: Tensor) -> Tensor:
        session = needs("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run([OUTPUT], {INPUT: inputs.numpy()})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that `TorchScript` explains."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        yield


FORMATS: dict[str, type[ExportFormat]] = {
    "onnx": Onnx,
    "safetensors": Safetensors,
    "torchscript": TorchScript,
}
