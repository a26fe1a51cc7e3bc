# Everything a newcomer types; `make` alone lists it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed

# Where it is set, each of the tests' many processes compiles all its imports anew: half a minute.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-kafka lint types bench asyncapi lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

$(STAMP): deploy/requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==0.13.9'
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement deploy/requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(STAMP)

setup: $(STAMP) ## the virtual environment: .venv/bin/roguekey is there afterwards

demo: setup ## the whole system on an embedded broker, in some three minutes
	$(BIN)/roguekey demo

test: setup ## the quick tests
	$(BIN)/python -m pytest

test-all: setup ## every test, also the slow, Kafka and browser ones
	$(BIN)/python -m pytest -m ''

test-kafka: setup ## the tests against Apache Kafka, or against ROGUEKEY_BROKERS
	$(BIN)/python -m pytest -n 0 -m kafka

lint: setup ## ruff, format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## mypy, strict
	$(BIN)/mypy

$(BENCH_STAMP): deploy/bench.lock pyproject.toml | $(STAMP)
	$(PYTHON) -m venv $(BENCH)
	$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --require-hashes --no-deps --requirement deploy/bench.lock
	$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --no-deps --no-build-isolation --editable .
	touch $(BENCH_STAMP)

bench: $(BENCH_STAMP) ## speed and memory beside peers; the results go to benchmarks/results
	$(BENCH)/bin/python -m benchmarks

asyncapi: setup ## write the topics' description again: deploy/asyncapi.yaml
	$(BIN)/python -m streams.asyncapi > deploy/asyncapi.yaml

lock: setup ## resolve the dependencies again into deploy/requirements.lock
	$(BIN)/uv pip compile --quiet --extra dev --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml deploy/build.in --output-file deploy/requirements.lock
	$(BIN)/uv pip compile --quiet --extra dev --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --constraint deploy/requirements.lock --override deploy/bench.overrides \
	  pyproject.toml deploy/build.in deploy/bench.in --output-file deploy/bench.lock

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) $(BENCH) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
