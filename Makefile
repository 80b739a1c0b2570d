# Every target sets up what it needs, from nothing but Python 3.11 or newer, and only when something changed.
#   make test PYTHON=python3.12     chooses the interpreter
#   make test ARGS='-k ledger'      hands arguments to what the target runs

SHELL := /bin/sh
PY := .venv/bin/python
BOOTSTRAP := PYTHON='$(PYTHON)' scripts/bootstrap.sh
ARGS ?=

# Two workers, each test file as a whole on one of them, so that a server is started once per worker.
PYTEST := $(PY) -m pytest
PARALLEL := -n 2 --dist loadfile

# Where this is set, each start of the command compiles its libraries anew, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo check test lock clean bench-crash bench-run bench-start bench-catalog bench-effects

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install all that the other targets need, the servers of the tests included
	@$(BOOTSTRAP) dev peers

demo: ## run the supply-chain example, offline, against sandboxes
	@$(BOOTSTRAP) demo
	@$(PY) examples/supply_chain/demo.py $(ARGS)

check: ## format, lint, types, import arrows and the fast tests
	@$(BOOTSTRAP) dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PYTEST) -q $(PARALLEL) -m 'not peer and not slow and not live' $(ARGS)

test: ## run all tests, with real servers
	@$(BOOTSTRAP) dev peers
	$(PYTEST) $(PARALLEL) -m 'not live' $(ARGS)

bench-crash: ## kill runs in mid-flight and count what was done twice or never
bench-run: ## time runs of guarded steps, beside other engines
bench-start: ## time the import and the first command
bench-catalog: ## compile 174,000 operations, GitHub beside FastMCP
bench-effects: ## hold the inferred effects against labels

# Twice, because a phony target takes no implicit rule: once for those named above, once for any other file.
define run_bench
@$(BOOTSTRAP) bench peers
$(PY) benchmarks/$*.py $(ARGS)
endef

bench-crash bench-run bench-start bench-catalog bench-effects: bench-%:
	$(run_bench)

bench-%:
	$(run_bench)

lock: ## resolve the Python packages anew, into requirements-dev.lock
	@$(BOOTSTRAP) lock

clean: ## remove the environment, the Node servers and the caches
	rm -rf .venv tests/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
