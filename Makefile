# Everything is done in a virtual environment of its own, made on first use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
QUICK_VENV ?= .venv-quick
MUTANTS_VENV ?= .venv-mutants
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check

.PHONY: demo examples test quick gpu lint types extras mutants oldest newest wasm versions gallery ulp quality
.PHONY: bench tutorials docs docs-serve docs-test explorer dist clean

demo: $(VENV)/installed
	$(RUN) examples/digits.py

# Runs the examples of examples/README.md, which draw its pictures, in three minutes.
EXAMPLES := flax_nnx language_model sweep torch_loop fine_tuning transformers_trainer lightning_module keras_fit
examples: $(VENV)/installed
	for name in $(EXAMPLES); do \
		KERAS_BACKEND=jax $(RUN) examples/$$name.py --output examples/pictures/$$name.png || exit 1; \
	done

test: lint types $(VENV)/installed
	$(RUN) -m pytest -n 2 --dist worksteal

# The library without its adapters, in less than a minute. The environment has NumPy and small
# libraries, and is made in a quarter of a minute. Tests that need a framework are skipped by name.
quick: $(QUICK_VENV)/installed
	$(QUICK_VENV)/bin/python -m pytest -n 2 --dist worksteal lrsched $(addprefix tests/,arrays cli configs controllers core explorer formats numerics range_test schedules sweep)

# What needs a GPU, in two minutes, with an installation of torch or JAX for one:
# `make gpu RUN=python`. With DEVICE=cpu it runs on the CPU. Nothing else collects these files.
DEVICE ?= gpu
gpu:
	DEVICE=$(DEVICE) JAX_PLATFORMS=$(DEVICE:gpu=) $(RUN) -m pytest tests/gpu -o python_files='*_check.py'

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/installed
	$(RUN) -m mypy --num-workers 2

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

# The source distribution and the wheel, with the explorer's page in them; the wheel is installed
# into an empty environment, and used there.
dist: explorer $(VENV)/installed
	rm -rf dist
	$(PIP) twine
	$(RUN) -m build
	$(RUN) -m twine check --strict dist/*
	$(RUN) -m tests.scripts.try_wheel dist/*.whl

ulp: $(VENV)/installed
	$(RUN) -m benchmarks.run ulp

quality: $(VENV)/installed
	$(RUN) -m benchmarks.run quality

bench: $(VENV)/installed
	$(RUN) -m benchmarks.run

# The page of `lrsched explore`, with node and npm, into $(PAGE): index.html and what it needs.
PAGE := lrsched/explorer/page
explorer:
	cd explorer && npm ci --no-audit --no-fund && node build.mjs $(abspath $(PAGE))

# Drives the site and the explorer in a browser. As root on Debian it installs chromium.
CHROMIUM ?= $(shell command -v chromium || echo /usr/bin/chromium)
docs-test: explorer docs
	@test -x $(CHROMIUM) || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null; } || \
		{ echo "docs-test: install chromium, and name it: make docs-test CHROMIUM=/path/to/chromium"; exit 1; }
	test -x $(CHROMIUM) || { apt-get update -qq && apt-get install -qq -y chromium; }
	CHROMIUM=$(CHROMIUM) $(RUN) -m pytest tests/browser -o python_files='*_check.py' -s

# pip installs torch, as it may be set up to take a certain build, and uv the rest, in a third of the
# time. Where only pip is told which index to use, uv finds nothing there, and pip does it all.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps -c constraints.txt torch uv
	$(RUN) -m uv pip install --quiet --compile-bytecode -c constraints.txt -e '.[dev]' \
		|| $(PIP) -c constraints.txt -e '.[dev]'
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
