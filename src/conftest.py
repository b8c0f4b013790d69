"""The Keras adapter's docstrings are tested where Keras is: ``make test-keras``."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("keras") else ["ganetics/keras.py"]
