# Everything happens in .venv, with uv where it is there and pip where it is not.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
UV := $(shell command -v uv)
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
OUT ?= demo
WORKERS ?= 2

ifdef UV
VENV = $(UV) venv --quiet --python "$(PYTHON)" .venv
INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
VENV = "$(PYTHON)" -m venv .venv
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: help demo test check format sample causes rules bench clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: .venv/demo  ## the notebooks on the bundled sample, as HTML; no token, no network but for the packages
	@$(BIN)/kotaci report --sample --out $(OUT)

test: check  ## the whole suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

check: .venv/dev  ## what must hold before every commit: style, types, notebooks; seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/nbstripout --verify --keep-id --extra-keys "metadata.papermill cell.metadata.papermill metadata.widgets cell.metadata.jupyter" notebooks/*.ipynb

format: .venv/dev  ## mend the style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

sample: .venv/dev  ## record the sample again from real cargo runs
	@$(BIN)/python -m tests.recorder --out kotaci/sample/history.tar.xz --truths kotaci/sample/truths.json

causes: .venv/dev  ## make the page of causes again from causes.toml
	@$(BIN)/kotaci causes --markdown > kotaci/logs/CAUSES.md.new && mv kotaci/logs/CAUSES.md.new kotaci/logs/CAUSES.md

rules: .venv/dev  ## make the page of the audit's rules again from their cards
	@$(BIN)/kotaci audit --rules --format markdown > kotaci/audit/RULES.md.new && mv kotaci/audit/RULES.md.new kotaci/audit/RULES.md

bench: .venv/dev  ## speed and memory, as a table
	@$(BIN)/python -m tests.benchmarks

clean:  ## remove what make made
	rm -rf .venv $(OUT) build dist

.venv/made:
	@$(VENV)
	@touch $@

.venv/demo: .venv/made pyproject.toml
	@$(INSTALL) -e '.[lab]'
	@touch $@

.venv/dev: .venv/made pyproject.toml
	@$(INSTALL) -e '.[lab,dev]'
	@touch $@
