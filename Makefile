# Everything is done in a virtual environment of its own, made on first use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint types extras gallery ulp quality bench clean

demo: $(VENV)/installed
	$(RUN) examples/digits.py

test: lint types $(VENV)/installed
	$(RUN) -m pytest -n 2

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/installed
	$(RUN) -m mypy

extras:
	$(PYTHON) tests/scripts/extras.py

gallery: $(VENV)/installed
	$(RUN) docs/gallery.py

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

clean:
	rm -rf $(VENV) demo dist
