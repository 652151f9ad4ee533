# Two commands do all the set-up: `make demo` and `make test`. Needs Python 3.11+ and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= out/demo
SAMPLE := examples/sample-audit.log.gz

EVENTS ?= 1000000
LABELLED ?= ../shared/data/kubernetes-audit

.PHONY: setup demo test check bench fuzz score lock docs clean help
.DEFAULT_GOAL := help

help:  ## show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## create the environment in .venv from the lock file

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## scan the sample that ships here; prints findings and where the report is
	$(BIN)/trailwarden scan $(SAMPLE) --cluster sample --out $(OUT)

test: $(READY)  ## run all tests
	$(BIN)/python -m pytest

check: $(READY)  ## lint, format, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests
	MYPYPATH=benchmarks $(BIN)/mypy benchmarks
	$(BIN)/python -m pytest -q tests/test_structure.py

bench: $(READY)  ## measure: CPU per event of each stage and of the whole path
	$(BIN)/python benchmarks/run.py

fuzz: $(READY)  ## run mutated events through the whole path (EVENTS=1000000)
	$(BIN)/python tests/fuzz_events.py $(EVENTS)

score: $(READY)  ## score the findings against a labelled recording (LABELLED=DIR)
	$(BIN)/python benchmarks/score.py $(LABELLED)

docs: $(READY)  ## write the generated pages again
	$(BIN)/python tests/generate_docs.py

lock:  ## resolve the lock files again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements/runtime.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml --all-extras --group dev -o requirements/dev.lock

clean:  ## remove what was made
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
