"""One generator against one discriminator."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trainers.assets import Assets
from trainers.batches import augmented_batches
from trainers.config import TrainConfig
from trainers.engine.frozen import frozen
from trainers.engine.precision import full
from trainers.errors import UserError
from trainers.families.base import Family, FidTarget
from trainers.families.phases import Applied, Computed, Metrics, StepPlan
from trainers.losses import build_loss
from trainers.networks import build_networks
from trainers.randomness import fixed_latents
from trainers.regularizers import penalised, penalty
from trainers.transfer import upload

PENALTIES = ("gradient_penalty", "r1_gamma", "r2_gamma")  # keys of their weights
GRID = 8  # images per row and rows of a sample grid


class Adversarial(Family):
    """G turns latents into images, and one D judges them."""

    @staticmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator of `config`."""
        Adversarial.check(config)
        return build_networks(config.network, config.data.image_size)

    @staticmethod
    def check(config: TrainConfig) -> None:
        """Check that D can be updated as `config` says.

        Raises:
            UserError: separate updates of D with a relativistic loss or a gradient penalty.
        """
        if config.regime.d_updates != "separate":
            return
        if build_loss(config.loss).relativistic:
            raise UserError(
                "regime.d_updates 'separate' needs a loss that judges real images and fakes apart; "
                f"got loss.name {config.loss.name!r}"
            )
        if penalised(config.regularizer):
            weights = {name: getattr(config.regularizer, name) for name in PENALTIES}
            got = ", ".join(f"regularizer.{name} {weight:g}" for name, weight in weights.items() if weight)
            raise UserError(f"regime.d_updates 'separate' allows no gradient penalty; got {got}")

    def images_per_epoch(self, assets: Assets) -> int:
        """Real images in the whole batches of the data."""
        batch = self.config.data.batch_size
        return len(self._images(assets)) // batch * batch

    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        """Images ``[B, 3, S, S]`` in [-1, 1]."""
        for images, _ in augmented_batches(self._images(assets), self.config.data, self.random):
            yield (images,)

    def step(self, *batch: Tensor, images_seen: int, instance_sigma: float) -> Metrics:
        """Update D on the batch, then G, as the regime decides."""
        real, *labels = batch
        plan = self._decide(images_seen, instance_sigma)
        metrics: Metrics = {"d_updates": 0.0, "g_updates": float(plan.g_steps)}
        inputs, wanted = self._draw_inputs()
        fake = self._compute_fake(inputs, learn=plan.g_steps > 0)
        real_logits = None
        if plan.d:
            values, real_logits = self._update_d(real, fake.detach(), labels, plan)
            metrics |= values
        elif self.loss.relativistic:
            real_logits = self._compute_real_logits(real, plan)
        for number in range(plan.g_steps):
            if number:
                inputs, wanted = self._draw_inputs()
                fake = self._compute_fake(inputs)
            metrics |= self._apply_g(self._compute_g(real_logits, fake, wanted, plan))
        if plan.g_steps:
            self._update_average(images_seen)
        return metrics

    def generate(self, latents: Tensor) -> Tensor:
        """Images ``[B, 3, S, S]`` float32 in [-1, 1] of the averaged generator (of G itself without an average)."""
        return self._evaluate(latents)

    def fid_targets(self, assets: Assets, purpose: str = "fid") -> dict[str, FidTarget]:
        """The real images, against samples from latents that are the same at every measurement for `purpose`."""
        # Uploaded once for a whole run.
        inputs = upload(self._fixed_inputs(self.config.fid.n_fake, purpose, assets), self.device)
        sample = lambda start, stop: self.generate(inputs[start:stop])  # noqa: E731
        return {"images": self._target(assets, sample)}

    def sample_grid(self, assets: Assets) -> tuple[Tensor, int]:
        """64 samples, 8 to a row."""
        return self.generate(self._fixed_inputs(GRID * GRID, "samples", assets)), GRID

    def _draw_inputs(self) -> tuple[Tensor, Tensor | None]:
        """G's inputs for this rank's share of a batch, and the classes that the fakes shall have, if any."""
        config = self.config
        return self.random.normal(config.data.batch_size, config.network.latent_dim) * config.noise.latent_sigma, None

    def _fixed_inputs(self, count: int, purpose: str, assets: Assets) -> Tensor:
        config = self.config
        return fixed_latents(
            count, config.network.latent_dim, config.noise.latent_sigma, seed=config.seed, purpose=purpose
        )

    def _class_loss(self, outputs: Tensor, classes: Tensor | None) -> tuple[Tensor | float, Metrics]:
        """Loss and metrics of D's class heads; nothing without heads."""
        return 0.0, {}

    def _update_d(self, real: Tensor, fake: Tensor, labels: list[Tensor], plan: StepPlan) -> tuple[Metrics, Tensor]:
        """Compute and apply D's update; with separate updates first that of the real images, then that of the fakes.

        Returns the metrics, and D's logits of the real images, ``[B, 1]``.
        """
        computed = self._compute_d(real, fake, labels, plan)
        real_logits = computed.kept["real_logits"]
        applied = self._apply_d(computed)
        if applied is None:
            return computed.metrics, real_logits
        if self._separate:
            self._compute_d_of_fakes(computed, plan)
            norm = torch.maximum(applied.norm, self.descent_d.apply(applied.allowed))
            applied = Applied(norm=norm, allowed=applied.allowed)
        return applied.metrics(computed), real_logits

    @property
    def _separate(self) -> bool:
        """Whether D is updated on the real images, then on the fakes, as two calls of Keras' train_on_batch do it."""
        return self.config.regime.d_updates == "separate"

    def _compute_fake(self, inputs: Tensor, learn: bool = True) -> Tensor:
        with self._autocast(), torch.set_grad_enabled(learn):
            return self.generator(inputs)

    @torch.no_grad()
    def _compute_real_logits(self, real: Tensor, plan: StepPlan) -> Tensor:
        """D's logits ``[B, 1]`` of the real images, for a relativistic G where the step does not compute D's update."""
        with self._autocast():
            return self._judge(self._d_inputs(real, plan.sigma))

    def _compute_d(self, real: Tensor, fake: Tensor, labels: list[Tensor], plan: StepPlan) -> Computed:
        """D's gradients; with separate updates those of the real images alone."""
        if plan.penalise:  # before augmentation and noise: see `penalty`
            real, fake = full(real).detach().requires_grad_(), full(fake).detach().requires_grad_()
        real_input, fake_input = self._d_inputs(real, plan.sigma), self._d_inputs(fake, plan.fake_sigma)
        with self._autocast(enabled=not plan.penalise):  # second derivatives in bfloat16 would be noise
            # Two passes, so that BatchNorm never mixes real images and fakes.
            real_outputs = full(self.discriminator(real_input))
            fake_outputs = full(self.discriminator(fake_input))
        real_logits, fake_logits = real_outputs[:, :1], fake_outputs[:, :1]
        loss = self._d_loss(real_logits, fake_logits, plan.swapped)
        class_loss, class_metrics = self._class_loss(real_outputs, labels[0] if labels else None)
        metrics: Metrics = {"d_loss": loss.detach(), **self._logit_metrics(real_logits, fake_logits)}
        metrics |= {f"d_{name}": value for name, value in class_metrics.items()}
        if_applied: Metrics = {}
        minimised = loss
        if self._separate:
            # The loss is a real term plus a fake term (see `check`): constant fake logits add no gradient.
            minimised = self._d_loss(real_logits, torch.zeros_like(real_logits), plan.swapped)
        if plan.penalise:
            logits = (real_logits, fake_logits)
            judge = lambda images: self._judge(self._d_inputs(images, plan.sigma))  # noqa: E731
            extra = penalty(self.config.regularizer, judge, real, fake, *logits, self.random)
            if_applied["d_penalty"] = extra.detach()
            minimised = minimised + extra
        self.descent_d.backward(minimised + class_loss)
        kept = {"real_logits": real_logits.detach(), "fake": fake_input.detach()}
        return Computed(loss=loss.detach(), metrics=metrics, if_applied=if_applied, kept=kept)

    def _compute_d_of_fakes(self, computed: Computed, plan: StepPlan) -> None:
        """D's gradients of the fakes alone, after its update on the real images."""
        with self._autocast():
            fake_logits = self._judge(computed.kept["fake"])
        self.descent_d.backward(self._d_loss(torch.zeros_like(fake_logits), fake_logits, plan.swapped))

    def _judge(self, images: Tensor) -> Tensor:
        """Logits ``[B, 1]`` of D's real-or-fake head."""
        return full(self.discriminator(images)[:, :1])

    def _compute_g(self, real_logits: Tensor | None, fake: Tensor, wanted: Tensor | None, plan: StepPlan) -> Computed:
        """G's gradients.

        The real logits are those of D's step, detached: the Zalo motorbike article backpropagates through them, which
        torch refuses once D has moved, and they carry no gradient to G anyway.
        """
        with frozen(self.discriminator):
            with self._autocast():
                outputs = full(self.discriminator(self._d_inputs(fake, plan.fake_sigma)))
            fake_logits = outputs[:, :1]
            loss = self.loss.g_loss(fake_logits.detach() if real_logits is None else real_logits, fake_logits)
            class_loss, class_metrics = self._class_loss(outputs, wanted)
            self.descent_g.backward(loss + class_loss)
        metrics: Metrics = {"g_loss": loss.detach(), **{f"g_{name}": value for name, value in class_metrics.items()}}
        return Computed(loss=loss.detach(), metrics=metrics)
