.DEFAULT_GOAL := help
.PHONY: help demo test check faults rehearsal gpu lock clean

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check -q -q

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(STAMP) ## search a small space on this machine, CPU or GPU
	@$(BIN)/gan-sweep launch --space ralsgan_motorbike --demo

test: $(STAMP) ## run every test, in two processes: most of the time a test waits for processes to start
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check: $(STAMP) ## lint, format, types, import rules: what CI runs before the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: $(STAMP) ## kill everything that can die, and look what is left
	@$(BIN)/python -m tests.faults.run

rehearsal: $(STAMP) ## a cluster without a cloud: machines go and come, the laptop dies, nodes grow from 0 and go
	@$(BIN)/python -m tests.rehearsal.run

gpu: $(STAMP) ## check all that needs a real GPU, at most 8 minutes on an H100
	@$(BIN)/python -m tests.gpu.run

# To move to newer versions: .venv/bin/pip install -U -e '.[offline,export,video,serve,dev]', make lock, make check test.
lock: ## write requirements.lock from what .venv holds
	@$(PIP) freeze --all --exclude-editable --exclude pip --exclude gan-sweep \
		| LC_ALL=C sort -f > requirements.lock.new
	@if grep -vE '^[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+$$' requirements.lock.new; then \
		rm requirements.lock.new; echo "the packages above have no plain version"; exit 1; fi
	@{ echo "# Every package that gan-sweep runs, tests and builds with. Python 3.11, Linux x86-64."; \
		echo "# Regenerate: make lock"; cat requirements.lock.new; } > requirements.lock
	@rm requirements.lock.new

clean: ## remove build outputs and caches; keeps .venv and sweeps
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "gan-sweep needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing into .venv (about 7 GB, several minutes)"
	@$(PYTHON) -m venv .venv
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
