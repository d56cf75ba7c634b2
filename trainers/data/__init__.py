"""Images for training: any folder of files becomes a memory-mapped cache of uint8 squares, read in whole batches.

`build_cache` decodes a folder once per content, image size and fit, and reports every file that it could not use;
`ImageCache` gives batches; `draw_augmentation` and `augment` flip and rotate them on their own device;
`draw_motorbikes` makes a folder of images for machines that have none.
"""

from trainers.data.augment import Augmentation, augment, draw_augmentation, to_uint8, to_unit_range
from trainers.data.cache import build_cache, require_images
from trainers.data.decode import SkippedError, SkipReason, decode_image, find_files
from trainers.data.reader import ImageCache
from trainers.data.report import BuildReport, SkippedFile, report_path
from trainers.data.synthetic import draw_motorbikes

__all__ = [
    "Augmentation",
    "BuildReport",
    "ImageCache",
    "SkipReason",
    "SkippedError",
    "SkippedFile",
    "augment",
    "build_cache",
    "decode_image",
    "draw_augmentation",
    "draw_motorbikes",
    "find_files",
    "report_path",
    "require_images",
    "to_uint8",
    "to_unit_range",
]
