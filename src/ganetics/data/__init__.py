"""From the disk to uint8 tensors, once."""

from ganetics.data.cache import cache_folder
from ganetics.data.imageset import ImageSet, Skipped
from ganetics.data.load import load

__all__ = ["ImageSet", "Skipped", "cache_folder", "load"]
