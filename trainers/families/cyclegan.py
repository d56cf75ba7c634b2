"""Unpaired translation between two domains (Zhu et al. 2017, arXiv:1703.10593; the MLDS HW4 report, bonus)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.assets import Assets
from trainers.batches import augmented_batches
from trainers.config import TrainConfig
from trainers.data import find_domains, to_unit_range
from trainers.engine.frozen import frozen
from trainers.engine.precision import full
from trainers.errors import UserError
from trainers.families.base import Family, FidTarget
from trainers.families.image_buffer import ImageBuffer
from trainers.families.phases import Computed, Metrics, StepPlan
from trainers.loss_scale import LossScale
from trainers.networks import build_translators
from trainers.randomness import GlobalRandom
from trainers.regularizers import penalty

DOMAINS = ("a", "b")
DIRECTIONS = {"a2b": ("a", "b"), "b2a": ("b", "a")}
COLUMNS = 8  # source images in a sample grid


class CycleGan(Family):
    """G and D are pairs: ``generator["a2b"]``, ``generator["b2a"]``, ``discriminator["a"]``, ``discriminator["b"]``.

    Both generators share one optimiser and both discriminators another, as in the code that the MLDS HW4 report used.
    G is updated first, and D sees fakes from an image buffer.
    """

    directions: ClassVar[tuple[str, ...]] = tuple(DIRECTIONS)

    def __init__(self, config: TrainConfig, device: torch.device, random: GlobalRandom) -> None:
        super().__init__(config, device, random)
        self.buffers = {domain: ImageBuffer(config.cycle.buffer_size) for domain in DOMAINS}

    @staticmethod
    def build_pair(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
        """Two generators and two discriminators of `config`."""
        if config.regime.d_updates == "separate":
            raise UserError("family cyclegan needs regime.d_updates 'joint', got 'separate'")
        size, needed_by = config.data.image_size, "family cyclegan"
        pairs = [build_translators(config.network, size, needed_by) for _ in DOMAINS]
        generators = dict(zip(DIRECTIONS, (pair[0] for pair in pairs), strict=True))
        discriminators = dict(zip(DOMAINS, (pair[1] for pair in pairs), strict=True))
        return nn.ModuleDict(generators), nn.ModuleDict(discriminators)

    @classmethod
    def find_sources(cls, data: Path) -> dict[str, Path]:
        """The two domains."""
        return dict(zip(DOMAINS, find_domains(data), strict=True))

    @classmethod
    def loss_scale(cls, config: TrainConfig) -> LossScale:
        """Both losses are sums over the domains."""
        return super().loss_scale(config).times(len(DOMAINS))

    def images_per_epoch(self, assets: Assets) -> int:
        """Images in the whole batches of the smaller domain: each step takes equally many of both domains."""
        batch = self.config.data.batch_size
        return min(len(self._images(assets, domain)) for domain in DOMAINS) // batch * batch

    def batches(self, assets: Assets) -> Iterator[tuple[Tensor, ...]]:
        """Unpaired images of A and of B, each ``[B, 3, S, S]`` in [-1, 1]."""
        passes = [augmented_batches(self._images(assets, d), self.config.data, self.random) for d in DOMAINS]
        for (a, _), (b, _) in zip(*passes, strict=False):
            yield a, b

    def step(self, *batch: Tensor, images_seen: int, instance_sigma: float) -> Metrics:
        """Update both generators on the batch, then both discriminators, as the regime decides."""
        real = dict(zip(DOMAINS, batch, strict=True))
        plan = self._decide(images_seen, instance_sigma)
        metrics: Metrics = {"d_updates": 0.0, "g_updates": float(plan.g_steps)}
        fakes: dict[str, Tensor] = {}
        for _ in range(plan.g_steps):
            computed = self._compute_g(real, plan)
            metrics |= self._apply_g(computed)
            fakes = computed.kept
        if plan.g_steps:
            self._update_average(images_seen)
        if plan.d:
            metrics |= self._update_d(real, fakes or self._compute_fakes(real), plan)
        return metrics

    def translate(self, images: Tensor, direction: str) -> Tensor:
        """Translate images to the other domain, by the averaged generator where there is one.

        Args:
            images: ``[B, 3, S, S]`` in [-1, 1].
            direction: ``a2b`` or ``b2a``.

        Returns:
            ``[B, 3, S, S]`` float32 in [-1, 1].
        """
        return self._evaluate(images, direction)

    def fid_targets(self, assets: Assets, purpose: str = "fid") -> dict[str, FidTarget]:
        """Both directions. Source images are translated in order, again from the first when `fid.n_fake` is larger.

        There are no latents, so every `purpose` has the same samples.
        """
        return {name: self._fid_target(assets, name, *domains) for name, domains in DIRECTIONS.items()}

    def sample_grid(self, assets: Assets) -> tuple[Tensor, int]:
        """Eight images of A, what they become in B, and back in A; then the same from B."""
        rows = []
        for (there, (source, _)), back in zip(DIRECTIONS.items(), reversed(DIRECTIONS), strict=True):
            images = self._images(assets, source)
            real = to_unit_range(images.batch(torch.arange(COLUMNS) % len(images)))
            fake = self.translate(real, there)
            rows += [real, fake, self.translate(fake, back)]
        return torch.cat(rows), COLUMNS

    def _parts(self) -> dict[str, object]:
        return {**super()._parts(), **{f"buffer_{domain}": buffer for domain, buffer in self.buffers.items()}}

    def _fid_target(self, assets: Assets, direction: str, source: str, target: str) -> FidTarget:
        images = self._images(assets, source)

        def sample(start: int, stop: int) -> Tensor:
            return self.translate(to_unit_range(images.batch(torch.arange(start, stop) % len(images))), direction)

        return self._target(assets, sample, target)

    @torch.no_grad()
    def _compute_fakes(self, real: dict[str, Tensor]) -> dict[str, Tensor]:
        with self._autocast():
            return {to: full(self._generator(name)(real[of])) for name, (of, to) in DIRECTIONS.items()}

    def _generator(self, direction: str) -> nn.Module:
        return self.generator.get_submodule(direction)

    def _judge(self, domain: str, images: Tensor) -> Tensor:
        """Logits ``[B, 1, h, w]``."""
        return full(self.discriminator.get_submodule(domain)(images))

    def _compute_g(self, real: dict[str, Tensor], plan: StepPlan) -> Computed:
        """Gradients of both generators; keeps their fakes, by domain."""
        weights = self.config.cycle
        adversarial, cycle, identity = (torch.zeros((), device=self.device) for _ in range(3))
        fakes = {}
        with frozen(self.discriminator):
            for (there, (source, target)), back in zip(DIRECTIONS.items(), reversed(DIRECTIONS), strict=True):
                with self._autocast():
                    fake = self._generator(there)(real[source])
                    cycled = full(self._generator(back)(fake))
                    fake = full(fake)
                    fake_logits = self._judge(target, self._d_inputs(fake, plan.fake_sigma))
                    if weights.identity_weight > 0:
                        same = full(self._generator(there)(real[target]))
                        identity = identity + F.l1_loss(same, real[target])
                real_logits = self._real_logits(target, real, fake_logits, plan.sigma)
                adversarial = adversarial + self.loss.g_loss(real_logits, fake_logits)
                cycle = cycle + F.l1_loss(cycled, real[source])
                fakes[target] = fake.detach()
            self.descent_g.backward(adversarial + weights.weight * cycle + weights.identity_weight * identity)
        metrics: Metrics = {"g_loss": adversarial.detach(), "cycle_loss": cycle.detach()}
        if weights.identity_weight > 0:
            metrics["identity_loss"] = identity.detach()
        return Computed(loss=adversarial.detach(), metrics=metrics, kept=fakes)

    @torch.no_grad()
    def _real_logits(self, domain: str, real: dict[str, Tensor], fake_logits: Tensor, sigma: float) -> Tensor:
        """D's logits of the real images for a relativistic G; other losses ignore them and get the fakes' logits."""
        if not self.loss.relativistic:
            return fake_logits.detach()
        with self._autocast():
            return self._judge(domain, self._d_inputs(real[domain], sigma))

    def _update_d(self, real: dict[str, Tensor], fakes: dict[str, Tensor], plan: StepPlan) -> Metrics:
        """Compute and apply D's update, on fakes that the buffers may have replaced by older ones."""
        older = {domain: self.buffers[domain].exchange(fakes[domain], self.random) for domain in DOMAINS}
        computed = self._compute_d(real, older, plan)
        applied = self._apply_d(computed)
        return computed.metrics if applied is None else applied.metrics(computed)

    def _compute_d(self, real: dict[str, Tensor], fakes: dict[str, Tensor], plan: StepPlan) -> Computed:
        """Gradients of both discriminators."""
        total, penalties = (torch.zeros((), device=self.device) for _ in range(2))
        judged = []
        for domain in DOMAINS:
            image, fake = real[domain], fakes[domain]
            if plan.penalise:  # before augmentation and noise: see `penalty`
                image, fake = image.detach().requires_grad_(), fake.detach().requires_grad_()
            fake_input, real_input = self._d_inputs(fake, plan.fake_sigma), self._d_inputs(image, plan.sigma)
            with self._autocast(enabled=not plan.penalise):
                real_logits, fake_logits = self._judge(domain, real_input), self._judge(domain, fake_input)
            total = total + self._d_loss(real_logits, fake_logits, plan.swapped)
            if plan.penalise:
                judge = lambda images, domain=domain: self._judge(domain, self._d_inputs(images, plan.sigma))  # noqa: E731
                penalties = penalties + penalty(
                    self.config.regularizer, judge, image, fake, real_logits, fake_logits, self.random
                )
            judged.append(self._logit_metrics(real_logits, fake_logits))
        self.descent_d.backward(total + penalties)
        metrics: Metrics = {"d_loss": total.detach()}
        metrics |= {name: (judged[0][name] + judged[1][name]) / 2 for name in judged[0]}
        if_applied: Metrics = {"d_penalty": penalties.detach()} if plan.penalise else {}
        return Computed(loss=total.detach(), metrics=metrics, if_applied=if_applied)
