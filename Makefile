# Duenotice: `make run` starts everything on this machine, `make test` runs the tests, `make check` reads the code.
# Nothing has to be installed by hand: .venv is built from the hash-locked requirements in requirements/.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run demo install test test-long check check-types check-words browser relay mailbox oracles lock clean

# What Python compiles is kept: else each worker of the tests, and each program that they start, compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

# The first Python that is new enough, and uv: the one on PATH, or one got by pip into .tools.
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$python" && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/bin/uv)
OWN_UV := $(filter .tools/bin/uv,$(UV))

INSTALL = @$(UV) pip install --quiet --compile-bytecode --python .venv/bin/python
COMPILE = @$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(UPGRADE)

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/installed ## Start everything on this machine, until Ctrl-C
	@.venv/bin/duenotice up

demo: .venv/installed ## Play a case of each kind in virtual time, and print what was due, why, and when it was done
	@.venv/bin/duenotice demo

install: .venv/installed ## Build .venv from the locked requirements

# Tests wait for servers and browsers about a third of their time, so there are twice as many workers as cores.
test: .venv/installed-dev .tools/s3/installed ## Run the tests (ARGS="-k virginia" picks some), save for the long ones
	@.venv/bin/pytest -n 4 --dist worksteal -m "not long" $(ARGS)

test-long: .venv/installed-dev .tools/s3/installed browser relay mailbox oracles ## Run the long tests: rehearsals, workers killed, hundreds of batches, browsers, what README says
	@.venv/bin/pytest -n 4 --dist loadfile -m long $(ARGS)

check: .venv/installed-dev ## Lint, format, types, direction of imports, documents
	@$(MAKE) -j2 --output-sync=target check-types check-words

check-types:
	@.venv/bin/mypy

check-words:
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/duenotice templates check
	@.venv/bin/pytest -q -m "not long" tests/docs

browser: ## Find Chromium for the browser tests; as root on Debian, install it
	@for name in "$$CHROMIUM" chromium chromium-browser; do \
		command -v "$$name" >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null && exit 0; fi; \
	echo "No Chromium here, so the browser tests will be skipped. Install it, or name one in CHROMIUM."

relay: ## Find Postfix for the tests of mail; as root on Debian, install it
	@PATH="$$PATH:/usr/sbin" command -v postfix >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Postfix for the tests of mail ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends postfix >/dev/null && exit 0; fi; \
	echo "No Postfix here, so the tests against a real relay will be skipped. Install it, and run them as root."

mailbox: ## Find Dovecot for the tests of what comes back; as root on Debian, install it
	@PATH="$$PATH:/usr/sbin" command -v dovecot >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Dovecot for the tests of what comes back ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends dovecot-imapd >/dev/null && exit 0; fi; \
	echo "No Dovecot here, so the tests against a real mailbox will be skipped. Install it."

oracles: .venv/installed-oracles ## Get other people's verifiers of transparency logs, for the tests of evidence
	@[ -d /usr/share/gocode/src/golang.org/x/mod/sumdb ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Go's sumdb for the tests of evidence ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends golang-golang-x-mod-dev >/dev/null && exit 0; fi; \
	echo "Go's x/mod is not here, so its tests will be skipped. Install it (Debian: golang-golang-x-mod-dev)."

lock: | $(OWN_UV) ## Remake the locks from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	$(COMPILE) pyproject.toml --group build --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
	$(COMPILE) requirements/oracles.in --constraints requirements/dev.txt --output-file requirements/oracles.txt
	$(COMPILE) requirements/s3.in --output-file requirements/s3.txt
	$(COMPILE) requirements/uv.in --output-file requirements/uv.txt

clean: ## Remove what make has built; .duenotice, which holds the cases, stays
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/installed: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing requirements/run.txt into .venv ..."
	$(INSTALL) --require-hashes --requirements requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements/dev.txt .venv/installed
	@echo "Installing requirements/dev.txt into .venv ..."
	$(INSTALL) --require-hashes --requirements requirements/dev.txt
	@touch $@

.venv/installed-oracles: requirements/oracles.txt .venv/installed-dev
	@echo "Installing requirements/oracles.txt into .venv ..."
	@$(UV) pip install --quiet --python .venv/bin/python --require-hashes --requirements requirements/oracles.txt
	@touch $@

.tools/s3/installed: requirements/s3.txt | python $(OWN_UV)
	@echo "Getting an S3 server for the tests of artifacts ..."
	@$(UV) venv --quiet --no-project --clear --python "$(PYTHON)" .tools/s3
	@$(UV) pip install --quiet --python .tools/s3/bin/python --require-hashes --requirements requirements/s3.txt
	@touch $@

.venv/bin/python: | python $(OWN_UV)
	@$(UV) venv --quiet --no-project --python "$(PYTHON)" .venv

.tools/bin/uv: requirements/uv.txt | python
	@echo "Getting uv into .tools ..."
	@"$(PYTHON)" -m venv .tools || { rm -rf .tools; echo "This Python cannot make virtual environments." \
		"Install its venv module (Debian: apt-get install python3-venv), or uv, and try again." >&2; exit 1; }
	@.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

.PHONY: python
python:
	@[ -n "$(PYTHON)" ] || { echo "Duenotice needs Python 3.11 or newer, and there is none on PATH." \
		"Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
