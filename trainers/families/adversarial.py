"""One generator against one discriminator: D step, then G step."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from trainers.config import TrainConfig
from trainers.distributed import average_buffers, average_gradients
from trainers.losses import build_loss
from trainers.networks import build_networks
from trainers.networks.batchnorm import synchronise_batchnorm
from trainers.networks.ema import ema_decay, update_ema
from trainers.randomness import GlobalRandom, derive_seed

STEP_METRICS = (
    "d_loss",
    "g_loss",
    "d_real_mean",
    "d_fake_mean",
    "d_real_accuracy",
    "d_fake_accuracy",
    "grad_norm_d",
    "grad_norm_g",
)


class Adversarial:
    """Networks, optimisers and the step of one run.

    Args:
        config: the run.
        device: where it trains.
        random: source of latents and instance noise.
    """

    def __init__(self, config: TrainConfig, device: torch.device, random: GlobalRandom) -> None:
        self.config, self.device, self.random = config, device, random
        self.loss = build_loss(config.loss)
        torch.manual_seed(derive_seed(config.seed, "weights"))
        generator, discriminator = build_networks(config.network, config.data.image_size)
        self.generator, self.discriminator = self._place(generator), self._place(discriminator)
        self.average = None
        if config.regime.ema_halflife_images is not None:
            self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.optimizer_g = self._adam(self.generator, config.optimizer.lr_g)
        self.optimizer_d = self._adam(self.discriminator, config.optimizer.lr_d)

    def step(self, real: Tensor, *, images_seen: int, instance_sigma: float) -> Tensor:
        """One D step and one G step.

        Args:
            real: this rank's images ``[B, 3, S, S]`` in [-1, 1].
            images_seen: real images before this step, over all ranks.
            instance_sigma: standard deviation of the noise on D's inputs.

        Returns:
            The values of `STEP_METRICS`, ``[8]`` float32 on the device, this rank's share.
        """
        batch = self.config.data.batch_size
        latents = self.random.normal(batch, self.config.network.latent_dim) * self.config.noise.latent_sigma
        with self._autocast():
            fake = self.generator(latents)
        d_loss, real_logits, fake_logits, grad_norm_d = self._d_step(real, fake.detach(), instance_sigma)
        g_loss, grad_norm_g = self._g_step(real_logits, fake, instance_sigma)
        self._follow(images_seen, batch)
        with torch.no_grad():
            real_score, fake_score = self.loss.realness(real_logits, fake_logits)
            real_accuracy, fake_accuracy = (real_score > 0).float().mean(), (fake_score <= 0).float().mean()
            means = (real_logits.mean(), fake_logits.mean(), real_accuracy, fake_accuracy)
            return torch.stack([d_loss, g_loss, *means, grad_norm_d, grad_norm_g])

    @torch.no_grad()
    def generate(self, latents: Tensor) -> Tensor:
        """Images ``[B, 3, S, S]`` float32 in [-1, 1] of the averaged generator (of G itself without an average)."""
        network = self.generator if self.average is None else self.average
        was_training = network.training
        network.eval()
        with self._autocast():
            images = network(latents.to(self.device)).float()
        network.train(was_training)
        return images

    def align_ranks(self) -> None:
        """Let every rank have the same BatchNorm statistics; without ``sync_batchnorm`` each has gathered its own."""
        if not self.config.runtime.sync_batchnorm:
            for network in (self.generator, self.discriminator, self.average):
                if network is not None:
                    average_buffers(network)

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs of this family."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Undo `state_dict`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for optimizer in (self.optimizer_g, self.optimizer_d):
            _follow_memory_order(optimizer)

    def _d_step(self, real: Tensor, fake: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        self.optimizer_d.zero_grad()
        with self._autocast():
            # Two passes, so that BatchNorm never mixes real images and fakes.
            real_logits = self.discriminator(self._noisy(real, sigma)).float()
            fake_logits = self.discriminator(self._noisy(fake, sigma)).float()
        loss = self.loss.d_loss(real_logits, fake_logits)
        loss.backward()
        norm = self._update(self.discriminator, self.optimizer_d)
        return loss.detach(), real_logits.detach(), fake_logits.detach(), norm

    def _g_step(self, real_logits: Tensor, fake: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        # The real logits are those of D's step, detached: document 001 backpropagates through them, which torch
        # refuses once D has moved, and they carry no gradient to G anyway. A frozen D saves its weight gradients.
        self.optimizer_g.zero_grad()
        self.discriminator.requires_grad_(False)
        with self._autocast():
            fake_logits = self.discriminator(self._noisy(fake, sigma)).float()
        loss = self.loss.g_loss(real_logits, fake_logits)
        loss.backward()
        self.discriminator.requires_grad_(True)
        return loss.detach(), self._update(self.generator, self.optimizer_g)

    def _update(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        parameters = list(network.parameters())
        average_gradients(parameters)
        limit = self.config.optimizer.grad_clip_norm
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if limit is not None:
            nn.utils.clip_grads_with_norm_(parameters, limit, norm)
        optimizer.step()
        return norm

    def _follow(self, images_seen: int, batch: int) -> None:
        halflife = self.config.regime.ema_halflife_images
        if self.average is not None and halflife is not None:
            decay = ema_decay(halflife, self.config.regime.ema_rampup, images_seen + batch, batch)
            update_ema(self.average, self.generator, decay)

    def _noisy(self, images: Tensor, sigma: float) -> Tensor:
        if sigma == 0:
            return images
        return images + sigma * self.random.normal(self.config.data.batch_size, *images.shape[1:])

    def _place(self, network: nn.Module) -> nn.Module:
        memory_format = torch.channels_last if self.config.runtime.channels_last else torch.contiguous_format
        network = network.to(self.device).to(memory_format=memory_format)
        return synchronise_batchnorm(network, self.device) if self.config.runtime.sync_batchnorm else network

    def _adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        betas = (self.config.optimizer.beta1, self.config.optimizer.beta2)
        return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=True)

    def _autocast(self) -> torch.autocast:
        enabled = self.config.runtime.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }
        return parts if self.average is None else {**parts, "average": self.average}


def _follow_memory_order(optimizer: torch.optim.Optimizer) -> None:
    """Give the loaded moments their parameters' strides, which runtime.channels_last may have changed.

    Fused Adam walks through memory: on the CPU it would pair moments with other elements' gradients and say nothing.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)
