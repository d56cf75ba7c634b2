"""The generator that is served, and how the device is asked."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from orchestrator.results.winner import Chosen
from orchestrator.serving.bodies import ModelFacts
from trainers.inference import FinishedGenerator
from trainers.inference.exported import load_exported
from trainers.metric_names import FID, protocol_of

# Twice as slow as float32 on a CPU, and the same seed is the same bytes whatever it is computed with: see README.md.
PRECISION = torch.float64
DRAWN = ""  # the kind of work of a generator that draws latents; of others it is the direction


@dataclass(frozen=True)
class Model:
    """A generator and where it comes from.

    Attributes:
        generator: with its weights on the device.
        name: for people.
        generate_from: see `ModelFacts`.
        fid: its FID in its sweep, if it comes from one.
        fid_protocol: how that was measured.
    """

    generator: FinishedGenerator
    name: str
    generate_from: str | None = None
    fid: float | None = None
    fid_protocol: str | None = None

    @classmethod
    def load(cls, chosen: Chosen | Path, device: str) -> "Model":
        """Load it, and let the device make an image, so that the first request does not wait for that.

        Args:
            chosen: a checkpoint, or a folder that `gan-sweep export` wrote.
            device: where to compute.

        Raises:
            UserError: the files are damaged.
        """
        if isinstance(chosen, Path):
            model = cls(load_exported(chosen, device, PRECISION), chosen.resolve().name)
        else:
            generator = FinishedGenerator.load(chosen.checkpoint, device, PRECISION)
            name = Path(chosen.name).name  # no path of this machine
            model = cls(generator, name, shlex.quote(name))
            if chosen.store is not None and chosen.trial is not None:
                trial, again = chosen.trial, chosen.trial.confirmed_fids
                fid = fmean(again) if again else trial.fid
                protocol = chosen.store.read_plan().objective
                if trial.measure != FID:
                    protocol = protocol_of(trial.beside, FID) or ""
                source = shlex.join([chosen.store.directory.name, "--trial", trial.trial_id])
                model = cls(generator, chosen.name, source, fid, protocol)
        model.make(*model.example())
        return model

    def example(self) -> tuple[str, Tensor]:
        """Work for one image."""
        if not self.generator.directions:
            return DRAWN, self.generator.inputs([0])
        size = self.generator.image_size
        return self.generator.directions[0], torch.zeros(1, 3, size, size)

    def make(self, kind: str, rows: Tensor) -> Tensor:
        """uint8 images ``[n, 3, S, S]`` on the CPU: drawn from inputs, or translated in the direction `kind`."""
        if kind == DRAWN:
            return self.generator.pixels(rows)
        return self.generator.translated_pixels(rows, kind)

    def facts(self) -> ModelFacts:
        """What people may know of it."""
        generator = self.generator
        return ModelFacts(
            name=self.name,
            generate_from=self.generate_from,
            digest=generator.digest,
            family=generator.config.family,
            network=generator.config.network.name,
            epoch=generator.epoch,
            fid=self.fid,
            fid_protocol=self.fid_protocol,
            image_size=generator.image_size,
            classes={name: list(classes) for name, classes in generator.classes.items()},
            directions=list(generator.directions),
            device=generator.device.type,
            precision=str(generator.dtype).removeprefix("torch."),
        )
