"""Measuring generators: feature extractors, moments, Frechet distance, FID."""

from trainers.metrics.beside import KEPT, Beside, beside_name, measure_beside
from trainers.metrics.extractor import Extractor
from trainers.metrics.fid import FidResult, measure_fid, protocol_name
from trainers.metrics.folder_fid import (
    METRICS,
    Comparison,
    compare_folders,
    fid_between_folders,
    find_images,
    image_sizes,
)
from trainers.metrics.folder_sets import FolderFid, fid_of_folder
from trainers.metrics.frechet import RealStatistics, frechet_distance
from trainers.metrics.moments import FEWEST, Moments
from trainers.metrics.registry import build_extractor, extractor_names, register_extractor
from trainers.metrics.statistics_cache import real_features, real_statistics

__all__ = [
    "FEWEST",
    "KEPT",
    "METRICS",
    "Beside",
    "Comparison",
    "Extractor",
    "FidResult",
    "FolderFid",
    "Moments",
    "RealStatistics",
    "beside_name",
    "build_extractor",
    "compare_folders",
    "extractor_names",
    "fid_between_folders",
    "fid_of_folder",
    "find_images",
    "frechet_distance",
    "image_sizes",
    "measure_beside",
    "measure_fid",
    "protocol_name",
    "real_features",
    "real_statistics",
    "register_extractor",
]
