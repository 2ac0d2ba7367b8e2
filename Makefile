# Run `make help` for a list of targets. Targets install only into .venv, .codesensei or the cache
# (~/.cache/codesensei), except for Debian packages that the sandbox needs, which it names before it installs them.

PYTHON ?= python3
STACK ?=
DEBIAN ?= 13
SEED ?= 1
COUNT ?= 200
KILLS ?= 40
ROWS ?= 200000
ROUNDS ?= 3
ONLY ?=
PART ?= 1/1
NAME ?= play
SERVER ?=
HOST_KEY ?=

VENV := .venv/bin
TYPED := __main__.py codesensei components tools tests
# The golden files are lines of a stack file, not scripts.
SHELL_FILES = $(shell git ls-files '*.sh' .ci/run bin)
PYTEST := $(VENV)/pytest
export HOST_KEY

.DEFAULT_GOAL := help
.PHONY: help setup engine clean
.PHONY: lint format contract test test-unit test-code test-engine test-host test-full test-long
.PHONY: faults backup-kills migration-plans continuity bench growth
.PHONY: demo demo-down sandbox-up sandbox-down sandbox-list sandbox-ssh preview-comment pin

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## Check this machine and create .venv
	@$(PYTHON) -m tools.setup

engine: setup ## Install Pulumi and its plugins into the cache, if missing
	@$(PYTHON) -m tools.engine install --install-packages

preview-comment: ## Print a comment for a merge request: what `pulumi up` would change in the stack STACK
	@CODESENSEI_REVIEW=1 pulumi preview --json --non-interactive $(if $(STACK),--stack '$(STACK)') | \
		$(VENV)/python -m codesensei.story $(if $(STACK)$(PULUMI_STACK),--stack '$(or $(STACK),$(PULUMI_STACK))')

demo: ## Deploy the example project to a throwaway server (DEBIAN=12|13), or to SERVER=user@host
	@$(PYTHON) -m tools.setup --check
	@$(PYTHON) -m tools.demo up --debian '$(DEBIAN)' --server '$(SERVER)'

demo-down: ## Remove the demo: its server, state and keys
	@$(PYTHON) -m tools.demo down

lint: setup ## Check style, types and shell scripts
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy --strict $(TYPED)
	$(VENV)/shellcheck $(SHELL_FILES)

format: setup ## Format the Python files and fix lint errors
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

contract: setup ## Write docs/CONTRACT.md from docs/contract.toml and the tests
	$(VENV)/python -m tools.contract

test: lint test-code test-engine test-host ## Run all tests that a change must pass (the sandbox needs root on Linux)

test-unit: setup ## Run the quick tests that need no engine and no servers
	$(PYTEST) -n auto --dist worksteal -m 'not engine and not host and not full and not slow'

test-code: setup ## Run all tests that need no engine and no servers
	$(PYTEST) -n auto --dist worksteal -m 'not engine and not host and not full'

test-engine: engine ## Test the resource graph and the plugins' behavior
	@$(PYTHON) -m tools.setup --check --tests
	$(PYTEST) -n auto --dist loadfile -m 'engine and not host and not full'

test-host: engine ## Run the tests that deploy to sandbox servers
	$(PYTEST) -n 2 --dist loadgroup -m 'host and not full'

test-full: test test-long ## Run the long tests too (hours)

test-long: engine ## Run the long tests alone (PART=2/8: the second of eight parts)
	@$(PYTHON) -m tools.setup --check --tests
	$(PYTEST) -n auto --part '$(PART)' -m 'full and not host'
	$(PYTEST) -n 2 --dist loadgroup --part '$(PART)' -m 'full and host'

faults: engine ## Let SEED's faults strike deploys to a sandbox server (COUNT of them; hours)
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.trials faults --debian '$(DEBIAN)' --seed '$(SEED)' --count '$(COUNT)'

backup-kills: engine ## Kill backups, checks and restores on a sandbox server (KILLS of them, at moments that SEED chooses)
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.trials backups --debian '$(DEBIAN)' --seed '$(SEED)' --count '$(KILLS)'

migration-plans: engine ## Deploy plans of migrations to a sandbox server whose table has ROWS rows, under readers and writers
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.trials migrations --debian '$(DEBIAN)' --rows '$(ROWS)'

bench: engine ## Measure deploys with codesensei, bash, pyinfra and Ansible, and write docs/SPEED.md (ROUNDS of each)
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.bench --debian '$(DEBIAN)' --rounds '$(ROUNDS)'

growth: engine ## Measure deploys while files, migrations, workers and others grow, or ONLY some, and write docs/SPEED.md
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.bench.growth --debian '$(DEBIAN)' --rounds '$(ROUNDS)' --only $(ONLY)

continuity: engine ## Let a crowd visit a sandbox server's site while it is changed, ROUNDS times in each way
	@$(PYTHON) -m tools.setup --check --tests
	$(VENV)/python -m tools.trials continuity --debian '$(DEBIAN)' --rounds '$(ROUNDS)'

sandbox-up: ## Start the throwaway server NAME (DEBIAN=12|13)
	@$(PYTHON) -m tools.sandbox up '$(NAME)' --debian '$(DEBIAN)'

sandbox-down: ## Stop and remove the server NAME, or all servers with NAME=all
	@$(PYTHON) -m tools.sandbox down $(if $(filter all,$(NAME)),--all,'$(NAME)')

sandbox-list: ## Show this checkout's servers
	@$(PYTHON) -m tools.sandbox list

sandbox-ssh: ## Log in to the server NAME
	@$(PYTHON) -m tools.sandbox ssh '$(NAME)'

pin: ## Write the commit that REV names (a branch, a tag, a commit) into the file of the stack STACK
	@bin/codesensei pin $(if $(STACK),--stack '$(STACK)') -- '$(REV)'

clean: ## Remove the demo, all servers, .venv and what tools left in the checkout (the cache stays)
	@$(PYTHON) -m tools.demo down
	@if command -v systemd-nspawn >/dev/null && [ "$$(id -u)" = 0 ]; then $(PYTHON) -m tools.sandbox down --all; fi
	rm -rf .venv .codesensei .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
