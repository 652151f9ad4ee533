# Two commands do all the set-up: `make demo` and `make test`. Needs Python 3.11+ and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= out/demo
SAMPLE := examples/sample-audit.log.gz

# Tests often wait for servers: two at a time take little more than half of the time of one. Each
# process starts a broker and a node of its own, so more of them need the memory for it. Faults under
# load need the machine for themselves, and go after the others.
JOBS ?= 2

EVENTS ?= 1000000
LABELLED ?= ../shared/data/kubernetes-audit

.PHONY: setup demo test check e2e chaos notebooks bench bench-stream fuzz score lock docs clean help
.DEFAULT_GOAL := help

help:  ## show what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## create the environment in .venv from the lock file

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## scan the sample that ships here; prints findings and where the report is
	$(BIN)/trailwarden scan $(SAMPLE) --cluster sample --out $(OUT)

test: $(READY)  ## run all tests; starts a real Kafka and a real Elasticsearch for those that need them
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --ignore tests/faults --ignore tests/e2e
	$(BIN)/python -m pytest tests/faults tests/e2e

e2e: $(READY)  ## the sample through collectors, Kafka, worker and Elasticsearch, compared with a scan
	$(BIN)/python -m pytest tests/e2e

chaos: $(READY)  ## faults at their long dose: kills, zombies, rebalances, storms, full disks
	TRAILWARDEN_FAULT_DOSE=chaos TRAILWARDEN_MODEL_RUNS=20000 $(BIN)/python -m pytest tests/worker/test_checkpoint_model.py tests/faults tests/e2e

check: $(READY)  ## lint, format, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests
	MYPYPATH=benchmarks $(BIN)/mypy benchmarks
	$(BIN)/mypy --explicit-package-bases notebooks
	$(BIN)/python -m pytest -q tests/test_structure.py

bench: $(READY)  ## measure: CPU per event of each stage and of the whole path
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/formats.py

bench-stream: $(READY)  ## measure: events a second from Kafka to committed, latency, memory
	$(BIN)/python benchmarks/stream.py

notebooks: $(READY)  ## execute the notebooks on the sample; writes out/notebooks
	$(BIN)/python notebooks/run.py --out out/notebooks

fuzz: $(READY)  ## run mutated events through the whole path (EVENTS=1000000)
	$(BIN)/python tests/fuzz_events.py $(EVENTS)

score: $(READY)  ## score the findings against a labelled recording (LABELLED=DIR)
	$(BIN)/python benchmarks/score.py $(LABELLED)

docs: $(READY)  ## write the generated pages again
	$(BIN)/python tests/generate_docs.py

lock:  ## resolve the lock files again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements/runtime.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml --all-extras --group dev -o requirements/dev.lock
	printf 'hatchling\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --constraints requirements/dev.lock - -o requirements/build.lock

clean:  ## remove what was made
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
