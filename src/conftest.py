"""The docstrings of a module that needs an optional package are tested where that is (Keras: ``make test-keras``)."""

import os
from importlib.util import find_spec

OPTIONAL = {"keras": "ganetics/keras.py", "ray": "ganetics/execution/ray.py"}
os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras's own default is TensorFlow, installed or not
collect_ignore = [path for package, path in OPTIONAL.items() if not find_spec(package)]
