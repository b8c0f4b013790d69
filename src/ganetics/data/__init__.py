"""From the disk to uint8 tensors, once."""

from ganetics.data.cache import cache_folder
from ganetics.data.folder import channels_of
from ganetics.data.imageset import ImageSet, Skipped
from ganetics.data.load import NAMED, load, resolved

__all__ = ["NAMED", "ImageSet", "Skipped", "cache_folder", "channels_of", "load", "resolved"]
