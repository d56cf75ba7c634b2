"""A finished generator: images from a checkpoint."""

from trainers.inference.generate import generate, load_generator, translate

__all__ = ["generate", "load_generator", "translate"]
