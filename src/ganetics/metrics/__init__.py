"""Features, or scores and labels, in, numbers out. NumPy, SciPy and scikit-learn only."""

from ganetics.metrics.frechet import Gaussian, frechet_distance, gaussian
from ganetics.metrics.kernel import KernelDistance, kernel_distance
from ganetics.metrics.neighbours import CopyRate, NeighbourhoodScores, copy_rate, neighbourhood_scores

__all__ = [
    "CopyRate",
    "Gaussian",
    "KernelDistance",
    "NeighbourhoodScores",
    "copy_rate",
    "frechet_distance",
    "gaussian",
    "kernel_distance",
    "neighbourhood_scores",
]
