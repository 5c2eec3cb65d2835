# The project's commands. `make run` and `make test` need only git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MEMORY_PROXY_HOME ?= $(CURDIR)/.memory-proxy

.PHONY: help run test lint bench build clean lock

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

$(VENV)/run.done: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.done: $(VENV)/run.done requirements/test.txt
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

run: $(VENV)/run.done ## install, launch LiteLLM and the proxy, print the URL, the key and two lines to paste
	@$(BIN)/memory-proxy up

test: lint ## install what tests need and pass them all
	$(BIN)/python -m pytest

lint: $(VENV)/test.done ## ruff, mypy, pyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/run.done ## measure the proxy against its provider, memory off and on
	$(BIN)/python -m benchmarks.proxy

build: $(VENV)/test.done ## the wheel and the source archive, in dist/
	$(BIN)/python -m build --no-isolation

lock: $(VENV)/run.done ## pin every dependency anew, with hashes and without an index
	$(BIN)/python requirements/lock.py

clean: ## remove what was built; memories in .memory-proxy stay
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
