# What people type. Needs Python 3.11 or newer, make and a package index; fetches uv and the rest by itself.
# Everything stays in this folder: .venv (the environment), .tools (uv, if the machine has none).

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

READY := .venv/.ready
ENVIRONMENT := .venv/.environment
PYTHON := .venv/bin/python
FLEET := .venv/bin/fleet-tui
PYTEST := $(PYTHON) -m pytest
# Tests wait more than they work: six at a time fill two cores. Those that must not share a machine with their like carry
# the same xdist group.
PARALLEL := -n 6 --dist loadgroup

# The machine's uv if it accepts this project (not missing, not a dead shim, not too old), else our own.
OWN_UV := .tools/bin/uv
UV := $(or $(shell uv cache dir >/dev/null 2>&1 && command -v uv),$(CURDIR)/$(OWN_UV))
export UV
# Bytecode at install time: the console starts in half the time.
export UV_COMPILE_BYTECODE := 1
# Trust what the machine trusts, as pip does: a company's proxy has its own certificates.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= 1
endif
# Another active environment is none of our business.
unexport UV_PROJECT_ENVIRONMENT VIRTUAL_ENV PYTHONHOME
# Without a home that can be written there is no place for uv's caches but here.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.tools/python
endif

.PHONY: help setup run test test-long test-agents fuzz check lint types unit collect bench rows sim snap keys pictures clean

help: ## say what can be typed
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(READY) ## make the environment; the other targets do it when needed
	@:

run: $(READY) ## the console over a fleet that works through a code base; ARGS="PATH --seconds 30"
	@"$(FLEET)" demo $(ARGS)

test: $(READY) ## every test but the slow ones, after lint and types; at most 15 minutes on 2 cores
	@$(MAKE) --keep-going -j 3 --output-sync=target lint types collect; gate=$$?; \
	rm -f .pytest_cache/v/cache/lastfailed; \
	$(PYTEST) $(PARALLEL) $(ARGS); tests=$$?; \
	if [ $$tests -eq 1 ]; then $(PYTHON) tests/once_more.py; tests=$$?; fi; \
	exit $$((gate | tests))

test-long: $(READY) ## the long fuzz, chaos, soak and corpus runs, and properties with all examples
	@$(PYTEST) -m "slow or hypothesis" --hypothesis-profile long --timeout 0 $(ARGS)

test-agents: $(READY) ## real Claude Code and Codex against the mock model, clients of others and a GitHub, the slow tests too; npm fetches them into .tools
	@$(PYTEST) -m "slow or not slow" --timeout 900 $(ARGS) tests/integration/test_real_agents.py tests/integration/test_real_sessions.py tests/integration/test_acp_sessions.py tests/integration/test_mcp_agents.py tests/integration/test_other_clients.py tests/integration/test_github_emulated.py

# Guided by coverage: what agents and other people's servers may say. ARGS=-max_total_time=600 for ten minutes each; FUZZ=openai for one.
FUZZ ?= $(shell $(PYTHON) -c 'from tests.fuzz.targets import TARGETS; print(*TARGETS)')
fuzz: $(READY) ## what agents may say, byte by byte, guided by coverage (atheris); a minute for each of 10 readers
	@"$(UV)" pip install --quiet --python $(PYTHON) 'atheris>=3'
	@for target in $(FUZZ); do echo "$$target"; $(PYTHON) -m tests.fuzz.guided $$target .fuzz/$$target -max_total_time=60 -verbosity=0 $(ARGS) || exit 1; done

check: $(READY) ## the gate of every change: lint, types, imports, tidiness, unit tests; under a minute
	@$(MAKE) --keep-going -j 3 --output-sync=target lint types unit collect

lint: $(READY)
	@$(PYTHON) -m ruff check --quiet --output-format concise . && echo "lint: clean"

types: $(READY)
	@$(PYTHON) -m mypy --no-error-summary && echo "types: clean"

# The tests directly in tests/ judge the code as text: imports, sizes, secrets.
unit: $(READY)
	@$(PYTEST) -n 2 --dist loadgroup --quiet tests/unit tests/acceptance tests/test_*.py $(ARGS)

# The other tests are too long for every change, but each of them must still find what it imports. Before a whole run it
# rewrites the assertions of each file once; else every worker would do so for itself.
collect: $(READY)
	@$(PYTEST) --quiet --collect-only tests/integration tests/ui tests/bench >.venv/collected 2>&1 || { cat .venv/collected; exit 1; }

bench: $(READY) ## the benchmarks, as JSON; NAME="register dispatch" for some
	@"$(FLEET)" bench --json $(NAME)

rows: $(READY) ## which acceptance rows the tests show, and which have none
	@$(PYTEST) $(PARALLEL) --quiet --rows -m row --timeout 0 $(ARGS)

SEED ?= 1
sim: $(READY) ## one simulated fleet life; SEED=n replays it
	@$(PYTHON) -m engine.simulation.runner --seed $(SEED) $(ARGS)

pictures: $(READY) ## make docs/pictures anew from a real engine at work
	@$(PYTHON) -m tests.tools.pictures

keys: $(READY) ## make docs/keys.md anew from the table of keys
	@$(PYTHON) -m tests.tools.keys_page

snap: $(READY) ## take the pictures anew and list those that changed, for review
	@$(PYTEST) --quiet tests/ui --update-snapshots $(ARGS); git status --short snapshots

clean: ## remove what can be made again
	rm -rf .venv .tools dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# A mirror named in the environment gets the locked versions and hashes; uv's sync would ask the index of the lock file.
MIRROR := $(or $(UV_DEFAULT_INDEX),$(UV_INDEX_URL),$(PIP_INDEX_URL))
ifneq ($(MIRROR),)
export UV_DEFAULT_INDEX ?= $(MIRROR)
endif

# One file says that all is ready. The booster's module is made anew when its sources change; right after the
# environment was made, uv finds nothing left to do.
$(READY): $(ENVIRONMENT) hatch_build.py engine/booster/build.py $(wildcard engine/booster/wasm/*)
	@"$(UV)" pip install --quiet --python $(PYTHON) --no-deps --editable .
	@touch $@

# The environment is made anew when the lock file changes.
$(ENVIRONMENT): pyproject.toml uv.lock $(if $(findstring $(CURDIR)/$(OWN_UV),$(UV)),$(OWN_UV))
ifeq ($(MIRROR),)
	@"$(UV)" sync --quiet --locked
else
	@"$(UV)" venv --quiet --clear .venv
	@"$(UV)" export --quiet --frozen --no-emit-project --output-file .venv/locked.txt
	@"$(UV)" pip install --quiet --python $(PYTHON) --require-hashes --requirements .venv/locked.txt
	@"$(UV)" pip install --quiet --python $(PYTHON) --no-deps --editable .
endif
	@$(PYTHON) -m compileall -q engine fleet_tui screens themes
	@touch $@

$(OWN_UV):
	@python=$$(for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done); \
	if [ -z "$$python" ]; then \
	  echo "fleet-tui needs Python 3.11 or newer, and none was found: apt install python3 (or brew install python)" >&2; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make environments: apt install python3-venv (or install uv), then run make again" >&2; exit 1; fi; \
	echo "fetching uv into .tools" >&2; \
	rm -rf .tools/bin && $$python -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
