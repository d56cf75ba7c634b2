"""Turns a messy folder into a clean dataset, and reports every file that is left out with the reason.

`prepare` decodes, crops, judges and writes Parquet shards; `PrepareOptions` says what is kept and how;
`prepared_tags` reads the tags of a dataset. `build_cache` takes the result as it takes a folder.
"""

from trainers.data.manifest import Manifest, find_manifest
from trainers.data.prepare.detection import Detections, Detector, DropReason
from trainers.data.prepare.options import PrepareOptions
from trainers.data.prepare.run import Prepared, prepare
from trainers.data.shards import Row, prepared_tags, read_dataset, read_images

__all__ = [
    "Detections",
    "Detector",
    "DropReason",
    "Manifest",
    "PrepareOptions",
    "Prepared",
    "Row",
    "find_manifest",
    "prepare",
    "prepared_tags",
    "read_dataset",
    "read_images",
]
