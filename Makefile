# Every target is a line or two; `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
# The files name every package: without --no-deps, older pips look past the lock for one that is asked for with an extra.
PIP := bin/pip install --disable-pip-version-check --require-hashes --no-deps

.PHONY: help run test test-postgres check format bench fuzz replicas-test outage-test soak matrix image-test compose-env compose-test deploy-check client lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.installed .venv-mlflow/.installed ## Start MLflow, portal and worker on this machine; Ctrl-C stops them
	@exec $(BIN)/python -m hokusai_portal.stack

test: .venv/.installed-dev .venv-mlflow/.installed ## Run the whole suite, live tests included
	$(BIN)/python -m pytest

test-postgres: .venv/.installed-dev ## Run the unit tests on PostgreSQL
	$(BIN)/python -m tests.on_postgres $(PYTEST_ARGS)

check: .venv/.installed-dev ## Lint, types, layers, migrations, deployment settings, image files, locks
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	sh deploy/check-production.sh
	$(BIN)/shellcheck deploy/mlflow/entrypoint.sh deploy/*.sh deploy/compose/*.sh tests/images/*.sh .ci/run .ci/test
	test ! -x $(BIN)/hadolint || $(BIN)/hadolint Dockerfile Dockerfile.mlflow
	sh deploy/lock.sh --check

format: .venv/.installed-dev ## Format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: .venv/.installed-dev .venv-mlflow/.installed-bench ## Compare the portal with MLflow alone, nginx and boto3 (a quarter of an hour; BENCH_ARGS=--quick)
	$(BIN)/python -m bench.run $(BENCH_ARGS)

fuzz: .venv/.installed-dev .venv-mlflow/.installed ## Try the REST API with made-up calls (a quarter of an hour; FUZZ_EXAMPLES=n)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} $(BIN)/python -m pytest tests/live/test_fuzz.py -rs

replicas-test: .venv/.installed-dev .venv-mlflow/.installed ## Two replicas behind nginx: killed, rolled and revoked under load (three minutes)
	$(BIN)/python -m pytest -m replicas tests/live

outage-test: .venv/.installed-dev .venv-mlflow/.installed ## Take MLflow, store, databases away and measure what callers see
	$(BIN)/python -m pytest -m outage tests/live

soak: .venv/.installed-dev .venv-mlflow/.installed ## Repeat the fault cases by the thousand (half an hour; CONTRIBUTING)
	$(BIN)/python -m pytest -m soak -rs $(SOAK_ARGS)

matrix: .venv/.installed-dev ## Walk every preset over every route
	$(BIN)/python -m pytest -m matrix

image-test: .venv/.installed-dev .venv-mlflow/.installed ## Build both images and register a model through them (root; CONTRIBUTING)
	sh tests/images/run.sh images

compose-env: ## Make .env for compose.yaml, with secrets of its own
	sh deploy/compose/env.sh

compose-test: .venv/.installed-dev .venv-mlflow/.installed .venv-deploy/.installed ## Start compose.yaml for real and register a model through it (root; CONTRIBUTING)
	sh tests/images/run.sh compose

deploy-check: .venv-deploy/.installed ## Check the Compose, Terraform and Helm files
	sh deploy/check.sh

client: | .venv/bin/python ## Build hokusai-portal, the client, as one file in dist/
	$(BIN)/python client/single_file.py dist/hokusai-portal.pyz

lock: .venv/.installed-dev ## Resolve the requirement files anew
	sh deploy/lock.sh

clean: ## Remove the environments, caches and dist/; data in var/ stays
	rm -rf dist .venv .venv-mlflow .venv-deploy .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.12 or newer is needed and was not found. Name it: make run PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version) …"
	$(PYTHON) -m venv .venv

.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing the portal (about 40 packages, half a minute) …"
	.venv/$(PIP) -r requirements.txt && touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing the test tools (about a minute) …"
	.venv/$(PIP) -r requirements-dev.txt && touch $@

.venv-deploy/bin/python: | .venv/bin/python
	$(PYTHON) -m venv .venv-deploy

.venv-deploy/.installed: deploy/requirements.txt | .venv-deploy/bin/python
	@echo "Installing the tools for deployment files (about 110 packages, a minute) …"
	.venv-deploy/$(PIP) -r deploy/requirements.txt && touch $@

.venv-mlflow/bin/python: | .venv/bin/python
	@echo "Making .venv-mlflow …"
	$(PYTHON) -m venv .venv-mlflow

.venv-mlflow/.installed: requirements-mlflow.txt | .venv-mlflow/bin/python
	@echo "Installing MLflow (about 90 packages, one to two minutes) …"
	.venv-mlflow/$(PIP) -r requirements-mlflow.txt && touch $@

.venv-mlflow/.installed-bench: bench/requirements.txt .venv-mlflow/.installed
	.venv-mlflow/$(PIP) -r bench/requirements.txt && touch $@
