# Everything sets itself up: a virtual environment in .venv, with what setup.py names.
PYTHON ?= python3
VENV ?= .venv
RUN_DIR ?= runs/demo
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint format check clean

demo: $(VENV)/.installed  ## search on embedded data, train two networks, compare: 5 minutes
	$(BIN)/python tools/demo.py --run_dir=$(RUN_DIR)

test: $(VENV)/.installed-dev  ## the tests that need no network and no GPU
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/.installed-dev  ## kills, long runs
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test  ## what CI runs

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-dev: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.installed
