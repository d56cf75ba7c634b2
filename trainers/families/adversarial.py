"""One generator against one discriminator."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trainers.assets import Assets
from trainers.batches import augmented_batches
from trainers.config import TrainConfig
from trainers.engine.precision import full
from trainers.errors import UserError
from trainers.families.base import Family, FidTarget, Metrics
from trainers.losses import build_loss
from trainers.networks import build_networks
from trainers.randomness import fixed_latents
from trainers.regularizers import penalised, penalty

GRID = 8  # images per row and rows of a sample grid


class Adversarial(Family):
    """Latents to images."""

    @staticmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator of `config`."""
        Adversarial.check(config)
        return build_networks(config.network, config.data.image_size)

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Find out whether D can be updated as `config` says.

        Raises:
            UserError: it cannot.
        """
        separate = config.regime.d_updates == "separate"
        if separate and (build_loss(config.loss).relativistic or penalised(config.regularizer)):
            raise UserError(
                "regime.d_updates 'separate' needs a loss that judges real images and fakes apart, and no gradient "
                f"penalty; got loss.name {config.loss.name!r}"
            )

    def images_per_epoch(self, assets: Assets) -> int:
        """Whole batches of the data."""
        batch = self.config.data.batch_size
        return len(self._images(assets)) // batch * batch

    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        """Images ``[B, 3, S, S]`` in [-1, 1]."""
        for images, _ in augmented_batches(self._images(assets), self.config.data, self.random):
            yield (images,)

    def step(self, *batch: Tensor, images_seen: int, instance_sigma: float) -> Metrics:
        """D on the batch, then G, as the regime says."""
        real, *labels = batch
        total = self.config.data.batch_size
        updates = self.regime.next(images_seen // total, self.random)
        metrics: Metrics = {"d_updates": 0.0, "g_updates": float(updates.g_steps)}
        inputs, wanted = self._draw_inputs()
        with self._autocast(), torch.set_grad_enabled(updates.g_steps > 0):
            fake = self.generator(inputs)
        real_logits = None
        if updates.d:
            penalise = self._penalty_due(images_seen)
            values, real_logits = self._d_step(real, fake.detach(), labels, instance_sigma, updates.swapped, penalise)
            metrics |= values
        elif self.loss.relativistic:
            with torch.no_grad(), self._autocast():
                real_logits = self._judge(self._shown(real, instance_sigma))
        for number in range(updates.g_steps):
            if number:
                inputs, wanted = self._draw_inputs()
                with self._autocast():
                    fake = self.generator(inputs)
            metrics |= self._g_step(real_logits, fake, wanted, instance_sigma)
        if updates.g_steps:
            self._follow(images_seen)
        return metrics

    def generate(self, latents: Tensor) -> Tensor:
        """Images ``[B, 3, S, S]`` float32 in [-1, 1] of the averaged generator (of G itself without an average)."""
        return self._evaluate(latents)

    def fid_targets(self, assets: Assets, purpose: str = "fid") -> dict[str, FidTarget]:
        """The real images, against samples from latents that are the same at every measurement for `purpose`."""
        inputs = self._fixed_inputs(self.config.fid.n_fake, purpose, assets)
        sample = lambda start, stop: self.generate(inputs[start:stop])  # noqa: E731
        return {"images": FidTarget(statistics=self._statistics(assets), sample=sample)}

    def sample_grid(self, assets: Assets) -> tuple[Tensor, int]:
        """64 samples, 8 to a row."""
        return self.generate(self._fixed_inputs(GRID * GRID, "samples", assets)), GRID

    def _draw_inputs(self) -> tuple[Tensor, Tensor | None]:
        """G's inputs for this rank's share of a batch, and the classes that it is asked for, if any."""
        config = self.config
        return self.random.normal(config.data.batch_size, config.network.latent_dim) * config.noise.latent_sigma, None

    def _fixed_inputs(self, count: int, purpose: str, assets: Assets) -> Tensor:
        config = self.config
        return fixed_latents(
            count, config.network.latent_dim, config.noise.latent_sigma, seed=config.seed, purpose=purpose
        )

    def _class_loss(self, outputs: Tensor, classes: Tensor | None) -> tuple[Tensor | float, Metrics]:
        """What D's class heads add to a loss; nothing without heads."""
        return 0.0, {}

    def _d_step(
        self, real: Tensor, fake: Tensor, labels: list[Tensor], sigma: float, swapped: bool, penalise: bool
    ) -> tuple[Metrics, Tensor]:
        real, fake = self._shown(real, sigma), self._shown(fake, sigma)
        if penalise:
            real, fake = full(real).detach().requires_grad_(), full(fake).detach().requires_grad_()
        with self._autocast(enabled=not penalise):  # second derivatives in bfloat16 would be noise
            # Two passes, so that BatchNorm never mixes real images and fakes.
            real_outputs = full(self.discriminator(real))
            fake_outputs = full(self.discriminator(fake))
        real_logits, fake_logits = real_outputs[:, :1], fake_outputs[:, :1]
        loss = self._d_loss(real_logits, fake_logits, swapped)
        class_loss, class_metrics = self._class_loss(real_outputs, labels[0] if labels else None)
        metrics: Metrics = {"d_loss": loss.detach(), **self._judged(real_logits, fake_logits)}
        metrics |= {f"d_{name}": value for name, value in class_metrics.items()}
        if self.regime.allows_d(loss):
            if penalise:
                logits = (real_logits, fake_logits)
                extra = penalty(self.config.regularizer, self._judge, real, fake, *logits, self.random)
                metrics["d_penalty"] = extra.detach()
                loss = loss + extra
            metrics["d_updates"] = 1.0
            if self.config.regime.d_updates == "separate":
                metrics["grad_norm_d"] = self._separate_updates(real_logits, fake, class_loss, swapped)
            else:
                metrics["grad_norm_d"] = self._descend_d(loss + class_loss)
        return metrics, real_logits.detach()

    def _judge(self, images: Tensor) -> Tensor:
        """Logits ``[B, 1]`` of D's real-or-fake head."""
        return full(self.discriminator(images)[:, :1])

    def _d_loss(self, real_logits: Tensor, fake_logits: Tensor, swapped: bool) -> Tensor:
        pair = (fake_logits, real_logits) if swapped else (real_logits, fake_logits)
        return self.loss.d_loss(*pair)

    def _separate_updates(self, real_logits: Tensor, fake: Tensor, class_loss: Tensor | float, swapped: bool) -> Tensor:
        """One update on the real images, then one on the fakes, as two calls of Keras' train_on_batch make them.

        `build_pair` has seen to it that the loss is a sum over images, so that a constant in the other place changes
        nothing. Returns the larger gradient norm.
        """
        other = torch.zeros_like(real_logits)
        first = self._descend_d(self._d_loss(real_logits, other, swapped) + class_loss)
        with self._autocast():
            fake_logits = self._judge(fake)
        second = self._descend_d(self._d_loss(other, fake_logits, swapped))
        return torch.maximum(first, second)

    def _g_step(self, real_logits: Tensor | None, fake: Tensor, wanted: Tensor | None, sigma: float) -> Metrics:
        # The real logits are those of D's step, detached: document 001 backpropagates through them, which torch
        # refuses once D has moved, and they carry no gradient to G anyway. A frozen D saves its weight gradients.
        self.discriminator.requires_grad_(False)
        with self._autocast():
            outputs = full(self.discriminator(self._shown(fake, sigma)))
        fake_logits = outputs[:, :1]
        loss = self.loss.g_loss(fake_logits.detach() if real_logits is None else real_logits, fake_logits)
        class_loss, class_metrics = self._class_loss(outputs, wanted)
        norm = self._descend_g(loss + class_loss)
        self.discriminator.requires_grad_(True)
        self.regime.saw_g(loss)
        return {
            "g_loss": loss.detach(),
            "grad_norm_g": norm,
            **{f"g_{name}": value for name, value in class_metrics.items()},
        }
