# Two commands do everything on a fresh machine: `make demo` (the main job) and `make test` (all tests).
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin

.PHONY: help demo test check bench chaos soak schemas lock format clean

help:
	@echo "make demo    the main job on this machine: cards, plates and faces to an MQTT subscriber"
	@echo "make test    every test, against real servers (installs them where it runs as root on Debian)"
	@echo "make check   ruff and mypy --strict"
	@echo "make bench   speed and memory, as ratios measured in one run"
	@echo "make chaos   kills, cuts, full disks, dead networks: what was accepted, what arrived (CHAOS='--kills 1000' for more)"
	@echo "make soak    the whole program for an hour: does its memory grow (SOAK='--hours 24' for longer)"
	@echo "make schemas write docs/schemas and docs/asyncapi.json from the code"
	@echo "make lock    pin the dependencies again"

# Everything is pinned with hashes; the build tools come first, so that nothing unpinned is fetched to build others.
$(READY): pyproject.toml requirements/build.lock requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --require-hashes -r requirements/build.lock
	$(BIN)/pip install --quiet --require-hashes --no-build-isolation -r requirements/dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)
	$(BIN)/compound-gateway demo

test: $(READY)
	tests/install-servers
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY)
	tests/install-servers
	$(BIN)/python -m tests.bench

chaos: $(READY)
	$(BIN)/python -m tests.chaos $(CHAOS)

soak: $(READY)
	tests/install-servers
	$(BIN)/python -m tests.soak $(SOAK)

schemas: $(READY)
	$(BIN)/compound-gateway schemas docs

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements/build.in -o requirements/build.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra dev -o requirements/dev.lock

clean:
	rm -rf $(VENV) build dist demo-data bench-out chaos-out soak.svg soak.csv
