"""A finished generator, of a checkpoint or an exported model: images, large sets of them, pictures, animations."""

from trainers.inference.animation import check_video, save_animation
from trainers.inference.devices import find_device
from trainers.inference.exported import is_exported, load_exported, read_model
from trainers.inference.finished import FinishedGenerator
from trainers.inference.generate import generate, load_generator, translate
from trainers.inference.image_files import FORMATS, Filled, encode
from trainers.inference.pictures import tiled, walk, with_text
from trainers.inference.sets import Output, make_set, translate_set

__all__ = [
    "FORMATS",
    "Filled",
    "FinishedGenerator",
    "Output",
    "check_video",
    "encode",
    "find_device",
    "generate",
    "is_exported",
    "load_exported",
    "load_generator",
    "make_set",
    "read_model",
    "save_animation",
    "tiled",
    "translate",
    "translate_set",
    "walk",
    "with_text",
]
