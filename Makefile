# Everything is done in a virtual environment of its own, made on first use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
QUICK_VENV ?= .venv-quick
MUTANTS_VENV ?= .venv-mutants
RUN := $(VENV)/bin/python

.PHONY: demo test quick gpu lint types extras mutants oldest newest wasm versions gallery tutorials docs docs-serve ulp quality bench clean

demo: $(VENV)/installed
	$(RUN) examples/digits.py

test: lint types $(VENV)/installed
	$(RUN) -m pytest -n 2 --dist worksteal

# The library without its adapters, in less than a minute. The environment has NumPy and small
# libraries, and is made in a quarter of a minute. Tests that need a framework are skipped by name.
quick: $(QUICK_VENV)/installed
	$(QUICK_VENV)/bin/python -m pytest -n 2 --dist worksteal lrsched $(addprefix tests/,arrays cli configs controllers core formats numerics range_test schedules sweep)

# What needs a GPU, in two minutes, with an installation of torch or JAX for one:
# `make gpu RUN=python`. With DEVICE=cpu it runs on the CPU. Nothing else collects these files.
DEVICE ?= gpu
gpu:
	DEVICE=$(DEVICE) JAX_PLATFORMS=$(DEVICE:gpu=) $(RUN) -m pytest tests/gpu -o python_files='*_check.py'

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/installed
	$(RUN) -m mypy

extras:
	$(PYTHON) tests/scripts/extras.py

# Changes the sources one place at a time, SAMPLE times in each room, and shows what no test notices.
SAMPLE ?= 40
mutants: $(VENV)/installed $(MUTANTS_VENV)/installed
	$(RUN) tests/scripts/mutants.py $(MUTANTS_VENV)/bin/python --sample $(SAMPLE)

# The tests with the lowest versions that are declared, with the newest, and on a newer CPython in
# WebAssembly (with node and npm). Each makes its environments and records what came out;
# `make versions` writes docs/reference/versions.md.
SIDES := core jax keras torch
RECORD := --record
oldest: $(VENV)/installed
	$(RUN) -m tests.scripts.versions oldest $(RECORD) $(SIDES)

newest: $(VENV)/installed
	$(RUN) -m tests.scripts.versions newest $(RECORD)

wasm: $(VENV)/installed
	$(RUN) -m tests.scripts.wasm $(RECORD)

versions: $(VENV)/installed
	$(RUN) -m docs.versions

gallery: $(VENV)/installed
	$(RUN) -m docs.gallery

# What the tutorials print and draw, in half a minute.
tutorials: $(VENV)/installed
	$(RUN) -m docs.notebooks

# The site, in build/docs. `make docs-serve` shows it on this machine only.
DOCS := build/docs
PORT ?= 8000
docs: $(VENV)/docs-installed
	$(RUN) -m sphinx -b html -j 2 -W --keep-going -q docs $(DOCS)

docs-serve: docs
	$(RUN) -m http.server $(PORT) --bind 127.0.0.1 --directory $(DOCS)

ulp: $(VENV)/installed
	$(RUN) -m benchmarks.run ulp

quality: $(VENV)/installed
	$(RUN) -m benchmarks.run quality

bench: $(VENV)/installed
	$(RUN) -m benchmarks.run

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/docs-installed: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

$(QUICK_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(QUICK_VENV)
	$(QUICK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cli]' \
		array-api-strict hypothesis jsonschema mpmath omegaconf pytest pytest-xdist
	touch $@

$(MUTANTS_VENV)/installed:
	$(PYTHON) -m venv $(MUTANTS_VENV)
	$(MUTANTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check cosmic-ray==8.7.0
	touch $@

clean:
	rm -rf $(VENV) .venv-* build demo dist docs/reference/api docs/reference/schedules
