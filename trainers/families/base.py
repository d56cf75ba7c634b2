"""What every family shares: G and D, their optimisers, the moving average of G, and the phases of a step."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.assets import Assets, Images
from trainers.config import TrainConfig
from trainers.data import ImageCache
from trainers.distributed import average_buffers
from trainers.engine.descent import Descent
from trainers.engine.frozen import freeze_layers
from trainers.engine.moving_average import averaged_copy, follow
from trainers.engine.optimizers import build_optimizer, follow_memory_order
from trainers.engine.precision import autocast, full
from trainers.engine.rates import rate_share, set_rate
from trainers.families.phases import Applied, Computed, Metrics, StepPlan
from trainers.families.traits import ONLY, FamilyTraits
from trainers.losses import build_loss
from trainers.metrics import RealStatistics
from trainers.networks.batchnorm import synchronise_batchnorm
from trainers.networks.dropout import bind_dropout
from trainers.randomness import GlobalRandom, derive_seed
from trainers.regimes import build_regime
from trainers.regularizers import apply_spectral_norm, diff_augment, penalised


@dataclass(frozen=True, kw_only=True)
class FidTarget:
    """One set of real images and the generator that imitates it.

    Attributes:
        statistics: of the real images.
        sample: ``sample(start, stop)`` gives samples start..stop-1, ``[stop - start, 3, S, S]`` in [-1, 1].
        features: of the real images, float32 [n, d] on the CPU; None where ``fid.metrics`` asks for nothing.
        held_out: statistics of the images that no training sees; None without ``data.heldout``.
        held_out_features: of these, as `features`.
        images: the real images, of which `trainers.metrics.chosen_images` says which have `features`; None as these.
        held_out_images: likewise.
    """

    statistics: RealStatistics
    sample: Callable[[int, int], Tensor]
    features: Tensor | None = None
    held_out: RealStatistics | None = None
    held_out_features: Tensor | None = None
    images: ImageCache | None = None
    held_out_images: ImageCache | None = None


class Family(FamilyTraits):
    """Networks, optimisers and the step of one run.

    A step consists of phases (see `trainers.families.phases`), and a method is named after its phase: `_decide`,
    `_compute_...`, `_apply_...`. Random numbers of the host, such as classes or the choice of older fakes, are drawn
    between the phases.

    Args:
        config: the run.
        device: where it trains.
        random: source of latents, instance noise, dropout and the regime's draws.

    Attributes:
        generator: G, or all generators in one ModuleDict.
        discriminator: D, likewise.
        average: moving average of `generator`, None without one.
    """

    def __init__(self, config: TrainConfig, device: torch.device, random: GlobalRandom) -> None:
        self.config, self.device, self.random = config, device, random
        self.loss, self.regime = build_loss(config.loss), build_regime(config.regime)
        torch.manual_seed(derive_seed(config.seed, "weights"))
        generator, discriminator = self.build_pair(config)
        if config.regularizer.spectral_norm:
            apply_spectral_norm(discriminator)
        self.generator, self.discriminator = self._set_up(generator), self._set_up(discriminator)
        freeze_layers(self.discriminator, config.init.freeze_d_layers)
        self.average = None
        if config.regime.ema_halflife_images is not None:
            self.average = averaged_copy(self.generator)
        for network in (self.generator, self.discriminator):
            bind_dropout(network, random)
        rates, limit = config.optimizer, config.optimizer.grad_clip_norm
        optimizer_g = build_optimizer(self.generator, rates, rates.lr_g)
        optimizer_d = build_optimizer(self.discriminator, rates, rates.lr_d)
        weight_clip = config.regularizer.weight_clip
        self.descent_g = Descent(self.generator, optimizer_g, grad_clip_norm=limit)
        self.descent_d = Descent(self.discriminator, optimizer_d, grad_clip_norm=limit, weight_clip=weight_clip)
        self._sources: dict[Path, dict[str, Path]] = {}

    @abstractmethod
    def images_per_epoch(self, assets: Assets) -> int:
        """Real images of one pass over the data; the last incomplete batch is left out."""

    @abstractmethod
    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        """One pass over the data in random order: this rank's share of each batch, as `step` takes it."""

    @abstractmethod
    def step(self, *batch: Tensor, images_seen: int, instance_sigma: float) -> Metrics:
        """Make the updates of one iteration.

        Args:
            batch: as `batches` gives it.
            images_seen: real images before this step, over all ranks.
            instance_sigma: standard deviation of the noise on D's inputs.

        Returns:
            Scalars, this rank's share; those that this iteration did not compute are missing. Every family has
            d_loss, g_loss, d_real_mean, d_fake_mean (logits), d_real_accuracy, d_fake_accuracy (shares), grad_norm_d,
            grad_norm_g, d_updates and g_updates (per iteration).
        """

    @abstractmethod
    def fid_targets(self, assets: Assets, purpose: str = "fid") -> dict[str, FidTarget]:
        """What FID compares, by name; the objective is the mean over them.

        Args:
            assets: the real images and their statistics.
            purpose: decides the samples' latents, if the family has any: another purpose has other latents.
        """

    @abstractmethod
    def sample_grid(self, assets: Assets) -> tuple[Tensor, int]:
        """Images ``[n, 3, S, S]`` in [-1, 1] to look at, and how many to a row. The same inputs at every call."""

    def start_epoch(self, epoch: int) -> None:
        """Set the learning rates of `epoch`, counted from 1."""
        rates = self.config.optimizer
        share = rate_share(rates, epoch, self.config.schedule.epochs)
        set_rate(self.descent_g.optimizer, rates.lr_g * share)
        set_rate(self.descent_d.optimizer, rates.lr_d * share)

    def align_ranks(self) -> None:
        """Average BatchNorm's statistics over the ranks; without ``sync_batchnorm`` each rank has its own."""
        if not self.config.runtime.sync_batchnorm:
            for network in (self.generator, self.discriminator, self.average):
                if network is not None:
                    average_buffers(network)

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs of this family."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for descent in (self.descent_g, self.descent_d):
            follow_memory_order(descent.optimizer)

    def load_beside(self, state: dict[str, Any]) -> None:
        """Restore of what `state_dict` returned only what is neither network nor optimiser, such as the regime."""
        for name, part in self._parts().items():
            if not isinstance(part, nn.Module | torch.optim.Optimizer):
                part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "optimizer_g": self.descent_g.optimizer,
            "optimizer_d": self.descent_d.optimizer,
            "regime": self.regime,
        }
        return parts if self.average is None else {**parts, "average": self.average}

    def _images(self, assets: Assets, source: str = ONLY) -> Images:
        return assets.images(self.config, self._folder(assets, source))

    def _target(self, assets: Assets, sample: Callable[[int, int], Tensor], source: str = ONLY) -> FidTarget:
        """What FID, and all that is measured beside it, compares `sample` with: the images of `source`."""
        folder = self._folder(assets, source)
        config, kept = self.config, bool(self.config.fid.metrics)
        statistics = assets.statistics(config, folder)  # first: the pass that makes them keeps the features
        target = FidTarget(
            statistics=statistics,
            sample=sample,
            features=assets.features(config, folder) if kept else None,
            images=assets.images(config, folder).cache if kept else None,
        )
        if not config.data.heldout:
            return target
        return replace(
            target,
            held_out=assets.held_out_statistics(config, folder),
            held_out_features=assets.held_out_features(config, folder) if kept else None,
            held_out_images=assets.held_out_images(config, folder) if kept else None,
        )

    def _folder(self, assets: Assets, source: str) -> Path:
        if assets.data not in self._sources:  # looked up once, not at every epoch: file systems may be slow
            self._sources[assets.data] = self.find_sources(assets.data)
        return self._sources[assets.data][source]

    @torch.no_grad()
    def _evaluate(self, inputs: Tensor, name: str | None = None) -> Tensor:
        """The averaged generator's images (G's own without an average), float32; `name` is its key in a ModuleDict."""
        network = self.generator if self.average is None else self.average
        was_training = network.training
        network.eval()
        with self._autocast():
            images = full((network if name is None else network.get_submodule(name))(inputs.to(self.device)))
        network.train(was_training)
        return images

    def _d_loss(self, real_logits: Tensor, fake_logits: Tensor, swapped: bool) -> Tensor:
        pair = (fake_logits, real_logits) if swapped else (real_logits, fake_logits)
        return self.loss.d_loss(*pair)

    def _logit_metrics(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """Means of D's logits, and the shares of real images and fakes that D judges correctly."""
        real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
        real_score, fake_score = self.loss.realness(real_logits, fake_logits)
        return {
            "d_real_mean": real_logits.mean(),
            "d_fake_mean": fake_logits.mean(),
            "d_real_accuracy": (real_score > 0).float().mean(),
            "d_fake_accuracy": (fake_score <= 0).float().mean(),
        }

    def _d_inputs(self, images: Tensor, sigma: float) -> Tensor:
        """What D sees of `images`: augmented by DiffAugment, then with instance noise."""
        if self.config.regularizer.diffaugment:
            images = diff_augment(images, self.config.regularizer.diffaugment, self.random)
        if sigma == 0:
            return images
        return images + sigma * self.random.normal(self.config.data.batch_size, *images.shape[1:])

    def _decide(self, images_seen: int, sigma: float) -> StepPlan:
        """What the step after `images_seen` real images will do; a regime may draw random numbers for it."""
        regularizer, iteration = self.config.regularizer, images_seen // self.config.data.batch_size
        updates = self.regime.next(iteration, self.random)
        return StepPlan(
            d=updates.d,
            g_steps=updates.g_steps,
            swapped=updates.swapped,
            penalise=updates.d and penalised(regularizer) and iteration % regularizer.penalty_every == 0,
            sigma=sigma,
            fake_sigma=sigma if self.config.noise.instance_on == "both" else 0.0,
        )

    def _apply_d(self, computed: Computed) -> Applied | None:
        """Update D with its gradients where the regime allows it; None: it does not, and they were dropped."""
        allowed = self.regime.allows_d(computed.loss)
        if isinstance(allowed, Tensor):
            return Applied(norm=self.descent_d.apply(allowed), allowed=allowed)
        if allowed:
            return Applied(norm=self.descent_d.apply())
        self.descent_d.drop()
        return None

    def _apply_g(self, computed: Computed) -> Metrics:
        """Update G with its gradients, and tell the regime G's loss."""
        norm = self.descent_g.apply()
        self.regime.saw_g(computed.loss)
        return {**computed.metrics, "grad_norm_g": norm}

    def _update_average(self, images_seen: int) -> None:
        """Update the moving average after G's updates; `images_seen` are those before this step."""
        if self.average is not None:
            batch, takes = self.config.data.batch_size, self.config.init.takes
            rampup = takes("progress") or not takes("average")  # with progress the images seen go on, and it with them
            follow(self.average, self.generator, self.config.regime, images_seen + batch, batch, rampup=rampup)

    def _set_up(self, network: nn.Module) -> nn.Module:
        """Move `network` to the device, in its memory order and with BatchNorm over all ranks where it is on."""
        runtime = self.config.runtime
        memory_format = torch.channels_last if runtime.channels_last else torch.contiguous_format
        network = network.to(self.device).to(memory_format=memory_format)
        return synchronise_batchnorm(network) if runtime.sync_batchnorm else network

    def _autocast(self, enabled: bool = True) -> torch.autocast:
        return autocast(self.device, self.config.runtime.precision, enabled=enabled)
