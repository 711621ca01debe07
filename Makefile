# make lab    opens the first notebook in JupyterLab
# make test   checks everything; make test-all does so on the full grids
# make lint   only style and types
#
# Each makes what it needs and can be run again. Packages go into $(VENV); Chromium, for the
# browser tests, comes through apt where this account may install it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
PYTEST := $(BIN)/python -m pytest
NOTEBOOKS = $(sort $(wildcard notebooks/*.ipynb))
FIRST := notebooks/01_five_lines.ipynb
# With the settings in interactive_training/labconfig; root has to say that it means it.
LAB := JUPYTER_CONFIG_PATH="$(CURDIR)/interactive_training" $(BIN)/python -m jupyterlab \
	$(if $(filter 0,$(shell id -u)),--allow-root)
# Which tests: pyproject.toml leaves out those marked full, and test-all takes them in.
WHICH :=

.PHONY: help lab test test-all lint unit notebooks browser chromium clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# Trusted, so that a page that is loaded again shows its labs and not pictures of them.
lab: $(VENV)/.lab
	@$(BIN)/python -c 'from pathlib import Path; from interactive_training.cli import trust; trust(Path("notebooks"))'
	$(LAB) $(FIRST)

# Chromium stands first, so that a missing browser is known before the long part. Each part is a
# run of its own; make -k test goes on after one that failed.
test: chromium unit notebooks browser lint

test-all: WHICH := -m ""
test-all: test

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.test
	$(PYTEST) tests --ignore=tests/browser $(WHICH)

# Every cell runs; cells tagged nbval-check-output must also print what is stored.
notebooks: $(VENV)/.test
	$(if $(NOTEBOOKS),$(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout 120 \
		--nbval-sanitize-with tests/nbval_sanitize.cfg $(NOTEBOOKS),@echo "no notebooks yet")

browser: $(VENV)/.test chromium
	$(if $(wildcard tests/browser/test_*.py),$(PYTEST) tests/browser $(WHICH),@echo "no browser tests yet")

chromium:
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if command -v apt-get >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then as_root=; \
		elif sudo -n true 2>/dev/null; then as_root="sudo -n"; \
		else as_root=no; fi; \
		if [ "$$as_root" != no ]; then \
			$$as_root apt-get update && \
			$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y chromium && exit 0; \
		fi; \
	fi; \
	echo "The browser tests need Chromium, and it could not be installed from here." >&2; \
	echo "Install it (on Debian: apt-get install chromium) so that 'chromium' runs, then try again." >&2; \
	exit 1

# Torch first and alone: whatever comes later then finds the tested version in place.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	$(INSTALL) torch
	@touch $@

$(VENV)/.lab: pyproject.toml constraints.txt $(VENV)/.torch
	$(INSTALL) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.torch
	$(INSTALL) -e ".[test]"
	@touch $@ $(VENV)/.lab

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 lab" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
