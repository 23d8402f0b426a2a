# Every target makes the environment it needs; `make help` lists them.
PYTHON      ?= python3
TORCH       ?= torch==2.13.0
TORCH_INDEX ?=
VENV        ?= .venv
PY          := $(VENV)/bin/python
READY       := $(VENV)/.ready

# Small products on many threads wait for each other more than they compute.
export OMP_NUM_THREADS ?= 2
export TOKENIZERS_PARALLELISM ?= false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all check bench clean

help: ## list the targets and settings
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  TORCH_INDEX=https://download.pytorch.org/whl/cpu   where PyTorch comes from (default: pip's own index)"
	@echo "  PYTHON=$(PYTHON)  TORCH=$(TORCH)  VENV=$(VENV)"

install: $(READY) ## make the environment in .venv

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@# torch first, and bounded: left to itself, pip takes the newest CUDA build.
	$(PY) -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(PY) -m pip install --quiet --editable ".[cpu,dev]"
	@touch $@

demo: $(READY) ## fit and test QuRe and its baselines on Shapes; one table and report.html (~5 min)
	$(PY) -m experiments study --config experiments/qure/demo.yaml

test: $(READY) ## the quick tests (~10 min)
	$(PY) -m pytest -m "not slow"

test-all: check ## lint, types and every test, as CI does (~25 min)
	$(PY) -m pytest

check: $(READY) ## lint, formatting and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(READY) ## measure speed and memory into docs/performance.md
	$(PY) -m benchmarks

clean: ## remove the environment, caches and builds; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
