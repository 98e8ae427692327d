# Every target sets up what it needs: a virtual environment in .venv with the package installed into it.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install run reproduce test test-slow test-all coverage lint docs bench bench-compare

TABLES := $(shell sed -n '/^tables:/,/^rows:/s/^  \([a-z0-9]*\):.*/\1/p' experiments/rows.yaml)
SEEDS ?= 0,1,2
ifneq ($(filter reproduce,$(MAKECMDGOALS)),)
  ifneq ($(words $(TABLE)) $(filter $(TABLES),$(TABLE)),1 $(TABLE))
    $(error TABLE=$(TABLE) is no table; give one of $(TABLES), for example: make reproduce TABLE=cifar10)
  endif
endif

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -q -e '.[dev]'
	@touch $@

install: .venv/installed  ## the virtual environment .venv, with lta in it

run: install  ## train vgg_att3 (pc) on digit_scenes and show what it attends to: minutes on two CPU cores, offline
	$(BIN)/python -m lta.run experiment=quickstart

reproduce: install  ## every row of one of the paper's tables, with seeds: TABLE=cifar10 [SEEDS=0,1,2] [ARGS='recipe.epochs=30']
	$(BIN)/python -m lta.run -m 'experiment=glob($(TABLE)_*)' 'seed=choice($(SEEDS))' $(ARGS)

lint: install  ## ruff: what it finds wrong, and the format; basedpyright: types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python --level error
	@touch .venv/linted

# Types take a minute: before tests, they are looked at where something has changed since.
.venv/linted: .venv/installed $(shell find . -path ./.venv -prune -o \( -name '*.py' -o -name '*.ipynb' \) -print)
	@$(MAKE) --no-print-directory lint

docs: install  ## the documentation, in docs/_build/html: offline, and a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html
	@touch docs/_build/built

TESTS := -m pytest -q -n auto --dist worksteal
# Python may keep what it has compiled, whatever the shell says: each process would compile all tests again.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python $(TESTS)

test: .venv/linted  ## the fast tests, a process on each core
	$(PYTEST) -m 'not slow'

# One process more than there are cores: many of these tests wait, for servers, signals and limits of time. They read only
# the files that have some.
test-slow: .venv/linted  ## the slow tests alone
	$(PYTEST) $$(grep -rl 'mark[.]slow' tests --include='test_*.py') -m slow -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)')

test-all: .venv/linted  ## the fast and the slow tests
	$(PYTEST)

coverage: install  ## which lines and branches of lta all tests together run, and each of them
	$(BIN)/python -m coverage erase
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run $(TESTS)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report --skip-covered

BENCHMARKS := start dropout step muon attention_share precision memory framework panel processes resident input_pipeline preprocess predict sweep

bench: install  ## what lta claims about its speed, measured here (about an hour on two cores), kept below benchmarks/results
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-compare: install  ## what two commits' `make bench` found: [COMMITS='BEFORE AFTER'], else the last two
	@$(BIN)/python benchmarks/compare.py $(COMMITS)
