"""What can be said of a loss before anything is trained with it: its theory card, computed, not looked up.

:func:`theory_card` takes any :class:`ganetics.losses.GANLoss` and returns a record of facts that goes to JSON.
"""

from ganetics.losses.theory.build import theory_card
from ganetics.losses.theory.card import TheoryCard

__all__ = ["TheoryCard", "theory_card"]
