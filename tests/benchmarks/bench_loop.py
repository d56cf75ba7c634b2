"""Images/s of the training loop against that of the Zalo motorbike article: same networks, batch and data, one run.

Usage: python -m tests.benchmarks.bench_loop [--image-size 32] [--base-width 24] [--batch-size 64] [--steps 20]
       [--copies 2] [--openmp GOMP_SPINCOUNT=2000] [--seconds 10]

The article's loop is transcribed from its listing; its one line that torch refuses today (G backpropagates through
logits computed before D's step) is replaced by a recomputation, which is what it meant. Ours includes augmentation,
the moving average, gradient norms and all metrics; the article's has none of them. Rounds alternate; medians.
On a CPU it then runs ours alone and in `--copies` processes at once, which is what two sweeps on one machine do.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from tests.benchmarks.common import device_name, print_setting
from tests.benchmarks.sharing import SETTINGS, print_sharing
from trainers.config import TrainConfig
from trainers.data import augment, to_unit_range
from trainers.families import build_family
from trainers.losses import RaLSGAN
from trainers.networks import build_networks
from trainers.randomness import GlobalRandom


def document_step(config: TrainConfig, device: torch.device) -> Callable[[torch.Tensor], None]:
    """The Zalo motorbike article's loop body."""
    nz, real_label = config.network.latent_dim, RaLSGAN.from_config(config.loss).real_label
    generator, discriminator = (net.to(device) for net in build_networks(config.network, config.data.image_size))
    betas = (config.optimizer.beta1, config.optimizer.beta2)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=config.optimizer.lr_d, betas=betas)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=config.optimizer.lr_g, betas=betas)

    def step(real_images: torch.Tensor) -> None:
        discriminator.zero_grad()
        labels = torch.full((len(real_images), 1), real_label, device=device)
        output_r = discriminator(real_images)
        fake = generator(torch.randn(len(real_images), nz, device=device))
        output_f = discriminator(fake.detach())
        error_d = (
            torch.mean((output_r - torch.mean(output_f) - labels) ** 2)
            + torch.mean((output_f - torch.mean(output_r) + labels) ** 2)
        ) / 2
        error_d.backward(retain_graph=True)
        optimizer_d.step()
        generator.zero_grad()
        output_r, output_f = discriminator(real_images), discriminator(fake)
        error_g = (
            torch.mean((output_r - torch.mean(output_f) + labels) ** 2)
            + torch.mean((output_f - torch.mean(output_r) - labels) ** 2)
        ) / 2
        error_g.backward()
        optimizer_g.step()

    return step


def our_step(config: TrainConfig, device: torch.device) -> Callable[[torch.Tensor], None]:
    """The body of `trainers.loop`."""
    random = GlobalRandom(0, device)
    random.start_epoch(1)
    family = build_family(config, device, random)

    def step(real: torch.Tensor) -> None:
        images = augment(to_unit_range(real), random.augmentation(len(real), config.data))
        family.step(images, images_seen=10_000, instance_sigma=0.0)

    return step


def rate(step: Callable[[torch.Tensor], None], batch: torch.Tensor, steps: int) -> float:
    """Images per second over `steps` steps."""
    if batch.is_cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step(batch)
    if batch.is_cuda:
        torch.cuda.synchronize()
    return steps * len(batch) / (time.perf_counter() - started)


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("image-size", 32), ("base-width", 24), ("batch-size", 64), ("steps", 20), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--copies", type=int, default=2, help="processes at once on the same CPUs; 0: leave this out")
    parser.add_argument("--openmp", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="settings to compare")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long these train")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    return parser


def main() -> None:
    """Alternate rounds of both loops and print medians and their ratio."""
    asked = parser().parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = TrainConfig.build(
        {},
        {
            "data.image_size": asked.image_size,
            "data.batch_size": asked.batch_size,
            "network.base_width": asked.base_width,
            "runtime.precision": asked.precision,
        },
    )
    images = torch.randint(0, 256, (asked.batch_size, 3, asked.image_size, asked.image_size), dtype=torch.uint8)
    raw = images.to(device)
    document, ours = document_step(config, device), our_step(config, device)
    document_rates, our_rates = [], []
    for round_number in range(asked.rounds + 1):
        rates = rate(document, to_unit_range(raw), asked.steps), rate(ours, raw, asked.steps)
        if round_number > 0:  # the first warms up
            document_rates.append(rates[0])
            our_rates.append(rates[1])
    print_setting("torch")
    print(
        f"{asked.image_size} px, base width {asked.base_width}, batch {asked.batch_size}, {asked.precision}, "
        f"{asked.steps} steps x {asked.rounds} rounds, {torch.get_num_threads()} threads, {device_name()}"
    )
    print(f"the article's loop  {statistics.median(document_rates):8.1f} images/s")
    print(f"trainers.loop        {statistics.median(our_rates):8.1f} images/s")
    ratios = [mine / theirs for mine, theirs in zip(our_rates, document_rates, strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")
    if device.type == "cpu" and asked.copies:
        print_sharing(asked.openmp, asked.copies, asked.seconds)


if __name__ == "__main__":
    main()
