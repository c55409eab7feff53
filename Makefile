# `make demo` and `make test` set themselves up in .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
DEMO := .demo
CORES := $(shell nproc 2>/dev/null || echo 2)

.PHONY: help demo test lint setup clean tables

help:
	@echo "make demo    train a PredRNN on the bundled laser track, judge it, draw it (about 5 minutes)"
	@echo "make test    lint, type-check and test"
	@echo "make tables  write the tables of README.md and docs/ from results/"
	@echo "make clean   remove the virtual environment, the demo and caches"

.venv/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e .
	touch $@

.venv/.dev: .venv/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e ".[dev]"
	touch $@

setup: .venv/.core

demo: .venv/.core
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh $(DEMO)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(CORES) --dist loadgroup

tables: .venv/.core
	$(BIN)/python benchmarks/tables.py

clean:
	rm -rf .venv $(DEMO) .mypy_cache .ruff_cache .pytest_cache
