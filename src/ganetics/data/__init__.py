"""From the disk to tensors of 8 or 16 bits, once."""

from ganetics.data.cache import cache_folder
from ganetics.data.imageset import ImageSet, Skipped, to_8_bits
from ganetics.data.load import NAMED, channels_of, is_named, load, resolved

__all__ = ["NAMED", "ImageSet", "Skipped", "cache_folder", "channels_of", "is_named", "load", "resolved", "to_8_bits"]
