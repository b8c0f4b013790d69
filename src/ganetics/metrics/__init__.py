"""Features, or scores and labels, in, numbers out. NumPy, SciPy and scikit-learn only."""

from ganetics.metrics.copies import Copies, Known, known, look, proportion_interval
from ganetics.metrics.frechet import Gaussian, frechet_distance, gaussian
from ganetics.metrics.kernel import KernelDistance, kernel_distance
from ganetics.metrics.neighbours import NeighbourhoodScores, neighbourhood_scores

__all__ = [
    "Copies",
    "Gaussian",
    "KernelDistance",
    "Known",
    "NeighbourhoodScores",
    "frechet_distance",
    "gaussian",
    "kernel_distance",
    "known",
    "look",
    "neighbourhood_scores",
    "proportion_interval",
]
