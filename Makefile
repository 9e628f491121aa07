# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
export CLEARER_HOME ?= .clearer
# Tests start hundreds of processes, and each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install needs demo up test test-all pytest lint bench bench-subscriptions bench-service bench-softcart pictures clean

help:
	@echo "make demo      sample deliveries of four regions -> bronze -> silver -> gold, with the results on the screen"
	@echo "make up        the Dagster UI and daemon on what the demo made"
	@echo "make test      lint, types, import walls, dbt unit tests and tests"
	@echo "make test-all  the same and the slow ones: minutes of random kills"
	@echo "make bench     10,000,000 transactions beside a hand-written DuckDB script and pandas (about a quarter of an hour)"
	@echo "make bench-subscriptions  up to 1,000,000 stores beside PySpark (Java 17 is needed), pandas and a DuckDB script"
	@echo "make bench-service  rows a second through the REST service, beside the usual row-by-row one"
	@echo "make bench-softcart  1,000,000 sales from MariaDB to PostgreSQL, beside pandas and a pipe that only copies"
	@echo "make pictures  the README's pictures, taken anew"

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
		|| { echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@{ $(PIP) uv && $(UV) --editable '.[dev]'; } \
		|| { echo "uv could not install: pip does, which takes a minute or two longer"; $(PIP) --editable '.[dev]'; }
	@touch $@

demo: install
	@$(BIN)/clearer demo

up: install
	@$(BIN)/clearer up

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Files in the order of their folders: the long ones, few tests each, would else all come last.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15

# A MariaDB for the tests, where there is none; without it they say what they could not run.
needs: install
	@$(BIN)/python -m clearer_platform_tests.needs

# Side by side: lint and types are one process each, and tests often wait.
test: install needs
	@$(MAKE) --no-print-directory --jobs 2 lint pytest ONLY='-m "not slow"'

test-all: install needs
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: install
	$(PYTEST) $(ONLY)

bench: install
	$(BIN)/python -m bench

bench-subscriptions: install
	$(BIN)/python -m bench.subscriptions

bench-softcart: install needs
	$(BIN)/python -m bench.softcart

bench-service: install
	$(BIN)/python -m bench.service

pictures: install
	$(BIN)/python -m docs.pictures

clean:
	rm -rf .clearer bench/.work .mypy_cache .ruff_cache .pytest_cache .hypothesis
