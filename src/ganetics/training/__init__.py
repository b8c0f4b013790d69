"""Training of a GAN under a given loss: recipes, one loop, checkpoints, samples."""

from ganetics.training.loop import Diverged, TrainingState, start, train
from ganetics.training.recipes import RECIPES, recipe_for
from ganetics.training.sampling import sample

__all__ = ["RECIPES", "Diverged", "TrainingState", "recipe_for", "sample", "start", "train"]
