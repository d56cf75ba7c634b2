"""Images for training: any folder of files becomes a memory-mapped cache of uint8 squares, read in whole batches.

`build_cache` decodes a folder once per content, image size and fit, and reports every file that it could not use;
datasets of `trainers.data.prepare` are taken as folders are. `ImageCache` gives batches; `draw_augmentation` and
`augment` crop, flip and rotate them, and change their contrast, on their own device; `draw_synthetic` makes a folder of
images for machines that have none, `draw_motorbikes` one of motorbikes.
"""

from trainers.data.augment import Augmentation, augment, draw_augmentation, to_uint8, to_unit_range, upload_epoch
from trainers.data.cache import build_cache
from trainers.data.cache_report import BuildReport, SkippedFile, report_path
from trainers.data.decode import SkippedError, SkipReason, decode_image
from trainers.data.domain_folders import find_domains
from trainers.data.enough import require_distinct, require_files, require_images
from trainers.data.files import find_files
from trainers.data.heldout import split
from trainers.data.labels import find_classes, read_labels
from trainers.data.reader import ImageCache
from trainers.data.shards import prepared_tags
from trainers.data.synthetic import SYNTHETIC, draw_motorbikes, draw_synthetic
from trainers.data.tags import read_tags

__all__ = [
    "SYNTHETIC",
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
    "draw_synthetic",
    "find_classes",
    "find_domains",
    "find_files",
    "prepared_tags",
    "read_labels",
    "read_tags",
    "report_path",
    "require_distinct",
    "require_files",
    "require_images",
    "split",
    "to_uint8",
    "to_unit_range",
    "upload_epoch",
]
