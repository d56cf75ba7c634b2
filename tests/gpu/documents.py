"""The training loops of the documents, written as plainly as they are there, on the same networks as ours.

RaLSGAN's stands in `tests.benchmarks.bench_loop`. Each is a function of a batch in [-1, 1]; no augmentation, no moving
average, no metrics.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.config import TrainConfig
from trainers.families.acgan import class_counts
from trainers.networks import build_networks

Step = Callable[..., None]


def dcgan(config: TrainConfig, device: torch.device) -> Step:
    """The Edouard99/GAN repository's DCGAN on 64 px Pokemon: D on real and fakes, then G; smoothed labels, Adam."""
    generator, discriminator = (n.to(device) for n in build_networks(config.network, config.data.image_size))
    betas = (config.optimizer.beta1, config.optimizer.beta2)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=config.optimizer.lr_d, betas=betas)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=config.optimizer.lr_g, betas=betas)

    def loss(logits: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy(torch.sigmoid(logits), torch.full_like(logits, label))

    def step(real: Tensor) -> None:
        latents = torch.randn(len(real), config.network.latent_dim, device=device)
        fake = generator(latents)
        optimizer_d.zero_grad()
        (loss(discriminator(real), 0.95) + loss(discriminator(fake.detach()), 0.05)).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        loss(discriminator(fake), 0.95).backward()
        optimizer_g.step()

    return step


def acgan(config: TrainConfig, device: torch.device) -> Step:
    """The MLDS HW4 report's AC-GAN on 96 px faces: D on real images, then on fakes, then G twice (Keras' habit)."""
    counts = class_counts(config)
    generator, discriminator = (
        n.to(device) for n in build_networks(config.network, config.data.image_size, sum(counts))
    )
    betas = (config.optimizer.beta1, config.optimizer.beta2)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=config.optimizer.lr_d, betas=betas)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=config.optimizer.lr_g, betas=betas)
    weights = [config.loss.class_weights.get(name, 1.0) for name in config.labels]

    def real_or_fake(outputs: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy(torch.sigmoid(outputs[:, :1]), torch.full_like(outputs[:, :1], label))

    def class_loss(outputs: Tensor, classes: Tensor) -> Tensor:
        heads = outputs[:, 1:].split(counts, dim=1)
        losses = [F.cross_entropy(head, classes[:, i], ignore_index=-1) for i, head in enumerate(heads)]
        return sum((w * part for w, part in zip(weights, losses, strict=True)), torch.zeros((), device=device))

    def inputs(size: int) -> tuple[Tensor, Tensor]:
        classes = torch.stack([torch.randint(n, (size,), device=device) for n in counts], dim=1)
        one_hot = [F.one_hot(classes[:, i], n).float() for i, n in enumerate(counts)]
        return torch.cat([torch.randn(size, config.network.latent_dim, device=device), *one_hot], dim=1), classes

    def step(real: Tensor, classes: Tensor) -> None:
        optimizer_d.zero_grad()
        outputs = discriminator(real)
        (real_or_fake(outputs, 1.0) + class_loss(outputs, classes)).backward()
        optimizer_d.step()
        with torch.no_grad():
            fake = generator(inputs(len(real))[0])
        optimizer_d.zero_grad()
        real_or_fake(discriminator(fake), 0.0).backward()
        optimizer_d.step()
        for _ in range(2):
            latents, wanted = inputs(len(real))
            optimizer_g.zero_grad()
            outputs = discriminator(generator(latents))
            (real_or_fake(outputs, 1.0) + class_loss(outputs, wanted)).backward()
            optimizer_g.step()

    return step
