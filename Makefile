# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
OUT ?= runs/demo
RELOAD := pyproject.toml constraints.txt

.PHONY: demo test test-unit lint format bench clean assets help

help:
	@echo "make demo       set up, tune the embedded model on embedded data, write a report (about 10 minutes)"
	@echo "make test       set up and run the tests"
	@echo "make test-unit  the quick tests only"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make bench      side-by-side measurements against the peers"

$(STAMP)/packages: $(RELOAD)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/tools: $(STAMP)/packages
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(STAMP)/assets: $(STAMP)/packages src/tutelage/assets/catalogue.toml
	$(BIN)/tutelage assets install small
	@touch $@

assets: $(STAMP)/assets

demo: $(STAMP)/assets
	$(BIN)/tutelage tune --config examples/demo.toml --out $(OUT)

test: $(STAMP)/tools $(STAMP)/assets
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests
	$(BIN)/python -m pytest -n 2 -m slow tests

test-unit: $(STAMP)/tools $(STAMP)/assets
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/properties

lint: $(STAMP)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)/tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)/tools $(STAMP)/assets
	$(BIN)/python bench/divergence.py
	$(BIN)/python bench/distillation_step.py

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
