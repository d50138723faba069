# A fresh machine needs git, make and Python >= 3.11; everything else is fetched here. Works with GNU make 3.81 (macOS).
#
#   make up ARGS="--workers 2"    the pool, until Ctrl-C
#   make test                     the everyday tests, nothing to start first
#   make lint                     linters and types
#   make long                     the tests that take longer
#   make chaos                    the pool under faults, every scenario: half an hour
#   make wheel                    the wheel that installs without a checkout
#   make lock                     the hash-pinned requirements of the images, from what is resolved now
#   make asyncapi                 docs/asyncapi.json, from the structs of jobs and events
#   make acl                      deploy/redis/users.acl, from the table of rights
#   make docs                     all pages as a site in site/
#   make release-check            a release, dry: versions agree, and the wheel installs and serves

PYTHON ?= python3
UV_ON_PATH := $(shell command -v uv 2>/dev/null)
UV := $(if $(UV_ON_PATH),$(UV_ON_PATH),.tools/uv/bin/uv)
ARGS ?=
# Tests wait more than they compute: two processes of them, each with brokers and ports of its own. The first begins with
# the story. `PARALLEL=` is one process, as a debugger needs it.
PARALLEL ?= -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help up test long chaos lint wheel lock asyncapi acl docs release-check

help:
	@sed -n 's/^#   //p' Makefile

up: $(UV)
	@$(UV) run mlx-pool up $(ARGS)

test: $(UV)
	@$(UV) run pytest $(PARALLEL) -m "not long" $(ARGS)

long: $(UV)
	@$(UV) run pytest $(PARALLEL) -m long $(ARGS)

chaos: $(UV)
	@$(UV) run python -m tests.chaos --seconds 20 $(ARGS)

lint: $(UV)
	@$(UV) run ruff check
	@$(UV) run ruff format --check
	@$(UV) run pyright
	@$(UV) tool run --quiet check-jsonschema==0.39.0 --quiet --builtin-schema vendor.compose-spec compose.yaml

wheel: $(UV)
	@$(UV) build --wheel

EXPORT = $(UV) export --quiet --no-header --no-emit-project --no-default-groups
lock: $(UV)
	@$(EXPORT) --extra gateway --output-file gateway/requirements.lock >/dev/null
	@$(EXPORT) --extra worker --output-file worker/requirements.lock >/dev/null

asyncapi: $(UV)
	@$(UV) run python -m shared.asyncapi >docs/asyncapi.json

ACL = $(UV) run mlx-pool acl --for-version 8.2 --file --role
acl: $(UV)
	@{ head -n 1 deploy/redis/users.acl; for role in gateway worker producer monitor; do $(ACL) $$role; done; } >users.acl.new
	@mv users.acl.new deploy/redis/users.acl

docs: $(UV)
	@$(UV) run mkdocs build --strict --quiet
	@echo "site/index.html"

release-check: $(UV)
	@UV="$(UV)" .ci/release-check $(ARGS)

# Only where no uv is on the PATH: one pip call into a folder of the checkout, which changes nothing outside of it.
.tools/uv/bin/uv:
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "make: $(PYTHON) has no pip: install it (Debian, Ubuntu: sudo apt install python3-pip), or install uv" >&2; exit 2; }
	@echo "fetching uv into .tools/uv"
	@rm -rf .tools/uv
	@PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-input --target .tools/uv 'uv>=0.13,<0.14'
