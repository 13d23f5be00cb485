# codesign: 'make demo' sets everything up on first use, runs the shipped study, and says where its report is.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON  ?= python3
WORKERS ?= $(shell nproc 2>/dev/null || echo 1)
STUDY   ?= search/jet-tagger.yaml

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

# the many short processes of tests, searches and records read what the first of them has compiled
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup tools finn demo docs test stress fuzz numbers replay replay-trained nightly lint types bench bench-kept bench-peers bench-constituents calibration lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

tools:  # what pip cannot bring
	@need() { \
	  command -v "$$1" >/dev/null || { \
	    echo "error: $$1 is needed $$2; Debian, Ubuntu: apt install $$3; Fedora: dnf install $$4" >&2; exit 1; }; }; \
	need $(PYTHON) "to run anything" "python3 python3-venv" python3; \
	need g++ "to simulate firmware" g++ gcc-c++; \
	need make "to simulate firmware" make make; \
	need perl "to simulate firmware" perl perl; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or newer is needed, $$($(PYTHON) --version) is too old;" \
	    "Debian, Ubuntu: apt install python3.11 python3.11-venv; Fedora: dnf install python3.11;" \
	    "then: make PYTHON=python3.11" >&2; exit 1; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: Python's venv module is needed; Debian, Ubuntu: apt install python3-venv; Fedora: dnf install python3" >&2; \
	  exit 1; }

$(READY): requirements.lock pyproject.toml | tools
	@echo "setting up $(VENV): a minute or two, once"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(READY)  ## set up .venv from requirements.lock

finn: $(READY)  ## set up FINN, in an environment of its own in the cache folder
	@$(BIN)/codesign doctor --install finn

demo: $(READY)  ## run the shipped study and write its report
	@$(BIN)/codesign run $(STUDY) --workers $(WORKERS)

docs: $(READY)  ## build the documentation into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q
	@echo "build/site/index.html"

numbers: $(READY)  ## write the numbers of the records into README and documentation
	@PYTHONPATH=. $(BIN)/python -m tests.documents

test: $(READY)  ## run the tests
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 20

stress: $(READY)  ## send a million events through the AXI4-Stream wrappers, with stalls and resets: some minutes
	@$(BIN)/python -m pytest -n 0 -m slow -k million tests/verify

replay: $(READY)  ## generate from the committed designs and compare with what they gave before
	@PYTHONPATH=. $(BIN)/python -m tests.replay

replay-trained: $(READY)  ## train small searches at BASE (a commit) and now, and compare every value
	@PYTHONPATH=. $(BIN)/python -m tests.replay.trained $(if $(BASE),--base $(BASE))

bench-kept: $(READY)  ## measure the speed of BASE (a commit) and of now, in turn
	@PYTHONPATH=. $(BIN)/python -m tests.benchmarks.kept $(if $(BASE),--base $(BASE))

nightly: $(READY)  ## run all that takes long, in parts, or PART alone; goes on where it was
	@PYTHONPATH=. $(BIN)/python -m tests.nightly $(PART)

fuzz: $(READY)  ## give 5,000 damaged files to the commands that read them, and watch what happens
	@PYTHONPATH=. $(BIN)/python -m tests.security.fuzz --count 5000 --output reports/reference/fuzz.json

lint: $(READY)  ## check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)  ## check types
	@$(BIN)/mypy

bench: $(READY)  ## run the benchmarks
	@PYTHONPATH=. $(BIN)/python tests/benchmarks/bench.py

calibration: $(READY)  ## measure 72 networks with every tool here, two hours on one core; goes on where it was
	@$(BIN)/python -m codesign.calibration.run runs/calibration --output reports/reference/calibration.json

bench-peers: $(READY)  ## compare with HGQ2 and alkaid, in an environment of their own in the cache folder
	@PYTHONPATH=. $(BIN)/python -m tests.benchmarks.peers

bench-constituents: $(READY)  ## compare with HGQ2 on the constituents of jets, unrolled and folded; goes on where it was
	@PYTHONPATH=. $(BIN)/python -m tests.benchmarks.sets --published

# What is installed, and what builds this package (hatchling, and editables for 'pip install -e'); without what only this machine has: this package itself, local paths, and local version labels.
lock:  ## write what is installed in .venv into requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check hatchling editables
	@$(BIN)/python -m pip freeze --all --exclude-editable --exclude codesign --exclude pip \
	  | grep -v -e ' @ ' -e '^-e' -e '^#' | sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f > requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@echo "requirements.lock: $$(wc -l < requirements.lock) packages"

clean:  ## remove .venv and caches; runs and reports stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
