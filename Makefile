# make quickstart   install, fetch a small real model, train it, write a report
# make test         install what tests need, run them all
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help quickstart test check fmt bench docs clean

help: ## these words
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

quickstart: ## install, then run recipes/quickstart.toml (under 20 minutes on two slow cores)
	@PYTHON=$(PYTHON) tools/setup.sh run
	@$(BIN)/guerdon train recipes/quickstart.toml

test: ## install, then run the whole test suite
	@PYTHON=$(PYTHON) tools/setup.sh dev
	@$(BIN)/pytest -m "not gpu"

check: ## lint, types, layers
	@PYTHON=$(PYTHON) tools/setup.sh dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: ## format
	@PYTHON=$(PYTHON) tools/setup.sh dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: ## every benchmark in a short run, one table (under 30 minutes, once the peers' environments are made)
	@PYTHON=$(PYTHON) tools/setup.sh run
	@$(BIN)/python benchmarks/bench.py

docs: ## build the site into site/
	@PYTHON=$(PYTHON) tools/setup.sh docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

clean: ## remove what can be made again
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
