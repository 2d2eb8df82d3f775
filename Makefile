# Everything a person types here. Each target sets up what it needs first; `make` alone lists them.
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
SETUP = tools/setup $(if $(PYTHON),--python $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types docs-check lock ci clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-20s %s\n' "  $$name" "$$text"; done

setup: ## make .venv from the lock; a moment when nothing changed (PYTHON=3.12 takes that one)
	@$(SETUP)

demo: setup ## engine, warehouse, dashboard and JupyterLab with the quickstart open (HEADLESS=1: no browser)
	@$(BIN)/workbench demo $(if $(filter-out 0 no false,$(HEADLESS)),--headless)

# a file at a time on each core, in the order of the suite; WORKERS=0 runs all in one process (for a debugger)
WORKERS ?= logical
test: setup ## every test (ARGS="tests/engine -x" for some)
	@$(BIN)/python tools/system_packages.py --install
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 $(ARGS); status=$$?; $(BIN)/python tools/system_packages.py --left-out; exit $$status

lint: setup ## style, format, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: setup ## mypy, strict
	@$(BIN)/mypy

docs-check: setup ## links and names in the documents, and the files generated from code
	@$(BIN)/python tools/check_drift.py

lock: setup ## requirements.lock and environment.yml from pyproject.toml (UPGRADE=1: newest versions)
	@tools/setup --lock $(if $(UPGRADE),--upgrade)
	@$(SETUP)
	@$(BIN)/python tools/check_drift.py --write

ci: ## what CI runs, in one command
	@bash .ci/run

clean: ## remove .venv and every cache of this clone
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
